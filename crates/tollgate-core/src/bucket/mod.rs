//! The token bucket: a limiter under its usual API.

mod builder;
mod rate;
#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests;

pub use builder::TokenBucketBuilder;

use crate::{
    Clock, Cost, CostExceedsCapacity, Decision, Limiter, Nanos, NoTurn, QuantaClock, Turn,
};
use std::time::Duration;

/// A bucket of `capacity` units that fills at a steady rate; each request takes what it needs, or nothing.
///
/// It is a [`Limiter`] by another name: the same cell, exactness and cost. What it adds is a rate that may be a
/// fraction, plain numbers for units, and a request for none, which always passes and changes nothing.
///
/// ```
/// use std::time::Duration;
/// use tollgate_core::{ManualClock, TokenBucket};
///
/// let clock = ManualClock::new();
/// let bucket = TokenBucket::builder(10).rate(2.5).initial(4).build_with_clock(clock.clone())?;
/// assert!(bucket.try_acquire(4)?.is_allowed());
/// assert_eq!(bucket.available(), 0);
/// assert_eq!(bucket.wait_time(1)?, Duration::from_millis(400));
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(bucket.available(), 10);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct TokenBucket<C = QuantaClock> {
    limiter: Limiter<C>,
}

impl TokenBucket {
    /// Builds a bucket of `capacity` units.
    pub const fn builder(capacity: u64) -> TokenBucketBuilder {
        TokenBucketBuilder::new(capacity)
    }
}

impl<C: Clock> TokenBucket<C> {
    /// Takes `units` now, or says how long to wait. None at all are always allowed.
    ///
    /// Lock-free: one clock read, one load, and for an admission one exchange when uncontended. A denial writes nothing.
    ///
    /// # Errors
    /// [`CostExceedsCapacity`] if `units` could never pass. Nothing changes.
    #[inline]
    pub fn try_acquire(&self, units: u64) -> Result<Decision, CostExceedsCapacity> {
        self.try_acquire_at(units, self.limiter.clock().now())
    }

    /// Takes `units` at `now`, or says how long to wait; see [`Self::try_acquire`].
    ///
    /// # Errors
    /// [`CostExceedsCapacity`] if `units` could never pass. Nothing changes.
    #[inline]
    pub fn try_acquire_at(&self, units: u64, now: Nanos) -> Result<Decision, CostExceedsCapacity> {
        match Cost::new(units) {
            Some(cost) => self.limiter.try_acquire_at(cost, now),
            None => Ok(self.limiter.peek_at(now).nothing_taken()),
        }
    }

    /// Units in the bucket now, rounded down.
    #[must_use]
    pub fn available(&self) -> u64 {
        self.available_at(self.limiter.clock().now())
    }

    /// Units in the bucket at `now`, rounded down.
    #[must_use]
    pub fn available_at(&self, now: Nanos) -> u64 {
        self.limiter.peek_at(now).remaining()
    }

    /// How long until `units` would pass, were nobody else to come; zero if they would now. Takes nothing.
    ///
    /// # Errors
    /// [`CostExceedsCapacity`] if `units` could never pass.
    pub fn wait_time(&self, units: u64) -> Result<Duration, CostExceedsCapacity> {
        self.wait_time_at(units, self.limiter.clock().now())
    }

    /// How long from `now` until `units` would pass; see [`Self::wait_time`].
    ///
    /// # Errors
    /// As [`Self::wait_time`].
    pub fn wait_time_at(&self, units: u64, now: Nanos) -> Result<Duration, CostExceedsCapacity> {
        match Cost::new(units) {
            Some(cost) => self.limiter.peek_at(now).wait_time(cost),
            None => Ok(Duration::ZERO),
        }
    }

    /// Takes a place for `units` in the order of callers, due at most `max_wait` from now; see [`Limiter::turn`].
    /// For none at all it is due at once.
    ///
    /// # Errors
    /// [`NoTurn::CostExceedsCapacity`] if `units` could never pass, however long the wait; [`NoTurn::WaitTooLong`]
    /// if the place would be due later. Nothing changes.
    pub fn turn(&self, units: u64, max_wait: Duration) -> Result<Turn<'_>, NoTurn> {
        self.turn_at(units, max_wait, self.limiter.clock().now())
    }

    /// Takes a place for `units` in the order of callers, due at most `max_wait` from `now`; see [`Self::turn`].
    ///
    /// # Errors
    /// As [`Self::turn`].
    pub fn turn_at(&self, units: u64, max_wait: Duration, now: Nanos) -> Result<Turn<'_>, NoTurn> {
        match Cost::new(units) {
            Some(cost) => self.limiter.turn_at(cost, max_wait, now),
            None => Ok(Turn::for_nothing(now)),
        }
    }

    /// The most units in the bucket.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        self.limiter.limit().capacity()
    }

    /// The clock.
    #[must_use]
    pub const fn clock(&self) -> &C {
        self.limiter.clock()
    }
}
