//! The arithmetic of a GCRA cell: one pure step, without state, clock or atomics.
//!
//! A cell keeps one word, its TAT: the instant at which its whole capacity is free again. What lies between now
//! and the TAT is the *backlog*, the units taken and not yet refilled, each worth the emission interval. A cost
//! is admitted when `max(TAT, now) + cost × T − now ≤ capacity × T` (GCRA, ITU-T I.371, stated for a cost of any
//! size); the TAT then moves ahead by `cost × T`.
//!
//! Time is counted in *quanta*, sixteenths of a nanosecond. T is rounded once, upward, to whole quanta, so the
//! rate served is never above the one configured: below it by less than 0.1 % at 10 million units a second and by
//! less than one in a million at 10 thousand and slower. Everything after that rounding is exact.

use crate::{Allowed, Cost, CostExceedsCapacity, Denied, Limit, LimitError, Nanos, Snapshot};
use std::time::Duration;

/// Quanta in a nanosecond.
pub const QUANTA_PER_NANO: u64 = 16;

/// The one word that is no TAT: the mark of a cell that has been replaced.
pub const CLOSED: u64 = u64::MAX;

/// The last TAT.
const TAT_MAX: u64 = CLOSED - 1;
/// [`Nanos::MAX`] in quanta.
const NOW_MAX: u64 = Nanos::MAX.0 * QUANTA_PER_NANO;
/// The longest tolerance: from any `now` it ends at a TAT.
pub(crate) const TOLERANCE_MAX: u64 = TAT_MAX - NOW_MAX;
/// The highest rate: one quantum a unit.
const RATE_MAX_PER_SECOND: u64 = QUANTA_PER_NANO * 1_000_000_000;

/// `now` in quanta, none later than [`Nanos::MAX`].
#[inline]
pub(crate) const fn quanta(now: Nanos) -> u64 {
    // Invariant: at most NOW_MAX, so the product fits.
    now.clamped().0 * QUANTA_PER_NANO
}

/// The least whole number of nanoseconds that spans `quanta`.
pub(crate) const fn nanos_ceil(quanta: u64) -> u64 {
    quanta.div_ceil(QUANTA_PER_NANO)
}

/// What a cell does about one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Exchange the TAT for this one, and answer.
    Take {
        /// The TAT that includes the cost.
        tat: u64,
        /// The answer, once the exchange succeeded.
        allowed: Allowed,
    },
    /// Leave the TAT as it is, and answer.
    Deny(Denied),
}

/// One limit in quanta: how long a unit takes, and how far the TAT may lie ahead.
///
/// ```
/// use tollgate_core::{Cost, Limit, Nanos, gcra::{Gcra, Step}};
///
/// let gcra = Gcra::new(Limit::per_second(10).with_capacity(1))?;
/// let Step::Take { tat, .. } = gcra.step(0, Nanos::ZERO, Cost::ONE)? else { panic!("a fresh cell is whole") };
/// assert!(matches!(gcra.step(tat, Nanos::new(99_999_999), Cost::ONE)?, Step::Deny(_)));
/// assert!(matches!(gcra.step(tat, Nanos::new(100_000_000), Cost::ONE)?, Step::Take { .. }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gcra {
    /// The emission interval in quanta, at least 1.
    interval: u64,
    /// Invariant: `interval × capacity`, at most `TOLERANCE_MAX`.
    tolerance: u64,
}

impl Gcra {
    /// The arithmetic of `limit`.
    ///
    /// # Errors
    /// [`LimitError::RateTooHigh`] above 16 units a nanosecond; [`LimitError::CapacityTooLarge`] if the capacity
    /// takes longer than about six and a half years to refill, which is what a TAT has left beyond [`Nanos::MAX`].
    pub fn new(limit: Limit) -> Result<Self, LimitError> {
        let period = limit.period().as_nanos() * u128::from(QUANTA_PER_NANO);
        let units = u128::from(limit.units());
        if units > period {
            return Err(LimitError::RateTooHigh {
                units: limit.units(),
                period: limit.period(),
                max_per_second: RATE_MAX_PER_SECOND,
            });
        }
        let too_large = LimitError::CapacityTooLarge {
            capacity: limit.capacity(),
            max: Duration::from_nanos(TOLERANCE_MAX / QUANTA_PER_NANO),
        };
        // Upward: a longer interval is a lower rate, never a higher one.
        let interval = u64::try_from(period.div_ceil(units)).map_err(|_| too_large)?;
        match interval.checked_mul(limit.capacity()) {
            Some(tolerance) if tolerance <= TOLERANCE_MAX => Ok(Self {
                interval,
                tolerance,
            }),
            _ => Err(too_large),
        }
    }

    /// The most units admitted at one instant.
    #[must_use]
    pub const fn capacity(&self) -> u64 {
        self.tolerance / self.interval
    }

    /// What a cell with this `tat` holds at `now`.
    #[must_use]
    pub const fn snapshot(&self, tat: u64, now: Nanos) -> Snapshot {
        self.snapshot_since(tat, now, 0)
    }

    /// Takes `cost` at `now` from a cell with this `tat`, or says how long to wait. Of constant time, no division.
    ///
    /// # Errors
    /// [`CostExceedsCapacity`] if `cost` could never fit.
    #[inline]
    pub fn step(&self, tat: u64, now: Nanos, cost: Cost) -> Result<Step, CostExceedsCapacity> {
        self.step_since(tat, now, 0, cost)
    }

    /// As [`Self::snapshot`] for a cell whose limit begins at `since` (in quanta): until then it admits nothing.
    #[inline]
    pub(crate) const fn snapshot_since(&self, tat: u64, now: Nanos, since: u64) -> Snapshot {
        let now = quanta(now);
        Snapshot::new(*self, tat.saturating_sub(now), since.saturating_sub(now))
    }

    /// As [`Self::step`] for a cell whose limit begins at `since` (in quanta).
    #[inline]
    pub(crate) fn step_since(
        &self,
        tat: u64,
        now: Nanos,
        since: u64,
        cost: Cost,
    ) -> Result<Step, CostExceedsCapacity> {
        let need = self.need(cost)?;
        let at = quanta(now);
        // As `Snapshot::ask` decides, put so that it takes one compare: how far ahead the TAT lies is of interest only
        // to those who look at the answer. The sum is at most `TAT_MAX`, so it does not overflow.
        Ok(if tat <= at + (self.tolerance - need) && since <= at {
            let next = tat.max(at) + need;
            let allowed = Snapshot::new(*self, next - at, 0).allowed();
            Step::Take { tat: next, allowed }
        } else {
            Step::Deny(self.snapshot_since(tat, now, since).denied(need))
        })
    }

    /// The TAT after as many units as there are at `now`, from `least` up to `most`, and their number; none if there
    /// are fewer than `least`. `most` is worth no more than 64 bits hold.
    #[inline]
    pub(crate) fn step_up_to(
        &self,
        tat: u64,
        now: Nanos,
        least: u64,
        most: u64,
    ) -> Option<(u64, u64)> {
        let units = self.units_at(tat, now, most);
        if units < least {
            return None;
        }
        let at = quanta(now);
        // The sum is at most TAT_MAX: the units fit the tolerance at `now`.
        Some((tat.max(at) + units * self.interval, units))
    }

    /// What the units are worth that are left at `now` in a cell with this `tat`.
    #[inline]
    pub(crate) const fn free(&self, tat: u64, now: Nanos) -> u64 {
        self.tolerance
            .saturating_sub(tat.saturating_sub(quanta(now)))
    }

    /// Units there are at `now` in a cell with this `tat`, as far as `most` of them.
    #[inline]
    pub(crate) const fn units_at(&self, tat: u64, now: Nanos, most: u64) -> u64 {
        let free = self.free(tat, now);
        // A division only where fewer are left.
        if most * self.interval <= free {
            most
        } else {
            free / self.interval
        }
    }

    /// What `cost` is worth, if it fits the capacity.
    #[inline]
    pub(crate) const fn need(&self, cost: Cost) -> Result<u64, CostExceedsCapacity> {
        self.need_beside(cost, 0)
    }

    /// What `cost` is worth, if it fits the capacity less what is set `aside` (in quanta, at most the tolerance).
    #[inline]
    pub(crate) const fn need_beside(
        &self,
        cost: Cost,
        aside: u64,
    ) -> Result<u64, CostExceedsCapacity> {
        let most = self.tolerance - aside;
        match cost.get().checked_mul(self.interval) {
            Some(need) if need <= most => Ok(need),
            _ => Err(CostExceedsCapacity {
                cost: cost.get(),
                capacity: most / self.interval,
            }),
        }
    }

    /// The same interval with another capacity, at most this one's.
    pub(crate) const fn with_capacity(&self, capacity: u64) -> Self {
        Self {
            interval: self.interval,
            tolerance: self.interval * capacity,
        }
    }

    /// The interval in quanta.
    pub(crate) const fn interval(&self) -> u64 {
        self.interval
    }

    /// The tolerance in quanta.
    pub(crate) const fn tolerance(&self) -> u64 {
        self.tolerance
    }

    /// The TAT at `since` (in quanta) of a cell from which `units` were taken at that instant.
    pub(crate) fn tat_after(&self, since: u64, units: u64) -> u64 {
        // No more than the tolerance, so that the sum fits.
        let taken = units.saturating_mul(self.interval);
        since + taken.min(self.tolerance)
    }

    /// Carries the units behind `tat`, and `carried` more, over to `next` as of `since` (in quanta).
    ///
    /// Rounds the backlog up. Units that no TAT of `next` can hold are handed on to whatever follows `next`: they
    /// are more than its capacity, so `next` denies all the same.
    pub(crate) fn carry_over(
        &self,
        tat: u64,
        carried: u64,
        since: u64,
        next: &Self,
    ) -> CarriedOver {
        let backlog = u128::from(tat.saturating_sub(since));
        let interval = u128::from(next.interval);
        // Neither product overflows, each being of two 64-bit numbers; their sum may.
        let wanted = (backlog * interval)
            .div_ceil(u128::from(self.interval))
            .saturating_add(u128::from(carried) * interval);
        // Invariant: at least the tolerance of `next`, since `since` is at most NOW_MAX.
        let room = TAT_MAX - since;
        match u64::try_from(wanted) {
            Ok(backlog) if backlog <= room => CarriedOver {
                tat: since + backlog,
                carried: 0,
            },
            _ => {
                let beyond = (wanted - u128::from(room)).div_ceil(interval);
                CarriedOver {
                    tat: TAT_MAX,
                    carried: u64::try_from(beyond).unwrap_or(u64::MAX),
                }
            }
        }
    }
}

/// The units of one limit as another one counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CarriedOver {
    /// The TAT to start with.
    pub(crate) tat: u64,
    /// Units beyond the last TAT.
    pub(crate) carried: u64,
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);
    const YEAR: Duration = Duration::from_secs(31_557_600);

    fn gcra(units: u64, period: Duration, capacity: u64) -> Result<Gcra, LimitError> {
        Gcra::new(Limit::new(units, period)?.try_with_capacity(capacity)?)
    }

    fn take(gcra: Gcra, tat: u64, now: u64, units: u64) -> Option<u64> {
        let cost = Cost::new(units).expect("a cost");
        match gcra
            .step(tat, Nanos::new(now), cost)
            .expect("a cost that fits")
        {
            Step::Take { tat, .. } => Some(tat),
            Step::Deny(_) => None,
        }
    }

    #[test]
    fn intervals_are_whole_quanta_rounded_up() {
        for (per_second, quanta) in [
            (1, 16_000_000_000),
            (10_000, 1_600_000),
            (10_000_000, 1_600),
            (300_000_000, 54),
            (700_000_000, 23),
            (1_000_000_000, 16),
            (15_999_999_999, 2),
            (16_000_000_000, 1),
        ] {
            let interval = gcra(per_second, Duration::from_secs(1), 1).map(|gcra| gcra.interval);
            assert_eq!(interval, Ok(quanta), "{per_second} a second");
        }
    }

    #[test]
    fn a_rate_that_cannot_be_told_apart_is_refused_by_name() {
        let second = Duration::from_secs(1);
        assert_eq!(
            gcra(16_000_000_001, second, 1),
            Err(LimitError::RateTooHigh {
                units: 16_000_000_001,
                period: second,
                max_per_second: 16_000_000_000,
            })
        );
        assert!(gcra(16, Duration::from_nanos(1), 1).is_ok());
        assert!(matches!(
            gcra(17, Duration::from_nanos(1), 1),
            Err(LimitError::RateTooHigh { .. })
        ));
        assert!(matches!(
            gcra(u64::MAX, second, 1),
            Err(LimitError::RateTooHigh { .. })
        ));
    }

    #[test]
    fn a_capacity_that_refills_too_slowly_is_refused_by_name() {
        for (units, period, capacity) in [
            (1, DAY, 1_000_000),
            (1, 7 * YEAR, 1),
            (1, 500 * YEAR, 1),
            (1_000, 7 * YEAR, 1_000),
            (1, Duration::from_nanos(u64::MAX), 1),
            (1, Duration::from_secs(1), u64::MAX),
        ] {
            let refused = gcra(units, period, capacity);
            assert!(
                matches!(refused, Err(LimitError::CapacityTooLarge { capacity: found, .. }) if found == capacity),
                "{units} in {period:?}, {capacity} at once gives {refused:?}"
            );
        }
        assert!(matches!(
            gcra(1, 600 * YEAR, 1),
            Err(LimitError::PeriodTooLong { .. })
        ));
        assert!(gcra(1, 6 * YEAR, 1).is_ok());
        assert!(gcra(1, DAY, 2_000).is_ok());
    }

    #[test]
    fn the_longest_tolerance_is_served_to_the_last_instant() {
        let whole = Gcra {
            interval: 1,
            tolerance: TOLERANCE_MAX,
        };
        let tat = take(whole, 0, Nanos::MAX.0, TOLERANCE_MAX).expect("it fits");
        assert_eq!(tat, TAT_MAX);
        assert_ne!(tat, CLOSED);
        assert_eq!(
            take(whole, CLOSED, u64::MAX, 1),
            None,
            "nothing is ever taken from a closed cell"
        );
        assert_eq!(take(whole, tat, Nanos::MAX.0, 1), None);
        assert_eq!(
            take(whole, tat, u64::MAX, 1),
            None,
            "a later instant is taken for the last one"
        );
        assert_eq!(take(whole, tat, 0, 1), None);
    }

    #[test]
    fn capacities_above_32_bits_are_exact() {
        let capacity = (1 << 32) + 1;
        let gcra = gcra(1_000_000_000, Duration::from_secs(1), capacity).expect("a limit");
        assert_eq!(gcra.capacity(), capacity);
        let tat = take(gcra, 0, 0, 1 << 32).expect("it fits");
        assert_eq!(gcra.snapshot(tat, Nanos::ZERO).remaining(), 1);
        let tat = take(gcra, tat, 0, 1).expect("one more");
        assert_eq!(take(gcra, tat, 0, 1), None);
        assert_eq!(
            gcra.step(0, Nanos::ZERO, Cost::new(capacity + 1).expect("a cost"))
                .map(drop),
            {
                Err(CostExceedsCapacity {
                    cost: capacity + 1,
                    capacity,
                })
            }
        );
    }

    #[test]
    fn a_cost_near_the_end_of_64_bits_is_above_the_capacity() {
        let gcra = gcra(1, DAY, 10).expect("a limit");
        let error = gcra
            .step(0, Nanos::ZERO, Cost::new(u64::MAX).expect("a cost"))
            .map(drop);
        assert_eq!(
            error,
            Err(CostExceedsCapacity {
                cost: u64::MAX,
                capacity: 10
            })
        );
    }

    #[test]
    fn idle_time_earns_no_more_than_the_capacity() {
        let gcra = gcra(10, Duration::from_secs(1), 10).expect("a limit");
        for idle in [1_000_000_000, 1_200_000_000, 1_700_000_000, Nanos::MAX.0] {
            let mut tat = take(gcra, 0, 0, 10).expect("it fits");
            let mut admitted = 0;
            while let Some(next) = take(gcra, tat, idle, 1) {
                (tat, admitted) = (next, admitted + 1);
            }
            assert_eq!(admitted, 10, "after {idle} ns");
        }
    }

    #[test]
    fn carried_units_are_the_same_number_under_another_rate() {
        let (fast, slow) = (
            gcra(100, Duration::from_secs(1), 100),
            gcra(1, Duration::from_secs(1), 60),
        );
        let (fast, slow) = (fast.expect("a limit"), slow.expect("a limit"));
        let since = quanta(Nanos::from_secs(5));
        let taken = fast.tat_after(since, 80);
        let over = fast.carry_over(taken, 0, since, &slow);
        assert_eq!(
            over,
            CarriedOver {
                tat: since + 80 * slow.interval,
                carried: 0
            }
        );
        assert_eq!(
            slow.carry_over(over.tat, over.carried, since, &fast),
            CarriedOver {
                tat: taken,
                carried: 0
            }
        );
        let later = quanta(Nanos::from_secs(9));
        assert_eq!(
            fast.carry_over(taken, 0, later, &slow),
            CarriedOver {
                tat: later,
                carried: 0
            },
            "all drained"
        );
    }

    #[test]
    fn carried_units_are_rounded_up() {
        let (sevenths, thirds) = (
            Gcra {
                interval: 7,
                tolerance: 70,
            },
            Gcra {
                interval: 3,
                tolerance: 30,
            },
        );
        // 10 sevenths of a unit are 4.29 thirds.
        assert_eq!(
            sevenths.carry_over(10, 0, 0, &thirds),
            CarriedOver { tat: 5, carried: 0 }
        );
    }

    #[test]
    fn units_that_no_tat_can_hold_are_handed_on() {
        let fast = gcra(1_000_000, Duration::from_secs(1), 1_000_000).expect("a limit");
        let slow = gcra(1, DAY, 1).expect("a limit");
        for since in [0, NOW_MAX] {
            let full = fast.tat_after(since, 1_000_000);
            let over = fast.carry_over(full, 0, since, &slow);
            assert_eq!(over.tat, TAT_MAX);
            assert!(
                over.tat - since >= slow.tolerance,
                "the slow limit denies until the end of time"
            );
            let back = slow.carry_over(over.tat, over.carried, since, &fast);
            let units = (back.tat - since).div_ceil(fast.interval);
            assert!(
                (1_000_000..=1_000_001).contains(&units),
                "{units} units came back"
            );
        }
        // Nor does any sum wrap.
        let widest = Gcra {
            interval: TOLERANCE_MAX,
            tolerance: TOLERANCE_MAX,
        };
        let narrow = Gcra {
            interval: 1,
            tolerance: 1,
        };
        let room = TAT_MAX - NOW_MAX;
        for (carried, beyond) in [(room, 0), (room + 1, 1)] {
            let over = narrow.carry_over(0, carried, NOW_MAX, &narrow);
            assert_eq!((over.tat, over.carried), (TAT_MAX, beyond));
        }
        let over = narrow.carry_over(TAT_MAX, u64::MAX, 0, &widest);
        assert_eq!(
            over,
            CarriedOver {
                tat: TAT_MAX,
                carried: u64::MAX
            }
        );
    }
}
