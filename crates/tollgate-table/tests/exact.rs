//! The variant that stores its keys, held to the same models.
#![cfg(not(any(model_loom, model_shuttle)))]

use proptest::{collection::vec, prelude::*};
use std::{
    collections::HashMap,
    hash::{BuildHasher, Hasher},
    thread,
    time::Duration,
};
use tollgate_core::{Cost, Limit, ManualClock, Nanos};
use tollgate_table::{Class, ExactKeyedLimiter, FastHash, KeyedDecision, TableError};
use tollgate_testkit::{
    Answer, RateLimit,
    model::{Gcra, Model},
};

const QUANTA_PER_NANO: u64 = 16;
const GRACE_NS: u64 = 10_000_000;

fn limit(plain: RateLimit) -> Limit {
    Limit::new(plain.units, Duration::from_nanos(plain.period))
        .expect("a limit")
        .with_capacity(plain.capacity)
}

fn build(class: impl Into<Class>, keys_max: usize) -> ExactKeyedLimiter<u64, ManualClock> {
    ExactKeyedLimiter::with(
        [class.into()],
        keys_max,
        FastHash::with_seed(1),
        ManualClock::new(),
    )
    .expect("a few keys")
}

fn cost(units: u64) -> Cost {
    Cost::new(units).expect("a cost")
}

proptest! {
    /// Each key is answered as if it had limiters of its own, but for being told that there is no place.
    #[test]
    fn each_key_has_limits_of_its_own(
        periods in [1..=40_000_000_u64, 1..=40_000_000_u64],
        capacities in [1..=9_u64, 1..=9_u64],
        keys_max in 1..=40_usize,
        asks in vec((0..24_u64, 1..=3_u64, 0..=30_000_000_u64, 0..=GRACE_NS), 1..200),
    ) {
        let plain = [0, 1].map(|number| RateLimit::new(1, periods[number], capacities[number]));
        let limiter = build(plain.map(limit), keys_max);
        let mut models: HashMap<u64, [Gcra; 2]> = HashMap::new();
        let mut clock = 3_600_000_000_000;
        for (key, units, step, age) in asks {
            clock += step;
            let now = clock - age;
            let models = models
                .entry(key)
                .or_insert_with(|| plain.map(|plain| Gcra::quantized(plain, QUANTA_PER_NANO)));
            let looks = models.each_ref().map(|model| model.look(now, units));
            match limiter.try_acquire_at(&key, cost(units), Nanos::new(now)) {
                Err(_) => prop_assert!(looks.contains(&Answer::Never)),
                Ok(KeyedDecision::Allowed(_)) => {
                    prop_assert_eq!(looks, [Answer::Admit; 2]);
                    for model in models {
                        prop_assert!(model.try_acquire(now, units).admitted());
                    }
                }
                Ok(KeyedDecision::Denied(denied)) => {
                    let longest = looks.iter().filter_map(|look| look.retry_after()).max();
                    prop_assert_eq!(Some(denied.retry_after().as_nanos()), longest);
                }
                Ok(KeyedDecision::Full(full)) => {
                    prop_assert_eq!(looks, [Answer::Admit; 2]);
                    prop_assert_eq!(limiter.len(), keys_max);
                    prop_assert!(!full.retry_after().is_zero());
                }
            }
            prop_assert!(limiter.len() <= keys_max);
        }
    }
}

#[test]
fn keys_of_one_hash_have_limits_of_their_own() {
    #[derive(Clone, Copy)]
    struct Constant;
    impl BuildHasher for Constant {
        type Hasher = Self;
        fn build_hasher(&self) -> Self {
            Self
        }
    }
    impl Hasher for Constant {
        fn finish(&self) -> u64 {
            7
        }
        fn write(&mut self, _: &[u8]) {}
    }
    let limiter = ExactKeyedLimiter::<str, _, _>::with(
        [Limit::per_hour(1).into()],
        10,
        Constant,
        ManualClock::new(),
    )
    .expect("a few keys");
    let take = |key: &str| {
        limiter
            .try_acquire(key, Cost::ONE)
            .expect("it fits")
            .is_allowed()
    };
    assert!(take("alice") && take("bob"));
    assert!(!take("alice") && !take("bob"));
    limiter.reset("alice");
    assert!(take("alice") && !take("bob"));
    assert_eq!(limiter.peek_at("bob", Nanos::ZERO).remaining(), 0);
    assert_eq!(limiter.peek_at("carol", Nanos::ZERO).remaining(), 1);
}

/// Threads bring the same few keys and floods of others: keys in use keep what they have, the bound holds, and each
/// key's capacity is taken once.
#[test]
fn floods_touch_no_live_key_and_stay_within_the_bound() {
    const KEYS_MAX: usize = 500;
    let limiter = build(Limit::per_hour(5), KEYS_MAX);
    let take = |key: u64| {
        matches!(
            limiter.try_acquire(&key, Cost::ONE).expect("it fits"),
            KeyedDecision::Allowed(_)
        )
    };
    let taken: usize = thread::scope(|scope| {
        let threads: Vec<_> = (0..4_u64)
            .map(|number| {
                let (take, limiter) = (&take, &limiter);
                scope.spawn(move || {
                    let mine = (0..1_000_u64).filter(|turn| take(turn % 100)).count();
                    let first = 1_000 + number * 100_000;
                    let others = (first..first + 2_000).filter(|key| take(*key)).count();
                    assert!(limiter.len() <= KEYS_MAX);
                    assert!(others <= KEYS_MAX);
                    mine
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .sum()
    });
    // Each thread's own part came before its flood, but not before that of others.
    let left: usize = (0..100)
        .map(|key| (0..6).filter(|_| take(key)).count())
        .sum();
    assert!(taken + left <= 500, "{taken} and {left}");
    // An hour and a grace later all are whole, and any may go.
    limiter.clock().advance(Duration::from_secs(3_601));
    let passed = (900_000..900_000 + KEYS_MAX as u64)
        .filter(|key| take(*key))
        .count();
    assert_eq!(passed, KEYS_MAX);
    assert_eq!(limiter.len(), KEYS_MAX);
}

/// Threads whose keys are evicted all the time take exactly one capacity of each at one instant.
#[test]
fn a_key_that_many_bring_at_once_has_one_limit() {
    for round in 0..200_u64 {
        let limiter = build(Limit::per_hour(3), 4);
        for old in 10..14 {
            assert!(
                limiter
                    .try_acquire(&old, Cost::ONE)
                    .expect("it fits")
                    .is_allowed()
            );
        }
        // All four are whole and free; four threads bring the same new key.
        let now = Nanos::from_secs(3_601 + round);
        let take = || {
            limiter
                .try_acquire_at(&1, Cost::ONE, now)
                .expect("it fits")
                .is_allowed()
        };
        let taken: usize = thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| (0..2).filter(|_| take()).count()))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("no panic"))
                .sum()
        });
        assert_eq!(taken, 3);
        assert!(limiter.len() <= 4);
    }
}

#[test]
fn what_holds_nothing_is_refused_by_name() {
    let none = ExactKeyedLimiter::<u64>::new(Limit::per_hour(1), 0);
    assert!(matches!(none, Err(TableError::NoSize)));
    let none = ExactKeyedLimiter::<u64, _, _>::with([], 5, FastHash::new(), ManualClock::new());
    assert!(matches!(none, Err(TableError::NoSize)));
    // As many as there are numbers for, and one more.
    let many = |classes| {
        let classes = std::iter::repeat_n(Limit::per_hour(1).into(), classes);
        ExactKeyedLimiter::<u64, _, _>::with(classes, 5, FastHash::new(), ManualClock::new())
    };
    assert!(many(1 << 16).is_ok());
    assert!(matches!(
        many((1 << 16) + 1),
        Err(TableError::TooManyClasses { max: 65_536 })
    ));
}

#[test]
fn a_key_moved_to_another_class_keeps_what_it_has_taken() {
    let two = [Limit::per_hour(1), Limit::per_hour(2)].map(Class::from);
    let limiter = ExactKeyedLimiter::<u64, _, _>::with(two, 5, FastHash::new(), ManualClock::new())
        .expect("a few keys");
    let class = |number| limiter.class(number).expect("two classes");
    assert_eq!(limiter.class_count(), 2);
    assert!(limiter.class(2).is_none());
    assert_eq!(class(1).peek(&1).remaining(), 2);
    assert!(
        class(1)
            .try_acquire(&1, Cost::ONE)
            .expect("it fits")
            .is_allowed()
    );
    assert_eq!(class(1).peek(&1).remaining(), 1);
    // Half an hour to wait, which is half a unit of class 0.
    assert_eq!(limiter.peek(&1).remaining(), 0);
    assert!(
        !limiter
            .try_acquire(&1, Cost::ONE)
            .expect("it fits")
            .is_allowed()
    );
    limiter.clock().advance(Duration::from_secs(1_800));
    assert_eq!(limiter.peek(&1).remaining(), 1);
}

#[test]
fn a_look_tells_of_the_limit_that_the_answer_told_of() {
    // The first has fewer units left, the second, or both as many.
    for capacities in [[2, 3], [3, 2], [2, 2]] {
        let limits = [Limit::per_hour(1), Limit::per_minute(1)];
        let limits = [0, 1].map(|number| limits[number].with_capacity(capacities[number]));
        let limiter = build(limits, 1);
        assert!(limiter.is_empty());
        let KeyedDecision::Allowed(allowed) = limiter.try_acquire(&1, Cost::ONE).expect("it fits")
        else {
            panic!("it is new");
        };
        assert_eq!(allowed.remaining(), 1);
        assert_eq!(limiter.peek(&1), allowed.snapshot());
        assert!(!limiter.is_empty());
    }
}
