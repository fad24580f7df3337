//! **Cost larger than capacity**: answered with a wait though it can never pass; waited for without an end.

use crate::{
    peers::{LaggingTat, Waiting, WaitsForMore},
    script::{SECOND, every, take_all},
    tiers::{TURNS, all, limit_of},
};
use std::{task::Waker, time::Duration};
use tollgate_core::{Cost, Limiter, ManualClock, Nanos, NoTurn, TokenBucket};
use tollgate_policy::{Gate, Refusal, Request, Waiting as InLine};
use tollgate_testkit::{Answer, RateLimit, subject::Subject};

/// Ten a second, ten at once.
const TEN: RateLimit = RateLimit::new(10, SECOND, 10);

/// Asks for `cost`, and again after each wait it is told. Returns how often it was told to wait, a hundred times at
/// most, before it heard that waiting cannot help.
fn waits_told(subject: &impl Subject, cost: u64) -> usize {
    let mut now = 0;
    for told in 0..100 {
        match subject.try_acquire_at(cost, now) {
            Answer::Never => return told,
            Answer::Wait(wait) => now += u64::try_from(wait).expect("a wait of 64 bits"),
            Answer::Admit => panic!("{cost} of {} passed", TEN.capacity),
        }
    }
    100
}

#[test]
fn tollgate_says_at_once_that_a_cost_above_the_capacity_can_never_pass() {
    for cost in [11, 1 << 40, i64::MAX.cast_unsigned(), u64::MAX] {
        every(all().chain(TURNS), TEN, |tier, subject| {
            assert_eq!(waits_told(&subject, cost), 0, "{}, {cost}", tier.name);
            assert_eq!(take_all(&subject, 0, 11), 10, "{} kept some", tier.name);
            assert_eq!(waits_told(&subject, cost), 0, "{} spent, {cost}", tier.name);
        });
    }
}

#[test]
fn tollgate_says_so_of_what_a_whole_policy_never_admits() {
    let policy = "
        [[limit]]
        name = \"requests\"
        unit = \"requests\"
        max = 1
        per = \"1h\"

        [[limit]]
        name = \"tokens\"
        unit = \"tokens\"
        max = 10
        per = \"1s\"
    ";
    let gate = Gate::builder()
        .clock(ManualClock::new())
        .build(policy)
        .expect("a policy");
    let request = Request::new().input_tokens(6).output_tokens(5);
    let _spent = gate.admit(&Request::new()).expect("one request");
    // Both refuse, one for an hour and the other for good.
    let Err(Refusal::Limited(limited)) = gate.admit(&request) else {
        panic!("it is spent")
    };
    assert_eq!((&*limited.limit, limited.never_fits), ("tokens", true));
    assert_eq!(limited.retry_after, None);
}

#[test]
fn the_copied_rule_tells_a_wait_for_what_can_never_pass() {
    for cost in [11, 21, 1 << 20] {
        assert_eq!(waits_told(&LaggingTat::new(TEN), cost), 100, "{cost}");
    }
}

/// Sleeps and asks as it is told. Returns how often it slept before the wait was over, a thousand times at most.
fn sleeps(mut ask: impl FnMut(u64) -> Waiting) -> usize {
    let mut now = 0;
    for slept in 0..1_000 {
        match ask(now) {
            Waiting::Over => return slept,
            Waiting::Until(later) => now = later,
        }
    }
    1_000
}

/// However long one is ready to wait.
const FOR_EVER: Duration = Duration::MAX;

#[test]
fn tollgate_ends_an_endless_wait_before_it_begins() {
    let limiter = Limiter::with_clock(limit_of(TEN).expect("a limit"), ManualClock::new())
        .expect("a limiter");
    let eleven = Cost::new(11).expect("a cost");
    let slept = sleeps(|now| match limiter.turn_at(eleven, FOR_EVER, Nanos(now)) {
        Err(NoTurn::CostExceedsCapacity(_)) => Waiting::Over,
        other => panic!("{other:?}"),
    });
    assert_eq!(slept, 0);

    let bucket = TokenBucket::builder(10)
        .rate(10.0)
        .build_with_clock(ManualClock::new())
        .expect("a bucket");
    let slept = sleeps(|now| match bucket.turn_at(11, FOR_EVER, Nanos(now)) {
        Err(NoTurn::CostExceedsCapacity(_)) => Waiting::Over,
        other => panic!("{other:?}"),
    });
    assert_eq!(slept, 0);

    for keys in [
        "max = 10\nper = \"1s\"",
        "max = 10\nper = \"1s\"\nalgorithm = \"window\"",
        "max = 10\nper = \"1s\"\nalgorithm = \"log\"",
        "max = 10\nper = \"1s\"\nalgorithm = \"fixed\"",
        "max = 10\nper = \"day\"\nalgorithm = \"calendar\"\nzone = \"UTC\"",
        "max = 10\nalgorithm = \"lifetime\"",
    ] {
        let policy = format!("[[limit]]\nname = \"l\"\nunit = \"tokens\"\n{keys}");
        let gate = Gate::builder()
            .clock(ManualClock::new())
            .build(&policy)
            .expect("a policy");
        let request = Request::new().input_tokens(11);
        let slept = sleeps(|_| match gate.stand_in_line(&request, FOR_EVER) {
            Err(Refusal::Limited(limited)) if limited.never_fits => Waiting::Over,
            other => panic!("{keys}: {other:?}"),
        });
        assert_eq!(slept, 0, "{keys}");
    }
}

/// The scenario itself lets one wait who has a reason to: a cost that fits, and a place that nobody gives up.
#[test]
fn tollgate_waits_where_waiting_ends() {
    let limiter = Limiter::with_clock(limit_of(TEN).expect("a limit"), ManualClock::new())
        .expect("a limiter");
    let ten = Cost::new(10).expect("a cost");
    limiter
        .turn_at(ten, FOR_EVER, Nanos::ZERO)
        .expect("the capacity")
        .take();
    let mut turn = None;
    let slept = sleeps(|now| {
        let turn =
            turn.get_or_insert_with(|| limiter.turn_at(ten, FOR_EVER, Nanos(now)).expect("a turn"));
        match turn.wait(Nanos(now)) {
            Duration::ZERO => Waiting::Over,
            _ => Waiting::Until(turn.ready_at().0),
        }
    });
    assert_eq!(slept, 1);

    let clock = ManualClock::new();
    let policy =
        "[[limit]]\nname = \"open\"\nunit = \"requests\"\nmax = 1\nalgorithm = \"concurrency\"";
    let gate = Gate::builder()
        .clock(clock.clone())
        .build(policy)
        .expect("a policy");
    let request = Request::new();
    let _open = gate.admit(&request).expect("the one place");
    let place = gate
        .stand_in_line(&request, Duration::from_secs(60))
        .expect("a place in line");
    let slept = sleeps(|now| {
        clock.set(Nanos(now));
        match place.poll(&request, Waker::noop()) {
            Ok(InLine::Until(instant)) => Waiting::Until(instant.0),
            Ok(InLine::Admitted(_)) => panic!("nobody left"),
            Err(_) => Waiting::Over,
        }
    });
    assert_eq!(slept, 1, "until its own deadline, and no longer");
}

#[test]
fn the_copied_rule_waits_without_an_end() {
    let eleven = WaitsForMore::new(TEN, 11);
    assert_eq!(sleeps(|now| eleven.ask(now)), 1_000);
    let ten = WaitsForMore::new(TEN, 10);
    assert_eq!(sleeps(|now| ten.ask(now)), 0);
}
