//! What a part came to.

/// How it ended.
#[derive(Debug)]
pub(crate) enum Verdict {
    Passed,
    /// Why, at the length that it takes.
    Failed(String),
    /// How to get what is missing.
    Skipped(String),
}

impl Verdict {
    /// In a line.
    pub(crate) fn short(&self) -> String {
        match self {
            Self::Passed => "passed".to_owned(),
            Self::Failed(why) => {
                let first = why.lines().find(|line| !line.trim().is_empty());
                format!("FAILED: {}", first.unwrap_or("it did not say why").trim())
            }
            Self::Skipped(get) => format!("skipped: {get}"),
        }
    }
}

/// A row of the closing table.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// What was looked at, as in "31 models of 5 crates".
    pub(crate) explored: String,
    /// Interleavings, histories, inputs, whatever the part counts; nothing where counting makes no sense.
    pub(crate) executions: Option<u64>,
    pub(crate) verdict: Verdict,
}

impl Outcome {
    pub(crate) const fn is_failed(&self) -> bool {
        matches!(self.verdict, Verdict::Failed(_))
    }

    pub(crate) fn passed(explored: impl Into<String>, executions: Option<u64>) -> Self {
        Self {
            explored: explored.into(),
            executions,
            verdict: Verdict::Passed,
        }
    }

    /// The first line of `why` is shown in the table, all of it where it happens.
    pub(crate) fn failed(
        explored: impl Into<String>,
        executions: Option<u64>,
        why: impl Into<String>,
    ) -> Self {
        Self {
            explored: explored.into(),
            executions,
            verdict: Verdict::Failed(why.into()),
        }
    }

    /// Nothing was looked at, for want of something that `get` says how to get.
    pub(crate) fn skipped(get: impl Into<String>) -> Self {
        Self {
            explored: "-".to_owned(),
            executions: None,
            verdict: Verdict::Skipped(get.into()),
        }
    }
}
