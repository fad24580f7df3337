//! Periods of whole dates: where they start, by the calendar alone. No zone, no clock.

use super::{CalendarError, CalendarPeriod, Weekday, zone::timestamp};
use jiff::{Span, civil::Date, tz::Offset};

pub(super) const DAY: i64 = 86_400;

/// Which dates start a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DateRule {
    Day,
    Week { starts: Weekday },
    Month { anchor_day: i8 },
    Year,
}

impl DateRule {
    /// The rule of a period; none for hours, which are no dates.
    pub(super) fn new(period: CalendarPeriod) -> Result<Option<Self>, CalendarError> {
        Ok(Some(match period {
            CalendarPeriod::Hour => return Ok(None),
            CalendarPeriod::Day => Self::Day,
            CalendarPeriod::Week { starts } => Self::Week { starts },
            CalendarPeriod::Month { anchor_day } => match i8::try_from(anchor_day) {
                Ok(anchor_day @ 1..=31) => Self::Month { anchor_day },
                _ => return Err(CalendarError::NoSuchAnchorDay { anchor_day }),
            },
            CalendarPeriod::Year => Self::Year,
        }))
    }

    /// The last date that starts a period, `date` or one before it.
    pub(super) fn start_on_or_before(self, date: Date) -> Date {
        match self {
            Self::Day => date,
            Self::Week { starts } => {
                let days = date.weekday().since(starts.into());
                date.saturating_sub(Span::new().days(days))
            }
            Self::Month { anchor_day } => {
                let this_month = date.first_of_month();
                let anchor = anchor_in(this_month, anchor_day);
                if anchor <= date {
                    anchor
                } else {
                    anchor_in(this_month.saturating_sub(Span::new().months(1)), anchor_day)
                }
            }
            Self::Year => date.first_of_year(),
        }
    }

    /// The date that starts the period `later` periods after the one that `start` starts. None beyond the year 9999.
    pub(super) fn start_after(self, start: Date, later: i64) -> Option<Date> {
        let span = Span::new();
        match self {
            Self::Day => start.checked_add(span.try_days(later).ok()?).ok(),
            Self::Week { .. } => start.checked_add(span.try_weeks(later).ok()?).ok(),
            Self::Month { anchor_day } => {
                let months = span.try_months(later).ok()?;
                let first = start.first_of_month().checked_add(months).ok()?;
                Some(anchor_in(first, anchor_day))
            }
            Self::Year => {
                let years = span.try_years(later).ok()?;
                start.first_of_year().checked_add(years).ok()
            }
        }
    }

    /// How many periods later than the one that `first` starts the one is that `last` starts.
    pub(super) fn between(self, first: Date, last: Date) -> i64 {
        let days = (midnight(last) - midnight(first)) / DAY;
        let months = |date: Date| i64::from(date.year()) * 12 + i64::from(date.month());
        match self {
            Self::Day => days,
            Self::Week { .. } => days / 7,
            Self::Month { .. } => months(last) - months(first),
            Self::Year => i64::from(last.year()) - i64::from(first.year()),
        }
    }
}

/// The anchor day of the month that starts at `first`; its last day if it has no such day.
fn anchor_in(first: Date, anchor_day: i8) -> Date {
    let day = anchor_day.min(first.days_in_month());
    first.saturating_add(Span::new().days(day - 1))
}

/// The date of a reading, in seconds.
pub(super) fn date_of(reading: i64) -> Date {
    Offset::UTC.to_datetime(timestamp(reading)).date()
}

/// The reading at the start of `date`.
pub(super) fn midnight(date: Date) -> i64 {
    let days = Date::constant(1970, 1, 1).duration_until(date);
    days.as_secs()
}
