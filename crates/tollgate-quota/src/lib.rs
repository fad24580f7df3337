//! Calendar quotas, lifetime budgets and meters that refund.
//!
//! Each [`Meter`](tollgate_core::Meter) counts what one limit has committed, and gives back what a request turned
//! out not to use:
//!
//! | Meter | At most so many units |
//! | --- | --- |
//! | [`RateMeter`] | of capacity, which refills at a rate |
//! | [`CalendarMeter`] | in each hour, day, week, month or year of a time zone |
//! | [`Lifetime`] | ever |
//! | [`Concurrency`] | open at once |
//!
//! Beside them: [`threshold`] tells each crossing of a share once, and [`money`] keeps dollars exact. Nothing here
//! reads a clock: every call is given its [`Moment`](tollgate_core::Moment).

pub mod calendar;
mod concurrency;
mod lifetime;
pub mod money;
mod rate;
mod tally;
pub mod threshold;

pub use calendar::{Calendar, CalendarMeter};
pub use concurrency::Concurrency;
pub use lifetime::Lifetime;
pub use money::MicroUsd;
pub use rate::{Carried, Depth, RateMeter, RateReceipt, RefundRule, Scale};
pub use tally::TallyReceipt;
pub use threshold::{StatusLevel, StatusLevels, Thresholds};
