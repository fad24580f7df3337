//! What is in a ledger, for people and programs: read beside the process that uses it, or changed while none does.

use super::{
    AccountKey, LedgerError,
    books::{self, Record, new_writer},
    file::{
        ACCOUNTS, AHEAD, Files, META, PAST, WRITER_KEY, guarded, open_alone, open_to_read,
        put_format,
    },
    old,
    row::{AheadRow, Past},
};
use crate::lease::Ahead;
use redb::{
    Database, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable,
    ReadableTableMetadata, TableError,
};
use std::{
    fmt,
    path::{Path, PathBuf},
};
use tollgate_core::{Standing, Wall};

/// One account on record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccountRecord {
    /// Whose it is.
    pub key: AccountKey,
    /// What it has committed.
    pub standing: Standing,
    /// What is lent on top and may have been spent.
    pub out: u64,
    /// The most that was committed in its period at any report.
    pub peak: u64,
    /// Requests that its limit refused in its period, as far as reports told. A kill may lose those of the last minute.
    pub refused: u64,
    /// Whether it has periods.
    pub has_periods: bool,
    /// What is lent of its next period, and may have been spent if that has begun since.
    pub ahead: Option<Ahead>,
}

/// A period that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PastPeriod {
    /// Whose it was.
    pub key: AccountKey,
    /// When it was found ended.
    pub ended: Wall,
    /// Which one it was, and what was used in it, at most.
    pub standing: Standing,
    /// The most that was committed in it at any report.
    pub peak: u64,
    /// Requests that the limit refused in it, as far as reports told. One that was refused in a period before anything was
    /// admitted in it may be counted in the period before.
    pub refused: u64,
}

impl AccountRecord {
    fn of(key: AccountKey, record: &Record, ahead: Option<Ahead>) -> Self {
        Self {
            key,
            standing: record.standing,
            out: record.out,
            peak: record.peak,
            refused: record.refused,
            has_periods: record.has_periods,
            ahead,
        }
    }

    /// A record of which nothing is lent.
    #[must_use]
    pub const fn new(key: AccountKey, standing: Standing, has_periods: bool) -> Self {
        Self {
            key,
            standing,
            out: 0,
            peak: standing.committed,
            refused: 0,
            has_periods,
            ahead: None,
        }
    }
}

impl PastPeriod {
    /// A period of `key` that was found ended at `ended`.
    #[must_use]
    pub const fn new(key: AccountKey, ended: Wall, standing: Standing, peak: u64) -> Self {
        Self {
            key,
            ended,
            standing,
            peak,
            refused: 0,
        }
    }
}

/// A ledger's file, for reading or for being changed by hand.
pub struct LedgerFile {
    access: Access,
    path: PathBuf,
}

enum Access {
    Reader(redb::ReadOnlyDatabase),
    Alone(
        Database,
        #[expect(dead_code, reason = "holds the lock")] Files,
    ),
}

impl fmt::Debug for LedgerFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_alone = matches!(self.access, Access::Alone(..));
        f.debug_struct("LedgerFile")
            .field("is_alone", &is_alone)
            .finish_non_exhaustive()
    }
}

impl LedgerFile {
    /// Opens an existing file for reading: one consistent state of it, also while a process uses it. A file that was not closed, and that
    /// nobody has opened since, must be [opened alone](Self::alone).
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn read(path: &Path) -> Result<Self, LedgerError> {
        let access = Access::Reader(open_to_read(path)?);
        let path = path.to_owned();
        Ok(Self { access, path })
    }

    /// Opens a file that no process uses, or makes one. All of it is checked. One of an older format stays that, until something is
    /// [imported](Self::import).
    ///
    /// # Errors
    /// [`LedgerError`]: [`LedgerError::InUse`] while a process uses it.
    pub fn alone(path: &Path) -> Result<Self, LedgerError> {
        let (files, database) = open_alone(path)?;
        let access = Access::Alone(database, files);
        let path = path.to_owned();
        Ok(Self { access, path })
    }

    /// Makes a file with these records and past periods in it, in one step: it appears whole, or not at all.
    ///
    /// # Errors
    /// [`LedgerError`]; [`LedgerError::Io`] if there is a ledger already, [`LedgerError::Damaged`] if another file. No file was made.
    pub fn make(
        path: &Path,
        accounts: &[AccountRecord],
        past: &[PastPeriod],
    ) -> Result<(), LedgerError> {
        let files = Files::new(path)?;
        if !files.is_missing() {
            let why = format!("{}: there is such a file already", path.display());
            return Err(LedgerError::Io(why));
        }
        files.make(|database| put_in(database, accounts, past))
    }

    /// Calls `visit` with every account, in the order of their keys. Each row is checked, and that none is missing.
    ///
    /// # Errors
    /// [`LedgerError`]; [`LedgerError::Damaged`] if what is there is not what was written: then what was visited may not be all.
    pub fn each_account(&self, mut visit: impl FnMut(AccountRecord)) -> Result<(), LedgerError> {
        guarded(&self.path, || {
            let transaction = self.transaction()?;
            let table = transaction.open_table(ACCOUNTS)?;
            let ahead_of = Aheads::open(&transaction)?;
            let (mut count, mut aheads) = (0, 0);
            for row in table.iter()? {
                let (key, row) = row?;
                let record = Record::from_row(key.value(), row.value())?;
                let ahead = ahead_of.of(key.value())?;
                count += 1;
                aheads += u64::from(ahead.is_some());
                visit(AccountRecord::of(key_of(key.value())?, &record, ahead));
            }
            all_there(count, table.len()?)?;
            all_there(aheads, ahead_of.len()?)
        })
    }

    /// Calls `visit` with every past period, in the order of their keys; those of one account in the order of their stamps. (Of a file of
    /// format 1 or 2, in the order in which they were found ended.)
    ///
    /// # Errors
    /// As [`Self::each_account`].
    pub fn each_past_period(&self, mut visit: impl FnMut(PastPeriod)) -> Result<(), LedgerError> {
        guarded(&self.path, || {
            let mut count = 0;
            let mut visit = |key: &[u8], past: Past| {
                count += 1;
                visit(PastPeriod {
                    key: key_of(key)?,
                    ended: past.ended,
                    standing: past.standing,
                    peak: past.peak,
                    refused: past.refused,
                });
                Ok(())
            };
            let transaction = self.transaction()?;
            let len = match transaction.open_table(PAST) {
                Ok(table) => {
                    for row in table.iter()? {
                        let (place, row) = row?;
                        let past = Past::from_row(place.value(), row.value())?;
                        visit(place.value().0, past)?;
                    }
                    table.len()?
                }
                // Of a format before.
                Err(TableError::TableDoesNotExist(_)) => {
                    let table = transaction.open_table(old::HISTORY)?;
                    old::each(&table, visit)?;
                    table.len()?
                }
                Err(error) => return Err(error.into()),
            };
            all_there(count, len)
        })
    }

    /// How many accounts are on record.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn accounts(&self) -> Result<u64, LedgerError> {
        guarded(&self.path, || {
            Ok(self.transaction()?.open_table(ACCOUNTS)?.len()?)
        })
    }

    /// Puts records and past periods in, in one step, in place of those of the same keys.
    ///
    /// # Errors
    /// [`LedgerError`]; nothing changed. [`LedgerError::Io`] if the file was opened for reading.
    pub fn import(
        &self,
        accounts: &[AccountRecord],
        past: &[PastPeriod],
    ) -> Result<(), LedgerError> {
        let Access::Alone(database, _) = &self.access else {
            return Err(LedgerError::Io("it was opened for reading".to_owned()));
        };
        guarded(&self.path, || put_in(database, accounts, past))
    }

    /// Makes the file as small as it can be. False if it is already.
    ///
    /// # Errors
    /// As [`Self::import`]; [`LedgerError::BeingRead`] while somebody reads it.
    pub fn compact(&mut self) -> Result<bool, LedgerError> {
        match &mut self.access {
            Access::Alone(database, _) => guarded(&self.path, || Ok(database.compact()?)),
            Access::Reader(_) => Err(LedgerError::Io("it was opened for reading".to_owned())),
        }
    }

    fn transaction(&self) -> Result<redb::ReadTransaction, redb::Error> {
        let transaction = match &self.access {
            Access::Reader(database) => database.begin_read(),
            Access::Alone(database, _) => database.begin_read(),
        };
        Ok(transaction?)
    }
}

fn put_in(
    database: &Database,
    accounts: &[AccountRecord],
    past: &[PastPeriod],
) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    put_format(&transaction)?;
    let mut table = transaction.open_table(ACCOUNTS)?;
    let mut ahead_of = transaction.open_table(AHEAD)?;
    for account in accounts {
        let record = Record {
            lease: None,
            standing: account.standing,
            out: account.out,
            peak: account.peak,
            refused: account.refused,
            has_periods: account.has_periods,
        };
        let key = account.key.bytes();
        table.insert(key, record.row(key))?;
        match account.ahead {
            Some(ahead) => ahead_of.insert(key, ahead.row(key))?,
            None => ahead_of.remove(key)?,
        };
    }
    drop((table, ahead_of));
    let mut table = transaction.open_table(PAST)?;
    for past in past {
        let place = (past.key.bytes(), past.standing.stamp);
        let PastPeriod {
            ended,
            standing,
            peak,
            refused,
            ..
        } = *past;
        let row = Past {
            standing,
            ended,
            peak,
            refused,
        };
        table.insert(place, row.row(place))?;
    }
    drop(table);
    // Whoever has it open, though its disk fails, is not to go on from what it knows.
    transaction
        .open_table(META)?
        .insert(WRITER_KEY, new_writer())?;
    transaction.commit()?;
    Ok(())
}

/// What is on record of the account of `key`.
pub(super) fn record(
    path: &Path,
    database: &Database,
    key: &AccountKey,
) -> Result<Option<AccountRecord>, LedgerError> {
    guarded(path, || {
        let transaction = database.begin_read()?;
        let table = transaction.open_table(ACCOUNTS)?;
        let Some(row) = table.get(key.bytes())? else {
            return Ok(None);
        };
        let record = Record::from_row(key.bytes(), row.value())?;
        let ahead = Aheads::open(&transaction)?.of(key.bytes())?;
        Ok(Some(AccountRecord::of(key.clone(), &record, ahead)))
    })
}

/// What is on record of the account of `key`; or else how it stood when it was found ended, if that was later than `now`.
pub(super) fn record_or_passed(
    path: &Path,
    database: &Database,
    key: &AccountKey,
    now: Wall,
) -> Result<Option<AccountRecord>, LedgerError> {
    if let Some(record) = record(path, database, key)? {
        return Ok(Some(record));
    }
    let passed = guarded(path, || {
        let table = database.begin_read()?.open_table(PAST)?;
        books::passed(&table, key.bytes(), now)
    })?;
    let has_periods = passed.is_some_and(|passed| key.period(passed.stamp).is_some());
    Ok(passed.map(|passed| AccountRecord::new(key.clone(), passed, has_periods)))
}

/// What is lent ahead. None is in a file of format 1.
struct Aheads(Option<ReadOnlyTable<&'static [u8], AheadRow>>);

impl Aheads {
    fn open(transaction: &ReadTransaction) -> Result<Self, redb::Error> {
        match transaction.open_table(AHEAD) {
            Ok(table) => Ok(Self(Some(table))),
            Err(TableError::TableDoesNotExist(_)) => Ok(Self(None)),
            Err(error) => Err(error.into()),
        }
    }

    fn of(&self, account: &[u8]) -> Result<Option<Ahead>, redb::Error> {
        let Some(table) = &self.0 else {
            return Ok(None);
        };
        let row = table.get(account)?;
        let ahead = row.map(|row| Ahead::from_row(account, row.value()));
        Ok(ahead.transpose()?)
    }

    fn len(&self) -> Result<u64, redb::Error> {
        Ok(self.0.as_ref().map_or(Ok(0), ReadableTableMetadata::len)?)
    }
}

fn key_of(bytes: &[u8]) -> Result<AccountKey, redb::Error> {
    AccountKey::from_bytes(bytes)
        .ok_or_else(|| redb::Error::Corrupted("a key is none that a ledger writes".to_owned()))
}

/// Whether as many rows were found as the table says it has: a reader may miss some behind a page that leads elsewhere.
fn all_there(found: u64, has: u64) -> Result<(), redb::Error> {
    if found == has {
        return Ok(());
    }
    let why = format!("{found} rows were found where {has} should be");
    Err(redb::Error::Corrupted(why))
}
