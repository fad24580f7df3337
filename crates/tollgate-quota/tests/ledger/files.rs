//! Files that are refused, and none of them lost.

use super::*;
use std::fs;
use tollgate_quota::{
    lease::LeasedAccount,
    ledger::{AccountRecord, Durability, LedgerError, LedgerFile},
};

fn refusal(place: &Place) -> LedgerError {
    Ledger::open(&place.options()).unwrap_err()
}

#[test]
fn second_process_is_refused() {
    let place = Place::new();
    let ledger = place.open(5);
    assert_eq!(
        refusal(&place),
        LedgerError::InUse {
            path: place.path.clone()
        }
    );
    assert!(LedgerFile::alone(&place.path).is_err());
    assert!(ledger.close());
    drop(ledger);
    place.open(5);
}

/// By another name it had another lock, and only the database's own kept it out: not while the disk of who had it open failed.
#[cfg(unix)]
#[test]
fn second_process_is_refused_whatever_it_calls_the_file() {
    let place = Place::new();
    let folder = place.path.parent().unwrap();
    let (other, linked) = (folder.join("link"), folder.with_extension("link"));
    std::os::unix::fs::symlink(&place.path, &other).unwrap();
    std::os::unix::fs::symlink(folder, &linked).unwrap();
    let names = [other, linked.join("ledger"), folder.join("./ledger")];
    // Before there is a file, too.
    let lock = LedgerFile::alone(&linked.join("not yet")).unwrap();
    let refused = LedgerFile::alone(&folder.join("not yet")).unwrap_err();
    assert!(matches!(refused, LedgerError::InUse { .. }), "{refused}");
    drop(lock);
    let ledger = place.open(5);
    for name in &names {
        let refused = Ledger::open(&LedgerOptions::new(name)).unwrap_err();
        assert_eq!(refused, LedgerError::InUse { path: name.clone() });
    }
    let beside: Vec<_> = fs::read_dir(folder).unwrap().collect();
    assert_eq!(beside.len(), 5, "two ledgers with their locks, and a link");
    drop(ledger);
    fs::remove_file(&linked).unwrap();
}

#[test]
fn reader_sees_what_is_committed_while_a_process_writes() {
    let place = Place::new();
    let ledger = place.open(5);
    let budget = lifetime(&ledger, 100);
    charge(&ledger, &budget, at(5), 7, 100).unwrap();
    assert!(ledger.flush(LONG));
    let file = LedgerFile::read(&place.path).unwrap();
    let mut seen = Vec::new();
    file.each_account(|account| {
        seen.push((account.key.limit().to_owned(), account.standing.committed))
    })
    .unwrap();
    assert_eq!(seen, [("lifetime".to_owned(), 7)]);
}

#[test]
fn file_of_a_newer_format_is_refused() {
    let place = Place::new();
    place.open(5).close();
    let database = redb::Database::open(&place.path).unwrap();
    let write = database.begin_write().unwrap();
    write.open_table(META).unwrap().insert("format", 4).unwrap();
    write.commit().unwrap();
    drop(database);
    for _ in 0..2 {
        let refused = refusal(&place);
        let is_newer = matches!(
            refused,
            LedgerError::NewerFormat {
                found: 4,
                known: 3,
                ..
            }
        );
        assert!(is_newer, "{refused}");
    }
}

const META: redb::TableDefinition<'_, &str, u64> = redb::TableDefinition::new("meta");

/// The file as a program wrote it that knew nothing of what is lent ahead, without past periods.
fn make_format_1(place: &Place) {
    type Past = (i64, u64, u64, u64, u64, u32);
    let ahead = redb::TableDefinition::<&[u8], (i64, u64, u32)>::new("ahead");
    let past = redb::TableDefinition::<(&[u8], i64), Past>::new("past");
    let history = redb::TableDefinition::<(i64, &[u8]), Past>::new("history");
    let database = redb::Database::open(&place.path).unwrap();
    let write = database.begin_write().unwrap();
    write.open_table(META).unwrap().insert("format", 1).unwrap();
    assert!(write.delete_table(ahead).unwrap() && write.delete_table(past).unwrap());
    write.open_table(history).unwrap();
    write.commit().unwrap();
}

fn format(place: &Place) -> u64 {
    let database = redb::Database::open(&place.path).unwrap();
    let read = redb::ReadableDatabase::begin_read(&database).unwrap();
    let format = read.open_table(META).unwrap().get("format").unwrap();
    format.unwrap().value()
}

/// The program that wrote it can still be gone back to.
#[test]
fn file_of_format_1_stays_that_while_it_is_only_checked_or_compacted() {
    let place = Place::new();
    let ledger = place.open(5);
    charge(&ledger, &lifetime(&ledger, 100), at(5), 7, 100).unwrap();
    assert!(ledger.close());
    drop(ledger);
    make_format_1(&place);
    let mut accounts = Vec::new();
    let mut file = LedgerFile::alone(&place.path).unwrap();
    file.each_account(|account| accounts.push(account)).unwrap();
    file.compact().unwrap();
    drop(file);
    assert_eq!(format(&place), 1);
    let file = LedgerFile::alone(&place.path).unwrap();
    file.import(&accounts, &[]).unwrap();
    drop(file);
    assert_eq!(format(&place), 3);
}

/// Killed under the program before, with units lent.
#[test]
fn lease_that_is_out_in_a_file_of_format_1_counts_as_spent() {
    let place = Place::new();
    let ledger = place.open(5);
    let days = daily(&ledger, 100);
    charge(&ledger, &days, at(5), 7, 100).unwrap();
    assert!(ledger.flush(LONG));
    let killed = Place::new();
    fs::copy(&place.path, &killed.path).unwrap();
    make_format_1(&killed);
    let mut out = 0;
    let file = LedgerFile::read(&killed.path).unwrap();
    file.each_account(|account| out = account.out).unwrap();
    drop(file);
    assert!(out > 0);
    let ledger = killed.open(6);
    let days = daily(&ledger, 100);
    let answer = charge(&ledger, &days, at(6), 100 - 7 - out + 1, 100);
    assert!(matches!(answer, Err(Refused::Denied(_))), "{answer:?}");
    charge(&ledger, &days, at(6), 100 - 7 - out, 100).unwrap();
}

/// A file of the format before, which had no table of what is lent ahead, is read as it is and goes on in this one.
#[test]
fn file_of_format_1_goes_on_with_all_that_is_in_it() {
    let place = Place::new();
    let ledger = place.open(5);
    let days = daily(&ledger, 100);
    charge(&ledger, &days, at(5), 7, 100).unwrap();
    drop(days);
    assert!(ledger.close());
    drop(ledger);
    make_format_1(&place);
    let committed = || {
        let mut committed = Vec::new();
        let file = LedgerFile::read(&place.path).unwrap();
        file.each_account(|account| committed.push((account.standing.committed, account.ahead)))
            .unwrap();
        committed
    };
    assert_eq!(committed(), [(7, None)]);
    let ledger = place.open(6);
    let days = daily(&ledger, 100);
    charge(&ledger, &days, at(6), 1, 100).unwrap();
    drop(days);
    assert!(ledger.close());
    drop(ledger);
    assert_eq!(committed(), [(8, None)]);
    assert_eq!(format(&place), 3);
}

#[test]
fn empty_file_is_refused_not_filled() {
    let place = Place::new();
    fs::write(&place.path, b"").unwrap();
    let refusal = refusal(&place);
    assert!(matches!(refusal, LedgerError::Damaged { .. }), "{refusal}");
    assert_eq!(fs::read(&place.path).unwrap(), b"");
}

#[test]
fn other_files_are_refused_and_left_alone() {
    let place = Place::new();
    let text = b"{\"deployment_name\": \"x\"}".repeat(1_000);
    fs::write(&place.path, &text).unwrap();
    let refused = refusal(&place);
    assert!(matches!(refused, LedgerError::Damaged { .. }), "{refused}");
    assert_eq!(fs::read(&place.path).unwrap(), text);

    let place = Place::new();
    drop(redb::Database::create(&place.path).unwrap());
    assert!(matches!(refusal(&place), LedgerError::Damaged { .. }));
}

/// `/etc/passwd` was refused, and had an `/etc/passwd.lock` beside it from then on.
#[test]
fn nothing_is_left_beside_what_is_no_ledger() {
    let text = b"root:x:0:0:root:/root:/bin/bash\n".repeat(1_000);
    for bytes in [&*text, b"redb", b""] {
        let place = Place::new();
        fs::write(&place.path, bytes).unwrap();
        for refused in [
            refusal(&place),
            LedgerFile::alone(&place.path).unwrap_err(),
            LedgerFile::make(&place.path, &[], &[]).unwrap_err(),
        ] {
            assert!(matches!(refused, LedgerError::Damaged { .. }), "{refused}");
        }
        assert_eq!(fs::read(&place.path).unwrap(), bytes);
        let folder = place.path.parent().unwrap();
        let found = fs::read_dir(folder)
            .unwrap()
            .map(|found| found.unwrap().path());
        assert_eq!(found.collect::<Vec<_>>(), std::slice::from_ref(&place.path));
    }
}

#[test]
fn file_cut_short_or_written_over_is_refused_or_right() {
    let place = Place::new();
    let ledger = place.open(5);
    let budget = lifetime(&ledger, 1_000_000);
    charge(&ledger, &budget, at(5), 777_777, 1_000_000).unwrap();
    drop(budget);
    assert!(ledger.close());
    let whole = fs::read(&place.path).unwrap();
    let mut refused = 0;
    let mut judge = |bytes: &[u8], what: String| {
        let damaged = Place::new();
        fs::write(&damaged.path, bytes).unwrap();
        match Ledger::open(&damaged.options()) {
            Err(LedgerError::Damaged { .. } | LedgerError::NewerFormat { .. }) => refused += 1,
            Err(other) => panic!("{what}: {other}"),
            Ok(ledger) => {
                drop(ledger);
                let file = LedgerFile::alone(&damaged.path).unwrap();
                let mut committed = None;
                file.each_account(|account| committed = Some(account.standing.committed))
                    .unwrap();
                assert_eq!(committed, Some(777_777), "{what}");
            }
        }
    };
    for len in [1, 511, 512, 4_096, whole.len() / 2, whole.len() - 1] {
        judge(&whole[..len], format!("cut to {len}"));
    }
    // A page at a time, as a disk would lose them.
    for page in 0..whole.len() / 4_096 {
        let mut bytes = whole.clone();
        let (start, end) = (page * 4_096, (page + 1) * 4_096);
        if bytes[start..end].iter().all(|&byte| byte == 0) {
            continue;
        }
        bytes[start..end].fill(0xa5);
        judge(&bytes, format!("page {page} lost"));
    }
    assert!(refused > 4, "{refused}");
}

/// The longest made the thread panic, and with the shortest it never slept.
#[test]
fn durability_that_there_is_not_is_refused() {
    let place = Place::new();
    let open = |within| Ledger::open(&place.options().durability(Durability::Within(within)));
    let (least, most) = (Durability::WITHIN_MIN, Durability::WITHIN_MAX);
    let ns = Duration::from_nanos(1);
    for interval in [Duration::ZERO, least - ns, most + ns, Duration::MAX] {
        let refused = open(interval).unwrap_err();
        assert_eq!(refused, LedgerError::Interval { interval });
        assert!(!place.path.exists());
    }
    for interval in [least, most] {
        open(interval).unwrap();
    }
}

#[test]
fn folder_that_is_not_there_is_told() {
    let options = LedgerOptions::new("/no/such/folder/ledger");
    let refused = Ledger::open(&options).unwrap_err();
    assert!(refused.to_string().contains("/no/such/folder"), "{refused}");
}

#[cfg(unix)]
#[test]
fn file_or_folder_that_cannot_be_written_is_told_and_left_alone() {
    use std::os::unix::fs::PermissionsExt;

    let place = Place::new();
    place.open(5).close();
    let whole = fs::read(&place.path).unwrap();
    let mode = |path: &std::path::Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let folder = place.path.parent().unwrap();
    mode(&place.path, 0o444);
    if fs::OpenOptions::new().write(true).open(&place.path).is_ok() {
        println!("skipped: to this user no file is read-only");
        return;
    }
    let refused = refusal(&place);
    assert!(matches!(refused, LedgerError::Io(_)), "{refused}");
    assert!(refused.to_string().contains("denied"), "{refused}");
    // Reading needs no more.
    LedgerFile::read(&place.path).unwrap();
    mode(&place.path, 0o644);
    fs::remove_file(folder.join("ledger.lock")).unwrap();
    mode(folder, 0o555);
    let refused = refusal(&place);
    mode(folder, 0o755);
    assert!(refused.to_string().contains("ledger.lock"), "{refused}");
    assert_eq!(fs::read(&place.path).unwrap(), whole);
    place.open(5);
}

#[test]
fn file_that_somebody_reads_is_compacted_later() {
    let place = Place::new();
    let ledger = place.open(5);
    let budget = lifetime(&ledger, 100);
    charge(&ledger, &budget, at(5), 7, 100).unwrap();
    drop(budget);
    assert!(ledger.close());
    let reader = LedgerFile::read(&place.path).unwrap();
    let mut file = LedgerFile::alone(&place.path).unwrap();
    let mut tried = None;
    reader
        .each_account(|_| tried = Some(file.compact()))
        .unwrap();
    let refused = tried.unwrap().unwrap_err();
    assert!(
        matches!(refused, LedgerError::BeingRead { .. }),
        "{refused}"
    );
    file.compact().unwrap();
}

/// A link whose disk is not mounted was replaced by an empty ledger.
#[cfg(unix)]
#[test]
fn link_that_leads_nowhere_is_refused_not_replaced() {
    let place = Place::new();
    std::os::unix::fs::symlink("/no/such/disk/ledger", &place.path).unwrap();
    let refused = refusal(&place);
    assert!(matches!(refused, LedgerError::Io(_)), "{refused}");
    assert!(LedgerFile::alone(&place.path).is_err());
    assert!(fs::symlink_metadata(&place.path).unwrap().is_symlink());
}

/// A pipe was waited for, without end.
#[cfg(unix)]
#[test]
fn what_is_no_file_is_refused_at_once() {
    let place = Place::new();
    let made = std::process::Command::new("mkfifo")
        .arg(&place.path)
        .status();
    assert!(made.unwrap().success());
    for refused in [
        refusal(&place),
        LedgerFile::read(&place.path).unwrap_err(),
        LedgerFile::alone(place.path.parent().unwrap()).unwrap_err(),
    ] {
        assert!(refused.to_string().contains("no file"), "{refused}");
    }
}

/// The ledger wrote on to a file without a name, said that all was well, and all of it was gone with the process.
#[test]
#[cfg(unix)]
fn ledger_whose_file_is_taken_away_fails_until_it_is_back() {
    let place = Place::new();
    let ledger = place.open(5);
    let budget = lifetime(&ledger, 100);
    charge(&ledger, &budget, at(5), 3, 100).unwrap();
    assert!(ledger.flush(LONG));
    let stock = budget.holder().left(0, 3);
    let away = place.path.with_extension("away");
    let failing = |what: &str| {
        assert!(!ledger.flush(LONG));
        let told = ledger.status().failing.unwrap();
        assert!(told.contains(what), "{told}");
    };
    fs::rename(&place.path, &away).unwrap();
    // Asks for more than there is.
    budget.ask_for(cost(20), at(5));
    failing("is gone");
    assert!(!place.path.exists(), "none was made in its place");

    let other = key("other");
    let standing = tollgate_core::Standing {
        stamp: 0,
        committed: 1,
        max: 2,
    };
    let other = [AccountRecord::new(other, standing, false)];
    let elsewhere = place.path.with_extension("elsewhere");
    LedgerFile::make(&elsewhere, &other, &[]).unwrap();
    fs::rename(&elsewhere, &place.path).unwrap();
    failing("is not as this process left it");
    assert_eq!(budget.holder().left(0, 3), stock, "nothing was lent");
    let mut found = Vec::new();
    let file = LedgerFile::alone(&place.path);
    assert!(matches!(file, Err(LedgerError::InUse { .. })));
    let read = LedgerFile::read(&place.path).unwrap();
    read.each_account(|account| found.push(account)).unwrap();
    assert_eq!(found, other, "nothing was written to it");
    drop(read);

    fs::rename(&away, &place.path).unwrap();
    charge(&ledger, &budget, at(5), 20, 100).unwrap();
    assert!(ledger.close());
    let ledger = place.open(6);
    let budget = lifetime(&ledger, 100);
    charge(&ledger, &budget, at(6), 1, 100).unwrap();
    assert_eq!(budget.used(at(6)), 24);
}

/// Property: a file that is replaced before anything was written is not written to either; and what was written is not said to be on disk
/// when the file is gone by the time it is closed, used or not.
#[test]
#[cfg(unix)]
fn file_is_looked_for_before_the_first_commit_and_at_the_close() {
    for is_used in [false, true] {
        let place = Place::new();
        let ledger = place.open(5);
        let budget = is_used.then(|| lifetime(&ledger, 100));
        fs::remove_file(&place.path).unwrap();
        assert!(!ledger.close());
        assert!(ledger.status().failing.unwrap().contains("is gone"));
        drop(budget);
    }
    let place = Place::new();
    assert!(place.open(5).close());
    let copy = place.path.with_extension("copy");
    fs::copy(&place.path, &copy).unwrap();
    let ledger = place.open(5);
    let budget = lifetime(&ledger, 100);
    charge(&ledger, &budget, at(5), 3, 100).unwrap();
    assert!(ledger.close());
    let ledger = place.open(5);
    fs::rename(&copy, &place.path).unwrap();
    let budget = lifetime(&ledger, 100);
    budget.ask_for(cost(1), at(5));
    assert!(!ledger.flush(LONG));
    assert!(!ledger.flush(LONG));
    let told = ledger.status().failing.unwrap();
    assert!(told.contains("is not as this process left it"), "{told}");
}
