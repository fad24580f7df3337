use crate::{
    lines::{Line, SLOTS, slots},
    word::{Now, Word},
};
use tollgate_sync::atomic::Ordering::Relaxed;

/// The most lines that are looked at.
const SAMPLE_LINES: usize = 1_024;

/// How full a table is, by a sample of its slots.
///
/// ```
/// use tollgate_core::{Cost, Limit};
/// use tollgate_table::KeyedLimiter;
///
/// let limiter = KeyedLimiter::<u64>::builder(Limit::per_minute(1)).max_keys(1_000).build()?;
/// for key in 0..600 {
///     assert!(limiter.try_acquire(&key, Cost::ONE)?.is_allowed());
/// }
/// assert_eq!(limiter.occupancy().live_estimate(), 600, "a small table is looked at as a whole");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occupancy {
    live: u64,
    sampled: u64,
    slots: u64,
}

impl Occupancy {
    pub(crate) fn of(lines: &[Line], now: Now) -> Self {
        let horizon = now.horizon();
        let step = lines.len().div_ceil(SAMPLE_LINES).max(1);
        let mut occupancy = Self {
            live: 0,
            sampled: 0,
            slots: (lines.len() * SLOTS) as u64,
        };
        for slot in lines.iter().step_by(step).flat_map(slots) {
            // Relaxed: each word is taken by itself, as of some moment during the look.
            let free = Word::of(slot.word.load(Relaxed)).free_at(horizon);
            occupancy.live += u64::from(free.is_none());
            occupancy.sampled += 1;
        }
        occupancy
    }

    /// Slots of the sample that are in use: a key has it that is not whole again for [`GRACE`](crate::GRACE).
    #[must_use]
    pub const fn live(&self) -> u64 {
        self.live
    }

    /// Slots in the sample.
    #[must_use]
    pub const fn sampled(&self) -> u64 {
        self.sampled
    }

    /// Slots of the table.
    #[must_use]
    pub const fn slots(&self) -> u64 {
        self.slots
    }

    /// About how many slots of the table are in use: exactly, if it has up to 1,024 lines, else within about
    /// two in a hundred of all slots.
    #[must_use]
    pub fn live_estimate(&self) -> u64 {
        let live = u128::from(self.live) * u128::from(self.slots) / u128::from(self.sampled.max(1));
        u64::try_from(live).unwrap_or(self.slots)
    }

    /// The share of slots in use, from 0 to 1. New keys begin to find no slot above 0.7.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    pub fn share(&self) -> f64 {
        self.live as f64 / self.sampled.max(1) as f64
    }
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;
    use crate::lines::Lines;
    use tollgate_core::Nanos;

    #[test]
    fn a_small_table_is_looked_at_as_a_whole_and_a_large_one_by_a_sample() {
        for (count, sampled) in [(5, 20), (1_024, 4_096), (1_025, 2_052), (100_000, 4_084)] {
            let lines = Lines::new(count).expect("a little memory");
            // One slot of each line is in use.
            for line in lines.all() {
                slots(line)
                    .last()
                    .expect("four")
                    .word
                    .store(u64::MAX / 2, Relaxed);
            }
            let occupancy = Occupancy::of(lines.all(), Now::new(Nanos::ZERO));
            assert_eq!(occupancy.slots(), 4 * count as u64);
            assert_eq!(occupancy.sampled(), sampled);
            assert_eq!(occupancy.live(), sampled / 4);
            assert_eq!(occupancy.live_estimate(), count as u64);
            assert!((occupancy.share() - 0.25).abs() < 1e-9);
        }
    }
}
