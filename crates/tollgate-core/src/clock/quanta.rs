use super::{Clock, WALL_AGE_MAX};
use crate::Nanos;
use std::time::SystemTime;
use tollgate_sync::atomic::{AtomicU128, Ordering::Relaxed};

/// The fastest exact clock: the processor's own counter where it can be trusted, else the system's monotonic clock.
///
/// Its epoch is the instant it was made. The first one in a process takes up to 200 ms, to compare the counter with
/// the monotonic clock. Readings of different cores may differ by some hundred ticks of the counter (below a
/// microsecond), so that `now` may step back by as much; it is never corrected. Its d is that, and the time
/// a thread may be stopped between its reading and its exchange.
///
/// # Synchronization
/// `wall` holds the wall offset and when it was read, in one word, so that nobody can put back an old offset under a
/// fresh date: whoever finds it too old reads the wall clock and exchanges the very word it found. Relaxed: the word
/// is the whole of what it says and publishes no other memory.
///
/// ```
/// use tollgate_core::{Clock, QuantaClock};
///
/// let clock = QuantaClock::new();
/// let wall = clock.moment().wall;
/// assert!(wall.0 > 1_700_000_000_000_000_000, "it is later than 2023");
/// ```
#[derive(Debug)]
pub struct QuantaClock {
    counter: quanta::Clock,
    /// What the counter read at the epoch.
    epoch: u64,
    /// Nanoseconds in `2^SCALE_SHIFT` ticks of the counter.
    scale: u64,
    /// High 64 bits: the wall offset, in nanoseconds, as two's complement. Low 64 bits: the `now` of its reading.
    wall: AtomicU128,
}

impl QuantaClock {
    /// A clock whose epoch is this instant.
    #[must_use]
    pub fn new() -> Self {
        let counter = quanta::Clock::new();
        let epoch = counter.raw();
        Self {
            scale: counter.delta_as_nanos(0, 1 << SCALE_SHIFT),
            counter,
            epoch,
            wall: AtomicU128::new(pack(read_wall_offset(Nanos::ZERO), Nanos::ZERO)),
        }
    }
}

impl Default for QuantaClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for QuantaClock {
    #[inline]
    fn now(&self) -> Nanos {
        let ticks = self.counter.raw().saturating_sub(self.epoch);
        // As `delta_as_nanos` has it, to one part in a million million, without asking again what kind of counter it is.
        let nanos = (u128::from(ticks) * u128::from(self.scale)) >> SCALE_SHIFT;
        Nanos::new(truncated(nanos))
    }

    fn wall_offset(&self) -> i64 {
        let seen = self.wall.load(Relaxed);
        let (offset, read_at) = unpack(seen);
        let now = self.now();
        if now.since(read_at) < WALL_AGE_MAX {
            return offset;
        }
        let offset = read_wall_offset(now);
        // A failure means that another caller renewed the word meanwhile: then it needs no renewal.
        let _ = self
            .wall
            .compare_exchange(seen, pack(offset, now), Relaxed, Relaxed);
        offset
    }
}

/// Enough for the scale of a counter of many gigahertz to have twelve digits.
const SCALE_SHIFT: u32 = 40;

/// Below 2^64 for centuries of ticks.
#[expect(clippy::cast_possible_truncation, reason = "see above")]
#[inline]
const fn truncated(nanos: u128) -> u64 {
    nanos as u64
}

/// Nanoseconds to be added to `now`, which is now, to get wall time.
pub(super) fn read_wall_offset(now: Nanos) -> i64 {
    wall_offset_of(SystemTime::now(), now)
}

fn wall_offset_of(time: SystemTime, now: Nanos) -> i64 {
    let wall = match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |nanos| -nanos),
    };
    wall.saturating_sub(i64::try_from(now.0).unwrap_or(i64::MAX))
}

fn pack(offset: i64, read_at: Nanos) -> u128 {
    (u128::from(offset.cast_unsigned()) << 64) + u128::from(read_at.0)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "each half is cut out as such"
)]
fn unpack(word: u128) -> (i64, Nanos) {
    (((word >> 64) as u64).cast_signed(), Nanos::new(word as u64))
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn now_counts_in_nanoseconds() {
        let clock = QuantaClock::new();
        let (before, started) = (clock.now(), std::time::Instant::now());
        while started.elapsed() < std::time::Duration::from_millis(5) {}
        let (after, elapsed) = (clock.now(), started.elapsed());
        let counted = after.since(before);
        assert!(
            counted.as_micros().abs_diff(elapsed.as_micros()) < 2_000,
            "{counted:?} in {elapsed:?}"
        );
    }

    #[test]
    fn time_before_the_epoch_is_negative() {
        let nanos = std::time::Duration::from_nanos;
        let offset = |time| wall_offset_of(time, Nanos::new(3));
        assert_eq!(offset(SystemTime::UNIX_EPOCH + nanos(5)), 2);
        assert_eq!(offset(SystemTime::UNIX_EPOCH - nanos(5)), -8);
    }

    #[test]
    fn halves_of_the_word_keep_their_signs() {
        for offset in [i64::MIN, -1, 0, 1, i64::MAX] {
            for read_at in [Nanos::ZERO, Nanos::MAX, Nanos::new(u64::MAX)] {
                assert_eq!(unpack(pack(offset, read_at)), (offset, read_at));
            }
        }
    }

    #[test]
    fn an_old_offset_is_read_again() {
        let clock = QuantaClock::new();
        let wrong = 17;
        clock.wall.store(pack(wrong, clock.now()), Relaxed);
        assert_eq!(
            clock.wall_offset(),
            wrong,
            "a fresh offset is used as it is"
        );
        // As if the clock had been made long ago.
        let clock = QuantaClock {
            epoch: clock.epoch.wrapping_sub(10_000_000_000),
            ..clock
        };
        clock.wall.store(pack(wrong, Nanos::ZERO), Relaxed);
        let read = clock.wall_offset();
        assert_ne!(read, wrong);
        assert_eq!(
            unpack(clock.wall.load(Relaxed)).0,
            read,
            "and kept for the next caller"
        );
    }

    #[test]
    fn wall_time_is_the_systems() {
        let clock = QuantaClock::new();
        let wall = clock.moment().wall.0;
        let system = wall_offset_of(SystemTime::now(), Nanos::ZERO);
        assert!(
            wall.abs_diff(system) < 1_000_000_000,
            "{wall} against {system}"
        );
    }
}
