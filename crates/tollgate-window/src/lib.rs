//! Windows.
#![forbid(unsafe_code)]
mod cell;
mod error;
mod fixed;
mod log;
mod ring;

pub use error::WindowError;
pub use fixed::{FixedWindow, PeriodCounter, PeriodReceipt, PeriodRefusal};
pub use log::{ExactLog, LogReceipt};
pub use ring::{SlotReceipt, SlottedRing};
