//! Waiting for admission: first come, first served, in each account.
//!
//! A caller that waits stands in the line of every account that holds it back, and of no other. It may ask when it is
//! the first of all of them, so that no small request overtakes a large one; and a caller that does not wait is refused
//! by an account while others wait for that account. A better priority class passes a lower one, for which the rest of
//! the capacity is kept free anyway: *first* is whoever has nobody of its own class or a better one ahead. A refusal
//! moves the caller: it leaves the lines of accounts that no longer hold it back, so that nobody waits there for
//! something else, and joins those of accounts that do. Each move is one step, so that of two callers one is before
//! the other in every line that both stand in.
//!
//! Lines are kept under one mutex, which is held for a few map operations and never while anybody sleeps; callers
//! that do not wait never take it. Sleeping is left to those who know a runtime: see [`Place::poll`].

use super::{
    Gate, Inner, Reservation,
    accounts::{Account, LineState},
    admit::Say,
    policy::Policy,
};
use crate::{Refusal, Request};
use std::{
    collections::{HashMap, VecDeque},
    sync::PoisonError,
    task::Waker,
    time::Duration,
};
use tollgate_core::{Moment, Nanos, Refused};
use tollgate_sync::{
    Arc, Mutex, MutexGuard,
    atomic::{AtomicU64, AtomicUsize, Ordering::*, fence},
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
    /// By account, in the order in which they came.
    lines: HashMap<Key, VecDeque<Member>>,
    places: HashMap<u64, Standing>,
}

/// One caller in one line.
#[derive(Clone, Copy, Debug)]
struct Member {
    number: u64,
    /// What its class may see committed.
    ceiling: u64,
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
    ceiling: u64,
    ready_at: Nanos,
}

/// A place in line: made by [`Gate::stand_in_line`], given up when it is dropped.
#[derive(Debug)]
pub struct Place {
    gate: Gate,
    number: u64,
    deadline: Nanos,
    /// The version of the policy under which it took its lines.
    version: AtomicU64,
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
        self.places.get(&number).is_some_and(|standing| {
            standing
                .lines
                .iter()
                .all(|(key, _)| self.is_first_of(number, key))
        })
    }

    fn lines_of(&self, number: u64) -> Vec<Arc<LineState>> {
        let standing = self.places.get(&number).into_iter();
        let lines = standing.flat_map(|standing| &standing.lines);
        lines.map(|(_, line)| Arc::clone(line)).collect()
    }

    fn is_first_of(&self, number: u64, key: &[u8]) -> bool {
        self.firsts(key).any(|member| member.number == number)
    }

    /// Those of a line who have nobody of their own class or a better one ahead, the best class last.
    fn firsts(&self, key: &[u8]) -> impl Iterator<Item = Member> {
        let mut best = None;
        let line = self.lines.get(key).into_iter().flatten();
        line.copied().filter(move |member| {
            let first = best.is_none_or(|best| member.ceiling > best);
            if first {
                best = Some(member.ceiling);
            }
            first
        })
    }

    /// The wakers of those who are the first of the line of `key`, and of all their lines.
    fn wakers(&self, key: &[u8]) -> Vec<Waker> {
        let waker = |first: Member| {
            let waker = self.places.get(&first.number)?.waker.as_ref()?;
            self.is_first(first.number).then(|| waker.clone())
        };
        self.firsts(key).filter_map(waker).collect()
    }

    /// Puts a caller at the end of the line of `key`, unless it stands there, and under `ceiling` either way.
    fn join(&mut self, number: u64, ceiling: u64, key: &[u8], account: &LineState) {
        let line = self.lines.entry(key.into()).or_default();
        match line.iter_mut().find(|member| member.number == number) {
            Some(member) => member.ceiling = ceiling,
            None => {
                line.push_back(Member { number, ceiling });
                // Relaxed, here and below: who passes by and misses it came before.
                account.waiting.fetch_add(1, Relaxed);
            }
        }
        self.tell(key, account);
    }

    fn leave(&mut self, number: u64, key: &Key, account: &LineState) {
        account.waiting.fetch_sub(1, Relaxed);
        if let Some(line) = self.lines.get_mut(key) {
            line.retain(|other| other.number != number);
            if line.is_empty() {
                self.lines.remove(key);
            }
        }
        self.tell(key, account);
    }

    /// Tells passers-by whom they would have to be better than.
    fn tell(&self, key: &[u8], account: &LineState) {
        let best = self.firsts(key).last().map_or(0, |member| member.ceiling);
        account.ceiling.store(best, Relaxed);
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
            .flat_map(|account| state.wakers(account.key()))
            .collect();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Wakes everybody: another policy is in force.
    pub(super) fn wake_all(&self) {
        let state = self.lock();
        let standing = state.places.values();
        let wakers: Vec<Waker> = standing
            .filter_map(|standing| standing.waker.clone())
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
        for held in held {
            let (key, line) = (held.account.key(), &held.account.line);
            state.join(number, held.ceiling, key, line);
            if lines.iter().all(|(known, _)| **known != *key) {
                lines.push((key.into(), Arc::clone(line)));
            }
            if state.firsts(key).last().map(|first| first.number) == Some(number) {
                // Relaxed: a hint for the `retry_after` of others.
                line.ready_at.store(held.ready_at.0, Relaxed);
            }
        }
        if let Some(standing) = state.places.get_mut(&number) {
            standing.lines = lines;
        }
        let first = state.is_first(number);
        let wakers: Vec<Waker> = left.iter().flat_map(|(key, _)| state.wakers(key)).collect();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        first
    }

    /// The waker of a caller from now on.
    fn wake_by(&self, number: u64, waker: &Waker) {
        if let Some(standing) = self.lock().places.get_mut(&number) {
            standing.waker = Some(waker.clone());
        }
    }

    /// The lines that a caller stands in.
    fn of(&self, number: u64) -> Vec<Arc<LineState>> {
        self.lock().lines_of(number)
    }

    /// The lines that a caller stands in, if it is the first of all of them.
    fn first_of(&self, number: u64) -> Option<Vec<Arc<LineState>>> {
        let state = self.lock();
        state.is_first(number).then(|| state.lines_of(number))
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
            .flat_map(|(key, _)| state.wakers(key))
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
        let held = inner.held_back(&policy, request, at, &[])?;
        let number = inner.lines.enter().ok_or(Refusal::TooManyWaiting {
            max_waiting: WAITING_MAX,
        })?;
        let place = Place {
            gate: self.clone(),
            number,
            deadline: at.now + max_wait,
            version: AtomicU64::new(policy.version),
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
        inner.lines.wake_by(self.number, waker);
        // Loaded after the waker is there: whoever puts another policy in force wakes this caller, or is seen here.
        let policy = inner.policy.load();
        // Relaxed: only this caller reads it, and only this caller writes it.
        if self.version.load(Relaxed) != policy.version {
            self.version.store(policy.version, Relaxed);
            // What held it back may do so no more, and what did not may do so now. Places in other lines are kept.
            let lines = inner.lines.of(self.number);
            let held = inner.held_back(&policy, request, at, &lines)?;
            inner.lines.stand(self.number, &held);
        }
        // The lines that this caller is the first of.
        let mine = inner.lines.first_of(self.number);
        let first = mine.is_some();
        let mine = mine.unwrap_or_default();
        if !first && !late {
            return Ok(Waiting::Until(self.deadline));
        }
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
        let held = inner.held_back(&policy, request, at, &mine)?;
        if held.is_empty() {
            // Units came back since they were asked for, and whoever brought them may have woken this caller before it slept
            // or have found it in line still: so it stays there and asks again at once.
            return Ok(Waiting::Until(at.now));
        }
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

impl Inner {
    /// The accounts that hold `request` back at `at`. The caller is the first of the lines `mine`.
    ///
    /// # Errors
    /// As an admission, if the request is wrong or can never fit.
    fn held_back(
        &self,
        policy: &Policy,
        request: &Request<'_>,
        at: Moment,
        mine: &[Arc<LineState>],
    ) -> Result<Vec<Held>, Refusal> {
        let held = |say: &Say<'_>| match say.look(at, Some(mine)) {
            Err(Refused::Denied(denial)) if say.enforced() => Some(Held {
                account: Arc::clone(say.account),
                ceiling: say.ceiling,
                ready_at: denial
                    .wait
                    .duration()
                    .map_or(Nanos::MAX, |wait| at.now + wait),
            }),
            _ => None,
        };
        self.with_says(policy, request, at, |says| {
            match says.iter().find_map(|say| never_fits(say, at)) {
                Some(refusal) => Err(refusal),
                None => Ok(says.iter().filter_map(held).collect()),
            }
        })?
    }
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
