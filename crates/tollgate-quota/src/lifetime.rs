//! A budget for good: at most so many units ever.

use crate::tally::{Tally, TallyReceipt};
use tollgate_core::{Charged, Cost, Meter, Moment, Refused};

/// A meter of units spent for good: no period ends, nothing refills.
///
/// Never over: units admitted and kept are at most the ceiling, ever, and exactly. What a charge did not use may
/// be given back; nothing else lowers it but [`Meter::reset`]. A denial therefore always says
/// [`Wait::Never`](tollgate_core::Wait::Never): time alone cannot help, though a refund of somebody else's or a
/// reset may. Time is ignored altogether, so no clock can move it.
///
/// A budget that reaches `u64::MAX` units, by debt or by a charge under that ceiling, stays there until it is
/// reset and forfeits refunds until then: the units really spent may be more than it can hold.
///
/// It is at rest, and can be evicted, only when all that was charged was given back.
///
/// Sixteen bytes; every operation is one load or one exchange.
///
/// ```
/// use tollgate_core::{Cost, Meter, Moment, Refused, Wait};
/// use tollgate_quota::Lifetime;
///
/// let budget = Lifetime::new();
/// let (at, ten) = (Moment::default(), Cost::new(10).unwrap());
/// let charged = budget.charge(at, ten, 12).unwrap();
/// assert_eq!(budget.charge(at, ten, 12).unwrap_err(), Refused::denied(Wait::Never, 10));
/// // Only three of the ten were used.
/// assert_eq!(budget.refund(at, &charged.receipt, 7), 7);
/// assert_eq!(budget.used(at), 3);
/// ```
#[derive(Debug)]
pub struct Lifetime {
    tally: Tally,
}

impl Lifetime {
    /// A budget of which nothing is spent.
    #[must_use]
    pub fn new() -> Self {
        Self {
            tally: Tally::new(),
        }
    }

    /// Units spent, read by an exchange: it is before or after each charge. None if the budget is closed.
    pub(crate) fn standing(&self) -> Option<u64> {
        self.tally.standing()
    }
}

impl Default for Lifetime {
    fn default() -> Self {
        Self::new()
    }
}

impl Meter for Lifetime {
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

    fn reset(&self, _at: Moment) {
        self.tally.reset();
    }
}
