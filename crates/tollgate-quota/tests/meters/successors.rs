//! A rate meter that takes over from another.

use tollgate_core::{Cost, Limit, Meter, Moment, Nanos, Refused, Wall};
use tollgate_quota::{Depth, RateMeter, RefundRule, Scale};

const AT: Moment = Moment::new(Nanos::ZERO, Wall(0));

fn hourly() -> Limit {
    Limit::new(10, std::time::Duration::from_secs(3_600)).unwrap()
}

fn old_and_new() -> [RateMeter; 2] {
    let (depth, rule) = (Depth::Short, RefundRule::Exact);
    [
        RateMeter::new(&hourly(), depth, rule).unwrap(),
        RateMeter::pending(Scale::new(&hourly()).unwrap(), depth, rule),
    ]
}

/// Else its account would be forgotten with all that it is about to take over.
#[test]
fn a_meter_that_is_still_to_take_over_is_not_evicted() {
    let [old, new] = old_and_new();
    old.charge(AT, Cost::new(7).unwrap(), 10).unwrap();
    assert!(!new.close_at_rest(AT));
    new.take_over(&old, AT);
    assert_eq!(new.used(AT), 7);
    assert!(new.charge(AT, Cost::new(3).unwrap(), 10).is_ok());
}

/// Another may stand in its account's place by then.
#[test]
fn who_takes_over_late_finds_an_evicted_meter_closed_for_good() {
    let [old, new] = old_and_new();
    new.take_over(&old, AT);
    assert!(new.close_at_rest(AT));
    new.take_over(&old, AT);
    let answer = new.charge(AT, Cost::ONE, 10);
    assert!(matches!(answer, Err(Refused::Closed)), "{answer:?}");
}
