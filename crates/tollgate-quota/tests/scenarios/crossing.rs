//! Thresholds over periods, and meters that cross a period's end.

use super::{end, go, race};
use tollgate_core::{Cost, Meter, Moment, Nanos, Wall};
use tollgate_quota::{
    calendar::{Calendar, CalendarMeter, CalendarPeriod},
    threshold::{Share, Thresholds},
};
use tollgate_sync::Arc;
use tollgate_window::PeriodCounter;

fn on_day(day: i64) -> Moment {
    Moment::new(Nanos::ZERO, Wall::from_secs(day * 86_400))
}

fn daily(max: u64) -> Arc<CalendarMeter> {
    let calendar = Calendar::new(CalendarPeriod::Day, "UTC").expect("a calendar");
    Arc::new(CalendarMeter::new(Arc::new(calendar), max))
}

/// Charges `units` of 4 in that period; the period it was counted in, its units, and whether half of 4 was crossed.
fn charge(counter: &PeriodCounter, period: u64, units: u64) -> (u64, u64, bool) {
    let half = Thresholds::new([Share::percent(50).expect("a share")]).expect("one");
    let cost = Cost::new(units).expect("a cost");
    let charged = counter.charge_anyway_in(period, cost, 4);
    let charged = charged.expect("nobody closes it");
    let crossed = half.crossed(charged.before, charged.after, charged.full);
    (charged.receipt.period(), units, !crossed.is_empty())
}

/// One charge of each thread at once: in every period half is told once if it was reached.
pub(crate) fn tells_once(charges: &'static [(u64, u64)]) {
    let counter = Arc::new(PeriodCounter::new(4));
    let threads: Vec<_> = charges
        .iter()
        .map(|(period, units)| go(&counter, |counter| charge(counter, *period, *units)))
        .collect();
    let told: Vec<_> = threads.into_iter().map(end).collect();
    for (period, ..) in &told {
        let in_period = || told.iter().filter(|charge| charge.0 == *period);
        let used: u64 = in_period().map(|charge| charge.1).sum();
        let tellings = in_period().filter(|charge| charge.2).count();
        assert_eq!(tellings, usize::from(used >= 2), "{told:?}");
    }
}

/// Two cross a day's end, one of them with a charge for either day: each day's ceiling of one is admitted once.
pub(crate) fn rollover_admits_each_days_ceiling_once() {
    let meter = daily(1);
    let ask = |meter: &CalendarMeter, day| {
        let charged = meter.charge(on_day(day), Cost::ONE, 1).ok()?;
        Some(charged.receipt.period())
    };
    let (other, own) = race(
        &meter,
        move |meter| ask(meter, 1),
        move |meter| [0, 1].map(|day| ask(meter, day)),
    );
    let periods = [own[0], own[1], other];
    let number = |day: i64| (1 << 63) + day.unsigned_abs() * 86_400_000_000_000;
    let admitted = |day: i64| {
        let of_day = periods
            .iter()
            .filter(|&&period| period == Some(number(day)));
        of_day.count()
    };
    assert!(admitted(0) <= 1, "{periods:?}");
    assert_eq!(admitted(1), 1, "{periods:?}");
}

/// Two callers cross a day's end: each charge counts in the day that it came in, or in the next if that was begun before.
pub(crate) fn a_charge_counts_in_no_other_day() {
    let meter = daily(9);
    let day_of = |meter: &CalendarMeter, day| {
        let charged = meter.charge(on_day(day), Cost::ONE, 9);
        charged.expect("there is room").receipt.period()
    };
    let (other, own) = race(
        &meter,
        move |meter| day_of(meter, 1),
        move |meter| [0, 1].map(|day| day_of(meter, day)),
    );
    let next = (1 << 63) + 86_400_000_000_000;
    assert_eq!((other, own[1]), (next, next));
    assert!([1 << 63, next].contains(&own[0]), "{own:?}");
}

/// A charge of one day is given back while another caller opens the next day: of that day nothing is given back.
pub(crate) fn a_refund_at_the_days_end_touches_no_other_day() {
    let meter = daily(2);
    let two = Cost::new(2).expect("a cost");
    let receipt = meter
        .charge(on_day(0), two, 2)
        .expect("it is fresh")
        .receipt;
    let (_, charged) = race(
        &meter,
        move |meter| meter.refund(on_day(1), &receipt, 2),
        move |meter| meter.charge(on_day(1), two, 2).is_ok(),
    );
    assert!(charged, "the next day is whole");
    assert_eq!(meter.used(on_day(1)), 2);
}
