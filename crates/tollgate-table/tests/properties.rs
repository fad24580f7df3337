//! The laws, key by key, over random limits, keys and clocks: answer by answer as an exact model says that shares no
//! code with this crate, in tables so small that slots change hands all the time.
#![cfg(not(any(model_loom, model_shuttle)))]

use proptest::{collection::vec, prelude::*};
use std::{
    collections::HashMap,
    hash::{BuildHasher, Hasher},
    time::Duration,
};
use tollgate_core::{Cost, Limit, ManualClock, Nanos};
use tollgate_table::{Class, GRACE, KeyedDecision, KeyedLimiter, Overflow, UnequalBatch};
use tollgate_testkit::{
    Answer, RateLimit,
    law::{Event, Law},
    model::{Gcra, Model},
};

/// Quanta in a nanosecond, as documented.
const QUANTA_PER_NANO: u64 = 16;
const GRACE_NS: u64 = 10_000_000;
const START: u64 = 3_600_000_000_000;

/// Takes a key of 64 bits for its own hash.
#[derive(Clone, Copy, Debug, Default)]
struct Plain(u64);

impl BuildHasher for Plain {
    type Hasher = Self;

    fn build_hasher(&self) -> Self {
        Self(0)
    }
}

impl Hasher for Plain {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        panic!("keys are numbers of 64 bits");
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

type Subject = KeyedLimiter<u64, ManualClock, Plain>;

fn limit(plain: RateLimit) -> Limit {
    Limit::new(plain.units, Duration::from_nanos(plain.period))
        .expect("a limit")
        .with_capacity(plain.capacity)
}

fn table(class: impl Into<Class>, lines: usize) -> Subject {
    KeyedLimiter::<u64>::builder(class)
        .memory_bytes(lines * 64)
        .hasher(Plain::default())
        .build_with_clock(ManualClock::new())
        .expect("a small table")
}

fn cost(units: u64) -> Cost {
    Cost::new(units).expect("a cost")
}

/// Limits whose capacity refills in a time that is short or long next to the grace.
fn limits() -> impl Strategy<Value = RateLimit> {
    (
        1..=20_u64,
        prop::sample::select(vec![7, 1_000_003, 5_000_000, 90_000_000, 60_000_000_000]),
        1..=9_u64,
    )
        .prop_map(|(units, period, capacity)| RateLimit::new(units, period, capacity))
}

/// A request: of which key, for how much, how far the clock moves before it, how old its `now` is.
#[derive(Clone, Copy, Debug)]
struct Ask {
    key: u64,
    units: u64,
    step: u64,
    age: u64,
}

fn asks(keys: u64) -> impl Strategy<Value = Vec<Ask>> {
    let step = prop_oneof![
        6 => Just(0),
        4 => 0..=3_000_000_u64,
        3 => 0..=30_000_000_u64,
        1 => 0..=2_000_000_000_u64,
    ];
    let age = prop_oneof![2 => Just(0), 1 => 0..=GRACE_NS];
    let ask = (0..keys, 1..=4_u64, step, age).prop_map(|(key, units, step, age)| Ask {
        key,
        units,
        step,
        age,
    });
    vec(ask, 1..250)
}

/// Hashes of keys: all the same lines, or spread.
fn hash(key: u64, together: bool) -> u64 {
    if together {
        key + 1
    } else {
        (key + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}

fn batch(asks: &[Ask]) -> (Vec<u64>, Vec<Cost>) {
    asks.iter()
        .map(|ask| (hash(ask.key, false), cost(ask.units)))
        .unzip()
}

fn answer(decision: &KeyedDecision) -> Option<Answer> {
    match decision {
        KeyedDecision::Allowed(_) => Some(Answer::Admit),
        KeyedDecision::Denied(denied) => Some(Answer::Wait(denied.retry_after().as_nanos())),
        KeyedDecision::Full(_) => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// Each key is answered as if it had a limiter of its own, but for being told that there is no slot; and the first law
    /// holds for each without slack, for `now`s of any order within the grace.
    #[test]
    fn each_key_has_a_limiter_of_its_own(
        plain in limits(),
        lines in 1..=5_usize,
        together in any::<bool>(),
        asks in asks(24),
    ) {
        let subject = table(limit(plain), lines);
        let mut models: HashMap<u64, (Gcra, Vec<Event>)> = HashMap::new();
        let mut clock = START;
        for ask in asks {
            clock += ask.step;
            let now = clock - ask.age;
            let (model, events) = models
                .entry(ask.key)
                .or_insert_with(|| (Gcra::quantized(plain, QUANTA_PER_NANO), Vec::new()));
            let hash = hash(ask.key, together);
            let before = subject.peek_at(&hash, Nanos::new(now));
            prop_assert_eq!(
                u128::from(before.remaining()),
                u128::from(plain.capacity).saturating_sub(model.used(now))
            );
            let Ok(decision) = subject.try_acquire_at(&hash, cost(ask.units), Nanos::new(now)) else {
                prop_assert!(ask.units > plain.capacity);
                prop_assert_eq!(model.try_acquire(now, ask.units), Answer::Never);
                continue;
            };
            let Some(answer) = answer(&decision) else {
                // Only a key without a slot is told so, and it loses nothing.
                prop_assert_eq!(before.remaining(), plain.capacity);
                prop_assert_eq!(before, subject.peek_at(&hash, Nanos::new(now)));
                continue;
            };
            prop_assert_eq!(answer, model.try_acquire(now, ask.units));
            if answer.admitted() {
                events.push(Event::admitted(now, ask.units));
            } else {
                prop_assert_eq!(before, subject.peek_at(&hash, Nanos::new(now)));
            }
        }
        for (_, events) in models.into_values() {
            let verdict = Law::Rate(plain).check(events, 0);
            prop_assert!(verdict.held(), "{verdict}");
        }
    }

    /// A key under two limits is charged under both or under neither, and told the longer wait.
    #[test]
    fn two_limits_agree(
        first in limits(),
        second in limits(),
        lines in 1..=5_usize,
        together in any::<bool>(),
        asks in asks(10),
    ) {
        let subject = table([limit(first), limit(second)], lines);
        let fresh = || [first, second].map(|plain| Gcra::quantized(plain, QUANTA_PER_NANO));
        let mut models: HashMap<u64, [Gcra; 2]> = HashMap::new();
        let mut clock = START;
        for ask in asks {
            clock += ask.step;
            let now = clock - ask.age;
            let models = models.entry(ask.key).or_insert_with(fresh);
            let looks = models.each_ref().map(|model| model.look(now, ask.units));
            let hash = hash(ask.key, together);
            let Ok(decision) = subject.try_acquire_at(&hash, cost(ask.units), Nanos::new(now)) else {
                prop_assert!(looks.contains(&Answer::Never));
                continue;
            };
            match answer(&decision) {
                Some(Answer::Admit) => {
                    prop_assert_eq!(looks, [Answer::Admit; 2]);
                    for model in models {
                        prop_assert!(model.try_acquire(now, ask.units).admitted());
                    }
                }
                Some(answer) => {
                    let longest = looks.iter().filter_map(|look| look.retry_after()).max();
                    prop_assert_eq!(answer.retry_after(), longest);
                }
                None => prop_assert_eq!(looks, [Answer::Admit; 2]),
            }
        }
    }

    /// A batch in a table with room is answered as its keys would be one by one.
    #[test]
    fn a_batch_is_its_keys_one_by_one(
        plain in limits(),
        asks in asks(24),
        cut in 1..40_usize,
    ) {
        let (one_by_one, batched) = (table(limit(plain), 100), table(limit(plain), 100));
        let mut clock = START;
        let mut answers = Vec::new();
        for asks in asks.chunks(cut) {
            clock += asks[0].step;
            let now = Nanos::new(clock);
            let (keys, costs) = batch(asks);
            batched.try_acquire_batch_at(&keys, &costs, now, &mut answers).expect("as many");
            let singly: Vec<_> = keys
                .iter()
                .zip(&costs)
                .map(|(key, cost)| one_by_one.try_acquire_at(key, *cost, now))
                .collect();
            prop_assert_eq!(&answers, &singly);
        }
    }

    /// In a batch, too, each key is answered as if it had a limiter of its own, but for being told that there is no slot.
    #[test]
    fn each_key_of_a_batch_has_a_limiter_of_its_own(
        plain in limits(),
        lines in 1..=5_usize,
        asks in asks(24),
        cut in 1..40_usize,
    ) {
        let subject = table(limit(plain), lines);
        let mut models: HashMap<u64, Gcra> = HashMap::new();
        let mut clock = START;
        let mut answers = Vec::new();
        for asks in asks.chunks(cut) {
            clock += asks[0].step;
            let (keys, costs) = batch(asks);
            subject
                .try_acquire_batch_at(&keys, &costs, Nanos::new(clock), &mut answers)
                .expect("as many");
            for (ask, decision) in asks.iter().zip(&answers) {
                let model = models
                    .entry(ask.key)
                    .or_insert_with(|| Gcra::quantized(plain, QUANTA_PER_NANO));
                match decision.as_ref().map(answer) {
                    Ok(Some(answer)) => prop_assert_eq!(answer, model.try_acquire(clock, ask.units)),
                    Ok(None) => prop_assert_eq!(model.used(clock), 0, "a key in use has its slot"),
                    Err(_) => prop_assert_eq!(model.try_acquire(clock, ask.units), Answer::Never),
                }
            }
        }
    }

    /// A key that finds no slot is told the least wait until it does.
    #[test]
    fn the_wait_for_a_slot_is_the_least(plain in limits(), asks in asks(24)) {
        let subject = table(limit(plain), 1);
        let mut clock = START;
        for ask in asks {
            clock += ask.step;
            let take = |now| subject.try_acquire_at(&ask.key, Cost::ONE, Nanos::new(now)).expect("one fits");
            if let KeyedDecision::Full(full) = take(clock) {
                let wait = u64::try_from(full.retry_after().as_nanos()).expect("short");
                prop_assert!(wait > 0);
                prop_assert!(matches!(take(clock + wait - 1), KeyedDecision::Full(_)));
                clock += wait;
                prop_assert!(take(clock).is_allowed());
            }
        }
    }
}

#[test]
fn slots_change_hands_and_the_law_holds() {
    // 10 a second, five at once.
    let plain = RateLimit::new(10, 1_000_000_000, 5);
    let subject = table(limit(plain), 1);
    let law = Law::Rate(plain);
    let key = 1_u64;
    let mut events = Vec::new();
    let mut take = |key: u64, units, now: u64| {
        let decision = subject
            .try_acquire_at(&key, cost(units), Nanos::new(now))
            .expect("it fits");
        if decision.is_allowed() && key == 1 {
            events.push(Event::admitted(now, units));
        }
        decision.is_allowed()
    };
    assert!(take(key, 5, START));
    // Whole again after half a second, and free a grace later: another key takes its slot, and three more the others.
    let freed = START + 500_000_000 + GRACE_NS + 17;
    for other in 10..14 {
        assert!(take(other, 1, freed));
    }
    assert!(!take(key, 1, freed), "no slot is left");
    // Those are whole after 100 ms. Somebody who was stopped for 200 ms since comes back then, sees the key in no slot,
    // and none free; and somebody whose `now` is of today gets one.
    let late = freed + 100_000_000 + GRACE_NS + 17;
    assert!(!take(key, 1, late - 200_000_000));
    assert!(take(14, 1, late));
    assert!(take(key, 5, late));
    assert!(law.check(events.iter().copied(), 0).held());
}

#[test]
fn a_now_older_than_the_grace_adds_at_most_what_is_declared() {
    // 10 a second, five at once.
    let plain = RateLimit::new(10, 1_000_000_000, 5);
    let subject = table(limit(plain), 2);
    let take = |key: u64, units, now: u64| {
        subject
            .try_acquire_at(&key, cost(units), Nanos::new(now))
            .expect("it fits")
            .is_allowed()
    };
    let key = 1_u64;
    assert!(take(key, 5, START));
    let freed = START + 500_000_000 + GRACE_NS + 17;
    (10..17).for_each(|other| assert!(take(other, 1, freed), "{other}"));
    // One slot was never used: a caller of whom nobody heard since the start takes it, half a second and a grace late.
    assert!(take(key, 5, START));
    let events = [Event::admitted(START, 5); 2];
    let behind = freed - START;
    let declared = (behind - GRACE_NS) * 10 / 1_000_000_000 + 1;
    let excess = Law::Rate(plain).least_slack(events);
    assert!(
        excess > 0 && excess <= u128::from(declared),
        "{excess} of {declared}"
    );
}

#[test]
fn keys_of_one_hash_share_a_limit() {
    #[derive(Clone, Copy)]
    struct Colliding;
    impl BuildHasher for Colliding {
        type Hasher = Plain;
        fn build_hasher(&self) -> Plain {
            Plain(0)
        }
    }
    #[derive(Clone, Copy)]
    struct Key(u64);
    impl std::hash::Hash for Key {
        fn hash<H: Hasher>(&self, state: &mut H) {
            state.write_u64(10 + self.0 % 2);
        }
    }
    let limiter = KeyedLimiter::<Key>::builder(Limit::per_hour(3))
        .max_keys(10)
        .hasher(Colliding)
        .build_with_clock(ManualClock::new())
        .expect("a small table");
    let take = |key| {
        limiter
            .try_acquire(&Key(key), Cost::ONE)
            .expect("it fits")
            .is_allowed()
    };
    assert_eq!([0, 2, 4, 6].map(take), [true, true, true, false]);
    assert_eq!([1, 3, 5, 7].map(take), [true, true, true, false]);
    assert_eq!(limiter.len_estimate(), 2);
}

#[test]
fn the_hash_of_nothing_is_a_key_like_any_other() {
    let limiter = table(Limit::per_hour(1), 1);
    let take = |hash: u64| {
        limiter
            .try_acquire(&hash, Cost::ONE)
            .expect("it fits")
            .is_allowed()
    };
    assert!(take(0));
    assert!(!take(0));
    assert_eq!(limiter.peek(&0).remaining(), 0);
    limiter.reset(&0);
    assert!(take(0));
}

#[test]
fn classes_of_one_key_count_in_time() {
    let limiter = KeyedLimiter::<u64>::builder(Limit::per_second(100))
        .class(Limit::per_second(100).with_capacity(20))
        .class(Limit::per_minute(60))
        .max_keys(10)
        .build_with_clock(ManualClock::new())
        .expect("a small table");
    let [top, low, slow] = [0, 1, 2].map(|number| limiter.class(number).expect("given"));
    assert!(limiter.class(3).is_none());
    assert_eq!(limiter.class_count(), 3);
    assert!(top.try_acquire(&1, cost(80)).expect("it fits").is_allowed());
    // A lower class of the same rate sees its smaller capacity gone.
    assert!(
        !low.try_acquire(&1, Cost::ONE)
            .expect("it fits")
            .is_allowed()
    );
    assert!(top.try_acquire(&1, cost(20)).expect("it fits").is_allowed());
    // A second's worth is gone: of 60 a minute that is one.
    assert_eq!(slow.peek(&1).remaining(), 59);
}

#[test]
fn what_no_slot_means_is_as_declared() {
    let limit = Limit::per_hour(2);
    let build = |overflow| {
        let limiter = KeyedLimiter::<u64>::builder(limit)
            .memory_bytes(72)
            .overflow(overflow)
            .hasher(Plain::default())
            .build_with_clock(ManualClock::new())
            .expect("one line");
        for key in 1..=4 {
            assert!(
                limiter
                    .try_acquire(&key, cost(2))
                    .expect("it fits")
                    .is_allowed()
            );
        }
        limiter
    };
    let passed = |limiter: &Subject| {
        (5..=14_u64)
            .filter(|key| {
                limiter
                    .try_acquire(key, Cost::ONE)
                    .expect("it fits")
                    .is_allowed()
            })
            .count()
    };
    assert_eq!(passed(&build(Overflow::Deny)), 0);
    assert_eq!(passed(&build(Overflow::Allow)), 10);
    assert_eq!(
        passed(&build(Overflow::SharedCell)),
        2,
        "between all of them"
    );
    // Nobody who has a slot pays for it.
    let shared = build(Overflow::SharedCell);
    assert_eq!(shared.memory_bytes(), 72);
    assert_eq!(passed(&shared), 2);
    assert!(
        !shared
            .try_acquire(&1, Cost::ONE)
            .expect("it fits")
            .is_allowed()
    );
    let later = Nanos::ZERO + Duration::from_secs(3_600) + 2 * GRACE;
    assert!(
        shared
            .try_acquire_at(&20, cost(2), later)
            .expect("it fits")
            .is_allowed()
    );
}

#[test]
fn each_line_has_a_shared_cell_for_each_limit() {
    let limiter = KeyedLimiter::<u64>::builder([Limit::per_hour(2); 2])
        .memory_bytes(2 * (64 + 16))
        .overflow(Overflow::SharedCell)
        .hasher(Plain::default())
        .build_with_clock(ManualClock::new())
        .expect("two lines");
    let passed = |home: u64, numbers: std::ops::Range<u64>| {
        let take = |number: &u64| limiter.try_acquire(&((home << 63) + number), Cost::ONE);
        let takes = |number: &u64| take(number).expect("it fits").is_allowed();
        numbers.filter(takes).count()
    };
    // Four keys have the eight slots.
    for home in 0..2 {
        assert_eq!(passed(home, 1..3), 2);
    }
    assert_eq!(limiter.len_estimate(), 8);
    for home in 0..2 {
        assert_eq!(passed(home, 3..9), 2, "between the others of this home");
    }
}

#[test]
fn a_batch_of_unequal_lengths_is_refused_and_changes_nothing() {
    let limiter = table(Limit::per_hour(1), 1);
    let class = limiter.class(0).expect("the first");
    let mut answers = Vec::new();
    let refused = Err(UnequalBatch { keys: 2, costs: 1 });
    assert_eq!(
        limiter.try_acquire_batch(&[1, 2], &[Cost::ONE], &mut answers),
        refused
    );
    assert_eq!(
        class.try_acquire_batch(&[1, 2], &[Cost::ONE], &mut answers),
        refused
    );
    assert!(answers.is_empty());
    assert_eq!(limiter.len_estimate(), 0);
    // Of as many, each is answered, as of the clock.
    limiter.clock().advance(Duration::from_secs(1));
    limiter
        .try_acquire_batch(&[1, 2], &[Cost::ONE; 2], &mut answers)
        .expect("as many");
    assert_eq!(
        answers
            .iter()
            .flatten()
            .filter(|answer| answer.is_allowed())
            .count(),
        2
    );
    class
        .try_acquire_batch(&[1, 3], &[Cost::ONE; 2], &mut answers)
        .expect("as many");
    let waits: Vec<_> = answers
        .iter()
        .flatten()
        .map(KeyedDecision::retry_after)
        .collect();
    assert_eq!(waits, [Some(Duration::from_secs(3_600)), None]);
}

#[test]
fn a_look_tells_of_the_limit_that_the_answer_told_of() {
    // The first has fewer units left, the second, or both as many.
    for capacities in [[2, 3], [3, 2], [2, 2]] {
        let limits = [Limit::per_hour(1), Limit::per_minute(1)];
        let limits = [0, 1].map(|number| limits[number].with_capacity(capacities[number]));
        let limiter = table(limits, 1);
        let KeyedDecision::Allowed(allowed) = limiter.try_acquire(&1, Cost::ONE).expect("it fits")
        else {
            panic!("it is new");
        };
        assert_eq!(allowed.remaining(), 1);
        assert_eq!(limiter.peek(&1), allowed.snapshot());
    }
}
