//! Many keys at once: the waits for memory overlap.
//!
//! By sixteens, which is about what a core can wait for at a time: all keys are hashed and their home lines asked for;
//! then the others of those that are not at home; then all are decided in order.

use crate::{
    KeyedClass, KeyedDecision, UnequalBatch,
    lines::slots,
    pair::stored,
    place::{Place, prefetch},
};
use std::{
    borrow::Borrow,
    hash::{BuildHasher, Hash},
};
use tollgate_core::{Clock, Cost, CostExceedsCapacity, Nanos};
use tollgate_sync::atomic::Ordering::Relaxed;

/// The answers to a batch.
pub(crate) type Answers = Vec<Result<KeyedDecision, CostExceedsCapacity>>;

const CHUNK: usize = 16;

pub(crate) fn decide<K: Hash + ?Sized, C: Clock, S: BuildHasher, B: Borrow<K>>(
    class: &KeyedClass<'_, K, C, S>,
    keys: &[B],
    costs: &[Cost],
    clock: impl Fn() -> Nanos,
    out: &mut Answers,
) -> Result<(), UnequalBatch> {
    if keys.len() != costs.len() {
        return Err(UnequalBatch {
            keys: keys.len(),
            costs: costs.len(),
        });
    }
    out.clear();
    out.reserve(keys.len());
    let limiter = class.limiter();
    let mut now = None;
    for (keys, costs) in keys.chunks(CHUNK).zip(costs.chunks(CHUNK)) {
        let mut hashes = [0; CHUNK];
        let hashes = &mut hashes[..keys.len()];
        for (hash, key) in hashes.iter_mut().zip(keys) {
            *hash = stored(limiter.prefetch(key.borrow()));
        }
        // Read while the lines are on their way.
        let now = *now.get_or_insert_with(&clock);
        for hash in &*hashes {
            fetch_others_if_away(limiter.table.place(*hash), *hash);
        }
        for (hash, cost) in hashes.iter().zip(costs) {
            out.push(class.try_acquire_hashed_at(*hash, *cost, now));
        }
    }
    Ok(())
}

/// Asks for the other lines of a key that is not at home.
#[inline]
fn fetch_others_if_away(place: Place<'_>, hash: u64) {
    // Relaxed: only a hint.
    if !slots(place.home()).any(|slot| slot.hash.load(Relaxed) == hash) {
        place.others().for_each(prefetch);
    }
}
