//! Instants: nanoseconds on a limiter's own time line, and wall time for calendars.

use std::{fmt, hint::cold_path, ops::Add, time::Duration};

/// Nanoseconds since a limiter's epoch, by a clock that only counts.
///
/// The epoch is the clock's own (see [`Clock`](crate::Clock)). Thirty years fit with room to spare; see
/// [`Nanos::MAX`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nanos(pub u64);

impl Nanos {
    /// The epoch itself.
    pub const ZERO: Self = Self(0);
    /// The last instant that limiters tell apart: 30 years of 365.25 days. A later one is taken for this one, so
    /// that an overlong life ends in denials, never in a wrapped count.
    pub const MAX: Self = Self(946_728_000_000_000_000);

    /// The instant `nanos` nanoseconds after the epoch.
    #[must_use]
    pub const fn new(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The instant `secs` seconds after the epoch; [`Nanos::MAX`] if that is later.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000_000)).clamped()
    }

    /// The time from `earlier` to this instant; zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// This instant, or [`Nanos::MAX`] if it is later.
    #[must_use]
    #[inline]
    pub const fn clamped(self) -> Self {
        if self.0 > Self::MAX.0 {
            // Never in 30 years, so that it costs a compare and no dependency.
            cold_path();
            Self::MAX
        } else {
            self
        }
    }
}

impl Add<Duration> for Nanos {
    type Output = Self;

    /// The instant `after` later, [`Nanos::MAX`] if that does not fit.
    fn add(self, after: Duration) -> Self {
        let after = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(after)).clamped()
    }
}

impl fmt::Display for Nanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ns", self.0)
    }
}

/// Nanoseconds since the Unix epoch, by the wall clock: for calendars only. Covers the years 1678 to 2262.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wall(pub i64);

impl Wall {
    /// The instant `nanos` nanoseconds after the Unix epoch.
    #[must_use]
    pub const fn new(nanos: i64) -> Self {
        Self(nanos)
    }

    /// The instant `secs` seconds after the Unix epoch, at the nearest end of the range if it is outside.
    #[must_use]
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1_000_000_000))
    }

    /// The time from `earlier` to this instant; zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        if self.0 <= earlier.0 {
            Duration::ZERO
        } else {
            Duration::from_nanos(self.0.abs_diff(earlier.0))
        }
    }
}

/// One reading of a clock: both times of a decision.
///
/// Rates use `now` alone, calendars `wall` alone: a step of the wall clock moves no rate limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// Nanoseconds since the limiter's epoch.
    pub now: Nanos,
    /// Wall time.
    pub wall: Wall,
}

impl Moment {
    /// The moment at which a limiter's clock reads `now` and the wall clock `wall`.
    #[must_use]
    pub const fn new(now: Nanos, wall: Wall) -> Self {
        Self { now, wall }
    }
}
