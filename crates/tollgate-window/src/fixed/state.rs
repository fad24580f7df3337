//! The pure steps of a period counter.

const USED_BITS: u32 = 52;
const RESETS_BITS: u32 = 12;
const PERIOD_SHIFT: u32 = USED_BITS + RESETS_BITS;

/// Units that are this many or more: the true sum is no longer known.
const USED_SATURATED: u64 = (1 << USED_BITS) - 1;
/// Resets that are this many or more: receipts can no longer be told apart.
const RESETS_SATURATED: u64 = (1 << RESETS_BITS) - 1;

/// The most units of a period that a counter tells apart.
pub(super) const UNITS_MAX: u64 = USED_SATURATED - 1;
/// The last number of a period; the next one is the mark.
const PERIOD_MAX: u64 = u64::MAX - 1;

/// The word of a closed counter.
pub(super) const CLOSED: u128 = u128::MAX;

/// The word, unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) period: u64,
    pub(super) resets: u64,
    pub(super) used: u64,
}

impl State {
    pub(super) const FRESH: Self = Self {
        period: 0,
        resets: 0,
        used: 0,
    };

    /// None if the word is the mark.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "each field is the low 64 bits of what is shifted down"
    )]
    pub(super) const fn unpack(word: u128) -> Option<Self> {
        if word == CLOSED {
            return None;
        }
        Some(Self {
            period: (word >> PERIOD_SHIFT) as u64,
            resets: (word >> USED_BITS) as u64 & RESETS_SATURATED,
            used: word as u64 & USED_SATURATED,
        })
    }

    pub(super) const fn pack(self) -> u128 {
        // Invariant: every step keeps each field within its bits, and the period below the mark.
        debug_assert!(
            self.used <= USED_SATURATED
                && self.resets <= RESETS_SATURATED
                && self.period <= PERIOD_MAX
        );
        (self.period as u128) << PERIOD_SHIFT
            | (self.resets as u128) << USED_BITS
            | self.used as u128
    }

    /// The state as a caller of `period` sees it: nothing is used in a period that is later than the stored one.
    pub(super) const fn as_of(self, period: u64) -> Self {
        let period = if period > PERIOD_MAX {
            PERIOD_MAX
        } else {
            period
        };
        if period > self.period {
            Self {
                period,
                ..Self::FRESH
            }
        } else {
            self
        }
    }

    /// With `cost` more, if that is within `ceiling`.
    pub(super) const fn charged(self, cost: u64, ceiling: u64) -> Option<Self> {
        let ceiling = if ceiling > UNITS_MAX {
            UNITS_MAX
        } else {
            ceiling
        };
        match self.used.checked_add(cost) {
            Some(used) if used <= ceiling => Some(Self { used, ..self }),
            _ => None,
        }
    }

    /// With `extra` more, or as many as can be told.
    pub(super) const fn charged_anyway(self, extra: u64) -> Self {
        let used = self.used.saturating_add(extra);
        Self {
            used: if used > USED_SATURATED {
                USED_SATURATED
            } else {
                used
            },
            ..self
        }
    }

    /// With up to `surplus` fewer, if they were charged in this period and since its last reset.
    pub(super) const fn refunded(self, period: u64, resets: u64, surplus: u64) -> Option<Self> {
        let is_known = self.used != USED_SATURATED && resets != RESETS_SATURATED;
        if self.period == period && self.resets == resets && is_known {
            Some(Self {
                used: self.used.saturating_sub(surplus),
                ..self
            })
        } else {
            None
        }
    }

    /// With nothing used, and its receipts void.
    pub(super) const fn reset(self) -> Self {
        let resets = if self.resets == RESETS_SATURATED {
            RESETS_SATURATED
        } else {
            self.resets + 1
        };
        Self {
            resets,
            used: 0,
            ..self
        }
    }
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn word_keeps_every_field_apart() {
        for period in [0, 1, PERIOD_MAX] {
            for resets in [0, 1, RESETS_SATURATED] {
                for used in [0, 1, UNITS_MAX, USED_SATURATED] {
                    let state = State {
                        period,
                        resets,
                        used,
                    };
                    assert_eq!(State::unpack(state.pack()), Some(state));
                }
            }
        }
        assert_eq!(State::unpack(CLOSED), None);
    }

    #[test]
    fn last_period_is_not_the_mark() {
        let last = State::FRESH.as_of(u64::MAX).charged_anyway(u64::MAX);
        let last = State {
            resets: RESETS_SATURATED,
            ..last
        };
        assert_ne!(last.pack(), CLOSED);
    }

    #[test]
    fn charge_fits_up_to_the_ceiling_and_no_further() {
        assert_eq!(
            State::FRESH.charged(10, 10).map(|state| state.used),
            Some(10)
        );
        assert_eq!(State::FRESH.charged(11, 10), None);
        assert_eq!(State::FRESH.charged(1, 0), None);
        assert_eq!(State::FRESH.charged(u64::MAX, u64::MAX), None);
        let full = State::FRESH.charged(UNITS_MAX, u64::MAX).unwrap();
        assert_eq!(
            full.charged(1, u64::MAX),
            None,
            "an admission never saturates"
        );
    }

    #[test]
    fn saturated_units_stay_until_the_period_ends() {
        let spent = State::FRESH.charged_anyway(5).charged_anyway(u64::MAX);
        assert_eq!(spent.refunded(0, 0, 5), None);
        assert_eq!(spent.as_of(1).used, 0);
        assert_eq!(spent.reset().used, 0);
    }

    #[test]
    fn receipts_are_void_once_resets_cannot_be_counted() {
        let mut state = State::FRESH;
        for _ in 0..RESETS_SATURATED {
            state = state.charged_anyway(1).reset();
        }
        assert_eq!(state.resets, RESETS_SATURATED);
        let charged = state.charged_anyway(2);
        assert_eq!(charged.refunded(0, charged.resets, 1), None);
        assert_eq!(charged.as_of(1).resets, 0, "a new period counts anew");
    }
}
