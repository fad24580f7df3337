//! Every interleaving of a few callers on one gate. Built and run with `RUSTFLAGS="--cfg model_loom"` only.
//!
//! What must hold is said at each race in `scenarios`; here are its shape, how far it is searched and how long that takes
//! in an optimised build. The concurrent map and the queue of accounts are the real ones, which no checker looks into: a
//! call of them is one step.
#![cfg(model_loom)]

mod scenarios;

use scenarios::Back;
use tollgate_sync::model::bounded;

/// Two callers, one of whom is refused by the second limit. Two preemptions.
#[test]
fn limits_are_charged_all_or_none() {
    bounded(2, || scenarios::limits_are_charged_all_or_none(2, 1));
}

/// Three callers, two of whom are refused by the second limit. One preemption.
#[test]
fn limits_are_charged_all_or_none_by_three() {
    bounded(1, || scenarios::limits_are_charged_all_or_none(3, 1));
}

/// Two callers, one of whom is refused by the second limit and one of whom asks the first. Two preemptions.
#[test]
fn a_refused_request_takes_nothing_from_others() {
    bounded(2, scenarios::a_refused_request_takes_nothing_from_others);
}

/// Two callers who extend and settle. One preemption.
#[test]
fn extensions_are_settled_under_all_limits() {
    bounded(1, || scenarios::extensions_are_settled_under_all_limits(2));
}

/// A settlement beyond the estimate and an admission. Two preemptions.
#[test]
fn debt_is_kept_beside_an_admission() {
    bounded(2, scenarios::debt_is_kept_beside_an_admission);
}

/// A settlement beyond the estimate and a reload, after another reload. Two preemptions.
#[test]
fn debt_is_kept_beside_a_reload() {
    bounded(2, || scenarios::debt_is_kept_beside_a_reload("fixed"));
}

/// The same of a rate.
#[test]
fn debt_of_a_rate_is_kept_beside_a_reload() {
    bounded(2, || scenarios::debt_is_kept_beside_a_reload("gcra"));
}

/// A settlement below the estimate and a reload, after another reload. Two preemptions.
#[test]
fn a_surplus_comes_back_beside_a_reload() {
    bounded(2, || {
        scenarios::a_surplus_comes_back_beside_a_reload("fixed")
    });
}

/// The same of a rate.
#[test]
fn a_surplus_of_a_rate_comes_back_beside_a_reload() {
    bounded(2, || {
        scenarios::a_surplus_comes_back_beside_a_reload("gcra")
    });
}

/// Two callers. Two preemptions.
#[test]
fn a_new_account_is_made_once() {
    bounded(2, || scenarios::a_new_account_is_made_once(2, 1));
}

/// Two callers who come twice each. Three preemptions.
#[test]
fn places_are_counted() {
    bounded(3, || scenarios::places_are_counted(2));
}

/// Two callers. Two preemptions.
#[test]
fn a_refused_request_keeps_no_account() {
    bounded(2, || scenarios::a_refused_request_keeps_no_account(2));
}

/// One caller of the account and one who evicts it. Two preemptions.
#[test]
fn an_evicted_account_admits_nobody_twice() {
    bounded(2, || scenarios::an_evicted_account_admits_nobody_twice(1));
}

/// Two callers of the account and one who evicts it. One preemption.
#[test]
fn an_evicted_account_admits_none_of_two_twice() {
    bounded(1, || scenarios::an_evicted_account_admits_nobody_twice(2));
}

/// Two who evict an account each, as of other instants. Two preemptions.
#[test]
fn an_eviction_never_lowers_the_floor() {
    for algorithm in ["fixed", "calendar"] {
        bounded(2, move || {
            scenarios::an_eviction_never_lowers_the_floor(algorithm);
        });
    }
}

/// One who is about to make an account, and one who makes it, and evicts it. Three preemptions.
#[test]
fn an_evicted_accounts_floor_is_found() {
    for algorithm in ["fixed", "calendar"] {
        bounded(3, move || {
            scenarios::an_evicted_accounts_floor_is_found(algorithm);
        });
    }
}

/// A caller and a reload that raises or lowers the max. Two preemptions.
#[test]
fn a_reload_keeps_the_units() {
    bounded(2, || scenarios::a_reload_keeps_the_units(1, 1, 2));
    bounded(2, || scenarios::a_reload_keeps_the_units(1, 2, 1));
}

/// One who evicts it and a reload, two preemptions; with an owner who asks once beside them, one.
#[test]
fn a_reload_beside_an_eviction_forgets_nothing() {
    for (bound, calls) in [(2, 0), (1, 1)] {
        bounded(bound, move || {
            scenarios::a_reload_beside_an_eviction_forgets_nothing(calls);
        });
    }
}

/// Two callers and a reload. Two preemptions.
#[test]
fn a_reload_keeps_the_units_of_two() {
    bounded(2, || scenarios::a_reload_keeps_the_units(2, 1, 2));
}

/// A caller and a reload. Two preemptions.
#[test]
fn a_reload_is_in_force_when_it_returns() {
    bounded(2, scenarios::a_reload_is_in_force_when_it_returns);
}

/// Two reloads. Two preemptions.
#[test]
fn reloads_take_turns() {
    bounded(2, scenarios::reloads_take_turns);
}

/// Two callers. Two preemptions.
#[test]
fn a_crossing_is_told_once() {
    bounded(2, || scenarios::a_crossing_is_told_once(2));
}

/// One who waits and one who gives back. Two preemptions.
#[test]
fn no_wake_is_lost() {
    for back in [Back::Released, Back::Settled] {
        bounded(2, move || scenarios::no_wake_is_lost(back, false));
        bounded(2, move || scenarios::no_wake_is_lost(back, true));
    }
}

/// One who waits and a reload. Two preemptions.
#[test]
fn a_reload_wakes_who_waits() {
    for (max, share) in [(4, "0.5"), (2, "1.0")] {
        bounded(2, move || scenarios::a_reload_wakes_who_waits(max, share));
    }
}
