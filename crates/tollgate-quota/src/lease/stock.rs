//! A stock: units lent and not yet spent, in one word.
//!
//! # Synchronization
//! - `word`: everybody reads it; every change is an exchange, so each loop is lock-free. A take is Release: whoever trims, which is
//!   Acquire, finds the charge of the meter that came before the take. Whoever trims is Release too, and a take Acquire: then nobody has
//!   asked any more. Acquire on failure: who finds it revoked is ordered after what came before that.

use tollgate_sync::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed},
};

/// The word of a stock that takes part no more. No stock is as large.
const REVOKED: u64 = u64::MAX;

#[derive(Debug)]
pub(super) struct Stock {
    word: AtomicU64,
}

impl Stock {
    /// The most units that it holds.
    pub(super) const MAX: u64 = REVOKED - 1;

    pub(super) fn new() -> Self {
        Self {
            word: AtomicU64::new(0),
        }
    }

    /// Takes `units`, or none, and returns how many are left.
    #[inline]
    pub(super) fn take(&self, units: u64) -> Option<u64> {
        let (_, left) = self.exchange(|stock| stock.checked_sub(units))?;
        Some(left)
    }

    /// Takes up to `units`, and returns how many.
    pub(super) fn take_up_to(&self, units: u64) -> u64 {
        let taken = self.exchange(|stock| Some(stock.saturating_sub(units)));
        taken.map_or(0, |(before, after)| before - after)
    }

    /// Trims it to at most `most`, and returns what is left. None if it was revoked.
    pub(super) fn trim(&self, most: u64) -> Option<u64> {
        let (_, left) = self.exchange(|stock| Some(stock.min(most)))?;
        Some(left)
    }

    /// Adds `units`.
    pub(super) fn add(&self, units: u64) {
        let more = |stock: u64| Some(stock.saturating_add(units).min(Self::MAX));
        let _ = self.exchange(more);
    }

    /// Nothing is taken or added any more.
    pub(super) fn revoke(&self) {
        self.word.swap(REVOKED, AcqRel);
    }

    /// What is left.
    pub(super) fn left(&self) -> u64 {
        // Relaxed: a figure.
        match self.word.load(Relaxed) {
            REVOKED => 0,
            stock => stock,
        }
    }

    /// Both sides of a change by `step`. None if it declines, or if the stock was revoked.
    #[inline]
    fn exchange(&self, step: impl Fn(u64) -> Option<u64>) -> Option<(u64, u64)> {
        // Acquire, here and on failure: what came before a revocation.
        let mut before = self.word.load(Acquire);
        loop {
            if before == REVOKED {
                return None;
            }
            let after = step(before)?;
            // Linearization point of every change; what is declined linearizes at the load of `before`.
            // AcqRel: a take releases its charge and who trims acquires it; who trims releases that nobody has asked, and a take
            // acquires that.
            match self
                .word
                .compare_exchange_weak(before, after, AcqRel, Acquire)
            {
                Ok(_) => return Some((before, after)),
                Err(held) => before = held,
            }
        }
    }
}
