//! What a judge says, and what it shows for it.

use std::fmt;

/// Units that passed where fewer were allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The first instant of the interval, in nanoseconds.
    pub first: u64,
    /// The last instant of the interval, itself included: that of the admission that broke the law.
    pub last: u64,
    /// Units counted in the interval, debts before the last admission included.
    pub units: u128,
    /// Units allowed there, slack included, rounded down.
    pub allowed: u128,
}

impl Evidence {
    /// Units beyond what is allowed.
    #[must_use]
    pub fn excess(&self) -> u128 {
        self.units.saturating_sub(self.allowed)
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} units from {} ns through {} ns, {} are allowed",
            self.units, self.first, self.last, self.allowed
        )
    }
}

/// Whether a law held.
///
/// ```
/// use tollgate_testkit::law::Verdict;
/// let verdict = Verdict::Held.and(Verdict::NotChecked("no record was kept".into()));
/// assert_eq!(verdict.word(), "not_checked");
/// assert_eq!(verdict.to_string(), "not checked: no record was kept");
/// ```
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It held.
    Held,
    /// It was broken, here for the first time.
    Broken(Evidence),
    /// It could not be judged, and why.
    NotChecked(String),
}

impl Verdict {
    /// Whether the law held, and was judged.
    #[must_use]
    pub fn held(&self) -> bool {
        matches!(self, Self::Held)
    }

    /// One word for reports: `held`, `broken` or `not_checked`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Broken(_) => "broken",
            Self::NotChecked(_) => "not_checked",
        }
    }

    /// The verdict on two records together: a breach weighs most, then what was not judged.
    pub fn and(self, other: Self) -> Self {
        match (&self, &other) {
            (Self::Broken(_), _) => self,
            (_, Self::Broken(_)) => other,
            (Self::NotChecked(_), _) => self,
            _ => other,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held => f.write_str("held"),
            Self::Broken(evidence) => write!(f, "broken: {evidence}"),
            Self::NotChecked(reason) => write!(f, "not checked: {reason}"),
        }
    }
}
