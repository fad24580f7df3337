//! Random policies and random histories at one Gate, held to the testkit.
//!
//! Without refunds every decision, binding limit and wait equals that of the composed model. With them, and across
//! reloads, the three laws are judged: what was admitted and kept never exceeds a limit, each wait is the least, and
//! a refusal changes nothing.

mod debts;
mod decisions;
mod laws;
mod policies;
mod random;
mod reloads;
