//! `Limiter` and `TokenBucket` against the exact model: decisions, figures, turns, resets and changes of the limit.

use super::{
    Source,
    histories::{HOUR, cost, moved, rate_limit},
};
use std::time::Duration;
use tollgate_core::{
    Cost, Decision, Limit, Limiter, ManualClock, Nanos, NoTurn, TokenBucket, Turn,
};
use tollgate_testkit::{
    Answer, RateLimit,
    law::{Event, check_changing},
    model::{Gcra, Model},
    strategy::Histories,
};

/// Quanta in a nanosecond, as documented.
const QUANTA_PER_NANO: u64 = 16;
const STEPS_MAX: usize = 400;
/// No step is later. A capacity may take six and a half years to refill, and thirty are promised.
const LAST: u64 = 20 * 365 * 24 * HOUR;

fn limit_of(plain: RateLimit) -> Option<Limit> {
    let limit = Limit::new(plain.units, Duration::from_nanos(plain.period)).ok()?;
    limit.try_with_capacity(plain.capacity).ok()
}

fn units(units: u64) -> Cost {
    Cost::new(units).expect("no step asks for nothing")
}

/// A turn that is open: its units, its place in `Live::taken`, and the model before it.
struct Open<'a> {
    turn: Turn<'a>,
    units: u64,
    number: usize,
    before: Gcra,
}

/// What was taken and stands, in order: who drops the last of these gets back to where it was.
#[derive(Default)]
struct Taken {
    numbers: Vec<usize>,
    next: usize,
}

impl Taken {
    fn push(&mut self) -> usize {
        self.numbers.push(self.next);
        self.next += 1;
        self.next - 1
    }

    /// Whether `number` was the last one, which is then gone.
    fn pop(&mut self, number: usize) -> bool {
        self.numbers.pop_if(|last| *last == number).is_some()
    }
}

/// A limiter and what the model knows of it.
struct Live<'a> {
    limiter: &'a Limiter<ManualClock>,
    plain: RateLimit,
    /// None once the limit was changed: the backlog is then a fraction that no model was told.
    model: Option<Gcra>,
    taken: Taken,
    open: Vec<Open<'a>>,
    limits: Vec<(u64, RateLimit)>,
    kept: Vec<Event>,
    now: u64,
    /// No `now` is earlier than the last change.
    floor: u64,
    latest: u64,
}

impl<'a> Live<'a> {
    fn step(&mut self, source: &Source<'_>) {
        let scale = Histories::of_rate(self.plain);
        self.now = moved(source, self.now, scale).clamp(self.floor, LAST);
        self.latest = self.latest.max(self.now);
        match source.number(0..=23) {
            0..12 => self.acquire(cost(source, self.plain.capacity)),
            12..17 => self.turn(
                cost(source, self.plain.capacity),
                source
                    .pick(&[0, 1, scale.unit_ns, scale.full_ns, HOUR])
                    .min(10_000 * HOUR),
            ),
            17..19 => self.end(source, true),
            19..22 => self.end(source, false),
            22 => self.change(source),
            _ => self.reset(),
        }
        self.look();
    }

    fn at(&self) -> Nanos {
        Nanos::new(self.now)
    }

    fn acquire(&mut self, asked: u64) {
        let expected = self
            .model
            .as_mut()
            .map(|model| model.try_acquire(self.now, asked));
        let before = self.limiter.peek_at(self.at());
        let answer = match self.limiter.try_acquire_at(units(asked), self.at()) {
            Err(never) => {
                assert_eq!((never.cost, never.capacity), (asked, self.plain.capacity));
                Answer::Never
            }
            Ok(decision) => {
                assert_eq!(decision.snapshot(), self.limiter.peek_at(self.at()));
                self.wait_is_least(asked, &decision);
                match decision {
                    Decision::Allowed(_) => Answer::Admit,
                    Decision::Denied(denied) => Answer::Wait(denied.retry_after().as_nanos()),
                }
            }
        };
        if let Some(expected) = expected {
            assert_eq!(answer, expected, "{asked} units at {}", self.now);
        }
        if answer.admitted() {
            self.taken.push();
            self.kept.push(Event::admitted(self.now, asked));
        } else {
            assert_eq!(
                before,
                self.limiter.peek_at(self.at()),
                "a denial changes nothing"
            );
        }
    }

    /// Second law: at `retry_after` it passes, and not a nanosecond sooner.
    fn wait_is_least(&self, asked: u64, decision: &Decision) {
        if let Decision::Denied(denied) = decision {
            let due = self.at() + denied.retry_after();
            // A backlog kept for a much slower limit may last beyond the end of time.
            if due == Nanos::MAX {
                return;
            }
            assert!(denied.retry_after() > Duration::ZERO);
            let then = |at: Nanos| self.limiter.peek_at(at).ask(units(asked)).expect("it fits");
            assert!(then(Nanos::new(due.0 - 1)).is_denied());
            assert!(then(due).is_allowed(), "at {due:?} under {:?}", self.plain);
        }
    }

    fn turn(&mut self, asked: u64, wait_max: u64) {
        let expected = self.model.as_ref().map(|model| model.look(self.now, asked));
        let wait_max = Duration::from_nanos(wait_max);
        let answer = match self.limiter.turn_at(units(asked), wait_max, self.at()) {
            Ok(turn) => {
                let wait = turn.wait(self.at());
                assert!(wait <= wait_max);
                let ready = turn.ready_at().0;
                let number = self.taken.push();
                // After a change the model is gone, and what it held before is never asked for.
                let before = self.model.clone().unwrap_or_else(|| Gcra::new(self.plain));
                if let Some(model) = &mut self.model {
                    let _kept = model.charge(ready, asked);
                }
                self.open.push(Open {
                    turn,
                    units: asked,
                    number,
                    before,
                });
                match wait.as_nanos() {
                    0 => Answer::Admit,
                    wait => Answer::Wait(wait),
                }
            }
            Err(NoTurn::WaitTooLong { wait, .. }) => {
                assert!(wait > wait_max);
                Answer::Wait(wait.as_nanos())
            }
            Err(NoTurn::CostExceedsCapacity(_)) => Answer::Never,
        };
        if let Some(expected) = expected {
            assert_eq!(answer, expected, "a turn for {asked} at {}", self.now);
        }
    }

    fn end(&mut self, source: &Source<'_>, take: bool) {
        if self.open.is_empty() {
            return;
        }
        let open = self.open.remove(source.index(self.open.len()));
        if take {
            self.kept
                .push(Event::admitted(open.turn.ready_at().0, open.units));
            open.turn.take();
            return;
        }
        drop(open.turn);
        if self.taken.pop(open.number) {
            self.model = self.model.is_some().then_some(open.before);
        }
    }

    /// Another limit, from an instant on at which nobody waits and that no `now` was later than.
    fn change(&mut self, source: &Source<'_>) {
        let plain = rate_limit(source);
        self.now = self.latest;
        let waits = self
            .open
            .iter()
            .any(|open| open.turn.ready_at().0 > self.now)
            || self.kept.iter().any(|event| event.at > self.now);
        let Some(limit) = limit_of(plain).filter(|_| !waits) else {
            return;
        };
        let used = |limiter: &Limiter<ManualClock>| {
            let held = limiter.peek_at(Nanos::new(self.now));
            (held.capacity(), held.remaining())
        };
        let (capacity, remaining) = used(self.limiter);
        if self.limiter.set_limit_at(limit, self.at()).is_err() {
            assert_eq!(
                used(self.limiter),
                (capacity, remaining),
                "a limit that is refused changes nothing"
            );
            return;
        }
        let taken = capacity - remaining;
        let after = used(self.limiter);
        assert_eq!(after.0, plain.capacity);
        if remaining > 0 {
            // A part of a unit may be more of one at another rate, rounded up, but never less.
            let left = plain.capacity.saturating_sub(taken);
            assert!(
                after.1 <= left && after.1 + 1 >= left,
                "{taken} taken, {} left of {}",
                after.1,
                plain.capacity
            );
        } else {
            assert!(after.1 <= plain.capacity.saturating_sub(taken));
        }
        self.model = (taken == 0).then(|| Gcra::quantized(plain, QUANTA_PER_NANO));
        self.plain = plain;
        self.floor = self.now;
        self.limits.push((self.now, plain));
        self.taken = Taken {
            numbers: Vec::new(),
            next: self.taken.next,
        };
    }

    /// The laws begin anew.
    fn reset(&mut self) {
        self.judge();
        // Turns keep their instants, and give nothing back.
        self.open.drain(..).for_each(|open| open.turn.take());
        self.limiter.reset();
        self.model = Some(Gcra::quantized(self.plain, QUANTA_PER_NANO));
        self.kept.clear();
        self.limits = vec![(self.floor, self.plain)];
        self.taken = Taken {
            numbers: Vec::new(),
            next: self.taken.next,
        };
    }

    fn look(&self) {
        let held = self.limiter.peek_at(self.at());
        assert_eq!(held.capacity(), self.plain.capacity);
        if let Some(model) = &self.model {
            let used = model.used(self.now);
            let left = u128::from(self.plain.capacity).saturating_sub(used);
            assert_eq!(u128::from(held.remaining()), left, "at {}", self.now);
            let whole = model.backlog(self.now).ns_ceil();
            assert_eq!(held.reset_after().as_nanos(), whole, "at {}", self.now);
        }
    }

    fn judge(&mut self) {
        let open = self
            .open
            .iter()
            .map(|open| Event::admitted(open.turn.ready_at().0, open.units));
        let events = self.kept.iter().copied().chain(open);
        let verdict = check_changing(&self.limits, events, 0);
        // Periods without a common multiple are judged by the model alone.
        assert!(
            verdict.word() != "broken",
            "{verdict} under {:?}",
            self.limits
        );
    }
}

/// A limiter whose steps are the bytes'.
pub(super) fn limiter(bytes: &[u8]) {
    let source = Source::new(bytes);
    let plain = rate_limit(&source);
    let Some(limit) = limit_of(plain) else { return };
    let Ok(limiter) = Limiter::with_clock(limit, ManualClock::new()) else {
        return;
    };
    let mut live = Live {
        limiter: &limiter,
        plain,
        model: Some(Gcra::quantized(plain, QUANTA_PER_NANO)),
        taken: Taken::default(),
        open: Vec::new(),
        limits: vec![(0, plain)],
        kept: Vec::new(),
        now: source.pick(&[0, 10 * HOUR]),
        floor: 0,
        latest: 0,
    };
    for _ in 0..STEPS_MAX {
        if !source.goes_on() {
            break;
        }
        live.step(&source);
    }
    live.judge();
}

/// A token bucket that may start with less than its capacity.
pub(super) fn token_bucket(bytes: &[u8]) {
    let source = Source::new(bytes);
    let plain = rate_limit(&source);
    let initial = source.pick(&[plain.capacity, 0, plain.capacity / 2]);
    let mut now = source.pick(&[0, HOUR]);
    let clock = ManualClock::starting_at(Nanos::new(now));
    let built = TokenBucket::builder(plain.capacity)
        .rate_per(plain.units, Duration::from_nanos(plain.period))
        .initial(initial)
        .build_with_clock(clock.clone());
    let Ok(bucket) = built else { return };
    let mut model = Gcra::quantized(plain, QUANTA_PER_NANO);
    if initial < plain.capacity {
        model.charge_anyway(now, plain.capacity - initial);
    }
    let scale = Histories::of_rate(plain);
    for _ in 0..STEPS_MAX {
        if !source.goes_on() {
            break;
        }
        now = moved(&source, now, scale).min(LAST);
        clock.set(Nanos::new(now));
        let asked = if source.one_in(16) {
            0
        } else {
            cost(&source, plain.capacity)
        };
        let used = model.used(now);
        assert_eq!(
            u128::from(bucket.available()),
            u128::from(plain.capacity).saturating_sub(used),
            "at {now} under {plain:?}, {initial} at first"
        );
        let expected = if asked == 0 {
            Answer::Admit
        } else {
            model.look(now, asked)
        };
        let foretold = bucket.wait_time(asked).ok().map(|wait| wait.as_nanos());
        match (bucket.try_acquire(asked), expected) {
            (Ok(Decision::Allowed(_)), Answer::Admit) => {
                assert_eq!(foretold, Some(0));
                if asked > 0 {
                    let _kept = model.charge(now, asked);
                }
            }
            (Ok(Decision::Denied(denied)), Answer::Wait(wait)) => {
                assert_eq!(
                    (foretold, denied.retry_after().as_nanos()),
                    (Some(wait), wait)
                );
            }
            (Err(_), Answer::Never) => assert_eq!(foretold, None),
            (answer, expected) => {
                panic!("{answer:?} for {asked} at {now}, the model says {expected}")
            }
        }
    }
}
