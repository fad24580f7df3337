//! A rate with a capacity.

use super::{Model, Receipt};
use crate::{
    answer::Answer,
    exact::{Wide, ceil, clamp},
    ideal::{IdealMeter, Worth},
    limit::RateLimit,
};

/// The generic cell rate algorithm, in exact fractions of a nanosecond.
///
/// Admits when `max(TAT, now) + cost × T - now <= capacity × T`. Refunds give back what [`crate::ideal`] says.
/// A limit that starts with `n` units less than its capacity is one with a charge of `n` at its start.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Gcra {
    limit: RateLimit,
    meter: IdealMeter,
}

impl Gcra {
    /// A fresh limit with the exact interval `T = period / units`.
    #[must_use]
    pub fn new(limit: RateLimit) -> Self {
        Self {
            limit,
            meter: IdealMeter::new(limit),
        }
    }

    /// A fresh limit whose interval `T` is rounded up, once, to whole quanta, of which a nanosecond has
    /// `quanta_per_ns` (from 1 to 2^32): what a cell does that stores whole quanta.
    ///
    /// ```
    /// use tollgate_testkit::{Answer, RateLimit, model::{Gcra, Model}};
    /// // Three in 10 ns: 53.3 sixteenths each, stored as 54. Eight are 27 ns and not 26.7.
    /// let limit = RateLimit::new(3, 10, 8);
    /// let mut rounded = Gcra::quantized(limit, 16);
    /// assert_eq!(rounded.try_acquire(0, 8), Answer::Admit);
    /// assert_eq!(rounded.look(0, 8), Answer::Wait(27));
    /// ```
    #[must_use]
    pub fn quantized(limit: RateLimit, quanta_per_ns: u64) -> Self {
        Self {
            limit,
            meter: IdealMeter::quantized(limit, quanta_per_ns),
        }
    }

    /// The instant at which the limit is whole again.
    #[must_use]
    pub fn tat(&self) -> Worth {
        self.meter.tat()
    }

    /// The time until the limit is whole again, seen from `now`.
    #[must_use]
    pub fn backlog(&self, now: u64) -> Worth {
        self.meter.backlog(now)
    }

    /// As [`Model::refund`], and says how much was given back.
    pub fn give_back(&mut self, now: u64, receipt: &mut Receipt, surplus: u64) -> Worth {
        self.meter.refund(now, receipt, surplus)
    }
}

impl Model for Gcra {
    fn max(&self) -> u64 {
        self.limit.capacity
    }

    fn look_under(&self, instant: u64, cost: u64, max: u64) -> Answer {
        let capacity = max.min(self.limit.capacity);
        if cost > capacity {
            return Answer::Never;
        }
        let interval = self.meter.interval;
        let now = self.meter.time(instant);
        let next = self.meter.tat.max(now) + interval.parts * Wide::from(cost);
        let late = next - now - interval.parts * Wide::from(capacity);
        if late <= Wide::ZERO {
            return Answer::Admit;
        }
        let wait = clamp(ceil(late, Wide::from(interval.per_ns)));
        // Where nothing refills, the one thing to wait for is the instant of a charge that an old `now` lies before.
        if self.limit.units == 0 && wait > u128::from(u64::MAX - instant) {
            Answer::Never
        } else {
            Answer::Wait(wait)
        }
    }

    fn charge(&mut self, now: u64, cost: u64) -> Receipt {
        self.meter.charge(now, cost)
    }

    fn refund(&mut self, now: u64, receipt: &mut Receipt, surplus: u64) {
        let _ = self.give_back(now, receipt, surplus);
    }

    fn used(&self, now: u64) -> u128 {
        self.meter.backlog(now).units_ceil()
    }
}
