//! The ledger with a real file: what is on record after a stop, and what files it refuses.
#![cfg(all(feature = "ledger", not(any(model_loom, model_shuttle))))]

mod ahead;
mod files;
mod stops;
mod unused;

use std::{path::PathBuf, sync::Arc, time::Duration};
use tempfile::TempDir;
use tollgate_core::{Charged, Cost, ManualClock, Meter, Moment, Nanos, Refused, Wall};
use tollgate_quota::{
    Calendar, CalendarMeter, Lifetime,
    calendar::CalendarPeriod,
    lease::{Lasting, Leased},
    ledger::{AccountKey, Ledger, LedgerOptions, Terms},
};

/// Longer than any commit of these tests takes.
const LONG: Duration = Duration::from_secs(60);
const DAY_NS: i64 = 86_400_000_000_000;

fn cost(units: u64) -> Cost {
    Cost::new(units).unwrap()
}

fn at(wall: i64) -> Moment {
    Moment::new(Nanos::ZERO, Wall(wall))
}

/// A place for one ledger, which processes open one after another.
struct Place {
    _folder: TempDir,
    path: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        Self {
            _folder: folder,
            path,
        }
    }

    fn options(&self) -> LedgerOptions {
        LedgerOptions::new(&self.path)
    }

    /// A ledger that is started at `wall`.
    fn open(&self, wall: i64) -> Ledger {
        self.open_by(wall).0
    }

    /// The same, and the clock that it goes by.
    fn open_by(&self, wall: i64) -> (Ledger, Arc<ManualClock>) {
        let ledger = Ledger::open(&self.options()).unwrap();
        let clock = Arc::new(ManualClock::new());
        clock.set_wall(Wall(wall));
        assert!(ledger.start(Arc::clone(&clock) as _).unwrap());
        (ledger, clock)
    }
}

fn key(name: &str) -> AccountKey {
    AccountKey::new(name, "requests", "any", &["agent"], &["a"])
}

fn terms(lease: u64, has_periods: bool) -> Terms {
    Terms {
        lease,
        initial: 0,
        has_periods,
    }
}

fn lifetime(ledger: &Ledger, max: u64) -> Arc<Leased<Lifetime>> {
    let terms = terms(10, false);
    ledger.account(&key("lifetime"), terms, max, 0, Lifetime::new)
}

fn daily(ledger: &Ledger, max: u64) -> Arc<Leased<CalendarMeter>> {
    let terms = terms(10, true);
    ledger.account(&key("daily"), terms, max, 0, || {
        let days = Calendar::new(CalendarPeriod::Day, "UTC").unwrap();
        CalendarMeter::new(tollgate_sync::Arc::new(days), max)
    })
}

/// Charges as one who waits for the ledger does.
fn charge<M: Lasting>(
    ledger: &Ledger,
    account: &Leased<M>,
    at: Moment,
    units: u64,
    ceiling: u64,
) -> Result<Charged<M::Receipt>, Refused> {
    loop {
        match account.charge(at, cost(units), ceiling) {
            Err(Refused::Dry) => assert!(ledger.wait(LONG), "{:?}", ledger.status()),
            answer => return answer,
        }
    }
}
