//! How much a refund may give back: the ideal world, in which every actual cost was known at admission.
//!
//! A rate meter is a queue served at a constant speed. Its backlog is the time until it is empty, `TAT - now`. Had a
//! charge been smaller by `s`, the backlog of today would be smaller by the least of `s` and the lowest backlog
//! since that charge: what was drained meanwhile would have been drained anyway. So a refund gives back exactly
//! that, in the world as the refunds before it have already corrected it. More would admit refilled units a second
//! time; less would lose throughput.
//!
//! [`IdealWorld`] is the slow way: it keeps the whole history, and lives it again with the corrected costs.
//! [`IdealMeter`] is the quick way, for long traces; they are checked against each other.
//!
//! Instants come in the order of the calls and may step back. An old `now` sees a larger backlog, as a gcra cell
//! does. The world itself moves by the whole difference that knowing would have made; what is *given back* is at
//! most the backlog at the refund's own `now`, since below that a meter cannot be told from a fresh one.

mod meter;
mod world;
mod worth;

pub use meter::IdealMeter;
pub use world::IdealWorld;
pub use worth::Worth;

/// What is left of a charge: how much of it may still be refunded, and where it was filed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Receipt {
    /// The number of the charge among all charges of its meter.
    pub(crate) number: u64,
    /// Where a windowed limit filed it: an instant, a tick or a period.
    pub(crate) mark: u128,
    /// Units not refunded yet.
    pub(crate) kept: u64,
}

impl Receipt {
    /// Units of the charge that were not refunded yet.
    #[must_use]
    pub fn kept(&self) -> u64 {
        self.kept
    }

    /// Lowers what is kept by `surplus`, as far as it goes, and says how far it went.
    pub(crate) fn lower(&mut self, surplus: u64) -> u64 {
        let surplus = surplus.min(self.kept);
        self.kept -= surplus;
        surplus
    }
}

#[cfg(test)]
mod tests;
