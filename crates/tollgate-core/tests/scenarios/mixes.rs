//! The races for schedules that no model reaches: more threads, longer mixes. `$run` runs one race many times.

/// A test for each race.
macro_rules! mixes {
    ($run:path) => {
        mod mixes {
            use super::scenarios::{self, sharded};
            use tollgate_core::{ManualClock, ShardedLimiter};

            type Sharded = ShardedLimiter<ManualClock>;

            #[test]
            fn callers_take_exactly_the_capacity() {
                $run(|| scenarios::callers_take_exactly_the_capacity(8, 10, 50));
                $run(|| scenarios::callers_take_exactly_the_capacity(3, 20, 50));
            }

            #[test]
            fn unequal_costs_fit_the_capacity() {
                $run(scenarios::unequal_costs_fit_the_capacity);
            }

            #[test]
            fn changes_keep_the_units() {
                $run(|| scenarios::change_keeps_the_units(2, 10, 8, 12));
                $run(|| scenarios::change_keeps_the_units(6, 4, 12, 4));
                $run(|| scenarios::changes_in_a_row_keep_the_units(10));
                $run(scenarios::changers_take_turns);
            }

            #[test]
            fn reset_forgets_all_or_nothing() {
                $run(scenarios::reset_forgets_all_or_nothing);
            }

            #[test]
            fn turns_are_due_one_after_the_other() {
                $run(|| scenarios::turns_are_due_one_after_the_other(3, 2));
                $run(|| scenarios::turns_are_due_one_after_the_other(6, 4));
            }

            #[test]
            fn dropped_turns_give_back_or_forfeit() {
                $run(|| scenarios::dropped_turn_gives_back_or_forfeits(1));
                $run(|| scenarios::dropped_turn_gives_back_or_forfeits(2));
                $run(scenarios::dropped_turns_never_give_back_twice);
                $run(scenarios::turn_dropped_in_a_change_gives_back_once);
            }

            #[test]
            fn advances_of_a_clock_add_up() {
                $run(|| scenarios::advances_of_a_clock_add_up(6, 4));
            }

            #[test]
            fn peeks_see_what_was_there() {
                $run(|| scenarios::peeks_see_what_was_there(false));
                $run(|| scenarios::peeks_see_what_was_there(true));
            }

            #[test]
            fn callers_of_shards_take_what_there_is() {
                for initial in [1, 3, 8] {
                    $run(move || sharded::callers_take_what_there_is(3, 10, 2, initial));
                    $run(move || sharded::callers_take_what_there_is(8, 3, 2, initial));
                    $run(move || sharded::callers_take_what_there_is(2, 10, 1, initial));
                }
                $run(|| sharded::callers_under_a_ceiling_leave_the_rest(4, 3));
            }

            #[test]
            fn a_gathered_cost_is_taken_whole_or_not_at_all() {
                for swapped in [false, true] {
                    let others = [1, 2, 1].as_slice();
                    $run(move || {
                        sharded::a_gathered_cost_is_taken_whole_or_not_at_all(5, 4, others, swapped)
                    });
                }
            }

            #[test]
            fn seats_have_one_owner() {
                for initial in [1, 3, 8] {
                    $run(move || sharded::a_seat_has_one_owner(initial));
                }
                for swapped in [false, true] {
                    $run(move || sharded::a_handle_shares_its_seat(5, 3, swapped));
                }
                $run(sharded::a_seat_is_claimed_once);
            }

            #[test]
            fn draws_are_no_older_than_their_room() {
                $run(sharded::two_draws_hold_no_more_than_the_room::<Sharded>);
                for swapped in [false, true] {
                    $run(move || sharded::a_draw_is_no_older_than_its_room::<Sharded>(swapped));
                    $run(move || sharded::a_handle_draws_no_older_than_its_room(swapped));
                }
            }

            #[test]
            fn a_fill_beside_a_take_loses_neither() {
                $run(|| sharded::a_fill_beside_a_take_loses_neither(false));
                $run(|| sharded::a_fill_beside_a_take_loses_neither(true));
            }

            #[test]
            fn stock_is_used_no_earlier_than_drawn() {
                for (same, swapped) in [(false, false), (false, true), (true, false), (true, true)]
                {
                    let shard = usize::from(!same);
                    $run(move || sharded::stock_is_used_no_earlier_than_drawn(shard, swapped));
                    $run(move || sharded::a_seat_is_used_no_earlier_than_filled(same, swapped));
                }
            }
        }
    };
}

pub(crate) use mixes;
