//! Our own rows.

mod keyed;
mod one_limit;
#[cfg(feature = "report")]
mod trials;
mod window;

pub use keyed::{Filling, keyed};
pub use one_limit::one_limit;
#[cfg(feature = "report")]
pub use trials::trials;
pub use window::window;

use crate::Terms;
use std::{sync::OnceLock, time::Duration};
use tollgate_core::{Clock, CoarseClock, Limit, Nanos};

/// The one coarse clock of the process, renewed every millisecond.
///
/// # Panics
/// If there is no thread to keep it.
pub fn coarse_clock() -> &'static CoarseClock {
    static CLOCK: OnceLock<CoarseClock> = OnceLock::new();
    CLOCK.get_or_init(|| {
        let clock = CoarseClock::start(Duration::from_millis(1)).expect("a thread for the clock");
        // Its epoch is its start, and textbook cells take 0 for a fresh cell: let some time be past.
        while clock.now() < Nanos::new(1) {
            std::thread::yield_now();
        }
        clock
    })
}

/// The terms as our limit.
///
/// # Errors
/// What the limit cannot represent.
pub fn limit(terms: &Terms) -> Result<Limit, String> {
    Limit::new(terms.units.into(), terms.period)
        .and_then(|limit| limit.try_with_capacity(terms.capacity.into()))
        .map_err(|error| error.to_string())
}
