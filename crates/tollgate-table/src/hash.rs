//! The hash that keys get unless another is chosen.

use foldhash::{SharedSeed, quality};
use std::{
    fmt,
    hash::{BuildHasher, Hasher},
};

/// A fast hash with a random seed: the default.
///
/// Somebody who chooses keys without knowing the seed cannot make them collide by plan. It is not made to withstand
/// those who can watch the limiter closely for long; [`std::hash::RandomState`] (SipHash) is, at thrice the time for
/// short keys: see [`KeyedLimiterBuilder::hasher`](crate::KeyedLimiterBuilder::hasher).
#[derive(Clone, Debug)]
pub struct FastHash(quality::SeedableRandomState);

/// One run of a [`FastHash`].
#[derive(Clone)]
pub struct FastHasher(quality::FoldHasher<'static>);

impl FastHash {
    /// A hash with a random seed.
    #[must_use]
    pub fn new() -> Self {
        Self(quality::SeedableRandomState::random())
    }

    /// A hash whose values are the same in each process: for tests.
    #[must_use]
    pub fn with_seed(seed: u64) -> Self {
        let state = quality::SeedableRandomState::with_seed(seed, SharedSeed::global_fixed());
        Self(state)
    }
}

impl Default for FastHash {
    fn default() -> Self {
        Self::new()
    }
}

impl BuildHasher for FastHash {
    type Hasher = FastHasher;

    #[inline]
    fn build_hasher(&self) -> FastHasher {
        FastHasher(self.0.build_hasher())
    }
}

impl fmt::Debug for FastHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FastHasher").finish_non_exhaustive()
    }
}

/// Passes on what keys hash themselves by; the rest is made of these.
impl Hasher for FastHasher {
    #[inline]
    fn finish(&self) -> u64 {
        self.0.finish()
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    #[inline]
    fn write_u8(&mut self, number: u8) {
        self.0.write_u8(number);
    }

    #[inline]
    fn write_u16(&mut self, number: u16) {
        self.0.write_u16(number);
    }

    #[inline]
    fn write_u32(&mut self, number: u32) {
        self.0.write_u32(number);
    }

    #[inline]
    fn write_u64(&mut self, number: u64) {
        self.0.write_u64(number);
    }

    #[inline]
    fn write_u128(&mut self, number: u128) {
        self.0.write_u128(number);
    }

    #[inline]
    fn write_usize(&mut self, number: usize) {
        self.0.write_usize(number);
    }
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;
    use std::hash::Hash;

    #[test]
    fn a_seed_fixes_the_hash_and_chance_does_not() {
        let key = "203.0.113.7";
        let fixed = FastHash::with_seed(7).hash_one(key);
        assert_eq!(fixed, FastHash::with_seed(7).hash_one(key));
        assert_ne!(fixed, FastHash::with_seed(8).hash_one(key));
        assert_ne!(FastHash::new().hash_one(key), FastHash::new().hash_one(key));
    }

    /// Keys that differ only in what is given.
    fn apart<K: Hash>(one: K, other: K) {
        let hash = FastHash::with_seed(7);
        assert_ne!(hash.hash_one(one), hash.hash_one(other));
    }

    #[test]
    fn keys_of_every_kind_are_told_apart() {
        apart("203.0.113.7", "203.0.113.8");
        apart([7_u8; 40], [8; 40]);
        apart(7_u8, 8);
        apart(7_u16, 8);
        apart(7_u32, 8);
        apart(7_u64, 8);
        apart(7_u128, 8);
        apart(7_usize, 8);
        apart(1_u128 << 64, 2 << 64);
        apart(("a", "bc"), ("ab", "c"));
    }
}
