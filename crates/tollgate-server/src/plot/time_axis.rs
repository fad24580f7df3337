//! Times along the bottom of a panel.

use crate::figures;

const MILLI: i64 = 1_000_000;
const SECOND: i64 = 1_000 * MILLI;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Steps that people count in.
const STEPS: [i64; 34] = [
    MILLI,
    2 * MILLI,
    5 * MILLI,
    10 * MILLI,
    20 * MILLI,
    50 * MILLI,
    100 * MILLI,
    200 * MILLI,
    500 * MILLI,
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
    15 * SECOND,
    30 * SECOND,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    5 * DAY,
    10 * DAY,
    30 * DAY,
    90 * DAY,
    360 * DAY,
    3600 * DAY,
];

/// The span of time that all panels show, in nanoseconds since 1970.
#[derive(Debug, Clone)]
pub(super) struct TimeAxis {
    first: i64,
    last: i64,
    step: i64,
}

impl TimeAxis {
    const MOST_TICKS: i64 = 12;

    /// From `first` up to `last`, which is later.
    pub(super) fn new(first: i64, last: i64) -> Self {
        let span = last.saturating_sub(first);
        let enough = |step: &&i64| span / **step < Self::MOST_TICKS;
        let step = STEPS
            .iter()
            .find(enough)
            .copied()
            .unwrap_or(STEPS[STEPS.len() - 1]);
        Self { first, last, step }
    }

    /// The place of a time, from 0 to [`width`](Self::width).
    pub(super) fn x(&self, at: i64) -> u64 {
        at.clamp(self.first, self.last).abs_diff(self.first)
    }

    /// The place of the last time.
    pub(super) fn width(&self) -> u64 {
        self.last.abs_diff(self.first)
    }

    /// Where times are written: at most 12, on round times.
    pub(super) fn ticks(&self) -> Vec<i64> {
        let first = self.first.div_euclid(self.step);
        (first..=first.saturating_add(Self::MOST_TICKS + 1))
            .filter_map(|number| number.checked_mul(self.step))
            .filter(|at| (self.first..=self.last).contains(at))
            .collect()
    }

    /// How the tick at `at` is written; the first one and each new day carry the date.
    pub(super) fn label(&self, at: i64) -> String {
        let pattern = match self.step {
            ..SECOND => "%H:%M:%S%.3f",
            SECOND..MINUTE => "%H:%M:%S",
            MINUTE..DAY => "%H:%M",
            DAY.. => return figures::utc(at, "%-d %b %Y"),
        };
        figures::utc(at, pattern)
    }

    /// The date of the tick at `at`, if it is another one than the tick before had.
    pub(super) fn date(&self, at: i64) -> Option<String> {
        let new_day = at.div_euclid(DAY) != at.saturating_sub(self.step).div_euclid(DAY);
        let first = self.ticks().first() == Some(&at);
        (self.step < DAY && (first || new_day)).then(|| figures::utc(at, "%-d %b %Y"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_few_and_told_apart() {
        let start = 1_700_158_546_680_590_000;
        for span in [
            1,
            7 * MILLI,
            3 * SECOND,
            MINUTE,
            58 * MINUTE,
            DAY,
            400 * DAY,
            i64::MAX - start,
        ] {
            let axis = TimeAxis::new(start, start + span);
            let ticks = axis.ticks();
            assert!(ticks.len() <= 13, "{span}: {}", ticks.len());
            let mut labels: Vec<_> = ticks
                .iter()
                .map(|at| format!("{:?} {}", axis.date(*at), axis.label(*at)))
                .collect();
            labels.dedup();
            assert_eq!(labels.len(), ticks.len());
        }
        let axis = TimeAxis::new(start, start + 58 * MINUTE);
        let labels: Vec<_> = axis.ticks().iter().map(|at| axis.label(*at)).collect();
        assert_eq!(labels[0], "18:20");
        assert_eq!(labels[labels.len() - 1], "19:10");
        assert_eq!(axis.date(axis.ticks()[0]).as_deref(), Some("16 Nov 2023"));
        assert_eq!(axis.date(axis.ticks()[1]), None);
        assert!(!TimeAxis::new(i64::MIN, i64::MAX).ticks().is_empty());
    }
}
