use super::{SECOND, passed, race};
use std::time::Duration;
use tollgate_core::{Cost, ManualClock, Nanos, Refused};
use tollgate_sync::Arc;
use tollgate_window::ShardedRing;

/// A ring with shards, in slots of one second: ours, or one with a planted fault.
pub(crate) trait Shards: Send + Sync + 'static {
    /// With `slots` slots and two shards, each of which draws one unit ahead where there is room.
    fn fresh(max: u64, slots: u32) -> Self;

    /// Takes `cost` by way of `shard`; the tick in which it counts.
    fn take(&self, shard: usize, cost: u64, now: u64) -> Option<u64>;
}

impl Shards for ShardedRing<ManualClock> {
    fn fresh(max: u64, slots: u32) -> Self {
        ShardedRing::builder(max, Duration::from_secs(slots.into()), slots)
            .shards(2)
            .batch(1)
            .build_with_clock(ManualClock::new())
            .expect("in range")
    }

    fn take(&self, shard: usize, cost: u64, now: u64) -> Option<u64> {
        match self.try_record_on_at(shard, Cost::new(cost).expect("a cost"), Nanos(now)) {
            Ok(receipt) => Some(receipt.tick()),
            Err(Refused::Denied(_)) => None,
            Err(Refused::Closed | Refused::Dry) => panic!("nobody closed it"),
        }
    }
}

fn with_stock<R: Shards>(max: u64, slots: u32) -> Arc<R> {
    let ring = Arc::new(R::fresh(max, slots));
    assert_eq!(ring.take(0, 1, 0), Some(0), "it is fresh");
    ring
}

/// Takes all that is left at `now`, unit by unit, and returns how much it was.
fn drain<R: Shards>(ring: &R, now: u64) -> u64 {
    (0..100)
        .take_while(|_| ring.take(1, 1, now).is_some())
        .count() as u64
}

/// A late caller and one whose window has left the stock behind: units of a tick are admitted in it or not at all.
pub(crate) fn stock_serves_no_later_tick<R: Shards>() {
    let (max, late, new) = (6, 0, 2 * SECOND);
    let ring = with_stock::<R>(max, 1);
    let ticks: [_; 2] = race(
        &ring,
        move |ring: &R| ring.take(0, 1, late),
        move |ring: &R| ring.take(0, 1, new),
    )
    .into();
    assert!(ticks[0].is_some(), "there is room for both");
    assert_eq!(ticks[1], Some(2));
    let in_new = ticks.iter().filter(|tick| **tick == Some(2)).count() as u64;
    assert_eq!(in_new + drain(&*ring, new), max);
}

/// Two callers of one shard draw in different ticks that count together: whoever puts stock by last, none is lost.
pub(crate) fn draws_of_two_ticks_lose_nothing<R: Shards>(max: u64) {
    let ring = Arc::new(R::fresh(max, 1));
    let two = |ring: &R, now| [(); 2].map(|()| ring.take(0, 1, now));
    let (early, late) = race(
        &ring,
        move |ring: &R| two(ring, 0),
        move |ring: &R| two(ring, SECOND),
    );
    let taken = passed(&early) + passed(&late);
    assert_eq!(taken + drain(&*ring, SECOND), max);
}

/// One caller takes stock that another needs, who asks in the same tick or in the next: one of them has it.
pub(crate) fn stock_is_taken_once<R: Shards>(now: u64) {
    let max = 8;
    let ring = with_stock::<R>(max, 1);
    let (owner, other) = race(
        &ring,
        |ring: &R| ring.take(0, 1, 0).is_some(),
        move |ring: &R| ring.take(1, max - 1, now).is_some(),
    );
    assert!(owner || other, "there is enough for one");
    let taken = 1 + u64::from(owner) + if other { max - 1 } else { 0 };
    assert_eq!(taken + drain(&*ring, now), max);
}

/// Two callers need the same stock, each for more than the ring has left: one of them gets it.
pub(crate) fn stock_is_gathered_once<R: Shards>() {
    let max = 8;
    let ring = with_stock::<R>(max, 1);
    assert!(ring.take(1, 5, 0).is_some());
    let (one, other) = race(
        &ring,
        |ring: &R| ring.take(0, 2, 0),
        |ring: &R| ring.take(1, 2, 0),
    );
    let taken = 2 * passed(&[one, other]);
    assert!(taken <= 2);
    assert_eq!(6 + taken + drain(&*ring, 0), max);
}
