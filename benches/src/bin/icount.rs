//! The hot functions, each called a thousand times, for `cargo xtask icount` to count their instructions under
//! callgrind. What a row needs is made before its calls, and time is an argument: nothing but the call is counted, and
//! a step or two of the loop around it. Prints the names of the rows in the order in which they ran.

use std::hint::black_box;
use std::sync::Arc;
use tollgate_core::{
    Cost, Limit, Limiter, ManualClock, Meter, Moment, Nanos, ShardedLimiter, Wall,
};
use tollgate_policy::{Gate, Request, Usage};
use tollgate_quota::lease::{Asked, Desk, Leased, LeasedAccount, Lend};
use tollgate_quota::{Depth, Lifetime, RateMeter, RefundRule};
use tollgate_table::KeyedLimiter;
use tollgate_window::{ShardedRing, SlottedRing};

/// Calls of each row. `cargo xtask icount` divides by it.
const CALLS: u64 = 1_000;
const NOW: Nanos = Nanos(1_000_000_000);

fn main() {
    one_limit();
    sharded();
    keyed();
    window();
    meter();
    leased();
    gate();
}

/// Makes the calls of one row. Callgrind counts within this function alone.
#[inline(never)]
fn instructions_of(mut call: impl FnMut(u64)) {
    (0..CALLS).for_each(&mut call);
}

fn row(name: &str, call: impl FnMut(u64)) {
    instructions_of(call);
    row_done(name);
}

/// Callgrind dumps what it counted when this is entered.
#[inline(never)]
fn row_done(name: &str) {
    println!("{name}");
}

fn hour(capacity: u64) -> Limit {
    Limit::per_hour(1).with_capacity(capacity)
}

fn one_limit() {
    let limiter = Limiter::with_clock(hour(10 * CALLS), ManualClock::new()).expect("a limit");
    row("limiter_allowed", |_| {
        let taken = black_box(&limiter).try_acquire_at(black_box(Cost::ONE), NOW);
        assert!(taken.is_ok_and(|decision| decision.is_allowed()));
    });
    let limiter = Limiter::with_clock(hour(1), ManualClock::new()).expect("a limit");
    let _ = limiter.try_acquire_at(Cost::ONE, NOW);
    row("limiter_denied", |_| {
        let taken = black_box(&limiter).try_acquire_at(black_box(Cost::ONE), NOW);
        assert!(taken.is_ok_and(|decision| decision.is_denied()));
    });
}

/// A limit of two shards and two seats; the stock path alone, whose stock is drawn 64 units at a time.
fn sharded() {
    let limiter = ShardedLimiter::builder(Limit::per_second(1).with_capacity(1_000 * CALLS))
        .shards(2)
        .seats(2);
    let limiter = limiter
        .build_with_clock(ManualClock::new())
        .expect("a limit");
    row("sharded_allowed", |_| {
        let taken = black_box(&limiter).try_acquire_at(black_box(Cost::ONE), NOW);
        assert!(taken.is_ok_and(|decision| decision.is_allowed()));
    });
    let handle = limiter.handle();
    row("handle_allowed", |_| {
        let taken = black_box(&handle).try_acquire_at(black_box(Cost::ONE), NOW);
        assert!(taken.is_ok_and(|decision| decision.is_allowed()));
    });
}

/// Keys that are there already, hashed with a fixed seed.
fn keyed() {
    const BATCH: usize = 16;
    let table = |capacity| {
        KeyedLimiter::<u64>::builder(hour(capacity))
            .max_keys(10_000)
            .seed(1)
            .build_with_clock(ManualClock::new())
            .expect("a limit")
    };
    let keys: Vec<u64> = (0..CALLS).collect();
    let limiter = table(1_000);
    for key in &keys {
        let _ = limiter.try_acquire_at(key, Cost::ONE, NOW);
    }
    row("keyed_allowed", |call| {
        let taken = black_box(&limiter).try_acquire_at(black_box(&call), Cost::ONE, NOW);
        assert!(taken.is_ok_and(|decision| decision.is_allowed()));
    });
    let (mut batches, mut answers) = (keys.chunks_exact(BATCH).cycle(), Vec::with_capacity(BATCH));
    row("keyed_batch_16", |_| {
        let batch = batches.next().expect("they begin again");
        let asked =
            limiter.try_acquire_batch_at(black_box(batch), &[Cost::ONE; BATCH], NOW, &mut answers);
        assert!(asked.is_ok());
    });
    let limiter = table(1);
    for key in &keys {
        let _ = limiter.try_acquire_at(key, Cost::ONE, NOW);
    }
    row("keyed_denied", |call| {
        let taken = black_box(&limiter).try_acquire_at(black_box(&call), Cost::ONE, NOW);
        assert!(taken.is_ok_and(|decision| !decision.is_allowed()));
    });
}

fn window() {
    let span = std::time::Duration::from_secs(60);
    let ring = SlottedRing::new(10 * CALLS, span, 60).expect("a window");
    // The first of a tick opens it, which the calls of a second share.
    let _ = ring.try_record_at(Cost::ONE, NOW);
    row("ring_allowed", |_| {
        assert!(
            black_box(&ring)
                .try_record_at(black_box(Cost::ONE), NOW)
                .is_ok()
        );
    });
    let ring = ShardedRing::builder(10 * CALLS, span, 60).shards(2);
    let ring = ring.build_with_clock(ManualClock::new()).expect("a window");
    row("ring_sharded_allowed", |_| {
        assert!(
            black_box(&ring)
                .try_record_at(black_box(Cost::ONE), NOW)
                .is_ok()
        );
    });
    let ring = ShardedRing::builder(1, span, 60).shards(2);
    let ring = ring.build_with_clock(ManualClock::new()).expect("a window");
    let _ = ring.try_record_at(Cost::ONE, NOW);
    row("ring_sharded_denied", |_| {
        assert!(
            black_box(&ring)
                .try_record_at(black_box(Cost::ONE), NOW)
                .is_err()
        );
    });
    let ring = SlottedRing::new(1, span, 60).expect("a window");
    let _ = ring.try_record_at(Cost::ONE, NOW);
    row("ring_denied", |_| {
        assert!(
            black_box(&ring)
                .try_record_at(black_box(Cost::ONE), NOW)
                .is_err()
        );
    });
}

fn meter() {
    let limit = hour(10 * CALLS);
    let meter = RateMeter::new(&limit, Depth::Long, RefundRule::default()).expect("a limit");
    let at = Moment::new(NOW, Wall(0));
    row("rate_meter_charge", |_| {
        let charged = black_box(&meter).charge(at, black_box(Cost::ONE), limit.capacity());
        assert!(charged.is_ok());
    });
    // Each a second after the last, of a limit of a million a second: nothing is left of it.
    let limit = Limit::per_second(1_000_000);
    let meter = RateMeter::new(&limit, Depth::Long, RefundRule::default()).expect("a limit");
    row("rate_meter_charge_idle", |call| {
        let at = Moment::new(Nanos::from_secs(call), Wall(0));
        let charged = black_box(&meter).charge(at, black_box(Cost::ONE), limit.capacity());
        assert!(charged.is_ok());
    });
}

/// An authority that never comes by.
#[derive(Debug)]
struct NoDesk;

impl Desk for NoDesk {
    fn ask(&self, _account: u64, _asked: Asked) {}

    fn succeed(&self, _account: u64, _successor: Arc<dyn LeasedAccount>) {}
}

/// What a lease adds to a charge, and to giving it back.
fn leased() {
    let (max, at) = (10 * CALLS, Moment::new(NOW, Wall(0)));
    let plain = Lifetime::new();
    row("lifetime_charge", |_| {
        let charged = black_box(&plain).charge(at, black_box(Cost::ONE), max);
        assert!(charged.is_ok());
    });
    let leased = Leased::new(Lifetime::new(), max, 0, 0, Arc::new(NoDesk));
    leased.holder().lend(&Lend {
        period: 0,
        committed: 0,
        max,
        left: 0,
        more: max,
        low: 0,
    });
    row("leased_charge", |_| {
        let charged = black_box(&leased).charge(at, black_box(Cost::ONE), max);
        assert!(charged.is_ok());
    });
    let charged = leased.charge(at, Cost::ONE, max).expect("it is lent");
    row("leased_refund", |_| {
        black_box(&leased).refund(at, black_box(&charged.receipt), 1);
    });
}

/// Two limits by agent, of so many requests and tokens an hour.
fn two_limits(requests: u64, tokens: u64) -> Gate {
    let limit = |name: &str, unit: &str, max: u64| {
        format!(
            "[[limit]]\nname = '{name}'\nby = ['agent']\nunit = '{unit}'\nmax = {max}\nper = '1h'\n"
        )
    };
    let policy = limit("rph", "requests", requests) + &limit("tph", "tokens", tokens);
    let gate = Gate::builder().clock(ManualClock::new());
    gate.build(&policy).expect("the policy is valid")
}

fn gate() {
    let request = Request::new()
        .with("agent", "agent-0001")
        .input_tokens(100)
        .output_tokens(10);
    let usage = Usage {
        input_tokens: 100,
        output_tokens: 10,
        micro_usd: 0,
    };
    let gate = two_limits(10 * CALLS, 1_000 * CALLS);
    let admit = |gate: &Gate| black_box(gate).admit_at(black_box(&request), NOW, Wall(0));
    // The first of an account makes it.
    drop(admit(&gate));
    row("gate_admitted_and_settled", |_| {
        admit(&gate)
            .expect("there is room for all")
            .settle_at(usage, NOW, Wall(0));
    });
    let gate = two_limits(1, 1_000 * CALLS);
    let held = admit(&gate).expect("the first fits");
    row("gate_refused", |_| assert!(admit(&gate).is_err()));
    drop(held);
}
