//! What is wrong with a policy file: every mistake with its place and its remedy.

use std::error::Error;
use std::fmt;

/// Most mistakes of one file that are told; the rest is only counted.
pub(super) const TOLD_MAX: usize = 100;

/// One mistake in a policy file: where it stands, what is wrong, what would be right.
///
/// Displayed as `line 3, column 7: MESSAGE; REMEDY`, in lower case and without a full stop.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PolicyError {
    /// The line, counted from 1.
    pub line: usize,
    /// The column, counted from 1, in characters; a tab is one, and a byte order mark none.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub remedy: String,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            line,
            column,
            message,
            remedy,
        } = self;
        write!(f, "line {line}, column {column}: {message}; {remedy}")
    }
}

impl Error for PolicyError {}

/// All mistakes of one policy file, in the order in which they stand there.
///
/// There is always at least one. The first hundred are kept and the rest is counted, so that a file of the
/// wrong kind does not answer with a book. Displayed one a line, without a newline at the end, and each
/// begun with the file's name where [`named`](Self::named) gave one.
///
/// ```
/// use tollgate_policy::PolicyFile;
///
/// let errors = PolicyFile::parse("[[limit]]\nname = \"rpm\"\nunit = \"request\"\nmax = 60\nper = \"1m\"\n")
///     .unwrap_err()
///     .named("gate.toml");
/// assert_eq!(
///     errors.to_string(),
///     "gate.toml: line 3, column 8: unknown `unit` \"request\"; did you mean \"requests\"? it is one of \
///      \"requests\", \"tokens\", \"input_tokens\", \"output_tokens\" and \"usd\""
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyErrors {
    file: Option<String>,
    told: Vec<PolicyError>,
    untold: usize,
}

impl PolicyErrors {
    pub(super) fn new(told: Vec<PolicyError>, untold: usize) -> Self {
        debug_assert!(!told.is_empty(), "a file without a mistake is no error");
        Self {
            file: None,
            told,
            untold,
        }
    }

    /// The same errors, displayed with the name of the file they stand in.
    #[must_use]
    pub fn named(self, file: impl Into<String>) -> Self {
        Self {
            file: Some(file.into()),
            ..self
        }
    }

    /// The mistakes, at most a hundred, by place.
    pub fn mistakes(&self) -> &[PolicyError] {
        &self.told
    }

    /// How many further mistakes were found after those of [`mistakes`](Self::mistakes).
    pub fn untold(&self) -> usize {
        self.untold
    }
}

impl fmt::Display for PolicyErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.told.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            if let Some(file) = &self.file {
                write!(f, "{file}: ")?;
            }
            error.fmt(f)?;
        }
        if self.untold > 0 {
            write!(f, "\nand {} more", self.untold)?;
        }
        Ok(())
    }
}

impl Error for PolicyErrors {}
