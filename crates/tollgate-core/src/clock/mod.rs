//! Where `now` comes from.

#[cfg(not(any(model_loom, model_shuttle)))]
mod coarse;
mod manual;
mod quanta;

// A model checker has no time, so nothing for a thread to keep.
pub use self::quanta::QuantaClock;
#[cfg(not(any(model_loom, model_shuttle)))]
pub use coarse::{CoarseClock, CoarseClockError};
pub use manual::ManualClock;

use crate::{Moment, Nanos, Wall};
use std::{fmt::Debug, time::Duration};
use tollgate_sync::Arc;

/// The oldest that a wall offset may be.
const WALL_AGE_MAX: Duration = Duration::from_millis(100);

/// A time line for rates, and where the wall clock lies on it for calendars.
///
/// `now` counts from the clock's own epoch. It may step back a little: limits then only answer more strictly. How much
/// later than its `now` a decision can land is the clock's *d*: against true time, each decision adds at most
/// `rate × d` to what a limit admits. Every clock says what its d is made of; common to all is the time that a thread
/// may be stopped between its reading and its exchange.
pub trait Clock: Debug + Send + Sync {
    /// Nanoseconds since the clock's epoch.
    fn now(&self) -> Nanos;

    /// Nanoseconds from the Unix epoch to the clock's epoch by the wall clock, at most 100 ms old: wall time is
    /// `now` plus this. It changes when the wall clock is set, which moves calendars and no rate limit.
    fn wall_offset(&self) -> i64;

    /// Both times, of one reading.
    fn moment(&self) -> Moment {
        let now = self.now();
        let since_epoch = i64::try_from(now.0).unwrap_or(i64::MAX);
        Moment::new(
            now,
            Wall::new(self.wall_offset().saturating_add(since_epoch)),
        )
    }
}

impl<C: Clock + ?Sized> Clock for &C {
    fn now(&self) -> Nanos {
        (**self).now()
    }

    fn wall_offset(&self) -> i64 {
        (**self).wall_offset()
    }

    fn moment(&self) -> Moment {
        (**self).moment()
    }
}

impl<C: Clock> Clock for Arc<C> {
    fn now(&self) -> Nanos {
        (**self).now()
    }

    fn wall_offset(&self) -> i64 {
        (**self).wall_offset()
    }

    fn moment(&self) -> Moment {
        (**self).moment()
    }
}
