use super::Clock;
use crate::{Nanos, Wall};
use std::time::Duration;
use tollgate_sync::{
    Arc,
    atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
};

/// A clock that moves only when told to, back as well as ahead: for tests and for replaying the past.
///
/// Copies share the same time. It starts at its epoch, which is the Unix epoch until [`Self::set_wall`] moves it.
/// Its d is zero while nobody moves it between a reading and the exchange.
///
/// # Synchronization
/// Two words, each the whole of what it says, written and read Relaxed: they publish no other memory. A reading of
/// both ([`Clock::moment`]) while another thread sets the wall clock sees either side of that.
///
/// ```
/// use std::time::Duration;
/// use tollgate_core::{Clock, ManualClock, Nanos, Wall};
///
/// let clock = ManualClock::new();
/// clock.advance(Duration::from_secs(5));
/// clock.set_wall(Wall::from_secs(1_000));
/// clock.advance(Duration::from_secs(1));
/// assert_eq!(clock.now(), Nanos::from_secs(6));
/// assert_eq!(clock.moment().wall, Wall::from_secs(1_001));
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock {
    words: Arc<Words>,
}

#[derive(Debug)]
struct Words {
    now: AtomicU64,
    wall_offset: AtomicI64,
}

impl ManualClock {
    /// A clock at its epoch.
    #[must_use]
    pub fn new() -> Self {
        Self::starting_at(Nanos::ZERO)
    }

    /// A clock at `now`.
    #[must_use]
    pub fn starting_at(now: Nanos) -> Self {
        let words = Words {
            now: AtomicU64::new(now.0),
            wall_offset: AtomicI64::new(0),
        };
        Self {
            words: Arc::new(words),
        }
    }

    /// Sets the time, earlier or later than it was. Wall time moves along.
    pub fn set(&self, now: Nanos) {
        self.words.now.store(now.0, Relaxed);
    }

    /// Moves the time ahead, at most to [`Nanos::MAX`]. Wall time moves along.
    pub fn advance(&self, by: Duration) {
        let mut now = self.words.now.load(Relaxed);
        // Lock-free: a failure means that another thread moved the time, which is then moved from there.
        while let Err(moved) =
            self.words
                .now
                .compare_exchange_weak(now, (Nanos::new(now) + by).0, Relaxed, Relaxed)
        {
            now = moved;
        }
    }

    /// Sets the wall clock, earlier or later than it was. The time of rates does not move.
    pub fn set_wall(&self, wall: Wall) {
        let now = i64::try_from(self.now().0).unwrap_or(i64::MAX);
        self.words
            .wall_offset
            .store(wall.0.saturating_sub(now), Relaxed);
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Nanos {
        Nanos::new(self.words.now.load(Relaxed))
    }

    fn wall_offset(&self) -> i64 {
        self.words.wall_offset.load(Relaxed)
    }
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;
    use crate::Moment;

    #[test]
    fn wall_moves_along_and_is_set_alone() {
        let clock = ManualClock::new();
        clock.set(Nanos::new(5));
        clock.set_wall(Wall(-100));
        assert_eq!(clock.moment(), Moment::new(Nanos::new(5), Wall(-100)));
        clock.advance(Duration::from_nanos(3));
        assert_eq!(clock.moment(), Moment::new(Nanos::new(8), Wall(-97)));
        clock.set(Nanos::new(2));
        assert_eq!(clock.moment(), Moment::new(Nanos::new(2), Wall(-103)));
    }
}
