//! Buckets that take a grant back by the wrong rule.

use std::cell::{Cell, RefCell};
use tollgate_testkit::{Answer, RateLimit, subject::Subject};

/// A bucket in exact parts of a unit: as many to the unit as the period has nanoseconds.
struct Bucket {
    limit: RateLimit,
    parts: Cell<u64>,
    filled_at: Cell<u64>,
    /// Units and instant of each grant.
    grants: RefCell<Vec<(u64, u64)>>,
}

impl Bucket {
    fn new(limit: RateLimit) -> Self {
        Self {
            limit,
            parts: Cell::new(limit.capacity * limit.period),
            filled_at: Cell::new(0),
            grants: RefCell::default(),
        }
    }

    /// Adds `parts` as of `now`, up to the capacity.
    fn add(&self, parts: u64, now: u64) {
        let elapsed = now - self.filled_at.replace(now);
        let filled = self.parts.get() + elapsed * self.limit.units + parts;
        self.parts
            .set(filled.min(self.limit.capacity * self.limit.period));
    }

    fn take(&self, cost: u64, now: u64) -> Answer {
        self.add(0, now);
        let parts = cost * self.limit.period;
        match self.parts.get().checked_sub(parts) {
            Some(left) => {
                self.parts.set(left);
                self.grants.borrow_mut().push((cost, now));
                Answer::Admit
            }
            None if cost > self.limit.capacity => Answer::Never,
            None => {
                let missing = parts - self.parts.get();
                Answer::Wait(u128::from(missing.div_ceil(self.limit.units)))
            }
        }
    }

    fn grant(&self, admission: usize) -> (u64, u64) {
        self.grants.borrow()[admission]
    }
}

/// golang.org/x/time/rate: a reservation whose time to act has passed is *not given back*. That of an immediate grant
/// is the instant it was made, so it has always passed.
pub(crate) struct CancelsNothingOfThePast(Bucket);

impl CancelsNothingOfThePast {
    pub(crate) fn new(limit: RateLimit) -> Self {
        Self(Bucket::new(limit))
    }
}

impl Subject for CancelsNothingOfThePast {
    fn try_acquire_at(&self, cost: u64, now: u64) -> Answer {
        self.0.take(cost, now)
    }

    fn refund_at(&self, admission: usize, _surplus: u64, now: u64) -> bool {
        let (units, time_to_act) = self.0.grant(admission);
        if time_to_act >= now {
            self.0.add(units * self.0.limit.period, now);
        }
        true
    }
}

/// Others give the *whole* back, whatever has come in since: those units are there twice.
pub(crate) struct CancelsTheWhole(Bucket);

impl CancelsTheWhole {
    pub(crate) fn new(limit: RateLimit) -> Self {
        Self(Bucket::new(limit))
    }
}

impl Subject for CancelsTheWhole {
    fn try_acquire_at(&self, cost: u64, now: u64) -> Answer {
        self.0.take(cost, now)
    }

    fn refund_at(&self, admission: usize, _surplus: u64, now: u64) -> bool {
        let (units, _) = self.0.grant(admission);
        self.0.add(units * self.0.limit.period, now);
        true
    }
}
