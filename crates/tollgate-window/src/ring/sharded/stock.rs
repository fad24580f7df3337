//! The word of a shard, and its steps.

use crate::ring::word::{TICK_BITS, TICK_MAX};
use tollgate_sync::atomic::{AtomicU64, Ordering::Relaxed};

const UNITS_BITS: u32 = 64 - TICK_BITS;
/// The most units of one shard.
pub(super) const STOCK_MAX: u64 = (1 << UNITS_BITS) - 1;

/// Units of one tick, drawn from the ring and not yet admitted. The number of the tick is in the upper 41 bits of the
/// word, the units are in the lower 23.
#[derive(Debug, Default)]
pub(super) struct Shard(AtomicU64);

/// What a shard holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stock {
    pub(super) tick: u64,
    pub(super) units: u64,
}

impl Stock {
    pub(super) const fn unpack(word: u64) -> Self {
        Self {
            tick: word >> UNITS_BITS,
            units: word & STOCK_MAX,
        }
    }

    pub(super) const fn pack(self) -> u64 {
        // Invariant: no step adds units beyond the most, and ticks come from the ring.
        debug_assert!(self.units <= STOCK_MAX && self.tick <= TICK_MAX);
        self.tick << UNITS_BITS | self.units
    }
}

impl Shard {
    #[inline]
    pub(super) fn load(&self) -> Stock {
        // Relaxed, here and below: the word is the shard's whole state and publishes no other memory. Units are in it
        // only after the ring counted them, and whoever takes them out to give them back does so before the ring
        // forgets them; that the ring counts at least what is out is all that the first law needs.
        Stock::unpack(self.0.load(Relaxed))
    }

    /// Takes `units` from `held`, which has as many; false if the shard holds something else by now.
    #[inline]
    pub(super) fn take(&self, held: Stock, units: u64) -> bool {
        let word = held.pack();
        // Linearization point of an admission from stock. The units are the lower part of the word.
        self.0
            .compare_exchange(word, word - units, Relaxed, Relaxed)
            .is_ok()
    }

    /// Adds `units` of `tick`. What has no place, and is to be given back: an older tick's units that were here, or, if
    /// there is a newer tick here or no room, units of `tick`.
    pub(super) fn put(&self, tick: u64, units: u64) -> Stock {
        let mut held = self.load();
        loop {
            let (next, back) = if held.tick < tick {
                (Stock { tick, units }, held)
            } else {
                let fit = if held.tick == tick {
                    units.min(STOCK_MAX - held.units)
                } else {
                    0
                };
                let next = Stock {
                    units: held.units + fit,
                    ..held
                };
                let back = Stock {
                    tick,
                    units: units - fit,
                };
                (next, back)
            };
            if next == held || (next.units, held.units) == (0, 0) {
                return back;
            }
            match self
                .0
                .compare_exchange_weak(held.pack(), next.pack(), Relaxed, Relaxed)
            {
                Ok(_) => return back,
                Err(word) => held = Stock::unpack(word),
            }
        }
    }

    /// Takes out all there is.
    pub(super) fn empty(&self) -> Stock {
        let mut held = self.load();
        while held.units > 0 {
            if self.take(held, held.units) {
                return held;
            }
            held = self.load();
        }
        held
    }
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;

    const fn stock(tick: u64, units: u64) -> Stock {
        Stock { tick, units }
    }

    #[test]
    fn words_keep_both_fields_apart() {
        for tick in [0, 1, TICK_MAX] {
            for units in [0, 1, STOCK_MAX] {
                let stock = stock(tick, units);
                assert_eq!(Stock::unpack(stock.pack()), stock);
            }
        }
    }

    #[test]
    fn nothing_takes_no_place_of_an_older_tick() {
        let shard = Shard::default();
        assert_eq!(shard.put(3, 2), stock(0, 0));
        assert_eq!(shard.empty(), stock(3, 2));
        assert_eq!((shard.put(5, 0), shard.load()), (stock(3, 0), stock(3, 0)));
        assert_eq!(shard.put(4, 1), stock(3, 0), "what comes later has it");
    }

    #[test]
    fn what_has_no_place_comes_back() {
        let shard = Shard::default();
        assert_eq!(shard.put(3, 2), stock(0, 0));
        assert_eq!(shard.put(3, 3), stock(3, 0), "of the same tick all stay");
        assert_eq!(shard.load(), stock(3, 5));
        assert_eq!(shard.put(3, STOCK_MAX), stock(3, 5));
        assert_eq!(shard.load(), stock(3, STOCK_MAX));
        assert_eq!(shard.put(2, 7), stock(2, 7), "a newer tick is here");
        assert_eq!(shard.put(4, 1), stock(3, STOCK_MAX), "all of it is dead");
        assert_eq!(shard.put(5, 0), stock(4, 1), "also without new units");
        assert_eq!(shard.empty(), stock(5, 0));
    }

    #[test]
    fn only_what_is_still_there_can_be_taken() {
        let shard = Shard::default();
        shard.put(3, 5);
        let held = shard.load();
        assert!(shard.take(held, 2));
        assert!(!shard.take(held, 2));
        assert_eq!(shard.empty(), stock(3, 3));
        assert_eq!(shard.load(), stock(3, 0));
    }
}
