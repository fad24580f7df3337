use super::counter::{PeriodCounter, PeriodReceipt, PeriodRefusal};
use crate::{
    cell::{at, wait_of},
    error::{WindowError, max_units, phase_ns, window_ns},
};
use std::time::Duration;
use tollgate_core::{Charged, Cost, Meter, Moment, Nanos, Refused, Wait};

/// At most `max` units in each fixed window: every window starts empty, for all at once.
///
/// Windows are numbered: `now` lies in window `⌊(now + phase) / window⌋`. The law it keeps is *per window*: across
/// the border of two of them up to twice `max` may pass within less than one length. Where that matters, use
/// [`SlottedRing`](crate::SlottedRing) or [`ExactLog`](crate::ExactLog).
///
/// A `now` older than a window already begun is taken for the start of that one, and its wait is told from the `now`
/// given. The least wait is until the next window starts. Debt ends with its window. One word; every operation is
/// lock-free, one exchange when uncontended, and allocates nothing.
///
/// ```
/// use std::time::Duration;
/// use tollgate_core::{Cost, Nanos};
/// use tollgate_window::FixedWindow;
///
/// let window = FixedWindow::new(2, Duration::from_secs(60))?;
/// assert!(window.try_record_at(Cost::ONE, Nanos::from_secs(10)).is_ok());
/// assert!(window.try_record_at(Cost::ONE, Nanos::from_secs(59)).is_ok());
/// assert!(window.try_record_at(Cost::ONE, Nanos::from_secs(59)).is_err());
/// assert_eq!(window.wait_time(Cost::ONE, Nanos::from_secs(59)), Some(Duration::from_secs(1)));
/// assert_eq!(window.remaining(Nanos::from_secs(60)), 2);
/// # Ok::<(), tollgate_window::WindowError>(())
/// ```
#[derive(Debug)]
pub struct FixedWindow {
    max: u64,
    window_ns: u64,
    phase_ns: u64,
    counter: PeriodCounter,
}

impl FixedWindow {
    /// The largest max: about 4.5 × 10¹⁵ units.
    pub const MAX_UNITS: u64 = PeriodCounter::UNITS_MAX;

    /// At most `max` units in each window of length `window`, the first of which starts at the epoch.
    ///
    /// # Errors
    /// [`WindowError`] if `max` is zero or above [`Self::MAX_UNITS`], or `window` is zero or longer than 30 years.
    pub fn new(max: u64, window: Duration) -> Result<Self, WindowError> {
        Self::with_phase(max, window, Duration::ZERO)
    }

    /// As [`Self::new`], with windows that start `phase` earlier; the first one is that much shorter.
    ///
    /// # Errors
    /// As [`Self::new`], and [`WindowError::PhaseTooLong`] unless `phase` is shorter than `window`.
    pub fn with_phase(max: u64, window: Duration, phase: Duration) -> Result<Self, WindowError> {
        let max = max_units(max, Self::MAX_UNITS)?;
        let window_ns = window_ns(window)?;
        let phase_ns = phase_ns(phase, window_ns)?;
        Ok(Self {
            max,
            window_ns,
            phase_ns,
            counter: PeriodCounter::new(),
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
        Duration::from_nanos(self.window_ns)
    }

    /// Takes `cost` at `now` if it fits the window, in one step.
    ///
    /// # Errors
    /// [`Refused::Denied`] with the least wait, [`Wait::Never`] for a cost above the max, and nothing changed;
    /// [`Refused::Closed`] after [`Meter::close_at_rest`].
    pub fn try_record_at(&self, cost: Cost, now: Nanos) -> Result<Charged<PeriodReceipt>, Refused> {
        self.charge(at(now), cost, self.max)
    }

    /// Units used in the window of `now`.
    #[must_use]
    pub fn count(&self, now: Nanos) -> u64 {
        self.counter.used_in(self.number(now))
    }

    /// Units left in the window of `now`; none in debt.
    #[must_use]
    pub fn remaining(&self, now: Nanos) -> u64 {
        self.max.saturating_sub(self.count(now))
    }

    /// How long `cost` would have to wait at `now`, were nobody else to come: zero if it fits, none if it never does.
    #[must_use]
    pub fn wait_time(&self, cost: Cost, now: Nanos) -> Option<Duration> {
        wait_of(self.look(at(now), cost, self.max))
    }

    fn number(&self, now: Nanos) -> u64 {
        // No overflow: both are below 2^60.
        (now.clamped().0 + self.phase_ns) / self.window_ns
    }

    /// Why a charge at `now` was refused, in the words of meters.
    fn refused(&self, refusal: PeriodRefusal, now: Nanos) -> Refused {
        match refusal {
            PeriodRefusal::Full { period, used } => {
                // Below 2^61: a period begins at or before `Nanos::MAX`, and lasts at most as long again.
                let end = (period + 1) * self.window_ns - self.phase_ns;
                Refused::denied(
                    Wait::nanos(end.saturating_sub(now.clamped().0)),
                    used.into(),
                )
            }
            PeriodRefusal::NeverFits { used } => Refused::denied(Wait::Never, used.into()),
            PeriodRefusal::Closed => Refused::Closed,
        }
    }
}

impl Meter for FixedWindow {
    type Receipt = PeriodReceipt;

    fn look(&self, at: Moment, cost: Cost, ceiling: u64) -> Result<(), Refused> {
        let look = self.counter.look_in(self.number(at.now), cost, ceiling);
        look.map_err(|refusal| self.refused(refusal, at.now))
    }

    fn charge(
        &self,
        at: Moment,
        cost: Cost,
        ceiling: u64,
    ) -> Result<Charged<PeriodReceipt>, Refused> {
        let charge = self.counter.charge_in(self.number(at.now), cost, ceiling);
        charge.map_err(|refusal| self.refused(refusal, at.now))
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
        let refunded = self.counter.refund_in(receipt, surplus);
        // What ended with its window is worth nothing as of `at`, though an older `now` may still see it.
        if receipt.period() < self.number(at.now) {
            0
        } else {
            refunded
        }
    }

    fn used(&self, at: Moment) -> u64 {
        self.count(at.now)
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

    const SECOND: Duration = Duration::from_secs(1);

    fn cost(units: u64) -> Cost {
        Cost::new(units).unwrap()
    }

    #[test]
    fn wait_ends_with_the_window_to_the_nanosecond() {
        let window = FixedWindow::with_phase(3, SECOND, Duration::from_nanos(10)).unwrap();
        let now = Nanos(999_999_000);
        window.try_record_at(cost(3), now).unwrap();
        assert_eq!(
            window.wait_time(Cost::ONE, now),
            Some(Duration::from_nanos(990))
        );
        assert_eq!(
            window.wait_time(Cost::ONE, Nanos(now.0 + 989)),
            Some(Duration::from_nanos(1))
        );
        assert_eq!(
            window.wait_time(cost(3), Nanos(now.0 + 990)),
            Some(Duration::ZERO)
        );
        assert_eq!(window.wait_time(cost(4), now), None);
    }

    #[test]
    fn older_now_waits_for_the_window_already_begun_to_end() {
        let window = FixedWindow::new(1, SECOND).unwrap();
        window
            .try_record_at(Cost::ONE, Nanos::from_secs(5))
            .unwrap();
        assert_eq!(
            window.wait_time(Cost::ONE, Nanos::from_secs(2)),
            Some(4 * SECOND)
        );
    }

    #[test]
    fn last_instant_of_a_clock_is_denied_not_wrapped() {
        for window in [Duration::from_nanos(1), Duration::from_nanos(Nanos::MAX.0)] {
            let window = FixedWindow::new(1, window).unwrap();
            window.try_record_at(Cost::ONE, Nanos(u64::MAX)).unwrap();
            assert!(window.try_record_at(Cost::ONE, Nanos(u64::MAX)).is_err());
            assert!(window.try_record_at(Cost::ONE, Nanos::MAX).is_err());
            assert!(window.try_record_at(Cost::ONE, Nanos(0)).is_err());
        }
    }

    #[test]
    fn refund_after_the_window_gives_nothing_back() {
        let window = FixedWindow::new(3, SECOND).unwrap();
        let receipt = window.try_record_at(cost(3), Nanos(0)).unwrap().receipt;
        assert_eq!(window.refund(at(Nanos(1)), &receipt, 1), 1);
        assert_eq!(window.refund(at(Nanos::from_secs(1)), &receipt, 1), 0);
        window.try_record_at(cost(3), Nanos::from_secs(1)).unwrap();
        assert_eq!(window.refund(at(Nanos::from_secs(1)), &receipt, 1), 0);
        assert_eq!(window.remaining(Nanos::from_secs(1)), 0);
    }

    #[test]
    fn remaining_is_nothing_in_debt() {
        let window = FixedWindow::new(3, SECOND).unwrap();
        window.charge_anyway(at(Nanos(0)), cost(10), 3).unwrap();
        assert_eq!(
            (window.count(Nanos(0)), window.remaining(Nanos(0))),
            (10, 0)
        );
        assert_eq!(window.remaining(Nanos::from_secs(1)), 3);
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        let built = |max, window, phase| {
            FixedWindow::with_phase(max, window, phase)
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
