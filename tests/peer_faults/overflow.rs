//! **Overflow**: figures that wrap, panic or are cut, where they should be exact or refused by name.

use crate::{
    peers::{LaggingTat, NarrowPeriod, WholeInterval, WholeSeconds},
    script::{DAY, HOUR, SECOND, each, names, take_all},
    tiers::{COUNTS, RATES, WINDOWS, all},
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};
use tollgate_core::Limit;
use tollgate_testkit::{Answer, RateLimit, subject::Subject};
use tollgate_window::{ExactLog, FixedWindow, SlottedRing, WindowError};

/// One a day, a million at once: refilled in 2,738 years.
const A_MILLION_AT_ONE_A_DAY: RateLimit = RateLimit::new(1, DAY, 1_000_000);

/// How many of a million and one requests pass at one instant.
fn a_million_and_one(subject: &impl Subject) -> u64 {
    take_all(subject, 0, 1_000_001)
}

#[test]
fn tollgate_admits_a_million_at_one_a_day_or_says_that_it_cannot() {
    let limit = A_MILLION_AT_ONE_A_DAY;
    let refused = each(RATES, limit, |tier, subject| {
        assert_eq!(a_million_and_one(&subject), 1_000_000, "{}", tier.name);
        assert_eq!(
            subject.try_acquire_at(1, 0),
            Answer::Wait(u128::from(DAY)),
            "{}",
            tier.name
        );
    });
    assert_eq!(names(&refused), ["limiter", "token bucket"]);
    for (name, error) in refused {
        assert!(
            error.starts_with("a capacity of 1000000 takes longer than ")
                && error.ends_with(" to refill, lower it or raise the rate"),
            "{name}: {error}"
        );
    }
}

#[test]
fn the_copied_rule_wraps_and_admits_145_984_of_a_million() {
    let rule = WholeInterval::floored_to_nanoseconds(A_MILLION_AT_ONE_A_DAY);
    assert_eq!(a_million_and_one(&rule), 145_984);
}

/// Six hundred years of 365.25 days: more nanoseconds than 64 bits hold.
const SIX_CENTURIES: Duration = Duration::from_secs(600 * 31_557_600);

/// What `build` says of a period of six centuries; a panic is told apart from an error.
fn six_centuries<T>(build: impl Fn(Duration) -> Result<T, String>) -> Result<(), Option<String>> {
    let built = catch_unwind(AssertUnwindSafe(|| build(SIX_CENTURIES).map(drop)));
    built.map_err(|_panic| None)?.map_err(Some)
}

#[test]
fn tollgate_refuses_a_period_of_six_centuries_by_name() {
    let limit = six_centuries(|period| Limit::new(1, period).map_err(|error| error.to_string()));
    assert_eq!(
        limit,
        Err(Some(
            "a period of 18934560000s is too long, it may be at most 18446744073.709551615s".into()
        ))
    );
    let windows: [fn(Duration) -> Result<(), WindowError>; 3] = [
        |window| ExactLog::new(1, window).map(drop),
        |window| SlottedRing::new(1, window, 4).map(drop),
        |window| FixedWindow::new(1, window).map(drop),
    ];
    for build in windows {
        let refused = six_centuries(|window| build(window).map_err(|error| error.to_string()));
        assert_eq!(
            refused,
            Err(Some(
                "a window of 18934560000s is too long, it may be at most 946728000s".into()
            ))
        );
    }
}

#[test]
fn tollgate_refuses_a_policy_of_six_centuries_by_name() {
    for algorithm in ["gcra", "window", "log", "fixed"] {
        let refused = six_centuries(|period| {
            let policy = format!(
                "[[limit]]\nname = \"l\"\nunit = \"requests\"\nmax = 1\nalgorithm = \"{algorithm}\"\nper = \"{}h\"",
                period.as_secs() / 3_600
            );
            tollgate_policy::Gate::from_toml(&policy).map_err(|errors| errors.to_string())
        });
        let Err(Some(error)) = refused else {
            panic!("{algorithm}: {refused:?}")
        };
        assert!(
            error.contains("`per` is \"5259600h\", which is too long")
                && error.contains("write at most \"3650d\""),
            "{error}"
        );
    }
}

/// The longest period that fits 64 bits: exact, or refused for what it takes to refill.
#[test]
fn tollgate_keeps_a_period_of_five_centuries_or_says_that_it_cannot() {
    let period = 500 * 31_557_600 * SECOND;
    let refused = each(RATES, RateLimit::new(1, period, 1), |tier, subject| {
        assert_eq!(take_all(&subject, 0, 2), 1, "{}", tier.name);
        assert_eq!(
            subject.try_acquire_at(1, 0),
            Answer::Wait(u128::from(period)),
            "{}",
            tier.name
        );
    });
    assert_eq!(names(&refused), ["limiter", "token bucket", "gate, gcra"]);
}

#[test]
fn the_copied_rule_panics_at_a_period_of_six_centuries() {
    assert_eq!(
        six_centuries(|period| Ok(NarrowPeriod::new(period))),
        Err(None)
    );
    assert_eq!(
        NarrowPeriod::new(Duration::from_secs(9)).interval(),
        Duration::from_secs(9)
    );
}

/// One more than 32 bits hold, at 10⁹ units an hour or a second, so that no tier is kept from it by its refill.
fn wide(period: u64) -> RateLimit {
    RateLimit::new(1_000_000_000, period, (1 << 32) + 1)
}

/// Asks for all but one unit of a capacity of 2³² + 1, for the last one, and for one more.
fn all_but_one_the_last_and_one_more(subject: &impl Subject) -> [bool; 3] {
    [1 << 32, 1, 1].map(|cost| subject.try_acquire_at(cost, 0).admitted())
}

#[test]
fn tollgate_keeps_capacities_of_more_than_32_bits() {
    let mut refused = Vec::new();
    for tiers in [&RATES[..], &WINDOWS, &COUNTS] {
        refused.extend(each(
            tiers.iter().copied(),
            wide(SECOND),
            |tier, subject| {
                assert_eq!(
                    all_but_one_the_last_and_one_more(&subject),
                    [true, true, false],
                    "{}",
                    tier.name
                );
            },
        ));
    }
    // A log has a place for each unit.
    assert_eq!(names(&refused), ["exact log", "gate, log"]);
    assert_eq!(
        refused[0].1,
        "a max of 4294967297 is too large for this window, it may be at most 4194304"
    );
    assert!(
        refused[1].1.contains(
            "`max` is 4294967297, but a log keeps a stamp for each unit and at most 4194304"
        ),
        "{}",
        refused[1].1
    );
}

#[test]
fn the_copied_rule_cuts_a_capacity_of_33_bits_to_1() {
    let rule = LaggingTat::new(wide(SECOND));
    assert_eq!(
        all_but_one_the_last_and_one_more(&rule),
        [false, true, true]
    );
    assert!(
        all_but_one_the_last_and_one_more(&LaggingTat::new(RateLimit::new(
            1_000_000_000,
            SECOND,
            1
        ))) == [false, true, true],
        "as with a capacity of 1"
    );
}

/// Ten thousand million at one a second: refilled in 317 years.
const HUGE: RateLimit = RateLimit::new(1, SECOND, 10_000_000_000);

/// The first answer of a limiter that nobody asked before.
fn first(subject: &impl Subject) -> Answer {
    subject.try_acquire_at(1, 0)
}

#[test]
fn tollgate_admits_under_a_huge_capacity_or_says_that_it_cannot() {
    let refused = each(all(), HUGE, |tier, subject| {
        assert_eq!(first(&subject), Answer::Admit, "{}", tier.name);
        assert_eq!(
            subject.try_acquire_at(HUGE.capacity - 1, 0),
            Answer::Admit,
            "{}",
            tier.name
        );
        assert!(!subject.try_acquire_at(1, 0).admitted(), "{}", tier.name);
    });
    assert_eq!(
        names(&refused),
        ["limiter", "token bucket", "exact log", "gate, log"]
    );
}

/// The largest capacity that can be written.
#[test]
fn tollgate_admits_under_the_largest_capacity_or_says_that_it_cannot() {
    // Lifetimes and open requests have no refill, and calendars none that depends on it.
    let unbounded = ["calendar meter", "lifetime", "concurrency"];
    for (units, period, refilled_in_time) in [
        (1, SECOND, &[][..]),
        (1, HOUR, &[]),
        (16_000_000_000, SECOND, &["rate meter"]),
    ] {
        let limit = RateLimit::new(units, period, u64::MAX);
        let mut admitted = Vec::new();
        let refused = each(all(), limit, |tier, subject| {
            assert_eq!(first(&subject), Answer::Admit, "{}", tier.name);
            admitted.push(tier.name);
        });
        assert_eq!(admitted, [refilled_in_time, &unbounded].concat());
        for (name, error) in refused {
            assert!(
                error.contains(&u64::MAX.to_string()),
                "{name} does not say what is too large: {error}"
            );
        }
    }
}

#[test]
fn the_copied_rule_denies_everything_under_a_huge_capacity() {
    assert!(!first(&WholeSeconds::new(HUGE)).admitted());
    assert!(
        first(&WholeSeconds::new(RateLimit {
            capacity: 10,
            ..HUGE
        }))
        .admitted()
    );
}
