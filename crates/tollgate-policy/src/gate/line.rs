//! Waiting for admission: first come, first served, in each account.
//!
//! A caller that waits stands in the line of every account that holds it back, and of no other. It may ask when it is
//! the first of all of them, so that no small request overtakes a large one; and a caller that does not wait is refused
//! by an account while others wait for that account. A refusal moves the caller: it leaves the lines of accounts
//! that no longer hold it back, so that nobody waits there for something else, and joins those of accounts that do.
//! Each move is one step, so that of two callers one is before the other in every line that both stand in.
//!
//! Lines are kept under one mutex, which is held for a few map operations and never while anybody sleeps; callers
//! that do not wait never take it. Sleeping is left to those who know a runtime: see [`Place::poll`].

use super::{
    Gate, Inner, Reservation,
    accounts::{Account, LineState},
    admit::Say,
};
use crate::{Refusal, Request};
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, PoisonError},
    task::Waker,
    time::Duration,
};
use tollgate_core::{Moment, Nanos, Refused};
use tollgate_sync::{
    Mutex, MutexGuard,
    atomic::{AtomicUsize, Ordering::*, fence},
};

/// Most callers that wait at a gate at once.
const WAITING_MAX: usize = 65_536;

type Key = Box<[u8]>;

#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// Callers that wait, so that settlements need not ask under the mutex.
    waiting: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    lines: HashMap<Key, VecDeque<u64>>,
    places: HashMap<u64, Standing>,
}

/// Where one caller stands.
#[derive(Debug, Default)]
struct Standing {
    lines: Vec<(Key, Arc<LineState>)>,
    waker: Option<Waker>,
}

/// An account that holds a caller back, and until when.
struct Held {
    account: Arc<Account>,
    ready_at: Nanos,
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
pub enum Waiting {
    /// It is admitted, and no longer in line.
    Admitted(Reservation),
    /// Sleep until then, by the gate's clock, or until woken; then ask again.
    Until(Nanos),
}

impl State {
    fn is_first(&self, number: u64) -> bool {
        let first_of = |key: &Key| self.lines.get(key).and_then(VecDeque::front) == Some(&number);
        self.places
            .get(&number)
            .is_some_and(|standing| standing.lines.iter().all(|(key, _)| first_of(key)))
    }

    /// The waker of whoever is the first of the line of `key`, if it is the first of all its lines.
    fn waker(&self, key: &[u8]) -> Option<Waker> {
        let first = *self.lines.get(key)?.front()?;
        let waker = self.places.get(&first)?.waker.as_ref()?;
        self.is_first(first).then(|| waker.clone())
    }

    fn leave(&mut self, number: u64, key: &Key, account: &LineState) {
        // Relaxed: who passes by and misses it came before.
        account.waiting.fetch_sub(1, Relaxed);
        if let Some(line) = self.lines.get_mut(key) {
            line.retain(|other| *other != number);
            if line.is_empty() {
                self.lines.remove(key);
            }
        }
    }
}

impl Lines {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the first of the lines of `accounts`: units have come back there.
    pub(super) fn wake<'a>(&self, accounts: impl IntoIterator<Item = &'a Account>) {
        // SeqCst fence: pairs with the one in `enter`. Either this load sees who entered, or who entered sees, when it
        // asks before it sleeps, what came back before this fence.
        fence(SeqCst);
        // Relaxed: the fence orders it.
        if self.waiting.load(Relaxed) == 0 {
            return;
        }
        let state = self.lock();
        let wakers: Vec<Waker> = accounts
            .into_iter()
            .filter_map(|account| state.waker(account.key()))
            .collect();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// A number for a caller, which stands in no line yet; none if as many as allowed wait.
    fn enter(&self) -> Option<u64> {
        let mut state = self.lock();
        if state.places.len() >= WAITING_MAX {
            return None;
        }
        let number = state.next;
        state.next += 1;
        state.places.insert(number, Standing::default());
        // Relaxed: the fence orders it.
        self.waiting.fetch_add(1, Relaxed);
        // SeqCst fence: pairs with the one in `wake`.
        fence(SeqCst);
        Some(number)
    }

    /// Moves a caller to the lines of the accounts that hold it back; true if it is the first of all of them.
    fn stand(&self, number: u64, held: &[Held]) -> bool {
        let mut state = self.lock();
        let Some(standing) = state.places.get_mut(&number) else {
            return false;
        };
        let before = std::mem::take(&mut standing.lines);
        let (kept, left): (Vec<_>, Vec<_>) = before
            .into_iter()
            .partition(|(key, _)| held.iter().any(|held| held.account.key() == &**key));
        let mut lines = kept;
        for (key, account) in &left {
            state.leave(number, key, account);
        }
        for Held { account, .. } in held {
            if lines.iter().all(|(key, _)| **key != *account.key()) {
                let key: Key = account.key().into();
                state
                    .lines
                    .entry(key.clone())
                    .or_default()
                    .push_back(number);
                // Relaxed: who passes by and misses it came before.
                account.line.waiting.fetch_add(1, Relaxed);
                lines.push((key, Arc::clone(&account.line)));
            }
        }
        for Held { account, ready_at } in held {
            if state.lines.get(account.key()).and_then(VecDeque::front) == Some(&number) {
                // Relaxed: a hint for the `retry_after` of others.
                account.line.ready_at.store(ready_at.0, Relaxed);
            }
        }
        if let Some(standing) = state.places.get_mut(&number) {
            standing.lines = lines;
        }
        let first = state.is_first(number);
        let wakers: Vec<Waker> = left
            .iter()
            .filter_map(|(key, _)| state.waker(key))
            .collect();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        first
    }

    fn exit(&self, number: u64) {
        let mut state = self.lock();
        let Some(standing) = state.places.remove(&number) else {
            return;
        };
        for (key, account) in &standing.lines {
            state.leave(number, key, account);
        }
        // Relaxed: too high a count only takes the mutex in vain.
        self.waiting.fetch_sub(1, Relaxed);
        let wakers: Vec<Waker> = standing
            .lines
            .iter()
            .filter_map(|(key, _)| state.waker(key))
            .collect();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl Gate {
    /// Puts `request` in line for at most `max_wait`, behind all who wait for an account that holds it back. Then ask
    /// [`Place::poll`]. Use `admit_within` of the crate `tollgate`, which does that and sleeps in between.
    ///
    /// # Errors
    /// As [`admit`](Self::admit), if the request is wrong or can never fit; [`Refusal::TooManyWaiting`].
    pub fn stand_in_line(
        &self,
        request: &Request<'_>,
        max_wait: Duration,
    ) -> Result<Place, Refusal> {
        let inner = &*self.0;
        let at = inner.clock.moment();
        let policy = inner.policy.load();
        let held = inner.with_says(&policy, request, at, |says| {
            match says.iter().find_map(|say| never_fits(say, at)) {
                Some(refusal) => Err(refusal),
                None => Ok(held_back(says, at, &[])),
            }
        })??;
        let number = inner.lines.enter().ok_or(Refusal::TooManyWaiting {
            max_waiting: WAITING_MAX,
        })?;
        let place = Place {
            gate: self.clone(),
            number,
            deadline: at.now + max_wait,
        };
        inner.lines.stand(number, &held);
        Ok(place)
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
        let late = at.now >= self.deadline;
        // The lines that this caller is the first of.
        let mut mine = Vec::new();
        let first = {
            let mut state = inner.lines.lock();
            let first = state.is_first(self.number);
            if let Some(standing) = state.places.get_mut(&self.number) {
                standing.waker = Some(waker.clone());
                if first {
                    mine.extend(standing.lines.iter().map(|(_, line)| Arc::clone(line)));
                }
            }
            first
        };
        if !first && !late {
            return Ok(Waiting::Until(self.deadline));
        }
        let policy = inner.policy.load();
        let refusal = match Inner::admit(inner, &policy, request, at, Some(&mine)) {
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
        let held = inner.with_says(&policy, request, at, |says| held_back(says, at, &mine))?;
        let first = inner.lines.stand(self.number, &held);
        // Behind others, it is woken when they have gone.
        Ok(Waiting::Until(if first { until } else { self.deadline }))
    }

    /// How long from now until `instant`, by the gate's clock.
    #[must_use]
    pub fn until(&self, instant: Nanos) -> Duration {
        instant.since(self.gate.0.clock.now())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.gate.0.lines.exit(self.number);
    }
}

/// The accounts that hold a request back at `at`.
fn held_back(says: &[Say<'_>], at: Moment, mine: &[Arc<LineState>]) -> Vec<Held> {
    let held = |say: &Say<'_>| match say.look(at, Some(mine)) {
        Err(Refused::Denied(denial)) if say.enforced() => Some(Held {
            account: Arc::clone(say.account),
            ready_at: denial
                .wait
                .duration()
                .map_or(Nanos::MAX, |wait| at.now + wait),
        }),
        _ => None,
    };
    says.iter().filter_map(held).collect()
}

fn never_fits(say: &Say<'_>, at: Moment) -> Option<Refusal> {
    let too_large = say.enforced()
        && say.account.meter.is_some()
        && say.cost.is_some_and(|cost| cost.get() > say.ceiling);
    match say.look(at, None) {
        Err(Refused::Denied(denial)) if too_large => {
            Some(Refusal::Limited(super::admit::limited(say, denial)))
        }
        _ => None,
    }
}
