//! The ledger's thread: comes by the accounts that asked, writes what it found in one transaction, and lends what is on disk.

use super::{
    LedgerError,
    books::{Books, seal, sealed},
    desk::{Entry, Shared},
    file::{Store, guarded},
    told::Teller,
};
use redb::Durability;
use std::{
    collections::HashSet,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use tollgate_core::{Authority, Clock, LeaseId, Moment, Report};

/// Most accounts written with one commit.
const BATCH_MAX: usize = 65_536;
/// How long to wait after a failure, at first and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));
/// An account has at hand what it spends in so many intervals between commits, and at least in so long.
const HORIZON_INTERVALS: u32 = 4;
const HORIZON_MIN: Duration = Duration::from_millis(100);
/// Rounds between two looks for accounts that nobody uses any more or that only refuse, and for past periods to forget.
const ROUNDS_TO_TIDY: u64 = 1_024;

pub(super) struct Clerk {
    store: Store,
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
    interval: Duration,
    history: Duration,
    /// The last lease that was given before this process, and the last that it has tried to give.
    leases: Option<(u64, u64)>,
    backoff: Option<Duration>,
    rounds: u64,
    teller: Teller,
}

/// What was written of an account, and is to be done when that is on disk.
struct Written {
    number: u64,
    outcome: Outcome,
}

enum Outcome {
    Lent {
        period: u64,
        more: u64,
        target: u64,
        stock: u64,
        refused: u64,
        debt: u64,
    },
    /// Nothing is lent to it any more.
    Closed,
}

impl Clerk {
    pub(super) fn new(
        store: Store,
        shared: Arc<Shared>,
        clock: Arc<dyn Clock>,
        interval: Duration,
        history: Duration,
    ) -> Self {
        Self {
            teller: Teller::new(Arc::clone(&shared.name)),
            store,
            shared,
            clock,
            interval,
            history,
            leases: None,
            backoff: None,
            rounds: 0,
        }
    }

    /// Until the ledger is closed.
    pub(super) fn run(&mut self) {
        let mut next = Instant::now() + self.interval;
        while !self.shared.is_stopping() {
            let now = Instant::now();
            let in_time = now >= next || self.shared.is_urgent();
            if in_time {
                self.shared.take_urgent();
                next = now + self.interval;
                self.round();
                if let Some(backoff) = self.backoff {
                    // Those who wait learn at once that it failed, and are not served before.
                    next = Instant::now() + backoff;
                    while !self.shared.is_stopping() && Instant::now() < next {
                        thread::park_timeout(next - Instant::now());
                    }
                }
            } else {
                thread::park_timeout(next - now);
            }
        }
        self.close();
        self.shared.end_all();
        self.shared.clear();
    }

    /// Comes by all accounts that asked.
    pub(super) fn round(&mut self) {
        self.shared.begin_round();
        let mut asked = self.shared.asked(BATCH_MAX);
        let mut seen = HashSet::with_capacity(asked.len());
        asked.retain(|number| seen.insert(*number));
        self.rounds += 1;
        if self.rounds.is_multiple_of(ROUNDS_TO_TIDY) {
            let left = self.shared.left_over();
            asked.extend(left.into_iter().filter(|number| seen.insert(*number)));
        }
        self.finish(asked, false);
    }

    /// Closes all leases.
    fn close(&mut self) {
        self.shared.begin_round();
        let numbers = self.shared.numbers();
        self.finish(numbers, true);
        self.store.give_up();
    }

    fn finish(&mut self, numbers: Vec<u64>, closing: bool) {
        let at = self.clock.moment();
        let begun = Instant::now();
        let committed = if numbers.is_empty() {
            Ok(Vec::new())
        } else {
            self.commit(&numbers, at, closing)
        };
        match committed {
            Ok(written) => {
                let (records, took) = (written.len() as u64, begun.elapsed());
                for written in written {
                    self.lend(written);
                }
                self.backoff = None;
                self.shared.end_round(None, records);
                if records > 0 {
                    let (accounts, unrecorded) = (self.shared.accounts(), &self.shared.unrecorded);
                    self.teller.committed(records, took, accounts, unrecorded);
                }
            }
            Err(error) => {
                // Older records still cover everything: nothing was lent.
                self.store.give_up();
                self.shared.ask_again(&numbers);
                let (first, most) = BACKOFF;
                self.backoff = Some(self.backoff.map_or(first, |last| (last * 2).min(most)));
                self.shared.end_round(Some(error.to_string()), 0);
                self.teller.failed(&error);
            }
        }
    }

    fn commit(
        &mut self,
        numbers: &[u64],
        at: Moment,
        closing: bool,
    ) -> Result<Vec<Written>, LedgerError> {
        let path = self.store.path();
        let database = self.store.database()?;
        self.shared.show(database);
        let (first, last) = match self.leases {
            Some(leases) => leases,
            None => {
                let (wall, last) = guarded(&path, || sealed(database.as_ref()))?;
                if let Some(wall) = wall.filter(|wall| *wall > at.wall) {
                    let notice = format!(
                        "the clock reads {:?} earlier than at the last commit: later periods stay begun",
                        wall.since(at.wall)
                    );
                    self.teller.noticed(&notice);
                    self.shared.notice(notice);
                }
                (last, last)
            }
        };
        // A commit that failed may be on disk all the same: its leases are never given again.
        let most = last.saturating_add(numbers.len() as u64);
        self.leases = Some((first, most));
        let now = Instant::now();
        guarded(&path, || {
            let mut transaction = database.begin_write()?;
            transaction.set_durability(Durability::Immediate)?;
            let mut books = Books::open(&transaction, at.wall, last)?;
            let mut written = Vec::with_capacity(numbers.len());
            for &number in numbers {
                let Some(entry) = self.shared.entry(number) else {
                    continue;
                };
                let visit = Visit {
                    shared: &self.shared,
                    books: &mut books,
                    number,
                    entry,
                    at,
                    closing,
                    first,
                    now,
                    interval: self.interval,
                };
                let outcome = visit.write()?;
                written.extend(outcome.map(|outcome| Written { number, outcome }));
            }
            if self.rounds.is_multiple_of(ROUNDS_TO_TIDY) {
                books.prune(self.history)?;
            }
            drop(books);
            seal(&transaction, at.wall, most)?;
            transaction.commit()?;
            Ok(written)
        })
    }

    /// What was written is on disk.
    fn lend(&mut self, written: Written) {
        let Written { number, outcome } = written;
        match outcome {
            Outcome::Lent {
                period,
                more,
                target,
                stock,
                refused,
                debt,
            } => {
                let mut debts = None;
                self.shared.change(number, |entry| {
                    entry.target = target;
                    entry.stock = stock;
                    entry.refused = refused;
                    entry.reported_at = Some(Instant::now());
                    let holder = entry.account.holder();
                    holder.set_low(target / 4);
                    holder.lend(period, more);
                    let before = std::mem::replace(&mut entry.debt, debt);
                    if before != debt {
                        debts = Some((Arc::clone(&entry.key), before));
                    }
                });
                if let Some((key, before)) = debts {
                    self.teller.debt(&key, before, debt);
                }
            }
            Outcome::Closed => self.shared.remove(number),
        }
    }
}

/// One account, within a transaction.
struct Visit<'v, 't> {
    shared: &'v Shared,
    books: &'v mut Books<'t>,
    number: u64,
    entry: Entry,
    at: Moment,
    closing: bool,
    /// Leases up to this one are of other processes.
    first: u64,
    now: Instant,
    interval: Duration,
}

impl Visit<'_, '_> {
    fn write(mut self) -> Result<Option<Outcome>, redb::Error> {
        let key = Arc::clone(&self.entry.key);
        self.books.has_periods = self.entry.terms.has_periods;
        if !self.entry.is_restored {
            self.restore(&key)?;
        }
        if self.closing || self.entry.is_last {
            // Nothing is taken from here on, so that what the meter says is all there is.
            self.entry.account.holder().revoke();
        }
        if self.entry.account.is_evicted() {
            self.books.forget(&key)?;
            return Ok(Some(Outcome::Closed));
        }
        let refused = self.entry.account.refused();
        self.books.refused = refused.wrapping_sub(self.entry.refused);
        let holder_of = Arc::clone(&self.entry.account);
        let holder = holder_of.holder();
        let target = self.target(holder.take_wanted());
        let stock = holder.begin(target);
        // After the stock: if that shows a charge of a successor's, this is that successor.
        let account = self.shared.newest(self.number).unwrap_or(holder_of.clone());
        let standing = account.standing(self.at);
        holder.end();
        let Some((now, standing)) = standing else {
            // About to be taken over, or evicted just now: next time.
            self.shared.ask_again(&[self.number]);
            return Ok(None);
        };
        let lease = self.open_lease(&key)?;
        let Some((period, unspent)) = stock else {
            // Revoked.
            match lease {
                Some(lease) => drop(self.books.give_back(&key, lease, standing)?),
                None if standing.committed > 0 => {
                    if let Some(lease) = self.books.lend(&key, standing, 0)? {
                        self.books.give_back(&key, lease, standing)?;
                    }
                }
                None => {}
            }
            return Ok(Some(Outcome::Closed));
        };
        // Stock of another period is worth nothing in this one.
        let kept = if period == now { unspent } else { 0 };
        let more = target.saturating_sub(kept);
        let lease = match lease {
            None => self.books.lend(&key, standing, more)?,
            Some(lease) => {
                let report = Report { standing, unspent };
                self.books.renew(&key, lease, report, more)?
            }
        };
        // Invariant: the lease was looked up in this very transaction.
        debug_assert!(lease.is_some());
        Ok(lease.map(|_| Outcome::Lent {
            period: now,
            more,
            target,
            stock: kept + more,
            refused,
            debt: standing.committed.saturating_sub(standing.max),
        }))
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

    /// Charges what was on record, once.
    fn restore(&mut self, key: &[u8]) -> Result<(), redb::Error> {
        let record = if self.entry.is_fresh {
            self.books.forget(key)?;
            None
        } else {
            self.books.recover(key)?
        };
        let account = &self.entry.account;
        match record {
            Some(record) => account.restore(&record.standing, record.out, self.at),
            None => account.begin_with(self.entry.terms.initial, self.at),
        }
        self.entry.is_restored = true;
        // At once: if the commit fails, the meter has it all the same.
        self.shared
            .change(self.number, |entry| entry.is_restored = true);
        Ok(())
    }

    /// Units that the account should have at hand: what it spends in the time of a few commits, by its last report. It grows at once
    /// and falls slowly, so that a short rest costs no dry spell.
    fn target(&self, wanted: u64) -> u64 {
        let Entry {
            terms,
            account,
            target,
            stock,
            reported_at,
            ..
        } = &self.entry;
        let left = account.holder().stock().map_or(0, |(_, stock)| stock);
        let spent = u128::from(stock.saturating_sub(left));
        let passed = reported_at.map_or(Duration::ZERO, |then| self.now.duration_since(then));
        let horizon = HORIZON_MIN
            .max(self.interval * HORIZON_INTERVALS)
            .as_micros();
        let by_demand = spent * horizon / passed.as_micros().max(1);
        let by_demand = u64::try_from(by_demand).unwrap_or(u64::MAX);
        // Whoever was dry had spent all there was, or nothing is known of it yet.
        let dry = if wanted > 0 {
            target.saturating_mul(4).max(wanted.saturating_mul(2))
        } else {
            0
        };
        let slowly = target - target / 8;
        by_demand
            .max(dry)
            .max(slowly)
            .clamp(1, terms.lease.max(1))
            .max(wanted)
    }
}
