//! A sliding window, exact to the nanosecond.

use super::{Model, Receipt, trailing::Trail};
use crate::answer::Answer;

/// At most `max` units in every half-open interval of `window` nanoseconds: each charge counts until exactly one
/// window later.
///
/// ```
/// use tollgate_testkit::{Answer, model::{Model, SlidingLog}};
/// let mut log = SlidingLog::new(100, 3);
/// assert_eq!(log.try_acquire(0, 2), Answer::Admit);
/// assert_eq!(log.try_acquire(40, 1), Answer::Admit);
/// assert_eq!(log.try_acquire(90, 2), Answer::Wait(10));
/// assert_eq!(log.try_acquire(90, 3), Answer::Wait(50));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SlidingLog {
    window: u64,
    max: u64,
    trail: Trail,
}

impl SlidingLog {
    /// An empty log. A window of zero is taken as one nanosecond.
    #[must_use]
    pub fn new(window: u64, max: u64) -> Self {
        Self {
            window: window.max(1),
            max,
            trail: Trail::default(),
        }
    }

    /// The instant under which a charge at `now` is filed: never before the latest.
    fn instant(&self, now: u64) -> u128 {
        u128::from(now).max(self.trail.latest())
    }

    fn is_gone(&self, at: u128) -> impl Fn(u128) -> bool + use<> {
        let window = u128::from(self.window);
        move |mark| mark + window <= at
    }

    /// The state in which a refund that took `units` of a charge has not come yet.
    ///
    /// ```
    /// use tollgate_testkit::{Answer, model::{Model, SlidingLog}};
    /// let mut log = SlidingLog::new(100, 3);
    /// let mut receipt = log.charge(0, 3);
    /// log.refund(40, &mut receipt, 2);
    /// log.restore(&receipt, 2);
    /// assert_eq!(log.look(40, 1), Answer::Wait(60));
    /// ```
    pub fn restore(&mut self, receipt: &Receipt, units: u64) {
        self.trail.restore(receipt, units);
    }
}

impl Model for SlidingLog {
    fn max(&self) -> u64 {
        self.max
    }

    fn look_under(&self, now: u64, cost: u64, max: u64) -> Answer {
        let Some(room) = max.min(self.max).checked_sub(cost) else {
            return Answer::Never;
        };
        let gone = self.is_gone(u128::from(now));
        match self.trail.leaves_for(u128::from(room), gone) {
            None => Answer::Admit,
            Some(mark) => Answer::Wait(mark + u128::from(self.window) - u128::from(now)),
        }
    }

    fn charge(&mut self, now: u64, cost: u64) -> Receipt {
        let at = self.instant(now);
        let gone = self.is_gone(at);
        self.trail.charge(at, cost, gone)
    }

    fn refund(&mut self, _now: u64, receipt: &mut Receipt, surplus: u64) {
        self.trail.refund(receipt, surplus);
    }

    fn used(&self, now: u64) -> u128 {
        self.trail.units(self.is_gone(self.instant(now)))
    }
}
