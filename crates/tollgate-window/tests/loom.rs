//! Interleavings of a few callers on one window. Built and run with `RUSTFLAGS="--cfg model_loom"` only.
//!
//! The property of each model stands on its scenario. Its shape and its cost stand here: "exhaustive" means without a
//! bound on preemptions, "to n" with at most n of them; the time is that of an optimised build on one slow core, and is
//! left out below a tenth of a second. Races of two whose parties differ are run both ways: with either party started first.
#![cfg(model_loom)]

mod scenarios;

use scenarios::{SECOND, both_ways, fixed, log, other_way, planted, ring, sharded};
use tollgate_core::ManualClock;
use tollgate_sync::model::{bounded, exhaustive};
use tollgate_window::ShardedRing;

type Sharded = ShardedRing<ManualClock>;

/// Two callers of two charges, at every ceiling that matters; exhaustive.
#[test]
fn fixed_rollover_loses_no_charge() {
    for ceiling in 1..=5 {
        exhaustive(move || fixed::rollover_loses_no_charge(ceiling));
    }
}

/// Two callers of up to two charges, one of them late; exhaustive.
#[test]
fn fixed_late_caller_waits_for_the_window() {
    both_ways(|| exhaustive(fixed::late_caller_waits_for_the_window));
}

/// A refund and a charge; exhaustive.
#[test]
fn fixed_refund_touches_no_other_period() {
    both_ways(|| exhaustive(fixed::refund_touches_no_other_period));
}

/// Three charges of the next two periods, and two questions; to 3.
#[test]
fn fixed_what_ended_is_told_with_its_period() {
    both_ways(|| bounded(3, fixed::what_ended_is_told_with_its_period));
}

/// Two who take over, one of whom charges in the next period; to 3.
#[test]
fn fixed_what_ended_is_handed_on_once() {
    both_ways(|| bounded(3, fixed::what_ended_is_handed_on_once));
}

/// A refund and two charges; exhaustive.
#[test]
fn fixed_refunds_and_charges_add_up() {
    both_ways(|| exhaustive(fixed::refunds_and_charges_add_up));
}

/// Two callers of up to two, on either side of a period's end; exhaustive.
#[test]
fn fixed_rollover_carries_debt() {
    for debt in 1..=5 {
        exhaustive(move || fixed::rollover_carries_debt(debt, &[1], &[2, 3]));
        exhaustive(move || fixed::rollover_carries_debt(debt, &[2, 3], &[3]));
        exhaustive(move || fixed::rollover_carries_debt(debt, &[1, 2], &[2, 4]));
    }
}

/// A charge in the period of the change, and a change with a charge in the next; exhaustive, the other way to 2. 2 s.
#[test]
fn fixed_lowered_max_makes_no_debt() {
    exhaustive(fixed::lowered_max_makes_no_debt);
    other_way(|| bounded(2, fixed::lowered_max_makes_no_debt));
}

/// A change, and a look with a charge; exhaustive.
#[test]
fn fixed_new_counter_knows_the_old_max_from_the_start() {
    both_ways(|| exhaustive(fixed::new_counter_knows_the_old_max_from_the_start));
}

/// A restored period, and a look with a charge; exhaustive.
#[test]
fn fixed_restored_counter_knows_the_old_max_from_the_start() {
    both_ways(|| exhaustive(fixed::restored_counter_knows_the_old_max_from_the_start));
}

/// A change, and a look with a charge; exhaustive.
#[test]
fn fixed_who_finds_a_counter_closed_finds_the_next() {
    both_ways(|| exhaustive(fixed::who_finds_a_counter_closed_finds_the_next));
}

/// A refund, a debt and a change, three callers; to 2. 4 s.
#[test]
fn fixed_refund_meets_a_change_of_max() {
    for max in [0, 1, 2, 5] {
        bounded(2, move || fixed::refund_meets_a_change_of_max(max));
    }
}

/// Two callers of a change and a debt; to 3. 0.5 s.
#[test]
fn fixed_change_of_max_has_one_period() {
    for max in [0, 1, 4] {
        bounded(3, move || fixed::change_of_max_has_one_period(max));
    }
}

/// A closer and a charge; exhaustive.
#[test]
fn fixed_closing_loses_no_charge() {
    both_ways(|| exhaustive(|| scenarios::closing_loses_no_charge(fixed::fresh(), 0)));
}

/// A reset with a charge after it, and a refund; exhaustive.
#[test]
fn fixed_refund_of_before_a_reset_is_void() {
    both_ways(|| exhaustive(|| scenarios::refund_of_before_a_reset_is_void(fixed::fresh(), 0)));
}

/// A reset, and a charge and a reset; exhaustive.
#[test]
fn fixed_reset_that_ends_late_brings_nothing_back() {
    both_ways(|| {
        exhaustive(|| scenarios::reset_that_ends_late_brings_nothing_back(fixed::fresh(), [0; 3]))
    });
}

/// Two callers of one charge, or of one and two, exhaustive; of two each, to 3. 14 s.
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

/// Two callers of one charge, exhaustive; of up to two, to 3. 5 s.
#[test]
fn log_units_leave_in_their_time() {
    exhaustive(|| log::units_leave_in_their_time(&[2], &[3]));
    bounded(3, || log::units_leave_in_their_time(&[2], &[1, 2]));
    bounded(3, || log::units_leave_in_their_time(&[1, 2], &[1, 3]));
}

/// Two callers of one charge; exhaustive. 0.3 s.
#[test]
fn log_charges_see_what_has_left() {
    exhaustive(log::charges_see_what_has_left);
}

/// A look and three charges that lap the ring; to 3, the other way to 2. 6 s.
#[test]
fn log_look_sees_one_state() {
    bounded(3, log::look_sees_one_state);
    other_way(|| bounded(2, log::look_sees_one_state));
}

/// A count beside a charge and a refund; to 2. 1 s.
#[test]
fn log_count_sees_a_charge_before_a_refund() {
    both_ways(|| bounded(2, log::count_sees_a_charge_before_a_refund));
}

/// A count beside two charges; to 3. 1 s.
#[test]
fn log_count_sees_what_has_left() {
    both_ways(|| bounded(3, log::count_sees_what_has_left));
}

/// A count beside two refunds; to 2. 1 s.
#[test]
fn log_count_sees_refunds_in_order() {
    both_ways(|| bounded(2, log::count_sees_refunds_in_order));
}

/// A debt that overwrites a point, and a late charge; exhaustive. 0.6 s.
#[test]
fn log_late_caller_forgets_nothing() {
    both_ways(|| exhaustive(log::late_caller_forgets_nothing));
}

/// Two callers of one charge, exhaustive; of up to two, to 3. 8 s.
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

/// A refund and a charge, of a recorded interval and of the head's; exhaustive.
#[test]
fn log_refund_makes_room() {
    both_ways(|| exhaustive(|| log::refund_makes_room(false)));
    both_ways(|| exhaustive(|| log::refund_makes_room(true)));
}

/// Two refunds and a charge, three callers; to 3. 4 s.
#[test]
fn log_refunds_are_counted_once() {
    bounded(3, log::refunds_are_counted_once);
}

/// A refund and a charge that opens a level, to 3.
#[test]
fn log_refund_meets_the_next_level() {
    both_ways(|| bounded(3, || log::refund_meets_the_next_level(3)));
}

/// A look and two charges, of which the second opens a level; to 1. 1 s.
#[test]
fn log_next_level_keeps_what_was_given_back() {
    both_ways(|| bounded(1, log::next_level_keeps_what_was_given_back));
}

/// A charge that opens a level with a refund after it, and a charge that has room on the level below; to 2.
#[test]
fn log_refund_on_the_next_level_is_found() {
    bounded(2, || log::refund_on_the_next_level_is_found(3));
}

/// Two callers of one debt, one of which opens a level; to 3.
#[test]
fn log_next_level_meets_a_lap() {
    bounded(3, || log::next_level_meets_a_lap(3));
}

/// Two callers of one debt, exhaustive; of one and two, to 3; of two each, to 2. 2 s.
#[test]
fn log_debt_in_a_full_ring_stays_long_enough() {
    exhaustive(|| log::debt_in_a_full_ring_stays_long_enough(&[1], &[2]));
    bounded(3, || {
        log::debt_in_a_full_ring_stays_long_enough(&[1, 3], &[2])
    });
    bounded(2, || {
        log::debt_in_a_full_ring_stays_long_enough(&[1, 3], &[2, 4])
    });
}

/// A charge and a look; exhaustive. 0.2 s.
#[test]
fn log_denial_tells_a_wait_of_one_state() {
    both_ways(|| exhaustive(log::denial_tells_a_wait_of_one_state));
}

/// A closer and a charge; exhaustive.
#[test]
fn log_closing_loses_no_charge() {
    both_ways(|| exhaustive(|| scenarios::closing_loses_no_charge(log::fresh(1), 0)));
}

/// A reset with a charge after it, and a refund; exhaustive. 0.1 s.
#[test]
fn log_refund_of_before_a_reset_is_void() {
    both_ways(|| exhaustive(|| scenarios::refund_of_before_a_reset_is_void(log::fresh(2), 0)));
}

/// A reset, and a charge and a reset; exhaustive.
#[test]
fn log_reset_that_ends_late_brings_nothing_back() {
    both_ways(|| {
        exhaustive(|| scenarios::reset_that_ends_late_brings_nothing_back(log::fresh(2), [0; 3]))
    });
}

/// A reset, and a charge, a reset, a charge and a refund; exhaustive. 0.9 s.
#[test]
fn log_reset_that_ends_late_leaves_refunds_of_what_comes_after() {
    both_ways(|| exhaustive(log::reset_that_ends_late_leaves_refunds_of_what_comes_after));
}

/// Two callers of two charges, on one slot and on two, at every max that matters; to 3. 0.7 s.
#[test]
fn ring_rotation_loses_no_charge() {
    for max in 1..=6 {
        bounded(3, move || ring::rotation_loses_no_charge(max, 1));
        bounded(3, move || ring::rotation_loses_no_charge(max, 2));
    }
}

/// A look and two debts, each of which opens a tick; exhaustive, the other way to 2. 8 s.
#[test]
fn ring_look_sees_one_state() {
    exhaustive(ring::look_sees_one_state);
    other_way(|| bounded(2, ring::look_sees_one_state));
}

/// Two callers of one charge, into the same tick and into others; exhaustive. 1.4 s.
#[test]
fn ring_rotations_agree() {
    for ticks in [[1, 1], [1, 2], [1, 3], [2, 4], [3, 3]] {
        exhaustive(move || ring::rotations_agree(ticks));
    }
}

/// Two callers of one charge, one of them late; exhaustive.
#[test]
fn ring_late_caller_sees_what_has_left_since() {
    both_ways(|| exhaustive(ring::late_caller_sees_what_has_left_since));
}

/// Three callers of one charge; to 3. 25 s.
#[test]
fn ring_three_rotate() {
    bounded(3, ring::three_rotate);
}

/// A refund and a charge that rotates; exhaustive. 0.2 s.
#[test]
fn ring_refund_meets_rotation() {
    for cost in [1, 2] {
        both_ways(|| exhaustive(move || ring::refund_meets_rotation(cost)));
    }
}

/// A refund of an earlier slot and a charge that rotates, exhaustive; two such refunds, to 3. 11 s.
#[test]
fn ring_refunds_meet_rotation() {
    exhaustive(|| ring::refunds_meet_rotation(1));
    bounded(3, || ring::refunds_meet_rotation(2));
}

/// A reset and a charge that rotates; exhaustive.
#[test]
fn ring_reset_meets_rotation() {
    both_ways(|| exhaustive(ring::reset_meets_rotation));
}

/// A closer and a charge; exhaustive.
#[test]
fn ring_closing_loses_no_charge() {
    both_ways(|| exhaustive(|| scenarios::closing_loses_no_charge(ring::fresh(1, 1), 0)));
}

/// A reset with a charge after it, and a refund; exhaustive.
#[test]
fn ring_refund_of_before_a_reset_is_void() {
    both_ways(|| exhaustive(|| scenarios::refund_of_before_a_reset_is_void(ring::fresh(2, 1), 0)));
}

/// A reset, and a charge and a reset; to 3.
#[test]
fn ring_reset_that_ends_late_brings_nothing_back() {
    both_ways(|| bounded(3, ring::reset_that_ends_late_brings_nothing_back));
}

/// A late caller and one of two ticks later; exhaustive.
#[test]
fn sharded_stock_serves_no_later_tick() {
    both_ways(|| exhaustive(sharded::stock_serves_no_later_tick::<Sharded>));
}

/// Two callers of two charges, of which the first draw; to 3, the other way to 2.
#[test]
fn sharded_draws_of_two_ticks_lose_nothing() {
    bounded(3, || sharded::draws_of_two_ticks_lose_nothing::<Sharded>(7));
    other_way(|| bounded(2, || sharded::draws_of_two_ticks_lose_nothing::<Sharded>(7)));
}

/// A charge from stock and one that needs it, in the same tick and in the next; to 3, the other way to 2.
#[test]
fn sharded_stock_is_taken_once() {
    for now in [0, SECOND] {
        bounded(3, move || sharded::stock_is_taken_once::<Sharded>(now));
        other_way(|| bounded(2, move || sharded::stock_is_taken_once::<Sharded>(now)));
    }
}

/// The same, exhaustive. 10 s.
#[test]
fn sharded_stock_is_taken_once_further() {
    for now in [0, SECOND] {
        exhaustive(move || sharded::stock_is_taken_once::<Sharded>(now));
    }
}

/// Two charges that need the same stock; exhaustive, the other way to 2.
#[test]
fn sharded_stock_is_gathered_once() {
    exhaustive(sharded::stock_is_gathered_once::<Sharded>);
    other_way(|| bounded(2, sharded::stock_is_gathered_once::<Sharded>));
}

/// All of these find nothing wrong with the rules by themselves; to 2.
#[test]
fn planted_right_rules_hold() {
    type Right = planted::Planted<planted::Right>;
    bounded(2, sharded::stock_serves_no_later_tick::<Right>);
    bounded(2, || sharded::draws_of_two_ticks_lose_nothing::<Right>(7));
    bounded(2, || sharded::stock_is_taken_once::<Right>(0));
    bounded(2, || sharded::stock_is_taken_once::<Right>(SECOND));
    bounded(2, sharded::stock_is_gathered_once::<Right>);
}

#[test]
#[should_panic(expected = "left == right")]
fn planted_stock_without_a_tick_is_found() {
    bounded(
        2,
        sharded::stock_serves_no_later_tick::<planted::Planted<planted::StockHasNoTick>>,
    );
}

#[test]
#[should_panic(expected = "left == right")]
fn planted_old_stock_for_new_is_found() {
    bounded(2, || {
        sharded::draws_of_two_ticks_lose_nothing::<planted::Planted<planted::OldStockReplacesNew>>(
            7,
        );
    });
}

#[test]
#[should_panic(expected = "left == right")]
fn planted_giving_back_before_taking_out_is_found() {
    bounded(2, || {
        sharded::stock_is_taken_once::<planted::Planted<planted::BackBeforeOut>>(0);
    });
}
