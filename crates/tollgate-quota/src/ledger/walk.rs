//! Accounts that were used once and never again: who uses an account ends its periods, and nobody comes by these.
//!
//! So the ledger's thread walks over all accounts on record, some with each commit, and rests for a day when it is through. One that nobody
//! has in use, whose period is over and which owes nothing, becomes history. Whoever asks for it just then finds it gone with the next
//! commit, and begins as it would have begun with that record: with nothing. Only if the clock is set back after that would it have
//! more than it should. Therefore an account of which nothing is on record asks the history for periods of its own that were found
//! ended later than now ([`Books::passed`]), and begins after them. One without periods is over when its units have drained, and
//! begins as the history has it.

use super::{
    AccountKey, Drain,
    books::{Books, Record},
    periods::Periods,
};
use std::ops::Bound;
use tollgate_core::{LeaseId, Moment, Nanos, Wall};

/// Accounts that are looked at with one commit; as many as it writes, if those are more, so that none come faster than the walk goes.
const STEP_MIN: usize = 256;
/// How long a walk rests when it is through.
const REST: Nanos = Nanos(86_400_000_000_000);

/// How far the walk has come.
#[derive(Debug)]
pub(super) struct Walk {
    /// When the process began.
    began: Moment,
    /// The last account that was looked at.
    last: Vec<u8>,
    rests_until: Nanos,
    /// The periods of the limit that was looked at last: accounts of one follow each other.
    known: Option<(String, Option<Periods>)>,
}

/// A step that was taken, if its commit succeeds.
#[derive(Debug)]
pub(super) struct Step {
    last: Option<Vec<u8>>,
}

impl Walk {
    pub(super) fn new(began: Moment) -> Self {
        Self {
            began,
            last: Vec::new(),
            rests_until: Nanos::ZERO,
            known: None,
        }
    }

    /// What the wall clock certainly reads at `at`, as far as this process knows: one that was set forward meanwhile may be set back.
    pub(super) fn certain(&self, at: Moment) -> Wall {
        let began = self.began;
        let passed = i64::try_from(at.now.since(began.now).as_nanos()).unwrap_or(i64::MAX);
        at.wall.min(Wall(began.wall.0.saturating_add(passed)))
    }

    /// Looks at some more accounts, beside so many that are `written`: those that are over by their stamps, or have drained as `drain_of`
    /// tells, and are not in use, are history. None: it rests.
    pub(super) fn step(
        &mut self,
        books: &mut Books<'_>,
        written: usize,
        at: Moment,
        drain_of: impl Fn(&[u8]) -> Drain,
        is_in_use: impl Fn(&[u8], Option<LeaseId>) -> bool,
    ) -> Result<Option<Step>, redb::Error> {
        let now = self.certain(at);
        if at.now < self.rests_until {
            return Ok(None);
        }
        let (most, known) = (written.max(STEP_MIN), &mut self.known);
        let ran = at.now.since(self.began.now);
        let from = (Bound::Excluded(&*self.last), Bound::Unbounded);
        let is_over = |key: &[u8], record: &Record| {
            let standing = &record.standing;
            if !record.has_periods {
                // When what was lent was spent is not on record: before this process began.
                let takes = drain_of(key).takes(record.spent());
                return takes.is_some_and(|takes| {
                    now.since(Wall(standing.stamp)) >= takes && (record.out == 0 || ran >= takes)
                });
            }
            let Some(key) = AccountKey::from_bytes(key) else {
                return false;
            };
            if known.as_ref().is_none_or(|(of, _)| of != key.algorithm()) {
                *known = Some((key.algorithm().to_owned(), Periods::of(key.algorithm())));
            }
            let periods = known.as_ref().and_then(|(_, periods)| periods.as_ref());
            standing.committed <= standing.max
                && periods.is_some_and(|periods| periods.is_over(standing.stamp, now))
        };
        let last = books.end_unused(from, most, is_over, is_in_use)?;
        Ok(Some(Step { last }))
    }

    /// A step was taken: what it did is on disk.
    pub(super) fn went(&mut self, step: Step, at: Moment) {
        match step.last {
            Some(last) => self.last = last,
            None => {
                self.last.clear();
                self.rests_until = at.now + REST.since(Nanos::ZERO);
            }
        }
    }
}
