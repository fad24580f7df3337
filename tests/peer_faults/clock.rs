//! **Clock**: an hour's step back of the wall clock that refuses a key for an hour.

use crate::{
    peers::LaggingTat,
    script::{HOUR, SECOND, every},
    tiers::{COUNTS, RATES, WINDOWS},
};
use tollgate_core::{Moment, Nanos, Wall};
use tollgate_testkit::{Answer, RateLimit, subject::Subject};

/// Ten a minute, ten at once.
const TEN: RateLimit = RateLimit::new(10, 60 * SECOND, 10);
/// When it starts by the wall clock: a few minutes into an hour, so that an hour earlier is another one.
const START: u64 = 500_000 * HOUR + 300 * SECOND;

/// A second later the wall clock was set back by this, in nanoseconds.
fn a_second_later(set_back: u64) -> Moment {
    let wall = i64::try_from(START + SECOND - set_back).expect("a wall time");
    Moment::new(Nanos::from_secs(1), Wall(wall))
}

/// Takes one of ten, has the wall clock set back, and asks for ten more a second later.
fn around_a_step(ask: impl Fn(Moment) -> Answer, set_back: u64) -> Vec<Answer> {
    let start = Wall(i64::try_from(START).expect("a wall time"));
    assert_eq!(ask(Moment::new(Nanos::ZERO, start)), Answer::Admit);
    (0..10).map(|_| ask(a_second_later(set_back))).collect()
}

/// How many of the nine units that were left passed.
fn passed(answers: &[Answer]) -> usize {
    answers.iter().filter(|answer| answer.admitted()).count()
}

#[test]
fn tollgate_keeps_rates_and_windows_off_the_wall_clock() {
    for tiers in [&RATES[..], &WINDOWS] {
        every(tiers.iter().copied(), TEN, |tier, stepped| {
            let steady = tier.build(TEN).expect("it was built before");
            let answers = around_a_step(|at| stepped.ask(at), HOUR);
            assert_eq!(passed(&answers), 9, "{}", tier.name);
            assert_eq!(
                answers,
                around_a_step(|at| steady.ask(at), 0),
                "{}",
                tier.name
            );

            // The wait that it tells is that of a steady clock too.
            let Some(Answer::Wait(wait)) = answers.last() else {
                panic!("{}: {answers:?}", tier.name)
            };
            let wait = u64::try_from(*wait).expect("a short wait");
            assert!(wait <= 90 * SECOND, "{}: {wait} ns", tier.name);
            let later = Moment {
                now: Nanos(SECOND + wait),
                ..a_second_later(HOUR)
            };
            assert_eq!(stepped.ask(later), Answer::Admit, "{}", tier.name);
        });
    }
}

/// Quotas of calendar hours follow the wall clock, since that is what they are of. Back in an earlier hour, what was
/// left of the one already begun is still there.
#[test]
fn tollgate_gives_what_is_left_of_a_calendar_hour_to_a_clock_that_was_set_back() {
    every(COUNTS, TEN, |tier, stepped| {
        let answers = around_a_step(|at| stepped.ask(at), HOUR);
        assert_eq!(passed(&answers), 9, "{}", tier.name);
    });
}

#[test]
fn the_copied_rule_refuses_for_an_hour_after_a_step_back_of_an_hour() {
    let rule = LaggingTat::new(TEN);
    let by_the_wall = |at: Moment| rule.try_acquire_at(1, at.wall.0.cast_unsigned());
    let answers = around_a_step(by_the_wall, HOUR);
    assert_eq!(passed(&answers), 0);
    let Answer::Wait(wait) = answers[0] else {
        panic!("{answers:?}")
    };
    assert!(wait > u128::from(59 * 60 * SECOND), "{wait} ns");

    let rule = LaggingTat::new(TEN);
    let by_the_wall = |at: Moment| rule.try_acquire_at(1, at.wall.0.cast_unsigned());
    assert_eq!(passed(&around_a_step(by_the_wall, 0)), 9, "without a step");
}
