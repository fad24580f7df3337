//! Races on one meter, each with what must hold whoever wins. One call is one race: a model checker runs each under
//! every interleaving, shuttle and plain threads run them many times.

pub(crate) mod crossing;
#[cfg(not(model_loom))]
pub(crate) mod mixes;
pub(crate) mod rate;
#[cfg(not(model_loom))]
pub(crate) mod tally;

use std::cell::Cell;
use tollgate_core::{Cost, Meter, Moment, Nanos, Wall};
use tollgate_sync::{Arc, thread};

pub(crate) fn at(now: u64) -> Moment {
    Moment::new(Nanos(now), Wall(0))
}

pub(crate) fn cost(units: u64) -> Cost {
    Cost::new(units).expect("a cost")
}

/// Charges `units` at `now`, if they fit.
pub(crate) fn charge<M: Meter>(
    meter: &M,
    now: u64,
    units: u64,
    ceiling: u64,
) -> Option<M::Receipt> {
    let charged = meter.charge(at(now), cost(units), ceiling).ok()?;
    Some(charged.receipt)
}

/// Runs `act` in a thread of its own.
pub(crate) fn go<M: Send + Sync + 'static, T: Send + 'static>(
    meter: &Arc<M>,
    act: impl FnOnce(&M) -> T + Send + 'static,
) -> thread::JoinHandle<T> {
    let meter = Arc::clone(meter);
    thread::spawn(move || act(&meter))
}

thread_local! {
    /// Whether the second party of a race is started first.
    static SWAPPED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `model` with the parties of its race started in one order, then in the other: loom may miss what happens if a party
/// that only loads is started first.
#[cfg(model_loom)]
pub(crate) fn both_ways(model: impl Fn()) {
    for swapped in [false, true] {
        SWAPPED.set(swapped);
        model();
    }
    SWAPPED.set(false);
}

/// What both parties return, each of which runs in a thread of its own.
pub(crate) fn race<S: Send + Sync + 'static, A: Send + 'static, B: Send + 'static>(
    shared: &Arc<S>,
    first: impl FnOnce(&S) -> A + Send + 'static,
    second: impl FnOnce(&S) -> B + Send + 'static,
) -> (A, B) {
    if SWAPPED.get() {
        let second = go(shared, second);
        let first = go(shared, first);
        (end(first), end(second))
    } else {
        let (first, second) = (go(shared, first), go(shared, second));
        (end(first), end(second))
    }
}

pub(crate) fn end<T>(thread: thread::JoinHandle<T>) -> T {
    thread.join().expect("no thread panics")
}
