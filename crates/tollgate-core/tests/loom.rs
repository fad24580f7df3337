//! Every interleaving of a few callers on one limiter. Built and run with `RUSTFLAGS="--cfg model_loom"` only.
//!
//! "Exhaustive" means without a bound on preemptions; where there is one, it says so. Times are of an optimised build.
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

#[test]
fn two_callers_take_exactly_the_capacity() {
    for capacity in 1..=4 {
        exhaustive(move || scenarios::callers_take_exactly_the_capacity(2, 2, capacity));
    }
}

#[test]
fn three_callers_take_exactly_the_capacity() {
    bounded(3, || scenarios::callers_take_exactly_the_capacity(3, 2, 4));
}

#[test]
fn unequal_costs_fit_the_capacity() {
    exhaustive(scenarios::unequal_costs_fit_the_capacity);
}

#[test]
fn a_change_beside_one_caller_keeps_the_units() {
    exhaustive(|| scenarios::change_keeps_the_units(1, 3, 1, 2));
    exhaustive(|| scenarios::change_keeps_the_units(1, 3, 2, 1));
}

#[test]
fn a_raise_beside_two_callers_keeps_the_units() {
    bounded(3, || scenarios::change_keeps_the_units(2, 2, 2, 3));
}

#[test]
fn a_cut_beside_two_callers_keeps_the_units() {
    bounded(3, || scenarios::change_keeps_the_units(2, 2, 3, 1));
}

#[test]
fn changes_in_a_row_keep_the_units() {
    exhaustive(|| scenarios::changes_in_a_row_keep_the_units(2));
}

#[test]
fn changers_take_turns() {
    bounded(3, scenarios::changers_take_turns);
}

#[test]
fn reset_forgets_all_or_nothing() {
    exhaustive(scenarios::reset_forgets_all_or_nothing);
}

#[test]
fn dropped_turn_gives_back_or_forfeits() {
    for capacity in 1..=2 {
        exhaustive(move || scenarios::dropped_turn_gives_back_or_forfeits(capacity));
    }
}

#[test]
fn dropped_turns_never_give_back_twice() {
    bounded(3, scenarios::dropped_turns_never_give_back_twice);
}

#[test]
fn turn_dropped_in_a_change_gives_back_once() {
    exhaustive(scenarios::turn_dropped_in_a_change_gives_back_once);
}

#[test]
fn peeks_see_what_was_there() {
    bounded(3, || scenarios::peeks_see_what_was_there(false));
}

#[test]
fn peeks_in_a_change_see_what_was_there() {
    bounded(3, || scenarios::peeks_see_what_was_there(true));
}
