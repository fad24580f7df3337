//! `ShardedLimiter` with handles, held between two exact models that are charged what it admits: one of the whole
//! capacity, which it must never exceed, and one of its largest cost, under which it must never stay.

use super::{
    Source,
    histories::{HOUR, rate_limit},
    metered::units,
};
use std::time::Duration;
use tollgate_core::{
    CostExceedsCapacity, Decision, Limit, LocalHandle, ManualClock, Nanos, ShardedLimiter,
};
use tollgate_testkit::{
    Answer, RateLimit,
    law::{Event, Law},
    model::{Gcra, Model},
};

/// Quanta in a nanosecond, as documented.
const QUANTA_PER_NANO: u64 = 16;
const STEPS_MAX: usize = 400;

struct Between<'a> {
    limiter: &'a ShardedLimiter<ManualClock>,
    handles: Vec<LocalHandle<'a, ManualClock>>,
    whole: Gcra,
    least: Gcra,
    admitted: Vec<Event>,
    taken: u64,
    now: u64,
}

fn answer(decision: Result<Decision, CostExceedsCapacity>) -> Answer {
    match decision {
        Ok(Decision::Allowed(_)) => Answer::Admit,
        Ok(Decision::Denied(denied)) => Answer::Wait(denied.retry_after().as_nanos()),
        Err(_) => Answer::Never,
    }
}

/// So many sixty-fourths of the capacity, mostly the least, and at least one unit.
fn part(source: &Source<'_>, capacity: u64) -> u64 {
    let share = match source.number(0..=9) {
        0..6 => 0,
        6..9 => source.number(0..=8),
        _ => source.number(0..=64),
    };
    let units = u128::from(capacity) * u128::from(share) / 64;
    u64::try_from(units).expect("a part of 64 bits").max(1)
}

impl Between<'_> {
    fn stock(&self, handle: &LocalHandle<'_, ManualClock>) -> u64 {
        handle.peek().remaining() - self.limiter.peek().remaining()
    }

    fn held(&self) -> u64 {
        self.handles.iter().map(|handle| self.stock(handle)).sum()
    }

    /// All that is left, wherever it lies.
    fn left(&self) -> u64 {
        self.limiter.peek().remaining() + self.held()
    }

    /// What must hold of an answer to `asked`, when handles of others held `held` units.
    fn judge(&mut self, asked: u64, held: u64, answer: Answer) {
        let max_cost = self.limiter.max_cost();
        match answer {
            Answer::Never => assert!(asked > max_cost),
            Answer::Wait(_) => {
                assert!(asked <= max_cost);
                let used = self.least.used(self.now) + u128::from(held);
                let needed = used + u128::from(asked) > u128::from(max_cost);
                assert!(needed, "{asked} denied needlessly at {}", self.now);
            }
            Answer::Admit => {
                assert!(asked <= max_cost);
                assert_eq!(
                    self.whole.look(self.now, asked),
                    Answer::Admit,
                    "{asked} at {}",
                    self.now
                );
                self.charge(asked);
            }
        }
    }

    fn charge(&mut self, asked: u64) {
        self.whole.charge_anyway(self.now, asked);
        self.least.charge_anyway(self.now, asked);
        self.admitted.push(Event::admitted(self.now, asked));
        self.taken += asked;
    }

    fn step(&mut self, source: &Source<'_>) {
        let (left, taken) = (self.left(), self.taken);
        let capacity = self.limiter.limit().capacity();
        match source.number(0..=18) {
            0..8 => {
                let (asked, held) = (part(source, capacity), self.held());
                let answer = answer(self.limiter.try_acquire_on(source.index(8), units(asked)));
                self.judge(asked, held, answer);
            }
            8 => {
                let (asked, ceiling) = (part(source, capacity), part(source, capacity));
                let answer = answer(self.limiter.try_acquire_under(units(asked), ceiling));
                if answer.admitted() {
                    assert!(self.limiter.peek().remaining() >= capacity - ceiling);
                    assert_eq!(
                        self.whole.look_under(self.now, asked, ceiling),
                        Answer::Admit
                    );
                    self.charge(asked);
                }
            }
            9 if self.handles.len() < 4 => self.handles.push(self.limiter.handle()),
            10 if !self.handles.is_empty() => {
                drop(self.handles.swap_remove(source.index(self.handles.len())));
            }
            11.. if !self.handles.is_empty() => {
                let asked = part(source, capacity);
                let handle = &self.handles[source.index(self.handles.len())];
                let held = self.held() - self.stock(handle);
                let answer = answer(handle.try_acquire(units(asked)));
                self.judge(asked, held, answer);
            }
            _ => {}
        }
        assert_eq!(
            self.left(),
            left - (self.taken - taken),
            "no unit is lost or won"
        );
        assert!(self.held() <= self.limiter.stock_per_shard() * self.limiter.seats() as u64);
    }
}

/// A sharded limiter, its handles, and lower classes.
pub(super) fn sharded_limiter(bytes: &[u8]) {
    let source = Source::new(bytes);
    // Small enough that every unit is met and large enough for stock, or any.
    let plain = if source.one_in(3) {
        rate_limit(&source)
    } else {
        let (units, period) = (source.number(1..=9), source.number(1..=400));
        RateLimit::new(units, period, source.number(8..=600))
    };
    let capacity = plain.capacity;
    let initial = match source.number(0..=4) {
        0 => 0,
        1 => source.number(0..=40).min(capacity),
        _ => capacity,
    };
    let Ok(limit) = Limit::new(plain.units, Duration::from_nanos(plain.period)) else {
        return;
    };
    let start = 10_000;
    let built = ShardedLimiter::builder(limit.with_capacity(capacity))
        .shards(source.index(5) + 1)
        .seats(source.index(4))
        .initial(initial)
        .build_with_clock(ManualClock::starting_at(Nanos::new(start)));
    let Ok(limiter) = built else { return };
    let under = RateLimit {
        capacity: limiter.max_cost(),
        ..plain
    };
    let mut between = Between {
        limiter: &limiter,
        handles: Vec::new(),
        whole: Gcra::quantized(plain, QUANTA_PER_NANO),
        least: Gcra::quantized(under, QUANTA_PER_NANO),
        admitted: vec![Event::debt(start, capacity - initial)],
        taken: 0,
        now: start,
    };
    between.whole.charge_anyway(start, capacity - initial);
    between
        .least
        .charge_anyway(start, limiter.max_cost().saturating_sub(initial));
    for _ in 0..STEPS_MAX {
        if !source.goes_on() {
            break;
        }
        between.now += match source.number(0..=14) {
            0..8 => 0,
            8..12 => source.number(0..=200),
            12..14 => source.number(0..=20_000),
            _ => source.number(0..=HOUR / 4),
        };
        limiter.clock().set(Nanos::new(between.now));
        between.step(&source);
    }
    let verdict = Law::Rate(plain).check(between.admitted, 0);
    assert!(verdict.held(), "{verdict}");
}
