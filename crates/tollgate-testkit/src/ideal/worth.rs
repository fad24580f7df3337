//! Exact amounts of a rate meter, in time and in units.

use crate::{
    exact::{Wide, ceil, clamp, floor},
    limit::Interval,
};
use std::{cmp::Ordering, fmt};

/// An exact amount of time, and the units that this time is worth at the meter's rate.
#[derive(Clone, Copy, Debug)]
pub struct Worth {
    pub(super) parts: Wide,
    pub(super) interval: Interval,
}

impl Worth {
    /// Nanoseconds, rounded down; at most [`u128::MAX`].
    #[must_use]
    pub fn ns_floor(&self) -> u128 {
        self.floor_in(1)
    }

    /// Nanoseconds, rounded up; at most [`u128::MAX`].
    #[must_use]
    pub fn ns_ceil(&self) -> u128 {
        self.ceil_in(1)
    }

    /// Quanta, of which a nanosecond has `per_ns`, rounded down; at most [`u128::MAX`].
    #[must_use]
    pub fn floor_in(&self, per_ns: u64) -> u128 {
        self.quanta(per_ns, floor)
    }

    /// Quanta, of which a nanosecond has `per_ns`, rounded up; at most [`u128::MAX`].
    #[must_use]
    pub fn ceil_in(&self, per_ns: u64) -> u128 {
        self.quanta(per_ns, ceil)
    }

    fn quanta(&self, per_ns: u64, round: impl Fn(Wide, Wide) -> Wide) -> u128 {
        // What does not fit in 256 bits before the division does not fit in 128 after it.
        let quanta = self.parts.checked_mul(Wide::from(per_ns));
        quanta.map_or(u128::MAX, |quanta| {
            clamp(round(quanta, Wide::from(self.interval.per_ns)))
        })
    }

    /// Units, rounded down.
    #[must_use]
    pub fn units_floor(&self) -> u128 {
        clamp(floor(self.parts, self.interval.parts))
    }

    /// Units, rounded up.
    #[must_use]
    pub fn units_ceil(&self) -> u128 {
        clamp(ceil(self.parts, self.interval.parts))
    }
}

impl PartialEq for Worth {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Worth {}

impl PartialOrd for Worth {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// By length of time, whatever the meter.
impl Ord for Worth {
    fn cmp(&self, other: &Self) -> Ordering {
        let own = self.parts * Wide::from(other.interval.per_ns);
        own.cmp(&(other.parts * Wide::from(self.interval.per_ns)))
    }
}

impl fmt::Display for Worth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} ns", self.parts, self.interval.per_ns)
    }
}
