//! One active slot, or a shared cell: charging it, and taking a charge back.
//!
//! # Protocol
//! A *hit* reads the TAT, then the hash, takes the pure step, and exchanges the TAT for the next one. A slot changes
//! owner only by an exchange of its TAT for a mark, and TATs grow from owner to owner, so where the exchange succeeds
//! the owner was the same all along. A denial, which exchanges nothing, reads the TAT again instead.
//!
//! Two things lower a TAT: backing out, and a reset. After one of these, a later owner may come to the very TAT that
//! somebody read long before. So the hash is looked at once more after the exchange; a charge on a stranger is taken back
//! at once, and the key is looked for anew. So is a reset of a stranger, who was whole until then, and a back-out of one, who had so much
//! more: these alone may let somebody in beyond a limit, and the public pages say so.
//!
//! A *back-out* exchanges the TAT that its charge left for the one that it replaced. If others charged since, the charge
//! is subtracted instead, less the time that has passed since it was made: no more of it can have been refilled.
//!
//! # Synchronization
//! - `word`: exchanged by all. Every load and exchange is Acquire: it reads from a release sequence that starts with
//!   the Release that published the owner's claim, so the hash of that owner or of a later one is seen after it. No
//!   exchange here is Release: the word publishes nothing that these write.
//! - `hash`: written by whoever reserved the slot (Release), read by all. Acquire: who sees the hash of a coming owner
//!   then sees the reservation, so an exchange of the last owner's TAT fails.

use crate::{
    atomic::AtomicU64,
    lines::Slot,
    word::{Now, Word},
};
use tollgate_core::{
    Allowed, Cost, CostExceedsCapacity, Denied, Snapshot,
    gcra::{Gcra, Step},
};
use tollgate_sync::atomic::Ordering::{Acquire, Relaxed};

/// A word that holds the TAT of one key, or of whoever shares it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell<'t> {
    word: &'t AtomicU64,
    /// Where the owner's hash stands, and which it has to be. None for a shared cell.
    owner: Option<(&'t AtomicU64, u64)>,
}

/// What a cell was charged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Charge<'t> {
    cell: Cell<'t>,
    /// The TAT that the charge left.
    own: u64,
    /// The TAT that it replaced.
    before: u64,
    /// When it was made, in quanta.
    made_at: u64,
}

/// What came of a charge.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Charged<'t> {
    Allowed(Allowed, Charge<'t>),
    Denied(Denied),
}

impl<'t> Cell<'t> {
    #[inline]
    pub(crate) const fn of_key(slot: Slot<'t>, hash: u64) -> Self {
        Self {
            word: slot.word,
            owner: Some((slot.hash, hash)),
        }
    }

    pub(crate) const fn shared(word: &'t AtomicU64) -> Self {
        Self { word, owner: None }
    }

    #[inline]
    fn is_own(&self) -> bool {
        match self.owner {
            Some((hash, own)) => hash.load(Acquire) == own,
            None => true,
        }
    }

    /// Charges `cost` at `now`, or denies it; none if the cell is not the key's, or no longer.
    ///
    /// `trusting` is false but for models of what goes wrong otherwise.
    #[inline(always)]
    pub(crate) fn charge(
        &self,
        gcra: &Gcra,
        cost: Cost,
        now: Now,
        trusting: bool,
    ) -> Result<Option<Charged<'t>>, CostExceedsCapacity> {
        // Acquire: see above.
        let mut word = self.word.load(Acquire);
        // Lock-free: an exchange fails only if another's succeeded. A retry reads everything anew.
        loop {
            if !trusting && !self.is_own() {
                return Ok(None);
            }
            // A mark lies further ahead than every tolerance: no step takes from it, and only those need to look for it
            // who take nothing.
            word = match gcra.step(word, now.nanos(), cost)? {
                // Linearization point of `Allowed`: this exchange.
                // Acquire, both: the hash read after it is that of the owner whose TAT was met, or later.
                Step::Take { tat: own, allowed } => {
                    debug_assert!(matches!(Word::of(word), Word::Tat(_)));
                    match self.word.compare_exchange(word, own, Acquire, Acquire) {
                        Ok(_) if trusting || self.is_own() => {
                            let charge = Charge {
                                cell: *self,
                                own,
                                before: word,
                                made_at: now.quanta(),
                            };
                            return Ok(Some(Charged::Allowed(allowed, charge)));
                        }
                        Ok(_) => {
                            self.spare_stranger(own, word);
                            return Ok(None);
                        }
                        Err(seen) => seen,
                    }
                }
                // Linearization point of `Denied`: this load, or the one of the hash.
                Step::Deny(denied) => match (Word::of(word), self.word.load(Acquire)) {
                    (Word::Tat(before), seen) if seen == before => {
                        return Ok(Some(Charged::Denied(denied)));
                    }
                    (Word::Tat(_), seen) => seen,
                    _ => return Ok(None),
                },
            };
        }
    }

    /// Takes a charge on another key back, which nobody answered by. If that key was used meanwhile it keeps
    /// the charge: that only denies.
    #[cold]
    fn spare_stranger(&self, own: u64, before: u64) {
        // Relaxed, both: the word publishes nothing that was written here.
        let _ = self.word.compare_exchange(own, before, Relaxed, Relaxed);
    }

    /// What the cell holds at `now`; none if it is not the key's, or no longer.
    pub(crate) fn peek(&self, gcra: &Gcra, now: Now) -> Option<Snapshot> {
        let mut word = self.word.load(Acquire);
        // Lock-free: the word changes only by another's success.
        loop {
            let Word::Tat(tat) = Word::of(word) else {
                return None;
            };
            if !self.is_own() {
                return None;
            }
            match self.word.load(Acquire) {
                seen if seen == tat => return Some(gcra.snapshot(tat, now.nanos())),
                seen => word = seen,
            }
        }
    }

    /// Makes the cell whole as of `now`, if it is the key's.
    pub(crate) fn reset(&self, now: Now) {
        let whole = now.quanta();
        let mut word = self.word.load(Acquire);
        // Lock-free, as above.
        loop {
            let Word::Tat(tat) = Word::of(word) else {
                return;
            };
            if tat <= whole || !self.is_own() {
                return;
            }
            match self.word.compare_exchange(tat, whole, Acquire, Acquire) {
                Ok(_) if self.is_own() => return,
                Ok(_) => return self.spare_stranger(whole, tat),
                Err(seen) => word = seen,
            }
        }
    }
}

impl<'t> Charge<'t> {
    /// The first charge of a fresh cell.
    pub(crate) const fn first(cell: Cell<'t>, own: u64, before: u64, now: Now) -> Self {
        Self {
            cell,
            own,
            before,
            made_at: now.quanta(),
        }
    }

    /// Takes the charge back, whole if nobody charged the cell since; else all but what may have been refilled
    /// meanwhile, by a `now` read again.
    ///
    /// In quanta, at most the time since the charge was served of it, wherever it stands in the order of charges. What is
    /// left is subtracted, so nothing that was refilled is admitted twice.
    pub(crate) fn back_out(self, now: impl FnOnce() -> Now, storing: bool) {
        let word = self.cell.word;
        if storing {
            return word.store(self.before, Relaxed);
        }
        // Linearization point of a whole back-out. Acquire, both: the hash is looked at after it.
        let mut seen = match word.compare_exchange(self.own, self.before, Acquire, Acquire) {
            Ok(_) if self.cell.is_own() => return,
            Ok(_) => return self.cell.spare_stranger(self.before, self.own),
            Err(seen) => seen,
        };
        let now = now().quanta().max(self.made_at);
        let need = self.own - self.before.max(self.made_at);
        let left = need.saturating_sub(now - self.made_at);
        // Lock-free: an exchange fails only if another's succeeded.
        while let Word::Tat(tat) = Word::of(seen) {
            // After a reset there may be less.
            let back = left.min(tat.saturating_sub(now));
            if back == 0 || !self.cell.is_own() {
                return;
            }
            match word.compare_exchange(tat, tat - back, Acquire, Acquire) {
                Ok(_) if self.cell.is_own() => return,
                Ok(_) => return self.cell.spare_stranger(tat - back, tat),
                Err(other) => seen = other,
            }
        }
    }
}

#[cfg(model_loom)]
pub mod models;

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;
    use crate::{overflow::Overflow, table::Table};
    use std::time::Duration;
    use tollgate_core::{Limit, Nanos};

    const KEY: u64 = 7;
    const OTHER: u64 = 8;
    const NOW: Nanos = Nanos::new(5_000_000_000);

    /// A slot of the key, under a limit of five units, and one a second.
    struct One {
        table: Table,
        gcra: Gcra,
    }

    impl One {
        fn new() -> Self {
            let limit = Limit::per_second(1).with_capacity(5);
            let one = Self {
                table: Table::new(1, 1, Overflow::Deny, None).expect("a line"),
                gcra: Gcra::new(limit).expect("a limit"),
            };
            one.slot().hash.store(KEY, Relaxed);
            one
        }

        fn slot(&self) -> Slot<'_> {
            let mut slots = self.table.place(KEY).candidates();
            slots.next().expect("four")
        }

        fn cell(&self) -> Cell<'_> {
            Cell::of_key(self.slot(), KEY)
        }

        fn charge(&self, units: u64) -> Charge<'_> {
            let cost = Cost::new(units).expect("a cost");
            match self.cell().charge(&self.gcra, cost, Now::new(NOW), false) {
                Ok(Some(Charged::Allowed(_, charge))) => charge,
                other => panic!("{other:?}"),
            }
        }

        /// How long after `now` the cell is whole again.
        fn whole_after(&self, now: Now) -> Duration {
            let seen = self.cell().peek(&self.gcra, now);
            seen.expect("it is the key's").reset_after()
        }
    }

    #[test]
    fn a_back_out_behind_others_gives_back_what_cannot_have_been_refilled() {
        // After one unit or none, two are taken, and one more; of the two somebody backs out, so many milliseconds later.
        for before in [0, 1_000] {
            for (late, back) in [(0, 2_000), (600, 1_400), (1_999, 1), (2_000, 0), (2_900, 0)] {
                let one = One::new();
                if before > 0 {
                    one.charge(1);
                }
                let charge = one.charge(2);
                one.charge(1);
                let now = Now::new(NOW + Duration::from_millis(late));
                charge.back_out(|| now, false);
                let left = before + 3_000 - late - back;
                assert_eq!(one.whole_after(now), Duration::from_millis(left));
            }
        }
    }

    #[test]
    fn a_back_out_alone_gives_back_all_whenever_it_comes() {
        for late in [0, 1_500] {
            let one = One::new();
            one.charge(1);
            let now = Now::new(NOW + Duration::from_millis(late));
            one.charge(2).back_out(|| now, false);
            assert_eq!(one.whole_after(Now::new(NOW)), Duration::from_secs(1));
        }
    }

    #[test]
    fn a_back_out_of_a_key_that_is_gone_leaves_the_next_owner() {
        for more in [0, 1, 1_000_000] {
            let one = One::new();
            let charge = one.charge(2);
            // Another key has the slot by now, used up to the very instant to which this one was, or to a later one.
            let slot = one.slot();
            let tat = slot.word.load(Relaxed) + more;
            slot.hash.store(OTHER, Relaxed);
            slot.word.store(tat, Relaxed);
            charge.back_out(|| Now::new(NOW), false);
            assert_eq!(slot.word.load(Relaxed), tat);
        }
    }

    #[test]
    fn another_keys_slot_gives_no_answer_and_loses_nothing() {
        for units in [1, 5] {
            let one = One::new();
            one.charge(units);
            let slot = one.slot();
            let tat = slot.word.load(Relaxed);
            let stranger = Cell::of_key(slot, OTHER);
            let now = Now::new(NOW);
            let charged = stranger.charge(&one.gcra, Cost::ONE, now, false);
            assert!(charged.expect("it fits").is_none());
            assert!(stranger.peek(&one.gcra, now).is_none());
            stranger.reset(now);
            assert_eq!(slot.word.load(Relaxed), tat);
        }
    }
}
