//! Counting and estimating of model tokens by model name.

#![forbid(unsafe_code)]

mod encoding;
mod last_resort;

pub use encoding::{Encoding, warm_up};
