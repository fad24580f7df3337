//! The races for schedules that no model reaches: more threads. `$run` runs one race many times.

/// A test for each race.
macro_rules! mixes {
    ($run:path) => {
        mod mixes {
            use super::scenarios;

            #[test]
            fn limits_are_charged_all_or_none() {
                $run(|| scenarios::limits_are_charged_all_or_none(3, 1));
                $run(|| scenarios::limits_are_charged_all_or_none(6, 4));
            }

            #[test]
            fn a_refused_request_takes_nothing_from_others() {
                $run(scenarios::a_refused_request_takes_nothing_from_others);
            }

            #[test]
            fn extensions_are_settled_under_all_limits() {
                $run(|| scenarios::extensions_are_settled_under_all_limits(3));
            }

            #[test]
            fn debt_is_kept_beside_an_admission() {
                $run(scenarios::debt_is_kept_beside_an_admission);
                $run(|| scenarios::debt_is_kept_beside_a_reload("fixed"));
                $run(|| scenarios::debt_is_kept_beside_a_reload("gcra"));
            }

            #[test]
            fn a_surplus_comes_back_beside_a_reload() {
                $run(|| scenarios::a_surplus_comes_back_beside_a_reload("fixed"));
                $run(|| scenarios::a_surplus_comes_back_beside_a_reload("gcra"));
            }

            #[test]
            fn a_new_account_is_made_once() {
                $run(|| scenarios::a_new_account_is_made_once(6, 4));
            }

            #[test]
            fn places_are_counted() {
                $run(|| scenarios::places_are_counted(5));
                $run(|| scenarios::a_refused_request_keeps_no_account(4));
            }

            #[test]
            fn an_eviction_never_lowers_the_floor() {
                $run(|| scenarios::an_eviction_never_lowers_the_floor("fixed"));
                $run(|| scenarios::an_eviction_never_lowers_the_floor("calendar"));
                $run(|| scenarios::an_evicted_accounts_floor_is_found("fixed"));
                $run(scenarios::a_charge_hides_no_floor);
            }

            #[test]
            fn an_evicted_account_admits_nobody_twice() {
                $run(|| scenarios::an_evicted_account_admits_nobody_twice(1));
                $run(|| scenarios::an_evicted_account_admits_nobody_twice(5));
            }

            #[test]
            fn a_reload_keeps_the_units() {
                $run(|| scenarios::a_reload_keeps_the_units(4, 3, 5));
                $run(|| scenarios::a_reload_keeps_the_units(4, 5, 2));
            }

            #[test]
            fn a_reload_beside_an_eviction_forgets_nothing() {
                $run(|| scenarios::a_reload_beside_an_eviction_forgets_nothing(1));
                $run(|| scenarios::a_reload_beside_an_eviction_forgets_nothing(3));
            }

            #[test]
            fn a_reload_is_in_force_when_it_returns() {
                $run(scenarios::a_reload_is_in_force_when_it_returns);
                $run(scenarios::reloads_take_turns);
            }

            #[test]
            fn a_crossing_is_told_once() {
                $run(|| scenarios::a_crossing_is_told_once(6));
            }

            #[test]
            fn no_wake_is_lost() {
                for back in [scenarios::Back::Released, scenarios::Back::Settled] {
                    $run(move || scenarios::no_wake_is_lost(back, false));
                    $run(move || scenarios::no_wake_is_lost(back, true));
                }
                $run(|| scenarios::a_reload_wakes_who_waits(4, "0.5"));
                $run(|| scenarios::a_reload_wakes_who_waits(2, "1.0"));
            }
        }
    };
}

pub(crate) use mixes;
