//! Policy files, scopes, accounts and the Gate.

mod file;
mod gate;
mod meter;
mod refusal;
mod request;

pub use file::{
    Algorithm, CalendarRule, LimitRule, Mode, OnDrop, OverrideRule, Pattern, PolicyError,
    PolicyErrors, PolicyFile, PriorityRule, Refund, StrayBackslash, Unit,
};
pub use gate::{
    Crossing, Explained, Gate, GateBuilder, LimitUsage, Place, Reload, Reservation, Verdict,
    Waiting,
};
pub use refusal::{Limited, Refusal};
pub use request::{Request, Usage};
pub use tollgate_quota::calendar::{CalendarPeriod, Weekday};
pub use tollgate_quota::threshold::Share;
