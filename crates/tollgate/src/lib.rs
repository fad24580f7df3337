#![doc = include_str!("../docs/guide.md")]
#![forbid(unsafe_code)]

mod wait;

pub use tollgate_core::{
    Allowed, Clock, CoarseClock, Cost, CostExceedsCapacity, Decision, Denied, Limit, LimitError,
    Limiter, LimiterBuilder, LocalHandle, ManualClock, Moment, Nanos, NoTurn, QuantaClock,
    ShardedLimiter, ShardedLimiterBuilder, Snapshot, TokenBucket, TokenBucketBuilder, Turn, Wall,
};
pub use tollgate_policy::{
    Crossing, Explained, Gate, GateBuilder, LimitUsage, Limited, Place, PolicyError, PolicyErrors,
    Refusal, Reload, Request, Reservation, Usage, Verdict, Waiting,
};
#[cfg(feature = "ledger")]
pub use tollgate_quota::ledger::{Durability, Ledger, LedgerError, LedgerOptions};
pub use tollgate_quota::{MicroUsd, StatusLevel, StatusLevels};
pub use tollgate_table::{KeyedDecision, KeyedLimiter, KeyedLimiterBuilder};
#[cfg(feature = "tokio")]
pub use wait::{Acquire, AdmitWithin};
pub use wait::{AcquireBlocking, AdmitBlocking};

#[doc(no_inline)]
pub use {
    tollgate_policy as policy, tollgate_quota as quota, tollgate_table as table,
    tollgate_window as window,
};

/// The README's example is run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
