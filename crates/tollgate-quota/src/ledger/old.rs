//! The history of files of format 1 and 2, which was in the order in which periods were found ended.

use super::{
    books::enter,
    file::PAST,
    row::{Past, altered, checksum},
};
use redb::{ReadableTable, StorageError, TableDefinition, TableHandle, WriteTransaction};
use tollgate_core::{Standing, Wall};

/// Stamp, committed, max, peak, refused, checksum.
type Row = (i64, u64, u64, u64, u64, u32);

/// When the period was found ended, and the account.
pub(super) const HISTORY: TableDefinition<'_, (i64, &[u8]), Row> = TableDefinition::new("history");

/// The period that ended at `place`.
///
/// # Errors
/// The row is not what was written.
fn from_row((ended, account): (i64, &[u8]), row: Row) -> Result<Past, StorageError> {
    let (stamp, committed, max, peak, refused, check) = row;
    let signed = [ended, stamp].map(i64::cast_unsigned);
    let numbers = signed.into_iter().chain([committed, max, peak, refused]);
    if check != checksum(account, numbers) {
        return Err(altered("a past period"));
    }
    Ok(Past {
        standing: Standing {
            stamp,
            committed,
            max,
        },
        ended: Wall(ended),
        peak,
        refused,
    })
}

/// Calls `visit` with each account and period of it.
pub(super) fn each(
    history: &impl ReadableTable<(i64, &'static [u8]), Row>,
    mut visit: impl FnMut(&[u8], Past) -> Result<(), redb::Error>,
) -> Result<(), redb::Error> {
    for row in history.iter()? {
        let (place, row) = row?;
        let past = from_row(place.value(), row.value())?;
        visit(place.value().1, past)?;
    }
    Ok(())
}

/// Makes it the history of the newest format, if it is there.
pub(super) fn convert(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    let mut tables = transaction.list_tables()?;
    if !tables.any(|table| table.name() == HISTORY.name()) {
        return Ok(());
    }
    let mut past = transaction.open_table(PAST)?;
    each(&transaction.open_table(HISTORY)?, |account, period| {
        enter(&mut past, account, period)
    })?;
    transaction.delete_table(HISTORY)?;
    Ok(())
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::{super::*, *};
    use crate::ledger::file::{ACCOUNTS, AHEAD, FORMAT_KEY, META};
    use redb::Database;

    fn key(name: &str) -> AccountKey {
        AccountKey::new(name, "requests", "day in UTC", &[], &[])
    }

    /// The row of a period that had used so much.
    fn row(account: &[u8], (ended, stamp, used): (i64, i64, u64)) -> Row {
        let signed = [ended, stamp].map(i64::cast_unsigned);
        let numbers = [signed[0], signed[1], used, 9, used + 1, 2];
        let check = checksum(account, numbers.into_iter());
        (stamp, used, 9, used + 1, 2, check)
    }

    fn past(path: &Path) -> Result<Vec<PastPeriod>, LedgerError> {
        let mut past = Vec::new();
        LedgerFile::read(path)?.each_past_period(|period| past.push(period))?;
        Ok(past)
    }

    /// A file of format 2 whose history has these rows, each with its account.
    fn make(path: &Path, rows: &[(&str, (i64, i64, u64))], altered: u64) {
        let database = Database::create(path).unwrap();
        let write = database.begin_write().unwrap();
        write
            .open_table(META)
            .unwrap()
            .insert(FORMAT_KEY, 2)
            .unwrap();
        write.open_table(ACCOUNTS).unwrap();
        write.open_table(AHEAD).unwrap();
        let mut history = write.open_table(HISTORY).unwrap();
        for (name, period) in rows {
            let key = key(name);
            let mut row = row(key.bytes(), *period);
            row.1 += altered;
            history.insert((period.0, key.bytes()), row).unwrap();
        }
        drop(history);
        write.commit().unwrap();
    }

    #[test]
    fn history_of_format_2_is_read_as_it_is_and_goes_on_in_the_order_of_accounts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        // One period ended twice, the second time after the clock was set back.
        let rows = [
            ("b", (11, 10, 3)),
            ("a", (12, 10, 5)),
            ("b", (13, 10, 2)),
            ("b", (14, 13, 7)),
        ];
        make(&path, &rows, 0);
        let told = |past: &[PastPeriod]| -> Vec<_> {
            let told = |past: &PastPeriod| {
                (
                    past.key.limit().to_owned(),
                    past.ended.0,
                    past.standing.stamp,
                    past.standing.committed,
                    past.peak,
                    past.refused,
                )
            };
            past.iter().map(told).collect()
        };
        let of = |name: &str, (ended, stamp, used): (i64, i64, u64), refused| {
            (name.to_owned(), ended, stamp, used, used + 1, refused)
        };
        assert_eq!(
            told(&past(&path).unwrap()),
            rows.map(|(name, period)| of(name, period, 2))
        );
        let ledger = Ledger::open(&LedgerOptions::new(&path)).unwrap();
        assert_eq!(
            told(&past(&path).unwrap()),
            [
                of("a", (12, 10, 5), 2),
                of("b", (13, 10, 3), 4),
                of("b", (14, 13, 7), 2)
            ]
        );
        drop(ledger);
    }

    #[test]
    fn history_of_format_2_that_was_altered_is_refused_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        make(&path, &[("a", (12, 10, 5))], 1);
        let refused = Ledger::open(&LedgerOptions::new(&path)).unwrap_err();
        assert!(matches!(refused, LedgerError::Damaged { .. }), "{refused}");
        assert!(matches!(past(&path), Err(LedgerError::Damaged { .. })));
    }
}
