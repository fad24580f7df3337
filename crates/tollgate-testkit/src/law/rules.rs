//! Each law as a step over events in order of time.

use super::{Event, Evidence, Kind, Law, rate::RateRule, window::WindowRule};
use crate::limit::{Periods, left};

#[derive(Debug)]
pub(super) enum Rule {
    Rate(RateRule),
    Window(WindowRule),
    Periods(PeriodRule),
    Lifetime(Tally),
    Concurrency(Tally),
}

impl Rule {
    pub(super) fn new(law: &Law, slack: u64) -> Self {
        match law {
            Law::Rate(limit) => Self::Rate(RateRule::new(*limit, slack)),
            Law::Window { window, max } => Self::Window(WindowRule::new(*window, *max, slack)),
            Law::Periods { periods, max } => {
                Self::Periods(PeriodRule::new(periods.clone(), *max, slack))
            }
            Law::Lifetime { max } => Self::Lifetime(Tally::new(*max, slack)),
            Law::Concurrency { max } => Self::Concurrency(Tally::new(*max, slack)),
        }
    }

    /// Counts `event`, and shows what it broke.
    pub(super) fn record(&mut self, event: Event) -> Option<Evidence> {
        match self {
            Self::Concurrency(tally) => tally.record(event),
            _ if event.kind == Kind::Closed => None,
            Self::Rate(rule) => rule.record(event),
            Self::Window(rule) => rule.record(event),
            Self::Periods(rule) => rule.record(event),
            Self::Lifetime(tally) => tally.record(event),
        }
    }
}

/// Units within the current period, and what it inherited.
#[derive(Debug)]
pub(super) struct PeriodRule {
    periods: Periods,
    /// Max and slack. What an admission took by the slack is no debt, so it does not weigh on the next period.
    allowed: u128,
    number: u128,
    used: u128,
}

impl PeriodRule {
    fn new(periods: Periods, max: u64, slack: u64) -> Self {
        Self {
            periods,
            allowed: u128::from(max) + u128::from(slack),
            number: 0,
            used: 0,
        }
    }

    fn record(&mut self, event: Event) -> Option<Evidence> {
        let number = self.periods.number(event.at);
        self.used = left(self.used, self.allowed, number - self.number);
        self.number = number;
        self.used += u128::from(event.units);

        (event.kind == Kind::Admitted && self.used > self.allowed).then(|| Evidence {
            first: self
                .periods
                .start(number)
                .and_then(|start| u64::try_from(start).ok())
                .unwrap_or(0),
            last: event.at,
            units: self.used,
            allowed: self.allowed,
        })
    }
}

/// Units that count until they are closed, if ever.
#[derive(Debug)]
pub(super) struct Tally {
    allowed: u128,
    units: u128,
    since: Option<u64>,
}

impl Tally {
    fn new(max: u64, slack: u64) -> Self {
        Self {
            allowed: u128::from(max) + u128::from(slack),
            units: 0,
            since: None,
        }
    }

    fn record(&mut self, event: Event) -> Option<Evidence> {
        if event.kind == Kind::Closed {
            self.units = self.units.saturating_sub(u128::from(event.units));
            if self.units == 0 {
                self.since = None;
            }
            return None;
        }
        self.units += u128::from(event.units);
        let first = *self.since.get_or_insert(event.at);
        (event.kind == Kind::Admitted && self.units > self.allowed).then_some(Evidence {
            first,
            last: event.at,
            units: self.units,
            allowed: self.allowed,
        })
    }
}
