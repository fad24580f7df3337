//! Ourselves on trial, by the same code as everybody else.

use std::time::Duration;
use tollgate_core::{
    Cost, CostExceedsCapacity, Decision, Limit, Limiter, ManualClock, Nanos, Refused,
    ShardedLimiter, TokenBucket, Wait, Wall,
};
use tollgate_policy::{Gate, Request, Reservation, Usage};
use tollgate_table::{KeyedDecision, KeyedLimiter};
use tollgate_testkit::{
    Answer, RateLimit,
    subject::Subject,
    trial::{Claim, Trial},
};
use tollgate_window::{ExactLog, FixedWindow, ShardedRing, SlottedRing};

/// All of ours.
#[must_use]
pub fn trials() -> Vec<Trial> {
    vec![
        limiter(),
        bucket(),
        sharded(),
        keyed(),
        ring(),
        sharded_ring(),
        log(),
        fixed(),
        gate("Gate, gcra", Claim::Rate, "gcra"),
        gate("Gate, window", Claim::Window, "window"),
        gate("Gate, log", Claim::Window, "log"),
    ]
}

/// What a trial tries: units a period of nanoseconds, and a capacity.
fn limit(plain: RateLimit) -> Result<Limit, String> {
    Limit::new(plain.units, period(plain))
        .and_then(|limit| limit.try_with_capacity(plain.capacity))
        .map_err(|error| error.to_string())
}

const fn period(plain: RateLimit) -> Duration {
    Duration::from_nanos(plain.period)
}

fn cost(units: u64) -> Cost {
    Cost::new(units).unwrap_or(Cost::ONE)
}

fn decided(decision: Result<Decision, CostExceedsCapacity>) -> Answer {
    match decision {
        Ok(Decision::Allowed(_)) => Answer::Admit,
        Ok(Decision::Denied(denied)) => Answer::Wait(denied.retry_after().as_nanos()),
        Err(_) => Answer::Never,
    }
}

fn recorded<R>(recorded: Result<R, Refused>) -> Answer {
    match recorded {
        Ok(_) => Answer::Admit,
        Err(Refused::Denied(denial)) => waits(denial.wait),
        Err(Refused::Closed | Refused::Dry) => Answer::Never,
    }
}

fn waits(wait: Wait) -> Answer {
    wait.duration()
        .map_or(Answer::Never, |wait| Answer::Wait(wait.as_nanos()))
}

fn limiter() -> Trial {
    Trial::new("Limiter", Claim::Rate, |plain| {
        let limiter = Limiter::new(limit(plain)?).map_err(|error| error.to_string())?;
        Ok(move |units: u64, now: u64| decided(limiter.try_acquire_at(cost(units), Nanos(now))))
    })
}

fn bucket() -> Trial {
    Trial::new("TokenBucket", Claim::Rate, |plain| {
        let bucket = TokenBucket::builder(plain.capacity)
            .rate_per(plain.units, period(plain))
            .build()
            .map_err(|error| error.to_string())?;
        Ok(move |units: u64, now: u64| decided(bucket.try_acquire_at(units, Nanos(now))))
    })
}

fn sharded() -> Trial {
    Trial::new("ShardedLimiter", Claim::Rate, |plain| {
        let limiter = ShardedLimiter::builder(limit(plain)?)
            .shards(4)
            .seats(0)
            .build_with_clock(ManualClock::new())
            .map_err(|error| error.to_string())?;
        Ok(move |units: u64, now: u64| decided(limiter.try_acquire_at(cost(units), Nanos(now))))
    })
    .no_old_now("stock carries no time: a stamp older by d adds up to rate × d, as declared")
    .may_deny_in_a_race("it does not see what others have in hand at that instant")
}

fn keyed() -> Trial {
    Trial::new("KeyedLimiter", Claim::Rate, |plain| {
        let limiter = KeyedLimiter::<str>::builder(limit(plain)?)
            .max_keys(1_000)
            .build()
            .map_err(|error| error.to_string())?;
        Ok(move |units: u64, now: u64| {
            match limiter.try_acquire_at("one", cost(units), Nanos(now)) {
                Ok(KeyedDecision::Allowed(_)) => Answer::Admit,
                Ok(KeyedDecision::Denied(denied)) => Answer::Wait(denied.retry_after().as_nanos()),
                Ok(KeyedDecision::Full(_)) | Err(_) => Answer::Never,
            }
        })
    })
}

/// In how many slots a window is kept: few enough for short ones.
const SLOTS: u32 = 10;

fn ring() -> Trial {
    Trial::new("SlottedRing", Claim::Window, |plain| {
        let ring = SlottedRing::new(plain.units, period(plain), SLOTS)
            .map_err(|error| error.to_string())?;
        Ok(move |units: u64, now: u64| recorded(ring.try_record_at(cost(units), Nanos(now))))
    })
}

fn sharded_ring() -> Trial {
    Trial::new("ShardedRing", Claim::Window, |plain| {
        let ring = ShardedRing::builder(plain.units, period(plain), SLOTS)
            .shards(4)
            .build_with_clock(ManualClock::new())
            .map_err(|error| error.to_string())?;
        Ok(move |units: u64, now: u64| recorded(ring.try_record_at(cost(units), Nanos(now))))
    })
    .may_deny_in_a_race("it does not see what other callers move at that very instant")
}

fn log() -> Trial {
    Trial::new("ExactLog", Claim::Window, |plain| {
        let log = ExactLog::new(plain.units, period(plain)).map_err(|error| error.to_string())?;
        Ok(move |units: u64, now: u64| recorded(log.try_record_at(cost(units), Nanos(now))))
    })
}

fn fixed() -> Trial {
    Trial::new("FixedWindow", Claim::Periods, |plain| {
        let fixed =
            FixedWindow::new(plain.units, period(plain)).map_err(|error| error.to_string())?;
        Ok(move |units: u64, now: u64| recorded(fixed.try_record_at(cost(units), Nanos(now))))
    })
}

/// A gate of one limit, which counts model tokens.
#[derive(Debug)]
struct OneLimit(Gate);

impl Subject for OneLimit {
    fn try_acquire_at(&self, units: u64, now: u64) -> Answer {
        let usage = Usage {
            input_tokens: units,
            ..Usage::default()
        };
        let wall = Wall(i64::try_from(now).unwrap_or(i64::MAX));
        let admitted = self
            .0
            .admit_at(&Request::new().usage(usage), Nanos(now), wall);
        match admitted.map(|admitted| Reservation::settle_at(admitted, usage, Nanos(now), wall)) {
            Ok(()) => Answer::Admit,
            Err(refusal) => refusal
                .retry_after()
                .map_or(Answer::Never, |wait| Answer::Wait(wait.as_nanos())),
        }
    }
}

fn gate(name: &'static str, claim: Claim, algorithm: &'static str) -> Trial {
    Trial::new(name, claim, move |plain| {
        let (units, per) = (plain.units, plain.period);
        if !per.is_multiple_of(1_000_000) {
            return Err("periods are whole milliseconds".to_owned());
        }
        let capacity = match claim {
            Claim::Rate => format!("capacity = {}", plain.capacity),
            Claim::Window | Claim::Periods => String::new(),
        };
        let slots = if algorithm == "window" {
            "slots = 10"
        } else {
            ""
        };
        let per = per / 1_000_000;
        let policy = format!(
            "[[limit]]\nname = \"one\"\nunit = \"tokens\"\nmax = {units}\nper = \"{per}ms\"\n\
             algorithm = \"{algorithm}\"\n{capacity}\n{slots}\n"
        );
        let gate = Gate::builder().clock(ManualClock::new()).build(&policy);
        gate.map(OneLimit).map_err(|mistakes| mistakes.to_string())
    })
}
