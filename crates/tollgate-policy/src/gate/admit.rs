//! One decision over several limits.
//!
//! # Protocol
//! Look first: a plain load of each meter, so that a refusal usually writes nothing. Then charge one after another,
//! in file order; if one refuses after all, since others came in between, the earlier ones are backed out, the last
//! first. A limit in shadow mode is charged where it would have admitted, and refuses nobody.

use super::{
    Inner, Reservation,
    accounts::{Account, Kept, LineState, Pin},
    keeper::Next,
    policy::{CompiledLimit, Policy},
    reservation::{Charge, Charges, Hold, let_go, room_for},
};
use crate::{
    Limited, Refusal, Request, Usage,
    file::{Mode, Unit},
    meter::AnyMeter,
};
use smallvec::SmallVec;
use std::time::Duration;
use tollgate_core::{Cost, Denial, Meter, Moment, Refused, Wait, Wall};
use tollgate_quota::threshold::Share;
use tollgate_sync::{Arc, atomic::Ordering::*};

/// What somebody who is behind others is told to wait at least: a millisecond, since when they go is not known.
const BEHIND_NS_MIN: u64 = 1_000_000;

/// Why nothing was charged.
pub(super) enum Stop {
    /// A limit is reached.
    Limited(Limited),
    /// A meter was closed: look its account up again.
    Closed,
    /// It fits, but nothing is lent of that limit.
    Dry(std::sync::Arc<str>),
}

/// Whether leased meters may be charged although nothing is lent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Record {
    Required,
    GivenUp,
}

/// One limit that has a say in a request.
#[derive(Debug)]
pub(super) struct Say<'g> {
    pub(super) account: &'g Arc<Account>,
    /// None if the request uses nothing of what the limit counts: then only a debt can be charged.
    pub(super) cost: Option<Cost>,
    /// What this caller's class may see committed.
    pub(super) ceiling: u64,
}

type Says<'g> = SmallVec<[Say<'g>; 4]>;

/// Accounts that are not evicted for others.
type Held = SmallVec<[Kept; 4]>;

impl<'g> Say<'g> {
    /// What `account`'s limit has to say to a request of `usage` and of a class with this `share`, unless it is off.
    #[inline]
    pub(super) fn new(
        account: &'g Arc<Account>,
        usage: &Usage,
        share: Option<Share>,
    ) -> Option<Self> {
        let rule = &account.rule;
        if rule.mode == Mode::Off {
            return None;
        }
        let ceiling = match share {
            Some(share) if account.meter.is_some() => share.of(rule.ceiling),
            _ => rule.ceiling,
        };
        Some(Self {
            account,
            cost: Cost::new(usage.of(account.limit.unit)),
            ceiling,
        })
    }

    pub(super) fn enforced(&self) -> bool {
        self.account.rule.mode == Mode::Enforce
    }

    /// What this limit would answer, changing nothing. Where others of its class or a better one wait for its account, a
    /// caller is behind them, unless it is the first of that line, one of `mine`. With none, nobody is asked who waits.
    pub(super) fn look(&self, at: Moment, mine: Option<&[Arc<LineState>]>) -> Result<(), Refused> {
        let (Some(meter), Some(cost)) = (&self.account.meter, self.cost) else {
            return Ok(());
        };
        let answer = match self.account.too_early(at) {
            None => meter.look(at, cost, self.ceiling),
            Some(wait) => {
                // Whoever came since may have left no room at that time either.
                let wait = match meter.look(at, cost, self.ceiling) {
                    Ok(()) => wait,
                    Err(Refused::Denied(denial)) => wait.max(denial.wait),
                    Err(other @ (Refused::Closed | Refused::Dry)) => return Err(other),
                };
                Err(Refused::denied(wait, self.committed(at)))
            }
        };
        // Relaxed: those who join a line later than this load come after this caller.
        let line = &self.account.line;
        let behind = mine.filter(|_| {
            line.waiting.load(Relaxed) > 0 && self.ceiling <= line.ceiling.load(Relaxed)
        });
        if behind.is_none_or(|mine| mine.iter().any(|own| Arc::ptr_eq(own, line))) {
            return answer;
        }
        // The first of the line may not have asked yet: then its time is not known.
        let ready_at = line.ready_at.load(Relaxed);
        let behind = Wait::nanos(ready_at.saturating_sub(at.now.0).max(BEHIND_NS_MIN));
        Err(match answer {
            Ok(()) => Refused::denied(behind, self.committed(at)),
            Err(Refused::Denied(denial)) => {
                Refused::denied(denial.wait.max(behind), denial.committed)
            }
            Err(other @ (Refused::Closed | Refused::Dry)) => other,
        })
    }

    fn committed(&self, at: Moment) -> u128 {
        // Nothing fits under a ceiling of nothing: asked only for what is committed.
        let look = self
            .account
            .meter
            .as_ref()
            .map(|meter| meter.look(at, Cost::ONE, 0));
        match look {
            Some(Err(Refused::Denied(denial))) => denial.committed,
            _ => 0,
        }
    }
}

impl Inner {
    /// Admits `request` at `at`. The caller is the first of the lines `mine`; see [`Say::look`].
    pub(super) fn admit(
        gate: &Arc<Self>,
        policy: &Policy,
        request: &Request<'_>,
        at: Moment,
        mine: Option<&[Arc<LineState>]>,
    ) -> Result<Reservation, Refusal> {
        let share = policy.share_of(request)?;
        let (mut at, mut record, mut waited) = (at, Record::Required, Duration::ZERO);
        loop {
            let dry = {
                // One for all look-ups: it is most of what a look-up costs. Accounts that are found live as long.
                let pin = gate.accounts.pin();
                let mut suspect: Option<Box<Held>> = None;
                loop {
                    let says =
                        gate.says(&pin, policy, request, share, at, suspect.as_deref_mut())?;
                    match gate.charge_all(&says, at, mine, record) {
                        Ok(charges) => {
                            return Ok(Reservation {
                                gate: Arc::clone(gate),
                                charges: Some(charges),
                                estimate: *request.estimate(),
                                share,
                            });
                        }
                        Err(Stop::Limited(limited)) => return Err(Refusal::Limited(limited)),
                        // A meter was closed under this caller: its account was evicted or replaced.
                        Err(Stop::Closed) => suspect = Some(Box::default()),
                        Err(Stop::Dry(limit)) => break limit,
                    }
                }
            };
            // Asked without the pin: it may wait for a commit.
            (at, record) = gate.dry(policy, &dry, at, &mut waited)?;
        }
    }

    /// What a request is to do for which nothing is lent of `limit`: as of when to ask again, and how.
    #[cold]
    fn dry(
        &self,
        policy: &Policy,
        limit: &std::sync::Arc<str>,
        at: Moment,
        waited: &mut Duration,
    ) -> Result<(Moment, Record), Refusal> {
        let asked = self.clock.moment();
        let keeper = &self.accounts.keeper;
        match keeper.next(policy.ledger.as_ref(), limit, *waited) {
            Next::Again { waited: after } => {
                *waited = after;
                // The caller's time has gone on meanwhile: another period may have begun.
                let now = self.clock.moment();
                let passed = u64::try_from(now.wall.since(asked.wall).as_nanos());
                let wall = at
                    .wall
                    .0
                    .saturating_add_unsigned(passed.unwrap_or(u64::MAX));
                let at = Moment::new(at.now + now.now.since(asked.now), Wall(wall));
                Ok((at, Record::Required))
            }
            Next::Unrecorded => Ok((at, Record::GivenUp)),
            Next::Refused(refusal) => Err(refusal),
        }
    }

    /// All limits that have a say in `request`. If one was `suspect`, since its meter was found closed, all are looked
    /// at more closely, and kept there: where a policy has room for fewer accounts than the request needs, each would
    /// else be evicted for the next one, for ever.
    #[inline]
    fn says<'g>(
        &self,
        pin: &'g Pin<'_>,
        policy: &Policy,
        request: &Request<'_>,
        share: Option<Share>,
        at: Moment,
        mut suspect: Option<&mut Held>,
    ) -> Result<Says<'g>, Refusal> {
        let mut scopes = self.accounts.scopes(request);
        let mut says = Says::new();
        for limit in policy.limits_of(request) {
            let accounts = &self.accounts;
            let closely = suspect.is_some();
            let account = accounts.of_request(pin, policy, limit, &mut scopes, at, closely)?;
            if let Some(held) = &mut suspect {
                held.push(Kept::new(account));
            }
            if let Some(say) = Say::new(account, request.estimate(), share) {
                says.push(say);
            }
        }
        Ok(says)
    }

    /// Calls `ask` with all limits that have a say in `request`.
    pub(super) fn with_says<R>(
        &self,
        policy: &Policy,
        request: &Request<'_>,
        at: Moment,
        ask: impl FnOnce(&[Say<'_>]) -> R,
    ) -> Result<R, Refusal> {
        let (pin, share) = (self.accounts.pin(), policy.share_of(request)?);
        let says = self.says(&pin, policy, request, share, at, None)?;
        Ok(ask(&says))
    }

    /// Charges all of `says` or none.
    fn charge_all(
        &self,
        says: &[Say<'_>],
        at: Moment,
        mine: Option<&[Arc<LineState>]>,
        record: Record,
    ) -> Result<Box<Charges>, Stop> {
        // The first need not be looked at: its charge is all or nothing by itself, if nobody else has a say in it.
        let special = |say: &Say<'_>| {
            say.account.line.waiting.load(Relaxed) > 0 || say.account.is_too_early(at)
        };
        let plain = !says.iter().any(special);
        for (place, say) in says.iter().enumerate().skip(usize::from(plain)) {
            if !say.enforced() {
                continue;
            }
            let looked = match (&say.account.meter, say.cost) {
                (Some(meter), Some(cost)) if plain => meter.look(at, cost, say.ceiling),
                _ => say.look(at, mine),
            };
            match looked {
                Ok(()) => {}
                Err(refused) => return Err(binding(says, at, mine, place, refused)),
            }
        }
        let mut charges = room_for(says.len());
        for (place, say) in says.iter().enumerate() {
            let mut charge = None;
            if let (Some(meter), Some(cost)) = (&say.account.meter, say.cost) {
                let mut charged = match record {
                    Record::Required => meter.charge(at, cost, say.ceiling),
                    Record::GivenUp => meter.charge_unrecorded(at, cost, say.ceiling),
                };
                if charged.is_err_and(|refused| refused == Refused::Dry) && !say.enforced() {
                    // A shadow makes nobody wait: what fits is counted, and is on record a little later.
                    charged = meter.charge_unrecorded(at, cost, say.ceiling);
                }
                match charged {
                    Ok(charged) => {
                        let (before, after, full) = (charged.before, charged.after, charged.full);
                        self.tell_crossed(say.account, before, after, full);
                        charge = Some(Charge {
                            receipt: charged.receipt,
                            units: cost.get(),
                        });
                    }
                    // What a shadow would have refused was counted by nobody, and is settled by nobody.
                    Err(Refused::Denied(_)) if !say.enforced() => continue,
                    Err(refused) => {
                        for hold in charges.holds.iter().rev() {
                            hold.refund_all(at);
                        }
                        let_go(charges);
                        return Err(binding(says, at, mine, place, refused));
                    }
                }
            } else if !say.enforced() && say.cost.is_some() {
                continue;
            }
            charges.holds.push(Hold {
                account: Arc::clone(say.account),
                charge,
            });
        }
        Ok(charges)
    }

    /// Charges `more` to the limits that hold `reservation`, or none of it under any.
    pub(super) fn extend(
        &self,
        reservation: &mut Reservation,
        more: Usage,
        at: Moment,
    ) -> Result<(), Refusal> {
        let (mut at, mut record, mut waited) = (at, Record::Required, Duration::ZERO);
        loop {
            let held = reservation.holds();
            let accounts: Vec<_> = held
                .iter()
                .filter_map(|hold| self.standing(&hold.account, at))
                .collect();
            let mut says = Says::new();
            for account in &accounts {
                if let Some(mut say) = Say::new(account, &more, reservation.share) {
                    // The request was counted when it was admitted, and is no other one now.
                    if account.limit.unit == Unit::Requests {
                        say.cost = None;
                    }
                    says.push(say);
                }
            }
            match self.charge_all(&says, at, None, record) {
                Ok(extended) => {
                    reservation.extend_by(extended);
                    return Ok(());
                }
                Err(Stop::Limited(limited)) => return Err(Refusal::Limited(limited)),
                Err(Stop::Closed) => {}
                Err(Stop::Dry(limit)) => {
                    let policy = self.policy.load();
                    (at, record) = self.dry(&policy, &limit, at, &mut waited)?;
                }
            }
        }
    }

    /// The account in force for `account`: itself, what replaced it, or a new one if that was evicted. None if its
    /// limit is no longer in the policy.
    pub(super) fn standing(&self, account: &Arc<Account>, at: Moment) -> Option<Arc<Account>> {
        self.policy.with(|policy| {
            if account.is_of(policy) && !account.is_closed() {
                return Some(Arc::clone(account));
            }
            // What a ledger keeps goes on under a limit that was removed and added again, too.
            let is_kept = account.meter.as_ref().is_some_and(AnyMeter::is_leased);
            let limit = policy.limits.iter().find(|limit| {
                limit.id == account.limit.id || is_kept && limit.keeps_accounts_of(&account.limit)
            })?;
            self.accounts
                .of_reservation(policy, limit, &account.values(), at)
        })
    }
}

impl Policy {
    /// The limits that concern `request`, in file order.
    #[inline]
    pub(super) fn limits_of(
        &self,
        request: &Request<'_>,
    ) -> impl Iterator<Item = &Arc<CompiledLimit>> {
        self.limits
            .iter()
            .filter(|limit| !limit.is_off && limit.applies(request))
    }

    /// The share of `request`'s class; none if it may use everything.
    pub(super) fn share_of(&self, request: &Request<'_>) -> Result<Option<Share>, Refusal> {
        let Some(class) = request.priority_class() else {
            return Ok(None);
        };
        match self.classes.iter().find(|(name, _)| name == class) {
            Some((_, share)) => Ok(Some(*share)),
            None => Err(Refusal::UnknownClass {
                class: class.to_owned(),
            }),
        }
    }
}

/// The refusal that binds a request which the limit at `place` has `refused`: others may bind longer.
#[cold]
fn binding(
    says: &[Say<'_>],
    at: Moment,
    mine: Option<&[Arc<LineState>]>,
    place: usize,
    refused: Refused,
) -> Stop {
    let mut denial = match refused {
        Refused::Denied(denial) => denial,
        Refused::Closed => return Stop::Closed,
        Refused::Dry => {
            // Those that come after it would be found dry one after another, and wait for a commit each.
            for say in &says[place + 1..] {
                if let (Some(meter), Some(cost)) = (&say.account.meter, say.cost) {
                    meter.ask_for(cost, at);
                }
            }
            return Stop::Dry(says[place].account.limit.name.clone());
        }
    };
    let mut bound = place;
    for (other, say) in says.iter().enumerate() {
        if !say.enforced() || other == place {
            continue;
        }
        match say.look(at, mine) {
            // A look asks the limit alone: nothing is dry yet.
            Ok(()) | Err(Refused::Dry) => {}
            // Ties go to the first in the file.
            Err(Refused::Denied(found)) => {
                if found.wait > denial.wait || (found.wait == denial.wait && other < bound) {
                    (bound, denial) = (other, found);
                }
            }
            // Evicted for one of the others: it may bind longest all the same.
            Err(Refused::Closed) => return Stop::Closed,
        }
    }
    let say = &says[bound];
    // Whoever stands in line asks again and again, and is refused by none of it.
    if mine.is_none_or(<[_]>::is_empty)
        && let Some(meter) = &say.account.meter
    {
        meter.count_refused();
    }
    Stop::Limited(limited(say, denial))
}

/// The refusal of `say`, in figures of the one snapshot that denied.
pub(super) fn limited(say: &Say<'_>, denial: Denial) -> Limited {
    let limit = &say.account.limit;
    let requested = say.cost.map_or(0, Cost::get);
    Limited {
        limit: limit.name.clone(),
        unit: limit.unit,
        used: say
            .account
            .meter
            .as_ref()
            .map_or(0, |meter| meter.units(denial.committed)),
        requested,
        max: say.ceiling,
        retry_after: denial.wait.duration(),
        never_fits: requested > say.ceiling,
    }
}
