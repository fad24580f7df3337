//! How many keys have a place, and how many may.

use tollgate_sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Places, taken one by one.
#[derive(Debug)]
pub(super) struct Places {
    taken: AtomicUsize,
    max: usize,
}

impl Places {
    pub(super) fn new(max: usize) -> Self {
        let taken = AtomicUsize::new(0);
        Self { taken, max }
    }

    /// Takes one; false if all are taken.
    pub(super) fn take(&self) -> bool {
        let more = |taken| (taken < self.max).then_some(taken + 1);
        self.taken.fetch_update(Relaxed, Relaxed, more).is_ok()
    }

    /// Gives one back that was taken.
    pub(super) fn give_back(&self) {
        self.taken.fetch_sub(1, Relaxed);
    }

    pub(super) fn taken(&self) -> usize {
        self.taken.load(Relaxed)
    }
}
