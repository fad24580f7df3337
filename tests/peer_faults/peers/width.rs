//! Figures that are too wide for what they are kept in.

use std::{cell::Cell, time::Duration};
use tollgate_testkit::{Answer, RateLimit, subject::Subject};

/// governor: a period is taken for 64 bits of nanoseconds, and a longer one *panics*.
pub(crate) struct NarrowPeriod {
    interval: u64,
}

impl NarrowPeriod {
    /// One unit a period.
    pub(crate) fn new(period: Duration) -> Self {
        Self {
            interval: u64::try_from(period.as_nanos()).expect("longer than 584 years"),
        }
    }

    pub(crate) fn interval(&self) -> Duration {
        Duration::from_nanos(self.interval)
    }
}

/// redis-cell: the tolerance is a signed number that *wraps*, so that a huge capacity denies everything. And waits are
/// told in whole seconds, *rounded up only if they have a whole millisecond* beyond them.
pub(crate) struct WholeSeconds {
    interval: i64,
    tolerance: i64,
    tat: Cell<i64>,
}

impl WholeSeconds {
    pub(crate) fn new(limit: RateLimit) -> Self {
        let interval = i64::try_from(limit.period / limit.units).expect("a short interval");
        Self {
            interval,
            tolerance: interval.wrapping_mul(limit.capacity.cast_signed()),
            tat: Cell::new(0),
        }
    }
}

impl Subject for WholeSeconds {
    fn try_acquire_at(&self, cost: u64, now: u64) -> Answer {
        let now = i64::try_from(now).expect("an instant of 63 bits");
        let increment = self.interval.wrapping_mul(cost.cast_signed());
        let next = self.tat.get().max(now).wrapping_add(increment);
        // Its instants are wider than its durations.
        let early = i128::from(next) - i128::from(self.tolerance) - i128::from(now);
        if early <= 0 {
            self.tat.set(next);
            return Answer::Admit;
        }
        if increment > self.tolerance {
            return Answer::Never;
        }
        let early = Duration::from_nanos(u64::try_from(early).expect("a wait of 64 bits"));
        let seconds = early.as_secs() + u64::from(early.subsec_millis() > 0);
        Answer::Wait(Duration::from_secs(seconds).as_nanos())
    }
}
