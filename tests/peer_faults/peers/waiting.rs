//! Waiting for what never comes.

use std::cell::Cell;
use tollgate_testkit::RateLimit;

/// What one who waits is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// It has its units, or was told that it will not get them.
    Over,
    /// Sleep until then, in nanoseconds, and ask again.
    Until(u64),
}

/// A waiter that sleeps until what is missing has come in, by the rate, and then asks again. What comes in above the
/// capacity is gone, so for a cost above it something is *always missing*.
pub(crate) struct WaitsForMore {
    limit: RateLimit,
    cost: u64,
    units: Cell<u64>,
    filled_at: Cell<u64>,
}

impl WaitsForMore {
    pub(crate) fn new(limit: RateLimit, cost: u64) -> Self {
        Self {
            limit,
            cost,
            units: Cell::new(limit.capacity),
            filled_at: Cell::new(0),
        }
    }

    pub(crate) fn ask(&self, now: u64) -> Waiting {
        let interval = self.limit.period / self.limit.units;
        let filled = self.units.get() + (now - self.filled_at.get()) / interval;
        self.units.set(filled.min(self.limit.capacity));
        self.filled_at.set(now);
        match self.cost.checked_sub(self.units.get()) {
            None | Some(0) => Waiting::Over,
            Some(missing) => Waiting::Until(now + missing * interval),
        }
    }
}
