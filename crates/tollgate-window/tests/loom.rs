//! Every interleaving of a few callers on one window. Built and run with `RUSTFLAGS="--cfg model_loom"` only.
//!
//! "Exhaustive" means without a bound on preemptions; where there is one, it says so. Times are of an optimised build.
#![cfg(model_loom)]

mod scenarios;

use loom::model::Builder;
use scenarios::{SECOND, fixed, log, ring};
use std::time::Duration;
use tollgate_window::FixedWindow;

fn exhaustive(race: impl Fn() + Sync + Send + 'static) {
    Builder::new().check(race);
}

fn bounded(preemptions: usize, race: impl Fn() + Sync + Send + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(race);
}

fn fixed_window() -> FixedWindow {
    FixedWindow::new(2, Duration::from_secs(1)).expect("in range")
}

#[test]
fn fixed_rollover_loses_no_charge() {
    for ceiling in 1..=5 {
        exhaustive(move || fixed::rollover_loses_no_charge(ceiling));
    }
}

#[test]
fn fixed_refund_touches_no_other_period() {
    exhaustive(fixed::refund_touches_no_other_period);
}

#[test]
fn fixed_refunds_and_charges_add_up() {
    exhaustive(fixed::refunds_and_charges_add_up);
}

#[test]
fn fixed_closing_loses_no_charge() {
    exhaustive(|| scenarios::closing_loses_no_charge(fixed_window(), 0));
}

#[test]
fn fixed_refund_of_before_a_reset_is_void() {
    exhaustive(|| scenarios::refund_of_before_a_reset_is_void(fixed_window(), 0));
}

#[test]
fn log_charges_take_exactly_the_max() {
    for max in 1..=3 {
        exhaustive(move || log::charges_take_exactly_the_max(max, &[1], &[2]));
        exhaustive(move || log::charges_take_exactly_the_max(max, &[1, 3], &[2]));
    }
    for max in 1..=5 {
        bounded(3, move || {
            log::charges_take_exactly_the_max(max, &[1, 3], &[2, 3])
        });
    }
}

#[test]
fn log_units_leave_in_their_time() {
    exhaustive(|| log::units_leave_in_their_time(&[2], &[3]));
    bounded(3, || log::units_leave_in_their_time(&[2], &[1, 2]));
    bounded(3, || log::units_leave_in_their_time(&[1, 2], &[1, 3]));
}

#[test]
fn log_charges_see_what_has_left() {
    exhaustive(log::charges_see_what_has_left);
}

#[test]
fn log_look_sees_one_state() {
    bounded(2, log::look_sees_one_state);
}

#[test]
fn log_late_caller_forgets_nothing() {
    exhaustive(log::late_caller_forgets_nothing);
}

#[test]
fn log_law_holds_across_a_lap() {
    exhaustive(|| log::law_holds_across_a_lap(&[SECOND], &[SECOND + 10]));
    bounded(3, || {
        log::law_holds_across_a_lap(&[SECOND, SECOND + 10], &[SECOND + 5])
    });
    bounded(3, || {
        log::law_holds_across_a_lap(&[SECOND, SECOND + 10], &[SECOND + 5, 2 * SECOND + 5])
    });
}

#[test]
fn log_refund_makes_room() {
    exhaustive(|| log::refund_makes_room(false));
    exhaustive(|| log::refund_makes_room(true));
}

#[test]
fn log_refunds_are_counted_once() {
    bounded(3, log::refunds_are_counted_once);
}

#[test]
fn log_debt_in_a_full_ring_stays_long_enough() {
    exhaustive(|| log::debt_in_a_full_ring_stays_long_enough(&[1], &[2]));
    bounded(2, || {
        log::debt_in_a_full_ring_stays_long_enough(&[1, 3], &[2])
    });
    bounded(2, || {
        log::debt_in_a_full_ring_stays_long_enough(&[1, 3], &[2, 4])
    });
}

#[test]
fn log_denial_tells_a_wait_of_one_state() {
    exhaustive(log::denial_tells_a_wait_of_one_state);
}

#[test]
fn log_closing_loses_no_charge() {
    exhaustive(|| scenarios::closing_loses_no_charge(log::fresh(1), 0));
}

#[test]
fn log_refund_of_before_a_reset_is_void() {
    exhaustive(|| scenarios::refund_of_before_a_reset_is_void(log::fresh(2), 0));
}

#[test]
fn ring_rotation_loses_no_charge() {
    for max in 1..=6 {
        bounded(3, move || ring::rotation_loses_no_charge(max, 1));
        bounded(3, move || ring::rotation_loses_no_charge(max, 2));
    }
}

#[test]
fn ring_look_sees_one_state() {
    exhaustive(ring::look_sees_one_state);
}

#[test]
fn ring_rotations_agree() {
    for ticks in [[1, 1], [1, 2], [1, 3], [2, 4], [3, 3]] {
        exhaustive(move || ring::rotations_agree(ticks));
    }
}

#[test]
fn ring_refund_meets_rotation() {
    for cost in [1, 2] {
        exhaustive(move || ring::refund_meets_rotation(cost));
    }
}

#[test]
fn ring_refunds_meet_rotation() {
    bounded(2, ring::refunds_meet_rotation);
}

#[test]
fn ring_reset_meets_rotation() {
    exhaustive(ring::reset_meets_rotation);
}

#[test]
fn ring_closing_loses_no_charge() {
    exhaustive(|| scenarios::closing_loses_no_charge(ring::fresh(1, 1), 0));
}

#[test]
fn ring_refund_of_before_a_reset_is_void() {
    exhaustive(|| scenarios::refund_of_before_a_reset_is_void(ring::fresh(2, 1), 0));
}
