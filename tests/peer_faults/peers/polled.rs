//! A bucket that is filled whenever it is asked, by whole parts of a unit.

use std::cell::Cell;
use tollgate_testkit::{Answer, RateLimit, subject::Subject};

/// Parts of a unit.
const SCALE: u64 = 1_000_000;
/// Within less than this since the last time nothing is filled in, in nanoseconds.
const LEAST: u64 = 1_000;

/// ratelimit 2.0: each poll fills in whole millionths of a unit and moves its mark to now, so that what was left over
/// of a millionth is *lost*. It starts empty.
pub(crate) struct LostFraction {
    limit: RateLimit,
    filled_at: Cell<u64>,
    parts: Cell<u64>,
}

impl LostFraction {
    pub(crate) fn new(limit: RateLimit) -> Self {
        Self {
            limit,
            filled_at: Cell::new(0),
            parts: Cell::new(0),
        }
    }

    fn fill(&self, now: u64) {
        let elapsed = now.saturating_sub(self.filled_at.get());
        let parts = self.limit.units * elapsed * SCALE / self.limit.period;
        if elapsed < LEAST || parts == 0 {
            return;
        }
        self.filled_at.set(now);
        let most = self.limit.capacity * SCALE;
        self.parts.set(most.min(self.parts.get() + parts));
    }
}

impl Subject for LostFraction {
    fn try_acquire_at(&self, cost: u64, now: u64) -> Answer {
        if cost > self.limit.capacity {
            return Answer::Never;
        }
        self.fill(now);
        match self.parts.get().checked_sub(cost * SCALE) {
            Some(left) => {
                self.parts.set(left);
                Answer::Admit
            }
            None => {
                let short = cost * SCALE - self.parts.get();
                let wait = short * self.limit.period / (self.limit.units * SCALE);
                Answer::Wait(u128::from(wait.max(1)))
            }
        }
    }
}
