//! Random limits, costs and histories for property tests.

use crate::limit::RateLimit;
use proptest::prelude::*;

/// Limits of every size: tiny ones, in which brute force is possible; ordinary ones; extreme ones, in which 64 bits
/// are hardly enough.
///
/// ```
/// use proptest::prelude::*;
/// use tollgate_testkit::strategy;
///
/// proptest!(|(limit in strategy::rate_limits())| {
///     prop_assert!(limit.units > 0 && limit.period > 0 && limit.capacity > 0);
/// });
/// ```
pub fn rate_limits() -> impl Strategy<Value = RateLimit> {
    prop_oneof![
        3 => tiny_rate_limits(),
        3 => ordinary_rate_limits(),
        1 => extreme_rate_limits(),
    ]
}

/// Limits of a few units, a few nanoseconds a period.
pub fn tiny_rate_limits() -> impl Strategy<Value = RateLimit> {
    (1_u64..9, 1_u64..50, 1_u64..13)
        .prop_map(|(units, period, capacity)| RateLimit::new(units, period, capacity))
}

/// Limits as people write them: units a second to a day, and a capacity up to a few periods' worth.
pub fn ordinary_rate_limits() -> impl Strategy<Value = RateLimit> {
    const SECOND: u64 = 1_000_000_000;
    let period = prop_oneof![
        Just(SECOND / 4),
        Just(SECOND),
        Just(10 * SECOND),
        Just(60 * SECOND),
        Just(3_600 * SECOND),
        Just(86_400 * SECOND),
        1_u64..100 * SECOND,
    ];
    let units = prop_oneof![
        1_u64..100,
        1_u64..1_000_000,
        Just(3),
        Just(7),
        Just(226_000)
    ];
    let capacity = prop_oneof![
        2 => Just(None),
        1 => (1_u64..1_000).prop_map(Some),
        1 => (1_u64..1_000_000).prop_map(Some),
    ];
    (units, period, capacity).prop_map(|(units, period, capacity)| {
        RateLimit::new(units, period, capacity.unwrap_or(units))
    })
}

/// Limits at the ends of their figures: above a unit a nanosecond, periods of centuries, capacities near the largest.
pub fn extreme_rate_limits() -> impl Strategy<Value = RateLimit> {
    fn figure() -> impl Strategy<Value = u64> {
        prop_oneof![
            Just(1),
            Just(u64::MAX),
            1_u64..=u64::MAX,
            (0_u32..64).prop_map(|bit| 1 << bit)
        ]
    }
    (figure(), figure(), figure())
        .prop_map(|(units, period, capacity)| RateLimit::new(units, period, capacity))
}

/// Costs for a limit that holds `capacity` units: mostly a small part of it, at times all of it, and at times one
/// more than ever fits. Never zero.
pub fn costs(capacity: u64) -> impl Strategy<Value = u64> {
    let capacity = capacity.max(1);
    prop_oneof![
        8 => Just(1),
        8 => 1..=capacity.div_ceil(8),
        3 => 1..=capacity,
        1 => Just(capacity),
        1 => Just(capacity.saturating_add(1)),
    ]
}

/// One step of a history. Instants are nanoseconds, and may step back from one step to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Asks for `cost` units.
    Acquire {
        /// The `now` to decide by.
        at: u64,
        /// Units.
        cost: u64,
    },
    /// Gives back units of an earlier admission.
    Refund {
        /// The `now` to refund by.
        at: u64,
        /// Which admission, counted back from the latest, which is 0. Nothing happens if there are not as many.
        back: usize,
        /// Units. Nothing beyond what is left of the admission is asked for.
        surplus: u64,
    },
    /// Spends units without asking.
    Debt {
        /// The `now` to charge by.
        at: u64,
        /// Units.
        extra: u64,
    },
}

impl Op {
    /// The `now` of this step.
    #[must_use]
    pub const fn at(&self) -> u64 {
        match self {
            Self::Acquire { at, .. } | Self::Refund { at, .. } | Self::Debt { at, .. } => *at,
        }
    }
}

/// What random histories look like. Fill in what is not asked for with [`Histories::of_rate`] or
/// [`Histories::of_window`].
///
/// ```
/// use proptest::prelude::*;
/// use tollgate_testkit::{RateLimit, strategy::Histories};
///
/// let limit = RateLimit::new(10, 1_000, 5);
/// let ordered = Histories { steps_back: false, ..Histories::of_rate(limit) };
/// proptest!(|(ops in ordered.ops())| {
///     prop_assert!(ops.is_sorted_by_key(|op| op.at()));
/// });
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Histories {
    /// The most units that fit at once: costs are drawn for it.
    pub capacity: u64,
    /// Nanoseconds in which a unit becomes free: the usual distance of two steps.
    pub unit_ns: u64,
    /// Nanoseconds in which all becomes free: the scale of idle times and of steps back.
    pub full_ns: u64,
    /// The most steps.
    pub steps_max: usize,
    /// Whether the clock may step back.
    pub steps_back: bool,
    /// Whether some steps are [`Op::Refund`].
    pub refunds: bool,
    /// Whether some steps are [`Op::Debt`].
    pub debts: bool,
}

impl Histories {
    /// Up to 100 acquisitions at the scale of a rate, with a clock that may step back.
    #[must_use]
    pub fn of_rate(limit: RateLimit) -> Self {
        let worth = |units: u64| {
            let nanos =
                u128::from(units) * u128::from(limit.period) / u128::from(limit.units.max(1));
            u64::try_from(nanos).unwrap_or(u64::MAX)
        };
        Self::at_scale(limit.capacity, worth(1), worth(limit.capacity))
    }

    /// The same at the scale of `max` units in a window of `window` nanoseconds.
    #[must_use]
    pub fn of_window(window: u64, max: u64) -> Self {
        Self::at_scale(max, window / max.max(1), window)
    }

    fn at_scale(capacity: u64, unit_ns: u64, full_ns: u64) -> Self {
        Self {
            capacity,
            unit_ns,
            full_ns,
            steps_max: 100,
            steps_back: true,
            refunds: false,
            debts: false,
        }
    }

    /// Histories of this kind: bursts at one instant, steady arrivals, idle times up to ten times `full_ns`, and
    /// what the flags allow, from an epoch near zero or in our day.
    pub fn ops(self) -> impl Strategy<Value = Vec<Op>> {
        let start = prop_oneof![Just(0), 0..=self.full_ns, Just(1_700_000_000_000_000_000)];
        let steps = prop::collection::vec((self.elapsed(), self.action()), 0..=self.steps_max);
        (start, steps).prop_map(|(start, steps)| {
            let mut now: u64 = start;
            let place = |(elapsed, action)| {
                now = match elapsed {
                    Elapsed::On(nanos) => now.saturating_add(nanos),
                    Elapsed::Back(nanos) => now.saturating_sub(nanos),
                };
                at(action, now)
            };
            steps.into_iter().map(place).collect()
        })
    }

    fn elapsed(self) -> impl Strategy<Value = Elapsed> {
        let (unit, full) = (self.unit_ns.max(1), self.full_ns.max(1));
        let elapsed = prop_oneof![
            6 => Just(Elapsed::On(0)),
            6 => (0..=unit.saturating_mul(2)).prop_map(Elapsed::On),
            2 => prop_oneof![Just(unit), Just(full), Just(unit - 1), Just(full - 1)].prop_map(Elapsed::On),
            2 => (0..=full).prop_map(Elapsed::On),
            1 => (0..=full.saturating_mul(10)).prop_map(Elapsed::On),
            2 => (0..=unit.saturating_mul(2)).prop_map(Elapsed::Back),
            1 => (0..=full.saturating_mul(2)).prop_map(Elapsed::Back),
        ];
        elapsed.prop_map(move |elapsed| match elapsed {
            Elapsed::Back(nanos) if !self.steps_back => Elapsed::On(nanos),
            elapsed => elapsed,
        })
    }

    fn action(self) -> impl Strategy<Value = Op> {
        let surplus = prop_oneof![2 => costs(self.capacity), 1 => Just(u64::MAX)];
        let refund = (0_usize..12, surplus).prop_map(|(back, surplus)| Op::Refund {
            at: 0,
            back,
            surplus,
        });
        let action = prop_oneof![
            10 => costs(self.capacity).prop_map(|cost| Op::Acquire { at: 0, cost }),
            4 => refund,
            2 => costs(self.capacity).prop_map(|extra| Op::Debt { at: 0, extra }),
        ];
        action.prop_map(move |action| match action {
            Op::Refund { at, .. } if !self.refunds => Op::Acquire { at, cost: 1 },
            Op::Debt { at, extra } if !self.debts => Op::Acquire { at, cost: extra },
            action => action,
        })
    }
}

#[derive(Clone, Copy, Debug)]
enum Elapsed {
    On(u64),
    Back(u64),
}

/// `op` at `now`.
fn at(op: Op, now: u64) -> Op {
    match op {
        Op::Acquire { cost, .. } => Op::Acquire { at: now, cost },
        Op::Refund { back, surplus, .. } => Op::Refund {
            at: now,
            back,
            surplus,
        },
        Op::Debt { extra, .. } => Op::Debt { at: now, extra },
    }
}
