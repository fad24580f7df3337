//! Oracles and generators that judge Tollgate's limiters.
//!
//! Everything here is slow next to what it judges, and obviously right: exact whole numbers, one step at a time,
//! no atomics in any rule. It depends on no other crate of the project and shares no code with them.

#![forbid(unsafe_code)]

mod answer;
mod clock;
mod exact;
mod limit;

pub mod ideal;
pub mod law;
pub mod model;
pub mod strategy;
pub mod stress;
pub mod subject;

pub use answer::Answer;
pub use clock::ManualClock;
pub use limit::{Debt, Periods, RateLimit};
