//! Two callers of one thing, for the models that lie beside the code.

use std::sync::Arc;
use tollgate_sync::thread;

/// What `one` and `other` return, done at once.
pub(crate) fn race<S, A, B>(
    shared: &Arc<S>,
    one: impl FnOnce(&S) -> A + Send + 'static,
    other: impl FnOnce(&S) -> B + Send + 'static,
) -> (A, B)
where
    S: Send + Sync + 'static,
    A: Send + 'static,
    B: Send + 'static,
{
    let (first, second) = (Arc::clone(shared), Arc::clone(shared));
    let one = thread::spawn(move || one(&first));
    let other = thread::spawn(move || other(&second));
    let ended = "it does not panic";
    (one.join().expect(ended), other.join().expect(ended))
}
