//! A sliding window in slots.

use super::{Model, Receipt, trailing::Trail};
use crate::answer::Answer;

/// A window of `slots` equal parts. A charge is filed under its tick, `⌊(now + phase) × slots / window⌋`, and counts
/// until that slot has left the window entirely, so `slots + 1` ticks are looked at. The least wait is until the
/// first tick at which the cost fits.
///
/// One tick more is remembered than the latest one needs. So a `now` whose tick is the one before is judged by that; an
/// older one is denied until then, unless nothing was forgotten yet.
///
/// ```
/// use tollgate_testkit::{Answer, model::{Model, SlottedRing}};
/// let mut ring = SlottedRing::new(100, 4, 0, 10); // ticks of 25 ns
/// assert_eq!(ring.try_acquire(10, 10), Answer::Admit); // tick 0, which counts through tick 4
/// assert_eq!(ring.try_acquire(124, 1), Answer::Wait(1));
/// assert_eq!(ring.try_acquire(125, 1), Answer::Admit);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SlottedRing {
    window: u64,
    slots: u32,
    phase: u64,
    max: u64,
    trail: Trail,
}

impl SlottedRing {
    /// An empty ring. A window of zero is taken as one nanosecond, and no slots as one.
    #[must_use]
    pub fn new(window: u64, slots: u32, phase: u64, max: u64) -> Self {
        Self {
            window: window.max(1),
            slots: slots.max(1),
            phase,
            max,
            trail: Trail::default(),
        }
    }

    fn tick(&self, now: u64) -> u128 {
        (u128::from(now) + u128::from(self.phase)) * u128::from(self.slots)
            / u128::from(self.window)
    }

    /// The tick under which a charge at `now` is filed: never before the latest.
    fn current(&self, now: u64) -> u128 {
        self.tick(now).max(self.trail.latest())
    }

    /// True if nothing is forgotten that counts in `tick`.
    fn remembers(&self, tick: u128) -> bool {
        let slots = u128::from(self.slots);
        let forgotten = self.trail.latest().saturating_sub(slots + 1);
        tick.saturating_sub(slots) >= forgotten
    }

    /// How long from `now` to the first instant of `tick`, which has not begun.
    fn until(&self, tick: u128, now: u64) -> u128 {
        let start = (tick * u128::from(self.window)).div_ceil(u128::from(self.slots));
        start - u128::from(self.phase) - u128::from(now)
    }

    fn is_gone(&self, tick: u128) -> impl Fn(u128) -> bool + use<> {
        let slots = u128::from(self.slots);
        move |mark| mark + slots < tick
    }

    /// The state in which a refund that took `units` of a charge has not come yet.
    ///
    /// ```
    /// use tollgate_testkit::{Answer, model::{Model, SlottedRing}};
    /// let mut ring = SlottedRing::new(100, 10, 0, 3);
    /// let mut receipt = ring.charge(0, 3);
    /// ring.refund(40, &mut receipt, 2);
    /// ring.restore(&receipt, 2);
    /// assert_eq!(ring.look(40, 1), Answer::Wait(70));
    /// ```
    pub fn restore(&mut self, receipt: &Receipt, units: u64) {
        self.trail.restore(receipt, units);
    }
}

impl Model for SlottedRing {
    fn max(&self) -> u64 {
        self.max
    }

    fn look_under(&self, now: u64, cost: u64, max: u64) -> Answer {
        let Some(room) = max.min(self.max).checked_sub(cost) else {
            return Answer::Never;
        };
        let tick = self.tick(now);
        let told = if self.remembers(tick) {
            tick
        } else {
            self.trail.latest() - 1
        };
        match self.trail.leaves_for(u128::from(room), self.is_gone(told)) {
            None if told > tick => Answer::Wait(self.until(told, now)),
            None => Answer::Admit,
            Some(tick) => Answer::Wait(self.until(tick + u128::from(self.slots) + 1, now)),
        }
    }

    fn charge(&mut self, now: u64, cost: u64) -> Receipt {
        let tick = self.current(now);
        let gone = self.is_gone(tick);
        self.trail.charge(tick, cost, gone)
    }

    fn refund(&mut self, _now: u64, receipt: &mut Receipt, surplus: u64) {
        self.trail.refund(receipt, surplus);
    }

    fn used(&self, now: u64) -> u128 {
        self.trail.units(self.is_gone(self.current(now)))
    }
}
