//! The races of the models on real threads, many times each, and larger ones than a model can hold.
#![cfg(not(any(model_loom, model_shuttle)))]

mod scenarios;

use scenarios::{SECOND, charge, fixed, log, moment, ring, sharded, units};
use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};
use tollgate_core::{ManualClock, Meter};
use tollgate_testkit::{
    Periods,
    law::Law,
    stress::{race_for, race_recorded},
};
use tollgate_window::{ExactLog, FixedWindow, ShardedRing, SlottedRing};

const TIMES: usize = 300;

fn many_times(race: impl Fn()) {
    (0..TIMES).for_each(|_| race());
}

#[test]
fn fixed_races() {
    many_times(|| fixed::rollover_loses_no_charge(3));
    many_times(fixed::late_caller_waits_for_the_window);
    many_times(fixed::refund_touches_no_other_period);
    many_times(fixed::refunds_and_charges_add_up);
    many_times(|| fixed::rollover_carries_debt(3, &[1, 2], &[2, 3]));
    many_times(fixed::lowered_max_makes_no_debt);
    many_times(|| fixed::refund_meets_a_change_of_max(1));
    many_times(|| fixed::change_of_max_has_one_period(1));
    many_times(|| scenarios::closing_loses_no_charge(fixed::fresh(), 0));
    many_times(|| scenarios::refund_of_before_a_reset_is_void(fixed::fresh(), 0));
}

#[test]
fn log_races() {
    many_times(|| log::charges_take_exactly_the_max(3, &[1, 3], &[2, 3]));
    many_times(|| log::units_leave_in_their_time(&[1, 2], &[1, 3]));
    many_times(log::charges_see_what_has_left);
    many_times(log::look_sees_one_state);
    many_times(log::late_caller_forgets_nothing);
    many_times(|| {
        log::law_holds_across_a_lap(&[SECOND, SECOND + 10], &[SECOND + 5, 2 * SECOND + 5])
    });
    many_times(|| log::refund_makes_room(false));
    many_times(|| log::refund_makes_room(true));
    many_times(log::refunds_are_counted_once);
    many_times(|| log::refund_meets_the_next_level(16));
    many_times(|| log::refund_on_the_next_level_is_found(16));
    many_times(|| log::next_level_meets_a_lap(16));
    many_times(|| log::debt_in_a_full_ring_stays_long_enough(&[1, 3], &[2, 4]));
    many_times(log::denial_tells_a_wait_of_one_state);
    many_times(|| scenarios::closing_loses_no_charge(log::fresh(1), 0));
    many_times(|| scenarios::refund_of_before_a_reset_is_void(log::fresh(2), 0));
}

#[test]
fn ring_races() {
    many_times(|| ring::rotation_loses_no_charge(4, 1));
    many_times(|| ring::rotation_loses_no_charge(4, 2));
    many_times(ring::look_sees_one_state);
    many_times(|| ring::rotations_agree([1, 3]));
    many_times(|| ring::refund_meets_rotation(2));
    many_times(|| ring::refunds_meet_rotation(2));
    many_times(ring::late_caller_sees_what_has_left_since);
    many_times(ring::three_rotate);
    many_times(ring::reset_meets_rotation);
    many_times(|| scenarios::closing_loses_no_charge(ring::fresh(1, 1), 0));
    many_times(|| scenarios::refund_of_before_a_reset_is_void(ring::fresh(2, 1), 0));
}

#[test]
fn sharded_races() {
    type Ring = ShardedRing<ManualClock>;
    many_times(sharded::stock_serves_no_later_tick::<Ring>);
    many_times(|| sharded::draws_of_two_ticks_lose_nothing::<Ring>(7));
    many_times(|| sharded::stock_is_taken_once::<Ring>(0));
    many_times(|| sharded::stock_is_taken_once::<Ring>(SECOND));
    many_times(sharded::stock_is_gathered_once::<Ring>);
}

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
        exactly_the_max(&FixedWindow::new(max, Duration::from_secs(1)).unwrap(), max);
        exactly_the_max(
            &SlottedRing::new(max, Duration::from_secs(1), 7).unwrap(),
            max,
        );
        exactly_the_max(&ExactLog::new(max, Duration::from_secs(1)).unwrap(), max);
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
        let log = ExactLog::with_room(max, Duration::from_secs(1), 50).unwrap();
        obeys_while_the_clock_runs(&log, max, &window);

        let ring = SlottedRing::new(max, Duration::from_secs(1), 8).unwrap();
        obeys_while_the_clock_runs(&ring, max, &window);

        let fixed = FixedWindow::new(max, Duration::from_secs(1)).unwrap();
        let law = Law::Periods {
            periods: Periods::every(SECOND, 0),
            max,
        };
        obeys_while_the_clock_runs(&fixed, max, &law);
    }
}
