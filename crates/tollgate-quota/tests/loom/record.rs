//! The record of charges of a rate meter, by itself.

#[allow(dead_code, unreachable_pub, reason = "it is a part of the meter")]
#[path = "../../src/rate/history.rs"]
mod history;

use crate::{
    exhaustive,
    scenarios::{beside, both_ways},
};
use history::{Depth, History};
use tollgate_sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// Property: whoever reads what was given back of a receipt has seen all of it as started, so that it subtracts what it adds.
/// Shape: one counts a refund as started and then to its receipt, one reads the two in the other order. Exhaustive, a millisecond.
#[test]
fn what_a_record_adds_back_was_started() {
    both_ways(|| {
        exhaustive(|| {
            let (history, started) = (History::new(Depth::Short), AtomicU64::new(0));
            // Charge 1 saw a backlog of 5.
            history.note(1, 5);
            let both = Arc::new((history, started));
            beside(
                &both,
                |(history, started)| {
                    started.store(3, Relaxed);
                    history.refunded(1, 3);
                },
                |(history, started)| {
                    let lowest = history.lowest(0, 2, 0).expect("it is on record");
                    let added_back = lowest.unsigned_abs() - 5;
                    assert!(added_back <= started.load(Relaxed));
                },
            );
        });
    });
}
