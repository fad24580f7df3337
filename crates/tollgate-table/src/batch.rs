//! Many keys at once: the waits for memory overlap.
//!
//! By sixteens, which is about what a core can wait for at a time: all keys are hashed and their home lines asked for;
//! then each is looked for there, and the other lines asked for of those that are away; then all are decided in order.

use crate::{
    KeyedClass, KeyedDecision, UnequalBatch,
    class::Rule,
    lines::find,
    pair::stored,
    place::{Place, prefetch},
    table::Ask,
    word::Now,
};
use std::{
    borrow::Borrow,
    hash::{BuildHasher, Hash},
};
use tollgate_core::{Clock, Cost, CostExceedsCapacity, Nanos, gcra::Gcra};

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
        match class.rule() {
            Rule {
                first,
                second: None,
            } => decide_chunk(class, first, hashes, costs, now, out),
            Rule { .. } => out.extend(
                hashes
                    .iter()
                    .zip(costs)
                    .map(|(hash, cost)| class.try_acquire_hashed_at(*hash, *cost, now)),
            ),
        }
    }
    Ok(())
}

fn decide_chunk<K: Hash + ?Sized, C: Clock, S: BuildHasher>(
    class: &KeyedClass<'_, K, C, S>,
    gcra: &Gcra,
    hashes: &[u64],
    costs: &[Cost],
    now: Nanos,
    out: &mut Answers,
) {
    let table = &class.limiter().table;
    let lines = table.lines().all();
    let mut found = [None; CHUNK];
    for (found, hash) in found.iter_mut().zip(hashes) {
        let place = Place::new(lines, *hash);
        *found = find(place.home(), *hash);
        if found.is_none() {
            place.others().for_each(prefetch);
        }
    }
    let now = Now::new(now);
    let asks = hashes.iter().zip(costs).zip(found);
    out.extend(asks.map(|((hash, cost), slot)| {
        let ask = Ask {
            hash: *hash,
            gcra,
            cost: *cost,
            now,
        };
        table.decide_found(slot, Place::new(lines, *hash), &ask)
    }));
}
