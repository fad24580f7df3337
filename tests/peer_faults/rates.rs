//! **Rates**: an interval rounded the wrong way, to zero, or away; a fraction lost at each poll.

use crate::{
    peers::{LostFraction, Unlimited, WholeInterval},
    script::{SECOND, each, every, names, take_all},
    tiers::{METERS, RATES, WINDOWS},
};
use std::time::Duration;
use tollgate_core::{Limit, LimitError, ManualClock, TokenBucket};
use tollgate_policy::{Gate, Request};
use tollgate_testkit::{
    RateLimit,
    law::{Event, Law, Verdict},
    subject::Subject,
};

/// Intervals of the cells are rounded up to whole sixteenths of a nanosecond; those of meters are exact at these rates.
const CELL_PARTS: u64 = 16;

/// What was delivered to somebody who always asks, after the capacity was gone.
struct Delivery {
    units: u64,
    limit: RateLimit,
    span: u64,
}

/// Spends the capacity, then takes what there is every `poll` nanoseconds for at least `span`.
fn delivery(subject: &impl Subject, limit: RateLimit, poll: u64, span: u64) -> Delivery {
    take_all(subject, 0, limit.capacity);
    let polls = span.div_ceil(poll);
    let units =
        (1..=polls).map(|poll_number| take_all(subject, poll_number * poll, limit.capacity));
    Delivery {
        units: units.sum(),
        limit,
        span: polls * poll,
    }
}

impl Delivery {
    /// Units that the rate gives, rounded down.
    fn due(&self) -> u64 {
        let due =
            u128::from(self.span) * u128::from(self.limit.units) / u128::from(self.limit.period);
        u64::try_from(due).expect("a short span")
    }

    /// What was delivered of what is due, in whole per cent.
    fn percent(&self) -> u64 {
        (100 * self.units + self.due() / 2) / self.due()
    }

    /// Not a unit too many, and none too few but for what rounding each interval up to parts of a nanosecond costs.
    fn is_exact_in(&self, parts: u64) -> bool {
        // One more unit would have taken longer than the span, were each interval longer by a whole part.
        let (units, period) = (u128::from(self.limit.units), u128::from(self.limit.period));
        let longer = period * u128::from(parts) + units;
        let taken = u128::from(self.units + 1) * longer;
        self.units <= self.due() && taken > u128::from(self.span) * units * u128::from(parts)
    }
}

/// Units a second that no whole number of nanoseconds or microseconds divides, capacity 1000.
fn fast(units: u64) -> RateLimit {
    RateLimit::new(units, SECOND, 1_000)
}

/// A fast rate over a tenth of a millisecond, asked every 50 ns.
fn a_fast_rate(subject: &impl Subject, limit: RateLimit) -> Delivery {
    delivery(subject, limit, 50, 100_000)
}

/// Three million a second over ten milliseconds, asked every 5 µs.
fn three_million(subject: &impl Subject) -> Delivery {
    delivery(subject, fast(3_000_000), 5_000, 10_000_000)
}

#[test]
fn tollgate_delivers_rates_that_are_no_whole_interval() {
    for units in [300_000_000, 700_000_000] {
        every(RATES, fast(units), |tier, subject| {
            let delivery = a_fast_rate(&subject, fast(units));
            let told = format!("{}: {} % of {units}", tier.name, delivery.percent());
            assert!(delivery.is_exact_in(CELL_PARTS), "{told}");
            assert!((98..=100).contains(&delivery.percent()), "{told}");
        });
    }
    every(RATES, fast(3_000_000), |tier, subject| {
        let delivery = three_million(&subject);
        assert!(delivery.is_exact_in(CELL_PARTS), "{}", tier.name);
        assert_eq!(delivery.percent(), 100, "{}", tier.name);
    });
}

#[test]
fn tollgate_meters_round_no_interval_at_all() {
    for units in [3_000_000, 300_000_000, 700_000_000] {
        every(METERS, fast(units), |tier, subject| {
            let delivery = a_fast_rate(&subject, fast(units));
            assert_eq!(delivery.units, delivery.due(), "{}", tier.name);
        });
    }
}

#[test]
fn the_copied_rule_of_whole_nanoseconds_delivers_too_much() {
    for (units, percent) in [(300_000_000, 111), (700_000_000, 143)] {
        let rule = WholeInterval::floored_to_nanoseconds(fast(units));
        let delivery = a_fast_rate(&rule, fast(units));
        assert!(!delivery.is_exact_in(CELL_PARTS));
        assert_eq!(delivery.percent(), percent, "{units} a second");
    }
}

#[test]
fn the_copied_rule_of_whole_microseconds_delivers_a_third() {
    let delivery = three_million(&WholeInterval::ceiled_to_microseconds(fast(3_000_000)));
    assert!(!delivery.is_exact_in(CELL_PARTS));
    assert_eq!(delivery.percent(), 33);
}

/// Two units a nanosecond, ten at once.
const ABOVE_ONE_A_NANOSECOND: RateLimit = RateLimit::new(2_000_000_000, SECOND, 10);

/// Asks for a thousand units at one instant, and for a thousand more at each of the next ten.
fn a_thousand_at_each_instant(subject: &impl Subject, limit: RateLimit) -> Verdict {
    let taken = (0..=10).map(|now| Event::admitted(now, take_all(subject, now, 1_000)));
    Law::Rate(limit).check(taken, 0)
}

#[test]
fn tollgate_limits_above_a_unit_a_nanosecond_or_says_that_it_cannot() {
    let limit = ABOVE_ONE_A_NANOSECOND;
    every(RATES, limit, |tier, subject| {
        let verdict = a_thousand_at_each_instant(&subject, limit);
        assert!(verdict.held(), "{}: {verdict}", tier.name);
    });

    let limit = RateLimit {
        units: 40_000_000_000,
        ..limit
    };
    let refused = each(RATES, limit, |tier, subject| {
        let verdict = a_thousand_at_each_instant(&subject, limit);
        assert!(verdict.held(), "{}: {verdict}", tier.name);
    });
    assert_eq!(names(&refused), ["limiter", "token bucket"]);
    for (_, error) in refused {
        assert_eq!(
            error,
            "40000000000 units in 1s are too many, at most 16000000000 a second can be told apart"
        );
    }
}

#[test]
fn the_copied_rule_of_a_zero_interval_limits_nothing() {
    let limit = ABOVE_ONE_A_NANOSECOND;
    let rule = WholeInterval::floored_to_zero(limit);
    assert!(!a_thousand_at_each_instant(&rule, limit).held());
    assert_eq!(take_all(&rule, 11, 1_000_000), 1_000_000);
}

/// What a limit of nothing lets pass.
fn passes_of_nothing(subject: &impl Subject) -> u64 {
    take_all(subject, 0, 1_000) + take_all(subject, SECOND, 1_000)
}

#[test]
fn tollgate_takes_a_rate_of_zero_for_a_mistake_and_never_for_no_limit() {
    let nothing = RateLimit::new(0, SECOND, 1);
    let refused = each(RATES, nothing, |tier, subject| {
        assert_eq!(passes_of_nothing(&subject), 0, "{}", tier.name);
    });
    // A policy may say that nothing is allowed.
    assert_eq!(names(&refused), ["limiter", "token bucket", "rate meter"]);
    for (name, error) in refused {
        assert_eq!(
            error, "a limit needs at least one unit a period, found none",
            "{name}"
        );
    }

    let refused = each(WINDOWS, RateLimit::new(0, SECOND, 0), |tier, subject| {
        assert_eq!(passes_of_nothing(&subject), 0, "{}", tier.name);
    });
    assert_eq!(
        names(&refused),
        ["exact log", "slotted ring", "fixed window"]
    );
    for (name, error) in refused {
        assert_eq!(
            error, "a window needs a max of at least one unit, found none",
            "{name}"
        );
    }

    assert_eq!(
        Limit::new(0, Duration::from_secs(1)),
        Err(LimitError::NoUnits)
    );
    let bucket = TokenBucket::builder(1)
        .rate(0.0)
        .build_with_clock(ManualClock::new());
    assert_eq!(bucket.map(drop), Err(LimitError::NotARate));
}

/// In a policy a max of zero and no max at all are opposites.
#[test]
fn tollgate_lets_everything_pass_only_where_a_policy_has_no_max() {
    let gate = |max: &str, others: &str| {
        let limit = "[[limit]]\nname = \"l\"\nby = [\"agent\"]\nunit = \"requests\"\nper = \"1m\"";
        Gate::builder()
            .clock(ManualClock::new())
            .build(&format!("{limit}\n{max}\n{others}"))
    };
    let (anybody, somebody) = (
        Request::new().with("agent", "a"),
        Request::new().with("agent", "b"),
    );

    let refusal = gate("max = 0", "")
        .expect("a policy")
        .admit(&anybody)
        .expect_err("nothing is allowed");
    assert!(refusal.limited().is_some_and(|limited| limited.never_fits));

    let exception = "[[override]]\nlimit = \"l\"\nwhere = { agent = \"b\" }\nmax = 1";
    let unlimited = gate("", exception).expect("a policy");
    assert!((0..1_000).all(|_| unlimited.admit(&anybody).is_ok()));
    assert_eq!(
        (0..1_000)
            .filter(|_| unlimited.admit(&somebody).is_ok())
            .count(),
        1
    );

    let error = gate("", "").expect_err("it limits nobody").to_string();
    assert!(
        error.contains("[[limit]] has no `max`, and no override gives one, so it limits nothing"),
        "{error}"
    );
}

#[test]
fn the_copied_rule_takes_a_rate_of_zero_for_no_limit() {
    assert_eq!(passes_of_nothing(&Unlimited::per_second(0)), 2_000);
}

/// One a second, two at once.
const SLOW: RateLimit = RateLimit::new(1, SECOND, 2);

/// One a second for four seconds, asked every 1.7 µs.
fn polled_hard(subject: &impl Subject) -> Delivery {
    delivery(subject, SLOW, 1_700, 4 * SECOND)
}

#[test]
fn tollgate_loses_no_fraction_however_often_it_is_asked() {
    every(RATES, SLOW, |tier, subject| {
        assert_eq!(polled_hard(&subject).units, 4, "{}", tier.name);
    });
}

#[test]
fn the_copied_rule_loses_half_when_it_is_polled() {
    let delivery = polled_hard(&LostFraction::new(SLOW));
    assert_eq!((delivery.units, delivery.due()), (2, 4));
    assert_eq!(delivery.percent(), 50);
}
