//! Thresholds over periods: each crossing is told once, whoever crosses; and the meter that crosses a period's end.

use crate::{
    bounded, exhaustive,
    scenarios::{both_ways, crossing},
};

/// Two callers of 1, half of 4 lies at 2. Exhaustive, a millisecond.
#[test]
fn two_callers_are_told_once() {
    exhaustive(|| crossing::tells_once(&[(7, 1), (7, 1)]));
}

/// Callers of 1, 1 and 2, of whom two or three cross together. Three preemptions, under a second.
#[test]
fn three_callers_are_told_once() {
    bounded(3, || crossing::tells_once(&[(7, 1), (7, 1), (7, 2)]));
}

/// Callers of 1 and 1 in one period, one of 2 in the next. Three preemptions, under a second.
#[test]
fn each_period_tells_its_own_crossing() {
    bounded(3, || crossing::tells_once(&[(7, 1), (7, 1), (8, 2)]));
}

/// One asks for 1 of 1 on day 0 and then day 1, the other on day 1. Exhaustive, a second.
#[test]
fn rollover_admits_each_days_ceiling_once() {
    both_ways(|| exhaustive(crossing::rollover_admits_each_days_ceiling_once));
}

/// One charges on day 1, one on day 0 and then day 1. Exhaustive, a second.
#[test]
fn a_charge_counts_in_no_other_day() {
    both_ways(|| exhaustive(crossing::a_charge_counts_in_no_other_day));
}

/// One gives back what it had on day 0, the other charges on day 1. Exhaustive, under a second.
#[test]
fn a_refund_at_the_days_end_touches_no_other_day() {
    both_ways(|| exhaustive(crossing::a_refund_at_the_days_end_touches_no_other_day));
}
