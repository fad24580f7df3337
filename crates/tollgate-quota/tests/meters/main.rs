//! Meters against the testkit's models, on real threads, and one after another.
#![cfg(not(any(model_loom, model_shuttle)))]

mod models;
mod races;
#[path = "../common/subject.rs"]
mod subject;
mod successors;
