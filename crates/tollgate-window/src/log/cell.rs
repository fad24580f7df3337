//! The loops of the log: charges, denials, refunds. The module page tells the protocol.

use super::{
    trail::{Recorded, Tail, Trail},
    word::{CHARGE_MAX, LogReceipt, Point},
};
use tollgate_core::{Charged, Nanos, Refused, Wait};
use tollgate_sync::atomic::{
    AtomicU64, AtomicU128,
    Ordering::{Acquire, Relaxed, Release},
};

pub(super) struct Cell {
    window_ns: u64,
    /// The ceiling for which there is room in any case, and the largest for which there may be.
    max: u64,
    max_largest: u64,
    room: u32,
    head: AtomicU128,
    trail: Trail,
    /// The highest total of which anything was given back.
    refunded: AtomicU64,
    /// The total up to which all is forgotten.
    floor: AtomicU64,
}

/// One state of the log, as of an instant.
struct View {
    head: Point,
    tail: Tail,
    floor: u64,
    /// The instant, in nanoseconds.
    as_of: u64,
    /// How many points of the trail have left.
    left: usize,
    /// Whether any unit in the window may have been given back.
    has_refunds: bool,
    /// Units in the window, or, where it is not known any more which have left, all that may be.
    used: u64,
    /// Units in the window as of the head's stamp, if that is later: what is told.
    told: u64,
}

impl Cell {
    /// A log that tells apart `room` charges more than a ceiling of up to `max` has units, and of `max_largest` at
    /// most.
    pub(super) fn new(window_ns: u64, max: u64, max_largest: u64, room: u32) -> Self {
        Self {
            window_ns,
            max,
            max_largest,
            room,
            head: AtomicU128::new(Point::GENESIS.pack()),
            trail: Trail::new(places(max, room), places(max_largest, room)),
            refunded: AtomicU64::new(0),
            floor: AtomicU64::new(0),
        }
    }

    pub(super) const fn window_ns(&self) -> u64 {
        self.window_ns
    }

    /// What `charge` would answer.
    pub(super) fn look(&self, now: Nanos, cost: u64, ceiling: u64) -> Result<(), Refused> {
        loop {
            let head = Point::of_head(self.load()).ok_or(Refused::Closed)?;
            let Some(view) = self.view(head, now) else {
                continue;
            };
            if fits(&view, cost, ceiling) {
                return Ok(());
            }
            if let Some(refused) = self.denied(&view, now, cost, ceiling) {
                return Err(refused);
            }
        }
    }

    /// Takes `cost` if no more than `ceiling` units are then in the window.
    pub(super) fn charge(
        &self,
        now: Nanos,
        cost: u64,
        ceiling: u64,
    ) -> Result<Charged<LogReceipt>, Refused> {
        loop {
            let word = self.load();
            let head = Point::of_head(word).ok_or(Refused::Closed)?;
            let Some(view) = self.view(head, now) else {
                continue;
            };
            if !fits(&view, cost, ceiling) {
                match self.denied(&view, now, cost, ceiling) {
                    Some(refused) => return Err(refused),
                    None => continue,
                }
            }
            if let Some(next) = self.commit(word, &view, cost, ceiling) {
                return Ok(charged(next.receipt(cost), view.told, cost, ceiling));
            }
        }
    }

    /// Takes `extra` in any case, as far as charges are told apart.
    pub(super) fn charge_anyway(
        &self,
        now: Nanos,
        extra: u64,
        ceiling: u64,
    ) -> Result<Charged<LogReceipt>, Refused> {
        // Of a charge that was cut off nothing can be given back: what would then be left of it is not known.
        let (taken, units) = if extra > CHARGE_MAX {
            (CHARGE_MAX, 0)
        } else {
            (extra, extra)
        };
        loop {
            let word = self.load();
            let head = Point::of_head(word).ok_or(Refused::Closed)?;
            let Some(view) = self.view_latest(head, now) else {
                continue;
            };
            if let Some(next) = self.commit(word, &view, taken, ceiling) {
                return Ok(charged(next.receipt(units), view.told, taken, ceiling));
            }
        }
    }

    /// Gives back up to `surplus` units of a charge, and returns how many of them were still in the window.
    pub(super) fn refund(&self, now: Nanos, receipt: LogReceipt, surplus: u64) -> u64 {
        let units = surplus.min(receipt.units);
        loop {
            let Some(head) = Point::of_head(self.load()) else {
                return 0;
            };
            if units == 0 || receipt.total <= self.floor() {
                return 0;
            }
            let tail = self.trail.tail();
            let age = self
                .trail
                .count_while(tail, |point| point.total < receipt.total);
            let end = if age < tail.places {
                self.trail.get(tail, age)
            } else {
                head
            };
            // Where the interval of the oldest point starts is forgotten. It has left, but for late callers.
            let start = age
                .checked_sub(1)
                .map(|before| self.trail.get(tail, before).total);
            if !self.trail.is_unchanged(tail) {
                continue;
            }
            let Some(start) = start else { return 0 };
            if self.has_left(end, head.stamp) || !self.trail.refund(tail, age, start, units) {
                return 0;
            }
            // Linearization point of a refund, for whoever sees its word by then. Relaxed: who sees only one of the two
            // counts the units as not yet given back, which they were when that caller came.
            self.refunded.fetch_max(receipt.total, Relaxed);
            // What has left the window as of `now` is worth nothing, though an older `now` may still see it.
            return if self.has_left(end, now.clamped().0) {
                0
            } else {
                units
            };
        }
    }

    /// Units in the window as of `now`, or of the latest charge if that is later.
    pub(super) fn used(&self, now: Nanos) -> u64 {
        loop {
            let word = self.load();
            let Some(head) = Point::of_head(word) else {
                return 0;
            };
            if let Some(view) = self.view_latest(head, now)
                && self.is_one_state(word, &view)
            {
                return view.used;
            }
        }
    }

    /// Whether the log was as `view` has it at some instant. A charge, which exchanges the head of its view, need not ask:
    /// refunds that it has not seen may as well come after it. A figure that is only told may not have seen a refund without
    /// what came before that: an unseen charge, or an unseen refund of a newer interval, which was looked at earlier.
    ///
    /// Refunds of an interval only add up, so two looks that find the same sum find the same refunds of each, and these were
    /// all that there were in between. Linearization point of such a figure: the end of the first look.
    fn is_one_state(&self, word: u128, view: &View) -> bool {
        let is_still = || {
            let again = self.view_as_of(view.head, view.as_of);
            again.is_some_and(|again| (again.floor, again.used) == (view.floor, view.used))
        };
        (!view.has_refunds || is_still()) && self.load() == word
    }

    pub(super) fn close_at_rest(&self, now: Nanos) -> bool {
        loop {
            let word = self.load();
            let Some(head) = Point::of_head(word) else {
                return true;
            };
            let Some(view) = self.view(head, now) else {
                continue;
            };
            if view.used > 0 {
                return false;
            }
            if self.exchange(word, head.closed()) {
                return true;
            }
        }
    }

    pub(super) fn reset(&self) {
        let Some(head) = Point::of_head(self.load()) else {
            return;
        };
        // Relaxed: publishes nothing but itself. Linearization point of a reset.
        self.floor.fetch_max(head.total, Relaxed);
        loop {
            // No interval is to reach across the floor. All older points are below it, so there is a place.
            let tail = self.trail.tail();
            if tail.newest.total >= head.total
                || self.trail.record(tail, head, 0, |_| true) == Recorded::Yes
            {
                return;
            }
        }
    }

    fn load(&self) -> u128 {
        // Acquire: pairs with the Release in `exchange`; all points recorded before this head are seen.
        self.head.load(Acquire)
    }

    fn exchange(&self, word: u128, next: u128) -> bool {
        // Release: pairs with the Acquire in `load`. Relaxed on failure: every caller loads again.
        self.head
            .compare_exchange(word, next, Release, Relaxed)
            .is_ok()
    }

    fn floor(&self) -> u64 {
        // Relaxed: an older floor forgets less, as if the reset came later.
        self.floor.load(Relaxed)
    }

    /// True if what was taken by `point` has left the window as of `now`.
    fn has_left(&self, point: Point, now: u64) -> bool {
        // No overflow: both are below 2^60.
        point.stamp + self.window_ns <= now
    }

    /// The log as a caller of `now` sees it; none if it changed while it was looked at.
    fn view(&self, head: Point, now: Nanos) -> Option<View> {
        self.view_as_of(head, now.clamped().0)
    }

    /// The log as of `now`, or of the head's stamp if that is later; none if it changed while it was looked at.
    fn view_latest(&self, head: Point, now: Nanos) -> Option<View> {
        self.view_as_of(head, now.clamped().0.max(head.stamp))
    }

    fn view_as_of(&self, head: Point, as_of: u64) -> Option<View> {
        let mut view = View {
            head,
            floor: self.floor(),
            tail: self.trail.tail(),
            as_of,
            left: 0,
            has_refunds: false,
            used: 0,
            told: 0,
        };
        if view.tail.newest.total > head.total {
            return None;
        }
        let latest = as_of.max(head.stamp);
        self.count(&mut view, latest);
        view.told = view.used;
        if latest != as_of {
            self.count(&mut view, as_of);
        }
        self.trail.is_unchanged(view.tail).then_some(view)
    }

    /// Fills in what is in the window as of an instant.
    fn count(&self, view: &mut View, as_of: u64) {
        let (head, tail, floor) = (view.head, view.tail, view.floor);
        let has_left = |point: Point| point.total <= floor || self.has_left(point, as_of);
        if has_left(head) {
            (view.left, view.used) = (tail.places, 0);
            return;
        }
        view.left = self.trail.count_while(tail, has_left);
        // Where the newest point that has left is forgotten, all down to the floor is taken to be in the window.
        let base = view
            .left
            .checked_sub(1)
            .map_or(floor, |age| self.trail.get(tail, age).total.max(floor));
        // Relaxed: as in `refund`.
        view.has_refunds = self.refunded.load(Relaxed) > base;
        view.used = if view.has_refunds {
            self.intervals(view).map(|(units, _)| units).sum()
        } else {
            head.total.saturating_sub(base)
        };
    }

    /// The intervals in the window, from the newest back: units kept, and by which stamp they were taken.
    fn intervals(&self, view: &View) -> impl Iterator<Item = (u64, u64)> {
        let (tail, floor) = (view.tail, view.floor);
        (view.left..=tail.places).rev().map(move |age| {
            let end = if age < tail.places {
                self.trail.get(tail, age)
            } else {
                view.head
            };
            let start = age
                .checked_sub(1)
                .map_or(0, |before| self.trail.get(tail, before).total);
            let units = end.total.saturating_sub(start.max(floor));
            // Some of the refunds of an interval across the floor may be of units below it.
            let refunded = if start < floor {
                0
            } else {
                self.trail.refunded(tail, age, start)
            };
            (units.saturating_sub(refunded), end.stamp)
        })
    }

    /// The denial of a cost that does not fit `view`; none if the trail changed meanwhile.
    fn denied(&self, view: &View, now: Nanos, cost: u64, ceiling: u64) -> Option<Refused> {
        let committed = view.told.into();
        let room = ceiling.min(CHARGE_MAX).checked_sub(cost);
        let Some(room) = room.filter(|_| view.head.total.checked_add(cost).is_some()) else {
            return Some(Refused::denied(Wait::Never, committed));
        };
        let stamp = self.must_leave(view, room);
        // A denial linearizes at the load of the head. What is seen of the points and refunds was there by then, or
        // came later and made room, and still not enough.
        if !self.trail.is_unchanged(view.tail) {
            return None;
        }
        // Later than `now`, since it has not left.
        let wait = (stamp + self.window_ns).saturating_sub(now.clamped().0);
        Some(Refused::denied(Wait::nanos(wait), committed))
    }

    /// The stamp of the newest interval that must leave so that no more than `room` units stay.
    fn must_leave(&self, view: &View, room: u64) -> u64 {
        if view.has_refunds {
            let mut stay = 0_u64;
            let exceeds = |(units, _): &(u64, u64)| {
                stay = stay.saturating_add(*units);
                stay > room
            };
            // Found, unless a refund has made room since.
            return self
                .intervals(view)
                .find(exceeds)
                .map_or(view.as_of, |(_, stamp)| stamp);
        }
        let enough = view.head.total.saturating_sub(room);
        let age = self
            .trail
            .count_on_while(view.tail, view.left, |point| point.total < enough);
        if age < view.tail.places {
            self.trail.get(view.tail, age).stamp
        } else {
            view.head.stamp
        }
    }

    /// Adds `units` at the instant of `view`, or the head's if that is later, and returns the head after them; none if
    /// another caller came first.
    fn commit(&self, word: u128, view: &View, units: u64, ceiling: u64) -> Option<Point> {
        let head = view.head;
        // A head of this very stamp is the end of its interval anyway, once the units are added to it.
        let is_apart =
            head.stamp < view.as_of && view.tail.newest.total < head.total && !self.is_hole(view);
        if is_apart {
            let has_left =
                |point: Point| point.total <= view.floor || self.has_left(point, view.as_of);
            let wanted = places(ceiling.clamp(self.max, self.max_largest), self.room);
            if self.trail.record(view.tail, head, wanted, has_left) == Recorded::Raced {
                return None;
            }
        }
        let next = Point {
            total: head.total.saturating_add(units),
            stamp: view.as_of.max(head.stamp),
        };
        // Linearization point of a charge. What `view` saw of the trail and the refunds still makes at least that much
        // room: points and refunds are only ever added.
        self.exchange(word, next.pack()).then_some(next)
    }

    /// True if all units of the interval that the head ends were given back.
    fn is_hole(&self, view: &View) -> bool {
        let start = view.tail.newest.total;
        view.has_refunds
            && start >= view.floor
            && self.trail.refunded(view.tail, view.tail.places, start) >= view.head.total - start
    }
}

/// Places for as many points as there can be while `max` units and `room` charges more are told apart.
fn places(max: u64, room: u32) -> usize {
    // The newest point that has left stays beside all that are in the window, and one place is being written.
    usize::try_from(max + u64::from(room) + 2).unwrap_or(usize::MAX)
}

/// Whether `cost` fits beside what is in the window. The total must be told apart for ever, too.
fn fits(view: &View, cost: u64, ceiling: u64) -> bool {
    let after = view.used.checked_add(cost);
    after.is_some_and(|after| after <= ceiling.min(CHARGE_MAX))
        && view.head.total.checked_add(cost).is_some()
}

fn charged(receipt: LogReceipt, before: u64, units: u64, ceiling: u64) -> Charged<LogReceipt> {
    let before = u128::from(before);
    Charged {
        receipt,
        before,
        after: before + u128::from(units),
        full: ceiling.into(),
    }
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;

    const NOW: Nanos = Nanos(7);

    fn seen(cell: &Cell) -> (u128, View) {
        let word = cell.load();
        let head = Point::of_head(word).expect("it is open");
        (word, cell.view(head, NOW).expect("nobody else comes"))
    }

    #[test]
    fn figure_is_of_no_state_once_a_charge_came() {
        let cell = Cell::new(100, 9, 9, 0);
        let receipt = cell.charge(NOW, 5, 9).unwrap().receipt;
        for refunds in [0, 1] {
            cell.refund(NOW, receipt, refunds);
            let (word, view) = seen(&cell);
            assert_eq!(view.has_refunds, refunds > 0);
            assert!(cell.is_one_state(word, &view));
            cell.charge(NOW, 1, 9).unwrap();
            assert!(!cell.is_one_state(word, &view), "{refunds}");
        }
    }

    #[test]
    fn figure_is_of_no_state_once_more_was_given_back_than_it_saw() {
        let cell = Cell::new(100, 9, 9, 0);
        let receipt = cell.charge(NOW, 5, 9).unwrap().receipt;
        cell.refund(NOW, receipt, 1);
        let (word, view) = seen(&cell);
        cell.refund(NOW, receipt, 2);
        assert_eq!((view.used, cell.load()), (4, word));
        assert!(!cell.is_one_state(word, &view));
    }

    #[test]
    fn two_places_are_beside_those_of_all_charges_told_apart() {
        assert_eq!([places(1, 0), places(9, 0), places(9, 3)], [3, 11, 14]);
    }
}
