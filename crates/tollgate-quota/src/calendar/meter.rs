use super::{Calendar, Period};
use std::time::Duration;
use tollgate_core::{Charged, Cost, Meter, Moment, Refused, Wait, Wall};
use tollgate_sync::Arc;
use tollgate_window::{PeriodCounter, PeriodNumber, PeriodReceipt, PeriodRefusal};

/// Units used in the current period of a calendar: every period starts empty, for all at once, but for debt.
///
/// Never over: in every calendar period at most the max is admitted and kept, exactly, and to each caller at most its
/// ceiling. The least wait is until the period ends; a cost above the ceiling can never pass. A refund counts while the
/// period of its charge lasts, and touches no other.
///
/// What a period has used beyond its max ([`Meter::charge_anyway`]) is debt: the periods after it pay that first, each
/// up to its max, however many pass unused. The least wait is then until the period begins that has room. To count the
/// periods takes some microseconds, and longer the more often the zone's clocks changed in between.
///
/// Only the wall clock matters, and only which period it is in. A clock that is set back into an earlier period
/// finds the later one already begun, and stays in it: charges are counted there, and a denial's wait is until
/// *that* period ends, counted from the wall time given. So no period can be spent twice, and the time of the law is the
/// later of the wall time given and the period begun, which the receipt tells. A clock that was set
/// ahead by mistake and corrected leaves the meter in the later period until that ends; [`Meter::reset`] forgives
/// what was used, but does not bring the earlier period back.
///
/// At most [`PeriodCounter::UNITS_MAX`] units a period are told apart, 4.5 × 10¹⁵: a higher max is taken for that. At the
/// end of the year range of [`Wall`], in 2262, the last period never ends.
///
/// One word that changes beside the shared calendar; every operation is lock-free, one exchange when uncontended, and allocates
/// nothing. The rollover is part of the exchange that charges: no timer or event is needed.
///
/// ```
/// use std::{sync::Arc, time::Duration};
/// use tollgate_core::{Cost, Meter, Moment, Nanos, Refused, Wait, Wall};
/// use tollgate_quota::calendar::{Calendar, CalendarMeter, CalendarPeriod};
///
/// let days = Arc::new(Calendar::new(CalendarPeriod::Day, "UTC")?);
/// let meter = CalendarMeter::new(days, 10);
/// let five_to_midnight = Moment::new(Nanos::ZERO, Wall::from_secs(86_400 - 300));
/// let ten = Cost::new(10).unwrap();
/// assert!(meter.charge(five_to_midnight, ten, 10).is_ok());
/// let wait = Wait::After(Duration::from_secs(300));
/// assert_eq!(meter.look(five_to_midnight, ten, 10), Err(Refused::denied(wait, 10)));
///
/// let midnight = Moment::new(Nanos::ZERO, Wall::from_secs(86_400));
/// assert!(meter.charge(midnight, ten, 10).is_ok());
///
/// // A call used 15 more than it had asked for: the next day pays ten of them, and the day after the rest.
/// meter.charge_anyway(midnight, Cost::new(15).unwrap(), 10).unwrap();
/// let day = |number: i64| Moment::new(Nanos::ZERO, Wall::from_secs(number * 86_400));
/// assert_eq!([2, 3, 4].map(|number| meter.used(day(number))), [15, 5, 0]);
/// # Ok::<(), tollgate_quota::calendar::CalendarError>(())
/// ```
#[derive(Debug)]
#[repr(C)]
pub struct CalendarMeter {
    calendar: Arc<Calendar>,
    counter: PeriodCounter,
}

impl CalendarMeter {
    /// A meter that has used nothing, with a max of `max` units in each period of `calendar`. A max of zero admits
    /// nothing, and pays no debt.
    #[must_use]
    pub fn new(calendar: Arc<Calendar>, max: u64) -> Self {
        Self {
            calendar,
            counter: PeriodCounter::new(max),
        }
    }

    /// A meter of the same periods with another max, which is to take over from this one: see [`Self::take_over`].
    /// Until then it is closed.
    #[must_use]
    pub fn successor(&self, max: u64) -> Self {
        Self {
            calendar: Arc::clone(&self.calendar),
            counter: PeriodCounter::pending(max),
        }
    }

    /// Takes over what `old` has used as of `at`: `old` is closed, and this meter, made by its [`Self::successor`], goes
    /// on from there under its own max. Receipts of `old` are good here. Anyone may call it, at any time and more than
    /// once: the first one's `at` stands. Lock-free.
    ///
    /// In the period of the change the larger max holds: what was admitted under it is never debt.
    pub fn take_over(&self, old: &Self, at: Moment) {
        self.counter.take_over_in(&old.counter, self.number(at));
    }

    /// The most units a period.
    #[must_use]
    pub const fn max(&self) -> u64 {
        self.counter.max()
    }

    /// The calendar whose periods it follows.
    #[must_use]
    pub fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    /// The calendar, shared.
    pub(crate) fn shared_calendar(&self) -> Arc<Calendar> {
        Arc::clone(&self.calendar)
    }

    /// Takes what another process had `used` in the period of `at`, under a max of `max`. False if the meter is closed.
    pub(crate) fn restore_at(&self, at: Moment, used: u64, max: u64) -> bool {
        self.counter.restore_in(self.number(at), used, max)
    }

    /// The largest max that was in force in the period of that number, if it is the current one.
    pub(crate) fn max_in(&self, period: u64) -> u64 {
        self.counter.max_in(period)
    }

    /// The number and the start of the period that is current as of `at`, and the units used in it; the counter
    /// is rolled over to that. None if the meter is closed, or is still to take over from another.
    pub(crate) fn standing_at(&self, at: Moment) -> Option<(u64, Wall, u64)> {
        let (period, used) = self.counter.standing_in(self.number(at))?;
        Some((period, start(period), used))
    }

    /// The number and the start of the period after that of the number `period`, and how long that takes; none if that never ends.
    pub(crate) fn after(&self, period: u64) -> Option<(u64, Wall, Duration)> {
        let bounds = self.calendar.bounds(start(period));
        let next = Period {
            start: bounds.end,
            end: bounds.end,
        };
        let length = bounds.end.since(bounds.start);
        (bounds.end != Wall(i64::MAX)).then(|| (number(next), bounds.end, length))
    }

    /// The number of the period that `wall` is in.
    pub(crate) fn number_of(&self, wall: Wall) -> u64 {
        number(self.calendar.bounds(wall))
    }

    /// Units used in the period of that number when it ended, if it was the last to do so.
    pub(crate) fn ended(&self, period: u64) -> Option<u64> {
        self.counter.ended(period)
    }

    fn number(&self, at: Moment) -> Dated<'_> {
        Dated {
            calendar: &self.calendar,
            number: number(self.calendar.bounds(at.wall)),
        }
    }

    /// Why a charge was refused, in the words of meters.
    fn refused(&self, refusal: PeriodRefusal, at: Moment) -> Refused {
        match refusal {
            PeriodRefusal::Full {
                period,
                used,
                later,
            } => {
                // Usually the period of `at`, which is cached; after a step back a later one. Either ends later
                // than `at`, unless it never ends.
                let fits_at = match later {
                    1 => Some(self.calendar.bounds(start(period)).end),
                    _ => self.calendar.start_after(start(period), later),
                };
                let wait = match fits_at {
                    None | Some(Wall(i64::MAX)) => Wait::Never,
                    Some(start) => Wait::After(start.since(at.wall)),
                };
                Refused::denied(wait, used.into())
            }
            PeriodRefusal::NeverFits { used } => Refused::denied(Wait::Never, used.into()),
            PeriodRefusal::Closed => Refused::Closed,
        }
    }
}

/// A period of a calendar by its number.
#[derive(Clone, Copy)]
struct Dated<'a> {
    calendar: &'a Calendar,
    number: u64,
}

impl PeriodNumber for Dated<'_> {
    fn number(self) -> u64 {
        self.number
    }

    fn periods_since(self, earlier: u64) -> u64 {
        self.calendar.passed(start(earlier), start(self.number))
    }
}

/// The number of a period: its start, shifted so that numbers rise with time from zero.
const fn number(period: Period) -> u64 {
    // Flipping the sign bit adds 2^63. It cannot give `u64::MAX`, which counters reserve: no period starts at the
    // very last instant, since periods start on whole seconds.
    period.start.0.cast_unsigned() ^ SIGN
}

/// The start of the period of that number.
const fn start(number: u64) -> Wall {
    Wall((number ^ SIGN).cast_signed())
}

const SIGN: u64 = 1 << 63;

impl Meter for CalendarMeter {
    type Receipt = PeriodReceipt;

    fn look(&self, at: Moment, cost: Cost, ceiling: u64) -> Result<(), Refused> {
        let look = self.counter.look_in(self.number(at), cost, ceiling);
        look.map_err(|refusal| self.refused(refusal, at))
    }

    fn charge(
        &self,
        at: Moment,
        cost: Cost,
        ceiling: u64,
    ) -> Result<Charged<PeriodReceipt>, Refused> {
        let charge = self.counter.charge_in(self.number(at), cost, ceiling);
        charge.map_err(|refusal| self.refused(refusal, at))
    }

    fn charge_anyway(
        &self,
        at: Moment,
        extra: Cost,
        ceiling: u64,
    ) -> Result<Charged<PeriodReceipt>, Refused> {
        let charge = self
            .counter
            .charge_anyway_in(self.number(at), extra, ceiling);
        charge.map_err(|refusal| self.refused(refusal, at))
    }

    fn refund(&self, at: Moment, receipt: &PeriodReceipt, surplus: u64) -> u64 {
        // What ended with its period needs no giving back, even if no charge has opened the next one yet; and what it
        // left in debt is settled then.
        if receipt.period() < self.number(at).number {
            0
        } else {
            self.counter.refund_in(receipt, surplus)
        }
    }

    fn used(&self, at: Moment) -> u64 {
        self.counter.used_in(self.number(at))
    }

    /// At rest is a meter of whose current period nothing is used. A fresh one in its place has no memory of later
    /// periods: after that a clock that is set back may find an earlier period open again.
    fn close_at_rest(&self, at: Moment) -> bool {
        self.counter.close_at_rest_in(self.number(at))
    }

    fn reset(&self, at: Moment) {
        self.counter.reset_in(self.number(at));
    }
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;
    use crate::calendar::CalendarPeriod;
    use tollgate_core::Nanos;

    const DAY: i64 = 86_400 * 1_000_000_000;

    fn daily() -> CalendarMeter {
        let days = Calendar::new(CalendarPeriod::Day, "UTC").unwrap();
        CalendarMeter::new(Arc::new(days), 10)
    }

    fn at(wall: i64) -> Moment {
        Moment::new(Nanos::ZERO, Wall(wall))
    }

    fn cost(units: u64) -> Cost {
        Cost::new(units).unwrap()
    }

    fn denied(nanos: i64, committed: u128) -> Result<(), Refused> {
        Err(Refused::denied(
            Wait::nanos(u64::try_from(nanos).unwrap()),
            committed,
        ))
    }

    #[test]
    fn numbers_keep_the_order_of_starts() {
        let starts = [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1];
        let number_of = |start: i64| {
            number(Period {
                start: Wall(start),
                end: Wall(i64::MAX),
            })
        };
        assert!(starts.map(number_of).is_sorted());
        assert_eq!(starts.map(|at| start(number_of(at))), starts.map(Wall));
        assert!(starts.iter().all(|&start| number_of(start) < u64::MAX));
    }

    #[test]
    fn wait_is_until_midnight_to_the_nanosecond() {
        let meter = daily();
        meter.charge(at(5), cost(10), 10).unwrap();
        assert_eq!(meter.look(at(5), cost(1), 10), denied(DAY - 5, 10));
        assert_eq!(meter.look(at(DAY - 1), cost(1), 10), denied(1, 10));
        assert_eq!(meter.look(at(DAY), cost(10), 10), Ok(()));
        assert_eq!(
            meter.look(at(DAY), cost(11), 10),
            Err(Refused::denied(Wait::Never, 0))
        );
    }

    #[test]
    fn now_moves_nothing_and_wall_everything() {
        let meter = daily();
        meter.charge(at(5), cost(10), 10).unwrap();
        let later = Moment::new(Nanos::MAX, Wall(5));
        assert_eq!(meter.look(later, cost(1), 10), denied(DAY - 5, 10));
    }

    #[test]
    fn clock_set_back_stays_in_the_later_period() {
        let meter = daily();
        meter.charge(at(0), cost(10), 10).unwrap();
        meter.charge(at(DAY + 5), cost(4), 10).unwrap();
        // Back on the first day: counted on the second, and its wait is until the second ends.
        assert_eq!(meter.used(at(7)), 4);
        let charged = meter.charge(at(7), cost(6), 10).unwrap();
        assert_eq!((charged.before, charged.after), (4, 10));
        assert_eq!(meter.look(at(7), cost(1), 10), denied(2 * DAY - 7, 10));
        assert_eq!(meter.look(at(2 * DAY), cost(1), 10), Ok(()));
        assert_eq!(meter.refund(at(7), &charged.receipt, 6), 6);
    }

    #[test]
    fn refund_ends_with_the_period() {
        let meter = daily();
        let receipt = meter.charge(at(0), cost(10), 10).unwrap().receipt;
        assert_eq!(meter.refund(at(DAY - 1), &receipt, 3), 3);
        assert_eq!(meter.refund(at(DAY), &receipt, 3), 0);
        meter.charge(at(DAY), cost(5), 10).unwrap();
        assert_eq!(meter.refund(at(DAY - 1), &receipt, 3), 0);
        assert_eq!(meter.used(at(DAY)), 5);
    }

    #[test]
    fn debt_is_paid_by_the_periods_that_follow() {
        let meter = daily();
        let charged = meter.charge_anyway(at(0), cost(25), 10).unwrap();
        assert_eq!((charged.before, charged.after, charged.full), (0, 25, 10));
        assert_eq!([1, 2, 3].map(|day| meter.used(at(day * DAY))), [15, 5, 0]);
        assert_eq!(meter.look(at(7), cost(5), 10), denied(2 * DAY - 7, 25));
        assert_eq!(meter.look(at(7), cost(6), 10), denied(3 * DAY - 7, 25));
        assert_eq!(meter.look(at(DAY), cost(6), 10), denied(2 * DAY, 15));
        assert_eq!(meter.look(at(2 * DAY), cost(5), 10), Ok(()));
        assert!(!meter.close_at_rest(at(2 * DAY)));
        assert!(meter.close_at_rest(at(3 * DAY)));
    }

    #[test]
    fn refund_after_the_period_leaves_its_debt() {
        let meter = daily();
        let receipt = meter.charge(at(0), cost(10), 10).unwrap().receipt;
        meter.charge_anyway(at(0), cost(5), 10).unwrap();
        assert_eq!(meter.refund(at(DAY), &receipt, 10), 0);
        assert_eq!(meter.used(at(DAY)), 5);
    }

    #[test]
    fn debt_beyond_the_range_is_never_paid() {
        let meter = daily();
        meter.charge_anyway(at(0), cost(1 << 50), 10).unwrap();
        let never = Err(Refused::denied(Wait::Never, 1 << 50));
        assert_eq!(meter.look(at(0), cost(1), 10), never);
        assert_eq!(meter.used(at(i64::MAX)), (1 << 50) - 106_751 * 10);
    }

    #[test]
    fn successor_goes_on_in_the_same_periods() {
        let old = daily();
        let receipt = old.charge(at(5), cost(9), 10).unwrap().receipt;
        let new = old.successor(4);
        new.take_over(&old, at(7));
        assert_eq!(old.look(at(7), cost(1), 10), Err(Refused::Closed));
        assert_eq!((new.max(), new.used(at(7))), (4, 9));
        new.charge_anyway(at(7), cost(2), 4).unwrap();
        assert_eq!([1, 2].map(|day| new.used(at(day * DAY))), [1, 0]);
        assert_eq!(new.refund(at(7), &receipt, 9), 9);
        assert_eq!(new.used(at(7)), 2);
    }

    #[test]
    fn last_period_never_ends() {
        let meter = daily();
        for wall in [i64::MAX - DAY / 4, i64::MAX] {
            let _ = meter.charge(at(wall), cost(10), 10);
            assert_eq!(
                meter.look(at(wall), cost(1), 10),
                Err(Refused::denied(Wait::Never, 10))
            );
        }
    }

    #[test]
    fn first_instant_of_the_range_is_in_a_period() {
        let meter = daily();
        meter.charge(at(i64::MIN), cost(10), 10).unwrap();
        let Err(Refused::Denied(denial)) = meter.look(at(i64::MIN), cost(1), 10) else {
            panic!("was full")
        };
        let wait = denial.wait.duration().unwrap();
        assert!(wait <= Duration::from_secs(86_400));
        let end = i64::MIN + i64::try_from(wait.as_nanos()).unwrap();
        assert_eq!(meter.look(at(end), cost(10), 10), Ok(()));
    }

    #[test]
    fn closed_meter_takes_nothing() {
        let meter = daily();
        meter.charge(at(0), cost(1), 10).unwrap();
        assert!(!meter.close_at_rest(at(DAY - 1)));
        assert!(meter.close_at_rest(at(DAY)));
        assert_eq!(
            meter.charge(at(DAY), cost(1), 10).unwrap_err(),
            Refused::Closed
        );
        assert_eq!(meter.look(at(DAY), cost(1), 10), Err(Refused::Closed));
    }

    #[test]
    fn reset_forgets_and_voids_receipts() {
        let meter = daily();
        let receipt = meter.charge(at(0), cost(10), 10).unwrap().receipt;
        meter.reset(at(0));
        meter.charge(at(0), cost(10), 10).unwrap();
        assert_eq!(meter.refund(at(0), &receipt, 10), 0);
        assert_eq!(meter.used(at(0)), 10);
    }
}
