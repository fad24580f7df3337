//! What scenarios do to a subject.

use crate::{subjected::Subjected, tiers::Tier};
use tollgate_testkit::{RateLimit, subject::Subject};

/// A millisecond, in nanoseconds.
pub(crate) const MILLI: u64 = 1_000_000;
/// A second, in nanoseconds.
pub(crate) const SECOND: u64 = 1_000_000_000;
/// An hour, in nanoseconds.
pub(crate) const HOUR: u64 = 3_600 * SECOND;
/// A day, in nanoseconds.
pub(crate) const DAY: u64 = 24 * HOUR;

/// Takes one unit after another at `now` until one is denied, or `most` passed. Returns how many did.
pub(crate) fn take_all(subject: &impl Subject, now: u64, most: u64) -> u64 {
    let one = |_: &u64| subject.try_acquire_at(1, now).admitted();
    (0..most).take_while(one).map(|_| 1).sum()
}

/// Runs `hold` on each of `tiers` that can represent `limit`. Returns the others, each with what it said when it was
/// built.
pub(crate) fn each(
    tiers: impl IntoIterator<Item = Tier>,
    limit: RateLimit,
    mut hold: impl FnMut(&Tier, Subjected),
) -> Vec<(&'static str, String)> {
    let mut refused = Vec::new();
    for tier in tiers {
        match tier.build(limit) {
            Ok(subject) => hold(&tier, subject),
            Err(error) => refused.push((tier.name, error)),
        }
    }
    refused
}

/// As [`each`], where every tier can represent `limit`.
pub(crate) fn every(
    tiers: impl IntoIterator<Item = Tier>,
    limit: RateLimit,
    hold: impl FnMut(&Tier, Subjected),
) {
    assert_eq!(each(tiers, limit, hold), []);
}

/// The names of those that refused.
pub(crate) fn names(refused: &[(&'static str, String)]) -> Vec<&'static str> {
    refused.iter().map(|(name, _)| *name).collect()
}
