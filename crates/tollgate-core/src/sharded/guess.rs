//! What a word was left as, for those who are about to exchange it.
//!
//! On some processors a load that follows a locked exchange of the same word waits for it, which nearly doubles the
//! cost of an exchange. A guess is another word on the same line, for which nobody waits.

#[cfg(not(any(model_loom, model_shuttle)))]
use tollgate_sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A value that a word beside it probably holds.
///
/// # Synchronization
/// Stored after each exchange of that word, loaded before some. Relaxed: it may be wrong, when two exchange the word at
/// once, and the exchange of the word decides whatever it says. So it adds no history to those that a model
/// goes through, only states: in a model there is none.
#[derive(Debug)]
pub(super) struct Guess {
    #[cfg(not(any(model_loom, model_shuttle)))]
    word: AtomicU64,
}

#[cfg(not(any(model_loom, model_shuttle)))]
impl Guess {
    pub(super) fn new(word: u64) -> Self {
        Self {
            word: AtomicU64::new(word),
        }
    }

    #[inline]
    pub(super) fn get(&self) -> Option<u64> {
        Some(self.word.load(Relaxed))
    }

    #[inline]
    pub(super) fn set(&self, word: u64) {
        self.word.store(word, Relaxed);
    }
}

#[cfg(any(model_loom, model_shuttle))]
impl Guess {
    pub(super) const fn new(_: u64) -> Self {
        Self {}
    }

    pub(super) const fn get(&self) -> Option<u64> {
        None
    }

    pub(super) const fn set(&self, _: u64) {}
}
