//! The current period, in one word.
//!
//! # Synchronization
//! `word` holds the start (high 64 bits) and the end (low 64 bits) of one period, as two's complement. Anyone
//! who had to look a period up stores it; anyone reads it. Relaxed, both: each word ever stored is true by
//! itself and publishes no other memory, so a reader needs no particular one, only a whole one. Two parties that
//! live in different periods overwrite each other's, which costs them lookups and nothing else.

use super::Period;
use std::fmt;
use tollgate_core::Wall;
use tollgate_sync::atomic::{AtomicU128, Ordering::Relaxed};

pub(super) struct Cache {
    word: AtomicU128,
}

impl Cache {
    /// A cache whose period is empty, so that no instant lies in it.
    pub(super) fn new() -> Self {
        Self {
            word: AtomicU128::new(0),
        }
    }

    pub(super) fn load(&self) -> Period {
        unpack(self.word.load(Relaxed))
    }

    pub(super) fn store(&self, period: Period) {
        self.word.store(pack(period), Relaxed);
    }
}

const fn pack(period: Period) -> u128 {
    let (start, end) = (period.start.0.cast_unsigned(), period.end.0.cast_unsigned());
    (start as u128) << 64 | end as u128
}

#[expect(clippy::cast_possible_truncation, reason = "each half is taken whole")]
const fn unpack(word: u128) -> Period {
    let (start, end) = ((word >> 64) as u64, word as u64);
    Period {
        start: Wall(start.cast_signed()),
        end: Wall(end.cast_signed()),
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cache").field(&self.load()).finish()
    }
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn word_keeps_both_bounds() {
        for start in [i64::MIN, -1, 0, 1, i64::MAX] {
            for end in [i64::MIN, -1, 0, 1, i64::MAX] {
                let period = Period {
                    start: Wall(start),
                    end: Wall(end),
                };
                assert_eq!(unpack(pack(period)), period);
            }
        }
    }

    #[test]
    fn fresh_cache_contains_nothing() {
        let cache = Cache::new();
        for wall in [i64::MIN, -1, 0, 1, i64::MAX] {
            assert!(!cache.load().contains(Wall(wall)));
        }
    }
}
