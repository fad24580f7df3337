//! The races of the models under shuttle: random schedules and those of PCT, of more threads and longer mixes than loom
//! can hold. Built and run with `RUSTFLAGS="--cfg model_shuttle"` only. It knows sequential consistency alone, so
//! orderings are loom's to check.
#![cfg(model_shuttle)]

mod scenarios;

scenarios::mixes::mixes!(tollgate_sync::model::random);
