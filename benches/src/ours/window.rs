//! A sliding window.

use super::coarse_clock;
use crate::{Asks, Entry, Role::Ours, Terms};
use tollgate_core::{Clock, Cost, QuantaClock};
use tollgate_window::{ShardedRing, ShardedRingBuilder, SlottedRing};

/// In how many slots a window is kept.
const SLOTS: u32 = 60;

fn ring(terms: &Terms) -> Result<SlottedRing, String> {
    SlottedRing::new(terms.capacity.into(), terms.period, SLOTS).map_err(|error| error.to_string())
}

/// A shard for each thread.
fn sharded(terms: &Terms) -> ShardedRingBuilder {
    ShardedRing::builder(terms.capacity.into(), terms.period, SLOTS).shards(terms.threads)
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
        Entry::new("tollgate_ring_sharded", Ours, |terms| {
            let ring = sharded(terms).build();
            let ring = ring.map_err(|error| error.to_string())?;
            Ok(Box::new(Asks(move |(): &()| {
                ring.try_record(Cost::ONE).is_ok()
            })))
        }),
        Entry::new("tollgate_ring_sharded_coarse", Ours, |terms| {
            let ring = sharded(terms).build_with_clock(coarse_clock());
            let ring = ring.map_err(|error| error.to_string())?;
            Ok(Box::new(Asks(move |(): &()| {
                ring.try_record(Cost::ONE).is_ok()
            })))
        }),
    ]
}
