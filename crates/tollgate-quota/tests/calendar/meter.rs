//! The calendar meter, decision by decision, over the periods of real zones.

use crate::{
    model::History,
    properties::{REACH, SECOND, periods, zones},
    subject::MeterSubject,
};
use proptest::prelude::*;
use std::sync::Arc;
use tollgate_core::{Cost, Meter, Moment, Nanos, Wall};
use tollgate_quota::calendar::{Calendar, CalendarMeter, CalendarPeriod};
use tollgate_testkit::{
    Periods,
    law::{Law, raise_all},
    model::PeriodBudget,
    strategy::{Histories, Op},
    subject::{check_against, denials_change_nothing, waits_are_least},
};

/// How many periods histories play in, and how many follow to pay what they owe.
const ACTIVE: usize = 8;
const PAYING: usize = 12;

/// A stretch of a zone's time: the wall at instant zero, in nanoseconds, and the bounds of periods after it.
#[derive(Clone, Debug)]
struct Stretch {
    zone: String,
    period: CalendarPeriod,
    wall: i64,
    bounds: Vec<u64>,
}

impl Stretch {
    /// Some periods from `second` on, as the slow model has them.
    fn new(zone: String, period: CalendarPeriod, second: i64, off: i64) -> Self {
        let history = History::new(jiff::tz::db().get(&zone).unwrap());
        let wall = second * SECOND + off;
        let mut bounds = Vec::new();
        let mut end = second;
        for _ in 0..ACTIVE + PAYING {
            end = history.around(period, end).1;
            bounds.push(u64::try_from(end * SECOND - wall).unwrap());
        }
        Self {
            zone,
            period,
            wall,
            bounds,
        }
    }

    /// Histories in the first of these periods, with no more debt than the others pay, so that every wait ends within
    /// the stretch.
    fn histories(&self, max: u64) -> impl Strategy<Value = Vec<Op>> + use<> {
        let end = self.bounds[ACTIVE];
        let histories = Histories {
            refunds: true,
            debts: true,
            ..Histories::of_window(self.bounds[1] - self.bounds[0], max)
        };
        histories.ops().prop_map(move |ops| {
            let mut payable = max * (PAYING as u64 - 2);
            let within = |op| match op {
                Op::Debt { at, extra } if extra <= payable => {
                    payable -= extra;
                    Op::Debt {
                        at: at % end,
                        extra,
                    }
                }
                Op::Acquire { at, cost: units } | Op::Debt { at, extra: units } => Op::Acquire {
                    at: at % end,
                    cost: units,
                },
                Op::Refund { at, back, surplus } => Op::Refund {
                    at: at % end,
                    back,
                    surplus,
                },
            };
            ops.into_iter().map(within).collect()
        })
    }

    fn subject(&self, max: u64) -> MeterSubject<CalendarMeter> {
        let calendar = Calendar::new(self.period, &self.zone).unwrap();
        MeterSubject::new(CalendarMeter::new(Arc::new(calendar), max), max, self.wall)
    }

    fn periods(&self) -> Periods {
        Periods::between(self.bounds.iter().copied())
    }
}

fn stretches() -> impl Strategy<Value = Stretch> {
    // Room for all of the periods at the end, of a year each.
    let seconds = prop_oneof![
        REACH.start..REACH.end - (1 + ACTIVE + PAYING) as i64 * 366 * 86_400,
        1_262_304_000_i64..1_893_456_000
    ];
    (prop::sample::select(zones()), periods(), seconds, 0..SECOND)
        .prop_map(|(zone, period, second, off)| Stretch::new(zone, period, second, off))
}

fn cases() -> impl Strategy<Value = (Stretch, u64, Vec<Op>)> {
    (stretches(), prop_oneof![1_u64..20, 1_u64..1_000_000]).prop_flat_map(|(stretch, max)| {
        let histories = stretch.histories(max);
        (Just(stretch), Just(max), histories)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn calendar_decides_as_the_model_and_keeps_the_laws((stretch, max, history) in cases()) {
        let model = PeriodBudget::of_calendar(stretch.periods(), max);
        let mut events = check_against(&stretch.subject(max), model, history.clone(), 0)?;
        // A clock that was set back is counted in the period that had begun.
        raise_all(&mut events);
        let law = Law::Periods { periods: stretch.periods(), max };
        let verdict = law.check(events, 0);
        prop_assert!(verdict.held(), "{verdict}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn calendar_waits_are_least_and_its_denials_change_nothing((stretch, max, history) in cases()) {
        waits_are_least(|| stretch.subject(max), &history)?;
        denials_change_nothing(|| stretch.subject(max), &history)?;
    }
}

/// Two threads cross midnight, one of them late; each day admits exactly its budget.
#[test]
fn threads_that_cross_a_periods_end_admit_each_days_budget_exactly() {
    const DAY: i64 = 86_400 * SECOND;
    const BUDGET: u64 = 1_000;
    let days = Calendar::new(CalendarPeriod::Day, "UTC").unwrap();
    let meter = CalendarMeter::new(Arc::new(days), BUDGET);
    // Everybody's wall goes from five days to ten, a day a hundred attempts; some lag behind by up to a day.
    let attempts = 60_000;
    let events = tollgate_testkit::stress::race_recorded(2, attempts, |thread, number, record| {
        let number = i64::try_from(number).unwrap();
        let lag = if thread == 0 { 0 } else { number % 7 * DAY / 7 };
        let wall = Wall(5 * DAY + number * (5 * DAY / i64::try_from(attempts).unwrap()) - lag);
        let at = Moment::new(Nanos::ZERO, wall);
        if let Ok(charged) = meter.charge(at, Cost::ONE, BUDGET) {
            // Stamped with the start of the period that it was counted in.
            let start = charged.receipt.period() - (1 << 63);
            record.admitted(start, 1);
        }
    });
    let days = Periods::every(DAY.unsigned_abs(), 0);
    let law = |max| Law::Periods {
        periods: days.clone(),
        max,
    };
    assert!(law(BUDGET).check(events.clone(), 0).held());
    for day in 5..10 {
        let admitted = events
            .iter()
            .filter(|event| days.number(event.at) == day)
            .count();
        assert_eq!(admitted, 1_000, "on day {day}");
    }
}
