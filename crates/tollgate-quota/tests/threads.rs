//! The races of the models on real threads, many times each.
#![cfg(not(any(model_loom, model_shuttle)))]

mod scenarios;

scenarios::mixes::mixes!(tollgate_testkit::stress::repeat);
