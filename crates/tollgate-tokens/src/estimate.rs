//! The answer: a count, and how it was reached.

use std::fmt;
use std::num::NonZeroU32;

use crate::Encoding;

/// How the text of an estimate was counted, from the best to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Basis {
    /// The model's own encoding: text is counted exactly.
    Encoding(Encoding),
    /// A known model whose vendor publishes no encoding: the tokens of `encoding`, times `permille` / 1000.
    Factor {
        /// The encoding that stands in.
        encoding: Encoding,
        /// Tokens of the model to a thousand tokens of `encoding`.
        permille: u32,
    },
    /// The mark *assumed*: the name is not known, and the newest encoding of what looks like its family, or the
    /// configured default, stands in; times `permille` / 1000.
    Assumed {
        /// The encoding that stands in.
        encoding: Encoding,
        /// Tokens of the model to a thousand tokens of `encoding`.
        permille: u32,
    },
    /// The mark *assumed*, with no family to go by: UTF-8 bytes divided by `per_token`.
    Bytes {
        /// Bytes taken for one token.
        per_token: NonZeroU32,
    },
    /// The last resort, words times 1.3: the vocabulary of the model's encoding could not be loaded.
    Words,
}

impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Encoding(encoding) => f.write_str(encoding.name()),
            Self::Factor { encoding, permille } => write_factor(f, encoding, permille),
            Self::Assumed { encoding, permille } => {
                f.write_str("assumed ")?;
                write_factor(f, encoding, permille)
            }
            Self::Bytes { per_token } => write!(f, "assumed bytes / {per_token}"),
            Self::Words => f.write_str("last resort: words x 1.3"),
        }
    }
}

fn write_factor(f: &mut fmt::Formatter<'_>, encoding: Encoding, permille: u32) -> fmt::Result {
    if permille == 1000 {
        return f.write_str(encoding.name());
    }
    let decimals = format!("{:03}", permille % 1000);
    let decimals = decimals.trim_end_matches('0');
    let point = if decimals.is_empty() { "" } else { "." };
    write!(f, "{encoding} x {}{point}{decimals}", permille / 1000)
}

/// Tokens, and how they were counted.
///
/// `Display` says both, for a log or a person: `1110 tokens (o200k_base; 1105 guessed)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use]
pub struct Estimate {
    tokens: u64,
    guessed: u64,
    basis: Basis,
}

impl Estimate {
    pub(crate) const fn new(tokens: u64, guessed: u64, basis: Basis) -> Self {
        Self {
            tokens,
            guessed,
            basis,
        }
    }

    /// The tokens, all in all.
    #[must_use]
    pub const fn tokens(&self) -> u64 {
        self.tokens
    }

    /// How many of the tokens come from constants, not from counting or a published rule: images of unknown size,
    /// audio, files.
    #[must_use]
    pub const fn guessed(&self) -> u64 {
        self.guessed
    }

    /// How the text was counted.
    #[must_use]
    pub const fn basis(&self) -> Basis {
        self.basis
    }

    /// Whether the model's name was not known, so that its text was counted by an assumption.
    #[must_use]
    pub const fn is_assumed(&self) -> bool {
        matches!(self.basis, Basis::Assumed { .. } | Basis::Bytes { .. })
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = if self.tokens == 1 { "" } else { "s" };
        write!(f, "{} token{s} ({}", self.tokens, self.basis)?;
        if self.guessed > 0 {
            write!(f, "; {} guessed", self.guessed)?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_tells_how_the_count_was_reached() {
        let encoding = Encoding::O200kBase;
        let show = |basis| Estimate::new(9, 0, basis).to_string();
        assert_eq!(show(Basis::Encoding(encoding)), "9 tokens (o200k_base)");
        let factor = |permille| Basis::Factor { encoding, permille };
        assert_eq!(show(factor(1150)), "9 tokens (o200k_base x 1.15)");
        assert_eq!(show(factor(2000)), "9 tokens (o200k_base x 2)");
        assert_eq!(show(factor(1005)), "9 tokens (o200k_base x 1.005)");
        let assumed = |permille| Basis::Assumed { encoding, permille };
        assert_eq!(show(assumed(1000)), "9 tokens (assumed o200k_base)");
        assert_eq!(show(assumed(1450)), "9 tokens (assumed o200k_base x 1.45)");
        let per_token = NonZeroU32::new(3).unwrap();
        assert_eq!(
            show(Basis::Bytes { per_token }),
            "9 tokens (assumed bytes / 3)"
        );
        assert_eq!(show(Basis::Words), "9 tokens (last resort: words x 1.3)");
        assert_eq!(
            Estimate::new(1, 1, Basis::Encoding(encoding)).to_string(),
            "1 token (o200k_base; 1 guessed)"
        );
    }
}
