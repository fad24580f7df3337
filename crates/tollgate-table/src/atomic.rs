//! The words of a table. In the unit tests of this crate they count who touches what: see [`counted`].

#[cfg(any(not(test), model_loom, model_shuttle))]
pub(crate) use tollgate_sync::atomic::AtomicU64;

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
pub(crate) use counted::AtomicU64;

/// Counting what a call touches.
///
/// Only this crate's unit tests are built with it, so that it costs nobody anything; what they count is nevertheless the
/// code that users run.
#[cfg(all(test, not(any(model_loom, model_shuttle))))]
pub(crate) mod counted {
    use std::{cell::RefCell, collections::HashSet};
    use tollgate_sync::atomic::{self, Ordering};
    use zerocopy::{FromBytes, IntoBytes, KnownLayout};

    /// What a call touched, and how.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub(crate) struct Touched {
        /// Cache lines.
        lines: HashSet<usize>,
        /// Exchanges that took place, and that failed.
        pub(crate) exchanges: usize,
        pub(crate) failed: usize,
        pub(crate) stores: usize,
    }

    impl Touched {
        /// How many cache lines.
        pub(crate) fn lines(&self) -> usize {
            self.lines.len()
        }
    }

    thread_local! {
        static TOUCHED: RefCell<Touched> = RefCell::default();
    }

    /// Makes a call, and tells what this thread touched in it.
    pub(crate) fn counting<R>(call: impl FnOnce() -> R) -> (R, Touched) {
        TOUCHED.take();
        let answer = call();
        (answer, TOUCHED.take())
    }

    fn touch(word: &AtomicU64, more: impl FnOnce(&mut Touched)) {
        TOUCHED.with_borrow_mut(|touched| {
            touched.lines.insert(std::ptr::from_ref(word).addr() / 64);
            more(touched);
        });
    }

    /// A word that counts who touches it.
    #[derive(Debug, FromBytes, IntoBytes, KnownLayout)]
    #[repr(transparent)]
    pub(crate) struct AtomicU64(atomic::AtomicU64);

    impl AtomicU64 {
        pub(crate) const fn new(value: u64) -> Self {
            Self(atomic::AtomicU64::new(value))
        }

        pub(crate) fn load(&self, order: Ordering) -> u64 {
            touch(self, |_| {});
            self.0.load(order)
        }

        pub(crate) fn store(&self, value: u64, order: Ordering) {
            touch(self, |touched| touched.stores += 1);
            self.0.store(value, order);
        }

        pub(crate) fn compare_exchange(
            &self,
            seen: u64,
            next: u64,
            success: Ordering,
            failure: Ordering,
        ) -> Result<u64, u64> {
            let exchanged = self.0.compare_exchange(seen, next, success, failure);
            touch(self, |touched| match exchanged {
                Ok(_) => touched.exchanges += 1,
                Err(_) => touched.failed += 1,
            });
            exchanged
        }
    }
}
