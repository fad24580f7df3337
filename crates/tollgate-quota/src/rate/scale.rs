//! Exact arithmetic of a rate: the stored unit of time is chosen so that one unit is worth a whole number of it.

use std::time::Duration;
use tollgate_core::{Limit, LimitError, Nanos};

/// Bits of a stored time.
pub(super) const TAT_BITS: u32 = 75;
/// No valid time is as late as this: the words above it are marks.
pub(super) const TAT_LIMIT: u128 = (1 << TAT_BITS) - 2;
/// Most quanta in a nanosecond.
const FINEST: u64 = 1 << 15;

/// How a rate meter tells time: `per_nano` quanta in a nanosecond, `interval` quanta a unit.
///
/// For `units` in `period` nanoseconds with `units / period` in lowest terms `u / p`, a quantum of `1/u` ns makes
/// a nanosecond `u` quanta and a unit exactly `p` quanta: every sum is exact, whatever the rate. Only where `u`
/// is above 2^15 the quantum is 2^-15 ns and the interval is rounded, once and upward, by less than one quantum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    per_nano: u64,
    /// Invariant: at most the period in nanoseconds, so that it fits.
    interval: u64,
}

impl Scale {
    /// The scale of `limit`.
    ///
    /// # Errors
    /// [`LimitError::RateTooHigh`] above 32,768 units a nanosecond. [`LimitError::CapacityTooLarge`] if refilling the capacity takes longer than a stored time can hold
    /// beside 30 years of uptime: 6.5 years at the finest quantum, a million at the coarsest.
    pub fn new(limit: &Limit) -> Result<Self, LimitError> {
        let period = u64::try_from(limit.period().as_nanos()).unwrap_or(u64::MAX);
        let common = gcd(period, limit.units());
        let (period, units) = (period / common, limit.units() / common);
        let finest = u128::from(period) * u128::from(FINEST);
        let (per_nano, interval) = if units <= FINEST {
            (units, period)
        } else if finest < u128::from(units) {
            // Less than a quantum a unit: rounding it up would serve less than the limit allows.
            return Err(LimitError::RateTooHigh {
                units: limit.units(),
                period: limit.period(),
                max_per_second: FINEST * 1_000_000_000,
            });
        } else {
            // More units than `FINEST`: the interval is no longer than the period.
            let interval = finest.div_ceil(u128::from(units));
            (FINEST, u64::try_from(interval).unwrap_or(u64::MAX))
        };
        let scale = Self { per_nano, interval };
        if scale.worth(limit.capacity()) <= scale.room() {
            return Ok(scale);
        }
        let secs = scale.room() / u128::from(per_nano) / 1_000_000_000;
        Err(LimitError::CapacityTooLarge {
            capacity: limit.capacity(),
            max: Duration::from_secs(u64::try_from(secs).unwrap_or(u64::MAX)),
        })
    }

    /// The most units that a limit may allow in `period`: with one more, [`Scale::new`] says that the rate is too high.
    #[must_use]
    pub fn units_max(period: Duration) -> u64 {
        let most = period.as_nanos().saturating_mul(u128::from(FINEST));
        u64::try_from(most).unwrap_or(u64::MAX)
    }

    /// The largest capacity at this rate: with one more, [`Scale::new`] says that it is too large. At least one.
    #[must_use]
    pub fn capacity_max(&self) -> u64 {
        // A unit is worth at most one period of 2^64 ns, and there is room for more than 2^71.
        u64::try_from(self.room() / u128::from(self.interval)).unwrap_or(u64::MAX)
    }

    /// Quanta that a stored time can hold beside all of a clock's life.
    fn room(&self) -> u128 {
        TAT_LIMIT - 1 - self.quanta(Nanos::MAX)
    }

    /// An instant in quanta; [`Nanos::MAX`] stands for all later ones.
    #[inline]
    pub(super) const fn quanta(&self, now: Nanos) -> u128 {
        now.clamped().0 as u128 * self.per_nano as u128
    }

    /// What `units` are worth, in quanta.
    #[inline]
    pub(super) const fn worth(&self, units: u64) -> u128 {
        self.interval as u128 * units as u128
    }

    /// Right shift from quanta to what a short record of 64 bits holds: 1024ths of a nanosecond, or the quantum
    /// itself where that is no finer, so that 52 days of refunds go by before a record is of no use.
    pub(super) const fn record_shift(&self) -> u32 {
        (u64::BITS - self.per_nano.leading_zeros()).saturating_sub(11)
    }

    /// Whole nanoseconds that last at least `quanta`.
    pub(super) fn nanos_up(&self, quanta: u128) -> u64 {
        div_ceil(quanta, self.per_nano)
    }

    /// What is left of `units` when `passed` has gone by, rounded up.
    pub(crate) fn drained(&self, units: u64, passed: Nanos) -> u64 {
        let passed = u128::from(passed.0) * u128::from(self.per_nano);
        self.units_up(self.worth(units).saturating_sub(passed))
    }

    /// Units that `quanta` are worth, rounded up.
    pub(super) fn units_up(&self, quanta: u128) -> u64 {
        div_ceil(quanta, self.interval)
    }

    /// Units that `quanta` are worth, rounded down.
    pub(super) fn units_down(&self, quanta: u128) -> u64 {
        u64::try_from(quanta / u128::from(self.interval)).unwrap_or(u64::MAX)
    }

    /// What a backlog of `quanta` on the scale `from` is on this one: the same units, rounded up by less than a
    /// quantum.
    pub(super) fn converted(&self, quanta: u128, from: &Self) -> u128 {
        self.converted_by(u128::div_ceil, quanta, from)
    }

    /// As [`converted`](Self::converted), rounded down.
    pub(super) fn converted_down(&self, quanta: u128, from: &Self) -> u128 {
        self.converted_by(|dividend, divisor| dividend / divisor, quanta, from)
    }

    fn converted_by(&self, divided: fn(u128, u128) -> u128, quanta: u128, from: &Self) -> u128 {
        let (here, there) = (u128::from(self.interval), u128::from(from.interval));
        let (whole, part) = (quanta / there, quanta % there);
        // The second product does not overflow, since `part` is less than an interval.
        whole
            .saturating_mul(here)
            .saturating_add(divided(part * here, there))
    }
}

/// The quotient, rounded up; the largest number where it does not fit. Quotients of short numbers are far cheaper.
fn div_ceil(dividend: u128, divisor: u64) -> u64 {
    match u64::try_from(dividend) {
        Ok(short) => short.div_ceil(divisor),
        Err(_) => u64::try_from(dividend.div_ceil(u128::from(divisor))).unwrap_or(u64::MAX),
    }
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_a_whole_number_of_quanta() {
        let scale = Scale::new(&Limit::per_minute(226_000)).unwrap();
        assert_eq!(
            scale,
            Scale {
                per_nano: 113,
                interval: 30_000_000
            }
        );
        assert_eq!(scale.worth(226_000), scale.quanta(Nanos::from_secs(60)));
    }

    #[test]
    fn a_fine_rate_is_rounded_upward_by_less_than_a_quantum() {
        let scale = Scale::new(&Limit::new(999_983, Duration::from_secs(1)).unwrap()).unwrap();
        assert_eq!(scale.per_nano, FINEST);
        let exact = 1_000_000_000 * u128::from(FINEST);
        assert!(scale.worth(999_983) >= exact && scale.worth(999_983) < exact + 999_983);
    }

    /// With a finer one a record would be of no use after fewer days than it says.
    #[test]
    fn a_record_holds_1024ths_of_a_nanosecond_or_coarser_quanta() {
        for (units, shift) in [(1, 0), (2_047, 0), (2_048, 1), (5_000, 2), (FINEST, 5)] {
            // A prime: nothing is left out of the fraction.
            let limit = Limit::new(units, Duration::from_nanos(1_000_000_007)).unwrap();
            let scale = Scale::new(&limit).unwrap();
            assert_eq!((scale.per_nano, scale.record_shift()), (units, shift));
        }
    }

    #[test]
    fn one_a_day_with_a_capacity_of_a_million_fits() {
        let limit = Limit::per_day(1).with_capacity(1_000_000);
        assert!(Scale::new(&limit).is_ok());
    }

    #[test]
    fn a_capacity_that_no_time_can_hold_is_refused_by_name() {
        let limit = Limit::per_day(1).with_capacity(u64::MAX);
        assert!(matches!(
            Scale::new(&limit),
            Err(LimitError::CapacityTooLarge { .. })
        ));
    }

    #[test]
    fn a_rate_that_no_quantum_can_tell_apart_is_refused_by_name() {
        let limit = |units| {
            Limit::new(units, Duration::from_nanos(1))
                .unwrap()
                .with_capacity(1)
        };
        assert!(Scale::new(&limit(32_768)).is_ok());
        assert!(matches!(
            Scale::new(&limit(32_771)),
            Err(LimitError::RateTooHigh { .. })
        ));
    }

    #[test]
    fn the_largest_figures_fit_and_no_larger_ones() {
        for (units, period) in [
            (1, Duration::from_nanos(u64::MAX)),
            (7, Duration::from_secs(86_400)),
            (226_000, Duration::from_secs(60)),
            (999_983, Duration::from_secs(315_360_000)),
        ] {
            let limit = |capacity| Limit::new(units, period).unwrap().with_capacity(capacity);
            let most = Scale::new(&limit(1)).unwrap().capacity_max();
            assert!(Scale::new(&limit(most)).is_ok(), "{units} in {period:?}");
            assert!(matches!(
                Scale::new(&limit(most + 1)),
                Err(LimitError::CapacityTooLarge { .. })
            ));
        }
        for period in [1, 1_000_000, 1_000_003].map(Duration::from_nanos) {
            let limit = |units| Limit::new(units, period).unwrap().with_capacity(1);
            let most = Scale::units_max(period);
            assert!(Scale::new(&limit(most)).is_ok(), "{period:?}");
            assert!(matches!(
                Scale::new(&limit(most + 1)),
                Err(LimitError::RateTooHigh { .. })
            ));
        }
        assert_eq!(Scale::units_max(Duration::MAX), u64::MAX);
    }

    #[test]
    fn conversion_keeps_units() {
        let minute = Scale::new(&Limit::per_minute(60)).unwrap();
        let double = Scale::new(&Limit::per_minute(120)).unwrap();
        assert_eq!(double.converted(minute.worth(7), &minute), double.worth(7));
        assert_eq!(
            minute.converted(double.worth(7) - 1, &double),
            minute.worth(7) - 2
        );
    }
}
