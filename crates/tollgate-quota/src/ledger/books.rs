//! The ledger as an authority: what it lends is lent when its transaction is committed.

use super::{
    file::{ACCOUNTS, AHEAD, LEASE_KEY, META, PAST, WALL_KEY, WRITER_KEY},
    row::{AheadRow, Past, PastRow, Row},
};
use crate::lease::{Ahead, spent};
use redb::{ReadableDatabase, ReadableTable, Table, WriteTransaction};
use std::{
    hash::{BuildHasher, Hasher, RandomState},
    ops::Bound,
};
use tollgate_core::{Authority, LeaseId, Report, Standing, Wall};

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

/// Which past period: whose, and its stamp.
pub(super) type PastPlace = (Vec<u8>, i64);

/// The tables, in one transaction.
pub(super) struct Books<'t> {
    accounts: Table<'t, &'static [u8], Row>,
    past: Table<'t, (&'static [u8], i64), PastRow>,
    ahead_of: Table<'t, &'static [u8], AheadRow>,
    wall: Wall,
    /// Whether the account that is written has periods.
    pub(super) has_periods: bool,
    /// Requests that its limit has refused since the last report.
    pub(super) refused: u64,
    /// What is lent of its next period.
    pub(super) ahead: Option<Ahead>,
    /// What its last period had committed when it ended, if it has and that is known.
    pub(super) ended: Option<u64>,
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
            past: transaction.open_table(PAST)?,
            ahead_of: transaction.open_table(AHEAD)?,
            wall,
            has_periods: false,
            refused: 0,
            ahead: None,
            ended: None,
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

    /// What was lent to an account ahead, by whatever process.
    pub(super) fn ahead(&self, account: &[u8]) -> Result<Option<Ahead>, redb::Error> {
        let row = self.ahead_of.get(account)?;
        let ahead = row.map(|row| Ahead::from_row(account, row.value()));
        Ok(ahead.transpose()?)
    }

    /// Forgets an account that has nothing committed, but for what a process before had lent `ahead`. Its last period is history, if that
    /// `has_ended` by its stamp.
    pub(super) fn forget(
        &mut self,
        account: &[u8],
        ahead: Option<Ahead>,
        has_ended: impl FnOnce(i64) -> bool,
    ) -> Result<(), redb::Error> {
        let record = self.record(account)?;
        if let Some(record) = record.filter(|record| record.has_periods)
            && has_ended(record.standing.stamp)
        {
            self.end_period(account, &record)?;
        }
        if let (Some(_), Some(mut record)) = (ahead, record) {
            (record.lease, record.standing.committed, record.out) = (None, 0, 0);
            (record.peak, record.refused) = (0, 0);
            self.accounts.insert(account, record.row(account))?;
        } else {
            self.accounts.remove(account)?;
        }
        self.put_ahead(account, ahead)
    }

    fn put_ahead(&mut self, account: &[u8], ahead: Option<Ahead>) -> Result<(), redb::Error> {
        match ahead {
            Some(ahead) => self.ahead_of.insert(account, ahead.row(account))?,
            None => self.ahead_of.remove(account)?,
        };
        Ok(())
    }

    /// Makes history of accounts that are not in use, owe nothing and are over by their stamps, among the next `most` of `range`.
    /// The last that was looked at, unless that was the last of all.
    pub(super) fn end_unused(
        &mut self,
        range: (Bound<&[u8]>, Bound<&[u8]>),
        most: usize,
        mut is_over: impl FnMut(&[u8], &Record) -> bool,
        is_in_use: impl Fn(&[u8], Option<LeaseId>) -> bool,
    ) -> Result<Option<Vec<u8>>, redb::Error> {
        let (mut ended, mut seen, mut last) = (Vec::new(), 0, None);
        for row in self.accounts.range::<&[u8]>(range)?.take(most) {
            let (key, row) = row?;
            let key = key.value();
            seen += 1;
            if seen == most {
                last = Some(key.to_vec());
            }
            // A row that was altered is left to whoever asks for it, and to those who check the file.
            let Ok(record) = Record::from_row(key, row.value()) else {
                continue;
            };
            if is_over(key, &record) {
                ended.push((key.to_vec(), record));
            }
        }
        for (key, record) in ended {
            // What was lent of the next period counts as used in that, which is history when the walk comes by again.
            let ahead = self.ahead(&key)?;
            let next = ahead.filter(|ahead| ahead.stamp > record.standing.stamp);
            let next = next.map(|ahead| Record {
                lease: None,
                standing: Standing {
                    stamp: ahead.stamp,
                    committed: ahead.units.min(record.standing.max),
                    ..record.standing
                },
                out: 0,
                peak: ahead.units.min(record.standing.max),
                refused: 0,
                has_periods: record.has_periods,
            });
            if next.is_some_and(|next| !is_over(&key, &next)) || is_in_use(&key, record.lease) {
                continue;
            }
            self.ended = None;
            self.end_period(&key, &record)?;
            self.put_ahead(&key, None)?;
            match next {
                Some(next) => drop(self.accounts.insert(&*key, next.row(&key))?),
                None => drop(self.accounts.remove(&*key)?),
            }
        }
        Ok(last)
    }

    /// How an account of which nothing is on record stood when it was last found ended, if that was later than now.
    pub(super) fn passed(&self, account: &[u8]) -> Result<Option<Standing>, redb::Error> {
        passed(&self.past, account, self.wall)
    }

    /// What was found ended with that stamp is no history any more.
    pub(super) fn take_up(&mut self, account: &[u8], stamp: i64) -> Result<(), redb::Error> {
        self.past.remove((account, stamp))?;
        Ok(())
    }

    /// Forgets periods that were found ended before `until`, among the next `most` after `last`. The last that was looked at, unless that
    /// was the last of all.
    pub(super) fn forget_past(
        &mut self,
        last: Option<&PastPlace>,
        most: usize,
        until: Wall,
    ) -> Result<Option<PastPlace>, redb::Error> {
        let from = last.map_or(Bound::Unbounded, |(account, stamp)| {
            Bound::Excluded((&**account, *stamp))
        });
        let (mut old, mut seen, mut last) = (Vec::new(), 0, None);
        for row in self
            .past
            .range::<(&[u8], i64)>((from, Bound::Unbounded))?
            .take(most)
        {
            let (place, row) = row?;
            let (account, stamp) = place.value();
            seen += 1;
            if seen == most {
                last = Some((account.to_vec(), stamp));
            }
            // A row that was altered is left to those who check the file.
            let past = Past::from_row((account, stamp), row.value());
            if past.is_ok_and(|past| past.ended < until) {
                old.push((account.to_vec(), stamp));
            }
        }
        for (account, stamp) in old {
            self.past.remove((&*account, stamp))?;
        }
        Ok(last)
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
        let mut peak = standing.committed;
        let mut refused = std::mem::take(&mut self.refused);
        if let Some(mut before) = before {
            before.refused = before.refused.saturating_add(refused);
            if before.has_periods && before.standing.stamp < standing.stamp {
                // A period that is used up refuses until it ends: what was refused since the last report was so in that.
                self.end_period(account, &before)?;
                refused = 0;
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
        if self.has_periods {
            self.put_ahead(account, self.ahead)?;
        }
        Ok(())
    }

    /// Enters a period that has ended, if there is anything to tell of it. What may have been spent of it was, if nothing else is known.
    fn end_period(&mut self, account: &[u8], ended: &Record) -> Result<(), redb::Error> {
        let committed = self.ended.unwrap_or_else(|| ended.spent());
        let past = Past {
            standing: Standing {
                committed,
                ..ended.standing
            },
            ended: self.wall,
            peak: ended.peak.max(committed),
            refused: ended.refused,
        };
        if past.peak == 0 && past.refused == 0 {
            return Ok(());
        }
        enter(&mut self.past, account, past)
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

/// How `account` stood in its last period on record, if that was found ended later than `now`: the clock was set back since.
pub(super) fn passed(
    table: &impl ReadableTable<(&'static [u8], i64), PastRow>,
    account: &[u8],
    now: Wall,
) -> Result<Option<Standing>, redb::Error> {
    let of_it = (account, i64::MIN)..=(account, i64::MAX);
    let Some(row) = table.range(of_it)?.next_back() else {
        return Ok(None);
    };
    let (place, row) = row?;
    let past = Past::from_row(place.value(), row.value())?;
    Ok((past.ended > now).then_some(past.standing))
}

/// Enters a period of `account` that has ended; with what is there of it, if it was begun once more by a clock that was set back.
pub(super) fn enter(
    table: &mut Table<'_, (&'static [u8], i64), PastRow>,
    account: &[u8],
    past: Past,
) -> Result<(), redb::Error> {
    let place = (account, past.standing.stamp);
    let before = table.get(place)?;
    let before = before.map(|row| Past::from_row(place, row.value()));
    let past = before.transpose()?.map_or(past, |before| past.and(&before));
    table.insert(place, past.row(place))?;
    Ok(())
}

/// What is remembered of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seal {
    /// When it was made.
    pub(super) wall: Option<Wall>,
    /// The number of its last lease.
    pub(super) lease: u64,
    /// Who made it, by a random number of the process.
    pub(super) writer: Option<u64>,
}

impl Seal {
    pub(super) fn read(database: &impl ReadableDatabase) -> Result<Self, redb::Error> {
        let meta = database.begin_read()?.open_table(META)?;
        let number = |key: &str| Ok::<_, redb::Error>(meta.get(key)?.map(|row| row.value()));
        Ok(Self {
            wall: number(WALL_KEY)?.map(|wall| Wall(wall.cast_signed())),
            lease: number(LEASE_KEY)?.unwrap_or(0),
            writer: number(WRITER_KEY)?,
        })
    }
}

/// Remembers the wall time of a commit, the number of its last lease, and who makes it.
pub(super) fn seal(
    transaction: &WriteTransaction,
    wall: Wall,
    lease: u64,
    writer: u64,
) -> Result<(), redb::Error> {
    let mut meta = transaction.open_table(META)?;
    meta.insert(WALL_KEY, wall.0.cast_unsigned())?;
    meta.insert(LEASE_KEY, lease)?;
    meta.insert(WRITER_KEY, writer)?;
    Ok(())
}

/// A number for one who writes.
pub(super) fn new_writer() -> u64 {
    // Keyed anew by the system's randomness.
    RandomState::new().build_hasher().finish()
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;
    use crate::ledger::file::write_format;
    use redb::{Database, backends::InMemoryBackend};

    const ACCOUNT: &[u8] = b"a";

    fn standing(committed: u64) -> Standing {
        Standing {
            stamp: 0,
            committed,
            max: 100,
        }
    }

    /// What is on record after `visit`, with the books of a new database.
    fn with_books(visit: impl FnOnce(&mut Books<'_>) -> Result<(), redb::Error>) -> Option<Record> {
        let database = Database::builder()
            .create_with_backend(InMemoryBackend::new())
            .unwrap();
        write_format(&database).unwrap();
        let transaction = database.begin_write().unwrap();
        let mut books = Books::open(&transaction, Wall(0), 0).unwrap();
        visit(&mut books).unwrap();
        let record = books.record(ACCOUNT).unwrap();
        drop(books);
        transaction.commit().unwrap();
        record
    }

    #[test]
    fn lease_that_is_returned_twice_credits_once() {
        let record = with_books(|books| {
            let lease = books.lend(ACCOUNT, standing(10), 8)?.unwrap();
            assert_eq!(books.record(ACCOUNT)?.unwrap().spent(), 18);
            assert!(books.give_back(ACCOUNT, lease, standing(12))?);
            let next = books.lend(ACCOUNT, standing(12), 8)?.unwrap();
            assert_ne!(lease, next);
            // The first return, delivered again.
            assert!(!books.give_back(ACCOUNT, lease, standing(12))?);
            Ok(())
        });
        assert_eq!(record.unwrap().spent(), 20, "the second lease is still out");
    }

    #[test]
    fn report_of_another_lease_changes_nothing() {
        let record = with_books(|books| {
            let old = books.lend(ACCOUNT, standing(10), 8)?.unwrap();
            let report = |committed, unspent| Report {
                standing: standing(committed),
                unspent,
            };
            let new = books.renew(ACCOUNT, old, report(13, 5), 3)?.unwrap();
            assert_eq!(books.renew(ACCOUNT, old, report(1, 0), 0)?, None);
            assert_eq!(books.lend(ACCOUNT, standing(1), 0)?, None);
            assert!(books.record(ACCOUNT)?.unwrap().lease == Some(new));
            Ok(())
        });
        assert_eq!(record.unwrap().spent(), 21);
    }

    fn in_period(stamp: i64, committed: u64) -> Report {
        Report {
            standing: Standing {
                stamp,
                ..standing(committed)
            },
            unspent: 0,
        }
    }

    /// Period, units, peak and refusals of all past periods.
    fn history(books: &Books<'_>) -> Vec<(i64, u64, u64, u64)> {
        let rows = books.past.iter().unwrap();
        let told = rows.map(|row| {
            let (place, row) = row.unwrap();
            let past = Past::from_row(place.value(), row.value()).unwrap();
            let Standing {
                stamp, committed, ..
            } = past.standing;
            (stamp, committed, past.peak, past.refused)
        });
        told.collect()
    }

    #[test]
    fn period_that_ends_is_history_with_its_peak_and_its_refusals() {
        let record = with_books(|books| {
            books.has_periods = true;
            let lease = books.lend(ACCOUNT, standing(10), 0)?.unwrap();
            books.refused = 2;
            let lease = books.renew(ACCOUNT, lease, in_period(0, 4), 3)?.unwrap();
            let record = books.record(ACCOUNT)?.unwrap();
            assert_eq!((record.peak, record.refused), (10, 2));
            assert_eq!(history(books), []);
            // What was refused until this report was so in the period that ends.
            (books.refused, books.ended) = (3, Some(6));
            let lease = books.renew(ACCOUNT, lease, in_period(1, 1), 0)?.unwrap();
            assert_eq!(history(books), [(0, 6, 10, 5)]);
            // A clock that was set back: what was refused is kept, the peak is of the other period.
            books.refused = 1;
            let lease = books.renew(ACCOUNT, lease, in_period(0, 0), 0)?.unwrap();
            let record = books.record(ACCOUNT)?.unwrap();
            assert_eq!((record.peak, record.refused), (0, 1));
            assert_eq!(history(books).len(), 1);
            books.renew(ACCOUNT, lease, in_period(1, 2), 0)?;
            assert_eq!(history(books), [(0, 6, 10, 6)], "of both times");
            Ok(())
        });
        let record = record.unwrap();
        assert_eq!((record.peak, record.refused), (2, 0));
    }

    #[test]
    fn period_of_which_there_is_nothing_to_tell_is_no_history() {
        for (committed, refused, told) in [(0, 0, 0), (1, 0, 1), (0, 1, 1)] {
            with_books(|books| {
                books.has_periods = true;
                books.refused = refused;
                let lease = books.lend(ACCOUNT, standing(committed), 0)?.unwrap();
                books.renew(ACCOUNT, lease, in_period(1, 0), 0)?;
                assert_eq!(history(books).len(), told);
                Ok(())
            });
        }
    }

    #[test]
    fn stamp_of_what_has_no_periods_never_steps_back() {
        let record = with_books(|books| {
            let lease = books.lend(ACCOUNT, in_period(9, 7).standing, 0)?.unwrap();
            books.refused = 4;
            books.renew(ACCOUNT, lease, in_period(5, 3), 0)?;
            assert_eq!(history(books), []);
            Ok(())
        });
        let Record {
            standing,
            peak,
            refused,
            ..
        } = record.unwrap();
        assert_eq!((standing.stamp, standing.committed), (9, 3));
        assert_eq!((peak, refused), (7, 4));
    }
}
