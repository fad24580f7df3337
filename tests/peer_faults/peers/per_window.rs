//! A counter for each window.

use std::{cell::RefCell, collections::HashMap};
use tollgate_testkit::{Answer, RateLimit, subject::Subject};

/// Gateways that count in a shared store (`INCRBY` on a key that names the window and expires with it): usage is added to
/// its window's counter when it is known, and *the next window has a counter of its own, which starts at zero*. So what a
/// window used beyond its max is nobody's.
pub(crate) struct CounterPerWindow {
    limit: RateLimit,
    counters: RefCell<HashMap<u64, u64>>,
}

impl CounterPerWindow {
    pub(crate) fn new(limit: RateLimit) -> Self {
        Self {
            limit,
            counters: RefCell::default(),
        }
    }

    /// Adds `units` to the counter of the window of `now`, and returns what it then holds.
    fn add(&self, units: u64, now: u64) -> u64 {
        let mut counters = self.counters.borrow_mut();
        let counter = counters.entry(now / self.limit.period).or_default();
        *counter += units;
        *counter
    }
}

impl Subject for CounterPerWindow {
    fn try_acquire_at(&self, cost: u64, now: u64) -> Answer {
        let (used, max) = (self.add(0, now), self.limit.capacity);
        if used + cost > max {
            return Answer::Wait(u128::from(self.limit.period - now % self.limit.period));
        }
        self.add(cost, now);
        Answer::Admit
    }

    fn charge_anyway_at(&self, extra: u64, now: u64) -> bool {
        self.add(extra, now);
        true
    }
}
