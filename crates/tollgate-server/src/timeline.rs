//! What happened when, in a bounded number of buckets.

use std::collections::BTreeMap;

const SECOND: i64 = 1_000_000_000;

/// Widths a bucket may have, in nanoseconds: each divides the next, so that buckets merge whole, and
/// days are the widest that start at midnight UTC.
const WIDTHS: [i64; 24] = [
    SECOND / 1000,
    SECOND / 500,
    SECOND / 100,
    SECOND / 50,
    SECOND / 10,
    SECOND / 5,
    SECOND,
    5 * SECOND,
    10 * SECOND,
    30 * SECOND,
    60 * SECOND,
    120 * SECOND,
    600 * SECOND,
    1800 * SECOND,
    3600 * SECOND,
    2 * 3600 * SECOND,
    6 * 3600 * SECOND,
    12 * 3600 * SECOND,
    86_400 * SECOND,
    5 * 86_400 * SECOND,
    25 * 86_400 * SECOND,
    75 * 86_400 * SECOND,
    150 * 86_400 * SECOND,
    // 600 of these are longer than all times that a trace can tell.
    450 * 86_400 * SECOND,
];

/// The highest usage that is told: a debt of a billion limits. Above that, axes would have no room for their ends.
const USAGE_PPM_MOST: u64 = 1_000_000_000_000_000;

/// What happened in one span of time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Bucket {
    /// Requests admitted.
    pub(crate) admitted: u64,
    /// Requests refused, by the binding limit.
    pub(crate) refused: Vec<u64>,
    /// The highest usage met by a request, of any account, by limit, in millionths of the limit.
    pub(crate) usage_ppm: Vec<Option<u64>>,
}

impl Bucket {
    /// Raises the usage of `limit` to `used` out of `max`.
    pub(crate) fn used(&mut self, limit: usize, used: u64, max: u64) {
        let ppm = (u128::from(used) * 1_000_000)
            .checked_div(u128::from(max))
            .unwrap_or(0);
        let ppm = u64::try_from(ppm).map_or(USAGE_PPM_MOST, |ppm| ppm.min(USAGE_PPM_MOST));
        let usage = &mut self.usage_ppm[limit];
        *usage = Some(usage.map_or(ppm, |old| old.max(ppm)));
    }

    fn merge(&mut self, other: Self) {
        self.admitted += other.admitted;
        for (mine, other) in self.refused.iter_mut().zip(other.refused) {
            *mine += other;
        }
        for (mine, other) in self.usage_ppm.iter_mut().zip(other.usage_ppm) {
            *mine = (*mine).max(other);
        }
    }
}

/// Buckets of one width by their number since 1970; the width grows with the time told.
#[derive(Debug)]
pub(crate) struct Timeline {
    limits: usize,
    width: usize,
    buckets: BTreeMap<i64, Bucket>,
}

impl Timeline {
    /// The most buckets there are from the first to the last.
    pub(crate) const MOST: i64 = 600;

    pub(crate) fn new(limits: usize) -> Self {
        Self {
            limits,
            width: 0,
            buckets: BTreeMap::new(),
        }
    }

    /// The bucket of a time in nanoseconds since 1970. Times may come in any order.
    pub(crate) fn at(&mut self, wall_ns: i64) -> &mut Bucket {
        while !self.fits(wall_ns) {
            self.widen();
        }
        let limits = self.limits;
        self.buckets
            .entry(wall_ns.div_euclid(WIDTHS[self.width]))
            .or_insert_with(|| Bucket {
                admitted: 0,
                refused: vec![0; limits],
                usage_ppm: vec![None; limits],
            })
    }

    /// The width of a bucket in nanoseconds.
    pub(crate) fn width_ns(&self) -> i64 {
        WIDTHS[self.width]
    }

    /// Buckets in which something happened, each with the time it starts, in nanoseconds since 1970.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (i64, &Bucket)> {
        // The first bucket may start before the earliest time that 64 bits can tell.
        self.buckets
            .iter()
            .map(|(number, bucket)| (number.saturating_mul(self.width_ns()), bucket))
    }

    fn fits(&self, wall_ns: i64) -> bool {
        let number = wall_ns.div_euclid(WIDTHS[self.width]);
        let first = self
            .buckets
            .first_key_value()
            .map_or(number, |(first, _)| *first)
            .min(number);
        let last = self
            .buckets
            .last_key_value()
            .map_or(number, |(last, _)| *last)
            .max(number);
        last.saturating_sub(first) < Self::MOST || self.width + 1 == WIDTHS.len()
    }

    fn widen(&mut self) {
        let factor = WIDTHS[self.width + 1] / WIDTHS[self.width];
        self.width += 1;
        for (number, bucket) in std::mem::take(&mut self.buckets) {
            match self.buckets.entry(number.div_euclid(factor)) {
                std::collections::btree_map::Entry::Vacant(free) => {
                    free.insert(bucket);
                }
                std::collections::btree_map::Entry::Occupied(mut old) => {
                    old.get_mut().merge(bucket);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_width_divides_the_next() {
        assert!(
            WIDTHS
                .windows(2)
                .all(|pair| pair[1] % pair[0] == 0 && pair[1] > pair[0])
        );
        assert!(WIDTHS[WIDTHS.len() - 1] > i64::MAX / Timeline::MOST * 2);
    }

    #[test]
    fn buckets_stay_few_and_lose_nothing() {
        let start = 1_700_158_546_680_590_000;
        let mut timeline = Timeline::new(2);
        for i in 0..100_000_i64 {
            // Every third step goes back in time.
            let at = start + i * SECOND / 3 - (i % 3) * 40 * SECOND;
            let bucket = timeline.at(at);
            bucket.admitted += 1;
            bucket.refused[1] += 2;
            bucket.used(0, 1, 4);
        }
        timeline.at(start + 77 * SECOND).used(0, 3, 2);
        let buckets: Vec<_> = timeline.iter().collect();
        assert!(
            buckets.len() <= 600 && buckets.len() > 100,
            "{}",
            buckets.len()
        );
        assert_eq!(
            buckets.iter().map(|(_, b)| b.admitted).sum::<u64>(),
            100_000
        );
        assert_eq!(
            buckets.iter().map(|(_, b)| b.refused[1]).sum::<u64>(),
            200_000
        );
        assert_eq!(
            buckets.iter().filter_map(|(_, b)| b.usage_ppm[0]).max(),
            Some(1_500_000)
        );
        assert!(buckets.iter().all(|(_, b)| b.usage_ppm[1].is_none()));
        assert!(buckets.iter().all(|(at, _)| at % timeline.width_ns() == 0));
    }

    #[test]
    fn the_ends_of_time_are_only_far_apart() {
        let mut timeline = Timeline::new(0);
        for at in [0, i64::MAX, i64::MIN, -1] {
            timeline.at(at).admitted += 1;
        }
        assert!(timeline.iter().count() <= 4);
    }
}
