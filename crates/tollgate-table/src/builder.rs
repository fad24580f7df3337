use crate::{
    Class, FastHash, KeyedLimiter, Overflow,
    class::Rule,
    error::TableError,
    lines::{LINE_BYTES, SLOTS},
    planted::Flaw,
    table::{Table, shared_per_line},
};
use std::{
    fmt,
    hash::{BuildHasher, Hash},
    marker::PhantomData,
};
use tollgate_core::{Clock, QuantaClock};

/// Builds a [`KeyedLimiter`].
///
/// ```
/// use tollgate_core::Limit;
/// use tollgate_table::{KeyedLimiter, Overflow};
///
/// let limiter = KeyedLimiter::<u64>::builder(Limit::per_second(10))
///     .class(Limit::per_second(100))
///     .max_keys(10_000)
///     .overflow(Overflow::SharedCell)
///     .hasher(std::hash::RandomState::new())
///     .build()?;
/// assert_eq!(limiter.class_count(), 2);
/// # Ok::<(), tollgate_table::TableError>(())
/// ```
#[must_use]
pub struct KeyedLimiterBuilder<K: ?Sized, S = FastHash> {
    classes: Vec<Class>,
    size: Option<Size>,
    overflow: Overflow,
    hasher: S,
    flaw: Option<Flaw>,
    keys: PhantomData<fn(&K)>,
}

#[derive(Clone, Copy, Debug)]
enum Size {
    Keys(usize),
    Bytes(usize),
}

impl<K: Hash + ?Sized> KeyedLimiterBuilder<K> {
    pub(crate) fn new(class: Class) -> Self {
        Self {
            classes: vec![class],
            size: None,
            overflow: Overflow::default(),
            hasher: FastHash::new(),
            flaw: None,
            keys: PhantomData,
        }
    }

    /// Makes hashes the same in each process: for tests.
    pub fn seed(mut self, seed: u64) -> Self {
        self.hasher = FastHash::with_seed(seed);
        self
    }
}

impl<K: Hash + ?Sized, S: BuildHasher> KeyedLimiterBuilder<K, S> {
    /// Adds a class. Classes are numbered in the order in which they were given, the builder's first being number 0.
    /// There may be 65,536.
    pub fn class(mut self, class: impl Into<Class>) -> Self {
        self.classes.push(class.into());
        self
    }

    /// Room for so many keys in use at once, five slots being made for each three: among ever more keys up to
    /// that many, less than one in a million finds no slot. A key under two limits counts twice.
    pub const fn max_keys(mut self, keys: usize) -> Self {
        self.size = Some(Size::Keys(keys));
        self
    }

    /// At most so many bytes, but never less than one line of 64 bytes. A slot is 16 bytes, and a quarter more under
    /// [`Overflow::SharedCell`] (an eighth if no class has two limits).
    pub const fn memory_bytes(mut self, bytes: usize) -> Self {
        self.size = Some(Size::Bytes(bytes));
        self
    }

    /// What becomes of a new key for which there is no slot; [`Overflow::Deny`] if this is not called.
    pub const fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    /// Another hash: [`std::hash::RandomState`], say. It must be seeded if strangers choose the keys, and spread all keys
    /// evenly over all 64 bits.
    pub fn hasher<T: BuildHasher>(self, hasher: T) -> KeyedLimiterBuilder<K, T> {
        KeyedLimiterBuilder {
            classes: self.classes,
            size: self.size,
            overflow: self.overflow,
            hasher,
            flaw: self.flaw,
            keys: PhantomData,
        }
    }

    /// Leaves a step out, so that a model can show that it is missed.
    #[cfg(model_loom)]
    #[doc(hidden)]
    pub fn planted(mut self, flaw: Flaw) -> Self {
        self.flaw = Some(flaw);
        self
    }

    /// The limiter, on a clock of its own. All memory is taken here and written once, which takes about 0.1 s for
    /// a quarter of a gigabyte.
    ///
    /// # Errors
    /// [`TableError`], by name.
    pub fn build(self) -> Result<KeyedLimiter<K, QuantaClock, S>, TableError> {
        self.build_with_clock(QuantaClock::new())
    }

    /// The limiter, on this clock: a [`CoarseClock`](tollgate_core::CoarseClock), say, which costs a load to read.
    ///
    /// # Errors
    /// As [`Self::build`].
    pub fn build_with_clock<C: Clock>(self, clock: C) -> Result<KeyedLimiter<K, C, S>, TableError> {
        let rules = Rule::of_all(self.classes)?;
        let limits = rules.iter().map(Rule::limits).max().unwrap_or(1);
        let shared_bytes = 8 * shared_per_line(limits, self.overflow);
        let lines = match self.size {
            // Three slots of five in use.
            Some(Size::Keys(keys @ 1..)) => (keys.div_ceil(3).saturating_mul(5)).div_ceil(SLOTS),
            Some(Size::Bytes(bytes @ 1..)) => (bytes / (LINE_BYTES + shared_bytes)).max(1),
            _ => return Err(TableError::NoSize),
        };
        let table = Table::new(lines, limits, self.overflow, self.flaw)
            .map_err(|source| TableError::Memory { lines, source })?;
        Ok(KeyedLimiter::new(table, rules, self.hasher, clock))
    }
}

impl<K: ?Sized, S> fmt::Debug for KeyedLimiterBuilder<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedLimiterBuilder")
            .field("classes", &self.classes)
            .field("size", &self.size)
            .field("overflow", &self.overflow)
            .finish_non_exhaustive()
    }
}
