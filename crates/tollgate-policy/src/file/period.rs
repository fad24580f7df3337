//! What `per` may say.

/// Longest period: ten years of 365 days.
pub(super) const PER_DAYS_MAX: u64 = 3_650;

const NS_PER_DAY: u64 = 24 * 60 * 60 * 1_000_000_000;

/// The same in nanoseconds.
pub(super) const PER_NS_MAX: u64 = PER_DAYS_MAX * NS_PER_DAY;

/// A `per`, before it is known whether the algorithm can use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Per {
    /// Nanoseconds, in 1..=[`PER_DAYS_MAX`] days.
    Duration(u64),
    Calendar(Word),
}

/// A period of the calendar, by the word for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Hour,
    Day,
    Week,
    Month,
    Year,
}

/// Why a text is no `per`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Zero,
    TooLong,
    NoPeriod,
}

impl Word {
    const NAMES: [(&'static str, Self); 5] = [
        ("hour", Self::Hour),
        ("day", Self::Day),
        ("week", Self::Week),
        ("month", Self::Month),
        ("year", Self::Year),
    ];

    pub(super) fn name(self) -> &'static str {
        // The names stand in the order of the variants.
        Self::NAMES[self as usize].0
    }
}

/// Reads a whole number with a unit, as in `250ms`, or a word of the calendar.
pub(super) fn parse(text: &str) -> Result<Per, Fault> {
    if let Some((_, word)) = Word::NAMES.iter().find(|(name, _)| *name == text) {
        return Ok(Per::Calendar(*word));
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let ns_per_unit = match unit {
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60 * 1_000_000_000,
        "h" => 60 * 60 * 1_000_000_000,
        "d" => NS_PER_DAY,
        _ => return Err(Fault::NoPeriod),
    };
    if number.is_empty() {
        return Err(Fault::NoPeriod);
    }
    // Only an overflow can fail, as these are digits.
    let number: u64 = number.parse().map_err(|_| Fault::TooLong)?;
    match number.checked_mul(ns_per_unit) {
        Some(0) => Err(Fault::Zero),
        Some(ns) if ns <= PER_NS_MAX => Ok(Per::Duration(ns)),
        _ => Err(Fault::TooLong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_number_with_a_unit() {
        for (text, ns) in [
            ("1ms", 1_000_000),
            ("250ms", 250_000_000),
            ("10s", 10_000_000_000),
            ("5m", 300_000_000_000),
            ("1h", 3_600_000_000_000),
            ("007d", 604_800_000_000_000),
            ("3650d", 315_360_000_000_000_000),
        ] {
            assert_eq!(parse(text), Ok(Per::Duration(ns)), "{text}");
        }
    }

    #[test]
    fn what_is_no_period_says_why() {
        for (text, fault) in [
            ("0s", Fault::Zero),
            ("3651d", Fault::TooLong),
            ("315360000001ms", Fault::TooLong),
            ("99999999999999999999d", Fault::TooLong),
            ("18446744073709551615d", Fault::TooLong),
            ("", Fault::NoPeriod),
            ("5", Fault::NoPeriod),
            ("m", Fault::NoPeriod),
            ("1 m", Fault::NoPeriod),
            ("1.5m", Fault::NoPeriod),
            ("-1s", Fault::NoPeriod),
            ("+1s", Fault::NoPeriod),
            ("1M", Fault::NoPeriod),
            ("1min", Fault::NoPeriod),
            ("٣s", Fault::NoPeriod),
            ("Month", Fault::NoPeriod),
        ] {
            assert_eq!(parse(text), Err(fault), "{text}");
        }
    }
}
