//! Models of leases: the crash protocol of a ledger, and an authority with two holders over a network that loses, repeats
//! and delays. Each right model is explored whole, and each planted mistake in it is found.

mod crash;
mod network;

use stateright::{Checker, Model};
use std::{fmt::Debug, hash::Hash};

/// Explores all of `model`: nothing is ever over, and the whole limit can be used.
fn holds<M>(model: M)
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync,
    M::Action: Clone + Debug + PartialEq,
{
    let checker = model.checker().spawn_bfs().join();
    checker.assert_properties();
    println!(
        "explored: {} executions, whole",
        checker.unique_state_count()
    );
}

/// Explores `model` until it is over.
fn is_over<M>(model: M)
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync,
    M::Action: Clone + Debug + PartialEq,
{
    let checker = model.checker().spawn_bfs().join();
    assert!(
        checker.discovery("never over").is_some(),
        "the mistake was not found"
    );
    println!(
        "explored: {} executions, until it was found",
        checker.unique_state_count()
    );
}
