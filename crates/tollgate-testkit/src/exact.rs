//! Exact arithmetic: whole numbers of 256 bits, in which no figure of this crate overflows.
//!
//! Every figure that enters is at most 64 bits, and a number of quanta at most 33. The largest term is the cost of
//! a limit in quanta, below 2^161. No test lives to sum 2^30 of those; to be compared with another amount, a sum is
//! multiplied by 64 bits at most.

use ethnum::I256;

/// A whole number wide enough for every product and sum in this crate.
pub(crate) type Wide = I256;

/// `a × b`, exactly.
pub(crate) fn product(a: u64, b: u64) -> Wide {
    Wide::from(u128::from(a) * u128::from(b))
}

/// The largest whole number that is at most `numerator / denominator`. A denominator is never zero here.
pub(crate) fn floor(numerator: Wide, denominator: Wide) -> Wide {
    numerator.div_euclid(denominator)
}

/// The least whole number that is at least `numerator / denominator`.
pub(crate) fn ceil(numerator: Wide, denominator: Wide) -> Wide {
    -(-numerator).div_euclid(denominator)
}

/// `value` as far as 128 bits without a sign can tell: zero below them, the largest above.
pub(crate) fn clamp(value: Wide) -> u128 {
    if value <= Wide::ZERO {
        0
    } else {
        u128::try_from(value).unwrap_or(u128::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_goes_the_named_way_on_both_sides_of_zero() {
        let (seven, two) = (Wide::from(7_u8), Wide::from(2_u8));
        assert_eq!(floor(seven, two), 3);
        assert_eq!(ceil(seven, two), 4);
        assert_eq!(floor(-seven, two), -4);
        assert_eq!(ceil(-seven, two), -3);
        assert_eq!(ceil(Wide::from(6_u8), two), 3);
    }

    #[test]
    fn the_largest_product_is_exact() {
        let max = Wide::from(u64::MAX);
        assert_eq!(product(u64::MAX, u64::MAX), max * max);
        assert_eq!(clamp(max * max * max), u128::MAX);
        assert_eq!(clamp(-max), 0);
    }
}
