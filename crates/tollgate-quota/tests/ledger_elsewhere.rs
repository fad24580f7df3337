//! A process that goes elsewhere: a program of its own, since that is the whole process.
#![cfg(feature = "ledger")]

use std::{env, sync::Arc, time::Duration};
use tollgate_core::{Cost, ManualClock, Meter, Moment};
use tollgate_quota::{
    Lifetime,
    ledger::{AccountKey, Ledger, LedgerOptions, Terms},
};

/// The file was looked for in the folder that the process was in, and taken for one that is gone.
#[test]
fn ledger_by_a_relative_path_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    env::set_current_dir(folder.path()).unwrap();
    let ledger = Ledger::open(&LedgerOptions::new("ledger")).unwrap();
    ledger.start(Arc::new(ManualClock::new())).unwrap();
    let key = AccountKey::new("lifetime", "requests", "lifetime", &[], &[]);
    let terms = Terms {
        lease: 4,
        initial: 0,
        has_periods: false,
    };
    let budget = ledger.account(&key, terms, 9, 0, Lifetime::new);
    let elsewhere = tempfile::tempdir().unwrap();
    env::set_current_dir(elsewhere.path()).unwrap();
    while budget.charge(Moment::default(), Cost::ONE, 9).is_err() {
        assert!(
            ledger.wait(Duration::from_secs(60)),
            "{:?}",
            ledger.status()
        );
    }
    assert!(ledger.close(), "{:?}", ledger.status());
    assert!(folder.path().join("ledger").is_file());
    assert!(!elsewhere.path().join("ledger").exists());
}
