//! The ring of points. The module page tells the protocol.

use super::word::{Point, Refunds};
use tollgate_sync::atomic::{
    AtomicU128, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

pub(super) struct Trail {
    points: Box<[AtomicU128]>,
    /// What was given back of the interval that ends with the point of the same place.
    refunds: Box<[AtomicU128]>,
    /// About where the newest point is.
    newest: AtomicUsize,
}

/// Where the ring ended when it was looked at.
#[derive(Clone, Copy)]
pub(super) struct Tail {
    pub(super) newest: Point,
    /// The place after the newest point's, which holds the oldest point and takes the next.
    next: usize,
    oldest: Point,
}

/// What became of an attempt to record a point.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Recorded {
    Yes,
    /// Somebody else changed the ring first.
    Raced,
    /// The point after the oldest must stay.
    Full,
}

impl Trail {
    /// A ring of at least three places.
    pub(super) fn new(places: usize) -> Self {
        let words = |word| (0..places.max(3)).map(|_| AtomicU128::new(word)).collect();
        Self {
            points: words(Point::GENESIS.pack()),
            refunds: words(Refunds::NONE.pack()),
            newest: AtomicUsize::new(0),
        }
    }

    pub(super) fn places(&self) -> usize {
        self.points.len()
    }

    fn point(&self, place: usize) -> Point {
        // Acquire: pairs with the Release in `record`; the points before this one are seen as well.
        Point::unpack(self.points[place].load(Acquire))
    }

    /// `place` and `on` places further. Both are less than one lap.
    fn place(&self, place: usize, on: usize) -> usize {
        let place = place + on;
        if place < self.places() {
            place
        } else {
            place - self.places()
        }
    }

    /// The end of the ring.
    pub(super) fn tail(&self) -> Tail {
        // Acquire: pairs with the Release in `record`, so that the point named here is there.
        let mut place = self.newest.load(Acquire);
        let mut newest = self.point(place);
        loop {
            let next = self.place(place, 1);
            let oldest = self.point(next);
            if oldest.total <= newest.total {
                return Tail {
                    newest,
                    next,
                    oldest,
                };
            }
            (place, newest) = (next, oldest);
        }
    }

    /// True if no point was recorded since `tail` was taken: a search in between has seen one state of the ring.
    pub(super) fn is_unchanged(&self, tail: Tail) -> bool {
        self.point(tail.next) == tail.oldest
    }

    /// The place of the point `age` points after the oldest.
    fn place_of(&self, tail: Tail, age: usize) -> usize {
        self.place(tail.next, age)
    }

    /// The point `age` points after the oldest. Places never written come first, as points of no units.
    pub(super) fn get(&self, tail: Tail, age: usize) -> Point {
        self.point(self.place_of(tail, age))
    }

    /// How many points from the oldest on satisfy `is_before`, which holds for those up to some point and no further.
    pub(super) fn count_while(&self, tail: Tail, is_before: impl Fn(Point) -> bool) -> usize {
        let (mut low, mut high) = (0, self.places());
        while low < high {
            let middle = low.midpoint(high);
            if is_before(self.get(tail, middle)) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        low
    }

    /// Writes `point` after the newest one, if the point after the oldest `may_be_oldest` then.
    pub(super) fn record(
        &self,
        tail: Tail,
        point: Point,
        may_be_oldest: impl Fn(Point) -> bool,
    ) -> Recorded {
        debug_assert!(tail.newest.total < point.total && tail.newest.stamp <= point.stamp);
        if !may_be_oldest(self.get(tail, 1)) {
            return Recorded::Full;
        }
        // Release: pairs with the Acquire in `point`. If the place still holds the oldest point, the newest is still
        // the newest, since points are only ever written here; totals grow, so no word comes back.
        let written = self.points[tail.next].compare_exchange(
            tail.oldest.pack(),
            point.pack(),
            Release,
            Relaxed,
        );
        if written.is_err() {
            return Recorded::Raced;
        }
        // Release: pairs with the Acquire in `tail`.
        self.newest.store(tail.next, Release);
        Recorded::Yes
    }

    /// Units given back of the interval that starts at `start` and ends `age` points after the oldest; the head ends
    /// the one after the newest.
    pub(super) fn refunded(&self, tail: Tail, age: usize, start: u64) -> u64 {
        // Relaxed: the word says itself what it belongs to, and publishes nothing else.
        let refunds = Refunds::unpack(self.refunds[self.refunds_of(tail, age)].load(Relaxed));
        if refunds.start == start {
            refunds.units
        } else {
            0
        }
    }

    /// Gives back `units` of that interval; false if its place is another's by now.
    pub(super) fn refund(&self, tail: Tail, age: usize, start: u64, units: u64) -> bool {
        let place = &self.refunds[self.refunds_of(tail, age)];
        let mut word = place.load(Relaxed);
        while let Some(refunds) = Refunds::unpack(word).with(start, units) {
            // Relaxed: as in `refunded`. Starts only grow, so no word of an earlier lap comes back.
            match place.compare_exchange_weak(word, refunds.pack(), Relaxed, Relaxed) {
                Ok(_) => return true,
                Err(held) => word = held,
            }
        }
        false
    }

    /// The interval that the head ends has its refunds where the head will be recorded: with the oldest point, whose
    /// own interval is forgotten.
    fn refunds_of(&self, tail: Tail, age: usize) -> usize {
        if age == self.places() {
            tail.next
        } else {
            self.place_of(tail, age)
        }
    }
}
