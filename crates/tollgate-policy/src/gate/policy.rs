//! A policy file made ready for decisions.

use crate::{
    file::{Algorithm, LedgerRule, LimitRule, Mode, OnDrop, Pattern, PolicyFile, Refund, Unit},
    meter::AnyMeter,
    request::Request,
};
use std::{collections::HashMap, time::Duration};
use tollgate_core::{Limit, Moment};
use tollgate_quota::{
    Calendar, CalendarMeter, Concurrency, Depth, Lifetime, RateMeter, RefundRule, Scale,
    Thresholds, threshold::Share,
};
use tollgate_sync::Arc;
use tollgate_window::{ExactLog, FixedWindow, SlottedRing};

/// A policy at work: one immutable value, exchanged whole on a reload.
#[derive(Debug)]
pub(crate) struct Policy {
    /// Rises with each reload.
    pub(crate) version: u64,
    /// The number of the next new limit. None is used twice: an account of a limit that is gone serves no other.
    next_id: u32,
    pub(crate) limits: Vec<Arc<CompiledLimit>>,
    pub(crate) classes: Vec<(String, Share)>,
    pub(crate) max_accounts: usize,
    pub(crate) ledger: Option<LedgerRule>,
}

/// One limit of a policy.
#[derive(Debug)]
pub(crate) struct CompiledLimit {
    /// Names its accounts. The same across reloads for as long as the accounts keep what they have committed.
    pub(crate) id: u32,
    pub(crate) name: std::sync::Arc<str>,
    pub(crate) by: Vec<std::sync::Arc<str>>,
    /// The same number for all limits of the policy that count by the same scopes, in the same order.
    pub(crate) scopes: usize,
    pub(crate) unit: Unit,
    pub(crate) on_drop: OnDrop,
    pub(crate) warn_at: Thresholds,
    /// True if no account of it can do anything.
    pub(crate) is_off: bool,
    /// How a ledger keeps it, if one is to.
    pub(crate) kept: Option<Kept>,
    when: Vec<(String, Pattern)>,
    algorithm: Algorithm,
    shape: Shape,
    figures: Figures,
    overrides: Vec<Override>,
}

/// How a ledger keeps a limit.
#[derive(Debug)]
#[cfg_attr(
    not(feature = "ledger"),
    allow(dead_code, reason = "without a ledger nothing is kept")
)]
pub(crate) struct Kept {
    /// Names the algorithm and its periods. (But not the period of a rate, whose backlog means the same at any.)
    pub(crate) algorithm: String,
    pub(crate) lease: Option<u64>,
    pub(crate) has_periods: bool,
    /// What makes numbers of periods the same in every process.
    pub(crate) frame: i64,
    /// How its accounts drain, where units do.
    #[cfg(feature = "ledger")]
    pub(crate) drain: tollgate_quota::ledger::LimitDrain,
}

/// What an override may change.
#[derive(Clone, Copy, Debug)]
struct Figures {
    max: Option<u64>,
    capacity: Option<u64>,
    mode: Mode,
}

#[derive(Debug)]
struct Override {
    /// Places in `by`, and the values they must have.
    values: Vec<(usize, String)>,
    max: Option<u64>,
    capacity: Option<u64>,
    mode: Option<Mode>,
}

/// What a new meter needs beside its figures.
#[derive(Debug)]
enum Shape {
    Rate {
        per: Duration,
        initial: Option<u64>,
        rule: RefundRule,
        depth: Depth,
    },
    Window {
        per: Duration,
        slots: u32,
        phase: Duration,
    },
    Log {
        per: Duration,
    },
    Fixed {
        per: Duration,
        phase: Duration,
    },
    Calendar(Arc<Calendar>),
    Lifetime,
    Concurrency,
}

/// The figures of one account, its override applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// Units per period; none is unlimited, and then there is no meter.
    pub(crate) max: Option<u64>,
    /// Units that may be committed: the capacity of a gcra limit, else the maximum.
    pub(crate) ceiling: u64,
    pub(crate) mode: Mode,
    scale: Option<Scale>,
}

impl Policy {
    /// Compiles `file`. `wall_offset` (from the clock's epoch to the Unix epoch, in nanoseconds) aligns slots and
    /// fixed windows with the Unix epoch. `previous` lends its accounts to limits that may keep them.
    ///
    /// # Errors
    /// The limits that cannot be represented, by index, and why.
    pub(crate) fn compile(
        file: &PolicyFile,
        wall_offset: i64,
        previous: Option<&Self>,
    ) -> Result<Self, Vec<(usize, String)>> {
        let mut next_id = previous.map_or(0, |policy| policy.next_id);
        let mut limits = Vec::with_capacity(file.limits.len());
        let mut unfit = Vec::new();
        let mut scopes: HashMap<&[String], usize> = HashMap::new();
        for (index, rule) in file.limits.iter().enumerate() {
            let mut limit = match CompiledLimit::new(file, index, rule, wall_offset) {
                Ok(limit) => limit,
                Err(why) => {
                    unfit.push((index, format!("limit `{}`: {why}", rule.name)));
                    continue;
                }
            };
            let known = previous.and_then(|policy| {
                policy
                    .limits
                    .iter()
                    .find(|old| limit.keeps_accounts_of(old))
            });
            limit.id = known.map_or_else(
                || {
                    next_id += 1;
                    next_id - 1
                },
                |old| old.id,
            );
            limit.scopes = *scopes.entry(&*rule.by).or_insert(index);
            limits.push(Arc::new(limit));
        }
        if !unfit.is_empty() {
            return Err(unfit);
        }
        Ok(Self {
            version: previous.map_or(0, |policy| policy.version + 1),
            next_id,
            limits,
            classes: file
                .priorities
                .iter()
                .map(|class| (class.name.clone(), class.share))
                .collect(),
            max_accounts: file.max_accounts,
            ledger: file.ledger.clone(),
        })
    }
}

impl CompiledLimit {
    fn new(
        file: &PolicyFile,
        index: usize,
        rule: &LimitRule,
        wall_offset: i64,
    ) -> Result<Self, String> {
        let settled_later = matches!(
            rule.unit,
            Unit::Tokens | Unit::InputTokens | Unit::OutputTokens | Unit::Usd
        );
        let shape = match &rule.algorithm {
            Algorithm::Gcra { per_ns, initial } => Shape::Rate {
                per: Duration::from_nanos(*per_ns),
                initial: *initial,
                rule: match rule.refund {
                    Refund::Exact => RefundRule::Exact,
                    Refund::Eager => RefundRule::Eager,
                },
                depth: if settled_later {
                    Depth::Long
                } else {
                    Depth::Short
                },
            },
            Algorithm::Window { per_ns, slots } => Shape::Window {
                per: Duration::from_nanos(*per_ns),
                slots: *slots,
                phase: phase(wall_offset, *per_ns),
            },
            Algorithm::Log { per_ns } => Shape::Log {
                per: Duration::from_nanos(*per_ns),
            },
            Algorithm::Fixed { per_ns } => Shape::Fixed {
                per: Duration::from_nanos(*per_ns),
                phase: phase(wall_offset, *per_ns),
            },
            Algorithm::Calendar(calendar) => Shape::Calendar(Arc::new(
                Calendar::new(calendar.period, &calendar.zone)
                    .map_err(|error| error.to_string())?,
            )),
            Algorithm::Lifetime => Shape::Lifetime,
            Algorithm::Concurrency => Shape::Concurrency,
        };
        let by: Vec<std::sync::Arc<str>> =
            rule.by.iter().map(|name| name.as_str().into()).collect();
        let overrides = file
            .overrides
            .iter()
            .filter(|change| change.limit == index)
            .map(|change| Override {
                values: change
                    .where_
                    .iter()
                    .filter_map(|(name, value)| {
                        Some((by.iter().position(|by| **by == **name)?, value.clone()))
                    })
                    .collect(),
                max: change.max,
                capacity: change.capacity,
                mode: change.mode,
            });
        let overrides: Vec<Override> = overrides.collect();
        let limit = Self {
            id: 0,
            scopes: index,
            name: rule.name.as_str().into(),
            unit: rule.unit,
            on_drop: rule.on_drop,
            warn_at: Thresholds::new(rule.warn_at.iter().copied())
                .map_err(|error| error.to_string())?,
            when: rule.when.clone(),
            kept: kept(rule, &overrides, wall_offset),
            algorithm: rule.algorithm.clone(),
            shape,
            figures: Figures {
                max: rule.max,
                capacity: rule.capacity,
                mode: rule.mode,
            },
            is_off: rule.mode == Mode::Off
                && overrides
                    .iter()
                    .all(|change| change.mode.is_none_or(|mode| mode == Mode::Off)),
            overrides,
            by,
        };
        // Every figure that an account could have is tried, so that no account fails later.
        let changed = limit
            .overrides
            .iter()
            .map(|change| limit.figures.overridden(change));
        for figures in std::iter::once(limit.figures).chain(changed) {
            limit.rule(figures)?;
            limit.try_meter(figures)?;
        }
        Ok(limit)
    }

    /// True if accounts of `old` keep their committed units under this limit: the same name, unit, scope and
    /// algorithm. A gcra limit's period may change, since a backlog is so many units at any rate; other periods
    /// are what their units are counted in.
    pub(super) fn keeps_accounts_of(&self, old: &Self) -> bool {
        let same_periods = match (&self.algorithm, &old.algorithm) {
            (Algorithm::Gcra { .. }, Algorithm::Gcra { .. }) => true,
            (new, old) => new == old,
        };
        let same_keeping = self.kept.is_some() == old.kept.is_some();
        self.name == old.name
            && self.unit == old.unit
            && self.by == old.by
            && same_periods
            && same_keeping
    }

    /// True if the limit has a say in `request`.
    pub(crate) fn applies(&self, request: &Request<'_>) -> bool {
        self.when.iter().all(|(name, pattern)| {
            request
                .value(name)
                .is_some_and(|value| pattern.matches(value))
        })
    }

    /// The mode of accounts without an override.
    pub(crate) const fn mode(&self) -> Mode {
        self.figures.mode
    }

    /// The rule of the account with `values`, one for each scope in `by`. The last override that matches wins.
    pub(crate) fn rule_for(&self, values: &[&str]) -> Rule {
        let matches = |change: &&Override| {
            change
                .values
                .iter()
                .all(|(place, value)| values.get(*place) == Some(&value.as_str()))
        };
        let figures = match self.overrides.iter().rev().find(matches) {
            Some(change) => self.figures.overridden(change),
            None => self.figures,
        };
        // Invariant: all figures were tried when the limit was compiled. Nothing passes if one fails all the same.
        self.rule(figures).unwrap_or(Rule {
            max: Some(0),
            ceiling: 0,
            mode: figures.mode,
            scale: None,
        })
    }

    fn rule(&self, figures: Figures) -> Result<Rule, String> {
        let max = figures.max;
        let ceiling = match (max, figures.capacity) {
            (Some(0), _) => 0,
            (Some(_), Some(capacity)) => capacity,
            (Some(max), None) => max,
            (None, _) => u64::MAX,
        };
        let scale = match (&self.shape, max) {
            (Shape::Rate { per, .. }, Some(max)) => {
                // Nothing allowed is a ceiling of nothing, at any rate.
                let limit = Limit::new(max.max(1), *per).map_err(|error| error.to_string())?;
                let limit = limit
                    .try_with_capacity(ceiling.max(1))
                    .map_err(|error| error.to_string())?;
                Some(Scale::new(&limit).map_err(|error| error.to_string())?)
            }
            _ => None,
        };
        Ok(Rule {
            max,
            ceiling,
            mode: figures.mode,
            scale,
        })
    }

    fn try_meter(&self, figures: Figures) -> Result<(), String> {
        self.meter(&self.rule(figures)?, Moment::default())
            .map(drop)
    }

    /// A fresh meter for an account with `rule`; none if it is unlimited.
    pub(crate) fn meter(&self, rule: &Rule, at: Moment) -> Result<Option<AnyMeter>, String> {
        self.meter_with(rule, self.used_at_start(rule), at)
    }

    /// As [`Self::meter`], with `used` committed of a rate, whatever the limit starts with.
    pub(super) fn meter_with(
        &self,
        rule: &Rule,
        used: u64,
        at: Moment,
    ) -> Result<Option<AnyMeter>, String> {
        let Some(max) = rule.max else {
            return Ok(None);
        };
        Ok(Some(match &self.shape {
            Shape::Rate {
                rule: refunds,
                depth,
                ..
            } => {
                let Some(scale) = rule.scale else {
                    return Ok(None);
                };
                RateMeter::with_used(scale, *depth, *refunds, used, at).into()
            }
            Shape::Window { per, slots, phase } => {
                // Nothing allowed is a ceiling of nothing, whatever the ring could hold.
                SlottedRing::with_phase(max.max(1), *per, *slots, *phase, ())
                    .map_err(|error| error.to_string())?
                    .into()
            }
            Shape::Log { per } => ExactLog::with_clock(max.max(1), *per, ())
                .map_err(|error| error.to_string())?
                .into(),
            Shape::Fixed { per, phase } => {
                let window = FixedWindow::with_phase(max.max(1), *per, *phase, ())
                    .map_err(|error| error.to_string())?;
                if max == 0 {
                    // Windows of nothing are those whose max was lowered to it.
                    let none = window.successor(0);
                    none.take_over(&window, at);
                    none.into()
                } else {
                    window.into()
                }
            }
            Shape::Calendar(calendar) => CalendarMeter::new(Arc::clone(calendar), max).into(),
            Shape::Lifetime => Lifetime::new().into(),
            Shape::Concurrency => Concurrency::new().into(),
        }))
    }

    /// A meter for `rule` that is to take over from `old`, if `old` does not serve `rule` itself.
    pub(crate) fn successor(&self, rule: &Rule, old: &AnyMeter) -> Option<AnyMeter> {
        // Meters that count by periods take no more for a max.
        let max = rule.max?.min(FixedWindow::MAX_UNITS);
        match (&self.shape, old, rule.scale) {
            (
                Shape::Rate {
                    rule: refunds,
                    depth,
                    ..
                },
                AnyMeter::Rate(old),
                Some(scale),
            ) if *old.scale() != scale => Some(RateMeter::pending(scale, *depth, *refunds).into()),
            (
                Shape::Rate {
                    rule: refunds,
                    depth,
                    ..
                },
                AnyMeter::LeasedRate(old),
                Some(scale),
            ) if *old.meter().scale() != scale => {
                let meter = RateMeter::pending(scale, *depth, *refunds);
                Some(old.successor(meter).into())
            }
            (_, AnyMeter::LeasedFixed(old), _) if old.meter().max() != max => {
                let meter = old.meter().successor(max);
                Some(old.successor(meter).into())
            }
            (_, AnyMeter::LeasedCalendar(old), _) if old.meter().max() != max => {
                let meter = old.meter().successor(max);
                Some(old.successor(meter).into())
            }
            (_, AnyMeter::Fixed(old), _) if old.max() != max => Some(old.successor(max).into()),
            (_, AnyMeter::Calendar(old), _) if old.max() != max => Some(old.successor(max).into()),
            _ => None,
        }
    }

    /// What a fresh account with `rule` has committed: what its limit does not start with.
    pub(crate) fn used_at_start(&self, rule: &Rule) -> u64 {
        match self.shape {
            Shape::Rate {
                initial: Some(initial),
                ..
            } if rule.max.is_some() => rule.ceiling.saturating_sub(initial),
            _ => 0,
        }
    }

    /// The name of the account of `values` in a ledger, if one keeps it.
    #[cfg(feature = "ledger")]
    pub(crate) fn account_key(
        &self,
        values: &[&str],
    ) -> Option<tollgate_quota::ledger::AccountKey> {
        let scopes: Vec<&str> = self.by.iter().map(|name| &**name).collect();
        Some(tollgate_quota::ledger::AccountKey::new(
            &self.name,
            &self.unit.to_string(),
            &self.kept.as_ref()?.algorithm,
            &scopes,
            values,
        ))
    }

    /// True if periods of the limit follow the wall clock.
    pub(crate) fn follows_wall(&self) -> bool {
        matches!(self.shape, Shape::Calendar(_))
    }

    /// True if a settlement ends what the limit counts.
    pub(crate) fn counts_open(&self) -> bool {
        matches!(self.shape, Shape::Concurrency)
    }
}

impl Figures {
    fn overridden(self, change: &Override) -> Self {
        Self {
            max: change.max.or(self.max),
            capacity: change.capacity.or(self.capacity),
            mode: change.mode.unwrap_or(self.mode),
        }
    }
}

/// How a ledger keeps `rule` with its `overrides`.
#[cfg_attr(
    not(feature = "ledger"),
    expect(unused_variables, reason = "without a ledger nothing is kept")
)]
fn kept(rule: &LimitRule, overrides: &[Override], wall_offset: i64) -> Option<Kept> {
    let frame = match &rule.algorithm {
        Algorithm::Fixed { per_ns } => {
            let per = i64::try_from(*per_ns).unwrap_or(i64::MAX);
            wall_offset.div_euclid(per.max(1))
        }
        _ => 0,
    };
    Some(Kept {
        algorithm: rule.kept_as()?,
        lease: rule.lease,
        has_periods: matches!(
            rule.algorithm,
            Algorithm::Calendar(_) | Algorithm::Fixed { .. }
        ),
        frame,
        #[cfg(feature = "ledger")]
        drain: drain(rule, overrides),
    })
}

/// How accounts of `rule` with its `overrides` drain.
#[cfg(feature = "ledger")]
fn drain(rule: &LimitRule, overrides: &[Override]) -> tollgate_quota::ledger::LimitDrain {
    use std::hash::{DefaultHasher, Hash, Hasher};
    use tollgate_quota::ledger::{Drain, LimitDrain};

    let changed = overrides.iter().filter_map(|change| change.max);
    let least = rule.max.into_iter().chain(changed).min();
    let (mut figures, mut begins_empty) = (DefaultHasher::new(), true);
    let slowest = match rule.algorithm {
        Algorithm::Gcra { per_ns, initial } => {
            begins_empty = initial.is_none();
            // Whose rate is which hangs on all of them.
            format!("{per_ns} {:?} {overrides:?}", rule.max).hash(&mut figures);
            Drain::Rate {
                // One that admits nothing drains as one of a unit does.
                units: std::num::NonZeroU64::new(least.unwrap_or(1))
                    .unwrap_or(std::num::NonZeroU64::MIN),
                per: Duration::from_nanos(per_ns),
            }
        }
        Algorithm::Window { per_ns, .. } | Algorithm::Log { per_ns } => {
            Drain::Within(Duration::from_nanos(per_ns))
        }
        _ => Drain::Never,
    };
    LimitDrain {
        slowest,
        figures: figures.finish(),
        begins_empty,
    }
}

/// Time from the last border of a multiple of `per_ns` since the Unix epoch to the clock's epoch.
fn phase(wall_offset: i64, per_ns: u64) -> Duration {
    Duration::from_nanos(
        u64::try_from(i128::from(wall_offset).rem_euclid(i128::from(per_ns.max(1)))).unwrap_or(0),
    )
}
