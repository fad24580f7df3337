//! A leased meter whose limit changes, beside charges and the report of an authority.

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
    Depth, RateMeter, RefundRule, Scale,
    lease::{Asked, Desk, Lasting, Leased, LeasedAccount},
};
use tollgate_sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};
use tollgate_window::FixedWindow;

const AT: Moment = Moment::new(Nanos::ZERO, Wall(0));
const CEILING: u64 = 9;

/// Knows which meter of its account is the newest. It orders nothing, so that no report sees more than the meters and the stock show.
#[derive(Debug)]
struct Newest(AtomicU64);

impl Desk for Newest {
    fn ask(&self, _: u64, _: Asked) {}

    fn succeed(&self, _: u64, successor: Shared<dyn LeasedAccount>) {
        self.0.fetch_max(successor.generation(), Relaxed);
    }
}

/// An account of two meters, of which the second is to take over; what is on record of it, and what is lent on top.
struct World<M> {
    newest: Shared<Newest>,
    meters: [Shared<Leased<M>>; 2],
    record: Mutex<(Standing, u64)>,
}

/// A rate, whose units drain, though not while a model runs.
fn rate() -> Arc<World<RateMeter>> {
    let limit = Limit::new(1, Duration::from_nanos(1)).unwrap();
    let limit = limit.with_capacity(CEILING);
    let meter = RateMeter::new(&limit, Depth::Short, RefundRule::Exact).unwrap();
    let scale = Scale::new(&limit).unwrap();
    let new = RateMeter::pending(scale, Depth::Short, RefundRule::Exact);
    World::new(meter, new)
}

/// Windows, whose units stay.
fn windows() -> Arc<World<FixedWindow<()>>> {
    let hour = Duration::from_secs(3_600);
    let meter = FixedWindow::with_phase(CEILING, hour, Duration::ZERO, ()).unwrap();
    let new = meter.successor(CEILING + 1);
    World::new(meter, new)
}

impl<M: Lasting + 'static> World<M> {
    /// One unit is used, and 3 are left of what is lent.
    fn new(meter: M, new: M) -> Arc<Self> {
        let newest = Shared::new(Newest(AtomicU64::new(0)));
        let desk = Shared::clone(&newest);
        let old = Shared::new(Leased::new(meter, CEILING, 0, 0, desk));
        let new = Shared::new(old.successor(new));
        let world = Self {
            newest,
            meters: [old, new],
            record: Mutex::default(),
        };
        world.report(4);
        assert_eq!(world.charge(1), 1);
        Arc::new(world)
    }

    fn change(&self) {
        let [old, new] = &self.meters;
        new.take_over(old, AT);
    }

    /// As the Gate does: by the newest meter that is open.
    fn charge(&self, units: u64) -> u64 {
        let [old, new] = &self.meters;
        let mut answer = old.charge(AT, cost(units), CEILING);
        if answer.as_ref().err() == Some(&Refused::Closed) {
            self.change();
            answer = new.charge(AT, cost(units), CEILING);
        }
        answer.map_or(0, |_| units)
    }

    /// Charges the second meter, if that has taken over.
    fn charge_new(&self, units: u64) -> u64 {
        let answer = self.meters[1].charge(AT, cost(units), CEILING);
        answer.map_or(0, |_| units)
    }

    /// One report, as the ledger makes them.
    fn report(&self, most: u64) {
        let holder = self.meters[0].holder();
        let newest = || &self.meters[usize::from(self.newest.0.load(Relaxed) > 0)];
        // Else it is about to be taken over: next time.
        let Some((then, before)) = newest().standing(AT) else {
            return;
        };
        let begun = holder
            .begin(then, before.committed, before.max, most)
            .unwrap();
        let Some((period, standing)) = newest().standing(AT) else {
            return;
        };
        let lend = begun.lend(period, &standing, most);
        *self.record.lock().unwrap() = (standing, lend.left + lend.more);
        holder.lend(&lend);
    }

    fn assert_covered(&self, used: u64) {
        let left = self.meters[0].holder().left(0, used);
        let (standing, out) = *self.record.lock().unwrap();
        let spent = standing.committed + out;
        assert!(
            used + left <= spent,
            "{used} used and {left} left, {spent} on record"
        );
        // Two that were dry, and found the old meter frozen when they were to go back, stay charged.
        let of_meters: u64 = self.meters.iter().map(|meter| meter.used(AT)).sum();
        assert!(of_meters == used || used == 1 && of_meters == 3);
    }
}

fn report_beside_a_change<M: Lasting + 'static>(world: &Arc<World<M>>) {
    beside(world, World::change, |world| world.report(1));
    world.assert_covered(1);
}

/// Property: what the new meter has taken over is never taken for nothing while it does so.
/// Shape: one changes the limit, one reports. Exhaustive, a second.
#[test]
fn report_beside_a_change_forgets_nothing_that_was_used() {
    both_ways(|| {
        exhaustive(|| report_beside_a_change(&rate()));
        exhaustive(|| report_beside_a_change(&windows()));
    });
}

fn charge_beside_a_change_and_a_report<M: Lasting + 'static>(world: &Arc<World<M>>) {
    let change = go(world, World::change);
    let charge = go(world, |world| world.charge(2));
    world.report(1);
    end(change);
    world.assert_covered(1 + end(charge));
}

/// Property: what is charged to either meter beside a change is on record, once.
/// Shape: one changes the limit, one charges by whichever meter is open, one reports. Three preemptions, seconds.
#[test]
fn charge_beside_a_change_and_a_report_is_covered() {
    bounded(3, || charge_beside_a_change_and_a_report(&rate()));
}

/// Property: the same where units stay: who charges the new meter finds the level that was lowered before the old one was read.
/// Shape: as above. Three preemptions, seconds.
#[test]
fn charge_beside_a_change_and_a_report_keeps_to_the_level() {
    bounded(3, || charge_beside_a_change_and_a_report(&windows()));
}

fn report_that_finds_a_charge<M: Lasting + 'static>(world: &Arc<World<M>>) {
    let change = go(world, World::change);
    let charge = go(world, |world| world.charge_new(2));
    world.report(1);
    end(change);
    world.assert_covered(1 + end(charge));
}

/// Property: a report that finds a charge of the new meter's in the stock goes by no reading of the old one.
/// Shape: one changes the limit, one charges the new meter if it is open, one reports. Three preemptions, seconds.
#[test]
fn report_that_finds_a_charge_of_the_new_meter_reads_no_old_one() {
    bounded(3, || report_that_finds_a_charge(&rate()));
}

/// Property: the same where units stay. Shape: as above. Three preemptions, seconds.
#[test]
fn report_beside_a_charge_of_the_new_meter_keeps_to_the_level() {
    bounded(3, || report_that_finds_a_charge(&windows()));
}
