//! Lifetime budgets and concurrency.

use super::{at, charge, cost, end, go};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use tollgate_core::Meter;
use tollgate_quota::{Concurrency, Lifetime};
use tollgate_sync::Arc;

/// Callers after fewer units than they want: all are taken, and no more.
pub(crate) fn callers_take_exactly_the_ceiling(callers: usize, calls: usize, ceiling: u64) {
    let budget = Arc::new(Lifetime::new());
    let callers: Vec<_> = (0..callers)
        .map(|_| {
            go(&budget, move |budget| {
                let passed = (0..calls).filter(|_| charge(budget, 0, 1, ceiling).is_some());
                passed.count() as u64
            })
        })
        .collect();
    let asked = (callers.len() * calls) as u64;
    let taken: u64 = callers.into_iter().map(end).sum();
    assert_eq!(taken, ceiling.min(asked));
    assert_eq!(budget.used(at(0)), taken);
}

/// A refund, a charge and a debt at once: none is lost.
pub(crate) fn refund_charge_and_debt_add_up() {
    let budget = Arc::new(Lifetime::new());
    let receipt = charge(&*budget, 0, 3, 3).expect("it is fresh");
    let charger = go(&budget, |budget| charge(budget, 0, 2, 20).is_some());
    let debtor = go(&budget, |budget| {
        budget.charge_anyway(at(0), cost(4), 3).is_ok()
    });
    assert_eq!(budget.refund(at(0), &receipt, 2), 2);
    assert!(end(charger) && end(debtor));
    assert_eq!(budget.used(at(0)), 3 - 2 + 2 + 4);
}

/// Callers who open and close places: no more are open than there are, and all are free in the end. What is open is
/// counted by an atomic that no checker knows, so that counting is one step with the exchange before it.
pub(crate) fn never_more_is_open_than_the_ceiling(callers: usize, visits: usize, ceiling: u64) {
    let places = Arc::new(Concurrency::new());
    let open = std::sync::Arc::new(AtomicU64::new(0));
    let callers: Vec<_> = (0..callers)
        .map(|_| {
            let open = std::sync::Arc::clone(&open);
            go(&places, move |places| {
                for _ in 0..visits {
                    if let Some(receipt) = charge(places, 0, 1, ceiling) {
                        assert!(open.fetch_add(1, Relaxed) < ceiling, "too many are open");
                        open.fetch_sub(1, Relaxed);
                        assert_eq!(places.refund(at(0), &receipt, 1), 1);
                    }
                }
            })
        })
        .collect();
    callers.into_iter().for_each(end);
    assert_eq!(places.used(at(0)), 0);
}
