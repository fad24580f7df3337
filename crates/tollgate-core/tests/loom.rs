//! Every interleaving of a few callers on one limiter. Built and run with `RUSTFLAGS="--cfg model_loom"` only.
//!
//! What must hold is said at each race in `scenarios`; here are its shape, how far it is searched and how long that takes
//! in an optimised build. "Exhaustive" is without a bound on preemptions. A caller who waited for somebody else to move
//! would run into the checker's bound on steps, and fail.
#![cfg(model_loom)]

mod scenarios;

use loom::model::Builder;

fn exhaustive(race: impl Fn() + Sync + Send + 'static) {
    Builder::new().check(race);
}

fn bounded(preemptions: usize, race: impl Fn() + Sync + Send + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(race);
}

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
