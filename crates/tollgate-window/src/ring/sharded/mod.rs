//! A slotted ring whose units are mostly at hand: stock drawn ahead from the open slot.
//!
//! # Protocol
//! The ring is that of the [module above](super), and counts what was drawn from it. Each shard is one word: the number
//! of a tick, and units of that tick which the ring has counted and nobody was admitted for.
//!
//! - **Admission from stock**: one exchange of the shard's word, if it has enough of the caller's tick. The ring knows of
//!   it already. A caller whose tick is over draws from the ring.
//! - **Draw**: one exchange of the ring takes the cost and up to a batch more, but only so much that there is as much
//!   for every other shard twice over; the rest is put into the shard. An older tick's units that are still in there
//!   are dead: they come out in the same exchange and are given back to the ring, as a refund to their own tick. So
//!   are drawn units that find a newer tick in the shard.
//! - **Gather**: before a denial, the ring's room and the shards' units that still count are added up by loads. Only if
//!   that suffices are shards emptied, one after the other, and their units given back to their ticks in the ring; the
//!   draw is then tried again. If not, units of ticks before the open one are given back, so that they stand in no
//!   later cost's way; then the ring alone knows which slot must leave, and its answer, with the open slot's stock
//!   added to the room, is the denial.
//!
//! Law 1 holds since a unit of a tick is counted by the ring from before it comes into a shard until after it has gone
//! out of it unused, and only whoever exchanged it out may use it or give it back. So nothing needs to die, and no unit
//! is lost: stock is out of reach only while a caller has it in hand.
//!
//! # Synchronization
//! - `shards`: changed only by exchange: taken from, put into, emptied. Relaxed: the module of the word tells why.
//! - The ring's words are as in the module above: draws are charges, and what is given back is refunds.
//!
//! Every loop is lock-free: it repeats only after an exchange of another caller succeeded, or after its own exchange
//! moved stock to where the next turn finds it.

mod builder;
mod stock;
mod supply;

pub use builder::ShardedRingBuilder;

use self::supply::Supply;
use crate::{cell::wait_of, error::WindowError, ring::word::SlotReceipt};
use std::time::Duration;
use tollgate_core::{Clock, Cost, Nanos, QuantaClock, Refused};
use tollgate_sync::thread_number;

/// A [`SlottedRing`](crate::SlottedRing) that is shared by many threads that ask often: most admissions are one exchange
/// on a line of their own.
///
/// The limit is the same: in *every* half-open interval of length `window` at most `max` units, kept in slots that count
/// until they have left entirely. Threads are spread over shards, each of which draws a few units of the open slot ahead;
/// an admission takes from those. Use a `SlottedRing` as the meter of a policy, or where debt must be recorded.
///
/// # Guarantees
///
/// 1. **Never over**, exactly, as of a `SlottedRing`.
/// 2. **Never needlessly under**, as of a `SlottedRing`: units drawn ahead are found by whoever needs them, whichever
///    shard they are in, and those that were not used in their slot are given back. Only what other callers move
///    meanwhile is not seen: of each of them at most a batch or, if it gathers before a denial, what was in the shards. Who is denied for
///    that finds it by asking again.
/// 3. **A denial changes nothing**, and writes nothing, but to give back what shards still hold of earlier slots.
///
/// Every operation is lock-free and allocates nothing. A shard draws up to its batch, but never more than `room / 2
/// shards`, so the last units of a slot are taken from the ring itself, one exchange each.
///
/// Each verb that decides comes with the ring's own [`Clock`], or `_at` a `now`, which must come from that clock's
/// time line and may step back. With a cached clock an admission reads no time-stamp counter at all.
///
/// ```
/// use std::time::Duration;
/// use tollgate_core::Cost;
/// use tollgate_window::ShardedRing;
///
/// let ring = ShardedRing::new(100_000, Duration::from_secs(60), 60)?;
/// std::thread::scope(|scope| {
///     for _ in 0..4 {
///         scope.spawn(|| ring.try_record(Cost::ONE).is_ok());
///     }
/// });
/// assert_eq!(ring.count(), 4);
/// # Ok::<(), tollgate_window::WindowError>(())
/// ```
#[derive(Debug)]
pub struct ShardedRing<C = QuantaClock> {
    supply: Supply,
    clock: C,
}

impl ShardedRing {
    /// At most `max` units in every interval of length `window`, kept in `slots` slots, with a shard for each core, on
    /// a clock of its own.
    ///
    /// # Errors
    /// As [`SlottedRing::new`](crate::SlottedRing::new).
    pub fn new(max: u64, window: Duration, slots: u32) -> Result<Self, WindowError> {
        Self::builder(max, window, slots).build()
    }

    /// Builds a ring with more choices.
    pub const fn builder(max: u64, window: Duration, slots: u32) -> ShardedRingBuilder {
        ShardedRingBuilder::new(max, window, slots)
    }
}

impl<C: Clock> ShardedRing<C> {
    /// Takes `cost` now if it fits, in one step.
    ///
    /// Lock-free: one clock read, and from stock one exchange on the line of the thread's shard; else one of the ring (four
    /// for the first of a slot) and one of the shard, more only where stock is given back. A denial is a clock read
    /// and a load of the ring and of each shard, and of the slots that must leave.
    ///
    /// # Errors
    /// [`Refused::Denied`] with the least wait ([`Wait::Never`](tollgate_core::Wait::Never) for a cost above the max),
    /// and nothing changed.
    #[inline]
    pub fn try_record(&self, cost: Cost) -> Result<SlotReceipt, Refused> {
        self.try_record_at(cost, self.clock.now())
    }

    /// Takes `cost` at `now` if it fits; see [`Self::try_record`].
    ///
    /// # Errors
    /// As [`Self::try_record`].
    #[inline]
    pub fn try_record_at(&self, cost: Cost, now: Nanos) -> Result<SlotReceipt, Refused> {
        self.supply.take(thread_number(), now, cost.get())
    }

    /// Takes `cost` now by way of the shard numbered `shard`, modulo their number; see [`Self::try_record`]. For
    /// those who know better than the thread alone, say by the core they run on.
    ///
    /// # Errors
    /// As [`Self::try_record`].
    #[inline]
    pub fn try_record_on(&self, shard: usize, cost: Cost) -> Result<SlotReceipt, Refused> {
        self.try_record_on_at(shard, cost, self.clock.now())
    }

    /// As [`Self::try_record_on`], at `now`.
    ///
    /// # Errors
    /// As [`Self::try_record`].
    #[inline]
    pub fn try_record_on_at(
        &self,
        shard: usize,
        cost: Cost,
        now: Nanos,
    ) -> Result<SlotReceipt, Refused> {
        self.supply.take(shard, now, cost.get())
    }

    /// Gives back up to `surplus` units of a charge (never more than it took, which the caller sees to), and returns how
    /// many of them still counted.
    pub fn refund(&self, receipt: &SlotReceipt, surplus: u64) -> u64 {
        self.refund_at(receipt, surplus, self.clock.now())
    }

    /// As [`Self::refund`], at `now`.
    pub fn refund_at(&self, receipt: &SlotReceipt, surplus: u64, now: Nanos) -> u64 {
        self.supply.ring().refund(now, *receipt, surplus)
    }

    /// Units that count now. Exact while nobody else comes. A load of each shard, and of each slot if no charge came
    /// in the present one yet.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count_at(self.clock.now())
    }

    /// Units that count at `now`; see [`Self::count`].
    #[must_use]
    pub fn count_at(&self, now: Nanos) -> u64 {
        self.supply.used(now)
    }

    /// Units left now; see [`Self::count`].
    #[must_use]
    pub fn remaining(&self) -> u64 {
        self.remaining_at(self.clock.now())
    }

    /// Units left at `now`; see [`Self::count`].
    #[must_use]
    pub fn remaining_at(&self, now: Nanos) -> u64 {
        self.max().saturating_sub(self.count_at(now))
    }

    /// How long `cost` would have to wait now; see [`Self::wait_time_at`].
    #[must_use]
    pub fn wait_time(&self, cost: Cost) -> Option<Duration> {
        self.wait_time_at(cost, self.clock.now())
    }

    /// How long `cost` would have to wait at `now`, were nobody else to come: zero if it fits, none if it never does.
    /// As a denial, it may give back what shards still hold of earlier slots.
    #[must_use]
    pub fn wait_time_at(&self, cost: Cost, now: Nanos) -> Option<Duration> {
        wait_of(self.supply.look(now, cost.get()))
    }

    /// The most units a window.
    #[must_use]
    pub const fn max(&self) -> u64 {
        self.supply.max()
    }

    /// The length of a window.
    #[must_use]
    pub fn window(&self) -> Duration {
        self.supply.ring().ticks.window()
    }

    /// In how many slots it is kept.
    #[must_use]
    pub fn slots(&self) -> u32 {
        self.supply.ring().ticks.slots()
    }

    /// Over how many shards the threads are spread.
    #[must_use]
    pub fn shards(&self) -> usize {
        self.supply.shards()
    }

    /// Where `now` comes from.
    #[must_use]
    pub const fn clock(&self) -> &C {
        &self.clock
    }
}
