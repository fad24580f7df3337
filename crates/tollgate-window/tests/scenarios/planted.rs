//! Stock handled wrongly: what the races must find.
//!
//! A slotted ring with two shards and nothing else, short enough to be seen through, whose rules are part of its type.

use super::{SECOND, moment, sharded::Shards, units};
use std::{marker::PhantomData, time::Duration};
use tollgate_core::Meter;
use tollgate_sync::{
    Mutex,
    atomic::{
        AtomicU64,
        Ordering::{AcqRel, Acquire},
    },
};
use tollgate_window::{SlotReceipt, SlottedRing};

/// How stock is handled.
pub(crate) trait Rules: Send + Sync + 'static {
    /// Stock serves its own tick, and late callers.
    const STOCK_HAS_A_TICK: bool = true;
    /// Who drew in an older tick than the shard's gives the units back.
    const NEWER_STOCK_STAYS: bool = true;
    /// Units are given back once they are out of their shard.
    const OUT_BEFORE_BACK: bool = true;
}

pub(crate) struct Right;
impl Rules for Right {}

pub(crate) struct StockHasNoTick;
impl Rules for StockHasNoTick {
    const STOCK_HAS_A_TICK: bool = false;
}

pub(crate) struct OldStockReplacesNew;
impl Rules for OldStockReplacesNew {
    const NEWER_STOCK_STAYS: bool = false;
}

pub(crate) struct BackBeforeOut;
impl Rules for BackBeforeOut {
    const OUT_BEFORE_BACK: bool = false;
}

pub(crate) struct Planted<R> {
    max: u64,
    ring: SlottedRing<()>,
    /// A tick, and units in the low byte.
    shards: [AtomicU64; 2],
    /// Of each tick, as the ring told it.
    receipts: Mutex<Vec<SlotReceipt>>,
    rules: PhantomData<R>,
}

const fn tick(word: u64) -> u64 {
    word >> 8
}

const fn stock(word: u64) -> u64 {
    word & 0xff
}

impl<R: Rules> Planted<R> {
    fn exchange(&self, shard: usize, word: u64, next: u64) -> bool {
        self.shards[shard]
            .compare_exchange(word, next, AcqRel, Acquire)
            .is_ok()
    }

    fn back(&self, of: u64, units: u64, now: u64) {
        let receipts = self.receipts.lock().expect("nobody panics");
        let receipt = receipts.iter().find(|receipt| receipt.tick() == of);
        let receipt = *receipt.expect("who has units has drawn");
        drop(receipts);
        if units > 0 {
            self.ring.refund(moment(now), &receipt, units);
        }
    }

    fn put(&self, shard: usize, of: u64, now: u64) {
        loop {
            let word = self.shards[shard].load(Acquire);
            if tick(word) > of && R::NEWER_STOCK_STAYS {
                return self.back(of, 1, now);
            }
            let same = tick(word) == of || !R::STOCK_HAS_A_TICK;
            let (kept, dead) = if same {
                (stock(word), 0)
            } else {
                (0, stock(word))
            };
            if self.exchange(shard, word, of << 8 | (kept + 1)) {
                if R::NEWER_STOCK_STAYS && dead > 0 {
                    self.back(tick(word), dead, now);
                }
                return;
            }
        }
    }

    fn draw(&self, shard: usize, cost: u64, now: u64) -> Option<u64> {
        let room = self.max - self.ring.used(moment(now)).min(self.max);
        let extra = u64::from(room >= cost + 4);
        let charged = self.ring.charge(moment(now), units(cost + extra), self.max);
        let receipt = charged.ok()?.receipt;
        self.receipts.lock().expect("nobody panics").push(receipt);
        if extra > 0 {
            self.put(shard, receipt.tick(), now);
        }
        Some(receipt.tick())
    }

    /// Gives the stock of both shards back to the ring; false if there is too little.
    fn gather(&self, cost: u64, now: u64) -> bool {
        let stocks = [0, 1].map(|shard| self.shards[shard].load(Acquire));
        let held = stocks.iter().map(|word| stock(*word)).sum::<u64>();
        if held == 0 || self.ring.used(moment(now)) - held + cost > self.max {
            return false;
        }
        for (shard, word) in stocks.into_iter().enumerate() {
            if !R::OUT_BEFORE_BACK {
                self.back(tick(word), stock(word), now);
            }
            let out = stock(word) > 0 && self.exchange(shard, word, word - stock(word));
            if R::OUT_BEFORE_BACK && out {
                self.back(tick(word), stock(word), now);
            }
        }
        true
    }
}

impl<R: Rules> Shards for Planted<R> {
    fn fresh(max: u64, slots: u32) -> Self {
        Self {
            max,
            ring: SlottedRing::with_clock(max, Duration::from_secs(slots.into()), slots, ())
                .expect("in range"),
            shards: [0, 0].map(AtomicU64::new),
            receipts: Mutex::default(),
            rules: PhantomData,
        }
    }

    fn take(&self, shard: usize, cost: u64, now: u64) -> Option<u64> {
        loop {
            let word = self.shards[shard].load(Acquire);
            let serves = tick(word) >= now / SECOND || !R::STOCK_HAS_A_TICK;
            if serves && stock(word) >= cost {
                if self.exchange(shard, word, word - cost) {
                    return Some(tick(word).max(if R::STOCK_HAS_A_TICK {
                        0
                    } else {
                        now / SECOND
                    }));
                }
                continue;
            }
            if let Some(tick) = self.draw(shard, cost, now) {
                return Some(tick);
            }
            if !self.gather(cost, now) {
                return None;
            }
        }
    }
}
