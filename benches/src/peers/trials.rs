//! Everybody else on trial, each as its documentation says to use it.
//!
//! Who takes an instant, or a clock, is asked about time. Who reads a clock of its own is tried at limits of which nothing
//! comes back meanwhile.

use governor::{
    Quota, RateLimiter,
    clock::Clock,
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::{InMemoryState, direct::NotKeyed},
};
use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, SystemTime},
};
use tollgate_testkit::{
    Answer, RateLimit,
    trial::{Claim, Trial},
};

/// All peers.
#[must_use]
pub fn trials() -> Vec<Trial> {
    vec![
        governor(),
        ratelimit(),
        leaky_bucket(),
        throttlecrab(),
        limitador(),
        pingora(),
    ]
}

fn small<T: TryFrom<u64>>(figure: u64) -> Result<T, String> {
    T::try_from(figure).map_err(|_| format!("{figure} is too large for it"))
}

fn nonzero(figure: u64) -> Result<NonZeroU32, String> {
    NonZeroU32::new(small(figure)?).ok_or_else(|| "nothing".to_owned())
}

/// A clock that tells what it was last given. Calls that race are all given the same.
#[derive(Clone, Debug, Default)]
struct Given(Arc<AtomicU64>);

impl Given {
    fn set(&self, now: u64) {
        self.0.store(now, SeqCst);
    }
}

impl Clock for Given {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::from(self.0.load(SeqCst))
    }
}

impl ratelimit::Clock for Given {
    fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.0.load(SeqCst))
    }
}

fn governor() -> Trial {
    Trial::new("governor", Claim::Rate, |limit| {
        let units = small::<u32>(limit.units)?;
        let interval = Duration::from_nanos(limit.period).checked_div(units);
        let quota = interval
            .and_then(Quota::with_period)
            .ok_or("an interval of zero")?;
        let clock = Given::default();
        let limiter =
            RateLimiter::<NotKeyed, InMemoryState, Given, NoOpMiddleware<Nanos>>::direct_with_clock(
                quota.allow_burst(nonzero(limit.capacity)?),
                clock.clone(),
            );
        Ok(move |cost: u64, now: u64| {
            clock.set(now);
            let Ok(cost) = nonzero(cost) else {
                return Answer::Never;
            };
            match limiter.check_n(cost) {
                Ok(Ok(())) => Answer::Admit,
                Ok(Err(denied)) => Answer::Wait(denied.wait_time_from(clock.now()).as_nanos()),
                Err(_) => Answer::Never,
            }
        })
    })
}

fn ratelimit() -> Trial {
    Trial::new("ratelimit", Claim::Rate, |limit| {
        let clock = Given::default();
        let limiter = ratelimit::Builder::with_clock(limit.units, clock.clone())
            .period(Duration::from_nanos(limit.period))
            .max_tokens(limit.capacity)
            .initial_available(limit.capacity)
            .build()
            .map_err(|error| error.to_string())?;
        Ok(move |cost: u64, now: u64| {
            clock.set(now);
            match limiter.try_wait_n(cost) {
                Ok(()) => Answer::Admit,
                Err(ratelimit::TryWaitError::Insufficient(wait)) => Answer::Wait(wait.as_nanos()),
                Err(_) => Answer::Never,
            }
        })
    })
    .no_old_now("its `Clock` is documented to be monotonic")
}

fn leaky_bucket() -> Trial {
    Trial::new("leaky-bucket", Claim::Rate, |limit| {
        let limiter = leaky_bucket::RateLimiter::builder()
            .max(small(limit.capacity)?)
            .initial(small(limit.capacity)?)
            .refill(small(limit.units)?)
            .interval(Duration::from_nanos(limit.period))
            .build();
        Ok(move |cost: u64, _now: u64| match small(cost) {
            Ok(cost) if limiter.try_acquire(cost) => Answer::Admit,
            _ => Answer::Never,
        })
    })
    .own_clock("it reads tokio's clock")
    .tells_no_wait()
}

fn throttlecrab() -> Trial {
    Trial::new("throttlecrab", Claim::Rate, |limit| {
        let RateLimit {
            units,
            period,
            capacity,
        } = limit;
        if !period.is_multiple_of(1_000_000_000) {
            return Err("periods are whole seconds".to_owned());
        }
        let (capacity, units) = (small::<i64>(capacity)?, small::<i64>(units)?);
        let seconds = small::<i64>(period / 1_000_000_000)?;
        let limiter = Mutex::new(throttlecrab::RateLimiter::new(
            throttlecrab::AdaptiveStore::with_capacity(16),
        ));
        Ok(move |cost: u64, now: u64| {
            let now = SystemTime::UNIX_EPOCH + Duration::from_nanos(now);
            let (Ok(cost), Ok(mut limiter)) = (small(cost), limiter.lock()) else {
                return Answer::Never;
            };
            match limiter.rate_limit("one", capacity, units, seconds, cost, now) {
                Ok((true, _)) => Answer::Admit,
                Ok((false, told)) => Answer::Wait(told.retry_after.as_nanos()),
                Err(_) => Answer::Never,
            }
        })
    })
}

fn limitador() -> Trial {
    use limitador::limit::{Context, Limit, Namespace};
    Trial::new("limitador", Claim::Window, |limit| {
        let limiter = limitador::RateLimiter::new(16);
        let seconds = limit.period / 1_000_000_000;
        limiter.add_limit(Limit::new(
            "one",
            limit.units,
            seconds,
            Vec::new(),
            Vec::new(),
        ));
        let namespace: Namespace = "one".into();
        Ok(move |cost: u64, _now: u64| {
            let context: Context<'_> = HashMap::new().into();
            let answer = limiter.check_rate_limited_and_update(&namespace, &context, cost);
            if answer.is_ok_and(|answer| !answer.limited) {
                Answer::Admit
            } else {
                Answer::Never
            }
        })
    })
    .own_clock("its storage reads the time itself")
    .tells_no_wait()
}

fn pingora() -> Trial {
    Trial::new("pingora-limits", Claim::Window, |limit| {
        let max = small::<isize>(limit.units)?;
        let rate = pingora_limits::rate::Rate::new(Duration::from_nanos(limit.period));
        Ok(move |cost: u64, _now: u64| match small(cost) {
            Ok(cost) if rate.observe(&"one", cost) <= max => Answer::Admit,
            _ => Answer::Never,
        })
    })
    .own_clock("`Rate` reads `Instant::now`")
    .tells_no_wait()
}
