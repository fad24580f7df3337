use super::periods::Periods;
use crate::calendar::Period;
use std::fmt;

/// Names an account across processes: its limit, and the values of the scopes that the limit counts by.
///
/// A limit that changes its unit, its algorithm or its scopes is another one, and its accounts start fresh.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountKey(Box<[u8]>);

impl AccountKey {
    /// The account of `values` under the limit of that name, unit, algorithm and `scopes`, of which there are as many.
    #[must_use]
    pub fn new(limit: &str, unit: &str, algorithm: &str, scopes: &[&str], values: &[&str]) -> Self {
        let count = scopes.len().to_string();
        let parts = [limit, unit, algorithm, &count];
        let parts = parts.iter().chain(scopes).chain(values);
        let mut bytes = Vec::new();
        for part in parts {
            // A part is never as long: a policy file has 4 MiB, and a request is in memory.
            let len = u32::try_from(part.len()).unwrap_or(u32::MAX);
            bytes.extend_from_slice(&len.to_le_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        Self(bytes.into())
    }

    /// The key that has these bytes, if one has.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let key = Self(bytes.into());
        let parts = key.parts()?;
        let scopes: usize = parts.get(3)?.parse().ok()?;
        (parts.len() == scopes.checked_mul(2)?.checked_add(4)?).then_some(key)
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The limit's name.
    #[must_use]
    pub fn limit(&self) -> &str {
        self.part(0)
    }

    /// The limit's unit.
    #[must_use]
    pub fn unit(&self) -> &str {
        self.part(1)
    }

    /// The limit's algorithm, in [its words](super::KeptAlgorithm), or in those of a newer program.
    #[must_use]
    pub fn algorithm(&self) -> &str {
        self.part(2)
    }

    /// The period of a record's stamp, if the account has periods: those of a calendar, or fixed windows.
    #[must_use]
    pub fn period(&self, stamp: i64) -> Option<Period> {
        Periods::of(self.algorithm()).map(|periods| periods.period(stamp))
    }

    /// The scopes and their values.
    #[must_use]
    pub fn scopes(&self) -> Vec<(&str, &str)> {
        let parts = self.parts().unwrap_or_default();
        let rest = parts.get(4..).unwrap_or_default();
        let (names, values) = rest.split_at(rest.len() / 2);
        names.iter().copied().zip(values.iter().copied()).collect()
    }

    fn part(&self, place: usize) -> &str {
        let parts = self.parts().unwrap_or_default();
        parts.get(place).copied().unwrap_or_default()
    }

    fn parts(&self) -> Option<Vec<&str>> {
        let mut parts = Vec::new();
        let mut rest = &*self.0;
        while !rest.is_empty() {
            let (part, after) = split(rest)?;
            parts.push(str::from_utf8(part).ok()?);
            rest = after;
        }
        Some(parts)
    }
}

/// The first part of some, and the others.
fn split(parts: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, after) = parts.split_first_chunk::<4>()?;
    after.split_at_checked(usize::try_from(u32::from_le_bytes(*len)).ok()?)
}

/// The bytes of a key that name its limit, with its unit and its algorithm.
pub(super) fn limit_of(key: &[u8]) -> &[u8] {
    let mut rest = key;
    for _ in 0..3 {
        match split(rest) {
            Some((_, after)) => rest = after,
            None => return key,
        }
    }
    &key[..key.len() - rest.len()]
}

impl fmt::Debug for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountKey")
            .field("limit", &self.limit())
            .field("unit", &self.unit())
            .field("algorithm", &self.algorithm())
            .field("scopes", &self.scopes())
            .finish()
    }
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn key_keeps_its_parts_apart() {
        let key = AccountKey::new("a", "requests", "lifetime", &["x", "y"], &["1:2", ""]);
        assert_eq!(key.limit(), "a");
        assert_eq!((key.unit(), key.algorithm()), ("requests", "lifetime"));
        assert_eq!(key.scopes(), [("x", "1:2"), ("y", "")]);
        assert_eq!(AccountKey::from_bytes(key.bytes()), Some(key.clone()));
        let other = AccountKey::new("a", "requests", "lifetime", &["x", "y"], &["1", "2"]);
        assert_ne!(key, other);
    }

    #[test]
    fn other_bytes_are_no_key() {
        let key = AccountKey::new("a", "requests", "lifetime", &[], &[]);
        let bytes = key.bytes();
        for end in 0..bytes.len() {
            assert_eq!(AccountKey::from_bytes(&bytes[..end]), None, "{end}");
        }
        assert_eq!(AccountKey::from_bytes(&[255; 16]), None);
        assert_eq!(AccountKey::from_bytes(&[bytes, bytes].concat()), None);
    }
}
