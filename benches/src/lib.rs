//! Benchmarks of Tollgate, side by side with everybody who does the same.
//!
//! A [`Peer`] asks for one unit; a [`Subject`] is a peer with the loop that measures it; an [`Entry`] builds one for the
//! [`Terms`] of a workload. We are entries like all others. A [`Group`] is one workload with a row for each entry. The
//! loop in `sample.rs` is the only one that measures: criterion drives it row by row (`cargo bench`), and the program
//! `results` in interleaved rounds (`cargo xtask bench`), since ratios need rows that were measured in the same minute.

pub mod floors;
pub mod groups;
pub mod keys;
pub mod ours;
mod peer;
#[cfg(feature = "peers")]
pub mod peers;
#[cfg(feature = "report")]
pub mod report;
mod sample;
pub mod textbook;

pub use peer::{Asks, Built, Entry, Peer, Role, Terms};
pub use sample::{Mode, Sample, Shot, Subject, pin};
