use super::{
    ShardedLimiter,
    hand::{STOCK_MAX, WORDS_MAX},
    supply::Supply,
};
use crate::{Clock, Limit, LimitError, QuantaClock, gcra::Gcra};
use std::thread::available_parallelism;

/// Of the capacity, at most one part in so many is set aside.
const SET_ASIDE_PART: u64 = 8;

/// Builds a [`ShardedLimiter`].
///
/// ```
/// use tollgate_core::{Limit, ManualClock, ShardedLimiter};
///
/// let limiter = ShardedLimiter::builder(Limit::per_second(1_000_000))
///     .shards(16)
///     .seats(4)
///     .initial(5_000)
///     .build_with_clock(ManualClock::new())?;
/// assert_eq!(limiter.stock_per_shard(), 64);
/// assert_eq!(limiter.max_cost(), 1_000_000 - 20 * 64);
/// assert_eq!(limiter.peek().remaining(), 5_000);
/// # Ok::<(), tollgate_core::LimitError>(())
/// ```
#[must_use]
#[derive(Clone, Copy, Debug)]
pub struct ShardedLimiterBuilder {
    limit: Limit,
    shards: Option<usize>,
    seats: Option<usize>,
    initial: Option<u64>,
}

impl ShardedLimiterBuilder {
    /// The most shards and seats together.
    pub const SHARDS_AND_SEATS_MAX: usize = WORDS_MAX;

    pub(super) const fn new(limit: Limit) -> Self {
        Self {
            limit,
            shards: None,
            seats: None,
            initial: None,
        }
    }

    /// How many shards the threads are spread over, rounded up to a power of two. If this is not called: one for each
    /// core.
    pub const fn shards(mut self, shards: usize) -> Self {
        self.shards = Some(shards);
        self
    }

    /// How many [handles](super::LocalHandle) can have stock of their own at one time. If this is not called: as many
    /// as there are shards. Each takes as much of the capacity as a shard, also while no handle uses it.
    pub const fn seats(mut self, seats: usize) -> Self {
        self.seats = Some(seats);
        self
    }

    /// The units to start with, from none to the capacity; the whole capacity if this is not called. With less,
    /// the shards have theirs first.
    pub const fn initial(mut self, units: u64) -> Self {
        self.initial = Some(units);
        self
    }

    /// The limiter, on a clock of its own.
    ///
    /// # Errors
    /// As [`Limiter::new`](crate::Limiter::new); [`LimitError::InitialAboveCapacity`]; [`LimitError::NoShards`];
    /// [`LimitError::TooManyShards`] above [`Self::SHARDS_AND_SEATS_MAX`].
    pub fn build(self) -> Result<ShardedLimiter, LimitError> {
        self.build_with_clock(QuantaClock::new())
    }

    /// The limiter, on this clock, which is read if the limiter starts with less than its capacity.
    ///
    /// # Errors
    /// As [`Self::build`].
    pub fn build_with_clock<C: Clock>(self, clock: C) -> Result<ShardedLimiter<C>, LimitError> {
        let gcra = Gcra::new(self.limit)?;
        let capacity = self.limit.capacity();
        let initial = self.initial.unwrap_or(capacity);
        if initial > capacity {
            return Err(LimitError::InitialAboveCapacity { initial, capacity });
        }
        let (shards, seats) = self.shards_and_seats()?;
        let words = shards + seats;
        let k = (capacity / (SET_ASIDE_PART * words as u64)).min(STOCK_MAX);
        Ok(ShardedLimiter {
            limit: self.limit,
            mask: shards - 1,
            supply: Supply::new(gcra, k, words, initial, || clock.now()),
            clock,
        })
    }

    fn shards_and_seats(self) -> Result<(usize, usize), LimitError> {
        let shards = match self.shards {
            Some(0) => return Err(LimitError::NoShards),
            Some(shards) => shards,
            None => available_parallelism()
                .map_or(1, usize::from)
                .min(WORDS_MAX / 2),
        };
        let too_many = |seats| LimitError::TooManyShards {
            shards,
            seats,
            max: WORDS_MAX,
        };
        let rounded = shards
            .checked_next_power_of_two()
            .ok_or(too_many(self.seats.unwrap_or(shards)))?;
        let seats = self.seats.unwrap_or(rounded);
        match rounded.checked_add(seats) {
            Some(words) if words <= WORDS_MAX => Ok((rounded, seats)),
            _ => Err(too_many(seats)),
        }
    }
}
