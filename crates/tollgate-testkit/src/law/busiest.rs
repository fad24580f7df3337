//! The most units in any window of a given length: the worst second, the worst minute.

use super::window::Trailing;

/// The busiest window of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peak {
    /// Where the window starts, in nanoseconds: at the first of its events.
    pub start: u64,
    /// Units in it.
    pub units: u128,
}

/// Finds the busiest half-open window of a stream of units in order of time.
///
/// Constant time an event on average; memory for the instants of one window.
///
/// ```
/// use tollgate_testkit::law::Busiest;
/// let mut second = Busiest::new(1_000_000_000);
/// for at_ms in [0, 900, 999, 1_000, 2_500] {
///     second.push(at_ms * 1_000_000, 10);
/// }
/// let peak = second.peak().expect("there were events");
/// assert_eq!((peak.start, peak.units), (0, 30));
/// ```
#[derive(Debug)]
pub struct Busiest {
    trailing: Trailing,
    latest: u64,
    peak: Option<Peak>,
}

impl Busiest {
    /// Windows of `window` nanoseconds, at least one.
    #[must_use]
    pub fn new(window: u64) -> Self {
        Self {
            trailing: Trailing::new(window.max(1)),
            latest: 0,
            peak: None,
        }
    }

    /// Counts `units` at `at`. An instant older than the one before is taken for that one.
    pub fn push(&mut self, at: u64, units: u64) {
        self.latest = self.latest.max(at);
        let units = self.trailing.add(self.latest, units);
        if self.peak.is_none_or(|peak| units > peak.units) {
            let start = self.trailing.first().unwrap_or(self.latest);
            self.peak = Some(Peak { start, units });
        }
    }

    /// The busiest window so far, the earliest of equals. None before the first event.
    #[must_use]
    pub fn peak(&self) -> Option<Peak> {
        self.peak
    }
}

/// The busiest window of `window` nanoseconds in a record of instants and units, in any order. None if it is empty.
///
/// ```
/// use tollgate_testkit::law::busiest;
/// let peak = busiest(10, [(12, 4), (3, 1), (5, 2)]).expect("there were events");
/// assert_eq!((peak.start, peak.units), (3, 7));
/// ```
#[must_use]
pub fn busiest(window: u64, record: impl IntoIterator<Item = (u64, u64)>) -> Option<Peak> {
    let mut record: Vec<(u64, u64)> = record.into_iter().collect();
    record.sort_unstable();
    let mut found = Busiest::new(window);
    for (at, units) in record {
        found.push(at, units);
    }
    found.peak()
}
