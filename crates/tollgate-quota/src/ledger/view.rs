//! What is in a ledger, for people and programs: read beside the process that uses it, or changed while none does.

use super::{
    AccountKey, LedgerError,
    books::Record,
    file::{ACCOUNTS, Files, HISTORY, open_alone, open_to_read},
};
use redb::{Database, ReadableDatabase, ReadableTable, ReadableTableMetadata};
use std::{fmt, path::Path};
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
    /// Whether it has periods.
    pub has_periods: bool,
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
}

impl AccountRecord {
    /// A record of which nothing is lent.
    #[must_use]
    pub const fn new(key: AccountKey, standing: Standing, has_periods: bool) -> Self {
        Self {
            key,
            standing,
            out: 0,
            peak: standing.committed,
            has_periods,
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
        }
    }
}

/// A ledger's file, for reading or for being changed by hand.
pub struct LedgerFile(Access);

enum Access {
    Reader(redb::ReadOnlyDatabase),
    Alone(
        Database,
        #[expect(dead_code, reason = "holds the lock")] Files,
    ),
}

impl fmt::Debug for LedgerFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_alone = matches!(self.0, Access::Alone(..));
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
        open_to_read(path).map(|database| Self(Access::Reader(database)))
    }

    /// Opens a file that no process uses, or makes one. All of it is checked.
    ///
    /// # Errors
    /// [`LedgerError`]: [`LedgerError::InUse`] while a process uses it.
    pub fn alone(path: &Path) -> Result<Self, LedgerError> {
        open_alone(path).map(|(files, database)| Self(Access::Alone(database, files)))
    }

    /// Calls `visit` with every account, in the order of their keys.
    ///
    /// # Errors
    /// [`LedgerError`]; a key that is none is damage.
    pub fn each_account(&self, mut visit: impl FnMut(AccountRecord)) -> Result<(), LedgerError> {
        let table = self.transaction()?.open_table(ACCOUNTS).map_err(failed)?;
        for row in table.iter().map_err(failed)? {
            let (key, row) = row.map_err(failed)?;
            let record = Record::from_row(row.value());
            visit(AccountRecord {
                key: key_of(key.value())?,
                standing: record.standing,
                out: record.out,
                peak: record.peak,
                has_periods: record.has_periods,
            });
        }
        Ok(())
    }

    /// Calls `visit` with every past period, the oldest first.
    ///
    /// # Errors
    /// As [`Self::each_account`].
    pub fn each_past_period(&self, mut visit: impl FnMut(PastPeriod)) -> Result<(), LedgerError> {
        let table = self.transaction()?.open_table(HISTORY).map_err(failed)?;
        for row in table.iter().map_err(failed)? {
            let (place, row) = row.map_err(failed)?;
            let ((ended, key), (stamp, committed, max, peak)) = (place.value(), row.value());
            visit(PastPeriod {
                key: key_of(key)?,
                ended: Wall(ended),
                standing: Standing {
                    stamp,
                    committed,
                    max,
                },
                peak,
            });
        }
        Ok(())
    }

    /// How many accounts are on record.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn accounts(&self) -> Result<u64, LedgerError> {
        let table = self.transaction()?.open_table(ACCOUNTS).map_err(failed)?;
        table.len().map_err(failed)
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
        let Access::Alone(database, _) = &self.0 else {
            return Err(LedgerError::Io("it was opened for reading".to_owned()));
        };
        let write = || -> Result<(), redb::Error> {
            let transaction = database.begin_write()?;
            let mut table = transaction.open_table(ACCOUNTS)?;
            for account in accounts {
                let record = Record {
                    lease: None,
                    standing: account.standing,
                    out: account.out,
                    peak: account.peak,
                    has_periods: account.has_periods,
                };
                table.insert(account.key.bytes(), record.row())?;
            }
            drop(table);
            let mut table = transaction.open_table(HISTORY)?;
            for past in past {
                let Standing {
                    stamp,
                    committed,
                    max,
                } = past.standing;
                let place = (past.ended.0, past.key.bytes());
                table.insert(place, (stamp, committed, max, past.peak))?;
            }
            drop(table);
            transaction.commit()?;
            Ok(())
        };
        write().map_err(failed)
    }

    /// Makes the file as small as it can be. False if it is already.
    ///
    /// # Errors
    /// As [`Self::import`].
    pub fn compact(&mut self) -> Result<bool, LedgerError> {
        match &mut self.0 {
            Access::Alone(database, _) => database.compact().map_err(failed),
            Access::Reader(_) => Err(LedgerError::Io("it was opened for reading".to_owned())),
        }
    }

    fn transaction(&self) -> Result<redb::ReadTransaction, LedgerError> {
        let transaction = match &self.0 {
            Access::Reader(database) => database.begin_read(),
            Access::Alone(database, _) => database.begin_read(),
        };
        transaction.map_err(failed)
    }
}

fn key_of(bytes: &[u8]) -> Result<AccountKey, LedgerError> {
    AccountKey::from_bytes(bytes).ok_or_else(|| LedgerError::Damaged {
        path: "".into(),
        why: "a key is none that a ledger writes".to_owned(),
    })
}

fn failed(error: impl fmt::Display) -> LedgerError {
    LedgerError::Io(error.to_string())
}
