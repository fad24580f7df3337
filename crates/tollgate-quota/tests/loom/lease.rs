//! Leased meters: charge, refund, debt, rollover and eviction beside the report of an authority.
//!
//! What every model asks at its end: the record covers all that was admitted, *and* all that the stock still allows. Whoever
//! is killed then, or at any later point without another report, has admitted no more than the record says.

use crate::{
    bounded, exhaustive,
    scenarios::{beside, both_ways, cost, end, go},
};
use std::sync::{Arc as Shared, Mutex};
use tollgate_core::{Meter, Moment, Nanos, Refused, Standing, Wall};
use tollgate_quota::{
    Calendar, CalendarMeter, Lifetime, TallyReceipt,
    calendar::CalendarPeriod,
    lease::{Asked, Desk, Holder, Lasting, Leased, LeasedAccount},
};
use tollgate_sync::Arc;

const AT: Moment = Moment::new(Nanos::ZERO, Wall(0));
const CEILING: u64 = 9;

/// Nobody comes by by himself: the models say when.
#[derive(Debug)]
pub(super) struct NoDesk;

impl Desk for NoDesk {
    fn ask(&self, _: u64, _: Asked) {}
    fn succeed(&self, _: u64, _: Shared<dyn LeasedAccount>) {}
}

/// A record on a disk that is always there: what a restart would find.
#[derive(Debug, Default)]
struct Record {
    standing: Standing,
    out: u64,
}

impl Record {
    fn spent(&self) -> u64 {
        self.standing.committed + self.out
    }
}

/// An account and its record.
struct World<M> {
    account: Leased<M>,
    record: Mutex<Record>,
}

impl<M: Lasting + 'static> World<M> {
    /// With a stock of `stock`.
    fn lent(meter: M, stock: u64) -> Arc<Self> {
        let world = Self {
            account: Leased::new(meter, CEILING, 0, 0, Shared::new(NoDesk)),
            record: Mutex::default(),
        };
        world.report(AT, stock);
        Arc::new(world)
    }

    fn charge(&self, at: Moment, units: u64) -> Result<M::Receipt, Refused> {
        let charged = self.account.charge(at, cost(units), CEILING);
        charged.map(|charged| charged.receipt)
    }

    /// One report, as the module's page has it.
    fn report(&self, at: Moment, most: u64) {
        let holder = self.account.holder();
        let Some(begun) = holder.begin(most) else {
            return;
        };
        let standing = self.account.standing(at);
        holder.end();
        let Some((now, standing)) = standing else {
            return;
        };
        let unspent = match begun.ahead {
            _ if begun.period == now => begun.stock,
            Some((period, units)) if period == now => units,
            _ => 0,
        };
        let more = most - unspent;
        *self.record.lock().unwrap() = Record {
            standing,
            out: unspent + more,
        };
        holder.lend(now, more);
    }

    fn assert_covered(&self, at: Moment) {
        let (_, stock) = self.account.holder().stock().unwrap();
        let spendable = self.account.used(at) + stock;
        let spent = self.record.lock().unwrap().spent();
        assert!(
            spendable <= spent,
            "{spendable} may be spent, {spent} on record"
        );
    }
}

/// A leased budget with a stock of `stock`.
fn lent(stock: u64) -> Arc<World<Lifetime>> {
    World::lent(Lifetime::new(), stock)
}

/// Property: a report beside charges leaves none out.
/// Shape: one charges 2 and 1 of a stock of 3, one reports and lends up to 3. Exhaustive, seconds.
#[test]
fn report_beside_charges_covers_them() {
    both_ways(|| {
        exhaustive(|| {
            let world = lent(3);
            let charge = |world: &World<_>| {
                for units in [2, 1] {
                    assert!(world.charge(AT, units).is_ok());
                }
            };
            beside(&world, charge, |world| world.report(AT, 3));
            assert_eq!(world.account.used(AT), 3);
            world.assert_covered(AT);
        });
    });
}

/// Property: what comes back while a report is made is not spent twice.
/// Shape: one refunds 2 of a charge of before, then charges 2; one reports. Exhaustive, seconds.
#[test]
fn report_beside_a_refund_covers_what_comes_back() {
    both_ways(|| {
        exhaustive(|| {
            let world = lent(3);
            let receipt = world.charge(AT, 3).unwrap();
            let call = move |world: &World<_>| {
                assert_eq!(world.account.refund(AT, &receipt, 2), 2);
                let _ = world.charge(AT, 2);
            };
            beside(&world, call, |world| world.report(AT, 1));
            world.assert_covered(AT);
        });
    });
}

/// Property: the same of three at once.
/// Shape: one charges 2, one refunds 2 and charges 1, one reports. Three preemptions, 20 s.
#[test]
fn report_beside_a_charge_and_a_refund_covers_both() {
    bounded(3, || {
        let world = lent(4);
        let receipt = world.charge(AT, 2).unwrap();
        let charger = go(&world, |world| world.charge(AT, 2).is_ok());
        let caller = go(&world, move |world| {
            world.account.refund(AT, &receipt, 2);
            let _ = world.charge(AT, 1);
        });
        world.report(AT, 2);
        end(charger);
        end(caller);
        world.assert_covered(AT);
    });
}

/// Property: two callers after the last units of the stock take them once, and a dry one leaves nothing behind.
/// Shape: two callers of cost 2, stock 3. Exhaustive, milliseconds.
#[test]
fn stock_is_taken_once_and_dry_charges_are_backed_out() {
    exhaustive(|| {
        let world = lent(3);
        let charge = |world: &World<_>| match world.charge(AT, 2) {
            Ok(_) => 2,
            Err(refused) => {
                assert_eq!(refused, Refused::Dry);
                0
            }
        };
        let other = go(&world, charge);
        let own = charge(&world);
        assert_eq!(own + end(other), 2);
        assert_eq!(world.account.used(AT), 2);
        assert_eq!(world.account.holder().stock(), Some((0, 1)));
    });
}

/// Property: debt beside a report is in the record, or leaves the stock that is.
/// Shape: one charges 2 beyond its estimate with a stock of 3, one reports. Exhaustive, milliseconds.
#[test]
fn debt_within_the_stock_is_covered() {
    both_ways(|| {
        exhaustive(|| {
            let world = lent(3);
            let owe = |world: &World<_>| world.account.charge_anyway(AT, cost(2), CEILING).is_ok();
            beside(&world, owe, |world| world.report(AT, 3));
            world.assert_covered(AT);
        });
    });
}

/// Property: an account that was evicted beside a report commits nothing any more.
/// Shape: one closes at rest, one charges, one reports. Three preemptions, a second.
#[test]
fn eviction_beside_a_report_loses_no_charge() {
    bounded(3, || {
        let world = lent(2);
        let charger = go(&world, |world| world.charge(AT, 2).is_ok());
        let evictor = go(&world, |world| world.account.close_at_rest(AT));
        world.report(AT, 2);
        let (admitted, is_closed) = (end(charger), end(evictor));
        assert!(!(admitted && is_closed));
        assert_eq!(world.account.is_evicted(), is_closed);
        if !is_closed {
            world.assert_covered(AT);
        }
    });
}

/// Property: stock of a period pays for no charge of another, and the record is of the latest in which one was admitted.
/// Shape: one charges a day at midnight and one before it, one reports at midnight. Three preemptions, seconds.
#[test]
fn rollover_beside_a_report_admits_nothing_off_the_record() {
    const DAY: Moment = Moment::new(Nanos::ZERO, Wall(86_400_000_000_000));
    both_ways(|| {
        bounded(3, || {
            let days = Arc::new(Calendar::new(CalendarPeriod::Day, "UTC").unwrap());
            let world = World::lent(CalendarMeter::new(days, CEILING), 2);
            let ([_, admitted], ()) = beside(
                &world,
                |world| [AT, DAY].map(|at| world.charge(at, 2).is_ok()),
                |world| world.report(DAY, 2),
            );
            assert_eq!(world.record.lock().unwrap().standing.stamp, DAY.wall.0);
            world.assert_covered(DAY);
            assert!(!admitted || world.account.used(DAY) == 2);
        });
    });
}

/// Property: a charge that is on no record is asked for, whoever asked before the report.
/// Shape: one charges, one reports; somebody asked before. Exhaustive, seconds.
#[test]
fn charge_beside_a_report_is_on_record_or_asked_for() {
    both_ways(|| {
        exhaustive(|| {
            let world = lent(3);
            assert!(world.charge(AT, 1).is_ok());
            let charge = |world: &World<_>| assert!(world.charge(AT, 1).is_ok());
            beside(&world, charge, |world| world.report(AT, 2));
            let on_record = world.record.lock().unwrap().standing.committed;
            let is_asked = !world.account.holder().raise(Asked::Soon);
            assert!(on_record == 2 || is_asked, "{on_record} of 2 on record");
            world.assert_covered(AT);
        });
    });
}

/// Property: who is revoked has all on record that he has taken, and takes nothing after.
/// Shape: one refunds 2 of a charge of before, then charges 2; one revokes and records what is used. Exhaustive, seconds.
#[test]
fn revocation_beside_a_refund_and_a_charge_covers_both() {
    both_ways(|| {
        exhaustive(|| {
            let world = lent(3);
            let receipt = world.charge(AT, 3).unwrap();
            let call = move |world: &World<_>| {
                world.account.refund(AT, &receipt, 2);
                let _ = world.charge(AT, 2);
            };
            let revoke = |world: &World<Lifetime>| {
                let revoked = world.account.holder().revoke();
                let left = revoked.expect("nobody else does").stock;
                (left, world.account.used(AT))
            };
            let ((), (left, spent)) = beside(&world, call, revoke);
            let used = world.account.used(AT);
            assert!(used <= spent, "{used} used, {spent} on record");
            assert!(used + left <= 3, "{used} used, {left} left of 3");
            assert_eq!(world.charge(AT, 1).err(), Some(Refused::Dry));
        });
    });
}

/// Property: whoever finds an account evicted finds its meter closed.
/// Shape: one evicts it, one asks. Exhaustive, a millisecond.
#[test]
fn evicted_account_is_closed() {
    both_ways(|| {
        exhaustive(|| {
            let world = lent(2);
            beside(
                &world,
                |world| assert!(world.account.close_at_rest(AT)),
                |world| {
                    if world.account.is_evicted() {
                        let answer = world.account.look(AT, cost(1), CEILING);
                        assert_eq!(answer, Err(Refused::Closed));
                    }
                },
            );
        });
    });
}

/// Property: every request that was refused is counted.
/// Shape: two callers. Exhaustive, a millisecond.
#[test]
fn refused_requests_all_count() {
    exhaustive(|| {
        let world = lent(1);
        let count = |world: &World<_>| world.account.count_refused();
        beside(&world, count, count);
        assert_eq!(world.account.refused(), 2);
    });
}

/// A holder with a stock of 3 in period 1.
fn holder() -> Arc<Holder> {
    let holder = Holder::new();
    holder.lend(1, 3);
    Arc::new(holder)
}

/// Property: a take of one period, however late, spends nothing of a later one.
/// Shape: one takes of period 1, one lends of periods 2 and 3. Exhaustive, a millisecond.
#[test]
fn late_take_spends_nothing_of_a_later_period() {
    both_ways(|| {
        exhaustive(|| {
            let holder = holder();
            beside(
                &holder,
                |holder| holder.take(1, 1).is_ok(),
                |holder| (2..=3).for_each(|period| holder.lend(period, 3)),
            );
            assert_eq!(holder.stock(), Some((3, 3)));
        });
    });
}

/// Property: the stock is told with its own period.
/// Shape: one lends of period 2, one asks. Exhaustive, a millisecond.
#[test]
fn stock_is_told_with_its_period() {
    both_ways(|| {
        exhaustive(|| {
            let holder = holder();
            let ((), told) = beside(&holder, |holder| holder.lend(2, 5), Holder::stock);
            assert!([Some((1, 3)), Some((2, 5))].contains(&told), "{told:?}");
        });
    });
}

/// Property: the largest cost that was not there is told, once.
/// Shape: one wants 5 and then 3, one wants 4, one asks. Three preemptions, a millisecond.
#[test]
fn largest_that_was_wanted_is_told_once() {
    bounded(3, || {
        let holder = holder();
        let other = go(&holder, |holder| holder.want(4));
        let asker = go(&holder, Holder::take_wanted);
        holder.want(5);
        holder.want(3);
        end(other);
        let (told, then) = (end(asker), holder.take_wanted());
        assert_eq!(told.max(then), 5, "{told}, then {then}");
        assert!(told < 5 || then < 5);
        assert_eq!(holder.take_wanted(), 0);
    });
}

/// Property: however many ask, one asks at once, and nobody takes that back.
/// Shape: two ask at once and one when it suits. Three preemptions, a millisecond.
#[test]
fn authority_is_asked_at_once_by_one() {
    bounded(3, || {
        let holder = holder();
        let other = go(&holder, |holder| holder.raise(Asked::Now));
        let calm = go(&holder, |holder| holder.raise(Asked::Soon));
        let own = holder.raise(Asked::Now);
        assert_ne!(own, end(other));
        end(calm);
        assert!(!holder.raise(Asked::Now));
    });
}

/// The same steps on the two words themselves, with one of them done wrongly.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Plan {
    /// As it should be.
    Right,
    /// The report reads the meter before the stock.
    MeterRead,
    /// A charge takes the stock before it charges the meter.
    StockTaken,
    /// A refund gives back to the meter before the stock.
    MeterRefunded,
    /// The mark is taken off before the meter is read.
    MarkOff,
    /// What is lent is spent before it is on record.
    LentEarly,
}

struct Parts {
    meter: Lifetime,
    holder: Holder,
    plan: Plan,
}

impl Parts {
    fn charge(&self, units: u64) -> Option<TallyReceipt> {
        if self.plan == Plan::StockTaken {
            self.holder.take(0, units).ok()?;
            return Some(self.meter.charge(AT, cost(units), CEILING).ok()?.receipt);
        }
        let receipt = self.meter.charge(AT, cost(units), CEILING).ok()?.receipt;
        if self.holder.take(0, units).is_err() {
            self.meter.refund(AT, &receipt, units);
            return None;
        }
        Some(receipt)
    }

    fn refund(&self, receipt: &TallyReceipt, units: u64) {
        if self.plan == Plan::MeterRefunded {
            self.meter.refund(AT, receipt, units);
            self.holder.put(0, units);
        } else {
            self.holder.put(0, units);
            self.meter.refund(AT, receipt, units);
        }
    }

    /// Reports, and returns what is on record then.
    fn report(&self, most: u64) -> u64 {
        if self.plan == Plan::MeterRead {
            let used = self.meter.used(AT);
            let unspent = self.holder.begin(most).unwrap().stock;
            self.holder.end();
            self.holder.lend(0, most - unspent);
            return used + most;
        }
        let unspent = self.holder.begin(most).unwrap().stock;
        if self.plan == Plan::MarkOff {
            self.holder.end();
        }
        if self.plan == Plan::LentEarly {
            // The record that is not yet written says less.
            self.holder.lend(0, most - unspent);
            self.holder.end();
            return self.meter.used(AT) + unspent;
        }
        let used = self.meter.used(AT);
        self.holder.end();
        self.holder.lend(0, most - unspent);
        used + most
    }
}

/// One refunds and charges, one charges, one reports.
fn parts(preemptions: usize, plan: Plan) {
    bounded(preemptions, move || {
        let parts = Arc::new(Parts {
            meter: Lifetime::new(),
            holder: Holder::new(),
            plan,
        });
        parts.holder.lend(0, 4);
        let receipt = parts.charge(2).unwrap();
        let caller = go(&parts, move |parts| {
            parts.refund(&receipt, 2);
            parts.charge(2);
        });
        let charger = go(&parts, |parts| parts.charge(2).is_some());
        let spent = parts.report(2);
        end(caller);
        end(charger);
        let (_, stock) = parts.holder.stock().unwrap();
        assert!(parts.meter.used(AT) + stock <= spent, "not on record");
    });
}

/// Property: the steps are right on the bare words too.
/// Shape: as the planted ones. Three preemptions, 15 s; what is planted is found with two, but for the mark.
#[test]
fn steps_in_order_are_covered() {
    parts(3, Plan::Right);
}

#[test]
#[should_panic = "not on record"]
fn planted_meter_read_first_is_found() {
    parts(2, Plan::MeterRead);
}

#[test]
#[should_panic = "not on record"]
fn planted_stock_taken_first_is_found() {
    parts(2, Plan::StockTaken);
}

#[test]
#[should_panic = "not on record"]
fn planted_meter_refunded_first_is_found() {
    parts(2, Plan::MeterRefunded);
}

#[test]
#[should_panic = "not on record"]
fn planted_mark_taken_off_early_is_found() {
    parts(3, Plan::MarkOff);
}

#[test]
#[should_panic = "not on record"]
fn planted_lending_before_the_record_is_found() {
    parts(2, Plan::LentEarly);
}
