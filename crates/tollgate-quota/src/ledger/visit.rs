//! One account within a transaction: what is found of it, what is written, and what is lent once that is on disk.

use super::{
    ahead,
    books::Books,
    demand::Demand,
    desk::{Entry, Shared},
};
use crate::lease::{Ahead, Begun, Lend, NextPeriod, Placed};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tollgate_core::{Authority, LeaseId, Moment, Report, Standing};

/// What is to be done when an account is on disk.
pub(super) enum Outcome {
    Lent(Lent),
    /// Nothing is lent to it any more.
    Closed,
}

/// When to come by again, in ns of the wall clock or of the one that rates go by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Due {
    pub(super) by_wall: bool,
    pub(super) at: i64,
}

/// What is on record of an account, and lent as soon as that is on disk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lent {
    lend: Lend,
    /// Of the next period: its number, and what.
    ahead: Option<(u64, Ahead)>,
    /// The same of what was lent of it before and is still ahead: its number, and how many units.
    still_ahead: Option<(u64, u64)>,
    target: u64,
    refused: u64,
    pub(super) debt: u64,
    /// When to come by again before the period ends.
    pub(super) due: Option<Due>,
    has_taken_back: bool,
}

impl Lent {
    /// It is on disk.
    pub(super) fn hand_over(&self, entry: &mut Entry) {
        entry.target = self.target;
        entry.refused = self.refused;
        entry.reported_at = Some(Instant::now());
        entry.period = Some(self.lend.period);
        let holder = entry.account.holder();
        entry.left = holder.lend(&self.lend);
        if self.has_taken_back {
            // Once in a period is enough.
            entry.ahead = entry
                .ahead
                .map(|(period, ahead)| (period, Ahead { units: 0, ..ahead }));
        }
        // What is owed by then is used in the next period from its start.
        let owed = |units: u64| units.saturating_add(self.debt);
        if let Some((next, ahead)) = self.ahead {
            holder.lend_ahead(&self.lend, next, owed(ahead.units));
            entry.ahead = Some((self.lend.period, ahead));
        } else if let Some((next, units)) = self.still_ahead {
            holder.lend_ahead(&self.lend, next, owed(units));
        }
    }
}

/// One account, within a transaction.
pub(super) struct Visit<'v, 't> {
    pub(super) shared: &'v Shared,
    pub(super) books: &'v mut Books<'t>,
    pub(super) number: u64,
    pub(super) entry: Entry,
    pub(super) at: Moment,
    pub(super) closing: bool,
    /// Leases up to this one are of other processes.
    pub(super) first: u64,
    pub(super) now: Instant,
    pub(super) interval: Duration,
}

/// What is lent of the next period, before the stock is looked at.
#[derive(Clone, Copy, Debug, Default)]
struct Plan {
    /// Units to have at hand in this period.
    target: u64,
    /// What may be lent ahead now.
    ahead: Option<(NextPeriod, u64)>,
    /// Whether what is lent ahead is to be taken back.
    takes_back: bool,
    due: Option<Due>,
}

/// What one of the two clocks reads.
pub(super) fn ns(at: Moment, by_wall: bool) -> i64 {
    if by_wall {
        at.wall.0
    } else {
        i64::try_from(at.now.0).unwrap_or(i64::MAX)
    }
}

impl Visit<'_, '_> {
    /// None: nothing was written, and the account is visited again.
    pub(super) fn write(mut self) -> Result<Option<Outcome>, redb::Error> {
        let key = Arc::clone(&self.entry.key);
        if let Some(newest) = self.shared.newest(self.number) {
            self.entry.account = newest;
        }
        self.books.has_periods = self.entry.terms.has_periods;
        if !self.entry.is_restored && !self.restore(&key)? {
            return self.again_unless_evicted(&key);
        }
        let is_ending = self.closing || self.entry.is_last;
        if is_ending {
            // Nothing is admitted from here on, so that what the meter says is all there is.
            self.entry.account.holder().revoke();
        }
        if self.entry.account.is_evicted() {
            self.entry.account.holder().revoke();
            self.forget(&key)?;
            return Ok(Some(Outcome::Closed));
        }
        let refused = self.entry.account.refused();
        self.books.refused = refused.wrapping_sub(self.entry.refused);
        let holder_of = Arc::clone(&self.entry.account);
        let holder = holder_of.holder();
        let wanted = holder.take_wanted();
        let Some((then, before)) = self.standing_before() else {
            holder.want(wanted);
            return Ok(self.again());
        };
        let mut plan = Plan {
            target: self.target(wanted, holder.left(then, before.committed)),
            ..Plan::default()
        };
        if self.entry.terms.has_periods {
            self.plan_ahead(&mut plan, wanted, (then, before));
        }
        // Of the next period, what is lent of it: what is owed by then may become less.
        let ahead = self.entry.ahead.filter(|_| !plan.takes_back);
        holder.trim_ahead(then, ahead.map_or(0, |(_, ahead)| ahead.units));
        let begun = holder.begin(then, before.committed, before.max, plan.target);
        // After the stock: if that shows a charge of a successor's, this is that successor.
        let account = self.shared.newest(self.number).unwrap_or(holder_of.clone());
        let Some((now, standing)) = account.standing(self.at) else {
            // About to be taken over, or evicted just now: next time.
            holder.want(wanted);
            return Ok(self.again());
        };
        if then != now && self.entry.carried.is_some() || standing.max < before.max {
            // It may have to be charged with that first; or what is left lies beyond its max.
            holder.want(wanted);
            return Ok(self.again());
        }
        // On record is the largest max of the period: what was admitted under that is no debt, in whatever process.
        let recorded = Standing {
            max: account.max_in(now),
            ..standing
        };
        self.books.ended = self.ended(now);
        let lease = self.open_lease(&key)?;
        let Some(begun) = begun else {
            // Revoked.
            self.books.ahead = self.entry.carried;
            match lease {
                Some(lease) => drop(self.books.give_back(&key, lease, recorded)?),
                None if recorded.committed > 0 => {
                    if let Some(lease) = self.books.lend(&key, recorded, 0)? {
                        self.books.give_back(&key, lease, recorded)?;
                    }
                }
                None => {}
            }
            return Ok(Some(Outcome::Closed));
        };
        let lend = begun.lend(now, &standing, plan.target);
        let ahead = Self::lent_ahead(&plan, begun, then, now);
        self.books.ahead = self.ahead_on_record(begun, now, ahead);
        let lease = match lease {
            None => self.books.lend(&key, recorded, lend.left + lend.more)?,
            Some(lease) => {
                let report = Report {
                    standing: recorded,
                    unspent: lend.left,
                };
                self.books.renew(&key, lease, report, lend.more)?
            }
        };
        // Invariant: the lease was looked up in this very transaction.
        debug_assert!(lease.is_some());
        Ok(lease.map(|_| {
            Outcome::Lent(Lent {
                lend,
                ahead,
                still_ahead: begun.ahead(now),
                target: plan.target,
                refused,
                debt: recorded.committed.saturating_sub(recorded.max),
                due: plan.due,
                has_taken_back: plan.takes_back,
            })
        }))
    }

    fn again(&self) -> Option<Outcome> {
        self.shared.ask_again(&[self.number]);
        None
    }

    /// It could not be charged with what is on record: it was evicted before, or is about to be taken over, which is to be waited for.
    fn again_unless_evicted(&mut self, key: &[u8]) -> Result<Option<Outcome>, redb::Error> {
        if !self.entry.account.is_evicted() {
            return Ok(self.again());
        }
        if self.entry.is_fresh {
            self.forget(key)?;
        }
        // Else nothing is known of what is on record, which stays.
        Ok(Some(Outcome::Closed))
    }

    /// Forgets an account at rest.
    fn forget(&mut self, key: &[u8]) -> Result<(), redb::Error> {
        let (account, at) = (&self.entry.account, self.at);
        self.books.ended = self.entry.period.and_then(|period| account.ended(period));
        self.books.forget(key, self.entry.carried, |stamp| {
            account.has_ended(stamp, at)
        })
    }

    /// Where the account stands before the report, once what a process before had lent ahead is charged, if its period has begun.
    /// None if its meter is closed, or is still to take over.
    fn standing_before(&mut self) -> Option<(u64, Standing)> {
        let account = &self.entry.account;
        if let Some(carried) = self.entry.carried {
            match account.place_ahead(&carried, self.at)? {
                Placed::Later => {}
                Placed::Charged | Placed::Past => {
                    self.entry.carried = None;
                    // At once: if the commit fails, the meter has it all the same.
                    self.shared
                        .change(self.number, |entry| entry.carried = None);
                }
            }
        }
        account.standing(self.at)
    }

    /// What to lend ahead of an account that stands as `standing` in `period`, and what to have at hand beside that.
    fn plan_ahead(&self, plan: &mut Plan, wanted: u64, (period, standing): (u64, Standing)) {
        let entry = &self.entry;
        let target = plan.target;
        if self.closing || entry.is_last {
            return;
        }
        let carried = entry.carried.map_or(0, |ahead| ahead.units);
        let debt = standing
            .committed
            .saturating_sub(entry.account.max_in(period));
        let shares = ahead::Shares {
            bound: entry.terms.lease.max(1).max(wanted),
            room: standing.max.saturating_sub(standing.committed),
            next_room: standing.max.saturating_sub(debt).saturating_sub(carried),
            least: wanted.max(1),
        };
        if let Some((_, lent)) = entry.ahead.filter(|(lent_in, _)| *lent_in == period) {
            match shares.beside(target, lent.units, carried > 0) {
                Some(target) => plan.target = target,
                None => plan.takes_back = true,
            }
            return;
        }
        // By demand: who used nothing in this period is lent nothing of the next.
        let next = entry.account.next(period, self.at);
        let Some(next) = next.filter(|_| standing.committed > 0) else {
            return;
        };
        let lead = ahead::lead(next.after, self.interval, self.number);
        if next.begins_in > lead {
            let wait = (next.begins_in - lead).as_nanos();
            let wait = i64::try_from(wait).unwrap_or(i64::MAX);
            let by_wall = next.follows_wall;
            let at = ns(self.at, by_wall).saturating_add(wait);
            plan.due = Some(Due { by_wall, at });
        } else if entry.carried.is_none_or(|ahead| ahead.stamp == next.stamp) {
            let (target, units) = shares.with(target);
            plan.target = target;
            plan.ahead = (units > 0).then_some((next, units));
        }
    }

    /// What is lent ahead now: as planned, unless something is still ahead, or another period has begun since.
    fn lent_ahead(plan: &Plan, begun: Begun, then: u64, now: u64) -> Option<(u64, Ahead)> {
        let is_clear = begun.ahead(now).is_none() && then == now;
        let (next, units) = plan.ahead.filter(|_| is_clear)?;
        let stamp = next.stamp;
        Some((next.period, Ahead { stamp, units }))
    }

    /// What may be spent of the next period by whoever is lost from now on: what is lent now or was before, and what other processes
    /// had lent.
    fn ahead_on_record(&self, begun: Begun, now: u64, lent: Option<(u64, Ahead)>) -> Option<Ahead> {
        let before = self.entry.ahead.map(|(_, ahead)| ahead);
        let before = before.filter(|_| begun.ahead(now).is_some());
        let lent = lent.map(|(_, ahead)| ahead).or(before);
        match (lent, self.entry.carried) {
            (Some(lent), Some(carried)) => Some(Ahead {
                units: lent.units.saturating_add(carried.units),
                ..lent
            }),
            (lent, carried) => lent.or(carried),
        }
    }

    /// What the period on record had committed when it ended, if that is not `now` and if it is known.
    fn ended(&self, now: u64) -> Option<u64> {
        let ended = self.entry.period.filter(|period| *period != now)?;
        self.entry.account.ended(ended)
    }

    /// The lease of the account that is open. It is whatever this process gave last: also if the commit with which it did
    /// was told to have failed, and is on disk all the same.
    fn open_lease(&mut self, key: &[u8]) -> Result<Option<LeaseId>, redb::Error> {
        let record = self.books.record(key)?;
        let lease = record.and_then(|record| record.lease);
        if lease.is_some_and(|lease| lease.0 <= self.first) {
            // Of a process before: it was charged to the meter, by a commit that then failed.
            self.books.recover(key)?;
            return Ok(None);
        }
        Ok(lease)
    }

    /// Charges what was on record, once. False if its meter is closed, or is still to take over.
    fn restore(&mut self, key: &[u8]) -> Result<bool, redb::Error> {
        let account = Arc::clone(&self.entry.account);
        let (record, carried) = if self.entry.is_fresh {
            (None, self.entry.carried)
        } else {
            (self.books.record(key)?, self.books.ahead(key)?)
        };
        let is_restored = match record {
            Some(record) => self.charge_record(key, &record.standing, record.out),
            None => self.skip_passed(key)? && account.begin_with(self.entry.terms.initial, self.at),
        };
        if !is_restored {
            return Ok(false);
        }
        self.entry.is_restored = true;
        self.entry.carried = carried;
        // At once: if the commit fails, the meter has it all the same.
        self.shared.change(self.number, |entry| {
            entry.is_restored = true;
            entry.carried = carried;
        });
        if self.entry.is_fresh {
            self.forget(key)?;
        } else {
            self.books.recover(key)?;
        }
        Ok(true)
    }

    /// Charges what was on record. What drained before the limit drained as it does now is left out before.
    fn charge_record(&self, key: &[u8], standing: &Standing, lent: u64) -> bool {
        let standing = self.shared.drained(key, standing);
        self.entry.account.restore(&standing, lent, self.at)
    }

    /// Begins an account of which nothing is on record as it stood in its last period, if that was found ended and the clock was set back since;
    /// and one without periods as it stood when it was found drained. False if its meter is closed, or is still to take over.
    fn skip_passed(&mut self, key: &[u8]) -> Result<bool, redb::Error> {
        let Some(passed) = self.books.passed(key)? else {
            return Ok(true);
        };
        let is_charged = self.charge_record(key, &passed, 0);
        if is_charged && !self.entry.terms.has_periods {
            // Once: it is on record again from now on, and drains.
            self.books.take_up(key, passed.stamp)?;
        }
        Ok(is_charged)
    }

    /// Units that the account should have at hand, once `left` are left of what it had by its last report.
    fn target(&self, wanted: u64, left: u64) -> u64 {
        let entry = &self.entry;
        let reported_at = entry.reported_at;
        let demand = Demand {
            lease: entry.terms.lease,
            target: entry.target,
            spent: entry.left.saturating_sub(left),
            passed: reported_at.map_or(Duration::ZERO, |then| self.now.duration_since(then)),
            interval: self.interval,
            wanted,
        };
        demand.target()
    }
}
