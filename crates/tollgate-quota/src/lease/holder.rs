//! What one account may spend of what was lent to it, and how it asks for more.

use super::{
    level::{self, Level},
    stock::Stock,
};
use tollgate_core::Standing;
use tollgate_sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed, Ordering::Release, fence};

/// How an account has asked its authority to come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum Asked {
    /// Not at all.
    No,
    /// When it suits: something changed.
    Soon,
    /// At once: little is left, or a debt is not on record.
    Now,
}

/// Above every [`Asked`]: nobody asks any more.
const REVOKED: u32 = Asked::Now as u32 + 1;

/// Units that were spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    /// How the authority should be asked now, if more urgently than it is already.
    pub ask: Option<Asked>,
}

/// Why nothing was spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotSpent {
    /// Less is lent, or nothing of that period.
    Dry,
    /// The holder was revoked.
    Revoked,
}

/// How a meter's units go, which tells how what was lent of them is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Units {
    /// They stay until they are given back, or until their period ends. Lent is a *level*, up to which the meter may commit.
    Stay,
    /// They go with time. Lent is a *stock*, from which each charge takes its units once more.
    Drain,
}

/// What a report finds, as it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun(Found);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Level(level::Found),
    Stock(u64),
}

impl Begun {
    /// What is left to spend in `period`, of which `committed` units are committed.
    #[must_use]
    pub fn left(&self, period: u64, committed: u64) -> u64 {
        match &self.0 {
            Found::Level(found) => found.most(period).saturating_sub(committed),
            Found::Stock(stock) => *stock,
        }
    }

    /// What to lend so that `target` units are left to spend, once the meter was read in `period` and stood as `standing`.
    #[must_use]
    pub fn lend(&self, period: u64, standing: &Standing, target: u64) -> Lend {
        let left = self.left(period, standing.committed);
        Lend {
            period,
            committed: standing.committed,
            max: standing.max,
            left,
            more: target.saturating_sub(left),
            low: target / 4,
        }
    }

    /// What is lent of a period after `period`: which, and how many units.
    #[must_use]
    pub fn ahead(&self, period: u64) -> Option<(u64, u64)> {
        match &self.0 {
            Found::Level(found) => found.after(period),
            Found::Stock(_) => None,
        }
    }
}

/// What is lent to an account whose record is certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lend {
    /// Of which period.
    pub period: u64,
    /// What the meter had committed, as it is on record.
    pub committed: u64,
    /// The most that its limit admits, as it is on record.
    pub max: u64,
    /// What was left to spend then.
    pub left: u64,
    /// What is lent on top of that.
    pub more: u64,
    /// Below so many that are left, the authority is asked to come at once.
    pub low: u64,
}

#[derive(Debug)]
enum Lent {
    Level(Level),
    Stock(Stock),
}

/// What may be spent of a lease. See the [module](super)'s page for who does what when.
///
/// One line long, in the order in which a charge wants it; the first word is apart from it.
///
/// # Synchronization
/// - `lent`: see there.
/// - `asked`: whether the authority was asked to come by. Relaxed: who reports clears it before it reads what is committed, and
///   whatever orders a charge after that reading (see `Level` and `Stock`) orders it after the clearing too.
/// - `low`, `wanted`: hints for how much and when. Relaxed: they publish nothing, and no promise hangs on them.
#[derive(Debug)]
#[repr(C)]
pub struct Holder {
    wanted: AtomicU64,
    lent: Lent,
    low: AtomicU64,
    asked: AtomicU32,
}

impl Holder {
    /// The most units that are left to spend: what is lent beyond is never spent, and a larger cost finds nothing.
    pub const LEFT_MAX: u64 = Stock::MAX;

    /// Where the words begin that every charge reads.
    #[cfg(test)]
    pub(super) const READ_AT: usize = std::mem::offset_of!(Self, lent);

    /// A holder of which nothing is lent.
    #[must_use]
    pub fn new(units: Units) -> Self {
        Self {
            lent: match units {
                Units::Stay => Lent::Level(Level::new()),
                Units::Drain => Lent::Stock(Stock::new()),
            },
            wanted: AtomicU64::new(0),
            low: AtomicU64::new(0),
            asked: AtomicU32::new(Asked::No as u32),
        }
    }

    /// More than that nobody may commit in any period: a charge that would need not try. A hint.
    #[inline]
    pub fn most(&self) -> u64 {
        match &self.lent {
            Lent::Level(level) => level.highest(),
            Lent::Stock(_) => u64::MAX,
        }
    }

    /// Spends `units` of `period`, or none. The meter was charged with them before, and had `after` committed then.
    ///
    /// # Errors
    /// [`NotSpent`]; nothing changed.
    #[inline]
    pub fn spend(&self, period: u64, units: u64, after: u64) -> Result<Spent, NotSpent> {
        let left = match &self.lent {
            Lent::Level(level) => level.most_after_a_charge(period).checked_sub(after),
            Lent::Stock(stock) => stock.take(units),
        };
        let left = left.ok_or_else(|| self.not_spent())?;
        // Relaxed: a hint.
        let asked = if left < self.low.load(Relaxed) {
            Asked::Now
        } else {
            Asked::Soon
        };
        Ok(Spent {
            ask: self.raise(asked).then_some(asked),
        })
    }

    #[cold]
    fn not_spent(&self) -> NotSpent {
        if self.is_revoked() {
            NotSpent::Revoked
        } else {
            NotSpent::Dry
        }
    }

    /// Pays what it can of `units` of `period` that were charged whether they fit or not; the meter had `after` committed then. True if
    /// that is all: then a record covers them.
    pub fn pay(&self, period: u64, units: u64, after: u64, max: u64) -> bool {
        // Beyond the max nothing is lent: a record that has all spent stops there.
        match &self.lent {
            Lent::Level(level) => after <= max.min(level.most_after_a_charge(period)),
            Lent::Stock(stock) => {
                let room = max.saturating_sub(after.saturating_sub(units));
                stock.take_up_to(units.min(room)) == units
            }
        }
    }

    /// Begins a report: nobody has asked any more, and at most `most` units are left to spend in `period`, of which `committed` are, and
    /// none beyond `max`, where a record stops.
    /// What the meter has committed is to be read after this, by [`Lasting::standing`](super::Lasting::standing). None if the holder was
    /// revoked.
    pub fn begin(&self, period: u64, committed: u64, max: u64, most: u64) -> Option<Begun> {
        let clear = |asked| (asked != REVOKED).then_some(Asked::No as u32);
        self.asked.fetch_update(Relaxed, Relaxed, clear).ok()?;
        let found = match &self.lent {
            Lent::Level(level) => {
                let within = committed.saturating_add(most).min(max.max(committed));
                Found::Level(level.trim(period, within))
            }
            Lent::Stock(stock) => Found::Stock(stock.trim(most)?),
        };
        Self::publish();
        Some(Begun(found))
    }

    /// Release fence: pairs with the Acquire fence of `Level::most_after_a_charge`, by way of the exchange with which the meter is read
    /// after this.
    fn publish() {
        fence(Release);
    }

    /// Lends what is on record, and returns what is left to spend. Units of an earlier period are worth nothing from then on. To be called
    /// by who reports.
    pub fn lend(&self, lend: &Lend) -> u64 {
        if self.is_revoked() {
            return 0;
        }
        let left = lend.left.saturating_add(lend.more);
        let (left, low) = match &self.lent {
            Lent::Level(level) => {
                // A record that has all spent stops at its max.
                let within = lend.max.max(lend.committed);
                let most = lend.committed.saturating_add(left).min(within);
                level.set(lend.period, most);
                // Where nothing more can be lent, nobody need ask.
                let low = if most < within { lend.low } else { 0 };
                (most - lend.committed, low)
            }
            Lent::Stock(stock) => {
                stock.add(lend.more);
                (left, lend.low)
            }
        };
        // Relaxed: a hint.
        self.low.store(low, Relaxed);
        left
    }

    /// Lends of `next`, the period after that of `lend`, up to `most` units in all, which are on record: what it begins with, since it is
    /// owed, is among them. To be called by who reports, after [`Self::lend`].
    pub fn lend_ahead(&self, lend: &Lend, next: u64, most: u64) {
        if let Lent::Level(level) = &self.lent
            && !self.is_revoked()
        {
            // Whoever comes first in it asks for more, also if there is no more of this period.
            self.low.store(lend.low, Relaxed);
            level.set_ahead(lend.period, next, most);
        }
    }

    /// Takes back what was lent of periods after `period` beyond `most` units, as [`Self::begin`] does: what nobody has charged by the time
    /// that the meter is read is back.
    pub fn trim_ahead(&self, period: u64, most: u64) {
        if let Lent::Level(level) = &self.lent {
            level.trim_after(period, most);
            Self::publish();
        }
    }

    /// For who has just given units of the meter back: what follows comes after a reading of the meter that came before that.
    #[inline]
    pub fn after_a_refund(&self) {
        if let Lent::Level(_) = &self.lent {
            Level::after_a_change();
        }
    }

    /// Ends it all: nothing is spent or lent any more once the meter is read after this, by
    /// [`Lasting::standing`](super::Lasting::standing). False if it was ended before.
    pub fn revoke(&self) -> bool {
        // Relaxed: who finds nothing left because of this is ordered after it by what says so.
        let is_first = self.asked.swap(REVOKED, Relaxed) != REVOKED;
        match &self.lent {
            Lent::Level(level) => level.revoke(),
            Lent::Stock(stock) => stock.revoke(),
        }
        Self::publish();
        is_first
    }

    fn is_revoked(&self) -> bool {
        // Relaxed: as in `revoke`.
        self.asked.load(Relaxed) == REVOKED
    }

    /// What is left to spend in `period`, of which `committed` units are committed.
    #[must_use]
    pub fn left(&self, period: u64, committed: u64) -> u64 {
        match &self.lent {
            Lent::Level(level) => level.most(period).saturating_sub(committed),
            Lent::Stock(stock) => stock.left(),
        }
    }

    /// Tells that `units` were asked for and not there.
    pub fn want(&self, units: u64) {
        self.wanted.fetch_max(units, Relaxed);
    }

    /// The largest cost that was not there since this was last asked.
    pub fn take_wanted(&self) -> u64 {
        self.wanted.swap(0, Relaxed)
    }

    /// Raises how the authority is asked to `asked`. True if it was raised: then ask.
    #[inline]
    pub fn raise(&self, asked: Asked) -> bool {
        // The load spares the line in the usual case.
        self.asked.load(Relaxed) < asked as u32
            && self.asked.fetch_max(asked as u32, Relaxed) < asked as u32
    }
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;

    fn lend(period: u64, committed: u64, more: u64) -> Lend {
        Lend {
            period,
            committed,
            max: 1_000,
            left: 0,
            more,
            low: 0,
        }
    }

    #[test]
    fn level_is_spent_up_to_and_no_further() {
        let holder = Holder::new(Units::Stay);
        assert_eq!(holder.spend(0, 1, 1), Err(NotSpent::Dry));
        holder.lend(&lend(7, 3, 5));
        assert!(holder.spend(7, 5, 8).is_ok());
        assert_eq!(holder.spend(7, 1, 9), Err(NotSpent::Dry));
        assert_eq!(holder.spend(8, 1, 1), Err(NotSpent::Dry), "no such period");
        assert_eq!((holder.left(7, 6), holder.left(7, 9)), (2, 0));
        // Two came back.
        assert!(holder.spend(7, 2, 8).is_ok());
    }

    #[test]
    fn authority_is_asked_at_once_below_a_quarter_of_what_is_to_be_at_hand() {
        let holder = Holder::new(Units::Stay);
        let begun = holder.begin(7, 3, 1_000, 0).unwrap();
        let standing = Standing {
            stamp: 7,
            committed: 3,
            max: 1_000,
        };
        let lend = begun.lend(7, &standing, 20);
        assert_eq!((lend.left, lend.more, lend.low), (0, 20, 5));
        holder.lend(&lend);
        let asked = |after| holder.spend(7, 1, after).unwrap().ask;
        assert_eq!(asked(18), Some(Asked::Soon));
        assert_eq!(asked(18), None, "it was asked");
        assert_eq!(asked(19), Some(Asked::Now));
    }

    #[test]
    fn stock_is_taken_once() {
        let holder = Holder::new(Units::Drain);
        holder.lend(&lend(0, 3, 5));
        assert!(holder.spend(0, 5, 5).is_ok());
        assert_eq!(holder.spend(0, 1, 1), Err(NotSpent::Dry));
        assert_eq!((holder.left(0, 0), holder.most()), (0, u64::MAX));
    }

    #[test]
    fn period_that_begins_finds_what_was_lent_of_it_ahead() {
        let holder = Holder::new(Units::Stay);
        holder.lend(&lend(7, 0, 5));
        holder.lend_ahead(&lend(7, 0, 5), 9, 3);
        assert!(holder.spend(7, 1, 1).is_ok(), "this period goes on");
        assert_eq!(holder.spend(8, 1, 1), Err(NotSpent::Dry), "no such period");
        assert_eq!(holder.spend(9, 4, 4), Err(NotSpent::Dry), "less is lent");
        assert!(holder.spend(9, 3, 3).is_ok());
        let begun = holder.begin(9, 1, 1_000, 9).unwrap();
        assert_eq!(
            (begun.left(9, 1), begun.ahead(7), begun.ahead(9)),
            (2, Some((9, 3)), None)
        );
        // What is lent at the rollover comes on top.
        holder.lend(&Lend {
            left: 2,
            ..lend(9, 1, 4)
        });
        assert_eq!(holder.left(9, 0), 7);
        holder.lend_ahead(&lend(9, 1, 4), 10, 2);
        assert_eq!(
            (holder.left(7, 0), holder.left(9, 0), holder.left(10, 0)),
            (0, 7, 2)
        );
        holder.trim_ahead(9, 0);
        assert_eq!((holder.left(9, 0), holder.left(10, 0)), (7, 0));
        assert_eq!(holder.begin(9, 0, 1_000, 7).unwrap().ahead(9), None);
        // Of a period that nothing was lent of nothing is lent ahead.
        holder.lend_ahead(&lend(11, 0, 0), 12, 3);
        assert_eq!([9, 12].map(|period| holder.left(period, 0)), [7, 0]);
    }

    #[test]
    fn period_that_is_stepped_over_leaves_nothing() {
        let holder = Holder::new(Units::Stay);
        holder.lend(&lend(0, 0, 5));
        holder.lend_ahead(&lend(0, 0, 5), 1, 3);
        holder.lend(&lend(2, 0, 4));
        assert_eq!([0, 1, 2].map(|period| holder.left(period, 0)), [0, 0, 4]);
        assert_eq!(holder.most(), 4);
        holder.lend_ahead(&lend(2, 0, 4), 3, 1);
        assert_eq!([1, 2, 3].map(|period| holder.left(period, 0)), [0, 4, 1]);
    }

    #[test]
    fn what_is_lent_of_a_later_period_keeps_its_place() {
        let holder = Holder::new(Units::Stay);
        holder.lend(&lend(0, 0, 5));
        holder.lend_ahead(&lend(0, 0, 5), 5, 3);
        holder.lend(&lend(2, 0, 4));
        assert_eq!([0, 2, 5].map(|period| holder.left(period, 0)), [0, 4, 3]);
    }

    #[test]
    fn report_trims_what_is_left() {
        let holder = Holder::new(Units::Stay);
        holder.lend(&lend(3, 2, 9));
        assert_eq!(holder.begin(3, 4, 1_000, 4).unwrap().left(3, 4), 4);
        assert_eq!(holder.left(3, 4), 4);
        let holder = Holder::new(Units::Drain);
        holder.lend(&lend(0, 2, 9));
        assert_eq!(holder.begin(0, 4, 1_000, 4).unwrap().left(0, 4), 4);
        assert_eq!(holder.left(0, 4), 4);
    }

    /// What is on record stops at its max, if all that was lent is spent.
    #[test]
    fn nothing_is_lent_beyond_the_max_of_the_record() {
        let holder = Holder::new(Units::Stay);
        let lend = Lend {
            max: 10,
            low: 3,
            ..lend(0, 8, 5)
        };
        assert_eq!(holder.lend(&lend), 2);
        assert_eq!(holder.left(0, 8), 2);
        assert_eq!(
            holder.spend(0, 1, 9).unwrap().ask,
            Some(Asked::Soon),
            "there is no more"
        );
        assert!(holder.pay(0, 1, 10, 12) && !holder.pay(0, 1, 11, 12));
        // A debt on record.
        holder.lend(&Lend {
            committed: 12,
            ..lend
        });
        assert_eq!((holder.left(0, 10), holder.left(0, 12)), (2, 0));
    }

    /// The period that is used up wants no more, and the next one does.
    #[test]
    fn first_charges_of_a_period_ask_though_the_one_before_was_used_up() {
        let holder = Holder::new(Units::Stay);
        let lend = Lend {
            max: 100,
            low: 5,
            ..lend(7, 95, 20)
        };
        holder.lend(&lend);
        holder.lend_ahead(&lend, 8, 20);
        let ask = |after| holder.spend(8, 1, after).unwrap().ask;
        assert_eq!(
            [1, 15, 16].map(ask),
            [Some(Asked::Soon), None, Some(Asked::Now)]
        );
    }

    /// A record that is made under a lower max stops there.
    #[test]
    fn report_leaves_nothing_beyond_a_lower_max() {
        let holder = Holder::new(Units::Stay);
        holder.lend(&lend(0, 40, 40));
        assert_eq!(holder.begin(0, 40, 50, 40).unwrap().left(0, 40), 10);
        assert_eq!(holder.begin(0, 40, 30, 40).unwrap().left(0, 40), 0);
    }

    #[test]
    fn authority_is_asked_once_until_it_comes_by() {
        for units in [Units::Stay, Units::Drain] {
            let holder = Holder::new(units);
            holder.lend(&Lend {
                low: 5,
                ..lend(0, 0, 10)
            });
            let ask = |after| holder.spend(0, 1, after).unwrap().ask;
            assert_eq!(ask(1), Some(Asked::Soon));
            assert_eq!(ask(2), None);
            (3..=5).for_each(|after| assert_eq!(ask(after), None));
            assert_eq!(ask(6), Some(Asked::Now));
            assert_eq!(ask(7), None);
            holder.begin(0, 7, 1_000, u64::MAX);
            assert_eq!(ask(8), Some(Asked::Now));
        }
    }

    #[test]
    fn debt_is_paid_of_what_is_left_within_the_max() {
        let holder = Holder::new(Units::Drain);
        holder.lend(&lend(0, 0, 10));
        assert!(holder.pay(0, 4, 4, 9));
        assert_eq!(holder.left(0, 4), 6);
        assert!(!holder.pay(0, 6, 10, 9), "one is beyond the max");
        assert_eq!(holder.left(0, 10), 1);
        let holder = Holder::new(Units::Stay);
        holder.lend(&lend(0, 0, 10));
        assert!(holder.pay(0, 9, 9, 9) && !holder.pay(0, 10, 10, 9) && !holder.pay(0, 11, 11, 20));
    }

    #[test]
    fn revoked_holder_spends_and_lends_nothing() {
        for units in [Units::Stay, Units::Drain] {
            let holder = Holder::new(units);
            holder.lend(&lend(2, 0, 9));
            holder.lend_ahead(&lend(2, 0, 9), 3, 9);
            assert!(holder.revoke() && !holder.revoke());
            holder.lend(&lend(2, 0, 9));
            holder.lend_ahead(&lend(2, 0, 9), 3, 9);
            assert_eq!(holder.spend(2, 1, 1), Err(NotSpent::Revoked));
            assert_eq!(holder.spend(3, 1, 1), Err(NotSpent::Revoked));
            assert_eq!(
                (
                    holder.left(2, 0),
                    holder.left(3, 0),
                    holder.begin(2, 0, 1_000, 9)
                ),
                (0, 0, None)
            );
            assert!(!holder.raise(Asked::Now), "nobody asks for it any more");
        }
    }

    #[test]
    fn more_than_the_range_is_the_most() {
        let holder = Holder::new(Units::Drain);
        holder.lend(&lend(0, 0, u64::MAX));
        holder.lend(&lend(0, 0, u64::MAX));
        assert_eq!(holder.left(0, 0), Holder::LEFT_MAX);
        let holder = Holder::new(Units::Stay);
        holder.lend(&Lend {
            max: u64::MAX,
            ..lend(0, 1, u64::MAX)
        });
        assert!(holder.spend(0, 1, u64::MAX).is_ok());
    }
}
