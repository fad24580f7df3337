//! What is lent of a period before it begins: its first charges beside prefetch, report, return and rollover.
//!
//! What every model asks at its end, of each period that somebody could charge: the record covers all that was admitted in it, *and*
//! all that can still be without another report.

use super::lease::NoDesk;
use crate::{
    bounded, exhaustive,
    scenarios::{beside, both_ways, cost},
};
use std::{
    sync::{Arc as Shared, Mutex},
    time::Duration,
};
use tollgate_core::{Meter, Moment, Nanos, Standing, Wall};
use tollgate_quota::lease::{Leased, LeasedAccount};
use tollgate_sync::Arc;
use tollgate_window::FixedWindow;

const CEILING: u64 = 9;
const HOUR: Duration = Duration::from_secs(3_600);

type Hours = Leased<FixedWindow<()>>;

fn hour(number: u64) -> Moment {
    Moment::new(Nanos(number * 3_600_000_000_000), Wall(0))
}

/// What a restart would find: of one hour, and of a later one.
#[derive(Clone, Copy, Debug, Default)]
struct Record {
    standing: Standing,
    out: u64,
    ahead: Option<(u64, u64)>,
}

impl Record {
    /// What counts as spent of an hour.
    fn spent(&self, hour: u64) -> u64 {
        let of_now = self.standing.committed + self.out;
        match self.ahead {
            _ if self.standing.stamp.cast_unsigned() == hour => of_now,
            Some((next, units)) if next == hour => units,
            _ => 0,
        }
    }
}

/// How a report is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plan {
    /// As it should be.
    Right,
    /// What is lent ahead is there before it is on record.
    LentEarly,
    /// What is taken back is off the record first.
    TakenBackLate,
    /// The record of a period that has begun leaves out what was lent of it ahead.
    BegunForgotten,
}

struct World {
    account: Arc<Hours>,
    record: Mutex<Record>,
    plan: Plan,
}

impl World {
    /// Hour 0 with 2 lent.
    fn new(plan: Plan) -> Arc<Self> {
        let window = FixedWindow::with_phase(CEILING, HOUR, Duration::ZERO, ()).unwrap();
        let world = Self {
            account: Arc::new(Leased::new(window, CEILING, 0, 0, Shared::new(NoDesk))),
            record: Mutex::default(),
            plan: Plan::Right,
        };
        world.report(hour(0), 2, None);
        Arc::new(Self { plan, ..world })
    }

    /// One report at `at`, as the ledger makes them: it lends up to `most`, and `units` of the next hour. With none of these, what was
    /// lent of that is taken back.
    fn report(&self, at: Moment, most: u64, units: Option<u64>) {
        let holder = self.account.holder();
        let (then, before) = self.account.standing(at).unwrap();
        if units.is_none() && self.plan != Plan::TakenBackLate {
            holder.trim_ahead(then, 0);
        }
        let begun = holder
            .begin(then, before.committed, before.max, most)
            .unwrap();
        let (now, standing) = self.account.standing(at).unwrap();
        let lend = begun.lend(now, &standing, most);
        let on_record = if self.plan == Plan::BegunForgotten && standing.stamp > 0 {
            0
        } else {
            lend.left
        };
        let is_clear = begun.ahead(now).is_none() && then == now;
        let lent = units.filter(|_| is_clear).map(|units| (now + 1, units));
        let lend_ahead = || {
            if let Some((next, units)) = lent {
                holder.lend_ahead(&lend, next, units);
            }
        };
        if self.plan == Plan::LentEarly {
            // And killed before it is.
            lend_ahead();
            return;
        }
        *self.record.lock().unwrap() = Record {
            standing,
            out: on_record + lend.more,
            ahead: lent.or(begun.ahead(now).filter(|_| units.is_some())),
        };
        holder.lend(&lend);
        lend_ahead();
        if units.is_none() && self.plan == Plan::TakenBackLate {
            holder.trim_ahead(now, 0);
        }
    }

    /// Charges at once, or not at all.
    fn charge(&self, at: Moment, units: u64) -> u64 {
        let charged = self.account.charge(at, cost(units), CEILING);
        charged.map_or(0, |_| units)
    }

    /// Asked of a world in which nobody does anything any more.
    fn judge_at_rest(&self, hour: u64, used: u64) {
        let left = self.account.holder().left(hour, used);
        let spent = self.record.lock().unwrap().spent(hour);
        assert!(
            used + left <= spent,
            "off the record: {used} admitted, {left} left, {spent} on record in hour {hour}"
        );
    }
}

/// Hour 0 with some lent, and hour 1 lent ahead.
fn lent_ahead(plan: Plan, units: u64) -> Arc<World> {
    let world = World::new(plan);
    world.report(hour(0), 2, Some(units));
    world
}

/// Property: two who come first in a period spend what was lent of it once, and nothing of the one before.
/// Shape: two callers of cost 2 in the next hour, 3 lent ahead. Exhaustive, milliseconds.
#[test]
fn period_is_begun_once() {
    exhaustive(|| {
        let world = lent_ahead(Plan::Right, 3);
        let charge = |world: &World| world.charge(hour(1), 2);
        let (own, theirs) = beside(&world, charge, charge);
        assert_eq!(own + theirs, 2);
        assert_eq!(world.account.used(hour(1)), 2);
        assert_eq!(world.account.holder().left(1, 2), 1);
        assert_eq!(world.charge(hour(0), 1), 0, "it has ended");
    });
}

/// Charges twice in the next hour beside a report, which has either hour.
fn report_beside_a_rollover(plan: Plan, reported: u64) {
    both_ways(|| {
        bounded(3, move || {
            let world = lent_ahead(plan, 2);
            let (used, ()) = beside(
                &world,
                |world| world.charge(hour(1), 1) + world.charge(hour(1), 2),
                move |world| world.report(hour(reported), 3, Some(2)),
            );
            world.judge_at_rest(1, used);
        });
    });
}

/// Property: a report beside the first charges of a period covers them, by what it finds of either hour.
/// Shape: one charges 1 and 2 of 2 lent ahead, one reports in the old hour. Three preemptions, a second.
#[test]
fn report_in_the_old_period_beside_a_rollover_covers_both() {
    report_beside_a_rollover(Plan::Right, 0);
}

/// Property: the same. Shape: as above, but for the report in the new hour.
#[test]
fn report_in_the_new_period_beside_a_rollover_covers_both() {
    report_beside_a_rollover(Plan::Right, 1);
}

/// Prefetches beside charges of the next hour.
fn prefetch_beside_a_rollover(plan: Plan) {
    both_ways(|| {
        bounded(3, move || {
            let world = World::new(plan);
            let (used, ()) = beside(
                &world,
                |world| world.charge(hour(1), 1) + world.charge(hour(1), 1),
                |world| world.report(hour(0), 2, Some(2)),
            );
            world.judge_at_rest(1, used);
        });
    });
}

/// Property: what is lent ahead beside the rollover itself is on record, or not there.
/// Shape: one charges twice in the next hour, one reports and lends 2 ahead. Three preemptions, seconds.
#[test]
fn prefetch_beside_a_rollover_is_on_record() {
    prefetch_beside_a_rollover(Plan::Right);
}

/// Takes back beside charges of the next hour.
fn return_beside_a_rollover(plan: Plan) {
    both_ways(|| {
        exhaustive(move || {
            let world = lent_ahead(plan, 2);
            let (used, ()) = beside(
                &world,
                |world| world.charge(hour(1), 1),
                |world| world.report(hour(0), 2, None),
            );
            world.judge_at_rest(1, used);
        });
    });
}

/// Property: what is taken back beside the rollover is back, or is on record as spent.
/// Shape: one charges in the next hour, one takes back what was lent of it. Exhaustive, a second.
#[test]
fn return_beside_a_rollover_takes_back_what_nobody_spent() {
    return_beside_a_rollover(Plan::Right);
}

/// Property: what comes back of the first charge of a period beside a report is not spent twice.
/// Shape: one charges 2 in the next hour, gives them back and charges 2 again; one reports there. Two preemptions, seconds.
#[test]
fn report_beside_a_refund_of_the_first_charge_covers_what_comes_back() {
    both_ways(|| {
        bounded(2, || {
            let world = lent_ahead(Plan::Right, 2);
            let (used, ()) = beside(
                &world,
                |world| {
                    let Ok(charged) = world.account.charge(hour(1), cost(2), CEILING) else {
                        return 0;
                    };
                    world.account.refund(hour(1), &charged.receipt, 2);
                    world.charge(hour(1), 2)
                },
                |world| world.report(hour(1), 2, Some(1)),
            );
            world.judge_at_rest(1, used);
        });
    });
}

/// Property: of a period that is lent less than the one before nobody takes what was lent of that.
/// Shape: of hour 1 two were lent and are spent. One charges 2 in hour 2, of which one is lent meanwhile. Exhaustive, under a second.
#[test]
fn less_that_is_lent_of_the_second_period_is_less() {
    both_ways(|| {
        exhaustive(|| {
            let world = lent_ahead(Plan::Right, 2);
            assert_eq!(world.charge(hour(1), 2), 2);
            let (used, ()) = beside(
                &world,
                |world| world.charge(hour(2), 2),
                |world| world.report(hour(1), 0, Some(1)),
            );
            world.judge_at_rest(2, used);
            assert_eq!(used, 0);
        });
    });
}

#[test]
#[should_panic = "off the record"]
fn planted_lending_ahead_before_the_record_is_found() {
    prefetch_beside_a_rollover(Plan::LentEarly);
}

#[test]
#[should_panic = "off the record"]
fn planted_taking_back_after_the_record_is_found() {
    return_beside_a_rollover(Plan::TakenBackLate);
}

#[test]
#[should_panic = "off the record"]
fn planted_forgetting_what_was_lent_of_the_period_that_began_is_found() {
    report_beside_a_rollover(Plan::BegunForgotten, 1);
}
