//! Models: every interleaving of a few callers, one module a protocol.
//!
//! `RUSTFLAGS="--cfg model_loom" cargo test --release -p tollgate-quota --test loom`, with a target folder of its own.
#![cfg(model_loom)]

mod crossing;
mod rate;
mod tally;

use loom::model::Builder;

/// Runs `scenario` in every interleaving.
fn exhaustive(scenario: impl Fn() + Sync + Send + 'static) {
    Builder::new().check(scenario);
}

/// Runs `scenario` in every interleaving of at most `preemptions` preemptions.
fn bounded(preemptions: usize, scenario: impl Fn() + Sync + Send + 'static) {
    let mut model = Builder::new();
    model.preemption_bound = Some(preemptions);
    model.check(scenario);
}
