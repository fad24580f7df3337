//! The laws of a sharded limiter, over random limits, shards, handles and histories: judged by the oracle, and held
//! between two exact models that share no code with this crate.
#![cfg(not(any(model_loom, model_shuttle)))]

use proptest::{collection::vec, prelude::*};
use std::time::Duration;
use tollgate_core::{
    Cost, CostExceedsCapacity, Decision, Limit, LimitError, LocalHandle, ManualClock, Nanos,
    ShardedLimiter,
};
use tollgate_testkit::{
    Answer, RateLimit,
    law::{Event, Law},
    model::{Gcra, Model},
    strategy::{Histories, Op, rate_limits},
    subject::{check_against, denials_change_nothing, waits_are_least},
};

/// Quanta in a nanosecond, as documented.
const QUANTA_PER_NANO: u64 = 16;

/// A limit, its shards and seats, and the units it starts with.
#[derive(Clone, Copy, Debug)]
struct Shape {
    plain: RateLimit,
    shards: usize,
    seats: usize,
    initial: u64,
}

fn limits() -> impl Strategy<Value = RateLimit> {
    prop_oneof![
        // Small enough that every unit is met, large enough for stock.
        (1..=9_u64, 1..=400_u64, 8..=600_u64)
            .prop_map(|(units, period, capacity)| RateLimit::new(units, period, capacity)),
        rate_limits(),
    ]
}

fn shapes() -> impl Strategy<Value = Shape> {
    let initial = prop_oneof![3 => Just(u64::MAX), 1 => 0..40_u64, 1 => Just(0)];
    (limits(), 1..=5_usize, 0..=3_usize, initial)
        .prop_map(|(plain, shards, seats, initial)| Shape {
            plain,
            shards,
            seats,
            initial: initial.min(plain.capacity),
        })
        .prop_filter("refused when built", |shape| build(*shape, 0).is_ok())
}

fn build(shape: Shape, now: u64) -> Result<ShardedLimiter<ManualClock>, LimitError> {
    let limit = Limit::new(shape.plain.units, Duration::from_nanos(shape.plain.period))?;
    ShardedLimiter::builder(limit.try_with_capacity(shape.plain.capacity)?)
        .shards(shape.shards)
        .seats(shape.seats)
        .initial(shape.initial)
        .build_with_clock(ManualClock::starting_at(Nanos::new(now)))
}

fn cost(units: u64) -> Cost {
    Cost::new(units).expect("a cost")
}

fn answer(decision: Result<Decision, CostExceedsCapacity>) -> Answer {
    match decision {
        Ok(Decision::Allowed(_)) => Answer::Admit,
        Ok(Decision::Denied(denied)) => Answer::Wait(denied.retry_after().as_nanos()),
        Err(_) => Answer::Never,
    }
}

/// Shapes with histories of their own: an instant on a limiter's time line for each, so no refill takes years.
fn lived(
    shapes: impl Strategy<Value = Shape>,
    steps_max: usize,
) -> impl Strategy<Value = (Shape, Vec<Op>)> {
    let refill = |plain: RateLimit| {
        u128::from(plain.capacity) * u128::from(plain.period) / u128::from(plain.units)
    };
    let days = 100 * 86_400_000_000_000;
    shapes
        .prop_filter("takes years", move |shape| refill(shape.plain) < days)
        .prop_flat_map(move |shape| {
            let histories = Histories {
                steps_max,
                ..Histories::of_rate(shape.plain)
            };
            (Just(shape), histories.ops())
        })
}

/// Histories that begin now, on the time line of a clock that began three years ago.
fn on_the_time_line(now: u64) -> Nanos {
    const LONG_AGO: u64 = 1_600_000_000_000_000_000;
    Nanos::new(now.checked_sub(LONG_AGO).unwrap_or(now))
}

/// A limiter for the oracle: which shard is asked depends on the cost alone, so that a history lived again goes the
/// same ways.
fn subject(shape: Shape) -> impl Fn(u64, u64) -> Answer {
    let limiter = build(shape, 0).expect("filtered above");
    move |units, now| {
        limiter.clock().set(on_the_time_line(now));
        let shard = usize::try_from(units % 7).expect("small");
        answer(limiter.try_acquire_on(shard, cost(units)))
    }
}

/// What is done next, and how the clock moved before it.
#[derive(Clone, Copy, Debug)]
enum Step {
    Shard { place: usize, share: u64 },
    Under { share: u64, ceiling: u64 },
    Handle { place: usize, share: u64 },
    Open,
    Close { place: usize },
}

fn steps() -> impl Strategy<Value = Vec<(u64, Step)>> {
    let share = || prop_oneof![6 => Just(0_u64), 3 => 0..=8_u64, 1 => 0..=64_u64];
    let step = prop_oneof![
        8 => (0..8_usize, share()).prop_map(|(place, share)| Step::Shard { place, share }),
        1 => (share(), 0..=64_u64).prop_map(|(share, ceiling)| Step::Under { share, ceiling }),
        8 => (0..8_usize, share()).prop_map(|(place, share)| Step::Handle { place, share }),
        1 => Just(Step::Open),
        1 => (0..8_usize).prop_map(|place| Step::Close { place }),
    ];
    // Mostly at one instant, so that stock runs out; at times after a refill of some units, or of all.
    let wait = prop_oneof![
        8 => Just(0_u64),
        4 => 0..=200_u64,
        2 => 0..=20_000_u64,
        1 => 0..=1_000_000_000_000_u64,
    ];
    vec((wait, step), 1..300)
}

/// So many sixty-fourths of the capacity, at least one unit.
fn part(capacity: u64, share: u64) -> u64 {
    let units = u128::from(capacity) * u128::from(share) / 64;
    u64::try_from(units).expect("a part of 64 bits").max(1)
}

/// A limiter and its handles between two models that are charged what it admits: one of the whole capacity, which it
/// must never exceed, and one of its largest cost, under which it must never stay.
struct Between<'a> {
    limiter: &'a ShardedLimiter<ManualClock>,
    handles: Vec<LocalHandle<'a, ManualClock>>,
    whole: Gcra,
    least: Gcra,
    admitted: Vec<Event>,
    now: u64,
}

impl Between<'_> {
    fn stock(&self, handle: &LocalHandle<'_, ManualClock>) -> u64 {
        handle.peek().remaining() - self.limiter.peek().remaining()
    }

    fn held(&self) -> u64 {
        self.handles.iter().map(|handle| self.stock(handle)).sum()
    }

    /// What must hold of an answer to `units`, when handles of others held `held` units.
    fn judge(
        &mut self,
        units: u64,
        held: u64,
        decision: Result<Decision, CostExceedsCapacity>,
    ) -> Result<(), TestCaseError> {
        let max_cost = self.limiter.max_cost();
        let used = self.least.used(self.now) + u128::from(held);
        match answer(decision) {
            Answer::Never => prop_assert!(units > max_cost),
            Answer::Wait(_) => {
                prop_assert!(units <= max_cost);
                let there = u128::from(max_cost) < used + u128::from(units);
                prop_assert!(there, "{units} denied needlessly at {}", self.now);
            }
            Answer::Admit => {
                prop_assert!(units <= max_cost);
                prop_assert_eq!(
                    self.whole.look(self.now, units),
                    Answer::Admit,
                    "{} at {}",
                    units,
                    self.now
                );
                self.charge(units);
            }
        }
        Ok(())
    }

    fn charge(&mut self, units: u64) {
        self.whole.charge_anyway(self.now, units);
        self.least.charge_anyway(self.now, units);
        self.admitted.push(Event::admitted(self.now, units));
    }

    /// All that is left, wherever it lies.
    fn left(&self) -> u64 {
        self.limiter.peek().remaining() + self.held()
    }

    fn taken(&self) -> u64 {
        self.admitted.iter().map(|event| event.units).sum()
    }

    fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
        let (left, taken) = (self.left(), self.taken());
        let capacity = self.limiter.limit().capacity();
        match step {
            Step::Shard { place, share } => {
                let (units, held) = (part(capacity, share), self.held());
                let decision = self.limiter.try_acquire_on(place, cost(units));
                self.judge(units, held, decision)?;
            }
            Step::Under { share, ceiling } => {
                let (units, ceiling) = (part(capacity, share), part(capacity, ceiling));
                let answer = answer(self.limiter.try_acquire_under(cost(units), ceiling));
                if answer.admitted() {
                    prop_assert!(self.limiter.peek().remaining() >= capacity - ceiling);
                    prop_assert_eq!(
                        self.whole.look_under(self.now, units, ceiling),
                        Answer::Admit
                    );
                    self.charge(units);
                }
            }
            Step::Open if self.handles.len() < 4 => self.handles.push(self.limiter.handle()),
            Step::Close { place } if !self.handles.is_empty() => {
                drop(self.handles.swap_remove(place % self.handles.len()));
            }
            Step::Handle { place, share } if !self.handles.is_empty() => {
                let units = part(capacity, share);
                let handle = &self.handles[place % self.handles.len()];
                let held = self.held() - self.stock(handle);
                let decision = handle.try_acquire(cost(units));
                self.judge(units, held, decision)?;
            }
            _ => {}
        }
        prop_assert_eq!(
            self.left(),
            left - (self.taken() - taken),
            "no unit is lost or won"
        );
        prop_assert!(self.held() <= self.limiter.stock_per_shard() * self.limiter.seats() as u64);
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// Never over, without slack, whichever way the units went. Never under a plain cell of the largest cost, less
    /// what living handles hold. Nothing is lost or won, wherever it goes.
    #[test]
    fn what_is_admitted_lies_between_the_models(shape in shapes(), steps in steps()) {
        let start = 10_000;
        let limiter = build(shape, start).expect("filtered above");
        let max_cost = limiter.max_cost();
        let capacity = shape.plain.capacity;
        let under = RateLimit { capacity: max_cost, ..shape.plain };
        let mut between = Between {
            limiter: &limiter,
            handles: Vec::new(),
            whole: Gcra::quantized(shape.plain, QUANTA_PER_NANO),
            least: Gcra::quantized(under, QUANTA_PER_NANO),
            admitted: vec![Event::debt(start, capacity - shape.initial)],
            now: start,
        };
        between.whole.charge_anyway(start, capacity - shape.initial);
        between.least.charge_anyway(start, max_cost.saturating_sub(shape.initial));
        for (wait, step) in steps {
            between.now += wait;
            limiter.clock().set(Nanos::new(between.now));
            between.step(step)?;
        }
        let verdict = Law::Rate(shape.plain).check(between.admitted, 0);
        prop_assert!(verdict.held(), "{}", verdict);
    }

    /// Second and third law: each wait is the least, and a denial changes nothing, whatever the clock did before.
    #[test]
    fn waits_are_the_least_and_denials_leave_no_mark((shape, history) in lived(shapes(), 40)) {
        waits_are_least(|| subject(shape), &history)?;
        denials_change_nothing(|| subject(shape), &history)?;
    }

    /// Where the capacity has no room for stock, every answer is that of a plain cell.
    #[test]
    fn without_stock_it_is_a_plain_cell(
        (shape, history) in lived(shapes().prop_map(|shape| {
            let plain = RateLimit { capacity: shape.plain.capacity.min(7), ..shape.plain };
            Shape { plain, initial: plain.capacity, ..shape }
        }), 100),
    ) {
        prop_assert_eq!(build(shape, 0).expect("filtered above").stock_per_shard(), 0);
        let model = Gcra::quantized(shape.plain, QUANTA_PER_NANO);
        check_against(&subject(shape), model, history, 0)?;
    }

    /// A denied handle or shard leaves everything as it was, in shared memory and in its own.
    #[test]
    fn denials_leave_everything_as_it_was(shape in shapes(), asks in vec((0..8_usize, 1..200_u64), 1..60)) {
        let limiter = build(Shape { initial: shape.initial.min(40), ..shape }, 0).expect("filtered above");
        let handle = limiter.handle();
        for (place, units) in asks {
            let before = format!("{handle:?}");
            let decision = if place == 0 {
                handle.try_acquire(cost(units))
            } else {
                limiter.try_acquire_on(place, cost(units))
            };
            if !answer(decision).admitted() {
                prop_assert_eq!(before, format!("{handle:?}"));
            }
        }
    }
}

/// What is asked of the oracle above, it can refuse: a limiter whose stock lies beside its capacity is found out.
#[test]
fn stock_beside_the_capacity_is_found() {
    let plain = RateLimit::new(1, 1_000, 16);
    let beside = || {
        let limiter = build(
            Shape {
                plain: RateLimit::new(1, 1_000, 18),
                shards: 1,
                seats: 0,
                initial: 18,
            },
            0,
        )
        .expect("a limit");
        assert_eq!(limiter.max_cost(), 16);
        move |units: u64, _now: u64| answer(limiter.try_acquire_on(0, cost(units)))
    };
    let history = [Op::Acquire { at: 0, cost: 1 }; 18];
    let model = Gcra::quantized(plain, QUANTA_PER_NANO);
    assert!(check_against(&beside(), model, history, 0).is_err());
    let admitted: Vec<_> = (0..18).map(|_| Event::admitted(0, 1)).collect();
    assert!(!Law::Rate(plain).check(admitted, 0).held());
}
