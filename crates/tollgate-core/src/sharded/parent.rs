//! The cell that all shards draw from: a TAT for what is not set aside.
//!
//! # Synchronization
//! - `tat`: loaded by those who look, exchanged by those who take; it only grows. Relaxed throughout: the TAT is the
//!   cell's whole state and publishes no other memory, so its own modification order is all that the limit
//!   relies on.

use crate::{
    Cost, CostExceedsCapacity, Decision, Nanos,
    gcra::{Gcra, Step},
};
use crossbeam_utils::CachePadded;
use tollgate_sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The TAT of what is not set aside, on lines of its own.
#[derive(Debug)]
pub(super) struct Parent {
    tat: CachePadded<AtomicU64>,
}

/// What a draw got.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drawn {
    pub(super) units: u64,
    /// The TAT that includes them.
    pub(super) tat: u64,
}

impl Parent {
    pub(super) fn new(tat: u64) -> Self {
        Self {
            tat: CachePadded::new(AtomicU64::new(tat)),
        }
    }

    pub(super) fn tat(&self) -> u64 {
        // Relaxed: see above.
        self.tat.load(Relaxed)
    }

    /// One decision, as a plain cell makes it: linearizes at the exchange if allowed, else at the last load.
    #[inline]
    pub(super) fn step(
        &self,
        gcra: &Gcra,
        now: Nanos,
        cost: Cost,
    ) -> Result<Decision, CostExceedsCapacity> {
        // Relaxed: see above.
        let mut tat = self.tat.load(Relaxed);
        // Lock-free: an exchange fails only if that of another caller succeeded. A retry reads the TAT alone.
        loop {
            let (next, allowed) = match gcra.step_since(tat, now, 0, cost)? {
                Step::Take { tat, allowed } => (tat, allowed),
                Step::Deny(denied) => return Ok(Decision::Denied(denied)),
            };
            // Relaxed, both: see above.
            match self.tat.compare_exchange_weak(tat, next, Relaxed, Relaxed) {
                Ok(_) => return Ok(Decision::Allowed(allowed)),
                Err(seen) => tat = seen,
            }
        }
    }

    /// Draws as many units as there are at `now`, from `least` up to `most`; none if there are fewer than `least`.
    pub(super) fn draw(&self, gcra: &Gcra, now: Nanos, least: u64, most: u64) -> Option<Drawn> {
        // Relaxed: see above.
        let mut tat = self.tat.load(Relaxed);
        // Lock-free, as in `step`.
        loop {
            let (next, units) = gcra.step_up_to(tat, now, least, most)?;
            // Relaxed, both: see above.
            match self.tat.compare_exchange_weak(tat, next, Relaxed, Relaxed) {
                Ok(_) => return Some(Drawn { units, tat: next }),
                Err(seen) => tat = seen,
            }
        }
    }
}
