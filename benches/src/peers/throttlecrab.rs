//! throttlecrab: GCRA over a hash map, for one thread; a mutex around it, as its documentation shows.

use crate::{Asks, Entry, Role::Peer, Terms};
use std::{sync::Mutex, time::SystemTime};
use throttlecrab::{AdaptiveStore, RateLimiter};

struct Throttle {
    limiter: Mutex<RateLimiter<AdaptiveStore>>,
    capacity: i64,
    units: i64,
    seconds: i64,
}

impl Throttle {
    fn new(terms: &Terms) -> Result<Self, String> {
        Ok(Self {
            limiter: Mutex::new(RateLimiter::new(AdaptiveStore::with_capacity(terms.keys))),
            capacity: terms.capacity.into(),
            units: terms.units.into(),
            seconds: i64::try_from(terms.period.as_secs()).map_err(|error| error.to_string())?,
        })
    }

    fn ask(&self, key: &str) -> bool {
        let Ok(mut limiter) = self.limiter.lock() else {
            return false;
        };
        limiter
            .rate_limit(
                key,
                self.capacity,
                self.units,
                self.seconds,
                1,
                SystemTime::now(),
            )
            .is_ok_and(|(allowed, _)| allowed)
    }
}

pub(super) fn one_limit() -> Vec<Entry<()>> {
    vec![Entry::new("throttlecrab", Peer, |terms| {
        let throttle = Throttle::new(terms)?;
        Ok(Box::new(Asks(move |(): &()| throttle.ask("one"))))
    })]
}

pub(super) fn keyed() -> Vec<Entry<String>> {
    vec![Entry::new("throttlecrab", Peer, |terms| {
        let throttle = Throttle::new(terms)?;
        Ok(Box::new(Asks(move |key: &String| throttle.ask(key))))
    })]
}
