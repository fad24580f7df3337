//! One decision over several limits.
//!
//! # Protocol
//! Look first: a plain load of each meter, so that a refusal usually writes nothing. Then charge one after another,
//! in file order; if one refuses after all, since others came in between, the earlier ones are backed out, the last
//! first. A limit in shadow mode is charged where it would have admitted, and refuses nobody.

use super::{
    Inner, Reservation,
    accounts::{Account, LineState},
    policy::{CompiledLimit, Policy},
    reservation::{Charge, Hold, Holds},
};
use crate::{
    Limited, Refusal, Request, Usage,
    file::{Mode, Unit},
};
use smallvec::SmallVec;
use std::sync::Arc;
use tollgate_core::{Cost, Denial, Meter, Moment, Refused, Wait};
use tollgate_quota::threshold::Share;
use tollgate_sync::atomic::Ordering::*;

/// What somebody who is behind others is told to wait at least: a millisecond, since when they go is not known.
const BEHIND_NS_MIN: u64 = 1_000_000;

/// One limit that has a say in a request.
pub(super) struct Say {
    /// The limit's place in the policy.
    pub(super) limit: usize,
    pub(super) account: Arc<Account>,
    /// None if the request uses nothing of what the limit counts: then only a debt can be charged.
    pub(super) cost: Option<Cost>,
    /// What this caller's class may see committed.
    pub(super) ceiling: u64,
}

pub(super) type Says = SmallVec<[Say; 4]>;

/// The denial that binds so far.
struct Binding {
    place: usize,
    denial: Denial,
}

impl Say {
    pub(super) fn enforced(&self) -> bool {
        self.account.rule.mode == Mode::Enforce
    }

    /// What this limit would answer, changing nothing. Where others wait for its account, a caller is behind them,
    /// unless it is the first of that line, one of `mine`. With none, nobody is asked who waits.
    pub(super) fn look(&self, at: Moment, mine: Option<&[Arc<LineState>]>) -> Result<(), Refused> {
        let (Some(meter), Some(cost)) = (&self.account.meter, self.cost) else {
            return Ok(());
        };
        let answer = match self.account.too_early(at) {
            None => meter.look(at, cost, self.ceiling),
            Some(wait) => Err(Refused::denied(wait, self.committed(at))),
        };
        // Relaxed: those who join a line later than this load come after this caller.
        let line = &self.account.line;
        let behind = mine.filter(|_| line.waiting.load(Relaxed) > 0);
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
            Err(Refused::Closed) => Refused::Closed,
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
        policy: &Arc<Policy>,
        request: &Request<'_>,
        at: Moment,
        mine: Option<&[Arc<LineState>]>,
    ) -> Result<Reservation, Refusal> {
        let share = policy.share_of(request)?;
        let mut suspect = false;
        loop {
            let says = gate.says(policy, request, share, at, suspect)?;
            match gate.charge_all(policy, says, at, mine) {
                Ok(holds) => {
                    return Ok(Reservation {
                        gate: Arc::clone(gate),
                        policy: Arc::clone(policy),
                        holds,
                        estimate: *request.estimate(),
                        share,
                    });
                }
                Err(Some(limited)) => return Err(Refusal::Limited(limited)),
                // A meter was closed under this caller: its account was evicted or replaced.
                Err(None) => suspect = true,
            }
        }
    }

    /// All limits that have a say in `request`.
    pub(super) fn says(
        &self,
        policy: &Policy,
        request: &Request<'_>,
        share: Option<Share>,
        at: Moment,
        suspect: bool,
    ) -> Result<Says, Refusal> {
        let mut says = Says::new();
        // One for all look-ups: it is most of what a look-up costs.
        let pin = self.accounts.pin();
        for place in 0..policy.limits.len() {
            let account = |limit: &CompiledLimit| {
                self.accounts
                    .of_request(&pin, policy, limit, request, at, suspect)
            };
            if let Some(say) = self.say(policy, place, request, share, account)? {
                says.push(say);
            }
        }
        Ok(says)
    }

    /// The limit at `place`, if it has a say in `request`. `account` finds its account.
    #[inline]
    pub(super) fn say(
        &self,
        policy: &Policy,
        place: usize,
        request: &Request<'_>,
        share: Option<Share>,
        account: impl FnOnce(&CompiledLimit) -> Result<Arc<Account>, Refusal>,
    ) -> Result<Option<Say>, Refusal> {
        let limit = &policy.limits[place];
        if limit.is_off() || !limit.applies(request) {
            return Ok(None);
        }
        let account = account(limit)?;
        if account.rule.mode == Mode::Off {
            return Ok(None);
        }
        let ceiling = match share {
            Some(share) if account.meter.is_some() => share.of(account.rule.ceiling),
            _ => account.rule.ceiling,
        };
        let cost = Cost::new(request.estimate().of(limit.unit));
        Ok(Some(Say {
            limit: place,
            account,
            cost,
            ceiling,
        }))
    }

    /// Charges all of `says` or none. `Err(None)`: an account must be looked up again.
    fn charge_all(
        &self,
        policy: &Policy,
        says: Says,
        at: Moment,
        mine: Option<&[Arc<LineState>]>,
    ) -> Result<Holds, Option<Limited>> {
        // One limit alone needs no look: its charge is all or nothing by itself.
        let special = |say: &Say| {
            say.account.line.waiting.load(Relaxed) > 0 || say.account.too_early(at).is_some()
        };
        if says.len() > 1 || says.iter().any(special) {
            self.look_all(policy, &says, at, mine)?;
        }
        let mut charges: SmallVec<[Option<Charge>; 2]> = SmallVec::new();
        for place in 0..says.len() {
            let say = &says[place];
            let (Some(meter), Some(cost)) = (&say.account.meter, say.cost) else {
                charges.push(None);
                continue;
            };
            match meter.charge(at, cost, say.ceiling) {
                Ok(charged) => {
                    let (before, after, full) = (charged.before, charged.after, charged.full);
                    let limit = &policy.limits[say.limit];
                    self.tell_crossed(limit, &say.account, before, after, full);
                    charges.push(Some(Charge {
                        receipt: charged.receipt,
                        units: cost.get(),
                    }));
                }
                Err(Refused::Denied(_)) if !say.enforced() => charges.push(None),
                Err(refused) => {
                    for (say, charge) in says.iter().zip(&charges).rev() {
                        if let (Some(meter), Some(charge)) = (&say.account.meter, charge) {
                            meter.refund(at, &charge.receipt, charge.units);
                        }
                    }
                    let Refused::Denied(denial) = refused else {
                        return Err(None);
                    };
                    let found = Binding { place, denial };
                    return Err(Some(self.binding(policy, &says, at, mine, found)));
                }
            }
        }
        let holds = says.into_iter().zip(charges);
        let holds: Holds = holds
            // What a shadow would have refused was counted by nobody, and is settled by nobody.
            .filter(|(say, charge)| charge.is_some() || say.enforced() || say.cost.is_none())
            .map(|(say, charge)| Hold {
                limit: say.limit,
                account: say.account,
                charge,
                extended: Vec::new(),
            })
            .collect();
        Ok(holds)
    }

    fn look_all(
        &self,
        policy: &Policy,
        says: &Says,
        at: Moment,
        mine: Option<&[Arc<LineState>]>,
    ) -> Result<(), Option<Limited>> {
        let mut binding: Option<Binding> = None;
        for (place, say) in says.iter().enumerate() {
            if !say.enforced() {
                continue;
            }
            match say.look(at, mine) {
                Ok(()) => {}
                Err(Refused::Closed) => return Err(None),
                Err(Refused::Denied(denial)) => {
                    // Ties go to the first in the file.
                    if binding
                        .as_ref()
                        .is_none_or(|bound| denial.wait > bound.denial.wait)
                    {
                        binding = Some(Binding { place, denial });
                    }
                }
            }
        }
        match binding {
            None => Ok(()),
            Some(Binding { place, denial }) => Err(Some(limited(policy, &says[place], denial))),
        }
    }

    /// The limit that binds a request which a charge refused with `found`: others may bind longer.
    fn binding(
        &self,
        policy: &Policy,
        says: &Says,
        at: Moment,
        mine: Option<&[Arc<LineState>]>,
        found: Binding,
    ) -> Limited {
        let mut binding = found;
        for (place, say) in says.iter().enumerate() {
            if !say.enforced() || binding.place == place {
                continue;
            }
            if let Err(Refused::Denied(denial)) = say.look(at, mine) {
                let bound = &binding.denial;
                if denial.wait > bound.wait || (denial.wait == bound.wait && place < binding.place)
                {
                    binding = Binding { place, denial };
                }
            }
        }
        limited(policy, &says[binding.place], binding.denial)
    }

    /// Charges `more` to the limits that hold `reservation`, or none of it under any.
    pub(super) fn extend(
        &self,
        reservation: &mut Reservation,
        more: Usage,
        at: Moment,
    ) -> Result<(), Refusal> {
        let policy = Arc::clone(&reservation.policy);
        loop {
            let mut says = Says::new();
            for hold in &reservation.holds {
                let limit = &policy.limits[hold.limit];
                let Some(account) = self.standing(&hold.account, at) else {
                    continue;
                };
                let ceiling = reservation
                    .share
                    .map_or(account.rule.ceiling, |share| share.of(account.rule.ceiling));
                // The request was counted when it was admitted, and is no other one now.
                let units = if limit.unit == Unit::Requests {
                    0
                } else {
                    more.of(limit.unit)
                };
                says.push(Say {
                    limit: hold.limit,
                    account,
                    cost: Cost::new(units),
                    ceiling,
                });
            }
            match self.charge_all(&policy, says, at, None) {
                Ok(extended) => {
                    for new in extended {
                        if let Some(hold) = reservation
                            .holds
                            .iter_mut()
                            .find(|hold| hold.limit == new.limit)
                        {
                            hold.extended
                                .extend(new.charge.map(|charge| (new.account, charge)));
                        }
                    }
                    return Ok(());
                }
                Err(Some(limited)) => return Err(Refusal::Limited(limited)),
                Err(None) => {}
            }
        }
    }

    /// The account in force for `account`: itself, what replaced it, or a new one if that was evicted. None if its
    /// limit is no longer in the policy.
    pub(super) fn standing(&self, account: &Arc<Account>, at: Moment) -> Option<Arc<Account>> {
        if !account.is_closed() {
            return Some(Arc::clone(account));
        }
        self.policy.with(|policy| {
            let limit = policy
                .limits
                .iter()
                .find(|limit| limit.id == account.limit_id())?;
            self.accounts
                .of_values(policy, limit, &account.values(), at)
                .ok()
        })
    }
}

impl Policy {
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

/// The refusal of `say`, in figures of the one snapshot that denied.
pub(super) fn limited(policy: &Policy, say: &Say, denial: Denial) -> Limited {
    let limit = &policy.limits[say.limit];
    let requested = say.cost.map_or(0, Cost::get);
    Limited {
        limit: Arc::clone(&limit.name),
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
