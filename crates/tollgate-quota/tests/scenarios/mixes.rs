//! The races for schedules that no model reaches: more threads, longer mixes. `$run` runs one race many times.

/// A test for each race.
macro_rules! mixes {
    ($run:path) => {
        mod mixes {
            use super::scenarios::{crossing, rate, tally};
            use tollgate_quota::RefundRule;

            #[test]
            fn rate_charges_take_exactly_what_is_left() {
                $run(|| rate::charges_take_exactly_what_is_left(2, 2, 4));
                $run(|| rate::charges_take_exactly_what_is_left(6, 5, 20));
            }

            #[test]
            fn rate_refunds() {
                $run(rate::a_refund_racing_with_a_charge_never_admits_refilled_units_twice);
                $run(rate::a_refund_of_the_past_never_admits_refilled_units_twice);
                $run(|| rate::a_charge_without_backlog_ends_what_comes_back(4));
                $run(|| rate::a_charge_without_backlog_ends_what_comes_back(5));
                $run(rate::what_is_said_of_a_later_charge_without_backlog_stands);
                $run(rate::a_charge_of_the_past_leaves_what_a_later_one_saw);
                $run(|| rate::two_refunds_of_one_charge_both_count(8));
                $run(rate::a_refund_beside_a_charge_bounds_the_next_refund);
                $run(rate::a_refund_knows_the_refunds_that_its_charge_counted);
                $run(rate::a_group_is_rolled_up_with_its_last_charge);
                $run(|| rate::refunds_racing_with_refunds_and_a_charge_keep_every_unit(2));
                $run(|| rate::refunds_racing_with_refunds_and_a_charge_keep_every_unit(6));
                $run(|| rate::an_extension_is_settled_with_its_charge(4));
                $run(|| rate::debt_is_never_lost(true));
                $run(rate::backing_out_keeps_nothing);
            }

            #[test]
            fn rate_eager_refunds() {
                $run(rate::an_eager_refund_beside_a_charge_gives_back_what_there_is);
                $run(|| rate::eager_refunds_and_a_charge_add_up(5));
            }

            #[test]
            fn rate_resets() {
                for rule in [RefundRule::Exact, RefundRule::Eager] {
                    $run(move || rate::a_reset_beside_a_refund_leaves_later_charges(rule));
                    $run(move || rate::a_reset_forgets_receipts_with_their_units(rule));
                    $run(move || rate::a_reset_forgets_all_charges_before_it(rule));
                    $run(move || rate::a_reset_beside_a_change_of_rate_reopens_nothing(rule));
                }
            }

            #[test]
            fn rate_changes() {
                $run(rate::eviction_and_charge_exclude_each_other);
                $run(|| rate::a_change_of_rate_keeps_the_units(5));
                $run(|| rate::a_change_of_rate_hands_receipts_on(5));
                $run(rate::a_change_of_rate_after_a_charge_hands_all_on);
                $run(rate::receipts_that_are_handed_on_share_what_was_left);
                for change in [
                    rate::Change::Closes,
                    rate::Change::Freezes,
                    rate::Change::Fills,
                ] {
                    $run(move || {
                        rate::what_came_before_a_change_is_seen_by_who_finds_it(change, true)
                    });
                }
            }

            #[test]
            fn budgets_and_places() {
                $run(|| tally::callers_take_exactly_the_ceiling(6, 5, 20));
                $run(tally::refund_charge_and_debt_add_up);
                $run(|| tally::never_more_is_open_than_the_ceiling(6, 4, 3));
            }

            #[test]
            fn periods() {
                $run(|| crossing::tells_once(&[(7, 1), (7, 1), (7, 2), (7, 1)]));
                $run(|| crossing::tells_once(&[(7, 1), (7, 1), (8, 2), (8, 1)]));
                $run(crossing::rollover_admits_each_days_ceiling_once);
                $run(crossing::a_charge_counts_in_no_other_day);
                $run(crossing::a_refund_at_the_days_end_touches_no_other_day);
            }
        }
    };
}

pub(crate) use mixes;
