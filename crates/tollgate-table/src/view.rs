use crate::{
    KeyedDecision, KeyedLimiter, UnequalBatch,
    batch::{self, Answers},
    class::Rule,
    pair::{second_hash, stored},
    place::{Place, prefetch},
    table::Ask,
    word::Now,
};
use std::{
    borrow::Borrow,
    fmt,
    hash::{BuildHasher, Hash},
};
use tollgate_core::{Clock, Cost, CostExceedsCapacity, Nanos, Snapshot};

/// The keys of a [`KeyedLimiter`] under the limits of one class; see [`KeyedLimiter::class`].
pub struct KeyedClass<'l, K: ?Sized, C, S> {
    limiter: &'l KeyedLimiter<K, C, S>,
    rule: &'l Rule,
}

impl<K: ?Sized, C, S> Clone for KeyedClass<'_, K, C, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K: ?Sized, C, S> Copy for KeyedClass<'_, K, C, S> {}

impl<'l, K: Hash + ?Sized, C: Clock, S: BuildHasher> KeyedClass<'l, K, C, S> {
    #[inline]
    pub(crate) const fn new(limiter: &'l KeyedLimiter<K, C, S>, rule: &'l Rule) -> Self {
        Self { limiter, rule }
    }

    /// Takes `cost` from `key` now, or says how long to wait.
    ///
    /// Lock-free: one clock read, and for a key at home one line and one exchange. A denial writes nothing. The crate's
    /// page says what any call touches at most.
    ///
    /// # Errors
    /// [`CostExceedsCapacity`] if `cost` could never pass. Nothing changes.
    #[inline]
    pub fn try_acquire(&self, key: &K, cost: Cost) -> Result<KeyedDecision, CostExceedsCapacity> {
        self.try_acquire_hashed(self.limiter.hash(key), cost)
    }

    /// Takes `cost` from `key` at `now`, or says how long to wait; see [`Self::try_acquire`].
    ///
    /// Admits when `max(TAT, now) + cost × T − now ≤ capacity × T` (GCRA, ITU-T I.371, stated for a cost of any size),
    /// under each limit of the class.
    ///
    /// # Errors
    /// [`CostExceedsCapacity`] if `cost` could never pass. Nothing changes.
    #[inline]
    pub fn try_acquire_at(
        &self,
        key: &K,
        cost: Cost,
        now: Nanos,
    ) -> Result<KeyedDecision, CostExceedsCapacity> {
        self.try_acquire_hashed_at(self.limiter.hash(key), cost, now)
    }

    /// Takes `cost` now from the key with this hash, which [`KeyedLimiter::prefetch`] returns, or which is the caller's
    /// own. Such a hash must be seeded if strangers choose the keys, and spread evenly over all 64 bits.
    ///
    /// # Errors
    /// [`CostExceedsCapacity`] if `cost` could never pass. Nothing changes.
    #[inline]
    pub fn try_acquire_hashed(
        &self,
        hash: u64,
        cost: Cost,
    ) -> Result<KeyedDecision, CostExceedsCapacity> {
        let hash = stored(hash);
        let place = self.limiter.table.place(hash);
        // The line is on its way while the clock is read: a processor may wait at its counter for all loads before.
        prefetch(place.home());
        self.decide(place, hash, cost, self.limiter.clock.now())
    }

    /// Takes `cost` at `now` from the key with this hash; see [`Self::try_acquire_hashed`].
    ///
    /// # Errors
    /// [`CostExceedsCapacity`] if `cost` could never pass. Nothing changes.
    #[inline]
    pub fn try_acquire_hashed_at(
        &self,
        hash: u64,
        cost: Cost,
        now: Nanos,
    ) -> Result<KeyedDecision, CostExceedsCapacity> {
        let hash = stored(hash);
        self.decide(self.limiter.table.place(hash), hash, cost, now)
    }

    #[inline(always)]
    fn decide(
        &self,
        place: Place<'_>,
        hash: u64,
        cost: Cost,
        now: Nanos,
    ) -> Result<KeyedDecision, CostExceedsCapacity> {
        let table = &self.limiter.table;
        let now = Now::new(now);
        let Rule { first, second } = self.rule;
        if let Some(second) = second {
            let again = || Now::new(self.limiter.clock.now());
            return table.charge_pair(hash, [first, second], cost, now, again);
        }
        let ask = Ask {
            hash,
            gcra: first,
            cost,
            now,
        };
        table.decide(place, &ask)
    }

    /// Decides for many keys: `out` then holds an answer for each, in their order, as if each key's requests had been
    /// asked one by one, in order, at one `now`. Which of several new keys get the last free slots is left open. What
    /// `out` held before is dropped, its memory is used again.
    ///
    /// All are hashed and their lines asked for, then the clock is read, once, then they are decided: so the waits for
    /// memory overlap. Pays from about four keys; beyond 16 it goes by sixteens.
    ///
    /// # Errors
    /// [`UnequalBatch`] if there are not as many costs as keys. Nothing changes. A cost that could never pass is an error
    /// in its own place of `out`.
    ///
    /// # Examples
    /// ```
    /// use tollgate_core::{Cost, Limit};
    /// use tollgate_table::KeyedLimiter;
    ///
    /// let limiter = KeyedLimiter::<str>::builder(Limit::per_second(2)).max_keys(1_000).build()?;
    /// let mut answers = Vec::new();
    /// limiter.try_acquire_batch(&["alice", "bob", "alice"], &[Cost::ONE; 3], &mut answers)?;
    /// assert!(answers.iter().flatten().all(|answer| answer.is_allowed()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_acquire_batch<B: Borrow<K>>(
        &self,
        keys: &[B],
        costs: &[Cost],
        out: &mut Answers,
    ) -> Result<(), UnequalBatch> {
        batch::decide(self, keys, costs, || self.limiter.clock.now(), out)
    }

    /// Decides for many keys at `now`; see [`Self::try_acquire_batch`].
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
        batch::decide(self, keys, costs, || now, out)
    }

    /// What is left for `key` now; see [`Self::peek_at`].
    #[must_use]
    pub fn peek(&self, key: &K) -> Snapshot {
        self.peek_at(key, self.limiter.clock.now())
    }

    /// What is left for `key` at `now`, by the limit that has less left; where both have as much, by the first. Takes nothing and writes nothing.
    ///
    /// A key without a slot has its whole capacity, though by [`Overflow`](crate::Overflow) a request for it may be
    /// answered otherwise.
    #[must_use]
    pub fn peek_at(&self, key: &K, now: Nanos) -> Snapshot {
        let table = &self.limiter.table;
        let hash = stored(self.limiter.hash(key));
        let place = table.place(hash);
        let now = Now::new(now);
        let first = table.seen(place, hash, &self.rule.first, now);
        match &self.rule.second {
            None => first,
            Some(second) => {
                let second = table.seen(place, second_hash(hash), second, now);
                if second.remaining() < first.remaining() {
                    second
                } else {
                    first
                }
            }
        }
    }

    #[inline]
    pub(crate) const fn rule(&self) -> &'l Rule {
        self.rule
    }

    #[inline]
    pub(crate) const fn limiter(&self) -> &'l KeyedLimiter<K, C, S> {
        self.limiter
    }
}

impl<K: ?Sized, C: fmt::Debug, S> fmt::Debug for KeyedClass<'_, K, C, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedClass")
            .field("limiter", self.limiter)
            .field("rule", self.rule)
            .finish()
    }
}
