use super::{
    cell::Cell,
    ticks::{SLOTS_MAX, Ticks},
    word::{SlotReceipt, UNITS_MAX},
};
use crate::{
    cell::{at, wait_of},
    error::{WindowError, max_units},
};
use std::time::Duration;
use tollgate_core::{Charged, Cost, Meter, Moment, Nanos, Refused};

/// At most `max` units in every window of a length, kept in slots: for costs of any size (model tokens, money).
///
/// In *every* half-open interval of length `window`, wherever it starts, at most `max` units are admitted: a slot
/// counts until it has left entirely. The price is that units count up to one slot longer than they must: alone, a
/// caller gets the whole rate less 1/(slots + 1). More slots cost memory (16 bytes each) and, once a slot, a sum over
/// all of them.
///
/// A `now` older than the tick already open is counted in that one, and its wait is told from the `now` given. The
/// least wait is exact: the start of the first slot in which the cost fits. Debt leaves the window like anything
/// else. Every operation is lock-free and allocates nothing; an admission is one exchange, but for the first of a
/// slot, which takes four.
///
/// ```
/// use std::time::Duration;
/// use tollgate_core::{Cost, Nanos};
/// use tollgate_window::SlottedRing;
///
/// // A thousand model tokens a minute, in 6 slots of 10 s.
/// let ring = SlottedRing::new(1_000, Duration::from_secs(60), 6)?;
/// let cost = Cost::new(800).expect("not zero");
/// assert!(ring.try_record_at(cost, Nanos::from_secs(5)).is_ok());
/// // The slot from 0 s to 10 s has left entirely at 70 s.
/// assert_eq!(ring.wait_time(cost, Nanos::from_secs(30)), Some(Duration::from_secs(40)));
/// assert_eq!(ring.remaining(Nanos::from_secs(30)), 200);
/// assert!(ring.try_record_at(cost, Nanos::from_secs(70)).is_ok());
/// # Ok::<(), tollgate_window::WindowError>(())
/// ```
#[derive(Debug)]
pub struct SlottedRing {
    max: u64,
    cell: Cell,
}

impl SlottedRing {
    /// The largest max: about 4.4 × 10¹² units.
    pub const MAX_UNITS: u64 = UNITS_MAX;
    /// The most slots.
    pub const MAX_SLOTS: u32 = SLOTS_MAX;

    /// At most `max` units in every interval of length `window`, kept in `slots` slots, the first of which starts at
    /// the epoch. The slots need not divide the window.
    ///
    /// # Errors
    /// [`WindowError`] if `max` is zero or above [`Self::MAX_UNITS`], `slots` zero or above [`Self::MAX_SLOTS`],
    /// `window` zero or longer than 30 years, or a slot so short (below about 430 µs) that its number would not last
    /// 30 years.
    pub fn new(max: u64, window: Duration, slots: u32) -> Result<Self, WindowError> {
        Self::with_phase(max, window, slots, Duration::ZERO)
    }

    /// As [`Self::new`], with slots that start `phase` earlier.
    ///
    /// # Errors
    /// As [`Self::new`], and [`WindowError::PhaseTooLong`] unless `phase` is shorter than `window`.
    pub fn with_phase(
        max: u64,
        window: Duration,
        slots: u32,
        phase: Duration,
    ) -> Result<Self, WindowError> {
        let max = max_units(max, UNITS_MAX)?;
        Ok(Self {
            max,
            cell: Cell::new(Ticks::new(window, slots, phase)?),
        })
    }

    /// The most units a window.
    #[must_use]
    pub const fn max(&self) -> u64 {
        self.max
    }

    /// The length of a window.
    #[must_use]
    pub const fn window(&self) -> Duration {
        self.cell.ticks.window()
    }

    /// In how many slots it is kept.
    #[must_use]
    pub const fn slots(&self) -> u32 {
        self.cell.ticks.slots()
    }

    /// Takes `cost` at `now` if it fits, in one step.
    ///
    /// # Errors
    /// [`Refused::Denied`] with the least wait ([`Wait::Never`](tollgate_core::Wait::Never) for a cost above the max),
    /// and nothing changed; [`Refused::Closed`] after [`Meter::close_at_rest`].
    pub fn try_record_at(&self, cost: Cost, now: Nanos) -> Result<Charged<SlotReceipt>, Refused> {
        self.charge(at(now), cost, self.max)
    }

    /// Units that count at `now`. O(slots) if no charge came in the slot of `now` yet.
    #[must_use]
    pub fn count(&self, now: Nanos) -> u64 {
        self.cell.used(now)
    }

    /// Units left at `now`; none in debt.
    #[must_use]
    pub fn remaining(&self, now: Nanos) -> u64 {
        self.max.saturating_sub(self.count(now))
    }

    /// How long `cost` would have to wait at `now`, were nobody else to come: zero if it fits, none if it never does.
    /// O(slots).
    #[must_use]
    pub fn wait_time(&self, cost: Cost, now: Nanos) -> Option<Duration> {
        wait_of(self.look(at(now), cost, self.max))
    }
}

impl Meter for SlottedRing {
    type Receipt = SlotReceipt;

    fn look(&self, at: Moment, cost: Cost, ceiling: u64) -> Result<(), Refused> {
        self.cell.look(at.now, cost.get(), ceiling)
    }

    fn charge(
        &self,
        at: Moment,
        cost: Cost,
        ceiling: u64,
    ) -> Result<Charged<SlotReceipt>, Refused> {
        self.cell.charge(at.now, cost.get(), ceiling)
    }

    fn charge_anyway(
        &self,
        at: Moment,
        extra: Cost,
        ceiling: u64,
    ) -> Result<Charged<SlotReceipt>, Refused> {
        self.cell.charge_anyway(at.now, extra.get(), ceiling)
    }

    fn refund(&self, at: Moment, receipt: &SlotReceipt, surplus: u64) -> u64 {
        self.cell.refund(at.now, *receipt, surplus)
    }

    fn used(&self, at: Moment) -> u64 {
        self.cell.used(at.now)
    }

    fn close_at_rest(&self, at: Moment) -> bool {
        self.cell.close_at_rest(at.now)
    }

    fn reset(&self, at: Moment) {
        self.cell.reset(at.now);
    }
}
