//! Calendar periods in any time zone, and the meter that counts within them.
//!
//! # What a period is
//! A period of dates (day, week, month, year) lasts from the first instant at which the zone's clocks show the
//! start of its first date, or jump past it, to the same for the next period. So a day on which the clocks
//! change has 23 or 25 hours; a day whose midnight does not exist starts at the jump; a date that a zone left out
//! has no day; and where clocks step back over midnight, the day that has begun goes on. An hour begins whenever
//! the clocks show a full hour or jump ahead past one, so an hour that is shown twice is two.
//!
//! Periods are half-open and contiguous: every instant lies in exactly one.

mod cache;
mod count;
mod date;
mod meter;
mod zone;

pub use meter::CalendarMeter;
pub use tollgate_window::PeriodReceipt;
pub use zone::zone_name;

use cache::Cache;
use date::{DateRule, date_of, midnight};
use jiff::civil::Date;
use std::fmt;
use tollgate_core::Wall;
use zone::Zone;

const SECOND: i64 = 1_000_000_000;

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Weekday {
    /// The first day of ISO 8601.
    Monday,
    /// The day after Monday.
    Tuesday,
    /// The day after Tuesday.
    Wednesday,
    /// The day after Wednesday.
    Thursday,
    /// The day after Thursday.
    Friday,
    /// The day after Friday.
    Saturday,
    /// The day after Saturday.
    Sunday,
}

impl Weekday {
    /// All days, from Monday on.
    pub const ALL: [Self; 7] = [
        Self::Monday,
        Self::Tuesday,
        Self::Wednesday,
        Self::Thursday,
        Self::Friday,
        Self::Saturday,
        Self::Sunday,
    ];
}

impl fmt::Display for Weekday {
    /// Writes its English name, such as `Monday`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Monday => "Monday",
            Self::Tuesday => "Tuesday",
            Self::Wednesday => "Wednesday",
            Self::Thursday => "Thursday",
            Self::Friday => "Friday",
            Self::Saturday => "Saturday",
            Self::Sunday => "Sunday",
        })
    }
}

impl From<Weekday> for jiff::civil::Weekday {
    fn from(day: Weekday) -> Self {
        match day {
            Weekday::Monday => Self::Monday,
            Weekday::Tuesday => Self::Tuesday,
            Weekday::Wednesday => Self::Wednesday,
            Weekday::Thursday => Self::Thursday,
            Weekday::Friday => Self::Friday,
            Weekday::Saturday => Self::Saturday,
            Weekday::Sunday => Self::Sunday,
        }
    }
}

/// How long a calendar's periods are, and where they start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CalendarPeriod {
    /// From one full hour to the next.
    Hour,
    /// From midnight to midnight.
    Day,
    /// Seven dates.
    Week {
        /// The first of them.
        starts: Weekday,
    },
    /// From one anchor day to that of the next month.
    Month {
        /// The date of the month that starts a period, 1 to 31. In a month that lacks it, the last day does:
        /// 31 is the last day of every month.
        anchor_day: u8,
    },
    /// From one 1 January to the next.
    Year,
}

/// A calendar that cannot be built, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CalendarError {
    /// A zone that the IANA database does not know.
    #[error(
        "unknown time zone {zone:?}, expected a name of the IANA database such as \"Europe/Berlin\" or \"UTC\""
    )]
    UnknownZone {
        /// The name asked for.
        zone: Box<str>,
    },
    /// No day of any month.
    #[error(
        "no month has a day {anchor_day}, an anchor day is 1 to 31, where 31 is the last day of every month"
    )]
    NoSuchAnchorDay {
        /// The day asked for.
        anchor_day: u8,
    },
}

/// One period: from `start`, which belongs to it, to `end`, which does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Period {
    /// The first instant.
    pub start: Wall,
    /// The first instant of the next period.
    pub end: Wall,
}

impl Period {
    /// Whether `wall` lies in this period.
    #[must_use]
    pub const fn contains(&self, wall: Wall) -> bool {
        self.start.0 <= wall.0 && wall.0 < self.end.0
    }
}

/// A period of dates: its first date, its first instant and that of the next period, in seconds.
struct Dates {
    date: Date,
    start: i64,
    end: i64,
}

/// The periods of one kind in one time zone.
///
/// Shared by all meters that follow it. The current period is cached in one word, so that a usual call is one
/// load and two comparisons; any other asks the time zone database, in a few microseconds. The zone's rules are
/// those found when it was built: after an update of the database, build a new one.
///
/// ```
/// use tollgate_core::Wall;
/// use tollgate_quota::calendar::{Calendar, CalendarPeriod};
///
/// let days = Calendar::new(CalendarPeriod::Day, "Europe/Berlin")?;
/// // 2024-03-31, the day on which clocks went from two to three.
/// let day = days.bounds(Wall::from_secs(1_711_886_400));
/// assert_eq!(day.end.since(day.start).as_secs(), 23 * 3_600);
/// # Ok::<(), tollgate_quota::calendar::CalendarError>(())
/// ```
#[derive(Debug)]
pub struct Calendar {
    zone: Zone,
    /// None for hours.
    dates: Option<DateRule>,
    current: Cache,
}

impl Calendar {
    /// The periods of that kind in the zone of that IANA name, which is looked up without regard to case: in the
    /// system's database, else in the one compiled in.
    ///
    /// # Errors
    /// [`CalendarError::UnknownZone`], [`CalendarError::NoSuchAnchorDay`].
    pub fn new(period: CalendarPeriod, zone: &str) -> Result<Self, CalendarError> {
        Ok(Self {
            dates: DateRule::new(period)?,
            zone: Zone::open(zone)?,
            current: Cache::new(),
        })
    }

    /// The period that contains `wall`.
    ///
    /// Never panics. At the ends of the range, in the years 1677 and 2262, a period is cut off where the range
    /// ends; the very last instant counts as inside, although it is the end.
    #[must_use]
    pub fn bounds(&self, wall: Wall) -> Period {
        let current = self.current.load();
        if current.contains(wall) {
            return current;
        }
        let period = self.look_up(wall);
        self.current.store(period);
        period
    }

    fn look_up(&self, wall: Wall) -> Period {
        // Every bound is a whole second, so the second of `wall` lies in the same period.
        let instant = wall.0.div_euclid(SECOND);
        let (start, end) = match self.dates {
            None => self.zone.hour(instant),
            Some(rule) => {
                let around = self.dates_around(rule, instant);
                (around.start, around.end)
            }
        };
        Period {
            start: Wall::from_secs(start),
            end: Wall::from_secs(end),
        }
    }

    fn dates_around(&self, rule: DateRule, instant: i64) -> Dates {
        let mut date = rule.start_on_or_before(date_of(self.zone.reading(instant)));
        let mut start = self.zone.first_showing(midnight(date));
        // Invariant: `start <= instant`, since the clocks show that date at `instant`. They may have shown a later
        // one before stepping back; then the period is that one's. A day and an offset bound the steps.
        loop {
            // Invariant: no date of a `Wall` is the last one of the calendar.
            let next = rule.start_after(date, 1).unwrap_or(Date::MAX);
            let end = self.zone.first_showing(midnight(next));
            if instant < end {
                return Dates { date, start, end };
            }
            (date, start) = (next, end);
        }
    }
}
