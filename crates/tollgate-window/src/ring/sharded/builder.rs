use super::{ShardedRing, supply::Supply};
use crate::{
    error::{WindowError, max_units},
    ring::{cell::Cell, ticks::Ticks, word::UNITS_MAX},
};
use std::{thread::available_parallelism, time::Duration};
use tollgate_core::{Clock, QuantaClock};

const SHARDS_MAX: usize = 256;
const BATCH: u16 = 512;

/// Builds a [`ShardedRing`].
///
/// ```
/// use std::time::Duration;
/// use tollgate_core::CoarseClock;
/// use tollgate_window::ShardedRing;
///
/// let minute = Duration::from_secs(60);
/// let clock = CoarseClock::start(Duration::from_millis(1))?;
/// let ring =
///     ShardedRing::builder(1_000_000, minute, 60).shards(16).batch(128).build_with_clock(clock)?;
/// assert_eq!(ring.shards(), 16);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
#[derive(Clone, Copy, Debug)]
pub struct ShardedRingBuilder {
    max: u64,
    window: Duration,
    slots: u32,
    phase: Duration,
    shards: Option<usize>,
    batch: u16,
}

impl ShardedRingBuilder {
    /// The most shards.
    pub const SHARDS_MAX: usize = SHARDS_MAX;

    pub(super) const fn new(max: u64, window: Duration, slots: u32) -> Self {
        Self {
            max,
            window,
            slots,
            phase: Duration::ZERO,
            shards: None,
            batch: BATCH,
        }
    }

    /// Starts each slot this much earlier. If this is not called, the first slot starts at the epoch of the clock.
    pub const fn phase(mut self, phase: Duration) -> Self {
        self.phase = phase;
        self
    }

    /// How many shards the threads are spread over, rounded up to a power of two. If this is not called: one for each
    /// core.
    pub const fn shards(mut self, shards: usize) -> Self {
        self.shards = Some(shards);
        self
    }

    /// The most units that a shard draws ahead; none at all with 0, and then every admission is an exchange of the
    /// one ring. If this is not called: 512.
    pub const fn batch(mut self, units: u16) -> Self {
        self.batch = units;
        self
    }

    /// The ring, on a clock of its own.
    ///
    /// # Errors
    /// As [`SlottedRing::with_phase`](crate::SlottedRing::with_phase); [`WindowError::Shards`] if there are none or more
    /// than [`Self::SHARDS_MAX`].
    pub fn build(self) -> Result<ShardedRing, WindowError> {
        self.build_with_clock(QuantaClock::new())
    }

    /// The ring, on this clock.
    ///
    /// # Errors
    /// As [`Self::build`].
    pub fn build_with_clock<C: Clock>(self, clock: C) -> Result<ShardedRing<C>, WindowError> {
        let max = max_units(self.max, UNITS_MAX)?;
        let ticks = Ticks::new(self.window, self.slots, self.phase)?;
        let shards = match self.shards {
            None => available_parallelism().map_or(1, |cores| cores.get().min(SHARDS_MAX)),
            Some(shards @ 1..=SHARDS_MAX) => shards,
            Some(shards) => {
                return Err(WindowError::Shards {
                    shards,
                    most: SHARDS_MAX,
                });
            }
        };
        let supply = Supply::new(
            max,
            Cell::new(ticks),
            shards.next_power_of_two(),
            self.batch,
        );
        Ok(ShardedRing { supply, clock })
    }
}
