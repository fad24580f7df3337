//! The pure steps of a period counter.

const USED_BITS: u32 = 52;
const RESETS_BITS: u32 = 11;
const FROZEN_SHIFT: u32 = USED_BITS + RESETS_BITS;
const PERIOD_SHIFT: u32 = FROZEN_SHIFT + 1;

/// Units that are this many or more: the true sum is no longer known.
const USED_SATURATED: u64 = (1 << USED_BITS) - 1;
/// Resets that are this many or more: receipts can no longer be told apart.
const RESETS_SATURATED: u64 = (1 << RESETS_BITS) - 1;
const FROZEN: u128 = 1 << FROZEN_SHIFT;

/// The most units of a period that a counter tells apart.
pub(super) const UNITS_MAX: u64 = USED_SATURATED - 1;
/// The last number of a period; the next one is that of the marks.
pub(super) const PERIOD_MAX: u64 = u64::MAX - 1;

/// No period has this number.
pub(super) const NO_PERIOD: u64 = u64::MAX;

/// The number of the period in a word; none if it is closed.
pub(super) const fn period_of(word: u128) -> u64 {
    (word >> PERIOD_SHIFT) as u64
}

/// The word of a closed counter.
pub(super) const CLOSED: u128 = u128::MAX;
/// The word of a counter that is to take over from another, and has not yet.
pub(super) const PENDING: u128 = u128::MAX - 1;

/// The word, unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// Counts.
    Open(State),
    /// Counted up to this state, from which another counter takes over.
    Frozen(State),
    Pending,
    Closed,
}

impl Word {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "each field is the low 64 bits of what is shifted down"
    )]
    pub(super) const fn unpack(word: u128) -> Self {
        if word == CLOSED {
            return Self::Closed;
        }
        if word == PENDING {
            return Self::Pending;
        }
        let state = State {
            period: period_of(word),
            resets: (word >> USED_BITS) as u64 & RESETS_SATURATED,
            used: word as u64 & USED_SATURATED,
        };
        if word & FROZEN == 0 {
            Self::Open(state)
        } else {
            Self::Frozen(state)
        }
    }

    /// The state of a counter that counts.
    pub(super) const fn open(self) -> Option<State> {
        match self {
            Self::Open(state) => Some(state),
            Self::Frozen(_) | Self::Pending | Self::Closed => None,
        }
    }
}

/// What is stored of a counter that counts.
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

    pub(super) const fn pack(self) -> u128 {
        // Invariant: every step keeps each field within its bits, and the period below that of the marks.
        debug_assert!(
            self.used <= USED_SATURATED
                && self.resets <= RESETS_SATURATED
                && self.period <= PERIOD_MAX
        );
        (self.period as u128) << PERIOD_SHIFT
            | (self.resets as u128) << USED_BITS
            | self.used as u128
    }

    pub(super) const fn pack_frozen(self) -> u128 {
        self.pack() | FROZEN
    }

    /// True if more was used than can be told.
    pub(super) const fn is_saturated(self) -> bool {
        self.used == USED_SATURATED
    }

    /// The start of `period`, `passed` periods after this one, which had used `debt` beyond its max: each period in
    /// between has paid `max` of that, and what is left is used in this one already.
    pub(super) const fn rolled(self, period: u64, passed: u64, debt: u64, max: u64) -> Self {
        let paid = max.saturating_mul(passed.saturating_sub(1));
        let used = if self.is_saturated() {
            self.used
        } else {
            debt.saturating_sub(paid)
        };
        Self {
            period,
            resets: 0,
            used,
        }
    }

    /// How many periods after this one, which has used `debt` beyond its max, no more than `room` is used. None if
    /// none can be told.
    pub(super) const fn periods_until(self, room: u64, debt: u64, max: u64) -> Option<u64> {
        let beyond = debt.saturating_sub(room);
        if self.is_saturated() || beyond > 0 && max == 0 {
            None
        } else if beyond == 0 {
            Some(1)
        } else {
            Some(1 + beyond.div_ceil(max))
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
        let is_known = !self.is_saturated() && resets != RESETS_SATURATED;
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

    fn used(used: u64) -> State {
        State {
            used,
            ..State::FRESH
        }
    }

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
                    assert_eq!(Word::unpack(state.pack()), Word::Open(state));
                    assert_eq!(Word::unpack(state.pack_frozen()), Word::Frozen(state));
                }
            }
        }
        assert_eq!(Word::unpack(CLOSED), Word::Closed);
        assert_eq!(Word::unpack(PENDING), Word::Pending);
    }

    #[test]
    fn charge_fits_up_to_the_ceiling_and_no_further() {
        assert_eq!(used(0).charged(10, 10), Some(used(10)));
        assert_eq!(used(0).charged(11, 10), None);
        assert_eq!(used(0).charged(1, 0), None);
        assert_eq!(used(0).charged(u64::MAX, u64::MAX), None);
        let full = used(0).charged(UNITS_MAX, u64::MAX).unwrap();
        assert_eq!(
            full.charged(1, u64::MAX),
            None,
            "an admission never saturates"
        );
    }

    #[test]
    fn each_period_pays_its_max_of_a_debt() {
        let debt_left = |passed| used(230).rolled(7, passed, 130, 100).used;
        assert_eq!([1, 2, 3, u64::MAX].map(debt_left), [130, 30, 0, 0]);
        let nothing_pays = used(230).rolled(7, u64::MAX, 230, 0);
        assert_eq!((nothing_pays.period, nothing_pays.used), (7, 230));
    }

    #[test]
    fn wait_is_until_enough_is_paid() {
        let periods = |room| used(230).periods_until(room, 130, 100);
        assert_eq!(
            [100, 99, 30, 29, 0].map(periods),
            [2, 2, 2, 3, 3].map(Some),
            "130, 30 and 0 are used in the periods that follow"
        );
        assert_eq!(used(230).periods_until(130, 130, 100), Some(1));
        assert_eq!(
            used(100).periods_until(0, 0, 100),
            Some(1),
            "no debt ends with its period"
        );
        assert_eq!(used(5).periods_until(0, 5, 0), None);
        assert_eq!(
            used(5).periods_until(5, 5, 0),
            Some(1),
            "there is room beside a debt that nothing pays"
        );
    }

    #[test]
    fn saturated_units_stay_until_a_reset() {
        let spent = used(5).charged_anyway(u64::MAX);
        assert_eq!(spent.refunded(0, 0, 5), None);
        assert_eq!(spent.rolled(1, 1, spent.used, u64::MAX).used, spent.used);
        assert_eq!(spent.periods_until(0, spent.used, u64::MAX), None);
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
        assert_eq!(
            charged.rolled(1, 1, 0, 1).resets,
            0,
            "a new period counts anew"
        );
    }
}
