//! Waiting: in a thread, or in async code on tokio's timer.

mod blocking;
#[cfg(feature = "tokio")]
mod tokio;

pub use blocking::{AcquireBlocking, AdmitBlocking};
#[cfg(feature = "tokio")]
pub use tokio::{Acquire, AdmitWithin};
