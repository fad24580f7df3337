//! Another policy for a gate at work.

use super::{Gate, policy::Policy};
use crate::file::{PolicyErrors, PolicyFile};
use std::sync::{Arc, PoisonError};
use tollgate_core::{Moment, Nanos, Wall};

/// What a reload did to the limits, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reload {
    /// Keep what they have committed, under the new maximum.
    pub kept: Vec<Arc<str>>,
    /// Were there before, but start fresh: their unit, scope, algorithm or period is another.
    pub fresh: Vec<Arc<str>>,
    /// Are new.
    pub added: Vec<Arc<str>>,
    /// Are gone.
    pub removed: Vec<Arc<str>>,
}

impl Gate {
    /// Puts the policy file `text` in force. A limit of the same name, unit, scope and algorithm keeps its committed
    /// units under the new figures; any other change starts it fresh, and the answer says which. Reservations that
    /// are open settle against the meter they were charged to. Accounts change one after another, each in one exchange, or
    /// when they are next used if that is earlier; no admission waits. Callers in line ask again under the new policy. Linear in the number of accounts.
    ///
    /// # Errors
    /// Every mistake of the file; then nothing changed.
    pub fn reload(&self, text: &str) -> Result<Reload, PolicyErrors> {
        self.reload_moment(text, None)
    }

    /// As [`reload`](Self::reload), at a time of the caller's: units that come back after it do so at the new rates.
    ///
    /// # Errors
    /// As [`reload`](Self::reload).
    pub fn reload_at(&self, text: &str, now: Nanos, wall: Wall) -> Result<Reload, PolicyErrors> {
        self.reload_moment(text, Some(Moment::new(now, wall)))
    }

    fn reload_moment(&self, text: &str, at: Option<Moment>) -> Result<Reload, PolicyErrors> {
        let file = PolicyFile::parse(text)?;
        let inner = &*self.0;
        let _one_at_a_time = inner
            .reloading
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let old = inner.policy.load();
        let new = Policy::compile(&file, inner.clock.wall_offset(), Some(&old))
            .map_err(|unfit| PolicyErrors::unfit(text, unfit))?;
        let lasting = |policy: &Policy| {
            let ledger = policy.ledger.as_ref()?;
            Some((ledger.path.clone(), ledger.within_ns, ledger.history_ns))
        };
        if lasting(&new) != lasting(&old) {
            let message =
                "`path`, `durability` and `history` of [ledger] cannot change at a reload";
            let remedy = "leave them as they are, or start anew";
            return Err(PolicyErrors::ledger(text, message, remedy));
        }
        let mut reload = Reload::default();
        for limit in &new.limits {
            let list = match old.limits.iter().find(|known| known.name == limit.name) {
                None => &mut reload.added,
                Some(known) if known.id == limit.id => &mut reload.kept,
                Some(_) => &mut reload.fresh,
            };
            list.push(Arc::clone(&limit.name));
        }
        for known in &old.limits {
            if new.limits.iter().all(|limit| limit.name != known.name) {
                reload.removed.push(Arc::clone(&known.name));
            }
        }
        let at = at.unwrap_or_else(|| inner.clock.moment());
        inner.accounts.keeper.learn(&new, at);
        let new = tollgate_sync::Arc::new(new);
        inner.policy.put(tollgate_sync::Arc::clone(&new));
        inner.accounts.refresh(&new, at);
        inner.lines.wake_all();
        Ok(reload)
    }
}
