#[cfg(not(any(model_loom, model_shuttle)))]
pub use real::thread_number;

#[cfg(not(any(model_loom, model_shuttle)))]
mod real {
    use crate::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::cell::Cell;

    /// No thread has this number.
    const NONE: usize = usize::MAX;

    /// The number of the next thread that asks for one.
    static NEXT: AtomicUsize = AtomicUsize::new(0);

    thread_local! {
        static NUMBER: Cell<usize> = const { Cell::new(NONE) };
    }

    /// A number of the calling thread, the same for as long as it lives. Threads get theirs in turn, so that any
    /// few of them that start together spread evenly over shards.
    #[inline]
    #[must_use]
    pub fn thread_number() -> usize {
        NUMBER.with(|number| match number.get() {
            NONE => {
                let new = next();
                number.set(new);
                new
            }
            own => own,
        })
    }

    #[cold]
    fn next() -> usize {
        // Relaxed: numbers need only differ. After 2^64 threads they repeat, which spreads them no worse.
        NEXT.fetch_add(1, Relaxed) % NONE
    }
}

/// The threads of a model are one thread to the system, so they all use the first shard; a model that wants another
/// one says so.
#[cfg(any(model_loom, model_shuttle))]
#[must_use]
pub const fn thread_number() -> usize {
    0
}
