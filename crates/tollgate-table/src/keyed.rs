use crate::{
    Class, FastHash, KeyedClass, KeyedDecision, KeyedLimiterBuilder, Occupancy, UnequalBatch,
    batch::Answers, class::Rule, pair::stored, place, table::Table, word::Now,
};
use std::{
    borrow::Borrow,
    fmt,
    hash::{BuildHasher, Hash},
    marker::PhantomData,
};
use tollgate_core::{Clock, Cost, CostExceedsCapacity, Nanos, QuantaClock, Snapshot};

/// A limit for each key, in memory that is fixed when it is built.
///
/// `K` is what requests are limited by, in its borrowed form: `str`, `u64`, `IpAddr`, `[u8]`. Keys are not stored, only
/// a seeded 64-bit hash of each; see the crate's page for what that means, and for the guarantees. A key that was never
/// seen, or not lately, has its whole capacity.
///
/// Each verb comes in two forms: with the limiter's own [`Clock`], and `_at` a given `now`, which must come from that
/// clock's time line. Those here apply class 0; see [`Self::class`] for others.
///
/// ```
/// use tollgate_core::{Cost, Limit, Nanos};
/// use tollgate_table::KeyedLimiter;
///
/// let limiter = KeyedLimiter::<str>::builder(Limit::per_second(2)).max_keys(1_000_000).build()?;
/// let at = Nanos::ZERO;
/// assert!(limiter.try_acquire_at("203.0.113.7", Cost::ONE, at)?.is_allowed());
/// assert!(limiter.try_acquire_at("203.0.113.7", Cost::ONE, at)?.is_allowed());
/// assert!(!limiter.try_acquire_at("203.0.113.7", Cost::ONE, at)?.is_allowed());
/// assert!(limiter.try_acquire_at("203.0.113.8", Cost::ONE, at)?.is_allowed(), "another key");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct KeyedLimiter<K: ?Sized, C = QuantaClock, S = FastHash> {
    pub(crate) table: Table,
    rules: Box<[Rule]>,
    hasher: S,
    pub(crate) clock: C,
    keys: PhantomData<fn(&K)>,
}

impl<K: Hash + ?Sized> KeyedLimiter<K> {
    /// Builds a limiter whose class 0 has this limit, or these two.
    pub fn builder(class: impl Into<Class>) -> KeyedLimiterBuilder<K> {
        KeyedLimiterBuilder::new(class.into())
    }
}

impl<K: Hash + ?Sized, C: Clock, S: BuildHasher> KeyedLimiter<K, C, S> {
    pub(crate) const fn new(table: Table, rules: Box<[Rule]>, hasher: S, clock: C) -> Self {
        Self {
            table,
            rules,
            hasher,
            clock,
            keys: PhantomData,
        }
    }

    /// The same keys under the limits of class `number`; none if there is no such class.
    ///
    /// A key is in one class at a time: whoever moves it to another keeps what it has taken, in time. The refill it has
    /// to wait for stays as long as it was. So classes of one rate and different capacities are priority classes of
    /// one key, of which a lower one leaves the rest to its betters.
    ///
    /// ```
    /// use tollgate_core::{Cost, Limit};
    /// use tollgate_table::KeyedLimiter;
    ///
    /// let limiter = KeyedLimiter::<str>::builder(Limit::per_minute(60))
    ///     .class([Limit::per_second(100), Limit::per_hour(50_000)])
    ///     .max_keys(1_000)
    ///     .build()?;
    /// let paid = limiter.class(1).expect("given above");
    /// assert!(paid.try_acquire("alice", Cost::ONE)?.is_allowed());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn class(&self, number: usize) -> Option<KeyedClass<'_, K, C, S>> {
        self.rules
            .get(number)
            .map(|rule| KeyedClass::new(self, rule))
    }

    /// How many classes there are.
    #[must_use]
    pub const fn class_count(&self) -> usize {
        self.rules.len()
    }

    #[inline]
    fn first(&self) -> KeyedClass<'_, K, C, S> {
        // A builder has a class from the start.
        KeyedClass::new(self, &self.rules[0])
    }

    /// Takes `cost` from `key` now, or says how long to wait; see [`KeyedClass::try_acquire`].
    ///
    /// # Errors
    /// [`CostExceedsCapacity`] if `cost` could never pass. Nothing changes.
    #[inline]
    pub fn try_acquire(&self, key: &K, cost: Cost) -> Result<KeyedDecision, CostExceedsCapacity> {
        self.first().try_acquire(key, cost)
    }

    /// Takes `cost` from `key` at `now`; see [`KeyedClass::try_acquire_at`].
    ///
    /// # Errors
    /// As [`Self::try_acquire`].
    #[inline]
    pub fn try_acquire_at(
        &self,
        key: &K,
        cost: Cost,
        now: Nanos,
    ) -> Result<KeyedDecision, CostExceedsCapacity> {
        self.first().try_acquire_at(key, cost, now)
    }

    /// Takes `cost` now from the key with this hash; see [`KeyedClass::try_acquire_hashed`].
    ///
    /// # Errors
    /// As [`Self::try_acquire`].
    #[inline]
    pub fn try_acquire_hashed(
        &self,
        hash: u64,
        cost: Cost,
    ) -> Result<KeyedDecision, CostExceedsCapacity> {
        self.first().try_acquire_hashed(hash, cost)
    }

    /// Takes `cost` at `now` from the key with this hash; see [`KeyedClass::try_acquire_hashed`].
    ///
    /// # Errors
    /// As [`Self::try_acquire`].
    #[inline]
    pub fn try_acquire_hashed_at(
        &self,
        hash: u64,
        cost: Cost,
        now: Nanos,
    ) -> Result<KeyedDecision, CostExceedsCapacity> {
        self.first().try_acquire_hashed_at(hash, cost, now)
    }

    /// Decides for many keys now; see [`KeyedClass::try_acquire_batch`].
    ///
    /// # Errors
    /// [`UnequalBatch`] if there are not as many costs as keys. Nothing changes.
    pub fn try_acquire_batch<B: Borrow<K>>(
        &self,
        keys: &[B],
        costs: &[Cost],
        out: &mut Answers,
    ) -> Result<(), UnequalBatch> {
        self.first().try_acquire_batch(keys, costs, out)
    }

    /// Decides for many keys at `now`; see [`KeyedClass::try_acquire_batch`].
    ///
    /// # Errors
    /// As [`Self::try_acquire_batch`].
    pub fn try_acquire_batch_at<B: Borrow<K>>(
        &self,
        keys: &[B],
        costs: &[Cost],
        now: Nanos,
        out: &mut Answers,
    ) -> Result<(), UnequalBatch> {
        self.first().try_acquire_batch_at(keys, costs, now, out)
    }

    /// What is left for `key` now; see [`KeyedClass::peek_at`].
    #[must_use]
    pub fn peek(&self, key: &K) -> Snapshot {
        self.first().peek(key)
    }

    /// What is left for `key` at `now`; see [`KeyedClass::peek_at`].
    #[must_use]
    pub fn peek_at(&self, key: &K, now: Nanos) -> Snapshot {
        self.first().peek_at(key, now)
    }

    /// The hash of a key, as [`Self::try_acquire_hashed`] takes it.
    #[inline]
    #[must_use]
    pub fn hash(&self, key: &K) -> u64 {
        self.hasher.hash_one(key)
    }

    /// Asks the processor for the line in which `key` lives at home, and returns the hash, for
    /// [`Self::try_acquire_hashed`] later. A few hundred nanoseconds later the decision finds the line in its cache.
    #[inline]
    pub fn prefetch(&self, key: &K) -> u64 {
        let hash = self.hash(key);
        self.prefetch_hashed(hash);
        hash
    }

    /// Asks the processor for the home line of the key with this hash.
    #[inline]
    pub fn prefetch_hashed(&self, hash: u64) {
        place::prefetch(self.table.place(stored(hash)).home());
    }

    /// Forgets what `key` has taken, under all limits: its whole capacity is free from now on.
    ///
    /// A key that shares a cell ([`Overflow::SharedCell`](crate::Overflow::SharedCell)) has nothing of its own to
    /// forget. Touches the candidate lines of the key; lock-free.
    ///
    /// While it is under way, its slot may be reset by another caller, rest, and be taken by another key up to the very instant, to the
    /// quantum, that it was used up to before. Then that other key is whole for a moment, until this is undone, and who
    /// comes in that moment is admitted beyond its limit.
    pub fn reset(&self, key: &K) {
        self.reset_at(key, self.clock.now());
    }

    /// Forgets what `key` has taken, as of `now`; see [`Self::reset`].
    pub fn reset_at(&self, key: &K, now: Nanos) {
        self.table.reset(stored(self.hash(key)), Now::new(now));
    }

    /// How full the table is now, by a sample of up to 1,024 lines, evenly spread.
    pub fn occupancy(&self) -> Occupancy {
        self.occupancy_at(self.clock.now())
    }

    /// How full the table is at `now`; see [`Self::occupancy`].
    pub fn occupancy_at(&self, now: Nanos) -> Occupancy {
        Occupancy::of(self.table.lines().all(), Now::new(now))
    }

    /// About how many keys are in use, by [`Self::occupancy`]; a key under two limits counts twice.
    #[must_use]
    pub fn len_estimate(&self) -> u64 {
        self.occupancy().live_estimate()
    }

    /// The memory of the table in bytes, exactly: that of all slots and shared cells, which never changes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.table.bytes()
    }

    /// The clock.
    #[must_use]
    pub const fn clock(&self) -> &C {
        &self.clock
    }
}

impl<K: ?Sized, C: fmt::Debug, S> fmt::Debug for KeyedLimiter<K, C, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedLimiter")
            .field("table", &self.table)
            .field("rules", &self.rules)
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}
