//! **Burst**: idle time that earns more than the capacity; a capacity of one that refuses nothing.

use crate::{
    peers::LaggingTat,
    script::{MILLI, SECOND, every, take_all},
    tiers::{RATES, WINDOWS, all},
};
use tollgate_testkit::{RateLimit, subject::Subject};

/// Ten a second, ten at once.
const TEN: RateLimit = RateLimit::new(10, SECOND, 10);
/// Idle times, in milliseconds.
const IDLE: [u64; 3] = [1_200, 1_500, 1_700];

/// What passes at one instant after the capacity was spent and then `idle` milliseconds went by.
fn after_idling(subject: &impl Subject, idle: u64) -> u64 {
    assert_eq!(
        take_all(subject, 0, 100),
        TEN.capacity,
        "the whole capacity is there"
    );
    take_all(subject, idle * MILLI, 100)
}

#[test]
fn tollgate_admits_no_more_than_the_capacity_after_idling() {
    for idle in IDLE {
        every(RATES, TEN, |tier, subject| {
            assert_eq!(after_idling(&subject, idle), 10, "{}, {idle} ms", tier.name);
        });
        every(WINDOWS, TEN, |tier, subject| {
            assert!(
                after_idling(&subject, idle) <= 10,
                "{}, {idle} ms",
                tier.name
            );
        });
    }
}

#[test]
fn the_copied_rule_admits_12_15_and_17_of_ten_after_idling() {
    let admitted = IDLE.map(|idle| after_idling(&LaggingTat::new(TEN), idle));
    assert_eq!(admitted, [12, 15, 17]);
}

/// One a second, one at once.
const ONE: RateLimit = RateLimit::new(1, SECOND, 1);

/// How many of a thousand requests at one instant pass.
fn a_thousand_at_once(subject: &impl Subject) -> u64 {
    take_all(subject, SECOND, 1_000)
}

#[test]
fn tollgate_admits_one_where_the_capacity_is_one() {
    every(all(), ONE, |tier, subject| {
        assert_eq!(a_thousand_at_once(&subject), 1, "{}", tier.name);
    });
}

#[test]
fn the_copied_rule_refuses_nothing_where_the_capacity_is_one() {
    assert_eq!(a_thousand_at_once(&LaggingTat::new(ONE)), 1_000);
}
