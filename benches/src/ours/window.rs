//! A sliding window.

use super::coarse_clock;
use crate::{Asks, Entry, Role::Ours, Terms};
use tollgate_core::{Clock, Cost, QuantaClock};
use tollgate_window::SlottedRing;

/// In how many slots a window is kept.
const SLOTS: u32 = 60;

fn ring(terms: &Terms) -> Result<SlottedRing, String> {
    SlottedRing::new(terms.capacity.into(), terms.period, SLOTS).map_err(|error| error.to_string())
}

/// Our rows for a window of the terms' capacity and period.
#[must_use]
pub fn window() -> Vec<Entry<()>> {
    vec![
        Entry::new("tollgate_ring", Ours, |terms| {
            let (ring, clock) = (ring(terms)?, QuantaClock::new());
            Ok(Box::new(Asks(move |(): &()| {
                ring.try_record_at(Cost::ONE, clock.now()).is_ok()
            })))
        }),
        Entry::new("tollgate_ring_coarse", Ours, |terms| {
            let (ring, clock) = (ring(terms)?, coarse_clock());
            Ok(Box::new(Asks(move |(): &()| {
                ring.try_record_at(Cost::ONE, clock.now()).is_ok()
            })))
        }),
    ]
}
