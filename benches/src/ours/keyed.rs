//! Limits by key.

use crate::{Entry, keys::Key};

/// Our rows for keys.
#[must_use]
pub fn keyed<K: Key>() -> Vec<Entry<K>> {
    Vec::new()
}
