//! The ledger's thread: comes by the accounts that asked, writes what it found in one transaction, and lends what is on disk.

use super::{
    LedgerError,
    books::{Books, Seal, new_writer, seal},
    desk::Shared,
    file::{Store, guarded},
    told::Teller,
    visit::{Due, Outcome, Visit, ns},
    walk::Walk,
};
use redb::Durability;
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashSet, binary_heap::PeekMut},
    panic::{self, AssertUnwindSafe},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use tollgate_core::{Clock, Moment, Wall};

/// Most accounts written with one commit.
const BATCH_MAX: usize = 65_536;
/// How long to wait after a failure, at first and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));
/// Rounds between two looks for accounts that nobody uses any more or that only refuse.
pub(super) const ROUNDS_TO_TIDY: u64 = 1_024;
/// Of accounts that are gone, so many may still be due, beside as many as are in use.
const GONE_DUE_MAX: usize = 1_024;

pub(super) struct Clerk {
    store: Store,
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
    interval: Duration,
    /// By what its commits are known.
    writer: u64,
    /// The last lease that was given before this process, and the last that it has tried to give.
    leases: (u64, u64),
    /// The wall time of the last commit before this process, until it is compared with the clock.
    sealed_at: Option<Wall>,
    /// The last lease that is on record for certain. Each commit has another one there.
    sealed: u64,
    backoff: Option<Duration>,
    rounds: u64,
    teller: Teller,
    walk: Walk,
    /// Accounts to come by before their period ends, the first one first: by the clock that rates go by, and by the wall's.
    due: [BinaryHeap<Reverse<(i64, u64)>>; 2],
}

/// What was written of an account, and is to be done when that is on disk.
struct Written {
    number: u64,
    outcome: Outcome,
}

impl Clerk {
    pub(super) fn new(
        store: Store,
        shared: Arc<Shared>,
        clock: Arc<dyn Clock>,
        interval: Duration,
        history: Duration,
    ) -> Self {
        let Seal {
            wall, lease: last, ..
        } = store.sealed;
        Self {
            teller: Teller::new(Arc::clone(&shared.name)),
            walk: Walk::new(shared.begin(clock.moment()), history),
            store,
            shared,
            clock,
            interval,
            writer: new_writer(),
            leases: (last, last),
            sealed_at: wall,
            sealed: last,
            backoff: None,
            rounds: 0,
            due: Default::default(),
        }
    }

    /// Until the ledger is closed. The clock, and whoever takes in logs and metrics, are not ours: if one of them panics, that
    /// is as if the disk failed for good, and nobody waits for what does not come.
    pub(super) fn run_guarded(mut self) {
        // Unwind safe: nothing of this is used any more, but for what is shared, which is whole between any two statements.
        let run = panic::catch_unwind(AssertUnwindSafe(|| self.run()));
        if run.is_err() {
            let error = LedgerError::Io(format!("{}: its thread has panicked", self.shared.name));
            self.shared.end_round(Some(error.to_string()), 0);
            self.shared.end_all();
            self.teller.failed(&error);
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
        self.forget_gone();
        let at = self.clock.moment();
        for (by_wall, due) in [false, true].into_iter().zip(&mut self.due) {
            let now = ns(at, by_wall);
            while asked.len() < BATCH_MAX
                && let Some(first) = due.peek_mut()
                && first.0.0 <= now
            {
                let Reverse((_, number)) = PeekMut::pop(first);
                self.shared.change(number, |entry| entry.is_due = false);
                asked.extend(Some(number).filter(|number| seen.insert(*number)));
            }
        }
        self.finish(asked, false);
    }

    /// Forgets when to come by accounts that are gone.
    fn forget_gone(&mut self) {
        let due: usize = self.due.iter().map(BinaryHeap::len).sum();
        if due > 2 * self.shared.accounts() + GONE_DUE_MAX {
            let numbers: HashSet<u64> = self.shared.numbers().into_iter().collect();
            for due in &mut self.due {
                due.retain(|Reverse((_, number))| numbers.contains(number));
            }
        }
    }

    /// Closes all leases.
    fn close(&mut self) {
        self.shared.begin_round();
        let numbers = self.shared.numbers();
        self.finish(numbers, true);
        self.store.give_up();
    }

    fn finish(&mut self, mut numbers: Vec<u64>, closing: bool) {
        // The older of two that have the same key first: one that is gone returns its lease before the next is lent anything, which
        // that return would take off the record.
        numbers.sort_unstable();
        let at = self.clock.moment();
        let begun = Instant::now();
        let committed = if numbers.is_empty() {
            // What was written before is to be there when it is closed.
            let there = if closing {
                self.store.still_there()
            } else {
                Ok(())
            };
            there.map(|()| Vec::new())
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
                self.shared.hide();
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
        self.store.still_there()?;
        let database = Arc::clone(self.store.database()?);
        self.shared.show(&database);
        let (first, last) = self.leases;
        // It was opened again: what may be there is what was found, or what this process has tried since. Nobody else may have been there.
        if self.backoff.is_some() {
            let there = guarded(&path, || Seal::read(database.as_ref()))?;
            let is_as_found = self.sealed == first && there == self.store.sealed;
            let is_ours =
                there.writer == Some(self.writer) && (self.sealed..=last).contains(&there.lease);
            if !is_as_found && !is_ours {
                return Err(LedgerError::Replaced { path });
            }
        }
        if let Some(wall) = self.sealed_at.take().filter(|wall| *wall > at.wall) {
            let notice = format!(
                "the clock reads {:?} earlier than at the last commit: later periods stay begun",
                wall.since(at.wall)
            );
            self.teller.noticed(&notice);
            self.shared.notice(notice);
        }
        // A commit that failed may be on disk all the same: its leases are never given again.
        let most = last.saturating_add(numbers.len() as u64);
        self.leases = (first, most);
        let now = Instant::now();
        let (shared, walk, writer) = (&self.shared, &mut self.walk, self.writer);
        let (written, step) = guarded(&path, || {
            let mut transaction = database.begin_write()?;
            transaction.set_durability(Durability::Immediate)?;
            let mut books = Books::open(&transaction, at.wall, last)?;
            let mut written = Vec::with_capacity(numbers.len());
            for &number in numbers {
                let Some(entry) = shared.entry(number) else {
                    continue;
                };
                let visit = Visit {
                    shared,
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
            let drain_of = |key: &[u8]| shared.drain_of(key);
            let step = walk.step(&mut books, written.len(), at, drain_of, |key, lease| {
                shared.has(key) || lease.is_some_and(|lease| lease.0 > first)
            })?;
            drop(books);
            seal(&transaction, at.wall, most, writer)?;
            transaction.commit()?;
            Ok((written, step))
        })?;
        // Nor is anything lent of what was written to a file that was taken away meanwhile.
        drop(database);
        self.store.still_there()?;
        self.walk.went(step, at);
        self.sealed = most;
        Ok(written)
    }

    /// What was written is on disk.
    fn lend(&mut self, written: Written) {
        let Written { number, outcome } = written;
        match outcome {
            Outcome::Lent(lent) => {
                let (mut debts, mut due) = (None, None);
                self.shared.change(number, |entry| {
                    let before = std::mem::replace(&mut entry.debt, lent.debt);
                    if before != lent.debt {
                        debts = Some((Arc::clone(&entry.key), before));
                    }
                    if !entry.is_due {
                        due = lent.due;
                        entry.is_due = due.is_some();
                    }
                    lent.hand_over(entry);
                });
                if let Some(Due { by_wall, at }) = due {
                    self.due[usize::from(by_wall)].push(Reverse((at, number)));
                }
                if let Some((key, before)) = debts {
                    self.teller.debt(&key, before, lent.debt);
                }
            }
            Outcome::Closed => self.shared.remove(number),
        }
    }
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::{
        super::{Terms, faults::Disk, file::PAST},
        *,
    };
    use crate::{Calendar, CalendarMeter, calendar::CalendarPeriod, lease::Leased};
    use redb::{ReadableDatabase, ReadableTableMetadata};
    use tollgate_core::{Cost, ManualClock, Meter};

    /// They were forgotten only if something was written in the very round in which the ledger looked for them, hardly ever with a quiet gate.
    /// A walk that is through rests for a day.
    #[test]
    fn past_periods_are_forgotten_after_their_time_and_not_before() {
        const DAY: Duration = Duration::from_secs(86_400);
        let store = Store::open(Box::new(Disk::formatted())).unwrap();
        let shared = Arc::new(Shared::new("memory".into(), Vec::new()));
        let clock = Arc::new(ManualClock::new());
        let by = Arc::clone(&clock) as _;
        let mut clerk = Clerk::new(store, Arc::clone(&shared), by, DAY, 10 * DAY);
        let days = Calendar::new(CalendarPeriod::Day, "UTC").unwrap();
        let days = CalendarMeter::new(tollgate_sync::Arc::new(days), 9);
        let terms = Terms {
            lease: 4,
            initial: 0,
            has_periods: true,
        };
        let desk = Arc::clone(&shared) as _;
        let days = shared.account(b"days", terms, |number| {
            Arc::new(Leased::new(days, 9, 0, number, desk))
        });
        // Uses a unit, long after the last one; how many past periods there are then.
        let mut past_after = |passed: Duration| {
            clock.advance(passed);
            while days.charge(clock.moment(), Cost::ONE, 9).is_err() {
                clerk.round();
            }
            days.ask_for(Cost::new(9).unwrap(), clock.moment());
            clerk.round();
            let database = clerk.store.database().unwrap();
            let past = database.begin_read().unwrap().open_table(PAST).unwrap();
            past.len().unwrap()
        };
        assert_eq!(past_after(Duration::ZERO), 0);
        assert_eq!(past_after(DAY), 1);
        assert_eq!(past_after(10 * DAY), 2, "the first has ended ten days ago");
        assert_eq!(past_after(DAY - Duration::from_nanos(1)), 2);
        assert_eq!(
            past_after(Duration::from_nanos(1)),
            2,
            "one more, and two less"
        );
    }

    /// Every key that was used once stayed due until its period ended.
    #[test]
    fn accounts_that_are_gone_do_not_stay_due_until_their_period_ends() {
        const AT_ONCE: u64 = 512;
        let store = Store::open(Box::new(Disk::formatted())).unwrap();
        let shared = Arc::new(Shared::new("memory".into(), Vec::new()));
        let second = Duration::from_secs(1);
        let clock = Arc::new(ManualClock::new());
        let mut clerk = Clerk::new(store, Arc::clone(&shared), clock, second, second);
        let calendar = Calendar::new(CalendarPeriod::Month { anchor_day: 1 }, "UTC").unwrap();
        let calendar = tollgate_sync::Arc::new(calendar);
        let terms = Terms {
            lease: 4,
            initial: 0,
            has_periods: true,
        };
        let at = Moment::default();
        let mut most = 0;
        for round in 0..12 {
            let months = (0..AT_ONCE).map(|account| {
                let key = (round * AT_ONCE + account).to_le_bytes();
                let desk = Arc::clone(&shared) as _;
                shared.account(&key, terms, |number| {
                    let month = CalendarMeter::new(tollgate_sync::Arc::clone(&calendar), 9);
                    Arc::new(Leased::new(month, 9, 0, number, desk))
                })
            });
            let months: Vec<_> = months.collect();
            months.iter().for_each(|month| month.ask_for(Cost::ONE, at));
            clerk.round();
            let charge = |month: &Arc<Leased<CalendarMeter>>| {
                let charged = month.charge(at, Cost::ONE, 9).unwrap();
                (Arc::clone(month), charged.receipt)
            };
            let charged: Vec<_> = months.iter().map(charge).collect();
            clerk.round();
            most = most.max(clerk.due.iter().map(BinaryHeap::len).sum());
            for (month, receipt) in charged {
                month.refund(at, &receipt, 1);
                assert!(month.close_at_rest(at));
            }
            clerk.round();
            assert_eq!(shared.accounts(), 0);
        }
        let bound = GONE_DUE_MAX + 3 * usize::try_from(AT_ONCE).unwrap();
        assert!(most >= 512 && most <= bound, "{most} were due");
    }
}
