//! Calendar quotas, lifetime budgets and meters that refund.

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
pub use rate::{Depth, RateMeter, RateReceipt, RefundRule, Scale};
pub use tally::TallyReceipt;
pub use threshold::{StatusLevel, StatusLevels, Thresholds};
