//! Decimals of the command line, read exactly.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

const PLACES: u32 = 9;
const ONE: u64 = 10_u64.pow(PLACES);

/// What estimates are multiplied by: above 0, at most 1000, at most 9 decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Factor {
    billionths: u64,
}

impl Factor {
    const LARGEST: u64 = 1000;

    /// `amount` times this, rounded up.
    ///
    /// Amounts of a trace stay below 10^15, and so the product below 10^18.
    #[must_use]
    pub fn apply(self, amount: u64) -> u64 {
        let product = u128::from(amount) * u128::from(self.billionths);
        u64::try_from(product.div_ceil(u128::from(ONE))).unwrap_or(u64::MAX)
    }

    /// Whether this changes nothing.
    #[must_use]
    pub fn is_one(self) -> bool {
        self.billionths == ONE
    }
}

impl FromStr for Factor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match billionths(text) {
            Some(billionths) if billionths > 0 && billionths <= Self::LARGEST * ONE => {
                Ok(Self { billionths })
            }
            _ => Err(format!(
                "a decimal above 0 and up to {} with at most {PLACES} decimals would be right",
                Self::LARGEST
            )),
        }
    }
}

impl fmt::Display for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.billionths / ONE, self.billionths % ONE);
        let part = format!("{part:09}");
        match part.trim_end_matches('0') {
            "" => write!(f, "{whole}"),
            part => write!(f, "{whole}.{part}"),
        }
    }
}

/// Seconds between 0 and a day, to the nanosecond.
///
/// # Errors
/// What would be right.
pub fn seconds(text: &str) -> Result<Duration, String> {
    const DAY: u64 = 86_400;
    match billionths(text) {
        Some(nanos) if nanos <= DAY * ONE => Ok(Duration::from_nanos(nanos)),
        _ => Err(format!(
            "seconds from 0 to {DAY} with at most {PLACES} decimals would be right"
        )),
    }
}

fn billionths(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let places = u32::try_from(part.len()).ok()?;
    if !digits(whole) || !digits(part) || places > PLACES {
        return None;
    }
    let part = part.parse::<u64>().ok()? * 10_u64.pow(PLACES - places);
    whole
        .parse::<u64>()
        .ok()?
        .checked_mul(ONE)?
        .checked_add(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_are_exact_and_round_up() {
        let apply = |factor: &str, amount| factor.parse::<Factor>().map(|f| f.apply(amount));
        assert_eq!(apply("1", 374), Ok(374));
        assert_eq!(apply("2.0", 374), Ok(748));
        assert_eq!(apply("1.1", 10), Ok(11), "in floats 1.1 * 10 is above 11");
        assert_eq!(apply("1.1", 11), Ok(13));
        assert_eq!(apply("0.000000001", 1), Ok(1));
        assert_eq!(apply("0.5", 0), Ok(0));
        assert_eq!(
            apply("1000", 1_000_000_000_000_000),
            Ok(1_000_000_000_000_000_000)
        );
        assert!("1.000".parse::<Factor>().is_ok_and(Factor::is_one));
        assert_eq!(
            "2.50".parse::<Factor>().map(|f| f.to_string()),
            Ok("2.5".into())
        );
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "0",
            "-1",
            "+1",
            "1e3",
            "1.",
            ".5",
            "1.0000000001",
            "1001",
            "NaN",
            "1_0",
        ] {
            assert!(text.parse::<Factor>().is_err(), "{text:?}");
        }
        for text in ["-1", "86400.1", "99999999999999999999", "1s"] {
            assert!(seconds(text).is_err(), "{text:?}");
        }
        assert_eq!(seconds("0.25"), Ok(Duration::from_millis(250)));
        assert_eq!(seconds("86400"), Ok(Duration::from_hours(24)));
    }
}
