//! Adding up one estimate.

use crate::{Basis, Encoding, Estimate, last_resort};

/// Text, framing and guesses, summed apart, because a factor applies to text only and is rounded up once.
#[derive(Debug)]
pub(crate) struct Tally {
    basis: Basis,
    /// Tokens of the encoding, bytes or words times 1.3, as the basis has it.
    text: u64,
    framing: u64,
    guessed: u64,
}

impl Tally {
    pub(crate) const fn new(basis: Basis) -> Self {
        Self {
            basis,
            text: 0,
            framing: 0,
            guessed: 0,
        }
    }

    pub(crate) fn text(&mut self, text: &str) {
        let units = match self.basis {
            Basis::Encoding(encoding)
            | Basis::Factor { encoding, .. }
            | Basis::Assumed { encoding, .. } => Encoding::count(encoding, text),
            Basis::Bytes { .. } => text.len() as u64,
            Basis::Words => last_resort::count(text),
        };
        self.text = self.text.saturating_add(units);
    }

    /// Tokens that a published rule adds, whatever the text.
    pub(crate) const fn framing(&mut self, tokens: u64) {
        self.framing = self.framing.saturating_add(tokens);
    }

    /// Tokens by a constant of ours.
    pub(crate) const fn guess(&mut self, tokens: u64) {
        self.guessed = self.guessed.saturating_add(tokens);
    }

    pub(crate) const fn finish(self) -> Estimate {
        let text = match self.basis {
            Basis::Encoding(_) | Basis::Words => self.text,
            Basis::Factor { permille, .. } | Basis::Assumed { permille, .. } => {
                self.text.saturating_mul(permille as u64).div_ceil(1000)
            }
            Basis::Bytes { per_token } => self.text.div_ceil(per_token.get() as u64),
        };
        let tokens = text
            .saturating_add(self.framing)
            .saturating_add(self.guessed);
        Estimate::new(tokens, self.guessed, self.basis)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn tokens(basis: Basis, texts: &[&str]) -> u64 {
        let mut tally = Tally::new(basis);
        texts.iter().for_each(|text| tally.text(text));
        tally.framing(10);
        tally.guess(100);
        let estimate = tally.finish();
        assert_eq!(estimate.guessed(), 100);
        estimate.tokens() - 110
    }

    #[test]
    fn only_text_is_scaled_and_is_rounded_once() {
        let encoding = Encoding::O200kBase;
        let factor = |permille| Basis::Factor { encoding, permille };
        assert_eq!(tokens(Basis::Encoding(encoding), &["one", "two"]), 2);
        assert_eq!(tokens(factor(1450), &["one", "two"]), 3);
        assert_eq!(tokens(factor(1500), &["one", "two"]), 3);
        assert_eq!(tokens(factor(u32::MAX), &["one"]), 4_294_968);
        let per_token = NonZeroU32::new(3).unwrap();
        assert_eq!(tokens(Basis::Bytes { per_token }, &["four", "byte"]), 3);
        assert_eq!(tokens(Basis::Words, &["one two", "three"]), 5);
    }

    #[test]
    fn sums_saturate() {
        let mut tally = Tally::new(Basis::Words);
        tally.framing(u64::MAX);
        tally.guess(u64::MAX);
        tally.framing(1);
        assert_eq!(tally.finish().tokens(), u64::MAX);
    }
}
