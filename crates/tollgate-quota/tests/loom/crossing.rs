//! Thresholds over periods: each crossing is told once, whoever crosses; and the meter that crosses a period's end.

use crate::{bounded, exhaustive};
use tollgate_core::{Cost, Meter, Moment, Nanos, Wall};
use tollgate_quota::{
    calendar::{Calendar, CalendarMeter, CalendarPeriod},
    threshold::{Share, Thresholds},
};
use tollgate_sync::{Arc, thread};
use tollgate_window::PeriodCounter;

fn on_day(day: i64) -> Moment {
    Moment::new(Nanos::ZERO, Wall::from_secs(day * 86_400))
}

fn daily() -> Arc<CalendarMeter> {
    let calendar = Calendar::new(CalendarPeriod::Day, "UTC").unwrap();
    Arc::new(CalendarMeter::new(Arc::new(calendar), 1))
}

/// Charges `units` of 4 in that period; the period it was counted in, its units, and whether half of 4 was crossed.
fn charge(counter: &PeriodCounter, period: u64, units: u64) -> (u64, u64, bool) {
    let half = Thresholds::new([Share::percent(50).unwrap()]).unwrap();
    let charged = counter
        .charge_anyway_in(period, Cost::new(units).unwrap(), 4)
        .unwrap();
    let is_crossed = !half
        .crossed(charged.before, charged.after, charged.full)
        .is_empty();
    (charged.receipt.period(), units, is_crossed)
}

/// Runs one charge of each thread at once, and holds every period to one telling if half was reached in it.
fn tells_once<const N: usize>(charges: [(u64, u64); N]) {
    let counter = Arc::new(PeriodCounter::new(4));
    let threads = charges.map(|(period, units)| {
        let counter = Arc::clone(&counter);
        thread::spawn(move || charge(&counter, period, units))
    });
    let told = threads.map(|thread| thread.join().unwrap());
    for (period, ..) in told {
        let in_period = || told.iter().filter(|charge| charge.0 == period);
        let used: u64 = in_period().map(|charge| charge.1).sum();
        let tellings = in_period().filter(|charge| charge.2).count();
        assert_eq!(tellings, usize::from(used >= 2), "{told:?}");
    }
}

/// Property: a crossing is told to exactly one of those who charge at once.
/// Shape: two callers of 1, half of 4 lies at 2. Exhaustive, a millisecond.
#[test]
fn two_callers_are_told_once() {
    exhaustive(|| tells_once([(7, 1), (7, 1)]));
}

/// Property: the same of three, of whom two or three cross together.
/// Shape: callers of 1, 1 and 2. Three preemptions, under a second.
#[test]
fn three_callers_are_told_once() {
    bounded(3, || tells_once([(7, 1), (7, 1), (7, 2)]));
}

/// Property: each period tells its own crossing, also where a late caller is counted in the period that had begun.
/// Shape: callers of 1 and 1 in one period, one of 2 in the next. Three preemptions, under a second.
#[test]
fn each_period_tells_its_own_crossing() {
    bounded(3, || tells_once([(7, 1), (7, 1), (8, 2)]));
}

/// Property: two that cross a period's end get the whole ceiling of either day, and never more of one.
/// Shape: one asks for 1 of 1 on day 0 and then day 1, the other on day 1. Exhaustive, a second.
#[test]
fn rollover_admits_each_days_ceiling_once() {
    exhaustive(|| {
        let meter = daily();
        let other = {
            let meter = Arc::clone(&meter);
            thread::spawn(move || {
                meter
                    .charge(on_day(1), Cost::ONE, 1)
                    .map(|charged| charged.receipt.period())
                    .ok()
            })
        };
        let own = [0, 1].map(|day| {
            meter
                .charge(on_day(day), Cost::ONE, 1)
                .map(|charged| charged.receipt.period())
                .ok()
        });
        let periods = [own[0], own[1], other.join().unwrap()];
        let number = |day: i64| (1 << 63) + day.unsigned_abs() * 86_400_000_000_000;
        let admitted = |day: i64| {
            periods
                .iter()
                .filter(|&&period| period == Some(number(day)))
                .count()
        };
        assert!(admitted(0) <= 1, "{periods:?}");
        assert_eq!(admitted(1), 1, "{periods:?}");
    });
}
