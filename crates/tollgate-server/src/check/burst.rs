//! The most that a limit admits in any half-open span of a given length.
//!
//! | Algorithm | At most, in any span of length w |
//! | --- | --- |
//! | gcra | capacity + max × w / period, rounded down |
//! | window, log | max for each window begun: max × ⌈w / window⌉ |
//! | fixed, calendar | max for each period that the span can touch |
//! | lifetime | max |
//! | concurrency | nothing bounds it |
//!
//! A span of w nanoseconds can touch ⌈(w - 1) / p⌉ + 1 periods of p nanoseconds: it begins with the
//! last of one. A zone that changes its clocks has a short period now and then, which makes it one more
//! where the span is longer than that period. For a month the shortest one counts.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tollgate_policy::{Algorithm, CalendarPeriod, CalendarRule};

const MINUTE: u64 = 60_000_000_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// None where nothing bounds it. `window_ns` is at least 1.
pub(super) fn worst(
    algorithm: &Algorithm,
    max: u64,
    capacity: u64,
    window_ns: u64,
) -> Option<u128> {
    let wide = u128::from(max);
    if max == 0 {
        return Some(0);
    }
    Some(match algorithm {
        Algorithm::Gcra { per_ns, .. } => {
            u128::from(capacity) + wide * u128::from(window_ns) / u128::from(*per_ns)
        }
        Algorithm::Window { per_ns, .. } | Algorithm::Log { per_ns } => {
            wide * u128::from(window_ns.div_ceil(*per_ns))
        }
        Algorithm::Fixed { per_ns } => wide * u128::from(touched(window_ns, *per_ns)),
        Algorithm::Calendar(rule) => wide * u128::from(periods(rule, window_ns)),
        Algorithm::Lifetime => wide,
        Algorithm::Concurrency => return None,
    })
}

/// How many periods of equal length a span can touch.
fn touched(window_ns: u64, per_ns: u64) -> u64 {
    (window_ns - 1).div_ceil(per_ns) + 1
}

/// How many periods of a calendar a span can touch.
fn periods(rule: &CalendarRule, window_ns: u64) -> u64 {
    let length = match rule.period {
        CalendarPeriod::Hour => HOUR,
        CalendarPeriod::Day => DAY,
        CalendarPeriod::Week { .. } => 7 * DAY,
        CalendarPeriod::Month { .. } => 28 * DAY,
        CalendarPeriod::Year => 365 * DAY,
    };
    // Clocks are put forward by an hour at most; an hour itself loses half of it where they move by that.
    let shortest = if rule.period == CalendarPeriod::Hour {
        HOUR / 2
    } else {
        length - HOUR
    };
    let one_more = changes_clocks(&rule.zone) && window_ns > shortest;
    touched(window_ns, length) + u64::from(one_more)
}

/// Whether the zone has changed its clocks since 1970, or will. An unknown one might.
fn changes_clocks(zone: &str) -> bool {
    TimeZone::get(zone).map_or(true, |zone| {
        zone.following(Timestamp::UNIX_EPOCH).next().is_some()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn calendar(period: CalendarPeriod, zone: &str) -> Algorithm {
        Algorithm::Calendar(CalendarRule {
            period,
            zone: zone.into(),
        })
    }

    #[test]
    fn gcra_is_exact_and_rounded_down() {
        let rate = Algorithm::Gcra {
            per_ns: 7 * SECOND,
            initial: None,
        };
        assert_eq!(worst(&rate, 3, 5, 7 * SECOND), Some(8));
        assert_eq!(worst(&rate, 3, 5, 7 * SECOND - 1), Some(7));
        assert_eq!(worst(&rate, 3, 5, 1), Some(5));
        assert_eq!(worst(&rate, 0, 5, DAY), Some(0), "zero allows nothing");
        let most = u64::MAX;
        let fast = Algorithm::Gcra {
            per_ns: 1_000_000,
            initial: None,
        };
        assert_eq!(
            worst(&fast, most, most, DAY),
            Some(u128::from(most) * 86_400_001)
        );
    }

    #[test]
    fn windows_count_for_each_one_begun() {
        for sliding in [
            Algorithm::Log {
                per_ns: 10 * SECOND,
            },
            Algorithm::Window {
                per_ns: 10 * SECOND,
                slots: 5,
            },
        ] {
            assert_eq!(worst(&sliding, 4, 4, SECOND), Some(4));
            assert_eq!(worst(&sliding, 4, 4, 10 * SECOND), Some(4));
            assert_eq!(worst(&sliding, 4, 4, 10 * SECOND + 1), Some(8));
            assert_eq!(worst(&sliding, 4, 4, 60 * SECOND), Some(24));
        }
    }

    #[test]
    fn fixed_periods_count_for_each_one_touched() {
        let fixed = Algorithm::Fixed { per_ns: 10 };
        for window in 1..=60 {
            // By trying every start in a period.
            let tried = (0..10).map(|start| (start + window - 1) / 10 + 1).max();
            assert_eq!(
                worst(&fixed, 4, 4, window),
                tried.map(|n| u128::from(n) * 4),
                "{window}"
            );
        }
        assert_eq!(worst(&Algorithm::Fixed { per_ns: 1 }, 4, 4, 3), Some(12));
    }

    #[test]
    fn calendars_know_short_days() {
        let day = |zone, window| worst(&calendar(CalendarPeriod::Day, zone), 1, 1, window);
        assert_eq!(day("UTC", SECOND), Some(2));
        assert_eq!(day("UTC", DAY), Some(2));
        assert_eq!(
            day("Asia/Kolkata", DAY),
            Some(2),
            "no change of clocks since 1970"
        );
        // 25 March 2029 has 23 hours in Berlin: the last instant of the day before, that day, and the first
        // hour of the next are within 24 hours.
        assert_eq!(day("Europe/Berlin", DAY), Some(3));
        assert_eq!(day("Europe/Berlin", 23 * HOUR), Some(2));
        let hour = |window| worst(&calendar(CalendarPeriod::Hour, "UTC"), 1, 1, window);
        assert_eq!((hour(HOUR), hour(DAY)), (Some(2), Some(25)));
        let month = calendar(CalendarPeriod::Month { anchor_day: 31 }, "Europe/Berlin");
        assert_eq!(worst(&month, 1, 1, DAY), Some(2));
        assert_eq!(
            worst(&calendar(CalendarPeriod::Year, "UTC"), 1, 1, DAY),
            Some(2)
        );
        assert_eq!(worst(&Algorithm::Lifetime, 9, 9, DAY), Some(9));
        assert_eq!(worst(&Algorithm::Concurrency, 9, 9, DAY), None);
    }
}
