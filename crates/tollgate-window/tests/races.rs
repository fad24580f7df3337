//! The races of the models on real threads, many times each, and larger ones than a model can hold.
#![cfg(not(any(model_loom, model_shuttle)))]

mod scenarios;

use scenarios::{SECOND, charge, moment, units};
use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};
use tollgate_core::Meter;
use tollgate_testkit::{
    Periods,
    law::Law,
    stress::{race_for, race_recorded},
};
use tollgate_window::{ExactLog, FixedWindow, SlottedRing};

scenarios::mixes::mixes!(tollgate_testkit::stress::repeat);

/// Threads at one instant take exactly `max` units of costs one to three, whatever is left being too small for them.
fn exactly_the_max<M: Meter>(meter: &M, max: u64) {
    let now = 5 * SECOND;
    let race = race_for(4, 20_000, |thread, number| {
        let cost = 1 + (thread + number) as u64 % 3;
        charge(meter, now, cost, max).map_or(0, |_| cost)
    });
    let last = (0..2)
        .map(|_| u64::from(charge(meter, now, 1, max).is_some()))
        .sum::<u64>();
    assert_eq!(race.total + u128::from(last), u128::from(max));
    assert_eq!(meter.used(moment(now)), max);
    // One window later all of it is free again.
    let race = race_for(4, 20_000, |_, _| {
        u64::from(charge(meter, now + 2 * SECOND, 1, max).is_some())
    });
    assert_eq!(race.total, u128::from(max));
}

#[test]
fn racing_threads_take_exactly_the_max() {
    for max in [1, 1_000, 30_000] {
        exactly_the_max(
            &FixedWindow::with_clock(max, Duration::from_secs(1), ()).unwrap(),
            max,
        );
        exactly_the_max(
            &SlottedRing::with_clock(max, Duration::from_secs(1), 7, ()).unwrap(),
            max,
        );
        exactly_the_max(
            &ExactLog::with_clock(max, Duration::from_secs(1), ()).unwrap(),
            max,
        );
    }
}

/// Threads that share a clock which runs fast, with refunds and debt: what was kept obeys the law at the instants that
/// were given, and nothing is lost.
fn obeys_while_the_clock_runs<M: Meter>(meter: &M, max: u64, law: &Law) {
    let clock = AtomicU64::new(0);
    let events = race_recorded(4, 20_000, |thread, number, record| {
        let now = clock.fetch_add(SECOND / 50_000, Relaxed);
        let cost = 1 + (thread + number) as u64 % 3;
        if number % 100 == 99 {
            meter
                .charge_anyway(moment(now), units(cost), max)
                .expect("nobody closes it");
            // Later than all that came before it, whose order is not known.
            record.debt(clock.load(Relaxed), cost);
        } else if let Some(charged) = charge(meter, now, cost, max) {
            // Every third charge is settled at one unit less.
            let surplus = u64::from(number % 3 == 0);
            meter.refund(moment(now), &charged.receipt, surplus);
            record.admitted(now, cost - surplus);
        }
    });
    let admitted: u64 = events.iter().map(|event| event.units).sum();
    assert!(admitted > max, "more than one window's worth passed");
    let verdict = law.check(events, 0);
    assert!(verdict.held(), "{verdict}");
    // A window of a row may have the debt of many to pay.
    let later = clock.into_inner() + (2 + admitted) * SECOND;
    assert_eq!(meter.used(moment(later)), 0);
    let race = race_for(4, 2_000, |_, _| {
        u64::from(charge(meter, later, 1, max).is_some())
    });
    assert_eq!(race.total, u128::from(max), "no unit was lost");
}

#[test]
fn law_holds_while_the_clock_runs() {
    for max in [5, 500] {
        let window = Law::Window {
            window: SECOND,
            max,
        };
        let log = ExactLog::with_room(max, Duration::from_secs(1), 50, ()).unwrap();
        obeys_while_the_clock_runs(&log, max, &window);

        let ring = SlottedRing::with_clock(max, Duration::from_secs(1), 8, ()).unwrap();
        obeys_while_the_clock_runs(&ring, max, &window);

        let fixed = FixedWindow::with_clock(max, Duration::from_secs(1), ()).unwrap();
        let law = Law::Periods {
            periods: Periods::every(SECOND, 0),
            max,
        };
        obeys_while_the_clock_runs(&fixed, max, &law);
    }
}
