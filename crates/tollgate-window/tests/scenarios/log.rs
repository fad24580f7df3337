use super::{SECOND, charge, end, go, moment, passed, race, units};
use std::time::Duration;
use tollgate_core::{Meter, Nanos, Refused, Wait};
use tollgate_sync::Arc;
use tollgate_window::{ExactLog, LogReceipt};

/// A log of one second. Without room it forgets as early as it may, and a lap is short.
pub(crate) fn log(max: u64) -> Arc<ExactLog<()>> {
    Arc::new(fresh(max))
}

pub(crate) fn fresh(max: u64) -> ExactLog<()> {
    ExactLog::with_room(max, Duration::from_secs(1), 0, ()).expect("in range")
}

/// Two callers charge at rising instants within one window: exactly the max passes.
pub(crate) fn charges_take_exactly_the_max(max: u64, one: &'static [u64], two: &'static [u64]) {
    let log = log(max);
    let attempt = |nows: &'static [u64]| {
        go(&log, move |log| {
            nows.iter().map(|now| charge(log, *now, 1, max)).collect()
        })
    };
    let charges: [Vec<_>; 2] = [attempt(one), attempt(two)].map(end);
    let charges = charges.concat();
    let taken = max.min(charges.len() as u64);
    assert_eq!(passed(&charges), taken);
    // Each saw those before it, so they stand in a row.
    let mut after: Vec<u128> = charges
        .iter()
        .flatten()
        .map(|charged| charged.after)
        .collect();
    after.sort_unstable();
    assert!(after.into_iter().eq(1..=u128::from(taken)));
    assert_eq!(log.count_at(Nanos(3)), taken);
    assert_eq!(log.count_at(Nanos(SECOND + 3)), 0);
}

/// Two callers charge at rising instants after a first one: each unit leaves exactly one window after it came.
pub(crate) fn units_leave_in_their_time(one: &'static [u64], two: &'static [u64]) {
    let log = log(5);
    let take = |log: &ExactLog<()>, now| {
        charge(log, now, 1, 5)
            .expect("five fit")
            .receipt
            .counts_from()
            .0
    };
    let first = take(&log, 1);
    let attempt = |nows: &'static [u64]| {
        go(&log, move |log| {
            nows.iter().map(|now| take(log, *now)).collect()
        })
    };
    let rest: [Vec<u64>; 2] = [attempt(one), attempt(two)].map(end);
    let stamps = [vec![first], rest.concat()].concat();
    for now in [4, SECOND, SECOND + 1, SECOND + 2, SECOND + 3] {
        let live = stamps.iter().filter(|stamp| **stamp + SECOND > now).count() as u64;
        assert_eq!(log.count_at(Nanos(now)), live, "at {now}: {stamps:?}");
    }
}

/// Two callers come when the first unit has left and another is in the window: whoever is second finds both facts.
pub(crate) fn charges_see_what_has_left() {
    let log = log(2);
    charge(&*log, 0, 1, 2).expect("it is fresh");
    let attempt = || {
        go(&log, |log: &ExactLog<()>| {
            charge(log, SECOND, 1, 2).is_some()
        })
    };
    assert_eq!([attempt(), attempt()].map(end), [true, true]);
    assert_eq!(log.count_at(Nanos(SECOND)), 2);
}

/// A look while another caller overwrites the places it reads: it sees one state, and no state had room.
pub(crate) fn look_sees_one_state() {
    let log = log(1);
    let each_second = |log: &ExactLog<()>, seconds: std::ops::Range<u64>| {
        seconds
            .into_iter()
            .all(|second| charge(log, second * SECOND, 1, 1).is_some())
    };
    assert!(each_second(&log, 0..3));
    let (charged, looked) = race(
        &log,
        move |log| each_second(log, 3..6),
        |log| log.look(moment(3 * SECOND - 1), units(1), 1),
    );
    assert!(charged);
    let Err(Refused::Denied(denial)) = looked else {
        panic!("{looked:?}")
    };
    assert_eq!(denial.committed, 1);
    let wait = denial.wait.duration().expect("the unit leaves").as_nanos();
    assert!(
        (0..4).any(|second| wait == u128::from(second * SECOND + 1)),
        "{wait}"
    );
}

/// A count beside a charge whose caller gives back a unit of before: whoever sees what is given back sees the charge.
pub(crate) fn count_sees_a_charge_before_a_refund() {
    let log = log(5);
    let old = charge(&*log, 0, 3, 5).expect("it is fresh").receipt;
    let (_, counted) = race(
        &log,
        move |log| {
            assert!(charge(log, 1, 2, 5).is_some());
            assert_eq!(log.refund(moment(1), &old, 1), 1);
        },
        |log| log.count_at(Nanos(1)),
    );
    assert!([3, 5, 4].contains(&counted), "{counted}");
}

/// A count beside a charge that comes when the one before it has left: whoever sees it sees that, too.
pub(crate) fn count_sees_what_has_left() {
    let log = log(2);
    let (charged, counted) = race(
        &log,
        |log| [0, SECOND].map(|now| charge(log, now, 1, 2).is_some()),
        |log| log.count_at(Nanos(SECOND)),
    );
    assert_eq!(charged, [true, true]);
    assert!(counted <= 1, "{counted} units");
}

/// A count beside refunds of two charges, one after the other: whoever sees the second sees the first.
pub(crate) fn count_sees_refunds_in_order() {
    let log = log(9);
    let take = |now, units| charge(&*log, now, units, 9).expect("it fits").receipt;
    let (one, two) = (take(0, 4), take(1, 4));
    assert_eq!(log.refund(moment(1), &two, 1), 1);
    let (_, counted) = race(
        &log,
        move |log| {
            assert_eq!(log.refund(moment(1), &two, 1), 1);
            assert_eq!(log.refund(moment(1), &one, 2), 2);
        },
        |log| log.count_at(Nanos(1)),
    );
    assert!([7, 6, 4].contains(&counted), "{counted}");
}

/// A late caller finds the ring where an earlier unit was overwritten by someone for whom it had left.
pub(crate) fn late_caller_forgets_nothing() {
    let log = log(1);
    let spend = |log: &ExactLog<()>, now| log.charge_anyway(moment(now), units(1), 1).is_ok();
    assert!([0, 10, 20].into_iter().all(|now| spend(&log, now)));
    // The unit of 0 has left by then, and the ring of three places has to forget something.
    let (early, late) = race(
        &log,
        move |log| spend(log, SECOND + 5),
        |log| charge(log, 25, 1, 3).is_some(),
    );
    assert!(early);
    assert!(!late, "three units are in the window, whoever came first");
}

/// A full log of two, whose units leave one after the other while two callers come: the ring laps, and what was
/// admitted obeys the law by the instants that were given.
pub(crate) fn law_holds_across_a_lap(one: &'static [u64], two: &'static [u64]) {
    let log = log(2);
    let take = |log: &ExactLog<()>, now| charge(log, now, 1, 2).map(|_| now);
    let mut stamps: Vec<u64> = [0, 10]
        .into_iter()
        .map(|now| take(&log, now).expect("it is fresh"))
        .collect();
    let attempt = |nows: &'static [u64]| {
        go(&log, move |log| {
            nows.iter().filter_map(|now| take(log, *now)).collect()
        })
    };
    let admitted: [Vec<u64>; 2] = [attempt(one), attempt(two)].map(end);
    stamps.extend(admitted.concat());
    stamps.sort_unstable();
    for window in stamps.windows(3) {
        assert!(
            window[2] - window[0] >= SECOND,
            "three within a second: {stamps:?}"
        );
    }
    // Whoever exchanges first finds room.
    assert!(stamps.len() > 2, "{stamps:?}");
}

/// A refund and a charge on a full log: the charge passes or is denied, and the refund is not lost.
pub(crate) fn refund_makes_room(at_head: bool) {
    let log = log(2);
    let receipts = [0, 10].map(|now| charge(&*log, now, 1, 2).expect("it is fresh").receipt);
    let receipt = receipts[usize::from(at_head)];
    let (given, charged) = race(
        &log,
        move |log| log.refund(moment(20), &receipt, 1),
        |log| charge(log, 20, 1, 2).is_some(),
    );
    assert_eq!(given, 1);
    let taken = u64::from(charged);
    assert_eq!(log.count_at(Nanos(20)), 1 + taken);
    assert_eq!(charge(&*log, 20, 1, 2).is_some(), taken == 0);
    // Each unit leaves in its time.
    assert_eq!(log.count_at(Nanos(SECOND)), if at_head { 1 } else { 2 });
    assert_eq!(log.count_at(Nanos(SECOND + 10)), 1);
    assert_eq!(log.count_at(Nanos(SECOND + 20)), 0);
}

/// Two refunds of one interval, and a charge that turns the head into a point: both are counted once.
pub(crate) fn refunds_are_counted_once() {
    let log = log(4);
    let receipts = [2, 2].map(|cost| charge(&*log, 0, cost, 4).expect("it is fresh").receipt);
    let refund = |receipt| {
        go(&log, move |log: &ExactLog<()>| {
            log.refund(moment(5), &receipt, 1)
        })
    };
    let threads = receipts.map(refund);
    let charger = go(&log, |log| charge(log, 5, 1, 4).is_some());
    let taken = end(charger);
    assert_eq!(threads.map(end), [1, 1]);
    assert_eq!(log.count_at(Nanos(5)), 2 + u64::from(taken));
    assert_eq!(log.count_at(Nanos(SECOND)), u64::from(taken));
}

/// Debt from two callers on a ring too small for it: every unit counts until a window after it was taken.
pub(crate) fn debt_in_a_full_ring_stays_long_enough(one: &'static [u64], two: &'static [u64]) {
    let log = log(1);
    charge(&*log, 0, 1, 1).expect("it is fresh");
    let spend = |nows: &'static [u64]| {
        let charge = |log: &ExactLog<()>, now| {
            log.charge_anyway(moment(now), units(1), 1)
                .expect("nobody closes it")
        };
        go(&log, move |log| {
            nows.iter()
                .map(|now| charge(log, *now).receipt.counts_from().0)
                .collect()
        })
    };
    let spent: [Vec<u64>; 2] = [spend(one), spend(two)].map(end);
    let stamps = spent.concat();
    for now in [4, SECOND, SECOND + 1, SECOND + 2, SECOND + 3] {
        let live = stamps.iter().filter(|stamp| **stamp + SECOND > now).count() as u64;
        assert!(
            log.count_at(Nanos(now)) >= live,
            "at {now}: {} of {stamps:?}",
            log.count_at(Nanos(now))
        );
    }
    assert_eq!(
        log.count_at(Nanos(SECOND)),
        stamps.len() as u64,
        "the first unit has left, and it alone"
    );
    assert_eq!(log.count_at(Nanos(SECOND + 4)), 0);
}

/// A denial while somebody charges tells a wait that was right at some instant.
pub(crate) fn denial_tells_a_wait_of_one_state() {
    let log = log(2);
    charge(&*log, 0, 1, 2).expect("it is fresh");
    let (charged, looked) = race(
        &log,
        |log| charge(log, 10, 1, 2).is_some(),
        |log| log.look(moment(20), units(2), 2),
    );
    assert!(charged);
    let Err(Refused::Denied(denial)) = looked else {
        panic!("one unit is there before")
    };
    let wait = |nanos| Wait::After(Duration::from_nanos(nanos));
    let right = [(1, wait(SECOND - 20)), (2, wait(SECOND - 10))];
    assert!(
        right.contains(&(denial.committed, denial.wait)),
        "{denial:?}"
    );
}

/// A log whose first level is full once the next charge records the last of these `charges`, one every 10 ns.
fn full_level(charges: u64) -> (Arc<ExactLog<()>>, Vec<LogReceipt>) {
    let log = log(charges + 1);
    let receipts = (0..charges).map(|charge_number| {
        let charged = charge(&*log, charge_number * 10, 1, charges + 1).expect("it is fresh");
        charged.receipt
    });
    let receipts = receipts.collect();
    (log, receipts)
}

/// A refund of what the head ends, while a charge finds the level full and records the head on the next one: the refund
/// is counted once, on whichever level it was written down.
pub(crate) fn refund_meets_the_next_level(charges: u64) {
    let (log, receipts) = full_level(charges);
    let (last, now) = (receipts[receipts.len() - 1], charges * 10);
    let both = race(
        &log,
        move |log| log.refund(moment(now), &last, 1),
        move |log| charge(log, now, 1, charges + 1).is_some(),
    );
    assert_eq!(both, (1, true));
    assert_eq!(log.count_at(Nanos(now)), charges);
    for left in 1..charges {
        let since = SECOND + (left - 1) * 10;
        assert_eq!(
            log.count_at(Nanos(since)),
            charges - left,
            "{left} have left"
        );
    }
    assert_eq!(log.count_at(Nanos(SECOND + now - 1)), 1);
}

/// Units were given back before somebody looks, while two charges fill the level and open the next: they are not forgotten.
pub(crate) fn next_level_keeps_what_was_given_back() {
    let log = log(6);
    charge(&*log, 0, 2, 6).expect("it is fresh");
    let receipt = charge(&*log, 10, 4, 6).expect("it fits").receipt;
    assert_eq!(log.refund(moment(10), &receipt, 3), 3);
    let (charged, looked) = race(
        &log,
        |log| [20, 30].map(|now| charge(log, now, 1, 6).is_some()),
        |log| log.look(moment(30), units(1), 6),
    );
    assert_eq!(charged, [true, true]);
    assert!(looked.is_ok(), "five at most are used: {looked:?}");
}

/// As above but one, after a charge of the refunder's own, while a later caller finds room on the level that is full to him.
pub(crate) fn refund_on_the_next_level_is_found(charges: u64) {
    let (log, receipts) = full_level(charges);
    let (last, now) = (receipts[receipts.len() - 1], charges * 10);
    let refunder = go(&log, move |log| {
        let charged = charge(log, now, 1, charges + 2).is_some();
        (charged, log.refund(moment(now), &last, 1))
    });
    let charger = go(&log, move |log| {
        charge(log, SECOND, 1, charges + 2).is_some()
    });
    assert!(end(charger));
    assert_eq!(end(refunder), (true, 1));
    assert_eq!(log.count_at(Nanos(SECOND)), charges);
    assert_eq!(log.count_at(Nanos(SECOND + now - 10)), 2);
}

/// Two callers find the level full, one of them so late that its points have left and it records there, while the other
/// opens the next level: each unit leaves in its time all the same.
pub(crate) fn next_level_meets_a_lap(charges: u64) {
    let (log, receipts) = full_level(charges);
    let nows = [charges * 10, SECOND + 15];
    let threads = nows.map(|now| {
        go(&log, move |log| {
            log.charge_anyway(moment(now), units(1), charges + 1)
                .map(|charged| charged.receipt)
                .expect("nobody closes it")
        })
    });
    let spent = threads.map(end);
    let stamps = receipts.iter().chain(&spent);
    let stamps: Vec<u64> = stamps.map(|receipt| receipt.counts_from().0).collect();
    let last = SECOND + charges * 10;
    let leaving = (SECOND + 20..=last).step_by(10);
    for now in [SECOND + 15]
        .into_iter()
        .chain(leaving)
        .chain([2 * SECOND + 14, 2 * SECOND + 15])
    {
        let live = stamps.iter().filter(|stamp| **stamp + SECOND > now).count() as u64;
        assert_eq!(log.count_at(Nanos(now)), live, "at {now}: {stamps:?}");
    }
}

/// A reset, and a charge, a reset, a charge after that and a refund of it, at one instant: what is given back is not counted, wherever
/// the first reset ends.
pub(crate) fn reset_that_ends_late_leaves_refunds_of_what_comes_after() {
    let log = log(9);
    charge(&*log, 0, 1, 9).expect("it is fresh");
    let ((), refunded) = race(
        &log,
        |log| log.reset(moment(0)),
        |log| {
            charge(log, 0, 1, 9).expect("there is room");
            log.reset(moment(0));
            let new = charge(log, 0, 3, 9).expect("nothing was used").receipt;
            log.refund(moment(0), &new, 1)
        },
    );
    let used = log.count_at(Nanos(0));
    assert!(
        used == 0 || (used, refunded) == (2, 1),
        "{used} of 3 are used, {refunded} given back"
    );
}
