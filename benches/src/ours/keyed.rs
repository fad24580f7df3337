//! Limits by key.

use super::{coarse_clock, limit};
use crate::{Entry, Peer, Role::Ours, Terms, keys::Key};
use tollgate_core::{Clock, Cost, CostExceedsCapacity};
use tollgate_table::{KeyedDecision, KeyedLimiter, KeyedLimiterBuilder};

/// The costs of the longest batch that is asked for.
const COSTS: [Cost; 64] = [Cost::ONE; 64];

/// Our rows for keys.
#[must_use]
pub fn keyed<K: Key>() -> Vec<Entry<K>> {
    vec![
        Entry::new("tollgate_table", Ours, |terms| {
            let limiter = builder::<K>(terms)?.build();
            Ok(Box::new(Table(limiter.map_err(|error| error.to_string())?)))
        })
        .with_batches(),
        Entry::new("tollgate_table_coarse", Ours, |terms| {
            let limiter = builder::<K>(terms)?.build_with_clock(coarse_clock());
            Ok(Box::new(Table(limiter.map_err(|error| error.to_string())?)))
        })
        .with_batches(),
    ]
}

fn builder<K: Key>(terms: &Terms) -> Result<KeyedLimiterBuilder<K>, String> {
    Ok(KeyedLimiter::<K>::builder(limit(terms)?).max_keys(terms.keys))
}

/// A limiter and the costs of a batch.
struct Table<K: Key, C>(KeyedLimiter<K, C>);

/// The answers to a batch.
type Answers = Vec<Result<KeyedDecision, CostExceedsCapacity>>;

impl<K: Key, C: Clock> Peer<K> for Table<K, C> {
    type Seat<'a>
        = Answers
    where
        C: 'a;

    fn seat(&self) -> Answers {
        Vec::with_capacity(COSTS.len())
    }

    #[inline]
    fn ask(&self, _: &mut Answers, key: &K) -> bool {
        self.0
            .try_acquire(key, Cost::ONE)
            .is_ok_and(|decision| decision.is_allowed())
    }

    fn ask_batch(&self, answers: &mut Answers, keys: &[K]) -> u64 {
        let costs = &COSTS[..keys.len()];
        if self.0.try_acquire_batch(keys, costs, answers).is_err() {
            return 0;
        }
        let allowed = answers
            .iter()
            .filter(|answer| answer.is_ok_and(|decision| decision.is_allowed()));
        allowed.count() as u64
    }

    #[inline]
    fn prefetch(&self, key: &K) {
        self.0.prefetch(key);
    }

    fn mapped_bytes(&self) -> usize {
        self.0.memory_bytes()
    }
}

/// The room of a slot.
const SLOT_BYTES: usize = 16;

/// A table that is filled with new keys, one after another, none of which expires.
#[derive(Debug)]
pub struct Filling {
    limiter: KeyedLimiter<u64>,
    /// New keys so far.
    came: u64,
    /// Keys that found a slot.
    live: usize,
}

impl Filling {
    /// An empty table of so many slots.
    ///
    /// # Errors
    /// What the table cannot be.
    pub fn new(slots: usize) -> Result<Self, String> {
        let limiter = KeyedLimiter::builder(limit(&Terms::still(1, slots, 1))?)
            .memory_bytes(slots * SLOT_BYTES)
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self {
            limiter,
            came: 0,
            live: 0,
        })
    }

    /// Slots of the table.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.limiter.memory_bytes() / SLOT_BYTES
    }

    /// Bytes by live key.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    pub fn bytes_per_key(&self) -> f64 {
        self.limiter.memory_bytes() as f64 / self.live.max(1) as f64
    }

    /// Lets new keys come until so many are live, or as many as would fill the table twice came; tells how many came and
    /// how many of them found no slot.
    pub fn fill_to(&mut self, live: usize) -> (u64, u64) {
        let (before, had) = (self.came, self.live);
        while self.live < live && self.came < 2 * self.slots() as u64 {
            let taken = self
                .limiter
                .try_acquire(&u64::numbered(self.came), Cost::ONE);
            self.live += usize::from(taken.is_ok_and(|decision| decision.is_allowed()));
            self.came += 1;
        }
        let came = self.came - before;
        (came, came - (self.live - had) as u64)
    }
}
