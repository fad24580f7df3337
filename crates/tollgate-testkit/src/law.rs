//! The first law, *never over*, judged from what was admitted and nothing else.
//!
//! # The statements
//! A list of [`Event`]s says at which instant (the `now` its decision was given) how many units were admitted and
//! *kept*: what a settlement gave back is subtracted from the admission's own units before judging. Order within
//! the list matters only among events of one instant.
//!
//! - [`Law::Rate`]: over every half-open interval of length `w` the units are at most
//!   `capacity + units / period × w`. Any two instants `a <= b` lie in such an interval of every length above
//!   `b - a`, so this says that from `a` through `b`, both included, at most `capacity + units / period × (b - a)`
//!   units are admitted.
//! - [`Law::Window`]: in every half-open interval of length `window`, at most `max`.
//! - [`Law::Periods`]: in every period, at most `max`, what it still has to pay of earlier debt included.
//! - [`Law::Lifetime`]: at most `max` ever.
//! - [`Law::Concurrency`]: at no point more than `max` units open.
//!
//! # Debt
//! Units spent beyond an estimate are spent, not admitted. So a debt is exempt itself, and counts against every
//! admission after it. Exactly: for each admission, and each interval that ends with it, the units admitted and the
//! debts recorded in that interval up to and with this admission are at most what the law allows there. (Debt
//! after the last admission of an interval is thereby exempt, and no other.)
//! A limit that starts with less than its capacity is one that starts with that much debt.
//!
//! # Clocks that step back
//! A debt recorded under an older `now` than an admission before it must not be judged as if it had come first:
//! [`raise_debts`] gives each debt the latest instant recorded before it. A calendar takes an old `now` for the latest
//! instant it charged, so that time is the law's; [`raise_all`] says the same of a record.
//!
//! # Cost
//! Every law is O(n) on events in order of time, and O(n log n) otherwise. [`Judge`] takes a stream of any
//! length: it keeps the events of one window for [`Law::Window`], and a few numbers for any other law.

mod busiest;
mod changing;
mod rate;
mod rules;
mod verdict;
mod window;

#[cfg(test)]
mod brute;

pub use busiest::{Busiest, Peak, busiest};
pub use changing::check_changing;
pub use verdict::{Evidence, Verdict};

use crate::limit::{Periods, RateLimit};
use rules::Rule;

/// What an event did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Ended the hold of units that count while open. Only [`Law::Concurrency`] heeds it.
    Closed,
    /// Admitted units, which must obey the law.
    Admitted,
    /// Spent units without asking: not judged, but counted against the admissions after it.
    Debt,
}

/// Units that were admitted and kept, spent or closed at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Event {
    /// The `now` that the decision was given, in nanoseconds since any epoch.
    pub at: u64,
    /// How many units.
    pub units: u64,
    /// What became of them.
    pub kind: Kind,
}

impl Event {
    /// `units` admitted at `at` and kept.
    #[must_use]
    pub const fn admitted(at: u64, units: u64) -> Self {
        Self {
            at,
            units,
            kind: Kind::Admitted,
        }
    }

    /// `units` spent at `at` beyond an estimate.
    #[must_use]
    pub const fn debt(at: u64, units: u64) -> Self {
        Self {
            at,
            units,
            kind: Kind::Debt,
        }
    }

    /// `units` that were open until `at`.
    #[must_use]
    pub const fn closed(at: u64, units: u64) -> Self {
        Self {
            at,
            units,
            kind: Kind::Closed,
        }
    }
}

/// What a limit promises never to exceed. The module page has the exact statements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Law {
    /// A rate with a capacity: gcra, token bucket.
    Rate(RateLimit),
    /// At most `max` units in every half-open interval of `window` nanoseconds. No interval has length zero.
    Window {
        /// Nanoseconds.
        window: u64,
        /// Units.
        max: u64,
    },
    /// At most `max` units in each period: fixed windows, calendars.
    Periods {
        /// The periods.
        periods: Periods,
        /// Units a period.
        max: u64,
    },
    /// At most `max` units ever.
    Lifetime {
        /// Units.
        max: u64,
    },
    /// At most `max` units open at any point.
    Concurrency {
        /// Units.
        max: u64,
    },
}

impl Law {
    /// Judges `events`, in any order, where `slack` units beyond the limit are declared.
    ///
    /// ```
    /// use tollgate_testkit::law::{Event, Law};
    /// use tollgate_testkit::RateLimit;
    ///
    /// // Two at once, and one more every 10 ns.
    /// let law = Law::Rate(RateLimit::new(1, 10, 2));
    /// let burst = [Event::admitted(0, 2), Event::admitted(10, 1)];
    /// assert!(law.check(burst, 0).held());
    ///
    /// let early = [Event::admitted(0, 2), Event::admitted(9, 1)];
    /// let verdict = law.check(early, 0);
    /// assert_eq!(verdict.to_string(), "broken: 3 units from 0 ns through 9 ns, 2 are allowed");
    /// assert!(law.check(early, 1).held());
    /// ```
    pub fn check(&self, events: impl IntoIterator<Item = Event>, slack: u64) -> Verdict {
        let mut judge = Judge::new(self, slack);
        for event in in_order(events.into_iter().collect()) {
            judge.push(event);
        }
        judge.verdict()
    }

    /// The least slack with which `events` hold: zero if they hold as they are.
    ///
    /// ```
    /// use tollgate_testkit::law::{Event, Law};
    /// let law = Law::Window { window: 10, max: 5 };
    /// assert_eq!(law.least_slack([Event::admitted(1, 5), Event::admitted(10, 3)]), 3);
    /// ```
    #[must_use]
    pub fn least_slack(&self, events: impl IntoIterator<Item = Event>) -> u128 {
        let mut judge = Judge::new(self, 0);
        for event in in_order(events.into_iter().collect()) {
            judge.push(event);
        }
        judge.excess()
    }
}

/// A law applied to events as they come, in order of time.
///
/// ```
/// use tollgate_testkit::law::{Event, Judge, Law};
///
/// let mut judge = Judge::new(&Law::Window { window: 60, max: 2 }, 0);
/// for at in [0, 30, 60, 90] {
///     judge.push(Event::admitted(at, 1));
/// }
/// assert!(judge.verdict().held());
/// judge.push(Event::admitted(119, 1));
/// assert!(!judge.verdict().held());
/// ```
#[derive(Debug)]
pub struct Judge {
    rule: Rule,
    latest: u64,
    verdict: Verdict,
    excess: u128,
}

impl Judge {
    /// A judge that has seen nothing yet.
    #[must_use]
    pub fn new(law: &Law, slack: u64) -> Self {
        Self {
            rule: Rule::new(law, slack),
            latest: 0,
            verdict: Verdict::Held,
            excess: 0,
        }
    }

    /// Takes one more event. An event older than the one before cannot be judged: from then on the verdict is
    /// [`Verdict::NotChecked`], unless the law was broken before.
    pub fn push(&mut self, event: Event) {
        if event.at < self.latest {
            if self.verdict.held() {
                self.verdict = Verdict::NotChecked(format!(
                    "an event at {} ns came after one at {} ns, sort them first",
                    event.at, self.latest
                ));
            }
            return;
        }
        self.latest = event.at;
        if let Some(evidence) = self.rule.record(event) {
            self.excess = self.excess.max(evidence.excess());
            if self.verdict.held() {
                self.verdict = Verdict::Broken(evidence);
            }
        }
    }

    /// The verdict so far, with the evidence of the first breach.
    pub fn verdict(&self) -> Verdict {
        self.verdict.clone()
    }

    /// The most units by which any admission so far went beyond the limit and its slack.
    #[must_use]
    pub fn excess(&self) -> u128 {
        self.excess
    }
}

/// Sorts by time, and keeps the order of events of one instant.
fn in_order(mut events: Vec<Event>) -> Vec<Event> {
    if !events.is_sorted_by_key(|event| event.at) {
        events.sort_by_key(|event| event.at);
    }
    events
}

/// Raises the instant of each debt to the latest instant before it in `events`, which stand in the order in which
/// they were recorded.
///
/// A limit takes a debt at an old `now` on top of all it admitted before, so this is the instant from which the debt
/// counts. See the module page.
pub fn raise_debts(events: &mut [Event]) {
    let mut latest = 0;
    for event in events {
        latest = latest.max(event.at);
        if event.kind == Kind::Debt {
            event.at = latest;
        }
    }
}

/// Raises every instant to the latest before it in `events`, which stand in the order in which they were recorded:
/// how a calendar reads a wall clock that was set back.
pub fn raise_all(events: &mut [Event]) {
    let mut latest = 0;
    for event in events {
        latest = latest.max(event.at);
        event.at = latest;
    }
}

#[cfg(test)]
mod tests;
