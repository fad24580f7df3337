//! Debt over many periods: what is left of it counts the periods in between, and its wait finds the one that has room.
//! Near changes of the clocks the periods are counted one by one; far away, counts and waits must fit each other.

use crate::{
    model::History,
    properties::{REACH, Random, periods, zones},
};
use proptest::prelude::*;
use std::{sync::Arc, time::Duration};
use tollgate_core::{Cost, Meter, Moment, Nanos, Refused, Wait, Wall};
use tollgate_quota::calendar::{Calendar, CalendarMeter, CalendarPeriod, Weekday};

fn at(wall: Wall) -> Moment {
    Moment::new(Nanos::ZERO, wall)
}

/// A meter of one unit a period that has used `units` at `wall`.
fn owing(calendar: &Arc<Calendar>, units: u64, wall: Wall) -> CalendarMeter {
    let meter = CalendarMeter::new(Arc::clone(calendar), 1);
    let charged = meter.charge_anyway(at(wall), Cost::new(units).unwrap(), 1);
    charged.expect("nobody closed it");
    meter
}

/// When a unit fits again, as told at `wall`.
fn fits_at(meter: &CalendarMeter, wall: Wall) -> Option<Wall> {
    match meter.look(at(wall), Cost::ONE, 1) {
        Ok(()) => Some(wall),
        Err(Refused::Denied(denial)) => denial.wait.duration().map(|wait| later(wall, wait)),
        Err(Refused::Closed | Refused::Dry) => panic!("nobody closed it"),
    }
}

fn later(wall: Wall, wait: Duration) -> Wall {
    let nanos = i128::from(wall.0) + i128::try_from(wait.as_nanos()).unwrap();
    Wall(i64::try_from(nanos).expect("waits end within the range"))
}

/// Walks `steps` periods from the one around `from`, and holds counts and waits to it at each.
fn assert_counts_as_walked(calendar: &Arc<Calendar>, from: Wall, steps: u64) {
    const OWED: u64 = 1_000;
    let meter = owing(calendar, OWED, from);
    let mut period = calendar.bounds(from);
    for step in 1..=steps {
        period = calendar.bounds(period.end);
        for inside in [period.start, Wall(period.end.0 - 1)] {
            let left = meter.used(at(inside));
            assert_eq!(left, OWED - step, "{step} after {from:?} in {calendar:?}");
        }
        let until = fits_at(&owing(calendar, step, from), from);
        assert_eq!(
            until,
            Some(period.start),
            "{step} after {from:?} in {calendar:?}"
        );
    }
}

/// Every change of offset that any zone ever made until 2040: days across it.
#[test]
fn days_across_every_change_are_counted_as_walked() {
    for name in zones() {
        let calendar = Arc::new(Calendar::new(CalendarPeriod::Day, name).unwrap());
        let history = History::new(jiff::tz::db().get(name).unwrap());
        for change in history
            .changes()
            .filter(|change| (REACH.start..2_208_988_800).contains(change))
        {
            assert_counts_as_walked(&calendar, Wall::from_secs(change - 2 * 86_400), 4);
        }
    }
}

/// Hours and all other periods across some changes of every zone.
#[test]
fn periods_across_changes_are_counted_as_walked() {
    let mut random = Random(3);
    for name in zones() {
        let history = History::new(jiff::tz::db().get(name).unwrap());
        let changes: Vec<i64> = history
            .changes()
            .filter(|change| (REACH.start..2_208_988_800).contains(change))
            .collect();
        for (period, length) in [
            (CalendarPeriod::Hour, 3_600_u64),
            (
                CalendarPeriod::Week {
                    starts: Weekday::Saturday,
                },
                7 * 86_400,
            ),
            (CalendarPeriod::Month { anchor_day: 31 }, 30 * 86_400),
            (CalendarPeriod::Year, 365 * 86_400),
        ] {
            let calendar = Arc::new(Calendar::new(period, name).unwrap());
            for _ in 0..8 {
                let Some(change) = random.pick(&changes) else {
                    break;
                };
                let from = change - random.below(3 * length);
                assert_counts_as_walked(&calendar, Wall::from_secs(from), 5);
            }
        }
    }
}

/// Samoa went to sleep on a Thursday and woke on a Saturday; the Marshalls lost a Saturday, the Philippines a Tuesday.
#[test]
fn days_that_a_zone_left_out_pay_nothing() {
    for (zone, before, day_after) in [
        (
            "Pacific/Apia",
            "2011-12-29T12:00:00-10:00",
            "2011-12-31T00:00:00+14:00",
        ),
        (
            "Pacific/Kwajalein",
            "1993-08-20T12:00:00-12:00",
            "1993-08-22T00:00:00+12:00",
        ),
        (
            "Asia/Manila",
            "1844-12-30T12:00:00-15:56:08",
            "1845-01-01T00:00:00+08:03:52",
        ),
    ] {
        let wall = |text: &str| {
            let at: jiff::Timestamp = text.parse().unwrap();
            Wall(i64::try_from(at.as_nanosecond()).unwrap())
        };
        let days = Arc::new(Calendar::new(CalendarPeriod::Day, zone).unwrap());
        let (before, day_after) = (wall(before), wall(day_after));
        let meter = owing(&days, 11, before);
        assert_eq!(meter.used(at(day_after)), 10, "{zone}");
        let ten_later = later(day_after, Duration::from_secs(9 * 86_400));
        assert_eq!(meter.used(at(ten_later)), 1, "{zone}");
        let until = later(day_after, Duration::from_secs(10 * 86_400));
        assert_eq!(fits_at(&meter, before), Some(until), "{zone}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// However far: a debt that waits until some instant is paid then, and not a nanosecond earlier.
    #[test]
    fn debt_is_paid_when_its_wait_ends(
        zone in prop::sample::select(zones()), period in periods(), from in REACH, units in prop_oneof![1_u64..1_000, 1_u64..5_000_000],
    ) {
        let calendar = Arc::new(Calendar::new(period, &zone).unwrap());
        let from = Wall::from_secs(from);
        let meter = owing(&calendar, units, from);
        match fits_at(&meter, from) {
            Some(until) => {
                prop_assert_eq!(meter.look(at(until), Cost::ONE, 1), Ok(()));
                prop_assert!(meter.look(at(Wall(until.0 - 1)), Cost::ONE, 1).is_err());
                prop_assert_eq!(calendar.bounds(until).start, until);
            }
            None => {
                let last = meter.used(at(Wall(i64::MAX)));
                prop_assert!(last > 0, "the range ends before it is paid");
                let never = Refused::denied(Wait::Never, last.into());
                prop_assert_eq!(meter.look(at(Wall(i64::MAX)), Cost::ONE, 1), Err(never));
            }
        }
    }

    /// Counts add up: asked at an instant in between, the rest of the way is as long.
    #[test]
    fn counts_of_periods_add_up(
        zone in prop::sample::select(zones()), period in periods(), mut seconds in [REACH, REACH, REACH],
    ) {
        const OWED: u64 = 1 << 40;
        seconds.sort_unstable();
        let [from, between, to] = seconds.map(Wall::from_secs);
        let calendar = Arc::new(Calendar::new(period, &zone).unwrap());
        let direct = owing(&calendar, OWED, from);
        let (paid, rest) = (OWED - direct.used(at(between)), OWED - direct.used(at(to)));
        let second = owing(&calendar, OWED, between);
        prop_assert_eq!(OWED - second.used(at(to)), rest - paid);
    }

    /// By plain arithmetic where a zone has none but full hours and days.
    #[test]
    fn hours_and_days_of_utc_are_counted_by_division(from in REACH, to in REACH) {
        const OWED: u64 = 1 << 40;
        for (period, length) in [(CalendarPeriod::Hour, 3_600), (CalendarPeriod::Day, 86_400)] {
            let (from, to) = (from.min(to), from.max(to));
            let calendar = Arc::new(Calendar::new(period, "UTC").unwrap());
            let meter = owing(&calendar, OWED, Wall::from_secs(from));
            let passed = to.div_euclid(length) - from.div_euclid(length);
            prop_assert_eq!(OWED - meter.used(at(Wall::from_secs(to))), passed.unsigned_abs());
        }
    }
}

/// The slowest there is: a debt of hours over thirty years, asked again and again, since a denial writes nothing.
#[test]
fn hours_of_thirty_years_are_not_counted_one_by_one() {
    let hours = Arc::new(Calendar::new(CalendarPeriod::Hour, "America/New_York").unwrap());
    let from = Wall::from_secs(1_700_000_000);
    let meter = owing(&hours, 10_000_000, from);
    let to = at(Wall::from_secs(1_700_000_000 + 30 * 365 * 86_400));
    for _ in 0..1_000 {
        assert_eq!(meter.used(to), 10_000_000 - 30 * 365 * 24);
        assert!(meter.look(to, Cost::ONE, 1).is_err());
    }
}
