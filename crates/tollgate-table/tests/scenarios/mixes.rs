//! The races for schedules that no model reaches. `$run` runs one race many times.

/// A test for each race.
macro_rules! mixes {
    ($run:path) => {
        mod mixes {
            use super::scenarios::{self, Plan};

            fn sound(plan: Plan) -> Plan {
                plan
            }

            #[test]
            fn a_new_key_gets_one_slot() {
                $run(|| scenarios::a_new_key_gets_one_slot(4, 4, 1, sound));
                // As many slots as callers: who finds all others reserved by callers of the same key is told that there is none.
                $run(|| scenarios::a_new_key_gets_one_slot(4, 4, 3, sound));
            }

            #[test]
            fn a_new_key_gets_one_slot_whoever_sees_it_free() {
                $run(|| {
                    scenarios::a_new_key_gets_one_slot_whoever_sees_it_free(2, 2, sound);
                });
                $run(|| {
                    scenarios::a_new_key_gets_one_slot_whoever_sees_it_free(4, 4, sound);
                });
            }

            #[test]
            fn slots_change_owners_once() {
                $run(|| scenarios::a_late_hit_never_charges_the_new_owner(2, 2, sound));
                $run(|| scenarios::a_late_denial_tells_of_its_own_key(false, sound));
                $run(|| scenarios::a_late_denial_tells_of_its_own_key(true, sound));
                $run(|| scenarios::a_late_look_sees_its_own_key(false, sound));
                $run(|| scenarios::a_late_look_sees_its_own_key(true, sound));
                $run(|| scenarios::a_late_reset_forgets_no_other_key(sound));
                $run(|| scenarios::a_tat_that_comes_back_is_another_keys(false, sound));
                $run(|| scenarios::a_tat_that_comes_back_is_another_keys(true, sound));
                $run(|| scenarios::one_slot_has_one_owner(sound));
                $run(|| scenarios::two_new_keys_get_a_slot_each(sound));
                $run(|| scenarios::keys_without_a_slot_share_a_cell(sound));
                $run(|| scenarios::a_shared_cell_always_answers(sound));
            }

            #[test]
            fn two_limits_are_charged_both_or_none() {
                $run(|| scenarios::two_limits_are_charged_both_or_none(4, true, sound));
                $run(|| scenarios::two_limits_are_charged_both_or_none(4, false, sound));
            }

            #[test]
            fn a_reset_forgets_all_or_nothing() {
                $run(|| scenarios::a_reset_forgets_all_or_nothing(sound));
            }
        }
    };
}

pub(crate) use mixes;
