//! A slot for a key that has none: the claim.
//!
//! # Protocol
//! Any number of callers may bring the same new key at once, each seeing other slots as free, and the key must not
//! get two. A round goes:
//!
//! 1. *Look* at all candidate slots. If one is active for the hash, use it. If there are claims of the hash, the
//!    one at the lowest position is the *target*.
//! 2. If there is none, make one: *reserve* a free slot by exchanging its word for a mark, store the hash, *publish* the
//!    claim. While the slot is reserved its hash may still be the last owner's; nobody takes it for anything.
//! 3. *Fence*.
//! 4. Look at all other candidate slots again. If one is active for the hash, or there is a claim at a lower position,
//!    go back to 1. *Kill* each other claim of the hash by exchange; if that fails, go back to 1.
//! 5. *Activate* the target: exchange its mark for the first TAT, which includes the caller's cost. If that fails
//!    somebody else finished it, or killed it: back to 1.
//!
//! Whoever leaves with anything but its own claim activated kills it (*withdraws*), so no claim stays behind. A
//! thread that dies between reserving and publishing takes that one slot out of use; after publishing, whoever brings
//! the key next finishes the claim.
//!
//! # Why a key never gets two
//! Suppose claims p and q of one hash were both activated, p by A and q by B. Each saw its target before its own fence,
//! and looked after it. Of the two fences one comes first in their single order, say A's: whatever A saw before it, B sees,
//! or something later, when it looks. So B saw the claim p, and killed it or went back; or p active, and went back;
//! or p after it was killed, by which A failed; or p after it was active, expired and taken by another key. So p and
//! q were not active at once. Of the two exchanges that end a claim, to activate and to kill, exactly one
//! succeeds; the number in a mark is used once in a slot, so an exchange never meets another claim than the one that was
//! seen. This is also why a claim first met in step 4 may be killed there but not activated: it was not seen before
//! the fence.
//!
//! # Synchronization
//! - `word`, reserving: Relaxed. The store of the hash that follows is Release, so that whoever reads the new hash and
//!   then the word sees the reservation, and takes the hash for nobody's.
//! - `word`, publishing: Release; pairs with the Acquire of all who read it or any exchange after it, who
//!   then read this hash or a later one.
//! - `word`, killing and activating: Relaxed. Both are exchanges, so they go on with the release sequence of the
//!   publication; they publish nothing else.
//! - The fences are SeqCst: between the store that publishes one's own claim and the loads that look for others', nothing
//!   weaker stands. Without them two callers each look before the other's claim is visible, and both activate.

use crate::{
    cell::{Cell, Charge, Charged},
    choice::Choice,
    lines::{SLOTS, Slot, slots},
    place::Place,
    planted::Flaw,
    table::{Answer, Ask, Table},
    word::{GRACE, Number, Word},
};
use std::time::Duration;
use tollgate_core::{CostExceedsCapacity, gcra::Step};
use tollgate_sync::atomic::{
    Ordering::{Acquire, Relaxed, Release, SeqCst},
    fence,
};

/// The most rounds of one call. Alone, a caller needs one. Each further one is owed to another caller of the same key
/// or of the same slots that got ahead, so this many are unheard of; then the key is treated as one that
/// finds no slot.
const ROUNDS_MAX: usize = if cfg!(model_loom) { 4 } else { 32 };

/// A published claim.
#[derive(Clone, Copy, Debug)]
struct Claim<'t> {
    position: usize,
    slot: Slot<'t>,
    number: Number,
}

impl Claim<'_> {
    /// Kills the claim; false if it was killed or activated before.
    fn kill(&self) -> bool {
        self.slot
            .word
            .compare_exchange(
                self.number.claimed(),
                self.number.killed(),
                Relaxed,
                Relaxed,
            )
            .is_ok()
    }
}

/// A slot that may be reserved: it still has to hold this word.
#[derive(Clone, Copy, Debug)]
struct Free<'t> {
    position: usize,
    slot: Slot<'t>,
    word: u64,
    number: Number,
}

/// A slot whose claim is not published yet.
#[derive(Clone, Copy, Debug)]
struct Reserved<'t>(Claim<'t>);

/// What a look over the candidates finds first of these.
enum Sight<'t> {
    Active(Slot<'t>),
    Claimed(Claim<'t>),
    Free(Free<'t>),
    /// All slots are live: the least wait until one is not.
    Full(Duration),
}

impl Table {
    /// Charges a key that was found in none of its candidates: gives it a slot, or finds it after all.
    pub(crate) fn claim<'t>(
        &self,
        place: Place<'t>,
        ask: &Ask<'_>,
    ) -> Result<Answer<'t>, CostExceedsCapacity> {
        // What can never pass is no reason to take a slot.
        let _ = ask.gcra.snapshot(0, ask.now.nanos()).ask(ask.cost)?;
        let mut own = None;
        let answer = self.rounds(place, ask, &mut own);
        if let Some(own) = own {
            // False if another activated the claim, or killed it: either way none is left.
            Claim::kill(&own);
        }
        answer
    }

    /// Goes round until there is an answer, from step 3 if there is a claim of the caller's `own` already.
    fn rounds<'t>(
        &self,
        place: Place<'t>,
        ask: &Ask<'_>,
        own: &mut Option<Claim<'t>>,
    ) -> Result<Answer<'t>, CostExceedsCapacity> {
        let mut published = *own;
        for _ in 0..ROUNDS_MAX {
            let target = match published.take() {
                Some(claim) => claim,
                None => match self.look(place, ask) {
                    Sight::Active(slot) => match self.hit(slot, ask)? {
                        Some(charged) => return Ok(Answer::Charged(charged)),
                        None => continue,
                    },
                    Sight::Claimed(claim) => claim,
                    Sight::Free(free) => match self.reserve(free) {
                        Some(reserved) => *own.insert(self.publish(reserved, ask.hash)),
                        None => continue,
                    },
                    Sight::Full(wait) => return Ok(Answer::Full(wait)),
                },
            };
            if let Some(answer) = self.finish(place, ask, target, own)? {
                return Ok(answer);
            }
        }
        Ok(Answer::Full(GRACE))
    }

    /// Step 1.
    fn look<'t>(&self, place: Place<'t>, ask: &Ask<'_>) -> Sight<'t> {
        let horizon = ask.now.horizon();
        let mut claim = None;
        let mut choice = Choice::new();
        let mut frees_at = u64::MAX;
        for (way, line) in place.candidate_lines().enumerate() {
            let (mut room, mut first) = (0, None);
            for (number, slot) in slots(line).enumerate() {
                let position = way * SLOTS + number;
                // Acquire: the hash that is read next is that of the word's owner, or of a later one. Then whatever is exchanged
                // fails, so that needs no more than to be looked at: Relaxed. A hit looks at both anew.
                let raw = slot.word.load(Acquire);
                let word = Word::of(raw);
                match word {
                    Word::Tat(_) if slot.hash.load(Relaxed) == ask.hash => {
                        return Sight::Active(slot);
                    }
                    Word::Claimed(number) if slot.hash.load(Relaxed) == ask.hash => {
                        claim = claim.or(Some(Claim {
                            position,
                            slot,
                            number,
                        }));
                    }
                    _ => {}
                }
                frees_at = frees_at.min(word.frees_at().unwrap_or(u64::MAX));
                if let Some(number) = word.free_at(horizon) {
                    room += 1;
                    first = first.or(Some(Free {
                        position,
                        slot,
                        word: raw,
                        number,
                    }));
                }
            }
            choice.line(room, first);
        }
        match (claim, choice.slot()) {
            (Some(claim), _) => Sight::Claimed(claim),
            (None, Some(free)) => Sight::Free(free),
            // Claims under way end at once, one way or the other; nobody knows which.
            (None, None) if frees_at == u64::MAX => Sight::Full(GRACE),
            (None, None) => Sight::Full(ask.now.until_free(frees_at)),
        }
    }

    /// Step 2, first half: the slot, unless somebody else took it or used it.
    fn reserve<'t>(&self, free: Free<'t>) -> Option<Reserved<'t>> {
        let Free {
            position,
            slot,
            word,
            number,
        } = free;
        // Relaxed, both: see above. The owner of an expired TAT may be using it: one of the two exchanges succeeds.
        slot.word
            .compare_exchange(word, number.reserved(), Relaxed, Relaxed)
            .ok()?;
        Some(Reserved(Claim {
            position,
            slot,
            number,
        }))
    }

    /// Step 2, second half.
    fn publish<'t>(&self, Reserved(claim): Reserved<'t>, hash: u64) -> Claim<'t> {
        // Release: pairs with the Acquire of all who read the hash; they see the reservation.
        claim.slot.hash.store(hash, Release);
        // Release: pairs with the Acquire of all who read the word, now or after an exchange; they see the hash.
        // A store will do: nobody exchanges the mark of a reservation.
        claim.slot.word.store(claim.number.claimed(), Release);
        claim
    }

    /// Steps 3 to 5; none if they have to be gone through again.
    fn finish<'t>(
        &self,
        place: Place<'t>,
        ask: &Ask<'_>,
        target: Claim<'t>,
        own: &mut Option<Claim<'t>>,
    ) -> Result<Option<Answer<'t>>, CostExceedsCapacity> {
        if !self.planted(Flaw::NoFence) {
            // SeqCst: the target was seen before, and others look after theirs; see the head of this module.
            fence(SeqCst);
        }
        let Some(target) = self.clear_way(place, target, ask.hash) else {
            return Ok(None);
        };
        let before = target.number.fresh_tat();
        let (tat, allowed) = match ask.gcra.step(before, ask.now.nanos(), ask.cost)? {
            Step::Take { tat, allowed } => (tat, allowed),
            // Another key used the slot after this caller's `now`, which is older than the grace allows.
            Step::Deny(denied) => return Ok(Some(Answer::Charged(Charged::Denied(denied)))),
        };
        let (word, mark) = (target.slot.word, target.number.claimed());
        if self.planted(Flaw::StoreOnActivate) {
            word.store(tat, Relaxed);
        } else if word.compare_exchange(mark, tat, Relaxed, Relaxed).is_err() {
            return Ok(None);
        }
        // Linearization point of the new key, and of `Allowed`: the exchange. Relaxed, both: see above.
        // Of the caller's own claim nothing is left to withdraw.
        *own = own.filter(|own| (own.position, own.number) != (target.position, target.number));
        let cell = Cell::of_key(target.slot, ask.hash);
        let charge = Charge::first(cell, tat, before, ask.now);
        Ok(Some(Answer::Charged(Charged::Allowed(allowed, charge))))
    }

    /// Step 4: `target`, if nothing is in its way any more.
    fn clear_way<'t>(&self, place: Place<'t>, target: Claim<'t>, hash: u64) -> Option<Claim<'t>> {
        for (position, slot) in place.candidates().enumerate() {
            // If it is gone, the exchange that is to activate it fails.
            if position == target.position {
                continue;
            }
            // Relaxed, all: after the fence one sees what those whose fence came first had seen, or later. A hash that is later
            // than its word only fails an exchange, or sends one back.
            match Word::of(slot.word.load(Relaxed)) {
                Word::Tat(_) if slot.hash.load(Relaxed) == hash => return None,
                Word::Claimed(number) if slot.hash.load(Relaxed) == hash => {
                    let other = Claim {
                        position,
                        slot,
                        number,
                    };
                    if position < target.position {
                        if self.planted(Flaw::FinishUnseen) {
                            target.kill();
                            return Some(other);
                        }
                        return None;
                    }
                    if !self.planted(Flaw::NoKill) && !other.kill() {
                        return None;
                    }
                }
                _ => {}
            }
        }
        Some(target)
    }
}

#[cfg(model_loom)]
pub mod models;

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;
    use crate::{overflow::Overflow, word::Now};
    use tollgate_core::{Cost, Limit, Nanos, gcra::Gcra};

    const KEY: u64 = 7;
    const OTHER: u64 = 8;
    const NOW: Nanos = Nanos::new(5_000_000_000);

    /// What is in a slot.
    #[derive(Debug, PartialEq, Eq)]
    enum Seen {
        Empty,
        Active(u64),
        Claimed(u64),
        Killed,
        Reserved,
    }
    use Seen::{Active, Claimed, Empty, Killed};

    /// A line of four slots.
    fn line() -> Table {
        Table::new(1, 1, Overflow::Deny, None).expect("a line")
    }

    fn seen(table: &Table) -> Vec<Seen> {
        let one = |slot: Slot<'_>| {
            let hash = slot.hash.load(Relaxed);
            match Word::of(slot.word.load(Relaxed)) {
                Word::Tat(0) => Empty,
                Word::Tat(_) => Active(hash),
                Word::Claimed(_) => Claimed(hash),
                Word::Killed(_) => Killed,
                Word::Reserved => Seen::Reserved,
            }
        };
        table.place(KEY).candidates().map(one).collect()
    }

    fn reserve(table: &Table, position: usize) -> Reserved<'_> {
        let slot = table.place(KEY).candidates().nth(position).expect("four");
        let number = Word::of(0).free_at(0).expect("an empty slot");
        let free = Free {
            position,
            slot,
            word: 0,
            number,
        };
        table.reserve(free).expect("nobody else is there")
    }

    /// A claim of somebody who was never seen again.
    fn publish(table: &Table, position: usize, hash: u64) -> Claim<'_> {
        table.publish(reserve(table, position), hash)
    }

    /// What the key is told, whose limit is of one unit.
    fn ask(table: &Table) -> Answer<'_> {
        let gcra = Gcra::new(Limit::per_hour(1)).expect("a limit");
        let ask = Ask {
            hash: KEY,
            gcra: &gcra,
            cost: Cost::ONE,
            now: Now::new(NOW),
        };
        table.charge(table.place(KEY), 0, &ask).expect("it fits")
    }

    fn takes(table: &Table) -> bool {
        matches!(ask(table), Answer::Charged(Charged::Allowed(..)))
    }

    #[test]
    fn a_claim_whose_caller_died_is_finished_by_the_next() {
        let table = line();
        publish(&table, 1, KEY);
        assert!(takes(&table));
        assert_eq!(seen(&table), [Empty, Active(KEY), Empty, Empty]);
        assert!(!takes(&table));
    }

    #[test]
    fn of_several_claims_the_first_is_finished_and_the_others_are_killed() {
        let table = line();
        for position in 1..4 {
            publish(&table, position, KEY);
        }
        assert!(takes(&table));
        assert_eq!(seen(&table), [Empty, Active(KEY), Killed, Killed]);
        assert!(!takes(&table));
    }

    #[test]
    fn claims_of_other_keys_are_left_alone() {
        let table = line();
        publish(&table, 0, OTHER);
        publish(&table, 2, OTHER + 1);
        assert!(takes(&table));
        let expected = [Claimed(OTHER), Active(KEY), Claimed(OTHER + 1), Empty];
        assert_eq!(seen(&table), expected);
    }

    #[test]
    fn a_claim_gives_way_to_one_in_front_of_it_and_to_a_slot_in_use() {
        let table = line();
        let (front, target) = (publish(&table, 1, KEY), publish(&table, 2, KEY));
        let place = table.place(KEY);
        assert!(table.clear_way(place, target, KEY).is_none());
        assert_eq!(seen(&table), [Empty, Claimed(KEY), Claimed(KEY), Empty]);
        for position in [0, 3] {
            let table = line();
            let target = publish(&table, 2, KEY);
            let slot = table.place(KEY).candidates().nth(position).expect("four");
            slot.hash.store(KEY, Relaxed);
            assert!(table.clear_way(table.place(KEY), target, KEY).is_none());
            slot.hash.store(OTHER, Relaxed);
            assert!(table.clear_way(table.place(KEY), target, KEY).is_some());
        }
        assert!(front.kill());
        assert!(table.clear_way(place, target, KEY).is_some());
    }

    #[test]
    fn a_claim_is_killed_once() {
        let table = line();
        let claim = publish(&table, 0, KEY);
        assert!(claim.kill());
        assert!(!claim.kill());
        assert!(takes(&table), "its slot is free again");
        assert!(!claim.kill(), "it is no longer this claim");
        assert!(!takes(&table));
    }

    #[test]
    fn a_new_key_among_slots_that_others_are_claiming_is_told_to_wait_the_grace() {
        let table = line();
        for position in 0..3 {
            reserve(&table, position);
        }
        publish(&table, 3, OTHER);
        assert!(matches!(ask(&table), Answer::Full(GRACE)));
        assert_eq!(seen(&table)[3], Claimed(OTHER));
    }
}
