//! **Answers**: a wait of nothing while limited; figures that belong to different instants.

use crate::{
    peers::{LateFigures, WholeSeconds},
    script::{MILLI, SECOND, every},
    subjected::moment,
    tiers::{RATES, TURNS, WINDOWS, limit_of},
};
use std::{sync::Mutex, time::Duration};
use tollgate_core::{Cost, Decision, Limiter, ManualClock, Meter, Moment, TokenBucket};
use tollgate_policy::{Gate, Request, Reservation};
use tollgate_quota::{Concurrency, Depth, Lifetime, RateMeter, RefundRule};
use tollgate_testkit::{
    RateLimit,
    strategy::Op,
    stress::race_for,
    subject::{Misstep, Subject, waits_are_least},
};
use tollgate_window::{ExactLog, FixedWindow, SlottedRing};

/// Ten every millisecond, three at once; as a window, three in three milliseconds.
const FAST: RateLimit = RateLimit::new(30, 3 * MILLI, 3);

/// Requests whose waits are below a millisecond, down to a nanosecond.
fn short_waits() -> Vec<Op> {
    let asked = [
        (0, 3),
        (0, 1),
        (1, 1),
        (99_000, 1),
        (99_999, 1),
        (100_000, 1),
        (150_000, 2),
        (2_000_001, 3),
        (2_100_000, 1),
        (2_999_999, 2),
        (2_999_999, 3),
        (3_000_000, 1),
    ];
    asked.map(|(at, cost)| Op::Acquire { at, cost }).into()
}

/// The waits that `subject` tells.
fn waits(subject: &impl Subject, asked: &[Op]) -> impl Iterator<Item = u128> {
    asked.iter().filter_map(|op| match op {
        Op::Acquire { at, cost } => subject.try_acquire_at(*cost, *at).retry_after(),
        _ => None,
    })
}

#[test]
fn tollgate_tells_waits_below_a_millisecond_to_the_nanosecond() {
    for tiers in [&RATES[..], &TURNS, &WINDOWS] {
        every(tiers.iter().copied(), FAST, |tier, _| {
            let fresh = || tier.build(FAST).expect("it was built before");
            assert_eq!(
                waits_are_least(fresh, &short_waits()),
                Ok(()),
                "{}",
                tier.name
            );
            let shortest = waits(&fresh(), &short_waits()).min();
            assert!(
                shortest.is_some_and(|wait| wait < u128::from(MILLI)),
                "{}",
                tier.name
            );
        });
    }
}

#[test]
fn the_copied_rule_tells_a_wait_of_nothing_while_it_denies() {
    let fresh = || WholeSeconds::new(FAST);
    assert_eq!(
        waits_are_least(fresh, &short_waits()),
        Err(Misstep::WaitOfNothing { step: 1 })
    );
}

/// Figures of an answer, in units and nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Figures {
    /// Units left.
    pub(crate) remaining: u64,
    /// Until the whole capacity is free.
    pub(crate) reset_after: u64,
    /// Until the cost fits, if it was denied.
    pub(crate) retry_after: Option<u64>,
}

/// A limiter whose answers can be read later.
pub(crate) trait Answering {
    /// Asks for `cost`, at one frozen instant. The figures are read when the answer is called.
    fn ask(&self, cost: u64) -> Box<dyn Fn() -> Figures + '_>;
}

/// Units at once, and nanoseconds that one is worth.
const CAPACITY: u64 = 10;
const INTERVAL: u64 = SECOND;

/// One caller takes 4 of 10, others take 5, one is denied 3, and the last unit is taken; then the figures of the first
/// and of the one that was denied are read.
fn figures_read_late(limiter: &impl Answering) -> [Figures; 2] {
    let allowed = limiter.ask(4);
    let _others = limiter.ask(5)();
    let denied = limiter.ask(3);
    let _last = limiter.ask(1)();
    [allowed(), denied()]
}

/// Whether what is left and what is to come make the capacity, and a wait is what is missing from `cost`.
fn agree(figures: Figures, cost: u64) -> bool {
    let missing = |wait: u64| wait == (cost - figures.remaining) * INTERVAL;
    figures.remaining * INTERVAL + figures.reset_after == CAPACITY * INTERVAL
        && figures.retry_after.is_none_or(missing)
}

/// Decisions of a cell: of what `take` was given to it.
struct Decisions<T>(T);

impl<T: Fn(u64) -> Decision> Answering for Decisions<T> {
    fn ask(&self, cost: u64) -> Box<dyn Fn() -> Figures + '_> {
        let decision = (self.0)(cost);
        Box::new(move || match decision {
            Decision::Allowed(allowed) => Figures {
                remaining: allowed.remaining(),
                reset_after: nanos(allowed.reset_after()),
                retry_after: None,
            },
            Decision::Denied(denied) => Figures {
                remaining: denied.remaining(),
                reset_after: nanos(denied.reset_after()),
                retry_after: Some(nanos(denied.retry_after())),
            },
        })
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).expect("a short time")
}

fn limiter() -> Limiter<ManualClock> {
    let limit = limit_of(RateLimit::new(1, INTERVAL, CAPACITY)).expect("a limit");
    Limiter::with_clock(limit, ManualClock::new()).expect("a limiter")
}

fn bucket() -> TokenBucket<ManualClock> {
    let bucket = TokenBucket::builder(CAPACITY).rate(1.0);
    bucket
        .build_with_clock(ManualClock::new())
        .expect("a bucket")
}

#[test]
fn tollgate_answers_with_figures_of_the_state_that_decided() {
    let (limiter, bucket) = (limiter(), bucket());
    let of_limiter = Decisions(|cost| {
        limiter
            .try_acquire(Cost::new(cost).expect("a cost"))
            .expect("it fits the capacity")
    });
    let of_bucket = Decisions(|cost| bucket.try_acquire(cost).expect("it fits the capacity"));
    for [allowed, denied] in [
        figures_read_late(&of_limiter),
        figures_read_late(&of_bucket),
    ] {
        assert!(agree(allowed, 4), "{allowed:?}");
        assert!(agree(denied, 3), "{denied:?}");
        assert_eq!(
            (allowed.remaining, denied.remaining),
            (6, 1),
            "each of its own instant"
        );
    }
}

#[test]
fn the_copied_rule_answers_with_figures_of_two_instants() {
    let [allowed, denied] = figures_read_late(&LateFigures::new(CAPACITY, INTERVAL));
    assert!(!agree(allowed, 4), "{allowed:?}");
    assert!(!agree(denied, 3), "{denied:?}");
    assert_eq!((allowed.remaining, allowed.reset_after), (6, 10 * INTERVAL));
    assert_eq!(
        (denied.remaining, denied.retry_after),
        (1, Some(3 * INTERVAL))
    );

    // With nobody in between it looks right.
    let alone = LateFigures::new(CAPACITY, INTERVAL).ask(4)();
    assert!(agree(alone, 4), "{alone:?}");
}

/// Lets three threads take one unit of a hundred at a time, and returns what each of them read to remain, sorted.
/// Figures of one's own exchange are all different.
fn read_by_threads(ask: impl Fn() -> Option<u64> + Sync) -> Vec<u64> {
    let read = Mutex::new(Vec::new());
    race_for(3, 40, |_, _| {
        let remaining = ask();
        read.lock().expect("nobody panics").extend(remaining);
        u64::from(remaining.is_some())
    });
    let mut read = read.into_inner().expect("nobody panics");
    read.sort_unstable();
    read
}

#[test]
fn tollgate_tells_each_of_many_threads_what_its_own_exchange_left() {
    let each_once: Vec<u64> = (0..100).collect();
    let limit = limit_of(RateLimit::new(100, SECOND, 100)).expect("a limit");
    let second = limit.period();
    let left = |decision: Decision| match decision {
        Decision::Allowed(allowed) => Some(allowed.remaining()),
        Decision::Denied(_) => None,
    };
    fn left_by<M: Meter>(meter: &M) -> Option<u64> {
        let charged = meter.charge(moment(0), Cost::ONE, 100).ok()?;
        Some(100 - meter.units(charged.after))
    }

    let limiter = Limiter::with_clock(limit, ManualClock::new()).expect("a limiter");
    let read = read_by_threads(|| limiter.try_acquire(Cost::ONE).ok().and_then(left));
    assert_eq!(read, each_once, "limiter");

    let bucket = TokenBucket::builder(100)
        .rate(100.0)
        .build_with_clock(ManualClock::new());
    let bucket = bucket.expect("a bucket");
    let read = read_by_threads(|| bucket.try_acquire(1).ok().and_then(left));
    assert_eq!(read, each_once, "token bucket");

    let meter = RateMeter::new(&limit, Depth::Long, RefundRule::Exact).expect("a meter");
    assert_eq!(read_by_threads(|| left_by(&meter)), each_once, "rate meter");
    let log = ExactLog::new(100, second).expect("a log");
    assert_eq!(read_by_threads(|| left_by(&log)), each_once, "exact log");
    let ring = SlottedRing::new(100, second, 4).expect("a ring");
    assert_eq!(
        read_by_threads(|| left_by(&ring)),
        each_once,
        "slotted ring"
    );
    let fixed = FixedWindow::new(100, second).expect("a window");
    assert_eq!(
        read_by_threads(|| left_by(&fixed)),
        each_once,
        "fixed window"
    );
    let lifetime = Lifetime::new();
    assert_eq!(
        read_by_threads(|| left_by(&lifetime)),
        each_once,
        "lifetime"
    );
    let open = Concurrency::new();
    assert_eq!(read_by_threads(|| left_by(&open)), each_once, "concurrency");
}

/// Lets three threads ask a gate, each of which holds what it gets for some attempts more, so that what is used goes up
/// and down. Returns how many were refused.
///
/// The clock stands still and a unit is worth a whole number of nanoseconds, so the wait of each refusal is what is
/// missing by its other figures.
fn refusals_agree(gate: &Gate, intervals: &[(&str, u64)]) -> u128 {
    let Moment { now, wall } = moment(SECOND);
    let held: [Mutex<Option<Reservation>>; 3] = Default::default();
    let race = race_for(held.len(), 3_000, |thread, number| {
        let mut held = held[thread].lock().expect("nobody panics");
        if number % 3 == 0
            && let Some(reservation) = held.take()
        {
            reservation.release_at(now, wall);
        }
        let tokens = 1 + (7 * thread + 3 * number) as u64 % 11;
        match gate.admit_at(&Request::new().input_tokens(tokens), now, wall) {
            Ok(reservation) => {
                if let Some(earlier) = held.replace(reservation) {
                    earlier.release_at(now, wall);
                }
                0
            }
            Err(refusal) => {
                let limited = refusal.limited().expect("a limit refused");
                let of_limit = |(name, _): &&(&str, u64)| **name == *limited.limit;
                let (_, interval) = intervals.iter().find(of_limit).expect("a limit");
                let missing = limited.used + limited.requested - limited.max;
                let wait = limited.retry_after.map(nanos);
                assert_eq!(wait, Some(missing * interval), "{limited:?}");
                1
            }
        }
    });
    race.total
}

#[test]
fn tollgate_refuses_with_figures_of_one_state() {
    let policy = "
        [[limit]]
        name = \"slow\"
        unit = \"tokens\"
        max = 20
        per = \"20s\"
        capacity = 12

        [[limit]]
        name = \"fast\"
        unit = \"input_tokens\"
        max = 1000
        per = \"10s\"
        capacity = 11
    ";
    let gate = Gate::builder()
        .clock(ManualClock::new())
        .build(policy)
        .expect("a policy");
    let refused = refusals_agree(&gate, &[("slow", SECOND), ("fast", 10 * MILLI)]);
    assert!(refused > 50, "{refused} were refused");
}
