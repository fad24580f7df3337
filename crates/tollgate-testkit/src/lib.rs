//! Oracles and generators that judge Tollgate's limiters.
//!
//! Everything here is slow next to what it judges, and meant to be obviously right: exact whole numbers, one step at a
//! time, no atomics in any rule. It depends on no other crate of the project and shares no code with them, so each of
//! them may use it in its tests. Time is nanoseconds since any epoch, in 64 bits; units are 64 bits.
//!
//! | To ask | Use |
//! | --- | --- |
//! | Was the limit ever exceeded, by a record of what was admitted? | [`law`] |
//! | Is every decision and every wait the right one? | [`model`], by [`subject::check_against`] |
//! | Is each wait the least, and does a denial change nothing? | [`subject::waits_are_least`], [`subject::denials_change_nothing`] |
//! | How much may a refund give back? | [`ideal`] |
//! | Which limits and histories to try? | [`strategy`] |
//! | Do threads that race get exactly what there is? | [`stress`] |
//! | Could one caller at a time have heard what threads heard? | [`linear`] |
//! | Which laws does a limiter keep, mine or anybody's? | [`trial`] |
//! | What time is it in this test? | [`ManualClock`] |
//!
//! # Example
//! A limiter held to all three laws over random limits and histories:
//!
//! ```
//! use proptest::prelude::*;
//! use std::cell::Cell;
//! use tollgate_testkit::{
//!     Answer, RateLimit,
//!     law::Law,
//!     model::Gcra,
//!     strategy::{self, Histories},
//!     subject::{check_against, denials_change_nothing, waits_are_least},
//! };
//!
//! // The limiter: one cell of whole nanoseconds, each unit worth its interval rounded up.
//! fn limiter(limit: RateLimit) -> impl Fn(u64, u64) -> Answer {
//!     let interval = limit.period.div_ceil(limit.units);
//!     let tat = Cell::new(0_u64);
//!     move |cost, now| {
//!         if cost > limit.capacity {
//!             return Answer::Never;
//!         }
//!         let next = tat.get().max(now) + cost * interval;
//!         match next.checked_sub(now + limit.capacity * interval) {
//!             None | Some(0) => {
//!                 tat.set(next);
//!                 Answer::Admit
//!             }
//!             Some(late) => Answer::Wait(u128::from(late)),
//!         }
//!     }
//! }
//!
//! let case = strategy::tiny_rate_limits().prop_flat_map(|limit| (Just(limit), Histories::of_rate(limit).ops()));
//! proptest!(ProptestConfig::with_cases(50), |((limit, history) in case)| {
//!     waits_are_least(|| limiter(limit), &history)?;
//!     denials_change_nothing(|| limiter(limit), &history)?;
//!     let rounded = Gcra::quantized(limit, 1);
//!     let admitted = check_against(&limiter(limit), rounded, history, 0)?;
//!     prop_assert!(Law::Rate(limit).check(admitted, 0).held());
//! });
//! ```

#![forbid(unsafe_code)]

mod answer;
mod clock;
mod exact;
mod limit;

pub mod ideal;
pub mod law;
pub mod linear;
pub mod model;
pub mod strategy;
pub mod stress;
pub mod subject;
pub mod trial;

pub use answer::Answer;
pub use clock::ManualClock;
pub use limit::{Periods, RateLimit};
