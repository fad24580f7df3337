//! Draws in a wrong order: what the races must find.
//!
//! A limiter of one shard and nothing else, short enough to be seen through, whose draw does its three steps in an
//! order that is part of its type.

use super::sharded::Draws;
use std::{marker::PhantomData, time::Duration};
use tollgate_core::{
    Clock, Cost, Limit, ManualClock, Nanos,
    gcra::{Gcra, Step},
};
use tollgate_sync::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed},
};

/// How a draw goes about it.
pub(crate) trait Order: Send + Sync + 'static {
    /// The room is spoken for before the parent is asked.
    const ROOM_BEFORE_PARENT: bool;
    /// The clock is read after the room was spoken for.
    const CLOCK_AFTER_ROOM: bool;
}

/// Room, clock, parent.
pub(crate) struct Right;

impl Order for Right {
    const ROOM_BEFORE_PARENT: bool = true;
    const CLOCK_AFTER_ROOM: bool = true;
}

/// Clock, parent, room.
pub(crate) struct DrawsFirst;

impl Order for DrawsFirst {
    const ROOM_BEFORE_PARENT: bool = false;
    const CLOCK_AFTER_ROOM: bool = false;
}

/// Clock, room, parent.
pub(crate) struct ReadsTheClockFirst;

impl Order for ReadsTheClockFirst {
    const ROOM_BEFORE_PARENT: bool = true;
    const CLOCK_AFTER_ROOM: bool = false;
}

const K: u64 = 1;

pub(crate) struct Planted<O> {
    clock: ManualClock,
    parent: Gcra,
    tat: AtomicU64,
    /// Stock plus room that is away.
    spoken_for: AtomicU64,
    stock: AtomicU64,
    order: PhantomData<O>,
}

/// Subtracts, if there is as much.
fn less(word: &AtomicU64, units: u64) -> bool {
    word.fetch_update(AcqRel, Acquire, |held| held.checked_sub(units))
        .is_ok()
}

impl<O: Order> Planted<O> {
    fn from_parent(&self, units: u64, now: Nanos) -> bool {
        let cost = Cost::new(units).expect("a cost");
        let next = |tat| match self.parent.step(tat, now, cost) {
            Ok(Step::Take { tat, .. }) => Some(tat),
            _ => None,
        };
        self.tat.fetch_update(Relaxed, Relaxed, next).is_ok()
    }

    /// Room for one unit, or none.
    fn room(&self) -> u64 {
        let room = |spoken_for| (spoken_for < K).then_some(spoken_for + 1);
        u64::from(self.spoken_for.fetch_update(AcqRel, Acquire, room).is_ok())
    }
}

impl<O: Order> Draws for Planted<O> {
    fn full(clock: ManualClock) -> Self {
        let limit = Limit::new(1, Duration::from_nanos(10)).expect("a limit");
        Self {
            clock,
            parent: Gcra::new(limit.with_capacity(8 - K)).expect("a limit"),
            tat: AtomicU64::new(0),
            spoken_for: AtomicU64::new(K),
            stock: AtomicU64::new(K),
            order: PhantomData,
        }
    }

    fn try_acquire(&self, units: u64) -> bool {
        if less(&self.stock, units) {
            return less(&self.spoken_for, units);
        }
        let early = self.clock.now();
        let room = if O::ROOM_BEFORE_PARENT {
            self.room()
        } else {
            // What a look says: the exchange comes too late.
            K - self.spoken_for.load(Acquire).min(K)
        };
        let now = if O::CLOCK_AFTER_ROOM {
            self.clock.now()
        } else {
            early
        };
        if self.from_parent(units + room, now) {
            if !O::ROOM_BEFORE_PARENT {
                self.spoken_for.fetch_add(room, AcqRel);
            }
            self.stock.fetch_add(room, AcqRel);
            return true;
        }
        if O::ROOM_BEFORE_PARENT {
            self.spoken_for.fetch_sub(room, AcqRel);
        }
        self.from_parent(units, now)
    }
}
