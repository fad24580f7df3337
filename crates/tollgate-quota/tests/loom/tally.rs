//! Lifetime budgets and concurrency.

use crate::{bounded, exhaustive};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use tollgate_core::{Cost, Meter, Moment, Refused, Wait};
use tollgate_quota::{Concurrency, Lifetime};
use tollgate_sync::{Arc, thread};

const AT: Moment = Moment {
    now: tollgate_core::Nanos::ZERO,
    wall: tollgate_core::Wall(0),
};

fn cost(units: u64) -> Cost {
    Cost::new(units).unwrap()
}

/// Charges `units` under `ceiling` as another thread; joins to the units it got.
fn charger<M: Meter + 'static>(
    meter: &Arc<M>,
    units: u64,
    ceiling: u64,
) -> thread::JoinHandle<u64> {
    let meter = Arc::clone(meter);
    thread::spawn(move || match meter.charge(AT, cost(units), ceiling) {
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
    })
}

/// Property: two callers after one unit take it once.
/// Shape: two callers of cost 1, ceiling 1. Exhaustive, a millisecond.
#[test]
fn two_callers_take_one_unit_once() {
    exhaustive(|| {
        let budget = Arc::new(Lifetime::new());
        let other = charger(&budget, 1, 1);
        let own = u64::from(budget.charge(AT, Cost::ONE, 1).is_ok());
        assert_eq!(own + other.join().unwrap(), 1);
        assert_eq!(budget.used(AT), 1);
    });
}

/// Property: callers never take more than the ceiling, and leave nothing that one of them could have had.
/// Shape: three callers of costs 1, 2 and 1, ceiling 3. Three preemptions, under a second.
#[test]
fn three_callers_never_pass_the_ceiling() {
    bounded(3, || {
        let budget = Arc::new(Lifetime::new());
        let others = [charger(&budget, 2, 3), charger(&budget, 1, 3)];
        let own = u64::from(budget.charge(AT, Cost::ONE, 3).is_ok());
        let taken = own
            + others
                .map(|other| other.join().unwrap())
                .iter()
                .sum::<u64>();
        assert!(taken == 2 || taken == 3, "{taken}");
        assert_eq!(budget.used(AT), taken);
    });
}

/// Property: a refund and a charge at once lose neither.
/// Shape: one refunds 2 of 3, one charges 2, which fits before and after. Exhaustive, a millisecond.
#[test]
fn refund_beside_a_charge_is_kept() {
    exhaustive(|| {
        let budget = Arc::new(Lifetime::new());
        let receipt = budget.charge(AT, cost(3), 3).unwrap().receipt;
        let other = charger(&budget, 2, 5);
        assert_eq!(budget.refund(AT, &receipt, 2), 2);
        assert_eq!(other.join().unwrap(), 2);
        assert_eq!(budget.used(AT), 3);
    });
}

/// Property: debt and a refund at once lose neither.
/// Shape: one charges 4 beyond the ceiling, one refunds 1. Exhaustive, a millisecond.
#[test]
fn debt_beside_a_refund_is_kept() {
    exhaustive(|| {
        let budget = Arc::new(Lifetime::new());
        let receipt = budget.charge(AT, cost(2), 3).unwrap().receipt;
        let spender = {
            let budget = Arc::clone(&budget);
            thread::spawn(move || budget.charge_anyway(AT, cost(4), 3).unwrap().after)
        };
        assert_eq!(budget.refund(AT, &receipt, 1), 1);
        assert!([5, 6].contains(&spender.join().unwrap()));
        assert_eq!(budget.used(AT), 5);
    });
}

/// Property: a receipt from before a reset takes nothing off what was charged after it.
/// Shape: one resets and charges 2, one refunds 2 of before. Exhaustive, a millisecond.
#[test]
fn refund_beside_a_reset_leaves_later_charges() {
    exhaustive(|| {
        let budget = Arc::new(Lifetime::new());
        let receipt = budget.charge(AT, cost(2), 9).unwrap().receipt;
        let late = {
            let budget = Arc::clone(&budget);
            thread::spawn(move || budget.refund(AT, &receipt, 2))
        };
        budget.reset(AT);
        budget.charge(AT, cost(2), 9).unwrap();
        late.join().unwrap();
        assert_eq!(budget.used(AT), 2);
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
            let (places, open) = (Arc::clone(&places), std::sync::Arc::clone(&open));
            thread::spawn(move || visit(&places, &open))
        });
        visit(&places, &open);
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(places.used(AT), 0);
    });
}

/// Property: of a close and a charge exactly one succeeds.
/// Shape: one opens, one closes the meter. Exhaustive, a millisecond.
#[test]
fn close_at_rest_and_a_charge_exclude_each_other() {
    exhaustive(|| {
        let places = Arc::new(Concurrency::new());
        let other = charger(&places, 1, 1);
        let is_closed = places.close_at_rest(AT);
        assert_ne!(is_closed, other.join().unwrap() == 1);
    });
}

/// Property: a meter that is closed for good was at rest: nothing open is lost with it.
/// Shape: one opens and closes a place, one closes the meter, a third opens. Three preemptions, under a second.
#[test]
fn closed_meter_loses_nothing_that_is_open() {
    bounded(3, || {
        let places = Arc::new(Concurrency::new());
        let brief = {
            let places = Arc::clone(&places);
            thread::spawn(move || match places.charge(AT, Cost::ONE, 2) {
                Ok(charged) => assert_eq!(places.refund(AT, &charged.receipt, 1), 1),
                Err(refused) => assert_eq!(refused, Refused::Closed),
            })
        };
        let stays = charger(&places, 1, 2);
        let is_closed = places.close_at_rest(AT);
        brief.join().unwrap();
        let is_open = stays.join().unwrap() == 1;
        assert!(!(is_closed && is_open));
        assert_eq!(places.close_at_rest(AT), !is_open);
    });
}
