//! Races on one window, each with what must hold whoever wins. One call is one race: a model checker runs each under
//! every interleaving, plain threads run them many times. All that races is done by threads that are spawned: loom does
//! not interleave the main one with threads that it has spawned and not yet run.

pub(crate) mod fixed;
pub(crate) mod log;
#[cfg(not(model_loom))]
pub(crate) mod mixes;
#[path = "../../../../tests/scenarios/parties.rs"]
mod parties;
#[cfg(model_loom)]
pub(crate) mod planted;
pub(crate) mod ring;
pub(crate) mod sharded;

#[cfg(model_loom)]
pub(crate) use parties::{both_ways, other_way};
pub(crate) use parties::{end, go, race};

use tollgate_core::{Charged, Cost, Meter, Moment, Nanos, Refused, Wall};
use tollgate_sync::Arc;

pub(crate) const SECOND: u64 = 1_000_000_000;

pub(crate) fn moment(now: u64) -> Moment {
    Moment::new(Nanos(now), Wall::default())
}

pub(crate) fn units(units: u64) -> Cost {
    Cost::new(units).expect("a cost")
}

/// Charges `cost` at `now`; none if it was denied.
pub(crate) fn charge<M: Meter>(
    meter: &M,
    now: u64,
    cost: u64,
    ceiling: u64,
) -> Option<Charged<M::Receipt>> {
    match meter.charge(moment(now), units(cost), ceiling) {
        Ok(charged) => {
            assert!(charged.after <= u128::from(ceiling), "never over");
            Some(charged)
        }
        Err(Refused::Denied(_)) => None,
        Err(Refused::Closed | Refused::Dry) => panic!("nobody closed it"),
    }
}

/// How many of `charges` passed.
pub(crate) fn passed<T>(charges: &[Option<T>]) -> u64 {
    charges.iter().flatten().count() as u64
}

/// Closing and charging at once: either the charge is in, and the meter stays open, or it finds the meter closed.
pub(crate) fn closing_loses_no_charge<M: Meter + 'static>(fresh: M, now: u64) {
    let meter = Arc::new(fresh);
    let both = race(
        &meter,
        move |meter| meter.close_at_rest(moment(now)),
        move |meter| meter.charge(moment(now), Cost::ONE, 1),
    );
    match both {
        (true, Err(Refused::Closed)) => assert_eq!(meter.used(moment(now)), 0),
        (false, Ok(_)) => assert_eq!(meter.used(moment(now)), 1),
        (closed, charged) => panic!("closed: {closed}, and yet {charged:?}"),
    }
}

/// A reset, a charge after it, and a refund of a charge before it: the refund takes nothing of the charge after.
pub(crate) fn refund_of_before_a_reset_is_void<M: Meter + 'static>(fresh: M, now: u64) {
    let meter = Arc::new(fresh);
    let old = charge(&*meter, now, 2, 2).expect("it is fresh").receipt;
    let (taken, _) = race(
        &meter,
        move |meter| {
            meter.reset(moment(now));
            charge(meter, now, 2, 2).is_some()
        },
        move |meter| meter.refund(moment(now), &old, 2),
    );
    assert!(taken, "nothing was used after the reset");
    assert_eq!(meter.used(moment(now)), 2);
}

/// A reset, and another of the second instant after a charge of then: whoever made that one finds nothing used after it, as of the third,
/// though the first may end long after.
pub(crate) fn reset_that_ends_late_brings_nothing_back<M: Meter + 'static>(
    fresh: M,
    [now, later, then]: [u64; 3],
) {
    let meter = Arc::new(fresh);
    charge(&*meter, now, 1, 3).expect("it is fresh");
    let ((), used) = race(
        &meter,
        move |meter| meter.reset(moment(now)),
        move |meter| {
            charge(meter, later, 1, 3).expect("there is room");
            meter.reset(moment(later));
            meter.used(moment(then))
        },
    );
    assert_eq!(used, 0);
    assert_eq!(meter.used(moment(then)), 0);
}
