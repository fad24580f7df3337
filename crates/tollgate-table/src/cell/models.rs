//! Back-outs that come late: on the public face they come at once after their charge, and a checker has no time for all that would
//! have to happen in between.

use crate::{
    cell::{Charge, Charged},
    overflow::Overflow,
    race::race,
    table::{Answer, Ask, Table},
    word::{GRACE, Now},
};
use std::{sync::Arc, time::Duration};
use tollgate_core::{Cost, Limit, Nanos, gcra::Gcra};

const OLD: u64 = 7;
const NEW: u64 = 8;
const HOUR: Duration = Duration::from_secs(3_600);
const START: Nanos = Nanos::new(5_000);

/// A table of one slot, under one limit of two units, and one an hour.
struct One {
    table: Table,
    gcra: Gcra,
}

impl One {
    fn new() -> Arc<Self> {
        let limit = Limit::per_hour(1).with_capacity(2);
        Arc::new(Self {
            table: Table::new(1, 1, Overflow::Deny, None).expect("a few words"),
            gcra: Gcra::new(limit).expect("a limit"),
        })
    }

    fn charge(&self, hash: u64, units: u64, now: Nanos) -> Option<Charge<'_>> {
        let ask = Ask {
            hash,
            gcra: &self.gcra,
            cost: Cost::new(units).expect("a cost"),
            now: Now::new(now),
        };
        match self.table.charge(self.table.place(hash), 0, &ask) {
            Ok(Answer::Charged(Charged::Allowed(_, charge))) => Some(charge),
            _ => None,
        }
    }

    /// Backs out of the first unit of the old key, which was charged at `now`.
    fn back_out(&self, own: u64, before: u64, now: Nanos) {
        let slot = self.table.place(OLD).candidates().next();
        let cell = super::Cell::of_key(slot.expect("a slot"), OLD);
        let charge = Charge::first(cell, own, before, Now::new(now));
        charge.back_out(|| Now::new(now), false);
    }
}

/// Of a unit of the old key, or of the first of two, somebody backs out; `then` is done meanwhile. Returns what came of that.
fn beside_a_back_out<T: Send + 'static>(
    units: usize,
    now: Nanos,
    then: impl FnOnce(&One) -> T + Send + 'static,
) -> (Arc<One>, T) {
    let one = One::new();
    let charges: Vec<_> = (0..units)
        .map(|_| one.charge(OLD, 1, now).expect("it fits"))
        .collect();
    let (own, before) = (charges[0].own, charges[0].before);
    drop(charges);
    let ((), came) = race(&one, move |one| one.back_out(own, before, now), then);
    (one, came)
}

/// The slot of the old key, charged `units` times, becomes free, and another key takes it and all that it may: not a unit more,
/// whenever it is backed out of the old key's first.
///
/// # Panics
/// If that is not so.
pub fn never_lowers_the_next_owner(units: usize) {
    let later = START + HOUR * u32::try_from(units).expect("few") + GRACE * 2;
    let (one, taken) = beside_a_back_out(units, START, move |one| {
        (0..3)
            .filter(|_| one.charge(NEW, 1, later).is_some())
            .count()
    });
    assert_eq!(taken, 2);
    assert!(one.charge(NEW, 1, later).is_none());
}

/// The old key, charged `units` times, is reset, and another takes the slot and as many units at once: up to the very instant up to which
/// the old key was used. It keeps what it has taken.
///
/// # Panics
/// If that is not so.
pub fn leaves_a_tat_that_comes_back(units: usize) {
    let now = START + GRACE * 2;
    let (one, taken) = beside_a_back_out(units, now, move |one| {
        one.table.reset(OLD, Now::new(START));
        one.charge(NEW, units as u64, now).is_some()
    });
    let left = (0..3).filter(|_| one.charge(NEW, 1, now).is_some()).count();
    assert_eq!(left, if taken { 2 - units } else { 2 });
}
