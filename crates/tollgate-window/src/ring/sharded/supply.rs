//! The loops of the sharded ring: stock and the ring it comes from. The module page tells the protocol.

use super::stock::{Shard, Stock};
use crate::ring::{
    cell::{Cell, Counted},
    word::SlotReceipt,
};
use crossbeam_utils::CachePadded;
use tollgate_core::{Denial, Nanos, Refused, Wait};

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
            // Stock of an older tick than the caller's is dead. Stock of a newer one is that of a tick already open, in
            // which a late caller is counted.
            while held.units >= cost && !self.ring.ticks.is_over(held.tick, now) {
                if shard.take(held, cost) {
                    return Ok(SlotReceipt::of(held.tick));
                }
                held = shard.load();
            }
        }
        self.draw(home, now, cost)
    }

    fn draw(&self, home: usize, now: Nanos, cost: u64) -> Result<SlotReceipt, Refused> {
        // The last units are left where all find them.
        let shared_out = 2 * self.shards.len() as u64;
        loop {
            let stock = |left: u64| self.batch.min(left / shared_out);
            let counted = match self.ring.draw(now, cost, self.max, stock) {
                Ok(drawn) => {
                    let tick = drawn.receipt.tick;
                    if let Some(shard) = self.shards.get(home) {
                        let back = shard.put(tick, drawn.extra);
                        self.ring.give_back(now, back.tick, back.units);
                    }
                    return Ok(drawn.receipt);
                }
                Err(counted) => counted,
            };
            if !self.gather(home, now, cost, counted)
                && let Err(refused) = self.look_with(now, cost, self.stocks(counted))
            {
                return Err(refused);
            }
        }
    }

    /// What [`take`](Self::take) would answer.
    pub(super) fn look(&self, now: Nanos, cost: u64) -> Result<(), Refused> {
        loop {
            let counted = self.ring.counted(now);
            let stocks = self.stocks(counted);
            if self.fits(cost, counted, stocks) {
                return Ok(());
            }
            if !self.clear(now, counted, stocks) {
                return self.look_with(now, cost, stocks);
            }
        }
    }

    /// Units that count as of `now`.
    pub(super) fn used(&self, now: Nanos) -> u64 {
        let counted = self.ring.counted(now);
        let stocks = self.stocks(counted);
        counted.units.saturating_sub(stocks.open + stocks.earlier)
    }

    fn fits(&self, cost: u64, counted: Counted, stocks: Stocks) -> bool {
        let used = counted.units.saturating_sub(stocks.open + stocks.earlier);
        used.checked_add(cost)
            .is_some_and(|after| after <= self.max)
    }

    /// What there is in shards, as `counted` sees it.
    fn stocks(&self, counted: Counted) -> Stocks {
        let mut stocks = Stocks::default();
        for stock in self.shards.iter().map(|shard| shard.load()) {
            if !self.counts(stock, counted) {
            } else if stock.tick < counted.open {
                stocks.earlier += stock.units;
            } else {
                stocks.open += stock.units;
            }
        }
        stocks
    }

    fn counts(&self, stock: Stock, counted: Counted) -> bool {
        stock.units > 0 && stock.tick + u64::from(self.ring.ticks.slots()) >= counted.tick
    }

    /// Gives stock back to the ring, where `cost` may find it: as much as it is short of, if there is as much; else
    /// that of earlier slots. False if there is nothing to give back.
    #[cold]
    fn gather(&self, home: usize, now: Nanos, cost: u64, counted: Counted) -> bool {
        let stocks = self.stocks(counted);
        if !self.fits(cost, counted, stocks) {
            return self.clear(now, counted, stocks);
        }
        let mut short = counted.units.saturating_add(cost).saturating_sub(self.max);
        let (before, from_home) = self.shards.split_at(home.min(self.shards.len()));
        for shard in from_home.iter().chain(before) {
            if short == 0 {
                break;
            }
            if self.counts(shard.load(), counted) {
                let stock = shard.empty();
                self.ring.give_back(now, stock.tick, stock.units);
                short = short.saturating_sub(stock.units);
            }
        }
        true
    }

    /// Gives back what shards hold of slots before the open one; false if that is nothing. So the ring alone tells which
    /// of them must leave.
    fn clear(&self, now: Nanos, counted: Counted, stocks: Stocks) -> bool {
        if stocks.earlier == 0 {
            return false;
        }
        for shard in &self.shards {
            let stock = shard.load();
            if stock.tick < counted.open
                && self.counts(stock, counted)
                && shard.take(stock, stock.units)
            {
                self.ring.give_back(now, stock.tick, stock.units);
            }
        }
        true
    }

    /// What the ring says of `cost` while shards have `stocks` of its open slot and nothing of earlier ones.
    fn look_with(&self, now: Nanos, cost: u64, stocks: Stocks) -> Result<(), Refused> {
        let used = |committed: u128| committed.saturating_sub(stocks.open.into());
        if cost > self.max {
            return Err(Refused::denied(
                Wait::Never,
                used(self.ring.used(now).into()),
            ));
        }
        // Those units leave together with others of their slot, or are there for the cost: either way it needs no more
        // room than for the rest.
        match self
            .ring
            .look(now, cost.saturating_sub(stocks.open), self.max)
        {
            Err(Refused::Denied(denial)) => Err(Refused::Denied(Denial {
                committed: used(denial.committed),
                ..denial
            })),
            answer => answer,
        }
    }
}
