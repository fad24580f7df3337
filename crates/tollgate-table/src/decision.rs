use std::time::Duration;
use tollgate_core::{Allowed, Denied};

/// The answer to a request for a key.
///
/// ```
/// use tollgate_core::{Cost, Limit};
/// use tollgate_table::{KeyedDecision, KeyedLimiter};
///
/// let limiter = KeyedLimiter::<str>::builder(Limit::per_minute(60)).max_keys(1_000).build()?;
/// match limiter.try_acquire("alice", Cost::ONE)? {
///     KeyedDecision::Allowed(allowed) => println!("{} left", allowed.remaining()),
///     KeyedDecision::Denied(denied) => println!("come back in {:?}", denied.retry_after()),
///     KeyedDecision::Full(full) => println!("no room for alice for {:?}", full.retry_after()),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyedDecision {
    /// The cost was taken. Of a key under two limits these are the figures of the one that has fewer units left;
    /// where both have as many, of the first.
    Allowed(Allowed),
    /// The cost was not taken, and nothing changed. Of a key under two limits these are the figures of the one with the
    /// longer wait; where both are as long, of the first.
    Denied(Denied),
    /// The cost was not taken, since the key is new and the table has no slot for it. Only under
    /// [`Overflow::Deny`](crate::Overflow::Deny).
    Full(Full),
}

impl KeyedDecision {
    /// Whether the cost was taken.
    #[must_use]
    pub const fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed(_))
    }

    /// How long to wait, if the cost was not taken: see [`Denied::retry_after`] and [`Full::retry_after`].
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Allowed(_) => None,
            Self::Denied(denied) => Some(denied.retry_after()),
            Self::Full(full) => Some(full.retry_after()),
        }
    }
}

/// No slot was free for a new key.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    wait: Duration,
}

impl Full {
    pub(crate) const fn new(wait: Duration) -> Self {
        Self { wait }
    }

    /// The least wait, in whole nanoseconds, until one of the slots in which the key may live is free, were nobody else
    /// to come. Never zero.
    #[must_use]
    pub const fn retry_after(&self) -> Duration {
        self.wait
    }
}
