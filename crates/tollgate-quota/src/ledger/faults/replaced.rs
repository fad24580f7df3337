//! Files that are not there, or are others: none is made that would pass for a ledger with nothing on record.

use super::{
    super::{
        file::{Files, Medium},
        view::LedgerFile,
    },
    *,
};

#[test]
fn ledger_that_vanished_while_its_disk_failed_is_not_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let (away, medium) = (folder.path().join("away"), Files::new(&path).unwrap());
    let mut store = Store::open(Box::new(medium) as Box<dyn Medium>).unwrap();
    store.give_up();
    std::fs::rename(&path, &away).unwrap();
    assert!(matches!(store.database(), Err(LedgerError::Gone { .. })));
    assert!(!path.exists());
    std::fs::rename(&away, &path).unwrap();
    store.database().unwrap();
}

/// An import that was killed left one with nothing on record, with which a gate then started.
#[test]
fn ledger_that_could_not_be_filled_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let files = Files::new(&path).unwrap();
    let full = || redb::Error::Io(io::ErrorKind::StorageFull.into());
    files
        .make(|database| write_format(database).and(Err(full())))
        .unwrap_err();
    assert!(files.is_missing());
    drop(files);
    LedgerFile::make(&path, &[], &[]).unwrap();
    assert!(matches!(
        LedgerFile::make(&path, &[], &[]),
        Err(LedgerError::Io(_))
    ));
    LedgerFile::read(&path).unwrap();
}

/// An empty one was taken for what was on record, and accounts that had not been used since the start began with nothing.
#[test]
fn ledger_that_is_another_one_after_its_disk_failed_is_not_written() {
    let mut world = World::new(None);
    world.charge(2);
    world.round();
    world.charge(2);
    let ours = world.disk.state().image.clone();
    let another = Disk::formatted().state().image.clone();

    let count = world.disk.state().count;
    world.disk.state().fault = Some(Fault::Once(count));
    world.budget.ask_for(Cost::ONE, Moment::default());
    world.clerk.round();
    assert!(world.shared.is_failing());
    world.disk.state().image.clone_from(&another);
    world.clerk.round();
    let failing = world.shared.status().failing.unwrap();
    assert!(failing.contains("not as this process left it"), "{failing}");
    assert_eq!(record(&world.disk), None);

    world.disk.state().image = ours;
    world.clerk.round();
    assert!(
        !world.shared.is_failing(),
        "{:?}",
        world.shared.status().failing
    );
    assert!(record(&world.disk).unwrap().spent() >= world.used());
}

/// What both had lent passed twice: the other's leases had numbers that this process had tried to give.
#[test]
fn ledger_that_another_process_has_used_while_its_disk_failed_is_not_written() {
    let mut world = World::new(None);
    world.charge(2);
    world.round();
    world.charge(2);
    let count = world.disk.state().count;
    world.disk.state().fault = Some(Fault::From(count));
    for _ in 0..9 {
        world.budget.ask_for(Cost::ONE, Moment::default());
        world.clerk.round();
    }
    assert!(world.shared.is_failing());
    world.disk.state().fault = None;
    let before = world.disk.state().image.clone();

    let disk = Disk::of(before.clone());
    let (store, shared) = (
        Store::open(Box::new(disk.clone())).unwrap(),
        Arc::new(Shared::new("other".into(), Vec::new())),
    );
    let second = Duration::from_secs(1);
    let mut other = Clerk::new(
        store,
        Arc::clone(&shared),
        Arc::new(ManualClock::new()),
        second,
        second,
    );
    let budget = budget_of(&shared);
    budget.ask_for(Cost::ONE, Moment::default());
    other.round();
    assert!(!shared.is_failing());
    world.disk.state().image = disk.state().image.clone();
    world.clerk.round();
    let failing = world.shared.status().failing.unwrap();
    assert!(failing.contains("another process has used it"), "{failing}");
    // As it was found, it goes on.
    world.disk.state().image = before;
    world.clerk.round();
    assert!(!world.shared.is_failing());
}
