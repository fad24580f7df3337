use super::*;
use crate::ManualClock;

const NS: Duration = Duration::from_nanos(1);
const SECOND: Duration = Duration::from_secs(1);

fn cost(units: u64) -> Cost {
    Cost::new(units).expect("a cost")
}

fn limiter(limit: Limit) -> Limiter<ManualClock> {
    Limiter::with_clock(limit, ManualClock::new()).expect("a limit")
}

fn takes(limiter: &Limiter<ManualClock>, units: u64, now: Nanos) -> bool {
    limiter
        .try_acquire_at(cost(units), now)
        .expect("a cost that fits")
        .is_allowed()
}

#[test]
fn capacity_of_one_refuses_the_second() {
    let limiter = limiter(Limit::per_second(1));
    assert!(takes(&limiter, 1, Nanos::ZERO));
    assert!(!takes(&limiter, 1, Nanos::ZERO));
    assert!(!takes(&limiter, 1, Nanos::new(999_999_999)));
    assert!(takes(&limiter, 1, Nanos::from_secs(1)));
    assert!(!takes(&limiter, 1, Nanos::from_secs(1)));
}

#[test]
fn polling_loses_no_fraction_of_a_unit() {
    let limiter = limiter(Limit::per_second(1));
    let (mut admitted, mut now) = (0, 0);
    while now < 100_000_000_000 {
        admitted += u64::from(takes(&limiter, 1, Nanos::new(now)));
        now += 1_700;
    }
    assert_eq!(admitted, 100);
}

#[test]
fn a_clock_that_steps_back_makes_no_answer_looser() {
    let limiter = limiter(Limit::per_second(10).with_capacity(2));
    assert!(takes(&limiter, 2, Nanos::from_secs(5)));
    assert!(!takes(&limiter, 1, Nanos::from_secs(4)));
    assert!(!takes(&limiter, 1, Nanos::ZERO));
    assert!(
        takes(&limiter, 1, Nanos::new(5_100_000_000)),
        "the visits to the past took nothing"
    );
}

#[test]
fn an_instant_beyond_the_last_is_the_last() {
    let limiter = limiter(Limit::per_second(1));
    assert!(takes(&limiter, 1, Nanos::new(u64::MAX)));
    assert!(!takes(&limiter, 1, Nanos::MAX));
    assert!(!takes(&limiter, 1, Nanos::new(u64::MAX)));
    assert_eq!(
        limiter.peek_at(Nanos::new(u64::MAX)),
        limiter.peek_at(Nanos::MAX)
    );
}

#[test]
fn denial_changes_nothing() {
    let limiter = limiter(Limit::per_minute(60).with_capacity(5));
    assert!(takes(&limiter, 3, Nanos::ZERO));
    let before = limiter.peek_at(Nanos::ZERO);
    for units in 3..=5 {
        let denied = limiter
            .try_acquire_at(cost(units), Nanos::ZERO)
            .expect("a cost that fits");
        assert!(denied.is_denied());
        assert_eq!(denied.snapshot(), before);
    }
    let error = limiter.try_acquire_at(cost(6), Nanos::ZERO);
    assert_eq!(
        error,
        Err(CostExceedsCapacity {
            cost: 6,
            capacity: 5
        })
    );
    assert_eq!(limiter.peek_at(Nanos::ZERO), before);
}

#[test]
fn retry_after_is_the_least_wait() {
    let limiter = limiter(Limit::per_second(700_000_000).with_capacity(7));
    assert!(takes(&limiter, 7, Nanos::ZERO));
    for units in 1..=7 {
        let Ok(Decision::Denied(denied)) = limiter.try_acquire_at(cost(units), Nanos::ZERO) else {
            panic!("nothing is left")
        };
        let at = Nanos::ZERO + denied.retry_after();
        assert!(
            limiter
                .peek_at(Nanos::new(at.0 - 1))
                .ask(cost(units))
                .expect("it fits")
                .is_denied()
        );
        assert!(
            limiter
                .peek_at(at)
                .ask(cost(units))
                .expect("it fits")
                .is_allowed()
        );
    }
}

#[test]
fn initial_units_are_there_and_no_more() {
    let clock = ManualClock::starting_at(Nanos::from_secs(7));
    for initial in 0..=5 {
        let limiter = Limiter::builder(Limit::per_second(5))
            .initial(initial)
            .build_with_clock(clock.clone());
        let limiter = limiter.expect("a limit");
        assert_eq!(limiter.peek().remaining(), initial);
    }
    let refused = Limiter::builder(Limit::per_second(5))
        .initial(6)
        .build_with_clock(clock);
    assert_eq!(
        refused.map(drop),
        Err(LimitError::InitialAboveCapacity {
            initial: 6,
            capacity: 5
        })
    );
}

#[test]
fn the_clock_is_the_now() {
    let limiter = limiter(Limit::per_second(1));
    assert!(
        limiter
            .try_acquire(Cost::ONE)
            .expect("it fits")
            .is_allowed()
    );
    assert!(limiter.try_acquire(Cost::ONE).expect("it fits").is_denied());
    limiter.clock().advance(SECOND);
    assert!(
        limiter
            .try_acquire(Cost::ONE)
            .expect("it fits")
            .is_allowed()
    );
}

#[test]
fn a_changed_limit_keeps_the_units_taken() {
    let limiter = limiter(Limit::per_second(100));
    assert!(takes(&limiter, 80, Nanos::ZERO));
    // Were the time kept, 0.8 s of a limit of one a second would be a fifth of a unit short of whole.
    let slow = Limit::per_minute(60);
    limiter.set_limit_at(slow, Nanos::ZERO).expect("a limit");
    assert_eq!(limiter.limit(), slow);
    assert_eq!(limiter.peek_at(Nanos::ZERO).remaining(), 0);
    assert!(
        !takes(&limiter, 1, Nanos::new(20_999_999_999)),
        "20 above the capacity drain first"
    );
    assert!(takes(&limiter, 1, Nanos::from_secs(21)));
    // 80 + 1 - 21 are left of 60; a raised capacity has room for the difference.
    limiter
        .set_limit_at(Limit::per_second(100), Nanos::from_secs(21))
        .expect("a limit");
    assert_eq!(limiter.peek_at(Nanos::from_secs(21)).remaining(), 40);
    assert!(takes(&limiter, 40, Nanos::from_secs(21)));
    assert!(!takes(&limiter, 1, Nanos::from_secs(21)));
}

#[test]
fn a_raised_capacity_counts_at_once() {
    let limiter = limiter(Limit::per_second(10));
    let before = limiter.try_acquire_at(cost(50), Nanos::ZERO);
    assert_eq!(
        before,
        Err(CostExceedsCapacity {
            cost: 50,
            capacity: 10
        })
    );
    limiter
        .set_limit_at(Limit::per_second(100), Nanos::ZERO)
        .expect("a limit");
    assert!(takes(&limiter, 50, Nanos::ZERO));
    assert!(limiter.turn_at(cost(51), SECOND, Nanos::ZERO).is_ok());
}

#[test]
fn to_a_crawl_and_back_forgets_nothing() {
    let (fast, crawl) = (Limit::per_second(1_000_000), Limit::per_day(1));
    let limiter = limiter(fast);
    assert!(takes(&limiter, 1_000_000, Nanos::ZERO));
    limiter.set_limit_at(crawl, Nanos::ZERO).expect("a limit");
    assert!(
        !takes(&limiter, 1, Nanos::MAX),
        "a million days have not passed"
    );
    limiter.set_limit_at(fast, Nanos::ZERO).expect("a limit");
    assert_eq!(limiter.peek_at(Nanos::ZERO).remaining(), 0);
}

#[test]
fn a_limit_that_cannot_be_leaves_the_old_one() {
    let limiter = limiter(Limit::per_second(10));
    assert!(takes(&limiter, 4, Nanos::ZERO));
    let before = limiter.peek_at(Nanos::ZERO);
    assert!(
        limiter
            .set_limit_at(Limit::per_day(1).with_capacity(1_000_000), Nanos::ZERO)
            .is_err()
    );
    assert_eq!(limiter.limit(), Limit::per_second(10));
    assert_eq!(limiter.peek_at(Nanos::ZERO), before);
}

#[test]
fn callers_from_before_a_change_wait_for_it() {
    let limiter = limiter(Limit::per_second(10));
    assert!(takes(&limiter, 10, Nanos::ZERO));
    limiter
        .set_limit_at(Limit::per_hour(10), Nanos::from_secs(1))
        .expect("a limit");
    // By now all is whole. A caller from the very instant of the first burst must not get a second one.
    let Ok(Decision::Denied(denied)) = limiter.try_acquire_at(cost(9), Nanos::ZERO) else {
        panic!("a second burst at one instant")
    };
    assert_eq!(denied.retry_after(), SECOND);
    assert_eq!(denied.remaining(), 0);
    assert!(!takes(&limiter, 9, Nanos::new(999_999_999)));
    let turn = limiter
        .turn_at(Cost::ONE, SECOND, Nanos::ZERO)
        .expect("it is near");
    assert_eq!(turn.ready_at(), Nanos::from_secs(1));
    drop(turn);
    assert!(takes(&limiter, 10, Nanos::from_secs(1)));
}

#[test]
fn changes_are_in_order_of_time() {
    let limiter = limiter(Limit::per_second(10));
    limiter
        .set_limit_at(Limit::per_second(20), Nanos::from_secs(2))
        .expect("a limit");
    limiter
        .set_limit_at(Limit::per_second(30), Nanos::from_secs(1))
        .expect("a limit");
    assert!(!takes(&limiter, 1, Nanos::new(1_999_999_999)));
    assert!(takes(&limiter, 30, Nanos::from_secs(2)));
}

#[test]
fn a_reset_makes_whole() {
    let limiter = limiter(Limit::per_hour(5));
    for _ in 0..3 {
        assert!(takes(&limiter, 5, Nanos::ZERO));
        assert!(!takes(&limiter, 1, Nanos::ZERO));
        limiter.reset();
        assert_eq!(limiter.limit(), Limit::per_hour(5));
    }
    limiter
        .set_limit_at(Limit::per_hour(6), Nanos::from_secs(1))
        .expect("a limit");
    assert!(takes(&limiter, 6, Nanos::from_secs(1)));
    limiter.reset();
    assert!(
        !takes(&limiter, 1, Nanos::ZERO),
        "a reset does not move the begin of the limit"
    );
    assert!(takes(&limiter, 6, Nanos::from_secs(1)));
}

#[test]
fn replaced_cells_are_freed() {
    let limiter = limiter(Limit::per_second(10));
    limiter.reset();
    let cell = limiter
        .cells
        .on_open(|_, later| later.map(tollgate_sync::Arc::downgrade));
    assert!(cell.upgrade().is_some());
    let turn = limiter
        .turn_at(Cost::ONE, SECOND, Nanos::ZERO)
        .expect("a place");
    for _ in 0..1_000 {
        limiter.reset();
    }
    assert!(cell.upgrade().is_some(), "a turn keeps its own cell");
    drop(turn);
    assert!(cell.upgrade().is_none(), "and nobody else keeps it");
}

#[test]
fn turns_come_in_order() {
    let limiter = limiter(Limit::per_second(10).with_capacity(2));
    let wait_max = Duration::from_millis(300);
    let mut ready = Vec::new();
    while let Ok(turn) = limiter.turn_at(Cost::ONE, wait_max, Nanos::ZERO) {
        ready.push(turn.ready_at().0 / 1_000_000);
        turn.take();
    }
    assert_eq!(ready, [0, 0, 100, 200, 300]);
    let refused = limiter
        .turn_at(Cost::ONE, wait_max, Nanos::ZERO)
        .map(Turn::take);
    assert_eq!(
        refused,
        Err(NoTurn::WaitTooLong {
            wait: Duration::from_millis(400),
            max_wait: wait_max
        })
    );
    assert!(
        !takes(&limiter, 1, Nanos::new(300_000_000)),
        "those who wait come before those who come later"
    );
    assert!(takes(&limiter, 1, Nanos::new(400_000_000)));
}

/// A unit takes 3.5 ns. The first of two who wait from before the clock stepped back is due at 3.5 ns, rounded up to 4;
/// the second was due at 7, and so less than 3.5 ns later.
#[test]
fn a_turn_that_is_rounded_up_moves_those_behind_it() {
    let limit = Limit::new(2, Duration::from_nanos(7))
        .expect("a limit")
        .with_capacity(1);
    let limiter = limiter(limit);
    assert!(takes(&limiter, 1, Nanos::new(20)));
    let first = limiter
        .turn_at(Cost::ONE, SECOND, Nanos::new(7))
        .expect("a place");
    let second = limiter
        .turn_at(Cost::ONE, SECOND, Nanos::new(7))
        .expect("a place");
    assert_eq!(
        (first.ready_at(), second.ready_at()),
        (Nanos::new(24), Nanos::new(28))
    );
}

#[test]
fn a_place_is_refused_a_nanosecond_too_late() {
    let limiter = limiter(Limit::per_second(300_000_000).with_capacity(1));
    limiter
        .turn_at(Cost::ONE, Duration::ZERO, Nanos::ZERO)
        .expect("it is whole")
        .take();
    let Err(NoTurn::WaitTooLong { wait, .. }) =
        limiter.turn_at(Cost::ONE, Duration::ZERO, Nanos::ZERO)
    else {
        panic!("nothing is left")
    };
    assert!(limiter.turn_at(Cost::ONE, wait - NS, Nanos::ZERO).is_err());
    let turn = limiter
        .turn_at(Cost::ONE, wait, Nanos::ZERO)
        .expect("it fits exactly");
    assert_eq!(turn.wait(Nanos::ZERO), wait);
}

#[test]
fn a_turn_above_the_capacity_is_an_error_at_once() {
    let limiter = limiter(Limit::per_second(10));
    let refused = limiter
        .turn_at(cost(11), Duration::MAX, Nanos::ZERO)
        .map(Turn::take);
    assert_eq!(
        refused,
        Err(NoTurn::CostExceedsCapacity(CostExceedsCapacity {
            cost: 11,
            capacity: 10
        }))
    );
}

#[test]
fn no_turn_is_due_after_the_last_instant() {
    let limiter = limiter(Limit::per_day(1).with_capacity(2_000));
    let at = Nanos::new(Nanos::MAX.0 - 1);
    let mut places = 0;
    while let Ok(turn) = limiter.turn_at(cost(2_000), Duration::MAX, at) {
        assert!(turn.ready_at() <= Nanos::MAX);
        turn.take();
        places += 1;
    }
    assert_eq!(places, 1);
    // From the first instant on, thirty years of days are to be had, and what is at hand.
    let limiter = self::limiter(Limit::per_day(1).with_capacity(2_000));
    let mut units = 0;
    while let Ok(turn) = limiter.turn_at(Cost::ONE, Duration::MAX, Nanos::ZERO) {
        turn.take();
        units += 1;
    }
    assert_eq!(units, 2_000 + 10_957);
}

#[test]
fn a_dropped_turn_gives_back_if_nobody_came_after() {
    let limiter = limiter(Limit::per_second(10).with_capacity(2));
    let whole = limiter.peek_at(Nanos::ZERO);
    drop(limiter.turn_at(cost(2), SECOND, Nanos::ZERO));
    assert_eq!(
        limiter.peek_at(Nanos::ZERO),
        whole,
        "an immediate grant too"
    );

    let first = limiter
        .turn_at(cost(2), SECOND, Nanos::ZERO)
        .expect("a place");
    let after_first = limiter.peek_at(Nanos::ZERO);
    let second = limiter
        .turn_at(Cost::ONE, SECOND, Nanos::ZERO)
        .expect("a place");
    let after_second = limiter.peek_at(Nanos::ZERO);
    drop(first);
    assert_eq!(
        limiter.peek_at(Nanos::ZERO),
        after_second,
        "the second was told its instant: forfeited"
    );
    drop(second);
    assert_eq!(limiter.peek_at(Nanos::ZERO), after_first);
}

#[test]
fn a_turn_from_before_a_change_gives_nothing_back() {
    let limiter = limiter(Limit::per_second(10));
    let turn = limiter
        .turn_at(cost(4), SECOND, Nanos::ZERO)
        .expect("a place");
    limiter.reset();
    // The very words the turn was taken with are there again, but the units are another's.
    assert!(takes(&limiter, 4, Nanos::ZERO));
    drop(turn);
    assert_eq!(limiter.peek_at(Nanos::ZERO).remaining(), 6);

    let turn = limiter
        .turn_at(cost(1), SECOND, Nanos::ZERO)
        .expect("a place");
    limiter
        .set_limit_at(Limit::per_second(20), Nanos::ZERO)
        .expect("a limit");
    drop(turn);
    assert_eq!(limiter.peek_at(Nanos::ZERO).remaining(), 15);
}

#[test]
fn turns_and_limiters_cross_threads() {
    fn sent<T: Send>() {}
    fn shared<T: Send + Sync>() {}
    sent::<Turn<'_>>();
    shared::<Limiter>();
}
