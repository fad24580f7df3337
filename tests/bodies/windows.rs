//! Windows against their exact models: slotted ring, exact log, fixed window, lifetime, concurrency; and the sharded
//! ring between two.

use super::{
    Source,
    histories::{SECOND, history},
    metered::{Metered, units},
};
use std::time::Duration;
use tollgate_core::{ManualClock, Meter, Nanos, Refused};
use tollgate_quota::{Concurrency, Lifetime};
use tollgate_testkit::{
    Answer, Periods,
    law::{Event, Law, raise_all, raise_debts},
    model::{self, Model},
    strategy::{Histories, Op},
    subject::{
        Subject, check_against, check_against_if_in_order, denials_change_nothing, waits_are_least,
    },
};
use tollgate_window::{ExactLog, FixedWindow, ShardedRing, SlottedRing};

/// Longest history whose every denial is lived again.
const LIVED_AGAIN_MAX: usize = 24;

/// A window, its maximum, and its phase.
struct Shape {
    window: u64,
    max: u64,
    phase: u64,
}

fn shape(source: &Source<'_>) -> Shape {
    let window = match source.number(0..=2) {
        0 => SECOND,
        1 => 60 * SECOND,
        _ => source.number(50_000_000..=2 * SECOND),
    };
    let max = match source.number(0..=5) {
        0..3 => source.number(1..=12),
        3..5 => source.number(1..=200),
        _ => source.number(1..=10_000),
    };
    let phase = source.pick(&[0, 1, window / 3, window - 1]);
    Shape { window, max, phase }
}

fn steps(source: &Source<'_>, shape: &Shape, steps_max: usize) -> Vec<Op> {
    steps_of(source, shape, steps_max, true)
}

fn steps_of(source: &Source<'_>, shape: &Shape, steps_max: usize, steps_back: bool) -> Vec<Op> {
    let scale = Histories {
        steps_back,
        refunds: true,
        debts: true,
        steps_max,
        ..Histories::of_window(shape.window, shape.max)
    };
    history(source, scale)
}

/// Decisions and waits are the model's, and the three laws hold.
fn decides<M: Meter>(fresh: impl Fn() -> M, model: impl Model, law: &Law, history: &[Op]) {
    let max = model.max();
    let record = check_against(
        &Metered::new(fresh(), max),
        model,
        history.iter().copied(),
        0,
    );
    let mut events = record.unwrap_or_else(|parted| panic!("{parted}"));
    obeys(law, &mut events);
    second_and_third_law(|| Metered::new(fresh(), max), history);
}

/// By the instants that each was given; one that knows no time by those at which it came.
fn obeys(law: &Law, events: &mut Vec<Event>) {
    // Only what was kept says from when a debt counts.
    events.retain(|event| event.units > 0);
    if let Law::Lifetime { .. } = law {
        raise_all(events);
    } else {
        raise_debts(events);
    }
    let verdict = law.check(events.iter().copied(), 0);
    assert!(verdict.held(), "{verdict}");
}

/// Lives short histories again, for each denial.
fn second_and_third_law<S: Subject>(fresh: impl Fn() -> S, history: &[Op]) {
    if history.len() <= LIVED_AGAIN_MAX {
        waits_are_least(&fresh, history).unwrap_or_else(|misstep| panic!("{misstep}"));
        denials_change_nothing(&fresh, history).unwrap_or_else(|misstep| panic!("{misstep}"));
    }
}

fn duration(nanos: u64) -> Duration {
    Duration::from_nanos(nanos)
}

/// The slotted ring.
pub(super) fn ring(bytes: &[u8]) {
    let source = Source::new(bytes);
    let shape = shape(&source);
    let slots = source.pick(&[1, 2, 3, 7, 60, 100]);
    let Shape { window, max, phase } = shape;
    let model = model::SlottedRing::new(window, slots, phase, max);
    let fresh = || {
        SlottedRing::with_phase(max, duration(window), slots, duration(phase), ())
            .expect("in range")
    };
    decides(
        fresh,
        model,
        &Law::Window { window, max },
        &steps(&source, &shape, 300),
    );
}

/// The exact log: with room for all holes as the model, but for what only an old `now` asks for; without it by the laws
/// alone.
pub(super) fn log(bytes: &[u8]) {
    let source = Source::new(bytes);
    let shape = shape(&source);
    let Shape { window, max, .. } = shape;
    let law = Law::Window { window, max };
    let has_room = !source.one_in(3);
    let room = if has_room { 300 } else { 0 };
    let fresh = || {
        let log = ExactLog::with_room(max, duration(window), room, ());
        Metered::new(log.expect("in range"), max)
    };
    let history = steps(
        &source,
        &shape,
        if has_room { 300 } else { LIVED_AGAIN_MAX },
    );
    let mut events = if has_room {
        let model = model::SlidingLog::new(window, max);
        let record = check_against_if_in_order(&fresh(), model, history.iter().copied());
        record.unwrap_or_else(|parted| panic!("{parted}"))
    } else {
        play(&fresh(), &history)
    };
    obeys(&law, &mut events);
    second_and_third_law(fresh, &history);
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

/// The fixed window.
pub(super) fn fixed(bytes: &[u8]) {
    let source = Source::new(bytes);
    let shape = shape(&source);
    let Shape { window, max, phase } = shape;
    let periods = Periods::every(window, phase);
    let model = model::PeriodBudget::new(periods.clone(), max);
    let fresh =
        || FixedWindow::with_phase(max, duration(window), duration(phase), ()).expect("in range");
    decides(
        fresh,
        model,
        &Law::Periods { periods, max },
        &steps(&source, &shape, 300),
    );
}

/// Lifetime budgets and concurrency.
pub(super) fn tallies(bytes: &[u8]) {
    let source = Source::new(bytes);
    let shape = shape(&source);
    let (max, lifetime) = (shape.max, source.one_in(2));
    let history = steps(&source, &shape, 200);
    if lifetime {
        decides(
            Lifetime::new,
            model::Lifetime::new(max),
            &Law::Lifetime { max },
            &history,
        );
    } else {
        let subject = || Metered::new(Concurrency::new(), max);
        let record = check_against(
            &subject(),
            model::Concurrency::new(max),
            history.iter().copied(),
            0,
        );
        record.unwrap_or_else(|parted| panic!("{parted}"));
    }
}

/// The sharded ring, a caller at a time: whatever lies in shards, every decision is that of a plain ring. Callers of an
/// old `now` may find the stock of their own slot, or be denied for it: then only the first law is asked.
pub(super) fn sharded_ring(bytes: &[u8]) {
    let source = Source::new(bytes);
    let shape = shape(&source);
    let Shape { window, max, phase } = shape;
    let slots = source.pick(&[1, 2, 7, 60]);
    let (shards, steps_back) = (source.pick(&[1, 2, 4]), source.one_in(2));
    let built = ShardedRing::builder(max, duration(window), slots)
        .phase(duration(phase))
        .shards(shards)
        .batch(source.pick(&[0, 1, 8, 64]))
        .build_with_clock(ManualClock::new());
    let Ok(ring) = built else { return };
    let mut whole = model::SlottedRing::new(window, slots, phase, max);
    let mut admitted: Vec<Event> = Vec::new();
    let mut receipts = Vec::new();
    for (step, op) in steps_of(&source, &shape, 300, steps_back)
        .into_iter()
        .enumerate()
    {
        // Not always the next shard, and not always another one.
        let shard = step * step % 5;
        match op {
            Op::Acquire { at, cost } => {
                ring.clock().set(Nanos::new(at));
                let expected = whole.look(at, cost);
                match ring.try_record_on_at(shard, units(cost), Nanos::new(at)) {
                    Ok(receipt) => {
                        assert!(steps_back || expected.admitted(), "{cost} at {at}");
                        receipts.push((receipt, admitted.len(), whole.charge(at, cost)));
                        admitted.push(Event::admitted(at, cost));
                    }
                    Err(Refused::Denied(denial)) => {
                        let wait = denial.wait.duration();
                        let found =
                            wait.map_or(Answer::Never, |wait| Answer::Wait(wait.as_nanos()));
                        assert!(
                            steps_back || found == expected,
                            "{found} for {cost} at {at}, the model says {expected}"
                        );
                    }
                    Err(Refused::Closed | Refused::Dry) => panic!("nobody closed it"),
                }
            }
            // What was given back in a slot that a later caller has seen full is no longer his.
            Op::Refund { .. } if steps_back => {}
            Op::Refund { at, back, surplus } => {
                let Some(place) = receipts.len().checked_sub(back + 1) else {
                    continue;
                };
                let (receipt, event, model) = &mut receipts[place];
                let surplus = surplus.min(admitted[*event].units);
                admitted[*event].units -= surplus;
                ring.refund_at(receipt, surplus, Nanos::new(at));
                whole.refund(at, model, surplus);
            }
            Op::Debt { .. } => {}
        }
        let at = op.at();
        let (used, expected) = (u128::from(ring.count_at(Nanos::new(at))), whole.used(at));
        assert!(
            steps_back || used == expected,
            "{used} at {at}, the model says {expected}"
        );
    }
    let verdict = Law::Window { window, max }.check(admitted, 0);
    assert!(verdict.held(), "{verdict}");
}
