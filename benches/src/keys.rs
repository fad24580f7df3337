//! Keys, and the order in which they are asked for.

use std::{fmt::Debug, hash::Hash};

/// A kind of key.
pub trait Key: Hash + Eq + Ord + Clone + Debug + Send + Sync + 'static {
    /// As it stands in the names of groups.
    const NAME: &'static str;

    /// The key with this number. Neighbours are far apart.
    fn numbered(number: u64) -> Self;
}

impl Key for u64 {
    const NAME: &'static str = "u64";

    fn numbered(number: u64) -> Self {
        mix(number)
    }
}

impl Key for String {
    const NAME: &'static str = "string24";

    /// 24 bytes.
    fn numbered(number: u64) -> Self {
        format!("agent-{:018x}", mix(number))
    }
}

/// SplitMix64's finisher: one to one.
#[must_use]
pub const fn mix(number: u64) -> u64 {
    let z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Which keys are asked for how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// All alike.
    Uniform,
    /// By rank: the key of rank r as often as `ln(1 + 1/r)`, which is Zipf's law with exponent 1, smoothed within
    /// each rank. Ranks are spread over the keys.
    Zipf,
}

impl Spread {
    /// As it stands in the names of groups.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Zipf => "zipf",
        }
    }

    /// Numbers of `count` keys out of `keys`, in the order in which they are asked for.
    pub fn numbers(self, keys: usize, count: usize, seed: u64) -> impl Iterator<Item = u64> {
        let keys = keys as u64;
        (0..count as u64).map(move |place| {
            let random = mix(seed ^ mix(place));
            match self {
                Self::Uniform => scaled(random, keys),
                Self::Zipf => scaled(mix(rank(random, keys)), keys),
            }
        })
    }
}

/// `random` of 64 bits, as a number below `keys`.
fn scaled(random: u64, keys: u64) -> u64 {
    u64::try_from((u128::from(random) * u128::from(keys)) >> 64).unwrap_or(0)
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rank drawn by inverting a logarithm"
)]
fn rank(random: u64, keys: u64) -> u64 {
    let share = random as f64 / u64::MAX as f64;
    (share * ((keys + 1) as f64).ln()).exp() as u64 - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_distinct_and_strings_have_24_bytes() {
        let keys: std::collections::HashSet<_> = (0..10_000).map(String::numbered).collect();
        assert_eq!(keys.len(), 10_000);
        assert!(keys.iter().all(|key| key.len() == 24));
    }

    #[test]
    fn the_first_rank_gets_its_share() {
        let first = scaled(mix(0), 1_000);
        let numbers: Vec<u64> = Spread::Zipf.numbers(1_000, 100_000, 1).collect();
        assert!(numbers.iter().all(|number| *number < 1_000));
        let hits = numbers.iter().filter(|number| **number == first).count();
        // ln 2 / ln 1001 is 10.0 %, and other ranks may fall on the same key.
        assert!((9_500..11_500).contains(&hits), "{hits}");
    }
}
