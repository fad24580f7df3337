//! A clock that tests turn by hand.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// Nanoseconds since any epoch, moved only by its methods, in either direction. Clones show the same time.
///
/// ```
/// use tollgate_testkit::ManualClock;
/// let clock = ManualClock::new(1_000);
/// let hand = clock.clone();
/// hand.advance(500);
/// hand.step_back(200);
/// assert_eq!(clock.now(), 1_300);
/// ```
#[derive(Clone, Debug, Default)]
pub struct ManualClock {
    // Relaxed everywhere: the time publishes no other memory. A thread that must see a step is told of it by a join
    // or a barrier, which orders the step before its next reading.
    now: Arc<AtomicU64>,
}

impl ManualClock {
    /// A clock that shows `now`.
    #[must_use]
    pub fn new(now: u64) -> Self {
        Self {
            now: Arc::new(AtomicU64::new(now)),
        }
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.now.load(Relaxed)
    }

    /// Shows `now` from here on, later or earlier than before.
    pub fn set(&self, now: u64) {
        self.now.store(now, Relaxed);
    }

    /// Moves on by `nanos`, at most to the end of time.
    pub fn advance(&self, nanos: u64) {
        self.shift(|now| now.saturating_add(nanos));
    }

    /// Steps back by `nanos`, at most to time zero.
    pub fn step_back(&self, nanos: u64) {
        self.shift(|now| now.saturating_sub(nanos));
    }

    fn shift(&self, step: impl Fn(u64) -> u64) {
        let _before = self
            .now
            .fetch_update(Relaxed, Relaxed, |now| Some(step(now)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_time_are_not_passed() {
        let clock = ManualClock::default();
        clock.step_back(1);
        assert_eq!(clock.now(), 0);
        clock.set(u64::MAX);
        clock.advance(1);
        assert_eq!(clock.now(), u64::MAX);
    }
}
