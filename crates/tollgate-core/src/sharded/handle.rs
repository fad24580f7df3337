use super::{ShardedLimiter, stock::Stock, supply::Home};
use crate::{Clock, Cost, CostExceedsCapacity, Decision, Nanos, QuantaClock, Snapshot};
use std::cell::Cell;

/// One thread's own access to a [`ShardedLimiter`]; from [`ShardedLimiter::handle`].
///
/// It owns one of the limiter's seats and keeps the seat's stock in a plain cell, so that most admissions need
/// neither a clock, nor a shared line, nor an atomic operation. What its stock does not cover it draws or gathers as
/// a shard does. It may be sent to another thread, but not be used by two. If no seat was free it has no stock, and
/// asks the parent each time.
///
/// While it lives, nobody else can take its stock: others may be denied although it holds up to
/// [`stock_per_shard`](ShardedLimiter::stock_per_shard) units. Dropping it leaves the stock in the seat, for others to
/// take and for the next owner to use. One that is never dropped keeps its seat for good.
///
/// ```
/// use tollgate_core::{Cost, Limit, ShardedLimiter};
///
/// let limiter = ShardedLimiter::builder(Limit::per_second(1_000_000)).shards(2).seats(2).build()?;
/// std::thread::scope(|scope| {
///     for _ in 0..2 {
///         scope.spawn(|| {
///             let handle = limiter.handle();
///             (0..1_000).filter(|_| handle.try_acquire(Cost::ONE).is_ok_and(|answer| answer.is_allowed())).count()
///         });
///     }
/// });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// ```compile_fail
/// # use tollgate_core::{Cost, Limit, ShardedLimiter};
/// # let limiter = ShardedLimiter::new(Limit::per_second(1_000_000)).unwrap();
/// let handle = limiter.handle();
/// std::thread::scope(|scope| {
///     scope.spawn(|| handle.try_acquire(Cost::ONE)); // two threads, one handle
///     handle.try_acquire(Cost::ONE)
/// });
/// ```
#[derive(Debug)]
pub struct LocalHandle<'a, C = QuantaClock> {
    limiter: &'a ShardedLimiter<C>,
    /// None: no seat was free.
    seat: Option<&'a Stock>,
    /// The number of the word at which to begin a search for units.
    first: usize,
    /// Invariant: at most `room`.
    stock: Cell<u64>,
    /// Units of the seat's room that are this handle's, which its word counts as away.
    room: Cell<u64>,
}

impl<'a, C: Clock> LocalHandle<'a, C> {
    /// A handle on the first of `seats` that is free.
    pub(super) fn new(
        limiter: &'a ShardedLimiter<C>,
        seats: impl Iterator<Item = (usize, &'a Stock)>,
    ) -> Self {
        let k = limiter.supply.k();
        let mut claims = seats.filter_map(|(place, seat)| Some((place, seat, seat.claim(k)?)));
        let claim = if k > 0 { claims.next() } else { None };
        let (first, seat, (stock, room)) = match claim {
            Some((place, seat, got)) => (place, Some(seat), got),
            None => (0, None, (0, 0)),
        };
        Self {
            limiter,
            seat,
            first,
            stock: Cell::new(stock),
            room: Cell::new(room),
        }
    }

    /// Takes `cost` now, or says how long to wait; see [`ShardedLimiter::try_acquire`].
    ///
    /// From stock: one load and one store of the handle's own memory.
    ///
    /// # Errors
    /// [`CostExceedsCapacity`] if `cost` is above [`ShardedLimiter::max_cost`]. Nothing changes.
    #[inline]
    pub fn try_acquire(&self, cost: Cost) -> Result<Decision, CostExceedsCapacity> {
        self.acquire(cost, || self.limiter.clock.now())
    }

    /// Takes `cost` at `now`, or says how long to wait; see [`ShardedLimiter::try_acquire_at`].
    ///
    /// # Errors
    /// As [`Self::try_acquire`].
    #[inline]
    pub fn try_acquire_at(&self, cost: Cost, now: Nanos) -> Result<Decision, CostExceedsCapacity> {
        self.acquire(cost, || now)
    }

    /// Takes `cost` now if that leaves all but `ceiling` units of the capacity to others, or says how long to wait; see
    /// [`ShardedLimiter::try_acquire_under`]. It uses none of the handle's stock, and counts none.
    ///
    /// # Errors
    /// [`CostExceedsCapacity`] if `cost` could never pass under this ceiling. Nothing changes.
    #[inline]
    pub fn try_acquire_under(
        &self,
        cost: Cost,
        ceiling: u64,
    ) -> Result<Decision, CostExceedsCapacity> {
        self.limiter.try_acquire_under(cost, ceiling)
    }

    /// As [`Self::try_acquire_under`] at `now`.
    ///
    /// # Errors
    /// As [`Self::try_acquire_under`].
    pub fn try_acquire_under_at(
        &self,
        cost: Cost,
        ceiling: u64,
        now: Nanos,
    ) -> Result<Decision, CostExceedsCapacity> {
        self.limiter.try_acquire_under_at(cost, ceiling, now)
    }

    #[inline]
    fn acquire(
        &self,
        cost: Cost,
        now: impl Fn() -> Nanos,
    ) -> Result<Decision, CostExceedsCapacity> {
        match self.take(cost) {
            Some(answer) => Ok(answer),
            None if self.limiter.supply.is_plain() => self.limiter.supply.step(now(), cost),
            None => self.find(cost, now),
        }
    }

    /// Takes `cost` from stock.
    #[inline]
    fn take(&self, cost: Cost) -> Option<Decision> {
        let left = self.stock.get().checked_sub(cost.get())?;
        self.stock.set(left);
        Some(self.limiter.supply.only(left))
    }

    #[cold]
    #[inline(never)]
    fn find(&self, cost: Cost, now: impl Fn() -> Nanos) -> Result<Decision, CostExceedsCapacity> {
        let supply = &self.limiter.supply;
        if let Some(seat) = self.seat {
            let (units, room) = seat.take_up(supply.k());
            self.stock.set(self.stock.get() + units);
            self.room.set(self.room.get() + room);
            if let Some(answer) = self.take(cost) {
                return Ok(answer);
            }
        }
        let home = Home::Own {
            held: self.stock.get(),
            room: self.room.get(),
        };
        let (answer, held) = supply.find(cost, home, self.first, now)?;
        self.stock.set(held);
        Ok(answer)
    }

    /// What the limiter and this handle hold now. Takes nothing; see [`ShardedLimiter::peek`].
    #[must_use]
    pub fn peek(&self) -> Snapshot {
        self.peek_at(self.limiter.clock.now())
    }

    /// What the limiter and this handle hold at `now`. Takes nothing; see [`ShardedLimiter::peek_at`].
    #[must_use]
    pub fn peek_at(&self, now: Nanos) -> Snapshot {
        self.limiter.supply.look(now, self.stock.get())
    }

    /// Whether a seat was free when the handle was made. Without one it works, but each call asks the parent.
    #[must_use]
    pub const fn has_seat(&self) -> bool {
        self.seat.is_some()
    }

    /// The limiter.
    #[must_use]
    pub const fn limiter(&self) -> &'a ShardedLimiter<C> {
        self.limiter
    }
}

impl<C> Drop for LocalHandle<'_, C> {
    fn drop(&mut self) {
        if let Some(seat) = self.seat {
            seat.give_up(self.room.get(), self.stock.get());
        }
    }
}
