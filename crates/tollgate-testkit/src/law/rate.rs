//! The law of a rate, as a running maximum.
//!
//! Let `U(b)` be the units through instant `b` and `V(a)` those before `a`. The law says `U(b) - V(a) <= capacity +
//! rate × (b - a)` for all `a <= b`, so for each `b` the largest of `U(b) - V(a) - rate × (b - a)` over all `a`
//! before it decides. That maximum is one number, the backlog: time lowers it, down to zero, where a new `a` takes
//! over; units raise it. It is kept times the period, which makes it whole.

use super::{Event, Evidence, Kind};
use crate::{
    exact::{Wide, clamp, floor, product},
    limit::RateLimit,
};

#[derive(Debug)]
pub(super) struct RateRule {
    limit: RateLimit,
    /// Capacity and slack.
    room: u128,
    /// Units not drained yet, times the period.
    backlog: Wide,
    /// The instant of the last event.
    latest: u64,
    /// The start of the interval in which `backlog` is the largest, and the units since.
    since: u64,
    units: u128,
}

impl RateRule {
    pub(super) fn new(limit: RateLimit, slack: u64) -> Self {
        let period = limit.period.max(1);
        Self {
            limit: RateLimit { period, ..limit },
            room: u128::from(limit.capacity) + u128::from(slack),
            backlog: Wide::ZERO,
            latest: 0,
            since: 0,
            units: 0,
        }
    }

    pub(super) fn record(&mut self, event: Event) -> Option<Evidence> {
        let drained = product(self.limit.units, event.at - self.latest);
        self.latest = event.at;
        self.backlog -= drained;
        if self.backlog <= Wide::ZERO {
            (self.backlog, self.since, self.units) = (Wide::ZERO, event.at, 0);
        }
        self.backlog += product(event.units, self.limit.period);
        self.units += u128::from(event.units);

        let period = Wide::from(self.limit.period);
        if event.kind != Kind::Admitted || self.backlog <= Wide::from(self.room) * period {
            return None;
        }
        let refilled = floor(product(self.limit.units, event.at - self.since), period);
        Some(Evidence {
            first: self.since,
            last: event.at,
            units: self.units,
            allowed: self.room.saturating_add(clamp(refilled)),
        })
    }
}
