//! A backstop: should a file be read without a mistake and a limit still not be ready for work, that is told at its
//! header. Every reason known so far is found while the file is read, and told at its key.

use super::{PolicyErrors, mistakes::Mistakes, syntax};

impl PolicyErrors {
    /// The one error of the file's `[ledger]`, or of its beginning if it has none.
    pub(crate) fn ledger(text: &str, message: impl Into<String>, remedy: &str) -> Self {
        let mut mistakes = Mistakes::new();
        let table = syntax::parse(text).unwrap_or_default();
        let at = table.get("ledger").map_or(0, |ledger| ledger.span().start);
        mistakes.tell(at, message.into(), remedy);
        mistakes.into_errors(text)
    }

    /// The errors of `unfit` limits, each an index into the limits of `text` and what is wrong.
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
