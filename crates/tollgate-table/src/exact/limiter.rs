//! The limiter: its map, its order of eviction, its face.

use super::{
    entry::{Entry, snapshot, step},
    places::Places,
};
use crate::{
    Class, FastHash, GRACE, KeyedDecision, class::Rule, decision::Full, error::TableError,
    word::Now,
};
use crossbeam::queue::SegQueue;
use std::{
    borrow::Borrow,
    fmt,
    hash::{BuildHasher, Hash},
};
use tollgate_core::{Clock, Cost, CostExceedsCapacity, Nanos, QuantaClock, Snapshot};

/// Entries that are looked at for one to take the place of.
const EVICTION_TRIES: usize = 32;
/// Rounds of one call. Each but the first is owed to another caller who closed or made the key's entry.
const ROUNDS_MAX: usize = 32;

/// A [`KeyedLimiter`](crate::KeyedLimiter) that stores its keys: two of them never share a limit, whatever their hashes.
///
/// The guarantees are those of the crate's page, without the one about hashes and with these differences. A key costs its
/// own size, an allocation and about 100 bytes; the map grows, up to `max_keys` entries, and a call that grows it takes
/// longer. A new key beyond that takes the place of one that is whole again; 32 keys are looked at for one, in the order
/// in which they came. There are no batches and no hashes to be had in advance.
///
/// ```
/// use tollgate_core::{Cost, Limit};
/// use tollgate_table::ExactKeyedLimiter;
///
/// let limiter = ExactKeyedLimiter::<str>::new(Limit::per_minute(60), 10_000)?;
/// assert!(limiter.try_acquire("alice", Cost::ONE)?.is_allowed());
/// assert_eq!(limiter.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ExactKeyedLimiter<K: ToOwned + ?Sized, C = QuantaClock, S = FastHash> {
    entries: papaya::HashMap<K::Owned, Entry, S>,
    /// Keys in the order in which they are looked at for eviction.
    order: SegQueue<K::Owned>,
    places: Places,
    rules: Box<[Rule]>,
    clock: C,
}

impl<K> ExactKeyedLimiter<K>
where
    K: Hash + Eq + ToOwned + ?Sized,
    K::Owned: Hash + Eq + Clone,
{
    /// A limiter for up to `keys_max` keys in use, all under this limit or these two.
    ///
    /// # Errors
    /// [`TableError`], by name.
    pub fn new(class: impl Into<Class>, keys_max: usize) -> Result<Self, TableError> {
        Self::with(
            [class.into()],
            keys_max,
            FastHash::new(),
            QuantaClock::new(),
        )
    }
}

impl<K, C, S> ExactKeyedLimiter<K, C, S>
where
    K: Hash + Eq + ToOwned + ?Sized,
    K::Owned: Hash + Eq + Clone,
    C: Clock,
    S: BuildHasher,
{
    /// A limiter with these classes, numbered from 0, this hash and this clock.
    ///
    /// # Errors
    /// [`TableError`], by name: [`TableError::NoSize`] also where there is no class.
    pub fn with(
        classes: impl IntoIterator<Item = Class>,
        keys_max: usize,
        hasher: S,
        clock: C,
    ) -> Result<Self, TableError> {
        let rules = Rule::of_all(classes)?;
        if keys_max == 0 || rules.is_empty() {
            return Err(TableError::NoSize);
        }
        let entries = papaya::HashMap::builder()
            .hasher(hasher)
            // In one go: a map that is left half moved answers many times slower for as long.
            .resize_mode(papaya::ResizeMode::Blocking)
            .build();
        Ok(Self {
            entries,
            order: SegQueue::new(),
            places: Places::new(keys_max),
            rules,
            clock,
        })
    }

    /// The same keys under the limits of class `number`; none if there is no such class. What a key has taken stays
    /// with it, as [`KeyedLimiter::class`](crate::KeyedLimiter::class) says.
    #[must_use]
    pub fn class(&self, number: usize) -> Option<ExactKeyedClass<'_, K, C, S>> {
        self.rules.get(number).map(|rule| ExactKeyedClass {
            limiter: self,
            rule,
        })
    }

    /// How many classes there are.
    #[must_use]
    pub const fn class_count(&self) -> usize {
        self.rules.len()
    }

    fn first(&self) -> ExactKeyedClass<'_, K, C, S> {
        // A limiter without a class is not built.
        ExactKeyedClass {
            limiter: self,
            rule: &self.rules[0],
        }
    }

    /// Takes `cost` from `key` now, by class 0, or says how long to wait.
    ///
    /// # Errors
    /// [`CostExceedsCapacity`] if `cost` could never pass. Nothing changes.
    pub fn try_acquire(&self, key: &K, cost: Cost) -> Result<KeyedDecision, CostExceedsCapacity> {
        self.first().try_acquire(key, cost)
    }

    /// Takes `cost` from `key` at `now`, by class 0; see [`Self::try_acquire`].
    ///
    /// # Errors
    /// As [`Self::try_acquire`].
    pub fn try_acquire_at(
        &self,
        key: &K,
        cost: Cost,
        now: Nanos,
    ) -> Result<KeyedDecision, CostExceedsCapacity> {
        self.first().try_acquire_at(key, cost, now)
    }

    /// What is left for `key` now, by class 0; see [`ExactKeyedClass::peek_at`].
    #[must_use]
    pub fn peek(&self, key: &K) -> Snapshot {
        self.first().peek(key)
    }

    /// What is left for `key` at `now`, by class 0; see [`ExactKeyedClass::peek_at`].
    #[must_use]
    pub fn peek_at(&self, key: &K, now: Nanos) -> Snapshot {
        self.first().peek_at(key, now)
    }

    /// Forgets what `key` has taken: its whole capacity is free from now on.
    pub fn reset(&self, key: &K) {
        if let Some(entry) = self.entries.pin().get(key) {
            entry.reset();
        }
    }

    /// Keys that have a place: all in use, and those not in use whose place nobody needed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.taken()
    }

    /// Whether no key has a place.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The clock.
    #[must_use]
    pub const fn clock(&self) -> &C {
        &self.clock
    }

    fn decide(
        &self,
        rule: &Rule,
        key: &K,
        cost: Cost,
        now: Now,
    ) -> Result<KeyedDecision, CostExceedsCapacity> {
        // What can never pass is no reason to take a place.
        let _ = step(rule, 0, cost, now)?;
        let entries = self.entries.pin();
        for _ in 0..ROUNDS_MAX {
            if let Some(entry) = entries.get(key) {
                match entry.charge(rule, cost, now)? {
                    Some(decision) => return Ok(decision),
                    // Closed: its place is another's already.
                    None => {
                        let _ = entries.remove_if(key, |_, entry| entry.is_closed());
                        continue;
                    }
                }
            }
            if let Err(full) = self.take_place(now) {
                return Ok(KeyedDecision::Full(full));
            }
            let owned = key.to_owned();
            match entries.try_insert(owned.clone(), Entry::default()) {
                Ok(_) => self.order.push(owned),
                // Another caller brought the key meanwhile.
                Err(_) => self.places.give_back(),
            }
        }
        Ok(KeyedDecision::Full(Full::new(GRACE)))
    }

    /// Takes a free place, or that of a key which is not in use.
    fn take_place(&self, now: Now) -> Result<(), Full> {
        if self.places.take() {
            return Ok(());
        }
        let entries = self.entries.pin();
        let mut wait = None;
        for _ in 0..EVICTION_TRIES {
            let Some(key) = self.order.pop() else { break };
            // A closed entry's key left the order before: the one found is of a later entry, if there is any.
            let Some(entry) = entries.get::<K>(key.borrow()) else {
                continue;
            };
            match entry.close(now) {
                Ok(()) => {
                    let _ = entries.remove_if::<K, _>(key.borrow(), |_, entry| entry.is_closed());
                    return Ok(());
                }
                Err(frees_at) => {
                    let waits = now.until_free(frees_at);
                    wait = Some(wait.map_or(waits, |least| waits.min(least)));
                    self.order.push(key);
                }
            }
        }
        Err(Full::new(wait.unwrap_or(GRACE)))
    }
}

/// The keys of an [`ExactKeyedLimiter`] under the limits of one class; see [`ExactKeyedLimiter::class`].
pub struct ExactKeyedClass<'l, K: ToOwned + ?Sized, C, S> {
    limiter: &'l ExactKeyedLimiter<K, C, S>,
    rule: &'l Rule,
}

impl<K: ToOwned + ?Sized, C, S> Clone for ExactKeyedClass<'_, K, C, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K: ToOwned + ?Sized, C, S> Copy for ExactKeyedClass<'_, K, C, S> {}

impl<K, C, S> ExactKeyedClass<'_, K, C, S>
where
    K: Hash + Eq + ToOwned + ?Sized,
    K::Owned: Hash + Eq + Clone,
    C: Clock,
    S: BuildHasher,
{
    /// Takes `cost` from `key` now, or says how long to wait.
    ///
    /// # Errors
    /// [`CostExceedsCapacity`] if `cost` could never pass. Nothing changes.
    pub fn try_acquire(&self, key: &K, cost: Cost) -> Result<KeyedDecision, CostExceedsCapacity> {
        self.try_acquire_at(key, cost, self.limiter.clock.now())
    }

    /// Takes `cost` from `key` at `now`; see [`Self::try_acquire`].
    ///
    /// # Errors
    /// As [`Self::try_acquire`].
    pub fn try_acquire_at(
        &self,
        key: &K,
        cost: Cost,
        now: Nanos,
    ) -> Result<KeyedDecision, CostExceedsCapacity> {
        self.limiter.decide(self.rule, key, cost, Now::new(now))
    }

    /// What is left for `key` now; see [`Self::peek_at`].
    #[must_use]
    pub fn peek(&self, key: &K) -> Snapshot {
        self.peek_at(key, self.limiter.clock.now())
    }

    /// What is left for `key` at `now`, by the limit that has less left; where both have as much, by the first. Takes nothing and makes no entry.
    #[must_use]
    pub fn peek_at(&self, key: &K, now: Nanos) -> Snapshot {
        let (entries, now) = (self.limiter.entries.pin(), Now::new(now));
        match entries.get(key) {
            Some(entry) => entry.peek(self.rule, now),
            None => snapshot(self.rule, 0, now),
        }
    }
}

impl<K: ToOwned + ?Sized, C: fmt::Debug, S> fmt::Debug for ExactKeyedLimiter<K, C, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExactKeyedLimiter")
            .field("places", &self.places)
            .field("rules", &self.rules)
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}

impl<K: ToOwned + ?Sized, C: fmt::Debug, S> fmt::Debug for ExactKeyedClass<'_, K, C, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExactKeyedClass")
            .field("limiter", self.limiter)
            .field("rule", self.rule)
            .finish()
    }
}
