//! A time zone as this crate sees it: when its clocks first show something.
//!
//! Everything here is in whole seconds: offsets are, so every period bound is. An *instant* counts from the Unix
//! epoch; a *reading* is what the zone's clocks show, as if it were an instant of UTC.

use super::{
    CalendarError,
    date::{DAY, date_of, midnight},
};
use jiff::{
    Timestamp,
    civil::Date,
    tz::{TimeZone, TimeZoneDatabase},
};

/// More than any zone's distance from UTC: offsets stay below 26 hours.
const OFFSET_MOST: i64 = 26 * 3_600;
const HOUR: i64 = 3_600;

/// The name of a time zone as the database that is compiled in spells it, whatever the case of `name`.
///
/// None of a zone that it does not know, such as a machine's own `localtime`, or in which [no calendar](super::Calendar::new) can be: the
/// name means the same in every process.
#[must_use]
pub fn zone_name(name: &str) -> Option<String> {
    let zone = TimeZoneDatabase::bundled().get(name).ok()?;
    let name = zone.iana_name()?;
    Zone::open(name).ok().map(|_| name.to_owned())
}

/// A time zone of the IANA database.
#[derive(Clone, Debug)]
pub(super) struct Zone {
    zone: TimeZone,
}

/// A stretch of time over which the offset does not change. `end` is `i64::MAX` if it lasts for good.
#[derive(Clone, Copy, Debug)]
struct Span {
    end: i64,
    offset: i64,
}

impl Zone {
    /// The zone of that name: of the system's database, else of the bundled one.
    pub(super) fn open(name: &str) -> Result<Self, CalendarError> {
        Self::find(name, &[jiff::tz::db(), &TimeZoneDatabase::bundled()])
    }

    fn find(name: &str, databases: &[&TimeZoneDatabase]) -> Result<Self, CalendarError> {
        databases
            .iter()
            .find_map(|database| database.get(name).ok())
            // jiff reads "Etc/Unknown" as a zone that passes for UTC; here it is a mistake like any other.
            .filter(|zone| !zone.is_unknown())
            .map(|zone| Self { zone })
            .ok_or_else(|| CalendarError::UnknownZone { zone: name.into() })
    }

    /// What the clocks show at `instant`.
    pub(super) fn reading(&self, instant: i64) -> i64 {
        instant + self.span(instant).offset
    }

    /// The first instant at which the clocks show `reading` or later.
    ///
    /// If the clocks jump past a reading, that is the jump; if they show it twice, the first time. It never falls
    /// as `reading` grows, which is what makes periods contiguous, whatever a zone has done to its clocks.
    pub(super) fn first_showing(&self, reading: i64) -> i64 {
        // Invariant: no reading is further than `OFFSET_MOST` from its instant, so the clocks show less than
        // `reading` before `instant`, and show it or more within twice that.
        let mut instant = reading - OFFSET_MOST;
        loop {
            let Span { end, offset } = self.span(instant);
            let shown_at = instant.max(reading - offset);
            if shown_at < end {
                return shown_at;
            }
            instant = end;
        }
    }

    /// The hour around `instant`, from one hour's beginning to the next.
    ///
    /// An hour begins whenever the clocks show a full hour or jump ahead past one. So an hour that the clocks
    /// show twice is two hours; one that they show for half an hour lasts half an hour; and where they step back
    /// by half an hour within one, it lasts ninety minutes.
    pub(super) fn hour(&self, instant: i64) -> (i64, i64) {
        (self.hour_start(instant), self.hour_end(instant))
    }

    fn hour_start(&self, mut instant: i64) -> i64 {
        loop {
            let offset = self.span(instant).offset;
            let start = instant - (instant + offset).rem_euclid(HOUR);
            match self.last_change(instant) {
                Some(change) if start < change => {
                    if begins_hour(change, self.span(change - 1).offset, offset) {
                        return change;
                    }
                    instant = change - 1;
                }
                _ => return start,
            }
        }
    }

    fn hour_end(&self, mut instant: i64) -> i64 {
        loop {
            let Span {
                end: change,
                offset,
            } = self.span(instant);
            let end = instant - (instant + offset).rem_euclid(HOUR) + HOUR;
            if end < change || begins_hour(change, offset, self.span(change).offset) {
                return end.min(change);
            }
            instant = change;
        }
    }

    /// How many hours begin after `from` up to and with `to`. Linear in the changes between the two.
    pub(super) fn hours_between(&self, from: i64, to: i64) -> i64 {
        let (mut at, mut hours) = (from, 0);
        loop {
            let Span { end, offset } = self.span(at);
            hours += full_hours(at + offset, to.min(end - 1) + offset);
            if to < end {
                return hours;
            }
            hours += i64::from(begins_hour(end, offset, self.span(end).offset));
            at = end;
        }
    }

    /// The beginning of the hour that is `later` hours, at least one, after the one around `from`; none after `last`.
    /// Linear in the changes between the two.
    pub(super) fn hour_after(&self, from: i64, later: i64, last: i64) -> Option<i64> {
        let (mut at, mut left) = (from, later);
        loop {
            let Span { end, offset } = self.span(at);
            let here = full_hours(at + offset, last.min(end - 1) + offset);
            if left <= here {
                let reading = at + offset - (at + offset).rem_euclid(HOUR) + left * HOUR;
                return Some(reading - offset);
            }
            if last < end {
                return None;
            }
            left -= here + i64::from(begins_hour(end, offset, self.span(end).offset));
            if left == 0 {
                return Some(end);
            }
            at = end;
        }
    }

    /// How many days from `first` up to but without `last` have no instant: one jump ahead passed their midnight and
    /// the next. Linear in the changes between the two.
    pub(super) fn days_left_out(&self, first: Date, last: Date) -> i64 {
        let starts = |date: Date| self.first_showing(midnight(date));
        let (begin, until) = (starts(first), starts(last));
        let mut days = 0;
        let mut span = self.span(begin - 1);
        while span.end <= until {
            let next = self.span(span.end);
            if next.offset - span.offset >= DAY {
                let passed = date_of(span.end + span.offset).series(jiff::Span::new().days(1));
                let shown = date_of(span.end + next.offset);
                let empty = |date: &Date| {
                    let tomorrow = date.tomorrow().unwrap_or(Date::MAX);
                    first <= *date && *date < last && starts(*date) == starts(tomorrow)
                };
                let left_out = passed.take_while(|date| *date < shown).filter(empty);
                days += left_out.map(|_| 1).sum::<i64>();
            }
            span = next;
        }
        days
    }

    /// The span around `instant`.
    fn span(&self, instant: i64) -> Span {
        let at = timestamp(instant);
        let offset = i64::from(self.zone.to_offset(at).seconds());
        let end = self
            .zone
            .following(at)
            .next()
            .map_or(i64::MAX, |change| change.timestamp().as_second());
        Span { end, offset }
    }

    /// The last change at or before `instant`.
    fn last_change(&self, instant: i64) -> Option<i64> {
        self.zone
            .preceding(timestamp(instant + 1))
            .next()
            .map(|change| change.timestamp().as_second())
    }
}

/// How many full hours are shown after the reading `from` up to and with `to`.
fn full_hours(from: i64, to: i64) -> i64 {
    to.div_euclid(HOUR) - from.div_euclid(HOUR)
}

/// Whether an hour begins at `change`, at which the offset goes from `before` to `after`.
fn begins_hour(change: i64, before: i64, after: i64) -> bool {
    let (left, shown) = (change + before, change + after);
    let last_full_hour = shown - shown.rem_euclid(HOUR);
    last_full_hour == shown || last_full_hour >= left
}

/// jiff's form of an instant.
pub(super) fn timestamp(instant: i64) -> Timestamp {
    // Invariant: instants are those of `Wall`, the years 1677 to 2262, give or take a period; jiff's reach
    // from -9999 to 9999.
    Timestamp::from_second(instant).expect("an instant between the years 1600 and 2300")
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn bundled_database_serves_where_the_system_has_none() {
        let (none, bundled) = (TimeZoneDatabase::none(), TimeZoneDatabase::bundled());
        let zone = Zone::find("asia/kolkata", &[&none, &bundled]).unwrap();
        assert_eq!(
            zone.reading(1_700_000_000),
            1_700_000_000 + 5 * HOUR + HOUR / 2
        );
    }

    #[test]
    fn hour_begins_at_a_change_that_shows_or_passes_a_full_hour() {
        let three = 3 * HOUR;
        // Ahead by an hour, by half an hour from two to half past, and within an hour.
        assert!(begins_hour(three - HOUR, 0, HOUR));
        assert!(begins_hour(three - HOUR, 0, HOUR / 2));
        assert!(!begins_hour(three - HOUR + 60, 0, HOUR / 2));
        // Ahead past a full hour to the middle of the next.
        assert!(begins_hour(three - 60, 0, HOUR / 2));
        // Back to a full hour, and back into the middle of one.
        assert!(begins_hour(three, 0, -HOUR));
        assert!(!begins_hour(three, 0, -HOUR / 2));
        // A change of name only.
        assert!(begins_hour(three, 0, 0));
        assert!(!begins_hour(three + 1, 0, 0));
    }
}
