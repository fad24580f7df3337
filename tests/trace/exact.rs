//! Each algorithm once more, from its definition: slow, in whole numbers, without a line of the crates.
//!
//! Instants are nanoseconds since the Unix epoch and never step back. A cost that does not fit is told its least
//! wait in whole nanoseconds, by trying the instants at which anything leaves, one after the other.

use std::collections::BTreeMap;

/// What a limit answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Fits,
    /// Fits after so many nanoseconds, and not one sooner.
    Wait(u64),
    NeverFits,
}

/// One limit.
pub(crate) trait Exact {
    /// What a request of `cost` units hears, and nothing changes.
    fn look(&mut self, now: u64, cost: u64) -> Answer;
    /// Takes `cost` units that fit.
    fn take(&mut self, now: u64, cost: u64);
    /// Units committed, rounded up.
    fn used(&mut self, now: u64) -> u64;
}

/// A bucket of `capacity` units that leaks `units` units every `period` nanoseconds, which is what gcra is. The level
/// is a fraction of a unit with the denominator `period`, so that each nanosecond leaks exactly `units` of it.
#[derive(Debug)]
pub(crate) struct Bucket {
    units: i128,
    period: i128,
    capacity: i128,
    level: i128,
    seen: u64,
}

impl Bucket {
    pub(crate) fn new(units: u64, period: u64, capacity: u64) -> Self {
        Self {
            units: units.into(),
            period: period.into(),
            capacity: capacity.into(),
            level: 0,
            seen: 0,
        }
    }

    fn leak(&mut self, now: u64) {
        let leaked = i128::from(now - self.seen) * self.units;
        self.level = (self.level - leaked).max(0);
        self.seen = now;
    }
}

impl Exact for Bucket {
    fn look(&mut self, now: u64, cost: u64) -> Answer {
        self.leak(now);
        let cost = i128::from(cost);
        if cost > self.capacity {
            return Answer::NeverFits;
        }
        let over = self.level + cost * self.period - self.capacity * self.period;
        if over <= 0 {
            return Answer::Fits;
        }
        // The least whole number of nanoseconds that leaks it: one less does not.
        let wait = (over + self.units - 1) / self.units;
        assert!((wait - 1) * self.units < over && over <= wait * self.units);
        Answer::Wait(u64::try_from(wait).expect("a wait of less than centuries"))
    }

    fn take(&mut self, now: u64, cost: u64) {
        self.leak(now);
        self.level += i128::from(cost) * self.period;
    }

    fn used(&mut self, now: u64) -> u64 {
        self.leak(now);
        u64::try_from((self.level + self.period - 1) / self.period).expect("a few units")
    }
}

/// A window of `slots` slots: units are filed under the tick in which they were taken, and count in that tick and the
/// `slots` ticks after it, so that they have left every true window.
#[derive(Debug)]
pub(crate) struct Slots {
    window: u128,
    slots: u128,
    max: u64,
    taken: BTreeMap<u128, u64>,
}

impl Slots {
    pub(crate) fn new(window: u64, slots: u32, max: u64) -> Self {
        Self {
            window: window.into(),
            slots: slots.into(),
            max,
            taken: BTreeMap::new(),
        }
    }

    fn tick(&self, now: u64) -> u128 {
        u128::from(now) * self.slots / self.window
    }

    fn counted(&self, tick: u128) -> u64 {
        let since = tick.saturating_sub(self.slots);
        self.taken.range(since..=tick).map(|(_, units)| units).sum()
    }
}

impl Exact for Slots {
    fn look(&mut self, now: u64, cost: u64) -> Answer {
        if cost > self.max {
            return Answer::NeverFits;
        }
        let tick = self.tick(now);
        let fits = |later: &u128| self.counted(tick + later) + cost <= self.max;
        match (0..=self.slots + 1).find(fits) {
            None => unreachable!("after all slots nothing counts any more"),
            Some(0) => Answer::Fits,
            Some(later) => {
                // The first nanosecond that lies in that tick.
                let start = (tick + later) * self.window / self.slots;
                let mut start = u64::try_from(start).expect("a time of our day");
                while self.tick(start) < tick + later {
                    start += 1;
                }
                Answer::Wait(start - now)
            }
        }
    }

    fn take(&mut self, now: u64, cost: u64) {
        let tick = self.tick(now);
        self.taken = self.taken.split_off(&tick.saturating_sub(self.slots));
        *self.taken.entry(tick).or_default() += cost;
    }

    fn used(&mut self, now: u64) -> u64 {
        self.counted(self.tick(now))
    }
}

/// A sliding window: units count from the instant they were taken until exactly one window later.
#[derive(Debug)]
pub(crate) struct Log {
    window: u64,
    max: u64,
    taken: Vec<(u64, u64)>,
}

impl Log {
    pub(crate) fn new(window: u64, max: u64) -> Self {
        Self {
            window,
            max,
            taken: Vec::new(),
        }
    }
}

impl Exact for Log {
    fn look(&mut self, now: u64, cost: u64) -> Answer {
        if cost > self.max {
            return Answer::NeverFits;
        }
        self.taken.retain(|(at, _)| at + self.window > now);
        let mut counted: u64 = self.taken.iter().map(|(_, units)| units).sum();
        if counted + cost <= self.max {
            return Answer::Fits;
        }
        for (at, units) in &self.taken {
            counted -= units;
            if counted + cost <= self.max {
                return Answer::Wait(at + self.window - now);
            }
        }
        unreachable!("when all have left, nothing counts any more")
    }

    fn take(&mut self, now: u64, cost: u64) {
        self.taken.push((now, cost));
    }

    fn used(&mut self, now: u64) -> u64 {
        self.taken.retain(|(at, _)| at + self.window > now);
        self.taken.iter().map(|(_, units)| units).sum()
    }
}

/// Windows that stand still: each starts at a multiple of its length since the Unix epoch, with nothing taken but what
/// the one before took beyond its maximum.
#[derive(Clone, Debug)]
pub(crate) struct Fixed {
    window: u64,
    max: u64,
    start: u64,
    taken: u64,
}

impl Fixed {
    pub(crate) fn new(window: u64, max: u64) -> Self {
        Self {
            window,
            max,
            start: 0,
            taken: 0,
        }
    }
}

impl Exact for Fixed {
    fn look(&mut self, now: u64, cost: u64) -> Answer {
        if cost > self.max {
            Answer::NeverFits
        } else if self.used(now) + cost <= self.max {
            Answer::Fits
        } else {
            let mut later = self.clone();
            while later.taken + cost > self.max {
                later.used(later.start + self.window);
            }
            Answer::Wait(later.start - now)
        }
    }

    fn take(&mut self, now: u64, cost: u64) {
        self.taken = self.used(now) + cost;
    }

    fn used(&mut self, now: u64) -> u64 {
        while self.start + self.window <= now {
            // Nothing more can change but the time: from here on all windows are alike.
            if self.taken == 0 {
                self.start = now - now % self.window;
                break;
            }
            self.start += self.window;
            self.taken = self.taken.saturating_sub(self.max);
        }
        self.taken
    }
}
