//! leaky-bucket: a token bucket refilled at intervals, with a queue for those who wait.

use crate::{Asks, Entry, Role::Peer};
use leaky_bucket::RateLimiter;

pub(super) fn one_limit() -> Vec<Entry<()>> {
    vec![Entry::new("leaky_bucket", Peer, |terms| {
        // It refills in steps: as small ones as come out even.
        let steps = [1_000, 100, 10, 1]
            .into_iter()
            .find(|steps| terms.units.is_multiple_of(*steps))
            .unwrap_or(1);
        let limiter = RateLimiter::builder()
            .max(terms.capacity as usize)
            .initial(terms.capacity as usize)
            .refill((terms.units / steps) as usize)
            .interval(terms.period / steps)
            .build();
        Ok(Box::new(Asks(move |(): &()| limiter.try_acquire(1))))
    })]
}
