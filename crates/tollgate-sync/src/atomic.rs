//! Atomics: of `std`, or of the model checker that runs.

#[cfg(model_loom)]
pub use loom::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
};
#[cfg(all(model_shuttle, not(model_loom)))]
pub use shuttle::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
};
#[cfg(not(any(model_loom, model_shuttle)))]
pub use std::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
};

#[cfg(not(any(model_loom, model_shuttle)))]
pub use portable_atomic::AtomicU128;

#[cfg(any(model_loom, model_shuttle))]
pub use interned::AtomicU128;

#[cfg(any(model_loom, model_shuttle))]
mod interned {
    use super::{AtomicU64, Ordering};
    use std::sync::{Mutex, PoisonError};

    /// All 128-bit values seen so far; a value's number is its place.
    static VALUES: Mutex<Vec<u128>> = Mutex::new(Vec::new());

    fn number(value: u128) -> u64 {
        let mut values = VALUES.lock().unwrap_or_else(PoisonError::into_inner);
        let place = values
            .iter()
            .position(|known| *known == value)
            .unwrap_or_else(|| {
                values.push(value);
                values.len() - 1
            });
        place as u64
    }

    fn value(number: u64) -> u128 {
        let values = VALUES.lock().unwrap_or_else(PoisonError::into_inner);
        usize::try_from(number)
            .ok()
            .and_then(|place| values.get(place).copied())
            .unwrap_or(0)
    }

    /// A 128-bit atomic for model checkers: a 64-bit atomic that holds the number of an interned value.
    #[derive(Debug)]
    pub struct AtomicU128(AtomicU64);

    impl Default for AtomicU128 {
        fn default() -> Self {
            Self::new(0)
        }
    }

    impl AtomicU128 {
        /// A new atomic that holds `value`.
        #[must_use]
        pub fn new(value: u128) -> Self {
            Self(AtomicU64::new(number(value)))
        }

        /// Reads the value.
        pub fn load(&self, order: Ordering) -> u128 {
            value(self.0.load(order))
        }

        /// Writes the value.
        pub fn store(&self, new: u128, order: Ordering) {
            self.0.store(number(new), order);
        }

        /// Exchanges `current` for `new` if the atomic holds `current`.
        ///
        /// # Errors
        /// The value held, if it was another one.
        pub fn compare_exchange(
            &self,
            current: u128,
            new: u128,
            success: Ordering,
            failure: Ordering,
        ) -> Result<u128, u128> {
            self.0
                .compare_exchange(number(current), number(new), success, failure)
                .map(value)
                .map_err(value)
        }

        /// As [`Self::compare_exchange`]; neither checker fails spuriously.
        ///
        /// # Errors
        /// The value held, if it was another one.
        pub fn compare_exchange_weak(
            &self,
            current: u128,
            new: u128,
            success: Ordering,
            failure: Ordering,
        ) -> Result<u128, u128> {
            self.compare_exchange(current, new, success, failure)
        }

        /// Adds `more`, wrapping, and returns the value before.
        pub fn fetch_add(&self, more: u128, order: Ordering) -> u128 {
            let mut current = self.load(Ordering::Relaxed);
            loop {
                match self.compare_exchange(
                    current,
                    current.wrapping_add(more),
                    order,
                    Ordering::Relaxed,
                ) {
                    Ok(before) => return before,
                    Err(held) => current = held,
                }
            }
        }
    }
}
