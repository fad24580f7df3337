//! The one word of a rate meter.

use super::scale::{TAT_BITS, TAT_LIMIT};

const SEQ_BITS: u32 = 51;
const SEQ_MASK: u64 = (1 << SEQ_BITS) - 1;
const IDLE: u128 = 1 << SEQ_BITS;
const FROZEN: u128 = IDLE << 1;
const TAT_SHIFT: u32 = SEQ_BITS + 2;

/// A meter's state: bits 0-50 the number of charges so far, bit 51 whether the last of them found no backlog, bit 52 the
/// frozen flag, bits 53-127 the TAT in quanta.
///
/// Each charge raises the number, and between two charges the TAT only falls: no word ever comes back.
///
/// The numbers last for 2^51 charges of one meter, 17 years of four million a second. Then they begin again, and exact refunds
/// give back nothing any more but what was charged last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word(pub(super) u128);

/// A word as receipts keep it, in no more room than it needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Halves([u64; 2]);

impl Halves {
    pub(super) const fn whole(self) -> Word {
        Word(self.0[0] as u128 | (self.0[1] as u128) << 64)
    }
}

impl Word {
    /// The meter is closed: its account was evicted.
    pub(super) const CLOSED: Self = Self(u128::MAX);
    /// The meter has not yet taken over from the one it succeeds.
    pub(super) const PENDING: Self = Self(u128::MAX - 1);

    pub(super) const fn new(tat: u128, seq: u64) -> Self {
        const { assert!(TAT_BITS + TAT_SHIFT == 128) };
        let tat = if tat > TAT_LIMIT - 1 {
            TAT_LIMIT - 1
        } else {
            tat
        };
        Self((tat << TAT_SHIFT) | (seq & SEQ_MASK) as u128)
    }

    pub(super) const fn tat(self) -> u128 {
        self.0 >> TAT_SHIFT
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the low half, of which 51 bits are kept"
    )]
    pub(super) const fn seq(self) -> u64 {
        self.0 as u64 & SEQ_MASK
    }

    pub(super) const fn next_seq(self) -> u64 {
        (self.seq() + 1) & SEQ_MASK
    }

    /// True if the last charge found no backlog.
    pub(super) const fn was_idle(self) -> bool {
        self.0 & IDLE != 0
    }

    /// The word after one more charge, which found no backlog if it `is_idle`.
    pub(super) const fn charged(self, tat: u128, is_idle: bool) -> Self {
        Self(Self::new(tat, self.next_seq()).0 | (is_idle as u128) << SEQ_BITS)
    }

    /// The word with another TAT, its charges being the same.
    pub(super) const fn with_tat(self, tat: u128) -> Self {
        Self(Self::new(tat, self.seq()).0 | self.0 & IDLE)
    }

    /// True if the word takes no exchange but the one that fills a pending meter.
    pub(super) const fn is_mark(self) -> bool {
        self.0 & FROZEN != 0
    }

    /// True if another meter has taken over from this one.
    pub(super) const fn is_frozen(self) -> bool {
        self.is_mark() && self.0 < Self::PENDING.0
    }

    pub(super) const fn frozen(self) -> Self {
        Self(self.0 | FROZEN)
    }

    #[expect(clippy::cast_possible_truncation, reason = "the two halves")]
    pub(super) const fn halves(self) -> Halves {
        Halves([self.0 as u64, (self.0 >> 64) as u64])
    }
}
