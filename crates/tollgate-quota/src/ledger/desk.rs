//! What admissions and the ledger's thread share: who asked, who waits, and which meter is which account's.
//!
//! Accounts ask through a lock-free queue. The mutexes are taken by those who make an account, who wait, and the
//! ledger's thread; never while that is inside a disk call.

use super::{
    Drain, Status, Terms,
    drain::{Draining, LimitDrain},
    flags::Urgency,
    key, lock,
    told::Unrecorded,
    walk::Began,
};
use crate::lease::{Ahead, Asked, Desk, Lasting, Leased, LeasedAccount};
use crossbeam::queue::SegQueue;
use redb::Database;
use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Condvar, Mutex, OnceLock, Weak,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::Thread,
    time::{Duration, Instant},
};
use tollgate_core::{Moment, Standing};

/// One account in use.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: Arc<[u8]>,
    pub(super) terms: Terms,
    /// Its newest meter.
    pub(super) account: Arc<dyn LeasedAccount>,
    /// Whether its meter has what was on record.
    pub(super) is_restored: bool,
    /// Whether nothing on record counts: an account of this key was evicted at rest in this process.
    pub(super) is_fresh: bool,
    /// Units that it should have at hand.
    pub(super) target: u64,
    /// What it had at hand after the last report.
    pub(super) left: u64,
    /// When that was.
    pub(super) reported_at: Option<Instant>,
    /// Requests refused that are on record.
    pub(super) refused: u64,
    /// Units on record beyond the limit.
    pub(super) debt: u64,
    /// Whether nobody knows it any more.
    pub(super) is_last: bool,
    /// The period of what was last lent.
    pub(super) period: Option<u64>,
    /// What a process before had lent of a period that is still to come: spent, as far as anybody knows.
    pub(super) carried: Option<Ahead>,
    /// The last period in which something was lent ahead, and what that was.
    pub(super) ahead: Option<(u64, Ahead)>,
    /// Whether it is to be visited before its period ends.
    pub(super) is_due: bool,
}

#[derive(Debug, Default)]
struct Registry {
    next: u64,
    accounts: HashMap<u64, Entry>,
    by_key: HashMap<Arc<[u8]>, u64>,
    /// How accounts drain, by what names their limit in their keys.
    drains: HashMap<Box<[u8]>, Draining>,
}

#[derive(Debug, Default)]
struct Rounds {
    begun: u64,
    ended: u64,
    has_failed: bool,
    is_over: bool,
}

pub(super) struct Shared {
    /// Its name, for what is told.
    pub(super) name: Arc<str>,
    pub(super) unrecorded: Unrecorded,
    inbox: SegQueue<u64>,
    registry: Mutex<Registry>,
    rounds: Mutex<Rounds>,
    round_ended: Condvar,
    urgency: Urgency,
    is_stopping: AtomicBool,
    began: OnceLock<Began>,
    thread: OnceLock<Thread>,
    status: Mutex<Status>,
    /// The database, for those who only read.
    shown: Mutex<Weak<Database>>,
}

impl Shared {
    pub(super) fn new(name: Arc<str>, notices: Vec<String>) -> Self {
        super::told::opened(&name, &notices);
        Self {
            name,
            unrecorded: Unrecorded::new(),
            inbox: SegQueue::new(),
            registry: Mutex::default(),
            rounds: Mutex::default(),
            round_ended: Condvar::new(),
            urgency: Urgency::new(),
            is_stopping: AtomicBool::new(false),
            began: OnceLock::new(),
            thread: OnceLock::new(),
            status: Mutex::new(Status {
                notices,
                ..Status::default()
            }),
            shown: Mutex::default(),
        }
    }

    /// Lets others read `database`, for as long as the ledger's thread has it.
    pub(super) fn show(&self, database: &Arc<Database>) {
        *lock(&self.shown) = Arc::downgrade(database);
    }

    /// Nobody reads the database from now on: who does keeps it open, and it is to be opened again.
    pub(super) fn hide(&self) {
        *lock(&self.shown) = Weak::new();
    }

    /// The database, if it is open.
    pub(super) fn shown(&self) -> Option<Arc<Database>> {
        lock(&self.shown).upgrade()
    }

    /// The process begins at `at`, by the clocks of the ledger's thread.
    pub(super) fn begin(&self, at: Moment) -> Began {
        // Once: as the thread.
        *self.began.get_or_init(|| Began(at))
    }

    pub(super) fn set_thread(&self, thread: Thread) {
        // Set once: a ledger is started once.
        let _ = self.thread.set(thread);
    }

    /// The account of `key`: the one in use, or else the one that `make` makes for a number.
    pub(super) fn account<M: Lasting + 'static>(
        &self,
        key: &[u8],
        terms: Terms,
        make: impl FnOnce(u64) -> Arc<Leased<M>>,
    ) -> Arc<Leased<M>> {
        let mut registry = lock(&self.registry);
        let (mut is_fresh, mut carried) = (false, None);
        if let Some(number) = registry.by_key.get(key).copied()
            && let Some(entry) = registry.accounts.get(&number)
        {
            let is_evicted = entry.account.is_evicted();
            let same = Arc::clone(&entry.account).into_any().downcast();
            if let (false, Ok(same)) = (is_evicted, same) {
                return same;
            }
            // Evicted at rest. (No other meter has the same key, whose algorithm it has.) One that was never charged with what is on
            // record tells nothing of that.
            is_fresh = is_evicted && (entry.is_restored || entry.is_fresh);
            carried = entry.carried;
            entry.account.holder().revoke();
            registry.accounts.remove(&number);
        }
        let number = registry.next;
        registry.next += 1;
        let made = make(number);
        let key: Arc<[u8]> = key.into();
        registry.by_key.insert(Arc::clone(&key), number);
        let entry = Entry {
            key,
            terms,
            account: Arc::clone(&made) as _,
            is_restored: false,
            is_fresh,
            target: 0,
            left: 0,
            reported_at: None,
            refused: 0,
            debt: 0,
            is_last: false,
            period: None,
            carried,
            ahead: None,
            is_due: false,
        };
        registry.accounts.insert(number, entry);
        made
    }

    pub(super) fn entry(&self, number: u64) -> Option<Entry> {
        lock(&self.registry).accounts.get(&number).cloned()
    }

    /// The newest meter of the account of this key that is in use and has what was on record, if there is one.
    fn read(&self, key: &[u8]) -> Option<Arc<dyn LeasedAccount>> {
        let registry = lock(&self.registry);
        let entry = registry.accounts.get(registry.by_key.get(key)?)?;
        (entry.is_restored || entry.is_fresh).then(|| Arc::clone(&entry.account))
    }

    /// Whether there is such an account.
    pub(super) fn is_read(&self, key: &[u8]) -> bool {
        self.read(key).is_some()
    }

    /// How it stands.
    pub(super) fn standing(&self, key: &[u8], at: Moment) -> Option<Standing> {
        let (_, standing) = self.read(key)?.standing(at)?;
        Some(standing)
    }

    /// Whether an account of this key is in use.
    pub(super) fn has(&self, key: &[u8]) -> bool {
        lock(&self.registry).by_key.contains_key(key)
    }

    /// Accounts of the limit of this key drain so from `at` on.
    pub(super) fn limit_drains(&self, key: &[u8], drain: LimitDrain, at: Moment) {
        let wall = self.began.get().map_or(at.wall, |began| began.certain(at));
        let drains = &mut lock(&self.registry).drains;
        let known = drains.entry(key::limit_of(key).into());
        known.or_insert(Draining::new(drain)).change(drain, wall);
    }

    fn draining(&self, key: &[u8]) -> Option<Draining> {
        lock(&self.registry).drains.get(key::limit_of(key)).copied()
    }

    /// How the slowest account of the limit of this key drains and has drained to nothing, as far as that was told.
    pub(super) fn drain_of(&self, key: &[u8]) -> Drain {
        let draining = self.draining(key);
        draining.map_or(Drain::Never, Draining::to_nothing)
    }

    /// What was left of `standing`, which is of the limit of this key, when that came to drain as it does now.
    pub(super) fn drained(&self, key: &[u8], standing: &Standing) -> Standing {
        let draining = self.draining(key);
        draining.map_or(*standing, |draining| draining.before_now(standing))
    }

    /// The newest meter of an account.
    pub(super) fn newest(&self, number: u64) -> Option<Arc<dyn LeasedAccount>> {
        let registry = lock(&self.registry);
        let entry = registry.accounts.get(&number)?;
        Some(Arc::clone(&entry.account))
    }

    /// Changes what the ledger's thread remembers of an account.
    pub(super) fn change(&self, number: u64, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = lock(&self.registry).accounts.get_mut(&number) {
            change(entry);
        }
    }

    /// Forgets an account that nobody uses any more.
    pub(super) fn remove(&self, number: u64) {
        let mut registry = lock(&self.registry);
        if let Some(entry) = registry.accounts.remove(&number)
            && registry.by_key.get(&entry.key) == Some(&number)
        {
            registry.by_key.remove(&entry.key);
        }
    }

    /// Accounts that do not ask: those that nobody knows any more, since their limit is gone, and nobody finds from now on; and those
    /// that have only refused since their last report.
    pub(super) fn left_over(&self) -> Vec<u64> {
        let mut registry = lock(&self.registry);
        let Registry {
            accounts, by_key, ..
        } = &mut *registry;
        let mut left = Vec::new();
        for (number, entry) in accounts {
            let is_last = Arc::strong_count(&entry.account) == 1;
            if is_last {
                entry.is_last = true;
                by_key.remove(&entry.key);
            }
            if is_last || entry.account.refused() != entry.refused {
                left.push(*number);
            }
        }
        left
    }

    pub(super) fn numbers(&self) -> Vec<u64> {
        lock(&self.registry).accounts.keys().copied().collect()
    }

    /// Forgets all accounts: their meters know this, and would keep it alive.
    pub(super) fn clear(&self) {
        let mut registry = lock(&self.registry);
        registry.by_key.clear();
        // Dropped after the lock is.
        let accounts = std::mem::take(&mut registry.accounts);
        drop(registry);
        drop(accounts);
    }

    /// Accounts that asked, each perhaps more than once.
    pub(super) fn asked(&self, most: usize) -> Vec<u64> {
        std::iter::from_fn(|| self.inbox.pop()).take(most).collect()
    }

    pub(super) fn ask_again(&self, numbers: &[u64]) {
        for &number in numbers {
            self.inbox.push(number);
        }
    }

    /// Nobody is in a hurry any more: what was asked before this is in the queue.
    pub(super) fn take_urgent(&self) {
        self.urgency.take();
    }

    pub(super) fn is_urgent(&self) -> bool {
        self.urgency.is_urgent()
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Relaxed)
    }

    fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    pub(super) fn stop(&self) {
        self.is_stopping.store(true, Relaxed);
        self.wake();
    }

    pub(super) fn begin_round(&self) {
        lock(&self.rounds).begun += 1;
    }

    pub(super) fn end_round(&self, failed: Option<String>, records: u64) {
        let mut status = lock(&self.status);
        match &failed {
            Some(_) => status.failures += 1,
            None if records > 0 => {
                status.commits += 1;
                status.records += records;
            }
            None => {}
        }
        // A round without records says nothing of the disk.
        if failed.is_some() || records > 0 {
            status.failing = failed;
        }
        let has_failed = status.failing.is_some();
        drop(status);
        let mut rounds = lock(&self.rounds);
        rounds.ended = rounds.begun;
        rounds.has_failed = has_failed;
        drop(rounds);
        self.round_ended.notify_all();
    }

    /// Nobody answers any more.
    pub(super) fn end_all(&self) {
        lock(&self.rounds).is_over = true;
        self.round_ended.notify_all();
    }

    /// Waits until the round that is going on, or else the next, has ended.
    pub(super) fn wait(&self, most: Duration) -> bool {
        self.wait_for(most, |rounds| rounds.ended + 1)
    }

    /// Waits until a round has ended that begins after this.
    pub(super) fn flush(&self, most: Duration) -> bool {
        self.wait_for(most, |rounds| rounds.begun + 1)
    }

    fn wait_for(&self, most: Duration, which: impl Fn(&Rounds) -> u64) -> bool {
        let rounds = lock(&self.rounds);
        let which = which(&rounds);
        self.urgency.begin_wait();
        self.wake();
        let goes_on = |rounds: &mut Rounds| rounds.ended < which && !rounds.is_over;
        let waited = self.round_ended.wait_timeout_while(rounds, most, goes_on);
        let (rounds, _) = waited.unwrap_or_else(std::sync::PoisonError::into_inner);
        self.urgency.end_wait();
        rounds.ended >= which && !rounds.has_failed
    }

    pub(super) fn notice(&self, notice: String) {
        lock(&self.status).notices.push(notice);
    }

    pub(super) fn status(&self) -> Status {
        Status {
            accounts: self.accounts(),
            unrecorded: self.unrecorded.so_far(),
            ..lock(&self.status).clone()
        }
    }

    pub(super) fn accounts(&self) -> usize {
        lock(&self.registry).accounts.len()
    }

    pub(super) fn count_unrecorded(&self, limit: &Arc<str>) {
        self.unrecorded.count(&self.name, limit);
    }

    pub(super) fn is_failing(&self) -> bool {
        lock(&self.status).failing.is_some()
    }
}

impl Desk for Shared {
    fn ask(&self, account: u64, asked: Asked) {
        self.inbox.push(account);
        if asked == Asked::Now && self.urgency.hurry() {
            self.wake();
        }
    }

    fn succeed(&self, account: u64, successor: Arc<dyn LeasedAccount>) {
        self.change(account, |entry| {
            // A slower caller may bring an older one.
            if successor.generation() > entry.account.generation() {
                entry.account = successor;
            }
        });
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;
    use crate::Lifetime;
    use tollgate_core::{Cost, Meter, Nanos, Wall};

    const AT: Moment = Moment::new(Nanos::ZERO, Wall(0));
    const TERMS: Terms = Terms {
        lease: 5,
        initial: 0,
        has_periods: false,
    };
    /// Longer than any test takes.
    const LONG: Duration = Duration::from_secs(60);

    fn shared() -> Arc<Shared> {
        Arc::new(Shared::new("a ledger".into(), Vec::new()))
    }

    fn account(shared: &Arc<Shared>, key: &[u8]) -> Arc<Leased<Lifetime>> {
        let desk = Arc::clone(shared) as _;
        shared.account(key, TERMS, |number| {
            Arc::new(Leased::new(Lifetime::new(), 10, 0, number, desk))
        })
    }

    #[test]
    fn account_is_known_by_its_key_until_it_is_removed() {
        let shared = shared();
        let one = account(&shared, b"one");
        assert!(Arc::ptr_eq(&one, &account(&shared, b"one")));
        assert!(shared.newest(0).is_some() && shared.newest(1).is_none());
        let other = account(&shared, b"other");
        assert!(other.close_at_rest(AT));
        let again = account(&shared, b"other");
        assert!(!Arc::ptr_eq(&other, &again));
        assert_eq!(shared.numbers().len(), 2, "the one that was closed is gone");
        assert!(shared.has(b"other") && Arc::ptr_eq(&again, &account(&shared, b"other")));
        shared.remove(2);
        assert!(!shared.has(b"other") && shared.has(b"one"));
        shared.clear();
        assert_eq!((shared.accounts(), shared.has(b"one")), (0, false));
    }

    #[test]
    fn accounts_that_nobody_knows_or_that_only_refuse_are_left_over() {
        let shared = shared();
        let (kept, refusing) = (account(&shared, b"kept"), account(&shared, b"refusing"));
        drop(account(&shared, b"gone"));
        refusing.count_refused();
        let mut left = shared.left_over();
        left.sort_unstable();
        assert_eq!(left, [1, 2]);
        let is_last = |number| shared.entry(number).map(|entry| entry.is_last);
        assert_eq!(
            [0, 1, 2].map(is_last),
            [Some(false), Some(false), Some(true)]
        );
        assert!(!shared.has(b"gone") && shared.has(b"refusing"));
        shared.change(1, |entry| entry.refused = 1);
        assert_eq!(shared.left_over(), [2], "its refusal is on record");
        // Its key may be another's by the time that it is removed.
        let back = account(&shared, b"gone");
        shared.remove(2);
        assert!(Arc::ptr_eq(&back, &account(&shared, b"gone")));
        drop(kept);
    }

    #[test]
    fn rounds_are_counted_by_what_they_wrote() {
        let shared = shared();
        let rounds: [(Option<&str>, u64); 6] = [
            (None, 0),
            (None, 3),
            (Some("full"), 0),
            (None, 0),
            (None, 4),
            (None, 0),
        ];
        let mut told = Vec::new();
        for (failed, records) in rounds {
            shared.begin_round();
            shared.end_round(failed.map(str::to_owned), records);
            let status = shared.status();
            let counts = [status.commits, status.records, status.failures];
            told.push((counts, status.failing.is_some()));
        }
        let expected = [
            ([0, 0, 0], false),
            ([1, 3, 0], false),
            ([1, 3, 1], true),
            ([1, 3, 1], true),
            ([2, 7, 1], false),
            ([2, 7, 1], false),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn who_waits_is_released_by_the_round_that_was_waited_for() {
        let shared = shared();
        for flushes in [false, true] {
            shared.begin_round();
            let begun = Instant::now();
            std::thread::scope(|scope| {
                let waits = scope.spawn(|| match flushes {
                    true => shared.flush(LONG),
                    false => shared.wait(LONG),
                });
                while !shared.is_urgent() {
                    std::thread::yield_now();
                }
                shared.end_round(None, 0);
                if flushes {
                    // One that began before is not enough.
                    std::thread::sleep(Duration::from_millis(20));
                    assert!(!waits.is_finished());
                    shared.begin_round();
                    shared.end_round(None, 0);
                }
                assert!(waits.join().unwrap());
            });
            assert!(begun.elapsed() < LONG / 2 && !shared.is_urgent());
        }
        shared.end_all();
        assert!(!shared.wait(LONG));
    }

    #[test]
    fn only_who_asks_at_once_is_in_a_hurry() {
        let shared = shared();
        shared.ask(3, Asked::Soon);
        assert!(!shared.is_urgent());
        shared.ask(4, Asked::Now);
        assert!(shared.is_urgent());
        shared.take_urgent();
        assert!(!shared.is_urgent());
        assert_eq!((shared.asked(1), shared.asked(9)), (vec![3], vec![4]));
    }

    #[test]
    fn later_meter_of_an_account_stays() {
        let shared = shared();
        let first = account(&shared, b"one");
        let second = Arc::new(first.successor(Lifetime::new()));
        let third = Arc::new(second.successor(Lifetime::new()));
        let generation = || shared.newest(0).map(|account| account.generation());
        shared.succeed(0, Arc::clone(&third) as _);
        assert_eq!(generation(), Some(2));
        shared.succeed(0, second);
        assert_eq!(generation(), Some(2), "a slower caller brings an older one");
        assert!(third.charge_anyway(AT, Cost::ONE, 10).is_ok());
    }
}
