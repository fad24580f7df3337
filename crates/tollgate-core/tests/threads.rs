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
use tollgate_core::{Clock, Cost, Limit, Limiter, ManualClock, Nanos, QuantaClock};
use tollgate_testkit::{
    RateLimit,
    law::{Event, Law},
};

const ROUNDS: usize = 300;

fn repeat(race: impl Fn()) {
    (0..ROUNDS).for_each(|_| race());
}

#[test]
fn races_end_as_the_models_say() {
    repeat(|| scenarios::callers_take_exactly_the_capacity(4, 20, 50));
    repeat(scenarios::unequal_costs_fit_the_capacity);
    repeat(|| scenarios::change_keeps_the_units(2, 10, 8, 12));
    repeat(|| scenarios::change_keeps_the_units(2, 10, 12, 4));
    repeat(|| scenarios::changes_in_a_row_keep_the_units(10));
    repeat(scenarios::changers_take_turns);
    repeat(scenarios::reset_forgets_all_or_nothing);
    repeat(|| scenarios::dropped_turn_gives_back_or_forfeits(1));
    repeat(|| scenarios::dropped_turn_gives_back_or_forfeits(2));
    repeat(scenarios::dropped_turns_never_give_back_twice);
    repeat(scenarios::turn_dropped_in_a_change_gives_back_once);
    repeat(|| scenarios::peeks_see_what_was_there(false));
    repeat(|| scenarios::peeks_see_what_was_there(true));
}

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
