use super::{
    number::PeriodNumber,
    state::{self, CLOSED, NO_PERIOD, PENDING, PERIOD_MAX, State, UNITS_MAX, Word},
};
use std::fmt;
use tollgate_core::{Charged, Cost};
use tollgate_sync::atomic::{
    AtomicU64, AtomicU128,
    Ordering::{Acquire, Relaxed, Release},
    fence,
};

/// Which charge a refund gives back: its period, and how often that had been reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeriodReceipt {
    period: u64,
    resets: u64,
}

impl PeriodReceipt {
    /// The number of the period that the charge was counted in.
    #[must_use]
    pub const fn period(&self) -> u64 {
        self.period
    }
}

/// Why a counter did not take a charge. Nothing of the cost was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeriodRefusal {
    /// It does not fit this period; it fits a later one.
    Full {
        /// The number of the period that is full: the caller's, or a later one that was already begun.
        period: u64,
        /// Units used in it, which debt may raise above any ceiling.
        used: u64,
        /// How many periods after it the cost fits: one, unless a debt is to be paid first. None for a caller of an older
        /// period who is not to be counted in this one, and for whom there is room once it is in it.
        later: u64,
    },
    /// It fits no period: it is above the ceiling or the max, or there is a debt that no period pays.
    NeverFits {
        /// Units used in the period asked for, or in a later one that was already begun.
        used: u64,
    },
    /// The counter was closed, another one took over from it, or it has not yet taken over itself.
    Closed,
}

/// Units used in one period at a time, whose bounds are someone else's business: a period is a number that grows.
///
/// Consecutive numbers will do ([`PeriodNumber`] is implemented for `u64`), and any others that can tell how many
/// periods lie between two of them: the instants at which a calendar's periods start, say. In each period at most
/// the max is admitted, exactly, and to each caller at most its ceiling.
///
/// What a period has used beyond its max ([`Self::charge_anyway_in`]) is *debt*. The periods after it pay that first,
/// each up to its own max: it counts as used in them from their start. A max of zero pays nothing.
///
/// At most [`PeriodCounter::UNITS_MAX`] units a period are told apart: a higher max is taken for that. Every operation
/// is lock-free, one exchange when uncontended, and allocates nothing.
///
/// ```
/// use tollgate_core::Cost;
/// use tollgate_window::{PeriodCounter, PeriodRefusal};
///
/// let counter = PeriodCounter::new(5);
/// let three = Cost::new(3).expect("not zero");
/// let charged = counter.charge_in(2024, three, 5).expect("nothing was used");
/// let full = PeriodRefusal::Full { period: 2024, used: 3, later: 1 };
/// assert_eq!(counter.charge_in(2024, three, 5).unwrap_err(), full);
/// assert_eq!(counter.refund_in(&charged.receipt, 1), 1);
/// assert_eq!(counter.used_in(2024), 2);
///
/// // Seven more, whether they fit or not: a debt of four.
/// counter.charge_anyway_in(2024, Cost::new(7).unwrap(), 5).expect("it is open");
/// assert_eq!([2024, 2025, 2026].map(|year| counter.used_in(year)), [9, 4, 0]);
/// let full = PeriodRefusal::Full { period: 2024, used: 9, later: 2 };
/// assert_eq!(counter.look_in(2024, three, 5), Err(full));
/// ```
pub struct PeriodCounter {
    max: u64,
    /// The period in which this counter took over from another, and the largest max that was in force in it before.
    taken_over_in: AtomicU64,
    max_before: AtomicU64,
    /// The period in which another process had used something, and its max then.
    restored_in: AtomicU64,
    max_restored: AtomicU64,
    /// The word when its last period ended; `CLOSED` if none has. Relaxed: it publishes nothing else.
    ended: AtomicU128,
    /// See the module page for its bits.
    word: AtomicU128,
}

impl PeriodCounter {
    /// The most units of a period that are told apart: about 4.5 × 10¹⁵. A higher max is taken for this one; debt
    /// beyond it is not counted further, and blocks until a reset.
    pub const UNITS_MAX: u64 = UNITS_MAX;

    /// A counter that has used nothing in any period, each of which has a max of `max` units.
    #[must_use]
    pub fn new(max: u64) -> Self {
        Self::with_word(max, State::FRESH.pack())
    }

    /// A counter with another max, which is to take over from one that counts: see [`Self::take_over_in`]. Until then
    /// it is closed.
    #[must_use]
    pub fn pending(max: u64) -> Self {
        Self::with_word(max, PENDING)
    }

    fn with_word(max: u64, word: u128) -> Self {
        Self {
            max: max.min(UNITS_MAX),
            taken_over_in: AtomicU64::new(0),
            max_before: AtomicU64::new(0),
            restored_in: AtomicU64::new(NO_PERIOD),
            max_restored: AtomicU64::new(0),
            ended: AtomicU128::new(CLOSED),
            word: AtomicU128::new(word),
        }
    }

    /// The most units admitted in a period, which is also what a period pays of a debt.
    #[must_use]
    pub const fn max(&self) -> u64 {
        self.max
    }

    /// What [`Self::charge_in`] would answer, changing nothing.
    ///
    /// # Errors
    /// As [`Self::charge_in`].
    pub fn look_in(
        &self,
        period: impl PeriodNumber,
        cost: Cost,
        ceiling: u64,
    ) -> Result<(), PeriodRefusal> {
        let state = self.state().ok_or(PeriodRefusal::Closed)?;
        self.charged(self.as_of(state, period), cost, ceiling)
            .map(|_| ())
    }

    /// What [`Self::charge_on_time_in`] would answer, changing nothing.
    pub(super) fn look_on_time_in(
        &self,
        period: impl PeriodNumber,
        cost: Cost,
        ceiling: u64,
    ) -> Result<(), PeriodRefusal> {
        let state = self.state().ok_or(PeriodRefusal::Closed)?;
        self.charged(self.as_of(state, period), cost, ceiling)?;
        on_time(state, period)
    }

    /// Takes `cost` in `period` if no more than `ceiling` units, and than the max, are then used in it. A `period`
    /// older than one already begun is taken for that one.
    ///
    /// # Errors
    /// [`PeriodRefusal`]; nothing changed.
    pub fn charge_in(
        &self,
        period: impl PeriodNumber,
        cost: Cost,
        ceiling: u64,
    ) -> Result<Charged<PeriodReceipt>, PeriodRefusal> {
        self.charge_by(ceiling, |state| {
            let before = self.as_of(state, period);
            Ok((before, self.charged(before, cost, ceiling)?))
        })
    }

    /// As [`Self::charge_in`], but a `period` older than one already begun is refused: what was used in it is forgotten.
    pub(super) fn charge_on_time_in(
        &self,
        period: impl PeriodNumber,
        cost: Cost,
        ceiling: u64,
    ) -> Result<Charged<PeriodReceipt>, PeriodRefusal> {
        self.charge_by(ceiling, |state| {
            let before = self.as_of(state, period);
            let after = self.charged(before, cost, ceiling)?;
            on_time(state, period)?;
            Ok((before, after))
        })
    }

    /// Takes `extra` in `period` whether it fits or not. `ceiling` only scales the answer.
    ///
    /// # Errors
    /// [`PeriodRefusal::Closed`] only.
    pub fn charge_anyway_in(
        &self,
        period: impl PeriodNumber,
        extra: Cost,
        ceiling: u64,
    ) -> Result<Charged<PeriodReceipt>, PeriodRefusal> {
        self.charge_by(ceiling, |state| {
            let before = self.as_of(state, period);
            Ok((before, before.charged_anyway(extra.get())))
        })
    }

    /// Takes what another process had `used` in `period`, under a max of `max`, on top of what was charged here. As after a change of
    /// the max, what was admitted under the larger of the two is never debt. To be called by one, once. False if the counter is closed.
    pub fn restore_in(&self, period: impl PeriodNumber, used: u64, max: u64) -> bool {
        self.exchange(|word| {
            let before = self.as_of(word.open().ok_or(())?, period);
            let after = before.charged_anyway(used);
            // Relaxed: published by the exchange, as the fence is Release. Who finds an earlier word of that period takes for lawful what
            // the other process would have.
            self.max_restored.store(max.min(UNITS_MAX), Relaxed);
            self.restored_in.store(after.period, Relaxed);
            // Release fence, with the exchange after it: pairs with the Acquire of those who find this word, or a later one.
            fence(Release);
            Ok::<_, ()>((after.pack(), ()))
        })
        .is_ok()
    }

    /// Gives back up to `surplus` units of a charge, while its period is the one stored, and returns how many.
    /// Another period is never touched; so what it has in debt is not touched either once that has begun to be paid.
    /// A closed counter gives nothing back; one that took over from it does.
    pub fn refund_in(&self, receipt: &PeriodReceipt, surplus: u64) -> u64 {
        let refunded = self.exchange(|word| {
            let before = word.open().ok_or(())?;
            let after = before
                .refunded(receipt.period, receipt.resets, surplus)
                .ok_or(())?;
            Ok::<_, ()>((after.pack(), before.used - after.used))
        });
        refunded.unwrap_or(0)
    }

    /// Units used in `period`, or in a later one if that was already begun. Zero if the counter is closed.
    #[must_use]
    pub fn used_in(&self, period: impl PeriodNumber) -> u64 {
        self.state()
            .map_or(0, |state| self.as_of(state, period).used)
    }

    /// The number of the period that is current as of `period`, and the units used in it; the counter is rolled over to
    /// that period, so that no charge is counted in an earlier one after this. None if the counter is closed, or is still to
    /// take over from another.
    #[must_use]
    pub fn standing_in(&self, period: impl PeriodNumber) -> Option<(u64, u64)> {
        self.exchange(|word| {
            let state = self.as_of(word.open().ok_or(())?, period);
            Ok::<_, ()>((state.pack(), (state.period, state.used)))
        })
        .ok()
    }

    /// Units used in `period` when it ended, in this counter or in the one that it took over from. Known of the last period that ended,
    /// once whoever ended it has told; a caller who is stopped in between for a whole period tells it too late, of the one after. A figure
    /// for history.
    #[must_use]
    pub fn ended(&self, period: u64) -> Option<u64> {
        let ended = Word::unpack(self.ended.load(Relaxed)).open()?;
        (ended.period == period).then_some(ended.used)
    }

    /// Tells what a period had used that has ended: what its last word says.
    #[cold]
    fn note_ended(&self, last: u128) {
        self.ended.store(last, Relaxed);
    }

    /// Closes the counter if nothing is used as of `period`: no charge succeeds after. False if something is used,
    /// a later period was begun (what was used in this one is forgotten) or another counter took over, and then nothing
    /// changes. True if it was closed before.
    pub fn close_at_rest_in(&self, period: impl PeriodNumber) -> bool {
        let closed = self.exchange(|word| match word {
            Word::Open(state)
                if on_time(state, period).is_ok() && self.as_of(state, period).used == 0 =>
            {
                Ok((CLOSED, true))
            }
            Word::Open(_) | Word::Frozen(_) | Word::Pending => Err(false),
            Word::Closed => Err(true),
        });
        closed.unwrap_or_else(|was_closed| was_closed)
    }

    /// Forgets what is used as of `period`. Receipts of earlier charges give nothing back.
    pub fn reset_in(&self, period: impl PeriodNumber) {
        // An error says that the counter is closed: there is nothing to forget.
        let _ = self.exchange(|word| {
            let before = word.open().ok_or(())?;
            Ok::<_, ()>((self.as_of(before, period).reset().pack(), ()))
        });
    }

    /// Takes over what `old` has used as of `period`: `old` is closed, and this counter, made by [`Self::pending`],
    /// goes on from there under its own max. Receipts of `old` are good here. Anyone may call it, at any time and more
    /// than once: the first one's `period` stands. If `old` was closed at rest, so is this counter.
    ///
    /// What was admitted under the larger of the two is never debt: in the period of the change that larger one holds.
    pub fn take_over_in(&self, old: &Self, period: impl PeriodNumber) {
        // Relaxed: who finds it filled reads nothing else here, and loads the word anew for what comes next.
        if self.word.load(Relaxed) != PENDING {
            return;
        }
        let Some(state) = old.freeze(period) else {
            // Closed at rest, so for good: whoever closed it counts on nobody's charging it or what replaces it.
            self.fill(CLOSED);
            return;
        };
        // Acquire fence: what was before any exchange that the freezing one came after, as a level that was lowered before the old counter
        // was read, is handed on to whoever finds this one filled. The freezing exchange itself is of a word that may have come back.
        fence(Acquire);
        // Whoever comes here writes the same. Relaxed: published by `fill`.
        self.taken_over_in.store(state.period, Relaxed);
        self.max_before.store(old.max_in(state.period), Relaxed);
        // But for what ended here since: who comes late leaves that.
        let ended = old.ended.load(Relaxed);
        let _ = self.ended.compare_exchange(CLOSED, ended, Relaxed, Relaxed);
        self.fill(state.pack());
    }

    fn fill(&self, word: u128) {
        // Release: publishes what `take_over_in` wrote to those who find this word, or a later one. A failure means
        // that another caller filled it with the same.
        let _ = self.word.compare_exchange(PENDING, word, Release, Relaxed);
    }

    /// Closes the counter for another one to take over, and returns its last state. None if it was closed at rest.
    fn freeze(&self, period: impl PeriodNumber) -> Option<State> {
        // Release fence, with the exchange after it: whoever finds the counter frozen (Acquire) sees what was written before,
        // such as where its successor is.
        fence(Release);
        let frozen = self.exchange(|word| match word {
            Word::Open(state) => {
                let last = self.as_of(state, period);
                Ok((last.pack_frozen(), last))
            }
            Word::Frozen(state) => Err(Some(state)),
            Word::Pending | Word::Closed => Err(None),
        });
        frozen.map_or_else(|before| before, Some)
    }

    /// The largest max that was in force in `period`, if that is the stored one: to be asked by those who have found it stored.
    #[must_use]
    pub fn max_in(&self, period: u64) -> u64 {
        // Relaxed, all: whoever knows the stored period has seen the word that `fill` or `restore_in` published, or a later one.
        let in_force = |then: &AtomicU64, max: &AtomicU64| match then.load(Relaxed) == period {
            true => max.load(Relaxed),
            false => 0,
        };
        self.max
            .max(in_force(&self.taken_over_in, &self.max_before))
            .max(in_force(&self.restored_in, &self.max_restored))
    }

    /// What the stored period has used beyond its max.
    fn debt(&self, state: State) -> u64 {
        if state.used <= self.max {
            0
        } else {
            state.used.saturating_sub(self.max_in(state.period))
        }
    }

    /// The state as a caller of `period` sees it: in a period that is later than the stored one only debt is used.
    fn as_of(&self, state: State, period: impl PeriodNumber) -> State {
        let number = period.number().min(PERIOD_MAX);
        if number <= state.period {
            return state;
        }
        let debt = self.debt(state);
        let passed = match debt {
            0 => 1,
            _ => period.periods_since(state.period),
        };
        state.rolled(number, passed, debt, self.max)
    }

    /// The step of an admission.
    fn charged(&self, state: State, cost: Cost, ceiling: u64) -> Result<State, PeriodRefusal> {
        let ceiling = ceiling.min(self.max);
        if let Some(charged) = state.charged(cost.get(), ceiling) {
            return Ok(charged);
        }
        let used = state.used;
        let later = ceiling
            .checked_sub(cost.get())
            .and_then(|room| state.periods_until(room, self.debt(state), self.max));
        Err(match later {
            Some(later) => PeriodRefusal::Full {
                period: state.period,
                used,
                later,
            },
            None => PeriodRefusal::NeverFits { used },
        })
    }

    /// None if the counter is closed.
    fn state(&self) -> Option<State> {
        // Acquire: as in `exchange`.
        Word::unpack(self.word.load(Acquire)).open()
    }

    /// Charges by a `step` from the stored state to the state as its caller sees it and the state after.
    fn charge_by(
        &self,
        ceiling: u64,
        step: impl Fn(State) -> Result<(State, State), PeriodRefusal>,
    ) -> Result<Charged<PeriodReceipt>, PeriodRefusal> {
        self.exchange(|word| {
            let (before, after) = step(word.open().ok_or(PeriodRefusal::Closed)?)?;
            let charged = Charged {
                receipt: PeriodReceipt {
                    period: after.period,
                    resets: after.resets,
                },
                before: before.used.into(),
                after: after.used.into(),
                full: ceiling.into(),
            };
            Ok((after.pack(), charged))
        })
    }

    /// Exchanges the word for the one that `step` makes of it, until that succeeds or `step` declines.
    fn exchange<T, E>(&self, step: impl Fn(Word) -> Result<(u128, T), E>) -> Result<T, E> {
        // Acquire, here and on failure: pairs with the Release of `fill`, whose word is this one or an earlier one.
        let mut word = self.word.load(Acquire);
        loop {
            let (next, answer) = step(Word::unpack(word))?;
            // Linearization point of every change; what `step` declines linearizes at the read of `word`.
            // Relaxed on success: the word is the whole state and publishes nothing else; as an exchange it carries
            // on what `fill` released. A failure only retries.
            match self
                .word
                .compare_exchange_weak(word, next, Relaxed, Acquire)
            {
                Ok(_) => {
                    if state::period_of(word) != state::period_of(next) {
                        self.note_ended(word);
                    }
                    return Ok(answer);
                }
                Err(held) => word = held,
            }
        }
    }
}

/// Refuses a `period` older than the stored one, for which there is room in that.
fn on_time(state: State, period: impl PeriodNumber) -> Result<(), PeriodRefusal> {
    if period.number() < state.period {
        return Err(PeriodRefusal::Full {
            period: state.period,
            used: state.used,
            later: 0,
        });
    }
    Ok(())
}

impl fmt::Debug for PeriodCounter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.state() {
            Some(State {
                period,
                resets,
                used,
            }) => f
                .debug_struct("PeriodCounter")
                .field("max", &self.max)
                .field("period", &period)
                .field("used", &used)
                .field("resets", &resets)
                .finish(),
            None => f.write_str("PeriodCounter(closed)"),
        }
    }
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;

    fn cost(units: u64) -> Cost {
        Cost::new(units).unwrap()
    }

    fn full(period: u64, used: u64, later: u64) -> PeriodRefusal {
        PeriodRefusal::Full {
            period,
            used,
            later,
        }
    }

    #[test]
    fn rollover_is_part_of_the_charge() {
        let counter = PeriodCounter::new(5);
        let first = counter.charge_in(7, cost(5), 5).unwrap();
        assert_eq!((first.before, first.after, first.full), (0, 5, 5));
        assert_eq!(counter.charge_in(7, cost(1), 5).unwrap_err(), full(7, 5, 1));
        let next = counter.charge_in(900, cost(2), 5).unwrap();
        assert_eq!(
            (next.before, next.after, next.receipt.period()),
            (0, 2, 900)
        );
    }

    #[test]
    fn last_number_is_not_the_mark() {
        let counter = PeriodCounter::new(u64::MAX);
        counter
            .charge_anyway_in(u64::MAX, cost(u64::MAX), 1)
            .unwrap();
        let never = PeriodRefusal::NeverFits {
            used: PeriodCounter::UNITS_MAX + 1,
        };
        assert_eq!(counter.look_in(u64::MAX, cost(1), 1), Err(never));
    }

    #[test]
    fn older_number_is_counted_in_the_later_period() {
        let counter = PeriodCounter::new(5);
        counter.charge_in(8, cost(4), 5).unwrap();
        let late = counter.charge_in(7, cost(1), 5).unwrap();
        assert_eq!((late.before, late.receipt.period()), (4, 8));
        assert_eq!(counter.charge_in(7, cost(1), 5).unwrap_err(), full(8, 5, 1));
        assert_eq!(counter.used_in(7), 5);
    }

    #[test]
    fn denial_rolls_nothing_over() {
        let counter = PeriodCounter::new(5);
        counter.charge_in(7, cost(5), 5).unwrap();
        assert_eq!(
            counter.charge_in(8, cost(6), 5).unwrap_err(),
            PeriodRefusal::NeverFits { used: 0 }
        );
        assert_eq!(counter.used_in(7), 5);
    }

    #[test]
    fn no_ceiling_lifts_the_max() {
        let counter = PeriodCounter::new(5);
        assert_eq!(
            counter.look_in(7, cost(6), 6),
            Err(PeriodRefusal::NeverFits { used: 0 })
        );
        counter.charge_in(7, cost(5), 6).unwrap();
        assert_eq!(counter.look_in(7, cost(1), 6), Err(full(7, 5, 1)));
    }

    #[test]
    fn refund_touches_no_other_period() {
        let counter = PeriodCounter::new(5);
        let old = counter.charge_in(7, cost(5), 5).unwrap().receipt;
        assert_eq!(counter.refund_in(&old, 2), 2);
        counter.charge_in(8, cost(4), 5).unwrap();
        assert_eq!(counter.refund_in(&old, 3), 0);
        assert_eq!(counter.used_in(8), 4);
    }

    #[test]
    fn reset_voids_receipts_of_its_own_period() {
        let counter = PeriodCounter::new(5);
        let old = counter.charge_in(7, cost(5), 5).unwrap().receipt;
        counter.reset_in(7);
        assert_eq!(counter.used_in(7), 0);
        let new = counter.charge_in(7, cost(5), 5).unwrap().receipt;
        assert_eq!(counter.refund_in(&old, 5), 0);
        assert_eq!(counter.refund_in(&new, 5), 5);
    }

    #[test]
    fn debt_is_paid_by_the_periods_that_follow() {
        let counter = PeriodCounter::new(5);
        let debt = counter.charge_anyway_in(7, cost(13), 5).unwrap();
        assert_eq!((debt.before, debt.after, debt.full), (0, 13, 5));
        assert_eq!(
            counter.charge_in(7, cost(1), 5).unwrap_err(),
            full(7, 13, 2)
        );
        assert_eq!(counter.look_in(7, cost(3), 5), Err(full(7, 13, 3)));
        assert_eq!([8, 9, 10].map(|period| counter.used_in(period)), [8, 3, 0]);
        let paid = counter.charge_in(9, cost(2), 5).unwrap();
        assert_eq!((paid.before, paid.after), (3, 5));
        assert_eq!(counter.used_in(10), 0, "what is admitted is no debt");
    }

    #[test]
    fn classes_see_the_same_debt_under_their_own_ceiling() {
        let counter = PeriodCounter::new(10);
        counter.charge_anyway_in(7, cost(13), 10).unwrap();
        assert_eq!(counter.used_in(8), 3, "beyond the max, not the ceiling");
        assert_eq!(counter.look_in(7, cost(1), 2), Err(full(7, 13, 2)));
        assert_eq!(counter.look_in(8, cost(1), 2), Err(full(8, 3, 1)));
        assert_eq!(counter.look_in(8, cost(1), 4), Ok(()));
    }

    #[test]
    fn refund_after_the_period_leaves_its_debt() {
        let counter = PeriodCounter::new(5);
        let receipt = counter.charge_in(7, cost(4), 5).unwrap().receipt;
        counter.charge_anyway_in(7, cost(4), 5).unwrap();
        assert_eq!(counter.refund_in(&receipt, 1), 1);
        assert_eq!(counter.used_in(8), 2);
        counter.charge_in(8, cost(1), 5).unwrap();
        assert_eq!(counter.refund_in(&receipt, 3), 0);
        assert_eq!(counter.used_in(8), 3);
    }

    #[test]
    fn nothing_pays_a_debt_where_the_max_is_zero() {
        let counter = PeriodCounter::new(0);
        counter.charge_anyway_in(7, cost(2), 0).unwrap();
        assert_eq!(counter.used_in(u64::MAX), 2);
        assert_eq!(
            counter.look_in(8, cost(1), 0),
            Err(PeriodRefusal::NeverFits { used: 2 })
        );
        assert!(!counter.close_at_rest_in(u64::MAX));
    }

    #[test]
    fn reset_forgives_a_debt_that_was_carried() {
        let counter = PeriodCounter::new(5);
        counter.charge_anyway_in(7, cost(100), 5).unwrap();
        counter.reset_in(8);
        assert_eq!([8, 9].map(|period| counter.used_in(period)), [0, 0]);
    }

    /// Units that were admitted under a larger max used to be taken for debt when the max was lowered.
    #[test]
    fn what_was_admitted_under_a_larger_max_is_no_debt() {
        let old = PeriodCounter::new(1_000);
        let receipt = old.charge_in(7, cost(900), 1_000).unwrap().receipt;
        let new = PeriodCounter::pending(100);
        assert_eq!(new.look_in(7, cost(1), 100), Err(PeriodRefusal::Closed));
        new.take_over_in(&old, 7);
        assert_eq!(old.look_in(7, cost(1), 1_000), Err(PeriodRefusal::Closed));
        assert_eq!(old.refund_in(&receipt, 1), 0);
        assert_eq!(new.look_in(7, cost(1), 100), Err(full(7, 900, 1)));
        assert_eq!([7, 8].map(|period| new.used_in(period)), [900, 0]);
        assert_eq!(new.refund_in(&receipt, 20), 20, "its receipts are good");

        // The larger max holds to the end of the period: of these 1,030 are 30 beyond it.
        new.charge_anyway_in(7, cost(150), 100).unwrap();
        assert_eq!([7, 8, 9].map(|period| new.used_in(period)), [1_030, 30, 0]);
        // It holds no longer.
        new.charge_anyway_in(8, cost(100), 100).unwrap();
        assert_eq!(new.used_in(9), 30);
    }

    #[test]
    fn the_largest_of_several_maxes_in_a_period_holds() {
        let (first, second, third) = (
            PeriodCounter::new(50),
            PeriodCounter::pending(10),
            PeriodCounter::pending(20),
        );
        first.charge_in(7, cost(10), 10).unwrap();
        second.take_over_in(&first, 7);
        third.take_over_in(&second, 7);
        third.charge_anyway_in(7, cost(43), 20).unwrap();
        assert_eq!([8, 9].map(|period| third.used_in(period)), [3, 0]);
    }

    #[test]
    fn periods_before_a_change_paid_by_the_max_of_their_time() {
        let (old, new) = (PeriodCounter::new(10), PeriodCounter::pending(1));
        old.charge_anyway_in(7, cost(45), 10).unwrap();
        new.take_over_in(&old, 9);
        // 35 are left to the 8th, 25 to the 9th. That pays ten still, and the others one.
        assert_eq!([9, 10, 11].map(|period| new.used_in(period)), [25, 15, 14]);
        assert_eq!(new.look_in(9, cost(1), 1), Err(full(9, 25, 16)));
        assert_eq!([24, 25].map(|period| new.used_in(period)), [1, 0]);
    }

    #[test]
    fn what_takes_over_from_a_counter_closed_at_rest_is_closed() {
        let (old, new) = (PeriodCounter::new(10), PeriodCounter::pending(1));
        assert!(!new.close_at_rest_in(7), "it is still to take over");
        assert!(old.close_at_rest_in(7));
        new.take_over_in(&old, 7);
        assert_eq!(new.look_in(7, cost(1), 1), Err(PeriodRefusal::Closed));
        assert!(new.close_at_rest_in(7));
    }

    #[test]
    fn standing_rolls_over_to_the_period_and_tells_what_is_used_in_it() {
        let counter = PeriodCounter::new(5);
        counter.charge_anyway_in(7, cost(9), 5).unwrap();
        assert_eq!(counter.standing_in(7), Some((7, 9)));
        assert_eq!(counter.standing_in(8), Some((8, 4)), "the debt");
        assert_eq!(counter.standing_in(7), Some((8, 4)), "it was begun");
        let late = counter.charge_in(7, cost(1), 5).unwrap();
        assert_eq!((late.receipt.period(), late.before), (8, 4));
        assert_eq!(counter.standing_in(10), Some((10, 0)));
        assert!(counter.close_at_rest_in(10));
        assert_eq!(counter.standing_in(10), None);
        assert_eq!(PeriodCounter::pending(5).standing_in(10), None);
    }

    #[test]
    fn restored_units_are_used_and_within_their_own_max_no_debt() {
        let counter = PeriodCounter::new(5);
        counter.charge_in(7, cost(2), 5).unwrap();
        assert!(counter.restore_in(7, 30, 32));
        assert_eq!(counter.used_in(7), 32);
        assert_eq!([6, 7, 8].map(|period| counter.max_in(period)), [5, 32, 5]);
        assert_eq!(counter.used_in(8), 0);
        counter.charge_anyway_in(7, cost(3), 5).unwrap();
        assert_eq!(counter.used_in(8), 3, "what is beyond both is debt");
    }

    #[test]
    fn nothing_is_restored_to_a_closed_counter() {
        let counter = PeriodCounter::new(5);
        assert!(counter.close_at_rest_in(7));
        assert!(!counter.restore_in(7, 1, 5));
        assert_eq!((counter.used_in(7), counter.max_in(7)), (0, 5));
        assert!(!PeriodCounter::pending(5).restore_in(7, 1, 5));
    }

    #[test]
    fn ended_tells_of_the_last_period_that_ended() {
        let counter = PeriodCounter::new(5);
        counter.charge_in(7, cost(2), 5).unwrap();
        assert_eq!(counter.ended(7), None, "it is not over");
        counter.charge_in(9, cost(3), 5).unwrap();
        assert_eq!(
            [7, 8, 9].map(|period| counter.ended(period)),
            [Some(2), None, None]
        );
        let successor = PeriodCounter::pending(4);
        successor.take_over_in(&counter, 9);
        assert_eq!(successor.ended(7), Some(2), "in the one it took over from");
        assert_eq!(successor.standing_in(10), Some((10, 0)));
        assert_eq!(
            [7, 9].map(|period| successor.ended(period)),
            [None, Some(3)]
        );
    }

    /// A number that is only known, as of a calendar whose periods are costly to count.
    #[derive(Clone, Copy)]
    struct Uncounted(u64);

    impl PeriodNumber for Uncounted {
        fn number(self) -> u64 {
            self.0
        }

        fn periods_since(self, earlier: u64) -> u64 {
            panic!("asked how many periods {} is after {earlier}", self.0)
        }
    }

    #[test]
    fn periods_are_counted_only_where_a_debt_is_to_be_paid() {
        let counter = PeriodCounter::new(5);
        for period in [0, 1, 7] {
            counter.charge_in(Uncounted(period), cost(5), 5).unwrap();
        }
        assert_eq!(counter.used_in(Uncounted(900)), 0);
        assert!(counter.close_at_rest_in(Uncounted(900)));
    }

    #[test]
    fn counter_closes_only_at_rest_and_for_good() {
        let counter = PeriodCounter::new(5);
        let receipt = counter.charge_in(7, cost(1), 5).unwrap().receipt;
        assert!(!counter.close_at_rest_in(7));
        counter.charge_anyway_in(7, cost(5), 5).unwrap();
        assert!(!counter.close_at_rest_in(8), "one unit is to be paid");
        assert!(
            counter.close_at_rest_in(9),
            "nothing is used in the period after"
        );
        assert!(counter.close_at_rest_in(9), "closed before");
        assert_eq!(counter.look_in(9, cost(1), 5), Err(PeriodRefusal::Closed));
        assert_eq!(
            counter.charge_in(9, cost(1), 5).unwrap_err(),
            PeriodRefusal::Closed
        );
        assert_eq!(
            counter.charge_anyway_in(9, cost(1), 5).unwrap_err(),
            PeriodRefusal::Closed
        );
        assert_eq!(counter.refund_in(&receipt, 1), 0);
        counter.reset_in(9);
        assert_eq!(counter.used_in(9), 0);
        assert_eq!(counter.look_in(9, cost(1), 5), Err(PeriodRefusal::Closed));
    }
}
