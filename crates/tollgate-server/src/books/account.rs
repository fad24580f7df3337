//! What passed in one account of one limit.

use std::collections::BTreeMap;

use tollgate_policy::Mode;
use tollgate_testkit::Answer;
use tollgate_testkit::law::{self, Event, Kind};
use tollgate_testkit::model::Model;

use super::concerned::Concern;
use super::promise::Promise;
use crate::rules::Terms;

/// One account of a limit.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) mode: Mode,
    pub(super) max: u64,
    /// Units that may be committed; none is unlimited.
    pub(super) ceiling: Option<u64>,
    /// All that passed, in the order in which it was entered.
    pub(super) events: Vec<Event>,
    pub(super) admitted: u128,
    pub(super) debt: u128,
    /// The latest instant that anything was charged at.
    latest: u64,
    /// Admitted requests that a calendar counted in a later period than their own.
    pub(super) counted_later: u64,
    /// Estimated and not used, of requests that are not settled yet.
    surplus_in_flight: u64,
    most_surplus_in_flight: u64,
    model: Option<Box<dyn Model>>,
}

impl Account {
    /// An account that begins at `now`.
    pub(super) fn new(promise: &Promise, terms: Terms, now: u64, with_model: bool) -> Self {
        let max = terms.max.unwrap_or(u64::MAX);
        let ceiling = match terms.max {
            Some(0) => Some(0),
            _ => terms.capacity,
        };
        let ceiling = ceiling.filter(|_| terms.max.is_some());
        let mut events = Vec::new();
        // What an account does not start with is as good as spent.
        if let (
            Promise::Rate {
                initial: Some(initial),
                ..
            },
            Some(ceiling),
        ) = (promise, ceiling)
        {
            let used = ceiling.saturating_sub(*initial);
            if used > 0 {
                events.push(Event::debt(now, used));
            }
        }
        // A limit that refuses nobody has nothing that could be held against it.
        let with_model = with_model && terms.mode == Mode::Enforce;
        let model = ceiling
            .filter(|_| with_model)
            .and_then(|ceiling| promise.model(max, ceiling, now));
        Self {
            mode: terms.mode,
            max,
            ceiling,
            events,
            admitted: 0,
            debt: 0,
            latest: 0,
            counted_later: 0,
            surplus_in_flight: 0,
            most_surplus_in_flight: 0,
            model,
        }
    }

    /// What the exact model says to a request; without one, yes.
    pub(super) fn look(&self, now: u64, concern: &Concern) -> Answer {
        match (&self.model, self.ceiling) {
            (Some(model), Some(ceiling)) if concern.estimate > 0 => {
                let seen = concern.share.map_or(ceiling, |share| share.of(ceiling));
                model.look_under(now, concern.estimate, seen)
            }
            _ => Answer::Admit,
        }
    }

    /// Whether the account may have forgotten what a caller of `now` would see.
    pub(super) fn may_have_forgotten(&self, now: u64, promise: &Promise) -> bool {
        now < self.latest && matches!(promise, Promise::Window { slots: None, .. })
    }

    /// The instant at which the law sees what is charged at `now`. A calendar whose clock was set back counts in the
    /// period that had begun.
    fn instant(&mut self, now: u64, promise: &Promise) -> u64 {
        let before = self.latest;
        self.latest = before.max(now);
        match promise {
            Promise::Periods {
                periods,
                calendar: true,
            } if periods.number(now) < periods.number(before) => before,
            _ => now,
        }
    }

    /// Enters an admitted request.
    pub(super) fn admit(&mut self, now: u64, concern: &mut Concern, promise: &Promise) {
        if concern.estimate == 0 {
            return;
        }
        let kept = kept(concern, promise);
        self.admitted += u128::from(kept);
        let at = self.instant(now, promise);
        self.counted_later += u64::from(at > now);
        self.events.push(Event::admitted(at, kept));
        let surplus = concern.estimate - kept;
        self.surplus_in_flight = self.surplus_in_flight.saturating_add(surplus);
        self.most_surplus_in_flight = self.most_surplus_in_flight.max(self.surplus_in_flight);
        if let Some(model) = &mut self.model {
            concern.receipt = Some(model.charge(now, concern.estimate));
        }
    }

    /// Enters the settlement of an admitted request.
    pub(super) fn settle(&mut self, now: u64, concern: &mut Concern, promise: &Promise) {
        if matches!(promise, Promise::Concurrency) {
            self.events.push(Event::closed(now, concern.estimate));
            if let (Some(model), Some(receipt)) = (&mut self.model, &mut concern.receipt) {
                model.refund(now, receipt, concern.estimate);
            }
            return;
        }
        let kept = if concern.estimate == 0 {
            0
        } else {
            kept(concern, promise)
        };
        self.surplus_in_flight = self
            .surplus_in_flight
            .saturating_sub(concern.estimate - kept);
        let debt = concern.actual - kept;
        if debt > 0 {
            self.debt += u128::from(debt);
            let at = self.instant(now, promise);
            self.events.push(Event::debt(at, debt));
        }
    }

    /// The most that was estimated too much at any time, of all requests then open.
    pub(super) fn most_surplus_in_flight(&self) -> u64 {
        self.most_surplus_in_flight
    }

    /// The most units admitted in any window, period, or at once, as the limit counts.
    pub(super) fn most_in_window(&self, promise: &Promise) -> u128 {
        let admitted = || {
            self.events
                .iter()
                .filter(|event| event.kind == Kind::Admitted)
        };
        match promise {
            Promise::Rate { per_ns, .. } | Promise::Window { per_ns, .. } => {
                let record = admitted().map(|event| (event.at, event.units));
                law::busiest(*per_ns, record).map_or(0, |peak| peak.units)
            }
            Promise::Periods { periods, .. } => {
                let mut by_period = BTreeMap::<u128, u128>::new();
                for event in admitted() {
                    *by_period.entry(periods.number(event.at)).or_default() +=
                        u128::from(event.units);
                }
                by_period.into_values().max().unwrap_or(0)
            }
            Promise::Unknown | Promise::Lifetime => self.admitted,
            Promise::Concurrency => {
                let (mut open, mut most) = (0_u128, 0);
                for event in &self.events {
                    let units = u128::from(event.units);
                    open = if event.kind == Kind::Closed {
                        open.saturating_sub(units)
                    } else {
                        open + units
                    };
                    most = most.max(open);
                }
                most
            }
        }
    }
}

/// Units of a request that were admitted and not given back; what is open counts as it is.
fn kept(concern: &Concern, promise: &Promise) -> u64 {
    match promise {
        Promise::Concurrency => concern.estimate,
        _ => concern.estimate.min(concern.actual),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn concern(estimate: u64, actual: u64) -> Concern {
        Concern {
            limit: 0,
            account: 0,
            estimate,
            actual,
            share: None,
            receipt: None,
        }
    }

    fn account(promise: &Promise) -> Account {
        let terms = Terms {
            max: Some(100),
            capacity: Some(100),
            mode: Mode::Enforce,
        };
        Account::new(promise, terms, 0, false)
    }

    #[test]
    fn what_is_kept_and_what_is_debt_are_told_apart() {
        let promise = Promise::Lifetime;
        let mut account = account(&promise);
        let (mut over, mut under) = (concern(40, 10), concern(10, 25));
        account.admit(1, &mut over, &promise);
        account.admit(2, &mut under, &promise);
        account.settle(3, &mut over, &promise);
        account.settle(4, &mut under, &promise);
        assert_eq!((account.admitted, account.debt), (20, 15));
        assert_eq!(
            account.events,
            [
                Event::admitted(1, 10),
                Event::admitted(2, 10),
                Event::debt(4, 15)
            ]
        );
        assert_eq!(account.most_in_window(&promise), 20);
    }

    #[test]
    fn a_request_that_costs_nothing_can_still_run_into_debt() {
        let promise = Promise::Lifetime;
        let mut account = account(&promise);
        let mut free = concern(0, 7);
        account.admit(1, &mut free, &promise);
        account.settle(2, &mut free, &promise);
        assert_eq!(account.events, [Event::debt(2, 7)]);
    }

    #[test]
    fn the_surplus_in_flight_is_that_of_all_open_requests() {
        let promise = Promise::Lifetime;
        let mut account = account(&promise);
        let mut first = concern(40, 10);
        account.admit(1, &mut first, &promise);
        account.admit(2, &mut concern(40, 15), &promise);
        account.settle(3, &mut first, &promise);
        account.admit(4, &mut concern(20, 20), &promise);
        assert_eq!(account.most_surplus_in_flight(), 55);
        assert_eq!(account.surplus_in_flight, 25);
    }

    #[test]
    fn open_requests_count_while_they_are_open() {
        let promise = Promise::Concurrency;
        let mut account = account(&promise);
        let mut open = [concern(1, 1), concern(1, 1), concern(1, 1)];
        account.admit(1, &mut open[0], &promise);
        account.admit(2, &mut open[1], &promise);
        account.settle(3, &mut open[0], &promise);
        account.admit(3, &mut open[2], &promise);
        assert_eq!(account.most_in_window(&promise), 2);
        assert_eq!(account.admitted, 3);
    }
}
