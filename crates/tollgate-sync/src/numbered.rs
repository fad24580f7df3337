//! A place for a shared value, as models know it: an atomic number, and the values that it may name.

use crate::{
    Arc,
    atomic::{AtomicUsize, Ordering::*},
};
use std::sync::{Mutex, PoisonError};

/// Who loads the number of a value sees what whoever stored it had done: no more is promised by the real places, and no more
/// is given here. A place that was a lock would order all who come to it.
#[derive(Debug)]
pub(crate) struct Numbered<T> {
    /// Of the value that is held; 0 for none.
    number: AtomicUsize,
    /// All values that were ever put here. Known to no checker, and nobody waits for it: what it holds is cloned outside.
    values: Mutex<Vec<std::sync::Arc<Arc<T>>>>,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self {
            number: AtomicUsize::new(0),
            values: Mutex::default(),
        }
    }
}

impl<T> Numbered<T> {
    pub(crate) fn filled(value: Arc<T>) -> Self {
        Self {
            number: AtomicUsize::new(1),
            values: Mutex::new(vec![std::sync::Arc::new(value)]),
        }
    }

    pub(crate) fn load(&self) -> Option<Arc<T>> {
        let place = self.number.load(Acquire).checked_sub(1)?;
        let values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        let value = values.get(place).map(std::sync::Arc::clone);
        drop(values);
        value.map(|value| Arc::clone(&*value))
    }

    pub(crate) fn store(&self, value: Arc<T>) {
        self.number.swap(self.numbered(value), AcqRel);
    }

    /// False if it was filled before.
    pub(crate) fn fill(&self, value: Arc<T>) -> bool {
        let number = self.numbered(value);
        self.number
            .compare_exchange(0, number, AcqRel, Acquire)
            .is_ok()
    }

    fn numbered(&self, value: Arc<T>) -> usize {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        values.push(std::sync::Arc::new(value));
        values.len()
    }
}
