//! Every decision of every window against the slow, exact models of the testkit, and all three laws.
#![cfg(not(any(model_loom, model_shuttle)))]

mod common;

use common::{Under, in_our_time};
use proptest::prelude::*;
use std::time::Duration;
use tollgate_core::Meter;
use tollgate_testkit::{
    Debt, Periods,
    law::{Law, raise_all},
    model::{self, Model},
    strategy::{Histories, Op},
    subject::{check_against, denials_change_nothing, waits_are_least},
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
    raise_all(&mut events);
    let verdict = law.check(events, 0);
    prop_assert!(verdict.held(), "{verdict}");
    Ok(())
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

fn ring(window: u64, slots: u32, phase: u64, max: u64) -> SlottedRing {
    SlottedRing::with_phase(
        max,
        Duration::from_nanos(window),
        slots,
        Duration::from_nanos(phase),
    )
    .expect("in range")
}

fn fixed(window: u64, phase: u64, max: u64) -> FixedWindow {
    FixedWindow::with_phase(
        max,
        Duration::from_nanos(window),
        Duration::from_nanos(phase),
    )
    .expect("in range")
}

/// Room for as many holes and debts as a history has steps.
fn log(window: u64, max: u64) -> ExactLog {
    ExactLog::with_room(max, Duration::from_nanos(window), 100).expect("in range")
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
        let model = model::SlidingLog::new(window, max);
        holds(|| log(window, max), model, &Law::Window { window, max }, &history)?;
    }

    /// The model rolls over at a refund and the window only at a charge, which shows where the clock steps back.
    #[test]
    fn fixed_window_equals_its_model_in_order(
        (window, max, phase, history) in cases(Histories { steps_back: false, ..all_kinds() }),
    ) {
        let periods = Periods::every(window, phase);
        let model = model::PeriodBudget::new(periods.clone(), max, Debt::EndsWithPeriod);
        let law = Law::Periods { periods, max, debt: Debt::EndsWithPeriod };
        holds(|| fixed(window, phase, max), model, &law, &history)?;
    }

    #[test]
    fn fixed_window_equals_its_model_when_the_clock_steps_back(
        (window, max, phase, history) in cases(Histories { refunds: false, ..all_kinds() }),
    ) {
        let periods = Periods::every(window, phase);
        let model = model::PeriodBudget::new(periods.clone(), max, Debt::EndsWithPeriod);
        let law = Law::Periods { periods, max, debt: Debt::EndsWithPeriod };
        holds(|| fixed(window, phase, max), model, &law, &history)?;
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
