//! What those who admit and the ledger's thread tell each other in a word: that somebody is in a hurry or waits, and that requests go
//! on unrecorded.
//!
//! # Synchronization
//! - `is_urgent`: raised by who asked and is in a hurry (Release: publishes what was asked), lowered by the thread before it
//!   looks for what was asked (Acquire). Both by exchange: whoever finds it raised goes on with the release sequence of who raised
//!   it, and whoever finds it lowered wakes the thread.
//! - `waiting`: those who wait for a round, under the mutex of rounds, which the thread takes before it sleeps. Relaxed: it publishes
//!   nothing.
//! - `count`, `is_told`: figures. Relaxed: they publish nothing.

use tollgate_sync::atomic::{AtomicBool, AtomicU64, Ordering::*};

/// Whether the ledger's thread is to come by before its time.
#[derive(Debug)]
pub(super) struct Urgency {
    is_urgent: AtomicBool,
    waiting: AtomicU64,
}

impl Urgency {
    pub(super) fn new() -> Self {
        Self {
            is_urgent: AtomicBool::new(false),
            waiting: AtomicU64::new(0),
        }
    }

    /// Tells that something was asked that cannot wait. True for the first of a round, who wakes the thread.
    #[must_use]
    pub(super) fn hurry(&self) -> bool {
        // Release: pairs with the Acquire in `take`.
        !self.is_urgent.swap(true, Release)
    }

    /// Nobody is in a hurry any more, but for those who wait: what was asked is looked for after this.
    pub(super) fn take(&self) {
        // Acquire: pairs with the Release in `hurry`.
        self.is_urgent.swap(false, Acquire);
    }

    pub(super) fn is_urgent(&self) -> bool {
        self.is_urgent.load(Relaxed) || self.waiting.load(Relaxed) > 0
    }

    /// Somebody waits for a round.
    pub(super) fn begin_wait(&self) {
        self.waiting.fetch_add(1, Relaxed);
    }

    pub(super) fn end_wait(&self) {
        self.waiting.fetch_sub(1, Relaxed);
    }
}

/// Counts what happens, and tells the first of each row.
#[derive(Debug)]
pub(super) struct Row {
    count: AtomicU64,
    is_told: AtomicBool,
}

impl Row {
    pub(super) fn new() -> Self {
        Self {
            count: AtomicU64::new(0),
            is_told: AtomicBool::new(false),
        }
    }

    /// One more. True if it is the first of its row.
    #[must_use]
    pub(super) fn count(&self) -> bool {
        self.count.fetch_add(1, Relaxed);
        !self.is_told.swap(true, Relaxed)
    }

    pub(super) fn so_far(&self) -> u64 {
        self.count.load(Relaxed)
    }

    /// The next one begins another row.
    pub(super) fn end(&self) {
        self.is_told.store(false, Relaxed);
    }
}
