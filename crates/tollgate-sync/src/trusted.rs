/// Stands beside a structure from elsewhere that no checker looks into, such as a concurrent map.
///
/// In a model each step is one that nobody interrupts, and what happened before a step is seen by all later ones: what the
/// structure promises is trusted, not checked. Outside of models it is nothing.
#[derive(Debug, Default)]
pub struct Trusted {
    #[cfg(any(model_loom, model_shuttle))]
    step: crate::Mutex<()>,
}

impl Trusted {
    /// Does `act`, which calls the structure and nothing that takes a step itself.
    #[inline]
    pub fn step<R>(&self, act: impl FnOnce() -> R) -> R {
        #[cfg(any(model_loom, model_shuttle))]
        let _alone = self
            .step
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        act()
    }
}
