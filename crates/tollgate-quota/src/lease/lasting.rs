//! Meters whose units can be put on record, and charged again in another process.

use super::Units;
use crate::{
    CalendarMeter, Lifetime, RateMeter, RateReceipt, TallyReceipt, calendar::PeriodReceipt,
};
use std::{cmp::Ordering, time::Duration};
use tollgate_core::{Cost, Meter, Moment, Nanos, Refused, Standing, Wall};
use tollgate_window::{ExactLog, FixedWindow, LogReceipt, PeriodCounter, SlotReceipt, SlottedRing};

/// The only period of meters that have none.
const ALWAYS: u64 = 0;

/// What was lent ahead, of a period that had not begun when its record was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ahead {
    /// Which period, as [`Standing`]'s.
    pub stamp: i64,
    /// Units that may have been spent of it.
    pub units: u64,
}

/// The period after another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextPeriod {
    /// Its number.
    pub period: u64,
    /// The same in every process: see [`Standing`].
    pub stamp: i64,
    /// How long until it begins.
    pub begins_in: Duration,
    /// How long the one before it takes in all.
    pub after: Duration,
    /// Whether it begins by the wall clock. Else it begins by the clock that rates go by, whatever happens to the wall's.
    pub follows_wall: bool,
}

/// What became of units that a process before had lent ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placed {
    /// Nothing yet: their period is still to come.
    Later,
    /// Their period is the current one: they were charged to it.
    Charged,
    /// Their period has passed.
    Past,
}

/// A meter whose committed units outlive the process.
///
/// A `frame` is what makes the meter's own numbers of periods the same in every process: it is added to them. Only fixed windows need
/// one, since their clock starts with the process.
pub trait Lasting: Meter {
    /// Whether its units stay or drain.
    const UNITS: Units;

    /// The number of the period that a charge was counted in.
    fn period(receipt: &Self::Receipt) -> u64;

    /// What was committed in `period` when it ended, if that is known.
    fn ended(&self, _period: u64) -> Option<u64> {
        None
    }

    /// What is committed as of `at`, and the number of the period it belongs to. None if the meter is closed, or is still to
    /// take over from another one. Where units stay it is read by an exchange, which orders it among all charges.
    fn standing(&self, at: Moment, frame: i64, max: u64) -> Option<(u64, Standing)>;

    /// The largest max that was in force in `period`, which is the current one, of a limit of `max` by now: what was committed beyond that
    /// is debt.
    fn max_in(&self, _period: u64, max: u64) -> u64 {
        max
    }

    /// Charges what was on record, as it counts now; and what was `lent` on top, as if it had been spent at the worst time for that: any
    /// between then and now. Nothing may have been admitted in this process yet; debts may. False if the meter is closed, or is still to
    /// take over: nothing was charged.
    #[must_use]
    fn restore(&self, standing: &Standing, lent: u64, at: Moment, frame: i64) -> bool;

    /// The period after `period`, if it has one.
    fn next(&self, _period: u64, _at: Moment, _frame: i64) -> Option<NextPeriod> {
        None
    }

    /// The number of the period that a stamp is of. None if that is before the first that this meter knows.
    fn period_of(&self, _stamp: i64, _frame: i64) -> Option<u64> {
        Some(ALWAYS)
    }

    /// Whether the period of a stamp has ended.
    fn has_ended(&self, stamp: i64, at: Moment, frame: i64) -> bool {
        self.period_of(stamp, frame).is_none_or(|period| {
            let next = self.next(period, at, frame);
            next.is_some_and(|next| next.begins_in.is_zero())
        })
    }

    /// Charges what a process before had lent ahead, if that period is the current one, as if all that its limit of `max` has room
    /// for had been admitted. None if the meter is closed, or is still to take over.
    #[must_use]
    fn place_ahead(&self, ahead: &Ahead, at: Moment, frame: i64, max: u64) -> Option<Placed> {
        let (period, standing) = self.standing(at, frame, max)?;
        let placed = self.period_of(ahead.stamp, frame);
        Some(match placed.map(|placed| placed.cmp(&period)) {
            Some(Ordering::Greater) => Placed::Later,
            Some(Ordering::Less) | None => Placed::Past,
            Some(Ordering::Equal) => {
                let more = spent(&standing, ahead.units) - standing.committed;
                return charge(self, at, more).then_some(Placed::Charged);
            }
        })
    }

    /// Takes over from `old`, as the meter's own `take_over` does.
    fn take_over(&self, old: &Self, at: Moment);
}

/// What counts as committed if whoever was `lent` on top is lost: all of that was admitted, which stops at the max. What
/// was committed beyond it is debt, and was told.
pub(crate) fn spent(standing: &Standing, lent: u64) -> u64 {
    let Standing { committed, max, .. } = *standing;
    committed.max(committed.saturating_add(lent).min(max))
}

/// False if the meter is closed.
#[must_use]
pub(super) fn charge<M: Meter + ?Sized>(meter: &M, at: Moment, units: u64) -> bool {
    match Cost::new(units) {
        Some(cost) => meter.charge_anyway(at, cost, u64::MAX).is_ok(),
        None => !is_closed(meter, at),
    }
}

fn is_closed<M: Meter + ?Sized>(meter: &M, at: Moment) -> bool {
    meter.look(at, Cost::ONE, u64::MAX) == Err(Refused::Closed)
}

impl Lasting for CalendarMeter {
    const UNITS: Units = Units::Stay;

    fn period(receipt: &PeriodReceipt) -> u64 {
        receipt.period()
    }

    fn ended(&self, period: u64) -> Option<u64> {
        self.ended(period)
    }

    fn standing(&self, at: Moment, _frame: i64, max: u64) -> Option<(u64, Standing)> {
        let (period, start, committed) = self.standing_at(at)?;
        let stamp = start.0;
        Some((
            period,
            Standing {
                stamp,
                committed,
                max,
            },
        ))
    }

    fn restore(&self, standing: &Standing, lent: u64, at: Moment, _frame: i64) -> bool {
        let then = Moment::new(at.now, Wall(standing.stamp));
        let scratch = Self::new(self.shared_calendar(), self.max());
        scratch.restore_at(then, spent(standing, lent), standing.max);
        // A clock that was set back finds the later period begun.
        let when = if then.wall > at.wall { then } else { at };
        let is_same = self.number_of(then.wall) == self.number_of(when.wall);
        let max = if is_same { standing.max } else { 0 };
        // Begun though nothing was used in it, too: the earlier ones are forgotten, and would be whole again.
        self.restore_at(when, scratch.used(when), max)
    }

    fn max_in(&self, period: u64, max: u64) -> u64 {
        self.max_in(period).max(max)
    }

    fn next(&self, period: u64, at: Moment, _frame: i64) -> Option<NextPeriod> {
        let (next, start, after) = self.after(period)?;
        Some(NextPeriod {
            period: next,
            stamp: start.0,
            begins_in: start.since(at.wall),
            after,
            follows_wall: true,
        })
    }

    fn period_of(&self, stamp: i64, _frame: i64) -> Option<u64> {
        Some(self.number_of(Wall(stamp)))
    }

    fn take_over(&self, old: &Self, at: Moment) {
        self.take_over(old, at);
    }
}

impl Lasting for FixedWindow<()> {
    const UNITS: Units = Units::Stay;

    fn period(receipt: &PeriodReceipt) -> u64 {
        receipt.period()
    }

    fn ended(&self, period: u64) -> Option<u64> {
        self.ended(period)
    }

    fn standing(&self, at: Moment, frame: i64, max: u64) -> Option<(u64, Standing)> {
        let (period, committed) = self.standing_at(at.now)?;
        let stamp = frame.saturating_add_unsigned(period);
        Some((
            period,
            Standing {
                stamp,
                committed,
                max,
            },
        ))
    }

    fn restore(&self, standing: &Standing, lent: u64, at: Moment, frame: i64) -> bool {
        let now = frame.saturating_add_unsigned(self.number_at(at.now));
        // Windows before the Unix epoch are taken for the first one.
        let number = |stamp: i64| u64::try_from(stamp).unwrap_or(0);
        let scratch = PeriodCounter::new(self.max());
        scratch.restore_in(number(standing.stamp), spent(standing, lent), standing.max);
        let left = scratch.used_in(number(now));
        let when = match u64::try_from(standing.stamp.saturating_sub(frame)) {
            Ok(later) if standing.stamp > now => Moment::new(self.start_of(later), at.wall),
            _ => at,
        };
        // As for calendars.
        let max = if standing.stamp >= now {
            standing.max
        } else {
            0
        };
        self.restore_at(when.now, left, max)
    }

    fn max_in(&self, period: u64, max: u64) -> u64 {
        self.max_in(period).max(max)
    }

    fn next(&self, period: u64, at: Moment, frame: i64) -> Option<NextPeriod> {
        let next = period.checked_add(1)?;
        let [begins, ends] = [period, next].map(|period| self.start_of(period).0);
        let between = |from: u64| Duration::from_nanos(ends.saturating_sub(from));
        Some(NextPeriod {
            period: next,
            stamp: frame.saturating_add_unsigned(next),
            begins_in: between(at.now.0),
            after: between(begins),
            follows_wall: false,
        })
    }

    fn period_of(&self, stamp: i64, frame: i64) -> Option<u64> {
        u64::try_from(stamp.saturating_sub(frame)).ok()
    }

    fn take_over(&self, old: &Self, at: Moment) {
        self.take_over(old, at);
    }
}

impl Lasting for Lifetime {
    const UNITS: Units = Units::Stay;

    fn period(_receipt: &TallyReceipt) -> u64 {
        ALWAYS
    }

    fn standing(&self, _at: Moment, _frame: i64, max: u64) -> Option<(u64, Standing)> {
        let committed = self.standing()?;
        Some((
            ALWAYS,
            Standing {
                stamp: 0,
                committed,
                max,
            },
        ))
    }

    fn restore(&self, standing: &Standing, lent: u64, at: Moment, _frame: i64) -> bool {
        charge(self, at, spent(standing, lent))
    }

    fn take_over(&self, _old: &Self, _at: Moment) {}
}

/// On record is the backlog and the wall time at which it was so; what that has drained since is worked out when it is restored. What
/// was lent counts as spent when it is restored: had it been spent earlier, some of it would have drained.
impl Lasting for RateMeter {
    const UNITS: Units = Units::Drain;

    fn period(_receipt: &RateReceipt) -> u64 {
        ALWAYS
    }

    fn standing(&self, at: Moment, _frame: i64, max: u64) -> Option<(u64, Standing)> {
        let standing = Standing {
            stamp: at.wall.0,
            committed: self.committed(at)?,
            max,
        };
        Some((ALWAYS, standing))
    }

    fn restore(&self, standing: &Standing, lent: u64, at: Moment, _frame: i64) -> bool {
        let passed = at.wall.since(Wall(standing.stamp)).as_nanos();
        // Longer than any limit takes to refill.
        let passed = Nanos(u64::try_from(passed).unwrap_or(u64::MAX));
        let committed = self.scale().drained(standing.committed, passed);
        let now = Standing {
            committed,
            ..*standing
        };
        charge(self, at, spent(&now, lent))
    }

    fn take_over(&self, old: &Self, at: Moment) {
        self.take_over(old, at);
    }
}

/// On record is what counted and the wall time at which it did. When in its window each unit was admitted is not: all are taken to have
/// been at the latest time that they can have been, which is when they were restored. So a window that is restored counts them for up to
/// its length too long, and never admits what it would not have.
macro_rules! lasting_window {
    ($window:ty, $receipt:ty) => {
        impl Lasting for $window {
            const UNITS: Units = Units::Drain;

            fn period(_receipt: &$receipt) -> u64 {
                ALWAYS
            }

            fn standing(&self, at: Moment, _frame: i64, max: u64) -> Option<(u64, Standing)> {
                let committed = self.used(at);
                let stamp = at.wall.0;
                (!is_closed(self, at)).then_some((
                    ALWAYS,
                    Standing {
                        stamp,
                        committed,
                        max,
                    },
                ))
            }

            fn restore(&self, standing: &Standing, lent: u64, at: Moment, _frame: i64) -> bool {
                charge(
                    self,
                    at,
                    spent(&still_in(self.window(), standing, at), lent),
                )
            }

            fn take_over(&self, _old: &Self, _at: Moment) {}
        }
    };
}

lasting_window!(SlottedRing<()>, SlotReceipt);
lasting_window!(ExactLog<()>, LogReceipt);

/// What may still be in a `window` at `at` of what counted at the time of its record.
fn still_in(window: Duration, standing: &Standing, at: Moment) -> Standing {
    let has_left = at.wall.since(Wall(standing.stamp)) >= window;
    let committed = if has_left { 0 } else { standing.committed };
    Standing {
        committed,
        ..*standing
    }
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;
    use crate::{Calendar, calendar::CalendarPeriod};
    use tollgate_sync::Arc;

    /// That many seconds after the start of both clocks.
    fn at(seconds: u64) -> Moment {
        let nanos = seconds * 1_000_000_000;
        let wall = i64::try_from(nanos).expect("some days");
        Moment::new(Nanos(nanos), Wall(wall))
    }

    #[test]
    fn window_that_has_ended_is_told_with_what_it_used() {
        let window = FixedWindow::with_clock(9, Duration::from_secs(60), ()).expect("a window");
        assert!(charge(&window, at(0), 3) && charge(&window, at(60), 2));
        assert_eq!(
            [0, 1].map(|window_of| Lasting::ended(&window, window_of)),
            [Some(3), None]
        );
    }

    #[test]
    fn meters_without_periods_have_one_that_never_ends() {
        let budget = Lifetime::new();
        assert!(charge(&budget, at(0), 3));
        assert_eq!(budget.period_of(at(9).wall.0, 0), Some(ALWAYS));
        assert_eq!((budget.ended(ALWAYS), budget.max_in(ALWAYS, 7)), (None, 7));
        assert!(budget.next(ALWAYS, at(0), 0).is_none() && !budget.has_ended(0, at(9), 0));
    }

    #[test]
    fn debt_of_an_earlier_window_is_paid_when_it_is_restored() {
        let window = FixedWindow::with_clock(3, Duration::from_secs(60), ()).expect("a window");
        let standing = Standing {
            stamp: 0,
            committed: 5,
            max: 3,
        };
        assert!(window.restore(&standing, 0, at(60), 0));
        assert_eq!([60, 120].map(|now| Meter::used(&window, at(now))), [2, 0]);
    }

    #[test]
    fn what_was_lent_ahead_comes_on_top_of_what_is_committed() {
        let days = Calendar::new(CalendarPeriod::Day, "UTC").expect("a day");
        let meter = CalendarMeter::new(Arc::new(days), 10);
        assert!(charge(&meter, at(0), 2));
        let ahead = Ahead { stamp: 0, units: 3 };
        assert_eq!(
            meter.place_ahead(&ahead, at(0), 0, 10),
            Some(Placed::Charged)
        );
        assert_eq!(meter.used(at(0)), 5);
        let later = Ahead {
            stamp: at(86_400).wall.0,
            units: 3,
        };
        assert_eq!(meter.place_ahead(&later, at(0), 0, 10), Some(Placed::Later));
        assert_eq!(
            meter.place_ahead(&ahead, at(86_400), 0, 10),
            Some(Placed::Past)
        );
    }

    #[test]
    fn nothing_is_charged_to_a_meter_that_is_closed() {
        let (open, closed) = (Lifetime::new(), Lifetime::new());
        assert!(closed.close_at_rest(at(0)));
        assert!(charge(&open, at(0), 0) && !charge(&closed, at(0), 0));
        assert!(charge(&open, at(0), 1) && !charge(&closed, at(0), 1));
    }
}
