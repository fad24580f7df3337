//! Histories of real threads.

use super::Call;
use std::{
    sync::atomic::{AtomicU64, Ordering::SeqCst},
    thread,
};

/// What one thread writes down of its calls.
#[derive(Debug)]
pub struct Scribe<'a, A, H> {
    thread: usize,
    points: &'a AtomicU64,
    calls: Vec<Call<A, H>>,
}

impl<A, H> Scribe<'_, A, H> {
    /// The number of this thread.
    #[must_use]
    pub fn thread(&self) -> usize {
        self.thread
    }

    /// Makes one call, and notes it. `run` returns what was heard, and what the thread goes on with.
    pub fn call<T>(&mut self, ask: A, run: impl FnOnce(&A) -> (H, T)) -> T {
        // SeqCst: the points of all threads are in one order, and each is on its side of the call. (Both are exchanges
        // of one word, so no call of this thread moves past them where the order could be seen.)
        let began = self.points.fetch_add(1, SeqCst);
        let (heard, rest) = run(&ask);
        let ended = self.points.fetch_add(1, SeqCst);
        self.calls.push(Call {
            thread: self.thread,
            began,
            ended,
            ask,
            heard,
        });
        rest
    }
}

/// Lets `threads` threads `work`, starting together, and returns their calls in the order in which they began. May be
/// called again with the same `points`, to go on with a history once all have come back.
///
/// # Panics
/// If `work` does.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
/// use tollgate_testkit::linear::record;
///
/// let left = AtomicU64::new(3);
/// let calls = record(&AtomicU64::new(0), 2, |scribe| {
///     for _ in 0..2 {
///         scribe.call("take", |_| {
///             (left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok(), ())
///         });
///     }
/// });
/// assert_eq!(calls.iter().filter(|call| call.heard).count(), 3);
/// ```
pub fn record<A: Send, H: Send>(
    points: &AtomicU64,
    threads: usize,
    work: impl Fn(&mut Scribe<'_, A, H>) + Sync,
) -> Vec<Call<A, H>> {
    // Threads spin for the start: those that a barrier wakes one after the other hardly race.
    let (ready, work) = (&AtomicU64::new(0), &work);
    let mut calls: Vec<Call<A, H>> = thread::scope(|scope| {
        let start = |thread| {
            scope.spawn(move || {
                let mut scribe = Scribe {
                    thread,
                    points,
                    calls: Vec::new(),
                };
                ready.fetch_add(1, SeqCst);
                let mut turns = 0_u32;
                while ready.load(SeqCst) < threads as u64 {
                    // With fewer cores than threads some must go to sleep for the last to come.
                    turns += 1;
                    if turns.is_multiple_of(1 << 10) {
                        thread::yield_now();
                    }
                    std::hint::spin_loop();
                }
                work(&mut scribe);
                scribe.calls
            })
        };
        let started: Vec<_> = (0..threads).map(start).collect();
        let join = |thread: thread::ScopedJoinHandle<'_, _>| {
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        started.into_iter().flat_map(join).collect()
    });
    calls.sort_by_key(|call| call.began);
    calls
}
