//! Where units come from: the parent cell, and the words of stock that are set aside out of the capacity.
//!
//! Protocol. Of a capacity C the parent has `C - S × k`, and each of the S words room for k units (see `stock`). A
//! caller whose own stock does not cover its cost
//! 1. looks: it reads the clock and loads the parent;
//! 2. if the parent alone has enough, *draws*: it speaks for room in its own word, **then** reads the clock again,
//!    **then** asks the parent for its cost and for what fits the room, in one exchange, and fills the room;
//! 3. else adds up all stock, by loads. If that is too little it is denied, and nothing was written;
//! 4. else *gathers*: it picks up what the parent lacks from the words, its own first, reads the clock again and
//!    asks the parent for the rest, exactly. Units in hand keep their room in their words until they are used.
//!
//! A draw or a gathering that lost a race puts back what it had in hand and looks again, a few times. Only words
//! are ever put back to: a word's room was kept, whereas a TAT moved ahead cannot be moved back once others
//! moved it too. That is why the words come before the parent.
//!
//! Why the first law holds without slack. From `a` through `b`, units admitted came from (i) words and hands as they
//! were at `a`: at most `S × k`, since room is spoken for before its unit is asked for; or (ii) the parent, by a stamp
//! from `a` through `b`: at most `C - S × k + rate × (b - a)`. There is no third kind: a unit drawn with a stamp before
//! `a` for room spoken for after `a` would have read the clock after it spoke for the room. Drawing first, two threads
//! of one shard would hold 2k; reading the clock first, that third kind exists.

use super::{hand::Hand, parent::Parent, stock::Stock};
use crate::{
    Cost, CostExceedsCapacity, Decision, Nanos, Snapshot,
    gcra::{Gcra, quanta},
};
use crossbeam_utils::CachePadded;

/// How often a caller that lost a race looks again before it is denied.
const LOOKS_MAX: usize = 8;

/// The units of one limit.
#[derive(Debug)]
pub(super) struct Supply {
    /// The whole limit.
    whole: Gcra,
    /// What of it is not set aside.
    shared: Gcra,
    /// The most units in one word.
    k: u64,
    /// Shards, then seats.
    words: Box<[CachePadded<Stock>]>,
    parent: Parent,
}

/// Where a caller keeps units beyond its cost.
#[derive(Clone, Copy, Debug)]
pub(super) enum Home<'a> {
    /// In the word of a shard, beside others.
    Shard(&'a Stock),
    /// In a cell of its own that holds so many units, out of so much room; both are zero without a seat.
    Own { held: u64, room: u64 },
}

impl Supply {
    /// The supply of a limit of which each of `words` words holds up to `k` units, that starts with `initial`. `now`
    /// is asked if the parent does not start full.
    pub(super) fn new(
        whole: Gcra,
        k: u64,
        words: usize,
        initial: u64,
        now: impl FnOnce() -> Nanos,
    ) -> Self {
        let shared = whole.with_capacity(whole.capacity() - k * words as u64);
        let mut rest = initial;
        let fill = |_| {
            let units = rest.min(k);
            rest -= units;
            CachePadded::new(Stock::new(units))
        };
        let words = (0..words).map(fill).collect();
        let missing = shared.capacity().saturating_sub(rest);
        let tat = match missing {
            // Whole at every instant, the earliest included.
            0 => 0,
            missing => shared.tat_after(quanta(now()), missing),
        };
        Self {
            whole,
            shared,
            k,
            words,
            parent: Parent::new(tat),
        }
    }

    /// The word numbered `place`.
    #[inline]
    pub(super) fn word(&self, place: usize) -> Option<&Stock> {
        self.words.get(place).map(|word| &**word)
    }

    /// The number of words.
    pub(super) const fn words(&self) -> usize {
        self.words.len()
    }

    /// The most units in one word.
    pub(super) const fn k(&self) -> u64 {
        self.k
    }

    /// The largest cost.
    pub(super) const fn cost_max(&self) -> u64 {
        self.shared.capacity()
    }

    /// What the words may hold together, in quanta.
    #[inline]
    const fn aside(&self) -> u64 {
        self.whole.tolerance() - self.shared.tolerance()
    }

    /// The answer to a cost that was taken from stock, of which `left` units are left: all that it knows of.
    #[inline]
    pub(super) const fn only(&self, left: u64) -> Decision {
        // Invariant: a word or a cell holds no more than the capacity.
        let backlog = self.whole.tolerance() - left * self.whole.interval();
        let after = Snapshot::sharded(self.whole, backlog, self.aside());
        Decision::Allowed(after.allowed())
    }

    /// The state at `now` of a parent with this `tat` beside `stock` units of stock. Words looked at one after the other
    /// may show a unit twice that moved meanwhile: no more than the capacity is believed.
    const fn state(&self, tat: u64, now: Nanos, stock: u64) -> Snapshot {
        let taken = tat.saturating_sub(quanta(now));
        let missing = self
            .aside()
            .saturating_sub(stock.saturating_mul(self.whole.interval()));
        Snapshot::sharded(self.whole, taken.saturating_add(missing), self.aside())
    }

    /// What there is at `now`, `held` units in a caller's own cell included.
    pub(super) fn look(&self, now: Nanos, held: u64) -> Snapshot {
        self.state(self.parent.tat(), now, held + self.stock())
    }

    fn stock(&self) -> u64 {
        self.words.iter().map(|word| word.units()).sum()
    }

    /// Whether nothing is set aside: the parent is the whole limit.
    #[inline]
    pub(super) const fn is_plain(&self) -> bool {
        self.k == 0
    }

    /// One decision by the parent alone, as a plain cell makes it.
    #[inline]
    pub(super) fn step(&self, now: Nanos, cost: Cost) -> Result<Decision, CostExceedsCapacity> {
        self.parent.step(&self.shared, now, cost)
    }

    /// As [`Self::step`] for callers who leave all but `ceiling` units of the capacity to others.
    pub(super) fn step_under(
        &self,
        ceiling: u64,
        now: Nanos,
        cost: Cost,
    ) -> Result<Decision, CostExceedsCapacity> {
        let kept = self.whole.capacity().saturating_sub(ceiling);
        match self.cost_max().saturating_sub(kept) {
            0 => Err(CostExceedsCapacity {
                cost: cost.get(),
                capacity: 0,
            }),
            share => self
                .parent
                .step(&self.whole.with_capacity(share), now, cost),
        }
    }

    /// Finds `cost`, of which `home` itself has less, and fills the home on the way; or denies it. Words are searched
    /// from the one numbered `first`. Beside the answer: what the cell of [`Home::Own`] holds from now on.
    ///
    /// `Allowed` linearizes at the exchange of the parent, or, if stock was enough, of the last word it came from.
    /// `Denied` comes from one look at the parent, and one at each word after that: units that moved out
    /// of sight meanwhile (in others' hands) are taken for used.
    pub(super) fn find(
        &self,
        cost: Cost,
        home: Home<'_>,
        first: usize,
        now: impl Fn() -> Nanos,
    ) -> Result<(Decision, u64), CostExceedsCapacity> {
        let worth = self.whole.need_beside(cost, self.aside())?;
        let held = match home {
            Home::Own { held, .. } => held,
            Home::Shard(_) => 0,
        };
        debug_assert!(held < cost.get());
        let need = cost.get() - held;
        // In quanta: a denial then needs no division.
        let lacking = |free: u64| (need * self.whole.interval()).saturating_sub(free);
        for _ in 0..LOOKS_MAX {
            let at = now();
            let tat = self.parent.tat();
            let lacking = lacking(self.shared.free(tat, at));
            let found = if lacking == 0 {
                let shared = self.shared.units_at(tat, at, need + self.k);
                self.draw(need, shared.saturating_sub(need), home, at, &now)
            } else {
                let stock = self.stock();
                if stock.saturating_mul(self.whole.interval()) < lacking {
                    let seen = self.state(tat, at, held + stock);
                    return Ok((Decision::Denied(seen.denied(worth)), held));
                }
                let shared = self.shared.units_at(tat, at, need);
                let after = self.gather(need, shared, first, at, &now);
                after.map(|after| (after, 0))
            };
            if let Some((after, held)) = found {
                return Ok((Decision::Allowed(after.allowed()), held));
            }
        }
        // Others took each time what was seen, or had it in hand just then. They went on, this caller does not.
        let seen = self.look(now(), held);
        Ok((Decision::Denied(seen.denied(worth)), held))
    }

    /// Draws `need` from the parent, and up to `spare` more for the home. `at` is a reading of the clock from before.
    /// None if others drew it meanwhile.
    fn draw(
        &self,
        need: u64,
        spare: u64,
        home: Home<'_>,
        at: Nanos,
        now: &impl Fn() -> Nanos,
    ) -> Option<(Snapshot, u64)> {
        match home {
            Home::Shard(word) => {
                let room = word.reserve(spare, self.k);
                // The clock again, after the room: `at` may be from before the units used that were in it. Without
                // room there is nothing to put by, and the cost itself may carry any stamp it was given.
                let at = if room.units() > 0 { now() } else { at };
                let drawn = self
                    .parent
                    .draw(&self.shared, at, need, need + room.units())?;
                let stock = room.fill(drawn.units - need);
                Some((self.state(drawn.tat, at, stock), 0))
            }
            // The room is the owner's own, and was before the clock was read.
            Home::Own { room, .. } => {
                let most = need + spare.min(room);
                let drawn = self.parent.draw(&self.shared, at, need, most)?;
                let held = drawn.units - need;
                Some((self.state(drawn.tat, at, held), held))
            }
        }
    }

    /// Takes `need` units from wherever they are, of which the parent has only `shared`. None if others were faster:
    /// everything is back where it was then.
    fn gather(
        &self,
        need: u64,
        shared: u64,
        first: usize,
        at: Nanos,
        now: &impl Fn() -> Nanos,
    ) -> Option<Snapshot> {
        let hand = Hand::pick(&self.words, first, need - shared);
        let rest = need - hand.units();
        let after = match rest {
            0 => self.state(self.parent.tat(), at, 0),
            rest if rest > shared => return None,
            rest => {
                let at = now();
                let drawn = self.parent.draw(&self.shared, at, rest, rest)?;
                self.state(drawn.tat, at, 0)
            }
        };
        hand.spend();
        Some(after)
    }
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;
    use crate::Limit;
    use std::cell::Cell;

    const NOW: Nanos = Nanos::new(1_000);

    /// A unit a second; `words` words of `k`.
    fn supply(capacity: u64, k: u64, words: usize, initial: u64) -> Supply {
        let limit = Limit::new(1, std::time::Duration::from_secs(1)).expect("a limit");
        let whole = Gcra::new(limit.with_capacity(capacity)).expect("a limit");
        Supply::new(whole, k, words, initial, || NOW)
    }

    fn stocks(supply: &Supply) -> Vec<u64> {
        supply.words.iter().map(|word| word.units()).collect()
    }

    fn find(supply: &Supply, place: usize, units: u64) -> bool {
        let word = supply.word(place).expect("a word");
        let cost = Cost::new(units).expect("a cost");
        let (decision, _) = supply
            .find(cost, Home::Shard(word), place, || NOW)
            .expect("it fits");
        decision.is_allowed()
    }

    #[test]
    fn stock_fills_before_the_parent() {
        for (initial, stock, remaining) in [
            (0, [0, 0], 0),
            (5, [4, 1], 5),
            (8, [4, 4], 8),
            (30, [4, 4], 30),
            (64, [4, 4], 64),
        ] {
            let supply = supply(64, 4, 2, initial);
            assert_eq!(stocks(&supply), stock);
            assert_eq!(supply.look(NOW, 0).remaining(), remaining);
        }
    }

    #[test]
    fn a_draw_fills_the_room_of_its_word() {
        let supply = supply(64, 4, 2, 64);
        assert_eq!(supply.word(0).and_then(|word| word.take(3)), Some(1));
        assert!(find(&supply, 0, 2));
        assert_eq!(stocks(&supply), [4, 4], "two were used, three put by");
        assert_eq!(supply.look(NOW, 0).remaining(), 64 - 5);
    }

    #[test]
    fn the_last_units_are_gathered_from_everywhere() {
        let supply = supply(64, 4, 2, 11);
        assert!(!find(&supply, 0, 12));
        assert!(find(&supply, 1, 10));
        assert_eq!(
            stocks(&supply),
            [1, 0],
            "the parent's three, then those of the own word"
        );
        assert!(!find(&supply, 1, 2));
        assert!(find(&supply, 1, 1));
        assert!(!find(&supply, 1, 1));
        assert_eq!(
            supply.word(0).map(|word| word.reserve(9, 4).units()),
            Some(4)
        );
    }

    /// Somebody takes the parent's units between the look and the exchange, each time, and the caller gives up.
    #[test]
    fn a_race_lost_for_good_puts_everything_back() {
        let supply = supply(64, 4, 2, 9);
        let tick = Cell::new(0_u64);
        let thief = Cell::new(true);
        let now = || {
            // A unit comes in before each look; it is gone at the second reading.
            tick.set(tick.get() + u64::from(thief.replace(!thief.get())));
            let now = NOW + std::time::Duration::from_secs(tick.get());
            if thief.get() {
                while supply.parent.draw(&supply.shared, now, 1, 1).is_some() {}
            }
            now
        };
        let word = supply.word(0).expect("a word");
        let cost = Cost::new(9).expect("a cost");
        let found = supply
            .find(cost, Home::Shard(word), 0, now)
            .expect("it fits");
        let (Decision::Denied(denied), 0) = found else {
            panic!("nine were never there at once")
        };
        assert!(denied.retry_after() > std::time::Duration::ZERO);
        assert_eq!(stocks(&supply), [4, 4]);
        assert_eq!(word.reserve(9, 5).units(), 1, "no room is lost");
    }

    #[test]
    fn a_clock_that_panics_leaves_no_unit_in_hand() {
        let supply = supply(64, 4, 2, 11);
        let reads = Cell::new(0);
        let now = || {
            reads.set(reads.get() + 1);
            assert!(reads.get() < 2, "the clock broke");
            NOW
        };
        let word = supply.word(0).expect("a word");
        let cost = Cost::new(10).expect("a cost");
        let find = || supply.find(cost, Home::Shard(word), 0, now);
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(find)).expect_err("it broke");
        assert_eq!(stocks(&supply), [4, 4]);
        assert!(find_all(&supply, 11));
    }

    fn find_all(supply: &Supply, units: u64) -> bool {
        (0..units).all(|_| find(supply, 1, 1)) && !find(supply, 1, 1)
    }
}
