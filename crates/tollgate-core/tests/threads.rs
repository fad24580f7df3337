//! The races of the models on real threads, many times over, and callers who race for exactly so many units.
#![cfg(not(any(model_loom, model_shuttle)))]

mod scenarios;

use std::{
    sync::{
        Arc, Barrier,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};
use tollgate_core::{Clock, Cost, Limit, Limiter, ManualClock, Nanos, QuantaClock, ShardedLimiter};
use tollgate_testkit::{
    RateLimit,
    law::{Event, Law},
};

scenarios::mixes::mixes!(tollgate_testkit::stress::repeat);

/// Starts `callers` threads at once and adds up what they return.
fn race(callers: usize, caller: impl Fn(usize) -> u64 + Sync) -> u64 {
    let start = Barrier::new(callers);
    let run = |number| {
        start.wait();
        caller(number)
    };
    let run = &run;
    thread::scope(|scope| {
        let threads: Vec<_> = (0..callers)
            .map(|number| scope.spawn(move || run(number)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no caller panics"))
            .sum()
    })
}

#[test]
fn threads_at_one_instant_take_exactly_the_capacity() {
    for round in 0..20 {
        let capacity = 5_000 + round;
        let limit = Limit::per_hour(capacity);
        let limiter = Limiter::with_clock(limit, ManualClock::new()).expect("a limit");
        let taken = race(4, |number| {
            let cost = Cost::new(1 + number as u64).expect("a cost");
            let mut taken = 0;
            while limiter.try_acquire(cost).expect("it fits").is_allowed() {
                taken += cost.get();
            }
            // The last ones, for which a larger cost had no room.
            while limiter
                .try_acquire(Cost::ONE)
                .expect("it fits")
                .is_allowed()
            {
                taken += 1;
            }
            taken
        });
        assert_eq!(taken, capacity);
    }
}

/// Through shards and through handles, for costs that stock covers and costs that it does not: what is taken and what
/// is left when all have had enough add up to the capacity, and the last unit of it can be taken.
#[test]
fn threads_race_for_exactly_the_capacity_of_shards() {
    for round in 0..20 {
        let capacity = 5_000 + round;
        let limiter = ShardedLimiter::builder(Limit::per_hour(capacity))
            .shards(2)
            .seats(2)
            .build_with_clock(ManualClock::new())
            .expect("a limit");
        assert_eq!(limiter.stock_per_shard(), 64);
        let take = |act: &dyn Fn(Cost) -> bool, largest: u64| {
            let mut taken = 0;
            for units in (1..=largest).rev() {
                let cost = Cost::new(units).expect("a cost");
                while act(cost) {
                    taken += units;
                }
            }
            taken
        };
        let taken = race(4, |number| {
            if number < 2 {
                let by_shard = |cost| limiter.try_acquire(cost).expect("it fits").is_allowed();
                take(&by_shard, 1 + number as u64 * 80)
            } else {
                let handle = limiter.handle();
                let by_handle = |cost| handle.try_acquire(cost).expect("it fits").is_allowed();
                take(&by_handle, number as u64 - 1)
            }
        });
        assert_eq!(taken + limiter.peek().remaining(), capacity);
        let rest = take(
            &|cost| limiter.try_acquire(cost).expect("it fits").is_allowed(),
            1,
        );
        assert_eq!(taken + rest, capacity);
    }
}

/// The clock moves between races, so that each stamp is exact: the first law holds without slack.
#[test]
fn threads_on_shards_and_handles_keep_the_law() {
    let plain = RateLimit::new(1_000, 1_000_000, 300);
    let limit = Limit::new(1_000, Duration::from_millis(1)).expect("a limit");
    let limiter = ShardedLimiter::builder(limit.with_capacity(300))
        .shards(2)
        .seats(2)
        .build_with_clock(ManualClock::new())
        .expect("a limit");
    let admitted = std::sync::Mutex::new(Vec::new());
    for phase in 0..300_u64 {
        // Mostly some units come in; at times everything does.
        let passed = if phase % 10 == 0 {
            400_000
        } else {
            phase * 7_919 % 40_000
        };
        limiter.clock().advance(Duration::from_nanos(passed));
        let now = limiter.clock().now();
        race(4, |number| {
            let handle = (number < 3).then(|| limiter.handle());
            let mut own = Vec::new();
            for call in 0..80 {
                let units = 1 + (phase * 31 + call * 17 + number as u64) % 3 * (call % 5);
                let cost = Cost::new(units).expect("a cost");
                let decision = match &handle {
                    Some(handle) => handle.try_acquire(cost),
                    None => limiter.try_acquire(cost),
                };
                if decision.expect("it fits").is_allowed() {
                    own.push(Event::admitted(now.0, units));
                }
            }
            admitted.lock().expect("no caller panics").extend(own);
            0
        });
    }
    let admitted = admitted.into_inner().expect("no caller panics");
    assert!(admitted.len() > 3_000, "refilled units were taken too");
    let verdict = Law::Rate(plain).check(admitted, 0);
    assert!(verdict.held(), "{verdict}");
}

/// Stamps are those given to the decisions, taken from clocks that run apart from thread to thread.
#[test]
fn threads_on_a_running_clock_keep_the_law() {
    let clock = QuantaClock::new();
    let plain = RateLimit::new(2_000_000, 1_000_000_000, 100);
    let limiter = Limiter::with_clock(Limit::per_second(2_000_000).with_capacity(100), &clock)
        .expect("a limit");
    let admitted = std::sync::Mutex::new(Vec::new());
    race(4, |number| {
        let mut own = Vec::new();
        let begin = clock.now();
        while clock.now().since(begin) < Duration::from_millis(20) {
            let now = Nanos::new(clock.now().0.saturating_sub(number as u64 * 10_000));
            let cost = Cost::new(1 + number as u64).expect("a cost");
            if limiter
                .try_acquire_at(cost, now)
                .expect("it fits")
                .is_allowed()
            {
                own.push(Event::admitted(now.0, cost.get()));
            }
        }
        admitted.lock().expect("no caller panics").extend(own);
        0
    });
    let admitted = admitted.into_inner().expect("no caller panics");
    assert!(admitted.len() > 100, "refilled units were taken too");
    let verdict = Law::Rate(plain).check(admitted, 0);
    assert!(verdict.held(), "{verdict}");
}

/// A limit that is changed all the time, to and fro, loses no unit and invents none.
#[test]
fn threads_beside_constant_changes_take_exactly_the_capacity() {
    let (small, large) = (Limit::per_hour(1_000), Limit::per_minute(20_000));
    let limiter = Limiter::with_clock(small, ManualClock::new()).expect("a limit");
    let changes = AtomicU64::new(0);
    let callers_left = AtomicU64::new(3);
    let taken = race(4, |number| {
        if number == 0 {
            while callers_left.load(Relaxed) > 0 {
                limiter.set_limit(small).expect("a limit");
                limiter.set_limit(large).expect("a limit");
                changes.fetch_add(2, Relaxed);
            }
            return 0;
        }
        let (mut taken, mut denied) = (0, 0);
        // Denied by the small limit is not yet denied by the large one.
        while denied < 2_000 || changes.load(Relaxed) < 50 {
            match limiter.try_acquire(Cost::ONE).expect("it fits") {
                decision if decision.is_allowed() => (taken, denied) = (taken + 1, 0),
                _ => denied += 1,
            }
        }
        callers_left.fetch_sub(1, Relaxed);
        taken
    });
    assert_eq!(limiter.limit(), large);
    let left = limiter.peek().remaining();
    // The time of a unit under either limit is a multiple of the other's, so no change rounds anything.
    assert_eq!(taken + left, 20_000);
}

/// Callers never wait for somebody who changes the limit: one who is stuck in the middle stops nobody.
#[test]
fn callers_do_not_wait_for_a_change() {
    /// A clock that, when the change reads it, calls the limiter itself.
    #[derive(Debug, Default)]
    struct Reentrant {
        limiter: std::sync::OnceLock<std::sync::Weak<Limiter<Arc<Reentrant>>>>,
        taken: AtomicU64,
    }

    impl Clock for Reentrant {
        fn now(&self) -> Nanos {
            if let Some(limiter) = self.limiter.get().and_then(std::sync::Weak::upgrade) {
                let allowed = limiter
                    .try_acquire_at(Cost::ONE, Nanos::ZERO)
                    .expect("it fits")
                    .is_allowed();
                self.taken.fetch_add(u64::from(allowed), Relaxed);
            }
            Nanos::ZERO
        }

        fn wall_offset(&self) -> i64 {
            0
        }
    }

    let clock = Arc::new(Reentrant::default());
    let limiter =
        Arc::new(Limiter::with_clock(Limit::per_hour(2), Arc::clone(&clock)).expect("a limit"));
    clock
        .limiter
        .set(Arc::downgrade(&limiter))
        .expect("set once");
    limiter.set_limit(Limit::per_hour(3)).expect("a limit");
    assert_eq!(clock.taken.load(Relaxed), 1);
    assert_eq!(limiter.peek_at(Nanos::ZERO).remaining(), 2);
}
