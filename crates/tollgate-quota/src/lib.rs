//! Calendar quotas, lifetime budgets and meters that refund.

pub mod money;
mod rate;
pub mod threshold;

pub use money::MicroUsd;
pub use rate::{Depth, RateMeter, RateReceipt, RefundRule, Scale};
pub use threshold::{StatusLevel, StatusLevels, Thresholds};
