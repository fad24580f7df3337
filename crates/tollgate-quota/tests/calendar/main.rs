//! Calendar periods: known days of real zones, every zone against a slow model, and the meter that follows them.
#![cfg(not(any(model_loom, model_shuttle)))]

mod civil;
mod debt;
mod edges;
mod meter;
mod model;
mod properties;
#[path = "../common/subject.rs"]
mod subject;
