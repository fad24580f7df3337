//! Families of models whose names say whose they are, though not which encoding they use.

use crate::image::ImageRule;
use crate::{Basis, Encoding};

/// Tokens to a thousand of `o200k_base` for the same text, before any calibration. The open-weight vendors lie between
/// 1050 and 1150; the upper end leans towards denying.
const CLAUDE_OLDER_PERMILLE: u32 = 1150;
const CLAUDE_NEWER_PERMILLE: u32 = 1450;
const GEMINI_PERMILLE: u32 = 1000;
const OPEN_WEIGHTS_PERMILLE: u32 = 1150;

/// The first generation of Claude with the larger token counts.
const CLAUDE_NEWER: (u32, u32) = (4, 7);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// A name of OpenAI that its table does not have.
    OpenAi(Encoding),
    ClaudeOlder,
    ClaudeNewer,
    /// Claude, but the name has no version that we can read.
    ClaudeUnversioned,
    Gemini,
    /// Llama 3 and later, Mistral, Qwen, DeepSeek.
    OpenWeights,
}

impl Family {
    /// The family of `name`, which is in lower case; `None` if nothing in it tells.
    ///
    /// Clouds put their own words before and after a vendor's (`us.anthropic.claude-3-5-sonnet-20240620-v1:0`), so a
    /// vendor's word counts anywhere in the name.
    pub(crate) fn of(name: &str) -> Option<Self> {
        const OPEN_WEIGHTS: [&str; 11] = [
            "mistral",
            "mixtral",
            "ministral",
            "codestral",
            "magistral",
            "devstral",
            "pixtral",
            "qwen",
            "qwq",
            "qvq",
            "deepseek",
        ];
        if let Some((_, rest)) = name.split_once("claude") {
            return Some(match claude_version(rest) {
                Some(version) if version < CLAUDE_NEWER => Self::ClaudeOlder,
                Some(_) => Self::ClaudeNewer,
                None => Self::ClaudeUnversioned,
            });
        }
        if name.contains("gemini") {
            return Some(Self::Gemini);
        }
        if OPEN_WEIGHTS.iter().any(|word| name.contains(word)) {
            return Some(Self::OpenWeights);
        }
        // The first two Llamas, and what was made from them, have a much smaller vocabulary: no factor is known.
        if let Some((before, rest)) = name.split_once("llama") {
            let newer = !before.ends_with("code") && first_number(rest).is_some_and(|n| n >= 3);
            return newer.then_some(Self::OpenWeights);
        }
        if name.starts_with("text-embedding-") {
            return Some(Self::OpenAi(Encoding::Cl100kBase));
        }
        let o_series = name
            .strip_prefix('o')
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        let prefixes = ["gpt-", "chatgpt-", "codex-"];
        (o_series || prefixes.iter().any(|prefix| name.starts_with(prefix)))
            .then_some(Self::OpenAi(Encoding::O200kBase))
    }

    pub(crate) const fn basis(self) -> Basis {
        let encoding = Encoding::O200kBase;
        let permille = match self {
            Self::OpenAi(encoding) => {
                return Basis::Assumed {
                    encoding,
                    permille: 1000,
                };
            }
            Self::ClaudeUnversioned => {
                return Basis::Assumed {
                    encoding,
                    permille: CLAUDE_NEWER_PERMILLE,
                };
            }
            Self::ClaudeOlder => CLAUDE_OLDER_PERMILLE,
            Self::ClaudeNewer => CLAUDE_NEWER_PERMILLE,
            Self::Gemini => GEMINI_PERMILLE,
            Self::OpenWeights => OPEN_WEIGHTS_PERMILLE,
        };
        Basis::Factor { encoding, permille }
    }

    pub(crate) const fn images(self) -> ImageRule {
        match self {
            Self::ClaudeOlder | Self::ClaudeNewer | Self::ClaudeUnversioned => ImageRule::Area,
            Self::OpenAi(_) | Self::Gemini | Self::OpenWeights => ImageRule::Unpublished,
        }
    }
}

/// The version in what follows `claude`: the first number of at most two digits, and the one right after it if there
/// is one. Longer numbers are dates.
fn claude_version(rest: &str) -> Option<(u32, u32)> {
    let mut words = rest.split(|c: char| !c.is_ascii_alphanumeric());
    let major = words.find_map(version_number)?;
    let minor = words.next().and_then(version_number).unwrap_or(0);
    Some((major, minor))
}

fn version_number(word: &str) -> Option<u32> {
    let digits = word.strip_prefix('v').unwrap_or(word);
    let short = matches!(digits.len(), 1..=2) && digits.bytes().all(|b| b.is_ascii_digit());
    short.then(|| digits.parse().ok()).flatten()
}

/// The number that follows, leaving out a `-`, `v` or `_` before it.
fn first_number(rest: &str) -> Option<u32> {
    let rest = rest.trim_start_matches(['-', '_', 'v']);
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    rest[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claude_generations_are_told_apart() {
        let table = [
            (
                Family::ClaudeOlder,
                "claude-3-5-sonnet-20241022 claude-3-opus-20240229 claude-sonnet-4-20250514 claude-opus-4-1-20250805 \
                 claude-sonnet-4-5-20250929 claude-opus-4-6 claude-2.1 claude-instant-v1 claude-haiku-4-5@20251001 \
                 us.anthropic.claude-3-5-sonnet-20240620-v1:0 anthropic.claude-v2:1 claude-3",
            ),
            (
                Family::ClaudeNewer,
                "claude-opus-4-7 claude-opus-4.7 claude-sonnet-5 claude-opus-4-10-20270101 claude-5-20270101",
            ),
            (
                Family::ClaudeUnversioned,
                "claude claude-latest claude-sonnet-20250514 claude-999 claude-instant",
            ),
        ];
        for (family, names) in table {
            for name in names.split_whitespace() {
                assert_eq!(Family::of(name), Some(family), "{name}");
            }
        }
    }

    #[test]
    fn vendors_are_known_by_their_words() {
        for name in "llama-3.1-70b-instruct meta.llama3-8b-instruct-v1:0 llama-v3p1-405b llama-4-scout \
                     mistral-large-latest open-mixtral-8x22b codestral-2508 qwen2.5-72b-instruct qwq-32b deepseek-chat \
                     deepseek-r1-distill-llama-70b"
            .split_whitespace()
        {
            assert_eq!(Family::of(name), Some(Family::OpenWeights), "{name}");
        }
        assert_eq!(Family::of("gemini-2.5-pro"), Some(Family::Gemini));
    }

    #[test]
    fn no_factor_is_made_up_for_others() {
        for name in "llama-2-70b-chat codellama-34b llama tinyllama-1.1b nova-pro command-r-plus opus o whisper-1"
            .split_whitespace()
        {
            assert_eq!(Family::of(name), None, "{name}");
        }
    }

    #[test]
    fn hostile_names_do_no_harm() {
        for name in [
            "claude-",
            "claude--",
            "llama-99999999999999999999",
            "claudeé9",
            "o",
            "ft",
        ] {
            let _ = Family::of(name);
        }
        assert_eq!(Family::of("claude-99-99"), Some(Family::ClaudeNewer));
    }
}
