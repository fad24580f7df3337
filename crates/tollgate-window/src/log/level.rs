//! One ring of places, made in chunks as they are first written.

use super::word::{Point, Refunds};
use std::sync::OnceLock;
use tollgate_sync::atomic::{
    AtomicU128, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

/// A ring of the trail. A place that nobody wrote to reads as [`UNWRITTEN`], whether there is memory for it or not.
pub(super) struct Level {
    places: usize,
    chunk_bits: u32,
    chunks: Box<[OnceLock<Box<[Place]>>]>,
    /// About where the newest point is.
    newest: AtomicUsize,
}

#[derive(Default)]
struct Place {
    point: AtomicU128,
    /// What was given back of the interval that ends with this point.
    refunds: AtomicU128,
}

/// The word of a place that nobody wrote to: the point before anything was taken.
pub(super) const UNWRITTEN: u128 = Point::GENESIS.pack();

/// Where a ring ends.
#[derive(Clone, Copy)]
pub(super) struct End {
    /// The newest point; that of an unwritten place if there is none.
    pub(super) newest: Point,
    /// The place after the newest point's, which holds the oldest point and takes the next.
    pub(super) next: usize,
    /// Its word.
    pub(super) oldest: u128,
}

impl End {
    /// Of a ring that nobody wrote to.
    pub(super) const UNWRITTEN: Self = Self {
        newest: Point::GENESIS,
        next: 1,
        oldest: UNWRITTEN,
    };
}

impl Level {
    /// A ring of `places`, at least three, in chunks of `2^chunk_bits`.
    pub(super) fn new(places: usize, chunk_bits: u32) -> Self {
        let chunks = places.div_ceil(1 << chunk_bits);
        Self {
            places,
            chunk_bits,
            chunks: (0..chunks).map(|_| OnceLock::new()).collect(),
            newest: AtomicUsize::new(0),
        }
    }

    /// How many places there is memory for.
    #[cfg(all(test, not(any(model_loom, model_shuttle))))]
    pub(super) fn places_made(&self) -> usize {
        let chunks = self.chunks.iter().filter(|chunk| chunk.get().is_some());
        chunks.count() << self.chunk_bits
    }

    pub(super) const fn places(&self) -> usize {
        self.places
    }

    #[inline]
    fn get(&self, place: usize) -> Option<&Place> {
        let within = place & ((1 << self.chunk_bits) - 1);
        self.chunks
            .get(place >> self.chunk_bits)?
            .get()?
            .get(within)
    }

    /// The place, to be written to. Always there: its chunk is made if need be.
    fn made(&self, place: usize) -> Option<&Place> {
        self.get(place).or_else(|| {
            self.make(place);
            self.get(place)
        })
    }

    /// Makes the chunk of `place`. Built first, put after: nobody waits for another's allocation, and whoever comes
    /// second drops theirs.
    #[cold]
    pub(super) fn make(&self, place: usize) {
        if let Some(chunk) = self.chunks.get(place >> self.chunk_bits) {
            let _ = chunk.set(
                (0..1 << self.chunk_bits)
                    .map(|_| Place::default())
                    .collect(),
            );
        }
    }

    /// The point at `place`.
    #[inline]
    pub(super) fn point(&self, place: usize) -> Point {
        Point::of_place(self.word(place))
    }

    /// The place `on` places after `place`. Both are less than one lap.
    pub(super) fn after(&self, place: usize, on: usize) -> usize {
        let place = place + on;
        if place < self.places {
            place
        } else {
            place - self.places
        }
    }

    #[inline]
    pub(super) fn word(&self, place: usize) -> u128 {
        // Acquire: pairs with the Release in `exchange`; the points before this one are seen as well.
        self.get(place)
            .map_or(UNWRITTEN, |place| place.point.load(Acquire))
    }

    /// The end of the ring.
    pub(super) fn end(&self) -> End {
        // Acquire: pairs with the Release in `hint`, so that the point named here is there.
        let mut place = self.newest.load(Acquire);
        let mut newest = self.point(place);
        loop {
            let next = self.after(place, 1);
            let oldest = self.word(next);
            let point = Point::of_place(oldest);
            if point.total <= newest.total {
                return End {
                    newest,
                    next,
                    oldest,
                };
            }
            (place, newest) = (next, point);
        }
    }

    /// Writes `word` to `place` if that still holds `held`. Lock-free; no word is ever written twice.
    pub(super) fn exchange(&self, place: usize, held: u128, word: u128) -> bool {
        // Release: pairs with the Acquire in `word`. Relaxed on failure: every caller looks again.
        self.made(place).is_some_and(|place| {
            place
                .point
                .compare_exchange(held, word, Release, Relaxed)
                .is_ok()
        })
    }

    /// Notes that the newest point is at `place`.
    pub(super) fn hint(&self, place: usize) {
        // Release: pairs with the Acquire in `end`.
        self.newest.store(place, Release);
    }

    /// Units given back, according to `place`, of the interval that starts at `start`.
    pub(super) fn refunded(&self, place: usize, start: u64) -> u64 {
        // Acquire: pairs with the Release in `refund`. Whoever sees what was given back sees, when looking again, what the
        // same caller did before that: a charge, or a refund of another interval.
        let refunds = self.get(place).map_or(Refunds::NONE, |place| {
            Refunds::unpack(place.refunds.load(Acquire))
        });
        if refunds.start == start {
            refunds.units
        } else {
            0
        }
    }

    /// Gives back `units` of the interval that starts at `start` and ends at `place`; false if the place is another's
    /// by now.
    pub(super) fn refund(&self, place: usize, start: u64, units: u64) -> bool {
        let Some(place) = self.made(place) else {
            return false;
        };
        let mut word = place.refunds.load(Relaxed);
        while let Some(refunds) = Refunds::unpack(word).with(start, units) {
            // Release: pairs with the Acquire in `refunded`. Relaxed on failure: the word says itself what it belongs to.
            // Starts only grow, so no word of an earlier lap comes back.
            match place
                .refunds
                .compare_exchange_weak(word, refunds.pack(), Release, Relaxed)
            {
                Ok(_) => return true,
                Err(held) => word = held,
            }
        }
        false
    }
}
