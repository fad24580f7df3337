//! The loops of the sharded ring: stock and the ring it comes from. The module page tells the protocol.

use super::stock::{Shard, Stock};
use crate::ring::{
    cell::{Cell, Seen},
    word::SlotReceipt,
};
use crossbeam_utils::CachePadded;
use tollgate_core::{Nanos, Refused};

#[derive(Debug)]
pub(super) struct Supply {
    max: u64,
    ring: CachePadded<Cell>,
    /// A power of two.
    shards: Box<[CachePadded<Shard>]>,
    batch: u64,
}

/// Units in shards that still count.
#[derive(Clone, Copy, Default)]
struct Stocks {
    /// Of the slot that is open in the ring.
    open: u64,
    /// Of slots before.
    earlier: u64,
}

impl Supply {
    /// A ring that is kept in `ring`, with `shards` (a power of two) that draw up to `batch` at a time.
    pub(super) fn new(max: u64, ring: Cell, shards: usize, batch: u16) -> Self {
        Self {
            max,
            ring: CachePadded::new(ring),
            shards: (0..shards).map(|_| CachePadded::default()).collect(),
            batch: batch.into(),
        }
    }

    pub(super) const fn max(&self) -> u64 {
        self.max
    }

    pub(super) fn ring(&self) -> &Cell {
        &self.ring
    }

    pub(super) fn shards(&self) -> usize {
        self.shards.len()
    }

    /// The shard of a caller who belongs to `number`.
    #[inline]
    fn home(&self, number: usize) -> usize {
        // Invariant: the shards are a power of two. There is at least one.
        number & self.shards.len().wrapping_sub(1)
    }

    /// Takes `cost` if no more than `max` then count, from the stock of shard `number` if it can.
    #[inline]
    pub(super) fn take(
        &self,
        number: usize,
        now: Nanos,
        cost: u64,
    ) -> Result<SlotReceipt, Refused> {
        let home = self.home(number);
        if let Some(shard) = self.shards.get(home) {
            let mut held = shard.load();
            // Stock of an older tick than the caller's is dead. Stock of a newer one is not for a late caller, who sees more
            // units than that tick does: the ring knows them.
            while held.units >= cost && self.ring.ticks.is_open(held.tick, now) {
                if shard.take(held, cost) {
                    return Ok(SlotReceipt::of(held.tick));
                }
                held = shard.load();
            }
        }
        self.draw(home, now, cost)
    }

    fn draw(&self, home: usize, now: Nanos, cost: u64) -> Result<SlotReceipt, Refused> {
        // The usual denial: of what a full ring counts, nothing is in a shard. The ring comes first, as below.
        if let Err(refused) = self.ring.look(now, cost, self.max)
            && self.shards.iter().all(|shard| shard.load().units == 0)
        {
            return Err(refused);
        }
        // The last units are left where all find them.
        let shared_out = 2 * self.shards.len() as u64;
        loop {
            let seen = self.ring.see(now).ok_or(Refused::Closed)?;
            let room = self.max.saturating_sub(seen.units());
            let Some(left) = room.checked_sub(cost) else {
                let stocks = self.stocks(&seen);
                if self.fits(cost, &seen, stocks) {
                    self.gather(home, now, cost, &seen);
                } else if let Some(refused) = self.denied(now, cost, &seen, stocks) {
                    return Err(refused);
                }
                continue;
            };
            let extra = self.batch.min(left / shared_out);
            let Some(receipt) = self.ring.draw(&seen, cost + extra) else {
                continue;
            };
            if let Some(shard) = self.shards.get(home) {
                let back = shard.put(receipt.tick, extra);
                self.ring.give_back(now, back.tick, back.units);
            }
            return Ok(receipt);
        }
    }

    /// What [`take`](Self::take) would answer.
    pub(super) fn look(&self, now: Nanos, cost: u64) -> Result<(), Refused> {
        loop {
            let seen = self.ring.see(now).ok_or(Refused::Closed)?;
            let stocks = self.stocks(&seen);
            if self.fits(cost, &seen, stocks) {
                return Ok(());
            }
            if let Some(refused) = self.denied(now, cost, &seen, stocks) {
                return Err(refused);
            }
        }
    }

    /// Units that count as of `now`.
    pub(super) fn used(&self, now: Nanos) -> u64 {
        let Some(seen) = self.ring.see_latest(now) else {
            return 0;
        };
        let stocks = self.stocks(&seen);
        seen.units().saturating_sub(stocks.open + stocks.earlier)
    }

    fn fits(&self, cost: u64, seen: &Seen, stocks: Stocks) -> bool {
        let used = seen.units().saturating_sub(stocks.open + stocks.earlier);
        used.checked_add(cost)
            .is_some_and(|after| after <= self.max)
    }

    /// What there is in shards, as `seen`'s caller sees it.
    fn stocks(&self, seen: &Seen) -> Stocks {
        let mut stocks = Stocks::default();
        for stock in self.shards.iter().map(|shard| shard.load()) {
            if !self.counts(stock, seen) {
            } else if stock.tick < seen.open() {
                stocks.earlier += stock.units;
            } else {
                stocks.open += stock.units;
            }
        }
        stocks
    }

    fn counts(&self, stock: Stock, seen: &Seen) -> bool {
        stock.units > 0 && stock.tick + u64::from(self.ring.ticks.slots()) >= seen.tick()
    }

    /// Gives back to the ring, where `cost` may find it, as much stock as it is short of.
    #[cold]
    fn gather(&self, home: usize, now: Nanos, cost: u64, seen: &Seen) {
        let mut short = seen.units().saturating_add(cost).saturating_sub(self.max);
        let (before, from_home) = self.shards.split_at(home.min(self.shards.len()));
        for shard in from_home.iter().chain(before) {
            if short == 0 {
                break;
            }
            if self.counts(shard.load(), seen) {
                let stock = shard.empty();
                self.ring.give_back(now, stock.tick, stock.units);
                short = short.saturating_sub(stock.units);
            }
        }
    }

    /// The denial of a cost that does not fit even with all `stocks`; none if something was moved, by this caller or
    /// another: stock of slots before the open one is given back, so that the ring alone tells which of them must leave.
    #[inline]
    fn denied(&self, now: Nanos, cost: u64, seen: &Seen, stocks: Stocks) -> Option<Refused> {
        if stocks.earlier > 0 {
            self.clear(now, seen);
            return None;
        }
        // The rest is of the open slot, and leaves with it: until then it is there for the cost.
        self.ring.deny(seen, now, cost, self.max, stocks.open)
    }

    #[cold]
    fn clear(&self, now: Nanos, seen: &Seen) {
        for shard in &self.shards {
            let stock = shard.load();
            if stock.tick < seen.open()
                && self.counts(stock, seen)
                && shard.take(stock, stock.units)
            {
                self.ring.give_back(now, stock.tick, stock.units);
            }
        }
    }
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;
    use crate::ring::ticks::Ticks;
    use std::time::Duration;

    fn supply(max: u64, batch: u16) -> Supply {
        let ticks = Ticks::new(Duration::from_secs(2), 2, Duration::ZERO).unwrap();
        Supply::new(max, Cell::new(ticks), 4, batch)
    }

    fn drawn(supply: &Supply) -> Vec<u64> {
        let shards = supply.shards.iter();
        shards.map(|shard| shard.load().units).collect()
    }

    #[test]
    fn callers_draw_into_the_shards_by_turns() {
        let supply = supply(1_000, 8);
        for number in [0, 5, 2, 7] {
            supply.take(number, Nanos(0), 1).unwrap();
        }
        assert_eq!(drawn(&supply), [8; 4]);
        supply.take(9, Nanos(0), 3).unwrap();
        assert_eq!(drawn(&supply), [8, 5, 8, 8]);
    }

    #[test]
    fn draw_leaves_as_much_for_every_shard_twice_over() {
        let supply = supply(81, 500);
        for number in 0..4 {
            supply.take(number, Nanos(0), 1).unwrap();
        }
        // Eighths of 80, of 81 - 11 - 1, of 81 - 20 - 1 and of 81 - 28 - 1.
        assert_eq!(drawn(&supply), [10, 8, 7, 6]);
        assert_eq!(supply.used(Nanos(0)), 4);
    }
}
