//! The words of the log.

use tollgate_core::Nanos;

/// Marks the head of a closed log, and the place that a level would write to next, once that level is over.
const MARK: u64 = 1 << 63;

/// The most units of one charge that are told apart: more than any ceiling of a log, so that a larger debt blocks
/// just as long as this one.
pub(super) const CHARGE_MAX: u64 = u32::MAX as u64;

/// Which charge a refund gives back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogReceipt {
    /// The head's total after the charge: its last unit.
    pub(super) total: u64,
    /// Units that may be given back.
    pub(super) units: u64,
    pub(super) stamp: u64,
}

impl LogReceipt {
    /// The instant from which the charge counts: its `now`, or the latest charge's before it if that was later.
    #[must_use]
    pub const fn counts_from(&self) -> Nanos {
        Nanos(self.stamp)
    }
}

/// All units up to `total` had been taken by `stamp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) total: u64,
    /// Nanoseconds, below 2^60.
    pub(super) stamp: u64,
}

impl Point {
    /// Before anything was taken. The word of a place that was never written.
    pub(super) const GENESIS: Self = Self { total: 0, stamp: 0 };

    pub(super) const fn pack(self) -> u128 {
        (self.total as u128) << 64 | self.stamp as u128
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "both halves of the word are wanted"
    )]
    pub(super) const fn unpack(word: u128) -> Self {
        Self {
            total: (word >> 64) as u64,
            stamp: word as u64,
        }
    }

    /// The head's word of this point; none if it is closed.
    pub(super) const fn of_head(word: u128) -> Option<Self> {
        let point = Self::unpack(word);
        if point.stamp & MARK == 0 {
            Some(point)
        } else {
            None
        }
    }

    /// The point of a place's word, whether its level is over or not.
    pub(super) const fn of_place(word: u128) -> Self {
        Self::unpack(word & !(MARK as u128))
    }

    /// The word of a place that holds `word`, once its level is over.
    pub(super) const fn over(word: u128) -> u128 {
        word | MARK as u128
    }

    /// True if the place with `word` marks its level as over.
    pub(super) const fn is_over(word: u128) -> bool {
        word & MARK as u128 != 0
    }

    /// The receipt of the charge that made this head, of which `units` may be given back.
    pub(super) const fn receipt(self, units: u64) -> LogReceipt {
        LogReceipt {
            total: self.total,
            units,
            stamp: self.stamp,
        }
    }

    /// The word of a head that was closed at this point.
    pub(super) const fn closed(self) -> u128 {
        self.pack() | MARK as u128
    }
}

/// Units given back of the interval that starts at a total.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refunds {
    pub(super) start: u64,
    pub(super) units: u64,
}

impl Refunds {
    pub(super) const NONE: Self = Self { start: 0, units: 0 };

    pub(super) const fn pack(self) -> u128 {
        (self.start as u128) << 64 | self.units as u128
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "both halves of the word are wanted"
    )]
    pub(super) const fn unpack(word: u128) -> Self {
        Self {
            start: (word >> 64) as u64,
            units: word as u64,
        }
    }

    /// With `units` more for the interval that starts at `start`; none if a later lap has the place.
    pub(super) const fn with(self, start: u64, units: u64) -> Option<Self> {
        if self.start > start {
            return None;
        }
        let before = if self.start == start { self.units } else { 0 };
        Some(Self {
            start,
            units: before.saturating_add(units),
        })
    }
}
