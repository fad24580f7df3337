//! `KeyedLimiter` in tables so small that slots change hands all the time: each key is answered as an exact model of its
//! own says, whatever flood of other keys comes; a batch as its keys one by one.

use super::{Source, histories::HOUR, metered::units};
use std::{
    collections::HashMap,
    hash::{BuildHasher, Hasher},
    time::Duration,
};
use tollgate_core::{CostExceedsCapacity, Limit, ManualClock, Nanos};
use tollgate_table::{Class, GRACE, KeyedDecision, KeyedLimiter};
use tollgate_testkit::{
    Answer, RateLimit,
    law::{Event, Law},
    model::{Gcra, Model},
};

/// Quanta in a nanosecond, as documented.
const QUANTA_PER_NANO: u64 = 16;
const STEPS_MAX: usize = 300;
const KEYS: u64 = 24;

/// Takes a key of 64 bits for its own hash.
#[derive(Clone, Copy, Debug, Default)]
struct Plain(u64);

impl BuildHasher for Plain {
    type Hasher = Self;

    fn build_hasher(&self) -> Self {
        Self(0)
    }
}

impl Hasher for Plain {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        panic!("keys are numbers of 64 bits");
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

type Table = KeyedLimiter<u64, ManualClock, Plain>;

fn limit(plain: RateLimit) -> Limit {
    let limit = Limit::new(plain.units, Duration::from_nanos(plain.period));
    limit
        .expect("units and a period")
        .with_capacity(plain.capacity)
}

fn table(class: impl Into<Class>, lines: usize) -> Table {
    KeyedLimiter::<u64>::builder(class)
        .memory_bytes(lines * 64)
        .hasher(Plain::default())
        .build_with_clock(ManualClock::new())
        .expect("a small table")
}

/// Limits whose capacity refills in a time that is short or long next to the grace.
fn plain(source: &Source<'_>) -> RateLimit {
    let units = source.number(1..=20);
    let period = source.pick(&[7, 1_000_003, 5_000_000, 90_000_000, 60_000_000_000]);
    RateLimit::new(units, period, source.number(1..=9))
}

/// The next request: of which key, for how much, at which `now`, which is at most as old as the grace allows.
struct Ask {
    key: u64,
    units: u64,
    now: u64,
}

struct Asks {
    clock: u64,
    /// No `now` is older.
    floor: u64,
    together: bool,
}

impl Asks {
    fn new(source: &Source<'_>) -> Self {
        Self {
            clock: HOUR,
            floor: 0,
            together: source.one_in(2),
        }
    }

    fn next(&mut self, source: &Source<'_>) -> Ask {
        self.clock += match source.number(0..=13) {
            0..6 => 0,
            6..10 => source.number(0..=3_000_000),
            10..13 => source.number(0..=30_000_000),
            _ => source.number(0..=2_000_000_000),
        };
        let grace = u64::try_from(GRACE.as_nanos()).expect("short");
        let age = if source.one_in(3) {
            source.number(0..=grace)
        } else {
            0
        };
        Ask {
            key: self.hash(source.number(0..=KEYS - 1)),
            units: source.number(1..=4),
            now: (self.clock - age).max(self.floor),
        }
    }

    /// Hashes of keys: all on the same lines, or spread.
    fn hash(&self, key: u64) -> u64 {
        if self.together {
            key + 1
        } else {
            (key + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)
        }
    }
}

/// None where there is no slot for the key.
fn answer(decision: Result<KeyedDecision, CostExceedsCapacity>) -> Option<Answer> {
    match decision {
        Ok(KeyedDecision::Allowed(_)) => Some(Answer::Admit),
        Ok(KeyedDecision::Denied(denied)) => Some(Answer::Wait(denied.retry_after().as_nanos())),
        Ok(KeyedDecision::Full(full)) => {
            assert!(full.retry_after() > Duration::ZERO);
            None
        }
        Err(_) => Some(Answer::Never),
    }
}

/// Keys of two classes of one rate: the lower one sees a smaller capacity.
pub(super) fn keyed(bytes: &[u8]) {
    let source = Source::new(bytes);
    let top = plain(&source);
    let low = RateLimit {
        capacity: source.number(1..=top.capacity),
        ..top
    };
    let lines = source.index(5) + 1;
    let subject = KeyedLimiter::<u64>::builder(limit(top))
        .class(limit(low))
        .memory_bytes(lines * 64)
        .hasher(Plain::default())
        .build_with_clock(ManualClock::new())
        .expect("a small table");
    let mut asks = Asks::new(&source);
    let mut models: HashMap<u64, (Gcra, Vec<Event>)> = HashMap::new();
    for _ in 0..STEPS_MAX {
        if !source.goes_on() {
            break;
        }
        let ask = asks.next(&source);
        let (model, events) = models
            .entry(ask.key)
            .or_insert_with(|| (Gcra::quantized(top, QUANTA_PER_NANO), Vec::new()));
        let at = Nanos::new(ask.now);
        let before = subject.peek_at(&ask.key, at);
        let used = model.used(ask.now);
        assert_eq!(
            u128::from(before.remaining()),
            u128::from(top.capacity).saturating_sub(used)
        );
        if source.one_in(24) {
            // The capacity is free from then on.
            subject.reset_at(&ask.key, at);
            asks.floor = ask.now;
            *model = Gcra::quantized(top, QUANTA_PER_NANO);
            assert!(Law::Rate(top).check(events.drain(..), 0).held());
            continue;
        }
        let class = source.index(2);
        let ceiling = [top, low][class].capacity;
        let decision =
            subject
                .class(class)
                .expect("two")
                .try_acquire_at(&ask.key, units(ask.units), at);
        let expected = model.look_under(ask.now, ask.units, ceiling);
        match answer(decision) {
            Some(Answer::Admit) => {
                assert_eq!(
                    expected,
                    Answer::Admit,
                    "{} units at {}",
                    ask.units,
                    ask.now
                );
                let _kept = model.charge(ask.now, ask.units);
                events.push(Event::admitted(ask.now, ask.units));
            }
            Some(answer) => {
                assert_eq!(answer, expected, "{} units at {}", ask.units, ask.now);
                assert_eq!(
                    before,
                    subject.peek_at(&ask.key, at),
                    "a denial changes nothing"
                );
            }
            None => {
                // Only a key without a slot is told so, and it loses nothing.
                assert_eq!(before.remaining(), top.capacity);
                assert_eq!(before, subject.peek_at(&ask.key, at));
            }
        }
    }
    for (_, events) in models.into_values() {
        let verdict = Law::Rate(top).check(events, 0);
        assert!(verdict.held(), "{verdict}");
    }
}

/// Keys under two limits: charged under both or under neither, and told the longer wait.
pub(super) fn keyed_pairs(bytes: &[u8]) {
    let source = Source::new(bytes);
    let plains = [plain(&source), plain(&source)];
    let subject = table(plains.map(limit), source.index(5) + 1);
    let mut asks = Asks::new(&source);
    let fresh = || plains.map(|plain| Gcra::quantized(plain, QUANTA_PER_NANO));
    let mut models: HashMap<u64, [Gcra; 2]> = HashMap::new();
    for _ in 0..STEPS_MAX {
        if !source.goes_on() {
            break;
        }
        let ask = asks.next(&source);
        let models = models.entry(ask.key).or_insert_with(fresh);
        let looks = models
            .each_ref()
            .map(|model| model.look(ask.now, ask.units));
        match answer(subject.try_acquire_at(&ask.key, units(ask.units), Nanos::new(ask.now))) {
            Some(Answer::Admit) => {
                assert_eq!(looks, [Answer::Admit; 2]);
                for model in models {
                    let _kept = model.charge(ask.now, ask.units);
                }
            }
            Some(Answer::Never) => assert!(looks.contains(&Answer::Never)),
            Some(answer) => {
                let longest = looks.iter().filter_map(|look| look.retry_after()).max();
                assert_eq!(answer.retry_after(), longest);
            }
            None => assert_eq!(looks, [Answer::Admit; 2]),
        }
    }
}

/// Batches: with room as a table that is asked key by key; without it each key as a model of its own says, but for being told
/// that there is no slot.
pub(super) fn keyed_batches(bytes: &[u8]) {
    let source = Source::new(bytes);
    let plain = plain(&source);
    let has_room = source.one_in(2);
    let lines = if has_room { 100 } else { source.index(5) + 1 };
    let (singly, batched) = (table(limit(plain), lines), table(limit(plain), lines));
    let mut asks = Asks::new(&source);
    // So many keys on the same lines have no room anywhere.
    asks.together &= !has_room;
    let mut models: HashMap<u64, Gcra> = HashMap::new();
    let mut answers = Vec::new();
    for _ in 0..STEPS_MAX / 4 {
        if !source.goes_on() {
            break;
        }
        let batch: Vec<Ask> = (0..source.number(0..=40))
            .map(|_| asks.next(&source))
            .collect();
        let (now, at) = (asks.clock, Nanos::new(asks.clock));
        let keys: Vec<u64> = batch.iter().map(|ask| ask.key).collect();
        let costs: Vec<_> = batch.iter().map(|ask| units(ask.units)).collect();
        batched
            .try_acquire_batch_at(&keys, &costs, at, &mut answers)
            .expect("as many");
        for ((ask, cost), decision) in batch.iter().zip(&costs).zip(answers.drain(..)) {
            if has_room {
                assert_eq!(decision, singly.try_acquire_at(&ask.key, *cost, at));
            }
            let model = models
                .entry(ask.key)
                .or_insert_with(|| Gcra::quantized(plain, QUANTA_PER_NANO));
            match answer(decision) {
                None => assert!(!has_room),
                Some(answer) => assert_eq!(answer, model.try_acquire(now, ask.units)),
            }
        }
    }
}
