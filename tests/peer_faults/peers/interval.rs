//! Rates whose interval is a whole number of something too coarse.

use std::cell::Cell;
use tollgate_testkit::{Answer, RateLimit, subject::Subject};

/// A GCRA cell that counts whole nanoseconds.
pub(crate) struct WholeInterval {
    interval: u64,
    tolerance: u64,
    tat: Cell<u64>,
}

impl WholeInterval {
    /// governor: the interval is the period divided by the units, rounded *down*, and at least a nanosecond. The
    /// tolerance is the interval times one less than the capacity, in 64 bits that *wrap* in a release build.
    pub(crate) fn floored_to_nanoseconds(limit: RateLimit) -> Self {
        Self::new((limit.period / limit.units).max(1), limit)
    }

    /// The interval is rounded up to a whole number of *microseconds*.
    pub(crate) fn ceiled_to_microseconds(limit: RateLimit) -> Self {
        Self::new(
            limit.period.div_ceil(limit.units).div_ceil(1_000) * 1_000,
            limit,
        )
    }

    /// throttlecrab, subms: rounded down, and left at *zero* above a unit a nanosecond.
    pub(crate) fn floored_to_zero(limit: RateLimit) -> Self {
        Self::new(limit.period / limit.units, limit)
    }

    fn new(interval: u64, limit: RateLimit) -> Self {
        Self {
            interval,
            tolerance: interval.wrapping_mul(limit.capacity - 1),
            tat: Cell::new(0),
        }
    }
}

/// One unit at a time.
impl Subject for WholeInterval {
    fn try_acquire_at(&self, cost: u64, now: u64) -> Answer {
        assert_eq!(cost, 1, "the copy knows no other cost");
        let earliest = self.tat.get().saturating_sub(self.tolerance);
        if now < earliest {
            return Answer::Wait(u128::from(earliest - now));
        }
        self.tat
            .set(self.tat.get().max(now).wrapping_add(self.interval));
        Answer::Admit
    }
}

/// subms, ratelimit: a rate of zero stands for no limit. It is the one thing that is looked at.
pub(crate) struct Unlimited {
    rate: u64,
}

impl Unlimited {
    pub(crate) fn per_second(rate: u64) -> Self {
        Self { rate }
    }
}

impl Subject for Unlimited {
    fn try_acquire_at(&self, _cost: u64, _now: u64) -> Answer {
        assert_eq!(self.rate, 0, "the copy knows no other rate");
        Answer::Admit
    }
}
