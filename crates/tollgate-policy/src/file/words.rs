//! The words of messages.

use std::fmt;

use super::mistakes::Mistakes;
use super::number::fmt_millionths;
use super::rule::Unit;
use tollgate_quota::threshold::Share;

/// Most characters of a file's own text that a message repeats.
const QUOTED_CHARS_MAX: usize = 60;

/// An amount as a file would write it.
pub(super) fn amount_text(unit: Unit, amount: u64) -> String {
    if unit != Unit::Usd {
        return amount.to_string();
    }
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = fmt_millionths(amount, &mut text);
    text
}

/// A share as a file would write it.
pub(super) fn share_text(share: Share) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = fmt_millionths(share.as_ppm().into(), &mut text);
    text
}

/// The file's own text in quotes, harmless on a terminal and of bounded length.
pub(super) fn quoted(text: &str, quote: char) -> String {
    format!("{quote}{}{quote}", clipped(text))
}

pub(super) fn clipped(text: &str) -> String {
    let mut chars = text.chars();
    let mut clipped: String = chars
        .by_ref()
        .take(QUOTED_CHARS_MAX)
        .flat_map(char::escape_debug)
        .collect();
    if chars.next().is_some() {
        clipped.push('…');
    }
    clipped
}

/// The remedy for a word that is not among `known`.
pub(super) fn did_you_mean(
    wanted: &str,
    known: &[&str],
    quote: &str,
    lead: &str,
    mistakes: &mut Mistakes,
) -> String {
    let all = format!("{lead} {}", listed(known, quote, "and"));
    match mistakes.nearest(wanted, known.iter().copied()) {
        Some(nearest) => format!("did you mean {quote}{nearest}{quote}? {all}"),
        None => all,
    }
}

/// The words of a choice.
pub(super) fn names_of<T>(names: &[(&'static str, T)]) -> Vec<&'static str> {
    names.iter().map(|(name, _)| *name).collect()
}

/// `a`, `b` and `c`, each in quotes, with the word that joins the last.
pub(super) fn listed(words: &[impl fmt::Display], quote: &str, join: &str) -> String {
    let words: Vec<_> = words
        .iter()
        .map(|word| format!("{quote}{word}{quote}"))
        .collect();
    match words.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} {join} {last}", others.join(", ")),
        None => String::new(),
    }
}
