use std::io;
use tollgate_core::LimitError;

/// A keyed limiter that cannot be built, and why.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// No size was given, or one of nothing.
    #[error("a keyed limiter needs a size, say `max_keys` or `memory_bytes` of more than zero")]
    NoSize,
    /// A limit that cannot be represented.
    #[error("class {class} has a limit that cannot be kept")]
    Limit {
        /// The class, counted from 0 in the order in which classes were given.
        class: usize,
        /// What is wrong with the limit.
        source: LimitError,
    },
    /// More classes than there are numbers for.
    #[error("too many classes, there may be at most {max}")]
    TooManyClasses {
        /// The most.
        max: usize,
    },
    /// The system did not give the memory.
    #[error("no memory for a table of {lines} lines of 64 bytes, make it smaller")]
    Memory {
        /// The lines asked for.
        lines: usize,
        /// What the system said.
        source: io::Error,
    },
}

/// A batch with more keys than costs, or fewer. Nothing was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a batch of {keys} keys needs as many costs, found {costs}")]
pub struct UnequalBatch {
    /// The keys.
    pub keys: usize,
    /// The costs.
    pub costs: usize,
}
