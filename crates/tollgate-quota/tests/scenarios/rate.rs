//! The rate meter: charge, refund, extension, debt, take-over and eviction.

use super::{at, cost, end, go, race};
use std::time::Duration;
use tollgate_core::{Limit, Meter, Refused};
use tollgate_quota::{Depth, RateMeter, RateReceipt, RefundRule, Scale};
use tollgate_sync::{
    Arc,
    atomic::{
        AtomicU64,
        Ordering::{Acquire, Relaxed},
        fence,
    },
};

/// A unit is worth a nanosecond.
fn limit(capacity: u64) -> Limit {
    let limit = Limit::new(1, Duration::from_nanos(1)).expect("a limit");
    limit.with_capacity(capacity)
}

fn meter(capacity: u64) -> Arc<RateMeter> {
    Arc::new(meter_by(RefundRule::Exact, capacity))
}

fn meter_by(rule: RefundRule, capacity: u64) -> RateMeter {
    RateMeter::new(&limit(capacity), Depth::Short, rule).expect("a limit")
}

/// A meter of twice the rate that is to take over.
fn faster(capacity: u64) -> Arc<RateMeter> {
    Arc::new(faster_by(RefundRule::Exact, capacity))
}

fn faster_by(rule: RefundRule, capacity: u64) -> RateMeter {
    let limit = Limit::new(2, Duration::from_nanos(1)).expect("a limit");
    let scale = Scale::new(&limit.with_capacity(capacity)).expect("a limit");
    RateMeter::pending(scale, Depth::Short, rule)
}

fn charge(meter: &RateMeter, now: u64, units: u64, capacity: u64) -> Option<RateReceipt> {
    super::charge(meter, now, units, capacity)
}

/// Callers at one instant, each of so many charges of a unit, on a meter of which one unit is used: all of the rest is
/// taken, and no more.
pub(crate) fn charges_take_exactly_what_is_left(callers: usize, calls: usize, capacity: u64) {
    let meter = meter(capacity);
    assert!(charge(&meter, 0, 1, capacity).is_some());
    let callers: Vec<_> = (0..callers)
        .map(|_| {
            go(&meter, move |meter| {
                let passed = (0..calls).filter(|_| charge(meter, 0, 1, capacity).is_some());
                passed.count() as u64
            })
        })
        .collect();
    let asked = (callers.len() * calls) as u64;
    let taken: u64 = callers.into_iter().map(end).sum();
    assert_eq!(taken, asked.min(capacity - 1));
    assert_eq!(meter.used(at(0)), 1 + taken);
}

/// Four units are charged at 0. At 2 one caller gives three of them back, another charges three, for which there is room
/// whoever comes first: units that were refilled are not given back too, nor fewer than were not.
pub(crate) fn a_refund_racing_with_a_charge_never_admits_refilled_units_twice() {
    let meter = meter(8);
    let receipt = charge(&meter, 0, 4, 8).expect("it is fresh");
    let (given, charged) = race(
        &meter,
        move |meter| meter.refund(at(2), &receipt, 3),
        |meter| charge(meter, 2, 3, 8).is_some(),
    );
    assert!(charged, "there is room");
    // Ideal: the refund is bounded by the backlog of 2, in either order.
    assert_eq!(given, 2);
    assert_eq!(meter.used(at(2)), 4 - 2 - given + 3);
}

/// Four units are charged at 0. One caller gives all of them back with a `now` of 1, another charges four at 4: units that
/// were refilled, and admitted again by that, are not given back too.
pub(crate) fn a_refund_of_the_past_never_admits_refilled_units_twice() {
    let meter = meter(4);
    let receipt = charge(&meter, 0, 4, 4).expect("it is fresh");
    let (given, charged) = race(
        &meter,
        move |meter| meter.refund(at(1), &receipt, 4),
        |meter| charge(meter, 4, 4, 4).is_some(),
    );
    assert!(charged, "all is refilled by then");
    assert!(given == 0 || given == 3, "{given}");
    assert_eq!(meter.used(at(4)), 4);
}

/// Four units are charged at 0. One caller charges one at 4, when they are served; another, with a `now` of 1, sees a
/// backlog, and may have recorded it although it then comes second, or is denied, having room for no more than `capacity`.
/// No refund after them gives back more than the punctual one saw.
pub(crate) fn a_charge_without_backlog_ends_what_comes_back(capacity: u64) {
    let meter = meter(capacity);
    let receipt = charge(&meter, 0, 4, capacity).expect("it is fresh");
    let (seen, _) = race(
        &meter,
        move |meter| {
            let charged = meter.charge(at(4), cost(1), capacity);
            charged.expect("all is served").before
        },
        move |meter| charge(meter, 1, 1, capacity),
    );
    let given = meter.refund(at(1), &receipt, 3);
    assert!(u128::from(given) <= seen, "{given}, of which it saw {seen}");
}

/// Four units are charged at 0. One caller charges one at 4, when they are served, and one with a `now` of 1, who sees that
/// one before it saw no backlog; another, with a `now` of 1 too, may have seen as much of the charge before. What is said of
/// the later one stands: nothing comes back but what the punctual one saw.
pub(crate) fn what_is_said_of_a_later_charge_without_backlog_stands() {
    let meter = meter(8);
    let receipt = charge(&meter, 0, 4, 8).expect("it is fresh");
    let (seen, _) = race(
        &meter,
        move |meter| {
            let charged = meter.charge(at(4), cost(1), 8);
            let seen = charged.expect("all is served").before;
            charge(meter, 1, 1, 8).expect("there is room");
            seen
        },
        move |meter| charge(meter, 1, 1, 8).expect("there is room"),
    );
    let given = meter.refund(at(1), &receipt, 3);
    assert!(u128::from(given) <= seen, "{given}, of which it saw {seen}");
}

/// Twelve units are charged at 0. One caller charges one at 9, another with a `now` of 6 beside it: of the twelve no more comes
/// back than the later one saw, and all that it saw.
pub(crate) fn a_charge_of_the_past_leaves_what_a_later_one_saw() {
    let meter = meter(20);
    let receipt = charge(&meter, 0, 12, 20).expect("it is fresh");
    let (seen, _) = race(
        &meter,
        |meter| {
            let charged = meter.charge(at(9), cost(1), 20);
            charged.expect("there is room").before
        },
        |meter| charge(meter, 6, 1, 20).expect("there is room"),
    );
    let given = meter.refund(at(9), &receipt, 11);
    assert!(u128::from(given) <= seen, "{given}, of which it saw {seen}");
    assert!(given >= 3, "{given}");
}

/// Three units are charged at 0, then eight, of which two callers give one back each. A charge at `then` later the three are
/// given back: as many as are left of the nine by then, for both of the two are known to have come off the eight.
pub(crate) fn two_refunds_of_one_charge_both_count(then: u64) {
    let meter = meter(12);
    let [first, second] = [3, 8].map(|units| charge(&meter, 0, units, 12).expect("it is fresh"));
    let give = move |meter: &RateMeter| meter.refund(at(0), &second, 1);
    assert_eq!(race(&meter, give, give), (1, 1));
    assert!(charge(&meter, then, 1, 12).is_some());
    assert_eq!(meter.refund(at(then), &first, 3), (9 - then).min(3));
}

/// Two units are charged at 0, and two more. At 3 one caller gives three of these four back, by a meter that is eager to, another
/// charges two: as far as there is a backlog, all comes back.
pub(crate) fn an_eager_refund_beside_a_charge_gives_back_what_there_is() {
    let meter = Arc::new(meter_by(RefundRule::Eager, 8));
    let receipt = charge(&meter, 0, 4, 8).expect("it is fresh");
    let (given, before) = race(
        &meter,
        move |meter| meter.refund(at(3), &receipt, 3),
        |meter| {
            let charged = meter.charge(at(3), cost(2), 8);
            charged.expect("there is room").before
        },
    );
    assert!(
        (given, before) == (1, 0) || (given, before) == (3, 1),
        "{given} came back, {before} was left"
    );
    assert_eq!(meter.used(at(3)), 3 - given);
}

/// Eager refunds and a charge at one instant: none is lost.
pub(crate) fn eager_refunds_and_a_charge_add_up(refunders: usize) {
    let units = 2 * refunders as u64;
    let meter = Arc::new(meter_by(RefundRule::Eager, units + 3));
    let refunders: Vec<_> = (0..refunders)
        .map(|_| charge(&meter, 0, 2, units).expect("it is fresh"))
        .map(|receipt| go(&meter, move |meter| meter.refund(at(0), &receipt, 1)))
        .collect();
    assert!(charge(&meter, 0, 3, units + 3).is_some());
    let given: u64 = refunders.into_iter().map(end).sum();
    assert_eq!(2 * given, units);
    assert_eq!(meter.used(at(0)), units + 3 - given);
}

/// Four units are charged. One caller gives two of them back, another resets the meter and charges four more: nothing of
/// these is given back for the others.
pub(crate) fn a_reset_beside_a_refund_leaves_later_charges(rule: RefundRule) {
    let meter = Arc::new(meter_by(rule, 8));
    let old = charge(&meter, 0, 4, 8).expect("it is fresh");
    let (given, new) = race(
        &meter,
        move |meter| meter.refund(at(0), &old, 2),
        |meter| {
            meter.reset(at(0));
            charge(meter, 0, 4, 8).expect("there is room")
        },
    );
    assert!(given == 0 || given == 2, "{given}");
    assert_eq!(meter.used(at(0)), 4);
    assert_eq!(meter.refund(at(0), &old, 1), 0);
    assert_eq!(meter.refund(at(0), &new, 1), 1);
}

/// Four units are charged. One caller resets the meter, another charges four more and then gives three of the first ones
/// back: a charge is forgotten as it stands, or stays as it is.
pub(crate) fn a_reset_forgets_receipts_with_their_units(rule: RefundRule) {
    let meter = Arc::new(meter_by(rule, 8));
    let old = charge(&meter, 0, 4, 8).expect("it is fresh");
    race(
        &meter,
        |meter| meter.reset(at(0)),
        move |meter| {
            charge(meter, 0, 4, 8).expect("there is room");
            meter.refund(at(0), &old, 3)
        },
    );
    let used = meter.used(at(0));
    assert!(used == 0 || used == 4, "{used}");
}

/// One caller resets the meter, another charges twice beside it: if both charges are forgotten, so are both receipts.
pub(crate) fn a_reset_forgets_all_charges_before_it(rule: RefundRule) {
    let meter = Arc::new(meter_by(rule, 8));
    charge(&meter, 0, 1, 8).expect("it is fresh");
    let (_, receipt) = race(
        &meter,
        |meter| meter.reset(at(0)),
        |meter| [1, 2].map(|units| charge(meter, 0, units, 8).expect("there is room"))[1],
    );
    let used = meter.used(at(0));
    assert!([0, 2, 3].contains(&used), "{used}");
    if used == 0 {
        assert!(charge(&meter, 0, 4, 8).is_some());
    }
    let given = meter.refund(at(0), &receipt, 1);
    assert_eq!(given, u64::from(used > 0));
}

/// One caller resets a meter, another takes over from it: it is closed, and what was forgotten is handed on to nobody.
pub(crate) fn a_reset_beside_a_change_of_rate_reopens_nothing(rule: RefundRule) {
    let meters = Arc::new((meter_by(rule, 8), faster_by(rule, 8)));
    let receipt = charge(&meters.0, 0, 4, 8).expect("it is fresh");
    race(
        &meters,
        |(old, _)| old.reset(at(0)),
        |(old, new)| new.take_over(old, at(0)),
    );
    let (old, new) = &*meters;
    assert!(old.is_closed());
    let used = new.used(at(0));
    assert!(used == 0 || used == 4, "{used}");
    assert!(charge(new, 0, 4, 8).is_some());
    let carried = old.hand_on(&receipt, 2);
    let given = new.refund_carried(at(0), carried);
    let given = given.expect("it is not frozen");
    assert!(given <= 2 && (used > 0 || given == 0), "{given} of {used}");
}

/// Eight units are charged at 0 by two callers. At 6, when two are left of them, one of these gives a unit back beside a new
/// charge, and then the other gives four back: of both no more comes back than was left, nor less because of the race.
pub(crate) fn a_refund_beside_a_charge_bounds_the_next_refund() {
    let meter = meter(8);
    let [first, second] = [(); 2].map(|()| charge(&meter, 0, 4, 8).expect("it is fresh"));
    let (given, before) = race(
        &meter,
        move |meter| meter.refund(at(6), &second, 1),
        |meter| {
            let charged = meter.charge(at(6), cost(5), 8);
            charged.expect("there is room").before
        },
    );
    assert_eq!(given, 1);
    let more = meter.refund(at(6), &first, 4);
    assert!(given + more <= 2, "{more} more, where one was left");
    if before == 2 {
        assert_eq!(more, 1, "the refund came after the charge");
    }
    assert_eq!(meter.used(at(6)), 7 - given - more);
}

/// Eight units are charged at 0. One of them is given back at 6 beside a caller who charges four then, one at 9, and gives three
/// of the four back: two of these at least were not served yet, of which a refund in flight may hide one.
pub(crate) fn a_refund_knows_the_refunds_that_its_charge_counted() {
    let meter = meter(12);
    let old = charge(&meter, 0, 8, 12).expect("it is fresh");
    let (_, given) = race(
        &meter,
        move |meter| meter.refund(at(6), &old, 1),
        |meter| {
            let own = charge(meter, 6, 4, 12).expect("there is room");
            charge(meter, 9, 1, 12).expect("there is room");
            meter.refund(at(9), &own, 3)
        },
    );
    assert!((1..=3).contains(&given), "{given}");
}

/// Two callers charge as one group of charges ends and the next begins, which rolls the group up. Many charges later a charge of
/// that group is given back: no more than what either of the two saw.
pub(crate) fn a_group_is_rolled_up_with_its_last_charge() {
    const CAPACITY: u64 = 2_000;
    let meter = meter(CAPACITY);
    let take =
        |meter: &RateMeter, now, units| charge(meter, now, units, CAPACITY).expect("there is room");
    // A group of eight before, so that no charge of the next sees less than a thousand.
    take(&meter, 0, 1_000);
    (1..8).for_each(|_| {
        take(&meter, 0, 1);
    });
    let receipt = take(&meter, 0, 500);
    (9..15).for_each(|_| {
        take(&meter, 0, 1);
    });
    // 113 are left by then. One of the two is the last of its group.
    race(
        &meter,
        move |meter| take(meter, 1_400, 50),
        move |meter| take(meter, 1_400, 50),
    );
    // By these the group's own records are no longer looked at.
    (0..8).for_each(|_| {
        take(&meter, 1_400, 1);
    });
    assert_eq!(meter.refund(at(1_400), &receipt, 500), 113);
}

/// Refunds and a charge at one instant give back all, and so does a refund after them.
pub(crate) fn refunds_racing_with_refunds_and_a_charge_keep_every_unit(refunders: usize) {
    let held = refunders as u64 + 1;
    let meter = meter(held + 1);
    let receipts: Vec<_> = (0..held)
        .map(|_| charge(&meter, 0, 1, held).expect("it is fresh"))
        .collect();
    let threads: Vec<_> = receipts[1..]
        .iter()
        .map(|receipt| {
            let receipt = *receipt;
            go(&meter, move |meter| meter.refund(at(0), &receipt, 1))
        })
        .collect();
    let charged = go(&meter, move |meter| charge(meter, 0, 1, held + 1).is_some());
    let given: u64 = threads.into_iter().map(end).sum();
    assert!(end(charged), "there was room");
    // No time passes: nothing is refilled, so all comes back, whatever is in flight.
    assert_eq!(given, held - 1);
    assert_eq!(meter.refund(at(0), &receipts[0], 1), 1);
    assert_eq!(meter.used(at(0)), 1);
}

/// One caller charges, charges more for the same request and settles for one unit; another does as much beside it. What
/// is left in the end is what was used.
pub(crate) fn an_extension_is_settled_with_its_charge(callers: u64) {
    let capacity = 3 * callers;
    let meter = meter(capacity);
    let callers: Vec<_> = (0..callers)
        .map(|_| {
            go(&meter, move |meter| {
                let first = charge(meter, 0, 2, capacity).expect("there is room");
                let more = charge(meter, 0, 1, capacity).expect("there is room");
                // Settling gives the last charge back first.
                meter.refund(at(0), &more, 1) + meter.refund(at(0), &first, 1)
            })
        })
        .collect();
    let count = callers.len() as u64;
    let given: u64 = callers.into_iter().map(end).sum();
    assert_eq!(given, 2 * count);
    assert_eq!(meter.used(at(0)), count);
}

/// A debt, a refund and a charge beside each other: the debt is charged exactly once, whatever else goes on.
pub(crate) fn debt_is_never_lost(with_charge: bool) {
    let meter = meter(4);
    let receipt = charge(&meter, 0, 4, 4).expect("it is fresh");
    let debt = go(&meter, |meter| {
        let charged = meter.charge_anyway(at(0), cost(3), 4);
        charged.expect("nobody closes it");
    });
    let charged = with_charge.then(|| go(&meter, |meter| charge(meter, 0, 1, 4).is_some()));
    let given = meter.refund(at(0), &receipt, 2);
    end(debt);
    let charged = charged.is_some_and(end);
    assert_eq!(given, 2);
    assert_eq!(meter.used(at(0)), 5 + u64::from(charged));
}

/// A charge that is backed out beside one that is kept: it is as if it had never been.
pub(crate) fn backing_out_keeps_nothing() {
    let meter = meter(4);
    let both = race(
        &meter,
        |meter| {
            let receipt = charge(meter, 0, 2, 4).expect("there is room");
            meter.refund(at(0), &receipt, 2)
        },
        |meter| charge(meter, 0, 2, 4).is_some(),
    );
    assert_eq!(both, (2, true));
    assert_eq!(meter.used(at(0)), 2);
}

/// A meter at rest is either evicted or charged, never both.
pub(crate) fn eviction_and_charge_exclude_each_other() {
    let meter = meter(4);
    let (evicted, charged) = race(
        &meter,
        |meter| meter.close_at_rest(at(0)),
        |meter| charge(meter, 0, 1, 4).is_some(),
    );
    assert_ne!(evicted, charged);
}

/// How a meter is closed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is evicted.
    Closes,
    /// Another takes over from it.
    Freezes,
    /// It takes over from another.
    Fills,
}

/// One caller writes something down and then changes a meter; another finds it changed, as he looks or as he charges: he finds
/// what was written, too.
pub(crate) fn what_came_before_a_change_is_seen_by_who_finds_it(change: Change, looks: bool) {
    struct World {
        old: RateMeter,
        new: RateMeter,
        written: AtomicU64,
    }
    let world = Arc::new(World {
        old: meter_by(RefundRule::Exact, 8),
        new: faster_by(RefundRule::Exact, 8),
        written: AtomicU64::new(0),
    });
    race(
        &world,
        move |world| {
            world.written.store(1, Relaxed);
            match change {
                Change::Closes => assert!(world.old.close_at_rest(at(0))),
                Change::Freezes | Change::Fills => world.new.take_over(&world.old, at(0)),
            }
        },
        move |world| {
            let meter = match change {
                Change::Closes | Change::Freezes => &world.old,
                Change::Fills => &world.new,
            };
            let answer = if looks {
                let answer = meter.look(at(0), cost(1), 8);
                fence(Acquire);
                answer
            } else {
                // More than there is: so that it changes nothing.
                meter.charge(at(0), cost(9), 8).map(|_| ())
            };
            let is_closed = answer == Err(Refused::Closed);
            if is_closed != (change == Change::Fills) {
                assert_eq!(world.written.load(Relaxed), 1);
            }
        },
    );
}

/// The rate changes beside a charge, and two take over: units committed before are committed after, exactly once.
pub(crate) fn a_change_of_rate_keeps_the_units(charges: usize) {
    let old = meter(8);
    assert!(charge(&old, 0, 1, 8).is_some());
    let new = faster(8);
    let take_over = || {
        let (old, new) = (Arc::clone(&old), Arc::clone(&new));
        go(&old, move |old| new.take_over(old, at(0)))
    };
    let takers = [take_over(), take_over()];
    for _ in 0..charges {
        if let Err(refused) = old.charge(at(0), cost(1), 8) {
            assert_eq!(refused, Refused::Closed);
            new.take_over(&old, at(0));
            assert!(new.charge(at(0), cost(1), 8).is_ok());
        }
    }
    takers.into_iter().for_each(end);
    assert_eq!(new.used(at(0)), 1 + charges as u64);
}

/// One caller charges one more to two units and takes over, another gives one back beside it, to the meter that he finds open: no time
/// passes, so it comes back.
pub(crate) fn a_change_of_rate_after_a_charge_hands_all_on() {
    let meters = Arc::new((
        meter_by(RefundRule::Exact, 8),
        faster_by(RefundRule::Exact, 8),
    ));
    let [receipt, _] = [1, 1].map(|units| charge(&meters.0, 0, units, 8).expect("it is fresh"));
    let (given, charged) = race(
        &meters,
        move |(old, new)| {
            if old.is_closed() {
                hand_on(old, new, &receipt)
            } else {
                give(old, new, &receipt)
            }
        },
        |(old, new)| {
            let charged = charge(old, 0, 1, 8);
            new.take_over(old, at(0));
            u64::from(charged.is_some())
        },
    );
    assert_eq!(given, 1);
    assert_eq!(meters.1.used(at(0)), 1 + charged);
}

/// Gives a unit of a charge of `old` back, to it or to `new`, which takes over if that is to be.
fn give(old: &RateMeter, new: &RateMeter, receipt: &RateReceipt) -> u64 {
    let given = old.refund(at(0), receipt, 1);
    if given > 0 || !old.is_closed() {
        return given;
    }
    hand_on(old, new, receipt)
}

/// The same of a meter that was found closed.
fn hand_on(old: &RateMeter, new: &RateMeter, receipt: &RateReceipt) -> u64 {
    new.take_over(old, at(0));
    let carried = old.hand_on(receipt, 1);
    let given = new.refund_carried(at(0), carried);
    given.expect("it is not frozen")
}

/// Two units are charged at 0 by each of two callers, and five at 3, when one of these four is left; then another meter takes over.
/// Both give all back, and one unit comes back.
pub(crate) fn receipts_that_are_handed_on_share_what_was_left() {
    let meters = Arc::new((
        meter_by(RefundRule::Exact, 8),
        faster_by(RefundRule::Exact, 8),
    ));
    let (old, new) = &*meters;
    let [first, second] = [2, 2].map(|units| charge(old, 0, units, 8).expect("it is fresh"));
    charge(old, 3, 5, 8).expect("there is room");
    new.take_over(old, at(3));
    let give = |receipt: RateReceipt| {
        move |(old, new): &(RateMeter, RateMeter)| {
            let given = new.refund_carried(at(3), old.hand_on(&receipt, 2));
            given.expect("it is not frozen")
        }
    };
    let (one, other) = race(&meters, give(first), give(second));
    assert_eq!(one + other, 1, "{one} and {other}");
    assert_eq!(new.used(at(3)), 5);
}

/// What receipts of before a change of rate give back is taken off the new meter, once each, and off no other.
pub(crate) fn a_change_of_rate_hands_receipts_on(givers: usize) {
    let old = meter(8);
    let receipts: Vec<_> = (0..givers)
        .map(|_| charge(&old, 0, 1, 8).expect("it is fresh"))
        .collect();
    let new = faster(8);
    let givers: Vec<_> = receipts
        .into_iter()
        .map(|receipt| {
            let new = Arc::clone(&new);
            go(&old, move |old| give(old, &new, &receipt))
        })
        .collect();
    new.take_over(&old, at(0));
    let held = givers.len() as u64;
    let given: u64 = givers.into_iter().map(end).sum();
    assert_eq!(new.used(at(0)) + given, held);
}
