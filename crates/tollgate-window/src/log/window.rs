use super::{cell::Cell, word::LogReceipt};
use crate::{
    cell::{at, wait_of},
    error::{WindowError, max_units, window_ns},
};
use std::{fmt, time::Duration};
use tollgate_core::{Charged, Cost, Meter, Moment, Nanos, Refused};

/// At most `max` units in every window of a length, exact to the nanosecond.
///
/// A unit taken at `t` counts until exactly one window later: in the half-open interval from `t` to `t + window`. So
/// in every half-open interval of that length at most `max` units are admitted, and not one is refused needlessly. The
/// price is memory: 32 bytes for each unit of the max, whatever the costs are. For large maxes use
/// [`SlottedRing`](crate::SlottedRing).
///
/// A `now` older than the latest charge is taken for that one's, and its wait is told from the `now` given. The least
/// wait is exact, refunds counted. Debt leaves the window like anything else.
///
/// Every operation is lock-free and allocates nothing. An admission is two exchanges (one for a further charge at the
/// same instant) and a search, O(log max); a denial is two searches and writes nothing. While units are in the window
/// of which some were given back, both walk what is in the window: O(charges there).
///
/// Refunds and debt can bring more than `max` charges into one window. There is room for [`Self::ROOM`] more; beyond
/// that, charges that follow each other leave the window together, with the last of them.
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
/// assert_eq!(log.wait_time(two, Nanos::from_secs(30)), Some(Duration::from_secs(35)));
/// assert_eq!(log.remaining(Nanos::from_secs(65)), 2);
/// # Ok::<(), tollgate_window::WindowError>(())
/// ```
pub struct ExactLog {
    max: u64,
    cell: Cell,
}

impl ExactLog {
    /// The largest max: 4,194,304 units, which take 128 MiB.
    pub const MAX_UNITS: u64 = 1 << 22;
    /// Charges beyond `max` that one window remembers apart, unless told otherwise.
    pub const ROOM: u32 = 64;

    /// At most `max` units in every interval of length `window`.
    ///
    /// # Errors
    /// [`WindowError`] if `max` is zero or above [`Self::MAX_UNITS`], or `window` is zero or longer than 30 years.
    pub fn new(max: u64, window: Duration) -> Result<Self, WindowError> {
        Self::with_room(max, window, Self::ROOM)
    }

    /// As [`Self::new`], with room for `room` charges beyond `max` in one window, 32 bytes each.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_room(max: u64, window: Duration, room: u32) -> Result<Self, WindowError> {
        let max = max_units(max, Self::MAX_UNITS)?;
        let window_ns = window_ns(window)?;
        // The newest point that has left stays beside all that are in the window, and one place is being written.
        let places = max + u64::from(room) + 2;
        // A place count that no memory could hold fails as any allocation does; on 64 bits it is below 2^33.
        let cell = Cell::new(window_ns, usize::try_from(places).unwrap_or(usize::MAX));
        Ok(Self { max, cell })
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
        self.charge(at(now), cost, self.max)
    }

    /// Units in the window at `now`.
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
    #[must_use]
    pub fn wait_time(&self, cost: Cost, now: Nanos) -> Option<Duration> {
        wait_of(self.look(at(now), cost, self.max))
    }
}

impl fmt::Debug for ExactLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExactLog")
            .field("max", &self.max)
            .field("window", &self.window())
            .finish_non_exhaustive()
    }
}

/// A `ceiling` may be above the max that the log was built for (a limit that was raised), up to `u32::MAX`, beyond
/// which it is taken for that: the law stays exact, but a window of more charges than the log has places counts some
/// of them longer than it must. A debt above `u32::MAX` is taken for that many units, and cannot be refunded. After
/// 2⁶⁴ units in a life all is denied.
impl Meter for ExactLog {
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
