//! A budget that starts anew with each period: fixed windows and calendars.

use super::{Model, Receipt};
use crate::{
    answer::Answer,
    limit::{Debt, Periods},
};

/// At most `max` units in each period. A refund counts only while the period of its receipt lasts, and touches no
/// other; what debt is carried into a period is fixed when that period begins.
///
/// ```
/// use tollgate_testkit::{Answer, Debt, Periods, model::{Model, PeriodBudget}};
/// let mut minute = PeriodBudget::new(Periods::every(60, 0), 10, Debt::Carried);
/// assert_eq!(minute.try_acquire(59, 10), Answer::Admit);
/// assert_eq!(minute.look(59, 10), Answer::Wait(1));
/// minute.charge_anyway(59, 4);
/// assert_eq!(minute.look(59, 6), Answer::Wait(1));
/// assert_eq!(minute.look(59, 7), Answer::Wait(61), "the next minute pays the four first");
/// ```
#[derive(Clone, Debug)]
pub struct PeriodBudget {
    periods: Periods,
    max: u64,
    debt: Debt,
    number: u128,
    used: u128,
    charges: u64,
}

impl PeriodBudget {
    /// A budget of which nothing is used.
    #[must_use]
    pub fn new(periods: Periods, max: u64, debt: Debt) -> Self {
        Self {
            periods,
            max,
            debt,
            number: 0,
            used: 0,
            charges: 0,
        }
    }

    /// The period that `now` stands for, never before the latest charge's, and what is used in it.
    fn current(&self, now: u64) -> (u128, u128) {
        let number = self.periods.number(now).max(self.number);
        let later = number - self.number;
        let used = self.debt.left(self.used, u128::from(self.max), later);
        (number, used)
    }

    /// How many periods later `used` is down to `room`, were nothing else charged. None if never.
    fn periods_until(&self, used: u128, room: u128) -> Option<u128> {
        match self.debt {
            Debt::EndsWithPeriod => Some(1),
            Debt::Carried if self.max == 0 => None,
            Debt::Carried => Some((used - room).div_ceil(u128::from(self.max))),
        }
    }
}

impl Model for PeriodBudget {
    fn max(&self) -> u64 {
        self.max
    }

    fn look_under(&self, now: u64, cost: u64, max: u64) -> Answer {
        let Some(room) = max.min(self.max).checked_sub(cost) else {
            return Answer::Never;
        };
        let (number, used) = self.current(now);
        if used <= u128::from(room) {
            return Answer::Admit;
        }
        let start = self
            .periods_until(used, u128::from(room))
            .and_then(|later| self.periods.start(number + later));
        match start {
            Some(start) => Answer::Wait(start - u128::from(now)),
            None => Answer::Never,
        }
    }

    fn charge(&mut self, now: u64, cost: u64) -> Receipt {
        (self.number, self.used) = self.current(now);
        self.used += u128::from(cost);
        self.charges += 1;
        Receipt {
            number: self.charges - 1,
            mark: self.number,
            kept: cost,
        }
    }

    fn refund(&mut self, now: u64, receipt: &mut Receipt, surplus: u64) {
        let surplus = receipt.lower(surplus);
        // Only charges move the clock on, so that a denial or a refund changes no later answer to an old `now`.
        let (number, _) = self.current(now);
        if receipt.mark == number && number == self.number {
            self.used -= u128::from(surplus);
        }
    }

    fn used(&self, now: u64) -> u128 {
        self.current(now).1
    }
}
