//! The words that a ledger's keys have for algorithms.

use crate::calendar::{self, CalendarPeriod, Weekday};
use std::{fmt, str::FromStr};

/// The algorithm of a limit as a ledger names it: accounts of the same words go on from each other's records.
///
/// A rate goes by one name whatever its period, since its backlog means the same at any; a sliding window by one in however many slots.
///
/// Written with [`Display`](fmt::Display) and read with [`FromStr`], which takes what is written and no other spelling of it: of two spellings
/// only one would be found again.
///
/// ```
/// use tollgate_quota::{calendar::CalendarPeriod, ledger::KeptAlgorithm};
///
/// let months = KeptAlgorithm::Calendar {
///     period: CalendarPeriod::Month { anchor_day: 1 },
///     zone: "Europe/Berlin".to_owned(),
/// };
/// assert_eq!(months.to_string(), "month from day 1 in Europe/Berlin");
/// assert_eq!("month from day 1 in Europe/Berlin".parse(), Ok(months));
/// assert!("month from day 01 in Europe/Berlin".parse::<KeptAlgorithm>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeptAlgorithm {
    /// One budget that never comes back.
    Lifetime,
    /// A rate.
    Gcra,
    /// Periods of the calendar.
    Calendar {
        /// Which.
        period: CalendarPeriod,
        /// The time zone, [as its database spells it](calendar::zone_name).
        zone: String,
    },
    /// Windows side by side.
    Fixed {
        /// Each window, in nanoseconds: 1 to [`i64::MAX`].
        per_ns: u64,
    },
    /// A sliding window in slots.
    Window {
        /// The window, in nanoseconds: 1 to [`i64::MAX`].
        per_ns: u64,
    },
    /// A sliding window that remembers each unit.
    Log {
        /// The window, in nanoseconds: 1 to [`i64::MAX`].
        per_ns: u64,
    },
}

/// Words that a ledger has for no algorithm, or not spelled so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no algorithm is called that, expected one of {}", Examples)]
#[non_exhaustive]
pub struct UnknownAlgorithm;

const FIXED: &str = "windows of ";
const WINDOW: &str = "sliding window of ";
const LOG: &str = "log of ";

impl fmt::Display for KeptAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lifetime => f.write_str("lifetime"),
            Self::Gcra => f.write_str("gcra"),
            Self::Calendar { period, zone } => {
                match period {
                    CalendarPeriod::Hour => f.write_str("hour")?,
                    CalendarPeriod::Day => f.write_str("day")?,
                    CalendarPeriod::Week { starts } => write!(f, "week from {starts}")?,
                    CalendarPeriod::Month { anchor_day } => {
                        write!(f, "month from day {anchor_day}")?;
                    }
                    CalendarPeriod::Year => f.write_str("year")?,
                }
                write!(f, " in {zone}")
            }
            Self::Fixed { per_ns } => write!(f, "{FIXED}{per_ns} ns"),
            Self::Window { per_ns } => write!(f, "{WINDOW}{per_ns} ns"),
            Self::Log { per_ns } => write!(f, "{LOG}{per_ns} ns"),
        }
    }
}

impl FromStr for KeptAlgorithm {
    type Err = UnknownAlgorithm;

    fn from_str(words: &str) -> Result<Self, UnknownAlgorithm> {
        read(words)
            // A number has other spellings.
            .filter(|algorithm| algorithm.to_string() == words)
            .ok_or(UnknownAlgorithm)
    }
}

/// The algorithm of these words, or of some that are nearly these.
fn read(words: &str) -> Option<KeptAlgorithm> {
    let ns = |words: &str| {
        let ns: i64 = words.strip_suffix(" ns")?.parse().ok()?;
        u64::try_from(ns).ok().filter(|ns| *ns > 0)
    };
    Some(match words {
        "lifetime" => KeptAlgorithm::Lifetime,
        "gcra" => KeptAlgorithm::Gcra,
        _ => {
            if let Some(per) = words.strip_prefix(FIXED) {
                KeptAlgorithm::Fixed { per_ns: ns(per)? }
            } else if let Some(per) = words.strip_prefix(WINDOW) {
                KeptAlgorithm::Window { per_ns: ns(per)? }
            } else if let Some(per) = words.strip_prefix(LOG) {
                KeptAlgorithm::Log { per_ns: ns(per)? }
            } else {
                let (period, zone) = words.split_once(" in ")?;
                let period = calendar_period(period)?;
                let zone = calendar::zone_name(zone).filter(|name| name == zone)?;
                KeptAlgorithm::Calendar { period, zone }
            }
        }
    })
}

fn calendar_period(words: &str) -> Option<CalendarPeriod> {
    let Some((period, from)) = words.split_once(" from ") else {
        return match words {
            "hour" => Some(CalendarPeriod::Hour),
            "day" => Some(CalendarPeriod::Day),
            "year" => Some(CalendarPeriod::Year),
            _ => None,
        };
    };
    match period {
        "week" => {
            let mut days = Weekday::ALL.into_iter();
            let starts = days.find(|day| day.to_string() == from)?;
            Some(CalendarPeriod::Week { starts })
        }
        "month" => {
            let anchor_day = from.strip_prefix("day ")?.parse().ok()?;
            (1..=31)
                .contains(&anchor_day)
                .then_some(CalendarPeriod::Month { anchor_day })
        }
        _ => None,
    }
}

/// Some of each kind, for people.
struct Examples;

impl fmt::Display for Examples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |period, zone: &str| KeptAlgorithm::Calendar {
            period,
            zone: zone.to_owned(),
        };
        let starts = Weekday::Monday;
        let per_ns = 3_600 * 1_000_000_000;
        let (lifetime, gcra) = (KeptAlgorithm::Lifetime, KeptAlgorithm::Gcra);
        let month = of(CalendarPeriod::Month { anchor_day: 1 }, "Europe/Berlin");
        let week = of(CalendarPeriod::Week { starts }, "UTC");
        let day = of(CalendarPeriod::Day, "UTC");
        let fixed = KeptAlgorithm::Fixed { per_ns };
        let window = KeptAlgorithm::Window { per_ns };
        let log = KeptAlgorithm::Log { per_ns };
        write!(
            f,
            "\"{lifetime}\", \"{gcra}\", such as \"{month}\", \"{week}\" or \"{day}\", \
             and such as \"{fixed}\", \"{window}\" or \"{log}\""
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calendar(period: CalendarPeriod, zone: &str) -> KeptAlgorithm {
        KeptAlgorithm::Calendar {
            period,
            zone: zone.to_owned(),
        }
    }

    /// They are in the keys of files: an account of other words would never be found again.
    #[test]
    fn words_of_each_algorithm_are_those_on_disk() {
        let week = |starts| calendar(CalendarPeriod::Week { starts }, "UTC");
        let month = |anchor_day| calendar(CalendarPeriod::Month { anchor_day }, "Europe/Berlin");
        let per_ns = 3_600_000_000_000;
        for (algorithm, words) in [
            (KeptAlgorithm::Lifetime, "lifetime"),
            (KeptAlgorithm::Gcra, "gcra"),
            (calendar(CalendarPeriod::Hour, "UTC"), "hour in UTC"),
            (
                calendar(CalendarPeriod::Day, "America/Argentina/Ushuaia"),
                "day in America/Argentina/Ushuaia",
            ),
            (week(Weekday::Monday), "week from Monday in UTC"),
            (week(Weekday::Tuesday), "week from Tuesday in UTC"),
            (week(Weekday::Wednesday), "week from Wednesday in UTC"),
            (week(Weekday::Thursday), "week from Thursday in UTC"),
            (week(Weekday::Friday), "week from Friday in UTC"),
            (week(Weekday::Saturday), "week from Saturday in UTC"),
            (week(Weekday::Sunday), "week from Sunday in UTC"),
            (month(1), "month from day 1 in Europe/Berlin"),
            (month(31), "month from day 31 in Europe/Berlin"),
            (
                calendar(CalendarPeriod::Year, "Etc/GMT+1"),
                "year in Etc/GMT+1",
            ),
            (
                KeptAlgorithm::Fixed { per_ns },
                "windows of 3600000000000 ns",
            ),
            (
                KeptAlgorithm::Window { per_ns },
                "sliding window of 3600000000000 ns",
            ),
            (KeptAlgorithm::Log { per_ns }, "log of 3600000000000 ns"),
            (KeptAlgorithm::Fixed { per_ns: 1 }, "windows of 1 ns"),
            (
                KeptAlgorithm::Log {
                    per_ns: i64::MAX.unsigned_abs(),
                },
                "log of 9223372036854775807 ns",
            ),
        ] {
            assert_eq!(algorithm.to_string(), words);
            assert_eq!(words.parse(), Ok(algorithm));
        }
    }

    /// Records of the one spelling and of the other would be two accounts, of which a limit finds one.
    #[test]
    fn other_spellings_are_no_words() {
        for words in [
            "",
            "Lifetime",
            "gcra ",
            " gcra",
            "hour",
            "hour in ",
            "hour in Nowhere",
            "hour in utc",
            "hour in europe/berlin",
            "hour from Monday in UTC",
            "day in UTC in UTC",
            "week in UTC",
            "week from monday in UTC",
            "week from Someday in UTC",
            "month in UTC",
            "month from 1 in UTC",
            "month from day 0 in UTC",
            "month from day 32 in UTC",
            "month from day +1 in UTC",
            "month from day 01 in UTC",
            "month from day 1  in UTC",
            "year from day 1 in UTC",
            "decade in UTC",
            "windows of ns",
            "windows of 5ns",
            "windows of 5 ms",
            "windows of 0 ns",
            "windows of -1 ns",
            "windows of +5 ns",
            "windows of 0003 ns",
            "windows of 9223372036854775808 ns",
            "sliding window of +5 ns",
            "log of 05 ns",
            "log of 1 ns ",
        ] {
            assert_eq!(
                words.parse::<KeptAlgorithm>(),
                Err(UnknownAlgorithm),
                "{words}"
            );
        }
    }

    #[test]
    fn error_tells_words_that_there_are() {
        let told = UnknownAlgorithm.to_string();
        let told: Vec<&str> = told.split('"').skip(1).step_by(2).collect();
        assert_eq!(told.len(), 8);
        for words in told {
            assert!(words.parse::<KeptAlgorithm>().is_ok(), "{words}");
        }
    }
}
