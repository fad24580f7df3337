//! governor: GCRA, one word; keyed over dashmap or a mutex around a hash map.

use crate::{Asks, Entry, Role::Peer, Terms, keys::Key};
use governor::{
    DefaultDirectRateLimiter, Quota, RateLimiter, clock::QuantaClock, clock::QuantaUpkeepClock,
    state::InMemoryState, state::direct::NotKeyed,
};
use std::{num::NonZeroU32, sync::OnceLock, time::Duration};

fn quota(terms: &Terms) -> Result<Quota, String> {
    let capacity = NonZeroU32::new(terms.capacity).ok_or("a capacity of zero")?;
    Quota::with_period(terms.period / terms.units)
        .map(|quota| quota.allow_burst(capacity))
        .ok_or_else(|| "an interval of zero".to_owned())
}

/// The one upkeep clock of the process: quanta allows no second. Renewed every millisecond.
fn upkeep() -> QuantaUpkeepClock {
    static CLOCK: OnceLock<QuantaUpkeepClock> = OnceLock::new();
    CLOCK
        .get_or_init(|| {
            QuantaUpkeepClock::from_interval(Duration::from_millis(1))
                .expect("nobody else started an upkeep thread")
        })
        .clone()
}

pub(super) fn one_limit() -> Vec<Entry<()>> {
    vec![
        Entry::new("governor", Peer, |terms| {
            let limiter: DefaultDirectRateLimiter = RateLimiter::direct(quota(terms)?);
            Ok(Box::new(Asks(move |(): &()| limiter.check().is_ok())))
        }),
        Entry::new("governor_upkeep", Peer, |terms| {
            let limiter = RateLimiter::<NotKeyed, InMemoryState, _>::direct_with_clock(
                quota(terms)?,
                upkeep(),
            );
            Ok(Box::new(Asks(move |(): &()| limiter.check().is_ok())))
        }),
    ]
}

pub(super) fn keyed<K: Key>() -> Vec<Entry<K>> {
    vec![
        Entry::new("governor_dashmap", Peer, |terms| {
            let limiter =
                RateLimiter::<K, _, _>::dashmap_with_clock(quota(terms)?, QuantaClock::default());
            Ok(Box::new(Asks(move |key: &K| {
                limiter.check_key(key).is_ok()
            })))
        }),
        Entry::new("governor_dashmap_upkeep", Peer, |terms| {
            let limiter = RateLimiter::<K, _, _>::dashmap_with_clock(quota(terms)?, upkeep());
            Ok(Box::new(Asks(move |key: &K| {
                limiter.check_key(key).is_ok()
            })))
        }),
        Entry::new("governor_hashmap", Peer, |terms| {
            let limiter =
                RateLimiter::<K, _, _>::hashmap_with_clock(quota(terms)?, QuantaClock::default());
            Ok(Box::new(Asks(move |key: &K| {
                limiter.check_key(key).is_ok()
            })))
        }),
    ]
}
