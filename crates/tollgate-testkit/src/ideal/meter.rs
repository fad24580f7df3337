//! The quick way: the backlog as a stack of layers, one a charge.
//!
//! The lowest backlog since a charge is what never drained below it. So let each charge lay its cost on the stack,
//! and let time take from the top: what is left of the charge's own layer and of those beneath is the lowest
//! backlog since. A refund takes from those layers, the top one of them first, which lowers the lowest backlog since
//! every later charge by the same amount, and since every earlier one only as far as it must.

use super::{Receipt, Worth};
use crate::{
    exact::{Wide, product},
    limit::{Interval, RateLimit},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Layer {
    number: u64,
    parts: Wide,
}

/// A rate meter that gives back exactly what [`IdealWorld`](super::IdealWorld) does.
///
/// A charge is O(1) on average; a refund is linear in the charges that have not drained yet.
///
/// ```
/// use tollgate_testkit::{RateLimit, ideal::IdealMeter};
///
/// let mut meter = IdealMeter::new(RateLimit::new(1, 10, 100));
/// let mut alone = meter.charge(0, 50);
/// assert_eq!(meter.refund(0, &mut alone, 40).units_floor(), 40);
/// assert_eq!(meter.tat().ns_ceil(), 100);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdealMeter {
    pub(crate) interval: Interval,
    pub(crate) tat: Wide,
    layers: Vec<Layer>,
    /// The sum of all layers.
    laid: Wide,
    charges: u64,
}

impl IdealMeter {
    /// A meter at rest, at the exact rate of `limit`.
    #[must_use]
    pub fn new(limit: RateLimit) -> Self {
        Self::with(Interval::exact(limit))
    }

    /// A meter at rest, whose time per unit is rounded up to whole quanta, of which a nanosecond has
    /// `quanta_per_ns` (from 1 to 2^32).
    #[must_use]
    pub fn quantized(limit: RateLimit, quanta_per_ns: u64) -> Self {
        Self::with(Interval::quantized(limit, quanta_per_ns))
    }

    fn with(interval: Interval) -> Self {
        Self {
            interval,
            tat: Wide::ZERO,
            layers: Vec::new(),
            laid: Wide::ZERO,
            charges: 0,
        }
    }

    /// Charges `cost` units, whether they fit or not.
    pub fn charge(&mut self, now: u64, cost: u64) -> Receipt {
        let seen = self.seen(now);
        self.drain_to(seen);

        let number = self.charges;
        self.charges += 1;
        let parts = self.interval.parts * Wide::from(cost);
        self.layers.push(Layer { number, parts });
        self.laid += parts;
        self.tat = self.tat.max(self.time(now)) + parts;
        Receipt {
            number,
            mark: u128::from(now),
            kept: cost,
        }
    }

    /// Gives back what a charge was too large by, as far as the rule goes, and says how much that is. Of a surplus
    /// above what the receipt still holds, only that much counts.
    pub fn refund(&mut self, now: u64, receipt: &mut Receipt, surplus: u64) -> Worth {
        let surplus = self.interval.parts * Wide::from(receipt.lower(surplus));
        let seen = self.seen(now);
        let beneath = self
            .layers
            .partition_point(|layer| layer.number <= receipt.number);

        let mut left = surplus;
        for layer in self.layers[..beneath].iter_mut().rev() {
            let taken = left.min(layer.parts);
            layer.parts -= taken;
            left -= taken;
            if left == Wide::ZERO {
                break;
            }
        }
        self.layers.retain(|layer| layer.parts > Wide::ZERO);

        let difference = surplus - left;
        self.laid -= difference;
        self.tat -= difference;
        self.worth(difference.min(seen))
    }

    /// The instant at which the meter is empty again.
    #[must_use]
    pub fn tat(&self) -> Worth {
        self.worth(self.tat)
    }

    /// The time until the meter is empty, seen from `now`.
    #[must_use]
    pub fn backlog(&self, now: u64) -> Worth {
        self.worth(self.seen(now))
    }

    /// Takes from the top until no more than `backlog` is left.
    fn drain_to(&mut self, backlog: Wide) {
        while self.laid > backlog
            && let Some(top) = self.layers.last_mut()
        {
            let taken = top.parts.min(self.laid - backlog);
            top.parts -= taken;
            self.laid -= taken;
            if top.parts == Wide::ZERO {
                self.layers.pop();
            }
        }
    }

    fn seen(&self, now: u64) -> Wide {
        (self.tat - self.time(now)).max(Wide::ZERO)
    }

    pub(crate) fn time(&self, now: u64) -> Wide {
        product(now, self.interval.per_ns)
    }

    fn worth(&self, parts: Wide) -> Worth {
        Worth {
            parts,
            interval: self.interval,
        }
    }
}
