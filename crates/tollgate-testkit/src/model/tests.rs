//! The models against the three laws and against sums over their whole history.

use super::*;
use crate::{
    law::{Event, Law, raise_all, raise_debts},
    limit::{Periods, RateLimit},
};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Acquire { cost: u64, max: u64 },
    Debt(u64),
    Refund { back: usize, surplus: u64 },
}

/// Steps with the time from each to the next, which may be negative.
fn histories() -> impl Strategy<Value = Vec<(i64, Step)>> {
    let elapsed = prop_oneof![4 => Just(0_i64), 6 => 0_i64..12, 1 => -15_i64..0, 1 => 30_i64..150];
    let step = prop_oneof![
        6 => (0_u64..8, 0_u64..14).prop_map(|(cost, max)| Step::Acquire { cost, max }),
        1 => (0_u64..8).prop_map(Step::Debt),
        2 => (0_usize..6, 0_u64..8).prop_map(|(back, surplus)| Step::Refund { back, surplus }),
    ];
    prop::collection::vec((elapsed, step), 0..40)
}

#[derive(Clone, Debug)]
enum Kind {
    Gcra(RateLimit, Option<u64>),
    Log {
        window: u64,
        max: u64,
    },
    Ring {
        window: u64,
        slots: u32,
        phase: u64,
        max: u64,
    },
    Periods(Periods, u64),
    Calendar(Periods, u64),
    Lifetime(u64),
    Concurrency(u64),
}

impl Kind {
    fn model(&self) -> Box<dyn Model> {
        match self.clone() {
            Self::Gcra(limit, None) => Box::new(Gcra::new(limit)),
            Self::Gcra(limit, Some(per_ns)) => Box::new(Gcra::quantized(limit, per_ns)),
            Self::Log { window, max } => Box::new(SlidingLog::new(window, max)),
            Self::Ring {
                window,
                slots,
                phase,
                max,
            } => Box::new(SlottedRing::new(window, slots, phase, max)),
            Self::Periods(periods, max) => Box::new(PeriodBudget::new(periods, max)),
            Self::Calendar(periods, max) => Box::new(PeriodBudget::of_calendar(periods, max)),
            Self::Lifetime(max) => Box::new(Lifetime::new(max)),
            Self::Concurrency(max) => Box::new(Concurrency::new(max)),
        }
    }

    fn law(&self) -> Law {
        match self.clone() {
            Self::Gcra(limit, _) => Law::Rate(limit),
            Self::Log { window, max } | Self::Ring { window, max, .. } => {
                Law::Window { window, max }
            }
            Self::Periods(periods, max) | Self::Calendar(periods, max) => {
                Law::Periods { periods, max }
            }
            Self::Lifetime(max) => Law::Lifetime { max },
            Self::Concurrency(max) => Law::Concurrency { max },
        }
    }
}

fn kinds() -> impl Strategy<Value = Kind> {
    let periods = prop_oneof![
        (1_u64..40, 0_u64..40).prop_map(|(period, phase)| Periods::every(period, phase)),
        prop::collection::vec(450_u64..800, 0..5).prop_map(Periods::between),
    ];
    prop_oneof![
        3 => (0_u64..8, 1_u64..30, 0_u64..12, prop_oneof![Just(None), (1_u64..17).prop_map(Some)])
            .prop_map(|(units, period, capacity, quanta)| {
                Kind::Gcra(RateLimit::new(units, period, capacity), quanta)
            }),
        1 => (1_u64..40, 0_u64..12).prop_map(|(window, max)| Kind::Log { window, max }),
        2 => (1_u64..40, 1_u32..9, 0_u64..40, 0_u64..12)
            .prop_map(|(window, slots, phase, max)| Kind::Ring { window, slots, phase, max }),
        2 => (periods.clone(), 0_u64..12).prop_map(|(periods, max)| Kind::Periods(periods, max)),
        1 => (periods, 0_u64..12).prop_map(|(periods, max)| Kind::Calendar(periods, max)),
        1 => (0_u64..40).prop_map(Kind::Lifetime),
        1 => (0_u64..12).prop_map(Kind::Concurrency),
    ]
}

/// Whether a wait is the least: denied at every instant before its end, and admitted then.
fn is_least(model: &dyn Model, now: u64, cost: u64, max: u64, answer: Answer) -> bool {
    let admitted = |at: u64| model.look_under(at, cost, max).admitted();
    match answer {
        Answer::Admit => admitted(now),
        Answer::Never => (0..400).all(|later| !admitted(now + later * 7)) && !admitted(u64::MAX),
        Answer::Wait(wait) => {
            let wait = u64::try_from(wait).expect("small limits have small waits");
            wait > 0 && (0..wait).all(|early| !admitted(now + early)) && admitted(now + wait)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn every_model_obeys_the_laws(kind in kinds(), history in histories()) {
        let mut model = kind.model();
        let (mut now, mut receipts, mut events) = (500_u64, Vec::new(), Vec::new());
        for (elapsed, step) in history {
            now = now.saturating_add_signed(elapsed);
            match step {
                Step::Acquire { cost, max } => {
                    let answer = model.look_under(now, cost, max);
                    prop_assert!(is_least(&*model, now, cost, max, answer), "{answer} at {now} by {model:?}");
                    if answer.admitted() {
                        let before = model.used(now);
                        receipts.push((events.len(), model.charge(now, cost)));
                        prop_assert_eq!(model.used(now), before + u128::from(cost));
                        prop_assert!(model.used(now) <= u128::from(max.min(model.max())));
                        events.push(Event::admitted(now, cost));
                    }
                }
                Step::Debt(extra) => {
                    model.charge_anyway(now, extra);
                    events.push(Event::debt(now, extra));
                }
                Step::Refund { back, surplus } => {
                    let index = receipts.len().checked_sub(back + 1);
                    if let Some((event, receipt)) = index.and_then(|index| receipts.get_mut(index)) {
                        let before = receipt.kept();
                        model.refund(now, receipt, surplus);
                        let given = before - receipt.kept();
                        if matches!(kind, Kind::Concurrency(_)) {
                            events.push(Event::closed(now, given));
                        } else {
                            events[*event].units -= given;
                        }
                    }
                }
            }
        }
        match kind {
            Kind::Calendar(..) => raise_all(&mut events),
            // These two know no time: what counts is the order.
            Kind::Lifetime(_) | Kind::Concurrency(_) => events.iter_mut().for_each(|event| event.at = 0),
            _ => raise_debts(&mut events),
        }
        let verdict = kind.law().check(events, 0);
        prop_assert!(verdict.held(), "{verdict}");
    }

    /// The windows once more, by sums over all that was ever charged.
    #[test]
    fn windows_count_what_their_definition_says(
        history in histories(),
        window in 1_u64..40,
        slots in 1_u32..50,
        phase in 0_u64..40,
    ) {
        let mut log = SlidingLog::new(window, 10);
        let mut ring = SlottedRing::new(window, slots, phase, 10);
        let tick = |at: u64| u128::from(at + phase) * u128::from(slots) / u128::from(window);
        let (mut now, mut latest, mut charged) = (500_u64, 0_u64, Vec::<(u64, u64, Receipt, Receipt)>::new());
        for (elapsed, step) in history {
            now = now.saturating_add_signed(elapsed);
            match step {
                Step::Acquire { cost, .. } | Step::Debt(cost) => {
                    latest = latest.max(now);
                    charged.push((latest, cost, log.charge(now, cost), ring.charge(now, cost)));
                }
                Step::Refund { back, surplus } => {
                    let index = charged.len().checked_sub(back + 1);
                    if let Some((_, kept, in_log, in_ring)) = index.and_then(|index| charged.get_mut(index)) {
                        *kept = kept.saturating_sub(surplus);
                        log.refund(now, in_log, surplus);
                        ring.refund(now, in_ring, surplus);
                    }
                }
            }
            let at = now.max(latest);
            let sum = |counts: &dyn Fn(u64) -> bool| -> u128 {
                let counted = charged.iter().filter(|(stamp, ..)| counts(*stamp));
                counted.map(|(_, kept, ..)| u128::from(*kept)).sum()
            };
            prop_assert_eq!(log.used(now), sum(&|stamp| stamp + window > at));
            prop_assert_eq!(ring.used(now), sum(&|stamp| tick(stamp) + u128::from(slots) >= tick(at)));
        }
    }

    #[test]
    fn an_old_now_never_makes_the_answer_looser(kind in kinds(), history in histories(), back in 0_u64..60) {
        let mut model = kind.model();
        let mut now = 500_u64;
        for (elapsed, step) in history {
            now = now.saturating_add_signed(elapsed);
            if let Step::Acquire { cost, max } = step {
                let old = model.look_under(now.saturating_sub(back), cost, max);
                prop_assert!(!old.admitted() || model.look_under(now, cost, max).admitted());
                let _ = model.try_acquire(now, cost);
            }
        }
    }
}

#[test]
fn a_slotted_window_alone_gives_all_but_one_part_in_its_slots_and_one() {
    let (window, slots, max) = (1_000_u64, 10_u32, 7_u64);
    let mut ring = SlottedRing::new(window, slots, 0, max);
    let (mut now, mut admitted) = (0_u64, 0_u64);
    while now < 110_000 {
        match ring.try_acquire(now, 1) {
            Answer::Admit => admitted += 1,
            Answer::Wait(wait) => {
                assert!(wait > 0, "a wait of nothing never ends");
                now += u64::try_from(wait).expect("within a window");
            }
            Answer::Never => panic!("one unit fits"),
        }
    }
    assert_eq!(admitted, max * 110_000 / 1_100);
}

#[test]
fn the_longest_wait_binds_and_the_first_of_equals() {
    let mut policy = Policy::new();
    policy.add(SlidingLog::new(50, 1));
    policy.add(SlidingLog::new(90, 1));
    policy.add(SlidingLog::new(90, 1));
    policy.add(Lifetime::new(2));
    let once = [Some(Ask::new(1)); 3];
    let mut receipt = policy.try_acquire(0, &once).expect("all are fresh");
    assert_eq!(
        policy.look(10, &once),
        Err(Refusal {
            limit: 1,
            retry_after: Some(80)
        })
    );

    let all = [
        Some(Ask::new(1)),
        Some(Ask::new(1)),
        Some(Ask::new(1)),
        Some(Ask::new(3)),
    ];
    assert_eq!(
        policy.look(10, &all),
        Err(Refusal {
            limit: 3,
            retry_after: None
        }),
        "what can never fit waits longest"
    );
    assert_eq!(policy.try_acquire(10, &all).ok(), None);
    assert_eq!(policy.limits()[3].used(10), 0, "a refusal keeps nothing");

    policy.release(10, &mut receipt);
    assert_eq!(policy.look(10, &once), Ok(()));
}

#[test]
fn a_class_sees_a_smaller_limit_and_what_does_not_apply_is_not_asked() {
    let mut policy = Policy::new();
    policy.add(Gcra::new(RateLimit::new(1, 10, 10)));
    policy.add(Lifetime::new(0));
    let batch = |cost| [Some(Ask::new(cost).under(5))];
    let mut receipt = policy
        .try_acquire(0, &batch(5))
        .expect("half is free for it");
    assert_eq!(
        policy.look(0, &batch(1)),
        Err(Refusal {
            limit: 0,
            retry_after: Some(10)
        })
    );
    assert_eq!(policy.look(0, &[Some(Ask::new(5))]), Ok(()));
    assert_eq!(policy.explain(0, &batch(6)), [Some(Answer::Never), None]);

    policy.settle(0, &mut receipt, 0, 2);
    assert_eq!(policy.look(0, &batch(3)), Ok(()));
    policy.settle(0, &mut receipt, 0, 12);
    assert_eq!(policy.limits()[0].used(0), 12, "spent beyond the estimate");
}

#[test]
fn the_last_of_explicit_periods_never_ends() {
    let bounds = Periods::between([100, 200]);
    let mut budget = PeriodBudget::new(bounds, 2);
    assert_eq!(budget.try_acquire(50, 2), Answer::Admit);
    assert_eq!(budget.look(50, 1), Answer::Wait(50));
    assert_eq!(budget.try_acquire(100, 2), Answer::Admit);
    assert_eq!(budget.look(150, 1), Answer::Wait(50));
    assert_eq!(budget.try_acquire(250, 2), Answer::Admit);
    assert_eq!(budget.look(250, 1), Answer::Never);
}

#[test]
fn a_period_pays_debt_first_and_keeps_no_refund_of_an_older_one() {
    let mut budget = PeriodBudget::new(Periods::every(10, 0), 5);
    let mut old = budget.charge(0, 5);
    budget.charge_anyway(0, 3);
    assert_eq!(budget.used(10), 3);
    budget.refund(10, &mut old, 5);
    assert_eq!(budget.used(10), 3, "its period is over");
    let mut fresh = budget.charge(10, 2);
    budget.refund(19, &mut fresh, 2);
    assert_eq!(budget.used(19), 3);
    assert_eq!(budget.used(20), 0);
}

/// A refund once moved the budget on to the period of its own `now`, so that an old `now` after it found a fresh
/// period where an admitted one had filled the old.
#[test]
fn a_refund_does_not_move_the_clock_of_an_ordered_model() {
    let mut budget = PeriodBudget::new(Periods::every(10, 0), 5);
    let mut receipt = budget.charge(5, 5);
    budget.refund(15, &mut receipt, 1);
    assert_eq!(budget.look(6, 1), Answer::Wait(4));
}

#[test]
fn what_was_charged_under_a_larger_max_is_no_debt() {
    let mut budget = PeriodBudget::new(Periods::every(10, 0), 9);
    budget.charge(0, 9);
    budget.set_max(5, 2);
    assert_eq!(budget.look(5, 2), Answer::Wait(5));
    budget.charge_anyway(5, 4);
    assert_eq!([10, 20, 30].map(|now| budget.used(now)), [4, 2, 0]);
    assert_eq!(budget.look(5, 2), Answer::Wait(25));
    budget.set_max(10, 3);
    assert_eq!(
        budget.look(5, 2),
        Answer::Wait(15),
        "a larger one pays at once"
    );
}

#[test]
fn far_ends_of_every_figure_are_answered() {
    let max = u64::MAX;
    for kind in [
        Kind::Gcra(RateLimit::new(1, max, max), Some(max)),
        Kind::Gcra(RateLimit::new(0, 0, max), Some(max)),
        Kind::Gcra(RateLimit::new(max, 1, max), None),
        Kind::Gcra(RateLimit::new(0, 0, max), None),
        Kind::Log { window: max, max },
        Kind::Ring {
            window: 1,
            slots: u32::MAX,
            phase: max,
            max,
        },
        Kind::Ring {
            window: max,
            slots: 1,
            phase: max,
            max,
        },
        Kind::Periods(Periods::every(1, max), max),
        Kind::Periods(Periods::between([max]), max),
        Kind::Lifetime(max),
        Kind::Concurrency(max),
    ] {
        let mut model = kind.model();
        assert_eq!(model.try_acquire(max, max), Answer::Admit, "{kind:?}");
        for _ in 0..3 {
            model.charge_anyway(max, max);
        }
        for now in [max, max / 2, 0] {
            assert!(!model.look(now, 1).admitted(), "{kind:?}");
            assert!(model.used(now) >= 4 * u128::from(max), "{kind:?}");
        }
    }
}

#[test]
fn zero_allows_nothing() {
    for kind in [
        Kind::Gcra(RateLimit::new(0, 10, 0), None),
        Kind::Log { window: 0, max: 0 },
        Kind::Ring {
            window: 0,
            slots: 0,
            phase: 0,
            max: 0,
        },
        Kind::Periods(Periods::every(0, 0), 0),
        Kind::Lifetime(0),
        Kind::Concurrency(0),
    ] {
        assert_eq!(kind.model().look(9, 1), Answer::Never, "{kind:?}");
    }
}
