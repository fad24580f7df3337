//! A budget that starts anew with each period: fixed windows and calendars.

use super::{Model, Receipt};
use crate::{
    answer::Answer,
    limit::{Periods, left},
};

/// At most `max` units in each period. What a period has used beyond that is paid by the next ones, each up to its own
/// max. A refund counts only while the period of its receipt lasts, and touches no other; what debt is carried into a
/// period is fixed when that period begins.
///
/// Only the latest period charged in is remembered. A `now` before it is denied until that one begins; that of a calendar
/// is taken for it.
///
/// ```
/// use tollgate_testkit::{Answer, Periods, model::{Model, PeriodBudget}};
/// let mut minute = PeriodBudget::new(Periods::every(60, 0), 10);
/// assert_eq!(minute.try_acquire(59, 10), Answer::Admit);
/// assert_eq!(minute.look(59, 10), Answer::Wait(1));
/// minute.charge_anyway(59, 4);
/// assert_eq!(minute.look(59, 6), Answer::Wait(1));
/// assert_eq!(minute.look(59, 7), Answer::Wait(61), "the next minute pays the four first");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PeriodBudget {
    periods: Periods,
    is_calendar: bool,
    max: u64,
    /// The largest max in force in the period of `number`.
    largest: u64,
    number: u128,
    used: u128,
    charges: u64,
}

impl PeriodBudget {
    /// A budget of which nothing is used.
    #[must_use]
    pub fn new(periods: Periods, max: u64) -> Self {
        Self {
            periods,
            is_calendar: false,
            max,
            largest: max,
            number: 0,
            used: 0,
            charges: 0,
        }
    }

    /// The budget of a calendar, whose wall clock may be set back: a `now` before the latest period charged in is taken
    /// for that one.
    #[must_use]
    pub fn of_calendar(periods: Periods, max: u64) -> Self {
        Self {
            is_calendar: true,
            ..Self::new(periods, max)
        }
    }

    /// Changes the max as of `now`. In the period of the change the larger one still decides what is debt.
    pub fn set_max(&mut self, now: u64, max: u64) {
        self.move_to(now);
        self.max = max;
        self.largest = self.largest.max(max);
    }

    /// The period that `now` stands for, never before the latest charge's, and what is used in it.
    fn current(&self, now: u64) -> (u128, u128) {
        let number = self.periods.number(now).max(self.number);
        (number, self.used_after(number - self.number))
    }

    /// What is used `later` periods after the latest one, were nothing else charged.
    fn used_after(&self, later: u128) -> u128 {
        match later {
            0 => self.used,
            _ => left(
                self.used.saturating_sub(u128::from(self.largest)),
                u128::from(self.max),
                later - 1,
            ),
        }
    }

    fn move_to(&mut self, now: u64) {
        let (number, used) = self.current(now);
        if number > self.number {
            (self.number, self.used, self.largest) = (number, used, self.max);
        }
    }

    /// How many periods after the latest one no more than `room` is used, were nothing else charged. None if never.
    fn periods_until(&self, room: u128) -> Option<u128> {
        let beyond = self.used_after(1).saturating_sub(room);
        match self.max {
            _ if beyond == 0 => Some(1),
            0 => None,
            max => Some(1 + beyond.div_ceil(u128::from(max))),
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
        let is_late = !self.is_calendar && self.periods.number(now) < self.number;
        let later = match self.used(now) <= u128::from(room) {
            true if is_late => Some(0),
            true => return Answer::Admit,
            false => self.periods_until(u128::from(room)),
        };
        match later.and_then(|later| self.periods.start(self.number + later)) {
            Some(start) => Answer::Wait(start - u128::from(now)),
            None => Answer::Never,
        }
    }

    fn charge(&mut self, now: u64, cost: u64) -> Receipt {
        self.move_to(now);
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
