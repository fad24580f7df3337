//! The races for schedules that no model reaches. `$run` runs one race many times.

/// A test for each race.
macro_rules! mixes {
    ($run:path) => {
        mod mixes {
            use super::scenarios::{self, SECOND, fixed, log, ring, sharded};
            use tollgate_core::ManualClock;
            use tollgate_window::ShardedRing;

            type Ring = ShardedRing<ManualClock>;

            #[test]
            fn fixed_windows() {
                $run(|| fixed::rollover_loses_no_charge(3));
                $run(fixed::late_caller_waits_for_the_window);
                $run(fixed::refund_touches_no_other_period);
                $run(fixed::what_ended_is_told_with_its_period);
                $run(fixed::what_ended_is_handed_on_once);
                $run(fixed::refunds_and_charges_add_up);
                $run(|| fixed::rollover_carries_debt(3, &[1, 2], &[2, 3]));
                $run(fixed::lowered_max_makes_no_debt);
                $run(fixed::new_counter_knows_the_old_max_from_the_start);
                $run(fixed::restored_counter_knows_the_old_max_from_the_start);
                $run(fixed::who_finds_a_counter_closed_finds_the_next);
                $run(|| fixed::refund_meets_a_change_of_max(1));
                $run(|| fixed::change_of_max_has_one_period(1));
                $run(|| scenarios::closing_loses_no_charge(fixed::fresh(), 0));
                $run(|| scenarios::refund_of_before_a_reset_is_void(fixed::fresh(), 0));
                $run(|| {
                    scenarios::reset_that_ends_late_brings_nothing_back(fixed::fresh(), [0; 3])
                });
            }

            #[test]
            fn log_charges() {
                $run(|| log::charges_take_exactly_the_max(3, &[1, 3], &[2, 3]));
                $run(|| log::units_leave_in_their_time(&[1, 2], &[1, 3]));
                $run(log::charges_see_what_has_left);
                $run(log::look_sees_one_state);
                $run(log::late_caller_forgets_nothing);
                $run(|| {
                    log::law_holds_across_a_lap(
                        &[SECOND, SECOND + 10],
                        &[SECOND + 5, 2 * SECOND + 5],
                    )
                });
                $run(|| log::debt_in_a_full_ring_stays_long_enough(&[1, 3], &[2, 4]));
                $run(log::denial_tells_a_wait_of_one_state);
            }

            #[test]
            fn log_refunds() {
                $run(|| log::refund_makes_room(false));
                $run(|| log::refund_makes_room(true));
                $run(log::refunds_are_counted_once);
                $run(log::count_sees_a_charge_before_a_refund);
                $run(log::count_sees_refunds_in_order);
                $run(log::count_sees_what_has_left);
                $run(|| log::refund_meets_the_next_level(FULL));
                $run(|| log::refund_on_the_next_level_is_found(FULL));
                $run(|| log::next_level_meets_a_lap(FULL));
                $run(log::next_level_keeps_what_was_given_back);
                $run(|| scenarios::closing_loses_no_charge(log::fresh(1), 0));
                $run(|| scenarios::refund_of_before_a_reset_is_void(log::fresh(2), 0));
                $run(|| scenarios::reset_that_ends_late_brings_nothing_back(log::fresh(2), [0; 3]));
                $run(log::reset_that_ends_late_leaves_refunds_of_what_comes_after);
            }

            /// Charges that fill the first level of a log.
            const FULL: u64 = 16;

            #[test]
            fn rings() {
                $run(|| ring::rotation_loses_no_charge(4, 1));
                $run(|| ring::rotation_loses_no_charge(4, 2));
                $run(ring::look_sees_one_state);
                $run(|| ring::rotations_agree([1, 3]));
                $run(|| ring::refund_meets_rotation(2));
                $run(|| ring::refunds_meet_rotation(2));
                $run(ring::late_caller_sees_what_has_left_since);
                $run(ring::three_rotate);
                $run(ring::reset_meets_rotation);
                $run(|| scenarios::closing_loses_no_charge(ring::fresh(1, 1), 0));
                $run(|| scenarios::refund_of_before_a_reset_is_void(ring::fresh(2, 1), 0));
                $run(ring::reset_that_ends_late_brings_nothing_back);
            }

            #[test]
            fn sharded_rings() {
                $run(sharded::stock_serves_no_later_tick::<Ring>);
                $run(|| sharded::draws_of_two_ticks_lose_nothing::<Ring>(7));
                $run(|| sharded::stock_is_taken_once::<Ring>(0));
                $run(|| sharded::stock_is_taken_once::<Ring>(SECOND));
                $run(sharded::stock_is_gathered_once::<Ring>);
            }
        }
    };
}

pub(crate) use mixes;
