//! **Cancel**: nothing given back for an immediate grant; more given back than is still out.

use crate::{
    peers::{CancelsNothingOfThePast, CancelsTheWhole},
    script::{HOUR, MILLI, SECOND, every, take_all},
    tiers::{COUNTS, EAGER, METERS, TURNS, Tier, WINDOWS},
};
use std::time::Duration;
use tollgate_core::ManualClock;
use tollgate_policy::{Gate, Request, Reservation, Usage};
use tollgate_testkit::{
    RateLimit,
    law::{Event, Law},
    subject::Subject,
};

/// Ten a second, ten at once.
const TEN: RateLimit = RateLimit::new(10, SECOND, 10);
/// When the grant is made: well inside a second and an hour, so that half a second later both are still the same.
const GRANTED: u64 = 7 * HOUR + 300 * MILLI;

/// All tiers that take a grant back; a decision of a bare cell is final.
fn refunding() -> impl Iterator<Item = Tier> {
    METERS.into_iter().chain(TURNS).chain(WINDOWS).chain(COUNTS)
}

/// All ten units are granted at once, at [`GRANTED`], and cancelled a millisecond later with nobody in between.
/// Returns how many pass at that instant.
fn after_cancelling_an_immediate_grant(subject: &impl Subject) -> u64 {
    assert!(subject.try_acquire_at(10, GRANTED).admitted());
    assert!(subject.refund_at(0, 10, GRANTED + MILLI));
    take_all(subject, GRANTED + MILLI, 100)
}

#[test]
fn tollgate_gives_an_immediate_grant_back_when_it_is_cancelled() {
    every(refunding().chain([EAGER]), TEN, |tier, subject| {
        assert_eq!(
            after_cancelling_an_immediate_grant(&subject),
            10,
            "{}",
            tier.name
        );
    });
}

/// What ends a reservation.
type WayOut = fn(Reservation);

/// A reservation that is released, settled with nothing used, or dropped where that is to release it.
#[test]
fn tollgate_gives_a_reservation_back_by_every_way_out() {
    let ways: [(&str, WayOut); 3] = [
        ("released", Reservation::release),
        ("settled", |reservation| {
            reservation.settle(Usage::default())
        }),
        ("dropped", drop),
    ];
    let policy = "
        [[limit]]
        name = \"tokens\"
        unit = \"tokens\"
        max = 10
        per = \"1s\"
        on_drop = \"release\"
    ";
    for (way, end) in ways {
        let clock = ManualClock::new();
        let gate = Gate::builder()
            .clock(clock.clone())
            .build(policy)
            .expect("a policy");
        let ten = Request::new().input_tokens(10);
        let reservation = gate.admit(&ten).expect("the whole capacity");
        clock.advance(Duration::from_millis(1));
        end(reservation);
        assert!(gate.admit(&ten).is_ok(), "{way}");
    }
}

#[test]
fn the_copied_rule_gives_nothing_back_for_an_immediate_grant() {
    let rule = CancelsNothingOfThePast::new(TEN);
    assert_eq!(after_cancelling_an_immediate_grant(&rule), 0);
    assert_eq!(
        after_cancelling_an_immediate_grant(&CancelsTheWhole::new(TEN)),
        10,
        "the other rule passes here"
    );
}

/// All ten units are granted at once, `later` others take what has come in, and the grant is cancelled then, so that
/// none of it was used. Returns what was kept: units of others before it was cancelled, and after.
fn around_a_late_cancel(subject: &impl Subject, later: u64) -> [u64; 2] {
    let now = GRANTED + later;
    assert!(subject.try_acquire_at(10, GRANTED).admitted());
    let before = take_all(subject, now, 100);
    assert!(subject.refund_at(0, 10, now));
    [before, take_all(subject, now, 100)]
}

/// How many units the law was broken by.
fn excess(law: &Law, kept: [u64; 2], later: u64) -> u128 {
    law.least_slack(kept.map(|units| Event::admitted(GRANTED + later, units)))
}

/// Half a second, in which half of it is refilled; two seconds and two hours, after which nothing of it is out.
const LATER: [u64; 3] = [500 * MILLI, 2 * SECOND, 2 * HOUR];

#[test]
fn tollgate_gives_no_unit_back_that_came_in_again() {
    for later in LATER {
        every(refunding(), TEN, |tier, subject| {
            let kept = around_a_late_cancel(&subject, later);
            let told = format!("{}, after {later} ns: {kept:?}", tier.name);
            assert_eq!(excess(&tier.law(TEN), kept, later), 0, "{told}");
        });
    }
}

/// A surplus given back is as if it had never been taken: those who came later find the whole capacity, and no more.
#[test]
fn tollgate_meters_give_back_all_that_is_still_out() {
    every(METERS, TEN, |tier, subject| {
        assert_eq!(
            around_a_late_cancel(&subject, 500 * MILLI),
            [5, 5],
            "{}",
            tier.name
        );
    });
}

/// Eager refunds are the rule of today's gateways, told by name: its slack is the surplus that was in flight.
#[test]
fn tollgate_gives_back_more_only_where_that_is_asked_for_and_within_its_slack() {
    let subject = EAGER.build(TEN).expect("a rate");
    let kept = around_a_late_cancel(&subject, 500 * MILLI);
    assert_eq!(kept, [5, 10]);
    assert!(excess(&EAGER.law(TEN), kept, 500 * MILLI) <= 10);
}

#[test]
fn the_copied_rule_gives_back_units_that_came_in_again() {
    let excesses = LATER.map(|later| {
        let kept = around_a_late_cancel(&CancelsTheWhole::new(TEN), later);
        excess(&Law::Rate(TEN), kept, later)
    });
    assert_eq!(excesses, [5, 10, 10]);
}
