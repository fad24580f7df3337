//! Races on one table, each with what must hold whoever wins. One call is one race: a model checker runs each under every
//! interleaving, plain threads run them many times.
//!
//! Under the checker a line has one slot. All hashes here are small, so that every key has the same candidate lines in
//! the same order; where a race needs slots that are free for some callers only, other keys were there shortly before.

#[cfg(not(model_loom))]
pub(crate) mod mixes;
#[path = "../../../../tests/scenarios/parties.rs"]
mod parties;

#[cfg(model_loom)]
pub(crate) use parties::both_ways;
use parties::{end, go, race};

use std::{sync::Arc, time::Duration};
use tollgate_core::{Clock, Cost, Limit, Nanos};
use tollgate_table::{Class, KeyedDecision, KeyedLimiter, KeyedLimiterBuilder, Overflow};

/// A clock that stands still, and is no part of the race.
#[derive(Debug)]
pub(crate) struct Frozen;

impl Clock for Frozen {
    fn now(&self) -> Nanos {
        START
    }

    fn wall_offset(&self) -> i64 {
        0
    }
}

type Keyed = KeyedLimiter<u64, Frozen>;
pub(crate) type Plan = KeyedLimiterBuilder<u64>;

const LINE_BYTES: usize = if cfg!(any(model_loom, model_shuttle)) {
    16
} else {
    64
};
const SLOTS: usize = LINE_BYTES / 16;

const START: Nanos = Nanos::new(5_000);
/// The time of a unit.
const UNIT: Duration = Duration::from_secs(3_600);
/// How long after its TAT a slot is free: the grace, and what is rounded.
const KEPT: Duration = Duration::from_nanos(10_000_017);
/// The key that callers race for.
const KEY: u64 = 7;
/// A key whose slot others want.
const OLD: u64 = 8;

fn limit(capacity: u64) -> Limit {
    Limit::new(1, UNIT)
        .expect("a limit")
        .with_capacity(capacity)
}

/// A table of so many lines.
pub(crate) fn plan(class: impl Into<Class>, lines: usize) -> Plan {
    KeyedLimiter::<u64>::builder(class)
        .memory_bytes(lines * LINE_BYTES)
        .seed(0)
}

fn build(plan: Plan) -> Arc<Keyed> {
    Arc::new(plan.build_with_clock(Frozen).expect("a small table"))
}

/// Whether a unit is taken from the key with this hash.
fn takes(limiter: &Keyed, hash: u64, now: Nanos) -> bool {
    limiter
        .try_acquire_hashed_at(hash, Cost::ONE, now)
        .expect("it fits")
        .is_allowed()
}

fn count(passed: impl IntoIterator<Item = bool>) -> usize {
    passed.into_iter().filter(|passed| *passed).count()
}

/// Callers bring the same new key to an empty table: it gets one slot, they take its capacity, and no claim stays behind.
pub(crate) fn a_new_key_gets_one_slot(
    callers: usize,
    lines: usize,
    capacity: u64,
    plan: fn(Plan) -> Plan,
) {
    let limiter = build(plan(self::plan(limit(capacity), lines)));
    let threads: Vec<_> = (0..callers)
        .map(|_| go(&limiter, |limiter| takes(limiter, KEY, START)))
        .collect();
    let taken = count(threads.into_iter().map(end));
    let capacity = usize::try_from(capacity).expect("small");
    assert_eq!(taken, callers.min(capacity));
    assert_eq!(limiter.occupancy_at(START).live(), 1, "slots in use");
    // And the one slot holds what was taken.
    let more = (0..capacity)
        .filter(|_| takes(&limiter, KEY, START))
        .count();
    assert_eq!(taken + more, capacity);
}

/// As above, where the callers' `now`s see different slots as free: the first none of those that other keys had before,
/// the next the last of them, and so on. Those keys expired a nanosecond after each other.
pub(crate) fn a_new_key_gets_one_slot_whoever_sees_it_free(
    callers: u64,
    lines: usize,
    plan: fn(Plan) -> Plan,
) {
    let limiter = build(plan(self::plan(limit(1), lines)));
    let olds: u64 = callers - 1;
    for old in 0..olds {
        for slot in 0..SLOTS as u64 {
            let hash = 100 + old * SLOTS as u64 + slot;
            assert!(takes(&limiter, hash, Nanos::new(START.0 + olds - 1 - old)));
        }
    }
    let expired = START + UNIT + KEPT;
    let threads: Vec<_> = (0..callers)
        .map(|caller| {
            // The first caller sees none of them free, the last one all.
            let now = Nanos::new(expired.0 + caller - 1);
            go(&limiter, move |limiter| takes(limiter, KEY, now))
        })
        .collect();
    let taken = count(threads.into_iter().map(end));
    assert_eq!(taken, 1);
    // A killed claim keeps its slot from use for up to 16 ns.
    let latest = Nanos::new(expired.0 + 1_000);
    assert_eq!(limiter.occupancy_at(latest).live(), 1, "slots in use");
    assert!(!takes(&limiter, KEY, latest));
}

/// A caller of a known key beside one who brings another key, to whom the known one's slot is free. Both keys get
/// their capacity and no more: a late hit never charges the new owner, and nothing is lost with the old one.
pub(crate) fn a_late_hit_never_charges_the_new_owner(
    lines: usize,
    calls: usize,
    plan: fn(Plan) -> Plan,
) {
    let limiter = build(plan(self::plan(limit(1), lines)));
    for old in 0..SLOTS as u64 {
        assert!(takes(&limiter, OLD + old, START));
    }
    let whole = START + UNIT;
    let free = whole + KEPT;
    let hits = move |limiter: &Keyed| {
        // As early as the key is whole, and as late as can be before the slot is free.
        let nows = [whole, Nanos::new(free.0 - 1)];
        count(
            nows.into_iter()
                .skip(2 - calls)
                .map(|now| takes(limiter, OLD, now)),
        )
    };
    let news = move |limiter: &Keyed| count((0..calls).map(|_| takes(limiter, KEY, free)));
    let (hit, new) = race(&limiter, hits, news);
    assert_eq!(hit, 1, "the known key is whole");
    assert_eq!(new, 1, "the new key is whole");
    assert!(!takes(&limiter, KEY, free));
}

/// As above with one slot in all: either the known key keeps it, and the new one is told that there is none, or
/// the other way round.
pub(crate) fn one_slot_has_one_owner(plan: fn(Plan) -> Plan) {
    let limiter = build(plan(self::plan(limit(1), 1)));
    for old in 0..SLOTS as u64 {
        assert!(takes(&limiter, OLD + old, START));
    }
    let free = START + UNIT + KEPT;
    let (hit, new) = race(
        &limiter,
        move |limiter| takes(limiter, OLD, Nanos::new(free.0 - 1)),
        move |limiter| takes(limiter, KEY, free),
    );
    if SLOTS == 1 {
        assert!(hit != new, "one of them, {hit} and {new}");
    } else {
        assert!(new, "the slots of others are free too");
    }
}

/// A caller with an old `now` beside one who takes the slot of a `known` key, expired by now, for a new one: whichever of
/// the two keys the late one asks for, if it is denied it is told the wait of that, and not of the other.
pub(crate) fn a_late_denial_tells_of_its_own_key(known: bool, plan: fn(Plan) -> Plan) {
    let limiter = build(plan(self::plan(limit(1), 1)));
    for old in 0..SLOTS as u64 {
        assert!(takes(&limiter, OLD + old, START));
    }
    let ask = |limiter: &Keyed, hash, now| {
        limiter
            .try_acquire_hashed_at(hash, Cost::ONE, now)
            .expect("it fits")
    };
    let (late, new) = race(
        &limiter,
        move |limiter| ask(limiter, if known { OLD } else { KEY }, START),
        move |limiter| ask(limiter, KEY, START + UNIT + KEPT),
    );
    assert!(new.is_allowed(), "the slot is free");
    match late {
        KeyedDecision::Denied(denied) => assert_eq!(
            denied.retry_after() == UNIT,
            known,
            "the wait is the other key's"
        ),
        KeyedDecision::Full(_) => {}
        KeyedDecision::Allowed(_) => panic!("it has no slot, or no unit"),
    }
}

/// A look with an old `now` beside one who takes the slot of a `known` key, expired by now, for a new one: whichever of the
/// two keys the late one looks at, it sees that, or a key without a slot.
pub(crate) fn a_late_look_sees_its_own_key(known: bool, plan: fn(Plan) -> Plan) {
    let limiter = build(plan(self::plan(limit(2), 1)));
    let (key, other) = (1_u64, 2_u64);
    let (old, new) = (limiter.hash(&key), limiter.hash(&other));
    for slot in 1..SLOTS as u64 {
        assert!(takes(&limiter, OLD + slot, START));
    }
    assert!(takes(&limiter, old, START));
    let free = START + UNIT + KEPT;
    let (seen, taken) = race(
        &limiter,
        move |limiter| limiter.peek_at(if known { &key } else { &other }, START),
        move |limiter| takes(limiter, new, free),
    );
    assert!(taken, "the slot is free");
    // The old key's unit has the whole time ahead, the new one's that and more.
    let told = seen.reset_after();
    let own = if known { told == UNIT } else { told > UNIT };
    assert!(own || told.is_zero(), "{told:?} of the other key");
}

/// A reset of a key that has expired beside one who takes its slot for another: that one's units are not forgotten.
pub(crate) fn a_late_reset_forgets_no_other_key(plan: fn(Plan) -> Plan) {
    let limiter = build(plan(self::plan(limit(2), 1)));
    let key = 1_u64;
    for slot in 1..SLOTS as u64 {
        assert!(takes(&limiter, OLD + slot, START));
    }
    assert!(takes(&limiter, limiter.hash(&key), START));
    let free = START + UNIT + KEPT;
    let (_, taken) = race(
        &limiter,
        move |limiter| limiter.reset_at(&key, START),
        move |limiter| count((0..3).map(|_| takes(limiter, KEY, free))),
    );
    assert_eq!(taken, 2, "units of the new key");
    assert!(!takes(&limiter, KEY, free));
}

/// A caller of a known key, or one who `resets` that, beside one who resets it and takes its slot for another key at the very TAT
/// that the known one had: the other key's is neither charged nor forgotten.
pub(crate) fn a_tat_that_comes_back_is_another_keys(resets: bool, plan: fn(Plan) -> Plan) {
    let limiter = build(plan(self::plan(limit(2), 1)));
    let key = 1_u64;
    let known = limiter.hash(&key);
    let now = START + KEPT;
    for slot in 1..SLOTS as u64 {
        assert!(takes(&limiter, OLD + slot, now));
    }
    assert!(takes(&limiter, known, now));
    let (_, new) = race(
        &limiter,
        move |limiter| {
            if resets {
                limiter.reset_at(&key, START);
            } else {
                takes(limiter, known, now);
            }
        },
        move |limiter| {
            limiter.reset_at(&key, START);
            takes(limiter, KEY, now)
        },
    );
    let left = count((0..3).map(|_| takes(&limiter, KEY, now)));
    assert_eq!(left, usize::from(new), "left of the new key");
}

/// Two new keys and room for both.
pub(crate) fn two_new_keys_get_a_slot_each(plan: fn(Plan) -> Plan) {
    let limiter = build(plan(self::plan(limit(1), 2)));
    let both = race(
        &limiter,
        |limiter| takes(limiter, OLD, START),
        |limiter| takes(limiter, KEY, START),
    );
    assert_eq!(both, (true, true));
    assert_eq!(limiter.occupancy_at(START).live(), 2);
    assert!(!takes(&limiter, KEY, START) && !takes(&limiter, OLD, START));
}

/// Callers of a key under two limits, of which the second is the tighter: what it refuses is given back to the first.
/// `known`: whether the key has its slots already.
pub(crate) fn two_limits_are_charged_both_or_none(
    callers: usize,
    known: bool,
    plan: fn(Plan) -> Plan,
) {
    let loose = callers as u64 + 1;
    let tight = if known { 2 } else { 1 };
    let limiter = build(plan(
        self::plan([limit(loose), limit(tight)], 2).class(limit(loose)),
    ));
    if known {
        assert!(takes(&limiter, KEY, START));
    }
    let threads: Vec<_> = (0..callers)
        .map(|_| go(&limiter, |limiter| takes(limiter, KEY, START)))
        .collect();
    let taken = count(threads.into_iter().map(end));
    // A first limit that is full for a moment may deny others; here it has room for all.
    assert_eq!(taken, 1);
    // Class 1 is the first limit alone: it holds what was admitted, and nothing else.
    let first = limiter.class(1).expect("two classes");
    let used = if known { 2 } else { 1 };
    let left = (0..=loose)
        .filter(|_| {
            first
                .try_acquire_hashed_at(KEY, Cost::ONE, START)
                .expect("it fits")
                .is_allowed()
        })
        .count();
    assert_eq!(left as u64, loose - used, "left of the first limit");
}

/// A reset beside a caller: the unit taken before is forgotten, and the caller's counts or is forgotten with it.
pub(crate) fn a_reset_forgets_all_or_nothing(plan: fn(Plan) -> Plan) {
    let limiter = build(plan(self::plan(limit(2), 1)));
    let key = 1_u64;
    let hash = limiter.hash(&key);
    assert!(takes(&limiter, hash, START));
    let (taken, ()) = race(
        &limiter,
        move |limiter| takes(limiter, hash, START),
        move |limiter| limiter.reset_at(&key, START),
    );
    assert!(taken, "two fit");
    let left = count((0..3).map(|_| takes(&limiter, hash, START)));
    assert!((1..=2).contains(&left), "{left} units");
}

/// Keys without a slot that share a cell take its capacity between them.
pub(crate) fn keys_without_a_slot_share_a_cell(plan: fn(Plan) -> Plan) {
    let bytes = LINE_BYTES + 8;
    let limiter = build(plan(
        self::plan(limit(1), 1)
            .memory_bytes(bytes)
            .overflow(Overflow::SharedCell),
    ));
    for old in 0..SLOTS as u64 {
        assert!(takes(&limiter, 100 + old, START));
    }
    let (one, other) = race(
        &limiter,
        |limiter| takes(limiter, KEY, START),
        |limiter| takes(limiter, OLD, START),
    );
    assert_eq!(count([one, other]), 1);
}

/// A key without a slot whose shared cell is empty, beside another whose later `now` finds it whole: the early one is told how long the
/// cell makes it wait, and not that there is no slot.
pub(crate) fn a_shared_cell_always_answers(plan: fn(Plan) -> Plan) {
    let limiter = build(plan(
        self::plan(limit(1), 1)
            .memory_bytes(LINE_BYTES + 8)
            .overflow(Overflow::SharedCell),
    ));
    for old in 0..SLOTS as u64 {
        assert!(takes(&limiter, 100 + old, START));
    }
    assert!(takes(&limiter, KEY, START));
    let (early, late) = race(
        &limiter,
        |limiter| limiter.try_acquire_hashed_at(OLD, Cost::ONE, START),
        |limiter| takes(limiter, KEY, START + UNIT),
    );
    assert!(late, "the cell is whole");
    let KeyedDecision::Denied(denied) = early.expect("it fits") else {
        panic!("the cell is empty, {early:?}");
    };
    assert!([UNIT, UNIT * 2].contains(&denied.retry_after()));
}
