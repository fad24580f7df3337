//! The names of accounts: the number of a limit and the scope values, as they are stored and as they are looked up.

use super::policy::CompiledLimit;
use crate::{Refusal, Request};
use foldhash::quality::FoldHasher;
// Models are run again and again, and must go through the accounts in one order each time.
#[cfg(any(model_loom, model_shuttle))]
use foldhash::quality::FixedState as State;
#[cfg(not(any(model_loom, model_shuttle)))]
use foldhash::quality::RandomState as State;
use papaya::Equivalent;
use smallvec::SmallVec;
use std::{
    hash::{BuildHasher, BuildHasherDefault, Hash, Hasher},
    sync::Arc,
};

/// Values whose hashes are kept while the limits of one request are looked up.
const KEPT: usize = 8;

/// An account's name: its limit's number, then each scope value behind its length, so that two different lists of
/// values never share a key. Its hash is kept with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    hash: u64,
    bytes: Box<[u8]>,
}

/// A key as a request gives it, which is looked up without being put together.
#[derive(Debug)]
pub(super) struct Wanted<'v, 'a> {
    hash: u64,
    limit: u32,
    values: &'v [&'a str],
}

/// The secret by which values are hashed, so that nobody can choose values of one hash.
#[derive(Debug, Default)]
pub(super) struct Seed(State);

/// A request's values, as its limits are looked up: each hashed once, and those of limits that count by the same scopes,
/// which often follow each other, collected once.
pub(super) struct Scopes<'r, 'a> {
    request: &'r Request<'a>,
    seed: &'r Seed,
    /// By place in the request; 0 is not known yet.
    hashes: [u64; KEPT],
    /// The number of the scopes that the rest is about.
    scopes: usize,
    values: SmallVec<[&'a str; 4]>,
    /// Has taken in all of `values`.
    hasher: FoldHasher<'r>,
}

/// Takes the hash that a key carries.
pub(super) type Carried = BuildHasherDefault<CarriedHash>;

/// See [`Carried`].
#[derive(Debug, Default)]
pub(super) struct CarriedHash(u64);

impl Hasher for CarriedHash {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Keys write one number; anything else would only be slow.
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

impl Seed {
    fn of_value(&self, value: &str) -> u64 {
        let mut hasher = self.0.build_hasher();
        hasher.write(value.as_bytes());
        hasher.finish()
    }

    /// The key of `limit` for `values`.
    pub(super) fn wanted<'v, 'a>(&self, limit: u32, values: &'v [&'a str]) -> Wanted<'v, 'a> {
        let mut hasher = self.0.build_hasher();
        for value in values {
            hasher.write_u64(self.of_value(value));
        }
        Wanted {
            hash: of_limit(hasher, limit),
            limit,
            values,
        }
    }
}

/// The hash of a key of `limit`, whose values `hasher` has taken in.
#[inline]
fn of_limit(mut hasher: FoldHasher<'_>, limit: u32) -> u64 {
    hasher.write_u32(limit);
    hasher.finish()
}

impl<'r, 'a> Scopes<'r, 'a> {
    pub(super) fn new(request: &'r Request<'a>, seed: &'r Seed) -> Self {
        Self {
            request,
            seed,
            hashes: [0; KEPT],
            scopes: usize::MAX,
            values: SmallVec::new(),
            hasher: seed.0.build_hasher(),
        }
    }

    /// The key of `limit` for the request.
    ///
    /// # Errors
    /// [`Refusal::MissingScope`].
    #[inline]
    pub(super) fn wanted(&mut self, limit: &CompiledLimit) -> Result<Wanted<'_, 'a>, Refusal> {
        if self.scopes != limit.scopes {
            self.collect(limit)?;
        }
        Ok(Wanted {
            hash: of_limit(self.hasher.clone(), limit.id),
            limit: limit.id,
            values: &self.values,
        })
    }

    fn collect(&mut self, limit: &CompiledLimit) -> Result<(), Refusal> {
        let seed = self.seed;
        self.values.clear();
        self.hasher = seed.0.build_hasher();
        // Until all are collected.
        self.scopes = usize::MAX;
        for scope in &limit.by {
            let Some((place, value)) = self.request.find(scope) else {
                return Err(Refusal::MissingScope {
                    limit: Arc::clone(&limit.name),
                    scope: Arc::clone(scope),
                });
            };
            let hash = match self.hashes.get_mut(place) {
                Some(&mut hash) if hash != 0 => hash,
                Some(kept) => {
                    *kept = seed.of_value(value);
                    *kept
                }
                None => seed.of_value(value),
            };
            self.hasher.write_u64(hash);
            self.values.push(value);
        }
        self.scopes = limit.scopes;
        Ok(())
    }
}

impl<'a> Wanted<'_, 'a> {
    pub(super) const fn values(&self) -> &[&'a str] {
        self.values
    }

    /// Whether an account of `limit` can bear these values: asked where one is made, so that nobody who finds one pays for it.
    ///
    /// # Errors
    /// [`Refusal::ScopesTooLong`].
    pub(super) fn fits(&self, limit: &CompiledLimit) -> Result<(), Refusal> {
        let lengths = self.values.iter().map(|value| value.len());
        if lengths.clone().fold(0, usize::saturating_add) <= Request::SCOPES_BYTES_MAX {
            return Ok(());
        }
        let longest = limit.by.iter().zip(lengths).max_by_key(|(_, bytes)| *bytes);
        let (scope, bytes) = longest.map_or((Arc::from(""), 0), |(scope, bytes)| {
            (Arc::clone(scope), bytes)
        });
        Err(Refusal::ScopesTooLong {
            limit: Arc::clone(&limit.name),
            scope,
            bytes,
            bytes_max: Request::SCOPES_BYTES_MAX,
        })
    }

    /// The key to store.
    pub(super) fn key(&self) -> Key {
        let mut bytes = Vec::from(self.limit.to_le_bytes());
        for value in self.values {
            // Values longer than 4 GiB do not fit the memory of a request.
            bytes.extend(u32::try_from(value.len()).unwrap_or(u32::MAX).to_le_bytes());
            bytes.extend(value.as_bytes());
        }
        Key {
            hash: self.hash,
            bytes: bytes.into(),
        }
    }
}

impl Key {
    /// Names the account as long as the gate exists.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The limit's number.
    pub(super) fn limit(&self) -> u32 {
        self.bytes
            .first_chunk()
            .map_or(0, |bytes| u32::from_le_bytes(*bytes))
    }

    /// The scope values, in the order of the limit's `by`.
    pub(super) fn values(&self) -> SmallVec<[&str; 4]> {
        let mut rest = self.bytes.get(4..).unwrap_or_default();
        let mut values = SmallVec::new();
        while let Some((value, more)) = next_value(rest) {
            values.push(std::str::from_utf8(value).unwrap_or_default());
            rest = more;
        }
        values
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Hash for Wanted<'_, '_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Equivalent<Key> for Wanted<'_, '_> {
    #[inline]
    fn equivalent(&self, key: &Key) -> bool {
        // Nearly every other key ends here.
        if self.hash != key.hash || self.limit != key.limit() {
            return false;
        }
        let mut rest = key.bytes.get(4..).unwrap_or_default();
        for wanted in self.values {
            match next_value(rest) {
                Some((value, more)) if value == wanted.as_bytes() => rest = more,
                _ => return false,
            }
        }
        rest.is_empty()
    }
}

/// The first value of a key's rest, and what follows it.
#[inline]
fn next_value(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = rest.split_first_chunk()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_different_values_differ() {
        let long = "v".repeat(400);
        let lists: [&[&str]; 8] = [
            &["a", "b"],
            &["ab"],
            &["a:b"],
            &["", "ab"],
            &["ab", ""],
            &["a", "", "b"],
            &["a", &long, "", &long, "z"],
            &[],
        ];
        let seed = Seed::default();
        for (i, one) in lists.iter().enumerate() {
            let wanted = seed.wanted(7, one);
            let key = wanted.key();
            assert_eq!(key.values()[..], **one);
            assert_eq!(key.limit(), 7);
            assert!(wanted.equivalent(&key));
            assert!(!seed.wanted(8, one).equivalent(&key));
            for (j, other) in lists.iter().enumerate() {
                let mut other = seed.wanted(7, other);
                // Even where the hashes are the same.
                other.hash = key.hash;
                assert_eq!(other.equivalent(&key), i == j, "{one:?} {other:?}");
                assert_eq!(other.key() == key, i == j);
            }
        }
    }
}
