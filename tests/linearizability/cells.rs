//! Cells of one word: every answer and every wait is the model's, whatever instants the callers bring.

use crate::histories::{Chance, Instants, Rounds, SECOND, cost, held};
use std::time::Duration;
use tollgate_core::{CostExceedsCapacity, Decision, Limit, Limiter, Nanos, TokenBucket};
use tollgate_testkit::{
    Answer, RateLimit,
    linear::{Ask, Heard, OneLimit},
    model::Gcra,
};

/// A limit whose interval is no whole number of sixteenths of a nanosecond, and one that is.
const LIMITS: [(u64, u64); 2] = [(7, 9), (4, 6)];

fn model(units: u64, capacity: u64) -> OneLimit<Gcra> {
    OneLimit::new(Gcra::quantized(RateLimit::new(units, SECOND, capacity), 16))
}

fn heard(decision: Result<Decision, CostExceedsCapacity>) -> Heard {
    Heard::Answer(match decision {
        Ok(Decision::Allowed(_)) => Answer::Admit,
        Ok(Decision::Denied(denied)) => Answer::Wait(denied.retry_after().as_nanos()),
        Err(_) => Answer::Never,
    })
}

fn cell(
    name: &str,
    make: impl Fn(u64, u64) -> Box<dyn Fn(u64, Nanos) -> Result<Decision, CostExceedsCapacity> + Sync>,
) {
    for instants in [Instants::Rounds, Instants::Drawn] {
        held(&format!("{name}, {instants:?}"), |seed| {
            let (units, capacity) = Chance::new(seed, 7).one_of(&LIMITS);
            let ask = make(units, capacity);
            let rounds = Rounds::new(SECOND / 40, instants);
            let calls = rounds.run(seed, |scribe, chance, id, at| {
                let cost =
                    1 + chance.below(capacity / 2) + capacity / 2 * u64::from(chance.once_in(5));
                scribe.call(Ask::Acquire { id, at, cost }, |_| {
                    (heard(ask(cost, Nanos(at))), ())
                });
            });
            (model(units, capacity), calls)
        });
    }
}

#[test]
fn a_limiter_answers_as_one_caller_at_a_time_would_hear() {
    cell("Limiter", |units, capacity| {
        let limiter =
            Limiter::new(Limit::per_second(units).with_capacity(capacity)).expect("a small limit");
        Box::new(move |units, now| limiter.try_acquire_at(cost(units), now))
    });
}

#[test]
fn a_token_bucket_answers_as_one_caller_at_a_time_would_hear() {
    cell("TokenBucket", |units, capacity| {
        let bucket = TokenBucket::builder(capacity)
            .rate_per(units, Duration::from_secs(1))
            .build()
            .expect("a small limit");
        Box::new(move |units, now| bucket.try_acquire_at(units, now))
    });
}
