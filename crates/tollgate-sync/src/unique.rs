use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A number that no other call in this process gets.
///
/// Counted outside the models, whose atomics cannot be static.
#[must_use]
pub fn unique() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    // Relaxed: only that no two are the same matters.
    NEXT.fetch_add(1, Relaxed)
}
