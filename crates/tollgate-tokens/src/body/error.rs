//! Why a body could not be read.

use thiserror::Error;

/// A body that is no request, or is beyond the bounds.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RequestError {
    /// More bytes than are ever read.
    #[error("body has {bytes} bytes; at most {max} are read")]
    TooLarge {
        /// Bytes of the body.
        bytes: usize,
        /// Bytes that are read at most.
        max: usize,
    },
    /// Arrays and objects within each other, beyond any request that a vendor accepts.
    #[error("body nests deeper than {max} levels at byte {offset}; send flatter JSON")]
    TooDeep {
        /// Where the first level too many begins, in bytes from 0.
        offset: usize,
        /// Levels that are read at most.
        max: usize,
    },
    /// More JSON values than any request holds.
    #[error("body has more than {max} JSON values by byte {offset}; send fewer")]
    TooManyValues {
        /// Where the first value too many begins, in bytes from 0.
        offset: usize,
        /// Values that are read at most.
        max: usize,
    },
    /// Not JSON, or not of the shape of a request.
    #[error("body is not a request: line {line}, column {column}: {problem}")]
    Invalid {
        /// Line of the problem, from 1.
        line: usize,
        /// Column of the problem, in bytes from 1.
        column: usize,
        /// What is wrong, and what was expected.
        problem: String,
    },
}

/// Characters kept of a problem: the parser quotes the value that it did not expect, which may be megabytes long.
const PROBLEM_CHARS: usize = 200;

impl RequestError {
    pub(super) fn invalid(error: &serde_json::Error) -> Self {
        let text = error.to_string();
        // The place is told by fields of its own.
        let problem = text.rsplit_once(" at line ").map_or(&*text, |(it, _)| it);
        let mut kept: String = problem.chars().take(PROBLEM_CHARS).collect();
        if kept.len() < problem.len() {
            kept.push_str("...");
        }
        Self::Invalid {
            line: error.line(),
            column: error.column(),
            problem: kept,
        }
    }
}
