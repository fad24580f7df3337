//! Rules that let others in between their look and their update.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// A rule as the atomic accesses it makes.
pub(crate) trait Stepwise {
    /// A caller that asks for one unit: each call makes its next access, and the last one answers.
    fn caller(&self) -> Box<dyn FnMut() -> Option<bool> + '_>;
}

/// trypema, limitador: the count is *compared first and raised later*. One period, as they are all alike.
pub(crate) struct CheckThenUpdate {
    limit: u64,
    used: AtomicU64,
}

impl CheckThenUpdate {
    pub(crate) fn new(limit: u64) -> Self {
        Self {
            limit,
            used: AtomicU64::new(0),
        }
    }

    fn check(&self) -> bool {
        self.used.load(SeqCst) < self.limit
    }

    fn update(&self) {
        self.used.fetch_add(1, SeqCst);
    }

    /// Asks for one unit, and lets `between` happen where anything may.
    pub(crate) fn ask(&self, between: impl FnOnce()) -> bool {
        let is_within = self.check();
        between();
        if is_within {
            self.update();
        }
        is_within
    }
}

impl Stepwise for CheckThenUpdate {
    fn caller(&self) -> Box<dyn FnMut() -> Option<bool> + '_> {
        let mut checked = false;
        Box::new(move || {
            if checked {
                self.update();
                return Some(true);
            }
            checked = self.check();
            (!checked).then_some(false)
        })
    }
}

/// pingora-limits: a caller adds itself to a counter in each row of a sketch, one after another, and passes if the
/// *smallest* sum it saw is within the limit. Of two who pass each other on the way each may see itself first.
pub(crate) struct SmallestRow {
    limit: u64,
    rows: [AtomicU64; 2],
}

impl SmallestRow {
    pub(crate) fn new(limit: u64) -> Self {
        Self {
            limit,
            rows: [AtomicU64::new(0), AtomicU64::new(0)],
        }
    }
}

impl Stepwise for SmallestRow {
    fn caller(&self) -> Box<dyn FnMut() -> Option<bool> + '_> {
        let mut rows = self.rows.iter();
        let mut smallest = u64::MAX;
        Box::new(move || {
            if let Some(row) = rows.next() {
                smallest = smallest.min(row.fetch_add(1, SeqCst) + 1);
            }
            (rows.len() == 0).then_some(smallest <= self.limit)
        })
    }
}
