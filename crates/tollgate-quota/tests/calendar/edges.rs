//! Days that were not like the others, by name.

use tollgate_core::Wall;
use tollgate_quota::calendar::{Calendar, CalendarError, CalendarPeriod, Period, Weekday};

const HOUR: u64 = 3_600;

/// An instant by its text: `2024-03-31T01:30:00Z` or with an offset.
fn wall(text: &str) -> Wall {
    let at: jiff::Timestamp = text.parse().unwrap();
    Wall(i64::try_from(at.as_nanosecond()).unwrap())
}

fn bounds(period: CalendarPeriod, zone: &str, at: &str) -> Period {
    Calendar::new(period, zone).unwrap().bounds(wall(at))
}

fn period(start: &str, end: &str) -> Period {
    Period {
        start: wall(start),
        end: wall(end),
    }
}

fn hours(period: Period) -> u64 {
    period.end.since(period.start).as_secs() / HOUR
}

#[test]
fn days_of_a_clock_change_have_23_and_25_hours() {
    let day = bounds(CalendarPeriod::Day, "Europe/Berlin", "2024-03-31T12:00:00Z");
    assert_eq!(
        day,
        period("2024-03-31T00:00:00+01:00", "2024-04-01T00:00:00+02:00")
    );
    assert_eq!(hours(day), 23);
    let day = bounds(CalendarPeriod::Day, "Europe/Berlin", "2024-10-27T12:00:00Z");
    assert_eq!(
        day,
        period("2024-10-27T00:00:00+02:00", "2024-10-28T00:00:00+01:00")
    );
    assert_eq!(hours(day), 25);
}

#[test]
fn last_nanosecond_of_a_day_is_in_it_and_the_next_is_not() {
    let calendar = Calendar::new(CalendarPeriod::Day, "America/New_York").unwrap();
    let midnight = wall("2024-07-02T00:00:00-04:00");
    assert_eq!(calendar.bounds(Wall(midnight.0 - 1)).end, midnight);
    assert_eq!(calendar.bounds(midnight).start, midnight);
}

#[test]
fn day_whose_midnight_does_not_exist_starts_at_the_jump() {
    let day = bounds(
        CalendarPeriod::Day,
        "America/Sao_Paulo",
        "2018-11-04T12:00:00Z",
    );
    assert_eq!(
        day,
        period("2018-11-04T01:00:00-02:00", "2018-11-05T00:00:00-02:00")
    );
    // Half past eleven became half past midnight: the day starts at half past, not at one.
    let day = bounds(
        CalendarPeriod::Day,
        "America/Toronto",
        "1919-03-31T12:00:00Z",
    );
    assert_eq!(
        day,
        period("1919-03-31T00:30:00-04:00", "1919-04-01T00:00:00-04:00")
    );
}

#[test]
fn midnight_shown_twice_starts_one_day() {
    // One became midnight again.
    let day = period("2024-11-03T00:00:00-04:00", "2024-11-04T00:00:00-05:00");
    for at in ["2024-11-03T00:30:00-04:00", "2024-11-03T00:30:00-05:00"] {
        assert_eq!(bounds(CalendarPeriod::Day, "America/Havana", at), day);
    }
    assert_eq!(hours(day), 25);
    // A minute past midnight it was a minute past eleven again: the day that had begun went on.
    let day = period("2010-11-07T00:00:00-02:30", "2010-11-08T00:00:00-03:30");
    for at in [
        "2010-11-07T00:00:30-02:30",
        "2010-11-06T23:30:00-03:30",
        "2010-11-07T00:00:30-03:30",
    ] {
        assert_eq!(bounds(CalendarPeriod::Day, "America/St_Johns", at), day);
    }
}

#[test]
fn date_that_a_zone_left_out_has_no_day() {
    let calendar = Calendar::new(CalendarPeriod::Day, "Pacific/Apia").unwrap();
    let before = calendar.bounds(wall("2011-12-29T12:00:00-10:00"));
    let after = calendar.bounds(before.end);
    assert_eq!(
        before,
        period("2011-12-29T00:00:00-10:00", "2011-12-31T00:00:00+14:00")
    );
    assert_eq!(
        after,
        period("2011-12-31T00:00:00+14:00", "2012-01-01T00:00:00+14:00")
    );
    assert_eq!((hours(before), hours(after)), (24, 24));
    let week = bounds(
        CalendarPeriod::Week {
            starts: Weekday::Monday,
        },
        "Pacific/Apia",
        "2011-12-29T12:00:00Z",
    );
    assert_eq!(hours(week), 6 * 24);
    // A month anchored at the missing day starts when it would have.
    let month = bounds(
        CalendarPeriod::Month { anchor_day: 30 },
        "Pacific/Apia",
        "2012-01-05T12:00:00Z",
    );
    assert_eq!(
        month,
        period("2011-12-31T00:00:00+14:00", "2012-01-30T00:00:00+14:00")
    );
}

#[test]
fn hour_shown_twice_is_two_hours() {
    for (at, start, end) in [
        (
            "2024-11-03T01:30:00-04:00",
            "2024-11-03T01:00:00-04:00",
            "2024-11-03T01:00:00-05:00",
        ),
        (
            "2024-11-03T01:30:00-05:00",
            "2024-11-03T01:00:00-05:00",
            "2024-11-03T02:00:00-05:00",
        ),
        (
            "2024-03-10T01:30:00-05:00",
            "2024-03-10T01:00:00-05:00",
            "2024-03-10T03:00:00-04:00",
        ),
    ] {
        let hour = bounds(CalendarPeriod::Hour, "America/New_York", at);
        assert_eq!(hour, period(start, end));
        assert_eq!(hours(hour), 1);
    }
}

#[test]
fn half_hours_of_a_change_stretch_or_cut_an_hour() {
    let long = bounds(
        CalendarPeriod::Hour,
        "Australia/Lord_Howe",
        "2024-04-07T01:45:00+10:30",
    );
    assert_eq!(
        long,
        period("2024-04-07T01:00:00+11:00", "2024-04-07T02:00:00+10:30")
    );
    assert_eq!(long.end.since(long.start).as_secs(), 90 * 60);
    let short = bounds(
        CalendarPeriod::Hour,
        "Australia/Lord_Howe",
        "2024-10-06T02:45:00+11:00",
    );
    assert_eq!(
        short,
        period("2024-10-06T02:30:00+11:00", "2024-10-06T03:00:00+11:00")
    );
}

#[test]
fn hours_follow_the_local_clock() {
    for (zone, at, start) in [
        (
            "Asia/Kolkata",
            "2024-06-01T12:45:00+05:30",
            "2024-06-01T12:00:00+05:30",
        ),
        (
            "Asia/Kathmandu",
            "2024-06-01T12:45:00+05:45",
            "2024-06-01T12:00:00+05:45",
        ),
        ("UTC", "2024-06-01T12:45:00Z", "2024-06-01T12:00:00Z"),
    ] {
        let hour = bounds(CalendarPeriod::Hour, zone, at);
        assert_eq!(hour.start, wall(start));
        assert_eq!(hours(hour), 1);
    }
}

#[test]
fn weeks_start_on_the_chosen_day() {
    for (starts, start, end) in [
        (
            Weekday::Monday,
            "2024-05-27T00:00:00Z",
            "2024-06-03T00:00:00Z",
        ),
        (
            Weekday::Saturday,
            "2024-06-01T00:00:00Z",
            "2024-06-08T00:00:00Z",
        ),
        (
            Weekday::Sunday,
            "2024-05-26T00:00:00Z",
            "2024-06-02T00:00:00Z",
        ),
    ] {
        // A Saturday.
        let week = bounds(
            CalendarPeriod::Week { starts },
            "UTC",
            "2024-06-01T12:00:00Z",
        );
        assert_eq!(week, period(start, end));
    }
}

#[test]
fn anchor_day_that_a_month_lacks_is_its_last() {
    for (anchor_day, at, start, end) in [
        (
            31,
            "2024-02-10T00:00:00Z",
            "2024-01-31T00:00:00Z",
            "2024-02-29T00:00:00Z",
        ),
        (
            31,
            "2023-03-01T00:00:00Z",
            "2023-02-28T00:00:00Z",
            "2023-03-31T00:00:00Z",
        ),
        (
            31,
            "2024-04-30T00:00:00Z",
            "2024-04-30T00:00:00Z",
            "2024-05-31T00:00:00Z",
        ),
        (
            30,
            "2023-03-29T23:59:59Z",
            "2023-02-28T00:00:00Z",
            "2023-03-30T00:00:00Z",
        ),
        (
            29,
            "2024-03-01T00:00:00Z",
            "2024-02-29T00:00:00Z",
            "2024-03-29T00:00:00Z",
        ),
        (
            15,
            "2024-01-14T23:59:59Z",
            "2023-12-15T00:00:00Z",
            "2024-01-15T00:00:00Z",
        ),
        (
            1,
            "2024-12-31T23:59:59Z",
            "2024-12-01T00:00:00Z",
            "2025-01-01T00:00:00Z",
        ),
    ] {
        let month = bounds(CalendarPeriod::Month { anchor_day }, "UTC", at);
        assert_eq!(month, period(start, end), "anchor day {anchor_day}");
    }
}

#[test]
fn years_start_at_local_new_year() {
    let year = bounds(CalendarPeriod::Year, "Asia/Tokyo", "2023-12-31T16:00:00Z");
    assert_eq!(
        year,
        period("2024-01-01T00:00:00+09:00", "2025-01-01T00:00:00+09:00")
    );
}

#[test]
fn ends_of_the_range_cut_periods_off() {
    for zone in ["UTC", "Pacific/Kiritimati", "Pacific/Niue", "Europe/Berlin"] {
        for kind in [
            CalendarPeriod::Hour,
            CalendarPeriod::Day,
            CalendarPeriod::Month { anchor_day: 1 },
            CalendarPeriod::Year,
        ] {
            let calendar = Calendar::new(kind, zone).unwrap();
            assert_eq!(calendar.bounds(Wall(i64::MIN)).start, Wall(i64::MIN));
            assert_eq!(calendar.bounds(Wall(i64::MAX)).end, Wall(i64::MAX));
        }
    }
}

#[test]
fn zones_are_found_without_regard_to_case() {
    assert!(Calendar::new(CalendarPeriod::Day, "europe/berlin").is_ok());
    assert!(Calendar::new(CalendarPeriod::Day, "utc").is_ok());
}

#[test]
fn unknown_zones_are_refused() {
    for zone in [
        "",
        "Europe/Belin",
        "Etc/Unknown",
        "../../etc/passwd",
        "/etc/localtime",
        "a\0b",
        "CET-1CEST",
    ] {
        let error = Calendar::new(CalendarPeriod::Day, zone).unwrap_err();
        assert_eq!(error, CalendarError::UnknownZone { zone: zone.into() });
    }
    assert_eq!(
        Calendar::new(CalendarPeriod::Day, "Europe/Belin")
            .unwrap_err()
            .to_string(),
        "unknown time zone \"Europe/Belin\", expected a name of the IANA database such as \"Europe/Berlin\" or \"UTC\""
    );
}

#[test]
fn anchor_days_of_no_month_are_refused() {
    for anchor_day in [0, 32, 128, 255] {
        let error = Calendar::new(CalendarPeriod::Month { anchor_day }, "UTC").unwrap_err();
        assert_eq!(error, CalendarError::NoSuchAnchorDay { anchor_day });
    }
    assert_eq!(
        CalendarError::NoSuchAnchorDay { anchor_day: 32 }.to_string(),
        "no month has a day 32, an anchor day is 1 to 31, where 31 is the last day of every month"
    );
}
