//! Models: every interleaving of a few callers, one module a protocol. Races of two whose parties differ are run both ways:
//! with either party started first.
//!
//! `RUSTFLAGS="--cfg model_loom" cargo test --release -p tollgate-quota --test loom`, with a target folder of its own.
#![cfg(model_loom)]

mod ahead;
mod crossing;
mod flags;
mod lease;
mod rate;
mod record;
mod reload;
#[path = "../scenarios/mod.rs"]
mod scenarios;
mod tally;

use tollgate_sync::model::{bounded, exhaustive};
