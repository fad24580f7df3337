//! The numbers of slots, exact for any window and any number of slots.

use super::word::TICK_MAX;
use crate::error::{WindowError, phase_ns, window_ns};
use std::time::Duration;
use tollgate_core::Nanos;

pub(super) const SLOTS_MAX: u32 = 4096;

/// How instants and ticks belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticks {
    window_ns: u64,
    phase_ns: u64,
    slots: u32,
    /// The whole nanoseconds of a slot, and how many the slots of a window have more together.
    slot_ns: u64,
    rest_ns: u64,
}

impl Ticks {
    pub(super) fn new(window: Duration, slots: u32, phase: Duration) -> Result<Self, WindowError> {
        let window_ns = window_ns(window)?;
        let phase_ns = phase_ns(phase, window_ns)?;
        if slots == 0 || slots > SLOTS_MAX {
            return Err(WindowError::Slots {
                slots,
                most: SLOTS_MAX,
            });
        }
        let shortest = shortest_window_ns(slots);
        if window_ns < shortest {
            return Err(WindowError::SlotsTooShort {
                slots,
                window,
                shortest: Duration::from_nanos(shortest),
            });
        }
        Ok(Self {
            window_ns,
            phase_ns,
            slots,
            slot_ns: window_ns / u64::from(slots),
            rest_ns: window_ns % u64::from(slots),
        })
    }

    pub(super) const fn slots(&self) -> u32 {
        self.slots
    }

    pub(super) const fn window(&self) -> Duration {
        Duration::from_nanos(self.window_ns)
    }

    /// The tick of `now`, or `open` if that is later; it divides only when it must. No `now` reaches the last
    /// `slots + 1` ticks up to [`TICK_MAX`].
    pub(super) fn tick_from(&self, open: u64, now: Nanos) -> u64 {
        if !self.is_over(open, now) {
            open
        } else if self.rest_ns == 0 {
            (now.clamped().0 + self.phase_ns) / self.slot_ns
        } else {
            narrow(self.parts(now) / u128::from(self.window_ns))
        }
    }

    /// True if a later tick than `tick` has begun by `now`.
    #[inline]
    pub(super) fn is_over(&self, tick: u64, now: Nanos) -> bool {
        // No overflow: a tick is below 2^42 and a window below 2^60.
        self.parts(now) >= u128::from(tick + 1) * u128::from(self.window_ns)
    }

    /// True if `tick` has begun by `now` and no later one has.
    #[inline]
    pub(super) fn is_open(&self, tick: u64, now: Nanos) -> bool {
        // No overflow, as in `is_over`; before the tick it wraps far beyond any window.
        let since = self
            .parts(now)
            .wrapping_sub(u128::from(tick) * u128::from(self.window_ns));
        since < u128::from(self.window_ns)
    }

    /// The time up to `now`, in parts of which a tick has as many as the window has nanoseconds.
    #[inline]
    fn parts(&self, now: Nanos) -> u128 {
        // No overflow: both are below 2^60.
        u128::from(now.clamped().0 + self.phase_ns) * u128::from(self.slots)
    }

    /// The first nanosecond of `tick`, at the earliest the epoch.
    pub(super) fn start_ns(&self, tick: u64) -> u64 {
        // No overflow: a tick is below 2^42 and the rest below 2^12, as are the slots; and a tick of the whole
        // nanoseconds starts no later than a true one, which is below 2^62.
        let whole = tick * self.slot_ns;
        let start = match tick * self.rest_ns {
            0 => whole,
            rest => whole + rest.div_ceil(u64::from(self.slots)),
        };
        start.saturating_sub(self.phase_ns)
    }
}

/// The shortest window of which `slots` slots can be numbered until [`Nanos::MAX`], with any phase (which adds fewer
/// than `slots`) and as many ticks again to tell waits in.
fn shortest_window_ns(slots: u32) -> u64 {
    let parts = u128::from(Nanos::MAX.0) * u128::from(slots);
    narrow(parts.div_ceil(u128::from(TICK_MAX - 2 * u64::from(slots) - 2)))
}

/// Invariant: all that is narrowed here is below 2^62, since windows and instants are below 2^60.
fn narrow(wide: u128) -> u64 {
    debug_assert!(wide < 1 << 62);
    u64::try_from(wide).unwrap_or(u64::MAX)
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn slots_that_do_not_divide_the_window_start_at_the_next_nanosecond() {
        let window = Duration::from_nanos(10_000_001);
        let ticks = Ticks::new(window, 3, Duration::from_nanos(5)).unwrap();
        for tick in 1..100 {
            let start = ticks.start_ns(tick);
            for open in [0, tick - 1, tick, tick + 1] {
                assert_eq!(ticks.tick_from(open, Nanos(start)), tick.max(open));
                assert_eq!(ticks.is_open(open, Nanos(start)), open == tick);
            }
            assert!(ticks.is_open(tick - 1, Nanos(start - 1)));
            assert_eq!(ticks.tick_from(0, Nanos(start - 1)), tick - 1);
        }
        assert_eq!(
            ticks.start_ns(0),
            0,
            "the first slot began before the epoch"
        );
        assert_eq!(ticks.tick_from(0, Nanos(10_000_001 - 5)), 3);
    }

    #[test]
    fn shortest_window_lasts_thirty_years_with_room() {
        // Of 1911, 2008 and 3560 slots a window a nanosecond shorter would not.
        for slots in [1, 2, 60, 1911, 2008, 3560, SLOTS_MAX] {
            let shortest = shortest_window_ns(slots);
            let window = Duration::from_nanos(shortest);
            let ticks = Ticks::new(window, slots, Duration::from_nanos(shortest - 1)).unwrap();
            let last = ticks.tick_from(0, Nanos::MAX);
            assert!(last + u64::from(slots) + 1 < TICK_MAX, "{slots}");
            assert!(
                last > TICK_MAX - TICK_MAX / 100_000,
                "not needlessly long: {slots}"
            );
            assert!(ticks.start_ns(last + u64::from(slots) + 1) > Nanos::MAX.0);
            let shorter = Ticks::new(Duration::from_nanos(shortest - 1), slots, Duration::ZERO);
            assert_eq!(
                shorter,
                Err(WindowError::SlotsTooShort {
                    slots,
                    window: Duration::from_nanos(shortest - 1),
                    shortest: window
                })
            );
        }
    }

    #[test]
    fn longest_window_takes_the_most_slots() {
        let longest = Duration::from_nanos(Nanos::MAX.0);
        let phase = Duration::from_nanos(Nanos::MAX.0 - 1);
        let ticks = Ticks::new(longest, SLOTS_MAX, phase).unwrap();
        assert_eq!(ticks.tick_from(0, Nanos(u64::MAX)), 2 * 4096 - 1);
        assert!(matches!(
            Ticks::new(longest, SLOTS_MAX + 1, phase),
            Err(WindowError::Slots { .. })
        ));
        assert!(matches!(
            Ticks::new(longest, 0, phase),
            Err(WindowError::Slots { .. })
        ));
    }
}
