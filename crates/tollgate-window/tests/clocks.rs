//! Verbs that read the window's own clock.
#![cfg(not(any(model_loom, model_shuttle)))]

use std::time::Duration;
use tollgate_core::{Cost, ManualClock, Nanos};
use tollgate_window::{ExactLog, FixedWindow, ShardedRing, SlottedRing};

const MINUTE: Duration = Duration::from_secs(60);

/// One after another, on a clock that is moved in between: what `_at` that clock's `now` would say.
macro_rules! goes_by_its_own_clock {
    ($window:expr) => {
        let window = $window;
        let two = Cost::new(2).unwrap();
        window.clock().set(Nanos::from_secs(30));
        assert!(window.try_record(two).is_ok());
        assert_eq!((window.count(), window.remaining()), (2, 1));
        assert_eq!(window.count_at(Nanos::from_secs(30)), 2);
        assert!(window.try_record(two).is_err());
        let wait = window.wait_time(two).unwrap();
        assert_eq!(
            Some(wait),
            window.wait_time_at(two, Nanos::from_secs(30)),
            "{window:?}"
        );
        window.clock().advance(wait - Duration::from_nanos(1));
        assert!(window.try_record(two).is_err());
        window.clock().advance(Duration::from_nanos(1));
        assert!(window.try_record(two).is_ok());
        assert_eq!(window.wait_time(Cost::new(4).unwrap()), None);
    };
}

#[test]
fn windows_go_by_their_own_clocks() {
    goes_by_its_own_clock!(ExactLog::with_clock(3, MINUTE, ManualClock::new()).unwrap());
    goes_by_its_own_clock!(SlottedRing::with_clock(3, MINUTE, 6, ManualClock::new()).unwrap());
    goes_by_its_own_clock!(FixedWindow::with_clock(3, MINUTE, ManualClock::new()).unwrap());
    let sharded = ShardedRing::builder(3, MINUTE, 6).shards(2);
    goes_by_its_own_clock!(sharded.build_with_clock(ManualClock::new()).unwrap());
}

#[test]
fn sharded_ring_gives_back_what_still_counts_by_its_own_clock() {
    let ring = ShardedRing::builder(7, MINUTE, 6).shards(2);
    let ring = ring.build_with_clock(ManualClock::new()).unwrap();
    let receipt = ring.try_record(Cost::new(7).unwrap()).unwrap();
    assert_eq!((ring.refund(&receipt, 3), ring.count()), (3, 4));
    ring.clock().advance(2 * MINUTE);
    assert_eq!(ring.refund(&receipt, 3), 0);
}

#[test]
fn windows_have_a_clock_unless_told() {
    let log = ExactLog::new(1, MINUTE).unwrap();
    let ring = SlottedRing::new(1, MINUTE, 6).unwrap();
    // All that comes within this test falls into the first window of such a length.
    let fixed = FixedWindow::new(1, Duration::from_secs(86_400)).unwrap();
    assert!(log.try_record(Cost::ONE).is_ok() && log.try_record(Cost::ONE).is_err());
    assert!(ring.try_record(Cost::ONE).is_ok() && ring.try_record(Cost::ONE).is_err());
    assert!(fixed.try_record(Cost::ONE).is_ok() && fixed.try_record(Cost::ONE).is_err());
}

#[test]
fn windows_tell_what_they_were_made_with() {
    let log = ExactLog::with_clock(3, MINUTE, ()).unwrap();
    assert_eq!((log.max(), log.window()), (3, MINUTE));
    let fixed = FixedWindow::with_clock(4, MINUTE, ()).unwrap();
    assert_eq!((fixed.max(), fixed.window()), (4, MINUTE));
    let ring = SlottedRing::with_clock(5, MINUTE, 6, ()).unwrap();
    assert_eq!((ring.max(), ring.window(), ring.slots()), (5, MINUTE, 6));
    let sharded = ShardedRing::builder(700, MINUTE, 8).shards(4);
    let sharded = sharded.build_with_clock(ManualClock::new()).unwrap();
    assert_eq!((sharded.max(), sharded.window()), (700, MINUTE));
    assert_eq!((sharded.slots(), sharded.shards()), (8, 4));
}
