//! A fractional rate as a limit, without floating-point arithmetic.

use crate::{Limit, LimitError, gcra::QUANTA_PER_NANO};
use std::time::Duration;

/// Quanta in a second.
const SECOND: u64 = QUANTA_PER_NANO * 1_000_000_000;
/// Bits of a double's fraction.
const FRACTION_BITS: u32 = 52;
/// What the stored exponent of a double is above that of a whole number of [`FRACTION_BITS`] bits.
const EXPONENT_BIAS: u32 = 1_075;
/// The stored exponent of infinities and of what is not a number.
const EXPONENT_SPECIAL: u32 = 0x7ff;

/// The limit of `rate` units a second, and `capacity`.
///
/// A double is exactly `fraction × 2^exponent`, so the time that a unit takes is one exact division, rounded upward
/// to whole quanta as that of any limit. Sixteen units every T nanoseconds take T quanta each: so the limit that is
/// returned has exactly this interval.
pub(super) fn limit_per_second(rate: f64, capacity: u64) -> Result<Limit, LimitError> {
    let bits = rate.to_bits();
    let fraction = bits & ((1 << FRACTION_BITS) - 1);
    let stored = u32::try_from((bits >> FRACTION_BITS) & u64::from(EXPONENT_SPECIAL))
        .unwrap_or(EXPONENT_SPECIAL);
    if rate.is_sign_negative() || stored == EXPONENT_SPECIAL || (fraction == 0 && stored == 0) {
        return Err(LimitError::NotARate);
    }
    // The leading one is stored of no number but the subnormal ones, which have none.
    let (fraction, stored) = if stored == 0 {
        (fraction, 1)
    } else {
        (fraction | 1 << FRACTION_BITS, stored)
    };
    let too_high = LimitError::RateTooHigh {
        // Rounded upward, at the largest number if it is larger still.
        units: match EXPONENT_BIAS.checked_sub(stored) {
            Some(down) => fraction.checked_shr(down).unwrap_or(0).saturating_add(1),
            None => u64::MAX,
        },
        period: Duration::from_secs(1),
        max_per_second: SECOND,
    };
    // A whole number of more than 52 bits is above any rate that can be told apart.
    let Some(down) = EXPONENT_BIAS.checked_sub(stored) else {
        return Err(too_high);
    };
    // T = SECOND / (fraction / 2^down). A shift that loses bits belongs to a T of more than 64 bits: SECOND has 34
    // bits, so 95 fit, and a fraction has at most 53.
    let too_slow = LimitError::CapacityTooLarge {
        capacity,
        max: Duration::from_nanos(crate::gcra::TOLERANCE_MAX / QUANTA_PER_NANO),
    };
    let second = u128::from(SECOND);
    if down > second.leading_zeros() {
        return Err(too_slow);
    }
    let second = second << down;
    if second < u128::from(fraction) {
        return Err(too_high);
    }
    let interval = u64::try_from(second.div_ceil(u128::from(fraction))).map_err(|_| too_slow)?;
    Limit::new(QUANTA_PER_NANO, Duration::from_nanos(interval))?.try_with_capacity(capacity)
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;
    use crate::gcra::Gcra;

    fn interval(rate: f64) -> Result<u64, LimitError> {
        Gcra::new(limit_per_second(rate, 1)?).map(|gcra| gcra.interval())
    }

    #[test]
    fn rates_are_converted_exactly_and_rounded_down() {
        for (rate, quanta) in [
            (1.0, 16_000_000_000),
            (0.5, 32_000_000_000),
            (2.5, 6_400_000_000),
            (1e9, 16),
            (3e8, 54),
            (16e9, 1),
            // The double nearest to a tenth is a little more than one: a little less time, rounded up again.
            (0.1, 160_000_000_000),
            // The one below it is less than a tenth by a few in 10^17: the interval is just over.
            (0.1_f64.next_down(), 160_000_000_001),
            (1.0 / 1_048_576.0, 16_777_216_000_000_000),
        ] {
            assert_eq!(interval(rate), Ok(quanta), "{rate}");
        }
    }

    #[test]
    fn whole_rates_agree_with_units_per_period() {
        for units in [1_u32, 2, 3, 7, 999, 1_000_003, 700_000_000] {
            let whole = Gcra::new(Limit::per_second(u64::from(units)).with_capacity(1))
                .map(|gcra| gcra.interval());
            assert_eq!(interval(f64::from(units)), whole, "{units}");
        }
    }

    #[test]
    fn what_is_no_rate_is_refused_by_name() {
        for rate in [
            f64::NAN,
            -f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            0.0,
            -0.0,
            -1.0,
            -f64::MIN_POSITIVE,
        ] {
            assert_eq!(interval(rate), Err(LimitError::NotARate), "{rate}");
        }
    }

    #[test]
    fn what_is_too_fast_is_refused_by_name() {
        for (rate, found) in [
            (16e9_f64.next_up(), 16_000_000_001),
            (1e15, 1_000_000_000_000_001),
            (1e18, u64::MAX),
            (f64::MAX, u64::MAX),
        ] {
            assert!(
                matches!(interval(rate), Err(LimitError::RateTooHigh { units, .. }) if units == found),
                "{rate} gives {:?}",
                interval(rate)
            );
        }
    }

    #[test]
    fn what_is_too_slow_is_refused_by_name() {
        for rate in [1e-9, 1e-20, 1e-300, f64::MIN_POSITIVE, f64::from_bits(1)] {
            assert!(
                matches!(
                    interval(rate),
                    Err(LimitError::CapacityTooLarge { capacity: 1, .. })
                ),
                "{rate} gives {:?}",
                interval(rate)
            );
        }
    }
}
