//! What a cell answers: figures from one snapshot, divided out only when asked for.

use crate::{
    Cost,
    gcra::{Gcra, nanos_ceil},
};
use std::time::Duration;

/// A cost that can never pass, because it is above the capacity. Waiting does not help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a cost of {cost} can never pass a capacity of {capacity}")]
pub struct CostExceedsCapacity {
    /// The units asked for.
    pub cost: u64,
    /// The largest cost that passes: the capacity, less what a sharded limiter sets aside.
    pub capacity: u64,
}

/// A cell's answer: yes or no, for ever only these two.
///
/// Its figures come from the one state that the answer came from, so they agree with it and with each other,
/// whatever other callers do meanwhile.
///
/// ```
/// use tollgate_core::{Cost, Decision, Limit, Limiter};
///
/// let limiter = Limiter::new(Limit::per_hour(60))?;
/// match limiter.try_acquire(Cost::ONE)? {
///     Decision::Allowed(allowed) => println!("{} left", allowed.remaining()),
///     Decision::Denied(denied) => println!("come back in {:?}", denied.retry_after()),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The cost was taken.
    Allowed(Allowed),
    /// The cost was not taken, and nothing changed.
    Denied(Denied),
}

impl Decision {
    /// Whether the cost was taken.
    #[must_use]
    pub const fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed(_))
    }

    /// Whether the cost was not taken.
    #[must_use]
    pub const fn is_denied(&self) -> bool {
        matches!(self, Self::Denied(_))
    }

    /// The state that the answer left behind.
    #[must_use]
    pub const fn snapshot(&self) -> Snapshot {
        match self {
            Self::Allowed(allowed) => allowed.snapshot(),
            Self::Denied(denied) => denied.snapshot(),
        }
    }
}

/// The cost was taken.
///
/// Of a sharded limiter the figures count only what the answer came across: see
/// [`ShardedLimiter`](crate::ShardedLimiter#figures).
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowed {
    after: Snapshot,
}

impl Allowed {
    /// Units left at this instant, rounded down.
    #[must_use]
    pub const fn remaining(&self) -> u64 {
        self.after.remaining()
    }

    /// How long until the whole capacity is free, were nobody else to come; rounded up to whole nanoseconds.
    #[must_use]
    pub const fn reset_after(&self) -> Duration {
        self.after.reset_after()
    }

    /// The capacity of the limit that answered.
    #[must_use]
    pub const fn capacity(&self) -> u64 {
        self.after.capacity()
    }

    /// The state after the cost was taken.
    #[must_use]
    pub const fn snapshot(&self) -> Snapshot {
        self.after
    }
}

/// The cost was not taken. Nothing changed.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denied {
    seen: Snapshot,
    /// Quanta until the cost fits, at least 1.
    wait: u64,
}

impl Denied {
    /// The least wait, in whole nanoseconds, after which this cost would pass were nobody else to come: a nanosecond
    /// less is denied. Never zero.
    #[must_use]
    pub const fn retry_after(&self) -> Duration {
        Duration::from_nanos(nanos_ceil(self.wait))
    }

    /// Units left at this instant, rounded down: less than the cost.
    #[must_use]
    pub const fn remaining(&self) -> u64 {
        self.seen.remaining()
    }

    /// How long until the whole capacity is free, were nobody else to come; rounded up to whole nanoseconds.
    #[must_use]
    pub const fn reset_after(&self) -> Duration {
        self.seen.reset_after()
    }

    /// The capacity of the limit that answered.
    #[must_use]
    pub const fn capacity(&self) -> u64 {
        self.seen.capacity()
    }

    /// The state that was too full.
    #[must_use]
    pub const fn snapshot(&self) -> Snapshot {
        self.seen
    }

    pub(crate) const fn wait(&self) -> u64 {
        self.wait
    }
}

/// What a limiter holds at one instant; see [`Limiter::peek`](crate::Limiter::peek).
///
/// ```
/// use tollgate_core::{Cost, Limit, Limiter, Nanos};
///
/// let limiter = Limiter::new(Limit::per_second(10))?;
/// let snapshot = limiter.peek_at(Nanos::ZERO);
/// assert_eq!(snapshot.remaining(), 10);
/// assert!(snapshot.ask(Cost::ONE)?.is_allowed());
/// assert_eq!(limiter.peek_at(Nanos::ZERO), snapshot, "asking takes nothing");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    gcra: Gcra,
    /// Quanta until the whole capacity is free.
    backlog: u64,
    /// Quanta until the limit begins; 0 unless the caller's `now` is before the last change of the limit.
    lag: u64,
    /// What the capacity is worth that no single cost can have, since it is set aside for shards; in quanta.
    aside: u64,
}

impl Snapshot {
    #[inline]
    pub(crate) const fn new(gcra: Gcra, backlog: u64, lag: u64) -> Self {
        Self {
            gcra,
            backlog,
            lag,
            aside: 0,
        }
    }

    /// Of a limit of which `aside` quanta are set aside: less than the tolerance.
    #[inline]
    pub(crate) const fn sharded(gcra: Gcra, backlog: u64, aside: u64) -> Self {
        Self {
            gcra,
            backlog,
            lag: 0,
            aside,
        }
    }

    /// Units left, rounded down: any cost up to this passes, any larger one is denied.
    #[must_use]
    pub const fn remaining(&self) -> u64 {
        if self.lag > 0 {
            0
        } else {
            self.gcra.tolerance().saturating_sub(self.backlog) / self.gcra.interval()
        }
    }

    /// How long until the whole capacity is free, were nobody to come; rounded up to whole nanoseconds.
    #[must_use]
    pub const fn reset_after(&self) -> Duration {
        Duration::from_nanos(nanos_ceil(self.backlog))
    }

    /// The most units admitted at one instant.
    #[must_use]
    pub const fn capacity(&self) -> u64 {
        self.gcra.capacity()
    }

    /// What `cost` would get at this instant. Nothing is taken.
    ///
    /// # Errors
    /// [`CostExceedsCapacity`] if `cost` could never fit.
    #[inline]
    pub fn ask(&self, cost: Cost) -> Result<Decision, CostExceedsCapacity> {
        let need = self.gcra.need_beside(cost, self.aside)?;
        // Invariant: `need` is at most the tolerance.
        let fits = self.backlog <= self.gcra.tolerance() - need && self.lag == 0;
        Ok(if fits {
            // The sum is at most the tolerance.
            let after = Self {
                backlog: self.backlog + need,
                ..*self
            };
            Decision::Allowed(after.allowed())
        } else {
            Decision::Denied(self.denied(need))
        })
    }

    /// The answer to a cost that was taken, and left this behind.
    #[inline]
    pub(crate) const fn allowed(self) -> Allowed {
        Allowed { after: self }
    }

    /// The answer to a cost worth `need`, at most the tolerance, that does not fit. Waits at least one quantum, so
    /// that a caller who only lost a race asks again.
    #[inline]
    pub(crate) const fn denied(self, need: u64) -> Denied {
        let over = self.backlog.saturating_sub(self.gcra.tolerance() - need);
        let wait = if over > self.lag { over } else { self.lag };
        let wait = if wait > 0 { wait } else { 1 };
        Denied { seen: self, wait }
    }

    /// How long `cost` would have to wait, were nobody else to come: zero if it fits at this instant. A nanosecond
    /// less is denied.
    ///
    /// # Errors
    /// [`CostExceedsCapacity`] if `cost` could never fit.
    pub fn wait_time(&self, cost: Cost) -> Result<Duration, CostExceedsCapacity> {
        Ok(match self.ask(cost)? {
            Decision::Allowed(_) => Duration::ZERO,
            Decision::Denied(denied) => denied.retry_after(),
        })
    }

    /// The answer to a cost of nothing.
    pub(crate) const fn nothing_taken(self) -> Decision {
        Decision::Allowed(self.allowed())
    }
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;
    use crate::{Limit, Nanos, gcra::Step};

    fn cost(units: u64) -> Cost {
        Cost::new(units).expect("a cost")
    }

    #[test]
    fn figures_of_an_answer_agree() {
        let gcra = Gcra::new(Limit::per_second(3).with_capacity(3)).expect("a limit");
        let Ok(Step::Take { tat, allowed }) = gcra.step(0, Nanos::ZERO, cost(2)) else {
            panic!("a fresh cell is whole")
        };
        assert_eq!(allowed.remaining(), 1);
        // Two units of 1/3 s, each rounded up to a sixteenth of a nanosecond.
        assert_eq!(allowed.reset_after(), Duration::from_nanos(666_666_667));
        assert_eq!(allowed.capacity(), 3);

        let Ok(Step::Deny(denied)) = gcra.step(tat, Nanos::ZERO, cost(2)) else {
            panic!("one is left")
        };
        assert_eq!(denied.remaining(), 1);
        assert_eq!(denied.reset_after(), allowed.reset_after());
        assert_eq!(denied.retry_after(), Duration::from_nanos(333_333_334));
        assert_eq!(denied.capacity(), 3);
        assert_eq!(
            denied.snapshot(),
            allowed.snapshot(),
            "a denial changes nothing"
        );
        assert_eq!(
            denied.snapshot().wait_time(cost(2)),
            Ok(denied.retry_after())
        );
        assert_eq!(denied.snapshot().wait_time(cost(1)), Ok(Duration::ZERO));
    }

    #[test]
    fn a_wait_below_a_nanosecond_is_one() {
        let gcra = Gcra::new(Limit::per_second(16_000_000_000).with_capacity(1)).expect("a limit");
        let Ok(Step::Deny(denied)) = gcra.step(1, Nanos::ZERO, Cost::ONE) else {
            panic!("nothing is left")
        };
        assert_eq!(denied.retry_after(), Duration::from_nanos(1));
    }

    #[test]
    fn more_taken_than_the_capacity_leaves_nothing() {
        let gcra = Gcra::new(Limit::per_second(1).with_capacity(1)).expect("a limit");
        let snapshot = gcra.snapshot(u64::MAX - 1, Nanos::ZERO);
        assert_eq!(snapshot.remaining(), 0);
        assert!(
            snapshot
                .ask(Cost::ONE)
                .expect("a cost that fits")
                .is_denied()
        );
    }

    #[test]
    fn nothing_is_left_before_the_limit_begins() {
        let gcra = Gcra::new(Limit::per_second(1).with_capacity(5)).expect("a limit");
        let begins = 1_600;
        let snapshot = gcra.snapshot_since(begins, Nanos::new(40), begins);
        assert_eq!(snapshot.remaining(), 0);
        assert_eq!(snapshot.wait_time(cost(5)), Ok(Duration::from_nanos(60)));
        assert_eq!(
            gcra.snapshot_since(begins, Nanos::new(100), begins)
                .wait_time(cost(5)),
            Ok(Duration::ZERO)
        );
    }

    #[test]
    fn errors_say_both_numbers() {
        let error = CostExceedsCapacity {
            cost: 7,
            capacity: 5,
        };
        assert_eq!(
            error.to_string(),
            "a cost of 7 can never pass a capacity of 5"
        );
    }
}
