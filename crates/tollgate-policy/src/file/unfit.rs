//! Limits that are right by the file's rules and that no meter can represent.

use super::{PolicyErrors, mistakes::Mistakes, syntax};

impl PolicyErrors {
    /// The errors of `unfit` limits, each an index into the limits of `text` and what is wrong, at their headers.
    pub(crate) fn unfit(text: &str, unfit: Vec<(usize, String)>) -> Self {
        let mut mistakes = Mistakes::new();
        let table = syntax::parse(text).unwrap_or_default();
        let limits = table
            .get("limit")
            .and_then(|limits| limits.get_ref().as_array());
        for (index, message) in unfit {
            let at = limits
                .and_then(|limits| limits.get(index))
                .map_or(0, |limit| limit.span().start);
            mistakes.tell(at, message, "choose figures that fit");
        }
        mistakes.into_errors(text)
    }
}
