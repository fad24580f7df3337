//! From a model's name to the rules that count for it.

use std::num::NonZeroU32;

use tiktoken_rs::tokenizer::{Tokenizer, get_tokenizer};

use crate::family::Family;
use crate::image::ImageRule;
use crate::{Basis, Encoding};

/// Longer names are not looked into: no vendor has one, and requests come from strangers.
const NAME_BYTES_MAX: usize = 256;

/// What an unknown name is counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fallback {
    Encoding(Encoding),
    Bytes(NonZeroU32),
}

/// The tokens that frame one message of a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Three for a message, one more for a name.
    Current,
    /// Four for a message, one less for a name: `gpt-3.5-turbo-0301` only.
    Turbo0301,
}

impl Framing {
    pub(crate) const fn tokens(self, has_name: bool) -> u64 {
        match (self, has_name) {
            (Self::Current, false) | (Self::Turbo0301, true) => 3,
            (Self::Current, true) | (Self::Turbo0301, false) => 4,
        }
    }
}

/// The rules for one model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Profile {
    pub(crate) basis: Basis,
    pub(crate) framing: Framing,
    pub(crate) images: ImageRule,
    /// Tokens that open one function definition.
    pub(crate) function_init: u64,
}

impl Profile {
    /// Names are compared without regard to ASCII case. A fine-tuned model counts as the one it was made from, and
    /// `vendor/name` as `name`.
    pub(crate) fn of(model: &str, fallback: Fallback) -> Self {
        let lower = match model.len() {
            0..=NAME_BYTES_MAX => model.to_ascii_lowercase(),
            _ => String::new(),
        };
        let name = base_name(&lower);
        let (basis, images) = if let Some(encoding) = encoding_of(name) {
            (Basis::Encoding(encoding), ImageRule::of_openai(name))
        } else {
            match Family::of(name) {
                Some(family) => (family.basis(), family.images()),
                None => (fallback_basis(fallback), ImageRule::Unpublished),
            }
        };
        Self {
            basis: loaded(basis),
            framing: framing_of(name),
            images,
            function_init: function_init(basis),
        }
    }
}

/// Strips the folders of `vendor/name`, and of `ft:name:organization:...` all but the name.
fn base_name(name: &str) -> &str {
    let name = fine_tuned_from(name);
    let name = name.rsplit_once('/').map_or(name, |(_, last)| last);
    fine_tuned_from(name)
}

fn fine_tuned_from(name: &str) -> &str {
    match name.strip_prefix("ft:") {
        Some(rest) => rest.split_once(':').map_or(rest, |(base, _)| base),
        None => name,
    }
}

/// The exact names and prefixes of the vendor's table, then those it has in use beyond the table.
fn encoding_of(name: &str) -> Option<Encoding> {
    if let Some(tokenizer) = get_tokenizer(name) {
        return Some(match tokenizer {
            Tokenizer::O200kBase => Encoding::O200kBase,
            Tokenizer::O200kHarmony => Encoding::O200kHarmony,
            Tokenizer::Cl100kBase => Encoding::Cl100kBase,
            // The editing models have more special tokens, but ordinary text counts the same.
            Tokenizer::P50kBase | Tokenizer::P50kEdit => Encoding::P50kBase,
            Tokenizer::R50kBase | Tokenizer::Gpt2 => Encoding::R50kBase,
        });
    }
    const MORE_PREFIXES: [(&str, Encoding); 3] = [
        ("gpt-3.5", Encoding::Cl100kBase),
        ("gpt-35-", Encoding::Cl100kBase),
        ("code-", Encoding::P50kBase),
    ];
    let more = MORE_PREFIXES
        .iter()
        .find(|(prefix, _)| name.starts_with(prefix));
    more.map(|&(_, encoding)| encoding)
}

fn framing_of(name: &str) -> Framing {
    match name {
        "gpt-3.5-turbo-0301" | "gpt-35-turbo-0301" => Framing::Turbo0301,
        _ => Framing::Current,
    }
}

fn fallback_basis(fallback: Fallback) -> Basis {
    match fallback {
        Fallback::Encoding(encoding) => Basis::Assumed {
            encoding,
            permille: 1000,
        },
        Fallback::Bytes(per_token) => Basis::Bytes { per_token },
    }
}

/// The encodings of gpt-4o and newer open a function with 7 tokens, older ones with 10, which is also the safe guess.
fn function_init(basis: Basis) -> u64 {
    match basis {
        Basis::Encoding(encoding)
        | Basis::Factor { encoding, .. }
        | Basis::Assumed { encoding, .. } => match encoding {
            Encoding::O200kBase | Encoding::O200kHarmony => 7,
            Encoding::Cl100kBase | Encoding::P50kBase | Encoding::R50kBase => 10,
        },
        Basis::Bytes { .. } | Basis::Words => 10,
    }
}

/// The one place where the last resort is chosen.
fn loaded(basis: Basis) -> Basis {
    match basis {
        Basis::Encoding(encoding)
        | Basis::Factor { encoding, .. }
        | Basis::Assumed { encoding, .. }
            if !encoding.is_available() =>
        {
            Basis::Words
        }
        _ => basis,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basis_of(model: &str) -> Basis {
        Profile::of(
            model,
            Fallback::Bytes(const { NonZeroU32::new(3).unwrap() }),
        )
        .basis
    }

    fn assumed(encoding: Encoding) -> Basis {
        Basis::Assumed {
            encoding,
            permille: 1000,
        }
    }

    #[test]
    fn known_names_have_their_own_encoding() {
        let table = [
            (
                Encoding::O200kBase,
                "o1 o3 o4-mini gpt-5 gpt-4.1 gpt-4o o1-mini o3-pro-2025-06-10 o4-mini-high gpt-5.1-codex gpt-4.5-preview \
                 gpt-4.1-nano chatgpt-4o-latest gpt-4o-mini codex-mini-latest",
            ),
            (Encoding::O200kHarmony, "gpt-oss-20b gpt-oss-120b"),
            (
                Encoding::Cl100kBase,
                "gpt-4 gpt-4-0613 gpt-4-turbo gpt-3.5 gpt-3.5-turbo gpt-3.5-turbo-16k gpt-3.5-turbo16k gpt-35-turbo \
                 gpt-35-turbo-0125 gpt-35-chat text-embedding-3-small text-embedding-3-large text-embedding-ada-002 \
                 davinci-002 babbage-002",
            ),
            (
                Encoding::P50kBase,
                "text-davinci-002 text-davinci-003 code-davinci-002 code-cushman-003 text-davinci-edit-001",
            ),
            (
                Encoding::R50kBase,
                "davinci ada text-curie-001 gpt2 gpt-2 code-search-ada-code-001",
            ),
        ];
        for (encoding, names) in table {
            for name in names.split_whitespace() {
                assert_eq!(basis_of(name), Basis::Encoding(encoding), "{name}");
            }
        }
    }

    #[test]
    fn case_vendor_and_fine_tuning_do_not_matter() {
        for name in [
            "GPT-4o",
            "openai/gpt-4o",
            "ft:gpt-4o:org::id",
            "ft:gpt-4o-2024-08-06:my-org:a/b:id",
            "openai/ft:gpt-4o:org",
            "ft:gpt-4o",
        ] {
            assert_eq!(
                basis_of(name),
                Basis::Encoding(Encoding::O200kBase),
                "{name}"
            );
        }
    }

    #[test]
    fn newer_names_of_the_vendor_are_assumed_newest() {
        for name in [
            "gpt-6",
            "gpt-4x",
            "o5",
            "o4",
            "o6-mini",
            "chatgpt-6",
            "codex-2",
        ] {
            assert_eq!(basis_of(name), assumed(Encoding::O200kBase), "{name}");
        }
        assert_eq!(basis_of("text-embedding-4"), assumed(Encoding::Cl100kBase));
    }

    #[test]
    fn strangers_are_counted_by_the_fallback() {
        let bytes = Basis::Bytes {
            per_token: NonZeroU32::new(3).unwrap(),
        };
        let long = "gpt-4o-".repeat(100);
        for name in [
            "",
            "nova-pro",
            "ft:",
            "ft:::",
            "/",
            "オーエーアイ",
            "octo",
            &long,
        ] {
            assert_eq!(basis_of(name), bytes, "{name}");
            let configured = Profile::of(name, Fallback::Encoding(Encoding::Cl100kBase));
            assert_eq!(configured.basis, assumed(Encoding::Cl100kBase), "{name}");
        }
    }

    #[test]
    fn only_one_snapshot_frames_messages_otherwise() {
        let fallback = Fallback::Encoding(Encoding::O200kBase);
        for (name, plain, named) in [
            ("gpt-3.5-turbo-0301", 4, 3),
            ("gpt-35-turbo-0301", 4, 3),
            ("gpt-3.5-turbo-0125", 3, 4),
            ("gpt-4o", 3, 4),
        ] {
            let framing = Profile::of(name, fallback).framing;
            assert_eq!(framing.tokens(false), plain, "{name}");
            assert_eq!(framing.tokens(true), named, "{name}");
        }
    }
}
