//! What cannot be built, by name.

use std::time::Duration;
use tollgate_core::Nanos;

/// A window that cannot be built, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WindowError {
    /// No units a window.
    #[error("a window needs a max of at least one unit, found none")]
    NoUnits,
    /// More units a window than its words can hold.
    #[error("a max of {max} is too large for this window, it may be at most {largest}")]
    MaxTooLarge {
        /// The max asked for.
        max: u64,
        /// The largest max.
        largest: u64,
    },
    /// A window of no length.
    #[error("a window must be longer than zero")]
    NoWindow,
    /// A window longer than a clock's life.
    #[error("a window of {window:?} is too long, it may be at most {longest:?}")]
    WindowTooLong {
        /// The window asked for.
        window: Duration,
        /// The longest window.
        longest: Duration,
    },
    /// A phase of a whole window or more.
    #[error("a phase of {phase:?} must be shorter than its window of {window:?}")]
    PhaseTooLong {
        /// The phase asked for.
        phase: Duration,
        /// The window.
        window: Duration,
    },
    /// A ring without slots, or with too many.
    #[error("a ring has 1 to {most} slots, found {slots}")]
    Slots {
        /// The slots asked for.
        slots: u32,
        /// The most slots of any ring.
        most: u32,
    },
    /// A sharded ring without shards, or with too many.
    #[error("a ring has 1 to {most} shards, found {shards}")]
    Shards {
        /// The shards asked for.
        shards: usize,
        /// The most shards of any ring.
        most: usize,
    },
    /// Slots so short that their numbers would not last 30 years.
    #[error(
        "{slots} slots in {window:?} are too short to be numbered for 30 years, \
         such a window must be at least {shortest:?} long"
    )]
    SlotsTooShort {
        /// The slots asked for.
        slots: u32,
        /// The window asked for.
        window: Duration,
        /// The shortest window of so many slots.
        shortest: Duration,
    },
}

/// The nanoseconds of a window, once it is known that they fit the life of a clock.
pub(crate) fn window_ns(window: Duration) -> Result<u64, WindowError> {
    match u64::try_from(window.as_nanos()) {
        Ok(0) => Err(WindowError::NoWindow),
        Ok(nanos) if nanos <= Nanos::MAX.0 => Ok(nanos),
        _ => Err(WindowError::WindowTooLong {
            window,
            longest: Duration::from_nanos(Nanos::MAX.0),
        }),
    }
}

/// The nanoseconds of a phase, once it is known to be shorter than its window of `window_ns`.
pub(crate) fn phase_ns(phase: Duration, window_ns: u64) -> Result<u64, WindowError> {
    match u64::try_from(phase.as_nanos()) {
        Ok(nanos) if nanos < window_ns => Ok(nanos),
        _ => Err(WindowError::PhaseTooLong {
            phase,
            window: Duration::from_nanos(window_ns),
        }),
    }
}

/// `max`, once it is known to be at least one and at most `largest`.
pub(crate) fn max_units(max: u64, largest: u64) -> Result<u64, WindowError> {
    match max {
        0 => Err(WindowError::NoUnits),
        max if max > largest => Err(WindowError::MaxTooLarge { max, largest }),
        max => Ok(max),
    }
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn errors_say_what_would_be_right() {
        let long = Duration::from_secs(1 << 40);
        let told = |error: WindowError| error.to_string();
        assert_eq!(
            told(window_ns(Duration::ZERO).unwrap_err()),
            "a window must be longer than zero"
        );
        assert_eq!(
            told(window_ns(long).unwrap_err()),
            "a window of 1099511627776s is too long, it may be at most 946728000s"
        );
        assert_eq!(
            told(phase_ns(Duration::from_secs(2), 2_000_000_000).unwrap_err()),
            "a phase of 2s must be shorter than its window of 2s"
        );
        assert_eq!(
            told(max_units(0, 9).unwrap_err()),
            "a window needs a max of at least one unit, found none"
        );
        assert_eq!(
            told(max_units(10, 9).unwrap_err()),
            "a max of 10 is too large for this window, it may be at most 9"
        );
    }

    #[test]
    fn ends_of_the_ranges_are_inside() {
        assert_eq!(window_ns(Duration::from_nanos(1)), Ok(1));
        assert_eq!(
            window_ns(Duration::from_nanos(Nanos::MAX.0)),
            Ok(Nanos::MAX.0)
        );
        assert_eq!(phase_ns(Duration::ZERO, 1), Ok(0));
        assert_eq!(phase_ns(Duration::from_nanos(6), 7), Ok(6));
        assert_eq!(max_units(9, 9), Ok(9));
    }
}
