//! What one would write without a library: the same ideas with nothing around them.

use crate::{Asks, Entry, Role::Sketch, Terms, ours::coarse_clock};
use std::{sync::Mutex, time::Instant};
use tollgate_core::Clock;
use tollgate_sync::atomic::{AtomicU64, Ordering::Relaxed};

/// GCRA in whole nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Gcra {
    interval: u64,
    tolerance: u64,
}

impl Gcra {
    /// For these terms; the interval is rounded up.
    #[must_use]
    pub fn new(terms: &Terms) -> Self {
        let period = u64::try_from(terms.period.as_nanos()).unwrap_or(u64::MAX);
        let interval = period.div_ceil(terms.units.into());
        Self {
            interval,
            tolerance: interval.saturating_mul(terms.capacity.into()),
        }
    }

    /// The TAT after one unit at `now`, if it is allowed.
    #[inline]
    #[must_use]
    pub fn step(&self, tat: u64, now: u64) -> Option<u64> {
        let next = tat.max(now) + self.interval;
        (next - now <= self.tolerance).then_some(next)
    }

    /// Takes one unit of the cell at `now`.
    #[inline]
    pub fn take(&self, cell: &AtomicU64, now: u64) -> bool {
        let mut tat = cell.load(Relaxed);
        while let Some(next) = self.step(tat, now) {
            match cell.compare_exchange_weak(tat, next, Relaxed, Relaxed) {
                Ok(_) => return true,
                Err(moved) => tat = moved,
            }
        }
        false
    }
}

/// Sketches for one limit.
#[must_use]
pub fn one_limit() -> Vec<Entry<()>> {
    vec![
        Entry::new("textbook_gcra_coarse", Sketch, |terms| {
            let (gcra, clock, cell) = (Gcra::new(terms), coarse_clock(), AtomicU64::new(0));
            Ok(Box::new(Asks(move |(): &()| {
                gcra.take(&cell, clock.now().0)
            })))
        }),
        Entry::new("mutex_token_bucket", Sketch, |terms| {
            let rate = f64::from(terms.units) / terms.period.as_secs_f64();
            let capacity = f64::from(terms.capacity);
            let bucket = Mutex::new((capacity, Instant::now()));
            Ok(Box::new(Asks(move |(): &()| {
                let Ok(mut bucket) = bucket.lock() else {
                    return false;
                };
                let now = Instant::now();
                let (units, since) = *bucket;
                let units = (units + (now - since).as_secs_f64() * rate).min(capacity);
                let allowed = units >= 1.0;
                *bucket = (if allowed { units - 1.0 } else { units }, now);
                allowed
            })))
        }),
    ]
}
