//! Shares of a limit: which of them an exchange crosses, and how full a limit is in a word.
//!
//! An exchange on a meter's word sees what was committed before and after it. Those pairs form a chain: each
//! exchange starts where the last one ended. So "before it, not yet; after it, reached" is true of exactly one
//! exchange per crossing, and no flag, lock or event log is needed to tell a crossing once.

mod share;

pub use share::Share;

use std::fmt;

/// Thresholds or status levels that cannot be, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ThresholdError {
    /// Not above zero, or above the whole.
    #[error(
        "a threshold of {ppm} parts per million is not a share of a limit, it may be 1 to 1000000"
    )]
    NotAShare {
        /// The parts per million asked for.
        ppm: u32,
    },
    /// The same share more than once: it would be told twice.
    #[error("the threshold {share} is given twice, give each once")]
    Twice {
        /// The share.
        share: Share,
    },
    /// More thresholds than [`Thresholds::MOST`].
    #[error(
        "{found} thresholds are too many, a limit may have {}",
        Thresholds::MOST
    )]
    TooMany {
        /// How many were given.
        found: usize,
    },
    /// Levels that do not rise.
    #[error(
        "status levels must rise, found notice at {notice}, warn at {warn}, critical at {critical}"
    )]
    LevelsDoNotRise {
        /// Where `notice` starts.
        notice: Share,
        /// Where `warn` starts.
        warn: Share,
        /// Where `critical` starts.
        critical: Share,
    },
}

/// Shares of one limit whose crossing is told, in rising order.
///
/// ```
/// use tollgate_quota::threshold::{Share, Thresholds};
///
/// let (warn, critical) = (Share::percent(80)?, Share::percent(95)?);
/// let thresholds = Thresholds::new([critical, warn])?;
/// assert_eq!(thresholds.crossed(0, 79, 100), []);
/// assert_eq!(thresholds.crossed(79, 80, 100), [warn]);
/// assert_eq!(thresholds.crossed(80, 94, 100), []);
/// assert_eq!(thresholds.crossed(0, 100, 100), [warn, critical]);
/// # Ok::<(), tollgate_quota::threshold::ThresholdError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Thresholds(Box<[Share]>);

impl Thresholds {
    /// The most thresholds a limit may have.
    pub const MOST: usize = 16;

    /// Thresholds at `shares`, given in any order. None at all is fine.
    ///
    /// # Errors
    /// [`ThresholdError::Twice`], [`ThresholdError::TooMany`].
    pub fn new(shares: impl IntoIterator<Item = Share>) -> Result<Self, ThresholdError> {
        let mut shares: Vec<Share> = shares.into_iter().collect();
        if shares.len() > Self::MOST {
            return Err(ThresholdError::TooMany {
                found: shares.len(),
            });
        }
        shares.sort_unstable();
        if let Some(pair) = shares.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(ThresholdError::Twice { share: pair[0] });
        }
        Ok(Self(shares.into()))
    }

    /// The shares, rising.
    #[must_use]
    pub fn shares(&self) -> &[Share] {
        &self.0
    }

    /// The thresholds that an exchange from `before` to `after` of `full` crossed, rising.
    ///
    /// A share is crossed where `before` is below it and `after` has reached it; falling crosses nothing, and a
    /// share that is reached again after a fall is crossed again. Asked of every exchange on a meter (with the
    /// `before`, `after` and `full` of its [`Charged`](tollgate_core::Charged)), it names each crossing exactly
    /// once. Of a `full` of zero nothing is crossed: such a limit is reached from the start. If `full` changes
    /// between two exchanges, a share may be passed by the change alone, which is no crossing.
    ///
    /// Exact for all values, linear in the number of thresholds, allocates nothing.
    #[must_use]
    pub fn crossed(&self, before: u128, after: u128, full: u128) -> &[Share] {
        // Invariant: shares rise, so their amounts do, and the crossed ones stand side by side.
        let reached = |amount: u128| {
            self.0
                .partition_point(|share| share.reached_at(full) <= amount)
        };
        self.0
            .get(reached(before)..reached(after))
            .unwrap_or_default()
    }
}

/// How full a limit is, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StatusLevel {
    /// Below every level.
    Ok,
    /// By default from 50 %.
    Notice,
    /// By default from 80 %.
    Warn,
    /// By default from 95 %.
    Critical,
}

impl StatusLevel {
    /// The word of reports: `ok`, `notice`, `warn`, `critical`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Notice => "notice",
            Self::Warn => "warn",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for StatusLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Where each [`StatusLevel`] starts.
///
/// ```
/// use tollgate_quota::threshold::{StatusLevel, StatusLevels};
///
/// let levels = StatusLevels::default();
/// assert_eq!(levels.of(49, 100), StatusLevel::Ok);
/// assert_eq!(levels.of(50, 100), StatusLevel::Notice);
/// assert_eq!(levels.of(95, 100), StatusLevel::Critical);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusLevels {
    notice: Share,
    warn: Share,
    critical: Share,
}

impl StatusLevels {
    /// Levels that start at exactly these shares.
    ///
    /// # Errors
    /// [`ThresholdError::LevelsDoNotRise`] unless each starts above the one before.
    pub const fn new(notice: Share, warn: Share, critical: Share) -> Result<Self, ThresholdError> {
        if notice.as_ppm() >= warn.as_ppm() || warn.as_ppm() >= critical.as_ppm() {
            return Err(ThresholdError::LevelsDoNotRise {
                notice,
                warn,
                critical,
            });
        }
        Ok(Self {
            notice,
            warn,
            critical,
        })
    }

    /// The level of `used` out of `max`, both on one scale. Exact for all values. Of a `max` of zero everything
    /// is [`StatusLevel::Critical`]: what allows nothing is always full.
    #[must_use]
    pub const fn of(&self, used: u128, max: u128) -> StatusLevel {
        if used >= self.critical.reached_at(max) {
            StatusLevel::Critical
        } else if used >= self.warn.reached_at(max) {
            StatusLevel::Warn
        } else if used >= self.notice.reached_at(max) {
            StatusLevel::Notice
        } else {
            StatusLevel::Ok
        }
    }
}

impl Default for StatusLevels {
    /// Notice at 50 %, warn at 80 %, critical at 95 %.
    fn default() -> Self {
        Self {
            notice: Share(500_000),
            warn: Share(800_000),
            critical: Share(950_000),
        }
    }
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn thresholds(percents: &[u32]) -> Thresholds {
        Thresholds::new(
            percents
                .iter()
                .map(|&percent| Share::percent(percent).unwrap()),
        )
        .unwrap()
    }

    #[test]
    fn thresholds_are_sorted_distinct_and_bounded() {
        let (half, most) = (Share::percent(50).unwrap(), Share::percent(95).unwrap());
        assert_eq!(
            Thresholds::new([most, half]).unwrap().shares(),
            [half, most]
        );
        assert_eq!(
            Thresholds::new([half, most, half]),
            Err(ThresholdError::Twice { share: half })
        );
        let many = (1..=17).map(|ppm| Share::ppm(ppm).unwrap());
        assert_eq!(
            Thresholds::new(many),
            Err(ThresholdError::TooMany { found: 17 })
        );
        assert_eq!(Thresholds::default().crossed(0, 100, 100), []);
    }

    #[test]
    fn errors_say_what_would_be_right() {
        let share = Share::percent(80).unwrap();
        for (error, text) in [
            (
                ThresholdError::NotAShare { ppm: 0 },
                "a threshold of 0 parts per million is not a share of a limit, it may be 1 to 1000000",
            ),
            (
                ThresholdError::Twice { share },
                "the threshold 80% is given twice, give each once",
            ),
            (
                ThresholdError::TooMany { found: 17 },
                "17 thresholds are too many, a limit may have 16",
            ),
            (
                StatusLevels::new(share, share, share).unwrap_err(),
                "status levels must rise, found notice at 80%, warn at 80%, critical at 80%",
            ),
        ] {
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn crossing_is_from_below_to_reached() {
        let warn = thresholds(&[80]);
        assert_eq!(warn.crossed(79, 80, 100).len(), 1);
        assert_eq!(warn.crossed(80, 81, 100).len(), 0);
        assert_eq!(warn.crossed(80, 79, 100).len(), 0);
        assert_eq!(warn.crossed(80, 80, 100).len(), 0);
        // 80 % of 3 is 2.4: crossed by the step to 3.
        assert_eq!(warn.crossed(1, 2, 3).len(), 0);
        assert_eq!(warn.crossed(2, 3, 3).len(), 1);
        // Debt crosses like anything else, and beyond the whole there is nothing left to cross.
        assert_eq!(warn.crossed(0, 1_000, 100).len(), 1);
        assert_eq!(warn.crossed(1_000, 2_000, 100).len(), 0);
    }

    #[test]
    fn a_limit_of_zero_is_never_crossed_and_always_critical() {
        assert_eq!(thresholds(&[1, 100]).crossed(0, 5, 0), []);
        assert_eq!(StatusLevels::default().of(0, 0), StatusLevel::Critical);
    }

    #[test]
    fn values_near_the_end_neither_wrap_nor_panic() {
        let warn = thresholds(&[80, 100]);
        for full in [1 << 100, u128::MAX] {
            let eighty = full / 5 * 4 + (full % 5 * 4).div_ceil(5);
            assert_eq!(warn.crossed(eighty - 1, eighty, full), [Share(800_000)]);
            assert_eq!(warn.crossed(eighty, full, full), [Share::WHOLE]);
            assert_eq!(warn.crossed(full - 1, full, full), [Share::WHOLE]);
        }
    }

    #[test]
    fn levels_start_at_exactly_their_share() {
        let levels = StatusLevels::default();
        for (used, level) in [
            (0, StatusLevel::Ok),
            (499_999, StatusLevel::Ok),
            (500_000, StatusLevel::Notice),
            (799_999, StatusLevel::Notice),
            (800_000, StatusLevel::Warn),
            (949_999, StatusLevel::Warn),
            (950_000, StatusLevel::Critical),
            (2_000_000, StatusLevel::Critical),
        ] {
            assert_eq!(levels.of(used, 1_000_000), level, "{used}");
        }
        assert_eq!(StatusLevel::Notice.to_string(), "notice");
        assert!(StatusLevel::Ok < StatusLevel::Notice && StatusLevel::Warn < StatusLevel::Critical);
    }

    proptest! {
        /// The rule of the seam, by cross-multiplication: `before < s × full <= after`.
        #[test]
        fn crossed_is_the_rule_of_the_seam(
            before in 0_u128..1 << 100, after in 0_u128..1 << 100, full in 0_u128..1 << 100, shift in 0_u32..100,
            ppms in prop::collection::btree_set(1_u32..=1_000_000, 0..=16),
        ) {
            let (before, after, full) = (before >> shift, after >> shift, full >> shift);
            let thresholds = Thresholds::new(ppms.iter().map(|&ppm| Share(ppm))).unwrap();
            let expected: Vec<Share> = ppms.iter().filter(|&&ppm| {
                let share = u128::from(ppm) * full;
                before * 1_000_000 < share && share <= after * 1_000_000
            }).map(|&ppm| Share(ppm)).collect();
            prop_assert_eq!(thresholds.crossed(before, after, full), expected);
        }

        /// However a climb is cut into steps, each threshold on the way is told once.
        #[test]
        fn a_climb_crosses_each_threshold_once(
            steps in prop::collection::vec(1_u128..40, 1..40), full in 1_u128..400,
            ppms in prop::collection::btree_set(1_u32..=1_000_000, 0..=16),
        ) {
            let thresholds = Thresholds::new(ppms.iter().map(|&ppm| Share(ppm))).unwrap();
            let mut told = Vec::new();
            let mut used = 0;
            for step in steps {
                told.extend_from_slice(thresholds.crossed(used, used + step, full));
                used += step;
            }
            prop_assert_eq!(told, thresholds.crossed(0, used, full));
        }

        #[test]
        fn levels_are_the_highest_reached(used in 0_u128..3_000, max in 1_u128..2_000) {
            let expected = match used * 100 {
                part if part >= max * 95 => StatusLevel::Critical,
                part if part >= max * 80 => StatusLevel::Warn,
                part if part >= max * 50 => StatusLevel::Notice,
                _ => StatusLevel::Ok,
            };
            prop_assert_eq!(StatusLevels::default().of(used, max), expected);
        }
    }
}
