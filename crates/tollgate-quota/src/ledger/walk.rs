//! Accounts that were used once and never again: who uses an account ends its periods, and nobody comes by these.
//!
//! So the ledger's thread walks over all accounts on record, some with each commit, and rests for a day when it is through. One that nobody
//! has in use, whose period is over and which owes nothing, becomes history. Whoever asks for it just then finds it gone with the next
//! commit, and begins as it would have begun with that record: with nothing. Only if the clock is set back after that would it have
//! more than it should. Therefore an account of which nothing is on record asks the history for its last period, and if that was found ended
//! later than now ([`Books::passed`]), it begins as it stood in that. One without periods is over when its units have drained.
//!
//! Another walk goes over the past periods, and forgets those that were found ended too long ago.

use super::{
    AccountKey, Drain,
    books::{Books, PastPlace, Record},
    periods::Periods,
};
use std::{ops::Bound, time::Duration};
use tollgate_core::{LeaseId, Moment, Nanos, Wall};

/// Rows that are looked at with one commit; as many as it writes, if those are more, so that none come faster than the walk goes.
const STEP_MIN: usize = 256;
/// How long a walk rests when it is through.
const REST: Duration = Duration::from_secs(86_400);

/// When the process began, by its clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Began(pub(super) Moment);

impl Began {
    /// How long ago that was at `at`.
    fn ran(self, at: Moment) -> Duration {
        at.now.since(self.0.now)
    }

    /// What the wall clock certainly reads at `at`, as far as this process knows: one that was set forward meanwhile may be set back.
    pub(super) fn certain(self, at: Moment) -> Wall {
        let ran = i64::try_from(self.ran(at).as_nanos()).unwrap_or(i64::MAX);
        at.wall.min(Wall(self.0.wall.0.saturating_add(ran)))
    }
}

/// How far the walks have come.
#[derive(Debug)]
pub(super) struct Walk {
    began: Began,
    /// How long past periods are kept.
    keep: Duration,
    accounts: Way<Vec<u8>>,
    past: Way<PastPlace>,
    /// The periods of the limit that was looked at last: accounts of one follow each other.
    known: Option<(String, Option<Periods>)>,
}

/// How far a walk over one table has come.
#[derive(Debug)]
struct Way<K> {
    /// The last that was looked at; none: it is at the beginning.
    last: Option<K>,
    rests_until: Nanos,
}

/// Steps that were taken, if their commit succeeds: to where, or to the end. None: it rests.
#[derive(Debug)]
pub(super) struct Step {
    accounts: Option<Option<Vec<u8>>>,
    past: Option<Option<PastPlace>>,
}

impl<K> Way<K> {
    const fn new() -> Self {
        Self {
            last: None,
            rests_until: Nanos::ZERO,
        }
    }

    /// Calls `step` with the last that was looked at, unless it rests at `now`.
    fn step<E>(
        &self,
        now: Nanos,
        step: impl FnOnce(Option<&K>) -> Result<Option<K>, E>,
    ) -> Result<Option<Option<K>>, E> {
        if now < self.rests_until {
            return Ok(None);
        }
        step(self.last.as_ref()).map(Some)
    }

    /// It came to `place`, or to the end, after which it rests.
    fn went(&mut self, place: Option<K>, now: Nanos, rest: Duration) {
        if place.is_none() {
            self.rests_until = now + rest;
        }
        self.last = place;
    }
}

impl Walk {
    /// A walk that forgets past periods after `keep`.
    pub(super) const fn new(began: Began, keep: Duration) -> Self {
        Self {
            began,
            keep,
            accounts: Way::new(),
            past: Way::new(),
            known: None,
        }
    }

    /// Looks at some more accounts and past periods, beside so many that are `written`. Accounts that are over by their stamps, or have
    /// drained as `drain_of` tells, and are not in use, are history; periods that were found ended long ago are forgotten.
    pub(super) fn step(
        &mut self,
        books: &mut Books<'_>,
        written: usize,
        at: Moment,
        drain_of: impl Fn(&[u8]) -> Drain,
        is_in_use: impl Fn(&[u8], Option<LeaseId>) -> bool,
    ) -> Result<Step, redb::Error> {
        let now = self.began.certain(at);
        let (most, known) = (written.max(STEP_MIN), &mut self.known);
        let ran = self.began.ran(at);
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
        let accounts = self.accounts.step(at.now, |last| {
            let from = last.map_or(Bound::Unbounded, |last| Bound::Excluded(&**last));
            books.end_unused((from, Bound::Unbounded), most, is_over, is_in_use)
        })?;
        let keep = i64::try_from(self.keep.as_nanos()).unwrap_or(i64::MAX);
        let until = Wall(now.0.saturating_sub(keep));
        let past = self
            .past
            .step(at.now, |last| books.forget_past(last, most, until))?;
        Ok(Step { accounts, past })
    }

    /// Steps were taken: what they did is on disk.
    pub(super) fn went(&mut self, step: Step, at: Moment) {
        if let Some(place) = step.accounts {
            self.accounts.went(place, at.now, REST);
        }
        if let Some(place) = step.past {
            self.past.went(place, at.now, REST.min(self.keep));
        }
    }
}
