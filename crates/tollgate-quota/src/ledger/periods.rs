//! Which periods an account has, by the words that its key has for its algorithm.

use crate::calendar::{Calendar, CalendarPeriod, Period, Weekday};
use tollgate_core::Wall;

const WEEK: [Weekday; 7] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
    Weekday::Saturday,
    Weekday::Sunday,
];

/// Periods that can be told from each other in any process.
#[derive(Debug)]
pub(super) enum Periods {
    Calendar(Calendar),
    /// Fixed windows of so many ns.
    Windows(i64),
}

impl Periods {
    /// Those of an algorithm, if it has any. None of one that a newer program has written, too.
    pub(super) fn of(algorithm: &str) -> Option<Self> {
        if let Some(per) = ns_in(algorithm, "windows of ") {
            return Some(Self::Windows(per));
        }
        let (period, zone) = algorithm.split_once(" in ")?;
        let period = match period.split_once(" from ") {
            None if period == "hour" => CalendarPeriod::Hour,
            None if period == "day" => CalendarPeriod::Day,
            None if period == "year" => CalendarPeriod::Year,
            Some(("week", first)) => CalendarPeriod::Week {
                starts: WEEK.into_iter().find(|day| format!("{day:?}") == first)?,
            },
            Some(("month", first)) => CalendarPeriod::Month {
                anchor_day: first.strip_prefix("day ")?.parse().ok()?,
            },
            _ => return None,
        };
        Calendar::new(period, zone).ok().map(Self::Calendar)
    }

    /// The period of a stamp.
    pub(super) fn period(&self, stamp: i64) -> Period {
        match self {
            Self::Calendar(calendar) => calendar.bounds(Wall(stamp)),
            Self::Windows(per) => Period {
                start: Wall(stamp.saturating_mul(*per)),
                end: Wall(stamp.saturating_add(1).saturating_mul(*per)),
            },
        }
    }

    /// Whether the period of a stamp is over at `now`.
    pub(super) fn is_over(&self, stamp: i64, now: Wall) -> bool {
        match self {
            // What is current is cached.
            Self::Calendar(calendar) => stamp < calendar.bounds(now).start.0,
            Self::Windows(_) => self.period(stamp).end <= now,
        }
    }
}

/// Whether an algorithm has these words. Periods or not, a limit that a ledger keeps has one of those.
pub(super) fn is_known(algorithm: &str) -> bool {
    let slides = ["sliding window of ", "log of "];
    matches!(algorithm, "lifetime" | "gcra")
        || slides.iter().any(|words| ns_in(algorithm, words).is_some())
        || Periods::of(algorithm).is_some()
}

/// The ns of an algorithm that begins with `words`.
fn ns_in(algorithm: &str, words: &str) -> Option<i64> {
    let ns = algorithm.strip_prefix(words)?.strip_suffix(" ns")?;
    ns.parse().ok().filter(|ns| *ns > 0)
}
