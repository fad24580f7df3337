//! The rate meter: charge, refund, debt, take-over and eviction.

use super::{bounded, exhaustive};
use std::time::Duration;
use tollgate_core::{Cost, Limit, Meter, Moment, Nanos, Refused, Wall};
use tollgate_quota::{Depth, RateMeter, RateReceipt, RefundRule, Scale};
use tollgate_sync::{Arc, thread};

/// A unit is worth a nanosecond; at most four at once.
const CAPACITY: u64 = 4;

fn limit() -> Limit {
    Limit::new(1, Duration::from_nanos(1))
        .unwrap()
        .with_capacity(CAPACITY)
}

fn meter() -> Arc<RateMeter> {
    Arc::new(RateMeter::new(&limit(), Depth::Short, RefundRule::Exact).unwrap())
}

fn at(now: u64) -> Moment {
    Moment::new(Nanos(now), Wall(0))
}

fn charge(meter: &RateMeter, now: u64, units: u64) -> Option<RateReceipt> {
    meter
        .charge(at(now), Cost::new(units).unwrap(), CAPACITY)
        .ok()
        .map(|charged| charged.receipt)
}

/// Property: callers at one instant never take more than the capacity, and all of it is taken.
/// Shape: two callers of two charges of 1 on a meter with room for 3. Exhaustive; under a second.
#[test]
fn charges_take_exactly_what_is_left() {
    exhaustive(|| {
        let meter = meter();
        assert!(charge(&meter, 0, 1).is_some());
        let other = Arc::clone(&meter);
        let caller = thread::spawn(move || {
            u64::from(charge(&other, 0, 1).is_some()) + u64::from(charge(&other, 0, 1).is_some())
        });
        let mine =
            u64::from(charge(&meter, 0, 1).is_some()) + u64::from(charge(&meter, 0, 1).is_some());
        assert_eq!(caller.join().unwrap() + mine, 3);
        assert_eq!(meter.used(at(0)), CAPACITY);
    });
}

/// Property: what is admitted and kept obeys the law while a refund races with a charge after some time has
/// passed: units that were refilled are not given back too.
/// Shape: 4 units charged at 0; at 2, one caller refunds 3 of them, another charges 3. Exhaustive; seconds.
#[test]
fn a_refund_racing_with_a_charge_never_admits_refilled_units_twice() {
    exhaustive(|| {
        let meter = meter();
        let receipt = charge(&meter, 0, 4).unwrap();
        let other = Arc::clone(&meter);
        let refund = thread::spawn(move || other.refund(at(2), &receipt, 3));
        let charged = charge(&meter, 2, 3).map_or(0, |_| 3);
        let given = refund.join().unwrap();
        // Ideal: the refund is bounded by the backlog of 2, in either order.
        assert!(given <= 2);
        assert_eq!(meter.used(at(2)), 4 - 2 - given + charged);
    });
}

/// Property: a refund with an old `now` finds the time of a later charge: units that were refilled, and admitted again by
/// that, are not given back too.
/// Shape: 4 units charged at 0; one caller refunds all at 1, another charges 4 at 4. Exhaustive; seconds.
#[test]
fn a_refund_of_the_past_never_admits_refilled_units_twice() {
    exhaustive(|| {
        let meter = meter();
        let receipt = charge(&meter, 0, 4).unwrap();
        let other = Arc::clone(&meter);
        let refund = thread::spawn(move || other.refund(at(1), &receipt, 4));
        let other = Arc::clone(&meter);
        let charger = thread::spawn(move || charge(&other, 4, 4).is_some());
        assert!(charger.join().unwrap(), "all is refilled by then");
        let given = refund.join().unwrap();
        assert!(given == 0 || given == 3, "{given}");
        assert_eq!(meter.used(at(4)), 4);
    });
}

/// Property: two refunds and a charge in any order give back all, and so does a refund after them.
/// Shape: charges of 1, 1 and 1 at 0; two callers refund the first two, a third charges 1. Three callers, at most
/// three preemptions; seconds.
#[test]
fn refunds_racing_with_refunds_and_a_charge_keep_every_unit() {
    bounded(3, || {
        let meter = meter();
        let receipts = [(); 3].map(|()| charge(&meter, 0, 1).unwrap());
        let (one, two) = (Arc::clone(&meter), Arc::clone(&meter));
        let first = thread::spawn(move || one.refund(at(0), &receipts[0], 1));
        let second = thread::spawn(move || two.refund(at(0), &receipts[1], 1));
        let charged = charge(&meter, 0, 1).map_or(0, |_| 1);
        let given = first.join().unwrap() + second.join().unwrap();
        assert_eq!(charged, 1);
        // No time passes: nothing is refilled, so all comes back, whatever is in flight.
        assert_eq!(given, 2);
        assert_eq!(meter.refund(at(0), &receipts[2], 1), 1);
        assert_eq!(meter.used(at(0)), charged);
    });
}

/// Property: a debt is charged exactly once, whatever else goes on.
/// Shape: one caller charges 3 anyway, another refunds 2 of an earlier 4. Exhaustive; under a second.
#[test]
fn debt_is_never_lost() {
    exhaustive(|| {
        let meter = meter();
        let receipt = charge(&meter, 0, 4).unwrap();
        let other = Arc::clone(&meter);
        let debt = thread::spawn(move || {
            other
                .charge_anyway(at(0), Cost::new(3).unwrap(), CAPACITY)
                .unwrap();
        });
        let given = meter.refund(at(0), &receipt, 2);
        debt.join().unwrap();
        assert_eq!(given, 2);
        assert_eq!(meter.used(at(0)), 5);
    });
}

/// Property: a backed-out charge is as if it had never been, or is refunded by the rule.
/// Shape: one caller charges 2 and backs out, another charges 2 and keeps. Exhaustive; under a second.
#[test]
fn backing_out_keeps_nothing() {
    exhaustive(|| {
        let meter = meter();
        let other = Arc::clone(&meter);
        let backed_out = thread::spawn(move || {
            let receipt = charge(&other, 0, 2).unwrap();
            other.refund(at(0), &receipt, 2)
        });
        assert!(charge(&meter, 0, 2).is_some());
        assert_eq!(backed_out.join().unwrap(), 2);
        assert_eq!(meter.used(at(0)), 2);
    });
}

/// Property: a meter at rest is either evicted or charged, never both.
/// Shape: one caller charges, one evicts. Exhaustive; under a second.
#[test]
fn eviction_and_charge_exclude_each_other() {
    exhaustive(|| {
        let meter = meter();
        let other = Arc::clone(&meter);
        let evicted = thread::spawn(move || other.close_at_rest(at(0)));
        let charged = charge(&meter, 0, 1).is_some();
        assert_ne!(evicted.join().unwrap(), charged);
    });
}

/// Property: units committed before a change of rate are committed after it, exactly once, whoever takes over.
/// Shape: 1 unit charged; one caller charges 1 more on the old meter or, if it is frozen, on the new; two callers take
/// over. Three callers, at most three preemptions; seconds.
#[test]
fn a_change_of_rate_keeps_the_units() {
    bounded(3, || {
        let old = meter();
        assert!(charge(&old, 0, 1).is_some());
        let faster = Limit::new(2, Duration::from_nanos(1))
            .unwrap()
            .with_capacity(CAPACITY);
        let scale = Scale::new(&faster).unwrap();
        let new = Arc::new(RateMeter::pending(scale, Depth::Short, RefundRule::Exact));
        let take_over = |old: &Arc<RateMeter>, new: &Arc<RateMeter>| {
            let (old, new) = (Arc::clone(old), Arc::clone(new));
            thread::spawn(move || new.take_over(&old, at(0)))
        };
        let takers = [take_over(&old, &new), take_over(&old, &new)];
        let one = Cost::new(1).unwrap();
        if let Err(refused) = old.charge(at(0), one, CAPACITY) {
            assert_eq!(refused, Refused::Closed);
            new.take_over(&old, at(0));
            assert!(new.charge(at(0), one, CAPACITY).is_ok());
        }
        for taker in takers {
            taker.join().unwrap();
        }
        assert_eq!(new.used(at(0)), 2);
    });
}

/// Property: what receipts of before a change of rate give back is taken off the new meter, once each, and off no other.
/// Shape: 2 units charged; two callers give back 1 each, on the old meter or, if it is frozen, handed on; one takes over.
/// Three callers, at most two preemptions; seconds.
#[test]
fn a_change_of_rate_hands_receipts_on() {
    bounded(2, || {
        let old = meter();
        let receipts = [1, 1].map(|units| charge(&old, 0, units).unwrap());
        let faster = Limit::new(2, Duration::from_nanos(1))
            .unwrap()
            .with_capacity(CAPACITY);
        let scale = Scale::new(&faster).unwrap();
        let new = Arc::new(RateMeter::pending(scale, Depth::Short, RefundRule::Exact));
        let givers = receipts.map(|receipt| {
            let (old, new) = (Arc::clone(&old), Arc::clone(&new));
            thread::spawn(move || {
                let given = old.refund(at(0), &receipt, 1);
                if given > 0 || !old.is_closed() {
                    return given;
                }
                new.take_over(&old, at(0));
                new.refund_carried(at(0), old.hand_on(&receipt, 1)).unwrap()
            })
        });
        new.take_over(&old, at(0));
        let given: u64 = givers.map(|giver| giver.join().unwrap()).iter().sum();
        assert_eq!(new.used(at(0)) + given, 2);
    });
}
