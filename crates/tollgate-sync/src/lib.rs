//! Atomics, threads and shared pointers of Tollgate, swapped for a model checker's when one runs.
