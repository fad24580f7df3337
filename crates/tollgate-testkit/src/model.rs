//! Slow, exact models of every algorithm, one caller at a time.
//!
//! A model answers what a limiter must: whether a cost fits, and else the least whole number of nanoseconds after
//! which it would, were nobody else to come (a nanosecond less is denied). `now` is nanoseconds since any epoch.
//!
//! # Clocks that step back
//! An older `now` never makes an answer looser: the first law holds by the times given. [`Gcra`] sees a larger backlog
//! by an older `now`. The ordered structures ([`SlidingLog`], [`SlottedRing`], [`PeriodBudget`]) file charges under the
//! latest instant so far, and judge by the `now` that is given, as far as they remember. Only a calendar's budget
//! ([`PeriodBudget::of_calendar`]) takes an old `now` for the latest at which it charged: so the time of the law is, too.
//! What is told as used is as of the latest charge. [`Lifetime`] and [`Concurrency`] know no time.
//!
//! # A cost of nothing
//! A cost of zero goes through the same comparison as any other: it is denied only where debt already stands
//! above the limit.

mod counts;
mod gcra;
mod log;
mod periods;
mod policy;
mod ring;
mod trailing;

pub use counts::{Concurrency, Lifetime};
pub use gcra::Gcra;
pub use log::SlidingLog;
pub use periods::PeriodBudget;
pub use policy::{Ask, Policy, PolicyReceipt, Refusal};
pub use ring::SlottedRing;

pub use crate::ideal::Receipt;

use crate::answer::Answer;
use std::fmt::Debug;

/// One limit, decided exactly.
///
/// ```
/// use tollgate_testkit::{Answer, RateLimit, model::{Gcra, Model}};
///
/// // Two at once, and one more every 10 ns.
/// let mut limit = Gcra::new(RateLimit::new(1, 10, 2));
/// assert_eq!(limit.try_acquire(0, 2), Answer::Admit);
/// assert_eq!(limit.try_acquire(3, 1), Answer::Wait(7));
/// assert_eq!(limit.try_acquire(10, 1), Answer::Admit);
/// assert_eq!(limit.try_acquire(10, 3), Answer::Never);
/// ```
pub trait Model: Debug {
    /// The most units that may be committed: a capacity, or a max.
    fn max(&self) -> u64;

    /// What a caller hears who may see no more than `max` units committed (nor more than [`Self::max`]), as a
    /// priority class does. Changes nothing.
    fn look_under(&self, now: u64, cost: u64, max: u64) -> Answer;

    /// Commits `cost` units, whether they fit or not. To admit, look first.
    fn charge(&mut self, now: u64, cost: u64) -> Receipt;

    /// Gives back up to `surplus` units of a charge, as far as the rule of this limit goes.
    fn refund(&mut self, now: u64, receipt: &mut Receipt, surplus: u64);

    /// Units committed as of `now`, or of the latest charge where charges are filed in order; rounded up. Debt may raise them above [`Self::max`].
    fn used(&self, now: u64) -> u128;

    /// What a caller of the top class hears. Changes nothing.
    fn look(&self, now: u64, cost: u64) -> Answer {
        self.look_under(now, cost, self.max())
    }

    /// Looks, and charges what fits.
    fn try_acquire(&mut self, now: u64, cost: u64) -> Answer {
        let answer = self.look(now, cost);
        if answer.admitted() {
            let _kept = self.charge(now, cost);
        }
        answer
    }

    /// Commits `extra` units that were spent beyond an estimate, whether they fit or not.
    fn charge_anyway(&mut self, now: u64, extra: u64) {
        let _never_refunded = self.charge(now, extra);
    }
}

#[cfg(test)]
mod tests;
