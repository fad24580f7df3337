//! The periods of a calendar, day by day.

use jiff::civil::{Date, Weekday as Day};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use tollgate_policy::{CalendarPeriod, CalendarRule, Weekday};
use tollgate_testkit::Periods;

const DAY_NS: u64 = 86_400_000_000_000;
const HOUR_NS: u64 = 3_600_000_000_000;

/// Periods are known from the epoch, which lies before the trace, up to this.
pub(super) const HORIZON_NS: u64 = 1200 * DAY_NS;

/// The periods of `rule` in nanoseconds since the epoch; none if they are not known.
pub(super) fn periods(rule: &CalendarRule, epoch_ns: i64) -> Option<Periods> {
    let zone = TimeZone::get(&rule.zone).ok()?;
    let first = Timestamp::from_nanosecond(i128::from(epoch_ns))
        .ok()?
        .to_zoned(zone.clone())
        .date();
    if rule.period == CalendarPeriod::Hour {
        return hours(&zone, first, epoch_ns);
    }
    // The period that the epoch lies in needs no start.
    let starts = days(first)
        .filter(|date| starts(rule.period, *date))
        .filter_map(|date| {
            let start = date
                .to_zoned(zone.clone())
                .ok()?
                .timestamp()
                .as_nanosecond();
            u64::try_from(start - i128::from(epoch_ns)).ok()
        });
    let mut starts: Vec<u64> = starts.collect();
    // A day that a zone left out has the start of the next.
    starts.dedup();
    Some(Periods::between(starts))
}

/// Hours are all of one length, unless clocks move by parts of an hour.
fn hours(zone: &TimeZone, first: Date, epoch_ns: i64) -> Option<Periods> {
    let mut offset = None;
    for date in days(first) {
        let seconds = date
            .to_zoned(zone.clone())
            .ok()?
            .offset()
            .seconds()
            .rem_euclid(3600);
        if *offset.get_or_insert(seconds) != seconds {
            return None;
        }
    }
    let local = i128::from(epoch_ns) + i128::from(offset?) * 1_000_000_000;
    Some(Periods::every(
        HOUR_NS,
        u64::try_from(local.rem_euclid(i128::from(HOUR_NS))).ok()?,
    ))
}

/// All days up to the horizon, and a few more.
fn days(first: Date) -> impl Iterator<Item = Date> {
    let most = usize::try_from(HORIZON_NS / DAY_NS).unwrap_or(usize::MAX);
    first.series(1.day()).take(most + 5)
}

fn starts(period: CalendarPeriod, date: Date) -> bool {
    match period {
        CalendarPeriod::Hour | CalendarPeriod::Day => true,
        CalendarPeriod::Week { starts } => date.weekday() == weekday(starts),
        CalendarPeriod::Month { anchor_day } => {
            i16::from(date.day()) == i16::from(anchor_day).min(i16::from(date.days_in_month()))
        }
        CalendarPeriod::Year => date.day_of_year() == 1,
    }
}

fn weekday(day: Weekday) -> Day {
    match day {
        Weekday::Monday => Day::Monday,
        Weekday::Tuesday => Day::Tuesday,
        Weekday::Wednesday => Day::Wednesday,
        Weekday::Thursday => Day::Thursday,
        Weekday::Friday => Day::Friday,
        Weekday::Saturday => Day::Saturday,
        Weekday::Sunday => Day::Sunday,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first period starts after 1 March 2024, 00:00 UTC, in hours since then.
    fn starts_in_hours(period: CalendarPeriod, zone: &str, count: u64) -> Vec<u64> {
        let epoch = "2024-03-01T00:00Z".parse::<Timestamp>().unwrap();
        let epoch_ns = i64::try_from(epoch.as_nanosecond()).unwrap();
        let periods = periods(
            &CalendarRule {
                period,
                zone: zone.into(),
            },
            epoch_ns,
        )
        .unwrap();
        let first = periods.number(0);
        (1..=count)
            .map(|n| periods.start(first + u128::from(n)).unwrap())
            .map(|ns| {
                assert_eq!(ns % u128::from(HOUR_NS), 0);
                u64::try_from(ns / u128::from(HOUR_NS)).unwrap()
            })
            .collect()
    }

    #[test]
    fn days_follow_the_clocks_of_their_zone() {
        assert_eq!(starts_in_hours(CalendarPeriod::Day, "UTC", 3), [24, 48, 72]);
        // Berlin is an hour ahead, and from 31 March on, a day of 23 hours, two.
        let berlin = starts_in_hours(CalendarPeriod::Day, "Europe/Berlin", 33);
        assert_eq!(berlin[..2], [23, 47]);
        assert_eq!(berlin[29..32], [29 * 24 + 23, 30 * 24 + 22, 31 * 24 + 22]);
    }

    #[test]
    fn weeks_months_and_years_start_where_they_should() {
        // 1 March 2024 is a Friday.
        let week = |starts| starts_in_hours(CalendarPeriod::Week { starts }, "UTC", 2);
        assert_eq!(week(Weekday::Monday), [3 * 24, 10 * 24]);
        assert_eq!(week(Weekday::Sunday), [2 * 24, 9 * 24]);
        let month = |anchor_day| starts_in_hours(CalendarPeriod::Month { anchor_day }, "UTC", 3);
        assert_eq!(month(1), [31 * 24, 61 * 24, 92 * 24]);
        assert_eq!(
            month(31),
            [30 * 24, 60 * 24, 91 * 24],
            "31 March, 30 April, 31 May"
        );
        assert_eq!(starts_in_hours(CalendarPeriod::Year, "UTC", 1), [306 * 24]);
    }

    #[test]
    fn hours_are_equal_unless_clocks_move_by_parts_of_them() {
        assert_eq!(
            starts_in_hours(CalendarPeriod::Hour, "Europe/Berlin", 2),
            [1, 2]
        );
        let rule = |zone: &str| CalendarRule {
            period: CalendarPeriod::Hour,
            zone: zone.into(),
        };
        let kolkata = periods(&rule("Asia/Kolkata"), 0).unwrap();
        assert_eq!(
            kolkata.start(kolkata.number(0) + 1),
            Some(u128::from(HOUR_NS / 2))
        );
        assert_eq!(
            periods(&rule("Australia/Lord_Howe"), 1_700_000_000_000_000_000),
            None
        );
    }
}
