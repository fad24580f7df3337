//! ratelimit: a token bucket of atomics.

use crate::{Asks, Entry, Role::Peer};
use ratelimit::Ratelimiter;

pub(super) fn one_limit() -> Vec<Entry<()>> {
    vec![Entry::new("ratelimit", Peer, |terms| {
        let limiter = Ratelimiter::builder(terms.units.into())
            .period(terms.period)
            .max_tokens(terms.capacity.into())
            .initial_available(terms.capacity.into())
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Box::new(Asks(move |(): &()| limiter.try_wait().is_ok())))
    })]
}
