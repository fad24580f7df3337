//! A limit whose units are mostly at hand: stock set aside out of the capacity.

mod builder;
mod guess;
mod hand;
mod handle;
mod parent;
mod stock;
mod supply;
#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests;

pub use builder::ShardedLimiterBuilder;
pub use handle::LocalHandle;

use self::supply::{Home, Supply};
use crate::{
    Clock, Cost, CostExceedsCapacity, Decision, Limit, LimitError, Nanos, QuantaClock, Snapshot,
};
use tollgate_sync::thread_number;

/// One limit, shared by many threads that ask often: most answers need no clock and no shared line.
///
/// The units of a limit of capacity C are in two kinds of place: a *parent* cell of capacity `C - S × k`, and S
/// *shards* and *seats* that hold up to k units each, `k = min(64, C / 8S)`. Threads are spread over the shards; each
/// seat serves one [`LocalHandle`] at a time. An admission from stock is one exchange on the shard's own line. When the
/// stock is too small, the parent is asked, as a [`Limiter`](crate::Limiter) would be, for the cost and for new
/// stock in one exchange. Where the capacity is too small for stock (below 8 S), everything is as of a plain
/// `Limiter`.
///
/// Use a `Limiter` where a limit is changed while it runs, where callers wait for turns, or where the whole burst must
/// be there after every pause.
///
/// # Guarantees
///
/// 1. **Never over**, as of a `Limiter`: over every half-open interval of length `w` at most `capacity + rate × w`
///    units, exactly. Stock is part of the capacity, not beside it. The time of an admission from stock is the instant
///    of its exchange; of any other, the `now` that the parent was given.
/// 2. **Needlessly under only in burst.** Stock grows only by draws, not by itself: after units ran out and came
///    in again while nobody asked, up to `S × k` of the capacity may be missing from a burst, at most an
///    eighth. A limiter that starts full has all of it. Whatever a plain cell of capacity [`max_cost`](Self::max_cost)
///    would admit this one admits, except for what living handles hold, and the rate is whole: no unit that was drawn
///    is lost, wherever it lies. [`retry_after`](crate::Denied::retry_after) is the least wait.
/// 3. **A denial changes nothing**, and writes nothing, but for what a caller puts back that lost a race. Before it
///    denies, a caller adds up all that is left. It does not see what others have in hand at that instant, be it
///    that they are about to put it by or that they lost a race for large costs: who is denied for that finds it by
///    asking again.
///
/// # Figures
///
/// An answer from stock knows only its own shard: [`remaining`](crate::Allowed::remaining) is then a lower bound, and
/// [`reset_after`](crate::Allowed::reset_after) an upper one. Those of other answers count the parent too, and those of
/// a denial all stock. [`peek`](Self::peek) is exact while nobody else comes and no handle holds stock. Stock
/// that is missing counts as if it came in last: `reset_after` is never zero while there is any.
///
/// ```
/// use tollgate_core::{Cost, Limit, ShardedLimiter};
///
/// let limiter = ShardedLimiter::builder(Limit::per_second(100_000)).shards(8).build()?;
/// std::thread::scope(|scope| {
///     for _ in 0..4 {
///         scope.spawn(|| limiter.try_acquire(Cost::ONE).is_ok_and(|answer| answer.is_allowed()));
///     }
/// });
/// assert!(limiter.peek().remaining() >= 99_996);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ShardedLimiter<C = QuantaClock> {
    limit: Limit,
    /// The number of shards, a power of two, less one.
    mask: usize,
    supply: Supply,
    clock: C,
}

impl ShardedLimiter {
    /// A limiter that starts with its whole capacity, with a shard and a seat for each core, on a clock of its own.
    ///
    /// # Errors
    /// As [`Limiter::new`](crate::Limiter::new).
    pub fn new(limit: Limit) -> Result<Self, LimitError> {
        Self::builder(limit).build()
    }

    /// Builds a limiter with more choices.
    pub const fn builder(limit: Limit) -> ShardedLimiterBuilder {
        ShardedLimiterBuilder::new(limit)
    }
}

impl<C: Clock> ShardedLimiter<C> {
    /// A limiter as [`ShardedLimiter::new`] makes it, on this clock.
    ///
    /// # Errors
    /// As [`ShardedLimiter::new`].
    pub fn with_clock(limit: Limit, clock: C) -> Result<Self, LimitError> {
        ShardedLimiterBuilder::new(limit).build_with_clock(clock)
    }

    /// Takes `cost` now, or says how long to wait.
    ///
    /// Lock-free. From stock: one exchange on the line of the thread's shard. Else one or two clock reads, one
    /// exchange of the parent and two of the shard; only when the parent has too little, a load of each shard and
    /// seat, and up to two exchanges of each that has some. A denial is those loads.
    ///
    /// # Errors
    /// [`CostExceedsCapacity`] if `cost` is above [`Self::max_cost`]. Nothing changes.
    ///
    /// # Examples
    /// ```
    /// use tollgate_core::{Cost, Limit, ShardedLimiter};
    ///
    /// let limiter = ShardedLimiter::builder(Limit::per_second(64)).shards(2).seats(2).build()?;
    /// assert_eq!((limiter.stock_per_shard(), limiter.max_cost()), (2, 56));
    /// assert!(limiter.try_acquire(Cost::new(56).ok_or("no cost")?)?.is_allowed());
    /// let above = Cost::new(57).ok_or("no cost")?;
    /// assert_eq!(limiter.try_acquire(above).unwrap_err().capacity, 56);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn try_acquire(&self, cost: Cost) -> Result<Decision, CostExceedsCapacity> {
        self.acquire(thread_number(), cost, || self.clock.now())
    }

    /// Takes `cost` at `now`, or says how long to wait; see [`Self::try_acquire`].
    ///
    /// `now` stands for the instant of the call, and must come from the clock's time line. It is not looked at if
    /// stock covers the cost. One that is older by d than the latest given so far may let units in stock carry a stamp
    /// older by as much: that adds up to `rate × d` to what the first law allows.
    ///
    /// # Errors
    /// As [`Self::try_acquire`].
    #[inline]
    pub fn try_acquire_at(&self, cost: Cost, now: Nanos) -> Result<Decision, CostExceedsCapacity> {
        self.acquire(thread_number(), cost, || now)
    }

    /// Takes `cost` now from the shard numbered `shard`, modulo their number, or says how long to wait; see
    /// [`Self::try_acquire`]. For those who know better than the thread alone, say by the core they run on.
    ///
    /// # Errors
    /// As [`Self::try_acquire`].
    #[inline]
    pub fn try_acquire_on(
        &self,
        shard: usize,
        cost: Cost,
    ) -> Result<Decision, CostExceedsCapacity> {
        self.acquire(shard, cost, || self.clock.now())
    }

    /// As [`Self::try_acquire_on`] at `now`; see [`Self::try_acquire_at`].
    ///
    /// # Errors
    /// As [`Self::try_acquire`].
    #[inline]
    pub fn try_acquire_on_at(
        &self,
        shard: usize,
        cost: Cost,
        now: Nanos,
    ) -> Result<Decision, CostExceedsCapacity> {
        self.acquire(shard, cost, || now)
    }

    /// Takes `cost` now if that leaves all but `ceiling` units of the capacity to others, or says how long to wait:
    /// for callers of a lower priority, who see only a share of the capacity.
    ///
    /// They use no stock, which is for callers without a ceiling, and count none: an admission leaves at least
    /// `capacity - ceiling` units in the parent. Their largest cost is [`Self::max_cost`] less that. Costs
    /// what a [`Limiter`](crate::Limiter) does. The figures of the answer are those of the share.
    ///
    /// # Errors
    /// [`CostExceedsCapacity`] if `cost` could never pass under this ceiling. Nothing changes.
    ///
    /// # Examples
    /// ```
    /// use tollgate_core::{Cost, Limit, ManualClock, ShardedLimiter};
    ///
    /// let limit = Limit::per_minute(1_000);
    /// let limiter = ShardedLimiter::builder(limit).shards(1).seats(0).build_with_clock(ManualClock::new())?;
    /// assert_eq!(limiter.max_cost(), 936);
    /// let batch = Cost::new(136).ok_or("no cost")?;
    /// assert!(limiter.try_acquire_under(batch, 200)?.is_allowed());
    /// assert!(limiter.try_acquire_under(Cost::ONE, 200)?.is_denied());
    /// assert!(limiter.try_acquire(Cost::new(800).ok_or("no cost")?)?.is_allowed());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn try_acquire_under(
        &self,
        cost: Cost,
        ceiling: u64,
    ) -> Result<Decision, CostExceedsCapacity> {
        self.try_acquire_under_at(cost, ceiling, self.clock.now())
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
        self.supply.step_under(ceiling, now, cost)
    }

    #[inline]
    fn acquire(
        &self,
        shard: usize,
        cost: Cost,
        now: impl Fn() -> Nanos,
    ) -> Result<Decision, CostExceedsCapacity> {
        let place = shard & self.mask;
        // Linearization point of an admission from stock.
        // Invariant: no stock is above the largest cost, so what it covers needs no other check.
        let left = self
            .supply
            .word(place)
            .and_then(|word| word.take(cost.get()));
        match left {
            Some(left) => Ok(self.supply.only(left)),
            None if self.supply.is_plain() => self.supply.step(now(), cost),
            None => self.find(place, cost, now),
        }
    }

    #[cold]
    #[inline(never)]
    fn find(
        &self,
        place: usize,
        cost: Cost,
        now: impl Fn() -> Nanos,
    ) -> Result<Decision, CostExceedsCapacity> {
        let home = match self.supply.word(place) {
            Some(word) => Home::Shard(word),
            None => Home::Own { held: 0, room: 0 },
        };
        let (answer, _) = self.supply.find(cost, home, place, now)?;
        Ok(answer)
    }

    /// A handle for one thread, with a seat if one is free.
    ///
    /// Lock-free: a load of each seat up to the first free one, and an exchange of that.
    #[must_use = "a handle that is dropped gives its seat up"]
    pub fn handle(&self) -> LocalHandle<'_, C> {
        let seats = (self.shards()..self.supply.words())
            .filter_map(|place| Some((place, self.supply.word(place)?)));
        LocalHandle::new(self, seats)
    }

    /// What is left now. Takes nothing: one clock read, and a load of the parent and of each shard and seat.
    #[must_use]
    pub fn peek(&self) -> Snapshot {
        self.peek_at(self.clock.now())
    }

    /// What is left at `now`. Takes nothing. Exact while nobody else comes; what living handles hold is not counted,
    /// what moves meanwhile may be missed or counted twice.
    #[must_use]
    pub fn peek_at(&self, now: Nanos) -> Snapshot {
        self.supply.look(now, 0)
    }

    /// The largest cost: the capacity less what is set aside, at least seven eighths of it.
    #[must_use]
    pub const fn max_cost(&self) -> u64 {
        self.supply.cost_max()
    }

    /// The most units that a shard or a seat holds: k, at most 64. With 0 this is a plain limiter.
    #[must_use]
    pub const fn stock_per_shard(&self) -> u64 {
        self.supply.k()
    }

    /// The number of shards, a power of two.
    #[must_use]
    pub const fn shards(&self) -> usize {
        self.mask + 1
    }

    /// The number of seats: how many handles can have stock at one time.
    #[must_use]
    pub const fn seats(&self) -> usize {
        self.supply.words() - self.shards()
    }

    /// The limit.
    #[must_use]
    pub const fn limit(&self) -> Limit {
        self.limit
    }

    /// The clock.
    #[must_use]
    pub const fn clock(&self) -> &C {
        &self.clock
    }
}
