//! Limits that know no time: units ever, and units open.

use super::{Model, Receipt};
use crate::answer::Answer;

/// Units committed and not given back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Count {
    units: u128,
    charges: u64,
}

impl Count {
    fn look(&self, cost: u64, max: u64) -> Answer {
        if self.units + u128::from(cost) <= u128::from(max) {
            Answer::Admit
        } else {
            Answer::Never
        }
    }

    fn charge(&mut self, cost: u64) -> Receipt {
        self.units += u128::from(cost);
        self.charges += 1;
        Receipt {
            number: self.charges - 1,
            mark: 0,
            kept: cost,
        }
    }

    fn refund(&mut self, receipt: &mut Receipt, surplus: u64) {
        self.units -= u128::from(receipt.lower(surplus));
    }
}

macro_rules! counted {
    ($(#[$docs:meta])* $name:ident) => {
        $(#[$docs])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub struct $name {
            max: u64,
            count: Count,
        }

        impl $name {
            /// A limit of which nothing is used.
            #[must_use]
            pub fn new(max: u64) -> Self {
                Self { max, count: Count::default() }
            }
        }

        impl Model for $name {
            fn max(&self) -> u64 {
                self.max
            }

            fn look_under(&self, _now: u64, cost: u64, max: u64) -> Answer {
                self.count.look(cost, max.min(self.max))
            }

            fn charge(&mut self, _now: u64, cost: u64) -> Receipt {
                self.count.charge(cost)
            }

            fn refund(&mut self, _now: u64, receipt: &mut Receipt, surplus: u64) {
                self.count.refund(receipt, surplus);
            }

            fn used(&self, _now: u64) -> u128 {
                self.count.units
            }
        }
    };
}

counted! {
    /// At most `max` units ever. Waiting never helps.
    ///
    /// ```
    /// use tollgate_testkit::{Answer, model::{Lifetime, Model}};
    /// let mut budget = Lifetime::new(3);
    /// let mut receipt = budget.charge(0, 3);
    /// assert_eq!(budget.look(u64::MAX, 1), Answer::Never);
    /// budget.refund(1, &mut receipt, 1);
    /// assert_eq!(budget.look(1, 1), Answer::Admit);
    /// ```
    Lifetime
}

counted! {
    /// At most `max` units open at any point. A refund closes them; time alone does not, so no wait can be told.
    ///
    /// ```
    /// use tollgate_testkit::{Answer, model::{Concurrency, Model}};
    /// let mut open = Concurrency::new(1);
    /// let mut first = open.charge(0, 1);
    /// assert_eq!(open.look(5, 1), Answer::Never);
    /// open.refund(5, &mut first, 1);
    /// assert_eq!(open.look(5, 1), Answer::Admit);
    /// ```
    Concurrency
}
