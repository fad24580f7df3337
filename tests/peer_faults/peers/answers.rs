//! Answers put together from several looks.

use crate::answers::{Answering, Figures};
use std::cell::Cell;

/// A count whose answer holds what remained when it was decided, and *looks again* for the rest.
pub(crate) struct LateFigures {
    capacity: u64,
    interval: u64,
    used: Cell<u64>,
}

impl LateFigures {
    pub(crate) fn new(capacity: u64, interval: u64) -> Self {
        Self {
            capacity,
            interval,
            used: Cell::new(0),
        }
    }
}

impl Answering for LateFigures {
    fn ask(&self, cost: u64) -> Box<dyn Fn() -> Figures + '_> {
        let fits = self.used.get() + cost <= self.capacity;
        if fits {
            self.used.set(self.used.get() + cost);
        }
        let remaining = self.capacity - self.used.get();
        Box::new(move || {
            let used = self.used.get();
            let missing = (used + cost).saturating_sub(self.capacity);
            Figures {
                remaining,
                reset_after: used * self.interval,
                retry_after: (!fits).then_some(missing * self.interval),
            }
        })
    }
}
