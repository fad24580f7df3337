//! What a limiter answers.

use std::fmt;

/// The answer of a model, or of a subject under test.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// The cost fits now.
    Admit,
    /// It fits after this many nanoseconds were nobody else to come, and not a nanosecond sooner.
    Wait(u128),
    /// Time alone will never let it pass.
    Never,
}

impl Answer {
    /// Whether the cost fits.
    #[must_use]
    pub fn admitted(self) -> bool {
        self == Self::Admit
    }

    /// The least wait in nanoseconds, if it was denied and waiting helps.
    #[must_use]
    pub fn retry_after(self) -> Option<u128> {
        match self {
            Self::Wait(wait) => Some(wait),
            Self::Admit | Self::Never => None,
        }
    }

    /// Whether two answers agree where waits may differ by up to `tolerance` nanoseconds.
    #[must_use]
    pub fn agrees(self, other: Self, tolerance: u128) -> bool {
        match (self, other) {
            (Self::Wait(wait), Self::Wait(other)) => wait.abs_diff(other) <= tolerance,
            _ => self == other,
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Admit => f.write_str("admitted"),
            Self::Wait(wait) => write!(f, "denied, wait {wait} ns"),
            Self::Never => f.write_str("denied for ever"),
        }
    }
}
