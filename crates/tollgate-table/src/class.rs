//! The limits that a key is under.

use crate::{
    error::TableError,
    word::{MARKS, Now},
};
use std::time::Duration;
use tollgate_core::{
    Cost, Limit, LimitError, Nanos,
    gcra::{Gcra, QUANTA_PER_NANO, Step},
};

/// The most classes of one limiter.
const CLASSES_MAX: usize = 1 << 16;

/// The limits of one kind of key: one, or two that must both agree.
///
/// ```
/// use tollgate_core::Limit;
/// use tollgate_table::Class;
///
/// let free: Class = Limit::per_minute(60).into();
/// let paid: Class = [Limit::per_second(100), Limit::per_hour(50_000)].into();
/// assert_eq!(free.limits().count(), 1);
/// assert_eq!(paid.limits().count(), 2);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class {
    first: Limit,
    second: Option<Limit>,
}

impl Class {
    /// The limits, in the order in which they are charged.
    pub fn limits(&self) -> impl Iterator<Item = Limit> + use<> {
        [self.first].into_iter().chain(self.second)
    }
}

impl From<Limit> for Class {
    fn from(first: Limit) -> Self {
        Self {
            first,
            second: None,
        }
    }
}

impl From<[Limit; 2]> for Class {
    fn from([first, second]: [Limit; 2]) -> Self {
        Self {
            first,
            second: Some(second),
        }
    }
}

/// The arithmetic of a class.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    pub(crate) first: Gcra,
    pub(crate) second: Option<Gcra>,
}

impl Rule {
    /// Those of all `classes`, numbered in their order.
    pub(crate) fn of_all(
        classes: impl IntoIterator<Item = Class>,
    ) -> Result<Box<[Self]>, TableError> {
        let one = |(number, class)| match number {
            CLASSES_MAX.. => Err(TableError::TooManyClasses { max: CLASSES_MAX }),
            _ => Self::new(number, class),
        };
        classes.into_iter().enumerate().map(one).collect()
    }

    fn new(number: usize, class: Class) -> Result<Self, TableError> {
        let gcra = |limit| {
            gcra(limit).map_err(|source| TableError::Limit {
                class: number,
                source,
            })
        };
        Ok(Self {
            first: gcra(class.first)?,
            second: class.second.map(gcra).transpose()?,
        })
    }

    /// How many limits that is.
    pub(crate) const fn limits(&self) -> usize {
        1 + self.second.is_some() as usize
    }
}

/// The arithmetic of a limit whose every TAT leaves the top of the word to marks.
fn gcra(limit: Limit) -> Result<Gcra, LimitError> {
    let gcra = Gcra::new(limit)?;
    let last = Now::new(Nanos::MAX);
    let whole = Cost::new(gcra.capacity()).unwrap_or(Cost::ONE);
    match gcra.step(0, last.nanos(), whole) {
        Ok(Step::Take { tat, .. }) if tat < MARKS => Ok(gcra),
        _ => Err(LimitError::CapacityTooLarge {
            capacity: limit.capacity(),
            max: Duration::from_nanos((MARKS - 1 - last.quanta()) / QUANTA_PER_NANO),
        }),
    }
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn no_tat_is_ever_taken_for_a_mark() {
        // Five years and 354 days are left beyond the last `now`; a day more is refused.
        let days = (MARKS - 1 - Now::new(Nanos::MAX).quanta())
            / QUANTA_PER_NANO
            / u64::try_from(DAY.as_nanos()).expect("a day");
        let of = |days: u64| gcra(Limit::per_day(1).with_capacity(days));
        assert!(of(days).is_ok());
        assert!(matches!(
            of(days + 1),
            Err(LimitError::CapacityTooLarge { capacity, .. }) if capacity == days + 1
        ));
        assert!(Gcra::new(Limit::per_day(1).with_capacity(days + 1)).is_ok());
    }

    #[test]
    fn the_longest_refill_that_a_refusal_tells_is_kept() {
        const NANOS_PER_DAY: u64 = 86_400_000_000_000;
        let of = |units, nanos| {
            let limit = Limit::new(units, Duration::from_nanos(1)).expect("a limit");
            gcra(limit.with_capacity(nanos))
        };
        let Err(LimitError::CapacityTooLarge { max, .. }) = of(1, 6 * 365 * NANOS_PER_DAY) else {
            panic!("a mark is within six years");
        };
        let nanos = u64::try_from(max.as_nanos()).expect("a few years");
        assert!(of(1, nanos).is_ok());
        assert!(of(1, nanos + 1).is_err());
        // To the quantum, and the first mark is one too many.
        let quanta = MARKS - Now::new(Nanos::MAX).quanta();
        assert!(of(QUANTA_PER_NANO, quanta - 1).is_ok());
        assert!(of(QUANTA_PER_NANO, quanta).is_err());
    }

    #[test]
    fn a_limit_that_cannot_be_built_is_named_by_its_class() {
        let class = Class::from([Limit::per_second(1), Limit::per_second(u64::MAX)]);
        let refused = Rule::new(3, class).map(drop).unwrap_err();
        assert!(matches!(refused, TableError::Limit { class: 3, .. }));
    }
}
