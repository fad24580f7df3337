//! Windows: at most so many units in any trailing span of time, or in each of a row of spans.
//!
//! | | Holds in | Costs | Memory | A charge |
//! | --- | --- | --- | --- | --- |
//! | [`ExactLog`] | every interval of the window's length, to the nanosecond | small ones: counts | 32 to 170 bytes a charge in the window | two exchanges and a search |
//! | [`SlottedRing`] | every interval of the window's length; units count up to a slot longer | any: model tokens, money | 16 bytes a slot | one exchange |
//! | [`ShardedRing`] | as a slotted ring, for many threads | any | 16 bytes a slot, 128 a shard | mostly one exchange, on a line of its own |
//! | [`FixedWindow`] | each window of a row of them | any | one word | one exchange |
//! | [`PeriodCounter`] | each period, which is a number told by the caller | any | one word | one exchange |
//!
//! Each window is a cell with a max of its own ([`try_record`](ExactLog::try_record), `count`, `remaining`, `wait_time`, by
//! its own clock or `_at` a `now`) and at the same time a [`Meter`](tollgate_core::Meter), to which each caller says its own ceiling and
//! which takes refunds and debt. There is no check that must be followed by a record: the one call decides and records.
//!
//! ```
//! use std::time::Duration;
//! use tollgate_core::{Cost, Meter, Moment, Nanos, Refused, Wall};
//! use tollgate_window::SlottedRing;
//!
//! // 10,000 model tokens a minute, in slots of a second.
//! let ring = SlottedRing::new(10_000, Duration::from_secs(60), 60)?;
//! let at = Moment::new(Nanos::from_secs(5), Wall::default());
//! let estimate = Cost::new(8_000).expect("not zero");
//!
//! let charged = ring.charge(at, estimate, ring.max()).expect("the ring is empty");
//! assert!(matches!(ring.charge(at, estimate, ring.max()), Err(Refused::Denied(_))));
//! // The answer was shorter than estimated: what was not used is free again at once.
//! assert_eq!(ring.refund(at, &charged.receipt, 7_000), 7_000);
//! assert_eq!(ring.remaining_at(at.now), 9_000);
//! # Ok::<(), tollgate_window::WindowError>(())
//! ```
//!
//! # When not to use it
//!
//! - A rate with a burst, at a word a limit and no slots: `Limiter` of `tollgate-core`.
//! - Days, months and other periods of a calendar: `tollgate-quota`, which builds them on [`PeriodCounter`].
//! - Several limits that must all agree: `tollgate-policy`.
//!
//! # Guarantees
//!
//! 1. **Never over.** In every half-open interval of the window's length (for fixed windows: in every window) at most
//!    the ceiling is admitted and kept. Exactly, from any number of threads.
//! 2. **Never needlessly under.** A denial tells the least wait: a nanosecond less is denied, and after it the cost
//!    passes, were nobody else to come. A log admits whatever the law allows; a ring of S slots loses 1/(S + 1).
//! 3. **A denial changes nothing** and writes nothing; but one that lost a race while a ring rotates may have helped
//!    to rotate it.
//!
//! What holds the first: `ring_equals_its_model`, `log_equals_its_model` and `fixed_window_equals_its_model` of
//! [`against_models.rs`], and every model of [`loom.rs`]; the others: `waits_of_all_windows_are_least_and_denials_change_nothing`
//! there. [How to run them][tests].
//!
//! [`against_models.rs`]: https://github.com/tollgate-rs/tollgate/blob/main/crates/tollgate-window/tests/against_models.rs
//! [`loom.rs`]: https://github.com/tollgate-rs/tollgate/blob/main/crates/tollgate-window/tests/loom.rs
//! [tests]: https://github.com/tollgate-rs/tollgate/blob/main/tests/README.md
//!
//! Time in these is the `now` that each decision was given. It may step back: an old `now` only makes the answer
//! stricter, since units are filed under the latest instant, slot or window so far (receipts tell it) and leave by the
//! caller's own clock. Where it is forgotten what an old `now` would see, the answer is a denial, with the wait until it can be
//! told by that clock. Figures are told as of the latest charge, refunds and debt are taken whatever the `now`. Periods
//! ([`PeriodCounter`]) are another matter: an older one is counted in the one already begun, for wall clocks are set back.
//!
//! Refunds touch only the units of their own charge: of its entry, its slot or its period, while they count. Debt
//! (units spent beyond an estimate) counts like any other units, above the ceiling if it must. Where units end with
//! their period, what was used beyond its max does not: the periods after it pay that first.
//!
//! No algorithm reads a clock: verbs without `_at` read the window's own one and hand it on. Nothing here locks, and only
//! the log allocates after it was built. The words, steps and orderings of each algorithm are described at the head of its
//! module, in the source.

#![forbid(unsafe_code)]

mod cell;
mod error;
mod fixed;
mod log;
mod ring;

pub use error::WindowError;
pub use fixed::{FixedWindow, PeriodCounter, PeriodNumber, PeriodReceipt, PeriodRefusal};
pub use log::{ExactLog, LogReceipt};
pub use ring::{ShardedRing, ShardedRingBuilder, SlotReceipt, SlottedRing};
