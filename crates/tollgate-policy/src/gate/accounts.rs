//! Accounts: the meter of one limit for one combination of scope values, in a concurrent map of bounded size.
//!
//! # Protocol
//! An account is found by a load of the map. One of an older policy than the caller's is *refreshed*: its rule is
//! worked out anew, and it is replaced by an account that shares its meter, or, where the rate or the max of periods
//! changed, whose meter takes over what the old one has committed. The replacement is written once into the old account, so
//! that all who refresh it agree on one, and a meter that was frozen or evicted answers `Closed`, so that late
//! callers come back here. What takes over from an evicted meter is closed as well, so an account that was evicted
//! while it was refreshed is gone all the same. An account is evicted by closing its meter, which succeeds only if it was at rest a second
//! ago already: then the reservations that it admitted have nothing to give back. If one of them owes something or asks for more, the
//! account is made anew, and finds a place though all are taken. An account that
//! would start with less than its whole limit (`initial`) is never evicted. Whoever makes an account after that
//! admits nobody before the instant as of which the last one was evicted, so that a caller with an old `now` finds
//! no second capacity.
//!
//! Nothing here goes by who still holds an account: what the map replaces or removes it keeps for a while, in a batch of the thread that
//! did it, and drops it when that is full.

use super::{
    keeper::Keeper,
    key::{Carried, Key, Scopes, Seed, Wanted},
    policy::{CompiledLimit, Policy, Rule},
};
use crate::{
    Refusal, Request,
    meter::{AnyMeter, AnyReceipt},
};
use crossbeam::queue::SegQueue;
use smallvec::SmallVec;
use std::{collections::HashMap, hash::Hash};
use tollgate_core::{Meter, Moment, Nanos, Refused, Wait, Wall};
use tollgate_sync::{
    Arc, OnceArc, Trusted,
    atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering::*, fence},
};

/// How many accounts are looked at for one to evict, when a new one comes and the map is full.
const EVICTION_TRIES: usize = 32;

/// How long an account must have been at rest to be evicted. Callers whose `now` is no older than this never notice;
/// older ones are refused by an account that was made after an eviction, until the instant as of which that was.
const GRACE_NS: u64 = 1_000_000_000;

/// Access to the accounts for a few look-ups.
pub(super) type Pin<'a> =
    papaya::HashMapRef<'a, Key, Arc<Account>, Carried, papaya::LocalGuard<'a>>;

/// The meter of one limit for one combination of scope values.
#[derive(Debug)]
pub(crate) struct Account {
    key: Key,
    version: u64,
    /// What it is an account of, in the policy of that version.
    pub(crate) limit: Arc<CompiledLimit>,
    pub(crate) rule: Rule,
    /// None if it is unlimited.
    pub(crate) meter: Option<AnyMeter>,
    /// Of an account that was limited before it became unlimited: what it had committed, until it is limited again.
    resting: Option<AnyMeter>,
    /// Before this nobody is admitted: an account that was evicted may have been used then.
    floor: Floor,
    follows_wall: bool,
    /// False if a fresh account in its place would have committed something.
    starts_whole: bool,
    /// What replaces it under a newer policy.
    next: OnceArc<Self>,
    /// Callers that wait in line for this account, and when the first of them thinks to pass.
    pub(crate) line: Arc<LineState>,
    /// How many keep it from being evicted.
    keepers: AtomicUsize,
}

/// An account that is kept from being evicted by who begins after this.
#[derive(Debug)]
pub(super) struct Kept(Arc<Account>);

impl Kept {
    pub(super) fn new(account: &Arc<Account>) -> Self {
        // Relaxed, here and below: who evicts it all the same closes its meter, and that is what decides.
        account.keepers.fetch_add(1, Relaxed);
        Self(Arc::clone(account))
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.0.keepers.fetch_sub(1, Relaxed);
    }
}

/// What passers-by see of an account's waiting line.
#[derive(Debug, Default)]
pub(crate) struct LineState {
    pub(crate) waiting: AtomicUsize,
    /// The most that any of them may see committed: a caller of a better class passes them.
    pub(crate) ceiling: AtomicU64,
    pub(crate) ready_at: AtomicU64,
}

/// The latest instants as of which an account was evicted.
#[derive(Debug)]
struct Floors {
    now: AtomicU64,
    wall: AtomicI64,
}

impl Floors {
    fn new() -> Self {
        Self {
            now: AtomicU64::new(0),
            wall: AtomicI64::new(i64::MIN),
        }
    }

    fn raise(&self, rested: Moment) {
        // Relaxed, here and below: published by the map's removal, or by the fence in `evicted`.
        self.now.fetch_max(rested.now.0, Relaxed);
        self.wall.fetch_max(rested.wall.0, Relaxed);
    }
}

/// The floor of one account: as that of all is when its first caller asks for it. Then the account can be found, so whoever had its key
/// before has been evicted, and that has raised the floor. Read when the account was made, it would miss those who came and went
/// before it could be found.
#[derive(Debug)]
struct Floor {
    all: Arc<Floors>,
    /// The largest numbers until somebody asks. Relaxed, both: they publish nothing, and whoever asks first is as good as any.
    now: AtomicU64,
    wall: AtomicI64,
}

impl Floor {
    fn new(all: &Arc<Floors>) -> Self {
        Self {
            all: Arc::clone(all),
            now: AtomicU64::new(u64::MAX),
            wall: AtomicI64::new(i64::MAX),
        }
    }

    /// For an account in the place of the one that has this.
    fn handed_on(&self) -> Self {
        Self {
            all: Arc::clone(&self.all),
            now: AtomicU64::new(self.now.load(Relaxed)),
            wall: AtomicI64::new(self.wall.load(Relaxed)),
        }
    }

    /// For who comes before it, and for the first.
    #[cold]
    fn get(&self) -> Moment {
        let (now, wall) = (self.all.now.load(Relaxed), self.all.wall.load(Relaxed));
        // A failure means that it was asked for before.
        let _ = self.now.compare_exchange(u64::MAX, now, Relaxed, Relaxed);
        let _ = self.wall.compare_exchange(i64::MAX, wall, Relaxed, Relaxed);
        Moment::new(Nanos(self.now.load(Relaxed)), Wall(self.wall.load(Relaxed)))
    }
}

/// All accounts of a gate.
#[derive(Debug)]
pub(crate) struct Accounts {
    map: papaya::HashMap<Key, Arc<Account>, Carried>,
    /// What models know of the map.
    trusted: Trusted,
    pub(crate) keeper: Keeper,
    seed: Seed,
    count: AtomicUsize,
    floors: Arc<Floors>,
    /// Keys in the order in which they are looked at for eviction.
    clock: SegQueue<Key>,
}

impl Account {
    fn fresh(
        policy: &Policy,
        limit: &Arc<CompiledLimit>,
        wanted: &Wanted<'_, '_>,
        at: Moment,
        floors: &Arc<Floors>,
        keeper: Option<&Keeper>,
    ) -> Self {
        let rule = limit.rule_for(wanted.values());
        let kept = keeper.and_then(|keeper| keeper.meter(limit, &rule, wanted.values(), at));
        Self {
            key: wanted.key(),
            version: policy.version,
            limit: Arc::clone(limit),
            // Invariant: every rule of the limit was tried when it was compiled.
            meter: kept.or_else(|| limit.meter(&rule, at).unwrap_or_default()),
            resting: None,
            floor: Floor::new(floors),
            follows_wall: limit.follows_wall(),
            starts_whole: limit.used_at_start(&rule) == 0,
            rule,
            next: OnceArc::new(),
            line: Arc::default(),
            keepers: AtomicUsize::new(0),
        }
    }

    /// Whether a caller at `at` comes before the floor.
    #[inline]
    pub(crate) fn is_too_early(&self, at: Moment) -> bool {
        // A floor that nobody has asked for is later than all: then it is asked for.
        if self.follows_wall {
            at.wall.0 < self.floor.wall.load(Relaxed) && at.wall < self.floor.get().wall
        } else {
            at.now.0 < self.floor.now.load(Relaxed) && at.now < self.floor.get().now
        }
    }

    /// How long a caller at `at` has to wait for the floor, if it is too early.
    pub(crate) fn too_early(&self, at: Moment) -> Option<Wait> {
        if !self.is_too_early(at) {
            return None;
        }
        let floor = self.floor.get();
        Some(Wait::After(if self.follows_wall {
            floor.wall.since(at.wall)
        } else {
            floor.now.since(at.now)
        }))
    }

    /// The account's key, which names it as long as it exists.
    pub(crate) fn key(&self) -> &[u8] {
        self.key.bytes()
    }

    /// True if its meter takes no charge any more: it was evicted, or another account is in its place.
    pub(crate) fn is_closed(&self) -> bool {
        let one = tollgate_core::Cost::ONE;
        let closed = |meter: &AnyMeter| {
            matches!(
                meter.look(Moment::default(), one, u64::MAX),
                Err(Refused::Closed)
            )
        };
        let is_closed = self.meter.as_ref().is_some_and(closed);
        if is_closed {
            // Acquire: pairs with the Release of the exchange that froze the meter, which came after the replacement was
            // written: whoever finds the meter frozen finds that too. And with the fence in `evicted`: whoever finds it closed
            // finds the floor raised.
            fence(Acquire);
        }
        is_closed
    }

    /// Whether it goes by the figures of `policy`, and not by those of an older one.
    pub(crate) fn is_of(&self, policy: &Policy) -> bool {
        self.version == policy.version
    }

    /// What holds its committed units, whether they limit anybody now or not.
    fn committed(&self) -> Option<&AnyMeter> {
        self.meter.as_ref().or(self.resting.as_ref())
    }

    /// Gives back up to `surplus` units of a charge, and returns how many: to its meter or, if another took over from
    /// that, to the one in force.
    pub(crate) fn refund(&self, at: Moment, receipt: &AnyReceipt, surplus: u64) -> u64 {
        let Some(meter) = &self.meter else {
            return 0;
        };
        let refunded = meter.refund(at, receipt, surplus);
        if refunded > 0 {
            return refunded;
        }
        self.refund_to(self.next.get(), at, receipt, surplus)
    }

    /// The same of a charge that its own meter gives nothing back of: to the first that took over from that, of those that keep what it has
    /// committed from `next` on.
    pub(crate) fn refund_to(
        &self,
        mut next: Option<Arc<Self>>,
        at: Moment,
        receipt: &AnyReceipt,
        surplus: u64,
    ) -> u64 {
        let Some(meter) = &self.meter else {
            return 0;
        };
        let Some(mut handed_on) = meter.hand_on(receipt, surplus) else {
            return 0;
        };
        let mut meter = meter.clone();
        while let Some(account) = next
            && let Some(new) = account.committed()
        {
            // An account may be replaced and its meter stay.
            if !new.is(&meter) {
                new.take_over(&meter, at);
                match new.refund_handed_on(at, handed_on) {
                    Ok(refunded) => return refunded,
                    Err(further) => handed_on = further,
                }
                meter = new.clone();
            }
            next = account.next.get();
        }
        0
    }

    /// True if `other` is among those that replaced it, one after another.
    fn leads_to(&self, other: &Arc<Self>) -> bool {
        let mut next = self.next.get();
        while let Some(account) = next {
            if Arc::ptr_eq(&account, other) {
                return true;
            }
            next = account.next.get();
        }
        false
    }

    /// The scope values, in the order of the limit's `by`.
    pub(crate) fn values(&self) -> SmallVec<[&str; 4]> {
        self.key.values()
    }
}

impl Accounts {
    pub(crate) fn new(keeper: Keeper) -> Self {
        let map = papaya::HashMap::builder()
            .hasher(Carried::default())
            // A table that is half moved is slow for everybody.
            .resize_mode(papaya::ResizeMode::Blocking)
            .build();
        Self {
            map,
            trusted: Trusted::default(),
            keeper,
            seed: Seed::default(),
            count: AtomicUsize::new(0),
            floors: Arc::new(Floors::new()),
            clock: SegQueue::new(),
        }
    }

    /// Access for a few look-ups, cheaper than one for each.
    pub(super) fn pin(&self) -> Pin<'_> {
        self.map.pin()
    }

    /// The account of `limit` for the request of `scopes`, made if there is none. One that is `suspect`, since its
    /// meter was found closed, is looked at more closely.
    ///
    /// # Errors
    /// [`Refusal::MissingScope`], [`Refusal::ScopesTooLong`], [`Refusal::TooManyAccounts`].
    #[inline]
    pub(super) fn of_request<'g>(
        &self,
        pin: &'g Pin<'_>,
        policy: &Policy,
        limit: &Arc<CompiledLimit>,
        scopes: &mut Scopes<'_, '_>,
        at: Moment,
        mut suspect: bool,
    ) -> Result<&'g Arc<Account>, Refusal> {
        let wanted = scopes.wanted(limit)?;
        loop {
            if !suspect
                && let Some(account) = self.trusted.step(|| pin.get(&wanted))
                && account.version >= policy.version
            {
                return Ok(account);
            }
            // In the map when this returns, and at its newest; gone again only if somebody else made progress.
            self.made(policy, limit, &wanted, at, policy.max_accounts)?;
            suspect = false;
        }
    }

    /// The values of `request`, for the look-ups of its limits.
    pub(super) fn scopes<'r, 'a>(&'r self, request: &'r Request<'a>) -> Scopes<'r, 'a> {
        Scopes::new(request, &self.seed)
    }

    /// As [`of_request`](Self::of_request), but an account that is not there is not put there.
    pub(crate) fn on_trial(
        &self,
        policy: &Policy,
        limit: &Arc<CompiledLimit>,
        request: &Request<'_>,
        at: Moment,
    ) -> Result<Arc<Account>, Refusal> {
        let mut scopes = self.scopes(request);
        let wanted = scopes.wanted(limit)?;
        let held = self.held(policy, limit, &wanted, at);
        let rule = limit.rule_for(wanted.values());
        let is_held = held.is_some();
        let unread = self
            .keeper
            .unread(limit, &rule, wanted.values(), at, is_held);
        if let (Some(held), None) = (&held, &unread) {
            return Ok(Arc::clone(held));
        }
        wanted.fits(limit)?;
        let floors = &self.floors;
        let mut fresh = Account::fresh(policy, limit, &wanted, at, floors, None);
        if unread.is_some() {
            fresh.meter = unread;
        }
        Ok(Arc::new(fresh))
    }

    /// The account of `limit` with `values`, if there is one.
    pub(crate) fn find(
        &self,
        policy: &Policy,
        limit: &Arc<CompiledLimit>,
        values: &[&str],
        at: Moment,
    ) -> Option<Arc<Account>> {
        self.held(policy, limit, &self.seed.wanted(limit.id, values), at)
    }

    fn get(&self, key: &(impl papaya::Equivalent<Key> + Hash)) -> Option<Arc<Account>> {
        let map = self.map.pin();
        self.trusted.step(|| map.get(key).map(Arc::clone))
    }

    fn held(
        &self,
        policy: &Policy,
        limit: &Arc<CompiledLimit>,
        wanted: &Wanted<'_, '_>,
        at: Moment,
    ) -> Option<Arc<Account>> {
        let account = self.get(wanted)?;
        Some(if account.version < policy.version {
            self.refreshed(policy, limit, &account, at)
        } else {
            account
        })
    }

    /// The account of `limit` with `values`, for a reservation that was admitted under it: made if there is none, though all places may be
    /// taken.
    pub(crate) fn of_reservation(
        &self,
        policy: &Policy,
        limit: &Arc<CompiledLimit>,
        values: &[&str],
        at: Moment,
    ) -> Option<Arc<Account>> {
        let wanted = self.seed.wanted(limit.id, values);
        // With so many places there is always one.
        self.made(policy, limit, &wanted, at, usize::MAX).ok()
    }

    /// The account of `limit` that is wanted, made if there is none and one of `places` is free.
    ///
    /// # Errors
    /// [`Refusal::ScopesTooLong`], [`Refusal::TooManyAccounts`].
    #[cold]
    fn made(
        &self,
        policy: &Policy,
        limit: &Arc<CompiledLimit>,
        wanted: &Wanted<'_, '_>,
        at: Moment,
        places: usize,
    ) -> Result<Arc<Account>, Refusal> {
        loop {
            if let Some(found) = self.get(wanted) {
                let held = self.refreshed(policy, limit, &found, at);
                if !held.is_closed() {
                    return Ok(held);
                }
                // Evicted, and its evictor has not come to this yet. Or replaced since it was refreshed: then its meter is
                // frozen, and what that had committed is found with the next.
                if held.next.get().is_none() {
                    self.remove(&found);
                }
                continue;
            }
            wanted.fits(limit)?;
            if !self.has_room(places, at) {
                return Err(Refusal::TooManyAccounts {
                    limit: limit.name.clone(),
                    max_accounts: places,
                });
            }
            let (floors, keeper) = (&self.floors, Some(&self.keeper));
            let account = Arc::new(Account::fresh(policy, limit, wanted, at, floors, keeper));
            let map = self.map.pin();
            let insert = || map.try_insert(account.key.clone(), Arc::clone(&account));
            if self.trusted.step(|| insert().is_ok()) {
                self.clock.push(account.key.clone());
                return Ok(account);
            }
            // Relaxed, here and below: the count is only a bound, and publishes nothing.
            self.count.fetch_sub(1, Relaxed);
        }
    }

    /// The replacement of `account` under `policy`, or the one that another caller has put in its place.
    #[cold]
    fn refreshed(
        &self,
        policy: &Policy,
        limit: &Arc<CompiledLimit>,
        account: &Arc<Account>,
        at: Moment,
    ) -> Arc<Account> {
        let mut account = Arc::clone(account);
        // One that was replaced by a policy newer than the caller's is followed too: its meter may be frozen.
        while account.version < policy.version || account.next.get().is_some() {
            let next = account.next.get().unwrap_or_else(|| {
                let values = account.values();
                let rule = limit.rule_for(&values);
                let committed = account.committed();
                let successor = committed.and_then(|meter| limit.successor(&rule, meter));
                let meter = match (successor, rule.max, committed) {
                    (Some(meter), ..) => {
                        meter.set_max(rule.ceiling);
                        Some(meter)
                    }
                    (None, None, _) => None,
                    (None, Some(_), Some(meter)) => {
                        meter.set_max(rule.ceiling);
                        Some(meter.clone())
                    }
                    // It was unlimited from the start: it has nothing committed.
                    (None, Some(_), None) => self
                        .keeper
                        .meter(limit, &rule, &values, at)
                        .or_else(|| limit.meter(&rule, at).unwrap_or_default()),
                };
                let resting = committed.filter(|_| meter.is_none()).cloned();
                let next = Account {
                    key: account.key.clone(),
                    version: policy.version,
                    limit: Arc::clone(limit),
                    floor: account.floor.handed_on(),
                    follows_wall: account.follows_wall,
                    starts_whole: limit.used_at_start(&rule) == 0,
                    rule,
                    meter,
                    resting,
                    next: OnceArc::new(),
                    line: Arc::clone(&account.line),
                    keepers: AtomicUsize::new(0),
                };
                account.next.set(Arc::new(next));
                // Invariant: set just above, by this caller or another.
                account.next.get().unwrap_or_else(|| Arc::clone(&account))
            });
            if let (Some(new), Some(old)) = (&next.meter, account.committed()) {
                new.take_over(old, at);
            }
            account = next;
        }
        if !account.is_closed() {
            let map = self.map.pin();
            // Only in the place of one that it replaces: another account of this key may have been made since, after an
            // eviction, or a newer one have come there by a faster caller.
            let newer = |held: &Arc<Account>| {
                Arc::clone(if held.leads_to(&account) {
                    &account
                } else {
                    held
                })
            };
            let update = || map.update(account.key.clone(), newer);
            self.trusted.step(|| update().is_some());
        }
        account
    }

    /// Takes a place among the accounts if one is free. Who finds none takes none, not even for a moment: another, who has just
    /// made room, would find it taken.
    fn takes_place(&self, max: usize) -> bool {
        let one_more = |count| (count < max).then_some(count + 1);
        self.count.fetch_update(Relaxed, Relaxed, one_more).is_ok()
    }

    /// Takes a place among the accounts, evicting one at rest if all are taken.
    fn has_room(&self, max: usize, at: Moment) -> bool {
        if self.takes_place(max) {
            return true;
        }
        let rested = Moment::new(
            Nanos(at.now.0.saturating_sub(GRACE_NS)),
            Wall(at.wall.0.saturating_sub_unsigned(GRACE_NS)),
        );
        // None is looked at twice.
        let most = EVICTION_TRIES.min(self.clock.len());
        let mut tries = 0;
        while tries < most {
            let Some(key) = self.clock.pop() else {
                return false;
            };
            // A key that was removed by a reload is no try: it never comes back.
            let Some(account) = self.get(&key) else {
                continue;
            };
            tries += 1;
            if account.keepers.load(Relaxed) > 0 || !self.evicted(&account, rested) {
                self.clock.push(key);
            } else if !self.remove(&account) {
                // Replaced meanwhile by one with the same meter, which is for the next look.
                self.clock.push(key);
            } else if self.takes_place(max) {
                return true;
            }
        }
        false
    }

    /// Closes the account if it was at rest at `rested`.
    fn evicted(&self, account: &Account, rested: Moment) -> bool {
        if !account.starts_whole || account.line.waiting.load(Relaxed) > 0 {
            return false;
        }
        // Raised first, so that whoever finds the account closed or gone finds the floor raised. Raised in vain, it only makes
        // new accounts stricter to callers of the past.
        self.floors.raise(rested);
        // Release: pairs with the Acquire fence in `is_closed`. Whoever finds the meter closed takes the account off the map
        // itself, and makes another one under the floor raised above.
        fence(Release);
        account
            .committed()
            .is_none_or(|meter| meter.close_at_rest(rested))
    }

    fn remove(&self, account: &Arc<Account>) -> bool {
        let map = self.map.pin();
        let remove = || map.remove_if(&account.key, |_, held| Arc::ptr_eq(held, account));
        let removed = self
            .trusted
            .step(|| remove().is_ok_and(|held| held.is_some()));
        if removed {
            self.count.fetch_sub(1, Relaxed);
        }
        removed
    }

    /// Puts every account under `policy` as of `at`. Those of limits that are gone are removed.
    pub(crate) fn refresh(&self, policy: &Policy, at: Moment) {
        let limits: HashMap<u32, &Arc<CompiledLimit>> = policy
            .limits
            .iter()
            .map(|limit| (limit.id, limit))
            .collect();
        let map = self.map.pin();
        for (key, account) in &map {
            // The account just met is seen as it was put there.
            self.trusted.step(|| ());
            match limits.get(&key.limit()) {
                Some(limit) => drop(self.refreshed(policy, limit, account, at)),
                None => drop(self.remove(account)),
            }
        }
        // Keys of accounts that are gone are not kept for ever. Bounded by the keys there are now.
        for _ in 0..self.clock.len() {
            match self.clock.pop() {
                Some(key) if map.contains_key(&key) => self.clock.push(key),
                Some(_) => {}
                None => break,
            }
        }
    }

    /// Calls `visit` with the limit, the scope values and the account of all accounts there are.
    pub(crate) fn each(&self, mut visit: impl FnMut(u32, &[&str], &Arc<Account>)) {
        for (key, account) in &self.map.pin() {
            // As in `refresh`.
            self.trusted.step(|| ());
            visit(key.limit(), &key.values(), account);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;
    use crate::Gate;
    use tollgate_core::ManualClock;

    /// Whoever evicted it stands still before it takes the account off the map: nobody waits for that.
    #[test]
    fn a_closed_account_is_replaced_by_whoever_meets_it() {
        let policy = r#"
            [[limit]]
            name = "all"
            by = ["agent"]
            unit = "requests"
            max = 1
            per = "1m"
        "#;
        let gate = Gate::builder().clock(ManualClock::new()).build(policy);
        let gate = gate.expect("a policy");
        let (accounts, policy) = (&gate.0.accounts, gate.0.policy.load());
        let of_x = || {
            let at = Moment::default();
            let account = accounts.of_reservation(&policy, &policy.limits[0], &["x"], at);
            account.expect("there is room")
        };
        let first = of_x();
        assert!(Arc::ptr_eq(&first, &of_x()));
        assert!(accounts.evicted(&first, Moment::default()));
        let second = of_x();
        assert!(!Arc::ptr_eq(&first, &second) && !second.is_closed());
        assert_eq!(accounts.len(), 1);
    }
}
