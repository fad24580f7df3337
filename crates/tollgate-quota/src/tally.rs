//! The cell of lifetime budgets and of concurrency: units charged and not given back, in one word.
//!
//! # Protocol
//! One word of 128 bits holds everything:
//!
//! | Bits | Hold |
//! | --- | --- |
//! | 0-63 | units committed |
//! | 64-126 | how many times the tally was reset |
//! | 127 | closed |
//!
//! A charge reads the word, adds its cost and exchanges; a denial is the read alone. Its receipt is the number of
//! resets it saw. A refund reads the word and, if the number of resets is still that of its receipt, subtracts and
//! exchanges. Reset zeroes the units and counts itself, so that earlier receipts are void from that exchange on.
//! Closing exchanges exactly "no units, open" for "no units, closed": it loses to any charge that came first, and
//! every charge that comes later sees the mark.
//!
//! Units that reach `u64::MAX` stay there until a reset: the true sum may be more, so nothing may be subtracted.
//!
//! # Synchronization
//! `word` is written by `charge`, `charge_anyway`, `refund`, `close_at_rest` and `reset`, always by exchange, and
//! read by all. Relaxed throughout: the word is the whole state and publishes no other memory, so its own
//! modification order is all that is relied on. Each loop is lock-free: an exchange fails only because another
//! succeeded, and a retry computes its step again from the word it then found.

use std::fmt;
use tollgate_core::{Charged, Cost, Refused, Wait};
use tollgate_sync::atomic::{AtomicU128, Ordering::Relaxed};

const CLOSED: u128 = 1 << 127;
const RESETS_SHIFT: u32 = 64;
const RESETS_MOST: u64 = (1 << 63) - 1;

/// What a lifetime budget or a concurrency meter needs to give back a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TallyReceipt {
    resets: u64,
}

/// The word, unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    used: u64,
    resets: u64,
    is_closed: bool,
}

impl State {
    const FRESH: Self = Self {
        used: 0,
        resets: 0,
        is_closed: false,
    };

    #[expect(
        clippy::cast_possible_truncation,
        reason = "each field is the low 64 bits of what is shifted down"
    )]
    const fn unpack(word: u128) -> Self {
        Self {
            used: word as u64,
            resets: (word >> RESETS_SHIFT) as u64 & RESETS_MOST,
            is_closed: word & CLOSED != 0,
        }
    }

    const fn pack(self) -> u128 {
        // Invariant: `resets` is at most `RESETS_MOST`, so it does not reach the mark.
        let word = (self.resets as u128) << RESETS_SHIFT | self.used as u128;
        if self.is_closed { word | CLOSED } else { word }
    }

    /// The step of an admission: the state after it, or why not.
    const fn charge(self, cost: u64, ceiling: u64) -> Result<Self, Refused> {
        if self.is_closed {
            return Err(Refused::Closed);
        }
        match self.used.checked_add(cost) {
            Some(used) if used <= ceiling => Ok(Self { used, ..self }),
            _ => Err(Refused::denied(Wait::Never, self.used as u128)),
        }
    }

    /// The step of a debt.
    const fn charge_anyway(self, extra: u64) -> Result<Self, Refused> {
        if self.is_closed {
            return Err(Refused::Closed);
        }
        Ok(Self {
            used: self.used.saturating_add(extra),
            ..self
        })
    }

    /// The step of a refund: the state after it, or none if there is nothing to give back.
    const fn refund(self, receipt: TallyReceipt, surplus: u64) -> Option<Self> {
        if self.is_closed || self.resets != receipt.resets || self.used == u64::MAX || surplus == 0
        {
            return None;
        }
        Some(Self {
            used: self.used.saturating_sub(surplus),
            ..self
        })
    }

    /// The step of a reset; none if the tally is closed and stays so.
    const fn reset(self) -> Option<Self> {
        if self.is_closed {
            return None;
        }
        // A count that came round after 2^63 resets would revive receipts that old, which no process lives to see.
        Some(Self {
            used: 0,
            resets: self.resets.wrapping_add(1) & RESETS_MOST,
            is_closed: false,
        })
    }
}

/// Units charged and not given back.
pub(crate) struct Tally {
    word: AtomicU128,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self {
            word: AtomicU128::new(State::FRESH.pack()),
        }
    }

    fn load(&self) -> State {
        // Relaxed: see the module's *Synchronization*.
        State::unpack(self.word.load(Relaxed))
    }

    /// Exchanges the state for what `step` makes of it, and returns both sides; `Err` is the step's own, decided
    /// on the state it was given.
    fn exchange<E>(
        &self,
        mut step: impl FnMut(State) -> Result<State, E>,
    ) -> Result<(State, State), E> {
        let mut word = self.word.load(Relaxed);
        loop {
            let before = State::unpack(word);
            let after = step(before)?;
            // Linearization point of every change; a refusal linearizes at the load that read `word`.
            // Relaxed, both: the word is the whole state and publishes no other memory.
            match self
                .word
                .compare_exchange_weak(word, after.pack(), Relaxed, Relaxed)
            {
                Ok(_) => return Ok((before, after)),
                Err(held) => word = held,
            }
        }
    }

    pub(crate) fn look(&self, cost: Cost, ceiling: u64) -> Result<(), Refused> {
        self.load().charge(cost.get(), ceiling).map(|_| ())
    }

    pub(crate) fn charge(
        &self,
        cost: Cost,
        ceiling: u64,
    ) -> Result<Charged<TallyReceipt>, Refused> {
        self.exchange(|state| state.charge(cost.get(), ceiling))
            .map(|sides| charged(sides, ceiling))
    }

    pub(crate) fn charge_anyway(
        &self,
        extra: Cost,
        ceiling: u64,
    ) -> Result<Charged<TallyReceipt>, Refused> {
        self.exchange(|state| state.charge_anyway(extra.get()))
            .map(|sides| charged(sides, ceiling))
    }

    pub(crate) fn refund(&self, receipt: TallyReceipt, surplus: u64) -> u64 {
        self.exchange(|state| state.refund(receipt, surplus).ok_or(()))
            .map_or(0, |(before, after)| before.used - after.used)
    }

    /// Units charged, read by an exchange: it is before or after each charge in the order of all changes. None if the tally is closed.
    pub(crate) fn standing(&self) -> Option<u64> {
        let same = self.exchange(|state| if state.is_closed { Err(()) } else { Ok(state) });
        same.ok().map(|(_, state)| state.used)
    }

    pub(crate) fn used(&self) -> u64 {
        self.load().used
    }

    pub(crate) fn close_at_rest(&self) -> bool {
        let is_closing = self.exchange(|state| {
            let can_close = state.used == 0 && !state.is_closed;
            if can_close {
                Ok(State {
                    is_closed: true,
                    ..state
                })
            } else {
                Err(state.is_closed)
            }
        });
        is_closing.map_or_else(|was_closed| was_closed, |_| true)
    }

    pub(crate) fn reset(&self) {
        // An `Err` says that the tally is closed, at rest for good: there is nothing to forget.
        let _ = self.exchange(|state| state.reset().ok_or(()));
    }
}

impl fmt::Debug for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let State {
            used,
            resets,
            is_closed,
        } = self.load();
        f.debug_struct("Tally")
            .field("used", &used)
            .field("resets", &resets)
            .field("is_closed", &is_closed)
            .finish()
    }
}

fn charged((before, after): (State, State), ceiling: u64) -> Charged<TallyReceipt> {
    Charged {
        receipt: TallyReceipt {
            resets: after.resets,
        },
        before: before.used.into(),
        after: after.used.into(),
        full: ceiling.into(),
    }
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;

    const NOW: TallyReceipt = TallyReceipt { resets: 0 };

    fn used(used: u64) -> State {
        State {
            used,
            ..State::FRESH
        }
    }

    #[test]
    fn word_keeps_every_field_apart() {
        for used in [0, 1, u64::MAX] {
            for resets in [0, 1, RESETS_MOST] {
                for is_closed in [false, true] {
                    let state = State {
                        used,
                        resets,
                        is_closed,
                    };
                    assert_eq!(State::unpack(state.pack()), state);
                }
            }
        }
    }

    #[test]
    fn charge_fits_up_to_the_ceiling_and_no_further() {
        assert_eq!(used(4).charge(6, 10), Ok(used(10)));
        assert_eq!(used(5).charge(6, 10), Err(Refused::denied(Wait::Never, 5)));
        assert_eq!(used(0).charge(1, 0), Err(Refused::denied(Wait::Never, 0)));
        assert_eq!(
            used(u64::MAX).charge(1, u64::MAX),
            Err(Refused::denied(Wait::Never, u64::MAX.into()))
        );
        assert_eq!(used(u64::MAX - 1).charge(1, u64::MAX), Ok(used(u64::MAX)));
        // Debt, or a ceiling that was lowered.
        assert_eq!(
            used(20).charge(1, 10),
            Err(Refused::denied(Wait::Never, 20))
        );
    }

    #[test]
    fn saturated_units_stay_until_a_reset() {
        let full = used(u64::MAX - 1).charge_anyway(5).unwrap();
        assert_eq!(full, used(u64::MAX));
        assert_eq!(full.refund(NOW, 5), None);
        assert_eq!(
            full.reset(),
            Some(State {
                used: 0,
                resets: 1,
                is_closed: false
            })
        );
    }

    #[test]
    fn refund_is_void_after_a_reset() {
        let later = used(3).reset().unwrap().charge(2, 10).unwrap();
        assert_eq!(later.refund(NOW, 1), None);
        assert_eq!(
            later
                .refund(TallyReceipt { resets: 1 }, 1)
                .map(|state| state.used),
            Some(1)
        );
    }

    #[test]
    fn refund_never_falls_below_zero() {
        assert_eq!(used(3).refund(NOW, 5), Some(used(0)));
    }

    #[test]
    fn closed_tally_takes_and_gives_nothing() {
        let tally = Tally::new();
        assert!(tally.close_at_rest());
        assert!(tally.close_at_rest(), "closed before");
        assert_eq!(tally.look(Cost::ONE, 10), Err(Refused::Closed));
        assert_eq!(tally.charge(Cost::ONE, 10).unwrap_err(), Refused::Closed);
        assert_eq!(
            tally.charge_anyway(Cost::ONE, 10).unwrap_err(),
            Refused::Closed
        );
        assert_eq!(tally.refund(NOW, 1), 0);
        tally.reset();
        assert_eq!(tally.charge(Cost::ONE, 10).unwrap_err(), Refused::Closed);
    }

    #[test]
    fn tally_with_units_does_not_close() {
        let tally = Tally::new();
        let receipt = tally.charge(Cost::ONE, 1).unwrap().receipt;
        assert!(!tally.close_at_rest());
        assert_eq!(tally.used(), 1);
        assert_eq!(tally.refund(receipt, 1), 1);
        assert!(tally.close_at_rest());
    }
}
