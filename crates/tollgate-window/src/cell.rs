//! What the cells share: they are meters of one ceiling that know no wall time.

use std::time::Duration;
use tollgate_core::Refused;
#[cfg(all(test, not(any(model_loom, model_shuttle))))]
use tollgate_core::{Moment, Nanos, Wall};

/// The moment `now`. No window reads the wall time.
#[cfg(all(test, not(any(model_loom, model_shuttle))))]
pub(crate) fn at(now: Nanos) -> Moment {
    Moment::new(now, Wall::default())
}

/// The wait that a look told: zero if the cost fits, none if waiting cannot help.
pub(crate) fn wait_of(look: Result<(), Refused>) -> Option<Duration> {
    match look {
        Ok(()) => Some(Duration::ZERO),
        Err(Refused::Denied(denial)) => denial.wait.duration(),
        Err(Refused::Closed | Refused::Dry) => None,
    }
}

/// The verbs of a window by its own clock: each reads it once, and is then the form that is given a `now`. What it names is
/// what the window's file has in scope.
macro_rules! by_its_clock {
    ($window:ident, $receipt:ty) => {
        impl<C: Clock> $window<C> {
            /// Takes `cost` now if it fits, in one step: one clock read, then [`Self::try_record_at`].
            ///
            /// # Errors
            /// As [`Self::try_record_at`].
            #[inline]
            pub fn try_record(&self, cost: Cost) -> Result<Charged<$receipt>, Refused> {
                self.try_record_at(cost, self.clock.now())
            }

            /// Units that count now; see [`Self::count_at`].
            #[must_use]
            pub fn count(&self) -> u64 {
                self.count_at(self.clock.now())
            }

            /// Units left now; see [`Self::remaining_at`].
            #[must_use]
            pub fn remaining(&self) -> u64 {
                self.remaining_at(self.clock.now())
            }

            /// How long `cost` would have to wait now; see [`Self::wait_time_at`].
            #[must_use]
            pub fn wait_time(&self, cost: Cost) -> Option<Duration> {
                self.wait_time_at(cost, self.clock.now())
            }

            /// Where `now` comes from.
            #[must_use]
            pub const fn clock(&self) -> &C {
                &self.clock
            }
        }
    };
}
pub(crate) use by_its_clock;
