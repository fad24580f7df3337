//! What came out.

use super::Check;
use std::fmt::{self, Write};

/// What one check found.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It held, in so many histories or races.
    Held {
        /// How many.
        tried: u64,
        /// What is to be said beside it.
        note: String,
    },
    /// It was broken, and how: the history, call by call.
    Broken(String),
    /// It cannot be asked, and why.
    NotApplicable(String),
}

impl Finding {
    /// One word.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Held { tried: 0, .. } | Self::NotApplicable(_) => "n/a",
            Self::Held { .. } => "held",
            Self::Broken(_) => "BROKEN",
        }
    }
}

impl Finding {
    /// One word for the table: that threads did not show something is no more than that.
    fn word_of(&self, check: Check) -> &'static str {
        match self.word() {
            "held" if check.is_by_chance() => "not seen",
            word => word,
        }
    }
}

/// What all checks found of one limiter.
#[derive(Clone, Debug)]
pub struct Report {
    name: String,
    findings: Vec<(Check, Finding)>,
}

impl Report {
    /// The findings of a limiter.
    #[must_use]
    pub fn new(name: &str, findings: Vec<(Check, Finding)>) -> Self {
        Self {
            name: name.to_owned(),
            findings,
        }
    }

    /// The limiter's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The findings.
    pub fn findings(&self) -> &[(Check, Finding)] {
        &self.findings
    }

    /// Whether this check was asked and held.
    #[must_use]
    pub fn held(&self, check: Check) -> bool {
        self.of(check)
            .is_some_and(|finding| finding.word() == "held")
    }

    /// How this check was broken, if it was.
    #[must_use]
    pub fn broken(&self, check: Check) -> Option<&str> {
        match self.of(check) {
            Some(Finding::Broken(how)) => Some(how),
            _ => None,
        }
    }

    fn of(&self, check: Check) -> Option<&Finding> {
        self.findings
            .iter()
            .find(|(other, _)| *other == check)
            .map(|(_, finding)| finding)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&table(std::slice::from_ref(self)))?;
        for (check, finding) in &self.findings {
            match finding {
                Finding::Broken(how) => {
                    writeln!(f, "{} {}: broken\n{how}", self.name, check.name())?
                }
                Finding::NotApplicable(why) => {
                    writeln!(f, "{} {}: not asked, {why}", self.name, check.name())?
                }
                Finding::Held { note, .. } if !note.is_empty() => {
                    writeln!(f, "{} {}: {note}", self.name, check.name())?;
                }
                Finding::Held { .. } => {}
            }
        }
        Ok(())
    }
}

/// A row for each limiter, a column for each check.
#[must_use]
pub fn table(reports: &[Report]) -> String {
    let wide = reports
        .iter()
        .map(|report| report.name.len())
        .max()
        .unwrap_or(0);
    let mut table = format!("{:<wide$}", "");
    for check in Check::ALL {
        let _ = write!(table, "  {:<11}", check.name());
    }
    for report in reports {
        let _ = write!(table, "\n{:<wide$}", report.name);
        for check in Check::ALL {
            let word = report
                .of(check)
                .map_or("-", |finding| finding.word_of(check));
            let _ = write!(table, "  {word:<11}");
        }
    }
    let lines = table.lines().map(str::trim_end);
    lines.fold(String::new(), |all, line| all + line + "\n")
}
