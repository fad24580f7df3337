//! Policy files, scopes, accounts and the Gate.
//!
//! All limits of a request are charged or none; nothing is ever over, and a refusal changes nothing and tells the least
//! wait: `nothing_is_ever_over_and_a_refusal_changes_nothing` and `each_wait_is_the_least` of [`laws.rs`], and the models
//! of [`loom.rs`], which run the whole Gate. [How to run them][tests].
//!
//! [`laws.rs`]: https://github.com/tollgate-rs/tollgate/blob/main/tests/properties/laws.rs
//! [`loom.rs`]: https://github.com/tollgate-rs/tollgate/blob/main/crates/tollgate-policy/tests/loom.rs
//! [tests]: https://github.com/tollgate-rs/tollgate/blob/main/tests/README.md

mod file;
mod gate;
mod meter;
mod refusal;
mod request;

pub use file::{
    Algorithm, CalendarRule, Dry, Failing, LedgerRule, LimitRule, Mode, OnDrop, OverrideRule,
    Pattern, PolicyError, PolicyErrors, PolicyFile, PriorityRule, Refund, StrayBackslash, Unit,
};
pub use gate::{
    Crossing, Explained, Gate, GateBuilder, LimitUsage, Place, Reload, Reservation, Verdict,
    Waiting,
};
pub use refusal::{Limited, Refusal};
pub use request::{Request, Usage};
pub use tollgate_quota::calendar::{CalendarPeriod, Weekday};
pub use tollgate_quota::threshold::Share;
