//! Every interleaving of a few callers on one limiter. Built and run with `RUSTFLAGS="--cfg model_loom"` only.
//!
//! What must hold is said at each race in `scenarios`; here are its shape, how far it is searched and how long that takes
//! in an optimised build. "Exhaustive" is without a bound on preemptions. A caller who waited for somebody else to move
//! would run into the checker's bound on steps, and fail.
#![cfg(model_loom)]

mod scenarios;

use scenarios::{
    planted::{DrawsFirst, Planted, ReadsTheClockFirst, Right},
    sharded,
};
use tollgate_core::{ManualClock, ShardedLimiter};
use tollgate_sync::model::{bounded, exhaustive};

/// Two callers of two units each, for capacities of 1 to 4. Exhaustive, 0.3 s.
#[test]
fn two_callers_take_exactly_the_capacity() {
    for capacity in 1..=4 {
        exhaustive(move || scenarios::callers_take_exactly_the_capacity(2, 2, capacity));
    }
}

/// Three callers of two units each, capacity 4. Three preemptions, 9 s.
#[test]
fn three_callers_take_exactly_the_capacity() {
    bounded(3, || scenarios::callers_take_exactly_the_capacity(3, 2, 4));
}

/// Two callers. Exhaustive, 20 ms.
#[test]
fn unequal_costs_fit_the_capacity() {
    exhaustive(scenarios::unequal_costs_fit_the_capacity);
}

/// One caller of three units, the limit raised and cut. Exhaustive, 0.1 s.
#[test]
fn a_change_beside_one_caller_keeps_the_units() {
    exhaustive(|| scenarios::change_keeps_the_units(1, 3, 1, 2));
    exhaustive(|| scenarios::change_keeps_the_units(1, 3, 2, 1));
}

/// Two callers of two units each and one who changes the limit. Three preemptions, 3 s.
#[test]
fn a_raise_beside_two_callers_keeps_the_units() {
    bounded(3, || scenarios::change_keeps_the_units(2, 2, 2, 3));
}

/// As above. Three preemptions, 2 s.
#[test]
fn a_cut_beside_two_callers_keeps_the_units() {
    bounded(3, || scenarios::change_keeps_the_units(2, 2, 3, 1));
}

/// One caller of two units, two changes. Exhaustive, 10 s.
#[test]
fn changes_in_a_row_keep_the_units() {
    exhaustive(|| scenarios::changes_in_a_row_keep_the_units(2));
}

/// Two who change the limit and a caller. Three preemptions, 0.1 s.
#[test]
fn changers_take_turns() {
    bounded(3, scenarios::changers_take_turns);
}

/// One caller of two units and a reset. Exhaustive, 20 ms.
#[test]
fn reset_forgets_all_or_nothing() {
    exhaustive(scenarios::reset_forgets_all_or_nothing);
}

/// Two who take a turn, for capacities of 1 and 2. Exhaustive, 10 ms.
#[test]
fn turns_are_due_one_after_the_other() {
    for capacity in 1..=2 {
        exhaustive(move || scenarios::turns_are_due_one_after_the_other(2, capacity));
    }
}

/// A turn and a caller, for capacities of 1 and 2. Exhaustive, 10 ms.
#[test]
fn dropped_turn_gives_back_or_forfeits() {
    for capacity in 1..=2 {
        exhaustive(move || scenarios::dropped_turn_gives_back_or_forfeits(capacity));
    }
}

/// Two turns and a caller. Three preemptions, 0.2 s.
#[test]
fn dropped_turns_never_give_back_twice() {
    bounded(3, scenarios::dropped_turns_never_give_back_twice);
}

/// A turn, a change, a caller after it. Exhaustive, 0.5 s.
#[test]
fn turn_dropped_in_a_change_gives_back_once() {
    exhaustive(scenarios::turn_dropped_in_a_change_gives_back_once);
}

/// A caller of two units, two peeks. Three preemptions, 30 ms.
#[test]
fn peeks_see_what_was_there() {
    bounded(3, || scenarios::peeks_see_what_was_there(false));
}

/// As above beside a change. Three preemptions, 1 s.
#[test]
fn peeks_in_a_change_see_what_was_there() {
    bounded(3, || scenarios::peeks_see_what_was_there(true));
}

/// Stock taken, refilled and stolen: a caller of each of two shards, for one unit to five among shards and parent.
/// Exhaustive, 0.2 s.
#[test]
fn callers_of_two_shards_take_what_there_is() {
    for initial in 1..=5 {
        exhaustive(move || sharded::callers_take_what_there_is(2, 2, 2, initial));
    }
}

/// Two callers of one shard, for one unit to four in it and in the parent. Exhaustive, 3 s.
#[test]
fn callers_of_one_shard_take_what_there_is() {
    for initial in 1..=4 {
        exhaustive(move || sharded::callers_take_what_there_is(2, 2, 1, initial));
    }
}

/// Three callers of one unit each, two of them of one shard. Three preemptions, 0.3 s.
#[test]
fn three_callers_of_two_shards_take_what_there_is() {
    for initial in 1..=4 {
        bounded(3, move || {
            sharded::callers_take_what_there_is(3, 1, 2, initial)
        });
    }
}

/// Two callers of two units each. Exhaustive, 20 ms.
#[test]
fn callers_under_a_ceiling_leave_the_rest() {
    exhaustive(|| sharded::callers_under_a_ceiling_leave_the_rest(2, 2));
}

/// A draw and a take. Exhaustive, 10 ms.
#[test]
fn a_fill_beside_a_take_loses_neither() {
    for swapped in [false, true] {
        exhaustive(move || sharded::a_fill_beside_a_take_loses_neither(swapped));
    }
}

/// One who needs all there is or all but one, beside one who takes some of it. Three preemptions,
/// 1 s.
#[test]
fn a_gathered_cost_is_taken_whole_or_not_at_all() {
    for (initial, wanted, others) in [
        (2, 2, [1].as_slice()),
        (2, 2, &[2]),
        (3, 3, &[1, 1]),
        (3, 2, &[2]),
        (4, 4, &[1]),
        (4, 3, &[2]),
    ] {
        for swapped in [false, true] {
            bounded(3, move || {
                sharded::a_gathered_cost_is_taken_whole_or_not_at_all(
                    initial, wanted, others, swapped,
                );
            });
        }
    }
}

/// A handle of two units, and one who gathers up to four and then takes one. Three preemptions, 3 s.
#[test]
fn a_handle_shares_its_seat() {
    for (initial, wanted) in [(1, 1), (2, 1), (2, 2), (3, 2), (3, 3), (5, 4)] {
        for swapped in [false, true] {
            bounded(3, move || {
                sharded::a_handle_shares_its_seat(initial, wanted, swapped)
            });
        }
    }
}

/// Two handles of two units each, one seat. Exhaustive, 5 s.
#[test]
fn a_seat_has_one_owner() {
    for initial in 1..=4 {
        exhaustive(move || sharded::a_seat_has_one_owner(initial));
    }
}

/// Two handles, one seat. Exhaustive, 1 ms.
#[test]
fn a_seat_is_claimed_once() {
    exhaustive(sharded::a_seat_is_claimed_once);
}

/// Two who advance it twice each. Exhaustive, milliseconds.
#[test]
fn advances_of_a_clock_add_up() {
    exhaustive(|| scenarios::advances_of_a_clock_add_up(2, 2));
}

/// Two draws at once. Exhaustive, 0.1 s.
#[test]
fn two_draws_hold_no_more_than_the_room() {
    exhaustive(sharded::two_draws_hold_no_more_than_the_room::<ShardedLimiter<ManualClock>>);
    exhaustive(sharded::two_draws_hold_no_more_than_the_room::<Planted<Right>>);
}

/// The model bites: the same race on a limiter that speaks for room after it drew.
#[test]
#[should_panic(expected = "9 units at one instant")]
fn drawing_first_is_found() {
    exhaustive(sharded::two_draws_hold_no_more_than_the_room::<Planted<DrawsFirst>>);
}

/// A draw, and one who uses the stock after the clock moved. Exhaustive, 0.2 s.
#[test]
fn a_draw_is_no_older_than_its_room() {
    for swapped in [false, true] {
        exhaustive(move || {
            sharded::a_draw_is_no_older_than_its_room::<ShardedLimiter<ManualClock>>(swapped);
        });
        exhaustive(move || sharded::a_draw_is_no_older_than_its_room::<Planted<Right>>(swapped));
    }
}

/// The model bites: the same race on a limiter that reads the clock before it speaks for room.
#[test]
#[should_panic(expected = "9 units at one instant")]
fn reading_the_clock_first_is_found() {
    exhaustive(|| sharded::a_draw_is_no_older_than_its_room::<Planted<ReadsTheClockFirst>>(false));
}

/// A draw after the clock moved, and one who takes what it put by, in the same shard and in another.
/// Exhaustive, 0.1 s.
#[test]
fn stock_is_used_no_earlier_than_drawn() {
    for (shard, swapped) in [(0, false), (0, true), (1, false), (1, true)] {
        exhaustive(move || sharded::stock_is_used_no_earlier_than_drawn(shard, swapped));
    }
}

/// The same of a seat, whose next owner takes what was put by, or a shard. Exhaustive, 0.1 s.
#[test]
fn a_seat_is_used_no_earlier_than_filled() {
    for (by_owner, swapped) in [(false, false), (false, true), (true, false), (true, true)] {
        exhaustive(move || sharded::a_seat_is_used_no_earlier_than_filled(by_owner, swapped));
    }
}

/// A handle that draws, and one that uses the seat's stock after the clock moved. Exhaustive, 0.3 s.
#[test]
fn a_handle_draws_no_older_than_its_room() {
    for swapped in [false, true] {
        exhaustive(move || sharded::a_handle_draws_no_older_than_its_room(swapped));
    }
}
