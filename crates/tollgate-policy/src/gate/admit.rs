//! One decision over several limits.
//!
//! # Protocol
//! Look first: a plain load of each meter, so that a refusal usually writes nothing. Then charge one after another,
//! in file order; if one refuses after all, since others came in between, the earlier ones are backed out, the last
//! first. A limit in shadow mode is charged where it would have admitted, and refuses nobody.

use super::{
    Inner, Reservation,
    accounts::Account,
    policy::{CompiledLimit, Policy},
    reservation::{Charge, Hold, Holds},
};
use crate::{
    Limited, Refusal, Request, Usage,
    file::{Mode, Share, Unit},
};
use smallvec::SmallVec;
use std::sync::Arc;
use tollgate_core::{Cost, Denial, Meter, Moment, Refused, Wait};
use tollgate_sync::atomic::Ordering::*;

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

    /// What this limit would answer, changing nothing. `in_line` callers have waited their turn; others find those
    /// who wait before them.
    pub(super) fn look(&self, at: Moment, in_line: bool) -> Result<(), Refused> {
        let (Some(meter), Some(cost)) = (&self.account.meter, self.cost) else {
            return Ok(());
        };
        let answer = meter.look(at, cost, self.ceiling);
        // Relaxed: those who join a line later than this load come after this caller.
        if in_line || self.account.line.waiting.load(Relaxed) == 0 {
            return answer;
        }
        let ready_at = self.account.line.ready_at.load(Relaxed);
        let behind = Wait::nanos(ready_at.saturating_sub(at.now.0));
        Err(match answer {
            // Nothing fits under a ceiling of nothing: asked only for what is committed.
            Ok(()) => match meter.look(at, Cost::ONE, 0) {
                Err(Refused::Denied(denial)) => Refused::denied(behind, denial.committed),
                _ => return Ok(()),
            },
            Err(Refused::Denied(denial)) => {
                Refused::denied(denial.wait.max(behind), denial.committed)
            }
            Err(Refused::Closed) => Refused::Closed,
        })
    }
}

impl Inner {
    /// Admits `request` at `at`. A caller `in_line` is the first of all lines that it stands in.
    pub(super) fn admit(
        gate: &Arc<Self>,
        policy: &Arc<Policy>,
        request: &Request<'_>,
        at: Moment,
        in_line: bool,
    ) -> Result<Reservation, Refusal> {
        let share = policy.share_of(request)?;
        let mut suspect = false;
        loop {
            let says = gate.says(policy, request, share, at, suspect)?;
            match gate.charge_all(policy, says, at, in_line) {
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
        for place in 0..policy.limits.len() {
            let account = |limit: &CompiledLimit| {
                self.accounts
                    .of_request(policy, limit, request, at, suspect)
            };
            says.extend(self.say(policy, place, request, share, account)?);
        }
        Ok(says)
    }

    /// The limit at `place`, if it has a say in `request`. `account` finds its account.
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
        in_line: bool,
    ) -> Result<Holds, Option<Limited>> {
        // One limit alone needs no look: its charge is all or nothing by itself.
        let queued = |say: &Say| say.account.line.waiting.load(Relaxed) > 0;
        if says.len() > 1 || says.iter().any(queued) {
            self.look_all(policy, &says, at, in_line)?;
        }
        let mut holds = Holds::with_capacity(says.len());
        for place in 0..says.len() {
            let say = &says[place];
            let charge = match (&say.account.meter, say.cost) {
                (Some(meter), Some(cost)) => match meter.charge(at, cost, say.ceiling) {
                    Ok(charged) => {
                        let (before, after, full) = (charged.before, charged.after, charged.full);
                        self.tell_crossed(
                            &policy.limits[say.limit],
                            &say.account,
                            before,
                            after,
                            full,
                        );
                        Some(Charge {
                            receipt: charged.receipt,
                            units: cost.get(),
                        })
                    }
                    Err(Refused::Denied(_)) if !say.enforced() => continue,
                    Err(refused) => {
                        holds.iter_mut().rev().for_each(|hold| {
                            hold.refund(at, u64::MAX);
                        });
                        let Refused::Denied(denial) = refused else {
                            return Err(None);
                        };
                        let found = Binding { place, denial };
                        return Err(Some(self.binding(policy, &says, at, in_line, found)));
                    }
                },
                _ => None,
            };
            holds.push(Hold {
                limit: say.limit,
                account: Arc::clone(&say.account),
                charge,
                extended: Vec::new(),
            });
        }
        Ok(holds)
    }

    fn look_all(
        &self,
        policy: &Policy,
        says: &Says,
        at: Moment,
        in_line: bool,
    ) -> Result<(), Option<Limited>> {
        let mut binding: Option<Binding> = None;
        for (place, say) in says.iter().enumerate() {
            if !say.enforced() {
                continue;
            }
            match say.look(at, in_line) {
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
        in_line: bool,
        found: Binding,
    ) -> Limited {
        let mut binding = found;
        for (place, say) in says.iter().enumerate() {
            if !say.enforced() || binding.place == place {
                continue;
            }
            if let Err(Refused::Denied(denial)) = say.look(at, in_line) {
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
            match self.charge_all(&policy, says, at, true) {
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
