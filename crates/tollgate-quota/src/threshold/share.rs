//! Exact parts of a limit.

use super::ThresholdError;
use std::fmt;

/// Parts of a whole.
const WHOLE_PPM: u32 = 1_000_000;

/// A share of a limit, in parts per million: above zero, at most the whole.
///
/// ```
/// use tollgate_quota::threshold::Share;
///
/// assert_eq!(Share::percent(80)?, Share::ppm(800_000)?);
/// assert_eq!(Share::percent(80)?.to_string(), "80%");
/// // Half of five is first reached at three; who may use half of five may use two.
/// assert_eq!(Share::percent(50)?.reached_at(5), 3);
/// assert_eq!(Share::percent(50)?.of(5), 2);
/// # Ok::<(), tollgate_quota::threshold::ThresholdError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(pub(super) u32);

impl Share {
    /// The whole limit.
    pub const WHOLE: Self = Self(WHOLE_PPM);

    /// A share of `ppm` parts per million.
    ///
    /// # Errors
    /// [`ThresholdError::NotAShare`] for zero and for more than the whole.
    pub const fn ppm(ppm: u32) -> Result<Self, ThresholdError> {
        if ppm == 0 || ppm > WHOLE_PPM {
            return Err(ThresholdError::NotAShare { ppm });
        }
        Ok(Self(ppm))
    }

    /// A share of `percent` hundredths.
    ///
    /// # Errors
    /// [`ThresholdError::NotAShare`] for zero and for more than the whole.
    pub const fn percent(percent: u32) -> Result<Self, ThresholdError> {
        Self::ppm(percent.saturating_mul(WHOLE_PPM / 100))
    }

    /// The parts per million.
    #[must_use]
    pub const fn as_ppm(self) -> u32 {
        self.0
    }

    /// The least amount that is at least this share of `full`. Exact for every `full`.
    #[must_use]
    pub const fn reached_at(self, full: u128) -> u128 {
        // Split so that nothing overflows: the first product is at most `full`, the second below 2^40. The parts
        // below the whole are rounded up; amounts are whole, so comparing with the ceiling is exact.
        let (share, whole) = (self.0 as u128, WHOLE_PPM as u128);
        share * (full / whole) + (share * (full % whole)).div_ceil(whole)
    }

    /// This share of `full` units, rounded down, but at least 1; of nothing it is nothing. Exact for every `full`.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a share is at most the whole, which is a u64"
    )]
    pub const fn of(self, full: u64) -> u64 {
        let part = full as u128 * self.0 as u128 / WHOLE_PPM as u128;
        if part == 0 && full > 0 {
            1
        } else {
            part as u64
        }
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Share({self})")
    }
}

impl fmt::Display for Share {
    /// Writes `80%`, `99.95%`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (percent, rest) = (self.0 / 10_000, self.0 % 10_000);
        let places = format!(".{rest:04}");
        f.pad(&format!(
            "{percent}{}%",
            places.trim_end_matches('0').trim_end_matches('.')
        ))
    }
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn nothing_and_more_than_the_whole_are_no_share() {
        assert_eq!(Share::ppm(0), Err(ThresholdError::NotAShare { ppm: 0 }));
        assert_eq!(
            Share::ppm(1_000_001),
            Err(ThresholdError::NotAShare { ppm: 1_000_001 })
        );
        assert_eq!(Share::ppm(1_000_000), Ok(Share::WHOLE));
        assert!(Share::percent(u32::MAX).is_err());
    }

    #[test]
    fn a_part_is_rounded_down_but_leaves_one() {
        assert_eq!(Share(999_999).of(1_000_000), 999_999);
        assert_eq!(Share(999_999).of(999_999), 999_998);
        assert_eq!(Share(1).of(1_999_999), 1);
        assert_eq!(Share(1).of(2_000_000), 2);
        assert_eq!(Share(1).of(1), 1);
        assert_eq!(Share(1).of(0), 0);
    }

    #[test]
    fn the_whole_of_the_largest_amount_is_all_of_it() {
        assert_eq!(Share::WHOLE.of(u64::MAX), u64::MAX);
        assert_eq!(
            u128::from(Share(999_999).of(u64::MAX)),
            u128::from(u64::MAX) * 999_999 / 1_000_000
        );
    }

    #[test]
    fn shares_are_written_as_percent() {
        for (ppm, text) in [
            (1, "0.0001%"),
            (800_000, "80%"),
            (999_500, "99.95%"),
            (1_000_000, "100%"),
        ] {
            assert_eq!(Share(ppm).to_string(), text);
        }
    }
}
