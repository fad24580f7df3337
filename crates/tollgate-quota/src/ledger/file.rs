//! The file: its lock, its format, and how it is opened, the first time and again.

use super::{
    LedgerError,
    books::Seal,
    old,
    row::{AheadRow, PastRow, Row},
};
use redb::{
    Builder, ConcurrencyMode, Database, ReadableDatabase, TableDefinition, TableError,
    WriteTransaction,
};
use std::{
    cell::Cell,
    fmt::Debug,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read},
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

/// The format that this program writes, and the newest that it reads. Format 1 knew nothing lent ahead, and a program that knows no other must
/// not open a file that may have it; formats 1 and 2 had [another history](old).
pub(super) const FORMAT: u64 = 3;
/// What the file of each redb database begins with.
const MAGIC: [u8; 9] = *b"redb\x1a\x0a\xa9\x0d\x0a";
/// Memory for pages of the file.
const CACHE_BYTES: usize = 32 << 20;

pub(super) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
pub(super) const FORMAT_KEY: &str = "format";
pub(super) const WALL_KEY: &str = "wall";
pub(super) const LEASE_KEY: &str = "lease";
pub(super) const WRITER_KEY: &str = "writer";

pub(super) const ACCOUNTS: TableDefinition<'_, &[u8], Row> = TableDefinition::new("accounts");
/// What is lent of an account's next period, while something is.
pub(super) const AHEAD: TableDefinition<'_, &[u8], AheadRow> = TableDefinition::new("ahead");
/// Past periods, by account and stamp.
pub(super) const PAST: TableDefinition<'_, (&[u8], i64), PastRow> = TableDefinition::new("past");

/// How long a locked file is asked for again: a process that is being started holds all locks of the one that starts it,
/// until its own program runs. So a ledger that was just closed may still be locked for a moment.
const LOCK_PATIENCE: Duration = Duration::from_millis(200);
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// Where a database is, so that it can be opened again after the disk has failed.
pub(super) trait Medium: Send + Debug {
    /// Opens it, or makes it if there is none, and says what was noticed about it.
    fn open(&self) -> Result<(Database, Option<&'static str>), LedgerError>;

    /// Opens it again. One that is there no more is not made: whoever comes back to it shall find what is on record.
    fn open_again(&self) -> Result<Database, LedgerError>;

    /// Whether the one that was opened last is still there, so that what is written to it is found again.
    fn still_there(&self) -> Result<(), LedgerError>;

    /// Where it is, for errors.
    fn path(&self) -> &Path;
}

/// A database in a file.
#[derive(Debug)]
pub(super) struct Files {
    path: PathBuf,
    /// The file that was opened last.
    opened: Cell<Option<Identity>>,
    /// Locked for as long as this lives, also while the database itself is being opened again.
    _lock: File,
}

impl Files {
    pub(super) fn new(path: &Path) -> Result<Self, LedgerError> {
        begins_like_one(path)?;
        let lock_path = beside(&real(path), ".lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(|error| failed(&lock_path, error))?;
        let until = Instant::now() + LOCK_PATIENCE;
        while let Err(error) = lock.try_lock() {
            match error {
                TryLockError::WouldBlock if Instant::now() < until => thread::sleep(LOCK_PAUSE),
                TryLockError::WouldBlock => {
                    return Err(LedgerError::InUse {
                        path: path.to_owned(),
                    });
                }
                TryLockError::Error(error) => return Err(failed(&lock_path, error)),
            }
        }
        Ok(Self {
            // It is looked for again and again, wherever the process goes meanwhile.
            path: std::path::absolute(path).map_err(|error| failed(path, error))?,
            opened: Cell::new(None),
            _lock: lock,
        })
    }

    /// Makes the file, which is not there, with what `fill` puts in. It appears whole: a kill or a power cut in between leaves none, never
    /// an empty one.
    pub(super) fn make(
        &self,
        fill: impl FnOnce(&Database) -> Result<(), redb::Error>,
    ) -> Result<(), LedgerError> {
        let new = beside(&self.path, ".new");
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed(&new, error));
            }
            _ => {}
        }
        let database = builder()
            .create(&new)
            .map_err(|error| failed(&self.path, error))?;
        fill(&database).map_err(|error| failed(&self.path, error))?;
        drop(database);
        fs::rename(&new, &self.path).map_err(|error| failed(&self.path, error))?;
        sync_folder(&self.path)
    }

    /// Opens it, or makes it if there is none: says what was noticed about it, and of which format it is and stays.
    fn open_as_it_is(&self) -> Result<(Database, Option<&'static str>, u64), LedgerError> {
        let is_made = match is_file(&self.path) {
            Ok(()) => false,
            Err(_) if self.is_missing() => {
                self.make(write_format)?;
                true
            }
            Err(error) => return Err(failed(&self.path, error)),
        };
        // Opening it checks and puts in order whatever there is, and tells nobody whether it had to.
        let looked = guarded(&self.path, || Ok(builder().open_read_only(&self.path)?));
        let is_repaired = matches!(looked, Err(LedgerError::NotClosed { .. }));
        drop(looked);
        let (database, format) = self.open_existing()?;
        let noticed = match (is_made, is_repaired) {
            (true, _) => Some("there was no such file: a new one was made, with nothing on record"),
            (false, true) => Some("the ledger was not closed when it was last used: recovered"),
            (false, false) => None,
        };
        Ok((database, noticed, format))
    }

    /// Whether there is none at all: a link that leads nowhere is one whose disk is missing, perhaps.
    pub(super) fn is_missing(&self) -> bool {
        fs::symlink_metadata(&self.path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    }

    fn open_existing(&self) -> Result<(Database, u64), LedgerError> {
        is_file(&self.path).map_err(|error| failed(&self.path, error))?;
        let before = Identity::of(&self.path)?;
        let database = guarded(&self.path, || Ok(builder().open(&self.path)?))?;
        let format = check_format(&self.path, &database)?;
        // Which of the two was opened is not known if it was replaced meanwhile.
        self.opened.set(Some(before));
        self.still_there()?;
        Ok((database, format))
    }
}

impl Medium for Files {
    fn open(&self) -> Result<(Database, Option<&'static str>), LedgerError> {
        let (database, noticed, format) = self.open_as_it_is()?;
        if format < FORMAT {
            guarded(&self.path, || write_format(&database))?;
        }
        Ok((database, noticed))
    }

    fn open_again(&self) -> Result<Database, LedgerError> {
        // One that is gone is told as that, whatever else is asked of it.
        Identity::of(&self.path)?;
        match self.open_existing()? {
            (database, FORMAT) => Ok(database),
            // It was made one of the newest format when it was opened first: an older copy was put back.
            _ => Err(LedgerError::Replaced {
                path: self.path.clone(),
            }),
        }
    }

    fn still_there(&self) -> Result<(), LedgerError> {
        let there = Identity::of(&self.path)?;
        match self.opened.get() {
            Some(opened) if opened != there => Err(LedgerError::Replaced {
                path: self.path.clone(),
            }),
            _ => Ok(()),
        }
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

/// Tells a file from others, where the system does: by the numbers of its disk and its inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    #[cfg(unix)]
    numbers: (u64, u64),
}

impl Identity {
    /// That of the file at `path`.
    fn of(path: &Path) -> Result<Self, LedgerError> {
        let found = fs::metadata(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => LedgerError::Gone {
                path: path.to_owned(),
            },
            _ => failed(path, error),
        })?;
        #[cfg(unix)]
        let identity = {
            use std::os::unix::fs::MetadataExt;
            Self {
                numbers: (found.dev(), found.ino()),
            }
        };
        #[cfg(not(unix))]
        let identity = {
            drop(found);
            Self {}
        };
        Ok(identity)
    }
}

/// A database whose format is known, and where it came from.
#[derive(Debug)]
pub(super) struct Store {
    medium: Box<dyn Medium>,
    database: Option<Arc<Database>>,
    /// The last commit when it was opened first.
    pub(super) sealed: Seal,
    pub(super) notices: Vec<String>,
}

impl Store {
    pub(super) fn open(medium: Box<dyn Medium>) -> Result<Self, LedgerError> {
        let (database, noticed) = medium.open()?;
        let sealed = guarded(medium.path(), || Seal::read(&database))?;
        let notices = noticed.into_iter().map(str::to_owned).collect();
        Ok(Self {
            medium,
            database: Some(Arc::new(database)),
            sealed,
            notices,
        })
    }

    /// The database, opened again if it was given up.
    pub(super) fn database(&mut self) -> Result<&Arc<Database>, LedgerError> {
        let database = match self.database.take() {
            Some(database) => database,
            None => Arc::new(self.medium.open_again()?),
        };
        Ok(self.database.insert(database))
    }

    /// Whether what is written is found again by whoever opens it next. Says nothing of one that was given up.
    pub(super) fn still_there(&self) -> Result<(), LedgerError> {
        match self.database {
            Some(_) => self.medium.still_there(),
            None => Ok(()),
        }
    }

    /// Where it is, for errors.
    pub(super) fn path(&self) -> PathBuf {
        self.medium.path().to_owned()
    }

    /// Gives the database up: after an error of the disk nothing more can be done with it.
    pub(super) fn give_up(&mut self) {
        self.database = None;
    }
}

/// Opens an existing file for reading, beside the process that writes it.
pub(super) fn open_to_read(path: &Path) -> Result<redb::ReadOnlyDatabase, LedgerError> {
    is_file(path).map_err(|error| failed(path, error))?;
    let database = guarded(path, || Ok(builder().open_read_only(path)?))?;
    check_format(path, &database)?;
    Ok(database)
}

/// Opens an existing file alone, or makes one: for what is done while no process uses it. Its format stays until something is put in.
pub(super) fn open_alone(path: &Path) -> Result<(Files, Database), LedgerError> {
    let files = Files::new(path)?;
    let (database, ..) = files.open_as_it_is()?;
    Ok((files, database))
}

/// Whether there is a file that can be opened: a pipe would be waited for.
fn is_file(path: &Path) -> io::Result<()> {
    match fs::metadata(path)?.is_file() {
        true => Ok(()),
        false => Err(io::Error::other("it is no file")),
    }
}

/// Refuses what is there and is no database, before a lock is left beside it. That there is nothing may be right.
fn begins_like_one(path: &Path) -> Result<(), LedgerError> {
    let looked = is_file(path).and_then(|()| {
        let mut begins = [0; MAGIC.len()];
        File::open(path)?.read_exact(&mut begins)?;
        match begins == MAGIC {
            true => Ok(()),
            false => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "it begins as no ledger does",
            )),
        }
    });
    match looked {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(path, error)),
        _ => Ok(()),
    }
}

fn builder() -> Builder {
    let mut builder = Database::builder();
    builder
        .set_cache_size(CACHE_BYTES)
        // Others may read while one writes.
        .set_concurrency_mode(ConcurrencyMode::SingleWriter)
        // A file that something else has written to is refused, not believed.
        .set_check_integrity_on_open(true);
    builder
}

/// Puts the format and the tables into a database that is new, or of an older format.
pub(super) fn write_format(database: &Database) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    put_format(&transaction)?;
    transaction.commit()?;
    Ok(())
}

/// The same, as a part of `transaction`.
pub(super) fn put_format(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    transaction.open_table(META)?.insert(FORMAT_KEY, FORMAT)?;
    transaction.open_table(ACCOUNTS)?;
    transaction.open_table(PAST)?;
    transaction.open_table(AHEAD)?;
    old::convert(transaction)
}

/// The format of a database, if this program knows it.
fn check_format(path: &Path, database: &impl ReadableDatabase) -> Result<u64, LedgerError> {
    let format = || -> Result<Option<u64>, redb::Error> {
        let transaction = database.begin_read()?;
        let meta = match transaction.open_table(META) {
            Ok(meta) => meta,
            Err(TableError::TableDoesNotExist(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        Ok(meta.get(FORMAT_KEY)?.map(|format| format.value()))
    };
    match guarded(path, format)? {
        Some(format) if format <= FORMAT => Ok(format),
        Some(found) => Err(LedgerError::NewerFormat {
            path: path.to_owned(),
            found,
            known: FORMAT,
        }),
        None => Err(damaged(path, &"it is a database of something else")),
    }
}

/// Why what was done to the file at `path` has failed: by what it says, or by the disk.
pub(super) fn failed(path: &Path, error: impl Into<redb::Error>) -> LedgerError {
    use redb::Error::*;

    let owned = || path.to_owned();
    match error.into() {
        DatabaseAlreadyOpen | LockProtocolMismatch => LedgerError::InUse { path: owned() },
        // Only who may write it can mend what a kill has left.
        RepairAborted => LedgerError::NotClosed { path: owned() },
        TransactionInProgress => LedgerError::BeingRead { path: owned() },
        Corrupted(why) => damaged(path, &why),
        // What is too short or begins otherwise is told as invalid data.
        Io(error)
            if matches!(
                error.kind(),
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
            ) =>
        {
            damaged(path, &error)
        }
        Io(error) => LedgerError::Io(format!("{}: {error}", path.display())),
        // A database of another program's.
        error @ (UpgradeRequired(_)
        | TableTypeMismatch { .. }
        | TypeDefinitionChanged { .. }
        | TableIsMultimap(_)
        | TableDoesNotExist(_)) => damaged(path, &error),
        other => LedgerError::Io(format!("{}: {other}", path.display())),
    }
}

fn damaged(path: &Path, why: &impl ToString) -> LedgerError {
    LedgerError::Damaged {
        path: path.to_owned(),
        why: why.to_string(),
    }
}

/// Calls `read`, in which the database may meet pages of a damaged file: it panics at some of them.
pub(super) fn guarded<T>(
    path: &Path,
    read: impl FnOnce() -> Result<T, redb::Error>,
) -> Result<T, LedgerError> {
    // Unwind safe: whoever is told of damage uses neither the database nor what was half read any more.
    match panic::catch_unwind(AssertUnwindSafe(read)) {
        Ok(read) => read.map_err(|error| failed(path, error)),
        Err(payload) => {
            let told = payload.downcast_ref::<String>().map(String::as_str);
            let told = told.or_else(|| payload.downcast_ref::<&str>().copied());
            Err(damaged(path, &told.unwrap_or("a page makes no sense")))
        }
    }
}

/// The path without links, so that who comes by another name finds the same lock; as far as there is something.
fn real(path: &Path) -> PathBuf {
    let of_folder = || {
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let folder = fs::canonicalize(folder.unwrap_or(Path::new("."))).ok()?;
        Some(folder.join(path.file_name()?))
    };
    let real = fs::canonicalize(path).ok().or_else(of_folder);
    real.unwrap_or_else(|| path.to_owned())
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Makes a new name in a folder outlive a power cut.
fn sync_folder(path: &Path) -> Result<(), LedgerError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // Windows opens no folders, and needs no such thing.
    if cfg!(unix) {
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(|error| failed(folder, error))?;
    }
    Ok(())
}
