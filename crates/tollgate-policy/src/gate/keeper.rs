//! Whoever keeps what accounts have committed across restarts: the ledger, if the gate has one.

use super::policy::{CompiledLimit, Policy, Rule};
use crate::{
    Refusal,
    file::{Dry, Failing, LedgerRule},
    meter::AnyMeter,
};
use std::{sync::Arc, time::Duration};
use tollgate_core::{Clock, Moment};

/// How long a request waits in all for the ledger to lend something.
const WAIT_MAX: Duration = Duration::from_secs(2);
/// How long a settlement waits for its debt to be on disk. The disk has failed by then, or is as good as.
#[cfg(feature = "ledger")]
const SETTLE_MAX: Duration = Duration::from_secs(10);

/// What a request for which nothing is lent is to do.
pub(super) enum Next {
    /// Ask again, as of `waited` later.
    Again { waited: Duration },
    /// Go on without a record.
    Unrecorded,
    /// Be refused.
    Refused(Refusal),
}

#[derive(Debug, Default)]
pub(crate) struct Keeper {
    #[cfg(feature = "ledger")]
    ledger: Option<tollgate_quota::ledger::Ledger>,
}

/// Where a gate keeps what its limits have committed.
#[derive(Debug, Default)]
pub(super) enum Keeping {
    /// In the ledger that the policy file names, if it names one.
    #[default]
    AsTheFileSays,
    Nowhere,
    #[cfg(feature = "ledger")]
    In(tollgate_quota::ledger::Ledger),
}

#[cfg(not(feature = "ledger"))]
impl Keeper {
    /// The keeper of a gate by `clock` whose policy file has `rule`; else what is wrong, and what would be right.
    pub(super) fn new(
        keeping: Keeping,
        rule: Option<&LedgerRule>,
        _: &Arc<dyn Clock>,
    ) -> Result<Self, (String, &'static str)> {
        match (keeping, rule) {
            (Keeping::AsTheFileSays, Some(_)) => Err((
                "this program was built without ledgers: nothing would outlast it".to_owned(),
                "build it with the feature `ledger`, or the gate with `without_ledger`",
            )),
            (Keeping::AsTheFileSays, None) | (Keeping::Nowhere, _) => Ok(Self::default()),
        }
    }
}

#[cfg(feature = "ledger")]
impl Keeper {
    /// The keeper of a gate by `clock` whose policy file has `rule`; else what is wrong, and what would be right.
    pub(super) fn new(
        keeping: Keeping,
        rule: Option<&LedgerRule>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, (String, &'static str)> {
        use tollgate_quota::ledger::Ledger;

        let remedy = "name another file as its `path`, or mend this one";
        let ledger = match (keeping, rule) {
            (Keeping::Nowhere, _) | (Keeping::AsTheFileSays, None) => None,
            (Keeping::In(ledger), _) => Some(ledger),
            (Keeping::AsTheFileSays, Some(rule)) => {
                Some(Ledger::open(&rule.options()).map_err(|error| (error.to_string(), remedy))?)
            }
        };
        match ledger
            .as_ref()
            .map(|ledger| ledger.start(Arc::clone(clock)))
        {
            None | Some(Ok(true)) => Ok(Self { ledger }),
            Some(Ok(false)) => Err((
                "the ledger serves another gate, or was closed".to_owned(),
                "open another ledger for this gate",
            )),
            Some(Err(error)) => Err((error.to_string(), remedy)),
        }
    }

    /// Tells the ledger of the limits of `policy`, before that is in force as of `at`.
    pub(super) fn learn(&self, policy: &Policy, at: Moment) {
        let Some(ledger) = &self.ledger else {
            return;
        };
        for limit in &policy.limits {
            let key = limit.account_key(&vec![""; limit.by.len()]);
            if let (Some(kept), Some(key)) = (&limit.kept, key) {
                ledger.limit_drains(&key, kept.drain, at);
            }
        }
    }

    pub(crate) const fn ledger(&self) -> Option<&tollgate_quota::ledger::Ledger> {
        self.ledger.as_ref()
    }

    /// The meter of the account of `values` if the ledger keeps it, as of `at`. Else none.
    pub(super) fn meter(
        &self,
        limit: &CompiledLimit,
        rule: &Rule,
        values: &[&str],
        at: Moment,
    ) -> Option<AnyMeter> {
        use tollgate_quota::ledger::Terms;

        let kept = limit.kept.as_ref()?;
        let ledger = self.ledger.as_ref()?;
        // What the limit starts with holds only where nothing is on record, which the ledger alone knows.
        let fresh = limit.meter_with(rule, 0, at).ok().flatten()?;
        let key = limit.account_key(values)?;
        let terms = Terms {
            lease: kept.lease.unwrap_or(rule.ceiling / 100).max(1),
            initial: limit.used_at_start(rule),
            has_periods: kept.has_periods,
        };
        let (max, frame) = (rule.ceiling, kept.frame);
        // Nobody else has it.
        let meter = match fresh {
            AnyMeter::Rate(meter) => {
                let meter = Arc::into_inner(meter)?;
                AnyMeter::LeasedRate(ledger.account(&key, terms, max, frame, || meter))
            }
            AnyMeter::Fixed(meter) => {
                let meter = Arc::into_inner(meter)?;
                AnyMeter::LeasedFixed(ledger.account(&key, terms, max, frame, || meter))
            }
            AnyMeter::Calendar(meter) => {
                let meter = Arc::into_inner(meter)?;
                AnyMeter::LeasedCalendar(ledger.account(&key, terms, max, frame, || meter))
            }
            AnyMeter::Lifetime(meter) => {
                let meter = Arc::into_inner(meter)?;
                AnyMeter::LeasedLifetime(ledger.account(&key, terms, max, frame, || meter))
            }
            AnyMeter::Window(meter) => {
                let meter = Arc::into_inner(meter)?;
                AnyMeter::LeasedWindow(ledger.account(&key, terms, max, frame, || meter))
            }
            AnyMeter::Log(meter) => {
                let meter = Arc::into_inner(meter)?;
                AnyMeter::LeasedLog(ledger.account(&key, terms, max, frame, || meter))
            }
            _ => return None,
        };
        meter.set_max(max);
        // One that was in use already may be of other figures.
        Some(match limit.successor(rule, &meter) {
            Some(successor) => {
                successor.take_over(&meter, at);
                successor
            }
            None => meter,
        })
    }

    /// A meter with what the account of `values` has on record as of `at`, if the ledger keeps it and has a record; unless the gate holds the
    /// account and that has found it. Reads the file.
    pub(super) fn unread(
        &self,
        limit: &CompiledLimit,
        rule: &Rule,
        values: &[&str],
        at: Moment,
        is_held: bool,
    ) -> Option<AnyMeter> {
        let kept = limit.kept.as_ref()?;
        let ledger = self.ledger.as_ref()?;
        let key = limit.account_key(values)?;
        if is_held && ledger.has_read(&key) {
            return None;
        }
        let record = ledger.stands(&key, at).ok()??;
        let meter = limit.meter_with(rule, 0, at).ok().flatten()?;
        meter.restore(&record, at, kept.frame);
        Some(meter)
    }

    /// What becomes of a request for which `limit` is lent nothing, `waited` after it came.
    pub(super) fn next(
        &self,
        rule: Option<&LedgerRule>,
        limit: &Arc<str>,
        waited: Duration,
    ) -> Next {
        let Some(ledger) = &self.ledger else {
            return Next::Unrecorded;
        };
        let dry = rule.map(|rule| rule.dry).unwrap_or_default();
        let refused = |is_failing| {
            Next::Refused(Refusal::NothingLent {
                limit: Arc::clone(limit),
                retry_after: ledger.durability().interval(),
                is_failing,
            })
        };
        if ledger.is_failing() || waited >= WAIT_MAX {
            return match rule.map(|rule| rule.failing).unwrap_or_default() {
                Failing::Deny => refused(true),
                Failing::Allow => {
                    ledger.count_unrecorded(limit);
                    Next::Unrecorded
                }
            };
        }
        if dry == Dry::Refuse {
            return refused(false);
        }
        let started = std::time::Instant::now();
        ledger.wait(WAIT_MAX.saturating_sub(waited));
        Next::Again {
            waited: waited + started.elapsed(),
        }
    }

    /// A debt was charged: returns when it is on disk, where that is promised.
    pub(super) fn settled(&self) {
        use tollgate_quota::ledger::Durability;

        if let Some(ledger) = &self.ledger
            && ledger.durability() == Durability::EveryCommit
        {
            ledger.flush(SETTLE_MAX);
        }
    }
}

#[cfg(not(feature = "ledger"))]
impl Keeper {
    pub(super) fn learn(&self, _policy: &Policy, _at: Moment) {}

    pub(super) fn unread(
        &self,
        _limit: &CompiledLimit,
        _rule: &Rule,
        _values: &[&str],
        _at: Moment,
        _is_held: bool,
    ) -> Option<AnyMeter> {
        None
    }

    pub(super) fn meter(
        &self,
        _limit: &CompiledLimit,
        _rule: &Rule,
        _values: &[&str],
        _at: Moment,
    ) -> Option<AnyMeter> {
        None
    }

    pub(super) fn next(
        &self,
        _rule: Option<&LedgerRule>,
        _limit: &Arc<str>,
        _waited: Duration,
    ) -> Next {
        Next::Unrecorded
    }

    pub(super) fn settled(&self) {}
}
