//! Every interleaving of a few callers on one table. Built and run with `RUSTFLAGS="--cfg model_loom"` only.
//!
//! What must hold is said at each race, in `scenarios`, in `tollgate_table::models` or in `back_outs`; here are its shape, how far it is
//! searched and how long that takes in an optimised build. A line has one slot here, so that a table of three lines is
//! three slots, which all keys see in the same order. After that come mistakes, each of which has to be found.
#![cfg(model_loom)]

mod scenarios;

use scenarios::{Plan, both_ways};
use tollgate_sync::model::{bounded, exhaustive};
use tollgate_table::{
    Flaw, back_outs, exact_models,
    models::{
        self,
        Start::{self, Dead, Outside, Published, Reserved},
    },
};

fn claims(preemptions: usize, starts: &'static [Start], slots: usize) {
    bounded(preemptions, move || models::race(starts, slots, None));
}

fn sound(plan: Plan) -> Plan {
    plan
}

/// Two callers, two slots. Three preemptions, 0.4 s.
#[test]
fn a_new_key_gets_one_slot() {
    bounded(3, || scenarios::a_new_key_gets_one_slot(2, 2, 1, sound));
}

/// Two callers, two slots, of which one is free to one of them only. Three preemptions, 1 s.
#[test]
fn a_new_key_gets_one_slot_whoever_sees_it_free() {
    bounded(3, || {
        scenarios::a_new_key_gets_one_slot_whoever_sees_it_free(2, 2, sound);
    });
}

/// Two callers who have reserved a slot each. Exhaustive, 0.6 s.
#[test]
fn two_claims_become_one_slot() {
    exhaustive(|| models::race(&[Reserved(0), Reserved(1)], 2, None));
}

/// Two callers who have published a claim each: to activate beside to kill. Exhaustive, 0.3 s.
#[test]
fn a_claim_is_killed_or_activated() {
    exhaustive(|| models::race(&[Published(0), Published(1)], 2, None));
}

/// Three callers, to each of whom another of three slots was free. Two preemptions, 10 s.
#[test]
fn three_claims_become_one_slot() {
    claims(2, &[Reserved(0), Reserved(1), Published(2)], 3);
}

/// Two claims and a caller who meets them. Three preemptions, 5 s.
#[test]
fn claims_are_finished_by_whoever_meets_them() {
    claims(3, &[Published(0), Published(1), Outside], 2);
}

/// Four callers, to three of whom another of three slots was free. No preemption, that is, in every order: with one
/// it would take minutes.
#[test]
fn four_callers_get_one_slot() {
    claims(0, &[Reserved(0), Reserved(1), Published(2), Outside], 3);
}

/// Four callers, to each of whom another of four slots was free, of whom two have published. As above.
#[test]
fn four_claims_become_one_slot() {
    claims(
        0,
        &[Reserved(0), Reserved(1), Published(2), Published(3)],
        4,
    );
}

/// Four callers, two slots. One preemption.
#[test]
fn four_callers_of_two_slots_get_one() {
    claims(1, &[Reserved(0), Reserved(1), Outside, Outside], 2);
}

/// Two claims and two callers who meet them. One preemption, 2 s.
#[test]
fn two_callers_meet_two_claims() {
    claims(1, &[Published(0), Published(1), Outside, Outside], 2);
}

/// A claim whose caller died, one in the making, and a caller who meets both. Three preemptions.
#[test]
fn a_dead_callers_claim_is_finished() {
    claims(3, &[Dead(1), Outside, Reserved(0)], 2);
}

/// A call or two of a known and a new key each, two slots. Three preemptions, 1 s.
#[test]
fn a_late_hit_never_charges_the_new_owner() {
    for calls in [1, 2] {
        both_ways(|| {
            bounded(3, move || {
                scenarios::a_late_hit_never_charges_the_new_owner(2, calls, sound);
            });
        });
    }
}

/// A caller with an old `now` and one who takes the slot of its key for another, or of another for its key. Exhaustive; 1 s.
#[test]
fn a_late_denial_tells_of_its_own_key() {
    for known in [false, true] {
        both_ways(|| {
            exhaustive(move || scenarios::a_late_denial_tells_of_its_own_key(known, sound));
        });
    }
}

/// A look with an old `now` and one who takes the slot of its key for another, or of another for its key. Exhaustive.
#[test]
fn a_late_look_sees_its_own_key() {
    for known in [false, true] {
        both_ways(|| {
            exhaustive(move || scenarios::a_late_look_sees_its_own_key(known, sound));
        });
    }
}

/// A reset of an expired key and three calls of a new one, one slot. Exhaustive.
#[test]
fn a_late_reset_forgets_no_other_key() {
    both_ways(|| exhaustive(|| scenarios::a_late_reset_forgets_no_other_key(sound)));
}

/// A caller of a known key beside a reset and a new key, one slot. Exhaustive; 2 s.
#[test]
fn a_tat_that_comes_back_is_another_keys() {
    both_ways(|| exhaustive(|| scenarios::a_tat_that_comes_back_is_another_keys(false, sound)));
}

/// The same with a second reset in the caller's place. Exhaustive.
#[test]
fn a_tat_that_comes_back_is_not_reset() {
    both_ways(|| exhaustive(|| scenarios::a_tat_that_comes_back_is_another_keys(true, sound)));
}

/// A known and a new key, one slot. Three preemptions, 20 ms.
#[test]
fn one_slot_has_one_owner() {
    both_ways(|| bounded(3, || scenarios::one_slot_has_one_owner(sound)));
}

/// Two new keys, two slots. Three preemptions, 50 ms.
#[test]
fn two_new_keys_get_a_slot_each() {
    both_ways(|| bounded(3, || scenarios::two_new_keys_get_a_slot_each(sound)));
}

/// Two callers of a known key, and of a new one. Three preemptions, 0.1 s; two, 5 s.
#[test]
fn two_limits_are_charged_both_or_none() {
    bounded(3, || {
        scenarios::two_limits_are_charged_both_or_none(2, true, sound);
    });
    bounded(2, || {
        scenarios::two_limits_are_charged_both_or_none(2, false, sound);
    });
}

/// Three callers of a known key. Two preemptions.
#[test]
fn two_limits_back_out_side_by_side() {
    bounded(2, || {
        scenarios::two_limits_are_charged_both_or_none(3, true, sound);
    });
}

/// Two callers of a unit, and of two, of an entry in the exact map. Exhaustive.
#[test]
fn exact_callers_take_exactly_the_capacity() {
    for units in 1..=4 {
        exhaustive(move || exact_models::callers_take_exactly(units));
    }
}

/// Who closes an entry, and who charges it. Exhaustive.
#[test]
fn exact_closing_loses_no_charge() {
    exhaustive(exact_models::closing_loses_no_charge);
}

/// Who closes an entry, twice, and who resets it. Exhaustive.
#[test]
fn exact_reset_opens_nothing() {
    exhaustive(exact_models::reset_opens_nothing);
}

/// Two callers of a place, one of whom gives it back. Exhaustive.
#[test]
fn exact_places_are_taken_once() {
    for max in 1..=2 {
        exhaustive(move || exact_models::places_are_taken_once(max));
    }
}

/// Somebody who backs out late of a key that is gone, and three calls of the key that has its slot. Exhaustive.
#[test]
fn a_late_back_out_never_lowers_the_next_owner() {
    for units in 1..=2 {
        exhaustive(move || back_outs::never_lowers_the_next_owner(units));
    }
}

/// Somebody who backs out late, beside a reset and a call of the next owner. Exhaustive.
#[test]
fn a_late_back_out_leaves_a_tat_that_comes_back() {
    for units in 1..=2 {
        exhaustive(move || back_outs::leaves_a_tat_that_comes_back(units));
    }
}

/// A reset beside a caller. Exhaustive, 10 ms.
#[test]
fn a_reset_forgets_all_or_nothing() {
    both_ways(|| exhaustive(|| scenarios::a_reset_forgets_all_or_nothing(sound)));
}

/// Two keys without a slot. Exhaustive, 10 ms.
#[test]
fn keys_without_a_slot_share_a_cell() {
    both_ways(|| exhaustive(|| scenarios::keys_without_a_slot_share_a_cell(sound)));
}

/// Two keys without a slot, one of them denied while the other charges. Exhaustive, 10 ms.
#[test]
fn a_shared_cell_always_answers() {
    both_ways(|| exhaustive(|| scenarios::a_shared_cell_always_answers(sound)));
}

/// Without the fence two callers look past each other's claims.
#[test]
#[should_panic(expected = "slots of the key")]
fn a_missing_fence_is_found() {
    bounded(3, || {
        models::race(&[Reserved(0), Reserved(1)], 2, Some(Flaw::NoFence));
    });
}

/// A claim that is passed over is activated later.
#[test]
#[should_panic(expected = "slots of the key")]
fn a_claim_that_is_not_killed_is_found() {
    bounded(3, || {
        models::race(&[Reserved(0), Reserved(1)], 2, Some(Flaw::NoKill));
    });
}

/// A claim that was killed is activated all the same.
#[test]
#[should_panic(expected = "units taken")]
fn activation_by_a_store_is_found() {
    bounded(3, || {
        models::race(&[Reserved(0), Reserved(1)], 2, Some(Flaw::StoreOnActivate));
    });
}

/// The third caller looks at the first slot before it is claimed and at the second after: it sees a claim that lost.
#[test]
#[should_panic(expected = "slots of the key")]
fn finishing_a_claim_not_seen_before_the_fence_is_found() {
    bounded(2, || {
        models::race(
            &[Reserved(0), Reserved(1), Published(2)],
            3,
            Some(Flaw::FinishUnseen),
        );
    });
}

/// A hit that goes by the hash it read first charges whoever has the slot by then.
#[test]
#[should_panic(expected = "is whole")]
fn a_hit_that_trusts_its_hint_is_found() {
    bounded(3, || {
        scenarios::a_late_hit_never_charges_the_new_owner(2, 1, |plan| {
            plan.planted(Flaw::TrustTheHint)
        });
    });
}

/// What others charged in between is lost.
#[test]
#[should_panic(expected = "left of the first limit")]
fn a_back_out_by_a_store_is_found() {
    bounded(3, || {
        scenarios::two_limits_are_charged_both_or_none(2, true, |plan| {
            plan.planted(Flaw::StoreOnBackOut)
        });
    });
}
