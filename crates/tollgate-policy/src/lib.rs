//! Policy files, scopes, accounts and the Gate.

mod file;

pub use file::{
    Algorithm, CalendarPeriod, CalendarRule, LimitRule, Mode, OnDrop, OverrideRule, Pattern,
    PolicyError, PolicyErrors, PolicyFile, PriorityRule, Refund, Share, StrayBackslash, Unit,
    Weekday,
};
