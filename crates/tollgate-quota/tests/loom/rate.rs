//! The rate meter: charge, refund, extension, debt, take-over and eviction.

use super::{bounded, exhaustive};
use crate::scenarios::{
    both_ways,
    rate::{
        self,
        Change::{Closes, Fills, Freezes},
    },
};
use tollgate_quota::RefundRule::{Eager, Exact};

/// Two callers of two charges with room for 3. Exhaustive.
#[test]
fn charges_take_exactly_what_is_left() {
    exhaustive(|| rate::charges_take_exactly_what_is_left(2, 2, 4));
}

/// Two callers. Exhaustive; under a second.
#[test]
fn a_refund_racing_with_a_charge_never_admits_refilled_units_twice() {
    both_ways(|| exhaustive(rate::a_refund_racing_with_a_charge_never_admits_refilled_units_twice));
}

/// A refund with an old `now` and a charge. Exhaustive; seconds.
#[test]
fn a_refund_of_the_past_never_admits_refilled_units_twice() {
    both_ways(|| exhaustive(rate::a_refund_of_the_past_never_admits_refilled_units_twice));
}

/// One who finds no backlog, and one with an old `now` who finds some, with and without room for both; then a refund.
/// Exhaustive; under a second.
#[test]
fn a_charge_without_backlog_ends_what_comes_back() {
    for capacity in [4, 5] {
        both_ways(|| {
            exhaustive(move || rate::a_charge_without_backlog_ends_what_comes_back(capacity))
        });
    }
}

/// One who finds no backlog and one who follows with an old `now`, beside another with an old `now`; then a refund. Three
/// preemptions; seconds.
#[test]
fn what_is_said_of_a_later_charge_without_backlog_stands() {
    both_ways(|| {
        bounded(
            3,
            rate::what_is_said_of_a_later_charge_without_backlog_stands,
        );
    });
}

/// A charge, one with an old `now`; then a refund. Exhaustive; under a second.
#[test]
fn a_charge_of_the_past_leaves_what_a_later_one_saw() {
    both_ways(|| exhaustive(rate::a_charge_of_the_past_leaves_what_a_later_one_saw));
}

/// Two refunds of one charge; then a charge, and a refund that the record of the first or the last of them bounds. Exhaustive;
/// seconds.
#[test]
fn two_refunds_of_one_charge_both_count() {
    for then in [2, 8] {
        exhaustive(move || rate::two_refunds_of_one_charge_both_count(then));
    }
}

/// An eager refund and a charge. Exhaustive; under a second.
#[test]
fn an_eager_refund_beside_a_charge_gives_back_what_there_is() {
    both_ways(|| exhaustive(rate::an_eager_refund_beside_a_charge_gives_back_what_there_is));
}

/// Two eager refunds and a charge. Three preemptions; seconds.
#[test]
fn eager_refunds_and_a_charge_add_up() {
    bounded(3, || rate::eager_refunds_and_a_charge_add_up(2));
}

/// A refund beside a reset with a charge after it, by either rule. Exhaustive; seconds.
#[test]
fn a_reset_beside_a_refund_leaves_later_charges() {
    for rule in [Exact, Eager] {
        both_ways(|| exhaustive(move || rate::a_reset_beside_a_refund_leaves_later_charges(rule)));
    }
}

/// A reset beside a charge and a refund, by either rule. Exhaustive; seconds.
#[test]
fn a_reset_forgets_receipts_with_their_units() {
    for rule in [Exact, Eager] {
        both_ways(|| exhaustive(move || rate::a_reset_forgets_receipts_with_their_units(rule)));
    }
}

/// A reset beside two charges, by either rule. Exhaustive; under a second.
#[test]
fn a_reset_forgets_all_charges_before_it() {
    for rule in [Exact, Eager] {
        both_ways(|| exhaustive(move || rate::a_reset_forgets_all_charges_before_it(rule)));
    }
}

/// A reset beside one who takes over, by either rule. Exhaustive; under a second.
#[test]
fn a_reset_beside_a_change_of_rate_reopens_nothing() {
    for rule in [Exact, Eager] {
        both_ways(|| {
            exhaustive(move || rate::a_reset_beside_a_change_of_rate_reopens_nothing(rule))
        });
    }
}

/// One who closes, freezes or fills a meter, one who finds it so. Exhaustive; under a second.
#[test]
fn what_came_before_a_change_is_seen_by_who_finds_it() {
    for change in [Closes, Freezes, Fills] {
        for looks in [true, false] {
            both_ways(|| {
                exhaustive(move || {
                    rate::what_came_before_a_change_is_seen_by_who_finds_it(change, looks);
                });
            });
        }
    }
}

/// A refund and a charge. Exhaustive; under a second.
#[test]
fn a_refund_beside_a_charge_bounds_the_next_refund() {
    both_ways(|| exhaustive(rate::a_refund_beside_a_charge_bounds_the_next_refund));
}

/// A refund, and two charges with a refund. Three preemptions; ten seconds.
#[test]
fn a_refund_knows_the_refunds_that_its_charge_counted() {
    both_ways(|| bounded(3, rate::a_refund_knows_the_refunds_that_its_charge_counted));
}

/// Two callers. Exhaustive; under a second.
#[test]
fn a_group_is_rolled_up_with_its_last_charge() {
    exhaustive(rate::a_group_is_rolled_up_with_its_last_charge);
}

/// Two refunds and a charge. Three preemptions; seconds.
#[test]
fn refunds_racing_with_refunds_and_a_charge_keep_every_unit() {
    bounded(3, || {
        rate::refunds_racing_with_refunds_and_a_charge_keep_every_unit(2);
    });
}

/// Two callers who charge twice and give back twice. Three preemptions; half a minute.
#[test]
fn an_extension_is_settled_with_its_charge() {
    bounded(3, || rate::an_extension_is_settled_with_its_charge(2));
}

/// Two callers. Exhaustive; under a second.
#[test]
fn debt_is_never_lost() {
    exhaustive(|| rate::debt_is_never_lost(false));
}

/// As above beside a charge. Three preemptions; seconds.
#[test]
fn debt_is_never_lost_beside_a_charge() {
    bounded(3, || rate::debt_is_never_lost(true));
}

/// Two callers. Exhaustive; under a second.
#[test]
fn backing_out_keeps_nothing() {
    both_ways(|| exhaustive(rate::backing_out_keeps_nothing));
}

/// Two callers. Exhaustive; under a second.
#[test]
fn eviction_and_charge_exclude_each_other() {
    both_ways(|| exhaustive(rate::eviction_and_charge_exclude_each_other));
}

/// One charge, two who take over. Three preemptions; seconds.
#[test]
fn a_change_of_rate_keeps_the_units() {
    bounded(3, || rate::a_change_of_rate_keeps_the_units(1));
}

/// Two who give a unit back each, one who takes over. Three preemptions; ten seconds.
#[test]
fn a_change_of_rate_hands_receipts_on() {
    bounded(3, || rate::a_change_of_rate_hands_receipts_on(2));
}

/// One who gives a unit back, one who charges and takes over. Exhaustive; seconds.
#[test]
fn a_change_of_rate_after_a_charge_hands_all_on() {
    both_ways(|| exhaustive(rate::a_change_of_rate_after_a_charge_hands_all_on));
}

/// Two receipts that are handed on at once. Exhaustive; under a second.
#[test]
fn receipts_that_are_handed_on_share_what_was_left() {
    both_ways(|| exhaustive(rate::receipts_that_are_handed_on_share_what_was_left));
}
