//! One word of stock: units set aside, and the room that is spoken for.
//!
//! A word has room for k units. Each unit of room is *stock* (anybody may take it), *away* (a unit is in somebody's
//! hand, or on its way here) or free. Invariant: stock + away is at most k. A unit of room becomes free only when a
//! unit was used, and is spoken for before the unit that will fill it is asked for: so what a limiter has set aside,
//! in words and in hands, is never more than k a word.
//!
//! # Synchronization
//! - `word`: exchanged by whoever draws, takes, picks up or puts back; loaded by those who look. It publishes no
//!   other memory but one thing: *what time it is*. Whoever speaks for room (`reserve`, `claim`, `take_up`: Acquire)
//!   reads a clock no older than that of whoever freed it (`take`, `settle`, `give_up`: Release), so that no unit
//!   is drawn with a stamp from before the one it replaces was used. Whoever takes a unit (`take`, `pick`, `claim`,
//!   `take_up`: Acquire) does so no earlier than the stamp it was drawn with (`Room::fill`, `settle`, `give_up`:
//!   Release). Every write is an exchange, so an edge holds past others that come between. Nothing stronger:
//!   no party relies on the order of two words. Each of these edges has a model that fails without it, but for
//!   that of `take_up`: whoever freed room in an owned seat found the parent empty or emptied it, so no older stamp finds
//!   units there. It keeps to the rule all the same, being off the hot path.
//! - `guess`: see there. It says only what `take` tries first.

use super::guess::Guess;
use tollgate_sync::atomic::{
    AtomicU64,
    Ordering::{self, AcqRel, Acquire, Relaxed, Release},
};

/// One unit of room that is away.
const AWAY_ONE: u64 = 1 << 32;
/// Set while somebody owns the seat.
const OWNED: u64 = 1 << 63;

/// The word of a shard or of a seat.
#[derive(Debug)]
pub(super) struct Stock {
    /// Bits 0 to 31: stock. Bits 32 to 62: away. Bit 63: whether the seat is owned (never set in a shard).
    word: AtomicU64,
    /// What the word was left as, as far as one of those who exchanged it knows.
    guess: Guess,
}

const fn stock(word: u64) -> u64 {
    word & (AWAY_ONE - 1)
}

const fn away(word: u64) -> u64 {
    (word & !OWNED) / AWAY_ONE
}

impl Stock {
    /// A word that holds `units`.
    pub(super) fn new(units: u64) -> Self {
        Self {
            word: AtomicU64::new(units),
            guess: Guess::new(units),
        }
    }

    /// Units that anybody may take.
    pub(super) fn units(&self) -> u64 {
        // Relaxed: a hint. Whoever acts on it exchanges the word.
        stock(self.word.load(Relaxed))
    }

    /// Uses `cost` units, and returns how many are left; nothing if there are fewer.
    #[inline]
    pub(super) fn take(&self, cost: u64) -> Option<u64> {
        // A guess too low is no reason to turn away.
        let enough = |word: &u64| stock(*word) >= cost;
        let mut word = match self.guess.get().filter(enough) {
            Some(guess) => guess,
            // Relaxed: the exchange below decides.
            None => self.word.load(Relaxed),
        };
        // Lock-free: an exchange fails if that of another caller succeeded, or once for a wrong guess. A retry reads the
        // word alone.
        loop {
            let left = stock(word).checked_sub(cost)?;
            // Acquire: the units were drawn before. Release: their room is free now. Relaxed on failure: a retry.
            match self
                .word
                .compare_exchange_weak(word, word - cost, AcqRel, Relaxed)
            {
                Ok(_) => {
                    self.guess.set(word - cost);
                    return Some(left);
                }
                Err(seen) => {
                    self.guess.set(seen);
                    word = seen;
                }
            }
        }
    }

    /// Speaks for free room, up to `most` units of it, out of `k` in all.
    pub(super) fn reserve(&self, most: u64, k: u64) -> Room<'_> {
        let mut units = 0;
        // Acquire: the clock is read after this, and no older than when the room became free.
        self.exchange(Acquire, |word| {
            units = (k - stock(word) - away(word)).min(most);
            (units > 0).then(|| word + units * AWAY_ONE)
        });
        Room { stock: self, units }
    }

    /// Picks up `most` units, or as many as there are; their room stays away until they are [settled](Self::settle).
    pub(super) fn pick(&self, most: u64) -> u64 {
        let mut units = 0;
        // Acquire: the units were drawn before. The room stays as it is: no Release.
        self.exchange(Acquire, |word| {
            units = stock(word).min(most);
            (units > 0).then(|| word - units + units * AWAY_ONE)
        });
        units
    }

    /// Ends the absence of `room` units of room, and leaves `units` of stock in them. Returns the stock.
    pub(super) fn settle(&self, room: u64, units: u64) -> u64 {
        debug_assert!(units <= room);
        // Invariant: that much room is away, so no bit is borrowed from the other half.
        let change = units.wrapping_sub(room * AWAY_ONE);
        // Release: the units left here were drawn before, and those used had been used.
        let word = self.word.fetch_add(change, Release).wrapping_add(change);
        self.guess.set(word);
        stock(word)
    }

    /// Owns this seat, if nobody does: takes the stock and all free room out of `k`. Returns (units, room).
    pub(super) fn claim(&self, k: u64) -> Option<(u64, u64)> {
        let mut got = None;
        // Acquire: as in `pick` and in `reserve`.
        self.exchange(Acquire, |word| {
            got = (word & OWNED == 0).then(|| (stock(word), k - away(word)));
            got.map(|_| OWNED | (k * AWAY_ONE))
        });
        got
    }

    /// What the owner finds here since it owns the seat: units that others put back, and room that they freed.
    /// Writes nothing if there is none. Returns (units, room).
    pub(super) fn take_up(&self, k: u64) -> (u64, u64) {
        let mut got = (0, 0);
        // Relaxed: whoever freed room in an owned seat found the parent empty or emptied it, so no older stamp finds units there.
        self.exchange(Relaxed, |word| {
            got = (stock(word), k - away(word));
            (got.1 > 0).then(|| OWNED | (k * AWAY_ONE))
        });
        got
    }

    /// Gives the seat up, with `room` that was the owner's and `units` of stock in it.
    pub(super) fn give_up(&self, room: u64, units: u64) {
        debug_assert!(units <= room);
        let change = units.wrapping_sub(room * AWAY_ONE).wrapping_sub(OWNED);
        // Release: as in `settle`.
        let word = self.word.fetch_add(change, Release).wrapping_add(change);
        self.guess.set(word);
    }

    /// Exchanges the word for what `next` makes of it, unless that is nothing.
    fn exchange(&self, success: Ordering, mut next: impl FnMut(u64) -> Option<u64>) {
        // Relaxed: the exchange below decides.
        let mut word = self.word.load(Relaxed);
        // Lock-free: an exchange fails only if that of another caller succeeded. A retry reads the word alone.
        while let Some(next) = next(word) {
            match self
                .word
                .compare_exchange_weak(word, next, success, Relaxed)
            {
                Ok(_) => return self.guess.set(next),
                Err(seen) => word = seen,
            }
        }
    }
}

/// Room spoken for. Free again when dropped.
#[derive(Debug)]
pub(super) struct Room<'a> {
    stock: &'a Stock,
    units: u64,
}

impl Room<'_> {
    /// How many units fit.
    pub(super) const fn units(&self) -> u64 {
        self.units
    }

    /// Puts `units` in, at most as many as fit, and returns the stock then.
    pub(super) fn fill(mut self, units: u64) -> u64 {
        match std::mem::take(&mut self.units) {
            0 => self.stock.units(),
            room => self.stock.settle(room, units),
        }
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        if self.units > 0 {
            self.stock.settle(self.units, 0);
        }
    }
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;

    const K: u64 = 64;

    #[test]
    fn a_cost_is_taken_whole_or_not_at_all() {
        let word = Stock::new(5);
        assert_eq!(word.take(3), Some(2));
        assert_eq!(word.take(3), None);
        assert_eq!(word.take(u64::MAX), None);
        assert_eq!(word.take(2), Some(0));
        assert_eq!(word.units(), 0);
    }

    #[test]
    fn a_guess_that_is_too_low_turns_nobody_away() {
        let word = Stock::new(5);
        word.guess.set(2);
        assert_eq!(word.take(3), Some(2));
    }

    #[test]
    fn room_is_never_spoken_for_twice() {
        let word = Stock::new(50);
        assert_eq!(word.pick(10), 10);
        assert_eq!(word.units(), 40);
        let (first, second) = (word.reserve(8, K), word.reserve(8, K));
        assert_eq!((first.units(), second.units()), (8, 6), "10 are in hand");
        assert_eq!(word.reserve(8, K).units(), 0);
        assert_eq!(first.fill(3), 43, "the rest of its room is free again");
        drop(second);
        assert_eq!(word.settle(10, 4), 47, "six of ten in hand were used");
        assert_eq!(word.reserve(K, K).units(), K - 47);
    }

    #[test]
    fn a_seat_has_one_owner_and_keeps_its_stock() {
        let seat = Stock::new(20);
        assert_eq!(seat.pick(5), 5);
        assert_eq!(seat.claim(K), Some((15, K - 5)));
        assert_eq!(seat.claim(K), None);
        assert_eq!(seat.units(), 0);
        assert_eq!(seat.take_up(K), (0, 0));
        assert_eq!(seat.settle(5, 2), 2);
        assert_eq!(seat.take_up(K), (2, 5));
        seat.give_up(K, 11);
        assert_eq!(seat.units(), 11);
        assert_eq!(seat.claim(K), Some((11, K)));
    }
}
