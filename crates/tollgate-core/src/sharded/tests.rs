//! What users of the whole are promised, one caller at a time; races are in `tests/`.

use super::*;
use crate::ManualClock;
use std::time::Duration;
use tollgate_sync::atomic::{AtomicU64, Ordering::Relaxed};

const SECOND: Limit = Limit::per_second(1);

fn cost(units: u64) -> Cost {
    Cost::new(units).expect("a cost")
}

fn build(capacity: u64, shards: usize, seats: usize, initial: u64) -> ShardedLimiter<ManualClock> {
    ShardedLimiter::builder(SECOND.with_capacity(capacity))
        .shards(shards)
        .seats(seats)
        .initial(initial)
        .build_with_clock(ManualClock::new())
        .expect("a limit")
}

/// A clock that stands still and counts how often it is read.
#[derive(Debug, Default)]
struct Counted(AtomicU64);

impl Clock for Counted {
    fn now(&self) -> Nanos {
        self.0.fetch_add(1, Relaxed);
        Nanos::ZERO
    }

    fn wall_offset(&self) -> i64 {
        0
    }
}

fn counted(shards: usize, seats: usize) -> ShardedLimiter<Counted> {
    ShardedLimiter::builder(SECOND.with_capacity(1_000))
        .shards(shards)
        .seats(seats)
        .build_with_clock(Counted::default())
        .expect("a limit")
}

/// How often the clock is read by `act`.
fn reads<T>(limiter: &ShardedLimiter<Counted>, act: impl FnOnce() -> T) -> u64 {
    let before = limiter.clock().0.load(Relaxed);
    let _ = act();
    limiter.clock().0.load(Relaxed) - before
}

#[test]
fn an_eighth_of_the_capacity_is_set_aside_at_most() {
    for (capacity, shards, seats, k) in [
        (7, 1, 0, 0),
        (8, 1, 0, 1),
        (15, 1, 1, 0),
        (16, 1, 1, 1),
        (100, 3, 0, 3),
        (10_000, 4, 4, 64),
        (u64::MAX / 100_000_000_000, 256, 256, 64),
    ] {
        let limiter = build(capacity, shards, seats, capacity);
        assert_eq!(
            limiter.stock_per_shard(),
            k,
            "{capacity} over {shards} and {seats}"
        );
        let words = (limiter.shards() + limiter.seats()) as u64;
        assert_eq!(limiter.max_cost(), capacity - words * k);
        assert_eq!(limiter.peek().remaining(), capacity, "it starts full");
    }
}

#[test]
fn shards_are_a_power_of_two_and_seats_as_many() {
    for (asked, shards) in [(1, 1), (2, 2), (3, 4), (5, 8), (256, 256)] {
        let limiter = ShardedLimiter::builder(SECOND).shards(asked).build();
        let limiter = limiter.expect("a limit");
        assert_eq!((limiter.shards(), limiter.seats()), (shards, shards));
    }
    let limiter = ShardedLimiter::new(SECOND).expect("a limit");
    assert!(limiter.shards().is_power_of_two());
    assert_eq!(limiter.seats(), limiter.shards());
}

#[test]
fn what_cannot_be_built_is_refused_by_name() {
    let builder = ShardedLimiter::builder(SECOND.with_capacity(10));
    assert_eq!(builder.shards(0).build().unwrap_err(), LimitError::NoShards);
    for (shards, seats) in [
        (513, 0),
        (257, 1),
        (256, 257),
        (1, usize::MAX),
        (usize::MAX, 0),
    ] {
        let refused = builder.shards(shards).seats(seats).build().map(drop);
        let too_many = LimitError::TooManyShards {
            shards,
            seats,
            max: 512,
        };
        assert_eq!(refused, Err(too_many));
    }
    assert_eq!(
        builder.initial(11).build().unwrap_err(),
        LimitError::InitialAboveCapacity {
            initial: 11,
            capacity: 10
        }
    );
    assert!(matches!(
        ShardedLimiter::new(Limit::per_day(1).with_capacity(1_000_000)),
        Err(LimitError::CapacityTooLarge { .. })
    ));
}

#[test]
fn a_cost_above_the_largest_is_an_error_at_once() {
    let limiter = counted(1, 1);
    let handle = limiter.handle();
    let largest = limiter.max_cost();
    assert_eq!(largest, 1_000 - 2 * 62);
    let never = |units| {
        Err(CostExceedsCapacity {
            cost: units,
            capacity: largest,
        })
    };
    let read = reads(&limiter, || {
        for units in [largest + 1, 1_000, u64::MAX] {
            assert_eq!(limiter.try_acquire(cost(units)).map(drop), never(units));
            assert_eq!(handle.try_acquire(cost(units)).map(drop), never(units));
        }
    });
    assert_eq!(read, 0);
    assert_eq!(
        limiter.peek().ask(cost(largest + 1)).map(drop),
        never(largest + 1)
    );
    assert!(
        limiter
            .try_acquire(cost(largest))
            .is_ok_and(|answer| answer.is_allowed())
    );
}

#[test]
fn stock_needs_no_clock() {
    let limiter = counted(1, 1);
    let handle = limiter.handle();
    let k = limiter.stock_per_shard();
    let read = reads(&limiter, || {
        for left in (0..k).rev() {
            for answer in [
                limiter.try_acquire(Cost::ONE),
                handle.try_acquire(Cost::ONE),
            ] {
                let Ok(Decision::Allowed(allowed)) = answer else {
                    panic!("there is stock")
                };
                assert_eq!(allowed.remaining(), left, "as far as the stock alone knows");
                assert_eq!(allowed.capacity(), 1_000);
                assert_eq!(allowed.reset_after(), Duration::from_secs(1_000 - left));
            }
        }
    });
    assert_eq!(read, 0);
    // A look, and again once the room is spoken for; a handle's room is its own.
    assert_eq!(reads(&limiter, || limiter.try_acquire(Cost::ONE)), 2);
    assert_eq!(reads(&limiter, || handle.try_acquire(Cost::ONE)), 1);
    assert_eq!(
        reads(&limiter, || limiter.try_acquire(cost(k))),
        0,
        "it is full again"
    );
    assert_eq!(reads(&limiter, || handle.try_acquire(cost(k))), 0);
}

#[test]
fn figures_count_what_the_answer_came_across() {
    let limiter = build(64, 2, 0, 64);
    assert_eq!(limiter.stock_per_shard(), 4);
    let Ok(Decision::Allowed(drawn)) = limiter.try_acquire_on(0, cost(50)) else {
        panic!("the parent has 56")
    };
    assert_eq!(
        drawn.remaining(),
        6 + 4,
        "the parent, and the shard itself if it drew"
    );
    assert_eq!(limiter.peek().remaining(), 64 - 50);
    let Ok(Decision::Allowed(gathered)) = limiter.try_acquire_on(0, cost(13)) else {
        panic!("there are 14")
    };
    assert_eq!(gathered.remaining(), 0);
    assert_eq!(limiter.peek().remaining(), 1);
    let Ok(Decision::Denied(denied)) = limiter.try_acquire_on(0, cost(3)) else {
        panic!("one is left")
    };
    assert_eq!(denied.remaining(), 1);
    assert_eq!(denied.retry_after(), Duration::from_secs(2));
    assert_eq!(denied.snapshot(), limiter.peek());
}

#[test]
fn after_exhaustion_and_idleness_the_set_aside_is_missing_from_a_burst() {
    let limiter = build(64, 2, 2, 64);
    let drain = || {
        let mut taken = 0;
        while limiter
            .try_acquire_on(0, Cost::ONE)
            .is_ok_and(|answer| answer.is_allowed())
        {
            taken += 1;
        }
        taken
    };
    assert_eq!(drain(), 64);
    limiter.clock().advance(Duration::from_secs(1_000_000));
    assert_eq!(limiter.peek().remaining(), 56);
    assert!(limiter.peek().reset_after() > Duration::ZERO);
    assert_eq!(drain(), 56);
    // The rate is whole all the same.
    for _ in 0..100 {
        limiter.clock().advance(Duration::from_secs(1));
        assert_eq!(drain(), 1);
    }
}

#[test]
fn a_handle_without_a_seat_asks_the_parent() {
    let limiter = counted(1, 1);
    let first = limiter.handle();
    let second = limiter.handle();
    assert!(first.has_seat() && !second.has_seat());
    for _ in 0..3 {
        let read = reads(&limiter, || {
            assert!(
                second
                    .try_acquire(Cost::ONE)
                    .is_ok_and(|answer| answer.is_allowed())
            );
        });
        assert_eq!(read, 1, "each time");
    }
    drop(first);
    assert!(limiter.handle().has_seat());
    assert!(!build(1_000, 1, 0, 1_000).handle().has_seat());
    assert!(
        !build(7, 1, 1, 7).handle().has_seat(),
        "there is no stock to own"
    );
}

#[test]
fn a_seat_keeps_stock_and_room_from_owner_to_owner() {
    let limiter = build(1_000, 1, 1, 1_000);
    let k = limiter.stock_per_shard();
    let takes = |handle: &LocalHandle<'_, ManualClock>, units| {
        let answer = handle.try_acquire(cost(units));
        assert!(answer.is_ok_and(|answer| answer.is_allowed()));
        handle.peek().remaining() - limiter.peek().remaining()
    };
    for _ in 0..3 {
        assert_eq!(takes(&limiter.handle(), k), 0, "an owner leaves nothing");
        let next = limiter.handle();
        assert_eq!(
            takes(&next, 1),
            k,
            "the next one draws as much as there is room for"
        );
        assert_eq!(takes(&next, k - 2), 2);
        drop(next);
        assert_eq!(takes(&limiter.handle(), 1), 1, "and leaves the rest");
        assert_eq!(takes(&limiter.handle(), 2), k);
    }
    // What the last owner left is there for others.
    let left = 1_000 - 3 * (2 * k + 2);
    assert_eq!(limiter.peek().remaining(), left);
    assert!((0..left).all(|_| {
        limiter
            .try_acquire(Cost::ONE)
            .is_ok_and(|answer| answer.is_allowed())
    }));
    assert!(
        limiter
            .try_acquire(Cost::ONE)
            .is_ok_and(|answer| answer.is_denied())
    );
}

#[test]
fn handles_are_sent_and_limiters_shared() {
    fn sent<T: Send>(_: &T) {}
    fn shared<T: Sync>(_: &T) {}
    let limiter = build(1_000, 1, 1, 1_000);
    shared(&limiter);
    sent(&limiter.handle());
}

#[test]
fn a_handle_asks_under_a_ceiling_without_its_stock() {
    let limit = Limit::per_second(64);
    let builder = ShardedLimiter::builder(limit).shards(2).seats(2);
    let limiter = builder
        .build_with_clock(ManualClock::new())
        .expect("a limit");
    let handle = limiter.handle();
    let stock = limiter.stock_per_shard();
    assert!(stock > 0 && handle.has_seat());
    // What the ceiling leaves to others, with all that is set aside.
    let share = cost(limiter.max_cost() - 40);
    assert!(
        handle
            .try_acquire_under(share, 24)
            .expect("it fits")
            .is_allowed()
    );
    assert!(
        handle
            .try_acquire_under(Cost::ONE, 24)
            .expect("it fits")
            .is_denied()
    );
    let later = Nanos::from_secs(1);
    assert!(
        handle
            .try_acquire_under_at(share, 24, later)
            .expect("it fits")
            .is_allowed()
    );
    assert_eq!(
        handle.try_acquire_under(cost(25), 24).map(drop),
        limiter.try_acquire_under(cost(25), 24).map(drop)
    );
    assert_eq!(limiter.shards(), 2);
    let taken = limiter.try_acquire_on_at(0, cost(stock), later);
    assert!(taken.expect("it is in stock").is_allowed());
}

/// Property: what others had in hand when the seat was claimed, and put back or used since, is the owner's: its units, and its room.
#[test]
fn a_handle_takes_up_what_others_put_back_in_its_seat() {
    let limiter = build(1_000, 1, 1, 1_000);
    let seat = limiter.supply.word(1).expect("a seat");
    let k = seat.units();
    let take = |handle: &LocalHandle<'_, ManualClock>, units| {
        handle
            .try_acquire(cost(units))
            .map(|answer| answer.is_allowed())
    };
    assert_eq!(seat.pick(k - 2), k - 2);
    let handle = limiter.handle();
    assert!(handle.has_seat());
    assert_eq!(
        handle.peek().remaining(),
        1_000 - (k - 2),
        "the rest is in hand"
    );
    assert_eq!(seat.settle(k - 2, 9), 9);
    // Two of its own and nine that were put back, without a unit of the parent's.
    let before = limiter.peek().remaining();
    assert_eq!(take(&handle, 11), Ok(true));
    assert_eq!(
        limiter.peek().remaining(),
        before - 9,
        "{}",
        handle.peek().remaining()
    );
    // With all of the seat's room it puts by as much as a seat holds.
    assert_eq!(take(&handle, 1), Ok(true));
    drop(handle);
    assert_eq!(seat.units(), k);
}
