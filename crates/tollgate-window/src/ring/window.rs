use super::{
    cell::Cell,
    ticks::{SLOTS_MAX, Ticks},
    word::{SlotReceipt, UNITS_MAX},
};
use crate::{
    cell::{by_its_clock, wait_of},
    error::{WindowError, max_units},
};
use std::{fmt, time::Duration};
use tollgate_core::{Charged, Clock, Cost, Meter, Moment, Nanos, QuantaClock, Refused};

/// At most `max` units in every window of a length, kept in slots: for costs of any size (model tokens, money).
///
/// In *every* half-open interval of length `window`, wherever it starts, at most `max` units are admitted: a slot
/// counts until it has left entirely. The price is that units count up to one slot longer than they must: alone, a
/// caller gets the whole rate less 1/(slots + 1). More slots cost memory (16 bytes each) and, once a slot, a sum over
/// all of them.
///
/// A `now` older than the tick already open is judged by its own tick, in which later ones count too, if that is the one
/// before; older ones are denied until then, for what counts in them is forgotten. The units are then counted in
/// the open tick. The least wait is exact: the start of the first slot in which the cost fits. Debt leaves the window like anything
/// else. Every operation is lock-free and allocates nothing; an admission is one exchange, but for the first of a
/// slot, which takes four.
///
/// Each verb comes in two forms: with the ring's own [`Clock`], and `_at` a given `now`, which must come from that clock's
/// time line. One that is only ever asked `_at` needs none: `()` stands for it.
///
/// ```
/// use std::{fmt, time::Duration};
/// use tollgate_core::{Cost, Nanos};
/// use tollgate_window::SlottedRing;
///
/// // A thousand model tokens a minute, in 6 slots of 10 s.
/// let ring = SlottedRing::new(1_000, Duration::from_secs(60), 6)?;
/// let cost = Cost::new(800).expect("not zero");
/// assert!(ring.try_record_at(cost, Nanos::from_secs(5)).is_ok());
/// // The slot from 0 s to 10 s has left entirely at 70 s.
/// assert_eq!(ring.wait_time_at(cost, Nanos::from_secs(30)), Some(Duration::from_secs(40)));
/// assert_eq!(ring.remaining_at(Nanos::from_secs(30)), 200);
/// assert!(ring.try_record_at(cost, Nanos::from_secs(70)).is_ok());
/// # Ok::<(), tollgate_window::WindowError>(())
/// ```
pub struct SlottedRing<C = QuantaClock> {
    max: u64,
    cell: Cell,
    clock: C,
}

impl SlottedRing {
    /// The largest max: about 4.4 × 10¹² units.
    pub const MAX_UNITS: u64 = UNITS_MAX;
    /// The most slots.
    pub const MAX_SLOTS: u32 = SLOTS_MAX;

    /// At most `max` units in every interval of length `window`, kept in `slots` slots, the first of which starts at
    /// the epoch of its own clock. The slots need not divide the window.
    ///
    /// # Errors
    /// [`WindowError`] if `max` is zero or above [`Self::MAX_UNITS`], `slots` zero or above [`Self::MAX_SLOTS`],
    /// `window` zero or longer than 30 years, or a slot so short (below about 430 µs) that its number would not last
    /// 30 years.
    pub fn new(max: u64, window: Duration, slots: u32) -> Result<Self, WindowError> {
        Self::with_clock(max, window, slots, QuantaClock::new())
    }
}

impl<C> SlottedRing<C> {
    /// As [`SlottedRing::new`], on this clock.
    ///
    /// # Errors
    /// As [`SlottedRing::new`].
    pub fn with_clock(
        max: u64,
        window: Duration,
        slots: u32,
        clock: C,
    ) -> Result<Self, WindowError> {
        Self::with_phase(max, window, slots, Duration::ZERO, clock)
    }

    /// As [`Self::with_clock`], with slots that start `phase` earlier.
    ///
    /// # Errors
    /// As [`SlottedRing::new`], and [`WindowError::PhaseTooLong`] unless `phase` is shorter than `window`.
    pub fn with_phase(
        max: u64,
        window: Duration,
        slots: u32,
        phase: Duration,
        clock: C,
    ) -> Result<Self, WindowError> {
        let max = max_units(max, UNITS_MAX)?;
        Ok(Self {
            max,
            cell: Cell::new(Ticks::new(window, slots, phase)?),
            clock,
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
        self.cell.charge(now, cost.get(), self.max)
    }

    /// Units that count at `now`, or in the open slot if that is later. O(slots) if no charge came in the slot of `now` yet.
    #[must_use]
    pub fn count_at(&self, now: Nanos) -> u64 {
        self.cell.used(now)
    }

    /// Units left at `now`, or in the open slot if that is later; none in debt.
    #[must_use]
    pub fn remaining_at(&self, now: Nanos) -> u64 {
        self.max.saturating_sub(self.count_at(now))
    }

    /// How long `cost` would have to wait at `now`, were nobody else to come: zero if it fits, none if it never does.
    /// O(slots).
    #[must_use]
    pub fn wait_time_at(&self, cost: Cost, now: Nanos) -> Option<Duration> {
        wait_of(self.cell.look(now, cost.get(), self.max))
    }
}

by_its_clock!(SlottedRing, SlotReceipt);

impl<C> fmt::Debug for SlottedRing<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SlottedRing")
            .field("max", &self.max)
            .field("window", &self.window())
            .field("slots", &self.slots())
            .finish_non_exhaustive()
    }
}

impl<C: fmt::Debug + Send + Sync> Meter for SlottedRing<C> {
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

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;
    use crate::cell::at;

    const SECOND: u64 = 1_000_000_000;

    /// Slots of one second.
    fn ring(max: u64, slots: u32) -> SlottedRing<()> {
        SlottedRing::with_clock(max, Duration::from_secs(slots.into()), slots, ()).unwrap()
    }

    fn cost(units: u64) -> Cost {
        Cost::new(units).unwrap()
    }

    fn take(ring: &SlottedRing<()>, units: u64, now: u64) -> Result<SlotReceipt, Refused> {
        ring.try_record_at(cost(units), Nanos(now))
            .map(|charged| charged.receipt)
    }

    fn wait(ring: &SlottedRing<()>, units: u64, now: u64) -> Option<u64> {
        ring.wait_time_at(cost(units), Nanos(now))
            .map(|wait| wait.as_nanos().try_into().unwrap())
    }

    #[test]
    fn slot_counts_until_it_has_left_entirely() {
        let ring = ring(10, 4);
        take(&ring, 10, SECOND - 1).unwrap();
        assert_eq!(wait(&ring, 1, SECOND - 1), Some(4 * SECOND + 1));
        assert_eq!(wait(&ring, 1, 5 * SECOND - 1), Some(1));
        assert_eq!(ring.remaining_at(Nanos(5 * SECOND - 1)), 0);
        assert_eq!(ring.remaining_at(Nanos(5 * SECOND)), 10);
        take(&ring, 10, 5 * SECOND).unwrap();
    }

    #[test]
    fn wait_is_for_the_slot_whose_leaving_makes_room() {
        let ring = ring(10, 4);
        for (units, tick) in [(4, 0), (3, 1), (3, 3)] {
            take(&ring, units, tick * SECOND).unwrap();
        }
        let now = 3 * SECOND + 5;
        assert_eq!(wait(&ring, 4, now), Some(2 * SECOND - 5));
        assert_eq!(wait(&ring, 5, now), Some(3 * SECOND - 5));
        assert_eq!(wait(&ring, 8, now), Some(5 * SECOND - 5));
        assert_eq!(wait(&ring, 11, now), None);
    }

    #[test]
    fn denial_in_a_later_slot_opens_nothing() {
        let ring = ring(10, 2);
        take(&ring, 8, 0).unwrap();
        assert!(take(&ring, 3, SECOND).is_err());
        assert_eq!(take(&ring, 2, 0).unwrap().tick(), 0, "slot 0 is still open");
    }

    #[test]
    fn older_now_of_the_slot_before_is_counted_in_the_open_one() {
        let ring = ring(3, 2);
        for tick in [2, 5] {
            take(&ring, 1, tick * SECOND).unwrap();
        }
        let late = 5 * SECOND - 1;
        assert_eq!(
            wait(&ring, 2, late),
            Some(1),
            "it sees the slot that has left"
        );
        let Err(Refused::Denied(denial)) = ring.try_record_at(cost(2), Nanos(late)) else {
            panic!("three would be in its window")
        };
        assert_eq!(denial.committed, 1, "what is told is of the open slot");
        assert_eq!(take(&ring, 1, late).unwrap().tick(), 5);
        assert_eq!(wait(&ring, 1, late), Some(1));
        assert_eq!(ring.remaining_at(Nanos(late)), 1);
        take(&ring, 1, late + 1).unwrap();
        assert_eq!(wait(&ring, 1, late), Some(3 * SECOND + 1));
    }

    #[test]
    fn older_now_is_denied_until_the_slot_before_the_open_one() {
        let ring = ring(2, 2);
        let receipt = take(&ring, 1, 5 * SECOND).unwrap();
        assert_eq!(wait(&ring, 1, 0), Some(4 * SECOND));
        assert_eq!(wait(&ring, 2, 0), Some(8 * SECOND));
        assert!(take(&ring, 1, 4 * SECOND - 1).is_err());
        assert_eq!(take(&ring, 1, 4 * SECOND).unwrap().tick(), 5);
        assert!(!ring.close_at_rest(at(Nanos(0))));
        assert_eq!(ring.refund(at(Nanos(0)), &receipt, 1), 1);
        let debt = ring.charge_anyway(at(Nanos(0)), cost(3), 2).unwrap();
        assert_eq!((debt.before, debt.receipt.tick()), (1, 5));
    }

    #[test]
    fn older_now_is_told_all_that_a_young_ring_remembers() {
        let ring = ring(4, 3);
        for tick in [1, 4] {
            take(&ring, 1, tick * SECOND).unwrap();
        }
        assert_eq!(wait(&ring, 2, 0), Some(0));
        assert_eq!(wait(&ring, 3, 0), Some(5 * SECOND));
        assert_eq!(take(&ring, 2, 0).unwrap().tick(), 4);
    }

    #[test]
    fn refund_reaches_the_slot_of_its_charge_and_no_other() {
        let ring = ring(10, 2);
        let receipts = [0, 1, 2].map(|tick| take(&ring, 3, tick * SECOND).unwrap());
        for receipt in &receipts {
            assert_eq!(ring.refund(at(Nanos(2 * SECOND)), receipt, 1), 1);
        }
        assert_eq!(ring.count_at(Nanos(2 * SECOND)), 6);
        assert_eq!(
            [3, 4, 5].map(|tick| ring.count_at(Nanos(tick * SECOND))),
            [4, 2, 0]
        );
        take(&ring, 1, 3 * SECOND).unwrap();
        assert_eq!(
            ring.refund(at(Nanos(3 * SECOND)), &receipts[0], 1),
            0,
            "its slot has left"
        );
        assert_eq!(ring.count_at(Nanos(3 * SECOND)), 5);
    }

    #[test]
    fn debt_blocks_until_its_slot_leaves_and_saturates_towards_denying() {
        let ring = ring(10, 2);
        for tick in [0, 1] {
            let debt = ring
                .charge_anyway(at(Nanos(tick * SECOND)), cost(u64::MAX), 10)
                .unwrap();
            assert_eq!(
                ring.refund(at(Nanos(tick * SECOND)), &debt.receipt, u64::MAX),
                0
            );
        }
        assert_eq!(wait(&ring, 1, SECOND), Some(3 * SECOND));
        assert!(ring.count_at(Nanos(SECOND)) > SlottedRing::MAX_UNITS);
        assert_eq!(ring.remaining_at(Nanos(4 * SECOND)), 10);
    }

    #[test]
    fn last_instant_of_a_clock_is_denied_not_wrapped() {
        for (window, slots) in [(430_528, 1), (60 * SECOND, 60), (Nanos::MAX.0, SLOTS_MAX)] {
            let ring = SlottedRing::with_clock(1, Duration::from_nanos(window), slots, ()).unwrap();
            take(&ring, 1, u64::MAX).unwrap();
            for now in [0, Nanos::MAX.0, u64::MAX] {
                assert!(take(&ring, 1, now).is_err(), "{window}");
            }
        }
    }

    #[test]
    fn reset_forgets_all_and_voids_receipts() {
        let ring = ring(6, 4);
        let old = [0, 1, 2].map(|tick| take(&ring, 2, tick * SECOND).unwrap());
        let now = 2 * SECOND;
        ring.reset(at(Nanos(now)));
        assert_eq!(ring.count_at(Nanos(now)), 0);
        let new = take(&ring, 6, now).unwrap();
        assert_eq!(
            old.map(|receipt| ring.refund(at(Nanos(now)), &receipt, 2)),
            [0, 0, 0]
        );
        assert_eq!(ring.refund(at(Nanos(now)), &new, 1), 1);
        assert_eq!(
            [3, 6, 7].map(|tick| ring.count_at(Nanos(tick * SECOND))),
            [5, 5, 0]
        );
        ring.reset(at(Nanos(3 * SECOND)));
        assert_eq!(ring.count_at(Nanos(3 * SECOND)), 0);
        take(&ring, 6, 4 * SECOND).unwrap();
        assert_eq!(ring.refund(at(Nanos(4 * SECOND)), &new, 1), 0);
    }

    #[test]
    fn late_reset_forgets_the_later_slots_too() {
        let ring = ring(6, 4);
        for tick in [0, 1, 2] {
            take(&ring, 2, tick * SECOND).unwrap();
        }
        ring.reset(at(Nanos(0)));
        assert_eq!(
            [0, 2, 3, 4].map(|tick| ring.count_at(Nanos(tick * SECOND))),
            [0; 4]
        );
        take(&ring, 6, 3 * SECOND).unwrap();
    }

    #[test]
    fn no_admission_is_too_large_to_be_told_apart() {
        let ring = ring(1, 2);
        let largest = cost(SlottedRing::MAX_UNITS);
        let full = ring.charge(at(Nanos(0)), largest, u64::MAX).unwrap();
        assert!(ring.charge(at(Nanos(0)), Cost::ONE, u64::MAX).is_err());
        assert_eq!(ring.refund(at(Nanos(0)), &full.receipt, 1), 1);
        assert_eq!(ring.count_at(Nanos(0)), SlottedRing::MAX_UNITS - 1);
    }

    #[test]
    fn ring_closes_only_at_rest_and_for_good() {
        let ring = ring(2, 2);
        let receipt = take(&ring, 1, 0).unwrap();
        assert!(!ring.close_at_rest(at(Nanos(3 * SECOND - 1))));
        assert!(ring.close_at_rest(at(Nanos(3 * SECOND))));
        assert!(ring.close_at_rest(at(Nanos(0))), "closed before");
        assert_eq!(take(&ring, 1, 0).unwrap_err(), Refused::Closed);
        assert_eq!(ring.look(at(Nanos(0)), Cost::ONE, 2), Err(Refused::Closed));
        assert_eq!(
            ring.charge_anyway(at(Nanos(0)), Cost::ONE, 2).unwrap_err(),
            Refused::Closed
        );
        assert_eq!(ring.refund(at(Nanos(0)), &receipt, 1), 0);
        ring.reset(at(Nanos(0)));
        assert_eq!(
            (
                ring.count_at(Nanos(0)),
                ring.wait_time_at(Cost::ONE, Nanos(0))
            ),
            (0, None)
        );
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        let second = Duration::from_secs(1);
        let built = |max, window, slots| {
            SlottedRing::with_clock(max, window, slots, ())
                .map(|_| ())
                .unwrap_err()
        };
        assert_eq!(built(0, second, 4), WindowError::NoUnits);
        assert!(matches!(
            built(u64::MAX, second, 4),
            WindowError::MaxTooLarge { .. }
        ));
        assert!(matches!(built(1, second, 0), WindowError::Slots { .. }));
        assert!(matches!(built(1, Duration::ZERO, 4), WindowError::NoWindow));
        assert_eq!(
            built(1, Duration::from_millis(1), 60).to_string(),
            "60 slots in 1ms are too short to be numbered for 30 years, such a window must be at least 25.831324ms long"
        );
        let phase = SlottedRing::with_phase(1, second, 4, second, ()).unwrap_err();
        assert!(matches!(phase, WindowError::PhaseTooLong { .. }));
    }
}
