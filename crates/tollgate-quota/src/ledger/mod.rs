//! The ledger: a file that remembers what each account has committed, written in the background.
//!
//! [`Ledger::open`] opens the file, [`Ledger::start`] starts its one thread, and [`Ledger::account`] gives meters that spend
//! what the ledger lends. The [`lease`](crate::lease) page has the protocol between the two, and why it is right. The Gate
//! does all of this for the limits of a policy.
//!
//! # What is promised
//! - **Never over**: in every period at most the limit is admitted, whenever the process is killed and started again, but for
//!   debt (see below). What is lent is on disk, and the disk has said so, before one unit of it is admitted.
//! - **Rollover**: the first request of a period is admitted at its first instant, from stock that was lent of it before. An account is lent
//!   that shortly before its period ends (a sixteenth of it, at most ten minutes, but never less than eight intervals between
//!   commits; half as long for some), if it was used in that period. A lease of one unit is not shared: while the period has room left, it is
//!   for that.
//! - **History**: a period that has ended is kept, with what was used in it, for as long as the options say; also of an account that was
//!   evicted since. An account that nobody uses, whose period is over and which owes nothing is history too, and no account any more. What was
//!   lent of it and not returned counts as used. So is one whose units have certainly drained, as far as the ledger is told how long that takes
//!   ([`Ledger::limit_drains`]); if something was lent of it, also since the process began. Lifetime budgets and debts of periods stay. For this
//!   the ledger walks over all accounts, and over the past periods to forget the old ones: over at least 256 of each with each commit, and
//!   once more a day after it is through, or in a new process.
//! - **Waste**: a kill costs an account at most one lease, of both periods together, beyond the estimates of requests that were open at the
//!   last commit.
//!   A clean [`Ledger::close`] costs nothing; what is still open then stays charged in full.
//! - **No admission waits for the disk** while there is stock, and none ever calls it. One that finds no stock is told so
//!   ([`Refused::Dry`](tollgate_core::Refused::Dry)), and may wait for the next commit: the first of an account in this process, the
//!   first of a period before which the account was not used for a whole one, and one that asks for more than is at hand.
//! - **Debt**, units that a settlement told beyond the estimate, is on disk with the next commit. Under
//!   [`Durability::Within`] a kill may lose what was told since the last one, at most that long ago while the disk is well. Under
//!   [`Durability::EveryCommit`] the Gate's settlement returns only when its debt is on disk, and nothing is lost. While the disk fails
//!   it returns without (at the latest after ten seconds), the [`Status`] tells, and a kill loses what was told since.
//! - **A clock** that was set back between two runs finds the later period still begun, and what a killed process had been lent of it
//!   spent. An account that was evicted or became history begins as it stood in the last period that the history has of it. A clock that was
//!   set forward is trusted, since that cannot be told from a long stop: history that has been forgotten by it is lost, with what was used.
//! - **A disk that fails** stops no admission from stock. The ledger opens the file anew until that succeeds, and says so in its
//!   [`Status`]; meanwhile each limit does what its policy says. A file that is deleted, moved away or replaced while it is in use is such
//!   a failure ([`LedgerError::Gone`], [`LedgerError::Replaced`]): the ledger looks for it before and after each commit (where the system has
//!   inodes, also whether it is the same). Nothing is lent, nothing is made in its place and nothing written to another one, nor to one that
//!   another process has used meanwhile: it goes on when its own is back.
//! - **The file** is never replaced by an empty one. A damaged file, one of a newer format and one that another process has open are
//!   refused by name. Opening it checks every page, and whoever only reads it checks every row.
//! - **Rates**: while no process ran, units have drained at the first rate of the next that did.
//! - **Windows** that slide (slotted rings and logs) count what they had counted for one more length after a restart, since when in the
//!   window each unit was admitted is not on record. They may refuse what they would have admitted, and never the other way.
//! - **Refusals** are counts for people: a kill may lose those of the last minute.
//!
//! Not promised: that a file is right which something else has written to, or whose copy of a week ago was put back; that a disk keeps what
//! it has confirmed; anything about limits of less than an hour, which a policy does not keep.
//!
//! # What it tells
//! Events of [`tracing`](https://docs.rs/tracing), with the target `tollgate::ledger` and a field `ledger`, the file's path:
//!
//! | Event | Level | When |
//! | --- | --- | --- |
//! | `the ledger cannot be used` | error | opening was refused: `error` says why |
//! | `something was noticed about the ledger` | warn | there was no file, it was recovered after a kill, or the clock was set back since: `notice` |
//! | `the ledger cannot be written` | error | a commit failed, the first since the disk was well: `error` |
//! | `the ledger still cannot be written` | error | the next failed for another reason than the one before: `error`, `failing_for` |
//! | `requests are admitted without a record` | warn | the first while it fails, under a policy that says so: `limit` |
//! | `the ledger is written again` | info | a commit succeeded after that: `failed_for` |
//!
//! And figures of [`metrics`](https://docs.rs/metrics), each with the label `ledger`:
//!
//! | Name | Kind | What |
//! | --- | --- | --- |
//! | `tollgate_ledger_failing` | gauge | 1 while the last attempt to commit has failed, else 0 |
//! | `tollgate_ledger_commits_total`, `_records_total`, `_failures_total` | counter | commits, records written with them, attempts that failed |
//! | `tollgate_ledger_commit_seconds` | histogram | how long a commit took |
//! | `tollgate_ledger_accounts` | gauge | accounts in use |
//! | `tollgate_ledger_debt_units` | gauge | units on record beyond their limit, of accounts in use; labels `limit` and `unit` |
//! | `tollgate_ledger_unrecorded_total` | counter | requests admitted without a record; label `limit` |
//!
//! # The file
//! A [redb](https://docs.rs/redb) database, format 3, of four tables. Integers are of 64 bits.
//!
//! | Table | Key | Value |
//! | --- | --- | --- |
//! | `meta` | `format`; `wall`, the wall time of the last commit; `lease`, the last one given; `writer`, by which the process that made it knows its own | a number |
//! | `accounts` | an [`AccountKey`] | lease (0: none is out), stamp, committed, out, max, peak, refused, whether it has periods, checksum |
//! | `ahead` | an `AccountKey`, while something is lent of its next period | stamp of that period, units, checksum |
//! | `past` | an `AccountKey`; the stamp of the period | when it was found ended, in ns since the Unix epoch; committed, max, peak, refused, checksum |
//!
//! A key is its parts one after another, each behind its length (32 bits, little-endian): the limit's name, its unit, its algorithm ([in words](KeptAlgorithm)), how many
//! scopes it counts by (in decimal digits), their names, their values. A stamp says which period `committed` is of: the start of a calendar's, in
//! ns since the Unix epoch; the number of a fixed window since then; for a rate or a window, when it was so; for a lifetime budget zero. `max` is
//! the limit's, or the largest that was in force in the period, beyond which what is committed is debt. `out` is
//! what was lent on top: after a crash it counts as spent, up to the max; and so do the units in `ahead`, in their own period. A checksum (32 bits) is the CRC-32 of the `AccountKey` and the
//! numbers before it, those of the key first, each in 64 bits, little-endian. Beside the file lies an empty one with `.lock`
//! appended, which the process that has the ledger open keeps locked; and one with `.new`, if making the file was interrupted.
//!
//! Format 1 had no table `ahead`. Formats 1 and 2 had a table `history` in place of `past`, whose keys were when a period was found ended, and its
//! account. Such a file becomes one of format 3 when a ledger is opened on it or something is imported into it, in one step, and not when it is
//! only checked or compacted; all that is in it stays, but that two ends of one period of an account become one. Programs that know an older format alone refuse it from then on, since they would spend
//! again what they know nothing of.

mod ahead;
mod algorithm;
mod books;
mod clerk;
mod demand;
mod desk;
mod drain;
mod error;
#[cfg(test)]
mod faults;
mod file;
mod flags;
mod key;
mod old;
mod periods;
mod row;
mod told;
mod view;
mod visit;
mod walk;

pub use algorithm::{KeptAlgorithm, UnknownAlgorithm};
pub use drain::{Drain, LimitDrain};
pub use error::LedgerError;
pub use key::AccountKey;
pub use view::{AccountRecord, LedgerFile, PastPeriod};

use crate::lease::{Lasting, Leased};
use clerk::Clerk;
use desk::Shared;
use file::{Files, Store};
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::Duration,
};
use tollgate_core::{Clock, Moment};

/// When what changed is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// A settlement beyond its estimate returns when its debt is on disk. While the disk is well nothing is ever lost. Other changes wait
    /// for 50 ms to share a commit.
    EveryCommit,
    /// Changes wait for so long to share a commit, from [`Self::WITHIN_MIN`] to [`Self::WITHIN_MAX`]. A kill may lose the debt
    /// that was told within that time.
    Within(Duration),
}

impl Durability {
    /// The shortest time within which changes are on disk.
    pub const WITHIN_MIN: Duration = Duration::from_millis(1);
    /// The longest.
    pub const WITHIN_MAX: Duration = Duration::from_secs(60);

    /// How long a change may wait to share a commit.
    #[must_use]
    pub const fn interval(self) -> Duration {
        match self {
            Self::EveryCommit => Duration::from_millis(50),
            Self::Within(interval) => interval,
        }
    }
}

/// How a ledger is kept.
#[derive(Clone, Debug)]
pub struct LedgerOptions {
    path: PathBuf,
    durability: Durability,
    history: Duration,
}

impl LedgerOptions {
    /// The ledger in the file at `path`: within 50 ms on disk, with 400 days of history.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            durability: Durability::Within(Duration::from_millis(50)),
            history: Duration::from_secs(400 * 86_400),
        }
    }

    /// With another durability.
    #[must_use]
    pub const fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// With past periods kept for so long.
    #[must_use]
    pub const fn history(mut self, history: Duration) -> Self {
        self.history = history;
        self
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// How a ledger is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// Commits since it was started.
    pub commits: u64,
    /// Records written with them.
    pub records: u64,
    /// Attempts to commit that failed.
    pub failures: u64,
    /// Why the last attempt failed, until one succeeds again.
    pub failing: Option<String>,
    /// What was noticed about the file when it was opened, for people to read.
    pub notices: Vec<String>,
    /// Accounts in use.
    pub accounts: usize,
    /// Requests that were admitted although no record of them could be made then.
    pub unrecorded: u64,
}

/// What an account borrows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The most units lent at once, but for a single cost that is larger.
    pub lease: u64,
    /// Units that an account of which nothing is on record starts with as if they were committed.
    pub initial: u64,
    /// Whether the account has periods, whose past is history.
    pub has_periods: bool,
}

/// A ledger that is open: see the [module](self)'s page. A clone is another handle of the same one; the last to go closes it.
#[derive(Clone)]
pub struct Ledger(Arc<Handle>);

struct Handle {
    shared: Arc<Shared>,
    durability: Durability,
    /// Until it is started.
    idle: Mutex<Option<(Store, Duration)>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Ledger {
    /// Opens the file, or makes one if there is none at all. Until it is started nothing is lent.
    ///
    /// # Errors
    /// [`LedgerError`] names what is wrong with the file; [`LedgerError::Interval`] with the durability.
    pub fn open(options: &LedgerOptions) -> Result<Self, LedgerError> {
        let interval = options.durability.interval();
        let opened = if (Durability::WITHIN_MIN..=Durability::WITHIN_MAX).contains(&interval) {
            Files::new(&options.path).and_then(|files| Store::open(Box::new(files)))
        } else {
            Err(LedgerError::Interval { interval })
        };
        let store = opened.inspect_err(|error| told::refused(&options.path, error))?;
        let shared = Shared::new(told::named(&options.path), store.notices.clone());
        Ok(Self(Arc::new(Handle {
            shared: Arc::new(shared),
            durability: options.durability,
            idle: Mutex::new(Some((store, options.history))),
            thread: Mutex::new(None),
        })))
    }

    /// Starts the thread, which goes by `clock`: the one that the meters' moments are of. False if it was started before.
    ///
    /// # Errors
    /// [`LedgerError::Io`] if the system gives no thread.
    pub fn start(&self, clock: Arc<dyn Clock>) -> Result<bool, LedgerError> {
        let Some((store, history)) = lock(&self.0.idle).take() else {
            return Ok(false);
        };
        let shared = Arc::clone(&self.0.shared);
        let interval = self.0.durability.interval();
        let mut store = store;
        shared.show(store.database()?);
        let clerk = Clerk::new(store, shared, clock, interval, history);
        let thread = std::thread::Builder::new()
            .name("tollgate-ledger".to_owned())
            .spawn(move || clerk.run_guarded())
            .map_err(|error| LedgerError::Io(error.to_string()))?;
        self.0.shared.set_thread(thread.thread().clone());
        *lock(&self.0.thread) = Some(thread);
        Ok(true)
    }

    /// The account of `key`, which is made of `meter` if it is not in use already. `frame` is what [`Lasting`] says, `max` the most that the limit
    /// admits. Nothing is lent until it is first asked for.
    pub fn account<M: Lasting + 'static>(
        &self,
        key: &AccountKey,
        terms: Terms,
        max: u64,
        frame: i64,
        meter: impl FnOnce() -> M,
    ) -> Arc<Leased<M>> {
        let desk = Arc::clone(&self.0.shared) as _;
        self.0.shared.account(key.bytes(), terms, |number| {
            Arc::new(Leased::new(meter(), max, frame, number, desk))
        })
    }

    /// Tells how accounts drain of the limit that `key` is an account of, where units do, from `at` on; for what was on record before the
    /// first time it is told, ever since. It is to be told before the change is in force.
    ///
    /// By this the units of an account that is first used in this process after a change have drained until then no faster than the slowest
    /// did before. And accounts that nobody uses become history when they have drained, if one of which nothing is on record begins empty.
    pub fn limit_drains(&self, key: &AccountKey, drain: LimitDrain, at: Moment) {
        self.0.shared.limit_drains(key.bytes(), drain, at);
    }

    /// What is on record of the account of `key`, with the last commit; none if nothing is. Reads the file: not for those who admit.
    ///
    /// # Errors
    /// [`LedgerError`]; [`LedgerError::Io`] too while the disk fails and after the ledger was closed.
    pub fn record(&self, key: &AccountKey) -> Result<Option<AccountRecord>, LedgerError> {
        view::record(Path::new(&*self.0.shared.name), &*self.shown()?, key)
    }

    /// Whether an account of `key` is in use that has found what was on record.
    #[must_use]
    pub fn has_read(&self, key: &AccountKey) -> bool {
        self.0.shared.is_read(key.bytes())
    }

    /// How an account of `key` stands at `at`, if it is in use; else what one finds that is used for the first time in this process; none if
    /// that is nothing. May read the file, as [`Self::record`] does.
    ///
    /// # Errors
    /// As [`Self::record`].
    pub fn stands(
        &self,
        key: &AccountKey,
        at: Moment,
    ) -> Result<Option<AccountRecord>, LedgerError> {
        let shared = &self.0.shared;
        let has_periods = |stamp| key.period(stamp).is_some();
        if let Some(standing) = shared.standing(key.bytes(), at) {
            let has_periods = has_periods(standing.stamp);
            return Ok(Some(AccountRecord::new(key.clone(), standing, has_periods)));
        }
        let path = Path::new(&*shared.name);
        let mut record = view::record_or_passed(path, &*self.shown()?, key, at.wall)?;
        if let Some(record) = &mut record
            && !record.has_periods
        {
            record.standing = shared.drained(key.bytes(), &record.standing);
        }
        Ok(record)
    }

    /// The database, for those who only read it.
    fn shown(&self) -> Result<Arc<redb::Database>, LedgerError> {
        let shared = &self.0.shared;
        let closed = || LedgerError::Io(format!("{}: it is not open", shared.name));
        shared.shown().ok_or_else(closed)
    }

    /// Waits until a commit has ended, or failed, that may have answered whatever was asked before; at most for `most`. True if
    /// it succeeded.
    pub fn wait(&self, most: Duration) -> bool {
        self.0.shared.wait(most)
    }

    /// Waits until all that was told before is on disk, at most for `most`. True if it is.
    pub fn flush(&self, most: Duration) -> bool {
        self.0.shared.flush(most)
    }

    /// When what changed is on disk.
    #[must_use]
    pub fn durability(&self) -> Durability {
        self.0.durability
    }

    /// Counts a request that is admitted under `limit` although no record of it can be made now, since the disk fails and the policy says
    /// to go on. It is told in logs and metrics.
    pub fn count_unrecorded(&self, limit: &Arc<str>) {
        self.0.shared.count_unrecorded(limit);
    }

    /// How it is doing.
    #[must_use]
    pub fn status(&self) -> Status {
        self.0.shared.status()
    }

    /// Whether the last attempt to commit failed.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.0.shared.is_failing()
    }

    /// Closes every lease and the file: what is on disk then is what was committed, to the unit. Nothing is lent any more. Stop
    /// admitting before, and settle what is open. True if all of it is on disk.
    pub fn close(&self) -> bool {
        self.0.close()
    }
}

impl Handle {
    fn close(&self) -> bool {
        self.shared.stop();
        match lock(&self.thread).take() {
            Some(thread) => {
                let is_joined = thread.join().is_ok();
                is_joined && !self.shared.is_failing()
            }
            None => {
                // Never started, or closed before. Dropping the store closes the file.
                lock(&self.idle).take();
                self.shared.end_all();
                !self.shared.is_failing()
            }
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger")
            .field("durability", &self.0.durability)
            .field("status", &self.status())
            .finish()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // What is behind the mutexes here is whole between any two statements.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
