//! What callers of an exact limiter do at once, but for the map: it is one of others, and trusted.

use super::{entry::Entry, places::Places};
use crate::{
    class::{Class, Rule},
    race::race,
    word::{GRACE, Now},
};
use std::{sync::Arc, time::Duration};
use tollgate_core::{Cost, Limit, Nanos};

const START: Nanos = Nanos::new(5_000);
const HOUR: Duration = Duration::from_secs(3_600);

/// An entry under two limits of so many units.
struct One {
    entry: Entry,
    rule: Rule,
}

impl One {
    fn new(units: u64) -> Self {
        let limit = Limit::per_hour(1).with_capacity(units);
        let rules = Rule::of_all([Class::from([limit, limit])]).expect("two limits");
        Self {
            entry: Entry::default(),
            rule: rules[0],
        }
    }

    /// Whether a unit was taken; none if the entry is closed.
    fn take(&self, now: Nanos) -> Option<bool> {
        let decision = self.entry.charge(&self.rule, Cost::ONE, Now::new(now));
        Some(decision.expect("it fits")?.is_allowed())
    }
}

/// Two callers take a unit and two: as many as there are.
///
/// # Panics
/// If that is not so.
pub fn callers_take_exactly(units: u64) {
    let one = Arc::new(One::new(units));
    let take = |one: &One| u64::from(one.take(START) == Some(true));
    let (first, second) = race(&one, take, move |one| take(one) + take(one));
    assert_eq!(first + second, units.min(3));
    let left = one.entry.peek(&one.rule, Now::new(START)).remaining();
    assert_eq!(left, units - units.min(3));
    assert_eq!(one.take(START), Some(units > 3));
}

/// Who closes an entry at rest, and who charges it: one of them comes first, and then the other knows.
///
/// # Panics
/// If that is not so.
pub fn closing_loses_no_charge() {
    let one = Arc::new(One::new(1));
    assert_eq!(one.take(START), Some(true));
    let rested = START + HOUR + GRACE * 2;
    let (closed, taken) = race(
        &one,
        move |one| one.entry.close(Now::new(rested)).is_ok(),
        move |one| one.take(rested),
    );
    assert_eq!(taken, (!closed).then_some(true));
    assert_eq!(one.entry.is_closed(), closed);
}

/// A reset beside who closes an entry, and who then finds it so: closed is closed.
///
/// # Panics
/// If that is not so.
pub fn reset_opens_nothing() {
    let one = Arc::new(One::new(1));
    assert_eq!(one.take(START), Some(true));
    let rested = START + HOUR + GRACE * 2;
    let (closed, ()) = race(
        &one,
        move |one| (0..2).any(|_| one.entry.close(Now::new(rested)).is_ok()),
        |one| one.entry.reset(),
    );
    assert!(closed && one.entry.is_closed());
}

/// Two callers want a place each, and one of them gives his back: never more than there are, and none is lost.
///
/// # Panics
/// If that is not so.
pub fn places_are_taken_once(max: usize) {
    let places = Arc::new(Places::new(max));
    let (kept, given) = race(&places, Places::take, |places| {
        let took = places.take();
        if took {
            places.give_back();
        }
        took
    });
    assert!(kept || given);
    assert_eq!(places.taken(), usize::from(kept));
    let left = (0..=max).filter(|_| places.take()).count();
    assert_eq!(left + usize::from(kept), max);
}
