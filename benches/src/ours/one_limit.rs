//! One limit.

use super::{coarse_clock, limit};
use crate::{Asks, Entry, Role::Ours};
use tollgate_core::{Cost, Limiter, TokenBucket};

/// Our rows for one limit.
#[must_use]
pub fn one_limit() -> Vec<Entry<()>> {
    vec![
        Entry::new("tollgate", Ours, |terms| {
            let limiter = Limiter::new(limit(terms)?).map_err(|error| error.to_string())?;
            Ok(Box::new(Asks(move |(): &()| {
                limiter
                    .try_acquire(Cost::ONE)
                    .is_ok_and(|decision| decision.is_allowed())
            })))
        }),
        Entry::new("tollgate_coarse", Ours, |terms| {
            let limiter = Limiter::with_clock(limit(terms)?, coarse_clock())
                .map_err(|error| error.to_string())?;
            Ok(Box::new(Asks(move |(): &()| {
                limiter
                    .try_acquire(Cost::ONE)
                    .is_ok_and(|decision| decision.is_allowed())
            })))
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
    ]
}
