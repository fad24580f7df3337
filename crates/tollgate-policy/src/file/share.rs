//! Exact parts of a capacity.

use std::fmt;

/// A part of a capacity, above nothing and at most the whole, exact to a millionth.
///
/// ```
/// use tollgate_policy::Share;
///
/// let half = Share::from_ppm(500_000).unwrap();
/// assert_eq!(half.of(9), 4);
/// assert_eq!(half.of(1), 1);
/// assert_eq!(half.of(0), 0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(u32);

impl Share {
    /// The whole.
    pub const WHOLE: Self = Self(1_000_000);

    /// A share of `ppm` parts per million, if that is in 1..=1,000,000.
    pub const fn from_ppm(ppm: u32) -> Option<Self> {
        if 1 <= ppm && ppm <= Self::WHOLE.0 {
            Some(Self(ppm))
        } else {
            None
        }
    }

    /// Parts per million.
    pub const fn ppm(self) -> u32 {
        self.0
    }

    /// This share of `capacity` units, rounded down, but at least 1; of no capacity it is 0.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "at most a millionth's million of a u64"
    )]
    pub const fn of(self, capacity: u64) -> u64 {
        let part = capacity as u128 * self.0 as u128 / Self::WHOLE.0 as u128;
        if part == 0 && capacity > 0 {
            1
        } else {
            part as u64
        }
    }
}

impl fmt::Display for Share {
    /// Writes the share as a policy file would: `0.95`, `1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::number::fmt_millionths(u64::from(self.0), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(ppm: u32) -> Share {
        Share::from_ppm(ppm).unwrap()
    }

    #[test]
    fn rounds_down_but_leaves_one() {
        assert_eq!(share(999_999).of(1_000_000), 999_999);
        assert_eq!(share(999_999).of(999_999), 999_998);
        assert_eq!(share(1).of(1_999_999), 1);
        assert_eq!(share(1).of(2_000_000), 2);
        assert_eq!(share(1).of(1), 1);
        assert_eq!(share(1).of(0), 0);
    }

    #[test]
    fn the_whole_of_the_largest_capacity_is_all_of_it() {
        assert_eq!(Share::WHOLE.of(u64::MAX), u64::MAX);
        assert_eq!(
            share(999_999).of(u64::MAX),
            u64::try_from(u128::from(u64::MAX) * 999_999 / 1_000_000).unwrap()
        );
    }

    #[test]
    fn nothing_and_more_than_the_whole_are_no_share() {
        assert_eq!(Share::from_ppm(0), None);
        assert_eq!(Share::from_ppm(1_000_001), None);
    }

    #[test]
    fn displays_as_written() {
        assert_eq!(share(950_000).to_string(), "0.95");
        assert_eq!(share(1).to_string(), "0.000001");
        assert_eq!(Share::WHOLE.to_string(), "1");
    }
}
