use super::{TokenBucket, rate::limit_per_second};
use crate::{Clock, Limit, LimitError, QuantaClock, limiter::LimiterBuilder};
use std::time::Duration;

/// Builds a [`TokenBucket`].
///
/// ```
/// use std::time::Duration;
/// use tollgate_core::{LimitError, TokenBucket};
///
/// let bucket = TokenBucket::builder(100).rate_per(5_000, Duration::from_secs(60)).build()?;
/// assert_eq!(bucket.available(), 100);
/// assert_eq!(TokenBucket::builder(100).rate(f64::NAN).build().unwrap_err(), LimitError::NotARate);
/// # Ok::<(), LimitError>(())
/// ```
#[must_use]
#[derive(Clone, Copy, Debug)]
pub struct TokenBucketBuilder {
    capacity: u64,
    rate: Rate,
    initial: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
enum Rate {
    Missing,
    PerSecond(f64),
    Per(u64, Duration),
}

impl TokenBucketBuilder {
    pub(crate) const fn new(capacity: u64) -> Self {
        Self {
            capacity,
            rate: Rate::Missing,
            initial: None,
        }
    }

    /// Fills at `units` a second; a fraction is allowed. It is converted once, exactly, and the time for a unit
    /// rounded upward to a sixteenth of a nanosecond. Replaces a rate set before.
    pub const fn rate(mut self, units: f64) -> Self {
        self.rate = Rate::PerSecond(units);
        self
    }

    /// Fills at `units` every `period`. Replaces a rate set before.
    pub const fn rate_per(mut self, units: u64, period: Duration) -> Self {
        self.rate = Rate::Per(units, period);
        self
    }

    /// The units to start with, from none to the capacity; the whole capacity if this is not called.
    pub const fn initial(mut self, units: u64) -> Self {
        self.initial = Some(units);
        self
    }

    /// The bucket, on a clock of its own.
    ///
    /// # Errors
    /// [`LimitError::NoRate`] if none was set; [`LimitError::NotARate`], [`LimitError::NoUnits`],
    /// [`LimitError::NoPeriod`] and [`LimitError::PeriodTooLong`] if it cannot be one; [`LimitError::NoCapacity`];
    /// [`LimitError::RateTooHigh`] above 16 units a nanosecond; [`LimitError::CapacityTooLarge`] if filling the
    /// bucket takes longer than about six and a half years; [`LimitError::InitialAboveCapacity`].
    pub fn build(self) -> Result<TokenBucket, LimitError> {
        self.build_with_clock(QuantaClock::new())
    }

    /// The bucket, on this clock.
    ///
    /// # Errors
    /// As [`Self::build`].
    pub fn build_with_clock<C: Clock>(self, clock: C) -> Result<TokenBucket<C>, LimitError> {
        let limit = match self.rate {
            Rate::Missing => return Err(LimitError::NoRate),
            Rate::PerSecond(rate) => limit_per_second(rate, self.capacity)?,
            Rate::Per(units, period) => {
                Limit::new(units, period)?.try_with_capacity(self.capacity)?
            }
        };
        let builder = LimiterBuilder::new(limit);
        let builder = match self.initial {
            Some(units) => builder.initial(units),
            None => builder,
        };
        Ok(TokenBucket {
            limiter: builder.build_with_clock(clock)?,
        })
    }
}
