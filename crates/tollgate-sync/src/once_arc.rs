use crate::Arc;

/// A place that is filled once with a shared value and read without a lock.
#[derive(Debug)]
pub struct OnceArc<T> {
    #[cfg(not(any(model_loom, model_shuttle)))]
    place: std::sync::OnceLock<Arc<T>>,
    #[cfg(any(model_loom, model_shuttle))]
    place: crate::Mutex<Option<Arc<T>>>,
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
        return self
            .place
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .as_ref()
            .map(Arc::clone);
    }

    /// Fills the place; false if it was filled before, and then nothing changes.
    pub fn set(&self, value: Arc<T>) -> bool {
        #[cfg(not(any(model_loom, model_shuttle)))]
        return self.place.set(value).is_ok();
        #[cfg(any(model_loom, model_shuttle))]
        {
            let mut place = self
                .place
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            if place.is_some() {
                return false;
            }
            *place = Some(value);
            true
        }
    }
}

impl<T> Default for OnceArc<T> {
    fn default() -> Self {
        Self::new()
    }
}
