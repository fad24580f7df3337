//! Races while the clock moves, judged by the stamp that each decision was given.

use crate::gates::{Chance, limit, race, tokens, usage};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use tollgate_core::{ManualClock, Nanos, Wall};
use tollgate_policy::{Gate, Request};
use tollgate_testkit::{
    Periods, RateLimit,
    law::{Event, Law},
    model::{Gcra, Model, PeriodBudget, SlidingLog, SlottedRing},
};

const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
const UNITS: u64 = 97;
/// Well after the epoch, and 17.3 s into a minute and an hour.
const START: u64 = 100_000 * 3_600 * SECOND + 17_300_000_000;

fn gate(policy: &str) -> Gate {
    Gate::builder()
        .clock(ManualClock::new())
        .build(policy)
        .expect("a good policy")
}

fn wall(now: u64) -> Wall {
    Wall(i64::try_from(now).expect("a time of our day"))
}

/// The clock moves between races. In each race more units are asked for than there are, so the sum that passes is
/// the one that a single caller would get, by the model; and the whole record obeys the law.
fn equals_a_single_caller(algorithm: &str, period: u64, mut model: impl Model, law: &Law) {
    let gate = gate(&limit("l", "requests", UNITS, algorithm));
    let mut chance = Chance::new(0, 7);
    let (mut now, mut events) = (START, Vec::new());
    for round in 0..150 {
        let admitted = race(|_| {
            let admit = |_: &u64| {
                gate.admit_at(&Request::new(), Nanos(now), wall(now))
                    .is_ok()
            };
            (0..UNITS / 3).filter(admit).count() as u64
        });
        let mut expected = 0;
        while model.try_acquire(now, 1).admitted() {
            expected += 1;
        }
        let admitted = admitted.iter().sum::<u64>();
        assert_eq!(
            admitted, expected,
            "round {round} at {now} under {algorithm}"
        );
        events.push(Event::admitted(now, admitted));
        now += match chance.below(4) {
            0 => 1,
            1 => chance.below(period / 30),
            _ => chance.below(period / 3),
        };
    }
    assert!(
        events.iter().filter(|event| event.units > 0).count() > 5,
        "{algorithm}"
    );
    let verdict = law.check(events, 0);
    assert!(verdict.held(), "{algorithm}: {verdict}");
}

#[test]
fn races_at_each_instant_admit_what_a_single_caller_gets() {
    let rate = RateLimit::new(UNITS, MINUTE, UNITS);
    let window = Law::Window {
        window: MINUTE,
        max: UNITS,
    };
    equals_a_single_caller(
        "per = \"1m\"\nalgorithm = \"gcra\"",
        MINUTE,
        Gcra::new(rate),
        &Law::Rate(rate),
    );
    equals_a_single_caller(
        "per = \"1m\"\nalgorithm = \"log\"",
        MINUTE,
        SlidingLog::new(MINUTE, UNITS),
        &window,
    );
    let ring = |slots| SlottedRing::new(MINUTE, slots, 0, UNITS);
    equals_a_single_caller(
        "per = \"1m\"\nalgorithm = \"window\"",
        MINUTE,
        ring(60),
        &window,
    );
    equals_a_single_caller(
        "per = \"1m\"\nalgorithm = \"window\"\nslots = 7",
        MINUTE,
        ring(7),
        &window,
    );
    for (algorithm, period) in [
        ("per = \"1m\"\nalgorithm = \"fixed\"", MINUTE),
        ("per = \"hour\"\nalgorithm = \"calendar\"", 60 * MINUTE),
    ] {
        let periods = Periods::every(period, 0);
        let budget = PeriodBudget::new(periods.clone(), UNITS);
        equals_a_single_caller(
            algorithm,
            period,
            budget,
            &Law::Periods {
                periods,
                max: UNITS,
            },
        );
    }
}

/// Every racer draws its stamp from one clock that moves with each reading, so decisions land in another order than
/// their stamps. The law holds by the stamps all the same: an old `now` only makes an answer stricter.
#[test]
fn limits_obey_the_law_by_the_stamps_of_racers() {
    let window = Law::Window {
        window: SECOND,
        max: 1_000,
    };
    let periods = Law::Periods {
        periods: Periods::every(SECOND, 0),
        max: 1_000,
    };
    let rate = Law::Rate(RateLimit::new(1_000, SECOND, 300));
    for (algorithm, law) in [
        ("capacity = 300\nalgorithm = \"gcra\"", &rate),
        ("algorithm = \"log\"", &window),
        ("algorithm = \"window\"\nslots = 20", &window),
        ("algorithm = \"window\"\nslots = 1", &window),
        ("algorithm = \"fixed\"", &periods),
    ] {
        obeys_by_the_stamps(algorithm, law);
    }
}

fn obeys_by_the_stamps(algorithm: &str, law: &Law) {
    let gate = gate(&limit(
        "l",
        "tokens",
        1_000,
        &format!("per = \"1s\"\n{algorithm}"),
    ));
    let clock = AtomicU64::new(0);
    let events = race(|racer| {
        let mut chance = Chance::new(racer, 11);
        let mut events = Vec::new();
        for _ in 0..15_000 {
            let now = clock.fetch_add(chance.below(2_000_000), SeqCst);
            let cost = 1 + chance.below(12);
            if let Ok(reservation) = gate.admit_at(&tokens(cost), Nanos(now), wall(now)) {
                reservation.settle_at(usage(cost), Nanos(now), wall(now));
                events.push(Event::admitted(now, cost));
            }
        }
        events
    });
    let events = events.concat();
    let (asked, admitted) = (
        clock.into_inner(),
        events.iter().map(|event| event.units).sum::<u64>(),
    );
    // The limit was used up, less what a stalled racer may have held; and a window of one slot counts for two.
    assert!(
        admitted > asked / SECOND * 1_000 / 4,
        "{admitted} in {asked} ns under {algorithm}"
    );
    let verdict = law.check(events, 0);
    assert!(verdict.held(), "{algorithm}: {verdict}");
}

/// The same with estimates of up to four times the truth, settled some decisions later by a later stamp: what was
/// admitted and kept obeys the law with no slack, whoever races whom.
#[test]
fn refunds_in_a_race_never_admit_refilled_units_twice() {
    let gate = gate(&limit(
        "l",
        "tokens",
        1_000,
        "per = \"1s\"\ncapacity = 300\nalgorithm = \"gcra\"",
    ));
    let clock = AtomicU64::new(0);
    let events = race(|racer| {
        let mut chance = Chance::new(racer, 13);
        let (mut events, mut open) = (Vec::new(), Vec::new());
        for _ in 0..15_000 {
            let now = clock.fetch_add(chance.below(2_000_000), SeqCst);
            let actual = chance.below(9);
            let estimate = actual * (1 + chance.below(4)) + 1;
            if let Ok(reservation) = gate.admit_at(&tokens(estimate), Nanos(now), wall(now)) {
                events.push(Event::admitted(now, actual));
                open.push((reservation, actual));
            }
            if open.len() > chance.place(6) {
                let (reservation, actual) = open.swap_remove(chance.place(open.len()));
                let now = clock.fetch_add(1, SeqCst);
                reservation.settle_at(usage(actual), Nanos(now), wall(now));
            }
        }
        for (reservation, actual) in open {
            let now = clock.fetch_add(1, SeqCst);
            reservation.settle_at(usage(actual), Nanos(now), wall(now));
        }
        events
    });
    let verdict = Law::Rate(RateLimit::new(1_000, SECOND, 300)).check(events.concat(), 0);
    assert!(verdict.held(), "{verdict}");
}
