//! What limits count, in words.

use tollgate_policy::Unit;

use crate::figures;

/// All there are.
pub(crate) const ALL: [Unit; 5] = [
    Unit::Requests,
    Unit::Tokens,
    Unit::InputTokens,
    Unit::OutputTokens,
    Unit::Usd,
];

/// The unit's name in a policy file.
pub(crate) fn name(unit: Unit) -> &'static str {
    match unit {
        Unit::Requests => "requests",
        Unit::Tokens => "tokens",
        Unit::InputTokens => "input_tokens",
        Unit::OutputTokens => "output_tokens",
        Unit::Usd => "usd",
    }
}

/// An amount for people; without the unit's name, but for dollars.
pub(crate) fn amount(unit: Unit, units: u128) -> String {
    match unit {
        Unit::Usd => figures::dollars(units),
        _ => figures::grouped(units),
    }
}

/// An amount for people, with the unit's name.
pub(crate) fn amount_of(unit: Unit, units: u128) -> String {
    match unit {
        Unit::Usd => figures::dollars(units),
        _ => format!(
            "{} {}",
            figures::grouped(units),
            name(unit).replace('_', " ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_need_no_name() {
        assert_eq!(amount_of(Unit::InputTokens, 1_000), "1,000 input tokens");
        assert_eq!(amount(Unit::InputTokens, 1_000), "1,000");
        assert_eq!(amount_of(Unit::Usd, 1_500_000), "$1.50");
        assert_eq!(amount(Unit::Usd, 1_500_000), "$1.50");
    }
}
