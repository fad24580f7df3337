//! The Gregorian calendar by arithmetic of its own: no library.

use tollgate_quota::calendar::{CalendarPeriod, Weekday};

pub(crate) const DAY: i64 = 86_400;

/// Days from 1970-01-01 to that date, by counting whole years and months.
pub(crate) fn day_number(year: i64, month: i64, day: i64) -> i64 {
    let leaps = |year: i64| year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let years = (year - 1970) * 365 + leaps(year - 1) - leaps(1969);
    let months: i64 = (1..month).map(|month| month_days(year, month)).sum();
    years + months + day - 1
}

pub(crate) fn month_days(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Year, month and day of a day number, by trying.
pub(crate) fn date(day: i64) -> (i64, i64, i64) {
    let mut year = 1970 + day / 366;
    while day_number(year + 1, 1, 1) <= day {
        year += 1;
    }
    while day_number(year, 1, 1) > day {
        year -= 1;
    }
    let month = (1..=12)
        .rev()
        .find(|&month| day_number(year, month, 1) <= day)
        .unwrap();
    (year, month, day - day_number(year, month, 1) + 1)
}

/// Whether a period of dates starts on that day.
pub(crate) fn starts_on(period: CalendarPeriod, day: i64) -> bool {
    let (year, month, of_month) = date(day);
    match period {
        CalendarPeriod::Hour => panic!("an hour is no date"),
        CalendarPeriod::Day => true,
        // 1970-01-01 was a Thursday.
        CalendarPeriod::Week { starts } => (day + 3).rem_euclid(7) == number(starts),
        CalendarPeriod::Month { anchor_day } => {
            of_month == i64::from(anchor_day).min(month_days(year, month))
        }
        CalendarPeriod::Year => (month, of_month) == (1, 1),
    }
}

fn number(day: Weekday) -> i64 {
    match day {
        Weekday::Monday => 0,
        Weekday::Tuesday => 1,
        Weekday::Wednesday => 2,
        Weekday::Thursday => 3,
        Weekday::Friday => 4,
        Weekday::Saturday => 5,
        Weekday::Sunday => 6,
    }
}

/// The readings, in seconds, at which the period around `reading` starts and ends: day by day until one starts.
pub(crate) fn around(period: CalendarPeriod, reading: i64) -> (i64, i64) {
    let day = reading.div_euclid(DAY);
    let start = (0..)
        .map(|back| day - back)
        .find(|&day| starts_on(period, day))
        .unwrap();
    let end = (1..)
        .map(|on| start + on)
        .find(|&day| starts_on(period, day))
        .unwrap();
    (start * DAY, end * DAY)
}

#[test]
fn day_numbers_of_known_dates() {
    for ((year, month, day), number) in [
        ((1970, 1, 1), 0),
        ((1969, 12, 31), -1),
        ((2000, 2, 29), 11_016),
        ((2000, 3, 1), 11_017),
        ((1900, 3, 1), -25_508),
        ((1677, 9, 21), -106_752),
        ((2262, 4, 11), 106_751),
    ] {
        assert_eq!(day_number(year, month, day), number);
        assert_eq!(date(number), (year, month, day));
    }
}
