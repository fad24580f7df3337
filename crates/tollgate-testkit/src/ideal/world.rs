//! The slow way: the whole history, lived again.

use super::{Receipt, Worth};
use crate::{
    exact::{Wide, product},
    limit::{Interval, RateLimit},
};

/// A charge as it should have been.
#[derive(Clone, Copy, Debug)]
struct Lived {
    now: u64,
    cost: u64,
}

/// A rate meter that remembers everything. Each question costs O(n).
///
/// ```
/// use tollgate_testkit::{RateLimit, ideal::IdealWorld};
///
/// // One unit every 10 ns.
/// let mut world = IdealWorld::new(RateLimit::new(1, 10, 100));
/// let mut early = world.charge(0, 8);
/// let _late = world.charge(60, 5); // saw a backlog of 20 ns: two units
/// let given = world.refund(70, &mut early, 6);
/// assert_eq!(given.units_floor(), 2, "the other four were refilled meanwhile");
/// ```
#[derive(Clone, Debug)]
pub struct IdealWorld {
    interval: Interval,
    history: Vec<Lived>,
}

impl IdealWorld {
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
            history: Vec::new(),
        }
    }

    /// Charges `cost` units, whether they fit or not.
    pub fn charge(&mut self, now: u64, cost: u64) -> Receipt {
        let number = self.history.len() as u64;
        self.history.push(Lived { now, cost });
        Receipt {
            number,
            mark: u128::from(now),
            kept: cost,
        }
    }

    /// Learns at `now` that a charge was larger than the truth by `surplus` units, and says how much of it a meter
    /// gives back. Of a surplus above what the receipt still holds, only that much counts.
    pub fn refund(&mut self, now: u64, receipt: &mut Receipt, surplus: u64) -> Worth {
        let surplus = receipt.lower(surplus);
        let index = usize::try_from(receipt.number).unwrap_or(usize::MAX);
        let lowest = self.lowest_backlog_since(index, now);
        if let Some(charge) = self.history.get_mut(index) {
            charge.cost -= surplus;
        }
        let surplus = self.interval.parts * Wide::from(surplus);
        self.worth(surplus.min(lowest))
    }

    /// The instant at which the meter is empty again, by the history as corrected so far.
    #[must_use]
    pub fn tat(&self) -> Worth {
        let tat = self.live(|_, _| ());
        self.worth(tat)
    }

    /// The time until the meter is empty, seen from `now`.
    #[must_use]
    pub fn backlog(&self, now: u64) -> Worth {
        let tat = self.live(|_, _| ());
        self.worth((tat - self.time(now)).max(Wide::ZERO))
    }

    /// The least of the backlogs that the charges after `index` saw, and of that which `now` sees.
    fn lowest_backlog_since(&self, index: usize, now: u64) -> Wide {
        let mut lowest = None::<Wide>;
        let tat = self.live(|position, seen| {
            if position > index {
                lowest = Some(lowest.map_or(seen, |lowest| lowest.min(seen)));
            }
        });
        let seen = (tat - self.time(now)).max(Wide::ZERO);
        lowest.map_or(seen, |lowest| lowest.min(seen))
    }

    /// Lives the history from its start, telling `saw` each charge's position and the backlog it saw.
    fn live(&self, mut saw: impl FnMut(usize, Wide)) -> Wide {
        let mut tat = Wide::ZERO;
        for (position, charge) in self.history.iter().enumerate() {
            let now = self.time(charge.now);
            saw(position, (tat - now).max(Wide::ZERO));
            tat = tat.max(now) + self.interval.parts * Wide::from(charge.cost);
        }
        tat
    }

    fn time(&self, now: u64) -> Wide {
        product(now, self.interval.per_ns)
    }

    fn worth(&self, parts: Wide) -> Worth {
        Worth {
            parts,
            interval: self.interval,
        }
    }
}
