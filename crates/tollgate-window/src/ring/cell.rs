//! The loops of the ring: admissions, rotations, refunds. The module page tells the protocol.

use super::{
    history::History,
    ticks::Ticks,
    word::{CLOSED, Hot, Slot, SlotReceipt, UNITS_MAX},
};
use tollgate_core::{Charged, Nanos, Refused, Wait};
use tollgate_sync::atomic::{
    AtomicU128,
    Ordering::{Acquire, Relaxed, Release},
};

/// Units in slots.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) ticks: Ticks,
    hot: AtomicU128,
    history: History,
}

/// What a caller sees.
struct View {
    /// The caller's tick. If a later one is open, the caller's units are counted in that.
    tick: u64,
    /// Units that count in it, those of later ticks too.
    committed: u64,
}

/// More than any ceiling: the units of ticks that are no longer remembered.
const FORGOTTEN: u64 = u64::MAX;

/// One state of the ring, as of an instant.
pub(super) struct Seen {
    word: u128,
    hot: Hot,
    view: View,
}

impl Cell {
    pub(super) fn new(ticks: Ticks) -> Self {
        let hot = AtomicU128::new(Hot::FRESH.pack());
        Self {
            ticks,
            hot,
            history: History::new(ticks.slots()),
        }
    }

    fn slots(&self) -> u64 {
        self.ticks.slots().into()
    }

    /// What `charge` would answer.
    pub(super) fn look(&self, now: Nanos, cost: u64, ceiling: u64) -> Result<(), Refused> {
        loop {
            let hot = Hot::unpack(self.load()).ok_or(Refused::Closed)?;
            let Some(view) = self.view(hot, now) else {
                continue;
            };
            if fits(view.committed, cost, ceiling) {
                return Ok(());
            }
            if let Some(refused) = self.denied(hot, view, now, cost, ceiling) {
                return Err(refused);
            }
        }
    }

    /// Takes `cost` if no more than `ceiling` then count.
    pub(super) fn charge(
        &self,
        now: Nanos,
        cost: u64,
        ceiling: u64,
    ) -> Result<Charged<SlotReceipt>, Refused> {
        loop {
            let word = self.load();
            let hot = Hot::unpack(word).ok_or(Refused::Closed)?;
            let Some(view) = self.view(hot, now) else {
                continue;
            };
            if !fits(view.committed, cost, ceiling) {
                match self.denied(hot, view, now, cost, ceiling) {
                    Some(refused) => return Err(refused),
                    None => continue,
                }
            }
            if let Some(receipt) = self.commit(word, hot, &view, cost) {
                return Ok(charged(receipt, view.told(hot), cost, ceiling));
            }
        }
    }

    /// The ring as a caller of `now` sees it; none if it was closed.
    #[inline(never)]
    pub(super) fn see(&self, now: Nanos) -> Option<Seen> {
        loop {
            let word = self.load();
            let hot = Hot::unpack(word)?;
            if let Some(view) = self.view(hot, now) {
                return Some(Seen { word, hot, view });
            }
        }
    }

    /// The ring as of `now`, or in the open tick if that is later; none if it was closed.
    pub(super) fn see_latest(&self, now: Nanos) -> Option<Seen> {
        loop {
            let word = self.load();
            let hot = Hot::unpack(word)?;
            if let Some(view) = self.view_latest(hot, now) {
                return Some(Seen { word, hot, view });
            }
        }
    }

    /// Takes `units`; none if something else happened since `seen`.
    #[inline]
    pub(super) fn draw(&self, seen: &Seen, units: u64) -> Option<SlotReceipt> {
        self.commit(seen.word, seen.hot, &seen.view, units)
    }

    /// The denial of a cost that does not fit what was seen, with `spare` units of the open tick out of account; none if
    /// the ring rotated since.
    #[inline]
    pub(super) fn deny(
        &self,
        seen: &Seen,
        now: Nanos,
        cost: u64,
        ceiling: u64,
        spare: u64,
    ) -> Option<Refused> {
        let hot = Hot {
            used: seen.hot.used.saturating_sub(spare),
            ..seen.hot
        };
        let view = View {
            tick: seen.view.tick,
            committed: match seen.view.committed {
                FORGOTTEN => FORGOTTEN,
                committed => committed.saturating_sub(spare),
            },
        };
        self.denied(hot, view, now, cost, ceiling)
    }

    /// Gives back `units` of `tick` that were drawn and never admitted.
    pub(super) fn give_back(&self, now: Nanos, tick: u64, units: u64) {
        if units > 0 {
            self.refund(now, SlotReceipt::of(tick), units);
        }
    }

    /// Takes `extra` in any case.
    pub(super) fn charge_anyway(
        &self,
        now: Nanos,
        extra: u64,
        ceiling: u64,
    ) -> Result<Charged<SlotReceipt>, Refused> {
        loop {
            let word = self.load();
            let hot = Hot::unpack(word).ok_or(Refused::Closed)?;
            let Some(view) = self.view_latest(hot, now) else {
                continue;
            };
            if let Some(receipt) = self.commit(word, hot, &view, extra) {
                return Ok(charged(receipt, view.committed, extra, ceiling));
            }
        }
    }

    /// Gives back up to `surplus` units of a charge that still counts, and returns how many.
    pub(super) fn refund(&self, now: Nanos, receipt: SlotReceipt, surplus: u64) -> u64 {
        loop {
            let word = self.load();
            let Some(hot) = Hot::unpack(word) else {
                return 0;
            };
            if hot.is_sealed {
                // Somebody has seen the next tick. Once it is open, its units are all in the history.
                self.open_next(word, hot);
                continue;
            }
            let counts_in = |tick: u64| tick - receipt.tick.min(tick) <= self.slots();
            if !counts_in(hot.tick) || receipt.tick < self.history.floor() {
                return 0;
            }
            let refunded = if receipt.tick < hot.tick {
                let refunded = self.history.refund(receipt, surplus);
                self.lower_prior(hot, refunded);
                refunded
            } else {
                let Some(less) = hot.refunded(receipt, surplus) else {
                    return 0;
                };
                // Linearization point of a refund within the open tick.
                if !self.exchange(word, less) {
                    continue;
                }
                hot.used - less.used
            };
            // What has left the window as of `now` is worth nothing, though an older `now` may still see it.
            return if counts_in(self.tick_of(hot, now)) {
                refunded
            } else {
                0
            };
        }
    }

    /// Units that count as of `now`, or in the open tick if that is later.
    pub(super) fn used(&self, now: Nanos) -> u64 {
        loop {
            let Some(hot) = Hot::unpack(self.load()) else {
                return 0;
            };
            if let Some(view) = self.view_latest(hot, now) {
                return view.committed;
            }
        }
    }

    pub(super) fn close_at_rest(&self, now: Nanos) -> bool {
        loop {
            let word = self.load();
            let Some(hot) = Hot::unpack(word) else {
                return true;
            };
            let Some(view) = self.view(hot, now) else {
                continue;
            };
            if view.committed > 0 {
                return false;
            }
            // Relaxed: who finds the ring closed reads nothing else of it. It loses to any charge that came first.
            if self
                .hot
                .compare_exchange(word, CLOSED, Relaxed, Relaxed)
                .is_ok()
            {
                return true;
            }
        }
    }

    pub(super) fn reset(&self, now: Nanos) {
        loop {
            let word = self.load();
            let Some(hot) = Hot::unpack(word) else { return };
            let tick = self.tick_of(hot, now);
            self.history.raise_floor(tick);
            // Linearization point of a reset. Release: publishes the floor to whoever loads `hot`.
            if self.exchange(word, hot.reset(tick)) {
                return;
            }
        }
    }

    fn load(&self) -> u128 {
        // Acquire: pairs with the Release in `exchange`; the records and the floor that the opener of this tick saw
        // happen-before what follows.
        self.hot.load(Acquire)
    }

    fn exchange(&self, word: u128, next: Hot) -> bool {
        self.exchange_word(word, next.pack())
    }

    #[inline]
    fn exchange_word(&self, word: u128, next: u128) -> bool {
        // Release: pairs with the Acquire in `load`. Relaxed on failure: every caller loads again.
        self.hot
            .compare_exchange(word, next, Release, Relaxed)
            .is_ok()
    }

    /// The tick in which the units of a caller of `now` are counted. A sealed tick is over: somebody has seen a later one.
    fn tick_of(&self, hot: Hot, now: Nanos) -> u64 {
        self.ticks
            .tick_from(hot.tick + u64::from(hot.is_sealed), now)
    }

    /// What a caller of `now` sees; none if the ring rotated meanwhile, so that places may have been overwritten.
    #[inline(always)]
    fn view(&self, hot: Hot, now: Nanos) -> Option<View> {
        if hot.is_sealed || !self.ticks.is_open(hot.tick, now) {
            return self.view_elsewhen(hot, now);
        }
        Some(View {
            tick: hot.tick,
            committed: hot.committed(),
        })
    }

    /// What a caller sees whose tick is not the open one.
    fn view_elsewhen(&self, hot: Hot, now: Nanos) -> Option<View> {
        if self.ticks.is_over(hot.tick, now) {
            return self.view_later(hot, now);
        }
        if hot.is_sealed {
            // The tick that the units of a late caller are to be counted in is about to be opened.
            self.open_next(hot.pack(), hot);
            return None;
        }
        let tick = self.ticks.tick_from(0, now);
        let committed = if self.remembers(hot, tick) {
            self.sum(hot, tick)
        } else {
            FORGOTTEN
        };
        self.still_open(hot).then_some(View { tick, committed })
    }

    /// What is seen of the tick of `now`, or of the open one if that is later.
    fn view_latest(&self, hot: Hot, now: Nanos) -> Option<View> {
        if hot.is_sealed || self.ticks.is_over(hot.tick, now) {
            return self.view_later(hot, now);
        }
        Some(View {
            tick: hot.tick,
            committed: hot.committed(),
        })
    }

    /// What a caller sees whose tick is not open yet.
    fn view_later(&self, hot: Hot, now: Nanos) -> Option<View> {
        let tick = self.tick_of(hot, now);
        let committed = self.sum(hot, tick);
        self.still_open(hot).then_some(View { tick, committed })
    }

    /// True if the places of all ticks that count in `tick`, which is over, still hold them.
    fn remembers(&self, hot: Hot, tick: u64) -> bool {
        let first = tick.saturating_sub(self.slots()).max(self.history.floor());
        first >= hot.tick.saturating_sub(self.slots() + 1)
    }

    /// The ticks before `hot`'s own that count in `tick`.
    fn earlier(&self, hot: Hot, tick: u64) -> std::ops::Range<u64> {
        let first = tick.saturating_sub(self.slots()).max(self.history.floor());
        first.min(hot.tick)..hot.tick
    }

    /// Units that count in `tick`, which is another than `hot`'s and remembered, if nothing else happens.
    fn sum(&self, hot: Hot, tick: u64) -> u64 {
        let own = if tick.saturating_sub(hot.tick) <= self.slots() {
            hot.used
        } else {
            0
        };
        // Below 2^55: at most 4,097 terms of 42 bits.
        own + self
            .earlier(hot, tick)
            .map(|tick| self.history.units(tick))
            .sum::<u64>()
    }

    /// True if no other tick was opened since `hot` was read, nor the ring reset or closed.
    fn still_open(&self, hot: Hot) -> bool {
        Hot::unpack(self.load()).is_some_and(|held| held.receipt() == hot.receipt())
    }

    /// The denial of a cost that does not fit `view`; none if the ring rotated meanwhile.
    #[inline]
    fn denied(&self, hot: Hot, view: View, now: Nanos, cost: u64, ceiling: u64) -> Option<Refused> {
        let committed = view.told(hot).into();
        let Some(room) = ceiling.min(UNITS_MAX).checked_sub(cost) else {
            return Some(Refused::denied(Wait::Never, committed));
        };
        let tick = if view.committed == FORGOTTEN {
            // The tick before the open one is the first that can be told of.
            self.leaves_for(hot, hot.tick.saturating_sub(2), room)?
        } else if hot.used > room {
            // The open slot itself must leave.
            (hot.tick + self.slots()).max(view.tick) + 1
        } else {
            self.leaves_for(hot, view.tick, room)?
        };
        // Later than `now`, whose own tick is not after the view's.
        let wait = self.ticks.start_ns(tick).saturating_sub(now.clamped().0);
        Some(Refused::denied(Wait::nanos(wait), committed))
    }

    /// The first tick after `tick` in which no more than `room` units are left; none if the ring rotated meanwhile.
    #[inline(never)]
    fn leaves_for(&self, hot: Hot, tick: u64, room: u64) -> Option<u64> {
        let tick = self.fits_in(hot, tick, room);
        // A denial linearizes at the load of `hot`: since then its history can only have lost units.
        self.still_open(hot).then_some(tick)
    }

    /// The first tick after `tick` in which no more than `room` units are left, were nothing else to come.
    fn fits_in(&self, hot: Hot, tick: u64, room: u64) -> u64 {
        // From the newest slot back: the one that exceeds the room must leave, and with it all before it.
        let mut left = hot.used;
        let mut leaves = hot.tick;
        let mut earlier = self.earlier(hot, tick).rev();
        while left <= room {
            let Some(before) = earlier.next() else {
                // A refund has made room that the open tick has not heard of. The next one sums anew.
                return tick + 1;
            };
            leaves = before;
            left += self.history.units(before);
        }
        (leaves + self.slots() + 1).max(tick + 1)
    }

    /// Adds `units` in the tick of `view`, opening it if need be, or in the open one if that is later; none if another
    /// exchange came first.
    fn commit(&self, word: u128, hot: Hot, view: &View, units: u64) -> Option<SlotReceipt> {
        // Invariant: no view of a sealed tick or of one before it was taken.
        let (word, next, receipt) = if view.tick <= hot.tick {
            (word, hot.charged_word(word, units), hot.receipt())
        } else {
            let sealed = self.seal(word, hot)?;
            let next = Hot::opened(view.tick, units, view.committed);
            (sealed, next.pack(), next.receipt())
        };
        // Linearization point of a charge. If the word is still the one that `view` was taken from (sealed or not),
        // the history has only lost units since.
        self.exchange_word(word, next).then_some(receipt)
    }

    /// Makes the units of `hot` final and writes them down. The sealed word; none if another exchange came first.
    fn seal(&self, word: u128, hot: Hot) -> Option<u128> {
        let sealed = hot.sealed();
        if !hot.is_sealed && !self.exchange(word, sealed) {
            return None;
        }
        self.history.record(Slot::of(sealed));
        Some(sealed.pack())
    }

    /// Opens the tick after a sealed one, with no units of its own, unless somebody else does.
    fn open_next(&self, word: u128, hot: Hot) {
        if let Some(sealed) = self.seal(word, hot) {
            let tick = hot.tick + 1;
            self.exchange(sealed, Hot::opened(tick, 0, self.sum(hot, tick)));
        }
    }

    /// Lowers the prior by `refunded` units that the history lost, if the tick of `hot` is still open: then its prior
    /// was summed before. Any other tick sums for itself.
    fn lower_prior(&self, hot: Hot, refunded: u64) {
        if refunded == 0 {
            return;
        }
        loop {
            let word = self.load();
            let Some(held) = Hot::unpack(word) else {
                return;
            };
            if held.receipt() != hot.receipt() {
                return;
            }
            let Some(less) = held.with_less_prior(refunded) else {
                return;
            };
            // Linearization point of a refund to an earlier slot.
            if self.exchange(word, less) {
                return;
            }
        }
    }
}

impl View {
    /// Units that count as of this view, or in the open tick if that is later.
    #[inline]
    const fn told(&self, hot: Hot) -> u64 {
        if self.tick < hot.tick {
            hot.committed()
        } else {
            self.committed
        }
    }
}

impl Seen {
    /// The tick of the caller, or the open one if that is later.
    pub(super) fn tick(&self) -> u64 {
        self.view.tick.max(self.hot.tick)
    }

    /// The open tick.
    pub(super) const fn open(&self) -> u64 {
        self.hot.tick
    }

    /// Units that count; more than any ceiling if that is no longer remembered.
    pub(super) const fn units(&self) -> u64 {
        self.view.committed
    }
}

fn fits(committed: u64, cost: u64, ceiling: u64) -> bool {
    committed
        .checked_add(cost)
        .is_some_and(|after| after <= ceiling.min(UNITS_MAX))
}

fn charged(receipt: SlotReceipt, before: u64, units: u64, ceiling: u64) -> Charged<SlotReceipt> {
    let before = u128::from(before);
    Charged {
        receipt,
        before,
        after: before + u128::from(units),
        full: ceiling.into(),
    }
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;
    use std::time::Duration;

    const SECOND: u64 = 1_000_000_000;

    /// Two slots of a second, with five units in the third tick, and what was seen of that.
    fn ring() -> (Cell, SlotReceipt, u128, Hot) {
        let ticks = Ticks::new(Duration::from_secs(2), 2, Duration::ZERO).unwrap();
        let cell = Cell::new(ticks);
        let receipt = cell.charge(Nanos(2 * SECOND), 5, 9).unwrap().receipt;
        let word = cell.load();
        (cell, receipt, word, Hot::unpack(word).expect("it is open"))
    }

    /// The ring after whoever sealed its tick has stopped before opening the next one, and somebody else came in the sealed one.
    fn after_a_stall(comes: impl Fn(&Cell, Nanos, SlotReceipt)) {
        let (cell, receipt, word, hot) = ring();
        assert_eq!(cell.seal(word, hot), Some(hot.sealed().pack()));
        assert_eq!(cell.seal(word, hot), None, "somebody else came first");
        comes(&cell, Nanos(2 * SECOND + 1), receipt);
        let after = Hot::unpack(cell.load()).expect("it is open");
        assert!((after.tick, after.is_sealed) == (3, false), "{after:?}");
        assert_eq!(cell.used(Nanos(4 * SECOND)), after.committed());
        assert_eq!(cell.used(Nanos(5 * SECOND)), after.used);
    }

    #[test]
    fn sealed_tick_is_followed_by_the_next_one_whoever_comes() {
        after_a_stall(|cell, now, _| {
            let charged = cell.charge(now, 3, 9).unwrap();
            assert_eq!((charged.receipt.tick(), charged.before), (3, 5));
        });
        after_a_stall(|cell, now, receipt| {
            assert_eq!(cell.refund(now, receipt, 2), 2);
            assert_eq!(cell.charge(now, 5, 9).unwrap().before, 3);
        });
        after_a_stall(|cell, now, _| {
            assert!(cell.look(now, 5, 9).is_err());
            assert_eq!(cell.look(now, 4, 9), Ok(()));
        });
    }

    #[test]
    fn nothing_is_seen_of_a_ring_that_rotated_meanwhile() {
        let (cell, _, _, hot) = ring();
        let later = Nanos(3 * SECOND);
        assert!(cell.still_open(hot) && cell.view_later(hot, later).is_some());
        cell.charge(Nanos(2 * SECOND), 1, 9).unwrap();
        assert!(cell.still_open(hot), "the same tick");
        cell.charge(later, 1, 9).unwrap();
        assert!(!cell.still_open(hot) && cell.view_later(hot, later).is_none());
        assert!(cell.view_elsewhen(hot, Nanos(0)).is_none());
        let view = cell
            .view_latest(hot, Nanos(0))
            .expect("no history is asked");
        assert_eq!(cell.denied(hot, view, Nanos(0), 4, 9), None);
    }
}
