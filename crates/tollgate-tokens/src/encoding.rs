//! The vendor's encodings: counting text exactly, in linear time.
//!
//! All of them are counted by the one algorithm of `bpe-openai`, which follows a backtracking encoder over an
//! automaton: linear in the text, whatever the text is. `tiktoken-rs` panics on a megabyte of spaces and slows
//! down on runs of one letter, so it serves here as a source of vocabularies and in the tests as the reference.

use std::fmt;
use std::sync::LazyLock;

use bpe_openai::Tokenizer;
use bpe_openai::byte_pair_encoding::BytePairEncoding;
use tiktoken_rs::CoreBPE;

use crate::last_resort;

/// How a model cuts text into tokens.
///
/// Text is always counted as ordinary text: `<|endoftext|>` written by a user is seven tokens, never a control token.
///
/// ```
/// use tollgate_tokens::Encoding;
///
/// assert_eq!(Encoding::O200kBase.count("hello world"), 2);
/// assert_eq!(Encoding::O200kBase.count("<|endoftext|>"), 7);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Encoding {
    /// `o200k_base`: gpt-4o, gpt-4.1, gpt-5 and the o series.
    O200kBase,
    /// `o200k_harmony`: gpt-oss. Ordinary text counts as in [`Encoding::O200kBase`].
    O200kHarmony,
    /// `cl100k_base`: gpt-4, gpt-3.5 and the text-embedding models.
    Cl100kBase,
    /// `p50k_base`: text-davinci-002, text-davinci-003 and the old code models.
    P50kBase,
    /// `r50k_base`: the older GPT-3 models and gpt2.
    R50kBase,
}

impl Encoding {
    /// Every encoding, newest first.
    pub const ALL: [Self; 5] = [
        Self::O200kBase,
        Self::O200kHarmony,
        Self::Cl100kBase,
        Self::P50kBase,
        Self::R50kBase,
    ];

    /// The vendor's name of the encoding, such as `o200k_base`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::O200kBase => "o200k_base",
            Self::O200kHarmony => "o200k_harmony",
            Self::Cl100kBase => "cl100k_base",
            Self::P50kBase => "p50k_base",
            Self::R50kBase => "r50k_base",
        }
    }

    /// Counts the tokens of `text`. No special token is recognised in it.
    ///
    /// Linear in the length of `text`, whatever it is; the slowest text known, nothing but spaces in `p50k_base`, costs
    /// some thirty times as much as prose. A large text is better counted off an async worker, and its length in bytes
    /// is an upper bound of the count that costs nothing. The first call for an encoding loads it; see
    /// [`Encoding::warm_up`].
    #[must_use]
    pub fn count(self, text: &str) -> u64 {
        match self.tokenizer() {
            Some(tokenizer) => tokenizer.count(text) as u64,
            None => last_resort::count(text),
        }
    }

    /// Loads the encoding now, rather than at the first count, which would take a noticeable part of a second longer. A
    /// loaded encoding stays in memory.
    pub fn warm_up(self) {
        self.is_available();
    }

    /// Whether the vocabulary could be loaded. It is embedded in the program, so this is false only if a dependency
    /// changed its data; then counting falls back to the last resort instead of failing.
    pub(crate) fn is_available(self) -> bool {
        self.tokenizer().is_some()
    }

    fn tokenizer(self) -> Option<&'static Tokenizer> {
        match self {
            Self::O200kBase | Self::O200kHarmony => Some(bpe_openai::o200k_base()),
            Self::Cl100kBase => Some(bpe_openai::cl100k_base()),
            Self::P50kBase => P50K.as_ref(),
            Self::R50kBase => R50K.as_ref(),
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Loads every encoding ahead of need, so that no request pays for it.
///
/// Programs that serve a few models call [`Encoding::warm_up`] for their encodings instead.
pub fn warm_up() {
    for encoding in Encoding::ALL {
        encoding.warm_up();
    }
}

/// One past the highest rank of either vocabulary, and the rank within both that is a control token.
const R50K_RANKS: u32 = 50_257;
const P50K_RANKS: u32 = 50_281;
const END_OF_TEXT: u32 = 50_256;

// The split of these two encodings before merging. The vendor writes `\s+(?!\S)` for "blanks up to the last one";
// a pattern without look-ahead stays linear, so the second pattern matches one blank more and gives it back.
const OLDER_SPLIT: [(&str, bool); 3] = [
    (
        r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+$",
        false,
    ),
    (r"\s+\s", true),
    (r"\s+", false),
];

// The encoder looks tokens up by a 32-bit hash that must be free of clashes within a vocabulary. This factor, which
// `bpe-openai` uses for its own vocabularies, serves both of ours; the tests load both.
const HASH_FACTOR: u64 = 17_846_336_922_010_275_747;

static P50K: LazyLock<Option<Tokenizer>> = LazyLock::new(|| {
    let vocabulary = tiktoken_rs::p50k_base().ok()?;
    older_tokenizer(&vocabulary, P50K_RANKS)
});

static R50K: LazyLock<Option<Tokenizer>> = LazyLock::new(|| {
    let vocabulary = tiktoken_rs::r50k_base().ok()?;
    older_tokenizer(&vocabulary, R50K_RANKS)
});

/// Builds the linear-time tokenizer from the ordinary tokens of `vocabulary` below `ranks`, in order of rank. Leaving
/// one out shifts those above it, but only their order decides which merge comes first.
fn older_tokenizer(vocabulary: &CoreBPE, ranks: u32) -> Option<Tokenizer> {
    let tokens: Vec<Vec<u8>> = (0..ranks)
        .filter(|&rank| rank != END_OF_TEXT)
        .map(|rank| vocabulary.decode_bytes(&[rank]))
        .collect::<Result<_, _>>()
        .ok()?;
    let merges = BytePairEncoding::from_dictionary(tokens, Some(HASH_FACTOR));
    Tokenizer::new_lookahead(merges, &OLDER_SPLIT, false).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_vocabulary_loads() {
        for encoding in Encoding::ALL {
            assert!(encoding.is_available(), "{encoding} did not load");
        }
    }

    #[test]
    fn a_rank_that_does_not_exist_is_no_panic() {
        let vocabulary = tiktoken_rs::r50k_base().unwrap();
        assert!(older_tokenizer(&vocabulary, 60_000).is_none());
    }
}
