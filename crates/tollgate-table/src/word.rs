//! The second word of a slot: a TAT, or a mark.
//!
//! A word below [`MARKS`] is a TAT in quanta. The top 1/64 of all words are marks: six ones, two bits of kind, and in
//! the low 56 bits the *number* of the mark. The number is the last TAT that the slot held, in units of 256 quanta (16
//! ns), rounded up, and one more for each mark since. So it says by itself, without a clock, what the next TAT of the
//! slot has to exceed; and as each reservation of a slot has a number above all before it, no mark ever stands
//! for two claims.

use std::hint::cold_path;
use tollgate_core::{Nanos, gcra::QUANTA_PER_NANO};

/// The first word that is no TAT.
pub(crate) const MARKS: u64 = 0xFC << KIND_SHIFT;

const KIND_SHIFT: u32 = 56;
const RESERVED: u64 = 0xFC;
const CLAIMED: u64 = 0xFD;
const KILLED: u64 = 0xFE;
const NUMBER_MAX: u64 = (1 << KIND_SHIFT) - 1;
/// Quanta in a unit of a number: what the eight bits for the kind leave no room for.
const NUMBER_UNIT: u64 = 1 << 8;

/// What a word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// The slot is active: its hash is that of its owner.
    Tat(u64),
    /// Somebody prepares a claim. Its hash may be anything.
    Reserved,
    /// The slot is claimed for its hash, and not yet active.
    Claimed(Number),
    /// The claim came to nothing: the slot is free, whatever its hash.
    Killed(Number),
}

/// The number of a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Number(u64);

impl Word {
    #[inline]
    pub(crate) const fn of(word: u64) -> Self {
        if word < MARKS {
            return Self::Tat(word);
        }
        let number = Number(word & NUMBER_MAX);
        match word >> KIND_SHIFT {
            CLAIMED => Self::Claimed(number),
            KILLED => Self::Killed(number),
            // The fourth kind is never written.
            _ => Self::Reserved,
        }
    }

    /// Whose last TAT lies at or before `horizon` is free, and this is the number that its reservation gets.
    pub(crate) const fn free_at(self, horizon: u64) -> Option<Number> {
        match self {
            Self::Tat(tat) if tat <= horizon => Some(Number(tat.div_ceil(NUMBER_UNIT))),
            Self::Killed(number) if number.last_tat() <= horizon => Some(number.next()),
            _ => None,
        }
    }

    /// The earliest horizon at which the slot is free, were nobody to use it; none while it is being claimed.
    pub(crate) const fn frees_at(self) -> Option<u64> {
        match self {
            Self::Tat(tat) => Some(tat),
            Self::Killed(number) => Some(number.last_tat()),
            Self::Reserved | Self::Claimed(_) => None,
        }
    }
}

impl Number {
    pub(crate) const fn reserved(self) -> u64 {
        self.mark(RESERVED)
    }

    pub(crate) const fn claimed(self) -> u64 {
        self.mark(CLAIMED)
    }

    pub(crate) const fn killed(self) -> u64 {
        self.mark(KILLED)
    }

    /// The TAT with which a fresh cell starts in this slot: later than any that the slot held, and its next number
    /// is above this one.
    pub(crate) const fn fresh_tat(self) -> u64 {
        self.last_tat() + 1
    }

    const fn last_tat(self) -> u64 {
        self.0 * NUMBER_UNIT
    }

    const fn next(self) -> Self {
        // Numbers of TATs leave room for 2^50 more: at one every few nanoseconds, for months of nothing but kills
        // in one slot within 16 ns of its last TAT.
        Self(if self.0 < NUMBER_MAX {
            self.0 + 1
        } else {
            NUMBER_MAX
        })
    }

    const fn mark(self, kind: u64) -> u64 {
        kind << KIND_SHIFT | self.0
    }
}

/// How long after its TAT a slot becomes free for other keys.
///
/// A caller whose `now` is up to this much older than that of the one who took the slot is answered exactly. One that
/// is older by d more may be admitted `rate × d` units too many.
pub const GRACE: std::time::Duration = std::time::Duration::from_millis(10);

/// How long after its TAT a slot is free: the grace, and by how much a fresh TAT may be later than the last one, a unit
/// of numbers and a quantum, so that a new owner starts whole for a `now` that is as old as the grace allows.
const KEPT_NS: u64 = 10_000_000 + (NUMBER_UNIT + 1).div_ceil(QUANTA_PER_NANO);
/// The table's time begins a second before its clock's, so that an empty slot has been free for long at any `now`.
const LEAD_NS: u64 = 1_000_000_000;

/// The `now` of one decision, on the table's time line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now(Nanos);

impl Now {
    #[inline]
    pub(crate) const fn new(now: Nanos) -> Self {
        const LAST: u64 = Nanos::MAX.0 - LEAD_NS;
        if now.0 <= LAST {
            Self(Nanos::new(now.0 + LEAD_NS))
        } else {
            // Never in 30 years, so that it costs a compare and no dependency.
            cold_path();
            Self(Nanos::MAX)
        }
    }

    /// As the arithmetic of a cell takes it.
    #[inline]
    pub(crate) const fn nanos(self) -> Nanos {
        self.0
    }

    pub(crate) const fn quanta(self) -> u64 {
        // Invariant: at most 30 years, so the product fits.
        self.0.0 * QUANTA_PER_NANO
    }

    /// The latest TAT that is expired by [`GRACE`], and so long that its slot is free.
    pub(crate) const fn horizon(self) -> u64 {
        // Invariant: the lead is longer.
        (self.0.0 - KEPT_NS) * QUANTA_PER_NANO
    }

    /// The least wait, in whole nanoseconds and at least one, until the slot with this last TAT is free.
    pub(crate) const fn until_free(self, tat: u64) -> std::time::Duration {
        let quanta = tat.saturating_sub(self.horizon());
        let nanos = quanta.div_ceil(QUANTA_PER_NANO);
        std::time::Duration::from_nanos(if nanos > 0 { nanos } else { 1 })
    }
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;

    const NUMBERS: [u64; 4] = [0, 1, 77, NUMBER_MAX];

    #[test]
    fn marks_are_told_apart_and_keep_their_numbers() {
        for number in NUMBERS.map(Number) {
            assert_eq!(Word::of(number.reserved()), Word::Reserved);
            assert_eq!(Word::of(number.claimed()), Word::Claimed(number));
            assert_eq!(Word::of(number.killed()), Word::Killed(number));
            // That of the next reservation is a number too, however late.
            let next = Word::Killed(number).free_at(u64::MAX).expect("expired");
            assert_eq!(Word::of(next.reserved()), Word::Reserved);
            assert_eq!(Word::of(next.claimed()), Word::Claimed(next));
        }
        for tat in [0, 1, MARKS - 1] {
            assert_eq!(Word::of(tat), Word::Tat(tat));
        }
    }

    #[test]
    fn a_new_owner_starts_whole_for_any_now_within_the_grace() {
        const { assert!(LEAD_NS > KEPT_NS) };
        // With each way in which a horizon may lie between two numbers: on one of them, a killed slot is one number up.
        for now in 123..123 + NUMBER_UNIT / QUANTA_PER_NANO {
            let now = Now::new(Nanos::new(now));
            let old = Nanos::new(now.nanos().0 - u64::try_from(GRACE.as_nanos()).expect("short"));
            for tat in now.horizon() - 600..=now.horizon() {
                let word = Word::Tat(tat);
                let number = word.free_at(now.horizon()).expect("free");
                assert!(number.fresh_tat() <= old.0 * QUANTA_PER_NANO);
                if let Some(again) = Word::Killed(number).free_at(now.horizon()) {
                    assert!(again.fresh_tat() <= old.0 * QUANTA_PER_NANO);
                }
            }
        }
        assert_eq!(Now::new(Nanos::new(u64::MAX)).nanos(), Nanos::MAX);
    }

    #[test]
    fn numbers_of_one_slot_only_grow() {
        for tat in [0, 1, 255, 256, 257, 1_000_000] {
            let number = Word::Tat(tat).free_at(tat).expect("expired");
            assert!(number.fresh_tat() > tat, "a new owner starts later");
            let killed = Word::Killed(number)
                .free_at(u64::MAX)
                .expect("long expired");
            assert!(killed > number);
            let taken_again = Word::Tat(number.fresh_tat())
                .free_at(u64::MAX)
                .expect("long expired");
            assert!(taken_again > number);
        }
    }

    #[test]
    fn what_is_not_expired_is_not_free() {
        assert_eq!(Word::Tat(1_000).free_at(999), None);
        assert!(Word::Tat(1_000).free_at(1_000).is_some());
        let number = Number(4);
        assert_eq!(Word::Killed(number).free_at(1_023), None);
        assert!(Word::Killed(number).free_at(1_024).is_some());
        assert_eq!(Word::Claimed(number).free_at(u64::MAX), None);
        assert_eq!(Word::Reserved.free_at(u64::MAX), None);
    }

    #[test]
    fn the_wait_for_a_slot_is_the_least() {
        let now = Now::new(Nanos::new(500));
        let tat = now.quanta() + 3;
        let wait = now.until_free(tat);
        let later = |nanos: u64| Now::new(Nanos::new(500 + nanos)).horizon();
        let nanos = u64::try_from(wait.as_nanos()).expect("short");
        assert!(Word::Tat(tat).free_at(later(nanos)).is_some());
        assert!(Word::Tat(tat).free_at(later(nanos - 1)).is_none());
        // Somebody else took it meanwhile: nobody is told to come back at once for ever.
        let least = std::time::Duration::from_nanos(1);
        assert_eq!(now.until_free(now.horizon()), least);
        assert_eq!(now.until_free(0), least);
    }
}
