//! The races of the models on real threads, and tables under more keys than they hold.
#![cfg(not(any(model_loom, model_shuttle)))]

mod scenarios;

use std::{
    sync::{
        Barrier, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};
use tollgate_core::{Cost, Limit, ManualClock, Nanos};
use tollgate_table::{KeyedDecision, KeyedLimiter, Overflow};
use tollgate_testkit::{
    RateLimit,
    law::{Event, Judge, Law},
};

scenarios::mixes::mixes!(tollgate_testkit::stress::repeat);

/// A small generator, apart for each thread.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % bound
    }
}

/// Property: each key keeps its limit without slack, whatever happens to its slot.
/// Shape: four threads, eight times as many keys as slots, each asked for now and then, so that its slot expires and goes to
/// another within a few steps of a clock that all threads take together. Their `now`s lie apart by up to 9 ms, which is less
/// than the grace.
#[test]
fn constant_eviction_keeps_every_keys_limit() {
    const THREADS: usize = 4;
    const KEYS: usize = 256;
    const STEP: u64 = 7_000_000;
    const BACK: u64 = 2_000_000;
    const ROUNDS: usize = 1_000;
    // A key whose slot went to another too early, by up to 9 ms, would get up to nine units too many.
    let plain = RateLimit::new(1, 1_000_000, 8);
    let limit = Limit::new(1, Duration::from_nanos(plain.period))
        .expect("a limit")
        .with_capacity(plain.capacity);
    let limiter = KeyedLimiter::<u64>::builder(limit)
        .memory_bytes(8 * 64)
        .build_with_clock(ManualClock::new())
        .expect("a small table");
    let law = Law::Rate(plain);
    let mut judges: Vec<Judge> = (0..KEYS).map(|_| Judge::new(&law, 0)).collect();
    let recorded = Mutex::new(Vec::new());
    let (start, end) = (Barrier::new(THREADS + 1), Barrier::new(THREADS + 1));
    let stop = AtomicBool::new(false);
    let base = Mutex::new(STEP);
    let (mut admitted, mut no_slot) = (vec![0_u64; KEYS], 0_u64);
    thread::scope(|scope| {
        for number in 0..THREADS {
            let (limiter, recorded, start, end, stop, base) =
                (&limiter, &recorded, &start, &end, &stop, &base);
            scope.spawn(move || {
                let mut random = Random(number as u64 + 1);
                loop {
                    start.wait();
                    if stop.load(Relaxed) {
                        return;
                    }
                    let base = *base.lock().expect("no panic");
                    let mut own = Vec::new();
                    for _ in 0..50 {
                        // Now and then all threads want the same few keys.
                        let bound = if random.below(8) == 0 { 3 } else { KEYS as u64 };
                        let key = random.below(bound);
                        let now = base - BACK + random.below(STEP + BACK);
                        let units = 1 + random.below(8);
                        let cost = Cost::new(units).expect("a cost");
                        let answer = limiter
                            .try_acquire_at(&key, cost, Nanos::new(now))
                            .expect("it fits");
                        match answer {
                            KeyedDecision::Allowed(_) => {
                                own.push((key, Some(Event::admitted(now, units))))
                            }
                            KeyedDecision::Full(_) => own.push((key, None)),
                            KeyedDecision::Denied(_) => {}
                        }
                    }
                    recorded.lock().expect("no panic").extend(own);
                    end.wait();
                }
            });
        }
        let mut waiting: Vec<(u64, Event)> = Vec::new();
        for _ in 0..ROUNDS {
            start.wait();
            end.wait();
            let mut base = base.lock().expect("no panic");
            for (key, event) in recorded.lock().expect("no panic").drain(..) {
                match event {
                    Some(event) => waiting.push((key, event)),
                    None => no_slot += 1,
                }
            }
            // The next round goes back no further than this.
            *base += STEP;
            let settled = *base - BACK;
            waiting.sort_by_key(|(_, event)| event.at);
            let ready = waiting.partition_point(|(_, event)| event.at < settled);
            for (key, event) in waiting.drain(..ready) {
                let key = usize::try_from(key).expect("few keys");
                admitted[key] += 1;
                judges[key].push(event);
            }
        }
        stop.store(true, Relaxed);
        start.wait();
    });
    for judge in &judges {
        assert!(judge.verdict().held(), "{}", judge.verdict());
    }
    let least = admitted.iter().min().expect("some keys");
    assert!(
        *least > 10,
        "{least} times, so every key got a slot again and again"
    );
    assert!(
        no_slot > 100,
        "{no_slot} found no slot, so slots were fought for"
    );
}

/// A flood of unique keys, ten for each slot: keys in use keep what they have, and a limited key stays limited.
#[test]
fn a_flood_of_new_keys_touches_no_live_one() {
    for overflow in [Overflow::Deny, Overflow::Allow, Overflow::SharedCell] {
        let limiter = KeyedLimiter::<u64>::builder(Limit::per_hour(5))
            .max_keys(3_000)
            .overflow(overflow)
            .seed(1)
            .build_with_clock(ManualClock::new())
            .expect("a small table");
        let slots = limiter.occupancy().slots();
        let take = |key: u64, units| {
            let cost = Cost::new(units).expect("a cost");
            limiter.try_acquire(&key, cost).expect("it fits")
        };
        let limited = 0..100_u64;
        let live = 100..200_u64;
        limited
            .clone()
            .for_each(|key| assert!(take(key, 5).is_allowed()));
        live.clone()
            .for_each(|key| assert!(take(key, 2).is_allowed()));
        let done = AtomicBool::new(false);
        let (done, take) = (&done, &take);
        thread::scope(|scope| {
            let floods: Vec<_> = (0..2_u64)
                .map(|flood| {
                    scope.spawn(move || {
                        let first = 1_000_000 * (flood + 1);
                        let passed = (first..first + slots * 5)
                            .filter(|key| take(*key, 1).is_allowed())
                            .count();
                        passed as u64
                    })
                })
                .collect();
            let victims = scope.spawn(|| {
                while !done.load(Relaxed) {
                    for key in limited.clone() {
                        assert!(matches!(take(key, 1), KeyedDecision::Denied(_)), "{key}");
                    }
                    for key in live.clone() {
                        assert_eq!(limiter.peek(&key).remaining(), 3, "{key}");
                    }
                }
            });
            let passed: u64 = floods
                .into_iter()
                .map(|flood| flood.join().expect("no panic"))
                .sum();
            done.store(true, Relaxed);
            victims.join().expect("no victim noticed");
            let left = slots - 200;
            match overflow {
                Overflow::Deny => assert!(
                    passed <= left && passed > left * 98 / 100,
                    "{passed} of {left}"
                ),
                Overflow::Allow => assert_eq!(passed, slots * 10),
                Overflow::SharedCell => assert!(passed > left && passed < slots * 3, "{passed}"),
            }
        });
        live.for_each(|key| assert!(take(key, 3).is_allowed()));
    }
}

/// Of all keys that came until the table was so full, so many found no slot.
#[test]
fn few_new_keys_find_no_slot_until_the_table_is_quite_full() {
    const LINES: usize = 1 << 18;
    let limiter = KeyedLimiter::<u64>::builder(Limit::per_hour(1))
        .memory_bytes(LINES * 64)
        .seed(7)
        .build_with_clock(ManualClock::new())
        .expect("16 MiB");
    let slots = limiter.occupancy().slots();
    assert_eq!(slots, 4 * LINES as u64);
    let mut no_slot = 0_u64;
    let mut figures = Vec::new();
    for key in 0..slots * 9 / 10 + 1 {
        if !limiter
            .try_acquire(&key, Cost::ONE)
            .expect("it fits")
            .is_allowed()
        {
            no_slot += 1;
        }
        if (key + 1) * 10 % slots < 10 {
            figures.push((key + 1, no_slot));
        }
    }
    let at = |tenths: u64| {
        let (keys, missed) = figures[usize::try_from(tenths - 1).expect("small")];
        missed as f64 / keys as f64
    };
    assert!(at(6) <= 1e-6, "{}", at(6));
    assert!(at(7) <= 1e-5, "{}", at(7));
    assert!(at(8) <= 1e-3, "{}", at(8));
    assert!(at(9) <= 1e-2, "{}", at(9));
    let share = limiter.occupancy().share();
    assert!((0.87..0.92).contains(&share), "{share}");
    let estimate = limiter.len_estimate();
    assert!(
        estimate.abs_diff(slots * 9 / 10 - no_slot) < slots / 50,
        "{estimate} of {slots}"
    );
}

#[test]
fn the_memory_is_what_was_asked_for() {
    let build = |keys| {
        KeyedLimiter::<u64>::builder(Limit::per_hour(1))
            .max_keys(keys)
            .build()
            .expect("small")
    };
    for keys in [1, 10, 1_000, 100_000] {
        let limiter = build(keys);
        let bytes = limiter.memory_bytes();
        assert_eq!(bytes as u64, limiter.occupancy().slots() * 16);
        assert!(
            bytes * 60 / 100 >= keys * 16,
            "{bytes} bytes for {keys} keys"
        );
        assert!(bytes <= keys * 27 + 128, "{bytes} bytes for {keys} keys");
    }
}
