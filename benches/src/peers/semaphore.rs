//! tokio's semaphore as a bucket: permits are taken for good. Nothing refills it, which is left to a timer.

use crate::{Asks, Entry, Role::Peer};
use tokio::sync::Semaphore;

pub(super) fn one_limit() -> Vec<Entry<()>> {
    vec![Entry::new("tokio_semaphore", Peer, |terms| {
        let permits = Semaphore::new(terms.capacity as usize);
        Ok(Box::new(Asks(move |(): &()| {
            permits.try_acquire().map(|permit| permit.forget()).is_ok()
        })))
    })]
}
