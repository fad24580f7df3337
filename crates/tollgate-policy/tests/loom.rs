//! Every interleaving of a few callers on one gate. Built and run with `RUSTFLAGS="--cfg model_loom"` only.
//!
//! What must hold is said at each race in `scenarios`; here are its shape, how far it is searched (*to n*: n preemptions) and how
//! long that takes in an optimised build, on a machine of two cores that was busy with more. The concurrent map and the queue of accounts are the real ones, which no checker looks into: a
//! call of them is one step.
#![cfg(model_loom)]

mod scenarios;

use scenarios::Back;
use tollgate_sync::model::{bounded, exhaustive};

/// Two callers, one of whom is refused by the second limit; to 2.
#[test]
fn limits_are_charged_all_or_none() {
    bounded(2, || scenarios::limits_are_charged_all_or_none(2, 1));
}

/// The same to 3. 10 s.
#[test]
fn limits_are_charged_all_or_none_further() {
    bounded(3, || scenarios::limits_are_charged_all_or_none(2, 1));
}

/// Three callers, two of whom are refused by the second limit; to 1. To 2 it takes more than a minute.
#[test]
fn limits_are_charged_all_or_none_by_three() {
    bounded(1, || scenarios::limits_are_charged_all_or_none(3, 1));
}

/// Two callers, one of whom is refused by the second limit and one of whom asks the first; exhaustive. 0.1 s.
#[test]
fn a_refused_request_takes_nothing_from_others() {
    exhaustive(scenarios::a_refused_request_takes_nothing_from_others);
}

/// Two callers who extend and settle; to 1. To 2 it takes more than a minute.
#[test]
fn extensions_are_settled_under_all_limits() {
    bounded(1, || scenarios::extensions_are_settled_under_all_limits(2));
}

/// A settlement beyond the estimate and an admission; exhaustive. 2 s.
#[test]
fn debt_is_kept_beside_an_admission() {
    exhaustive(scenarios::debt_is_kept_beside_an_admission);
}

/// A settlement beyond the estimate and a reload, after another reload; to 2. 3 s.
#[test]
fn debt_is_kept_beside_a_reload() {
    bounded(2, || scenarios::debt_is_kept_beside_a_reload("fixed"));
}

/// The same of a rate; to 2. 7 s.
#[test]
fn debt_of_a_rate_is_kept_beside_a_reload() {
    bounded(2, || scenarios::debt_is_kept_beside_a_reload("gcra"));
}

/// Both once more; to 3. 54 s and 100 s.
#[test]
fn debt_is_kept_beside_a_reload_further() {
    for algorithm in ["fixed", "gcra"] {
        bounded(3, move || {
            scenarios::debt_is_kept_beside_a_reload(algorithm)
        });
    }
}

/// A settlement below the estimate and a reload, after another reload; exhaustive. 1 s.
#[test]
fn a_surplus_comes_back_beside_a_reload() {
    exhaustive(|| scenarios::a_surplus_comes_back_beside_a_reload("fixed"));
}

/// The same of a rate; exhaustive. 4 s.
#[test]
fn a_surplus_of_a_rate_comes_back_beside_a_reload() {
    exhaustive(|| scenarios::a_surplus_comes_back_beside_a_reload("gcra"));
}

/// Two callers; to 3. 2 s.
#[test]
fn a_new_account_is_made_once() {
    bounded(3, || scenarios::a_new_account_is_made_once(2, 1));
}

/// Two callers who come twice each; to 3. 7 s.
#[test]
fn places_are_counted() {
    bounded(3, || scenarios::places_are_counted(2));
}

/// Two callers; to 2. 4 s; to 3 it takes more than 150 s.
#[test]
fn a_refused_request_keeps_no_account() {
    bounded(2, || scenarios::a_refused_request_keeps_no_account(2));
}

/// One caller of the account and one who evicts it; to 3. 14 s.
#[test]
fn an_evicted_account_admits_nobody_twice() {
    bounded(3, || scenarios::an_evicted_account_admits_nobody_twice(1));
}

/// Two callers of the account and one who evicts it; to 2. 25 s.
#[test]
fn an_evicted_account_admits_none_of_two_twice() {
    bounded(2, || scenarios::an_evicted_account_admits_nobody_twice(2));
}

/// Two who evict an account each, as of other instants; to 2. 7 s.
#[test]
fn an_eviction_never_lowers_the_floor() {
    for algorithm in ["fixed", "calendar"] {
        bounded(2, move || {
            scenarios::an_eviction_never_lowers_the_floor(algorithm);
        });
    }
}

/// One who is about to make an account, and one who makes it, and evicts it; to 3. 10 s.
#[test]
fn an_evicted_accounts_floor_is_found() {
    for algorithm in ["fixed", "calendar"] {
        bounded(3, move || {
            scenarios::an_evicted_accounts_floor_is_found(algorithm);
        });
    }
}

/// One who is about to make an account, and one who makes it, evicts it, and comes again; to 4. A minute or two.
#[test]
fn a_charge_hides_no_floor() {
    bounded(4, scenarios::a_charge_hides_no_floor);
}

/// A caller and a reload that raises or lowers the max; to 3. 6 s.
#[test]
fn a_reload_keeps_the_units() {
    bounded(3, || scenarios::a_reload_keeps_the_units(1, 1, 2));
    bounded(3, || scenarios::a_reload_keeps_the_units(1, 2, 1));
}

/// One who evicts it and a reload, to 2; with an owner who asks once beside them, to 1. 10 s.
#[test]
fn a_reload_beside_an_eviction_forgets_nothing() {
    for (bound, calls) in [(2, 0), (1, 1)] {
        bounded(bound, move || {
            scenarios::a_reload_beside_an_eviction_forgets_nothing(calls);
        });
    }
}

/// Two callers and a reload; to 2. 25 s.
#[test]
fn a_reload_keeps_the_units_of_two() {
    bounded(2, || scenarios::a_reload_keeps_the_units(2, 1, 2));
}

/// A caller and a reload; exhaustive. 1 s.
#[test]
fn a_reload_is_in_force_when_it_returns() {
    exhaustive(scenarios::a_reload_is_in_force_when_it_returns);
}

/// Two reloads; exhaustive. 0.1 s.
#[test]
fn reloads_take_turns() {
    exhaustive(scenarios::reloads_take_turns);
}

/// Two callers; to 3. 4 s.
#[test]
fn a_crossing_is_told_once() {
    bounded(3, || scenarios::a_crossing_is_told_once(2));
}

/// One who waits and one who gives back; to 3. 7 s.
#[test]
fn no_wake_is_lost() {
    for back in [Back::Released, Back::Settled] {
        bounded(3, move || scenarios::no_wake_is_lost(back, false));
        bounded(3, move || scenarios::no_wake_is_lost(back, true));
    }
}

/// One who waits and a reload; to 2. 5 s.
#[test]
fn a_reload_wakes_who_waits() {
    for (max, share) in [(4, "0.5"), (2, "1.0")] {
        bounded(2, move || scenarios::a_reload_wakes_who_waits(max, share));
    }
}

/// The same; to 3. 47 s.
#[test]
fn a_reload_wakes_who_waits_further() {
    for (max, share) in [(4, "0.5"), (2, "1.0")] {
        bounded(3, move || scenarios::a_reload_wakes_who_waits(max, share));
    }
}
