//! Leased meters: charge, refund, debt, rollover and eviction beside the report of an authority.
//!
//! What every model asks at its end: the record covers all that was admitted, *and* all that is still left to spend. Whoever
//! is killed then, or at any later point without another report, has admitted no more than the record says.

use crate::{
    bounded, exhaustive,
    scenarios::{beside, both_ways, cost, end, go},
};
use std::{
    sync::{Arc as Shared, Mutex},
    time::Duration,
};
use tollgate_core::{Limit, Meter, Moment, Nanos, Refused, Standing, Wall};
use tollgate_quota::{
    Calendar, CalendarMeter, Depth, Lifetime, RateMeter, RefundRule,
    calendar::CalendarPeriod,
    lease::{Asked, Desk, Holder, Lasting, Leased, LeasedAccount, Lend, NotSpent, Units},
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
    /// With `units` lent.
    fn lent(meter: M, units: u64) -> Arc<Self> {
        let world = Self {
            account: Leased::new(meter, CEILING, 0, 0, Shared::new(NoDesk)),
            record: Mutex::default(),
        };
        world.report(AT, units);
        Arc::new(world)
    }

    fn charge(&self, at: Moment, units: u64) -> Result<M::Receipt, Refused> {
        let charged = self.account.charge(at, cost(units), CEILING);
        charged.map(|charged| charged.receipt)
    }

    /// One report, as the module's page has it.
    fn report(&self, at: Moment, most: u64) {
        let holder = self.account.holder();
        let Some((then, before)) = self.account.standing(at) else {
            return;
        };
        let begun = holder
            .begin(then, before.committed, before.max, most)
            .unwrap();
        let Some((period, standing)) = self.account.standing(at) else {
            return;
        };
        let lend = begun.lend(period, &standing, most);
        *self.record.lock().unwrap() = Record {
            standing,
            out: lend.left + lend.more,
        };
        holder.lend(&lend);
    }

    fn assert_covered(&self, at: Moment) {
        let (period, standing) = self.account.standing(at).unwrap();
        let used = standing.committed;
        let spendable = used + self.account.holder().left(period, used);
        let spent = self.record.lock().unwrap().spent();
        assert!(
            spendable <= spent,
            "{spendable} may be spent, {spent} on record"
        );
    }
}

/// A leased budget with so many units lent. They stay until they are given back.
fn lent(units: u64) -> Arc<World<Lifetime>> {
    World::lent(Lifetime::new(), units)
}

/// A leased rate with so many units lent. They drain, though not while a model runs.
fn lent_of_a_rate(units: u64) -> Arc<World<RateMeter>> {
    let limit = Limit::new(1, Duration::from_nanos(1)).unwrap();
    let limit = limit.with_capacity(CEILING);
    World::lent(
        RateMeter::new(&limit, Depth::Short, RefundRule::Exact).unwrap(),
        units,
    )
}

/// One charges `costs` of 3, one reports and lends up to `most`.
fn report_beside_charges<M: Lasting + 'static>(
    world: &Arc<World<M>>,
    costs: &'static [u64],
    most: u64,
) {
    let charge = |world: &World<_>| -> u64 {
        let admitted = |units: &u64| world.charge(AT, *units).map_or(0, |_| *units);
        costs.iter().map(admitted).sum()
    };
    let (admitted, ()) = beside(world, charge, move |world| world.report(AT, most));
    assert_eq!(world.account.used(AT), admitted);
    world.assert_covered(AT);
}

/// Property: a report beside a charge does not leave it out, also if it lowers the level.
/// Shape: one charges 2 of 3, one reports and lends up to 3, or trims to 1. Exhaustive, seconds.
#[test]
fn report_beside_a_charge_covers_it() {
    both_ways(|| {
        exhaustive(|| report_beside_charges(&lent(3), &[2], 3));
        exhaustive(|| report_beside_charges(&lent(3), &[2], 1));
    });
}

/// Property: the same of two charges. Shape: of 2 and 1. Three preemptions, seconds.
#[test]
fn report_beside_charges_covers_them() {
    both_ways(|| {
        bounded(3, || report_beside_charges(&lent(3), &[2, 1], 3));
        bounded(3, || report_beside_charges(&lent(3), &[2, 1], 1));
    });
}

/// Property: the same of units that drain. Shape: as above. Three preemptions, seconds.
#[test]
fn report_beside_charges_of_a_rate_covers_them() {
    both_ways(|| {
        bounded(3, || report_beside_charges(&lent_of_a_rate(3), &[2, 1], 3));
        bounded(3, || report_beside_charges(&lent_of_a_rate(3), &[2, 1], 1));
    });
}

/// Refunds 2 of a charge of before and charges 2, beside a report.
fn report_beside_a_refund<M: Lasting<Receipt: Copy + Send> + 'static>(world: &Arc<World<M>>) {
    let receipt = world.charge(AT, 3).unwrap();
    let call = move |world: &World<_>| {
        assert_eq!(world.account.refund(AT, &receipt, 2), 2);
        let _ = world.charge(AT, 2);
    };
    beside(world, call, |world| world.report(AT, 1));
    world.assert_covered(AT);
}

/// Property: what comes back while a report is made is not spent twice.
/// Shape: one refunds 2 of a charge of before, then charges 2; one reports. Exhaustive, milliseconds.
#[test]
fn report_beside_a_refund_covers_what_comes_back() {
    both_ways(|| exhaustive(|| report_beside_a_refund(&lent(3))));
}

/// Property: the same of units that drain, of which 5 are lent. Shape: as above. Three preemptions, seconds.
#[test]
fn report_beside_a_refund_of_a_rate_covers_what_comes_back() {
    both_ways(|| bounded(3, || report_beside_a_refund(&lent_of_a_rate(5))));
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

/// Two callers of cost 2, of 3 that are lent.
fn last_units_beside_each_other<M: Lasting + 'static>(world: &Arc<World<M>>) {
    let charge = |world: &World<_>| match world.charge(AT, 2) {
        Ok(_) => 2,
        Err(refused) => {
            assert_eq!(refused, Refused::Dry);
            0
        }
    };
    let other = go(world, charge);
    let own = charge(world);
    assert_eq!(own + end(other), 2);
    let used = world.account.used(AT);
    assert_eq!(used + world.account.holder().left(0, used), 3);
}

/// Property: two callers after the last units spend them once, and a dry one leaves nothing behind.
/// Shape: two callers of cost 2, 3 lent. Exhaustive, milliseconds.
#[test]
fn last_units_are_spent_once_and_dry_charges_are_backed_out() {
    exhaustive(|| last_units_beside_each_other(&lent(3)));
}

/// Property: the same of units that drain. Shape: as above. Exhaustive, milliseconds.
#[test]
fn last_units_of_a_rate_are_spent_once_and_dry_charges_are_backed_out() {
    exhaustive(|| last_units_beside_each_other(&lent_of_a_rate(3)));
}

/// Owes 2 of 3 that are lent, beside a report.
fn debt_beside_a_report<M: Lasting + 'static>(world: &Arc<World<M>>) {
    let owe = |world: &World<M>| world.account.charge_anyway(AT, cost(2), CEILING).is_ok();
    beside(world, owe, |world| world.report(AT, 3));
    world.assert_covered(AT);
}

/// Property: debt beside a report is in the record, or in what was lent.
/// Shape: one charges 2 beyond its estimate with 3 lent, one reports. Exhaustive, milliseconds.
#[test]
fn debt_within_what_is_lent_is_covered() {
    both_ways(|| {
        exhaustive(|| debt_beside_a_report(&lent(3)));
        exhaustive(|| debt_beside_a_report(&lent_of_a_rate(3)));
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

/// Property: what is lent of a period pays for no charge of another, and the record is of the latest in which one was admitted.
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

/// Charges 1 after another that asked, beside a report.
fn charge_beside_a_report<M: Lasting + 'static>(world: &Arc<World<M>>) {
    assert!(world.charge(AT, 1).is_ok());
    let charge = |world: &World<_>| assert!(world.charge(AT, 1).is_ok());
    beside(world, charge, |world| world.report(AT, 2));
    let on_record = world.record.lock().unwrap().standing.committed;
    let is_asked = !world.account.holder().raise(Asked::Soon);
    assert!(on_record == 2 || is_asked, "{on_record} of 2 on record");
    world.assert_covered(AT);
}

/// Property: a charge that is on no record is asked for, whoever asked before the report.
/// Shape: one charges, one reports; somebody asked before. Exhaustive; to three preemptions where units drain. Seconds.
#[test]
fn charge_beside_a_report_is_on_record_or_asked_for() {
    both_ways(|| {
        exhaustive(|| charge_beside_a_report(&lent(3)));
        bounded(3, || charge_beside_a_report(&lent_of_a_rate(3)));
    });
}

/// Property: so is a refund.
/// Shape: one refunds 1 of a charge of before, one reports; somebody asked before. Exhaustive, seconds.
#[test]
fn refund_beside_a_report_is_on_record_or_asked_for() {
    both_ways(|| {
        exhaustive(|| {
            let world = lent(3);
            let receipt = world.charge(AT, 3).unwrap();
            let refund = move |world: &World<Lifetime>| {
                assert_eq!(world.account.refund(AT, &receipt, 1), 1);
            };
            beside(&world, refund, |world| world.report(AT, 2));
            let on_record = world.record.lock().unwrap().standing.committed;
            let is_asked = !world.account.holder().raise(Asked::Soon);
            assert!(on_record == 2 || is_asked, "{on_record} of 2 on record");
        });
    });
}

/// Refunds 2 of a charge of before, then charges 2, beside a revocation that records what is used.
fn revocation_beside_a_refund_and_a_charge<M: Lasting<Receipt: Copy + Send> + 'static>(
    world: &Arc<World<M>>,
) {
    let receipt = world.charge(AT, 3).unwrap();
    let call = move |world: &World<_>| {
        world.account.refund(AT, &receipt, 2);
        let _ = world.charge(AT, 2);
    };
    let revoke = |world: &World<M>| {
        assert!(world.account.holder().revoke());
        world.account.standing(AT).unwrap().1.committed
    };
    let ((), spent) = beside(world, call, revoke);
    let used = world.account.used(AT);
    assert!(used <= spent, "{used} used, {spent} on record");
    assert_eq!(world.charge(AT, 1).err(), Some(Refused::Dry));
}

/// Property: who is revoked has all on record that he has spent, and spends nothing after.
/// Shape: one refunds 2 of a charge of before, then charges 2; one revokes and records what is used. Exhaustive; three
/// preemptions, and 5 lent, where units drain. Seconds.
#[test]
fn revocation_beside_a_refund_and_a_charge_covers_both() {
    both_ways(|| {
        exhaustive(|| revocation_beside_a_refund_and_a_charge(&lent(3)));
        bounded(3, || {
            revocation_beside_a_refund_and_a_charge(&lent_of_a_rate(5))
        });
    });
}

/// Property: whoever spends nothing since his holder was revoked finds that, and asks nobody.
/// Shape: one spends, one revokes. Exhaustive, a millisecond.
#[test]
fn who_is_dry_by_a_revocation_finds_that() {
    both_ways(|| {
        for units in [Units::Stay, Units::Drain] {
            exhaustive(move || {
                let holder = lent_holder(units);
                let spend = |holder: &Holder| holder.spend(1, 1, 1);
                let (spent, _) = beside(&holder, spend, Holder::revoke);
                assert_ne!(spent.err(), Some(NotSpent::Dry));
            });
        }
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

/// Property: who asks for more than is lent turns back nobody who asks for what is.
/// Shape: two callers, of 3 lent: one asks for 4, one for 3. Exhaustive, milliseconds.
#[test]
fn charge_beyond_the_level_is_no_hindrance() {
    both_ways(|| {
        exhaustive(|| {
            let world = lent(3);
            let (beyond, within) = beside(
                &world,
                |world| world.charge(AT, 4),
                |world| world.charge(AT, 3).is_ok(),
            );
            assert_eq!(beyond.err(), Some(Refused::Dry));
            assert!(within, "it was lent");
        });
    });
}

/// Property: a report turns back nobody who asks for what is lent.
/// Shape: one charges 1 and 2 of 3 lent; one reports and lends up to 4. Exhaustive, milliseconds.
#[test]
fn report_that_leaves_what_is_lent_is_no_hindrance() {
    both_ways(|| {
        exhaustive(|| {
            let world = lent(3);
            let (admitted, ()) = beside(
                &world,
                |world| [1, 2].map(|units| world.charge(AT, units).is_ok()),
                |world| world.report(AT, 4),
            );
            assert_eq!(admitted, [true; 2]);
            world.assert_covered(AT);
        });
    });
}

fn lend(period: u64, units: u64) -> Lend {
    Lend {
        period,
        committed: 0,
        max: CEILING,
        left: 0,
        more: units,
        low: 0,
    }
}

/// A holder with 3 lent of period 1.
fn lent_holder(units: Units) -> Arc<Holder> {
    let holder = Holder::new(units);
    holder.lend(&lend(1, 3));
    Arc::new(holder)
}

/// Property: a charge of one period, however late, goes by no level of another.
/// Shape: one looks in period 1, of which 3 are lent; one lends 9 of period 2 and then of period 3, in the place of 1. Exhaustive, a
/// millisecond.
#[test]
fn late_charge_goes_by_no_level_of_a_later_period() {
    both_ways(|| {
        exhaustive(|| {
            let holder = lent_holder(Units::Stay);
            let (spent, ()) = beside(
                &holder,
                |holder| holder.spend(1, 1, 4).is_ok(),
                |holder| {
                    holder.lend_ahead(&lend(1, 3), 2, 9);
                    holder.lend(&lend(3, 5));
                    holder.lend(&lend(3, 9));
                },
            );
            assert!(!spent);
            assert_eq!([1, 2, 3].map(|period| holder.left(period, 0)), [0, 0, 9]);
        });
        exhaustive(|| {
            let holder = lent_holder(Units::Stay);
            holder.lend_ahead(&lend(1, 3), 5, 3);
            let (spent, ()) = beside(
                &holder,
                |holder| holder.spend(5, 1, 8).is_ok(),
                |holder| {
                    holder.lend_ahead(&lend(1, 3), 7, 5);
                    holder.lend_ahead(&lend(1, 3), 7, 9);
                },
            );
            assert!(!spent);
        });
    });
}

/// Property: the first charge of a period goes by no level of the one before.
/// Shape: one looks in period 3; one lends 1 of it in the place of period 1, of which 3 are lent; the same of what is lent ahead. Exhaustive, a
/// millisecond.
#[test]
fn first_charge_goes_by_no_level_of_the_period_before() {
    both_ways(|| {
        exhaustive(|| {
            let holder = lent_holder(Units::Stay);
            holder.lend_ahead(&lend(1, 3), 2, 1);
            let (spent, ()) = beside(
                &holder,
                |holder| holder.spend(3, 1, 2).is_ok(),
                |holder| {
                    holder.lend(&lend(3, 1));
                },
            );
            assert!(!spent);
        });
        exhaustive(|| {
            let holder = lent_holder(Units::Stay);
            holder.lend_ahead(&lend(1, 3), 5, 9);
            let (spent, ()) = beside(
                &holder,
                |holder| holder.spend(2, 1, 2).is_ok(),
                |holder| holder.lend_ahead(&lend(1, 3), 2, 1),
            );
            assert!(!spent);
        });
    });
}

/// Property: the largest cost that was not there is told, once.
/// Shape: one wants 5 and then 3, one wants 4, one asks. Three preemptions, a millisecond.
#[test]
fn largest_that_was_wanted_is_told_once() {
    bounded(3, || {
        let holder = lent_holder(Units::Stay);
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
        let holder = lent_holder(Units::Stay);
        let other = go(&holder, |holder| holder.raise(Asked::Now));
        let calm = go(&holder, |holder| holder.raise(Asked::Soon));
        let own = holder.raise(Asked::Now);
        assert_ne!(own, end(other));
        end(calm);
        assert!(!holder.raise(Asked::Now));
    });
}

/// The same steps on the bare words, with one of them done wrongly.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Plan {
    /// As it should be.
    Right,
    /// The report reads the meter before it lowers the level, or trims the stock.
    MeterRead,
    /// A charge asks what is lent before it charges the meter.
    AskedFirst,
    /// What is lent is spent before it is on record.
    LentEarly,
}

struct Parts {
    meter: Lifetime,
    holder: Holder,
    plan: Plan,
}

impl Parts {
    fn charge(&self, units: u64) -> bool {
        let spend = |after: u64| self.holder.spend(0, units, after).is_ok();
        if self.plan == Plan::AskedFirst {
            return spend(self.meter.used(AT) + units)
                && self.meter.charge(AT, cost(units), CEILING).is_ok();
        }
        let Ok(charged) = self.meter.charge(AT, cost(units), CEILING) else {
            return false;
        };
        let is_spent = spend(u64::try_from(charged.after).unwrap());
        if !is_spent {
            self.meter.refund(AT, &charged.receipt, units);
        }
        is_spent
    }

    /// Reports, and returns what is on record then. It leaves at most `most`.
    fn report(&self, most: u64) -> u64 {
        let read = || self.meter.standing(AT, 0, CEILING).unwrap().1.committed;
        let early = read();
        let begun = self.holder.begin(0, early, CEILING, most).unwrap();
        let committed = if self.plan == Plan::MeterRead {
            early
        } else {
            read()
        };
        let left = begun.left(0, committed);
        let lend = Lend {
            committed,
            left,
            ..lend(0, most.saturating_sub(left))
        };
        self.holder.lend(&lend);
        if self.plan == Plan::LentEarly {
            // And killed before it is.
            return committed + left;
        }
        committed + left + lend.more
    }
}

/// Two charge, one reports.
fn parts(preemptions: usize, units: Units, plan: Plan) {
    bounded(preemptions, move || {
        let parts = Arc::new(Parts {
            meter: Lifetime::new(),
            holder: Holder::new(units),
            plan,
        });
        parts.holder.lend(&lend(0, 4));
        let charge = |parts: &Parts| parts.charge(2);
        let callers = [go(&parts, charge), go(&parts, charge)];
        let spent = parts.report(1);
        let _ = callers.map(end);
        let used = parts.meter.used(AT);
        let spendable = used + parts.holder.left(0, used);
        assert!(spendable <= spent, "not on record: {spendable} of {spent}");
    });
}

/// Property: the steps are right on the bare words too.
/// Shape: as the planted ones, of units that stay. Three preemptions, half a minute.
#[test]
fn steps_in_order_are_covered() {
    parts(3, Units::Stay, Plan::Right);
}

/// Property: the same of units that drain. Shape: as above. Three preemptions, half a minute.
#[test]
fn steps_in_order_are_covered_where_units_drain() {
    parts(3, Units::Drain, Plan::Right);
}

#[test]
#[should_panic = "not on record"]
fn planted_meter_read_before_the_level_is_lowered_is_found() {
    parts(2, Units::Stay, Plan::MeterRead);
}

#[test]
#[should_panic = "not on record"]
fn planted_meter_read_before_the_stock_is_found() {
    parts(2, Units::Drain, Plan::MeterRead);
}

#[test]
#[should_panic = "not on record"]
fn planted_level_looked_at_before_the_charge_is_found() {
    parts(2, Units::Stay, Plan::AskedFirst);
}

#[test]
#[should_panic = "not on record"]
fn planted_stock_taken_first_is_found() {
    parts(2, Units::Drain, Plan::AskedFirst);
}

#[test]
#[should_panic = "not on record"]
fn planted_level_raised_before_the_record_is_found() {
    parts(2, Units::Stay, Plan::LentEarly);
}

#[test]
#[should_panic = "not on record"]
fn planted_stock_added_before_the_record_is_found() {
    parts(2, Units::Drain, Plan::LentEarly);
}
