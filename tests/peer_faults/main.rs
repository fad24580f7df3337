//! The faults found in other limiters, each held against Tollgate and against a copy of the rule that has it.
//!
//! A scenario is a function that knows nothing of whom it judges. `tollgate_…` runs it on every tier that could have
//! the fault (the cells, the windows, the meters, the Gate) and asks for the law; `the_copied_rule_…` runs the same
//! scenario on a small copy of a peer's rule and asks for the fault, in the figures that were measured on the peer.
//! So whoever weakens a scenario until it sees nothing finds the copy's test red.
//!
//! What cannot be represented is to be refused when it is built, by name; where that is the right outcome, the tests
//! name the tiers that refuse.

mod answers;
mod burst;
mod cancel;
mod clock;
mod debt;
mod overflow;
mod peers;
mod races;
mod rates;
mod script;
mod subjected;
mod tiers;
mod too_large;
