//! The ledger on a disk that fails at every point, and on one whose power is cut there: every history of faults of a small history of
//! charges.
//!
//! What is asked each time is what a kill at any instant needs: the record covers what was admitted, and all that the stock still
//! allows; and it is too much by at most a lease, beyond what came back since the last commit.

mod replaced;
mod rollover;

use super::{
    LedgerError, Terms,
    books::Record,
    clerk::{Clerk, ROUNDS_TO_TIDY},
    desk::Shared,
    file::{ACCOUNTS, Medium, Store, failed, write_format},
};
use crate::{
    Lifetime,
    lease::{Leased, LeasedAccount},
};
use redb::{Database, ReadableDatabase, StorageBackend};
use std::{
    collections::{HashMap, HashSet},
    io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, ThreadId},
    time::Duration,
};
use tollgate_core::{Charged, Clock, Cost, ManualClock, Meter, Moment, Refused};

/// Of a limit `any` that counts requests, without scopes.
const KEY: &[u8] = b"\x03\0\0\0any\x08\0\0\0requests\x03\0\0\0any\x01\0\0\x000";
const MAX: u64 = 60;
const LEASE: u64 = 8;
/// Of so many unsynced operations every subset is tried; of more, prefixes and each one alone or missing.
const SUBSETS_OF: usize = 6;

#[derive(Clone, Debug)]
enum Op {
    Write(u64, Vec<u8>),
    SetLen(u64),
    Sync,
    /// What is known by now: the number of a judgement.
    Mark(usize),
}

/// What fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The operation of that number alone.
    Once(usize),
    /// That and all after it.
    From(usize),
    /// Growing the file, from that operation on.
    Full(usize),
    /// All that changes it, from that operation on: reading goes on.
    ReadOnly(usize),
}

impl Fault {
    /// Each of them at operation `at`.
    const fn each(at: usize) -> [Self; 4] {
        [
            Self::Once(at),
            Self::From(at),
            Self::Full(at),
            Self::ReadOnly(at),
        ]
    }
}

/// What an operation does to the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    Read,
    Change,
    Grow,
}

#[derive(Debug, Default)]
struct State {
    image: Vec<u8>,
    log: Vec<Op>,
    /// The threads that have called the disk.
    callers: HashSet<ThreadId>,
    /// Operations that may fail so far.
    count: usize,
    fault: Option<Fault>,
}

impl State {
    fn try_op(&mut self, does: Does) -> io::Result<()> {
        self.callers.insert(thread::current().id());
        let number = self.count;
        self.count += 1;
        let fails = match self.fault {
            None => false,
            Some(Fault::Once(at)) => number == at,
            Some(Fault::From(at)) => number >= at,
            Some(Fault::Full(at)) => does == Does::Grow && number >= at,
            Some(Fault::ReadOnly(at)) => does != Does::Read && number >= at,
        };
        if !fails {
            return Ok(());
        }
        Err(match self.fault {
            Some(Fault::ReadOnly(_)) => io::ErrorKind::ReadOnlyFilesystem.into(),
            _ => io::Error::new(io::ErrorKind::StorageFull, "no space"),
        })
    }
}

/// A disk in memory, which every opening of the database shares.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk(Arc<Mutex<State>>);

impl Disk {
    /// With an empty ledger, as one that was made and synced before.
    pub(super) fn formatted() -> Self {
        let disk = Self::default();
        let database = disk.database().unwrap();
        write_format(&database).unwrap();
        drop(database);
        Self::of(disk.state().image.clone())
    }

    fn of(image: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(State {
            image,
            ..State::default()
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn database(&self) -> Result<Database, redb::DatabaseError> {
        Database::builder()
            .set_check_integrity_on_open(true)
            .create_with_backend(self.clone())
    }
}

fn apply(image: &mut Vec<u8>, op: &Op) {
    match op {
        Op::Write(offset, data) => {
            let start = usize::try_from(*offset).unwrap();
            let end = start + data.len();
            if image.len() < end {
                image.resize(end, 0);
            }
            image[start..end].copy_from_slice(data);
        }
        Op::SetLen(len) => image.resize(usize::try_from(*len).unwrap(), 0),
        Op::Sync | Op::Mark(..) => {}
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().image.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut state = self.state();
        state.try_op(Does::Read)?;
        let start = usize::try_from(offset).unwrap();
        let read = state.image.get(start..start + out.len());
        out.copy_from_slice(read.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state();
        let grows = len > state.image.len() as u64;
        state.try_op(if grows { Does::Grow } else { Does::Change })?;
        apply(&mut state.image, &Op::SetLen(len));
        state.log.push(Op::SetLen(len));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.state();
        state.try_op(Does::Change)?;
        state.log.push(Op::Sync);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        state.try_op(Does::Change)?;
        let op = Op::Write(offset, data.to_vec());
        apply(&mut state.image, &op);
        state.log.push(op);
        Ok(())
    }
}

impl Medium for Disk {
    fn open(&self) -> Result<(Database, Option<&'static str>), LedgerError> {
        let database = self.database();
        database
            .map(|database| (database, None))
            .map_err(|error| failed(self.path(), error))
    }

    fn open_again(&self) -> Result<Database, LedgerError> {
        Ok(self.open()?.0)
    }

    /// Nobody takes memory away.
    fn still_there(&self) -> Result<(), LedgerError> {
        Ok(())
    }

    fn path(&self) -> &Path {
        Path::new("memory")
    }
}

/// A ledger without its thread, on a disk.
struct World {
    disk: Disk,
    shared: Arc<Shared>,
    clerk: Clerk,
    budget: Arc<Leased<Lifetime>>,
    /// The most that was used since the last commit that succeeded.
    most: u64,
    /// What may have been admitted at each mark: at least, and at most.
    marks: Vec<(u64, u64)>,
    open: Vec<(Charged<crate::TallyReceipt>, u64)>,
}

/// A ledger's thread, its desk, and the disk beneath that has a fault from now on.
fn over(fault: Option<Fault>, clock: Arc<dyn Clock>) -> (Disk, Arc<Shared>, Clerk) {
    let disk = Disk::formatted();
    let store = Store::open(Box::new(disk.clone())).unwrap();
    disk.state().count = 0;
    disk.state().fault = fault;
    let shared = Arc::new(Shared::new("memory".into(), Vec::new()));
    let (interval, history) = (Duration::from_millis(1), Duration::from_secs(1));
    let clerk = Clerk::new(store, Arc::clone(&shared), clock, interval, history);
    (disk, shared, clerk)
}

/// The budget's account, of a meter that was just made.
fn budget_of(shared: &Arc<Shared>) -> Arc<Leased<Lifetime>> {
    let terms = Terms {
        lease: LEASE,
        initial: 0,
        has_periods: false,
    };
    let desk = Arc::clone(shared) as _;
    shared.account(KEY, terms, |number| {
        Arc::new(Leased::new(Lifetime::new(), MAX, 0, number, desk))
    })
}

impl World {
    fn new(fault: Option<Fault>) -> Self {
        let (disk, shared, clerk) = over(fault, Arc::new(ManualClock::new()));
        let budget = budget_of(&shared);
        Self {
            disk,
            shared,
            clerk,
            budget,
            most: 0,
            marks: Vec::new(),
            open: Vec::new(),
        }
    }

    fn used(&self) -> u64 {
        self.budget.used(Moment::default())
    }

    fn stock(&self) -> u64 {
        self.budget.holder().left(0, self.used())
    }

    fn mark(&mut self) {
        self.most = self.most.max(self.used());
        self.disk.state().log.push(Op::Mark(self.marks.len()));
        let known = (self.used() + self.stock(), self.most + LEASE);
        self.marks.push(known);
    }

    fn round(&mut self) {
        self.clerk.round();
        if !self.shared.is_failing() {
            self.most = self.used();
        }
        self.mark();
    }

    fn charge(&mut self, units: u64) {
        let cost = Cost::new(units).unwrap();
        match self.budget.charge(Moment::default(), cost, MAX) {
            Ok(charged) => self.open.push((charged, units)),
            Err(refused) => assert_eq!(refused, Refused::Dry),
        }
        self.mark();
    }

    fn refund(&mut self, units: u64) {
        if let Some((charged, cost)) = self.open.pop() {
            let at = Moment::default();
            self.budget.refund(at, &charged.receipt, units.min(cost));
        }
        self.mark();
    }

    /// Everything that a ledger does, in few steps.
    fn history(&mut self, mut between: impl FnMut(&mut Self)) {
        let steps: [fn(&mut Self); 12] = [
            |world| world.charge(2),
            Self::round,
            |world| world.charge(2),
            |world| world.charge(1),
            Self::round,
            |world| world.charge(3),
            |world| world.refund(2),
            Self::round,
            |world| world.charge(4),
            |world| world.refund(3),
            |world| world.charge(7),
            Self::round,
        ];
        self.mark();
        for step in steps {
            step(self);
            between(self);
        }
    }
}

fn record(disk: &Disk) -> Option<Record> {
    let database = disk.database().unwrap();
    let table = database.begin_read().unwrap().open_table(ACCOUNTS).unwrap();
    let row = table.get(KEY).unwrap();
    row.map(|row| Record::from_row(KEY, row.value()).unwrap())
}

fn spent(disk: &Disk) -> u64 {
    record(disk).map_or(0, |record| record.spent())
}

/// Which of so many unsynced operations reached the disk, and which of them only in part.
fn cuts(count: usize) -> Vec<Vec<bool>> {
    let all = vec![true; count];
    let mut cuts = Vec::new();
    if count <= SUBSETS_OF {
        for chosen in 0..1_u32 << count {
            cuts.push((0..count).map(|place| chosen >> place & 1 == 1).collect());
        }
        return cuts;
    }
    for place in 0..=count {
        cuts.push((0..count).map(|other| other < place).collect());
        cuts.push((0..count).map(|other| other + 1 == place).collect());
        let mut without = all.clone();
        if let Some(missing) = without.get_mut(place) {
            *missing = false;
        }
        cuts.push(without);
    }
    cuts
}

/// Property: whatever of the writes since the last sync is lost, kept, or kept in part when the power goes, the record covers what
/// was admitted and may still be.
#[test]
fn power_cut_at_every_point_covers_what_was_admitted() {
    let mut world = World::new(None);
    let start = world.disk.state().image.clone();
    world.history(|_| {});
    let log = world.disk.state().log.clone();
    let (mut images, mut wasted) = (0_u64, 0);
    each_cut(start, log, |image, mark| {
        let found = spent(&Disk::of(image));
        let (least, most) = mark.map_or((0, 0), |mark| world.marks[mark]);
        assert!(
            found >= least,
            "{found} on record, {least} admitted or lent"
        );
        assert!(
            found <= most,
            "{found} on record, at most {most} used or lent"
        );
        images += 1;
        wasted = wasted.max(found - least);
    });
    println!("explored: {images} images, at most {wasted} wasted");
    assert!(images > 500, "{images}");
}

/// Calls `judge` with every image that a power cut may leave of what `log` did to the one at the `start`, and the last mark before.
fn each_cut(start: Vec<u8>, log: Vec<Op>, mut judge: impl FnMut(Vec<u8>, Option<usize>)) {
    let (mut synced, mut unsynced, mut mark) = (start, Vec::new(), None);
    for op in log {
        match op {
            Op::Mark(number) => mark = Some(number),
            Op::Sync => {
                unsynced.iter().for_each(|op| apply(&mut synced, op));
                unsynced.clear();
            }
            Op::Write(..) | Op::SetLen(_) => unsynced.push(op),
        }
        let mut judge = |image: Vec<u8>| judge(image, mark);
        for cut in cuts(unsynced.len()) {
            let mut image = synced.clone();
            let kept = unsynced.iter().zip(&cut).filter(|(_, kept)| **kept);
            kept.for_each(|(op, _)| apply(&mut image, op));
            judge(image);
        }
        // The last one torn, with all others there and with none; and all of them in reverse.
        if let Some((Op::Write(offset, data), others)) = unsynced.split_last() {
            for (others, half) in [(others, 0), (others, 1), (&[][..], 0), (&[][..], 1)] {
                let mut image = synced.clone();
                others.iter().for_each(|op| apply(&mut image, op));
                let middle = data.len() / 2;
                let torn = match half {
                    0 => Op::Write(*offset, data[..middle].to_vec()),
                    _ => Op::Write(offset + middle as u64, data[middle..].to_vec()),
                };
                apply(&mut image, &torn);
                judge(image);
            }
            let mut image = synced.clone();
            unsynced.iter().rev().for_each(|op| apply(&mut image, op));
            judge(image);
        }
    }
}

/// Property: whatever operation fails, once or from then on, admissions go on from stock, the record covers them all the time, and
/// when the disk is well again it is exact.
#[test]
fn disk_that_fails_at_every_point_recovers_by_itself() {
    let mut sound = World::new(None);
    sound.history(|_| {});
    let (operations, used) = (sound.disk.state().count, sound.used());
    assert!(operations > 30, "{operations}");
    let mut failures = 0;
    for at in 0..operations {
        for fault in Fault::each(at) {
            let mut world = World::new(Some(fault));
            world.history(|world| {
                // What a restart would find, on a copy: the fault is the process's own.
                let copy = Disk::of(world.disk.state().image.clone());
                let least = world.used() + world.stock();
                let found = spent(&copy);
                assert!(
                    found >= least,
                    "{fault:?}: {found} on record, {least} admitted or lent"
                );
            });
            failures += world.shared.status().failures;
            world.disk.state().fault = None;
            for _ in 0..2 {
                world.charge(1);
                world.round();
            }
            assert!(
                !world.shared.is_failing(),
                "{fault:?}: {:?}",
                world.shared.status()
            );
            let record = record(&world.disk).unwrap();
            assert_eq!(record.standing.committed, world.used(), "{fault:?}");
            assert!(record.out <= LEASE);
            assert!(world.used() <= used + 2);
        }
    }
    assert!(failures > operations as u64, "{failures}");
}

/// Property: an account whose limit is gone is closed before the next one of its key is lent anything, also when its first closing
/// failed and it asks again after that.
#[test]
fn account_that_is_gone_is_closed_before_one_of_its_key_that_came_after() {
    let World {
        disk,
        shared,
        mut clerk,
        budget,
        ..
    } = World::new(None);
    let charge = |budget: &Leased<Lifetime>, units| {
        let cost = Cost::new(units).unwrap();
        budget.charge(Moment::default(), cost, MAX).is_ok()
    };
    while !charge(&budget, 5) {
        clerk.round();
    }
    drop(budget);
    disk.state().fault = Some(Fault::From(0));
    for _ in 0..ROUNDS_TO_TIDY {
        clerk.round();
    }
    disk.state().fault = None;
    let gone = shared.asked(9);
    assert_eq!(gone.len(), 1);
    let budget = budget_of(&shared);
    // It asked while the disk was about to fail.
    budget.ask_for(Cost::new(5).unwrap(), Moment::default());
    shared.ask_again(&gone);
    for _ in 0..3 {
        clerk.round();
        let (used, found) = (budget.used(Moment::default()), spent(&disk));
        let stock = budget.holder().left(0, used);
        assert!(
            found >= used + stock,
            "{found} on record, {used} used and {stock} lent"
        );
        charge(&budget, 1);
    }
    assert_eq!(budget.used(Moment::default()), 5 + 3, "nothing was wasted");
}

/// Charges on while the disk has `fault`, when nothing passes but what was lent before, and again once it is well.
/// `failing` looks in between, and is told what must be used by then.
fn stock_alone_passes(fault: Fault, failing: impl FnOnce(&World, u64)) {
    let mut world = World::new(None);
    world.charge(2);
    world.round();
    let (before, stock) = (world.used(), world.stock());
    assert!(stock > 0);
    world.disk.state().fault = Some(fault);
    for _ in 0..20 {
        world.charge(1);
        world.round();
    }
    assert_eq!(world.used(), before + stock);
    assert!(world.shared.is_failing());
    failing(&world, before + stock);
    world.disk.state().fault = None;
    world.charge(1);
    world.round();
    world.charge(1);
    assert_eq!(world.used(), before + stock + 1);
    assert!(!world.shared.is_failing());
}

/// Property: a full disk lets pass what was lent before, and no more.
#[test]
fn full_disk_admits_from_stock_alone() {
    stock_alone_passes(Fault::From(0), |world, _| {
        assert!(world.shared.status().failing.is_some());
    });
}

/// Property: a disk that is read-only lets pass what was lent before and no more, says why, and is used again when it can be written.
#[test]
fn read_only_disk_admits_from_stock_alone() {
    stock_alone_passes(Fault::ReadOnly(0), |world, used| {
        let told = world.shared.status().failing.unwrap();
        assert!(told.contains("read-only"), "{told}");
        let copy = Disk::of(world.disk.state().image.clone());
        assert_eq!(spent(&copy), used);
    });
}

/// Property: a file that something else writes over while it is in use is not believed once it must be read again, and not written to;
/// when it is put right, its account goes on where it stood.
#[test]
fn file_damaged_while_in_use_is_neither_believed_nor_written_over() {
    let mut world = World::new(None);
    world.charge(2);
    world.round();
    let (before, stock) = (world.used(), world.stock());
    let sound = world.disk.state().image.clone();
    // All that is not empty but the header, by which the file is found.
    let damaged: Vec<u8> = sound
        .iter()
        .enumerate()
        .map(|(place, &byte)| match (place, byte) {
            (0..4_096, _) | (_, 0) => byte,
            _ => byte ^ 0x10,
        })
        .collect();
    let next = world.disk.state().count;
    world.disk.state().image.clone_from(&damaged);
    world.disk.state().fault = Some(Fault::Once(next));
    for _ in 0..20 {
        world.charge(1);
        world.round();
    }
    assert_eq!(world.used(), before + stock);
    assert!(world.shared.is_failing());
    assert!(
        world.disk.state().image[4_096..] == damaged[4_096..],
        "it was left as it is"
    );
    world.disk.state().image = sound;
    world.charge(1);
    world.round();
    world.charge(1);
    assert!(!world.shared.is_failing(), "{:?}", world.shared.status());
    assert_eq!(world.used(), before + stock + 1);
    world.round();
    assert_eq!(
        record(&world.disk).unwrap().standing.committed,
        world.used()
    );
}

/// What was told since the last look, by the names of the figures.
fn figures(snapshotter: &metrics_util::debugging::Snapshotter) -> HashMap<String, f64> {
    use metrics_util::debugging::DebugValue;

    let all = snapshotter.snapshot().into_vec().into_iter();
    let told = all.map(|(key, _, _, value)| {
        let value = match value {
            DebugValue::Counter(count) => f64::from(u32::try_from(count).unwrap()),
            DebugValue::Gauge(gauge) => gauge.into_inner(),
            DebugValue::Histogram(values) => f64::from(u32::try_from(values.len()).unwrap()),
        };
        (key.key().name().to_owned(), value)
    });
    told.collect()
}

#[derive(Clone, Debug, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// The lines since the last call.
    fn lines(&self) -> Vec<String> {
        let bytes = std::mem::take(&mut *self.0.lock().unwrap());
        let text = String::from_utf8(bytes).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

/// Property: that the disk fails, that requests go on unrecorded and that the disk is well again is told once each, in logs; figures follow.
#[test]
fn state_is_told_in_logs_and_metrics() {
    let recorder = metrics_util::debugging::DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .finish();
    let look = || figures(&snapshotter);
    let told = || {
        tracing::subscriber::with_default(subscriber, || {
            let mut world = World::new(None);
            world.charge(2);
            world.round();
            assert_eq!(log.lines(), [""; 0]);
            let seen = look();
            assert_eq!(seen["tollgate_ledger_failing"], 0.0);
            assert_eq!(seen["tollgate_ledger_commits_total"], 1.0);
            assert_eq!(seen["tollgate_ledger_records_total"], 1.0);
            assert_eq!(seen["tollgate_ledger_commit_seconds"], 1.0);
            assert_eq!(seen["tollgate_ledger_accounts"], 1.0);

            world.disk.state().fault = Some(Fault::ReadOnly(0));
            for _ in 0..3 {
                world.charge(1);
                world.round();
                world.shared.count_unrecorded(&"monthly".into());
            }
            let seen = look();
            assert_eq!(seen["tollgate_ledger_failing"], 1.0);
            assert_eq!(seen["tollgate_ledger_failures_total"], 3.0);
            assert_eq!(seen["tollgate_ledger_unrecorded_total"], 3.0);
            assert_eq!(seen["tollgate_ledger_commits_total"], 0.0);
            let lines = log.lines();
            assert_eq!(lines.len(), 2, "{lines:#?}");
            let is = |line: &str, parts: &[&str]| parts.iter().all(|part| line.contains(part));
            assert!(
                is(
                    &lines[0],
                    &[
                        "ERROR",
                        "tollgate::ledger",
                        "cannot be written",
                        "read-only",
                        "memory"
                    ]
                ),
                "{lines:#?}"
            );
            assert!(
                is(&lines[1], &["WARN", "without a record", "monthly"]),
                "{lines:#?}"
            );
            assert_eq!(world.shared.status().unrecorded, 3);

            // It was the first reason that stood in the log, whatever came after.
            for fault in [Fault::From(0), Fault::ReadOnly(0)] {
                world.disk.state().fault = Some(fault);
                for _ in 0..3 {
                    world.round();
                }
                let lines = log.lines();
                assert_eq!(lines.len(), 1, "{lines:#?}");
                let reason = match fault {
                    Fault::ReadOnly(_) => "read-only",
                    _ => "no space",
                };
                assert!(
                    is(&lines[0], &["ERROR", "another reason", reason]),
                    "{lines:#?}"
                );
            }
            assert_eq!(look()["tollgate_ledger_failures_total"], 6.0);

            world.disk.state().fault = None;
            let debt = Cost::new(MAX + 7).unwrap();
            world
                .budget
                .charge_anyway(Moment::default(), debt, MAX)
                .unwrap();
            world.round();
            let lines = log.lines();
            assert_eq!(lines.len(), 1, "{lines:#?}");
            assert!(
                is(&lines[0], &["INFO", "written again", "failed_for"]),
                "{lines:#?}"
            );
            let seen = look();
            assert_eq!(seen["tollgate_ledger_failing"], 0.0);
            assert_eq!(seen["tollgate_ledger_commits_total"], 1.0);
            let debt = f64::from(u32::try_from(world.used() - MAX).unwrap());
            assert_eq!(seen["tollgate_ledger_debt_units"], debt);
        });
    };
    metrics::with_local_recorder(&recorder, told);
}

/// Property: a file that is refused or was recovered is told as such.
#[test]
fn refused_and_recovered_files_are_told() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .finish();
    let folder = tempfile::tempdir().unwrap();
    let [path, killed] = ["ledger", "killed"].map(|name| folder.path().join(name));
    let options = super::LedgerOptions::new(&path);
    tracing::subscriber::with_default(subscriber, || {
        let open = || {
            let ledger = super::Ledger::open(&options).unwrap();
            ledger.start(Arc::new(ManualClock::new())).unwrap();
            ledger
        };
        assert!(open().close());
        // One that is missing where one should be is no small thing.
        let lines = log.lines();
        assert!(
            lines[0].contains("WARN") && lines[0].contains("a new one was made"),
            "{lines:#?}"
        );
        assert_eq!(lines.len(), 1, "{lines:#?}");
        assert!(open().close());
        assert_eq!(log.lines(), [""; 0], "it was there, and was closed");
        let ledger = open();
        super::Ledger::open(&options).unwrap_err();
        let lines = log.lines();
        assert_eq!(lines.len(), 1, "{lines:#?}");
        assert!(
            lines[0].contains("ERROR") && lines[0].contains("another process"),
            "{lines:#?}"
        );
        std::fs::copy(&path, &killed).unwrap();
        super::Ledger::open(&super::LedgerOptions::new(&killed)).unwrap();
        let lines = log.lines();
        assert!(
            lines[0].contains("WARN") && lines[0].contains("recovered"),
            "{lines:#?}"
        );
        drop(ledger);
    });
}

/// Property: whatever is charged, refunded and told in debt, by however many threads, no thread but the ledger's calls the disk.
#[test]
fn nobody_but_the_ledgers_thread_calls_the_disk() {
    let World {
        disk,
        shared,
        mut clerk,
        budget,
        ..
    } = World::new(None);
    disk.state().callers.clear();
    let max = 100_000;
    budget.set_max(max);
    let clerks = thread::scope(|scope| {
        let clerk = scope.spawn(move || {
            clerk.run();
            thread::current().id()
        });
        shared.set_thread(clerk.thread().clone());
        let spend = || {
            let (mut admitted, mut dry) = (0, 0);
            while admitted < 2_000 {
                match budget.charge(Moment::default(), Cost::ONE, max) {
                    Ok(charged) if admitted % 4 == 0 => {
                        budget.refund(Moment::default(), &charged.receipt, 1);
                        admitted += 1;
                    }
                    Ok(_) if admitted % 31 == 0 => {
                        let debt = budget.charge_anyway(Moment::default(), Cost::ONE, max);
                        debt.unwrap();
                        admitted += 1;
                    }
                    Ok(_) => admitted += 1,
                    Err(Refused::Dry) => {
                        dry += 1;
                        assert!(shared.wait(Duration::from_secs(60)));
                    }
                    Err(other) => panic!("{other:?}"),
                }
            }
            dry
        };
        let spenders: Vec<_> = (0..2).map(|_| scope.spawn(spend)).collect();
        let dry: u64 = spenders
            .into_iter()
            .map(|spender| spender.join().unwrap())
            .sum();
        assert!(dry > 0, "nobody was ever without stock");
        shared.stop();
        clerk.join().unwrap()
    });
    assert_eq!(disk.state().callers, HashSet::from([clerks]));
}
