//! Every decision of every window against the slow, exact models of the testkit, and all three laws.
#![cfg(not(any(model_loom, model_shuttle)))]

mod common;

use common::{Under, in_our_time};
use proptest::prelude::*;
use std::time::Duration;
use tollgate_core::Meter;
use tollgate_testkit::{
    Periods,
    law::{Event, Law, raise_debts},
    model::{self, Model},
    strategy::{Histories, Op},
    subject::{
        Subject, check_against, check_against_if_in_order, denials_change_nothing, waits_are_least,
    },
};
use tollgate_window::{ExactLog, FixedWindow, SlottedRing};

const SECOND: u64 = 1_000_000_000;

/// Lengths as people write them, and odd ones that no slot divides.
fn windows() -> impl Strategy<Value = u64> {
    prop_oneof![Just(SECOND), Just(60 * SECOND), 50_000_000..2 * SECOND]
}

fn maxes() -> impl Strategy<Value = u64> {
    prop_oneof![3 => 1_u64..12, 2 => 1_u64..200, 1 => 1_u64..10_000]
}

/// A window, a max, a phase below the window, and a history at their scale.
fn cases(histories: Histories) -> impl Strategy<Value = (u64, u64, u64, Vec<Op>)> {
    (windows(), maxes()).prop_flat_map(move |(window, max)| {
        let scale = Histories::of_window(window, max);
        let histories = Histories {
            capacity: scale.capacity,
            unit_ns: scale.unit_ns,
            full_ns: scale.full_ns,
            ..histories
        };
        (
            Just(window),
            Just(max),
            0..window,
            histories.ops().prop_map(in_our_time),
        )
    })
}

fn all_kinds() -> Histories {
    Histories {
        refunds: true,
        debts: true,
        ..Histories::of_window(1, 1)
    }
}

fn holds<M: Meter>(
    fresh: impl Fn() -> M,
    model: impl Model,
    law: &Law,
    history: &[Op],
) -> Result<(), TestCaseError> {
    let max = model.max();
    let mut events = check_against(&Under::new(fresh(), max), model, history.iter().copied(), 0)?;
    raise_debts(&mut events);
    let verdict = law.check(events, 0);
    prop_assert!(verdict.held(), "{verdict}");
    Ok(())
}

/// As [`holds`], for a log: it may have forgotten what only an old `now` asks for.
fn log_holds(
    fresh: impl Fn() -> ExactLog<()>,
    window: u64,
    max: u64,
    history: &[Op],
) -> Result<(), TestCaseError> {
    let model = model::SlidingLog::new(window, max);
    let steps = history.iter().copied();
    let mut events = check_against_if_in_order(&Under::new(fresh(), max), model, steps)?;
    raise_debts(&mut events);
    let verdict = Law::Window { window, max }.check(events, 0);
    prop_assert!(verdict.held(), "{verdict}");
    Ok(())
}

/// What is admitted and kept, and spent, where no model foretells it.
fn play(subject: &impl Subject, history: &[Op]) -> Vec<Event> {
    let (mut events, mut admissions) = (Vec::<Event>::new(), Vec::new());
    for op in history.iter().copied() {
        match op {
            Op::Acquire { at, cost } => {
                if subject.try_acquire_at(cost, at).admitted() {
                    admissions.push(events.len());
                    events.push(Event::admitted(at, cost));
                }
            }
            Op::Refund { at, back, surplus } => {
                let Some(admission) = admissions.len().checked_sub(back + 1) else {
                    continue;
                };
                let kept = &mut events[admissions[admission]].units;
                let surplus = surplus.min(*kept);
                *kept -= surplus;
                assert!(subject.refund_at(admission, surplus, at));
            }
            Op::Debt { at, extra } => {
                assert!(subject.charge_anyway_at(extra, at));
                events.push(Event::debt(at, extra));
            }
        }
    }
    events
}

fn obeys<M: Meter>(
    fresh: impl Fn() -> M,
    ceiling: u64,
    history: &[Op],
) -> Result<(), TestCaseError> {
    let fresh = || Under::new(fresh(), ceiling);
    waits_are_least(fresh, history)?;
    denials_change_nothing(fresh, history)?;
    Ok(())
}

fn ring(window: u64, slots: u32, phase: u64, max: u64) -> SlottedRing<()> {
    SlottedRing::with_phase(
        max,
        Duration::from_nanos(window),
        slots,
        Duration::from_nanos(phase),
        (),
    )
    .expect("in range")
}

fn fixed(window: u64, phase: u64, max: u64) -> FixedWindow<()> {
    FixedWindow::with_phase(
        max,
        Duration::from_nanos(window),
        Duration::from_nanos(phase),
        (),
    )
    .expect("in range")
}

/// Room for as many holes and debts as a history has steps.
fn log(window: u64, max: u64) -> ExactLog<()> {
    roomy_log(window, max, 100)
}

fn roomy_log(window: u64, max: u64, room: u32) -> ExactLog<()> {
    ExactLog::with_room(max, Duration::from_nanos(window), room, ()).expect("in range")
}

fn slots() -> impl Strategy<Value = u32> {
    prop_oneof![Just(1), Just(2), 1_u32..9, 1_u32..100]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn ring_equals_its_model((window, max, phase, history) in cases(all_kinds()), slots in slots()) {
        let model = model::SlottedRing::new(window, slots, phase, max);
        holds(|| ring(window, slots, phase, max), model, &Law::Window { window, max }, &history)?;
    }

    #[test]
    fn log_equals_its_model((window, max, _, history) in cases(all_kinds())) {
        log_holds(|| log(window, max), window, max, &history)?;
    }

    #[test]
    fn fixed_window_equals_its_model((window, max, phase, history) in cases(all_kinds())) {
        let periods = Periods::every(window, phase);
        let model = model::PeriodBudget::new(periods.clone(), max);
        let law = Law::Periods { periods, max };
        holds(|| fixed(window, phase, max), model, &law, &history)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// The ring of points laps many times, with refunds and debt in every lap.
    #[test]
    fn log_equals_its_model_over_many_laps(
        (window, max, history) in (windows(), 1_u64..8).prop_flat_map(|(window, max)| {
            let histories = Histories { refunds: true, debts: true, steps_max: 1_000, ..Histories::of_window(window, max) };
            (Just(window), Just(max), histories.ops().prop_map(in_our_time))
        }),
    ) {
        log_holds(|| roomy_log(window, max, 40), window, max, &history)?;
    }

    /// The log comes to need one level after another, and then laps.
    #[test]
    fn log_equals_its_model_while_it_grows(
        (window, max, history) in (windows(), 10_u64..300).prop_flat_map(|(window, max)| {
            let small = Histories { capacity: 3, full_ns: window / 8, ..Histories::of_window(window, max) };
            let histories = Histories { refunds: true, debts: true, steps_back: false, steps_max: 1_000, ..small };
            (Just(window), Just(max), histories.ops().prop_map(in_our_time))
        }),
    ) {
        log_holds(|| log(window, max), window, max, &history)?;
    }

    /// Without room some units count longer than they must, but the laws hold to the unit and to the nanosecond.
    #[test]
    fn laws_hold_in_a_log_without_room((window, max, _, history) in cases(Histories { steps_max: 60, ..all_kinds() })) {
        let fresh = || Under::new(roomy_log(window, max, 0), max);
        let mut events = play(&fresh(), &history);
        raise_debts(&mut events);
        let verdict = Law::Window { window, max }.check(events, 0);
        prop_assert!(verdict.held(), "{verdict}");
        waits_are_least(fresh, &history)?;
        denials_change_nothing(fresh, &history)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn waits_of_all_windows_are_least_and_denials_change_nothing(
        (window, max, phase, history) in cases(Histories { steps_max: 40, ..all_kinds() }),
        slots in slots(),
    ) {
        obeys(|| ring(window, slots, phase, max), max, &history)?;
        obeys(|| fixed(window, phase, max), max, &history)?;
        obeys(|| log(window, max), max, &history)?;
    }
}
