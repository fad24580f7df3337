//! The lowest backlog since a charge: a short record of recent charges.
//!
//! Each charge that sees a backlog records it, before its exchange, in a slot named by its number. Level 0 has
//! a slot for each of the last charges, level 1 for each group of eight, level 2 for each group of 64, and so on:
//! old charges share a slot, which keeps the minimum. So what is said of a recent receipt is exact, and what is
//! said of an old one errs towards a lower backlog, which refunds less. The first charge after a group is complete
//! *rolls it up*: it reads the group's eight slots and records their minimum one level higher, before its exchange too.
//! Nobody asks here beyond a charge that saw no backlog, which ended whatever was to come back of those before it: so its
//! slot need not be there, and neither the roll-up that would have been its task.
//!
//! A refund lowers the backlog that later charges ought to have seen. Instead of lowering their records, a record
//! holds `backlog + R`, where R is the sum of all refunds when it was made, and a reader subtracts the R of its
//! own time. That subtracts refunds of receipts charged after the record too, which the record never saw; so each
//! slot sums the refunds of *its* receipts, and the reader adds those of later receipts back.
//!
//! # Synchronization
//! - `low` (tag, minimum): written by chargers before their exchange of the meter's word (Release), read after a
//!   load of that word (Acquire): all charges up to the number in the word, since the last that saw no backlog, are
//!   recorded, and all groups that were complete between the two. A charger that comes too late to roll up finds a slot of a newer group; then
//!   others have done so, and its exchange will fail.
//! - `refunds` (tag, sum): raised (Release) after the refund was counted in the meter's `started`; read (Acquire)
//!   before `started`. So what is added back was subtracted before.
//!
//! Sums are kept modulo 2^64; the meter refuses to refund a receipt since whose charge 2^62 were refunded.

use std::sync::OnceLock;
use tollgate_sync::atomic::{AtomicU128, Ordering::*};

/// Charges of one slot on a level, over those of one on the level below, in bits.
const RATIO_BITS: u32 = 3;
/// Levels: with 512 slots, the last two million charges.
const LEVELS: usize = 5;
/// Slots that are made at once.
const CHUNK: usize = 16;
/// Right shift from a charge's number to its group's, by level.
const SHIFT: [u32; LEVELS] = [
    0,
    RATIO_BITS,
    2 * RATIO_BITS,
    3 * RATIO_BITS,
    4 * RATIO_BITS,
];

/// How many charges a meter tells apart before they share slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// 16, in half a KiB: for costs that are settled as they were estimated.
    Short,
    /// 512, in half a KiB for every 16 of them: for costs that are settled later.
    Long,
}

#[derive(Debug)]
pub(super) struct History {
    slots: u64,
    levels: [OnceLock<Level>; LEVELS],
}

/// Slots of one level, made as they are first needed.
type Level = Box<[OnceLock<Box<Chunk>>]>;

/// A few slots. What every charge writes lies apart from what only refunds do.
#[derive(Debug, Default)]
struct Chunk {
    /// High half: number of the group plus one. Low half: its minimum of `backlog + R`.
    low: [AtomicU128; CHUNK],
    /// High half: number of the group plus one. Low half: refunds of its receipts.
    refunds: [AtomicU128; CHUNK],
}

/// One slot of a chunk.
#[derive(Clone, Copy, Debug)]
struct Slot<'a> {
    low: &'a AtomicU128,
    refunds: &'a AtomicU128,
}

const fn pack(tag: u64, value: u64) -> u128 {
    ((tag as u128) << 64) | value as u128
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves")]
const fn unpack(word: u128) -> (u64, u64) {
    ((word >> 64) as u64, word as u64)
}

/// True if `a` comes before `b` on the circle of 2^64.
const fn before(a: u64, b: u64) -> bool {
    a.wrapping_sub(b) >= 1 << 63
}

/// The lesser of two records.
const fn lesser(a: u64, b: u64) -> u64 {
    if before(a, b) { a } else { b }
}

impl History {
    pub(super) fn new(depth: Depth) -> Self {
        let slots = match depth {
            Depth::Short => 16,
            // A model's few charges must meet shared slots too.
            Depth::Long if cfg!(model_loom) => 16,
            Depth::Long => 512,
        };
        let history = Self {
            slots,
            levels: std::array::from_fn(|_| OnceLock::new()),
        };
        if cfg!(model_loom) {
            // The checker does not see through a `OnceLock`: what it is to check is made before threads are.
            (0..slots).for_each(|group| history.make(0, group));
        }
        history
    }

    /// The charge at which `level` begins: halfway through what the level below can hold.
    const fn first(&self, level: usize) -> u64 {
        if level == 0 {
            0
        } else {
            (self.slots / 2) << SHIFT[level - 1]
        }
    }

    #[inline]
    fn slot(&self, level: usize, group: u64) -> Option<Slot<'_>> {
        let slot = usize::try_from(group & (self.slots - 1)).ok()?;
        let chunk = self.levels[level].get()?.get(slot / CHUNK)?.get()?;
        Some(Slot {
            low: &chunk.low[slot % CHUNK],
            refunds: &chunk.refunds[slot % CHUNK],
        })
    }

    /// What the eight groups from `first` on, a multiple of eight, have in their slots: they lie in one chunk.
    fn eight(&self, level: usize, first: u64) -> Option<&[AtomicU128]> {
        const { assert!(CHUNK.is_multiple_of(1 << RATIO_BITS)) };
        let slot = usize::try_from(first & (self.slots - 1)).ok()?;
        let chunk = self.levels[level].get()?.get(slot / CHUNK)?.get()?;
        let place = slot % CHUNK;
        chunk.low.get(place..place + (1 << RATIO_BITS))
    }

    /// As [`slot`](Self::slot), made if it is not there.
    #[inline]
    fn slot_or_made(&self, level: usize, group: u64) -> Option<Slot<'_>> {
        let slot = self.slot(level, group);
        if slot.is_some() {
            return slot;
        }
        self.make(level, group);
        self.slot(level, group)
    }

    /// Makes the slot of `group` on `level`. Built first, put after: nobody waits for another's allocation.
    #[cold]
    fn make(&self, level: usize, group: u64) {
        let slots = usize::try_from(self.slots).unwrap_or(CHUNK);
        let slot = usize::try_from(group & (self.slots - 1)).unwrap_or(0);
        if self.levels[level].get().is_none() {
            let _ = self.levels[level].set((0..slots / CHUNK).map(|_| OnceLock::new()).collect());
        }
        if let Some(chunk) = self.levels[level]
            .get()
            .and_then(|chunks| chunks.get(slot / CHUNK))
        {
            let _ = chunk.set(Box::default());
        }
    }

    /// Records that charge `seq` saw `value`, before it is charged. Races leave the least value seen.
    #[inline]
    pub(super) fn note(&self, seq: u64, value: u64) {
        if let Some(slot) = self.slot_or_made(0, seq) {
            slot.note(seq + 1, value);
        }
        if seq & ((1 << RATIO_BITS) - 1) == 0 {
            self.roll_up(seq);
        }
    }

    /// Records the groups that the charge before `seq` completed; on a level that begins, all that came before, too.
    #[cold]
    fn roll_up(&self, seq: u64) {
        for (level, &shift) in SHIFT.iter().enumerate().skip(1) {
            let complete = seq & ((1 << shift) - 1) == 0;
            if !complete || seq < self.first(level) {
                return;
            }
            let end = seq >> shift;
            let begins = if seq == self.first(level) { 0 } else { end - 1 };
            for group in begins..end {
                // Where one is missing, its charge saw no backlog, or was a reset; or it belongs to a newer group by
                // now: then those who came before have rolled up all of them.
                let first = group << RATIO_BITS;
                let low = self.eight(level - 1, first).and_then(|parts| {
                    let lows = (first + 1..).zip(parts);
                    lows.filter_map(|(tag, low)| low_of(low, tag))
                        .reduce(lesser)
                });
                if let (Some(low), Some(slot)) = (low, self.slot_or_made(level, group)) {
                    slot.note(group + 1, low);
                }
            }
        }
    }

    /// Counts a refund of `amount` to the receipt of charge `seq`. What a level does not count before it begins only
    /// refunds less.
    pub(super) fn refunded(&self, seq: u64, amount: u64) {
        for (level, &shift) in SHIFT.iter().enumerate() {
            let group = seq >> shift;
            let slot = if group << shift < self.first(level) {
                self.slot(level, group)
            } else {
                self.slot_or_made(level, group)
            };
            match slot {
                Some(slot) => slot.refunded(group + 1, amount),
                None => return,
            }
        }
    }

    /// The least of `record + refunds of receipts charged since` over the charges after `seq` and before `end`, as
    /// a distance from `base`; none if a slot was lost to newer charges. The largest number if there was none.
    pub(super) fn lowest(&self, seq: u64, end: u64, base: u64) -> Option<i64> {
        let mut lowest = i64::MAX;
        let mut since = 0u64;
        // Charges from `seen` on are looked at.
        let mut seen = end;
        if end <= seq + 1 {
            return Some(lowest);
        }
        for (level, &shift) in SHIFT.iter().enumerate() {
            let newest = (end - 1) >> shift;
            let oldest = (newest + 1).saturating_sub(self.slots);
            // The next level takes over at a border of its own, so that no refund is added twice.
            let next = shift + RATIO_BITS;
            let stop = (oldest << shift).div_ceil(1 << next) << next;
            while seen > stop {
                if seen <= seq + 1 {
                    return Some(lowest);
                }
                let group = (seen - 1) >> shift;
                seen = group << shift;
                let slot = self.slot(level, group)?;
                let low = slot.low(group + 1)?;
                let own = slot.refunds(group + 1);
                // A slot of one charge: its own receipt was charged with it, not before. In a slot of several,
                // some may have been charged before the record that is the minimum.
                let later = if level == 0 {
                    since.wrapping_add(own)
                } else {
                    since
                };
                lowest = lowest.min(low.wrapping_add(later).wrapping_sub(base).cast_signed());
                since = since.wrapping_add(own);
            }
        }
        (seen <= seq + 1).then_some(lowest)
    }
}

/// The minimum of a slot, if it is of the group with `tag`.
#[inline]
fn low_of(low: &AtomicU128, tag: u64) -> Option<u64> {
    // Relaxed: made visible by the load of the meter's word (Acquire) before it.
    let (group, low) = unpack(low.load(Relaxed));
    (group == tag).then_some(low)
}

impl Slot<'_> {
    #[inline]
    fn note(self, tag: u64, value: u64) {
        // Relaxed: a stale word only costs a failed exchange.
        let mut held = self.low.load(Relaxed);
        loop {
            let (group, low) = unpack(held);
            // Another group's, newer: this charge was numbered long ago, its exchange will fail.
            let newer = group != 0 && before(tag, group);
            if newer || (group == tag && !before(value, low)) {
                return;
            }
            // Relaxed: published by the exchange of the meter's word that follows (Release).
            match self
                .low
                .compare_exchange_weak(held, pack(tag, value), Relaxed, Relaxed)
            {
                Ok(_) => return,
                Err(found) => held = found,
            }
        }
    }

    fn low(self, tag: u64) -> Option<u64> {
        low_of(self.low, tag)
    }

    fn refunded(self, tag: u64, amount: u64) {
        let mut held = self.refunds.load(Relaxed);
        loop {
            let (group, sum) = unpack(held);
            if group != 0 && before(tag, group) {
                return;
            }
            let sum = if group == tag {
                sum.wrapping_add(amount)
            } else {
                amount
            };
            // Release: pairs with the Acquire in `refunds`; a reader of this sum sees it in `started` too.
            match self
                .refunds
                .compare_exchange_weak(held, pack(tag, sum), Release, Relaxed)
            {
                Ok(_) => return,
                Err(found) => held = found,
            }
        }
    }

    fn refunds(self, tag: u64) -> u64 {
        // Acquire: pairs with the Release in `refunded`.
        let (group, sum) = unpack(self.refunds.load(Acquire));
        if group == tag { sum } else { 0 }
    }
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn each_level_has_eight_groups_of_the_one_below_in_one() {
        assert!(SHIFT.windows(2).all(|pair| pair[1] == pair[0] + RATIO_BITS));
        assert_eq!((SHIFT[0], 1 << RATIO_BITS), (0, 8));
    }

    /// An account of few charges, each settled, is to cost half a KiB, not that on each of five levels.
    #[test]
    fn a_refund_makes_no_slot_of_a_level_before_its_charge_is_one_of_it() {
        for depth in [Depth::Short, Depth::Long] {
            for level in 1..LEVELS {
                let history = History::new(depth);
                history.refunded(history.first(level) - 1, 1);
                assert!(history.levels[level].get().is_none(), "{depth:?}, {level}");
            }
        }
    }

    /// The slot of its group is made when the group is complete, unless a refund comes sooner.
    #[test]
    fn a_refund_counts_in_its_group_before_the_group_is_complete() {
        for (level, shift) in (0..).zip(SHIFT).skip(1) {
            let history = History::new(Depth::Long);
            let first = history.first(level);
            for seq in [first, first + (1 << shift)] {
                let group = seq >> shift;
                history.refunded(seq, 7);
                let slot = history.slot(level, group);
                let counted = slot.map(|slot| slot.refunds(group + 1));
                assert_eq!(counted, Some(7), "level {level}, charge {seq}");
            }
        }
    }

    /// The slots of the last level begin to be used again, and what is left on record is all that came since one border.
    #[test]
    fn the_oldest_charge_that_can_be_told_of_is_the_last_before_those_on_record() {
        let history = History::new(Depth::Short);
        let shift = SHIFT[LEVELS - 1];
        let (border, end) = (1 << (shift + RATIO_BITS), (history.slots + 1) << shift);
        for seq in 0..end {
            history.note(seq, if seq < border { 1 } else { 2 });
        }
        assert_eq!(history.lowest(border - 1, end, 0), Some(2));
        assert_eq!(history.lowest(0, end, 0), None);
    }

    #[test]
    fn an_old_charge_is_bound_by_its_group_and_by_no_charge_before_that() {
        let history = History::new(Depth::Short);
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut values = Vec::new();
        for end in 1..=3_000_usize {
            let seq = end as u64 - 1;
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            // One that sees no backlog takes a number and records nothing.
            if seq < 900 && state.is_multiple_of(97) {
                values.push(u64::MAX);
            } else {
                values.push(1_000 + state % 1_000_000);
                history.note(seq, 1_000 + state % 1_000_000);
            }
            for (distance, group) in [
                (1, 1),
                (7, 1),
                (8, 1),
                (30, 8),
                (64, 8),
                (65, 64),
                (512, 64),
                (2_000, 512),
            ] {
                let Some(of) = end.checked_sub(distance + 1) else {
                    continue;
                };
                if values[of + 1..].contains(&u64::MAX) {
                    // Nobody asks beyond it.
                    continue;
                }
                let least = |from: usize| values[from..].iter().min().copied().unwrap();
                let lowest = history
                    .lowest(of as u64, end as u64, 0)
                    .unwrap()
                    .unsigned_abs();
                let (own, shared) = (least(of + 1), least((of + 1) / group * group));
                assert!(lowest <= own, "{of} of {end}: {lowest} is above {own}");
                assert!(
                    lowest >= shared,
                    "{of} of {end}: {lowest} is below {shared}"
                );
            }
        }
    }
}
