//! The points of the past, in rings that follow each other. The module page tells the protocol.

use super::{
    level::{End, Level, UNWRITTEN},
    word::Point,
};
use std::sync::OnceLock;
use tollgate_sync::atomic::{
    AtomicUsize,
    Ordering::{Acquire, Release},
};

/// Places of the first level, unless it needs fewer. A model's few charges must meet the next level too.
const FIRST_PLACES: usize = if cfg!(model_loom) { 3 } else { 16 };
/// Places of a level over those of the one before, in bits.
const RATIO_BITS: usize = 2;
/// With 16 places on the first, the level before the last has 2^20.
const LEVELS: usize = 10;

pub(super) struct Trail {
    levels: [OnceLock<Box<Level>>; LEVELS],
    places_first: usize,
    places_last: usize,
    /// About which level takes points.
    top: AtomicUsize,
}

/// Where the points ended when they were looked at.
#[derive(Clone, Copy)]
pub(super) struct Tail {
    pub(super) newest: Point,
    /// How many places there are, on all levels up to the one that takes points.
    pub(super) places: usize,
    /// How many of them are on the levels below that one.
    below: usize,
    level: usize,
    /// The newest point of the level below.
    prior: Point,
    /// The place that takes the next point, and its word.
    next: usize,
    oldest: u128,
}

/// What became of an attempt to record a point.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Recorded {
    Yes,
    /// Somebody else changed the trail first.
    Raced,
    /// The point after the oldest must stay.
    Full,
}

impl Trail {
    /// A trail that needs `places` at least on its only level, if it comes to no more, and `places_max` on its last.
    pub(super) fn new(places: usize, places_max: usize) -> Self {
        let trail = Self {
            levels: std::array::from_fn(|_| OnceLock::new()),
            places_first: places.clamp(3, FIRST_PLACES.max(3)),
            places_last: places_max.max(FIRST_PLACES << (RATIO_BITS * (LEVELS - 1))),
            top: AtomicUsize::new(0),
        };
        if cfg!(model_loom) {
            // The checker does not see through a `OnceLock`: what it is to check is made before threads are.
            for level in 0..2 {
                let places = trail.places(level);
                if let Some(level) = trail.made(level) {
                    (0..places).for_each(|place| level.make(place));
                }
            }
        }
        trail
    }

    fn places(&self, level: usize) -> usize {
        match level {
            0 => self.places_first,
            level if level < LEVELS - 1 => FIRST_PLACES << (RATIO_BITS * level),
            _ => self.places_last,
        }
    }

    fn level(&self, level: usize) -> Option<&Level> {
        self.levels.get(level)?.get().map(|level| &**level)
    }

    /// The level, to be written to. Always there: it is made if need be.
    fn made(&self, level: usize) -> Option<&Level> {
        if self.level(level).is_none() {
            // As many chunks as they have places, but for the sixteen of the first.
            let chunk_bits = FIRST_PLACES.next_power_of_two().ilog2();
            let growth_bits = u32::try_from(level * RATIO_BITS / 2).unwrap_or(0);
            let made = Level::new(self.places(level), chunk_bits + growth_bits);
            // As with chunks, whoever comes second drops theirs.
            let _ = self.levels.get(level)?.set(Box::new(made));
        }
        self.level(level)
    }

    fn word(&self, level: usize, place: usize) -> u128 {
        self.level(level)
            .map_or(UNWRITTEN, |level| level.word(place))
    }

    fn end(&self, level: usize) -> End {
        self.level(level).map_or(End::UNWRITTEN, Level::end)
    }

    /// The newest point before those of `level`.
    fn prior(&self, level: usize) -> Point {
        level
            .checked_sub(1)
            .map_or(Point::GENESIS, |below| self.end(below).newest)
    }

    /// `place` and `on` places further, on `level`. Both are less than one lap.
    fn after(&self, level: usize, place: usize, on: usize) -> usize {
        let (place, places) = (place + on, self.places(level));
        if place < places {
            place
        } else {
            place - places
        }
    }

    /// The end of the trail.
    pub(super) fn tail(&self) -> Tail {
        // Acquire: pairs with the Release in `record`, so that the levels below are seen to be over.
        let mut level = self.top.load(Acquire);
        let mut prior = self.prior(level);
        loop {
            let end = self.end(level);
            let newest = if end.newest == Point::GENESIS {
                prior
            } else {
                end.newest
            };
            if Point::is_over(end.oldest) {
                (level, prior) = (level + 1, newest);
                continue;
            }
            return self.tail_on(level, prior, newest, end);
        }
    }

    fn tail_on(&self, level: usize, prior: Point, newest: Point, end: End) -> Tail {
        let below = (0..level).map(|level| self.places(level)).sum();
        Tail {
            newest,
            places: below + self.places(level),
            below,
            level,
            prior,
            next: end.next,
            oldest: end.oldest,
        }
    }

    /// True if no point was recorded since `tail` was taken: a search in between has seen one state of the trail.
    pub(super) fn is_unchanged(&self, tail: Tail) -> bool {
        self.word(tail.level, tail.next) == tail.oldest
    }

    /// The level and the place of the point `age` points after the oldest.
    fn locate(&self, tail: Tail, mut age: usize) -> (usize, usize) {
        if age >= tail.below {
            return (
                tail.level,
                self.after(tail.level, tail.next, age - tail.below),
            );
        }
        let mut level = 0;
        while age >= self.places(level) {
            age -= self.places(level);
            level += 1;
        }
        // This level is over, so its end stays where it is.
        (level, self.after(level, self.end(level).next, age))
    }

    /// The point `age` points after the oldest. A place never written reads as the newest point of the level below:
    /// a point of no further units.
    pub(super) fn get(&self, tail: Tail, age: usize) -> Point {
        let (level, place) = self.locate(tail, age);
        match Point::of_place(self.word(level, place)) {
            Point::GENESIS if level == tail.level => tail.prior,
            Point::GENESIS => self.prior(level),
            point => point,
        }
    }

    /// How many points from the oldest on satisfy `is_before`, which holds for those up to some point and no further.
    pub(super) fn count_while(&self, tail: Tail, is_before: impl Fn(Point) -> bool) -> usize {
        // Mostly what is looked for is on the level that takes points.
        if tail.below > 0 && !is_before(self.get(tail, tail.below)) {
            return partition_point(0, tail.below, |age| is_before(self.get(tail, age)));
        }
        let Some(level) = self.level(tail.level) else {
            return if is_before(tail.prior) {
                tail.places
            } else {
                tail.below
            };
        };
        let on_level = |on| match level.point(level.after(tail.next, on)) {
            Point::GENESIS => tail.prior,
            point => point,
        };
        tail.below + partition_point(0, level.places(), |on| is_before(on_level(on)))
    }

    /// As [`Self::count_while`], where the answer is at least `from`, and mostly not much more.
    pub(super) fn count_on_while(
        &self,
        tail: Tail,
        from: usize,
        is_before: impl Fn(Point) -> bool,
    ) -> usize {
        let (mut low, mut step) = (from, 1);
        while low + step <= tail.places && is_before(self.get(tail, low + step - 1)) {
            (low, step) = (low + step, 2 * step);
        }
        let high = tail.places.min(low + step - 1);
        partition_point(low, high, |age| is_before(self.get(tail, age)))
    }

    /// Writes `point` after the newest one, if the point after the oldest `may_be_oldest` then; on the next level if
    /// it may not, and this one has fewer places than `wanted`.
    pub(super) fn record(
        &self,
        tail: Tail,
        point: Point,
        wanted: usize,
        may_be_oldest: impl Fn(Point) -> bool,
    ) -> Recorded {
        debug_assert!(tail.newest.total < point.total && tail.newest.stamp <= point.stamp);
        let after = self.word(tail.level, self.after(tail.level, tail.next, 1));
        if after == UNWRITTEN || may_be_oldest(Point::of_place(after)) {
            return self.write(tail, point);
        }
        let above = tail.level + 1;
        if self.places(tail.level) >= wanted || above == LEVELS {
            return Recorded::Full;
        }
        // Whoever records on this level exchanges this very word, so from here on nobody does.
        if !self.exchange(tail, Point::over(tail.oldest)) {
            return Recorded::Raced;
        }
        // Release: pairs with the Acquire in `tail`.
        self.top.fetch_max(above, Release);
        let tail = self.tail_on(above, tail.newest, tail.newest, End::UNWRITTEN);
        self.write(tail, point)
    }

    fn write(&self, tail: Tail, point: Point) -> Recorded {
        if !self.exchange(tail, point.pack()) {
            return Recorded::Raced;
        }
        if let Some(level) = self.level(tail.level) {
            level.hint(tail.next);
        }
        Recorded::Yes
    }

    /// Writes `word` to the place that takes the next point. If that still holds the oldest point, the newest is still
    /// the newest, since points are only ever written here; totals grow, so no word comes back.
    fn exchange(&self, tail: Tail, word: u128) -> bool {
        self.made(tail.level)
            .is_some_and(|level| level.exchange(tail.next, tail.oldest, word))
    }

    /// Units given back of the interval that starts at `start` and ends `age` points after the oldest; the head ends
    /// the one after the newest.
    pub(super) fn refunded(&self, tail: Tail, age: usize, start: u64) -> u64 {
        let (level, place) = self.refunds_of(tail, age);
        let units = |level: usize, place| {
            self.level(level)
                .map_or(0, |level| level.refunded(place, start))
        };
        let here = units(level, place);
        let prior = if level == tail.level {
            tail.prior
        } else {
            self.prior(level)
        };
        match level.checked_sub(1) {
            // It began as the head's on the level below.
            Some(below) if prior.total == start => here + units(below, self.end(below).next),
            _ => here,
        }
    }

    /// Gives back `units` of that interval; false if its place is another's by now.
    pub(super) fn refund(&self, tail: Tail, age: usize, start: u64, units: u64) -> bool {
        let (level, place) = self.refunds_of(tail, age);
        self.made(level)
            .is_some_and(|level| level.refund(place, start, units))
    }

    /// The interval that the head ends has its refunds where the head will be recorded: with the oldest point, whose
    /// own interval is forgotten.
    fn refunds_of(&self, tail: Tail, age: usize) -> (usize, usize) {
        if age == tail.places {
            (tail.level, tail.next)
        } else {
            self.locate(tail, age)
        }
    }
}

/// The first number from `low` up to `high` that does not satisfy `is_before`.
fn partition_point(mut low: usize, mut high: usize, is_before: impl Fn(usize) -> bool) -> usize {
    while low < high {
        let middle = low.midpoint(high);
        if is_before(middle) {
            low = middle + 1
        } else {
            high = middle
        }
    }
    low
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;

    /// Places that there is memory for.
    fn made(trail: &Trail) -> usize {
        (0..LEVELS)
            .filter_map(|level| trail.level(level))
            .map(Level::places_made)
            .sum()
    }

    /// Records `points` points, of which the last `live` are in the window.
    fn record(trail: &Trail, points: impl IntoIterator<Item = u64>, live: u64, wanted: usize) {
        for total in points {
            let point = Point {
                total,
                stamp: total,
            };
            let recorded = trail.record(trail.tail(), point, wanted, |oldest| {
                oldest.total + live <= total
            });
            assert!(recorded == Recorded::Yes);
        }
    }

    #[test]
    fn fresh_trail_takes_no_places_however_it_is_read() {
        let trail = Trail::new(1 << 22, 1 << 22);
        assert!(size_of::<Trail>() < 256);
        let tail = trail.tail();
        assert_eq!(tail.newest, Point::GENESIS);
        assert_eq!(
            trail.count_while(tail, |point| point.total < 1),
            tail.places
        );
        assert_eq!(trail.refunded(tail, tail.places, 0), 0);
        assert!(trail.is_unchanged(tail));
        assert_eq!(made(&trail), 0);
    }

    #[test]
    fn memory_follows_what_is_live_and_not_what_was_asked_for() {
        for live in [1, 10, 14, 15, 60, 63, 1_000, 20_000] {
            let trail = Trail::new(1 << 22, 1 << 22);
            record(&trail, 1..live + 1, live, 1 << 22);
            let needed = usize::try_from(live).unwrap() + 2;
            assert!(made(&trail) <= 2 * needed + 16, "{live}: {}", made(&trail));
            assert!(made(&trail) > needed - 2, "{live}: {}", made(&trail));
            record(&trail, live + 1..20 * live, live, 1 << 22);
            assert!(
                made(&trail) <= 6 * needed + 16,
                "{live} in the long run: {}",
                made(&trail)
            );
        }
    }

    #[test]
    fn every_live_point_is_found_on_whichever_level_it_is() {
        for live in [14, 15, 77, 78, 400] {
            let trail = Trail::new(1 << 22, 1 << 22);
            record(&trail, 1..3 * live, live, 1 << 22);
            let tail = trail.tail();
            for total in 2 * live..3 * live {
                let age = trail.count_while(tail, |point| point.total < total);
                assert_eq!(trail.get(tail, age).total, total);
                for from in [0, age / 2, age.saturating_sub(1), age] {
                    let found = trail.count_on_while(tail, from, |point| point.total < total);
                    assert_eq!(found, age, "from {from}");
                }
            }
            let beyond = trail.count_on_while(tail, 1, |_| true);
            assert_eq!(beyond, tail.places);
        }
    }

    #[test]
    fn every_point_is_found_before_any_level_laps() {
        let trail = Trail::new(1 << 22, 1 << 22);
        record(&trail, 1..301, 300, 1 << 22);
        let tail = trail.tail();
        assert_eq!((tail.level, tail.newest.total), (2, 300));
        for total in 1..301 {
            let age = trail.count_while(tail, |point| point.total < total);
            assert_eq!(trail.get(tail, age).total, total);
        }
    }

    #[test]
    fn stale_hints_cost_time_only() {
        for live in [1, 14, 15, 77, 78, 400] {
            let trail = Trail::new(1 << 22, 1 << 22);
            record(&trail, 1..3 * live, live, 1 << 22);
            let end = |tail: Tail| {
                let (newest, prior) = (tail.newest.total, tail.prior.total);
                (newest, prior, tail.places, tail.next, tail.oldest)
            };
            let fresh = end(trail.tail());
            trail.top.store(0, Release);
            for level in 0..LEVELS {
                if let Some(level) = trail.level(level) {
                    level.hint(0);
                }
            }
            assert_eq!(end(trail.tail()), fresh, "{live}");
        }
    }

    #[test]
    fn tail_is_changed_by_every_point_and_by_the_end_of_its_level() {
        let trail = Trail::new(1 << 22, 1 << 22);
        for total in 1..100 {
            let before = trail.tail();
            assert!(trail.is_unchanged(before));
            record(&trail, total..total + 1, 100, 1 << 22);
            assert!(!trail.is_unchanged(before), "{total}");
        }
    }

    #[test]
    fn levels_have_the_places_asked_for_and_four_times_as_many_on_the_next() {
        for places in [3, 5, 15, 16] {
            assert_eq!(Trail::new(places, 1 << 22).tail().places, places);
        }
        let places = |places_max| {
            let trail = Trail::new(1 << 22, places_max);
            std::array::from_fn::<_, LEVELS, _>(|level| trail.places(level))
        };
        let least = std::array::from_fn(|level| FIRST_PLACES << (RATIO_BITS * level));
        assert_eq!(places(0), least);
        let most = places(1 << 23);
        assert_eq!(
            (&most[..LEVELS - 1], most[LEVELS - 1]),
            (&least[..LEVELS - 1], 1 << 23)
        );
    }

    #[test]
    fn level_is_made_in_as_many_chunks_of_sixteen_as_each_has() {
        let trail = Trail::new(1 << 22, 1 << 22);
        for level in 0..LEVELS {
            let made = trail.made(level).expect("it is made");
            assert_eq!(made.places_made(), 0, "nothing before it is written");
            made.make(0);
            assert_eq!(made.places_made(), FIRST_PLACES << level);
            assert_eq!(made.places() >> level, made.places_made());
        }
    }

    /// Its refunds stand in two places: what was given back while the head ended it, and what was once it had a place.
    #[test]
    fn interval_across_two_levels_has_the_refunds_of_both() {
        for (last, level) in [(16, 1), (78, 1), (300, 2)] {
            let trail = Trail::new(1 << 22, 1 << 22);
            record(&trail, (1..16).map(|number| number * 10), 1 << 22, 1 << 22);
            let tail = trail.tail();
            assert!(
                trail.refund(tail, tail.places, 150, 3),
                "the head's, on a level that is full"
            );
            assert_eq!(trail.refunded(tail, tail.places, 150), 3);
            record(
                &trail,
                (16..=last).map(|number| number * 10),
                1 << 22,
                1 << 22,
            );
            let tail = trail.tail();
            assert_eq!(tail.level, level);
            let age = trail.count_while(tail, |point| point.total < 160);
            assert_eq!(trail.get(tail, age).total, 160);
            assert!(trail.refund(tail, age, 150, 2));
            assert_eq!(trail.refunded(tail, age, 150), 5, "up to {last}");
            for (age, start) in [(age - 1, 140), (age + 1, 160)] {
                assert_eq!(trail.refunded(tail, age, start), 0);
            }
        }
    }

    #[test]
    fn level_is_full_for_good_if_no_more_is_wanted() {
        let trail = Trail::new(16, 1 << 22);
        record(&trail, 1..16, 100, 16);
        let point = Point {
            total: 16,
            stamp: 16,
        };
        assert!(trail.record(trail.tail(), point, 16, |_| false) == Recorded::Full);
        assert!(trail.record(trail.tail(), point, 17, |_| false) == Recorded::Yes);
        assert_eq!(trail.tail().newest, point);
    }
}
