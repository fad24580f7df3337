//! Keys told apart by themselves rather than by their hashes, in a concurrent map.
//!
//! # Protocol
//! An entry is one word of 128 bits: a TAT for each limit that the key may have, so that several limits are charged by one
//! exchange, all or none. A caller looks its key up, steps each TAT, and exchanges the word. A new key takes a place in the
//! count of keys, or, when all are taken, that of a key whose every TAT is expired by the grace: that entry is *closed*
//! by exchanging its word for one that is no pair of TATs, which only one caller can do, and taken out of the map.
//! Whoever meets a closed entry takes it out too and looks again.
//!
//! # Synchronization
//! - `Entry::tats`: written by exchange only, Relaxed: the word is the whole state and publishes nothing else. Entries are
//!   published by the map.
//! - `Places::taken`: never above the maximum. Relaxed: it guards no other memory.

mod entry;
// Its map is not for checkers.
#[cfg(not(any(model_loom, model_shuttle)))]
mod limiter;
#[cfg(model_loom)]
pub mod models;
mod places;

#[cfg(not(any(model_loom, model_shuttle)))]
pub use limiter::{ExactKeyedClass, ExactKeyedLimiter};
