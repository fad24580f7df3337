//! The units of ticks that are over.

use super::word::{Slot, SlotReceipt};
use tollgate_sync::atomic::{
    AtomicU64, AtomicU128,
    Ordering::{Acquire, Relaxed, Release},
};

/// One place for each tick that counts; see the module page of the ring.
#[derive(Debug)]
pub(super) struct History {
    places: Box<[AtomicU128]>,
    floor: AtomicU64,
}

impl History {
    /// Places for `slots` ticks that count, and one that has just been sealed.
    pub(super) fn new(slots: u32) -> Self {
        let places = (0..=slots).map(|_| AtomicU128::new(Slot::EMPTY)).collect();
        Self {
            places,
            floor: AtomicU64::new(0),
        }
    }

    fn place(&self, tick: u64) -> &AtomicU128 {
        let places = self.places.len() as u64;
        // The remainder is below the number of places, which is a `usize`.
        let index = usize::try_from(tick % places).unwrap_or(0);
        &self.places[index]
    }

    /// Ticks before this one are forgotten.
    pub(super) fn floor(&self) -> u64 {
        // Relaxed: the load of `hot` that came before saw the reset, if it is to be seen.
        self.floor.load(Relaxed)
    }

    pub(super) fn raise_floor(&self, tick: u64) {
        // Relaxed: published by the Release exchange of `hot` that follows.
        self.floor.fetch_max(tick, Relaxed);
    }

    /// Writes down what a sealed tick ended with, unless that or a later one is there.
    pub(super) fn record(&self, slot: Slot) {
        let place = self.place(slot.receipt.tick);
        // Relaxed: only the order of ticks within this place matters, and the exchange checks it.
        let mut word = place.load(Relaxed);
        while Slot::unpack(word).is_none_or(|held| held.receipt < slot.receipt) {
            // Release: pairs with the Acquire in `units`. The seal that this caller wrote or read happens-before.
            match place.compare_exchange_weak(word, slot.pack(), Release, Relaxed) {
                Ok(_) => return,
                Err(held) => word = held,
            }
        }
    }

    /// The units recorded of `tick`; none if its place holds another.
    pub(super) fn units(&self, tick: u64) -> u64 {
        // Acquire: pairs with the Release in `record`. Meeting a later tick, the caller will find `hot` changed.
        match Slot::unpack(self.place(tick).load(Acquire)) {
            Some(slot) if slot.receipt.tick == tick => slot.used,
            _ => 0,
        }
    }

    /// Takes up to `surplus` from the units that `receipt` stands for, and returns how many.
    pub(super) fn refund(&self, receipt: SlotReceipt, surplus: u64) -> u64 {
        let place = self.place(receipt.tick);
        let mut word = place.load(Relaxed);
        loop {
            let Some(held) = Slot::unpack(word) else {
                return 0;
            };
            let Some(less) = held.refunded(receipt, surplus) else {
                return 0;
            };
            // Relaxed: continues the release sequence of the record, which is all that the Acquire in `units` needs.
            match place.compare_exchange_weak(word, less.pack(), Relaxed, Relaxed) {
                Ok(_) => return held.used - less.used,
                Err(now_held) => word = now_held,
            }
        }
    }
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;

    /// Anybody who finds a tick sealed writes it down, and may come late.
    #[test]
    fn what_was_given_back_is_not_written_down_anew() {
        let history = History::new(2);
        let receipt = SlotReceipt::of(4);
        let slot = Slot { receipt, used: 5 };
        history.record(slot);
        assert_eq!((history.refund(receipt, 2), history.units(4)), (2, 3));
        history.record(slot);
        assert_eq!(history.units(4), 3);
        let next_lap = SlotReceipt::of(7);
        history.record(Slot {
            receipt: next_lap,
            used: 1,
        });
        history.record(slot);
        assert_eq!([4, 7].map(|tick| history.units(tick)), [0, 1]);
        assert_eq!(history.refund(receipt, 2), 0);
    }
}
