//! What those who admit and a ledger's thread tell each other in a word.

#[allow(dead_code, unreachable_pub, reason = "it is a part of the ledger")]
#[path = "../../src/ledger/flags.rs"]
mod parts;

use crate::{
    bounded, exhaustive,
    scenarios::{beside, both_ways, end, go},
};
use parts::{Row, Urgency};
use tollgate_sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// Property: what is asked in a hurry is found by the round that takes the hurry off, or wakes the thread once more.
/// Shape: one asks, one takes and looks; somebody hurried before. Exhaustive, a millisecond.
#[test]
fn what_is_asked_in_a_hurry_is_found_or_wakes_the_thread() {
    both_ways(|| {
        exhaustive(|| {
            let both = Arc::new((Urgency::new(), AtomicU64::new(0)));
            assert!(both.0.hurry(), "the first wakes it");
            let (wakes, is_found) = beside(
                &both,
                |(urgency, asked)| {
                    asked.store(1, Relaxed);
                    urgency.hurry()
                },
                |(urgency, asked)| {
                    urgency.take();
                    asked.load(Relaxed) == 1
                },
            );
            assert!(is_found || wakes && both.0.is_urgent());
        });
    });
}

/// Property: who waits is seen to, however many others do.
/// Shape: three who wait a while. Three preemptions, a second.
#[test]
fn who_waits_is_never_overlooked() {
    bounded(3, || {
        let urgency = Arc::new(Urgency::new());
        let wait = |urgency: &Urgency| {
            urgency.begin_wait();
            assert!(urgency.is_urgent(), "it is overlooked");
            urgency.end_wait();
        };
        let others = [(); 2].map(|()| go(&urgency, wait));
        wait(&urgency);
        others.into_iter().for_each(end);
        assert!(!urgency.is_urgent());
    });
}

/// Property: all that goes on unrecorded is counted, and one of a row is told.
/// Shape: two callers, then the row ends. Exhaustive, a millisecond.
#[test]
fn one_of_a_row_is_told_and_all_count() {
    exhaustive(|| {
        let row = Arc::new(Row::new());
        let (one, other) = beside(&row, Row::count, Row::count);
        assert_ne!(one, other);
        assert_eq!(row.so_far(), 2);
        assert!(!row.count());
        row.end();
        assert!(row.count());
    });
}
