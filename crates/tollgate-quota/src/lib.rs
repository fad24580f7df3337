//! Calendar quotas, lifetime budgets and meters that refund.
//!
//! Each [`Meter`](tollgate_core::Meter) counts what one limit has committed, and gives back what a request turned
//! out not to use:
//!
//! | Meter | At most so many units |
//! | --- | --- |
//! | [`RateMeter`] | of capacity, which refills at a rate |
//! | [`CalendarMeter`] | in each hour, day, week, month or year of a time zone |
//! | [`Lifetime`] | ever |
//! | [`Concurrency`] | open at once |
//!
//! A [`Leased`](lease::Leased) meter spends what an authority has lent it, so that a limit survives the process.
//!
//! Refunds are held to an ideal world by `refund_equals_the_ideal_world` of [`rate_refunds.rs`]; calendars to a model by
//! [`properties.rs`]; every race by a model of [`loom`], among them that a crossing is told once (`crossing::*`) and that what
//! is on record covers what a lease admits (`lease::*`). The protocols of leases are explored in [`leases`], whenever a process
//! is killed and whatever a network does, and the ledger is killed for real in [`kills`]. [How to run them][tests].
//!
//! [`leases`]: https://github.com/tollgate-rs/tollgate/blob/main/tests/leases/main.rs
//! [`kills`]: https://github.com/tollgate-rs/tollgate/blob/main/tests/kills/main.rs
//! [`rate_refunds.rs`]: https://github.com/tollgate-rs/tollgate/blob/main/crates/tollgate-quota/tests/rate_refunds.rs
//! [`properties.rs`]: https://github.com/tollgate-rs/tollgate/blob/main/crates/tollgate-quota/tests/calendar/properties.rs
//! [`loom`]: https://github.com/tollgate-rs/tollgate/blob/main/crates/tollgate-quota/tests/loom
//! [tests]: https://github.com/tollgate-rs/tollgate/blob/main/tests/README.md
//!
//! Beside them: [`threshold`] tells each crossing of a share once, and [`money`] keeps dollars exact. Nothing here
//! reads a clock: every call is given its [`Moment`](tollgate_core::Moment).

pub mod calendar;
mod concurrency;
pub mod lease;
#[cfg(all(feature = "ledger", not(any(model_loom, model_shuttle))))]
pub mod ledger;
mod lifetime;
pub mod money;
mod rate;
mod tally;
pub mod threshold;

pub use calendar::{Calendar, CalendarMeter};
pub use concurrency::Concurrency;
pub use lifetime::Lifetime;
pub use money::MicroUsd;
pub use rate::{Carried, Depth, RateMeter, RateReceipt, RefundRule, Scale};
pub use tally::TallyReceipt;
pub use threshold::{StatusLevel, StatusLevels, Thresholds};
