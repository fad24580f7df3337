//! **Races**: a look, and an update that comes after others had theirs.

use crate::{
    peers::{CheckThenUpdate, SmallestRow, Stepwise},
    script::{SECOND, every},
    subjected::moment,
    tiers::{all, limit_of},
};
use std::sync::{Arc, Barrier, Mutex};
use tollgate_core::{Cost, Limiter, ManualClock, Meter, Moment, TokenBucket};
use tollgate_policy::{Gate, Request};
use tollgate_quota::{
    Calendar, CalendarMeter, Concurrency, Depth, Lifetime, RateMeter, RefundRule,
    calendar::CalendarPeriod,
};
use tollgate_testkit::{RateLimit, stress::race_for, subject::Subject};
use tollgate_window::{ExactLog, FixedWindow, SlottedRing};

/// When everybody asks.
const NOW: u64 = 5 * SECOND;

/// Lets two callers take turns in every order, one atomic access each, after `spent` others. Returns the most that were
/// admitted in all.
fn most_admitted<R: Stepwise>(fresh: impl Fn() -> R, spent: u64) -> u64 {
    let finish = |caller: &mut dyn FnMut() -> Option<bool>| loop {
        if let Some(answer) = caller() {
            return u64::from(answer);
        }
    };
    // Each bit says whose turn it is; no rule here makes more than four accesses a caller.
    let orders = (0_u32..1 << 8).map(|order| {
        let rule = fresh();
        let earlier: u64 = (0..spent).map(|_| finish(&mut rule.caller())).sum();
        let mut callers = [rule.caller(), rule.caller()];
        let mut answers = [None, None];
        for turn in 0..8 {
            let whose = usize::from(order >> turn & 1 == 1);
            if answers[whose].is_none() {
                answers[whose] = callers[whose]().map(u64::from);
            }
        }
        let late = answers.into_iter().zip(&mut callers);
        earlier
            + late
                .map(|(answer, caller)| answer.unwrap_or_else(|| finish(caller)))
                .sum::<u64>()
    });
    orders.max().unwrap_or(0)
}

/// A tier of ours: it asks and takes in one access, so others come before it or after it.
struct OneStep<S>(S);

impl<S: Subject> Stepwise for OneStep<S> {
    fn caller(&self) -> Box<dyn FnMut() -> Option<bool> + '_> {
        Box::new(|| Some(self.0.try_acquire_at(1, NOW).admitted()))
    }
}

/// A limit of `most` at once, of whatever kind.
fn limit(most: u64) -> RateLimit {
    RateLimit::new(most, SECOND, most)
}

#[test]
fn tollgate_admits_the_limit_in_every_order_of_two_callers() {
    every(all(), limit(10), |tier, _| {
        let fresh = || OneStep(tier.build(limit(10)).expect("it was built before"));
        assert_eq!(most_admitted(fresh, 9), 10, "{}", tier.name);
    });
}

#[test]
fn the_copied_rule_of_check_then_update_admits_the_limit_and_one() {
    assert_eq!(most_admitted(|| CheckThenUpdate::new(1), 0), 2);
    assert_eq!(most_admitted(|| CheckThenUpdate::new(1_000), 999), 1_001);
}

#[test]
fn the_copied_rule_of_the_smallest_row_admits_1001_of_1000() {
    assert_eq!(most_admitted(|| SmallestRow::new(1_000), 999), 1_001);
}

/// Whatever several threads can ask for one unit.
type Asked = Box<dyn Fn() -> bool + Send + Sync>;

/// Lets `threads` threads ask `attempts` times each, in `trials` races for the units of a fresh limiter. Returns what
/// was admitted in each.
fn races(fresh: impl Fn() -> Asked, trials: usize, threads: usize, attempts: usize) -> Vec<u128> {
    let race = |_| {
        let ask = fresh();
        race_for(threads, attempts, |_, _| u64::from(ask())).total
    };
    (0..trials).map(race).collect()
}

/// Units that threads race for.
const UNITS: u64 = 50;

fn of_meter(meter: impl Meter + 'static) -> Asked {
    Box::new(move || meter.charge(moment(NOW), Cost::ONE, UNITS).is_ok())
}

fn of_gate(policy: &str) -> Asked {
    let gate = Gate::builder()
        .clock(ManualClock::new())
        .build(policy)
        .expect("a policy");
    let held = Mutex::new(Vec::new());
    let Moment { now, wall } = moment(NOW);
    Box::new(move || match gate.admit_at(&Request::new(), now, wall) {
        // What is held open stays so.
        Ok(reservation) => {
            held.lock().expect("nobody panics").push(reservation);
            true
        }
        Err(_) => false,
    })
}

/// One limit of each algorithm, the first of `UNITS` and each other of one more.
fn policy(algorithms: &[&str]) -> String {
    let limit = |(place, algorithm): (usize, &&str)| {
        let max = UNITS + place as u64;
        let per = match *algorithm {
            "calendar" => "per = \"hour\"\nzone = \"UTC\"",
            "lifetime" | "concurrency" => "",
            _ => "per = \"1m\"",
        };
        format!(
            "[[limit]]\nname = \"l{place}\"\nunit = \"requests\"\nmax = {max}\nalgorithm = \"{algorithm}\"\n{per}\n"
        )
    };
    algorithms.iter().enumerate().map(limit).collect()
}

#[test]
fn tollgate_admits_exactly_the_limit_to_threads_that_race() {
    let limit = limit_of(limit(UNITS)).expect("a limit");
    let second = limit.period();
    let tiers: [(&str, &dyn Fn() -> Asked); 9] = [
        ("limiter", &|| {
            let limiter = Limiter::with_clock(limit, ManualClock::new()).expect("a limiter");
            Box::new(move || {
                limiter
                    .try_acquire(Cost::ONE)
                    .is_ok_and(|decision| decision.is_allowed())
            })
        }),
        ("token bucket", &|| {
            let bucket = TokenBucket::builder(UNITS).rate_per(UNITS, second);
            let bucket = bucket
                .build_with_clock(ManualClock::new())
                .expect("a bucket");
            Box::new(move || {
                bucket
                    .try_acquire(1)
                    .is_ok_and(|decision| decision.is_allowed())
            })
        }),
        ("rate meter", &|| {
            of_meter(RateMeter::new(&limit, Depth::Long, RefundRule::Exact).expect("a meter"))
        }),
        ("exact log", &|| {
            of_meter(ExactLog::new(UNITS, second).expect("a log"))
        }),
        ("slotted ring", &|| {
            of_meter(SlottedRing::new(UNITS, second, 4).expect("a ring"))
        }),
        ("fixed window", &|| {
            of_meter(FixedWindow::new(UNITS, second).expect("a window"))
        }),
        ("calendar", &|| {
            let hours = Calendar::new(CalendarPeriod::Hour, "UTC").expect("a calendar");
            of_meter(CalendarMeter::new(Arc::new(hours), UNITS))
        }),
        ("lifetime", &|| of_meter(Lifetime::new())),
        ("concurrency", &|| of_meter(Concurrency::new())),
    ];
    for (name, fresh) in tiers {
        let admitted = races(fresh, 30, 3, 40);
        assert!(
            admitted.iter().all(|units| *units == u128::from(UNITS)),
            "{name}: {admitted:?}"
        );
    }
}

#[test]
fn tollgate_admits_exactly_the_limit_of_a_whole_policy_to_threads_that_race() {
    for algorithms in [
        &["gcra"][..],
        &["window"],
        &["log"],
        &["fixed"],
        &["calendar"],
        &["lifetime"],
        &["concurrency"],
        &["gcra", "window", "log"],
        &["fixed", "gcra", "concurrency"],
        &["lifetime", "calendar", "gcra"],
    ] {
        let policy = policy(algorithms);
        let admitted = races(|| of_gate(&policy), 20, 3, 40);
        assert!(
            admitted.iter().all(|units| *units == u128::from(UNITS)),
            "{algorithms:?}: {admitted:?}"
        );
    }
}

/// The gap between its look and its update is held open until both threads have looked.
#[test]
fn the_copied_rule_admits_the_limit_and_one_to_threads_that_race() {
    let fresh = || -> Asked {
        let (rule, both_looked) = (CheckThenUpdate::new(1), Barrier::new(2));
        Box::new(move || {
            rule.ask(|| {
                both_looked.wait();
            })
        })
    };
    assert_eq!(races(fresh, 5, 2, 1), [2; 5]);
}
