use crate::Arc;

/// A place that is filled once with a shared value and read without a lock.
#[derive(Debug)]
pub struct OnceArc<T> {
    #[cfg(not(any(model_loom, model_shuttle)))]
    place: std::sync::OnceLock<Arc<T>>,
    #[cfg(any(model_loom, model_shuttle))]
    place: crate::numbered::Numbered<T>,
}

impl<T> OnceArc<T> {
    /// An empty place.
    #[must_use]
    pub fn new() -> Self {
        Self {
            place: Default::default(),
        }
    }

    /// What the place was filled with, if it was. A value that is seen is seen whole.
    #[must_use]
    pub fn get(&self) -> Option<Arc<T>> {
        #[cfg(not(any(model_loom, model_shuttle)))]
        return self.place.get().map(Arc::clone);
        #[cfg(any(model_loom, model_shuttle))]
        return self.place.load();
    }

    /// Fills the place; false if it was filled before, and then nothing changes.
    pub fn set(&self, value: Arc<T>) -> bool {
        #[cfg(not(any(model_loom, model_shuttle)))]
        return self.place.set(value).is_ok();
        #[cfg(any(model_loom, model_shuttle))]
        return self.place.fill(value);
    }
}

impl<T> Default for OnceArc<T> {
    fn default() -> Self {
        Self::new()
    }
}
