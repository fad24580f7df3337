use super::{SECOND, charge, end, go, moment, passed, race, units};
use std::time::Duration;
use tollgate_core::{Meter, Nanos, Refused, Wait};
use tollgate_sync::Arc;
use tollgate_window::SlottedRing;

/// A ring of slots of one second.
pub(crate) fn fresh(max: u64, slots: u32) -> SlottedRing<()> {
    SlottedRing::with_clock(max, Duration::from_secs(u64::from(slots)), slots, ())
        .expect("in range")
}

/// The start of a tick.
const fn tick(tick: u64) -> u64 {
    tick * SECOND
}

/// One caller charges in the old tick while another opens the next: no unit is lost, and no budget is spent twice.
pub(crate) fn rotation_loses_no_charge(max: u64, slots: u32) {
    let ring = Arc::new(fresh(max, slots));
    charge(&*ring, tick(0), 1, max).expect("it is fresh");
    let attempt = |nows: [u64; 2]| go(&ring, move |ring| nows.map(|now| charge(ring, now, 1, max)));
    let (old, new) = (attempt([tick(0), tick(0)]), attempt([tick(1), tick(1)]));
    let charges = [end(old), end(new)].concat();
    // Both ticks count in tick 1, so all five attempts share one budget.
    assert_eq!(1 + passed(&charges), max.min(5));
    let slots = u64::from(slots);
    for now in 1..=slots {
        assert_eq!(ring.count_at(Nanos(tick(now))), max.min(5), "in tick {now}");
    }
    let in_one = charges
        .iter()
        .flatten()
        .filter(|charged| charged.receipt.tick() == 1)
        .count() as u64;
    assert_eq!(ring.count_at(Nanos(tick(slots + 1))), in_one);
    assert_eq!(ring.count_at(Nanos(tick(slots + 2))), 0);
    // What a later tick sums from the history is the same.
    ring.charge_anyway(moment(tick(2)), units(1), max)
        .expect("nobody closes it");
    let in_window = if slots > 1 { max.min(5) } else { in_one };
    assert_eq!(ring.count_at(Nanos(tick(2))), in_window + 1);
    assert_eq!(ring.count_at(Nanos(tick(slots + 1))), in_one + 1);
}

/// A look while others open so many ticks that the places it reads are overwritten: it sees one state, and no state
/// had room.
pub(crate) fn look_sees_one_state() {
    let ring = Arc::new(fresh(2, 2));
    charge(&*ring, tick(0), 2, 2).expect("it is fresh");
    let spend = |ring: &SlottedRing<()>, at, cost| {
        ring.charge_anyway(moment(tick(at)), units(cost), 2).is_ok()
    };
    assert!(spend(&ring, 1, 1));
    let (spent, looked) = race(
        &ring,
        move |ring| spend(ring, 3, 2) && spend(ring, 4, 1),
        |ring| ring.look(moment(tick(2)), units(1), 2),
    );
    assert!(spent && looked.is_err());
}

/// Two callers rotate at once, to the same tick or to different ones.
pub(crate) fn rotations_agree(ticks: [u64; 2]) {
    let max = 3;
    let ring = Arc::new(fresh(max, 2));
    charge(&*ring, tick(0), 2, max).expect("it is fresh");
    let threads = ticks.map(|at| go(&ring, move |ring| charge(ring, tick(at), 1, max)));
    let charges = threads.map(end);
    let latest = charges
        .iter()
        .flatten()
        .map(|charged| charged.receipt.tick())
        .max()
        .expect("one passes");
    // Slot 0 counts in ticks 1 and 2, and leaves before tick 3.
    assert!(latest >= 3 || passed(&charges) == 1);
    let counted = |now: u64| {
        let live = charges
            .iter()
            .flatten()
            .filter(|charged| charged.receipt.tick() + 2 >= now);
        live.count() as u64 + if now <= 2 { 2 } else { 0 }
    };
    for now in latest..latest + 4 {
        assert_eq!(
            ring.count_at(Nanos(tick(now))),
            counted(now),
            "in tick {now}"
        );
    }
}

/// A refund of the old tick while another caller opens the next: never more is given back than was charged, and at the
/// latest the tick after that knows of it.
pub(crate) fn refund_meets_rotation(cost: u64) {
    let ring = Arc::new(fresh(3, 3));
    let old = charge(&*ring, tick(0), 2, 3).expect("it is fresh").receipt;
    let (given, charged) = race(
        &ring,
        move |ring| ring.refund(moment(tick(0)), &old, 1),
        move |ring| charge(ring, tick(1), cost, 3).is_some(),
    );
    assert_eq!(given, 1);
    let taken = if charged { cost } else { 0 };
    assert!(taken > 0 || cost > 1);
    let now = ring.count_at(Nanos(tick(1)));
    assert!(now == 1 + taken || now == 2 + taken, "{now}");
    assert_eq!(ring.count_at(Nanos(tick(2))), 1 + taken);
    assert_eq!(ring.count_at(Nanos(tick(4))), taken);
}

/// Refunds of a slot that is over, while another caller opens the next tick: that tick may not know of them yet, the
/// one after does.
pub(crate) fn refunds_meet_rotation(refunders: u64) {
    let ring = Arc::new(fresh(4, 3));
    let old = charge(&*ring, tick(0), 3, 4).expect("it is fresh").receipt;
    charge(&*ring, tick(1), 1, 4).expect("it fits");
    let refund = |_| {
        go(&ring, move |ring: &SlottedRing<()>| {
            ring.refund(moment(tick(1)), &old, 1)
        })
    };
    let refunds: Vec<_> = (0..refunders).map(refund).collect();
    let charger = go(&ring, |ring| charge(ring, tick(2), 1, 4).is_some());
    let taken = u64::from(end(charger));
    assert!(refunds.into_iter().map(end).all(|refunded| refunded == 1));
    let kept = 4 - refunders + taken;
    let now = ring.count_at(Nanos(tick(2)));
    assert!((kept..=4).contains(&now), "{now}");
    assert_eq!(ring.count_at(Nanos(tick(3))), kept);
}

/// Three callers rotate at once, and one of them is late.
pub(crate) fn three_rotate() {
    let ring = Arc::new(fresh(3, 2));
    charge(&*ring, tick(0), 1, 3).expect("it is fresh");
    let threads = [0, 1, 2].map(|at| go(&ring, move |ring| charge(ring, tick(at), 1, 3)));
    let charges = threads.map(end);
    // All four count in tick 2, so one of them does not fit.
    assert_eq!(passed(&charges), 2);
    assert_eq!(ring.count_at(Nanos(tick(2))), 3);
}

/// A reset while another caller opens the next tick: the charge counts in full or is forgotten in full, and nothing of
/// before the reset comes back.
pub(crate) fn reset_meets_rotation() {
    let ring = Arc::new(fresh(3, 2));
    charge(&*ring, tick(0), 2, 3).expect("it is fresh");
    let ((), charged) = race(
        &ring,
        |ring| ring.reset(moment(tick(1))),
        |ring| charge(ring, tick(1), 1, 3).is_some(),
    );
    assert!(charged);
    let now = ring.count_at(Nanos(tick(1)));
    assert!(now <= 1, "{now}");
    assert_eq!(ring.count_at(Nanos(tick(2))), now);
}

/// As for all meters, over three ticks: what the later reset forgets of the first one is not counted in the last.
pub(crate) fn reset_that_ends_late_brings_nothing_back() {
    super::reset_that_ends_late_brings_nothing_back(fresh(3, 2), [0, 1, 2].map(tick));
}

/// A late caller, for whom the first units have not left yet, and one of a later tick, for whom they have: the late one
/// finds them, whether the other has opened its tick, sealed the one before or not come yet.
pub(crate) fn late_caller_sees_what_has_left_since() {
    let ring = Arc::new(fresh(2, 1));
    charge(&*ring, tick(0), 2, 2).expect("it is fresh");
    let (early, late) = race(
        &ring,
        |ring| charge(ring, tick(2), 1, 2).is_some(),
        |ring| ring.charge(moment(tick(1)), units(1), 2),
    );
    assert!(early);
    let Err(Refused::Denied(denial)) = late else {
        panic!("two are in its window")
    };
    assert_eq!(denial.wait, Wait::nanos(SECOND), "by its own clock");
    assert_eq!(ring.count_at(Nanos(tick(2))), 1, "and it left nothing");
}
