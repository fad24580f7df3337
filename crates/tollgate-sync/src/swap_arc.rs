use crate::Arc;

/// A shared value that is exchanged whole and read without a lock.
#[derive(Debug)]
pub struct SwapArc<T> {
    #[cfg(not(any(model_loom, model_shuttle)))]
    place: arc_swap::ArcSwap<T>,
    #[cfg(any(model_loom, model_shuttle))]
    place: crate::numbered::Numbered<T>,
}

impl<T> SwapArc<T> {
    /// A place that holds `value`.
    #[must_use]
    pub fn new(value: Arc<T>) -> Self {
        #[cfg(not(any(model_loom, model_shuttle)))]
        return Self {
            place: arc_swap::ArcSwap::new(value),
        };
        #[cfg(any(model_loom, model_shuttle))]
        return Self {
            place: crate::numbered::Numbered::filled(value),
        };
    }

    /// The value held now.
    #[must_use]
    pub fn load(&self) -> Arc<T> {
        #[cfg(not(any(model_loom, model_shuttle)))]
        return self.place.load_full();
        #[cfg(any(model_loom, model_shuttle))]
        return self.place.load().expect("it is filled from the start");
    }

    /// Runs `read` on the value held now, without counting a reference where that can be avoided.
    pub fn with<R>(&self, read: impl FnOnce(&Arc<T>) -> R) -> R {
        #[cfg(not(any(model_loom, model_shuttle)))]
        return read(&self.place.load());
        #[cfg(any(model_loom, model_shuttle))]
        return read(&self.load());
    }

    /// Puts `value` in place of the one held.
    pub fn store(&self, value: Arc<T>) {
        #[cfg(not(any(model_loom, model_shuttle)))]
        self.place.store(value);
        #[cfg(any(model_loom, model_shuttle))]
        self.place.store(value);
    }
}
