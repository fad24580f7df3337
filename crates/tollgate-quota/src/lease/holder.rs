//! The stock of one account: units lent and not yet spent, in one word.
//!
//! # Synchronization
//! - `word`: period, mark and stock. Everybody reads it; every change is an exchange of the very word that its step was
//!   computed from, so each loop is lock-free. AcqRel on success. A take releases the charge of the meter that came before
//!   it, for the mark that reads S₀ (M₁ then has that charge). Taking the mark off releases the reading of M₁, for
//!   the put that follows (whose refund of the meter then comes later than that reading). The mark releases that nobody is asked
//!   any more, for the takes that follow (who then ask again). Nothing stronger: all of these edges go through this word.
//!   Relaxed on failure and for plain loads: the exchange decides.
//! - `asked`: whether the authority was asked to come by. Relaxed: ordered by the word, as said.
//! - `low`, `wanted`: hints for how much and when. Relaxed: they publish nothing, and no promise hangs on them.

use std::fmt;
use tollgate_sync::atomic::{
    AtomicU32, AtomicU64, AtomicU128,
    Ordering::{AcqRel, Relaxed},
};

const PERIOD_SHIFT: u32 = 64;
const MARK: u64 = 1 << 63;
const STOCK_MAX: u64 = MARK - 1;
/// The word of a holder that takes part no more. No period has that number.
const REVOKED: u128 = u128::MAX;

/// How an account has asked its authority to come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum Asked {
    /// Not at all.
    No,
    /// When it suits: something changed.
    Soon,
    /// At once: the stock is low, or a debt is not on record.
    Now,
}

/// Units that were taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// How the authority should be asked now, if more urgently than it is already.
    pub ask: Option<Asked>,
}

/// Why nothing was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// The stock is less, or of another period.
    Dry,
    /// The holder was revoked.
    Revoked,
}

/// What may be spent of a lease. See the [module](super)'s page for who does what when.
pub struct Holder {
    /// Bits 0-62: stock. Bit 63: the mark. Bits 64-127: the period.
    word: AtomicU128,
    asked: AtomicU32,
    low: AtomicU64,
    wanted: AtomicU64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    period: u64,
    is_marked: bool,
    stock: u64,
}

impl State {
    /// None if it was revoked.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "each half of the word is taken by itself"
    )]
    const fn unpack(word: u128) -> Option<Self> {
        if word == REVOKED {
            return None;
        }
        Some(Self {
            period: (word >> PERIOD_SHIFT) as u64,
            is_marked: word as u64 & MARK != 0,
            stock: word as u64 & STOCK_MAX,
        })
    }

    const fn pack(self) -> u128 {
        // Invariant: the stock is at most `STOCK_MAX`, and no period is `u64::MAX`: this is not `REVOKED`.
        let mark = if self.is_marked { MARK } else { 0 };
        (self.period as u128) << PERIOD_SHIFT | mark as u128 | self.stock as u128
    }

    const fn with_stock(self, stock: u64) -> Self {
        let stock = if stock > STOCK_MAX { STOCK_MAX } else { stock };
        Self { stock, ..self }
    }
}

impl Holder {
    /// A holder without stock.
    #[must_use]
    pub fn new() -> Self {
        Self {
            word: AtomicU128::new(0),
            asked: AtomicU32::new(Asked::No as u32),
            low: AtomicU64::new(0),
            wanted: AtomicU64::new(0),
        }
    }

    /// Takes `units` of the stock of `period`, or none. The meter was charged before. One exchange.
    ///
    /// # Errors
    /// [`NotTaken`]; nothing changed.
    #[inline]
    pub fn take(&self, period: u64, units: u64) -> Result<Taken, NotTaken> {
        let (_, left) = self.exchange(|state| {
            let left = state.stock.checked_sub(units);
            match left {
                Some(left) if state.period == period => Ok(state.with_stock(left)),
                _ => Err(()),
            }
        })?;
        Ok(self.taken(left.stock))
    }

    /// Takes as many of `units` as the stock of `period` has, and returns how many.
    pub fn take_up_to(&self, period: u64, units: u64) -> u64 {
        let taken = self.exchange(|state| {
            if state.period == period && state.stock > 0 {
                Ok(state.with_stock(state.stock.saturating_sub(units)))
            } else {
                Err(())
            }
        });
        taken.map_or(0, |(before, after)| before.stock - after.stock)
    }

    /// Puts `units` back that were taken in `period`, if that is still the stock's and no report is being made. The meter is
    /// refunded after.
    pub fn put(&self, period: u64, units: u64) {
        // What is not put back is lent again later.
        let _ = self.exchange(|state| {
            if state.period == period && !state.is_marked {
                Ok(state.with_stock(state.stock.saturating_add(units)))
            } else {
                Err(())
            }
        });
    }

    /// Begins a report: nobody is asked any more, and nothing comes back into the stock until [`Self::end`]. Trims the stock
    /// to at most `most`, and returns its period and what is left. None if the holder was revoked.
    pub fn begin(&self, most: u64) -> Option<(u64, u64)> {
        // Relaxed: published by the exchange.
        self.asked.store(Asked::No as u32, Relaxed);
        let begun = self.exchange(|state| {
            Ok(State {
                is_marked: true,
                ..state.with_stock(state.stock.min(most))
            })
        });
        begun.ok().map(|(_, after)| (after.period, after.stock))
    }

    /// Ends a report: the meter has been read.
    pub fn end(&self) {
        let _ = self.exchange(|state| {
            Ok(State {
                is_marked: false,
                ..state
            })
        });
    }

    /// Adds `units` of `period`, which are on record. Stock of an earlier period dies. Later than `period` is the stock if
    /// it has already been lent; then these die.
    pub fn lend(&self, period: u64, units: u64) {
        let _ = self.exchange(|state| {
            if state.period > period {
                return Err(());
            }
            let kept = if state.period == period {
                state.stock
            } else {
                0
            };
            let state = State { period, ..state };
            Ok(state.with_stock(kept.saturating_add(units)))
        });
    }

    /// Ends it all: nothing is taken or lent any more. Returns the period and the stock that was left.
    pub fn revoke(&self) -> Option<(u64, u64)> {
        let mut word = self.word.load(Relaxed);
        loop {
            let state = State::unpack(word)?;
            // AcqRel: as a mark does.
            match self
                .word
                .compare_exchange_weak(word, REVOKED, AcqRel, Relaxed)
            {
                Ok(_) => return Some((state.period, state.stock)),
                Err(held) => word = held,
            }
        }
    }

    /// The period and what is left of its stock; none if the holder was revoked.
    #[must_use]
    pub fn stock(&self) -> Option<(u64, u64)> {
        State::unpack(self.word.load(Relaxed)).map(|state| (state.period, state.stock))
    }

    /// Asks at once below `low` units from now on.
    pub fn set_low(&self, low: u64) {
        self.low.store(low, Relaxed);
    }

    /// Tells that `units` were asked for and not there.
    pub fn want(&self, units: u64) {
        self.wanted.fetch_max(units, Relaxed);
    }

    /// The largest cost that was not there since this was last asked.
    pub fn take_wanted(&self) -> u64 {
        self.wanted.swap(0, Relaxed)
    }

    /// Raises how the authority is asked to `asked`. True if it was raised: then ask.
    pub fn raise(&self, asked: Asked) -> bool {
        // The load spares the line in the usual case.
        self.asked.load(Relaxed) < asked as u32
            && self.asked.fetch_max(asked as u32, Relaxed) < asked as u32
    }

    #[inline]
    fn taken(&self, left: u64) -> Taken {
        let asked = if left < self.low.load(Relaxed) {
            Asked::Now
        } else {
            Asked::Soon
        };
        Taken {
            ask: self.raise(asked).then_some(asked),
        }
    }

    #[inline]
    fn exchange(
        &self,
        step: impl Fn(State) -> Result<State, ()>,
    ) -> Result<(State, State), NotTaken> {
        // Relaxed: see the module's *Synchronization*.
        let mut word = self.word.load(Relaxed);
        loop {
            let before = State::unpack(word).ok_or(NotTaken::Revoked)?;
            let after = step(before).map_err(|()| NotTaken::Dry)?;
            // Linearization point of every change; what is refused linearizes at the load of `word`.
            // AcqRel: a take releases its charge and a mark acquires it; the end of a report releases M₁'s reading and a
            // put acquires it. Relaxed on failure: a retry computes its step anew.
            match self
                .word
                .compare_exchange_weak(word, after.pack(), AcqRel, Relaxed)
            {
                Ok(_) => return Ok((before, after)),
                Err(held) => word = held,
            }
        }
    }
}

impl Default for Holder {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.stock() {
            Some((period, stock)) => f
                .debug_struct("Holder")
                .field("period", &period)
                .field("stock", &stock)
                .finish(),
            None => f.write_str("Holder(revoked)"),
        }
    }
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn stock_of_another_period_pays_nothing() {
        let holder = Holder::new();
        holder.lend(7, 5);
        assert_eq!(holder.take(6, 1), Err(NotTaken::Dry));
        assert_eq!(holder.take(8, 1), Err(NotTaken::Dry));
        assert!(holder.take(7, 5).is_ok());
        assert_eq!(holder.take(7, 1), Err(NotTaken::Dry));
    }

    #[test]
    fn stock_dies_with_its_period_and_the_period_never_steps_back() {
        let holder = Holder::new();
        holder.lend(7, 5);
        holder.lend(8, 2);
        assert_eq!(holder.stock(), Some((8, 2)));
        holder.lend(7, 5);
        assert_eq!(holder.stock(), Some((8, 2)));
        holder.put(7, 3);
        assert_eq!(holder.stock(), Some((8, 2)));
    }

    #[test]
    fn nothing_comes_back_while_a_report_is_made() {
        let holder = Holder::new();
        holder.lend(0, 5);
        holder.take(0, 4).unwrap();
        assert_eq!(holder.begin(u64::MAX), Some((0, 1)));
        holder.put(0, 4);
        assert_eq!(holder.stock(), Some((0, 1)));
        assert!(holder.take(0, 1).is_ok(), "taking goes on");
        holder.end();
        holder.put(0, 4);
        assert_eq!(holder.stock(), Some((0, 4)));
    }

    #[test]
    fn report_trims_in_the_same_step() {
        let holder = Holder::new();
        holder.lend(3, 9);
        assert_eq!(holder.begin(4), Some((3, 4)));
        assert_eq!(holder.stock(), Some((3, 4)));
    }

    #[test]
    fn authority_is_asked_once_until_it_comes_by() {
        let holder = Holder::new();
        holder.lend(0, 10);
        holder.set_low(5);
        assert_eq!(holder.take(0, 1).unwrap().ask, Some(Asked::Soon));
        assert_eq!(holder.take(0, 1).unwrap().ask, None);
        assert_eq!(holder.take(0, 4).unwrap().ask, Some(Asked::Now));
        assert_eq!(holder.take(0, 1).unwrap().ask, None);
        holder.begin(u64::MAX);
        assert_eq!(holder.take(0, 1).unwrap().ask, Some(Asked::Now));
    }

    #[test]
    fn revoked_holder_takes_and_gives_nothing() {
        let holder = Holder::new();
        holder.lend(2, 9);
        assert_eq!(holder.revoke(), Some((2, 9)));
        assert_eq!(holder.revoke(), None);
        assert_eq!(holder.take(2, 1), Err(NotTaken::Revoked));
        holder.lend(2, 9);
        holder.put(2, 9);
        assert_eq!((holder.stock(), holder.begin(9)), (None, None));
    }

    #[test]
    fn largest_stock_does_not_reach_the_mark() {
        let holder = Holder::new();
        holder.lend(u64::MAX - 1, u64::MAX);
        holder.put(u64::MAX - 1, u64::MAX);
        assert_eq!(holder.stock(), Some((u64::MAX - 1, STOCK_MAX)));
        assert_eq!(holder.take_up_to(u64::MAX - 1, u64::MAX), STOCK_MAX);
    }
}
