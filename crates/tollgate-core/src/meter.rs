//! The seam between algorithms and the Gate: what every meter can do.

use crate::{Cost, Moment};
use std::{fmt::Debug, sync::Arc, time::Duration};

/// How long until a cost would pass, were nobody else to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wait {
    /// The least such time: a nanosecond less is denied. Never zero.
    After(Duration),
    /// Waiting cannot help: the cost can never pass. Longer than any time.
    Never,
}

impl Wait {
    /// A wait of `nanos` nanoseconds, at least one.
    #[must_use]
    pub const fn nanos(nanos: u64) -> Self {
        Self::After(Duration::from_nanos(if nanos == 0 { 1 } else { nanos }))
    }

    /// The time to wait, if waiting helps.
    #[must_use]
    pub const fn duration(self) -> Option<Duration> {
        match self {
            Self::After(wait) => Some(wait),
            Self::Never => None,
        }
    }
}

/// A charge that did not fit, in figures of one snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denial {
    /// How long until it fits.
    pub wait: Wait,
    /// What the meter had committed, on its own scale (see [`Meter::units`]).
    pub committed: u128,
}

/// Why a meter did not take a charge. Nothing of the cost was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The limit is reached.
    Denied(Denial),
    /// The meter was closed (its account was evicted or moved): look the account up again.
    Closed,
    /// It fits the limit, but not what an [`Authority`](crate::Authority) has lent: ask again when that has lent more.
    /// Only meters that spend a lease answer so.
    Dry,
}

/// A charge that was taken, and both sides of its exchange.
///
/// `before` and `after` are what the meter had committed, in its own scale, in which `full` is the whole limit:
/// a threshold `s` was crossed if `before < s × full <= after`. Both come from the exchange that charged, so
/// among all charges exactly one sees a crossing.
#[derive(Clone, Copy, Debug)]
pub struct Charged<R> {
    /// What [`Meter::refund`] needs to give some of it back.
    pub receipt: R,
    /// Committed before, on the meter's own scale.
    pub before: u128,
    /// Committed after.
    pub after: u128,
    /// The whole limit on the same scale.
    pub full: u128,
}

impl Refused {
    /// Denied: `committed` on the meter's own scale, fits after `wait`.
    #[must_use]
    pub const fn denied(wait: Wait, committed: u128) -> Self {
        Self::Denied(Denial { wait, committed })
    }
}

/// Units that one limit has committed as of now, by its algorithm.
///
/// A meter holds what was charged, not the limit: each call says the `ceiling`, the most units that this caller
/// may see committed (a gcra meter: its capacity; any other: its max), so that a priority class needs no second
/// meter, nor does a changed limit, but where it decides what time does to committed units: a rate, and the max of
/// periods that pay debt. Every operation is lock-free and allocates nothing.
pub trait Meter: Send + Sync + Debug {
    /// What is needed to refund a charge.
    type Receipt: Copy + Debug + Send + Sync;

    /// What `charge` would answer, changing nothing: `Ok` or why not. A load, no write to any shared line.
    ///
    /// # Errors
    /// As [`Self::charge`].
    fn look(&self, at: Moment, cost: Cost, ceiling: u64) -> Result<(), Refused>;

    /// Commits `cost` if it fits under `ceiling`.
    ///
    /// # Errors
    /// [`Refused::Denied`] with the exact wait if it does not fit now, and nothing changed; [`Refused::Closed`];
    /// [`Refused::Dry`], after the charge was backed out.
    fn charge(
        &self,
        at: Moment,
        cost: Cost,
        ceiling: u64,
    ) -> Result<Charged<Self::Receipt>, Refused>;

    /// Commits `extra` whether it fits or not: units spent beyond an estimate. `ceiling` only scales the answer.
    ///
    /// # Errors
    /// [`Refused::Closed`] only.
    fn charge_anyway(
        &self,
        at: Moment,
        extra: Cost,
        ceiling: u64,
    ) -> Result<Charged<Self::Receipt>, Refused>;

    /// Gives back up to `surplus` units of a charge (never more than it charged, which the caller sees to), and
    /// returns how many units' worth was given back, rounded down. What the rule of the meter forbids to give
    /// back is forfeited. A closed meter gives nothing back.
    fn refund(&self, at: Moment, receipt: &Self::Receipt, surplus: u64) -> u64;

    /// What `committed`, on the meter's own scale, is in units, rounded up. Most meters count in units.
    fn units(&self, committed: u128) -> u64 {
        u64::try_from(committed).unwrap_or(u64::MAX)
    }

    /// Units committed as of `at`, rounded up.
    fn used(&self, at: Moment) -> u64;

    /// Closes the meter if it commits nothing as of `at`, so that it equals a fresh one: no charge succeeds after.
    /// False if it commits something, and then nothing changes. True if it was closed before.
    fn close_at_rest(&self, at: Moment) -> bool;

    /// Forgets everything committed, as of `at`. Receipts of earlier charges give nothing back. A meter of what is open now
    /// forgets nothing.
    fn reset(&self, at: Moment);
}

impl<M: Meter + ?Sized> Meter for Arc<M> {
    type Receipt = M::Receipt;

    fn look(&self, at: Moment, cost: Cost, ceiling: u64) -> Result<(), Refused> {
        (**self).look(at, cost, ceiling)
    }

    fn charge(&self, at: Moment, cost: Cost, ceiling: u64) -> Result<Charged<M::Receipt>, Refused> {
        (**self).charge(at, cost, ceiling)
    }

    fn charge_anyway(
        &self,
        at: Moment,
        extra: Cost,
        ceiling: u64,
    ) -> Result<Charged<M::Receipt>, Refused> {
        (**self).charge_anyway(at, extra, ceiling)
    }

    fn refund(&self, at: Moment, receipt: &M::Receipt, surplus: u64) -> u64 {
        (**self).refund(at, receipt, surplus)
    }

    fn units(&self, committed: u128) -> u64 {
        (**self).units(committed)
    }

    fn used(&self, at: Moment) -> u64 {
        (**self).used(at)
    }

    fn close_at_rest(&self, at: Moment) -> bool {
        (**self).close_at_rest(at)
    }

    fn reset(&self, at: Moment) {
        (**self).reset(at);
    }
}
