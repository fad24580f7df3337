//! pingora-limits: counts of an interval in a sketch; the caller compares.

use crate::{Asks, Entry, Role::Peer, Terms};
use pingora_limits::rate::Rate;

fn max(terms: &Terms) -> isize {
    isize::try_from(terms.capacity).unwrap_or(isize::MAX)
}

/// Peers for a window of the terms' capacity and period.
#[must_use]
pub fn window() -> Vec<Entry<()>> {
    vec![Entry::new("pingora_observe", Peer, |terms| {
        let (rate, max) = (Rate::new(terms.period), max(terms));
        Ok(Box::new(Asks(move |(): &()| {
            rate.observe(&"one", 1) <= max
        })))
    })]
}

pub(super) fn keyed() -> Vec<Entry<String>> {
    vec![Entry::new("pingora_observe", Peer, |terms| {
        let (rate, max) = (Rate::new(terms.period), max(terms));
        Ok(Box::new(Asks(move |key: &String| {
            rate.observe(key, 1) <= max
        })))
    })]
}
