//! The bounds that the crate's page states, counted: the lines that a call touches, and the exchanges and stores it makes.

use crate::{
    Class, KeyedDecision, KeyedLimiter, Overflow,
    atomic::counted::{Touched, counting},
    place::WAYS,
};
use std::{
    hash::{BuildHasherDefault, Hasher},
    sync::Barrier,
    thread,
};
use tollgate_core::{Cost, Limit, ManualClock, Nanos};

/// A key is its own hash.
#[derive(Default)]
struct Plain(u64);

impl Hasher for Plain {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        panic!("keys are numbers of 64 bits");
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

type Limiter = KeyedLimiter<u64, ManualClock, BuildHasherDefault<Plain>>;

const NOW: Nanos = Nanos::new(5_000_000_000);
/// All lines of such a table are candidates of each key.
const SLOTS: u64 = 4 * WAYS as u64;

fn limit(capacity: u64) -> Limit {
    Limit::per_hour(1).with_capacity(capacity)
}

fn table(class: impl Into<Class>, lines: usize, overflow: Overflow) -> Limiter {
    let class = class.into();
    let shared = match overflow {
        Overflow::SharedCell => 8 * class.limits().count(),
        Overflow::Deny | Overflow::Allow => 0,
    };
    KeyedLimiter::<u64>::builder(class)
        .memory_bytes(lines * (64 + shared))
        .overflow(overflow)
        .hasher(BuildHasherDefault::default())
        .build_with_clock(ManualClock::new())
        .expect("a small table")
}

/// The key of this number, whose home is line `home` of as many as there are ways.
fn key(home: u64, number: u64) -> u64 {
    (home << 61) + number + 1
}

/// Keys that fill such a table up to so many slots.
fn fill(table: &Limiter, slots: u64) {
    (0..slots).for_each(|number| fill_one(table, key(number % 8, number)));
}

fn fill_one(table: &Limiter, key: u64) {
    assert!(ask(table, key).0.is_allowed());
}

fn ask(table: &Limiter, key: u64) -> (KeyedDecision, Touched) {
    let (decision, touched) = counting(|| table.try_acquire_at(&key, Cost::ONE, NOW));
    (decision.expect("one fits"), touched)
}

/// Lines, exchanges and stores of a call that met nobody.
fn counts(touched: &Touched) -> (usize, usize, usize) {
    assert_eq!(touched.failed, 0, "nobody else is there");
    (touched.lines(), touched.exchanges, touched.stores)
}

#[test]
fn a_known_key_at_home_takes_one_line_and_one_exchange() {
    let table = table(limit(2), WAYS, Overflow::Deny);
    fill_one(&table, key(3, 0));
    let (allowed, touched) = ask(&table, key(3, 0));
    assert!(allowed.is_allowed());
    assert_eq!(counts(&touched), (1, 1, 0));
    let (denied, touched) = ask(&table, key(3, 0));
    assert!(!denied.is_allowed());
    assert_eq!(counts(&touched), (1, 0, 0), "a denial writes nothing");
    let (never, touched) =
        counting(|| table.try_acquire_at(&key(3, 0), Cost::new(3).expect("a cost"), NOW));
    assert!(never.is_err());
    assert_eq!(counts(&touched), (1, 0, 0));
}

#[test]
fn a_known_key_away_takes_its_lines_and_one_exchange() {
    let table = table(limit(2), WAYS, Overflow::Deny);
    fill(&table, SLOTS - 1);
    // The only free slot: it lies in the home of the last one.
    let far = key(0, 99);
    fill_one(&table, far);
    let (allowed, touched) = ask(&table, far);
    assert!(allowed.is_allowed());
    assert_eq!(counts(&touched), (WAYS, 1, 0));
    let (denied, touched) = ask(&table, far);
    assert!(!denied.is_allowed());
    // Nobody knows that it has no other slot before all lines were looked at, which here was so at the last one.
    assert_eq!(counts(&touched), (WAYS, 0, 0));
}

#[test]
fn a_new_key_takes_its_lines_and_two_exchanges() {
    for slots in [0, 7, SLOTS - 1] {
        let table = table(limit(2), WAYS, Overflow::Deny);
        fill(&table, slots);
        let (allowed, touched) = ask(&table, key(1, 99));
        assert!(allowed.is_allowed());
        assert_eq!(counts(&touched), (WAYS, 2, 2), "{slots} slots in use");
    }
}

#[test]
fn a_key_without_a_slot_writes_at_most_its_shared_cell() {
    for (overflow, lines, exchanges) in [
        (Overflow::Deny, WAYS, 0),
        (Overflow::Allow, WAYS, 0),
        (Overflow::SharedCell, WAYS + 1, 1),
    ] {
        let table = table(limit(2), WAYS, overflow);
        fill(&table, SLOTS);
        let (_, touched) = ask(&table, key(1, 99));
        assert_eq!(counts(&touched), (lines, exchanges, 0), "{overflow:?}");
    }
}

#[test]
fn a_key_under_two_limits_takes_the_same_lines_and_each_limits_exchanges() {
    let table = table([limit(3), limit(2)], WAYS, Overflow::Deny);
    let (_, touched) = ask(&table, key(1, 0));
    assert_eq!(counts(&touched), (WAYS, 4, 4), "new");
    let (_, touched) = ask(&table, key(1, 0));
    assert_eq!(counts(&touched), (1, 2, 0), "known, and both slots at home");
    let (denied, touched) = ask(&table, key(1, 0));
    assert!(!denied.is_allowed());
    assert_eq!(counts(&touched), (1, 0, 0), "denied by the second limit");
}

#[test]
fn a_back_out_is_one_exchange_more() {
    let table = KeyedLimiter::<u64>::builder(limit(2))
        .class([limit(2), limit(2)])
        .memory_bytes(WAYS * 64)
        .hasher(BuildHasherDefault::<Plain>::default())
        .build_with_clock(ManualClock::new())
        .expect("a small table");
    // One slot is left: for the first limit of a new key, and none for its second.
    fill(&table, SLOTS - 1);
    let pairs = table.class(1).expect("added above");
    let (answer, touched) = counting(|| pairs.try_acquire_at(&key(1, 99), Cost::ONE, NOW));
    assert!(matches!(answer, Ok(KeyedDecision::Full(_))));
    assert_eq!(counts(&touched), (WAYS, 3, 2));
    assert_eq!(pairs.peek_at(&key(1, 99), NOW).remaining(), 2);
}

#[test]
fn reset_and_peek_take_the_lines_of_the_key() {
    for (class, limits) in [
        (Class::from(limit(2)), 1),
        (Class::from([limit(2), limit(2)]), 2),
    ] {
        let table = table(class, WAYS, Overflow::Deny);
        fill_one(&table, key(1, 0));
        let peek = |key| counts(&counting(|| table.peek_at(&key, NOW)).1);
        assert_eq!(peek(key(1, 0)), (1, 0, 0));
        assert_eq!(peek(key(1, 99)), (WAYS, 0, 0), "unknown");
        let reset = |key| counts(&counting(|| table.reset_at(&key, NOW)).1);
        assert_eq!(reset(key(1, 99)), (WAYS, 0, 0), "unknown");
        assert_eq!(reset(key(1, 0)), (WAYS, limits, 0));
        assert_eq!(reset(key(1, 0)), (WAYS, 0, 0), "whole already");
        assert_eq!(
            counts(&counting(|| table.prefetch(&key(1, 0))).1),
            (0, 0, 0),
            "asked for is not touched"
        );
    }
}

#[test]
fn a_batch_takes_what_its_keys_take_one_by_one() {
    let [batched, singly] = [(); 2].map(|()| table(limit(3), 1_000, Overflow::Deny));
    let spread = |number: u64| (number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut answers = Vec::new();
    // The second time they are known.
    for _ in 0..2 {
        let keys: Vec<u64> = (0..1_000).map(spread).collect();
        let costs = vec![Cost::ONE; keys.len()];
        let (asked, touched) =
            counting(|| batched.try_acquire_batch_at(&keys, &costs, NOW, &mut answers));
        assert!(asked.is_ok() && answers.iter().flatten().all(KeyedDecision::is_allowed));
        let each: Vec<Touched> = keys.iter().map(|key| ask(&singly, *key).1).collect();
        let (lines, exchanges, stores) = counts(&touched);
        assert!(lines <= each.iter().map(Touched::lines).sum());
        assert_eq!(
            exchanges,
            each.iter().map(|one| one.exchanges).sum::<usize>()
        );
        assert_eq!(stores, each.iter().map(|one| one.stores).sum::<usize>());
    }
}

#[test]
fn occupancy_looks_at_a_sample() {
    let table = table(limit(1), 100_000, Overflow::Deny);
    let (lines, exchanges, stores) = counts(&counting(|| table.occupancy_at(NOW)).1);
    assert!((1_000..=1_024).contains(&lines), "{lines}");
    assert_eq!((exchanges, stores), (0, 0));
}

/// A number that looks random, from the one before.
fn next(random: &mut u64) -> u64 {
    *random = random.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
    *random >> 33
}

/// Any call, of any key, at any load, while slots expire and change hands: none goes beyond the most.
#[test]
fn no_call_goes_beyond_the_bounds() {
    let mut random = 7;
    for overflow in [Overflow::Deny, Overflow::Allow, Overflow::SharedCell] {
        for (class, limits) in [
            (Class::from(limit(2)), 1),
            (Class::from([limit(2), limit(3)]), 2),
        ] {
            let shared = if overflow == Overflow::SharedCell {
                limits
            } else {
                0
            };
            let table = table(class, 3 * WAYS, overflow);
            let mut now = NOW.0;
            let mut most = (0, 0);
            for _ in 0..20_000 {
                // Units come back after an hour, which goes by in about as many calls as there are slots.
                now += next(&mut random) % 70_000_000_000;
                let key = (next(&mut random) % 150).wrapping_mul(0x9E37_79B9_7F4A_7C15);
                let at = Nanos::new(now);
                let (decision, touched) = counting(|| table.try_acquire_at(&key, Cost::ONE, at));
                let (lines, exchanges, stores) = counts(&touched);
                assert!(lines <= WAYS + shared, "{touched:?}");
                assert!(
                    exchanges <= 2 * limits + usize::from(limits > 1),
                    "{touched:?}"
                );
                assert!(stores <= 2 * limits, "{touched:?}");
                if limits == 1 && decision.is_ok_and(|decision| !decision.is_allowed()) {
                    assert_eq!((exchanges, stores), (0, 0), "a denial writes nothing");
                }
                most = (lines.max(most.0), exchanges.max(most.1));
                if next(&mut random).is_multiple_of(100) {
                    let (_, touched) = counting(|| table.reset_at(&key, at));
                    assert!(touched.lines() <= WAYS && touched.exchanges <= limits);
                }
            }
            assert!(
                most.0 >= WAYS && most.1 >= 2 * limits,
                "{most:?} is all there was"
            );
        }
    }
}

/// Beside others, too: no more lines, and each exchange that failed is owed to one of another that did not.
#[test]
fn callers_who_meet_pay_for_no_more_than_the_others_do() {
    const THREADS: usize = 3;
    let table = table(Limit::per_second(1_000_000), WAYS, Overflow::Deny);
    let barrier = Barrier::new(THREADS);
    let totals: Vec<(usize, usize)> = thread::scope(|scope| {
        let callers: Vec<_> = (0..THREADS as u64)
            .map(|caller| {
                let (table, barrier) = (&table, &barrier);
                scope.spawn(move || {
                    let (mut random, mut failed, mut done) = (caller, 0, 0);
                    barrier.wait();
                    for _ in 0..50_000 {
                        let key = key(next(&mut random) % 8, next(&mut random) % 5);
                        let touched = ask(table, key).1;
                        assert!(touched.lines() <= WAYS, "{touched:?}");
                        failed += touched.failed;
                        done += touched.exchanges + touched.stores;
                    }
                    (failed, done)
                })
            })
            .collect();
        callers
            .into_iter()
            .map(|caller| caller.join().expect("no caller panics"))
            .collect()
    });
    let failed: usize = totals.iter().map(|total| total.0).sum();
    let done: usize = totals.iter().map(|total| total.1).sum();
    assert!(
        failed <= done * (THREADS - 1),
        "{failed} failed beside {done}"
    );
}
