//! The only place of Tollgate that names a source of atomics.
//!
//! Every other crate takes atomics, shared pointers, threads and `spin_loop` from here. Normally they are
//! those of `std` (with [`portable_atomic`](https://docs.rs/portable-atomic) for 128 bits and
//! [`arc_swap`](https://docs.rs/arc-swap) for shared pointers that change). Under `--cfg model_loom` they are
//! loom's and under `--cfg model_shuttle` shuttle's, so that a model runs the very code that users run.
//!
//! Neither checker knows 128-bit atomics: [`atomic::AtomicU128`] is then a 64-bit atomic that holds the number
//! of an interned value. Interning is one to one, so an exchange of numbers is an exchange of values: one
//! modelled operation with the real orderings. [`SwapArc`] and [`OnceArc`] are an atomic number of a value there, with
//! the orderings that the real ones promise: how those keep them is trusted, not modelled.

pub mod atomic;
#[cfg(any(model_loom, model_shuttle))]
pub mod model;
#[cfg(any(model_loom, model_shuttle))]
mod numbered;
mod once_arc;
mod swap_arc;
mod thread_number;
mod trusted;
mod unique;

pub use once_arc::OnceArc;
pub use swap_arc::SwapArc;
pub use thread_number::thread_number;
pub use trusted::Trusted;
pub use unique::unique;

#[cfg(model_loom)]
pub use loom::{
    hint,
    sync::{Arc, Mutex, MutexGuard},
    thread, thread_local,
};
#[cfg(all(model_shuttle, not(model_loom)))]
pub use shuttle::{
    hint,
    sync::{Arc, Mutex, MutexGuard},
    thread, thread_local,
};
#[cfg(not(any(model_loom, model_shuttle)))]
pub use std::{
    hint,
    sync::{Arc, Mutex, MutexGuard},
    thread, thread_local,
};
