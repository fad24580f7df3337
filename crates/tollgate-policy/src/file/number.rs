//! Numbers of a policy file, read from their text: no amount ever passes through a float.

use std::fmt;

use toml::de::DeInteger;

/// Largest amount of any unit: what a TOML integer of 64 bits holds.
pub(super) const AMOUNT_MAX: u64 = i64::MAX as u64;

/// Decimal places of a usd amount and of a share.
const PLACES: usize = 6;

/// Millionths in one.
const ONE: u64 = 1_000_000;

/// Why a text is no amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is below 0.
    Negative,
    /// It is above [`AMOUNT_MAX`].
    TooLarge,
    /// It has an exponent.
    Exponent,
    /// It has this many decimal places.
    Places(usize),
    /// It is no decimal number at all.
    NoNumber,
}

/// The value of a TOML integer, in any of its bases.
pub(super) fn integer(integer: &DeInteger<'_>) -> Result<u64, Fault> {
    let digits = integer.as_str();
    match i128::from_str_radix(digits, integer.radix()) {
        Ok(value) => match u64::try_from(value) {
            Ok(value) if value <= AMOUNT_MAX => Ok(value),
            _ if value < 0 => Err(Fault::Negative),
            _ => Err(Fault::TooLarge),
        },
        // The parser let only digits through, so what fails here is too long for any integer.
        Err(_) if digits.starts_with('-') => Err(Fault::Negative),
        Err(_) => Err(Fault::TooLarge),
    }
}

/// The value of a decimal number, in millionths. Underscores may stand between digits.
pub(super) fn millionths(text: &str) -> Result<u64, Fault> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if let Some((mantissa, exponent)) = digits.split_once(['e', 'E']) {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        let number =
            millionths_of(mantissa) != Err(Fault::NoNumber) && only_digits(exponent).is_some();
        return Err(if number {
            Fault::Exponent
        } else {
            Fault::NoNumber
        });
    }
    match millionths_of(digits)? {
        1.. if negative => Err(Fault::Negative),
        value => Ok(value),
    }
}

fn millionths_of(text: &str) -> Result<u64, Fault> {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, only_digits(fraction).ok_or(Fault::NoNumber)?),
        None => (text, String::new()),
    };
    let whole = only_digits(whole).ok_or(Fault::NoNumber)?;
    if fraction.len() > PLACES {
        return Err(Fault::Places(fraction.len()));
    }
    // Only an overflow can fail, as both are digits and the second at most six of them.
    let whole: u64 = whole.parse().map_err(|_| Fault::TooLarge)?;
    let fraction: u64 = format!("{fraction:0<PLACES$}")
        .parse()
        .map_err(|_| Fault::TooLarge)?;
    whole
        .checked_mul(ONE)
        .and_then(|millionths| millionths.checked_add(fraction))
        .filter(|millionths| *millionths <= AMOUNT_MAX)
        .ok_or(Fault::TooLarge)
}

/// The digits of `text` without the underscores between them, if it is nothing but that.
fn only_digits(text: &str) -> Option<String> {
    let well_formed = text
        .split('_')
        .all(|run| !run.is_empty() && run.bytes().all(|byte| byte.is_ascii_digit()));
    well_formed.then(|| text.replace('_', ""))
}

/// Writes millionths as a decimal number without idle zeros.
pub(super) fn fmt_millionths(millionths: u64, f: &mut impl fmt::Write) -> fmt::Result {
    let (whole, fraction) = (millionths / ONE, millionths % ONE);
    if fraction == 0 {
        write!(f, "{whole}")
    } else {
        let fraction = format!("{fraction:0PLACES$}");
        write!(f, "{whole}.{}", fraction.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decimals_are_exact() {
        for (text, expected) in [
            ("0", 0),
            ("-0.0", 0),
            ("+1", 1_000_000),
            ("0.000001", 1),
            ("0.1", 100_000),
            ("1_000.50", 1_000_500_000),
            ("12.345678", 12_345_678),
            ("9007199254.740993", 9_007_199_254_740_993),
            ("9223372036854.775807", AMOUNT_MAX),
        ] {
            assert_eq!(millionths(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_amount_says_why() {
        for (text, expected) in [
            ("-0.000001", Fault::Negative),
            ("9223372036854.775808", Fault::TooLarge),
            ("18446744073709.551616", Fault::TooLarge),
            ("99999999999999999999999999", Fault::TooLarge),
            ("1e3", Fault::Exponent),
            ("1.5E-3", Fault::Exponent),
            ("0.1234567", Fault::Places(7)),
            ("1.0000000", Fault::Places(7)),
            ("", Fault::NoNumber),
            (".", Fault::NoNumber),
            (".5", Fault::NoNumber),
            ("5.", Fault::NoNumber),
            ("1__0", Fault::NoNumber),
            ("_1", Fault::NoNumber),
            ("1._5", Fault::NoNumber),
            ("1.2.3", Fault::NoNumber),
            ("--1", Fault::NoNumber),
            ("$5", Fault::NoNumber),
            ("٣", Fault::NoNumber),
            ("e", Fault::NoNumber),
            ("1e", Fault::NoNumber),
            ("free", Fault::NoNumber),
            ("inf", Fault::NoNumber),
        ] {
            assert_eq!(millionths(text), Err(expected), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(amount in 0..=AMOUNT_MAX) {
            let mut text = String::new();
            fmt_millionths(amount, &mut text).unwrap();
            prop_assert_eq!(millionths(&text), Ok(amount));
        }
    }
}
