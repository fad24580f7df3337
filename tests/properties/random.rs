//! Random policies, requests and moves of the clock.

use crate::policies::{Algorithm, Asked, Limit, MILLI, Unit};
use proptest::prelude::*;

fn algorithms() -> impl Strategy<Value = Algorithm> {
    prop_oneof![
        3 => (1_u64..40, prop::option::weighted(0.2, 0_u64..40))
            .prop_map(|(capacity, initial)| Algorithm::Gcra { capacity, initial: initial.map(|initial| initial.min(capacity)) }),
        2 => (1_u32..13).prop_map(|slots| Algorithm::Window { slots }),
        2 => Just(Algorithm::Log),
        1 => Just(Algorithm::Fixed),
        1 => Just(Algorithm::Calendar),
        1 => Just(Algorithm::Lifetime),
        1 => Just(Algorithm::Concurrency),
    ]
}

prop_compose! {
    fn limit()(
        algorithm in algorithms(),
        unit in prop_oneof![Just(Unit::Requests), Just(Unit::Tokens), Just(Unit::Input)],
        max in prop_oneof![9 => 1_u64..40, 1 => Just(0)],
        per in prop_oneof![Just(1_000), Just(60_000), 1_000_u64..20_000],
        (by_agent, by_model, when) in any::<(bool, bool, bool)>(),
        shadow in prop::bool::weighted(0.15),
        releases in any::<bool>(),
        overridden in prop::option::weighted(0.3, 0_u64..60),
    ) -> Limit {
        let counts_open = algorithm == Algorithm::Concurrency;
        let starts_low = matches!(algorithm, Algorithm::Gcra { initial: Some(_), .. });
        Limit {
            unit: if counts_open { Unit::Requests } else { unit },
            max,
            per: per * MILLI,
            algorithm,
            by_agent,
            by_model,
            when,
            shadow,
            releases,
            // A capacity below `initial` is a mistake of the file.
            overridden: overridden.filter(|max| !starts_low && *max != 0 && by_agent),
        }
    }
}

pub(crate) fn limits() -> impl Strategy<Value = Vec<Limit>> {
    prop::collection::vec(limit(), 1..5)
}

prop_compose! {
    pub(crate) fn asks()(
        agent in 0_usize..2,
        model in 0_usize..2,
        class in prop::option::weighted(0.2, 0_usize..2),
        input in prop_oneof![4 => 1_u64..5, 1 => 1_u64..30],
        output in 1_u64..5,
    ) -> Asked {
        Asked { agent, model, class, input, output }
    }
}

/// How the clock moves before a step, in nanoseconds: not at all, by little, by periods, and at times back.
pub(crate) fn moves() -> impl Strategy<Value = i64> {
    const SECOND: i64 = 1_000_000_000;
    prop_oneof![
        6 => Just(0),
        6 => 0..SECOND / 5,
        3 => 0..3 * SECOND,
        2 => Just(SECOND),
        1 => 0..100 * SECOND,
        1 => 0..7_200 * SECOND,
        2 => -2 * SECOND..0,
    ]
}
