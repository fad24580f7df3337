//! Everybody else, each as its documentation says to use it.

mod governor;
mod leaky_bucket;
mod limitador;
mod maps;
mod pingora;
mod ratelimit;
mod semaphore;
mod throttlecrab;
mod trials;

pub use pingora::window;
pub use trials::trials;

use crate::{Entry, keys::Key};

/// Peers for one limit.
#[must_use]
pub fn one_limit() -> Vec<Entry<()>> {
    [
        governor::one_limit(),
        ratelimit::one_limit(),
        leaky_bucket::one_limit(),
        semaphore::one_limit(),
        throttlecrab::one_limit(),
        limitador::one_limit(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Peers for keys of any kind.
#[must_use]
pub fn keyed<K: Key>() -> Vec<Entry<K>> {
    [governor::keyed(), maps::keyed()]
        .into_iter()
        .flatten()
        .collect()
}

/// Peers whose keys are text.
#[must_use]
pub fn keyed_by_text() -> Vec<Entry<String>> {
    [throttlecrab::keyed(), limitador::keyed(), pingora::keyed()]
        .into_iter()
        .flatten()
        .collect()
}
