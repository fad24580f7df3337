//! Meters against the testkit's models, and on real threads.
#![cfg(not(any(model_loom, model_shuttle)))]

mod models;
mod races;
#[path = "../common/subject.rs"]
mod subject;
