//! One cell: a TAT that callers move ahead by exchange, until the cell is closed.
//!
//! Protocol: a caller loads the TAT, takes the pure step, and exchanges the TAT for the next one; a denial ends at
//! the load. Whoever holds a turn may exchange its own TAT back to the one before. Whoever replaces the limit
//! exchanges the TAT for [`CLOSED`], which is the last word the cell ever holds.
//!
//! # Synchronization
//! - `tat`: written by exchange only (callers, turns, the one who closes), but for the stores of the one who opens
//!   the cell, which happen before any caller can reach it. Read by all. The exchanges among callers are Relaxed:
//!   the TAT is the cell's whole state and publishes no other memory, so its own modification order is all that
//!   the limit relies on. The closing exchange is Release and pairs with the Acquire fence of whoever reads
//!   `CLOSED`: what the closer prepared before (the next cell, its TAT, where to find it) is then seen.
//! - `carried`: written before the cell can be reached, read by closers, who take turns under a mutex. Relaxed.
//! - All else is fixed when the cell is made.

use crate::{
    Cost, CostExceedsCapacity, Decision, Nanos, Snapshot,
    gcra::{CLOSED, CarriedOver, Gcra, Step, nanos_ceil, quanta},
};
use std::{hint::cold_path, time::Duration};
use tollgate_sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
    fence,
};

/// The state of one limit.
#[derive(Debug)]
pub(crate) struct Cell {
    gcra: Gcra,
    /// Where the limit begins, in quanta: a caller with an earlier `now` waits until then. 0 in a first cell.
    since: u64,
    /// Units taken under earlier limits, for whose backlog the TAT has no room.
    carried: AtomicU64,
    /// Invariant: at least `since`; `CLOSED` once replaced.
    tat: AtomicU64,
}

/// A place taken in the order of a cell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed {
    /// The TAT that includes the place.
    pub(crate) own: u64,
    /// The TAT that it replaced.
    pub(crate) before: u64,
    /// When the place is due.
    pub(crate) ready_at: Nanos,
}

/// The answers below are `None` if the cell was closed; what its closer prepared is visible then.
impl Cell {
    /// A cell that has always been there, as full as `tat` says.
    pub(crate) fn first(gcra: Gcra, tat: u64) -> Self {
        Self {
            gcra,
            since: 0,
            carried: AtomicU64::new(0),
            tat: AtomicU64::new(tat),
        }
    }

    /// A cell for another limit, which begins at `now`, or where that of this cell begins if that is later. Nobody
    /// may take from it until this cell is [closed into](Self::close_into) it.
    pub(crate) fn successor(&self, gcra: Gcra, now: Nanos) -> Self {
        let since = quanta(now).max(self.since);
        Self {
            gcra,
            since,
            carried: AtomicU64::new(0),
            tat: AtomicU64::new(CLOSED),
        }
    }

    /// A cell for the same limit. Nobody may take from it until this cell is [closed into](Self::close_into) it.
    pub(crate) fn fresh(&self) -> Self {
        Self {
            gcra: self.gcra,
            since: self.since,
            carried: AtomicU64::new(0),
            tat: AtomicU64::new(CLOSED),
        }
    }

    /// Where the limit begins, in quanta.
    pub(crate) const fn since(&self) -> u64 {
        self.since
    }

    /// Loads the TAT, unless the cell is closed.
    fn tat(&self) -> Option<u64> {
        // Relaxed: see above. What is read decides alone.
        open(self.tat.load(Relaxed))
    }

    /// Takes `cost` at `now` or denies it. `since` is the cell's own: an argument, so that for a first cell, where
    /// it is the constant 0, it costs nothing.
    #[inline]
    pub(crate) fn try_take(
        &self,
        now: Nanos,
        since: u64,
        cost: Cost,
    ) -> Option<Result<Decision, CostExceedsCapacity>> {
        // Linearization point of `Denied` and of the error: the load, or the failed exchange, that read `tat`.
        // Relaxed: see above. What is read decides alone.
        let mut tat = self.tat.load(Relaxed);
        // Lock-free: an exchange fails only if that of another caller succeeded. A retry reads the TAT alone.
        loop {
            let (next, allowed) = match self.gcra.step_since(tat, now, since, cost) {
                Ok(Step::Take { tat, allowed }) => (tat, allowed),
                // `CLOSED` lies further ahead than every tolerance: no step takes from it, and only those need
                // to look for it who take nothing.
                Ok(Step::Deny(denied)) => return open(tat).map(|_| Ok(Decision::Denied(denied))),
                Err(never) => return open(tat).map(|_| Err(never)),
            };
            // Linearization point of `Allowed`.
            // Relaxed, both: the word is the whole state; see above.
            match self.tat.compare_exchange_weak(tat, next, Relaxed, Relaxed) {
                Ok(_) => return Some(Ok(Decision::Allowed(allowed))),
                Err(seen) => tat = seen,
            }
        }
    }

    /// Takes a place for `cost` that is due at most `max_wait` after `now`, or says when it would be due.
    pub(crate) fn try_place(
        &self,
        now: Nanos,
        cost: Cost,
        max_wait: Duration,
    ) -> Option<Result<Placed, PlaceRefused>> {
        let now = now.clamped();
        // No place is due after the last instant. So no TAT lies further ahead than the tolerance after that.
        let wait_max = max_wait.min(Nanos::MAX.since(now));
        // Linearization points and orderings are those of `try_take`.
        let mut tat = self.tat()?;
        loop {
            let seen = self.gcra.snapshot_since(tat, now, self.since);
            let (need, wait) = match (self.gcra.need(cost), seen.ask(cost)) {
                (Ok(need), Ok(Decision::Allowed(_))) => (need, 0),
                (Ok(need), Ok(Decision::Denied(denied))) if denied.retry_after() <= wait_max => {
                    (need, denied.wait())
                }
                (_, Ok(Decision::Denied(denied))) => {
                    return Some(Err(PlaceRefused::TooLong(denied.retry_after())));
                }
                (Err(never), _) | (_, Err(never)) => return Some(Err(PlaceRefused::Never(never))),
            };
            let ready_at = now + Duration::from_nanos(nanos_ceil(wait));
            // As if the units were taken at `ready_at`, a whole nanosecond: it may be later than the last fraction
            // of a capacity of one was refilled, and what would have come in since had no room.
            let own = tat.max(quanta(ready_at)) + need;
            match self.tat.compare_exchange_weak(tat, own, Relaxed, Relaxed) {
                Ok(before) => {
                    return Some(Ok(Placed {
                        own,
                        before,
                        ready_at,
                    }));
                }
                Err(seen) => tat = open(seen)?,
            }
        }
    }

    /// Gives a place back, if nothing was taken after it and the cell is still open; else it is forfeited.
    ///
    /// The exchange succeeds only while the TAT is the place's own. TATs only grow but for places given back, each
    /// to the very TAT before it, so while the place is held no other way leads to its own TAT.
    pub(crate) fn give_back(&self, placed: Placed) {
        // Relaxed, both: the word is the whole state. A failure changes nothing and is not retried.
        let _ = self
            .tat
            .compare_exchange(placed.own, placed.before, Relaxed, Relaxed);
    }

    /// What the cell holds at `now`.
    pub(crate) fn peek(&self, now: Nanos) -> Option<Snapshot> {
        Some(self.gcra.snapshot_since(self.tat()?, now, self.since))
    }

    /// Closes this cell and, by the same exchange, opens `next` with what it is to `keep` of the units taken
    /// here. Only one caller at a time may close the cells of a limiter.
    pub(crate) fn close_into(&self, next: &Self, keep: Keep) {
        // Relaxed: `carried` was written by an earlier closer, and closers exclude each other.
        let carried = self.carried.load(Relaxed);
        // Relaxed: the exchange below decides whether this was the last word.
        let mut tat = self.tat.load(Relaxed);
        // Lock-free: an exchange fails only if a caller's succeeded. A retry converts the backlog anew.
        loop {
            let over = match keep {
                Keep::Units => self.gcra.carry_over(tat, carried, next.since, &next.gcra),
                Keep::Nothing => CarriedOver {
                    tat: next.since,
                    carried: 0,
                },
            };
            debug_assert!(over.tat >= next.since && over.tat < CLOSED);
            // Relaxed, both: published by the exchange below.
            next.tat.store(over.tat, Relaxed);
            next.carried.store(over.carried, Relaxed);
            // Linearization point of the change.
            // Release: pairs with the Acquire fence in `open`. The stores above, and that which tells where `next`
            // is, happen before whatever a caller does who read `CLOSED`. Relaxed on failure: only a retry follows.
            match self
                .tat
                .compare_exchange_weak(tat, CLOSED, Release, Relaxed)
            {
                Ok(_) => return,
                Err(seen) => tat = seen,
            }
        }
    }
}

/// What a new cell keeps of the one before.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Keep {
    /// The units taken.
    Units,
    /// Nothing: it starts whole.
    Nothing,
}

/// Why no place was taken.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PlaceRefused {
    /// The cost is above the capacity.
    Never(CostExceedsCapacity),
    /// It would be due only after this time.
    TooLong(Duration),
}

/// The word just read, if it is a TAT.
#[inline]
fn open(word: u64) -> Option<u64> {
    if word == CLOSED {
        cold_path();
        // Acquire: pairs with the Release of the closing exchange in `close_into`, whose value was just read. Here
        // rather than at the read, so that only those who meet the mark pay for it.
        fence(Acquire);
        return None;
    }
    Some(word)
}
