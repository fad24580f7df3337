//! Many keys at once: the waits for memory overlap.
//!
//! By sixteens, which is about what a core can wait for at a time: all keys are hashed and their home lines asked for;
//! then those who are there are decided, and the other lines asked for of those who are away; then these are decided.

use crate::{
    KeyedClass, KeyedDecision, UnequalBatch,
    class::Rule,
    decision::Full,
    pair::stored,
    place::prefetch,
    table::Ask,
    word::{GRACE, Now},
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

/// Decides for those at home in order, then for the others in order, when their lines have had time to come: to wait for
/// each where it stands takes a fifth longer. So of one key the order stays, unless another caller brings it in between,
/// and of several new keys it may be a later one that gets the last free slot.
fn decide_chunk<K: Hash + ?Sized, C: Clock, S: BuildHasher>(
    class: &KeyedClass<'_, K, C, S>,
    gcra: &Gcra,
    hashes: &[u64],
    costs: &[Cost],
    now: Nanos,
    out: &mut Answers,
) {
    let table = &class.limiter().table;
    let now = Now::new(now);
    let first = out.len();
    let mut away = 0_u32;
    let asks = hashes.iter().zip(costs).enumerate();
    out.extend(asks.map(|(number, (hash, cost))| {
        let place = table.place(*hash);
        let ask = Ask {
            hash: *hash,
            gcra,
            cost: *cost,
            now,
        };
        if let Some(answer) = table.decide_at_home(place, &ask).transpose() {
            return answer;
        }
        place.others().for_each(prefetch);
        away |= 1 << number;
        // Until it is answered below.
        Ok(KeyedDecision::Full(Full::new(GRACE)))
    }));
    while away != 0 {
        let number = away.trailing_zeros() as usize;
        away &= away - 1;
        out[first + number] = table.decide_elsewhere(hashes[number], gcra, costs[number], now);
    }
}
