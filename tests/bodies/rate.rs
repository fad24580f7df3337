//! The rate meter: charges, debts, refunds and changes of the rate, against the ideal world in which every actual cost was
//! known, and against the first law.

use super::{
    Source,
    histories::{HOUR, SECOND, cost, moved},
    metered::units,
};
use std::time::Duration;
use tollgate_core::{Limit, Meter, Moment, Nanos, Wall};
use tollgate_quota::{Depth, RateMeter, RateReceipt, RefundRule, Scale};
use tollgate_testkit::{
    RateLimit,
    ideal::Receipt,
    law::{Event, Verdict, check_changing, raise_debts},
    model::{Gcra, Model},
    strategy::Histories,
};

const STEPS_MAX: usize = 700;

/// A charge whose actual cost is still to come.
struct Open {
    receipt: RateReceipt,
    ideal: Receipt,
    /// How many charges came before it.
    number: usize,
    /// Under which of the meters.
    reign: usize,
    event: usize,
    left: u64,
}

struct Live {
    meters: Vec<RateMeter>,
    limits: Vec<(u64, RateLimit)>,
    plain: RateLimit,
    rule: RefundRule,
    steps_back: bool,
    /// Charges that are told apart.
    depth: usize,
    ideal: Gcra,
    /// Whether the meter must be where the ideal one is.
    exact: bool,
    charges: usize,
    open: Vec<Open>,
    events: Vec<Event>,
    surplus: u64,
    now: u64,
    latest: u64,
}

/// Rates whose periods have a common multiple.
fn plain(source: &Source<'_>) -> RateLimit {
    let (units, period, capacity) = match source.number(0..=2) {
        0 => (
            source.number(1..=60),
            source.number(1..=60),
            source.number(1..=40),
        ),
        1 => (
            source.number(1..=60),
            source.pick(&[100, 2_000, 1_000_000, SECOND]),
            source.number(1..=100),
        ),
        _ => (
            source.pick(&[1, 7, 226_000, 1_000_000, 40_000_000]),
            source.pick(&[SECOND, 60 * SECOND, HOUR]),
            // Records hold backlogs of up to 2^61 quanta; those of more refund less.
            source.number(1..=10_000),
        ),
    };
    RateLimit::new(units, period, capacity)
}

fn limit_of(plain: RateLimit) -> Limit {
    let limit = Limit::new(plain.units, Duration::from_nanos(plain.period));
    limit
        .expect("units and a period")
        .with_capacity(plain.capacity)
}

impl Live {
    fn at(&self) -> Moment {
        Moment::new(Nanos(self.now), Wall(0))
    }

    fn meter(&self) -> &RateMeter {
        self.meters.last().expect("there is one from the start")
    }

    fn charge(&mut self, asked: u64, anyway: bool) {
        let (at, ceiling) = (self.at(), self.plain.capacity);
        let expected = self.ideal.look(self.now, asked);
        let before = self.meter().used(at);
        let taken = if anyway {
            self.meter().charge_anyway(at, units(asked), ceiling)
        } else {
            let looked = self.meter().look(at, units(asked), ceiling);
            let taken = self.meter().charge(at, units(asked), ceiling);
            assert_eq!(looked, taken.map(|_| ()), "what was promised is done");
            taken
        };
        match taken {
            Ok(charged) => {
                // A meter that refunded less than it might holds more than the ideal one, never less.
                assert!(
                    anyway || !self.told() || expected.admitted(),
                    "{asked} at {}",
                    self.now
                );
                let event = self.events.len();
                let make = if anyway { Event::debt } else { Event::admitted };
                self.events.push(make(self.now, asked));
                self.open.push(Open {
                    receipt: charged.receipt,
                    ideal: self.ideal.charge(self.now, asked),
                    number: self.charges,
                    reign: self.meters.len() - 1,
                    event,
                    left: asked,
                });
                self.charges += 1;
            }
            Err(refused) => {
                assert_eq!(self.meter().used(at), before, "a denial changes nothing");
                if self.exact && self.told() {
                    let wait = match refused {
                        tollgate_core::Refused::Denied(denial) => denial.wait.duration(),
                        tollgate_core::Refused::Closed | tollgate_core::Refused::Dry => {
                            panic!("it took over")
                        }
                    };
                    let wait = wait.map(|wait| wait.as_nanos());
                    assert_eq!(wait, expected.retry_after(), "{asked} at {}", self.now);
                    assert!(!expected.admitted());
                }
            }
        }
    }

    /// Whether the ideal world is one that the meter is held to.
    fn told(&self) -> bool {
        self.rule == RefundRule::Exact && self.meters.len() == 1 && !self.steps_back
    }

    /// Settles a charge at less than it was estimated at, in one part or several.
    fn refund(&mut self, source: &Source<'_>) {
        if self.open.is_empty() {
            return;
        }
        let place = source.index(self.open.len());
        let mut open = self.open.swap_remove(place);
        let surplus = match source.number(0..=3) {
            0 => open.left,
            _ => source.number(0..=open.left),
        };
        let (at, before) = (self.at(), self.meter().used(self.at()));
        let is_whole = surplus == open.left && self.meters.len() - 1 == open.reign;
        let given = self.give_back(&open, surplus, at);
        assert!(given <= surplus, "{given} of {surplus} came back");
        assert!(self.meter().used(at) <= before);
        let ideal = self.ideal.give_back(self.now, &mut open.ideal, surplus);
        let told_apart = self.charges - open.number <= self.depth - 8;
        self.exact &= told_apart;
        // A charge after which nothing happened is given back whole, as if it had never been.
        if self.told() && self.exact && !(is_whole && given == surplus) {
            assert_eq!(
                u128::from(given),
                ideal.units_floor(),
                "of {surplus} at {}",
                self.now
            );
        }
        self.surplus += surplus;
        self.events[open.event].units -= surplus;
        open.left -= surplus;
        if open.left > 0 && source.one_in(3) {
            // What is settled in two parts is told from what is settled in one: only the law judges it.
            self.exact = false;
            self.open.push(open);
        }
    }

    fn give_back(&self, open: &Open, surplus: u64, at: Moment) -> u64 {
        if open.reign == self.meters.len() - 1 {
            return self.meter().refund(at, &open.receipt, surplus);
        }
        let mut carried = self.meters[open.reign].hand_on(&open.receipt, surplus);
        for meter in &self.meters[open.reign + 1..] {
            match meter.refund_carried(at, carried) {
                Ok(given) => return given,
                Err(further) => carried = further,
            }
        }
        panic!("the last meter is not frozen");
    }

    /// Another rate and capacity, from an instant on that no `now` was later than.
    fn change(&mut self, source: &Source<'_>) {
        self.now = self.latest;
        let next = plain(source);
        let Ok(scale) = Scale::new(&limit_of(next)) else {
            return;
        };
        let meter = RateMeter::pending(scale, Depth::Long, self.rule);
        assert!(meter.is_closed());
        let used = self.meter().used(self.at());
        meter.take_over(self.meter(), self.at());
        meter.take_over(self.meter(), Moment::new(Nanos(self.now / 2), Wall(0)));
        let after = meter.used(self.at());
        assert!(after == used, "{after} of {used} units were kept");
        assert!(self.meter().is_closed() && !meter.is_closed());
        self.meters.push(meter);
        self.plain = next;
        self.limits.push((self.now, next));
    }

    fn look(&self) {
        if !self.told() {
            return;
        }
        let (used, ideal) = (
            u128::from(self.meter().used(self.at())),
            self.ideal.used(self.now),
        );
        if self.exact {
            assert_eq!(used, ideal, "at {}", self.now);
        } else {
            assert!(
                used >= ideal,
                "{used} used at {}, {ideal} in the ideal world",
                self.now
            );
        }
    }

    fn judge(mut self) {
        // Only what was kept says from when a debt counts.
        self.events.retain(|event| event.units > 0);
        raise_debts(&mut self.events);
        let slack = if self.rule == RefundRule::Eager {
            self.surplus
        } else {
            0
        };
        let verdict = check_changing(&self.limits, self.events, slack);
        assert!(
            !matches!(verdict, Verdict::Broken(_)),
            "{verdict} under {:?}",
            self.limits
        );
    }
}

fn live(bytes: &[u8], rule: RefundRule, changes: bool, steps_back: bool) {
    let source = Source::new(bytes);
    let plain = plain(&source);
    let depth = source.pick(&[Depth::Long, Depth::Short]);
    let Ok(meter) = RateMeter::new(&limit_of(plain), depth, rule) else {
        return;
    };
    let mut live = Live {
        meters: vec![meter],
        limits: vec![(0, plain)],
        plain,
        rule,
        steps_back,
        depth: if depth == Depth::Long { 512 } else { 16 },
        ideal: Gcra::new(plain),
        exact: true,
        charges: 0,
        open: Vec::new(),
        events: Vec::new(),
        surplus: 0,
        now: source.pick(&[0, HOUR]),
        latest: 0,
    };
    for _ in 0..STEPS_MAX {
        if !source.goes_on() {
            break;
        }
        let scale = Histories {
            steps_back,
            ..Histories::of_rate(live.plain)
        };
        let floor = live.limits.last().map_or(0, |(from, _)| *from);
        live.now = moved(&source, live.now, scale).clamp(floor, 20 * 365 * 24 * HOUR);
        live.latest = live.latest.max(live.now);
        match source.number(0..=15) {
            0..9 => live.charge(cost(&source, live.plain.capacity), false),
            9 => live.charge(cost(&source, live.plain.capacity), true),
            15 if changes => live.change(&source),
            _ => live.refund(&source),
        }
        live.look();
    }
    live.judge();
}

/// Refunds by the exact rule, by a clock that never steps back: the meter is where the ideal one is.
pub(super) fn rate_refunds(bytes: &[u8]) {
    live(bytes, RefundRule::Exact, false, false);
}

/// Refunds by the exact rule across changes of the rate, by a clock that steps back: the first law holds.
pub(super) fn rate_changes(bytes: &[u8]) {
    live(bytes, RefundRule::Exact, true, true);
}

/// Eager refunds: the first law holds but for the surplus, which is declared.
pub(super) fn rate_eager(bytes: &[u8]) {
    live(bytes, RefundRule::Eager, true, true);
}
