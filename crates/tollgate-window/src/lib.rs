//! Windows.
#![forbid(unsafe_code)]
mod cell;
mod error;
mod fixed;

pub use error::WindowError;
pub use fixed::{FixedWindow, PeriodCounter, PeriodReceipt, PeriodRefusal};
