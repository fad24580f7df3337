//! What a limit promises, as the testkit's laws and models take it.

use tollgate_policy::{Algorithm, LimitRule};
use tollgate_testkit::law::Law;
use tollgate_testkit::model::{
    Concurrency, Gcra, Lifetime, Model, PeriodBudget, SlidingLog, SlottedRing,
};
use tollgate_testkit::{Periods, RateLimit};

use super::calendar::{self, HORIZON_NS};

/// Rates are exact up to this many units a nanosecond in lowest terms; a finer one is rounded up to the
/// 32,768th of a nanosecond. This is the documented rounding of a gcra limit.
const FINEST: u64 = 1 << 15;

/// The promise of a limit to each of its accounts, but for their numbers.
#[derive(Debug)]
pub(super) enum Promise {
    Rate {
        per_ns: u64,
        initial: Option<u64>,
    },
    /// In slots, or by a log.
    Window {
        per_ns: u64,
        slots: Option<(u32, u64)>,
    },
    /// Fixed windows, or a calendar as far as it is known.
    Periods {
        periods: Periods,
        calendar: bool,
    },
    /// A calendar whose periods are not known.
    Unknown,
    Lifetime,
    Concurrency,
}

impl Promise {
    pub(super) fn new(rule: &LimitRule, epoch_ns: i64) -> Self {
        let phase = |per_ns: u64| {
            let phase = i128::from(epoch_ns).rem_euclid(i128::from(per_ns.max(1)));
            u64::try_from(phase).unwrap_or(0)
        };
        match &rule.algorithm {
            Algorithm::Gcra { per_ns, initial } => Self::Rate {
                per_ns: *per_ns,
                initial: *initial,
            },
            Algorithm::Window { per_ns, slots } => Self::Window {
                per_ns: *per_ns,
                slots: Some((*slots, phase(*per_ns))),
            },
            Algorithm::Log { per_ns } => Self::Window {
                per_ns: *per_ns,
                slots: None,
            },
            Algorithm::Fixed { per_ns } => Self::Periods {
                periods: Periods::every(*per_ns, phase(*per_ns)),
                calendar: false,
            },
            Algorithm::Calendar(rule) => match calendar::periods(rule, epoch_ns) {
                Some(periods) => Self::Periods {
                    periods,
                    calendar: true,
                },
                None => Self::Unknown,
            },
            Algorithm::Lifetime => Self::Lifetime,
            Algorithm::Concurrency => Self::Concurrency,
        }
    }

    /// The law of an account; none where its periods are not known.
    pub(super) fn law(&self, max: u64, ceiling: u64) -> Option<Law> {
        Some(match self {
            Self::Rate { per_ns, .. } => Law::Rate(RateLimit::new(max, *per_ns, ceiling)),
            Self::Window { per_ns, .. } => Law::Window {
                window: *per_ns,
                max,
            },
            Self::Periods { periods, .. } => Law::Periods {
                periods: periods.clone(),
                max,
            },
            Self::Unknown => return None,
            Self::Lifetime => Law::Lifetime { max },
            Self::Concurrency => Law::Concurrency { max },
        })
    }

    /// An exact model of an account that begins at `now`.
    pub(super) fn model(&self, max: u64, ceiling: u64, now: u64) -> Option<Box<dyn Model>> {
        Some(match self {
            Self::Rate { per_ns, initial } => {
                let limit = RateLimit::new(max, *per_ns, ceiling);
                let exact = max / gcd(max, *per_ns) <= FINEST;
                let mut model = if exact {
                    Gcra::new(limit)
                } else {
                    Gcra::quantized(limit, FINEST)
                };
                // A charge of nothing would still hold against rows that step back to before it.
                let used = initial.and_then(|initial| ceiling.checked_sub(initial));
                if let Some(used) = used.filter(|used| *used > 0) {
                    model.charge_anyway(now, used);
                }
                Box::new(model)
            }
            Self::Window {
                per_ns,
                slots: Some((slots, phase)),
            } => Box::new(SlottedRing::new(*per_ns, *slots, *phase, max)),
            Self::Window {
                per_ns,
                slots: None,
            } => Box::new(SlidingLog::new(*per_ns, max)),
            Self::Periods { periods, calendar } => {
                let budget = if *calendar {
                    PeriodBudget::of_calendar
                } else {
                    PeriodBudget::new
                };
                Box::new(budget(periods.clone(), max))
            }
            Self::Unknown => return None,
            Self::Lifetime => Box::new(Lifetime::new(max)),
            Self::Concurrency => Box::new(Concurrency::new(max)),
        })
    }

    /// Why nothing can be said about times up to `latest`, if that is so.
    pub(super) fn unknown_at(&self, latest: u64, rule: &LimitRule) -> Option<String> {
        match self {
            Self::Unknown => Some(format!(
                "limit {:?} counts by hours of a zone whose clocks move by parts of an hour",
                rule.name
            )),
            Self::Periods { calendar: true, .. } if latest > HORIZON_NS => Some(format!(
                "limit {:?} counts by a calendar, and the trace goes on for more than two years",
                rule.name
            )),
            _ => None,
        }
    }
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}
