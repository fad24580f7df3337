//! How much may be open at once.

use crate::tally::{Tally, TallyReceipt};
use tollgate_core::{Charged, Cost, Meter, Moment, Refused};

/// A meter of what is open now: a charge opens, a refund of the whole charge closes.
///
/// Never over: at any point at most the ceiling is open, exactly. A request usually costs one; a larger cost
/// takes as many places. Whoever opened must close, by refunding the *whole* cost when the work ends, whatever
/// it turned out to use; a refund of less leaves the rest open.
///
/// When it is full, a denial says [`Wait::Never`](tollgate_core::Wait::Never), which here means that time alone
/// cannot help: what is open need not close at any time, so any number would be a guess. Waiting for somebody to
/// close may well help; only a cost above the ceiling cannot pass even then. Compare the two to tell them apart.
///
/// It is at rest, and can be evicted, only when nothing is open. A reset forgets nothing: what is open is a fact and no
/// memory, and would be beyond the ceiling together with what came after. At `u64::MAX` open places, which only debt can
/// reach in practice, it stays full.
///
/// Sixteen bytes; every operation is one load or one exchange.
///
/// ```
/// use tollgate_core::{Cost, Meter, Moment};
/// use tollgate_quota::Concurrency;
///
/// let streams = Concurrency::new();
/// let at = Moment::default();
/// let first = streams.charge(at, Cost::ONE, 1).unwrap();
/// assert!(streams.charge(at, Cost::ONE, 1).is_err());
/// assert_eq!(streams.refund(at, &first.receipt, 1), 1);
/// assert!(streams.charge(at, Cost::ONE, 1).is_ok());
/// ```
#[derive(Debug)]
pub struct Concurrency {
    tally: Tally,
}

impl Concurrency {
    /// A meter with nothing open.
    #[must_use]
    pub fn new() -> Self {
        Self {
            tally: Tally::new(),
        }
    }
}

impl Default for Concurrency {
    fn default() -> Self {
        Self::new()
    }
}

impl Meter for Concurrency {
    type Receipt = TallyReceipt;

    fn look(&self, _at: Moment, cost: Cost, ceiling: u64) -> Result<(), Refused> {
        self.tally.look(cost, ceiling)
    }

    fn charge(
        &self,
        _at: Moment,
        cost: Cost,
        ceiling: u64,
    ) -> Result<Charged<TallyReceipt>, Refused> {
        self.tally.charge(cost, ceiling)
    }

    fn charge_anyway(
        &self,
        _at: Moment,
        extra: Cost,
        ceiling: u64,
    ) -> Result<Charged<TallyReceipt>, Refused> {
        self.tally.charge_anyway(extra, ceiling)
    }

    fn refund(&self, _at: Moment, receipt: &TallyReceipt, surplus: u64) -> u64 {
        self.tally.refund(*receipt, surplus)
    }

    fn used(&self, _at: Moment) -> u64 {
        self.tally.used()
    }

    fn close_at_rest(&self, _at: Moment) -> bool {
        self.tally.close_at_rest()
    }

    /// Changes nothing: what is open stays open until it closes.
    fn reset(&self, _at: Moment) {}
}
