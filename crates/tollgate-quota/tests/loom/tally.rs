//! Lifetime budgets and concurrency.

use crate::{
    bounded, exhaustive,
    scenarios::{both_ways, cost, end, go, race},
};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use tollgate_core::{Cost, Meter, Moment, Refused, Wait};
use tollgate_quota::{Concurrency, Lifetime};
use tollgate_sync::Arc;

const AT: Moment = Moment {
    now: tollgate_core::Nanos::ZERO,
    wall: tollgate_core::Wall(0),
};

/// Charges `units` under `ceiling`, and returns the units it got.
fn charged<M: Meter>(meter: &M, units: u64, ceiling: u64) -> u64 {
    match meter.charge(AT, cost(units), ceiling) {
        Ok(charged) => {
            assert_eq!(charged.after - charged.before, u128::from(units));
            assert!(charged.after <= charged.full);
            units
        }
        Err(Refused::Denied(denial)) => {
            assert_eq!(denial.wait, Wait::Never);
            assert!(
                denial.committed + u128::from(units) > u128::from(ceiling),
                "a needless denial"
            );
            0
        }
        Err(Refused::Closed | Refused::Dry) => 0,
    }
}

/// Property: two callers after one unit take it once.
/// Shape: two callers of cost 1, ceiling 1. Exhaustive, a millisecond.
#[test]
fn two_callers_take_one_unit_once() {
    exhaustive(|| {
        let budget = Arc::new(Lifetime::new());
        let other = go(&budget, |budget| charged(budget, 1, 1));
        assert_eq!(charged(&*budget, 1, 1) + end(other), 1);
        assert_eq!(budget.used(AT), 1);
    });
}

/// Property: callers never take more than the ceiling, and leave nothing that one of them could have had.
/// Shape: three callers of costs 1, 2 and 1, ceiling 3. Three preemptions, under a second.
#[test]
fn three_callers_never_pass_the_ceiling() {
    bounded(3, || {
        let budget = Arc::new(Lifetime::new());
        let others = [2, 1].map(|units| go(&budget, move |budget| charged(budget, units, 3)));
        let taken = charged(&*budget, 1, 3) + others.map(end).iter().sum::<u64>();
        assert!(taken == 2 || taken == 3, "{taken}");
        assert_eq!(budget.used(AT), taken);
    });
}

/// Property: a refund and a charge at once lose neither.
/// Shape: one refunds 2 of 3, one charges 2, which fits before and after. Exhaustive, a millisecond.
#[test]
fn refund_beside_a_charge_is_kept() {
    both_ways(|| {
        exhaustive(|| {
            let budget = Arc::new(Lifetime::new());
            let receipt = budget.charge(AT, cost(3), 3).unwrap().receipt;
            let both = race(
                &budget,
                |budget| charged(budget, 2, 5),
                move |budget| budget.refund(AT, &receipt, 2),
            );
            assert_eq!(both, (2, 2));
            assert_eq!(budget.used(AT), 3);
        });
    });
}

/// Property: debt and a refund at once lose neither.
/// Shape: one charges 4 beyond the ceiling, one refunds 1. Exhaustive, a millisecond.
#[test]
fn debt_beside_a_refund_is_kept() {
    both_ways(|| {
        exhaustive(|| {
            let budget = Arc::new(Lifetime::new());
            let receipt = budget.charge(AT, cost(2), 3).unwrap().receipt;
            let (after, refunded) = race(
                &budget,
                |budget| budget.charge_anyway(AT, cost(4), 3).unwrap().after,
                move |budget| budget.refund(AT, &receipt, 1),
            );
            assert_eq!(refunded, 1);
            assert!([5, 6].contains(&after));
            assert_eq!(budget.used(AT), 5);
        });
    });
}

/// Property: a receipt from before a reset takes nothing off what was charged after it.
/// Shape: one resets and charges 2, one refunds 2 of before. Exhaustive, a millisecond.
#[test]
fn refund_beside_a_reset_leaves_later_charges() {
    both_ways(|| {
        exhaustive(|| {
            let budget = Arc::new(Lifetime::new());
            let receipt = budget.charge(AT, cost(2), 9).unwrap().receipt;
            race(
                &budget,
                move |budget| budget.refund(AT, &receipt, 2),
                |budget| {
                    budget.reset(AT);
                    budget.charge(AT, cost(2), 9).unwrap();
                },
            );
            assert_eq!(budget.used(AT), 2);
        });
    });
}

/// Property: no more than the ceiling is open at any point, and a place that was closed is free again.
/// Shape: three callers that open and close one of two places. Three preemptions, a second. What is open is counted
/// by an atomic that the model does not know, so that counting is one step with the exchange before it.
#[test]
fn never_more_is_open_than_the_ceiling() {
    bounded(3, || {
        let (places, open) = (
            Arc::new(Concurrency::new()),
            std::sync::Arc::new(AtomicU64::new(0)),
        );
        let visit = |places: &Concurrency, open: &AtomicU64| {
            if let Ok(charged) = places.charge(AT, Cost::ONE, 2) {
                assert!(open.fetch_add(1, Relaxed) < 2, "three were open at once");
                open.fetch_sub(1, Relaxed);
                assert_eq!(places.refund(AT, &charged.receipt, 1), 1);
            }
        };
        let others = [0, 1].map(|_| {
            let open = std::sync::Arc::clone(&open);
            go(&places, move |places| visit(places, &open))
        });
        visit(&places, &open);
        for other in others {
            end(other);
        }
        assert_eq!(places.used(AT), 0);
    });
}

/// Property: of a close and a charge exactly one succeeds.
/// Shape: one opens, one closes the meter. Exhaustive, a millisecond.
#[test]
fn close_at_rest_and_a_charge_exclude_each_other() {
    both_ways(|| {
        exhaustive(|| {
            let places = Arc::new(Concurrency::new());
            let (units, is_closed) = race(
                &places,
                |places| charged(places, 1, 1),
                |places| places.close_at_rest(AT),
            );
            assert_ne!(is_closed, units == 1);
        });
    });
}

/// Property: a meter that is closed for good was at rest: nothing open is lost with it.
/// Shape: one opens and closes a place, one closes the meter, a third opens. Three preemptions, under a second.
#[test]
fn closed_meter_loses_nothing_that_is_open() {
    bounded(3, || {
        let places = Arc::new(Concurrency::new());
        let brief = go(&places, |places| match places.charge(AT, Cost::ONE, 2) {
            Ok(charged) => assert_eq!(places.refund(AT, &charged.receipt, 1), 1),
            Err(refused) => assert_eq!(refused, Refused::Closed),
        });
        let stays = go(&places, |places| charged(places, 1, 2));
        let is_closed = places.close_at_rest(AT);
        end(brief);
        let is_open = end(stays) == 1;
        assert!(!(is_closed && is_open));
        assert_eq!(places.close_at_rest(AT), !is_open);
    });
}
