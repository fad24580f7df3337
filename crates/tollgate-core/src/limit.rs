//! One rule: so many units a period, and so many at one instant.

use std::{num::NonZeroU64, time::Duration};

const SECOND: u64 = 1_000_000_000;

/// Units that one request asks for: at least one.
///
/// ```
/// use tollgate_core::Cost;
/// assert_eq!(Cost::new(3).map(Cost::get), Some(3));
/// assert_eq!(Cost::new(0), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cost(NonZeroU64);

impl Cost {
    /// One unit.
    pub const ONE: Self = Self(NonZeroU64::MIN);

    /// A cost of `units`; none for zero, since what costs nothing needs no limiter.
    #[must_use]
    pub const fn new(units: u64) -> Option<Self> {
        match NonZeroU64::new(units) {
            Some(units) => Some(Self(units)),
            None => None,
        }
    }

    /// The units.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0.get()
    }
}

impl From<NonZeroU64> for Cost {
    fn from(units: NonZeroU64) -> Self {
        Self(units)
    }
}

impl From<std::num::NonZeroU32> for Cost {
    fn from(units: std::num::NonZeroU32) -> Self {
        Self(units.into())
    }
}

/// A limit that cannot be built, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitError {
    /// No units a period.
    #[error("a limit needs at least one unit a period, found none")]
    NoUnits,
    /// A period of no length.
    #[error("a limit needs a period longer than zero")]
    NoPeriod,
    /// No capacity: nothing could ever pass.
    #[error("a limit needs a capacity of at least one unit, found none")]
    NoCapacity,
    /// The period does not fit in 64 bits of nanoseconds.
    #[error("a period of {period:?} is too long, it may be at most {max:?}")]
    PeriodTooLong {
        /// The period asked for.
        period: Duration,
        /// The longest period.
        max: Duration,
    },
    /// More units a second than the stored unit of time can tell apart.
    #[error(
        "{units} units in {period:?} are too many, at most {max_per_second} a second can be told apart"
    )]
    RateTooHigh {
        /// The units asked for.
        units: u64,
        /// The period they were asked for.
        period: Duration,
        /// The highest rate, in units a second.
        max_per_second: u64,
    },
    /// Refilling the whole capacity takes longer than the stored time can hold.
    #[error(
        "a capacity of {capacity} takes longer than {max:?} to refill, lower it or raise the rate"
    )]
    CapacityTooLarge {
        /// The capacity asked for.
        capacity: u64,
        /// The longest time that a refill may take.
        max: Duration,
    },
    /// A limiter cannot start with more units than its capacity.
    #[error("a start with {initial} units does not fit a capacity of {capacity}")]
    InitialAboveCapacity {
        /// The units to start with.
        initial: u64,
        /// The capacity.
        capacity: u64,
    },
    /// A sharded limiter was given no shard.
    #[error("a sharded limiter needs at least one shard, found none")]
    NoShards,
    /// A sharded limiter was given more shards and seats than it can hold.
    #[error("{shards} shards and {seats} seats are too many, together they may be at most {max}")]
    TooManyShards {
        /// The shards asked for.
        shards: usize,
        /// The seats asked for.
        seats: usize,
        /// The most of both together, the shards rounded up to a power of two.
        max: usize,
    },
    /// A token bucket was given no rate.
    #[error("a token bucket needs a rate, found none")]
    NoRate,
    /// A rate that is not a positive, finite number.
    #[error("a rate must be a positive, finite number of units a second")]
    NotARate,
}

/// Units per period, and the capacity: the most units admitted at one instant.
///
/// Over any half-open interval of length `w` at most `capacity + units / period × w` units pass.
///
/// ```
/// use std::time::Duration;
/// use tollgate_core::Limit;
///
/// const SIGNUP: Limit = Limit::per_minute(100).with_capacity(20);
/// assert_eq!(SIGNUP.capacity(), 20);
/// assert_eq!(Limit::new(100, Duration::from_secs(60))?.capacity(), 100);
/// # Ok::<(), tollgate_core::LimitError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limit {
    units: NonZeroU64,
    period_ns: NonZeroU64,
    capacity: NonZeroU64,
}

impl Limit {
    /// `units` a `period`, with a capacity of as many.
    ///
    /// # Errors
    /// [`LimitError::NoUnits`], [`LimitError::NoPeriod`], [`LimitError::PeriodTooLong`] (above 584 years). What
    /// a limiter cannot represent is refused by its own constructor.
    pub const fn new(units: u64, period: Duration) -> Result<Self, LimitError> {
        let Some(units) = NonZeroU64::new(units) else {
            return Err(LimitError::NoUnits);
        };
        let nanos = period.as_nanos();
        if nanos > u64::MAX as u128 {
            return Err(LimitError::PeriodTooLong {
                period,
                max: Duration::from_nanos(u64::MAX),
            });
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "compared with the largest u64 just above"
        )]
        let Some(period_ns) = NonZeroU64::new(nanos as u64) else {
            return Err(LimitError::NoPeriod);
        };
        Ok(Self {
            units,
            period_ns,
            capacity: units,
        })
    }

    /// `units` a second, with a capacity of as many.
    ///
    /// # Panics
    /// If `units` is zero: in a constant, that is a compile error. Use [`Limit::new`] for figures of strangers.
    #[must_use]
    pub const fn per_second(units: u64) -> Self {
        Self::per(units, SECOND)
    }

    /// `units` a minute, with a capacity of as many.
    ///
    /// # Panics
    /// If `units` is zero: in a constant, that is a compile error.
    #[must_use]
    pub const fn per_minute(units: u64) -> Self {
        Self::per(units, 60 * SECOND)
    }

    /// `units` an hour, with a capacity of as many.
    ///
    /// # Panics
    /// If `units` is zero: in a constant, that is a compile error.
    #[must_use]
    pub const fn per_hour(units: u64) -> Self {
        Self::per(units, 3_600 * SECOND)
    }

    /// `units` every 24 hours, with a capacity of as many. Days of a calendar are in `tollgate-quota`.
    ///
    /// # Panics
    /// If `units` is zero: in a constant, that is a compile error.
    #[must_use]
    pub const fn per_day(units: u64) -> Self {
        Self::per(units, 86_400 * SECOND)
    }

    const fn per(units: u64, period_ns: u64) -> Self {
        match Self::new(units, Duration::from_nanos(period_ns)) {
            Ok(limit) => limit,
            Err(_) => panic!("a limit needs at least one unit a period"),
        }
    }

    /// The same rate with a capacity of `capacity` units.
    ///
    /// # Panics
    /// If `capacity` is zero: in a constant, that is a compile error.
    #[must_use]
    pub const fn with_capacity(self, capacity: u64) -> Self {
        match self.try_with_capacity(capacity) {
            Ok(limit) => limit,
            Err(_) => panic!("a limit needs a capacity of at least one unit"),
        }
    }

    /// The same rate with a capacity of `capacity` units, for figures of strangers.
    ///
    /// # Errors
    /// [`LimitError::NoCapacity`] if it is zero.
    pub const fn try_with_capacity(self, capacity: u64) -> Result<Self, LimitError> {
        match NonZeroU64::new(capacity) {
            Some(capacity) => Ok(Self {
                units: self.units,
                period_ns: self.period_ns,
                capacity,
            }),
            None => Err(LimitError::NoCapacity),
        }
    }

    /// Units per [`Self::period`].
    #[must_use]
    pub const fn units(&self) -> u64 {
        self.units.get()
    }

    /// The period.
    #[must_use]
    pub const fn period(&self) -> Duration {
        Duration::from_nanos(self.period_ns.get())
    }

    /// The most units admitted at one instant.
    #[must_use]
    pub const fn capacity(&self) -> u64 {
        self.capacity.get()
    }
}
