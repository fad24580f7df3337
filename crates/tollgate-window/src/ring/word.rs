//! The hot word and the words of the history, with their pure steps.

const UNITS_BITS: u32 = 42;
pub(super) const TICK_BITS: u32 = 41;
const RESETS_BITS: u32 = 2;
const USED_SHIFT: u32 = UNITS_BITS;
const TICK_SHIFT: u32 = 2 * UNITS_BITS;
const RESETS_SHIFT: u32 = TICK_SHIFT + TICK_BITS;
const SEALED: u128 = 1 << (RESETS_SHIFT + RESETS_BITS);

/// Units that are this many or more: the true sum is no longer known.
const SATURATED: u64 = (1 << UNITS_BITS) - 1;
/// Resets that are this many or more: receipts can no longer be told apart.
const RESETS_SATURATED: u64 = (1 << RESETS_BITS) - 1;

/// The most units that a ring tells apart.
pub(super) const UNITS_MAX: u64 = SATURATED - 1;
/// The last tick; the next number is the mark's.
pub(super) const TICK_MAX: u64 = (1 << TICK_BITS) - 2;

/// The hot word of a closed ring.
pub(super) const CLOSED: u128 = u128::MAX;

/// Which charge a refund gives back: its tick, and how often that had been reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SlotReceipt {
    pub(super) tick: u64,
    pub(super) resets: u64,
}

impl SlotReceipt {
    /// Of a charge in `tick`, in a ring that is never reset.
    pub(super) const fn of(tick: u64) -> Self {
        Self { tick, resets: 0 }
    }

    /// The number of the slot that the charge was counted in: its own, or a later one that was already open.
    #[must_use]
    pub const fn tick(&self) -> u64 {
        self.tick
    }
}

/// The hot word, unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hot {
    pub(super) tick: u64,
    pub(super) resets: u64,
    pub(super) used: u64,
    pub(super) prior: u64,
    pub(super) is_sealed: bool,
}

impl Hot {
    pub(super) const FRESH: Self = Self::opened(0, 0, 0);

    /// `tick` just opened with `used` units of its own. Sums and debts that are too large are kept as the largest.
    pub(super) const fn opened(tick: u64, used: u64, prior: u64) -> Self {
        Self {
            tick,
            resets: 0,
            used: saturated(used),
            prior: saturated(prior),
            is_sealed: false,
        }
    }

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
            tick: (word >> TICK_SHIFT) as u64 & ((1 << TICK_BITS) - 1),
            resets: (word >> RESETS_SHIFT) as u64 & RESETS_SATURATED,
            used: (word >> USED_SHIFT) as u64 & SATURATED,
            prior: word as u64 & SATURATED,
            is_sealed: word & SEALED != 0,
        })
    }

    pub(super) const fn pack(self) -> u128 {
        // Invariant: every step keeps each field within its bits, and the tick below the mark.
        debug_assert!(self.used <= SATURATED && self.prior <= SATURATED);
        debug_assert!(self.tick <= TICK_MAX && self.resets <= RESETS_SATURATED);
        let word = (self.resets as u128) << RESETS_SHIFT
            | (self.tick as u128) << TICK_SHIFT
            | (self.used as u128) << USED_SHIFT
            | self.prior as u128;
        if self.is_sealed { word | SEALED } else { word }
    }

    /// Units that count in the open tick.
    pub(super) const fn committed(self) -> u64 {
        self.used + self.prior
    }

    /// The receipt of a charge in the open tick.
    pub(super) const fn receipt(self) -> SlotReceipt {
        SlotReceipt {
            tick: self.tick,
            resets: self.resets,
        }
    }

    /// With `units` more, or as many as can be told.
    pub(super) const fn charged(self, units: u64) -> Self {
        Self {
            used: saturated(self.used.saturating_add(units)),
            ..self
        }
    }

    /// The word that `word`, which this was unpacked from, becomes with `units` more.
    #[inline]
    pub(super) const fn charged_word(self, word: u128, units: u64) -> u128 {
        if units < SATURATED - self.used {
            // Within its bits, so it carries into no other field.
            word + ((units as u128) << USED_SHIFT)
        } else {
            self.charged(units).pack()
        }
    }

    pub(super) const fn sealed(self) -> Self {
        Self {
            is_sealed: true,
            ..self
        }
    }

    /// With up to `surplus` units of the open tick fewer, if they were charged since its last reset.
    pub(super) const fn refunded(self, receipt: SlotReceipt, surplus: u64) -> Option<Self> {
        if self.tick != receipt.tick || self.resets != receipt.resets {
            return None;
        }
        match surplus_of(self.used, receipt, surplus) {
            0 => None,
            surplus => Some(Self {
                used: self.used - surplus,
                ..self
            }),
        }
    }

    /// With `surplus` units of the ticks before fewer, if they are known.
    pub(super) const fn with_less_prior(self, surplus: u64) -> Option<Self> {
        if self.is_sealed || self.prior == SATURATED {
            return None;
        }
        Some(Self {
            prior: self.prior.saturating_sub(surplus),
            ..self
        })
    }

    /// With nothing used as of `tick`, and earlier receipts void. A sealed tick is over.
    pub(super) const fn reset(self, tick: u64) -> Self {
        if self.is_sealed || tick > self.tick {
            return Self::opened(tick, 0, 0);
        }
        let resets = if self.resets == RESETS_SATURATED {
            RESETS_SATURATED
        } else {
            self.resets + 1
        };
        Self {
            resets,
            used: 0,
            prior: 0,
            ..self
        }
    }
}

/// A place of the history, unpacked: the units that a tick ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) receipt: SlotReceipt,
    pub(super) used: u64,
}

impl Slot {
    /// The word of a place that was never written.
    pub(super) const EMPTY: u128 = 0;

    /// The units of `hot`, which is sealed.
    pub(super) const fn of(hot: Hot) -> Self {
        Self {
            receipt: hot.receipt(),
            used: hot.used,
        }
    }

    /// None if nothing was written yet.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "each field is the low 64 bits of what is shifted down"
    )]
    pub(super) const fn unpack(word: u128) -> Option<Self> {
        // The mark and the resets of a hot word are free here; `SEALED` says that the place was written.
        if word & SEALED == 0 {
            return None;
        }
        let tick = (word >> TICK_SHIFT) as u64 & ((1 << TICK_BITS) - 1);
        let resets = (word >> RESETS_SHIFT) as u64 & RESETS_SATURATED;
        Some(Self {
            receipt: SlotReceipt { tick, resets },
            used: word as u64 & SATURATED,
        })
    }

    pub(super) const fn pack(self) -> u128 {
        SEALED
            | (self.receipt.resets as u128) << RESETS_SHIFT
            | (self.receipt.tick as u128) << TICK_SHIFT
            | self.used as u128
    }

    /// With up to `surplus` units fewer, if they are those of `receipt`.
    pub(super) fn refunded(self, receipt: SlotReceipt, surplus: u64) -> Option<Self> {
        if self.receipt != receipt {
            return None;
        }
        match surplus_of(self.used, receipt, surplus) {
            0 => None,
            surplus => Some(Self {
                used: self.used - surplus,
                ..self
            }),
        }
    }
}

const fn saturated(units: u64) -> u64 {
    if units > SATURATED { SATURATED } else { units }
}

/// How much of `surplus` can be taken from `used`: nothing if the true sum is not known, or whose units they are.
const fn surplus_of(used: u64, receipt: SlotReceipt, surplus: u64) -> u64 {
    if used == SATURATED || receipt.resets == RESETS_SATURATED {
        0
    } else if surplus > used {
        used
    } else {
        surplus
    }
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn words_keep_every_field_apart() {
        for tick in [0, 1, TICK_MAX] {
            for resets in [0, 1, RESETS_SATURATED] {
                for used in [0, 1, SATURATED] {
                    for prior in [0, 1, SATURATED] {
                        for is_sealed in [false, true] {
                            let hot = Hot {
                                tick,
                                resets,
                                used,
                                prior,
                                is_sealed,
                            };
                            assert_eq!(Hot::unpack(hot.pack()), Some(hot));
                        }
                    }
                    let slot = Slot {
                        receipt: SlotReceipt { tick, resets },
                        used,
                    };
                    assert_eq!(Slot::unpack(slot.pack()), Some(slot));
                }
            }
        }
        assert_eq!(Hot::unpack(CLOSED), None);
        assert_eq!(Slot::unpack(Slot::EMPTY), None);
    }

    #[test]
    fn sealing_changes_nothing_else() {
        let open = Hot::opened(3, 5, 7);
        let is_sealed = true;
        assert!(!open.is_sealed);
        assert_eq!(open.sealed(), Hot { is_sealed, ..open });
    }

    #[test]
    fn the_fullest_word_is_not_the_mark() {
        let fullest = Hot {
            tick: TICK_MAX,
            resets: RESETS_SATURATED,
            used: SATURATED,
            prior: SATURATED,
            is_sealed: true,
        };
        assert_ne!(fullest.pack(), CLOSED);
    }

    #[test]
    fn saturated_units_stay() {
        let spent = Hot::opened(3, u64::MAX, u64::MAX);
        assert_eq!((spent.used, spent.prior), (SATURATED, SATURATED));
        assert_eq!(spent.charged(u64::MAX), spent);
        for units in [0, 1, SATURATED - 6, SATURATED - 5, SATURATED, u64::MAX] {
            let hot = Hot::opened(3, 5, 7);
            assert_eq!(
                hot.charged_word(hot.pack(), units),
                hot.charged(units).pack()
            );
        }
        assert_eq!(spent.refunded(spent.receipt(), 5), None);
        assert_eq!(spent.with_less_prior(5), None);
        assert_eq!(Slot::of(spent).refunded(spent.receipt(), 5), None);
    }

    #[test]
    fn refund_needs_the_tick_and_its_resets() {
        let hot = Hot::opened(3, 5, 7);
        let receipt = hot.receipt();
        assert_eq!(
            hot.refunded(receipt, 9).map(|hot| (hot.used, hot.prior)),
            Some((0, 7))
        );
        assert_eq!(hot.reset(3).charged(5).refunded(receipt, 1), None);
        assert_eq!(Hot::opened(4, 5, 7).refunded(receipt, 1), None);
    }

    #[test]
    fn receipts_are_void_once_resets_cannot_be_counted() {
        let mut hot = Hot::opened(3, 1, 0);
        for _ in 0..RESETS_SATURATED + 2 {
            hot = hot.reset(2).charged(2);
        }
        assert_eq!(hot.resets, RESETS_SATURATED);
        assert_eq!(hot.refunded(hot.receipt(), 1), None);
        assert_eq!(
            hot.reset(4),
            Hot::opened(4, 0, 0),
            "a later tick counts anew"
        );
    }
}
