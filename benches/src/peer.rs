//! What everything that is measured has in common.

use crate::Subject;
use std::{fmt, time::Duration};

/// A limiter that can be asked for one unit of a key by many threads; `()` is the key of a single limit.
pub trait Peer<K>: Send + Sync {
    /// What a thread holds while it asks: nothing, for most.
    type Seat<'a>
    where
        Self: 'a;

    /// What a thread takes before it asks. Not measured.
    fn seat(&self) -> Self::Seat<'_>;

    /// Asks for one unit. True: allowed.
    fn ask<'a>(&'a self, seat: &mut Self::Seat<'a>, key: &K) -> bool;

    /// Asks for one unit of each key, and tells how many were allowed. Those who know no batches ask one by one.
    fn ask_batch<'a>(&'a self, seat: &mut Self::Seat<'a>, keys: &[K]) -> u64 {
        keys.iter().map(|key| u64::from(self.ask(seat, key))).sum()
    }

    /// Says that `key` will be asked for soon.
    fn prefetch(&self, _key: &K) {}

    /// Bytes that it asked the system for itself, past the allocator.
    fn mapped_bytes(&self) -> usize {
        0
    }
}

/// A peer that is no more than a question.
#[derive(Debug)]
pub struct Asks<F>(pub F);

impl<K, F: Fn(&K) -> bool + Send + Sync> Peer<K> for Asks<F> {
    type Seat<'a>
        = ()
    where
        F: 'a;

    fn seat(&self) {}

    #[inline]
    fn ask(&self, (): &mut (), key: &K) -> bool {
        self.0(key)
    }
}

/// What a workload asks of a limiter.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// The most units at one instant, all there at the start.
    pub capacity: u32,
    /// Units that come back each `period`.
    pub units: u32,
    /// A whole number of seconds: some know no other.
    pub period: Duration,
    /// How many keys there will be.
    pub keys: usize,
    /// How many threads will ask.
    pub threads: usize,
}

impl Terms {
    /// One limit that no run exhausts, whose TAT stays far ahead of the clock.
    #[must_use]
    pub const fn inexhaustible(threads: usize) -> Self {
        Self {
            capacity: u32::MAX,
            units: 100_000,
            period: Duration::from_secs(1),
            keys: 1,
            threads,
        }
    }

    /// A limit of which nothing comes back while it is measured.
    #[must_use]
    pub const fn still(capacity: u32, keys: usize, threads: usize) -> Self {
        Self {
            capacity,
            units: 1,
            period: Duration::from_secs(3_600),
            keys,
            threads,
        }
    }

    /// Limits that stay live once asked (a unit takes 100 s) and that no run exhausts.
    #[must_use]
    pub const fn live(keys: usize, threads: usize) -> Self {
        Self {
            capacity: 1_500_000,
            units: 1,
            period: Duration::from_secs(100),
            keys,
            threads,
        }
    }
}

/// Whose row it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "report", derive(serde::Serialize, serde::Deserialize))]
pub enum Role {
    /// Ours: a wrong answer fails the bench.
    Ours,
    /// Somebody else's.
    Peer,
    /// The same idea without a library around it, or a map with a GCRA in it.
    Sketch,
    /// What the machine costs: no limiter at all.
    Floor,
}

/// What building for terms gives: an error says what the terms hold that cannot be represented.
pub type Built<K> = Result<Box<dyn Subject<K>>, String>;

/// An implementation that can be built for terms.
pub struct Entry<K> {
    /// As it stands in the tables.
    pub name: &'static str,
    /// Whose it is.
    pub role: Role,
    /// Builds it with nothing taken.
    pub build: fn(&Terms) -> Built<K>,
    /// Whether it knows batches.
    pub batches: bool,
}

impl<K> Clone for Entry<K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for Entry<K> {}

impl<K> Entry<K> {
    /// An entry.
    pub const fn new(name: &'static str, role: Role, build: fn(&Terms) -> Built<K>) -> Self {
        Self {
            name,
            role,
            build,
            batches: false,
        }
    }

    /// The same, which knows batches.
    #[must_use]
    pub const fn with_batches(mut self) -> Self {
        self.batches = true;
        self
    }
}

impl<K> fmt::Debug for Entry<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("name", &self.name)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}
