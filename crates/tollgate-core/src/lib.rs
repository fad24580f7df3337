//! Exact limits for one process: units, time, clocks, decisions, and the cells that decide.
//!
//! A [`Limiter`] admits so many units a period, and so many at one instant. A decision is one clock read, one load
//! and, if something is taken, one exchange of one word: no lock, no allocation, no background work, from any
//! number of threads. A [`TokenBucket`] is the same under its usual API. A [`Turn`] is for those who would rather wait
//! than be denied. A [`ShardedLimiter`] is for limits that many threads ask often: mostly it reads no clock, and shares
//! no line between threads; a [`LocalHandle`] is one thread's own way to it.
//!
//! ```
//! use tollgate_core::{Cost, Decision, Limit, Limiter};
//!
//! const LOGINS: Limit = Limit::per_minute(60).with_capacity(5); // a zero does not compile
//!
//! let limiter = Limiter::new(LOGINS)?;
//! match limiter.try_acquire(Cost::ONE)? {
//!     Decision::Allowed(allowed) => println!("welcome; {} more at once", allowed.remaining()),
//!     Decision::Denied(denied) => println!("try again in {:?}", denied.retry_after()),
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # When not to use it
//!
//! - Several limits that must all agree, costs known only afterwards, limits by user or key: `tollgate-policy`.
//! - Trailing windows (at most so many in *any* minute, with no burst on top): `tollgate-window`.
//! - Calendar days and months, lifetime budgets: `tollgate-quota`.
//! - Sleeping until a turn is due: the crate `tollgate`, for tokio and for threads. This one knows no runtime.
//!
//! # Guarantees
//!
//! 1. **Never over.** Over every half-open interval of length `w`, the units admitted and kept are at most
//!    `capacity + rate × w`. Exactly: no slack, no drift, no wrapped counter in 30 years of uptime. What cannot be
//!    represented is refused when it is built, by name ([`LimitError`]).
//! 2. **Never needlessly under.** [`Denied::retry_after`] is the least wait, in whole nanoseconds, after which the
//!    cost would pass were nobody else to come. The time that a unit takes is rounded once, upward, to a sixteenth
//!    of a nanosecond; nothing is lost between one call and the next.
//! 3. **A denial changes nothing**, and writes nothing.
//!
//! A [`ShardedLimiter`] keeps the first as it stands, and says at the second and third what it gives up.
//!
//! What holds the first: `answers_are_the_models` of [`properties.rs`] and every model of [`loom.rs`]; the second:
//! `retry_after_is_the_least_wait` and `asking_at_each_retry_after_gets_the_whole_rate` there, and of shards
//! `waits_are_the_least_and_denials_leave_no_mark` of [`sharded.rs`]; the third: `denial_changes_nothing` beside the cell,
//! and `denials_leave_everything_as_it_was` of shards. [How to run them][tests].
//!
//! [`properties.rs`]: https://github.com/tollgate-rs/tollgate/blob/main/crates/tollgate-core/tests/properties.rs
//! [`loom.rs`]: https://github.com/tollgate-rs/tollgate/blob/main/crates/tollgate-core/tests/loom.rs
//! [`sharded.rs`]: https://github.com/tollgate-rs/tollgate/blob/main/crates/tollgate-core/tests/sharded.rs
//! [tests]: https://github.com/tollgate-rs/tollgate/blob/main/tests/README.md
//!
//! Time in these is the `now` that each decision was given, by the limiter's [`Clock`]; for a [`Turn`], the instant at
//! which it is due. Against true time each decision may add `rate × d`, where d is how much later than its
//! `now` it landed; each clock says what its d is made of. A clock that steps back makes no answer looser.

#![forbid(unsafe_code)]

mod authority;
mod bucket;
mod clock;
mod decision;
pub mod gcra;
mod limit;
mod limiter;
mod meter;
mod sharded;
mod time;
mod turn;

pub use authority::{Authority, LeaseId, Report, Standing};
pub use bucket::{TokenBucket, TokenBucketBuilder};
pub use clock::{Clock, ManualClock, QuantaClock};
#[cfg(not(any(model_loom, model_shuttle)))]
pub use clock::{CoarseClock, CoarseClockError};
pub use decision::{Allowed, CostExceedsCapacity, Decision, Denied, Snapshot};
pub use limit::{Cost, Limit, LimitError};
pub use limiter::{Limiter, LimiterBuilder};
pub use meter::{Charged, Denial, Meter, Refused, Wait};
pub use sharded::{LocalHandle, ShardedLimiter, ShardedLimiterBuilder};
pub use time::{Moment, Nanos, Wall};
pub use turn::{NoTurn, Turn};
