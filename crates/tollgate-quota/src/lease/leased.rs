//! A meter that spends a lease.

use super::{Ahead, Asked, Holder, Lasting, NextPeriod, NotSpent, Placed, Units, lasting};
use std::{any::Any, fmt::Debug, sync::Arc};
use tollgate_core::{Charged, Cost, Meter, Moment, Refused, Standing};
use tollgate_sync::atomic::{
    AtomicBool, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

/// Where the accounts of an authority ask it to come by.
pub trait Desk: Send + Sync + Debug {
    /// Asks the authority to come by the account of that number. Quick, and never inside a disk call.
    fn ask(&self, account: u64, asked: Asked);

    /// Tells that `successor` is to take over from the meter of the account of that number.
    fn succeed(&self, account: u64, successor: Arc<dyn LeasedAccount>);
}

/// A leased meter, as its authority sees it.
pub trait LeasedAccount: Send + Sync + Debug {
    /// What it may spend.
    fn holder(&self) -> &Holder;

    /// Which meter of its account it is: each successor's is one higher.
    fn generation(&self) -> u64;

    /// What it has committed as of `at`, and the period of that. None if its meter is closed, or is still to take over.
    fn standing(&self, at: Moment) -> Option<(u64, Standing)>;

    /// The largest max that was in force in `period`, which is the current one: what is committed beyond that is debt.
    fn max_in(&self, period: u64) -> u64;

    /// Charges what was on record: what was committed, and what was `lent` then and may have been spent since. To be called once,
    /// before anything is lent. False if the meter is closed, or is still to take over: nothing was charged.
    #[must_use]
    fn restore(&self, standing: &Standing, lent: u64, at: Moment) -> bool;

    /// Charges what an account of which nothing is on record starts with. False as above.
    #[must_use]
    fn begin_with(&self, committed: u64, at: Moment) -> bool;

    /// Charges what a process before had lent ahead, once its period is the current one. None if the meter is closed, or is still to
    /// take over.
    #[must_use]
    fn place_ahead(&self, ahead: &Ahead, at: Moment) -> Option<Placed>;

    /// What was committed in `period` when it ended, if that is known: it ended in this process, and was the last to do so.
    fn ended(&self, period: u64) -> Option<u64>;

    /// The period after `period`, if it has one.
    fn next(&self, period: u64, at: Moment) -> Option<NextPeriod>;

    /// Whether the period of a record's stamp has ended.
    fn has_ended(&self, stamp: i64, at: Moment) -> bool;

    /// Requests that its limit has refused in this process, of all meters of the account. It wraps around.
    fn refused(&self) -> u64;

    /// Whether it was evicted: it was at rest, and its meter is closed for good.
    fn is_evicted(&self) -> bool;

    /// The meter as whatever it is.
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

/// What the meters of one account share, beside what is lent.
#[derive(Debug)]
#[repr(C)]
struct Till {
    desk: Arc<dyn Desk>,
    account: u64,
    max: AtomicU64,
    refused: AtomicU64,
}

/// A meter that admits only what an authority has lent: see the [module](super)'s page.
///
/// It answers as its meter does, but for [`Refused::Dry`]. A charge is that of the meter and some loads, or one exchange more where units
/// drain; and now and then a message to the authority's thread.
///
/// # Layout
/// What every charge reads and the authority alone writes is one line. The meter, which every charge changes, begins the next: a charge
/// on another core fetches that alone.
#[derive(Debug)]
#[repr(C, align(128))]
pub struct Leased<M> {
    till: Till,
    frame: i64,
    generation: u64,
    holder: Holder,
    /// The first meter of the account, by whose till and holder all of its meters go; none if this is it.
    first: Option<Arc<Self>>,
    meter: M,
    is_evicted: AtomicBool,
}

impl<M: Lasting> Leased<M> {
    /// `meter` with nothing lent yet, as account number `account` of the authority behind `desk`. The limit admits at most
    /// `max`. What `frame` is, says [`Lasting`].
    #[must_use]
    pub fn new(meter: M, max: u64, frame: i64, account: u64, desk: Arc<dyn Desk>) -> Self {
        let till = Till {
            desk,
            account,
            max: AtomicU64::new(max),
            refused: AtomicU64::new(0),
        };
        Self {
            first: None,
            till,
            holder: Holder::new(M::UNITS),
            meter,
            is_evicted: AtomicBool::new(false),
            frame,
            generation: 0,
        }
    }

    /// The same account with another `meter`, which is to take over: see [`Self::take_over`].
    #[must_use]
    pub fn successor(self: &Arc<Self>, meter: M) -> Self {
        let till = &self.first().till;
        Self {
            first: Some(Arc::clone(self.first.as_ref().unwrap_or(self))),
            generation: self.generation + 1,
            ..Self::new(meter, 0, self.frame, till.account, Arc::clone(&till.desk))
        }
    }

    /// The first meter of the account, whose till and holder are the account's.
    #[inline]
    fn first(&self) -> &Self {
        self.first.as_deref().unwrap_or(self)
    }

    /// The limit admits at most `max` from now on.
    pub fn set_max(&self, max: u64) {
        // Relaxed: a figure for the next report.
        self.first().till.max.store(max, Relaxed);
    }

    fn max(&self) -> u64 {
        // Relaxed: as in `set_max`.
        self.first().till.max.load(Relaxed)
    }

    /// Counts a request that the limit refused, for the record. Asks nobody to come by.
    pub fn count_refused(&self) {
        // Relaxed: a figure for the next report, which publishes nothing.
        self.first().till.refused.fetch_add(1, Relaxed);
    }

    /// The meter itself.
    #[must_use]
    pub const fn meter(&self) -> &M {
        &self.meter
    }

    /// Charges without stock: for as long as the authority cannot be asked and the policy is to go on. The limit holds; what is
    /// admitted so is on record with the next report that succeeds, and not before.
    ///
    /// # Errors
    /// As the meter's own charge.
    pub fn charge_unrecorded(
        &self,
        at: Moment,
        cost: Cost,
        ceiling: u64,
    ) -> Result<Charged<M::Receipt>, Refused> {
        let charged = self.meter.charge(at, cost, ceiling)?;
        self.pay(&charged, cost, u64::MAX);
        self.first().ask(Asked::Now);
        Ok(charged)
    }

    /// Pays what was charged whether it was lent or not. True if it was, all of it within `max`.
    fn pay(&self, charged: &Charged<M::Receipt>, cost: Cost, max: u64) -> bool {
        let (period, after) = (M::period(&charged.receipt), self.meter.units(charged.after));
        self.first().holder.pay(period, cost.get(), after, max)
    }

    /// Asks for `cost` to be lent, if less is left as of `at`.
    pub fn ask_for(&self, cost: Cost, at: Moment) {
        let holder = &self.first().holder;
        let standing = self.meter.standing(at, self.frame, self.max());
        // Of a meter that is closed nothing is known.
        let is_dry = standing
            .is_none_or(|(period, standing)| holder.left(period, standing.committed) < cost.get());
        if is_dry {
            let _ = self.not_spent(NotSpent::Dry, cost);
        }
    }

    /// To be called on the first meter of the account.
    #[inline]
    fn ask(&self, asked: Asked) {
        if self.holder.raise(asked) {
            self.till.desk.ask(self.till.account, asked);
        }
    }

    #[cold]
    fn not_spent(&self, why: NotSpent, cost: Cost) -> Refused {
        match why {
            // Nothing is lent to it any more. Whoever looks its account up again may find another.
            NotSpent::Revoked => {}
            NotSpent::Dry => {
                self.first().holder.want(cost.get());
                self.first().ask(Asked::Now);
            }
        }
        Refused::Dry
    }
}

impl<M: Lasting> Leased<M> {
    /// Charges if no more than `most` units, below the `ceiling`, are committed then: what is not lent is not charged in vain.
    #[inline]
    fn charge_within(
        &self,
        at: Moment,
        cost: Cost,
        ceiling: u64,
        most: u64,
    ) -> Result<Charged<M::Receipt>, Refused> {
        match self.meter.charge(at, cost, most) {
            // A level is of meters that count in units.
            Ok(charged) => Ok(Charged {
                full: ceiling.into(),
                ..charged
            }),
            Err(Refused::Denied(_)) => {
                self.meter.look(at, cost, ceiling)?;
                Err(self.not_spent(NotSpent::Dry, cost))
            }
            Err(other @ (Refused::Closed | Refused::Dry)) => Err(other),
        }
    }
}

impl<M: Lasting + 'static> Leased<M> {
    /// Takes over from `old`, whose successor this is. Anyone may call it, more than once.
    pub fn take_over(self: &Arc<Self>, old: &Self, at: Moment) {
        // First, so that a report which finds a charge of this meter's in a stock reads this meter.
        let successor = Arc::clone(self) as Arc<dyn LeasedAccount>;
        self.first()
            .till
            .desk
            .succeed(self.first().till.account, successor);
        self.meter.take_over(&old.meter, at);
    }
}

impl<M: Lasting> Meter for Leased<M> {
    type Receipt = M::Receipt;

    /// Of the limit alone: whether there is stock shows when it is charged.
    #[inline]
    fn look(&self, at: Moment, cost: Cost, ceiling: u64) -> Result<(), Refused> {
        self.meter.look(at, cost, ceiling)
    }

    #[inline]
    fn charge(&self, at: Moment, cost: Cost, ceiling: u64) -> Result<Charged<M::Receipt>, Refused> {
        let Self { till, holder, .. } = self.first();
        let most = holder.most();
        let charged = if most < ceiling {
            self.charge_within(at, cost, ceiling, most)?
        } else {
            self.meter.charge(at, cost, ceiling)?
        };
        // After the meter: the module's page says why.
        let (period, after) = (M::period(&charged.receipt), self.meter.units(charged.after));
        match holder.spend(period, cost.get(), after) {
            Ok(spent) => {
                if let Some(asked) = spent.ask {
                    till.desk.ask(till.account, asked);
                }
                Ok(charged)
            }
            Err(why) => {
                // Of a meter that was frozen in between it stays charged, and counts for as long as it would have.
                self.meter.refund(at, &charged.receipt, cost.get());
                Err(self.not_spent(why, cost))
            }
        }
    }

    fn charge_anyway(
        &self,
        at: Moment,
        extra: Cost,
        ceiling: u64,
    ) -> Result<Charged<M::Receipt>, Refused> {
        let charged = self.meter.charge_anyway(at, extra, ceiling)?;
        let is_on_record = self.pay(&charged, extra, self.max());
        self.first().ask(if is_on_record {
            Asked::Soon
        } else {
            Asked::Now
        });
        Ok(charged)
    }

    fn refund(&self, at: Moment, receipt: &M::Receipt, surplus: u64) -> u64 {
        let refunded = self.meter.refund(at, receipt, surplus);
        if refunded > 0 {
            let first = self.first();
            first.holder.after_a_refund();
            first.ask(Asked::Soon);
        }
        refunded
    }

    fn units(&self, committed: u128) -> u64 {
        self.meter.units(committed)
    }

    fn used(&self, at: Moment) -> u64 {
        self.meter.used(at)
    }

    fn close_at_rest(&self, at: Moment) -> bool {
        let is_closed = self.meter.close_at_rest(at);
        if is_closed {
            // Release: pairs with the Acquire in `is_evicted`.
            self.first().is_evicted.store(true, Release);
            self.first().ask(Asked::Soon);
        }
        is_closed
    }

    fn reset(&self, at: Moment) {
        self.meter.reset(at);
        let first = self.first();
        first.holder.after_a_refund();
        first.ask(Asked::Now);
    }
}

impl<M: Lasting + 'static> LeasedAccount for Leased<M> {
    fn holder(&self) -> &Holder {
        &self.first().holder
    }

    fn generation(&self) -> u64 {
        self.generation
    }

    fn standing(&self, at: Moment) -> Option<(u64, Standing)> {
        self.meter.standing(at, self.frame, self.max())
    }

    fn max_in(&self, period: u64) -> u64 {
        self.meter.max_in(period, self.max())
    }

    fn restore(&self, standing: &Standing, lent: u64, at: Moment) -> bool {
        let standing = match M::UNITS {
            Units::Stay => *standing,
            // A max that was raised since the record was made let all pass that was lent.
            Units::Drain => Standing {
                max: standing.max.max(self.max()),
                ..*standing
            },
        };
        self.meter.restore(&standing, lent, at, self.frame)
    }

    fn begin_with(&self, committed: u64, at: Moment) -> bool {
        lasting::charge(&self.meter, at, committed)
    }

    fn place_ahead(&self, ahead: &Ahead, at: Moment) -> Option<Placed> {
        self.meter.place_ahead(ahead, at, self.frame, self.max())
    }

    fn ended(&self, period: u64) -> Option<u64> {
        self.meter.ended(period)
    }

    fn next(&self, period: u64, at: Moment) -> Option<NextPeriod> {
        self.meter.next(period, at, self.frame)
    }

    fn has_ended(&self, stamp: i64, at: Moment) -> bool {
        self.meter.has_ended(stamp, at, self.frame)
    }

    fn refused(&self) -> u64 {
        // Relaxed: as in `count_refused`.
        self.first().till.refused.load(Relaxed)
    }

    fn is_evicted(&self) -> bool {
        // Acquire: pairs with the Release in `close_at_rest`; all that was charged is seen to have been given back.
        self.first().is_evicted.load(Acquire)
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;
    use crate::{
        CalendarMeter, Depth, Lifetime, RateMeter, RefundRule, Scale, TallyReceipt, lease::Lend,
    };
    use std::{mem::offset_of, sync::Mutex};
    use tollgate_core::{Limit, Nanos, Wall};

    #[derive(Debug)]
    struct NoDesk;

    impl Desk for NoDesk {
        fn ask(&self, _: u64, _: Asked) {}
        fn succeed(&self, _: u64, _: Arc<dyn LeasedAccount>) {}
    }

    const AT: Moment = Moment::new(Nanos::ZERO, Wall(0));

    /// Hears who asks, and how.
    #[derive(Debug, Default)]
    struct Heard(Mutex<Vec<Asked>>);

    impl Heard {
        fn take(&self) -> Vec<Asked> {
            std::mem::take(&mut self.0.lock().unwrap())
        }
    }

    impl Desk for Heard {
        fn ask(&self, _: u64, asked: Asked) {
            self.0.lock().unwrap().push(asked);
        }
        fn succeed(&self, _: u64, _: Arc<dyn LeasedAccount>) {}
    }

    fn lend(units: u64) -> Lend {
        Lend {
            period: 0,
            committed: 0,
            max: 10,
            left: 0,
            more: units,
            low: 0,
        }
    }

    fn cost(units: u64) -> Cost {
        Cost::new(units).unwrap()
    }

    /// A budget of 10 with 6 lent, of which 1 is spent and was asked for.
    fn asked() -> (Leased<Lifetime>, Arc<Heard>, TallyReceipt) {
        let heard = Arc::new(Heard::default());
        let account = Leased::new(Lifetime::new(), 10, 0, 0, Arc::clone(&heard) as _);
        account.holder().lend(&lend(6));
        let charged = account.charge(AT, Cost::ONE, 10).unwrap();
        assert_eq!(heard.take(), [Asked::Soon]);
        (account, heard, charged.receipt)
    }

    #[test]
    fn debt_that_is_not_lent_asks_at_once() {
        let (account, heard, _) = asked();
        account.charge_anyway(AT, cost(5), 10).unwrap();
        assert_eq!(heard.take(), [], "it was lent, and that was asked for");
        account.charge_anyway(AT, Cost::ONE, 10).unwrap();
        assert_eq!(heard.take(), [Asked::Now]);
    }

    #[test]
    fn who_asks_for_what_is_left_asks_nobody() {
        let (account, heard, _) = asked();
        account.ask_for(cost(5), AT);
        assert_eq!((heard.take(), account.holder().take_wanted()), (vec![], 0));
        account.ask_for(cost(6), AT);
        assert_eq!(
            (heard.take(), account.holder().take_wanted()),
            (vec![Asked::Now], 6)
        );
    }

    #[test]
    fn refund_asks_if_something_came_back() {
        let (account, heard, receipt) = asked();
        account.holder().begin(0, 1, 10, 6).unwrap();
        assert_eq!(account.refund(AT, &receipt, 0), 0);
        assert_eq!(heard.take(), []);
        assert_eq!(account.refund(AT, &receipt, 1), 1);
        assert_eq!(heard.take(), [Asked::Soon]);
    }

    #[test]
    fn charge_below_the_level_tells_its_own_ceiling() {
        let (account, ..) = asked();
        let charged = account.charge(AT, Cost::ONE, 9).unwrap();
        assert_eq!(charged.full, 9);
        account.charge_anyway(AT, cost(8), 10).unwrap();
        let full = account.look(AT, Cost::ONE, 10);
        assert!(matches!(full, Err(Refused::Denied(_))), "{full:?}");
    }

    #[test]
    fn account_begins_with_nothing_once_its_meter_is_closed() {
        let account = Leased::new(Lifetime::new(), 10, 0, 0, Arc::new(NoDesk));
        assert!(account.begin_with(0, AT) && account.close_at_rest(AT));
        assert!(!account.begin_with(0, AT) && !account.begin_with(1, AT));
    }

    #[test]
    fn rate_tells_units_and_hands_on_its_backlog() {
        let limit = Limit::per_hour(100);
        let rate = RateMeter::new(&limit, Depth::Short, RefundRule::Exact).unwrap();
        let account = Arc::new(Leased::new(rate, 100, 0, 0, Arc::new(NoDesk)));
        assert!(account.begin_with(3, AT));
        let committed = account.meter().look(AT, cost(98), 100);
        assert!(matches!(committed, Err(Refused::Denied(_))));
        let charged = account.meter().charge(AT, Cost::ONE, 100).unwrap();
        assert_eq!(account.units(charged.after), 4);
        let next = RateMeter::pending(
            Scale::new(&Limit::per_hour(50)).unwrap(),
            Depth::Short,
            RefundRule::Exact,
        );
        let next = Arc::new(account.successor(next));
        next.take_over(&account, AT);
        assert_eq!(next.used(AT), 4);
    }

    /// A reset is no gift: what is lent stays what is on record.
    #[test]
    fn reset_leaves_the_level() {
        let at = Moment::new(Nanos::ZERO, Wall(0));
        let account = Leased::new(Lifetime::new(), 10, 0, 0, Arc::new(NoDesk));
        let charge = |units| {
            let charged = account.charge(at, Cost::new(units).unwrap(), 10);
            charged.map(|charged| charged.receipt)
        };
        assert_eq!(charge(1), Err(Refused::Dry));
        account.holder().lend(&Lend {
            period: 0,
            committed: 0,
            max: 10,
            left: 0,
            more: 6,
            low: 0,
        });
        let (before, stays) = (charge(4).unwrap(), charge(2).unwrap());
        assert_eq!(account.refund(at, &stays, 1), 1);
        account.reset(at);
        assert_eq!(account.refund(at, &before, 4), 0);
        assert_eq!(charge(7), Err(Refused::Dry));
        assert!(charge(6).is_ok());
        assert_eq!(account.used(at), 6);
        assert!(
            matches!(charge(5), Err(Refused::Denied(_))),
            "the limit is asked before what is lent"
        );
    }

    /// A stock goes on over a change of the max, and the record knows the old one.
    #[test]
    fn stock_that_was_lent_under_a_lower_max_counts_when_it_is_restored() {
        let limit = Limit::per_hour(100);
        let rate = RateMeter::new(&limit, Depth::Short, RefundRule::Exact).unwrap();
        let account = Leased::new(rate, 100, 0, 0, Arc::new(NoDesk));
        let standing = Standing {
            stamp: 0,
            committed: 8,
            max: 10,
        };
        let at = Moment::new(Nanos::ZERO, Wall(0));
        assert!(account.restore(&standing, 4, at));
        assert_eq!(account.used(at), 12);
    }

    #[test]
    fn what_is_read_and_what_is_changed_are_lines_of_their_own() {
        type Account = Leased<CalendarMeter>;
        const LINE: usize = 64;
        let read = offset_of!(Account, holder) + Holder::READ_AT;
        let meter = offset_of!(Account, meter);
        assert_eq!(
            (read, offset_of!(Account, first) + 8, meter),
            (LINE, 2 * LINE, 2 * LINE)
        );
    }
}
