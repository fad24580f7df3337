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
