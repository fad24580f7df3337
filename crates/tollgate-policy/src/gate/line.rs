//! Waiting for admission: first come, first served, in each account.
//!
//! A caller that waits stands in the line of every account that its request is charged to. It may ask when it is the
//! first of all of them, so that no small request overtakes a large one; and a caller that does not wait is refused
//! while others wait before it. Joining all lines is one step, so that of two callers one is before the other in
//! every line that both stand in, and none waits for itself.
//!
//! Lines are kept under one mutex, which is held for a few map operations and never while anybody sleeps; callers
//! that do not wait never take it. Sleeping is left to those who know a runtime: see [`Place::poll`].

use super::{Gate, Inner, Reservation};
use crate::{Refusal, Request};
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, PoisonError},
    task::Waker,
    time::Duration,
};
use tollgate_core::{Moment, Nanos};
use tollgate_sync::{
    Mutex, MutexGuard,
    atomic::{AtomicUsize, Ordering::*, fence},
};

use super::accounts::LineState;

#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// Callers that wait, so that settlements need not ask under the mutex.
    waiting: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    lines: HashMap<Box<[u8]>, VecDeque<u64>>,
    places: HashMap<u64, Standing>,
}

#[derive(Debug, Default)]
struct Standing {
    accounts: Vec<(Box<[u8]>, Arc<LineState>)>,
    waker: Option<Waker>,
}

/// A place in line: made by [`Gate::stand_in_line`], given up when it is dropped.
#[derive(Debug)]
pub struct Place {
    gate: Gate,
    number: u64,
    deadline: Nanos,
}

/// What a caller in line is to do.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "answered once a sleep, and taken apart at once"
)]
pub enum Waiting {
    /// It is admitted, and no longer in line.
    Admitted(Reservation),
    /// Sleep until then, by the gate's clock, or until woken; then ask again.
    Until(Nanos),
}

impl State {
    fn is_first(&self, number: u64) -> bool {
        self.places.get(&number).is_some_and(|standing| {
            let mut lines = standing.accounts.iter().map(|(key, _)| self.lines.get(key));
            lines.all(|line| line.is_some_and(|line| line.front() == Some(&number)))
        })
    }

    /// Wakers of all who may ask.
    fn first(&self) -> Vec<Waker> {
        let first = self
            .places
            .iter()
            .filter(|(number, _)| self.is_first(**number));
        first
            .filter_map(|(_, standing)| standing.waker.clone())
            .collect()
    }
}

impl Lines {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes those who may ask: units have come back.
    pub(super) fn wake(&self) {
        // SeqCst fence: pairs with the one in `join`. Either this load sees who joined, or who joined sees, when it
        // asks before it sleeps, what came back before this fence.
        fence(SeqCst);
        // Relaxed: the fence orders it.
        if self.waiting.load(Relaxed) == 0 {
            return;
        }
        let wakers = self.lock().first();
        wakers.into_iter().for_each(Waker::wake);
    }

    fn join(&self, accounts: Vec<(Box<[u8]>, Arc<LineState>)>) -> u64 {
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        for (key, line) in &accounts {
            state
                .lines
                .entry(key.clone())
                .or_default()
                .push_back(number);
            // Relaxed: a passer-by that misses it came before.
            line.waiting.fetch_add(1, Relaxed);
        }
        state.places.insert(
            number,
            Standing {
                accounts,
                waker: None,
            },
        );
        // Relaxed: the fence orders it.
        self.waiting.fetch_add(1, Relaxed);
        // SeqCst fence: pairs with the one in `wake`.
        fence(SeqCst);
        number
    }

    fn leave(&self, number: u64) {
        let mut state = self.lock();
        let Some(standing) = state.places.remove(&number) else {
            return;
        };
        for (key, account) in standing.accounts {
            account.waiting.fetch_sub(1, Relaxed);
            if let Some(line) = state.lines.get_mut(&key) {
                line.retain(|other| *other != number);
                if line.is_empty() {
                    state.lines.remove(&key);
                }
            }
        }
        // Relaxed: too high a count only takes the mutex in vain.
        self.waiting.fetch_sub(1, Relaxed);
        let wakers = state.first();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl Gate {
    /// Puts `request` in line for at most `max_wait`, behind all who wait for one of its accounts. Then ask
    /// [`Place::poll`]. Use `admit_within` of the crate `tollgate`, which does that and sleeps in between.
    ///
    /// # Errors
    /// As [`admit`](Self::admit), if the request is wrong or can never fit.
    pub fn stand_in_line(
        &self,
        request: &Request<'_>,
        max_wait: Duration,
    ) -> Result<Place, Refusal> {
        let inner = &*self.0;
        let at = inner.clock.moment();
        let policy = inner.policy.load();
        let share = policy.share_of(request)?;
        let says = inner.says(&policy, request, share, at, false)?;
        if let Some(refusal) = inner.never_fits(&policy, &says, at) {
            return Err(refusal);
        }
        let enforced = says
            .iter()
            .filter(|say| say.enforced() && say.account.meter.is_some());
        let mut accounts: Vec<_> = enforced
            .map(|say| (say.account.key().into(), Arc::clone(&say.account.line)))
            .collect();
        accounts.sort_by(|(one, _): &(Box<[u8]>, _), (other, _)| one.cmp(other));
        accounts.dedup_by(|(one, _), (other, _)| one == other);
        let number = inner.lines.join(accounts);
        Ok(Place {
            gate: self.clone(),
            number,
            deadline: at.now + max_wait,
        })
    }
}

impl Place {
    /// Asks for `request`, the one that was put in line. `waker` is woken when it is worth asking again before the time
    /// in the answer.
    ///
    /// # Errors
    /// As [`Gate::admit`]: at the deadline, or earlier if the request cannot be admitted before it.
    pub fn poll(&self, request: &Request<'_>, waker: &Waker) -> Result<Waiting, Refusal> {
        let inner = &self.gate.0;
        let at = inner.clock.moment();
        let first = {
            let mut state = inner.lines.lock();
            if let Some(standing) = state.places.get_mut(&self.number) {
                standing.waker = Some(waker.clone());
            }
            state.is_first(self.number)
        };
        let late = at.now >= self.deadline;
        if !first && !late {
            return Ok(Waiting::Until(self.deadline));
        }
        let refusal = match inner
            .policy
            .with(|policy| Inner::admit(inner, policy, request, at, first))
        {
            Ok(reservation) => return Ok(Waiting::Admitted(reservation)),
            Err(refusal) => refusal,
        };
        let never = refusal.limited().is_none_or(|limited| limited.never_fits);
        let until = refusal
            .retry_after()
            .map_or(self.deadline, |wait| at.now + wait);
        if late || never || until > self.deadline {
            return Err(refusal);
        }
        self.tell(until);
        Ok(Waiting::Until(until))
    }

    /// Tells passers-by when this caller, the first, thinks to pass.
    fn tell(&self, ready_at: Nanos) {
        let state = self.gate.0.lines.lock();
        for (_, line) in state
            .places
            .get(&self.number)
            .iter()
            .flat_map(|standing| &standing.accounts)
        {
            // Relaxed: a hint for others' `retry_after`.
            line.ready_at.store(ready_at.0, Relaxed);
        }
    }

    /// How long from now until `instant`, by the gate's clock.
    #[must_use]
    pub fn until(&self, instant: Nanos) -> Duration {
        instant.since(self.gate.0.clock.now())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.gate.0.lines.leave(self.number);
    }
}

impl Inner {
    fn never_fits(
        &self,
        policy: &super::Policy,
        says: &super::admit::Says,
        at: Moment,
    ) -> Option<Refusal> {
        let too_large = says.iter().find(|say| {
            say.enforced()
                && say.account.meter.is_some()
                && say.cost.is_some_and(|cost| cost.get() > say.ceiling)
        })?;
        match too_large.look(at, true) {
            Err(tollgate_core::Refused::Denied(denial)) => Some(Refusal::Limited(
                super::admit::limited(policy, too_large, denial),
            )),
            _ => None,
        }
    }
}
