//! Leased meters: charge, refund, debt, rollover and eviction beside the report of an authority.
//!
//! What every model asks at its end: the record covers all that was admitted, *and* all that the stock still allows. Whoever
//! is killed then, or at any later point without another report, has admitted no more than the record says.

use crate::{bounded, exhaustive};
use std::sync::{Arc as Shared, Mutex};
use tollgate_core::{Cost, Meter, Moment, Nanos, Refused, Standing, Wall};
use tollgate_quota::{
    Calendar, CalendarMeter, Lifetime, TallyReceipt,
    calendar::CalendarPeriod,
    lease::{Asked, Desk, Holder, Leased, LeasedAccount},
};
use tollgate_sync::{Arc, thread};

const AT: Moment = Moment::new(Nanos::ZERO, Wall(0));
const CEILING: u64 = 9;

pub(super) fn cost(units: u64) -> Cost {
    Cost::new(units).unwrap()
}

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

/// One report, as the module's page has it.
fn report(account: &dyn LeasedAccount, at: Moment, most: u64, record: &Mutex<Record>) {
    let holder = account.holder();
    let Some(begun) = holder.begin(most) else {
        return;
    };
    let standing = account.standing(at);
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
    *record.lock().unwrap() = Record {
        standing,
        out: unspent + more,
    };
    holder.lend(now, more);
}

fn leased() -> Arc<Leased<Lifetime>> {
    Arc::new(Leased::new(
        Lifetime::new(),
        CEILING,
        0,
        0,
        Shared::new(NoDesk),
    ))
}

/// A leased budget with a stock of `stock`, and its record.
fn lent(stock: u64) -> (Arc<Leased<Lifetime>>, Shared<Mutex<Record>>) {
    let (account, record) = (leased(), Shared::default());
    report(&*account, AT, stock, &record);
    (account, record)
}

fn assert_covered(account: &Leased<Lifetime>, record: &Mutex<Record>) {
    let (_, stock) = account.holder().stock().unwrap();
    let (spendable, spent) = (account.used(AT) + stock, record.lock().unwrap().spent());
    assert!(
        spendable <= spent,
        "{spendable} may be spent, {spent} on record"
    );
}

/// Property: a report beside charges leaves none out.
/// Shape: one charges 2 and 1 of a stock of 3, one reports and lends up to 3. Exhaustive, milliseconds.
#[test]
fn report_beside_charges_covers_them() {
    exhaustive(|| {
        let (account, record) = lent(3);
        let charger = {
            let account = Arc::clone(&account);
            thread::spawn(move || {
                for units in [2, 1] {
                    assert!(account.charge(AT, cost(units), CEILING).is_ok());
                }
            })
        };
        report(&*account, AT, 3, &record);
        charger.join().unwrap();
        assert_eq!(account.used(AT), 3);
        assert_covered(&account, &record);
    });
}

/// Property: what comes back while a report is made is not spent twice.
/// Shape: one refunds 2 of a charge of before, then charges 2; one reports. Exhaustive, under a second.
#[test]
fn report_beside_a_refund_covers_what_comes_back() {
    exhaustive(|| {
        let (account, record) = lent(3);
        let receipt = account.charge(AT, cost(3), CEILING).unwrap().receipt;
        let caller = {
            let account = Arc::clone(&account);
            thread::spawn(move || {
                assert_eq!(account.refund(AT, &receipt, 2), 2);
                let _ = account.charge(AT, cost(2), CEILING);
            })
        };
        report(&*account, AT, 1, &record);
        caller.join().unwrap();
        assert_covered(&account, &record);
    });
}

/// Property: the same of three at once.
/// Shape: one charges 2, one refunds 2 and charges 1, one reports. Two preemptions, seconds.
#[test]
fn report_beside_a_charge_and_a_refund_covers_both() {
    bounded(2, || {
        let (account, record) = lent(4);
        let receipt = account.charge(AT, cost(2), CEILING).unwrap().receipt;
        let charger = {
            let account = Arc::clone(&account);
            thread::spawn(move || {
                let _ = account.charge(AT, cost(2), CEILING);
            })
        };
        let caller = {
            let account = Arc::clone(&account);
            thread::spawn(move || {
                account.refund(AT, &receipt, 2);
                let _ = account.charge(AT, Cost::ONE, CEILING);
            })
        };
        report(&*account, AT, 2, &record);
        charger.join().unwrap();
        caller.join().unwrap();
        assert_covered(&account, &record);
    });
}

/// Property: two callers after the last units of the stock take them once, and a dry one leaves nothing behind.
/// Shape: two callers of cost 2, stock 3. Exhaustive, milliseconds.
#[test]
fn stock_is_taken_once_and_dry_charges_are_backed_out() {
    exhaustive(|| {
        let (account, _) = lent(3);
        let charge = |account: &Leased<Lifetime>| match account.charge(AT, cost(2), CEILING) {
            Ok(_) => 2,
            Err(refused) => {
                assert_eq!(refused, Refused::Dry);
                0
            }
        };
        let other = {
            let account = Arc::clone(&account);
            thread::spawn(move || charge(&account))
        };
        let own = charge(&account);
        assert_eq!(own + other.join().unwrap(), 2);
        assert_eq!(account.used(AT), 2);
        assert_eq!(account.holder().stock(), Some((0, 1)));
    });
}

/// Property: debt beside a report is in the record, or leaves the stock that is.
/// Shape: one charges 2 beyond its estimate with a stock of 3, one reports. Exhaustive, milliseconds.
#[test]
fn debt_within_the_stock_is_covered() {
    exhaustive(|| {
        let (account, record) = lent(3);
        let debtor = {
            let account = Arc::clone(&account);
            thread::spawn(move || {
                let _ = account.charge_anyway(AT, cost(2), CEILING);
            })
        };
        report(&*account, AT, 3, &record);
        debtor.join().unwrap();
        assert_covered(&account, &record);
    });
}

/// Property: an account that was evicted beside a report commits nothing any more.
/// Shape: one closes at rest, one charges, one reports. Three preemptions, a second.
#[test]
fn eviction_beside_a_report_loses_no_charge() {
    bounded(3, || {
        let (account, record) = lent(2);
        let charger = {
            let account = Arc::clone(&account);
            thread::spawn(move || account.charge(AT, cost(2), CEILING).is_ok())
        };
        let evictor = {
            let account = Arc::clone(&account);
            thread::spawn(move || account.close_at_rest(AT))
        };
        report(&*account, AT, 2, &record);
        let (admitted, is_closed) = (charger.join().unwrap(), evictor.join().unwrap());
        assert!(!(admitted && is_closed));
        assert_eq!(account.is_evicted(), is_closed);
        if !is_closed {
            assert_covered(&account, &record);
        }
    });
}

/// Property: stock of a period pays for no charge of another, and the record is of the latest in which one was admitted.
/// Shape: one charges a day at midnight and one before it, one reports at midnight. Two preemptions, a second.
#[test]
fn rollover_beside_a_report_admits_nothing_off_the_record() {
    const DAY: Moment = Moment::new(Nanos::ZERO, Wall(86_400_000_000_000));
    bounded(2, || {
        let days = Arc::new(Calendar::new(CalendarPeriod::Day, "UTC").unwrap());
        let meter = CalendarMeter::new(days, CEILING);
        let account = Arc::new(Leased::new(meter, CEILING, 0, 0, Shared::new(NoDesk)));
        let record = Mutex::default();
        report(&*account, AT, 2, &record);
        let caller = {
            let account = Arc::clone(&account);
            thread::spawn(move || {
                let charged = |at| account.charge(at, cost(2), CEILING).is_ok();
                [charged(AT), charged(DAY)]
            })
        };
        report(&*account, DAY, 2, &record);
        let [_, admitted] = caller.join().unwrap();
        let record = record.into_inner().unwrap();
        assert_eq!(record.standing.stamp, DAY.wall.0);
        let (_, stock) = account.holder().stock().unwrap();
        assert!(account.used(DAY) + stock <= record.spent());
        assert!(!admitted || account.used(DAY) == 2);
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
        let caller = {
            let parts = Arc::clone(&parts);
            thread::spawn(move || {
                parts.refund(&receipt, 2);
                parts.charge(2);
            })
        };
        let charger = {
            let parts = Arc::clone(&parts);
            thread::spawn(move || {
                let _ = parts.charge(2);
            })
        };
        let spent = parts.report(2);
        caller.join().unwrap();
        charger.join().unwrap();
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
