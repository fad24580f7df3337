use super::state::{CLOSED, State, UNITS_MAX};
use std::fmt;
use tollgate_core::{Charged, Cost};
use tollgate_sync::atomic::{AtomicU128, Ordering::Relaxed};

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
    /// It does not fit this period; it fits the next one.
    Full {
        /// The number of the period that is full: the caller's, or a later one that was already begun.
        period: u64,
        /// Units used in it, which debt may raise above any ceiling.
        used: u64,
    },
    /// It is above the ceiling, so it fits no period.
    NeverFits {
        /// Units used in the period asked for, or in a later one that was already begun.
        used: u64,
    },
    /// The counter was closed.
    Closed,
}

/// Units used in one period at a time, whose bounds are someone else's business: a period is a number that grows.
///
/// Any growing numbers will do, with gaps of any size: the index of a window, or the instant at which a calendar's
/// period starts. In each period at most the ceiling is admitted, exactly. Units used beyond it (debt) end with their
/// period, as everything does. At most [`PeriodCounter::UNITS_MAX`] units a period are told apart: a higher ceiling
/// is taken for that. Every operation is lock-free, one exchange when uncontended, and allocates nothing.
///
/// ```
/// use tollgate_core::Cost;
/// use tollgate_window::{PeriodCounter, PeriodRefusal};
///
/// let counter = PeriodCounter::new();
/// let three = Cost::new(3).expect("not zero");
/// let charged = counter.charge_in(2024, three, 5).expect("nothing was used");
/// assert_eq!(counter.charge_in(2024, three, 5).unwrap_err(), PeriodRefusal::Full { period: 2024, used: 3 });
/// assert_eq!(counter.used_in(2025), 0);
/// assert_eq!(counter.refund_in(&charged.receipt, 1), 1);
/// assert_eq!(counter.used_in(2024), 2);
/// ```
pub struct PeriodCounter {
    /// See the module page for its bits.
    word: AtomicU128,
}

impl PeriodCounter {
    /// The most units of a period that are told apart: about 4.5 × 10¹⁵. A higher ceiling is taken for this one;
    /// debt beyond it is not counted further, and blocks until the period ends.
    pub const UNITS_MAX: u64 = UNITS_MAX;

    /// A counter that has used nothing in any period.
    #[must_use]
    pub fn new() -> Self {
        Self {
            word: AtomicU128::new(State::FRESH.pack()),
        }
    }

    /// What [`Self::charge_in`] would answer, changing nothing.
    ///
    /// # Errors
    /// As [`Self::charge_in`].
    pub fn look_in(&self, period: u64, cost: Cost, ceiling: u64) -> Result<(), PeriodRefusal> {
        let state = self.state().ok_or(PeriodRefusal::Closed)?;
        charge(state.as_of(period), cost, ceiling).map(|_| ())
    }

    /// Takes `cost` in `period` if no more than `ceiling` units are then used in it. A `period` older than one
    /// already begun is taken for that one.
    ///
    /// # Errors
    /// [`PeriodRefusal`]; nothing changed.
    pub fn charge_in(
        &self,
        period: u64,
        cost: Cost,
        ceiling: u64,
    ) -> Result<Charged<PeriodReceipt>, PeriodRefusal> {
        self.charge_by(ceiling, |state| {
            let before = state.as_of(period);
            Ok((before, charge(before, cost, ceiling)?))
        })
    }

    /// Takes `extra` in `period` whether it fits or not. `ceiling` only scales the answer.
    ///
    /// # Errors
    /// [`PeriodRefusal::Closed`] only.
    pub fn charge_anyway_in(
        &self,
        period: u64,
        extra: Cost,
        ceiling: u64,
    ) -> Result<Charged<PeriodReceipt>, PeriodRefusal> {
        self.charge_by(ceiling, |state| {
            let before = state.as_of(period);
            Ok((before, before.charged_anyway(extra.get())))
        })
    }

    /// Gives back up to `surplus` units of a charge, while its period is the one stored, and returns how many.
    /// Another period is never touched. A closed counter gives nothing back.
    pub fn refund_in(&self, receipt: &PeriodReceipt, surplus: u64) -> u64 {
        let refunded = self.exchange(|state| {
            let before = state.ok_or(())?;
            let after = before
                .refunded(receipt.period, receipt.resets, surplus)
                .ok_or(())?;
            Ok::<_, ()>((after.pack(), before.used - after.used))
        });
        refunded.unwrap_or(0)
    }

    /// Units used in `period`, or in a later one if that was already begun. Zero if the counter is closed.
    #[must_use]
    pub fn used_in(&self, period: u64) -> u64 {
        self.state().map_or(0, |state| state.as_of(period).used)
    }

    /// Closes the counter if nothing is used as of `period`: no charge succeeds after. False if something is used, and
    /// then nothing changes. True if it was closed before.
    pub fn close_at_rest_in(&self, period: u64) -> bool {
        let closed = self.exchange(|state| match state {
            Some(state) if state.as_of(period).used > 0 => Err(false),
            Some(_) => Ok((CLOSED, true)),
            None => Err(true),
        });
        closed.unwrap_or_else(|was_closed| was_closed)
    }

    /// Forgets what is used as of `period`. Receipts of earlier charges give nothing back.
    pub fn reset_in(&self, period: u64) {
        // An error says that the counter is closed: there is nothing to forget.
        let _ = self.exchange(|state| {
            let before = state.ok_or(())?;
            Ok::<_, ()>((before.as_of(period).reset().pack(), ()))
        });
    }

    /// None if the counter is closed.
    fn state(&self) -> Option<State> {
        // Relaxed: see the module's *Synchronization*.
        State::unpack(self.word.load(Relaxed))
    }

    /// Charges by a `step` from the stored state to the state as its caller sees it and the state after.
    fn charge_by(
        &self,
        ceiling: u64,
        step: impl Fn(State) -> Result<(State, State), PeriodRefusal>,
    ) -> Result<Charged<PeriodReceipt>, PeriodRefusal> {
        self.exchange(|state| {
            let (before, after) = step(state.ok_or(PeriodRefusal::Closed)?)?;
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

    /// Exchanges the word for the one that `step` makes of its state (none if it is closed), until that succeeds or
    /// `step` declines.
    fn exchange<T, E>(&self, step: impl Fn(Option<State>) -> Result<(u128, T), E>) -> Result<T, E> {
        let mut word = self.word.load(Relaxed);
        loop {
            let (next, answer) = step(State::unpack(word))?;
            // Linearization point of every change; what `step` declines linearizes at the read of `word`.
            // Relaxed, both: the word is the whole state and publishes no other memory. A failure only retries.
            match self
                .word
                .compare_exchange_weak(word, next, Relaxed, Relaxed)
            {
                Ok(_) => return Ok(answer),
                Err(held) => word = held,
            }
        }
    }
}

impl Default for PeriodCounter {
    fn default() -> Self {
        Self::new()
    }
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
                .field("period", &period)
                .field("used", &used)
                .field("resets", &resets)
                .finish(),
            None => f.write_str("PeriodCounter(closed)"),
        }
    }
}

/// The step of an admission.
fn charge(state: State, cost: Cost, ceiling: u64) -> Result<State, PeriodRefusal> {
    let is_possible = cost.get() <= ceiling.min(UNITS_MAX);
    state.charged(cost.get(), ceiling).ok_or(if is_possible {
        PeriodRefusal::Full {
            period: state.period,
            used: state.used,
        }
    } else {
        PeriodRefusal::NeverFits { used: state.used }
    })
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;

    fn cost(units: u64) -> Cost {
        Cost::new(units).unwrap()
    }

    #[test]
    fn rollover_is_part_of_the_charge() {
        let counter = PeriodCounter::new();
        let first = counter.charge_in(7, cost(5), 5).unwrap();
        assert_eq!((first.before, first.after, first.full), (0, 5, 5));
        assert_eq!(
            counter.charge_in(7, cost(1), 5).unwrap_err(),
            PeriodRefusal::Full { period: 7, used: 5 }
        );
        let next = counter.charge_in(900, cost(2), 5).unwrap();
        assert_eq!(
            (next.before, next.after, next.receipt.period()),
            (0, 2, 900)
        );
    }

    #[test]
    fn older_number_is_counted_in_the_later_period() {
        let counter = PeriodCounter::new();
        counter.charge_in(8, cost(4), 5).unwrap();
        let late = counter.charge_in(7, cost(1), 5).unwrap();
        assert_eq!((late.before, late.receipt.period()), (4, 8));
        assert_eq!(
            counter.charge_in(7, cost(1), 5).unwrap_err(),
            PeriodRefusal::Full { period: 8, used: 5 }
        );
        assert_eq!(counter.used_in(7), 5);
    }

    #[test]
    fn denial_rolls_nothing_over() {
        let counter = PeriodCounter::new();
        counter.charge_in(7, cost(5), 5).unwrap();
        assert_eq!(
            counter.charge_in(8, cost(6), 5).unwrap_err(),
            PeriodRefusal::NeverFits { used: 0 }
        );
        assert_eq!(counter.used_in(7), 5);
    }

    #[test]
    fn refund_touches_no_other_period() {
        let counter = PeriodCounter::new();
        let old = counter.charge_in(7, cost(5), 5).unwrap().receipt;
        assert_eq!(counter.refund_in(&old, 2), 2);
        counter.charge_in(8, cost(4), 5).unwrap();
        assert_eq!(counter.refund_in(&old, 3), 0);
        assert_eq!(counter.used_in(8), 4);
    }

    #[test]
    fn reset_voids_receipts_of_its_own_period() {
        let counter = PeriodCounter::new();
        let old = counter.charge_in(7, cost(5), 5).unwrap().receipt;
        counter.reset_in(7);
        assert_eq!(counter.used_in(7), 0);
        let new = counter.charge_in(7, cost(5), 5).unwrap().receipt;
        assert_eq!(counter.refund_in(&old, 5), 0);
        assert_eq!(counter.refund_in(&new, 5), 5);
    }

    #[test]
    fn debt_blocks_until_the_period_ends_and_is_in_the_figures() {
        let counter = PeriodCounter::new();
        let debt = counter.charge_anyway_in(7, cost(9), 5).unwrap();
        assert_eq!((debt.before, debt.after, debt.full), (0, 9, 5));
        assert_eq!(
            counter.charge_in(7, cost(1), 5).unwrap_err(),
            PeriodRefusal::Full { period: 7, used: 9 }
        );
        assert_eq!(counter.look_in(8, cost(5), 5), Ok(()));
    }

    #[test]
    fn counter_closes_only_at_rest_and_for_good() {
        let counter = PeriodCounter::new();
        let receipt = counter.charge_in(7, cost(1), 5).unwrap().receipt;
        assert!(!counter.close_at_rest_in(7));
        assert!(
            counter.close_at_rest_in(8),
            "nothing is used in the next period"
        );
        assert!(counter.close_at_rest_in(8), "closed before");
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
