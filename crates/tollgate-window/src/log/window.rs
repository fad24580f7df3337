use super::{cell::Cell, word::LogReceipt};
use crate::{
    cell::{by_its_clock, wait_of},
    error::{WindowError, max_units, window_ns},
};
use std::{fmt, time::Duration};
use tollgate_core::{Charged, Clock, Cost, Meter, Moment, Nanos, QuantaClock, Refused};

/// At most `max` units in every window of a length, exact to the nanosecond.
///
/// A unit taken at `t` counts until exactly one window later: in the half-open interval from `t` to `t + window`. So
/// in every half-open interval of that length at most `max` units are admitted, and not one is refused needlessly. The
/// price is memory: 32 bytes for each charge that a window has held, in levels that grow as they are needed, so up to
/// 170 bytes for each; whatever the costs are, and whatever the max. A fresh log takes a few hundred bytes. For many
/// charges a window use [`SlottedRing`](crate::SlottedRing).
///
/// A `now` older than the latest charge is judged as it is: what has not left by it counts, the later charges too. As
/// long as the log remembers what had left since is that all; else the wait is a little longer. The units then count
/// from the latest charge on. The least wait is exact, refunds counted. Debt leaves the window like anything else.
///
/// Every operation is lock-free; only a charge or a refund that comes to need memory allocates. An admission is two exchanges (one for a further charge at the
/// same instant) and a search, O(log max); a denial is two searches and writes nothing. While units are in the window
/// of which some were given back, both walk what is in the window: O(charges there).
///
/// Refunds and debt can bring more than `max` charges into one window. There is room for [`Self::ROOM`] more; beyond
/// that, charges that follow each other leave the window together, with the last of them.
///
/// Each verb comes in two forms: with the log's own [`Clock`], and `_at` a given `now`, which must come from that clock's
/// time line. One that is only ever asked `_at` needs none: `()` stands for it.
///
/// ```
/// use std::time::Duration;
/// use tollgate_core::{Cost, Nanos};
/// use tollgate_window::ExactLog;
///
/// let log = ExactLog::new(3, Duration::from_secs(60))?;
/// let two = Cost::new(2).expect("not zero");
/// assert!(log.try_record_at(two, Nanos::from_secs(5)).is_ok());
/// assert!(log.try_record_at(Cost::ONE, Nanos::from_secs(20)).is_ok());
/// assert_eq!(log.wait_time_at(two, Nanos::from_secs(30)), Some(Duration::from_secs(35)));
/// assert_eq!(log.remaining_at(Nanos::from_secs(65)), 2);
/// # Ok::<(), tollgate_window::WindowError>(())
/// ```
pub struct ExactLog<C = QuantaClock> {
    max: u64,
    cell: Cell,
    clock: C,
}

impl ExactLog {
    /// The largest max: 4,194,304 units. As many charges in one window take 170 MiB.
    pub const MAX_UNITS: u64 = 1 << 22;
    /// Charges beyond `max` that one window remembers apart, unless told otherwise.
    pub const ROOM: u32 = 64;

    /// At most `max` units in every interval of length `window`, on a clock of its own.
    ///
    /// # Errors
    /// [`WindowError`] if `max` is zero or above [`Self::MAX_UNITS`], or `window` is zero or longer than 30 years.
    pub fn new(max: u64, window: Duration) -> Result<Self, WindowError> {
        Self::with_clock(max, window, QuantaClock::new())
    }
}

impl<C> ExactLog<C> {
    /// As [`ExactLog::new`], on this clock.
    ///
    /// # Errors
    /// As [`ExactLog::new`].
    pub fn with_clock(max: u64, window: Duration, clock: C) -> Result<Self, WindowError> {
        Self::with_room(max, window, ExactLog::ROOM, clock)
    }

    /// As [`Self::with_clock`], with room for `room` charges beyond `max` in one window.
    ///
    /// # Errors
    /// As [`ExactLog::new`].
    pub fn with_room(max: u64, window: Duration, room: u32, clock: C) -> Result<Self, WindowError> {
        let max = max_units(max, ExactLog::MAX_UNITS)?;
        let window_ns = window_ns(window)?;
        let cell = Cell::new(window_ns, max, ExactLog::MAX_UNITS, room);
        Ok(Self { max, cell, clock })
    }

    /// The most units a window.
    #[must_use]
    pub const fn max(&self) -> u64 {
        self.max
    }

    /// The length of a window.
    #[must_use]
    pub const fn window(&self) -> Duration {
        Duration::from_nanos(self.cell.window_ns())
    }

    /// Takes `cost` at `now` if it fits, in one step.
    ///
    /// # Errors
    /// [`Refused::Denied`] with the least wait ([`Wait::Never`](tollgate_core::Wait::Never) for a cost above the max),
    /// and nothing changed; [`Refused::Closed`] after [`Meter::close_at_rest`].
    pub fn try_record_at(&self, cost: Cost, now: Nanos) -> Result<Charged<LogReceipt>, Refused> {
        self.cell.charge(now, cost.get(), self.max)
    }

    /// Units in the window at `now`, or at the latest charge if that is later.
    #[must_use]
    pub fn count_at(&self, now: Nanos) -> u64 {
        self.cell.used(now)
    }

    /// Units left at `now`, or at the latest charge if that is later; none in debt.
    #[must_use]
    pub fn remaining_at(&self, now: Nanos) -> u64 {
        self.max.saturating_sub(self.count_at(now))
    }

    /// How long `cost` would have to wait at `now`, were nobody else to come: zero if it fits, none if it never does.
    #[must_use]
    pub fn wait_time_at(&self, cost: Cost, now: Nanos) -> Option<Duration> {
        wait_of(self.cell.look(now, cost.get(), self.max))
    }
}

by_its_clock!(ExactLog, LogReceipt);

impl<C> fmt::Debug for ExactLog<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExactLog")
            .field("max", &self.max)
            .field("window", &self.window())
            .finish_non_exhaustive()
    }
}

/// A `ceiling` may be above the max that the log was built for (a limit that was raised) and is then as exact: the log
/// has room for its charges too, up to [`ExactLog::MAX_UNITS`] in a window. Beyond, up to `u32::MAX`, for which any
/// larger ceiling is taken, the law stays exact, but some charges may count longer than they must. A debt above `u32::MAX` is taken for that many units, and cannot be refunded. After
/// 2⁶⁴ units in a life all is denied.
impl<C: fmt::Debug + Send + Sync> Meter for ExactLog<C> {
    type Receipt = LogReceipt;

    fn look(&self, at: Moment, cost: Cost, ceiling: u64) -> Result<(), Refused> {
        self.cell.look(at.now, cost.get(), ceiling)
    }

    fn charge(&self, at: Moment, cost: Cost, ceiling: u64) -> Result<Charged<LogReceipt>, Refused> {
        self.cell.charge(at.now, cost.get(), ceiling)
    }

    fn charge_anyway(
        &self,
        at: Moment,
        extra: Cost,
        ceiling: u64,
    ) -> Result<Charged<LogReceipt>, Refused> {
        self.cell.charge_anyway(at.now, extra.get(), ceiling)
    }

    fn refund(&self, at: Moment, receipt: &LogReceipt, surplus: u64) -> u64 {
        self.cell.refund(at.now, *receipt, surplus)
    }

    fn used(&self, at: Moment) -> u64 {
        self.cell.used(at.now)
    }

    fn close_at_rest(&self, at: Moment) -> bool {
        self.cell.close_at_rest(at.now)
    }

    fn reset(&self, _at: Moment) {
        self.cell.reset();
    }
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;
    use crate::cell::at;
    use tollgate_core::Wait;

    const SECOND: u64 = 1_000_000_000;

    fn log(max: u64, room: u32) -> ExactLog<()> {
        ExactLog::with_room(max, Duration::from_secs(1), room, ()).unwrap()
    }

    fn cost(units: u64) -> Cost {
        Cost::new(units).unwrap()
    }

    fn take(log: &ExactLog<()>, units: u64, now: u64) -> Result<LogReceipt, Refused> {
        log.try_record_at(cost(units), Nanos(now))
            .map(|charged| charged.receipt)
    }

    fn wait(log: &ExactLog<()>, units: u64, now: u64) -> Option<u64> {
        log.wait_time_at(cost(units), Nanos(now))
            .map(|wait| wait.as_nanos().try_into().unwrap())
    }

    #[test]
    fn unit_counts_for_exactly_one_window() {
        let log = log(1, 0);
        take(&log, 1, 5).unwrap();
        assert_eq!(wait(&log, 1, 5), Some(SECOND));
        assert_eq!(wait(&log, 1, SECOND + 4), Some(1));
        assert_eq!(wait(&log, 1, SECOND + 5), Some(0));
        assert_eq!(
            (
                log.count_at(Nanos(SECOND + 4)),
                log.remaining_at(Nanos(SECOND + 4))
            ),
            (1, 0)
        );
        assert_eq!(
            (
                log.count_at(Nanos(SECOND + 5)),
                log.remaining_at(Nanos(SECOND + 5))
            ),
            (0, 1)
        );
    }

    #[test]
    fn wait_is_for_the_unit_whose_leaving_makes_room() {
        let log = log(10, 0);
        for (units, now) in [(4, 10), (3, 20), (3, 30)] {
            take(&log, units, now).unwrap();
        }
        assert_eq!(wait(&log, 4, 30), Some(SECOND - 20));
        assert_eq!(wait(&log, 5, 30), Some(SECOND - 10));
        assert_eq!(wait(&log, 10, 30), Some(SECOND));
        assert_eq!(wait(&log, 11, 30), None);
    }

    #[test]
    fn older_now_is_charged_at_the_latest() {
        let log = log(2, 0);
        take(&log, 1, 100).unwrap();
        let late = take(&log, 1, 40).unwrap();
        assert_eq!(late.counts_from(), Nanos(100));
        assert_eq!(wait(&log, 1, 40), Some(SECOND + 60));
    }

    /// It used to be judged as of the latest charge, by which the first had left: two within a window of one.
    #[test]
    fn older_now_sees_what_has_left_since() {
        let log = log(2, 0);
        for now in [0, SECOND] {
            take(&log, 1, now).unwrap();
        }
        assert_eq!(wait(&log, 1, SECOND), Some(0));
        assert_eq!(wait(&log, 1, SECOND - 7), Some(7));
        let Err(Refused::Denied(denial)) = log.try_record_at(cost(1), Nanos(SECOND - 7)) else {
            panic!("two are in its window")
        };
        assert_eq!(
            denial.committed, 1,
            "what is told is as of the latest charge"
        );
        assert!(!log.close_at_rest(at(Nanos(5))));
        let debt = log.charge_anyway(at(Nanos(5)), cost(1), 2).unwrap();
        assert_eq!(
            (debt.before, debt.receipt.counts_from()),
            (1, Nanos(SECOND))
        );
        assert_eq!(log.refund(at(Nanos(5)), &debt.receipt, 1), 1);
        assert_eq!(log.count_at(Nanos(5)), 1);
    }

    #[test]
    fn older_now_waits_for_what_is_remembered_to_leave() {
        let log = log(1, 0);
        // The places have lapped many times.
        for lap in 0..1_000 {
            take(&log, 1, lap * SECOND).unwrap();
        }
        let now = 400 * SECOND + 3;
        let told = wait(&log, 1, now).unwrap();
        assert!(told > 580 * SECOND, "{told}");
        assert_eq!(wait(&log, 1, now + told - 1), Some(1));
        assert!(take(&log, 1, now + told).is_ok());
    }

    #[test]
    fn first_and_last_instant_of_a_clock_are_like_any_other() {
        let longest = Duration::from_nanos(Nanos::MAX.0);
        let log = ExactLog::with_clock(1, longest, ()).unwrap();
        take(&log, 1, 0).unwrap();
        assert_eq!(wait(&log, 1, Nanos::MAX.0 - 1), Some(1));
        take(&log, 1, u64::MAX).unwrap();
        assert_eq!(wait(&log, 1, u64::MAX), Some(Nanos::MAX.0));
    }

    #[test]
    fn refunds_of_points_and_of_the_head_make_room_until_their_units_leave() {
        let log = log(6, 0);
        let receipts = [10, 20, 30].map(|now| take(&log, 2, now).unwrap());
        for (refunded, receipt) in receipts.iter().enumerate() {
            assert_eq!(log.refund(at(Nanos(40)), receipt, 1), 1);
            assert_eq!(log.remaining_at(Nanos(40)), refunded as u64 + 1);
        }
        take(&log, 3, 40).unwrap();
        assert_eq!(
            wait(&log, 1, 40),
            Some(SECOND - 30),
            "the one that is left of the first two"
        );
        assert_eq!(wait(&log, 3, 40), Some(SECOND - 10));
        assert_eq!(
            [10, 20, 30, 40].map(|left| log.count_at(Nanos(SECOND + left))),
            [5, 4, 3, 0]
        );
    }

    #[test]
    fn refund_of_what_has_left_gives_nothing_back() {
        let log = log(2, 0);
        let old = take(&log, 2, 0).unwrap();
        assert_eq!(log.refund(at(Nanos(SECOND)), &old, 1), 0);
        take(&log, 2, SECOND).unwrap();
        assert_eq!(log.refund(at(Nanos(SECOND)), &old, 1), 0);
        assert_eq!(log.count_at(Nanos(SECOND)), 2);
    }

    #[test]
    fn charges_that_are_given_back_fill_no_places() {
        let log = log(2, 0);
        take(&log, 1, 0).unwrap();
        for now in 1..1_000 {
            let receipt = take(&log, 1, now).unwrap();
            assert_eq!(log.refund(at(Nanos(now)), &receipt, 1), 1);
        }
        take(&log, 1, 1_000).unwrap();
        assert_eq!(
            wait(&log, 1, 1_000),
            Some(SECOND - 1_000),
            "the very first is still told apart"
        );
        assert_eq!(log.count_at(Nanos(SECOND)), 1);
    }

    #[test]
    fn what_comes_after_many_holes_is_still_told_apart() {
        let log = log(3, 0);
        take(&log, 1, 0).unwrap();
        for now in 1..1_000 {
            let receipt = take(&log, 1, now).unwrap();
            assert_eq!(log.refund(at(Nanos(now)), &receipt, 1), 1);
        }
        for now in [1_000, 2_000] {
            take(&log, 1, now).unwrap();
        }
        assert_eq!(
            [0, 1_000, 2_000].map(|left| log.count_at(Nanos(SECOND + left))),
            [2, 1, 0]
        );
    }

    #[test]
    fn charges_of_one_instant_take_one_place_together() {
        let log = log(1, 0);
        for now in [0, 10, 10, 10, 10, 10, 20] {
            log.charge_anyway(at(Nanos(now)), Cost::ONE, 1).unwrap();
        }
        assert_eq!(
            [0, 10, 20].map(|left| log.count_at(Nanos(SECOND + left))),
            [6, 1, 0]
        );
    }

    #[test]
    fn largest_debt_that_is_told_apart_can_be_given_back() {
        let log = log(3, 0);
        let largest = u64::from(u32::MAX);
        let debt = log.charge_anyway(at(Nanos(7)), cost(largest), 3).unwrap();
        assert_eq!(debt.after, u128::from(largest));
        assert_eq!(log.refund(at(Nanos(7)), &debt.receipt, largest), largest);
        assert_eq!(log.count_at(Nanos(7)), 0);
    }

    #[test]
    fn debt_that_has_room_leaves_in_its_time() {
        let log = log(1, 3);
        for now in [0, 10, 20, 30] {
            log.charge_anyway(at(Nanos(now)), cost(5), 1).unwrap();
        }
        assert_eq!(
            [0, 10, 20, 30].map(|left| log.count_at(Nanos(SECOND + left))),
            [15, 10, 5, 0]
        );
    }

    #[test]
    fn debt_without_room_counts_longer_never_shorter() {
        let log = log(1, 0);
        take(&log, 1, 0).unwrap();
        for now in [10, 20, 30, 40] {
            log.charge_anyway(at(Nanos(SECOND + now)), cost(1), 1)
                .unwrap();
        }
        assert_eq!(
            log.count_at(Nanos(SECOND + 40)),
            4,
            "what has left stays known"
        );
        for (left, kept) in [(10, 3), (20, 2), (30, 1)] {
            assert!(log.count_at(Nanos(2 * SECOND + left)) >= kept);
        }
        assert_eq!(log.count_at(Nanos(2 * SECOND + 40)), 0);
    }

    #[test]
    fn debt_too_large_to_count_blocks_for_one_window() {
        let log = log(3, 0);
        for _ in 0..3 {
            let debt = log.charge_anyway(at(Nanos(7)), cost(u64::MAX), 3).unwrap();
            assert_eq!(log.refund(at(Nanos(7)), &debt.receipt, u64::MAX), 0);
        }
        assert_eq!(log.count_at(Nanos(7)), 3 * u64::from(u32::MAX));
        assert_eq!(wait(&log, 1, 7), Some(SECOND));
        assert_eq!(log.remaining_at(Nanos(SECOND + 7)), 3);
    }

    #[test]
    fn ceiling_may_be_above_the_max_it_was_built_for() {
        let log = log(1, 0);
        let charge = |now| {
            log.charge(at(Nanos(now)), Cost::ONE, 50)
                .map(|charged| charged.after)
        };
        for now in 1..=50 {
            assert_eq!(charge(now).unwrap(), u128::from(now));
        }
        let Err(Refused::Denied(denial)) = charge(51) else {
            panic!("the ceiling is reached")
        };
        assert_eq!(denial.committed, 50);
        assert_eq!(denial.wait, Wait::nanos(SECOND - 50));
        for left in 1..=50 {
            assert_eq!(log.count_at(Nanos(SECOND + left)), 50 - left);
        }
    }

    #[test]
    fn reset_forgets_all_and_voids_receipts() {
        let log = log(4, 0);
        let old = [10, 20].map(|now| take(&log, 2, now).unwrap());
        log.reset(at(Nanos(20)));
        assert_eq!(log.count_at(Nanos(20)), 0);
        let new = take(&log, 4, 20).unwrap();
        assert_eq!(
            old.map(|receipt| log.refund(at(Nanos(20)), &receipt, 2)),
            [0, 0]
        );
        assert_eq!(log.refund(at(Nanos(20)), &new, 1), 1);
        assert_eq!(log.count_at(Nanos(20)), 3);
        log.reset(at(Nanos(20)));
        log.reset(at(Nanos(20)));
        assert_eq!(log.remaining_at(Nanos(20)), 4);
    }

    #[test]
    fn log_closes_only_at_rest_and_for_good() {
        let log = log(2, 0);
        let receipt = take(&log, 1, 0).unwrap();
        assert!(!log.close_at_rest(at(Nanos(SECOND - 1))));
        assert!(log.close_at_rest(at(Nanos(SECOND))));
        assert!(log.close_at_rest(at(Nanos(0))), "closed before");
        assert_eq!(take(&log, 1, SECOND).unwrap_err(), Refused::Closed);
        assert_eq!(
            log.look(at(Nanos(SECOND)), Cost::ONE, 2),
            Err(Refused::Closed)
        );
        assert_eq!(
            log.charge_anyway(at(Nanos(0)), Cost::ONE, 2).unwrap_err(),
            Refused::Closed
        );
        assert_eq!(log.refund(at(Nanos(0)), &receipt, 1), 0);
        log.reset(at(Nanos(0)));
        assert_eq!(
            (
                log.count_at(Nanos(0)),
                log.wait_time_at(Cost::ONE, Nanos(0))
            ),
            (0, None)
        );
    }

    #[test]
    fn what_was_given_back_whole_is_at_rest() {
        let log = log(2, 0);
        let receipt = take(&log, 2, 0).unwrap();
        assert!(!log.close_at_rest(at(Nanos(0))));
        assert_eq!(log.refund(at(Nanos(0)), &receipt, 2), 2);
        assert!(log.close_at_rest(at(Nanos(0))));
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        let second = Duration::from_secs(1);
        let built = |max, window| {
            ExactLog::with_clock(max, window, ())
                .map(|_| ())
                .unwrap_err()
        };
        assert_eq!(built(0, second), WindowError::NoUnits);
        let largest = ExactLog::MAX_UNITS;
        assert_eq!(
            built(largest + 1, second),
            WindowError::MaxTooLarge {
                max: largest + 1,
                largest
            }
        );
        assert_eq!(built(1, Duration::ZERO), WindowError::NoWindow);
        assert!(matches!(
            built(1, Duration::MAX),
            WindowError::WindowTooLong { .. }
        ));
    }
}
