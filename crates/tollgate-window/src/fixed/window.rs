use super::counter::{PeriodCounter, PeriodReceipt, PeriodRefusal};
use crate::{
    cell::{by_its_clock, wait_of},
    error::{WindowError, max_units, phase_ns, window_ns},
};
use std::{fmt, time::Duration};
use tollgate_core::{Charged, Clock, Cost, Meter, Moment, Nanos, QuantaClock, Refused, Wait};

/// At most `max` units in each fixed window: every window starts empty, for all at once, but for debt.
///
/// Windows are numbered: `now` lies in window `⌊(now + phase) / window⌋`. The law it keeps is *per window*: across
/// the border of two of them up to twice `max` may pass within less than one length. Where that matters, use
/// [`SlottedRing`](crate::SlottedRing) or [`ExactLog`](crate::ExactLog).
///
/// What a window has used beyond its max ([`Meter::charge_anyway`]) is debt: the windows after it pay that first, each
/// up to its max. The least wait is until the next window starts, or, in debt, that one which has room.
///
/// A `now` older than a window already begun is denied until that one begins by the caller's own clock, or until there
/// is room: what its own window had used is forgotten. Refunds and debt are taken all the same, debt in the window
/// already begun. One word that changes; every operation is lock-free, one exchange when uncontended, and allocates
/// nothing.
///
/// Each verb comes in two forms: with the window's own [`Clock`], and `_at` a given `now`, which must come from that clock's
/// time line. One that is only ever asked `_at` needs none: `()` stands for it.
///
/// ```
/// use std::time::Duration;
/// use tollgate_core::{Cost, Meter, Moment, Nanos, Wall};
/// use tollgate_window::FixedWindow;
///
/// let window = FixedWindow::new(2, Duration::from_secs(60))?;
/// assert!(window.try_record_at(Cost::ONE, Nanos::from_secs(10)).is_ok());
/// assert!(window.try_record_at(Cost::ONE, Nanos::from_secs(59)).is_ok());
/// assert!(window.try_record_at(Cost::ONE, Nanos::from_secs(59)).is_err());
/// assert_eq!(window.wait_time_at(Cost::ONE, Nanos::from_secs(59)), Some(Duration::from_secs(1)));
/// assert_eq!(window.remaining_at(Nanos::from_secs(60)), 2);
///
/// // A call turns out to have used three more than the two it asked for: that is the next window, and half of another.
/// let at = Moment::new(Nanos::from_secs(59), Wall::default());
/// window.charge_anyway(at, Cost::new(3).unwrap(), 2).expect("it is open");
/// assert_eq!([60, 120, 180].map(|secs| window.remaining_at(Nanos::from_secs(secs))), [0, 1, 2]);
/// # Ok::<(), tollgate_window::WindowError>(())
/// ```
#[derive(Debug)]
pub struct FixedWindow<C = QuantaClock> {
    window_ns: u64,
    phase_ns: u64,
    counter: PeriodCounter,
    clock: C,
}

impl FixedWindow {
    /// The largest max: about 4.5 × 10¹⁵ units.
    pub const MAX_UNITS: u64 = PeriodCounter::UNITS_MAX;

    /// At most `max` units in each window of length `window`, the first of which starts at the epoch of its own
    /// clock.
    ///
    /// # Errors
    /// [`WindowError`] if `max` is zero or above [`Self::MAX_UNITS`], or `window` is zero or longer than 30 years.
    pub fn new(max: u64, window: Duration) -> Result<Self, WindowError> {
        Self::with_clock(max, window, QuantaClock::new())
    }
}

impl<C> FixedWindow<C> {
    /// As [`FixedWindow::new`], on this clock.
    ///
    /// # Errors
    /// As [`FixedWindow::new`].
    pub fn with_clock(max: u64, window: Duration, clock: C) -> Result<Self, WindowError> {
        Self::with_phase(max, window, Duration::ZERO, clock)
    }

    /// As [`Self::with_clock`], with windows that start `phase` earlier; the first one is that much shorter.
    ///
    /// # Errors
    /// As [`FixedWindow::new`], and [`WindowError::PhaseTooLong`] unless `phase` is shorter than `window`.
    pub fn with_phase(
        max: u64,
        window: Duration,
        phase: Duration,
        clock: C,
    ) -> Result<Self, WindowError> {
        let max = max_units(max, FixedWindow::MAX_UNITS)?;
        let window_ns = window_ns(window)?;
        let phase_ns = phase_ns(phase, window_ns)?;
        Ok(Self {
            window_ns,
            phase_ns,
            counter: PeriodCounter::new(max),
            clock,
        })
    }

    /// The same windows with another max, which are to take over from these: see [`Self::take_over`]. Until then they
    /// are closed. A max above [`FixedWindow::MAX_UNITS`] is taken for that; one of zero admits nothing, and pays no debt.
    #[must_use]
    pub fn successor(&self, max: u64) -> Self
    where
        C: Clone,
    {
        Self {
            window_ns: self.window_ns,
            phase_ns: self.phase_ns,
            counter: PeriodCounter::pending(max),
            clock: self.clock.clone(),
        }
    }

    /// Takes over what `old` has used as of `at`: `old` is closed, and this one, made by its [`Self::successor`], goes
    /// on from there under its own max. Receipts of `old` are good here. Anyone may call it, at any time and more than
    /// once: the first one's `at` stands. Lock-free.
    ///
    /// In the window of the change the larger max holds: what was admitted under it is never debt.
    pub fn take_over(&self, old: &Self, at: Moment) {
        self.counter.take_over_in(&old.counter, self.number(at.now));
    }

    /// The most units a window.
    #[must_use]
    pub const fn max(&self) -> u64 {
        self.counter.max()
    }

    /// The length of a window.
    #[must_use]
    pub const fn window(&self) -> Duration {
        Duration::from_nanos(self.window_ns)
    }

    /// Takes `cost` at `now` if it fits the window, in one step.
    ///
    /// # Errors
    /// [`Refused::Denied`] with the least wait, [`Wait::Never`] for a cost above the max, and nothing changed;
    /// [`Refused::Closed`] after [`Meter::close_at_rest`].
    pub fn try_record_at(&self, cost: Cost, now: Nanos) -> Result<Charged<PeriodReceipt>, Refused> {
        self.charge_under(self.max(), cost, now)
    }

    /// Units used in the window of `now`, or in a later one that was already begun.
    #[must_use]
    pub fn count_at(&self, now: Nanos) -> u64 {
        self.counter.used_in(self.number(now))
    }

    /// Units left in the window of `now`, or in a later one that was already begun; none in debt.
    #[must_use]
    pub fn remaining_at(&self, now: Nanos) -> u64 {
        self.max().saturating_sub(self.count_at(now))
    }

    /// How long `cost` would have to wait at `now`, were nobody else to come: zero if it fits, none if it never does.
    #[must_use]
    pub fn wait_time_at(&self, cost: Cost, now: Nanos) -> Option<Duration> {
        wait_of(self.look_under(self.max(), cost, now))
    }

    /// Takes what another process had `used` in the window of `now`, under a max of `max`: see [`PeriodCounter::restore_in`].
    pub fn restore_at(&self, now: Nanos, used: u64, max: u64) -> bool {
        self.counter.restore_in(self.number(now), used, max)
    }

    /// The largest max that was in force in the window of that `number`: see [`PeriodCounter::max_in`].
    #[must_use]
    pub fn max_in(&self, number: u64) -> u64 {
        self.counter.max_in(number)
    }

    /// The number of the window that is current as of `now`, and the units used in it; the counter is
    /// rolled over to that. None if the windows are closed, or are still to take over from others.
    #[must_use]
    pub fn standing_at(&self, now: Nanos) -> Option<(u64, u64)> {
        self.counter.standing_in(self.number(now))
    }

    /// Units used in the window of that number when it ended: see [`PeriodCounter::ended`].
    #[must_use]
    pub fn ended(&self, number: u64) -> Option<u64> {
        self.counter.ended(number)
    }

    /// The number of the window of `now`.
    #[must_use]
    pub fn number_at(&self, now: Nanos) -> u64 {
        self.number(now)
    }

    /// The first instant of the window of that number.
    #[must_use]
    pub fn start_of(&self, number: u64) -> Nanos {
        let start = number.saturating_mul(self.window_ns);
        Nanos(start.saturating_sub(self.phase_ns)).clamped()
    }

    fn number(&self, now: Nanos) -> u64 {
        // No overflow: both are below 2^60.
        (now.clamped().0 + self.phase_ns) / self.window_ns
    }

    fn look_under(&self, ceiling: u64, cost: Cost, now: Nanos) -> Result<(), Refused> {
        let number = self.number(now);
        let look = self.counter.look_on_time_in(number, cost, ceiling);
        look.map_err(|refusal| self.refused(refusal, now))
    }

    fn charge_under(
        &self,
        ceiling: u64,
        cost: Cost,
        now: Nanos,
    ) -> Result<Charged<PeriodReceipt>, Refused> {
        let number = self.number(now);
        let charge = self.counter.charge_on_time_in(number, cost, ceiling);
        charge.map_err(|refusal| self.refused(refusal, now))
    }

    /// Why a charge at `now` was refused, in the words of meters.
    fn refused(&self, refusal: PeriodRefusal, now: Nanos) -> Refused {
        match refusal {
            PeriodRefusal::Full {
                period,
                used,
                later,
            } => {
                let number = u128::from(period) + u128::from(later);
                // No overflow: a number is below 2^60 + 2^53, and a window shorter than 2^60.
                let start = number * u128::from(self.window_ns) - u128::from(self.phase_ns);
                let wait = wait(start.saturating_sub(now.clamped().0.into()));
                Refused::denied(wait, used.into())
            }
            PeriodRefusal::NeverFits { used } => Refused::denied(Wait::Never, used.into()),
            PeriodRefusal::Closed => Refused::Closed,
        }
    }
}

by_its_clock!(FixedWindow, PeriodReceipt);

/// A wait of so many nanoseconds, at least one; for ever, if no `Duration` is as long.
fn wait(nanos: u128) -> Wait {
    let nanos = nanos.max(1);
    let (secs, rest) = (nanos / NANOS_PER_SEC, nanos % NANOS_PER_SEC);
    match (u64::try_from(secs), u32::try_from(rest)) {
        (Ok(secs), Ok(rest)) => Wait::After(Duration::new(secs, rest)),
        _ => Wait::Never,
    }
}

const NANOS_PER_SEC: u128 = 1_000_000_000;

impl<C: fmt::Debug + Send + Sync> Meter for FixedWindow<C> {
    type Receipt = PeriodReceipt;

    fn look(&self, at: Moment, cost: Cost, ceiling: u64) -> Result<(), Refused> {
        self.look_under(ceiling, cost, at.now)
    }

    fn charge(
        &self,
        at: Moment,
        cost: Cost,
        ceiling: u64,
    ) -> Result<Charged<PeriodReceipt>, Refused> {
        self.charge_under(ceiling, cost, at.now)
    }

    fn charge_anyway(
        &self,
        at: Moment,
        extra: Cost,
        ceiling: u64,
    ) -> Result<Charged<PeriodReceipt>, Refused> {
        let charge = self
            .counter
            .charge_anyway_in(self.number(at.now), extra, ceiling);
        charge.map_err(|refusal| self.refused(refusal, at.now))
    }

    fn refund(&self, at: Moment, receipt: &PeriodReceipt, surplus: u64) -> u64 {
        // What ended with its window needs no giving back, even if no charge has opened the next one yet; and what it
        // left in debt is settled then.
        if receipt.period() < self.number(at.now) {
            0
        } else {
            self.counter.refund_in(receipt, surplus)
        }
    }

    fn used(&self, at: Moment) -> u64 {
        self.count_at(at.now)
    }

    fn close_at_rest(&self, at: Moment) -> bool {
        self.counter.close_at_rest_in(self.number(at.now))
    }

    fn reset(&self, at: Moment) {
        self.counter.reset_in(self.number(at.now));
    }
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;
    use crate::cell::at;

    const SECOND: Duration = Duration::from_secs(1);

    fn cost(units: u64) -> Cost {
        Cost::new(units).unwrap()
    }

    #[test]
    fn wait_ends_with_the_window_to_the_nanosecond() {
        let window = FixedWindow::with_phase(3, SECOND, Duration::from_nanos(10), ()).unwrap();
        let now = Nanos(999_999_000);
        window.try_record_at(cost(3), now).unwrap();
        assert_eq!(
            window.wait_time_at(Cost::ONE, now),
            Some(Duration::from_nanos(990))
        );
        assert_eq!(
            window.wait_time_at(Cost::ONE, Nanos(now.0 + 989)),
            Some(Duration::from_nanos(1))
        );
        assert_eq!(
            window.wait_time_at(cost(3), Nanos(now.0 + 990)),
            Some(Duration::ZERO)
        );
        assert_eq!(window.wait_time_at(cost(4), now), None);
    }

    #[test]
    fn older_now_waits_for_the_window_already_begun_or_for_its_end() {
        let window = FixedWindow::with_clock(2, SECOND, ()).unwrap();
        let (old, now) = (Nanos::from_secs(2), Nanos::from_secs(5));
        let receipt = window.try_record_at(Cost::ONE, now).unwrap().receipt;
        assert_eq!(window.wait_time_at(Cost::ONE, old), Some(3 * SECOND));
        assert_eq!(window.wait_time_at(cost(2), old), Some(4 * SECOND));
        assert_eq!(window.wait_time_at(cost(3), old), None);
        let Err(Refused::Denied(denial)) = window.try_record_at(Cost::ONE, old) else {
            panic!("its own window is forgotten")
        };
        assert_eq!((denial.committed, window.count_at(now)), (1, 1));
        assert!(!window.close_at_rest(at(old)));
        window.charge_anyway(at(old), cost(3), 2).unwrap();
        assert_eq!(window.refund(at(old), &receipt, 1), 1);
        assert_eq!(window.count_at(now), 3);
    }

    #[test]
    fn last_instant_of_a_clock_is_denied_not_wrapped() {
        for window in [Duration::from_nanos(1), Duration::from_nanos(Nanos::MAX.0)] {
            let window = FixedWindow::with_clock(1, window, ()).unwrap();
            window.try_record_at(Cost::ONE, Nanos(u64::MAX)).unwrap();
            assert!(window.try_record_at(Cost::ONE, Nanos(u64::MAX)).is_err());
            assert!(window.try_record_at(Cost::ONE, Nanos::MAX).is_err());
            assert!(window.try_record_at(Cost::ONE, Nanos(0)).is_err());
        }
    }

    #[test]
    fn refund_after_the_window_gives_nothing_back() {
        let window = FixedWindow::with_clock(3, SECOND, ()).unwrap();
        let receipt = window.try_record_at(cost(3), Nanos(0)).unwrap().receipt;
        assert_eq!(window.refund(at(Nanos(1)), &receipt, 1), 1);
        assert_eq!(window.refund(at(Nanos::from_secs(1)), &receipt, 1), 0);
        window.try_record_at(cost(3), Nanos::from_secs(1)).unwrap();
        assert_eq!(window.refund(at(Nanos::from_secs(1)), &receipt, 1), 0);
        assert_eq!(window.remaining_at(Nanos::from_secs(1)), 0);
    }

    #[test]
    fn remaining_is_nothing_in_debt() {
        let window = FixedWindow::with_clock(3, SECOND, ()).unwrap();
        window.charge_anyway(at(Nanos(0)), cost(10), 3).unwrap();
        assert_eq!(
            (window.count_at(Nanos(0)), window.remaining_at(Nanos(0))),
            (10, 0)
        );
        assert_eq!(
            [1, 2, 3, 4].map(|secs| window.remaining_at(Nanos::from_secs(secs))),
            [0, 0, 2, 3]
        );
    }

    #[test]
    fn wait_lasts_until_a_window_has_paid_enough() {
        let window = FixedWindow::with_phase(3, SECOND, Duration::from_nanos(10), ()).unwrap();
        window.charge_anyway(at(Nanos(0)), cost(10), 3).unwrap();
        // 7, 4 and 1 are used in the windows that follow.
        let starts = |units, secs: u64| {
            let wait = window.wait_time_at(cost(units), Nanos(7)).unwrap();
            assert_eq!(wait, Duration::from_nanos(secs * 1_000_000_000 - 17));
        };
        starts(1, 3);
        starts(2, 3);
        starts(3, 4);
        assert_eq!(window.wait_time_at(cost(4), Nanos(7)), None);
    }

    #[test]
    fn wait_of_a_huge_debt_is_told_or_never_ends() {
        let longest = Duration::from_nanos(Nanos::MAX.0);
        let debt = cost(FixedWindow::MAX_UNITS);
        let (short, long) = (
            FixedWindow::with_clock(1, SECOND, ()),
            FixedWindow::with_clock(1, longest, ()),
        );
        let windows = [short, long].map(Result::unwrap);
        let waits = windows.map(|window| {
            window.charge_anyway(at(Nanos(0)), debt, 1).unwrap();
            window.wait_time_at(Cost::ONE, Nanos(0))
        });
        assert_eq!(waits, [Some(Duration::from_secs(debt.get())), None]);
    }

    #[test]
    fn successor_of_no_units_admits_nothing() {
        let one = FixedWindow::with_clock(1, SECOND, ()).unwrap();
        let none = one.successor(0);
        none.take_over(&one, at(Nanos(0)));
        none.charge_anyway(at(Nanos::from_secs(1)), cost(2), 0)
            .unwrap();
        assert_eq!(none.wait_time_at(Cost::ONE, Nanos::from_secs(1)), None);
        assert_eq!(none.count_at(Nanos::MAX), 2, "nothing pays");
    }

    #[test]
    fn successor_goes_on_in_the_same_windows() {
        let old = FixedWindow::with_phase(9, SECOND, Duration::from_nanos(10), ()).unwrap();
        let receipt = old.try_record_at(cost(9), Nanos(0)).unwrap().receipt;
        let new = old.successor(3);
        let now = Nanos(999_999_989);
        new.take_over(&old, at(now));
        assert_eq!(
            old.try_record_at(cost(1), now).unwrap_err(),
            Refused::Closed
        );
        assert_eq!((new.max(), new.count_at(now)), (3, 9));
        assert_eq!(
            new.wait_time_at(cost(3), now),
            Some(Duration::from_nanos(1))
        );
        assert_eq!(new.refund(at(now), &receipt, 8), 8);
        assert_eq!(new.remaining_at(now), 2);
    }

    #[test]
    fn windows_have_numbers_and_start_where_those_before_end() {
        let phase = Duration::from_nanos(10);
        let window = FixedWindow::with_phase(3, SECOND, phase, ()).unwrap();
        assert_eq!(
            (window.number_at(Nanos(0)), window.start_of(0)),
            (0, Nanos(0))
        );
        for number in [1, 2, 3, 40] {
            let start = window.start_of(number);
            assert_eq!(start, Nanos(number * 1_000_000_000 - 10));
            assert_eq!(window.number_at(start), number);
            assert_eq!(window.number_at(Nanos(start.0 - 1)), number - 1);
        }
        assert_eq!(window.start_of(u64::MAX), Nanos::MAX, "after all time");
    }

    #[test]
    fn standing_tells_the_window_of_now_and_what_is_used_in_it() {
        let window = FixedWindow::with_clock(3, SECOND, ()).unwrap();
        window
            .charge_anyway(at(Nanos::from_secs(2)), cost(8), 3)
            .unwrap();
        assert_eq!(
            [2, 3, 4, 3].map(|secs| window.standing_at(Nanos::from_secs(secs))),
            [(2, 8), (3, 5), (4, 2), (4, 2)].map(Some)
        );
        assert!(window.close_at_rest(at(Nanos::from_secs(5))));
        assert_eq!(window.standing_at(Nanos::from_secs(5)), None);
    }

    #[test]
    fn what_a_window_ended_with_is_told_once_the_next_one_begins() {
        let window = FixedWindow::with_clock(3, SECOND, ()).unwrap();
        window.try_record_at(cost(2), Nanos::from_secs(4)).unwrap();
        assert_eq!(window.ended(4), None);
        window.standing_at(Nanos::from_secs(5)).unwrap();
        assert_eq!(
            [3, 4, 5].map(|number| window.ended(number)),
            [None, Some(2), None]
        );
    }

    #[test]
    fn what_is_restored_holds_the_larger_max_to_the_end_of_its_window() {
        let window = FixedWindow::with_clock(3, SECOND, ()).unwrap();
        let now = Nanos::from_secs(4);
        window.try_record_at(cost(2), now).unwrap();
        assert!(window.restore_at(now, 7, 9));
        assert_eq!(window.count_at(now), 9);
        assert_eq!([3, 4, 5].map(|number| window.max_in(number)), [3, 9, 3]);
        assert_eq!(window.count_at(Nanos::from_secs(5)), 0);
        assert!(window.close_at_rest(at(Nanos::from_secs(5))));
        assert!(
            !window.restore_at(Nanos::from_secs(5), 1, 3),
            "it is closed"
        );
    }

    #[test]
    fn window_closes_only_at_rest_and_for_good() {
        let window = FixedWindow::with_clock(3, SECOND, ()).unwrap();
        window.try_record_at(cost(1), Nanos(0)).unwrap();
        assert!(!window.close_at_rest(at(Nanos(999_999_999))));
        assert!(window.close_at_rest(at(Nanos::from_secs(1))));
        assert!(window.close_at_rest(at(Nanos(0))), "closed before");
        assert_eq!(
            window
                .try_record_at(cost(1), Nanos::from_secs(1))
                .unwrap_err(),
            Refused::Closed
        );
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        let built = |max, window, phase| {
            FixedWindow::with_phase(max, window, phase, ())
                .map(|_| ())
                .unwrap_err()
        };
        assert_eq!(built(0, SECOND, Duration::ZERO), WindowError::NoUnits);
        assert!(matches!(
            built(u64::MAX, SECOND, Duration::ZERO),
            WindowError::MaxTooLarge { .. }
        ));
        assert_eq!(
            built(1, Duration::ZERO, Duration::ZERO),
            WindowError::NoWindow
        );
        assert!(matches!(
            built(1, Duration::MAX, Duration::ZERO),
            WindowError::WindowTooLong { .. }
        ));
        assert!(matches!(
            built(1, SECOND, SECOND),
            WindowError::PhaseTooLong { .. }
        ));
    }
}
