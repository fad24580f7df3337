//! Exact limits.

mod limit;
mod meter;
mod time;

pub use limit::{Cost, Limit, LimitError};
pub use meter::{Charged, Denial, Meter, Refused, Wait};
pub use time::{Moment, Nanos, Wall};
