use super::*;
use crate::{LimitError, ManualClock};

fn bucket(capacity: u64, rate: f64) -> TokenBucket<ManualClock> {
    TokenBucket::builder(capacity)
        .rate(rate)
        .build_with_clock(ManualClock::new())
        .expect("a bucket")
}

#[test]
fn a_fractional_rate_fills_exactly() {
    let bucket = bucket(10, 0.3);
    assert!(bucket.try_acquire(10).expect("it fits").is_allowed());
    for filled in 1..=9 {
        let wait = bucket.wait_time(1).expect("it fits");
        bucket.clock().advance(wait - Duration::from_nanos(1));
        assert!(bucket.try_acquire(filled).expect("it fits").is_denied());
        bucket.clock().advance(Duration::from_nanos(1));
        assert!(bucket.try_acquire(1).expect("it fits").is_allowed());
    }
}

#[test]
fn figures_are_told_at_any_now() {
    let bucket = bucket(10, 1.0);
    let then = Nanos::from_secs(7);
    assert!(bucket.try_acquire(10).expect("it fits").is_allowed());
    assert_eq!((bucket.available(), bucket.available_at(then)), (0, 7));
    assert_eq!(bucket.wait_time(8), Ok(Duration::from_secs(8)));
    assert_eq!(bucket.wait_time_at(8, then), Ok(Duration::from_secs(1)));
}

#[test]
fn nothing_is_always_allowed_and_takes_nothing() {
    let bucket = bucket(1, 1.0);
    assert!(bucket.try_acquire(1).expect("it fits").is_allowed());
    let before = bucket.wait_time(1);
    assert!(bucket.try_acquire(0).expect("it fits").is_allowed());
    assert_eq!(bucket.wait_time(0), Ok(Duration::ZERO));
    let turn = bucket.turn(0, Duration::ZERO).expect("it is due");
    assert_eq!(turn.wait(Nanos::ZERO), Duration::ZERO);
    drop(turn);
    assert_eq!(bucket.wait_time(1), before);
}

#[test]
fn more_than_the_capacity_is_an_error_at_once() {
    let bucket = bucket(5, 1.0);
    let never = CostExceedsCapacity {
        cost: 6,
        capacity: 5,
    };
    assert_eq!(bucket.try_acquire(6), Err(never));
    assert_eq!(bucket.wait_time(6), Err(never));
    assert_eq!(
        bucket.turn(6, Duration::MAX).map(Turn::take),
        Err(never.into())
    );
    assert_eq!(bucket.available(), 5);
    assert_eq!(bucket.capacity(), 5);
}

#[test]
fn what_cannot_be_built_is_named() {
    let build =
        |builder: TokenBucketBuilder| builder.build_with_clock(ManualClock::new()).map(drop);
    let minute = Duration::from_secs(60);
    for (builder, error) in [
        (TokenBucket::builder(1), LimitError::NoRate),
        (TokenBucket::builder(1).rate(0.0), LimitError::NotARate),
        (TokenBucket::builder(0).rate(1.0), LimitError::NoCapacity),
        (
            TokenBucket::builder(0).rate_per(1, minute),
            LimitError::NoCapacity,
        ),
        (
            TokenBucket::builder(1).rate_per(0, minute),
            LimitError::NoUnits,
        ),
        (
            TokenBucket::builder(1).rate_per(1, Duration::ZERO),
            LimitError::NoPeriod,
        ),
        (
            TokenBucket::builder(1).rate(1.0).initial(2),
            LimitError::InitialAboveCapacity {
                initial: 2,
                capacity: 1,
            },
        ),
    ] {
        assert_eq!(build(builder), Err(error));
    }
    assert_eq!(
        build(
            TokenBucket::builder(3)
                .rate(f64::NAN)
                .rate_per(9, minute)
                .initial(0)
        ),
        Ok(())
    );
}

#[test]
fn a_turn_waits_for_the_fill() {
    let bucket = bucket(2, 4.0);
    assert!(bucket.try_acquire(2).expect("it fits").is_allowed());
    let turn = bucket.turn(1, Duration::from_secs(1)).expect("it is near");
    assert_eq!(turn.ready_at(), Nanos::new(250_000_000));
    turn.take();
    assert_eq!(bucket.wait_time(1), Ok(Duration::from_millis(500)));
}
