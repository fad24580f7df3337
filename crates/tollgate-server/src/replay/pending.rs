//! Admitted requests that are not settled yet.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use tollgate_policy::{Reservation, Usage};

use crate::books::Concern;

/// One admitted request.
#[derive(Debug)]
pub(super) struct Open {
    /// When it settles, in nanoseconds since 1970.
    pub(super) due_ns: i64,
    /// Its row; of two that settle at one time the earlier row goes first.
    pub(super) row: u64,
    pub(super) reservation: Reservation,
    pub(super) actual: Usage,
    pub(super) concerns: Vec<Concern>,
}

/// Admitted requests by the time they settle.
#[derive(Debug, Default)]
pub(super) struct Pending {
    heap: BinaryHeap<Reverse<Open>>,
}

impl Pending {
    pub(super) fn push(&mut self, open: Open) {
        self.heap.push(Reverse(open));
    }

    /// Takes the next one that is due at or before a time.
    pub(super) fn pop_due(&mut self, wall_ns: i64) -> Option<Open> {
        let Reverse(first) = self.heap.peek()?;
        if first.due_ns > wall_ns {
            return None;
        }
        self.heap.pop().map(|Reverse(open)| open)
    }
}

impl Open {
    fn key(&self) -> (i64, u64) {
        (self.due_ns, self.row)
    }
}

impl Ord for Open {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for Open {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Open {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Open {}
