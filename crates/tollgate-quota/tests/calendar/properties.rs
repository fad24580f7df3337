//! Every zone of the database, at random instants and around its changes of offset.

use crate::{civil, model::History};
use proptest::prelude::*;
use std::sync::OnceLock;
use tollgate_core::Wall;
use tollgate_quota::calendar::{Calendar, CalendarPeriod, Period, Weekday};

pub(crate) const SECOND: i64 = 1_000_000_000;
/// Seconds that a `Wall` reaches on both sides of 1970, and a year to spare.
pub(crate) const REACH: std::ops::Range<i64> = -9_190_000_000..9_190_000_000;

pub(crate) fn zones() -> &'static [String] {
    static ZONES: OnceLock<Vec<String>> = OnceLock::new();
    ZONES.get_or_init(|| {
        let names: Vec<String> = jiff::tz::db()
            .available()
            .map(|name| name.to_string())
            .filter(|name| Calendar::new(CalendarPeriod::Day, name).is_ok())
            .collect();
        assert!(names.len() > 400, "found only {} zones", names.len());
        names
    })
}

fn weekdays() -> impl Strategy<Value = Weekday> {
    use Weekday::{Friday, Monday, Saturday, Sunday, Thursday, Tuesday, Wednesday};
    prop::sample::select(vec![
        Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday,
    ])
}

fn date_periods() -> impl Strategy<Value = CalendarPeriod> {
    prop_oneof![
        Just(CalendarPeriod::Day),
        weekdays().prop_map(|starts| CalendarPeriod::Week { starts }),
        (1_u8..=31).prop_map(|anchor_day| CalendarPeriod::Month { anchor_day }),
        Just(CalendarPeriod::Year),
    ]
}

pub(crate) fn periods() -> impl Strategy<Value = CalendarPeriod> {
    prop_oneof![1 => Just(CalendarPeriod::Hour), 4 => date_periods()]
}

/// All instants, those of this age, and the ends of the range.
fn walls() -> impl Strategy<Value = Wall> {
    prop_oneof![
        any::<i64>(),
        (946_684_800_i64..2_556_144_000).prop_map(|second| second * SECOND),
        (0_i64..10 * SECOND).prop_map(|off| i64::MIN + off),
        (0_i64..10 * SECOND).prop_map(|off| i64::MAX - off),
    ]
    .prop_map(Wall)
}

/// A period holds its instant, and its neighbours start and end where it does.
fn assert_contiguous(calendar: &Calendar, wall: Wall) -> Period {
    let period = calendar.bounds(wall);
    assert!(period.start <= wall, "{period:?} starts after {wall:?}");
    assert!(
        wall < period.end || period.end == Wall(i64::MAX),
        "{period:?} ends before {wall:?}"
    );
    assert!(period.start < period.end, "{period:?} is empty");
    if period.end < Wall(i64::MAX) {
        let next = calendar.bounds(period.end);
        assert_eq!(next.start, period.end, "the period after {period:?}");
    }
    if period.start > Wall(i64::MIN) {
        let previous = calendar.bounds(Wall(period.start.0 - 1));
        assert_eq!(previous.end, period.start, "the period before {period:?}");
    }
    period
}

fn in_range(start: i64, end: i64) -> Period {
    Period {
        start: Wall::from_secs(start),
        end: Wall::from_secs(end),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn periods_hold_their_instant_and_leave_no_gap(
        zone in prop::sample::select(zones()), period in periods(), wall in walls(),
    ) {
        assert_contiguous(&Calendar::new(period, &zone).unwrap(), wall);
    }

    #[test]
    fn periods_rise_with_time(
        zone in prop::sample::select(zones()), period in periods(), wall in walls(),
        later in prop_oneof![0_i64..SECOND, 0..3_600 * SECOND, 0..86_400 * SECOND, 0..i64::MAX],
    ) {
        let calendar = Calendar::new(period, &zone).unwrap();
        let (first, second) = (calendar.bounds(wall), calendar.bounds(Wall(wall.0.saturating_add(later))));
        prop_assert!(first == second || first.end <= second.start);
    }

    /// The cache changes no answer: one calendar asked often agrees with one asked once.
    #[test]
    fn cached_bounds_are_those_looked_up(
        zone in prop::sample::select(zones()), period in periods(), from in walls(),
        steps in prop::collection::vec(-100_000_i64..100_000, 1..20),
    ) {
        let calendar = Calendar::new(period, &zone).unwrap();
        let mut wall = from;
        for step in steps {
            wall = Wall(wall.0.saturating_add(step * SECOND));
            prop_assert_eq!(calendar.bounds(wall), Calendar::new(period, &zone).unwrap().bounds(wall));
        }
    }

    #[test]
    fn periods_of_utc_are_those_of_plain_arithmetic(period in periods(), wall in walls()) {
        let instant = wall.0.div_euclid(SECOND);
        let (start, end) = match period {
            CalendarPeriod::Hour => {
                let start = instant.div_euclid(3_600) * 3_600;
                (start, start + 3_600)
            }
            _ => civil::around(period, instant),
        };
        prop_assert_eq!(Calendar::new(period, "UTC").unwrap().bounds(wall), in_range(start, end));
    }
}

/// Three periods of dates for every zone, at instants anywhere and just beside changes of offset.
#[test]
fn dates_of_every_zone_agree_with_the_model() {
    let mut random = Random(1);
    for name in zones() {
        let history = History::new(jiff::tz::db().get(name).unwrap());
        let changes: Vec<i64> = history
            .changes()
            .filter(|change| REACH.contains(change))
            .collect();
        for period in [
            CalendarPeriod::Day,
            CalendarPeriod::Week {
                starts: Weekday::Sunday,
            },
            CalendarPeriod::Month { anchor_day: 31 },
        ] {
            let calendar = Calendar::new(period, name).unwrap();
            for _ in 0..40 {
                let instant = match random.pick(&changes) {
                    Some(change) if random.below(4) != 0 => {
                        change + random.below(200_000) - 100_000
                    }
                    Some(change) if random.below(2) != 0 => change + random.below(7) - 3,
                    _ => REACH.start + random.below(2 * REACH.end.unsigned_abs()),
                };
                let (start, end) = history.around(period, instant);
                assert_eq!(
                    assert_contiguous(&calendar, Wall::from_secs(instant)),
                    in_range(start, end),
                    "{period:?} around {instant} in {name}"
                );
            }
        }
    }
}

/// Every change of offset that any zone ever made until 2040, on both sides: the day around it.
#[test]
fn days_around_every_change_agree_with_the_model() {
    for name in zones() {
        let history = History::new(jiff::tz::db().get(name).unwrap());
        let calendar = Calendar::new(CalendarPeriod::Day, name).unwrap();
        for change in history
            .changes()
            .filter(|change| (REACH.start..2_208_988_800).contains(change))
        {
            // The later one first: the cached period must not answer for it.
            for instant in [change, change - 1] {
                let (start, end) = history.around(CalendarPeriod::Day, instant);
                assert_eq!(
                    calendar.bounds(Wall::from_secs(instant)),
                    in_range(start, end),
                    "around {instant} in {name}"
                );
            }
        }
    }
}

/// Hours beside changes of offset, where they differ from plain arithmetic.
#[test]
fn hours_of_every_zone_agree_with_the_model() {
    let mut random = Random(2);
    for name in zones() {
        let history = History::new(jiff::tz::db().get(name).unwrap());
        let calendar = Calendar::new(CalendarPeriod::Hour, name).unwrap();
        let changes: Vec<i64> = history
            .changes()
            .filter(|change| REACH.contains(change))
            .collect();
        for _ in 0..6 {
            let Some(change) = random.pick(&changes) else {
                break;
            };
            let instant = change + random.below(10_000) - 5_000;
            let (start, end) = history.around(CalendarPeriod::Hour, instant);
            assert_eq!(
                assert_contiguous(&calendar, Wall::from_secs(instant)),
                in_range(start, end),
                "around {instant} in {name}"
            );
        }
    }
}

/// A small generator, so that the loops over all zones repeat.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, end: u64) -> i64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        i64::try_from((self.0 >> 24) % end).unwrap()
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> Option<T> {
        let length = u64::try_from(of.len()).unwrap();
        if length == 0 {
            None
        } else {
            of.get(usize::try_from(self.below(length)).unwrap())
                .copied()
        }
    }
}
