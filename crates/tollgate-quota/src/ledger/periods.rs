//! Which periods an account has, by the words that its key has for its algorithm.

use super::KeptAlgorithm;
use crate::calendar::{Calendar, Period};
use tollgate_core::Wall;

/// Periods that can be told from each other in any process.
#[derive(Debug)]
pub(super) enum Periods {
    Calendar(Calendar),
    /// Fixed windows of so many ns.
    Windows(i64),
}

impl Periods {
    /// Those of an algorithm, if it has any. None of one that a newer program has written, too.
    pub(super) fn of(algorithm: &str) -> Option<Self> {
        match algorithm.parse().ok()? {
            KeptAlgorithm::Calendar { period, zone } => {
                Calendar::new(period, &zone).ok().map(Self::Calendar)
            }
            KeptAlgorithm::Fixed { per_ns } => i64::try_from(per_ns).ok().map(Self::Windows),
            KeptAlgorithm::Lifetime
            | KeptAlgorithm::Gcra
            | KeptAlgorithm::Window { .. }
            | KeptAlgorithm::Log { .. } => None,
        }
    }

    /// The period of a stamp.
    pub(super) fn period(&self, stamp: i64) -> Period {
        match self {
            Self::Calendar(calendar) => calendar.bounds(Wall(stamp)),
            Self::Windows(per) => Period {
                start: Wall(stamp.saturating_mul(*per)),
                end: Wall(stamp.saturating_add(1).saturating_mul(*per)),
            },
        }
    }

    /// Whether the period of a stamp is over at `now`.
    pub(super) fn is_over(&self, stamp: i64, now: Wall) -> bool {
        match self {
            // What is current is cached.
            Self::Calendar(calendar) => stamp < calendar.bounds(now).start.0,
            Self::Windows(_) => self.period(stamp).end <= now,
        }
    }
}
