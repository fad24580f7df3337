//! Windows as meters: exact, with refunds and debt, but for what their pages say of races.

use crate::histories::{Instants, Manners, Rounds, SECOND, cost, held, of_meter, waits};
use std::time::Duration;
use tollgate_core::{ManualClock, Nanos, Refused};
use tollgate_testkit::{
    Answer, Periods,
    linear::{Around, Ask, Heard, OneLimit},
    model::{PeriodBudget, SlidingLog, SlottedRing as RingModel},
};
use tollgate_window::{ExactLog, FixedWindow, ShardedRing, SlottedRing};

const WINDOW: Duration = Duration::from_secs(2);
const SLOTS: u32 = 8;
const MAX: u64 = 17;
/// Eight to a slot.
const STEP: u64 = SECOND / 32;

const ALL: Manners = Manners {
    cost_max: 5,
    refunds: true,
    debts: true,
    used: true,
};
/// Nothing but charges.
const CHARGES: Manners = Manners {
    refunds: false,
    debts: false,
    used: false,
    ..ALL
};

fn window() -> u64 {
    u64::try_from(WINDOW.as_nanos()).expect("seconds")
}

/// Units of refunds that raced with a charge at a later instant than that of their own charge: the tick that it opened
/// may have summed them before they came back.
fn late_refunds(around: &Around<'_, Ask, Heard>) -> u64 {
    let calls = around.history();
    let slot = |at: u64| at / (window() / u64::from(SLOTS));
    let filed = |of: u64| {
        calls.iter().find_map(|call| match call.ask {
            Ask::Acquire { id, at, .. } if id == of => Some(at),
            _ => None,
        })
    };
    let races = |call: &tollgate_testkit::linear::Call<Ask, Heard>| {
        let Ask::Refund { of, surplus, .. } = call.ask else {
            return 0;
        };
        let opened = |other: &&tollgate_testkit::linear::Call<Ask, Heard>| match other.ask {
            Ask::Acquire { at, .. } | Ask::Debt { at, .. } => {
                other.overlaps(call) && filed(of).is_some_and(|filed| slot(at) > slot(filed))
            }
            _ => false,
        };
        if calls.iter().any(|other| opened(&other)) {
            surplus
        } else {
            0
        }
    };
    calls
        .iter()
        .filter(|call| call.began < around.call().ended)
        .map(races)
        .sum()
}

#[test]
fn a_ring_answers_as_one_caller_at_a_time_would_hear() {
    let model = || OneLimit::new(RingModel::new(window(), SLOTS, 0, MAX));
    let ring = || SlottedRing::new(MAX, WINDOW, SLOTS).expect("a small ring");
    held("SlottedRing, charges", |seed| {
        let calls = of_meter(
            &ring(),
            MAX,
            &Rounds::new(STEP, Instants::Rounds),
            CHARGES,
            seed,
        );
        (model(), calls)
    });
    held("SlottedRing", |seed| {
        let calls = of_meter(
            &ring(),
            MAX,
            &Rounds::new(STEP, Instants::Rounds),
            ALL,
            seed,
        );
        (
            model().may_seem_fuller(late_refunds).waits_when_alone(),
            calls,
        )
    });
}

#[test]
fn a_log_answers_as_one_caller_at_a_time_would_hear() {
    let log = || ExactLog::new(MAX, WINDOW).expect("a small log");
    let model = || OneLimit::new(SlidingLog::new(window(), MAX));
    held("ExactLog, charges", |seed| {
        let calls = of_meter(
            &log(),
            MAX,
            &Rounds::new(STEP, Instants::Rounds),
            CHARGES,
            seed,
        );
        (model(), calls)
    });
    held("ExactLog", |seed| {
        let calls = of_meter(&log(), MAX, &Rounds::new(STEP, Instants::Rounds), ALL, seed);
        (model().waits_when_alone(), calls)
    });
}

#[test]
fn a_fixed_window_answers_as_one_caller_at_a_time_would_hear() {
    for (name, manners) in [("FixedWindow, charges", CHARGES), ("FixedWindow", ALL)] {
        held(name, |seed| {
            let fixed = FixedWindow::new(MAX, WINDOW).expect("a small window");
            let calls = of_meter(
                &fixed,
                MAX,
                &Rounds::new(STEP, Instants::Rounds),
                manners,
                seed,
            );
            (
                OneLimit::new(PeriodBudget::new(Periods::every(window(), 0), MAX)),
                calls,
            )
        });
    }
}

const BATCH: u16 = 3;

const SHARDS: u64 = 2;
const COST_MAX: u64 = 6;

/// For each call under way what was in the shards is not seen: it may have found that there is enough in all, and gather. Whoever looks at
/// the ring before some of it is back there, and at a shard after the rest was taken out, sees neither. A shard holds a
/// batch, and what did not suffice for a cost before that was drawn.
fn in_hand(around: &Around<'_, Ask, Heard>) -> u64 {
    around.overlapping().count() as u64 * SHARDS * (u64::from(BATCH) + COST_MAX - 1)
}

#[test]
fn a_sharded_ring_denies_only_for_what_is_taken_or_in_hand() {
    held("ShardedRing", |seed| {
        let ring = ShardedRing::builder(MAX * 3, WINDOW, SLOTS)
            .shards(usize::try_from(SHARDS).expect("few"))
            .batch(BATCH)
            .build_with_clock(ManualClock::new())
            .expect("a small ring");
        let rounds = Rounds {
            calls: 8,
            ..Rounds::new(STEP, Instants::Rounds)
        };
        let calls = rounds.run(seed, |scribe, chance, id, at| {
            let units = 1 + chance.below(COST_MAX);
            scribe.call(
                Ask::Acquire {
                    id,
                    at,
                    cost: units,
                },
                |_| {
                    let heard = match ring.try_record_at(cost(units), Nanos(at)) {
                        Ok(_) => Answer::Admit,
                        Err(Refused::Denied(denial)) => waits(denial.wait),
                        Err(Refused::Closed | Refused::Dry) => Answer::Never,
                    };
                    (Heard::Answer(heard), ())
                },
            );
        });
        let model = RingModel::new(window(), SLOTS, 0, MAX * 3);
        (
            OneLimit::new(model)
                .may_seem_fuller(in_hand)
                .waits_when_alone(),
            calls,
        )
    });
}
