//! The stock of one account: units lent and not yet spent, in one word.
//!
//! # Periods
//! A period's number takes a word of its own. So the stock's word has an *epoch* instead, which rises by one with each period that is
//! begun, and beside it lie the periods of this epoch and of the next: at the place that the epoch's lowest bit says, and at the other.
//! The place of the next is written before the epoch rises, and while nobody may begin it. So whoever computed a step with the period that
//! he found, and then exchanges the very word that he found it by, has read the period of that word's epoch: an epoch never comes back (but
//! for a caller who is stopped while 16,384 periods begin).
//!
//! # The next period
//! What is lent ahead of the next period lies beside the word, which has a bit for whether it is there. Whoever comes first with a
//! charge of that period begins it: in one exchange the stock of the period before dies, the bit is taken off, the epoch rises, and the stock
//! is what was lent ahead, less that charge. What lies beside is written while the bit is off, and the bit is put on at most once in an
//! epoch. So whoever began from a word with the bit, and then exchanges that very word, has read what was lent with that bit.
//!
//! # Synchronization
//! - `word`: epoch, mark, bit and stock. Everybody reads it; every change is an exchange of the very word that its step was
//!   computed from, so each loop is lock-free. AcqRel on success. A take releases the charge of the meter that came before
//!   it, for the mark that reads S₀ (M₁ then has that charge). Taking the mark off releases the reading of M₁, for
//!   the put that follows (whose refund of the meter then comes later than that reading). The mark releases that nobody is asked
//!   any more, for the takes that follow (who then ask again). The bit, and the epoch, release what lies beside. Nothing stronger: all of
//!   these edges go through this word. Acquire for the loads and on failure: pairs with the exchange that put the bit on or raised
//!   the epoch. The exchange acquires too, since the word that it finds may be one that came back.
//! - `periods`, `ahead`: the periods of two epochs, and the units that are lent ahead. The authority alone writes them, at the place of the
//!   next epoch, while the bit is off. Relaxed: ordered by the word, as said.
//! - `left`: what the stock still had that died when the next period was begun. Whoever began it writes it after, and the authority
//!   clears it before it puts the bit on. Relaxed: a figure for history, which errs upward for who reads it too early.
//! - `asked`: whether the authority was asked to come by. Relaxed: ordered by the word, as said.
//! - `low`, `wanted`: hints for how much and when. Relaxed: they publish nothing, and no promise hangs on them.

use std::fmt;
use tollgate_sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed},
};

const EPOCH_SHIFT: u32 = 50;
const MARK: u64 = 1 << 49;
const AHEAD: u64 = 1 << 48;
const STOCK_MASK: u64 = AHEAD - 1;
/// The word of a holder that takes part no more. No stock is as large.
const REVOKED: u64 = u64::MAX;

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

/// What a report finds, as it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun {
    /// The period of the stock.
    pub period: u64,
    /// What is left of it.
    pub stock: u64,
    /// The period and the units that are lent ahead, if that has not begun.
    pub ahead: Option<(u64, u64)>,
    /// What was left of the period before, when this one was begun from what was lent ahead.
    pub left: u64,
}

/// What may be spent of a lease. See the [module](super)'s page for who does what when.
///
/// What a take touches comes last: 40 bytes, which fit in a line with the word of the meter that follows.
#[repr(C)]
pub struct Holder {
    ahead: AtomicU64,
    wanted: AtomicU64,
    left: AtomicU64,
    low: AtomicU64,
    periods: [AtomicU64; 2],
    asked: AtomicU32,
    /// Bits 0-47: stock. Bit 48: whether something is lent ahead. Bit 49: the mark. Bits 50-63: the epoch.
    word: AtomicU64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    /// In its 14 bits.
    epoch: u64,
    is_marked: bool,
    is_ahead: bool,
    stock: u64,
}

impl State {
    /// None if it was revoked.
    const fn unpack(word: u64) -> Option<Self> {
        if word == REVOKED {
            return None;
        }
        Some(Self {
            epoch: word >> EPOCH_SHIFT,
            is_marked: word & MARK != 0,
            is_ahead: word & AHEAD != 0,
            stock: word & STOCK_MASK,
        })
    }

    const fn pack(self) -> u64 {
        // Invariant: the stock is at most `STOCK_MAX`, so this is not `REVOKED`.
        let mark = if self.is_marked { MARK } else { 0 };
        let ahead = if self.is_ahead { AHEAD } else { 0 };
        // What does not fit of the epoch is shifted out.
        self.epoch << EPOCH_SHIFT | mark | ahead | self.stock
    }

    /// The next epoch, with `stock` units.
    const fn begun(self, stock: u64) -> Self {
        Self {
            epoch: self.epoch + 1,
            is_ahead: false,
            ..self.with_stock(stock)
        }
    }

    const fn with_stock(self, stock: u64) -> Self {
        let most = Holder::STOCK_MAX;
        let stock = if stock > most { most } else { stock };
        Self { stock, ..self }
    }
}

impl Holder {
    /// The most units that it holds: 2.8 × 10¹⁴. What is lent beyond is never spent, and a larger cost finds no stock.
    pub const STOCK_MAX: u64 = STOCK_MASK - 1;

    #[cfg(test)]
    pub(super) const WORD_AT: usize = std::mem::offset_of!(Self, word);

    /// A holder without stock, in period 0.
    #[must_use]
    pub fn new() -> Self {
        Self {
            word: AtomicU64::new(0),
            periods: [AtomicU64::new(0), AtomicU64::new(0)],
            ahead: AtomicU64::new(0),
            left: AtomicU64::new(0),
            asked: AtomicU32::new(Asked::No as u32),
            low: AtomicU64::new(0),
            wanted: AtomicU64::new(0),
        }
    }

    /// Takes `units` of the stock of `period`, or none. The meter was charged before. One exchange, also if it begins the period.
    ///
    /// # Errors
    /// [`NotTaken`]; nothing changed.
    #[inline]
    pub fn take(&self, period: u64, units: u64) -> Result<Taken, NotTaken> {
        let (before, left) = self.exchange(|state| {
            let state = self.in_period(state, period)?;
            let left = state.stock.checked_sub(units).ok_or(())?;
            Ok(state.with_stock(left))
        })?;
        self.note_begun(before, left);
        Ok(self.taken(left.stock))
    }

    /// Takes as many of `units` as the stock of `period` has, and returns how many.
    pub fn take_up_to(&self, period: u64, units: u64) -> u64 {
        let mut paid = 0;
        let taken = self.exchange(|state| {
            let state = self.in_period(state, period)?;
            paid = state.stock.min(units);
            if paid == 0 {
                return Err(());
            }
            Ok(state.with_stock(state.stock - paid))
        });
        let Ok((before, after)) = taken else {
            return 0;
        };
        self.note_begun(before, after);
        paid
    }

    /// Puts `units` back that were taken in `period`, if that is still the stock's and no report is being made. The meter is
    /// refunded after.
    pub fn put(&self, period: u64, units: u64) {
        // What is not put back is lent again later.
        let _ = self.exchange(|state| {
            if self.period(state) == period && !state.is_marked {
                Ok(state.with_stock(state.stock.saturating_add(units)))
            } else {
                Err(())
            }
        });
    }

    /// Begins a report: nobody is asked any more, and nothing comes back into the stock until [`Self::end`]. Trims the stock
    /// to at most `most`. None if the holder was revoked.
    pub fn begin(&self, most: u64) -> Option<Begun> {
        // Relaxed: published by the exchange.
        self.asked.store(Asked::No as u32, Relaxed);
        let begun = self.exchange(|state| {
            Ok(State {
                is_marked: true,
                ..state.with_stock(state.stock.min(most))
            })
        });
        begun.ok().map(|(_, after)| self.found(after))
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

    /// Adds `units` of `period`, which are on record. If that was lent ahead and has not begun, it begins with both. Stock of an
    /// earlier period dies. Later than `period` is the stock if it has already been lent, or was begun; then these die.
    /// To be called by who reports.
    pub fn lend(&self, period: u64, units: u64) {
        // Twice at most: what was lent ahead of a period that is skipped goes first.
        while let Ok((_, after)) = self.exchange(|state| self.lent(state, period, units)) {
            if self.period(after) == period {
                break;
            }
        }
    }

    /// `state` with `units` of `period` more, or at least without what is in the way of these.
    fn lent(&self, state: State, period: u64, units: u64) -> Result<State, ()> {
        let now = self.period(state);
        if now > period {
            return Err(());
        }
        let more = |state: State| state.with_stock(state.stock.saturating_add(units));
        if let Ok(state) = self.in_period(state, period) {
            return Ok(more(state));
        }
        if state.is_ahead {
            let is_ahead = false;
            return Ok(State { is_ahead, ..state });
        }
        // Relaxed: the exchange publishes it. Nobody else raises the epoch, as the bit is off.
        self.of_next(state).store(period, Relaxed);
        Ok(state.begun(units))
    }

    /// Lends `units` of `next`, the period after `period`, which are on record. If the stock is of another period by now, they die.
    /// To be called once in a `period`, by who reports.
    pub fn lend_ahead(&self, period: u64, next: u64, units: u64) {
        // Relaxed: who reports is who writes what lies beside.
        let state = State::unpack(self.word.load(Relaxed));
        let is_clear = |state: State| self.period(state) == period && !state.is_ahead;
        let Some(state) = state.filter(|state| is_clear(*state)) else {
            return;
        };
        // Relaxed: the bit publishes them. It was not on in this epoch, and nobody else raises that.
        self.of_next(state).store(next, Relaxed);
        self.ahead.store(units.min(Self::STOCK_MAX), Relaxed);
        self.left.store(0, Relaxed);
        let _ = self.exchange(|state| {
            let is_ahead = true;
            Ok(State { is_ahead, ..state })
        });
    }

    /// Takes back what was lent ahead, if that has not begun.
    pub fn take_back_ahead(&self) {
        let _ = self.exchange(|state| {
            let is_ahead = false;
            if state.is_ahead {
                Ok(State { is_ahead, ..state })
            } else {
                Err(())
            }
        });
    }

    /// Ends it all: nothing is taken or lent any more. Returns what was left.
    pub fn revoke(&self) -> Option<Begun> {
        // Acquire, here and on failure: what lies beside the word is found.
        let mut word = self.word.load(Acquire);
        loop {
            let state = State::unpack(word)?;
            // Acquire: as a mark does. Nobody goes by what came before a revocation.
            match self
                .word
                .compare_exchange_weak(word, REVOKED, Acquire, Acquire)
            {
                Ok(_) => return Some(self.found(state)),
                Err(held) => word = held,
            }
        }
    }

    /// The period and what is left of its stock; none if the holder was revoked.
    #[must_use]
    pub fn stock(&self) -> Option<(u64, u64)> {
        // Acquire: pairs with the exchange that raised the epoch.
        State::unpack(self.word.load(Acquire)).map(|state| (self.period(state), state.stock))
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

    /// What who reports finds in `state`.
    fn found(&self, state: State) -> Begun {
        // Relaxed: who reports is who writes them.
        let ahead = || {
            let next = self.of_next(state).load(Relaxed);
            (next, self.ahead.load(Relaxed))
        };
        Begun {
            period: self.period(state),
            stock: state.stock,
            ahead: state.is_ahead.then(ahead),
            left: self.left.load(Relaxed),
        }
    }

    /// The period of an epoch's stock.
    #[inline]
    fn period(&self, state: State) -> u64 {
        // Relaxed: `state` was acquired. If this is a later epoch's by now, the exchange fails.
        self.periods[usize::from(state.epoch & 1 == 1)].load(Relaxed)
    }

    /// The place for the period of the epoch after that of `state`.
    fn of_next(&self, state: State) -> &AtomicU64 {
        &self.periods[usize::from(state.epoch & 1 == 0)]
    }

    /// `state` as of `period`: itself, or what it becomes if `period` begins with what was lent ahead.
    #[inline]
    fn in_period(&self, state: State, period: u64) -> Result<State, ()> {
        if self.period(state) == period {
            Ok(state)
        } else {
            self.begun(state, period)
        }
    }

    #[cold]
    fn begun(&self, state: State, period: u64) -> Result<State, ()> {
        // Relaxed: `state` was acquired. If these are of another bit by now, the exchange fails.
        let (next, stock) = (self.of_next(state).load(Relaxed), self.ahead.load(Relaxed));
        if state.is_ahead && next == period {
            Ok(state.begun(stock))
        } else {
            Err(())
        }
    }

    #[inline]
    fn note_begun(&self, before: State, after: State) {
        if before.epoch != after.epoch {
            // Relaxed: a figure for history.
            self.left.store(before.stock, Relaxed);
        }
    }

    #[inline]
    fn exchange(
        &self,
        mut step: impl FnMut(State) -> Result<State, ()>,
    ) -> Result<(State, State), NotTaken> {
        // Acquire, here and on failure: pairs with the exchange that put the bit on or raised the epoch.
        let mut word = self.word.load(Acquire);
        loop {
            let before = State::unpack(word).ok_or(NotTaken::Revoked)?;
            let after = step(before).map_err(|()| NotTaken::Dry)?;
            // Linearization point of every change; what is refused linearizes at the load of `word`.
            // AcqRel: a take releases its charge and a mark acquires it; the end of a report releases M₁'s reading and a
            // put acquires it; the bit and the epoch release what lies beside.
            match self
                .word
                .compare_exchange_weak(word, after.pack(), AcqRel, Acquire)
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

    fn found(period: u64, stock: u64) -> Begun {
        Begun {
            period,
            stock,
            ahead: None,
            left: 0,
        }
    }

    #[test]
    fn first_charge_of_the_next_period_begins_what_was_lent_of_it() {
        let holder = Holder::new();
        holder.lend(7, 5);
        holder.lend_ahead(7, 9, 3);
        assert!(holder.take(7, 1).is_ok(), "this period goes on");
        assert_eq!(holder.take(8, 1), Err(NotTaken::Dry), "no such period");
        assert_eq!(holder.take(9, 4), Err(NotTaken::Dry), "less is lent");
        assert_eq!(holder.stock(), Some((7, 4)));
        assert!(holder.take(9, 2).is_ok());
        assert_eq!(holder.stock(), Some((9, 1)));
        let left = 4;
        assert_eq!(
            holder.begin(9),
            Some(Begun {
                left,
                ..found(9, 1)
            })
        );
        holder.put(7, 3);
        assert_eq!(holder.take(7, 1), Err(NotTaken::Dry));
        assert_eq!(holder.stock(), Some((9, 1)));
    }

    #[test]
    fn debt_of_the_next_period_begins_it_too() {
        let holder = Holder::new();
        holder.lend_ahead(0, 1, 3);
        assert_eq!(holder.take_up_to(1, 5), 3);
        assert_eq!(holder.stock(), Some((1, 0)));
        assert_eq!(holder.take_up_to(1, 5), 0);
    }

    #[test]
    fn what_is_lent_at_the_rollover_comes_on_top_of_what_was_lent_ahead() {
        let holder = Holder::new();
        holder.lend(7, 5);
        holder.lend_ahead(7, 8, 3);
        let ahead = Some((8, 3));
        assert_eq!(
            holder.begin(9),
            Some(Begun {
                ahead,
                ..found(7, 5)
            })
        );
        holder.end();
        holder.lend(8, 2);
        assert_eq!(holder.begin(9), Some(found(8, 5)));
    }

    #[test]
    fn what_is_lent_ahead_dies_with_its_period_or_when_it_is_taken_back() {
        let holder = Holder::new();
        holder.lend_ahead(0, 1, 3);
        holder.lend(2, 4);
        assert_eq!(holder.take(1, 1), Err(NotTaken::Dry));
        assert_eq!(holder.stock(), Some((2, 4)));
        holder.lend_ahead(2, 3, 3);
        holder.take_back_ahead();
        assert_eq!(holder.take(3, 1), Err(NotTaken::Dry));
        assert_eq!(holder.stock(), Some((2, 4)));
        holder.lend_ahead(1, 2, 3);
        assert_eq!(
            holder.begin(9),
            Some(found(2, 4)),
            "of a period that has ended"
        );
    }

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
    fn epochs_begin_anew_after_their_last_and_so_many_periods() {
        let holder = Holder::new();
        for period in 1..(1 << 14) + 3 {
            holder.lend(period, Holder::STOCK_MAX);
            assert!(holder.take(period, 1).is_ok());
            assert_eq!(holder.take(period - 1, 1), Err(NotTaken::Dry));
            holder.begin(u64::MAX).unwrap();
            assert_eq!(holder.stock(), Some((period, Holder::STOCK_MAX - 1)));
        }
    }

    #[test]
    fn epochs_that_begin_anew_know_what_was_lent_ahead() {
        let holder = Holder::new();
        let all_ones = Holder::STOCK_MAX;
        for next in 1..(1 << 14) + 3 {
            holder.lend_ahead(next - 1, next, all_ones);
            assert_eq!(holder.take(next + 1, 1), Err(NotTaken::Dry));
            assert!(holder.take(next, 1).is_ok());
            assert_eq!(holder.take(next - 1, 1), Err(NotTaken::Dry));
            let begun = holder.begin(u64::MAX);
            assert_eq!(begun.unwrap().ahead, None);
            assert_eq!(holder.stock(), Some((next, all_ones - 1)));
            holder.end();
        }
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
        assert_eq!(holder.begin(u64::MAX), Some(found(0, 1)));
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
        assert_eq!(holder.begin(4), Some(found(3, 4)));
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
        assert_eq!(holder.revoke(), Some(found(2, 9)));
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
        assert_eq!(holder.stock(), Some((u64::MAX - 1, Holder::STOCK_MAX)));
        assert_eq!(holder.take_up_to(u64::MAX - 1, u64::MAX), Holder::STOCK_MAX);
    }
}
