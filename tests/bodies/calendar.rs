//! Calendar periods of every shape against a slow model of zones and dates, and the meter on them against a budget by
//! those bounds: debts, refunds, another maximum.

// What the tests of the calendars themselves are held to.
#[path = "../../crates/tollgate-quota/tests/calendar/civil.rs"]
#[allow(dead_code, reason = "those tests ask more of it")]
mod civil;
#[path = "../../crates/tollgate-quota/tests/calendar/model.rs"]
#[allow(dead_code, reason = "those tests ask more of it")]
mod model;

use self::model::History;
use super::{
    Source,
    histories::{HOUR, SECOND, cost, moved},
    metered::units,
};
use std::{collections::HashMap, sync::Arc};
use tollgate_core::{Meter, Moment, Nanos, Refused, Wall};
use tollgate_quota::{
    CalendarMeter,
    calendar::{Calendar, CalendarPeriod, Weekday},
};
use tollgate_testkit::{
    Answer, Periods,
    model::{Model, PeriodBudget},
    strategy::Histories,
};

/// Zones with whole hours, halves and quarters, with days that were left out, and with summer time of every kind.
const ZONES: [&str; 16] = [
    "UTC",
    "Europe/Berlin",
    "Europe/Dublin",
    "America/New_York",
    "America/St_Johns",
    "America/Sao_Paulo",
    "America/Scoresbysund",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Asia/Gaza",
    "Africa/Casablanca",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Chatham",
    "Antarctica/Troll",
    "Atlantic/Azores",
];

/// Periods looked at in one history.
const PERIODS: usize = 8;
const STEPS_MAX: usize = 200;

fn period(source: &Source<'_>) -> CalendarPeriod {
    match source.number(0..=4) {
        0 => CalendarPeriod::Hour,
        1 => CalendarPeriod::Day,
        2 => CalendarPeriod::Week {
            starts: source.pick(&Weekday::ALL),
        },
        3 => CalendarPeriod::Month {
            anchor_day: u8::try_from(source.number(1..=31)).expect("a day"),
        },
        _ => CalendarPeriod::Year,
    }
}

/// A second of our age: any, or one near a change of the clocks.
fn second(source: &Source<'_>, history: &History) -> i64 {
    const AGE: std::ops::RangeInclusive<u64> = 0..=4_000_000_000;
    let any = i64::try_from(source.number(AGE)).expect("ten digits");
    let changes: Vec<i64> = history
        .changes()
        .filter(|change| (0..4_000_000_000).contains(change))
        .collect();
    if changes.is_empty() || source.one_in(3) {
        return any;
    }
    let aside = i64::try_from(source.number(0..=14_400)).expect("four hours") - 7_200;
    changes[source.index(changes.len())] + aside
}

thread_local! {
    /// The histories of zones, which take long to lay out.
    static HISTORIES: std::cell::RefCell<HashMap<&'static str, std::rc::Rc<History>>> = std::cell::RefCell::default();
}

fn history_of(zone: &'static str) -> std::rc::Rc<History> {
    HISTORIES.with_borrow_mut(|known| {
        let laid_out = known.entry(zone).or_insert_with(|| {
            let zone = jiff::tz::db().get(zone).expect("a zone of the database");
            std::rc::Rc::new(History::new(zone))
        });
        std::rc::Rc::clone(laid_out)
    })
}

/// Bounds of periods, and a meter that counts by them.
pub(super) fn calendar(bytes: &[u8]) {
    let source = Source::new(bytes);
    let zone = source.pick(&ZONES);
    let period = period(&source);
    let history = history_of(zone);
    let calendar = Arc::new(Calendar::new(period, zone).expect("a zone of the database"));
    let base = second(&source, &history);

    // From the period of `base` on, each starting where the one before ends; one of them is where the model says, which
    // takes its time.
    let asked = source.index(PERIODS);
    let mut at = base;
    let mut ends = Vec::new();
    for place in 0..PERIODS {
        let found = calendar.bounds(Wall(at * SECOND.cast_signed()));
        if place == asked {
            let (start, end) = history.around(period, at);
            let expected = [start, end].map(|second| Wall(second * SECOND.cast_signed()));
            assert_eq!(
                [found.start, found.end],
                expected,
                "around {at} in {zone} by {period:?}"
            );
        }
        assert!(found.contains(Wall(at * SECOND.cast_signed())));
        assert!(place == 0 || found.start.0 == at * SECOND.cast_signed());
        assert_eq!(
            calendar.bounds(Wall(found.end.0 - 1)),
            found,
            "the last nanosecond"
        );
        at = found.end.0 / SECOND.cast_signed();
        ends.push(u64::try_from(at - base).expect("after the base") * SECOND);
    }
    count(&source, &calendar, base * SECOND.cast_signed(), &ends);
}

/// A meter from the wall time `base` on, by periods that end so many nanoseconds later.
fn count(source: &Source<'_>, calendar: &Arc<Calendar>, base: i64, ends: &[u64]) {
    let max = source.pick(&[1, 3, 10, 100, 0]);
    let mut meters = vec![CalendarMeter::new(Arc::clone(calendar), max)];
    let mut model = PeriodBudget::of_calendar(Periods::between(ends.iter().copied()), max);
    let last = ends.last().map_or(0, |end| end - 1);
    let scale = Histories {
        unit_ns: HOUR / 4,
        full_ns: ends[0].max(HOUR),
        ..Histories::of_window(HOUR, 10)
    };
    let mut open = Vec::new();
    let (mut now, mut latest) = (0, 0_u64);
    for _ in 0..STEPS_MAX {
        if !source.goes_on() {
            break;
        }
        now = moved(source, now, scale).min(last);
        let meter = meters.last().expect("there is one from the start");
        let moment = |now: u64| Moment::new(Nanos(now), Wall(base.saturating_add_unsigned(now)));
        match source.number(0..=15) {
            0..9 => {
                let asked = cost(source, model.max());
                let expected = model.look(now, asked);
                let ceiling = meter.max();
                assert_eq!(
                    meter.look(moment(now), units(asked), ceiling).is_ok(),
                    expected.admitted()
                );
                match meter.charge(moment(now), units(asked), ceiling) {
                    Ok(charged) => {
                        assert_eq!(expected, Answer::Admit, "{asked} at {now}");
                        open.push((charged.receipt, model.charge(now, asked)));
                        latest = latest.max(now);
                    }
                    Err(Refused::Denied(denial)) => match (denial.wait.duration(), expected) {
                        (Some(wait), Answer::Wait(expected)) => {
                            assert_eq!(wait.as_nanos(), expected)
                        }
                        // It never fits, or not before wall time ends, in the year 2262: a debt of centuries. Of
                        // those periods the model was given only the first.
                        (None, Answer::Never) => assert!(
                            asked > model.max()
                                || denial.committed > u128::from(model.max()) * PERIODS as u128,
                            "{asked} at {now}"
                        ),
                        // Beyond the periods that the model was given.
                        (Some(wait), Answer::Never) => {
                            assert!(
                                asked <= model.max()
                                    && u128::from(now) + wait.as_nanos() > u128::from(last)
                            );
                        }
                        (wait, expected) => {
                            panic!("{wait:?} for {asked} at {now}, the model says {expected}")
                        }
                    },
                    Err(Refused::Closed | Refused::Dry) => panic!("nobody closed it"),
                }
            }
            9..11 => {
                let extra = cost(source, model.max());
                let charged = meter.charge_anyway(moment(now), units(extra), meter.max());
                open.push((
                    charged.expect("nobody closed it").receipt,
                    model.charge(now, extra),
                ));
                latest = latest.max(now);
            }
            11..15 => {
                let Some(place) = open.len().checked_sub(1) else {
                    continue;
                };
                let (receipt, mut ideal) = open.swap_remove(source.index(place + 1));
                let surplus = source.number(0..=ideal.kept());
                let before = meter.used(moment(now));
                let given = meter.refund(moment(now), &receipt, surplus);
                assert_eq!(meter.used(moment(now)), before - given);
                model.refund(now, &mut ideal, surplus);
            }
            _ => {
                now = latest;
                let max = source.pick(&[1, 5, 20, 0, 200]);
                let next = meter.successor(max);
                next.take_over(meter, moment(now));
                meters.push(next);
                model.set_max(now, max);
            }
        }
        let meter = meters.last().expect("there is one");
        assert_eq!(
            u128::from(meter.used(moment(now))),
            model.used(now),
            "at {now}"
        );
    }
}
