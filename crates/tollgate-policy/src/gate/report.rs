//! What a gate says of its limits, changing nothing.

use super::{
    Gate,
    accounts::Account,
    admit::{Say, limited},
    policy::CompiledLimit,
};
use crate::{
    Limited, Refusal, Request,
    file::{Mode, Unit},
};
use std::sync::Arc;
use tollgate_core::{Cost, Meter, Moment, Nanos, Refused, Wall};
use tollgate_quota::StatusLevel;

/// What one limit has committed for one account.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitUsage {
    /// The limit's name.
    pub limit: Arc<str>,
    /// What it counts.
    pub unit: Unit,
    /// The scope values of the account, in the order of the limit's `by`.
    pub account: Vec<String>,
    /// Units committed, rounded up.
    pub used: u64,
    /// Units that may be committed: the capacity of a gcra limit, else the maximum; none is unlimited.
    pub max: Option<u64>,
    /// Whether it refuses.
    pub mode: Mode,
    /// How near `used` is to `max`.
    pub level: StatusLevel,
}

impl LimitUsage {
    /// Units left.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        self.max.unwrap_or(u64::MAX).saturating_sub(self.used)
    }
}

/// What one limit of a policy would say to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explained {
    /// The limit's name.
    pub limit: Arc<str>,
    /// What it counts.
    pub unit: Unit,
    /// Whether it refuses.
    pub mode: Mode,
    /// What it would say.
    pub verdict: Verdict,
}

/// What a limit would say to a request, were it asked alone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// It has no say: it is off, or its `when` does not match.
    NotConcerned,
    /// It would admit.
    Admits {
        /// Units used so far.
        used: u64,
        /// Units requested.
        requested: u64,
        /// Units that this caller may use; none is unlimited.
        max: Option<u64>,
    },
    /// It would refuse.
    Refuses(Limited),
    /// The request is wrong: it lacks a scope, say.
    Invalid(Refusal),
}

impl Gate {
    /// What every limit with a say in `scope` has committed: those whose `by` names only scopes given here, whatever
    /// their `when`. Of an account that a ledger keeps and that was not used since the start, it is read from the file; while
    /// that cannot be read, what the limit starts with is told.
    #[must_use]
    pub fn usage(&self, scope: &[(&str, &str)]) -> Vec<LimitUsage> {
        self.usage_moment(scope, self.0.clock.moment())
    }

    /// As [`usage`](Self::usage), at a time of the caller's.
    #[must_use]
    pub fn usage_at(&self, scope: &[(&str, &str)], now: Nanos, wall: Wall) -> Vec<LimitUsage> {
        self.usage_moment(scope, Moment::new(now, wall))
    }

    fn usage_moment(&self, scope: &[(&str, &str)], at: Moment) -> Vec<LimitUsage> {
        let value = |name: &str| {
            scope
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| *value)
        };
        let inner = &*self.0;
        let policy = inner.policy.load();
        let mut usage = Vec::new();
        for limit in &policy.limits {
            let Some(values) = limit
                .by
                .iter()
                .map(|name| value(name))
                .collect::<Option<Vec<_>>>()
            else {
                continue;
            };
            // An account that does not exist has used nothing, or what its limit starts with.
            let account = inner.accounts.find(&policy, limit, &values, at);
            let rule = account
                .as_ref()
                .map_or_else(|| limit.rule_for(&values), |account| account.rule);
            let meter_used = |account: &tollgate_sync::Arc<Account>| {
                let meter = account.meter.as_ref();
                meter.map_or(0, |meter| meter.used(at))
            };
            // Before the record is looked for: it may be found meanwhile, and adds to debt that was charged before.
            let held = account.as_ref().map(meter_used);
            let keeper = &inner.accounts.keeper;
            let unread = keeper.unread(limit, &rule, &values, at, held.is_some());
            let used = match (held, unread) {
                (None, None) => limit.used_at_start(&rule),
                (held, Some(unread)) => unread.used(at).saturating_add(held.unwrap_or(0)),
                (Some(_), None) => account.as_ref().map_or(0, meter_used),
            };
            let max = rule.max.map(|_| rule.ceiling);
            usage.push(LimitUsage {
                limit: Arc::clone(&limit.name),
                unit: limit.unit,
                account: values.iter().map(|value| (*value).to_owned()).collect(),
                used,
                max,
                mode: rule.mode,
                level: max.map_or(StatusLevel::Ok, |max| {
                    inner.levels.of(used.into(), max.into())
                }),
            });
        }
        usage
    }

    /// The worst level of all limits that refuse and have a say in `scope`.
    #[must_use]
    pub fn status(&self, scope: &[(&str, &str)]) -> StatusLevel {
        let enforced = self
            .usage(scope)
            .into_iter()
            .filter(|usage| usage.mode == Mode::Enforce);
        enforced
            .map(|usage| usage.level)
            .max()
            .unwrap_or(StatusLevel::Ok)
    }

    /// Forgets what was committed by every account of `scope`: those whose limit counts by all scopes given here,
    /// with these values. No scope is every account. Returns how many there were. Linear in the number of
    /// accounts.
    ///
    /// What was admitted stays admitted: units used before it no longer count, so right after it as much again is allowed.
    /// An account that a ledger keeps and that was not used since the start keeps what it has.
    /// Requests that are open are no memory but a fact: a concurrency limit counts them until they close.
    pub fn reset(&self, scope: &[(&str, &str)]) -> usize {
        let at = self.0.clock.moment();
        let inner = &*self.0;
        let policy = inner.policy.load();
        let mut found = Vec::new();
        inner.accounts.each(|id, values, account| {
            let Some(limit) = policy.limits.iter().find(|limit| limit.id == id) else {
                return;
            };
            let of = |name: &str| {
                limit
                    .by
                    .iter()
                    .position(|by| **by == *name)
                    .and_then(|place| values.get(place))
            };
            if scope.iter().all(|(name, value)| of(name) == Some(value)) {
                found.push(tollgate_sync::Arc::clone(account));
            }
        });
        for account in &found {
            if let Some(meter) = inner
                .standing(account, at)
                .and_then(|account| account.meter.clone())
            {
                meter.reset(at);
            }
        }
        inner.lines.wake(found.iter().map(|account| &**account));
        found.len()
    }

    /// What each limit would say to `request`, asked alone and changing nothing, in file order.
    #[must_use]
    pub fn explain(&self, request: &Request<'_>) -> Vec<Explained> {
        self.explain_moment(request, self.0.clock.moment())
    }

    /// As [`explain`](Self::explain), at a time of the caller's.
    #[must_use]
    pub fn explain_at(&self, request: &Request<'_>, now: Nanos, wall: Wall) -> Vec<Explained> {
        self.explain_moment(request, Moment::new(now, wall))
    }

    fn explain_moment(&self, request: &Request<'_>, at: Moment) -> Vec<Explained> {
        let inner = &*self.0;
        let policy = inner.policy.load();
        let explain = |limit: &tollgate_sync::Arc<CompiledLimit>| {
            let account = match policy.share_of(request) {
                Err(refusal) => Some(Err(refusal)),
                Ok(_) if limit.is_off || !limit.applies(request) => None,
                Ok(share) => {
                    let account = inner.accounts.on_trial(&policy, limit, request, at);
                    Some(account.map(|account| (account, share)))
                }
            };
            let (mode, verdict) = match account {
                None => (limit.mode(), Verdict::NotConcerned),
                Some(Err(refusal)) => (limit.mode(), Verdict::Invalid(refusal)),
                Some(Ok((account, share))) => {
                    let say = Say::new(&account, request.estimate(), share);
                    let verdict = say.map_or(Verdict::NotConcerned, |say| verdict(&say, at));
                    (account.rule.mode, verdict)
                }
            };
            Explained {
                limit: limit.name.clone(),
                unit: limit.unit,
                mode,
                verdict,
            }
        };
        policy.limits.iter().map(explain).collect()
    }
}

fn verdict(say: &Say<'_>, at: Moment) -> Verdict {
    match say.look(at, Some(&[])) {
        Err(Refused::Denied(denial)) => Verdict::Refuses(limited(say, denial)),
        Ok(()) | Err(Refused::Closed | Refused::Dry) => Verdict::Admits {
            used: say.account.meter.as_ref().map_or(0, |meter| meter.used(at)),
            requested: say.cost.map_or(0, Cost::get),
            max: say.account.rule.max.map(|_| say.ceiling),
        },
    }
}
