//! The limiter that users hold: a cell and a clock.

mod builder;
pub(crate) mod cell;
mod cells;
#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests;

pub use builder::LimiterBuilder;

use self::{cell::PlaceRefused, cells::Cells};
use crate::{
    Clock, Cost, CostExceedsCapacity, Decision, Limit, LimitError, Nanos, NoTurn, QuantaClock,
    Snapshot, Turn, gcra::Gcra,
};
use std::time::Duration;

/// One limit, shared by any number of threads.
///
/// Over every half-open interval of length `w` it admits at most `capacity + rate × w` units, exactly, in the time
/// of the `now` that each decision was given. All of its state is one word: an admission is one load and one
/// exchange, a denial is a load. Nothing is allocated but by a change of the limit, and nobody ever waits for a
/// lock.
///
/// Each verb comes in two forms: with the limiter's own [`Clock`], and `_at` a given `now`, which must come from that
/// clock's time line. It may step back: an earlier `now` only makes the answer stricter. A `now` later
/// than [`Nanos::MAX`] is taken for that.
///
/// ```
/// use tollgate_core::{Cost, Limit, Limiter, Nanos};
///
/// let limiter = Limiter::new(Limit::per_second(1_000).with_capacity(2))?;
/// assert!(limiter.try_acquire_at(Cost::ONE, Nanos::ZERO)?.is_allowed());
/// assert!(limiter.try_acquire_at(Cost::ONE, Nanos::ZERO)?.is_allowed());
/// assert!(limiter.try_acquire_at(Cost::ONE, Nanos::ZERO)?.is_denied());
/// assert!(limiter.try_acquire_at(Cost::ONE, Nanos::new(1_000_000))?.is_allowed());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Limiter<C = QuantaClock> {
    cells: Cells,
    clock: C,
}

impl Limiter {
    /// A limiter that starts with its whole capacity, on a clock of its own.
    ///
    /// # Errors
    /// [`LimitError::RateTooHigh`] above 16 units a nanosecond; [`LimitError::CapacityTooLarge`] if the capacity
    /// takes longer than about six and a half years to refill.
    pub fn new(limit: Limit) -> Result<Self, LimitError> {
        Self::builder(limit).build()
    }

    /// Builds a limiter with more choices.
    pub const fn builder(limit: Limit) -> LimiterBuilder {
        LimiterBuilder::new(limit)
    }
}

impl<C: Clock> Limiter<C> {
    /// A limiter that starts with its whole capacity, on this clock.
    ///
    /// # Errors
    /// As [`Limiter::new`].
    pub fn with_clock(limit: Limit, clock: C) -> Result<Self, LimitError> {
        LimiterBuilder::new(limit).build_with_clock(clock)
    }

    /// Takes `cost` now, or says how long to wait.
    ///
    /// Lock-free: one clock read, one load, and for an admission one exchange when uncontended. A denial writes nothing.
    ///
    /// # Errors
    /// [`CostExceedsCapacity`] if `cost` could never pass. Nothing changes.
    ///
    /// # Examples
    /// ```
    /// use tollgate_core::{Cost, Limit, Limiter};
    ///
    /// let limiter = Limiter::new(Limit::per_minute(100).with_capacity(20))?;
    /// assert!(limiter.try_acquire(Cost::ONE)?.is_allowed());
    /// let above = Cost::new(21).ok_or("no cost")?;
    /// assert_eq!(limiter.try_acquire(above).unwrap_err().capacity, 20);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn try_acquire(&self, cost: Cost) -> Result<Decision, CostExceedsCapacity> {
        self.try_acquire_at(cost, self.clock.now())
    }

    /// Takes `cost` at `now`, or says how long to wait; see [`Self::try_acquire`].
    ///
    /// Admits when `max(TAT, now) + cost × T − now ≤ capacity × T` (GCRA, ITU-T I.371, stated for a cost of any size).
    ///
    /// # Errors
    /// [`CostExceedsCapacity`] if `cost` could never pass. Nothing changes.
    #[inline]
    pub fn try_acquire_at(&self, cost: Cost, now: Nanos) -> Result<Decision, CostExceedsCapacity> {
        self.cells
            .on_open(|cell, later| cell.try_take(now, later.map_or(0, |cell| cell.since()), cost))
    }

    /// What the limiter holds now. Takes nothing: one clock read and one load.
    #[must_use]
    pub fn peek(&self) -> Snapshot {
        self.peek_at(self.clock.now())
    }

    /// What the limiter holds at `now`. Takes nothing: one load.
    #[must_use]
    pub fn peek_at(&self, now: Nanos) -> Snapshot {
        self.cells.on_open(|cell, _| cell.peek(now))
    }

    /// Takes a place for `cost` in the order of callers, due at most `max_wait` from now.
    ///
    /// The place is taken at once, ahead of everybody who comes later; the caller sleeps until it is due. See
    /// [`Turn`], also for what dropping it does. Lock-free, as [`Self::try_acquire`].
    ///
    /// # Errors
    /// [`NoTurn::CostExceedsCapacity`] if `cost` could never pass, however long the wait; [`NoTurn::WaitTooLong`]
    /// if the place would be due later, or after [`Nanos::MAX`]. Nothing changes.
    pub fn turn(&self, cost: Cost, max_wait: Duration) -> Result<Turn<'_>, NoTurn> {
        self.turn_at(cost, max_wait, self.clock.now())
    }

    /// Takes a place for `cost` in the order of callers, due at most `max_wait` from `now`; see [`Self::turn`].
    ///
    /// # Errors
    /// As [`Self::turn`].
    pub fn turn_at(&self, cost: Cost, max_wait: Duration, now: Nanos) -> Result<Turn<'_>, NoTurn> {
        self.cells.on_open(|cell, later| {
            Some(match cell.try_place(now, cost, max_wait)? {
                Ok(placed) => Ok(Turn::new(self.cells.first_cell(), later.cloned(), placed)),
                Err(PlaceRefused::Never(never)) => Err(never.into()),
                Err(PlaceRefused::TooLong(wait)) => Err(NoTurn::WaitTooLong { wait, max_wait }),
            })
        })
    }

    /// Replaces the limit. Units taken stay taken: the backlog is kept in units.
    ///
    /// Where more is taken than the new capacity holds, everything is denied until the excess has drained at the
    /// new rate. Over every interval the units admitted are at most the larger capacity plus what the rates give,
    /// each for its part of the interval. Turns taken before keep their instants and count for the limit under which
    /// they were taken.
    ///
    /// Callers never wait for a change; those who change the limit wait for each other. Allocates. From the first
    /// change on, each call also loads a shared pointer, which costs about as much as an exchange or two.
    ///
    /// # Errors
    /// As [`Limiter::new`]; the limit then stays as it was.
    ///
    /// # Examples
    /// ```
    /// use tollgate_core::{Cost, Limit, Limiter, ManualClock};
    ///
    /// let limiter = Limiter::with_clock(Limit::per_second(100), ManualClock::new())?;
    /// assert!(limiter.try_acquire(Cost::new(80).ok_or("no cost")?)?.is_allowed());
    /// limiter.set_limit(Limit::per_minute(90))?;
    /// assert_eq!(limiter.peek().remaining(), 10);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_limit(&self, limit: Limit) -> Result<(), LimitError> {
        let gcra = Gcra::new(limit)?;
        // The clock is read once no other change is under way, so that the wait for it does not age the reading.
        self.cells.set_limit(limit, gcra, || self.clock.now());
        Ok(())
    }

    /// Replaces the limit as of `now`; see [`Self::set_limit`].
    ///
    /// Callers whose own `now` is earlier than that of the change wait until then: the new limit begins there. A
    /// change that lands d after its `now`, that is, after callers were answered whose `now` is later by d, adds at
    /// most d times the larger of the two rates. A change is never earlier than the one before it.
    ///
    /// # Errors
    /// As [`Self::set_limit`].
    pub fn set_limit_at(&self, limit: Limit, now: Nanos) -> Result<(), LimitError> {
        let gcra = Gcra::new(limit)?;
        self.cells.set_limit(limit, gcra, || now);
        Ok(())
    }

    /// Forgets everything taken: the whole capacity is free again. Turns taken before keep their instants.
    ///
    /// The laws hold from here on, as for a new limiter. Costs what [`Self::set_limit`] does.
    pub fn reset(&self) {
        self.cells.reset();
    }

    /// The limit. While another thread changes it, this may still be the one before.
    #[must_use]
    pub fn limit(&self) -> Limit {
        self.cells.limit()
    }

    /// The clock.
    #[must_use]
    pub const fn clock(&self) -> &C {
        &self.clock
    }
}
