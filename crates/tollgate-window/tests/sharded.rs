//! The sharded ring against the model of the plain one and all three laws, and on real threads.
#![cfg(not(any(model_loom, model_shuttle)))]

use proptest::prelude::*;
use std::{
    cell::{Cell, RefCell},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};
use tollgate_core::{Cost, ManualClock, Nanos, Refused, Wait};
use tollgate_testkit::{
    Answer,
    law::{Event, Law},
    model,
    strategy::{Histories, Op},
    stress::{race_for, race_recorded},
    subject::{
        Subject, check_against, check_against_if_in_order, denials_change_nothing, waits_are_least,
    },
};
use tollgate_window::{ShardedRing, SlotReceipt, WindowError};

const SECOND: u64 = 1_000_000_000;

type Ring = ShardedRing<ManualClock>;

/// A ring whose callers come by way of one shard after another.
struct InTurn {
    ring: Ring,
    shard: Cell<usize>,
    receipts: RefCell<Vec<SlotReceipt>>,
}

impl InTurn {
    fn new(ring: Ring) -> Self {
        Self {
            ring,
            shard: Cell::new(0),
            receipts: RefCell::default(),
        }
    }

    fn next_shard(&self) -> usize {
        // Threes and ones: not always the next shard, and not always another one.
        let shard = self.shard.get() + 1 + 2 * (self.receipts.borrow().len() % 2);
        self.shard.set(shard);
        shard
    }
}

impl Subject for InTurn {
    /// Asks for the wait first: it must be what the answer then says, and both must agree with the count.
    fn try_acquire_at(&self, cost: u64, now: u64) -> Answer {
        let (cost, now) = (Cost::new(cost).expect("not zero"), Nanos(now));
        let shard = self.next_shard();
        let used = self.ring.count_at(now);
        let wait = self.ring.wait_time_at(cost, now);
        match self.ring.try_record_on_at(shard, cost, now) {
            Ok(receipt) => {
                assert_eq!(wait, Some(Duration::ZERO), "an admission was promised");
                assert_eq!(self.ring.count_at(now), used + cost.get());
                self.receipts.borrow_mut().push(receipt);
                Answer::Admit
            }
            Err(Refused::Denied(denial)) => {
                assert_eq!(denial.wait.duration(), wait);
                assert_eq!(denial.committed, u128::from(used));
                assert_eq!(self.ring.count_at(now), used);
                match denial.wait {
                    Wait::After(wait) => Answer::Wait(wait.as_nanos()),
                    Wait::Never => Answer::Never,
                }
            }
            Err(Refused::Closed | Refused::Dry) => panic!("a sharded ring is never closed"),
        }
    }

    fn refund_at(&self, admission: usize, surplus: u64, now: u64) -> bool {
        let used = self.ring.count_at(Nanos(now));
        let receipt = self.receipts.borrow()[admission];
        let refunded = self.ring.refund_at(&receipt, surplus, Nanos(now));
        assert_eq!(self.ring.count_at(Nanos(now)), used - refunded);
        true
    }
}

#[derive(Clone, Copy, Debug)]
struct Shape {
    window: u64,
    slots: u32,
    phase: u64,
    max: u64,
    shards: usize,
    batch: u16,
}

impl Shape {
    fn fresh(self) -> InTurn {
        let window = Duration::from_nanos(self.window);
        let ring = ShardedRing::builder(self.max, window, self.slots)
            .phase(Duration::from_nanos(self.phase))
            .shards(self.shards)
            .batch(self.batch)
            .build_with_clock(ManualClock::new());
        InTurn::new(ring.expect("in range"))
    }
}

/// Shapes, and histories at their scale.
fn cases(histories: Histories) -> impl Strategy<Value = (Shape, Vec<Op>)> {
    let windows = prop_oneof![Just(SECOND), Just(60 * SECOND), 50_000_000..2 * SECOND];
    let maxes = prop_oneof![1_u64..12, 1_u64..200, 1_u64..10_000];
    let slots = prop_oneof![Just(1), Just(2), 1_u32..9, 1_u32..100];
    let batches = prop_oneof![0_u16..4, Just(64), 0_u16..500];
    let shapes = (windows, slots, maxes, 1_usize..9, batches);
    let shapes = shapes.prop_flat_map(|(window, slots, max, shards, batch)| {
        (0..window).prop_map(move |phase| Shape {
            window,
            slots,
            phase,
            max,
            shards,
            batch,
        })
    });
    shapes.prop_flat_map(move |shape| {
        let scale = Histories::of_window(shape.window, shape.max);
        let histories = Histories {
            capacity: scale.capacity,
            unit_ns: scale.unit_ns,
            full_ns: scale.full_ns,
            ..histories
        };
        (Just(shape), histories.ops().prop_map(in_our_time))
    })
}

/// As for the other windows: histories at an instant that no clock of ours reaches are moved back.
fn in_our_time(mut history: Vec<Op>) -> Vec<Op> {
    if history.iter().any(|op| op.at() > Nanos::MAX.0) {
        for op in &mut history {
            let (Op::Acquire { at, .. } | Op::Refund { at, .. } | Op::Debt { at, .. }) = op;
            *at = at.saturating_sub(1_000_000_000_000_000_000);
        }
    }
    history
}

fn histories() -> Histories {
    Histories {
        refunds: true,
        ..Histories::of_window(1, 1)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever lies in shards, every decision is that of a plain ring.
    #[test]
    fn ring_with_shards_equals_the_model_of_one_without(
        (shape, history) in cases(Histories { steps_back: false, ..histories() }),
    ) {
        let Shape { window, slots, phase, max, .. } = shape;
        let model = model::SlottedRing::new(window, slots, phase, max);
        let events = check_against(&shape.fresh(), model, history, 0)?;
        let verdict = Law::Window { window, max }.check(events, 0);
        prop_assert!(verdict.held(), "{verdict}");
    }

    /// With one shard, late callers too find the stock of the open slot only. What was drawn in a slot that is forgotten
    /// but for them is taken for used.
    #[test]
    fn ring_with_one_shard_equals_the_model_but_for_late_callers((shape, history) in cases(histories())) {
        let Shape { window, slots, phase, max, .. } = shape;
        let model = model::SlottedRing::new(window, slots, phase, max);
        check_against_if_in_order(&Shape { shards: 1, ..shape }.fresh(), model, history)?;
    }

    /// The law holds by the instants that are given, whether late callers use stock of their own slot or draw from the
    /// open one.
    #[test]
    fn law_holds_when_the_clock_steps_back(
        (shape, history) in cases(Histories { refunds: false, ..histories() }),
    ) {
        let subject = shape.fresh();
        let mut events = Vec::new();
        for op in history {
            let Op::Acquire { at, cost } = op else { continue };
            let charge = Cost::new(cost).expect("not zero");
            if let Ok(receipt) = subject.ring.try_record_on_at(subject.next_shard(), charge, Nanos(at)) {
                let parts = (u128::from(at) + u128::from(shape.phase)) * u128::from(shape.slots);
                let own = parts / u128::from(shape.window);
                prop_assert!(u128::from(receipt.tick()) >= own, "never counted before its instant");
                events.push(Event::admitted(at, cost));
            }
        }
        let law = Law::Window { window: shape.window, max: shape.max };
        let verdict = law.check(events, 0);
        prop_assert!(verdict.held(), "{verdict}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn waits_are_least_and_denials_change_nothing_with_shards(
        (shape, history) in cases(Histories { steps_back: false, steps_max: 40, ..histories() }),
    ) {
        waits_are_least(|| shape.fresh(), &history)?;
        denials_change_nothing(|| shape.fresh(), &history)?;
    }
}

#[test]
fn racing_threads_take_exactly_the_max() {
    for max in [1, 1_000, 30_000] {
        let ring = ShardedRing::builder(max, Duration::from_secs(1), 7).shards(4);
        let ring = ring.build_with_clock(ManualClock::new()).unwrap();
        let take = |cost, now| {
            let taken = ring.try_record_at(Cost::new(cost).unwrap(), Nanos(now));
            if taken.is_ok() { cost } else { 0 }
        };
        let race = race_for(4, 20_000, |thread, number| {
            take(1 + (thread + number) as u64 % 3, 5 * SECOND)
        });
        let last = take(1, 5 * SECOND) + take(1, 5 * SECOND);
        assert_eq!(race.total + u128::from(last), u128::from(max));
        assert_eq!(ring.count_at(Nanos(5 * SECOND)), max);
        // One window later all of it is free again, whatever was left in shards.
        let race = race_for(4, 20_000, |_, _| take(1, 7 * SECOND));
        assert_eq!(race.total, u128::from(max));
    }
}

#[test]
fn law_holds_while_the_clock_runs() {
    for max in [5, 500, 20_000] {
        let ring = ShardedRing::builder(max, Duration::from_secs(1), 8).shards(4);
        let ring = ring.build_with_clock(ManualClock::new()).unwrap();
        let clock = AtomicU64::new(0);
        let events = race_recorded(4, 20_000, |thread, number, record| {
            let now = clock.fetch_add(SECOND / 50_000, Relaxed);
            let cost = 1 + (thread + number) as u64 % 3;
            if let Ok(receipt) = ring.try_record_at(Cost::new(cost).unwrap(), Nanos(now)) {
                // Every third charge is settled at one unit less.
                let surplus = u64::from(number % 3 == 0);
                ring.refund_at(&receipt, surplus, Nanos(now));
                record.admitted(now, cost - surplus);
            }
        });
        let admitted: u64 = events.iter().map(|event| event.units).sum();
        assert!(admitted > max, "more than one window's worth passed");
        let window = Law::Window {
            window: SECOND,
            max,
        };
        let verdict = window.check(events, 0);
        assert!(verdict.held(), "{verdict}");
        let later = clock.into_inner() + 2 * SECOND;
        let race = race_for(4, 20_000, |_, _| {
            u64::from(ring.try_record_at(Cost::ONE, Nanos(later)).is_ok())
        });
        assert_eq!(race.total, u128::from(max), "no unit was lost");
    }
}

#[test]
fn nonsense_is_refused_by_name() {
    let built = |shards| {
        let ring = ShardedRing::builder(10, Duration::from_secs(1), 4).shards(shards);
        ring.build_with_clock(ManualClock::new())
            .map(|ring| ring.shards())
    };
    assert_eq!(built(3), Ok(4));
    assert_eq!(
        built(0),
        Err(WindowError::Shards {
            shards: 0,
            most: 256
        })
    );
    assert_eq!(
        built(257).unwrap_err().to_string(),
        "a ring has 1 to 256 shards, found 257"
    );
}
