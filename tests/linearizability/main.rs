//! Histories of real threads, each held to the sequential specification of what they called.
//!
//! Ordinary runs take seconds. `cargo xtask verify linearizability` runs the same checks longer, by the variable
//! `TOLLGATE_HISTORIES` (how many histories to each check) and `TOLLGATE_SEED`, and shows the counts. What threads do
//! is drawn from the seed; how they interleave is the machine's choice, so a breach prints the history itself.

mod cells;
mod gate;
mod histories;
mod keyed;
mod meters;
mod planted;
mod sharded;
mod stateright;
mod windows;
