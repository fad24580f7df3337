//! The policy in force, which every thread keeps at hand.
//!
//! A decision needs the policy, and loading it from a place that may change costs two exchanges. So each thread keeps
//! the policy that it used last, and a number says whether that is still the one in force: an admission then reads
//! one shared word that only reloads write.
//!
//! # Synchronization
//! - `number`: written by a reload after it put its policy in place (Release), read before the policy is used
//!   (Acquire). So whoever reads a number finds that policy in place, or a newer one. No number is given out twice
//!   in a process, so that what is at hand of one gate is never taken for another's.

use super::policy::Policy;
use std::cell::Cell;
use tollgate_sync::{
    Arc, SwapArc,
    atomic::{AtomicU64, Ordering::*},
    thread_local, unique,
};

type AtHand = Cell<Option<(u64, Arc<Policy>)>>;

#[cfg(not(any(model_loom, model_shuttle)))]
thread_local! {
    /// The policy that this thread used last, and its number. It lives until the thread uses another or ends.
    static AT_HAND: AtHand = const { Cell::new(None) };
}

// The same in models, whose macros know no constants.
#[cfg(any(model_loom, model_shuttle))]
thread_local! {
    static AT_HAND: AtHand = Cell::new(None);
}

/// Takes what is at hand, which nobody else finds until it is [kept](keep) again.
fn take() -> Option<(u64, Arc<Policy>)> {
    AT_HAND.try_with(Cell::take).unwrap_or_default()
}

fn keep(number: u64, policy: Arc<Policy>) {
    // A thread that ends keeps nothing at hand.
    let _ = AT_HAND.try_with(|place| place.set(Some((number, policy))));
}

/// The policy in force.
#[derive(Debug)]
pub(super) struct Current {
    number: AtomicU64,
    policy: SwapArc<Policy>,
}

impl Current {
    pub(super) fn new(policy: Policy) -> Self {
        Self {
            number: AtomicU64::new(unique()),
            policy: SwapArc::new(Arc::new(policy)),
        }
    }

    /// Puts `policy` in force.
    pub(super) fn put(&self, policy: Arc<Policy>) {
        self.policy.store(policy);
        // Release: pairs with the Acquire in `with`; the policy just put is seen with its number.
        self.number.store(unique(), Release);
    }

    pub(super) fn load(&self) -> Arc<Policy> {
        self.policy.load()
    }

    /// Calls `ask` with the policy in force.
    #[inline]
    pub(super) fn with<R>(&self, ask: impl FnOnce(&Policy) -> R) -> R {
        // Acquire: pairs with the Release in `put`.
        let number = self.number.load(Acquire);
        // Taken while it is used: `ask` may call whoever is told of crossings, who may ask a gate.
        let at_hand = match take() {
            Some((known, policy)) if known == number => policy,
            _ => self.policy.load(),
        };
        let answer = ask(&at_hand);
        keep(number, at_hand);
        answer
    }
}
