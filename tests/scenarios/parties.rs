//! How the scenarios of every crate run their parties: each in a thread of its own, which a model checker may schedule.
//! Included by path.

#![allow(dead_code, reason = "not every crate needs every part")]

use std::{cell::Cell, ops::Deref};
use tollgate_sync::thread;

/// Runs `act` in a thread of its own.
pub(crate) fn go<S: Deref + Clone + Send + 'static, T: Send + 'static>(
    shared: &S,
    act: impl FnOnce(&S::Target) -> T + Send + 'static,
) -> thread::JoinHandle<T> {
    let shared = shared.clone();
    thread::spawn(move || act(&shared))
}

pub(crate) fn end<T>(thread: thread::JoinHandle<T>) -> T {
    thread.join().expect("no thread panics")
}

thread_local! {
    /// Whether the second party of a race is started first.
    static SWAPPED: Cell<bool> = const { Cell::new(false) };
}

/// What both parties return, each of which runs in a thread of its own.
pub(crate) fn race<S: Deref + Clone + Send + 'static, A: Send + 'static, B: Send + 'static>(
    shared: &S,
    first: impl FnOnce(&S::Target) -> A + Send + 'static,
    second: impl FnOnce(&S::Target) -> B + Send + 'static,
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

/// The same with one of them in the caller's own thread, by which a model takes far fewer executions.
#[cfg(model_loom)]
pub(crate) fn beside<S: Deref + Clone + Send + 'static, A: Send + 'static, B: Send + 'static>(
    shared: &S,
    first: impl FnOnce(&S::Target) -> A + Send + 'static,
    second: impl FnOnce(&S::Target) -> B + Send + 'static,
) -> (A, B) {
    if SWAPPED.get() {
        let second = go(shared, second);
        (first(shared), end(second))
    } else {
        let first = go(shared, first);
        let second = second(shared);
        (end(first), second)
    }
}

/// Runs `model` with the parties of its race started in one order, then in the other: loom may miss what happens if a party
/// that only loads is started first.
#[cfg(model_loom)]
pub(crate) fn both_ways(model: impl Fn()) {
    model();
    other_way(model);
}

/// Runs `model` with the second party of its race started first.
#[cfg(model_loom)]
pub(crate) fn other_way(model: impl Fn()) {
    SWAPPED.set(true);
    model();
    SWAPPED.set(false);
}
