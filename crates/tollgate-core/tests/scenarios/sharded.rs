//! Races on one sharded limiter. Most are at one instant, so that exactly what there is must pass; in the others the
//! clock is part of the race.
//!
//! Each race has two parties, and says which of them the thread is that the model checker runs first: that finds no
//! exchange that comes before a load of a thread that did nothing but look, unless the exchange's thread was first.

use super::{end, go, limit};
use std::time::Duration;
use tollgate_core::{Clock, Cost, LocalHandle, ManualClock, Nanos, ShardedLimiter};
use tollgate_sync::Arc;

/// A unit takes 10 ns.
const UNIT_NS: u64 = 10;
const NOW: Nanos = Nanos::new(1_000);
/// Everything has come in again by then.
const LATER: Nanos = Nanos::new(1_000_000);

type Sharded = ShardedLimiter<ManualClock>;

/// Each shard and seat holds one unit.
fn sharded(shards: usize, seats: usize, initial: u64) -> Arc<Sharded> {
    let capacity = 8 * (shards + seats) as u64;
    let limiter = ShardedLimiter::builder(limit(UNIT_NS, capacity))
        .shards(shards)
        .seats(seats)
        .initial(initial)
        .build_with_clock(ManualClock::starting_at(NOW))
        .expect("a limit");
    assert_eq!(limiter.stock_per_shard(), 1);
    Arc::new(limiter)
}

/// What both parties return. The first one begins, or if `swapped` the second.
fn race<L: Send + Sync + 'static, A: Send + 'static, B: Send + 'static>(
    limiter: &Arc<L>,
    swapped: bool,
    first: impl FnOnce(&L) -> A + Send + 'static,
    second: impl FnOnce(&L) -> B + Send + 'static,
) -> (A, B) {
    if swapped {
        let first = go(limiter, first);
        let second = second(limiter);
        (end(first), second)
    } else {
        let second = go(limiter, second);
        (first(limiter), end(second))
    }
}

fn cost(units: u64) -> Cost {
    Cost::new(units).expect("a cost")
}

/// Units taken from a shard by requests of these costs.
fn take(limiter: &Sharded, shard: usize, costs: &[u64]) -> u64 {
    let taken = costs.iter().map(|units| {
        let decision = limiter.try_acquire_on(shard, cost(*units));
        u64::from(decision.expect("it fits").is_allowed()) * units
    });
    taken.sum()
}

/// Units taken through a handle by so many requests for one unit.
fn take_by(handle: &LocalHandle<'_, ManualClock>, calls: usize) -> u64 {
    let taken = (0..calls).map(|_| {
        let decision = handle.try_acquire(Cost::ONE);
        u64::from(decision.expect("it fits").is_allowed())
    });
    taken.sum()
}

/// Takes what is left, unit by unit.
fn drain(limiter: &Sharded) -> u64 {
    let mut taken = 0;
    while take(limiter, 0, &[1]) == 1 {
        taken += 1;
    }
    taken
}

/// After the race nothing is lost and nothing was won: neither units nor room.
fn ends_well(limiter: &Sharded, initial: u64, taken: u64) {
    let left = limiter.peek().remaining();
    assert_eq!(left, initial - taken, "units add up");
    // All has come in again, and whatever is in stock is there beside it.
    limiter.clock().set(LATER);
    let (max_cost, capacity) = (limiter.max_cost(), limiter.limit().capacity());
    let stock = limiter.peek().remaining() - max_cost;
    assert!(stock <= capacity - max_cost, "{stock} units of stock");
    assert_eq!(drain(limiter), max_cost + stock, "all of it can be taken");
    // No room is lost either: each shard holds a unit again once something was drawn through it.
    limiter.clock().set(Nanos::new(2 * LATER.0));
    for shard in 0..limiter.shards() {
        assert_eq!(take(limiter, shard, &[1]), 1);
    }
    let handles: Vec<_> = (0..limiter.seats()).map(|_| limiter.handle()).collect();
    for handle in &handles {
        assert!(handle.has_seat());
        assert_eq!(take_by(handle, 1), 1);
    }
    drop(handles);
    limiter.clock().set(Nanos::new(3 * LATER.0));
    assert_eq!(limiter.peek().remaining(), capacity, "all stock is full");
}

/// Callers ask for one unit each time, spread over so many shards: exactly what there is passes, wherever it lies.
/// With few units they steal from each other's shard, with more they take, draw and refill beside each other. The parent
/// starts with what the shards have no room for; if it has two or more, a caller may be denied while another puts by
/// what it drew, and would find it by asking again.
pub(crate) fn callers_take_what_there_is(
    callers: usize,
    calls: usize,
    shards: usize,
    initial: u64,
) {
    let limiter = sharded(shards, 0, initial);
    let others: Vec<_> = (1..callers)
        .map(|number| {
            go(&limiter, move |limiter| {
                take(limiter, number, &vec![1; calls])
            })
        })
        .collect();
    let taken = take(&limiter, 0, &vec![1; calls]) + others.into_iter().map(end).sum::<u64>();
    let there = initial.min((callers * calls) as u64);
    assert!(taken <= there, "{taken} of {there}");
    if initial < shards as u64 + 2 {
        assert_eq!(taken, there);
    }
    ends_well(&limiter, initial, taken);
}

/// Room for two units, one of which is there: one caller draws and fills the room beside it, another takes it. Neither is
/// lost.
pub(crate) fn a_fill_beside_a_take_loses_neither(swapped: bool) {
    const INITIAL: u64 = 16;
    let limiter = ShardedLimiter::builder(limit(UNIT_NS, INITIAL))
        .shards(1)
        .seats(0)
        .build_with_clock(ManualClock::starting_at(NOW))
        .expect("a limit");
    assert_eq!(limiter.stock_per_shard(), 2);
    let limiter = Arc::new(limiter);
    assert_eq!(take(&limiter, 0, &[1]), 1);
    let (drawn, taken) = race(
        &limiter,
        swapped,
        |limiter| take(limiter, 0, &[2]),
        |limiter| take(limiter, 0, &[1]),
    );
    assert_eq!((drawn, taken), (2, 1));
    ends_well(&limiter, INITIAL, 4);
}

/// A cost that must be gathered from the parent and both shards, beside one who takes from any of them: whoever loses
/// puts everything back.
pub(crate) fn a_gathered_cost_is_taken_whole_or_not_at_all(
    initial: u64,
    wanted: u64,
    others: &'static [u64],
    swapped: bool,
) {
    let limiter = sharded(2, 0, initial);
    let (one, other) = race(
        &limiter,
        swapped,
        move |limiter| take(limiter, 1, &[wanted]),
        |limiter| take(limiter, 0, others),
    );
    assert!(one == 0 || one == wanted);
    assert!(one + other <= initial, "{one} + {other} of {initial}");
    ends_well(&limiter, initial, one + other);
}

/// A handle is used and dropped while another caller takes what it finds, `wanted` at once: what the handle left is
/// there for others, and it finds what they put back.
pub(crate) fn a_handle_shares_its_seat(initial: u64, wanted: u64, swapped: bool) {
    let limiter = sharded(1, 1, initial);
    let (own, other) = race(
        &limiter,
        swapped,
        |limiter| take_by(&limiter.handle(), 2),
        move |limiter| take(limiter, 0, &[wanted, 1]),
    );
    assert!(own + other <= initial, "{own} + {other} of {initial}");
    ends_well(&limiter, initial, own + other);
}

/// Two handles for one seat, one after the other or beside each other: the stock is one owner's at a time.
pub(crate) fn a_seat_has_one_owner(initial: u64) {
    let limiter = sharded(1, 1, initial);
    let own = |limiter: &Sharded| {
        let handle = limiter.handle();
        (handle.has_seat(), take_by(&handle, 2))
    };
    let ((one_has, one), (other_has, other)) = race(&limiter, false, own, own);
    assert!(one_has || other_has);
    assert!(one + other <= initial, "{one} + {other} of {initial}");
    ends_well(&limiter, initial, one + other);
}

/// Callers of a lower class at once: they take their share of the capacity, exactly, and the rest is there for others.
pub(crate) fn callers_under_a_ceiling_leave_the_rest(callers: u64, calls: u64) {
    const SHARE: u64 = 3;
    let limiter = sharded(1, 0, 8);
    let take = move |limiter: &Sharded| {
        // The stock of one unit is for callers without a ceiling.
        let decide = || limiter.try_acquire_under(Cost::ONE, SHARE + 1);
        let passed = |_: &u64| decide().is_ok_and(|decision| decision.is_allowed());
        (0..calls).filter(passed).count() as u64
    };
    let callers: Vec<_> = (0..callers).map(|_| go(&limiter, take)).collect();
    let taken: u64 = callers.into_iter().map(end).sum();
    assert_eq!(taken, SHARE);
    assert_eq!(drain(&limiter), 8 - SHARE);
}

/// Two live handles for one seat: one of them has it.
pub(crate) fn a_seat_is_claimed_once() {
    let limiter = sharded(1, 1, 16);
    let claims = |limiter: &Sharded| {
        let handle = limiter.handle();
        let has = handle.has_seat();
        // Never dropped: the seat stays its own.
        std::mem::forget(handle);
        has
    };
    let (one, other) = race(&limiter, false, claims, claims);
    assert!(one != other, "one seat, one owner");
}

/// What the races below need of a limiter: one shard, room for one unit of stock in a capacity of eight.
pub(crate) trait Draws: Send + Sync + Sized + 'static {
    /// One that starts full.
    fn full(clock: ManualClock) -> Self;

    fn try_acquire(&self, units: u64) -> bool;
}

const CAPACITY: u64 = 8;

impl Draws for Sharded {
    fn full(clock: ManualClock) -> Self {
        let limiter = ShardedLimiter::builder(limit(UNIT_NS, CAPACITY))
            .shards(1)
            .seats(0);
        let limiter = limiter.build_with_clock(clock).expect("a limit");
        assert_eq!(limiter.stock_per_shard(), 1);
        limiter
    }

    fn try_acquire(&self, units: u64) -> bool {
        let decision = self.try_acquire_on(0, cost(units));
        decision.expect("it fits").is_allowed()
    }
}

fn drained(limiter: &impl Draws) -> u64 {
    let mut taken = 0;
    while limiter.try_acquire(1) {
        taken += 1;
    }
    taken
}

/// Two callers of one shard draw at once, and later everything is taken at one instant: the capacity, and no more.
pub(crate) fn two_draws_hold_no_more_than_the_room<L: Draws>() {
    let clock = ManualClock::starting_at(NOW);
    let limiter = Arc::new(L::full(clock.clone()));
    assert!(limiter.try_acquire(1), "that was the stock");
    let draw = |limiter: &L| limiter.try_acquire(1);
    assert_eq!(race(&limiter, false, draw, draw), (true, true));
    clock.set(LATER);
    let taken = drained(&*limiter);
    assert!(taken <= CAPACITY, "{taken} units at one instant");
}

/// A caller draws while time passes and the stock is used after that: what it draws into the room of units used later
/// carries a stamp from later. So at that later instant the capacity passes, and no more.
pub(crate) fn a_draw_is_no_older_than_its_room<L: Draws>(swapped: bool) {
    let clock = ManualClock::starting_at(NOW);
    let limiter = Arc::new(L::full(clock.clone()));
    let draws = {
        let clock = clock.clone();
        move |limiter: &L| {
            let began = clock.now();
            // More than the stock, so that it must draw.
            (began, limiter.try_acquire(2))
        }
    };
    let uses = move |limiter: &L| {
        clock.set(LATER);
        u64::from(limiter.try_acquire(1))
    };
    let ((began, drawn), mut at_later) = race(&limiter, swapped, draws, uses);
    if began == LATER && drawn {
        at_later += 2;
    }
    at_later += drained(&*limiter);
    assert!(at_later <= CAPACITY, "{at_later} units at one instant");
}

/// Nothing is left. One party lets time pass and asks through `fills`, which puts by what it drew beyond its cost;
/// whoever takes that through `uses` does so no earlier.
fn used_no_earlier_than_drawn(
    seats: usize,
    swapped: bool,
    fills: impl FnOnce(&Sharded) -> u64 + Send + 'static,
    uses: impl FnOnce(&Sharded) -> u64 + Send + 'static,
) {
    let limiter = sharded(2 - seats, seats, 0);
    let (filled, ()) = race(
        &limiter,
        swapped,
        |limiter| {
            let units = Duration::from_nanos(3 * UNIT_NS);
            limiter.clock().advance(units);
            fills(limiter)
        },
        |limiter| {
            let used = uses(limiter);
            // Whatever it was came in after the beginning.
            assert!(used == 0 || limiter.clock().now() > NOW);
        },
    );
    assert_eq!(filled, 1);
}

/// What is put by in one shard is used from the same or from the other.
pub(crate) fn stock_is_used_no_earlier_than_drawn(shard: usize, swapped: bool) {
    used_no_earlier_than_drawn(
        0,
        swapped,
        |limiter| take(limiter, 0, &[1]),
        move |limiter| take(limiter, shard, &[1]),
    );
}

/// What is put by in a seat is used by its next owner, or from a shard.
pub(crate) fn a_seat_is_used_no_earlier_than_filled(by_owner: bool, swapped: bool) {
    used_no_earlier_than_drawn(
        1,
        swapped,
        |limiter| take_by(&limiter.handle(), 1),
        move |limiter| {
            if by_owner {
                take_by(&limiter.handle(), 1)
            } else {
                take(limiter, 0, &[1])
            }
        },
    );
}

/// A handle draws while time passes, into a seat whose last owner used its stock after that: at that later instant the
/// capacity passes, and no more.
pub(crate) fn a_handle_draws_no_older_than_its_room(swapped: bool) {
    let limiter = sharded(1, 1, 16);
    let ((began, drawn), mut at_later) = race(
        &limiter,
        swapped,
        |limiter| {
            let began = limiter.clock().now();
            let drawn = limiter.handle().try_acquire(cost(2));
            (began, drawn.expect("it fits").is_allowed())
        },
        |limiter| {
            limiter.clock().set(LATER);
            take_by(&limiter.handle(), 1)
        },
    );
    if began == LATER && drawn {
        at_later += 2;
    }
    at_later += drain(&limiter);
    assert!(at_later <= 16, "{at_later} units at one instant");
}
