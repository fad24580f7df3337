//! The ledger as an authority: what it lends is lent when its transaction is committed.

use super::{
    file::{ACCOUNTS, HISTORY, LEASE_KEY, META, WALL_KEY},
    row::{Past, PastRow, Row},
};
use crate::lease::spent;
use redb::{ReadableDatabase, ReadableTable, Table, WriteTransaction};
use std::time::Duration;
use tollgate_core::{Authority, LeaseId, Report, Standing, Wall};

/// Most past periods that are forgotten with one commit.
const FORGOTTEN_MAX: usize = 1_000;

/// What is on record of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) lease: Option<LeaseId>,
    pub(super) standing: Standing,
    /// Lent beyond what is committed.
    pub(super) out: u64,
    /// The most that was ever committed in its period, as far as reports told.
    pub(super) peak: u64,
    /// Requests that its limit refused in its period, as far as reports told.
    pub(super) refused: u64,
    pub(super) has_periods: bool,
}

impl Record {
    /// What counts as committed if the holder of the lease is lost.
    pub(super) fn spent(&self) -> u64 {
        spent(&self.standing, self.out)
    }
}

/// The tables, in one transaction.
pub(super) struct Books<'t> {
    accounts: Table<'t, &'static [u8], Row>,
    history: Table<'t, (i64, &'static [u8]), PastRow>,
    wall: Wall,
    /// Whether the account that is written has periods.
    pub(super) has_periods: bool,
    /// Requests that its limit has refused since the last report.
    pub(super) refused: u64,
    /// The number of the last lease. No two are alike, in whatever process.
    last: u64,
}

impl<'t> Books<'t> {
    /// The books in `transaction`, at `wall`. Leases are numbered from after `last`.
    pub(super) fn open(
        transaction: &'t WriteTransaction,
        wall: Wall,
        last: u64,
    ) -> Result<Self, redb::Error> {
        Ok(Self {
            accounts: transaction.open_table(ACCOUNTS)?,
            history: transaction.open_table(HISTORY)?,
            wall,
            has_periods: false,
            refused: 0,
            last,
        })
    }

    pub(super) fn record(&self, account: &[u8]) -> Result<Option<Record>, redb::Error> {
        let row = self.accounts.get(account)?;
        let record = row.map(|row| Record::from_row(account, row.value()));
        Ok(record.transpose()?)
    }

    /// What is on record of an account whose holder is lost. Its lease is closed; what was out may have been spent at any time since,
    /// and stays so until the next report.
    pub(super) fn recover(&mut self, account: &[u8]) -> Result<Option<Record>, redb::Error> {
        let Some(mut record) = self.record(account)? else {
            return Ok(None);
        };
        record.peak = record.peak.max(record.spent());
        record.lease = None;
        self.accounts.insert(account, record.row(account))?;
        Ok(Some(record))
    }

    /// Forgets an account that has nothing committed.
    pub(super) fn forget(&mut self, account: &[u8]) -> Result<(), redb::Error> {
        self.accounts.remove(account)?;
        Ok(())
    }

    /// Forgets periods that were found ended longer than `keep` ago.
    pub(super) fn prune(&mut self, keep: Duration) -> Result<(), redb::Error> {
        let keep = i64::try_from(keep.as_nanos()).unwrap_or(i64::MAX);
        let until = self.wall.0.saturating_sub(keep);
        let old = self
            .history
            .extract_from_if(..(until, &[][..]), |_, _| true)?;
        for past in old.take(FORGOTTEN_MAX) {
            past?;
        }
        Ok(())
    }

    /// Writes what is on record of an account from now on.
    fn put(
        &mut self,
        account: &[u8],
        before: Option<Record>,
        report: Report,
        more: u64,
        lease: Option<LeaseId>,
    ) -> Result<(), redb::Error> {
        let Report {
            mut standing,
            unspent,
        } = report;
        let (mut peak, mut unspent) = (standing.committed, unspent);
        let mut refused = std::mem::take(&mut self.refused);
        if let Some(mut before) = before {
            before.refused = before.refused.saturating_add(refused);
            if before.has_periods && before.standing.stamp < standing.stamp {
                // A period that is used up refuses until it ends: what was refused since the last report was so in that.
                self.end_period(account, &before, unspent)?;
                // The stock has died with its period.
                (unspent, refused) = (0, 0);
            } else {
                refused = before.refused;
                if !before.has_periods || before.standing.stamp == standing.stamp {
                    peak = peak.max(before.peak);
                }
                if !before.has_periods {
                    // A clock that was set back and is put right later would seem to have passed the time in between.
                    standing.stamp = standing.stamp.max(before.standing.stamp);
                }
            }
        }
        let record = Record {
            lease,
            standing,
            out: unspent.saturating_add(more),
            peak,
            refused,
            has_periods: self.has_periods,
        };
        self.accounts.insert(account, record.row(account))?;
        Ok(())
    }

    /// Enters a period of which `unspent` was left of what was out.
    fn end_period(
        &mut self,
        account: &[u8],
        ended: &Record,
        unspent: u64,
    ) -> Result<(), redb::Error> {
        let out = ended.out.saturating_sub(unspent);
        let committed = Record { out, ..*ended }.spent();
        let past = Past {
            standing: Standing {
                committed,
                ..ended.standing
            },
            peak: ended.peak.max(committed),
            refused: ended.refused,
        };
        let place = (self.wall.0, account);
        self.history.insert(place, past.row(place))?;
        Ok(())
    }

    fn new_lease(&mut self) -> LeaseId {
        self.last += 1;
        LeaseId(self.last)
    }
}

impl Authority for Books<'_> {
    type Error = redb::Error;

    fn lend(
        &mut self,
        account: &[u8],
        standing: Standing,
        units: u64,
    ) -> Result<Option<LeaseId>, redb::Error> {
        let before = self.record(account)?;
        if before.is_some_and(|record| record.lease.is_some()) {
            return Ok(None);
        }
        let lease = self.new_lease();
        let report = Report {
            standing,
            unspent: 0,
        };
        self.put(account, before, report, units, Some(lease))?;
        Ok(Some(lease))
    }

    fn renew(
        &mut self,
        account: &[u8],
        lease: LeaseId,
        report: Report,
        more: u64,
    ) -> Result<Option<LeaseId>, redb::Error> {
        let before = self.record(account)?;
        if before.and_then(|record| record.lease) != Some(lease) {
            return Ok(None);
        }
        let next = self.new_lease();
        self.put(account, before, report, more, Some(next))?;
        Ok(Some(next))
    }

    fn give_back(
        &mut self,
        account: &[u8],
        lease: LeaseId,
        standing: Standing,
    ) -> Result<bool, redb::Error> {
        let before = self.record(account)?;
        if before.and_then(|record| record.lease) != Some(lease) {
            return Ok(false);
        }
        let report = Report {
            standing,
            unspent: 0,
        };
        self.put(account, before, report, 0, None)?;
        Ok(true)
    }
}

/// Remembers the wall time of a commit and the number of its last lease.
pub(super) fn seal(
    transaction: &WriteTransaction,
    wall: Wall,
    last_lease: u64,
) -> Result<(), redb::Error> {
    let mut meta = transaction.open_table(META)?;
    meta.insert(WALL_KEY, wall.0.cast_unsigned())?;
    meta.insert(LEASE_KEY, last_lease)?;
    Ok(())
}

/// The wall time of the last commit, and the number of the last lease.
pub(super) fn sealed(database: &impl ReadableDatabase) -> Result<(Option<Wall>, u64), redb::Error> {
    let meta = database.begin_read()?.open_table(META)?;
    let wall = meta.get(WALL_KEY)?;
    let lease = meta.get(LEASE_KEY)?.map_or(0, |lease| lease.value());
    Ok((wall.map(|wall| Wall(wall.value().cast_signed())), lease))
}
