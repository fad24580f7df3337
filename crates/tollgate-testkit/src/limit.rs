//! The plain numbers of a limit, as the laws and the models take them.

use crate::exact::{Wide, ceil};

/// `units` per `period` nanoseconds, and at most `capacity` units at one instant.
///
/// Zero `units` never refill. A `period` of zero is taken as one nanosecond.
///
/// ```
/// use tollgate_testkit::RateLimit;
/// let limit = RateLimit::new(100, 60_000_000_000, 20);
/// assert_eq!(limit.capacity, 20);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RateLimit {
    /// Units that refill in a period.
    pub units: u64,
    /// Nanoseconds of a period.
    pub period: u64,
    /// The most units admitted at one instant.
    pub capacity: u64,
}

impl RateLimit {
    /// A limit of `units` per `period` nanoseconds with a capacity of `capacity` units.
    #[must_use]
    pub const fn new(units: u64, period: u64, capacity: u64) -> Self {
        Self {
            units,
            period,
            capacity,
        }
    }
}

/// The finest quantum: more than 2^32 a nanosecond are taken for that many.
const QUANTA_PER_NS_MAX: u64 = 1 << 32;

/// The time that one unit is worth: `parts / per_ns` nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Interval {
    pub(crate) parts: Wide,
    pub(crate) per_ns: u64,
}

impl Interval {
    /// Exactly period / units. Where nothing refills, a unit is worth longer than the clock runs.
    pub(crate) fn exact(limit: RateLimit) -> Self {
        if limit.units == 0 {
            return Self {
                parts: Wide::ONE << 64,
                per_ns: 1,
            };
        }
        Self {
            parts: Wide::from(limit.period.max(1)),
            per_ns: limit.units,
        }
    }

    /// Rounded up, once, to a whole number of quanta, of which a nanosecond has `quanta_per_ns`.
    pub(crate) fn quantized(limit: RateLimit, quanta_per_ns: u64) -> Self {
        let per_ns = quanta_per_ns.clamp(1, QUANTA_PER_NS_MAX);
        let exact = Self::exact(limit);
        let parts = exact.parts * Wide::from(per_ns);
        Self {
            parts: ceil(parts, Wide::from(exact.per_ns)),
            per_ns,
        }
    }
}

/// Periods of time, numbered upward: each half-open, each starting where the one before ends.
///
/// ```
/// use tollgate_testkit::Periods;
/// let minutes = Periods::every(60, 10);
/// assert_eq!((minutes.number(49), minutes.number(50)), (0, 1));
/// assert_eq!(minutes.start(1), Some(50));
///
/// let months = Periods::between([31, 59, 90]);
/// assert_eq!(months.number(30), 0);
/// assert_eq!(months.number(31), 1);
/// assert_eq!(months.start(3), Some(90));
/// assert_eq!(months.start(4), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Periods(Shape);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Shape {
    Every { period: u64, phase: u64 },
    Between(Vec<u64>),
}

impl Periods {
    /// Periods of equal length, in nanoseconds: an instant lies in period `⌊(instant + phase) / period⌋`.
    /// A length of zero is taken as one nanosecond.
    #[must_use]
    pub fn every(period: u64, phase: u64) -> Self {
        Self(Shape::Every {
            period: period.max(1),
            phase,
        })
    }

    /// Periods between explicit bounds, sorted here. The first period lies before the first bound; the last
    /// starts at the last bound and never ends.
    #[must_use]
    pub fn between(bounds: impl IntoIterator<Item = u64>) -> Self {
        let mut bounds: Vec<u64> = bounds.into_iter().collect();
        bounds.sort_unstable();
        bounds.dedup();
        Self(Shape::Between(bounds))
    }

    /// The number of the period that holds the instant `at`.
    #[must_use]
    pub fn number(&self, at: u64) -> u128 {
        match &self.0 {
            Shape::Every { period, phase } => {
                (u128::from(at) + u128::from(*phase)) / u128::from(*period)
            }
            Shape::Between(bounds) => bounds.partition_point(|bound| *bound <= at) as u128,
        }
    }

    /// The first instant of period `number`, if that is known and not before time zero.
    #[must_use]
    pub fn start(&self, number: u128) -> Option<u128> {
        match &self.0 {
            Shape::Every { period, phase } => number
                .checked_mul(u128::from(*period))?
                .checked_sub(u128::from(*phase)),
            Shape::Between(bounds) => {
                let index = usize::try_from(number.checked_sub(1)?).ok()?;
                bounds.get(index).map(|bound| u128::from(*bound))
            }
        }
    }
}

/// What of `used` still counts `later` periods after the one in which it was spent, at `max` a period: what was spent
/// beyond the max of a period is paid by the next ones, each up to its own.
pub(crate) fn left(used: u128, max: u128, later: u128) -> u128 {
    used.saturating_sub(max.saturating_mul(later))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_period_starts_where_its_number_begins() {
        let periods = Periods::every(7, 3);
        for at in 0..200 {
            let number = periods.number(at);
            let start = periods.start(number).unwrap_or(0);
            assert!(start <= u128::from(at));
            assert!(periods.start(number + 1).expect("equal periods never end") > u128::from(at));
        }
        assert_eq!(periods.start(0), None, "it began before time zero");
    }

    #[test]
    fn far_ends_of_time_have_a_period() {
        let periods = Periods::every(1, u64::MAX);
        assert_eq!(periods.number(u64::MAX), u128::from(u64::MAX) * 2);
        assert_eq!(Periods::between([]).number(u64::MAX), 0);
        assert_eq!(Periods::between([]).start(0), None);
        assert_eq!(
            Periods::every(0, 0).number(9),
            9,
            "zero is taken as one nanosecond"
        );
    }

    #[test]
    fn debt_is_paid_a_max_a_period() {
        let left = |later| left(230, 100, later);
        assert_eq!([0, 1, 2, u128::MAX].map(left), [230, 130, 30, 0]);
    }
}
