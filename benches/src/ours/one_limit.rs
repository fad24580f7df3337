//! One limit.

use super::{coarse_clock, limit};
use crate::{Asks, Entry, Peer, Role::Ours, Terms};
use tollgate_core::{Clock, Cost, LimitError, Limiter, LocalHandle, ShardedLimiter, TokenBucket};

/// Our rows for one limit.
#[must_use]
pub fn one_limit() -> Vec<Entry<()>> {
    vec![
        Entry::new("tollgate", Ours, |terms| plain(Limiter::new(limit(terms)?))),
        Entry::new("tollgate_coarse", Ours, |terms| {
            plain(Limiter::with_clock(limit(terms)?, coarse_clock()))
        }),
        Entry::new("tollgate_bucket", Ours, |terms| {
            let bucket = TokenBucket::builder(terms.capacity.into())
                .rate_per(terms.units.into(), terms.period)
                .build()
                .map_err(|error| error.to_string())?;
            Ok(Box::new(Asks(move |(): &()| {
                bucket
                    .try_acquire(1)
                    .is_ok_and(|decision| decision.is_allowed())
            })))
        }),
        Entry::new("tollgate_sharded", Ours, |terms| {
            let limiter = sharded(terms)?;
            Ok(Box::new(Asks(move |(): &()| {
                limiter
                    .try_acquire(Cost::ONE)
                    .is_ok_and(|decision| decision.is_allowed())
            })))
        }),
        Entry::new("tollgate_handle", Ours, |terms| {
            Ok(Box::new(Handles(sharded(terms)?)))
        }),
    ]
}

fn plain<C: Clock + 'static>(limiter: Result<Limiter<C>, LimitError>) -> crate::Built<()> {
    let limiter = limiter.map_err(|error| error.to_string())?;
    Ok(Box::new(Asks(move |(): &()| {
        limiter
            .try_acquire(Cost::ONE)
            .is_ok_and(|decision| decision.is_allowed())
    })))
}

/// A shard and a seat for each thread.
fn sharded(terms: &Terms) -> Result<ShardedLimiter, String> {
    ShardedLimiter::builder(limit(terms)?)
        .shards(terms.threads)
        .seats(terms.threads)
        .build()
        .map_err(|error| error.to_string())
}

/// A limiter of which each thread has a handle.
struct Handles(ShardedLimiter);

impl Peer<()> for Handles {
    type Seat<'a> = LocalHandle<'a>;

    fn seat(&self) -> LocalHandle<'_> {
        self.0.handle()
    }

    #[inline]
    fn ask<'a>(&'a self, handle: &mut LocalHandle<'a>, (): &()) -> bool {
        handle
            .try_acquire(Cost::ONE)
            .is_ok_and(|decision| decision.is_allowed())
    }
}
