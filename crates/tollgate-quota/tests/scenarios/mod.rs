//! Races on one meter, each with what must hold whoever wins. One call is one race: a model checker runs each under
//! every interleaving, shuttle and plain threads run them many times.

pub(crate) mod crossing;
#[cfg(not(model_loom))]
pub(crate) mod mixes;
#[path = "../../../../tests/scenarios/parties.rs"]
mod parties;
pub(crate) mod rate;
#[cfg(not(model_loom))]
pub(crate) mod tally;

#[cfg(model_loom)]
pub(crate) use parties::{beside, both_ways};
pub(crate) use parties::{end, go, race};

use tollgate_core::{Cost, Meter, Moment, Nanos, Wall};

pub(crate) fn at(now: u64) -> Moment {
    Moment::new(Nanos(now), Wall(0))
}

pub(crate) fn cost(units: u64) -> Cost {
    Cost::new(units).expect("a cost")
}

/// Charges `units` at `now`, if they fit.
pub(crate) fn charge<M: Meter>(
    meter: &M,
    now: u64,
    units: u64,
    ceiling: u64,
) -> Option<M::Receipt> {
    let charged = meter.charge(at(now), cost(units), ceiling).ok()?;
    Some(charged.receipt)
}
