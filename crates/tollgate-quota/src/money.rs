//! Money in whole millionths of a dollar: exact text, exact sums, one rounding.

use std::{fmt, str::FromStr};

/// Micro-dollars in a dollar; also the tokens that a [`TokenPrice`] is quoted for.
const MILLION: u64 = 1_000_000;
/// Decimal places of a dollar that are kept.
const PLACES: usize = 6;

/// An amount of money in micro-dollars: millionths of a US dollar, up to some 18 million million dollars.
///
/// No amount is ever a float. Text is read exactly or refused, and a sum that does not fit is `None`.
///
/// ```
/// use tollgate_quota::money::{MicroUsd, MoneyError};
///
/// let budget: MicroUsd = "12.5".parse()?;
/// assert_eq!(budget, MicroUsd(12_500_000));
/// assert_eq!(budget.to_string(), "$12.50");
/// assert_eq!(budget.checked_add(MicroUsd(1)).map(|sum| sum.to_string()).as_deref(), Some("$12.500001"));
/// assert_eq!("0.0000001".parse::<MicroUsd>(), Err(MoneyError::TooManyPlaces { found: 7 }));
/// # Ok::<(), MoneyError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MicroUsd(pub u64);

/// An amount that cannot be read or does not fit, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MoneyError {
    /// No text at all.
    #[error("an amount of money is missing, expected dollars such as 12.50")]
    Empty,
    /// A minus sign.
    #[error("an amount of money cannot be negative")]
    Negative,
    /// A character that is no part of an amount, or a point without digits on both sides.
    #[error(
        "found {found:?} at character {at} of an amount of money, expected plain dollars such as 12.50"
    )]
    Unexpected {
        /// The first character that is wrong.
        found: char,
        /// Its place, counted from 1.
        at: usize,
    },
    /// More places than a micro-dollar has.
    #[error(
        "an amount of money has {found} decimal places, at most 6 are kept: 0.000001 is the least amount"
    )]
    TooManyPlaces {
        /// The places found.
        found: usize,
    },
    /// More than 64 bits of micro-dollars.
    #[error("an amount of money is too large, the largest is {}", MicroUsd::MAX)]
    TooLarge,
}

impl MicroUsd {
    /// No money.
    pub const ZERO: Self = Self(0);
    /// The largest amount.
    pub const MAX: Self = Self(u64::MAX);

    /// `dollars` whole dollars; none if that does not fit.
    #[must_use]
    pub const fn from_dollars(dollars: u64) -> Option<Self> {
        match dollars.checked_mul(MILLION) {
            Some(micros) => Some(Self(micros)),
            None => None,
        }
    }

    /// The micro-dollars.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The sum; none if it does not fit.
    #[must_use]
    pub const fn checked_add(self, more: Self) -> Option<Self> {
        match self.0.checked_add(more.0) {
            Some(micros) => Some(Self(micros)),
            None => None,
        }
    }

    /// The difference; none if `less` is the larger.
    #[must_use]
    pub const fn checked_sub(self, less: Self) -> Option<Self> {
        match self.0.checked_sub(less.0) {
            Some(micros) => Some(Self(micros)),
            None => None,
        }
    }

    /// `times` as much; none if that does not fit.
    #[must_use]
    pub const fn checked_mul(self, times: u64) -> Option<Self> {
        match self.0.checked_mul(times) {
            Some(micros) => Some(Self(micros)),
            None => None,
        }
    }

    /// What tokens of several classes cost: the sum of tokens times price, rounded up to a micro-dollar once, at
    /// the end. Rounding each class by itself would charge up to a micro-dollar a class too much.
    ///
    /// Linear in the number of classes.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`] if the sum does not fit.
    ///
    /// ```
    /// use tollgate_quota::money::{MicroUsd, TokenPrice};
    ///
    /// let input = TokenPrice::per_million("2.50".parse()?);
    /// let output = TokenPrice::per_million("10".parse()?);
    /// let cost = MicroUsd::of_tokens([(1_234, input), (567, output)])?;
    /// assert_eq!(cost.to_string(), "$0.008755");
    /// # Ok::<(), tollgate_quota::money::MoneyError>(())
    /// ```
    pub fn of_tokens(
        classes: impl IntoIterator<Item = (u64, TokenPrice)>,
    ) -> Result<Self, MoneyError> {
        let mut pico_usd: u128 = 0;
        for (tokens, price) in classes {
            // Invariant: a product of two 64-bit numbers fits in 128 bits; only the sum may not.
            let class = u128::from(tokens) * u128::from(price.0.0);
            pico_usd = pico_usd.checked_add(class).ok_or(MoneyError::TooLarge)?;
        }
        let micros = pico_usd.div_ceil(u128::from(MILLION));
        u64::try_from(micros)
            .map(Self)
            .map_err(|_| MoneyError::TooLarge)
    }

    /// The sum of `amounts`; none if it does not fit.
    pub fn checked_sum(amounts: impl IntoIterator<Item = Self>) -> Option<Self> {
        amounts.into_iter().try_fold(Self::ZERO, Self::checked_add)
    }
}

/// What a million tokens of one class cost; in other words, pico-dollars a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenPrice(MicroUsd);

impl TokenPrice {
    /// A price of `amount` for a million tokens, as vendors quote it.
    #[must_use]
    pub const fn per_million(amount: MicroUsd) -> Self {
        Self(amount)
    }

    /// What a million tokens cost.
    #[must_use]
    pub const fn of_million(self) -> MicroUsd {
        self.0
    }
}

impl FromStr for MicroUsd {
    type Err = MoneyError;

    /// Reads dollars: digits, then, if at all, a point and one to six digits. Nothing else: no sign, no currency
    /// mark, no exponent, no separators, no spaces.
    fn from_str(text: &str) -> Result<Self, MoneyError> {
        if text.is_empty() {
            return Err(MoneyError::Empty);
        }
        if text.starts_with('-') {
            return Err(MoneyError::Negative);
        }
        let (whole, places) = match text.split_once('.') {
            Some((whole, places)) => (whole, Some(places)),
            None => (text, None),
        };
        let is_digits =
            |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !is_digits(whole) || !places.is_none_or(is_digits) {
            return Err(first_unexpected(text));
        }
        let places = places.unwrap_or_default();
        if places.len() > PLACES {
            return Err(MoneyError::TooManyPlaces {
                found: places.len(),
            });
        }
        let missing = std::iter::repeat_n(b'0', PLACES - places.len());
        whole
            .bytes()
            .chain(places.bytes())
            .chain(missing)
            .try_fold(0_u64, |micros, digit| {
                micros.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
            })
            .map(Self)
            .ok_or(MoneyError::TooLarge)
    }
}

/// Names the first character of `text` that keeps it from being digits, a point and digits.
///
/// A text that merely ends too soon ("5.") is told by its point.
fn first_unexpected(text: &str) -> MoneyError {
    let mut is_point_seen = false;
    let mut previous = None;
    for (index, found) in text.chars().enumerate() {
        let is_point = found == '.';
        let is_first_point = is_point && !is_point_seen && previous.is_some();
        if !found.is_ascii_digit() && !is_first_point {
            return MoneyError::Unexpected {
                found,
                at: index + 1,
            };
        }
        is_point_seen |= is_point;
        previous = Some(found);
    }
    MoneyError::Unexpected {
        found: previous.unwrap_or('.'),
        at: text.chars().count(),
    }
}

impl fmt::Display for MicroUsd {
    /// Writes `$12.50`, `$12.345678`: at least two places, and as many more as the amount has.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (dollars, micros) = (self.0 / MILLION, self.0 % MILLION);
        let places = format!("{micros:06}");
        let kept = places.trim_end_matches('0').len().max(2);
        f.pad(&format!("${dollars}.{}", &places[..kept]))
    }
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<u64, MoneyError> {
        text.parse().map(MicroUsd::get)
    }

    #[test]
    fn text_is_read_exactly() {
        for (text, micros) in [
            ("0", 0),
            ("000", 0),
            ("0.000001", 1),
            ("0.1", 100_000),
            ("12", 12_000_000),
            ("12.5", 12_500_000),
            ("12.345678", 12_345_678),
            ("007.10", 7_100_000),
            ("18446744073709.551615", u64::MAX),
        ] {
            assert_eq!(read(text), Ok(micros), "{text}");
        }
    }

    #[test]
    fn text_is_refused_by_kind() {
        let unexpected = |found, at| Err(MoneyError::Unexpected { found, at });
        for (text, error) in [
            ("", Err(MoneyError::Empty)),
            ("-1", Err(MoneyError::Negative)),
            ("-", Err(MoneyError::Negative)),
            (".5", unexpected('.', 1)),
            (".", unexpected('.', 1)),
            ("5.", unexpected('.', 2)),
            ("+5", unexpected('+', 1)),
            ("$5", unexpected('$', 1)),
            (" 5", unexpected(' ', 1)),
            ("5 ", unexpected(' ', 2)),
            ("1e3", unexpected('e', 2)),
            ("1,000", unexpected(',', 2)),
            ("1_000", unexpected('_', 2)),
            ("1.2.3", unexpected('.', 4)),
            ("1..3", unexpected('.', 3)),
            ("é", unexpected('é', 1)),
            ("1é.x", unexpected('é', 2)),
            ("١", unexpected('١', 1)),
            ("inf", unexpected('i', 1)),
            ("0.0000001", Err(MoneyError::TooManyPlaces { found: 7 })),
            ("1.0000000", Err(MoneyError::TooManyPlaces { found: 7 })),
            ("18446744073709.551616", Err(MoneyError::TooLarge)),
            ("18446744073710", Err(MoneyError::TooLarge)),
            (
                "99999999999999999999999999999999",
                Err(MoneyError::TooLarge),
            ),
        ] {
            assert_eq!(read(text), error, "{text}");
        }
    }

    #[test]
    fn errors_say_what_would_be_right() {
        assert_eq!(
            read("$5").map_err(|error| error.to_string()),
            Err("found '$' at character 1 of an amount of money, expected plain dollars such as 12.50".to_owned())
        );
        assert_eq!(
            MoneyError::TooLarge.to_string(),
            "an amount of money is too large, the largest is $18446744073709.551615"
        );
    }

    #[test]
    fn display_keeps_two_places_and_no_idle_zeros() {
        for (micros, text) in [
            (0, "$0.00"),
            (1, "$0.000001"),
            (12_500_000, "$12.50"),
            (12_345_000, "$12.345"),
            (12_345_678, "$12.345678"),
            (100_000_000, "$100.00"),
        ] {
            assert_eq!(MicroUsd(micros).to_string(), text);
        }
        assert_eq!(format!("{:>8}", MicroUsd(500_000)), "   $0.50");
    }

    #[test]
    fn arithmetic_that_does_not_fit_is_none() {
        assert_eq!(MicroUsd::MAX.checked_add(MicroUsd(1)), None);
        assert_eq!(MicroUsd(1).checked_sub(MicroUsd(2)), None);
        assert_eq!(MicroUsd(1 << 63).checked_mul(2), None);
        assert_eq!(MicroUsd::from_dollars(u64::MAX), None);
        assert_eq!(MicroUsd::checked_sum([MicroUsd::MAX, MicroUsd(1)]), None);
        assert_eq!(
            MicroUsd::checked_sum([MicroUsd(2), MicroUsd(3)]),
            Some(MicroUsd(5))
        );
    }

    #[test]
    fn cost_is_rounded_up_once() {
        let price = TokenPrice::per_million(MicroUsd(500_000));
        // Two classes of half a micro-dollar each: one in all, not two.
        assert_eq!(
            MicroUsd::of_tokens([(1, price), (1, price)]),
            Ok(MicroUsd(1))
        );
        assert_eq!(
            MicroUsd::of_tokens([(1, price), (1, price), (1, price)]),
            Ok(MicroUsd(2))
        );
        assert_eq!(MicroUsd::of_tokens([]), Ok(MicroUsd::ZERO));
        assert_eq!(MicroUsd::of_tokens([(0, price)]), Ok(MicroUsd::ZERO));
    }

    #[test]
    fn cost_near_the_ends_neither_wraps_nor_panics() {
        let most = TokenPrice::per_million(MicroUsd::MAX);
        assert_eq!(MicroUsd::of_tokens([(1_000_000, most)]), Ok(MicroUsd::MAX));
        assert_eq!(
            MicroUsd::of_tokens([(1_000_001, most)]),
            Err(MoneyError::TooLarge)
        );
        assert_eq!(
            MicroUsd::of_tokens([(u64::MAX, most), (u64::MAX, most)]),
            Err(MoneyError::TooLarge)
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(micros: u64) {
            let text = MicroUsd(micros).to_string();
            prop_assert_eq!(text.strip_prefix('$').map(read), Some(Ok(micros)));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[-+$0-9.,e ]{0,24}") {
            if let Ok(micros) = read(&text) {
                // Read in another way: dollars and micro-dollars apart.
                let (whole, places) = text.split_once('.').unwrap_or((&text, "0"));
                let dollars: u128 = whole.parse().unwrap();
                let fraction: u128 = format!("{places:0<6}").parse().unwrap();
                prop_assert_eq!(u128::from(micros), dollars * 1_000_000 + fraction);
            }
        }

        /// The least whole number of micro-dollars that covers the exact sum.
        #[test]
        fn cost_is_the_least_that_covers(classes in prop::collection::vec((0_u64..1 << 40, 0_u64..1 << 20), 0..6)) {
            let cost = MicroUsd::of_tokens(classes.iter().map(|&(tokens, price)| {
                (tokens, TokenPrice::per_million(MicroUsd(price)))
            }));
            let exact: u128 = classes.iter().map(|&(tokens, price)| u128::from(tokens) * u128::from(price)).sum();
            let micros = u128::from(cost.unwrap().get());
            prop_assert!(micros * 1_000_000 >= exact);
            prop_assert!(micros == 0 || (micros - 1) * 1_000_000 < exact);
        }
    }
}
