//! Any limiter, ours or a peer, under the oracle.
//!
//! [`check_against`] compares every decision of a [`Subject`] with that of an exact model. [`waits_are_least`] and
//! [`denials_change_nothing`] hold the second and the third law against a subject that no model is written for.

mod compare;
mod probe;
mod record;

pub use compare::{Disagreement, check_against, check_against_if_in_order};
pub use probe::{Misstep, denials_change_nothing, waits_are_least};
pub use record::ModelSubject;

use crate::answer::Answer;

/// A limiter under test, asked by one caller at a time.
///
/// A closure `Fn(cost, now) -> Answer` is a subject that knows no refunds.
pub trait Subject {
    /// Takes `cost` units at `now`, or says how long to wait.
    fn try_acquire_at(&self, cost: u64, now: u64) -> Answer;

    /// Gives back `surplus` units of admission number `admission`, counted from 0 in order. False if the subject
    /// cannot. It is never asked for more than is left of the admission.
    fn refund_at(&self, admission: usize, surplus: u64, now: u64) -> bool {
        let _ = (admission, surplus, now);
        false
    }

    /// Charges `extra` units, whether they fit or not. False if the subject cannot.
    fn charge_anyway_at(&self, extra: u64, now: u64) -> bool {
        let _ = (extra, now);
        false
    }
}

impl<F: Fn(u64, u64) -> Answer> Subject for F {
    fn try_acquire_at(&self, cost: u64, now: u64) -> Answer {
        self(cost, now)
    }
}

#[cfg(test)]
mod tests;
