//! Reloads of other figures while requests come.

use crate::{
    policies::{Algorithm, Asked, Limit, gate, policy, wall},
    random::{asks, limits},
};
use proptest::prelude::*;
use tollgate_core::Nanos;
use tollgate_testkit::{
    RateLimit,
    law::{Event, Law, check_changing},
};

const ACCOUNTS: usize = 4;

#[derive(Clone, Debug)]
enum Step {
    Admit(Asked),
    /// Other figures for every limit: a maximum, which is the capacity too.
    Reload(Vec<u64>),
}

fn steps() -> impl Strategy<Value = Vec<(u64, Step)>> {
    const SECOND: u64 = 1_000_000_000;
    let moves =
        prop_oneof![6 => Just(0), 4 => 0..SECOND / 5, 2 => 0..3 * SECOND, 1 => 0..70 * SECOND];
    let step = prop_oneof![
        9 => asks().prop_map(Step::Admit),
        1 => prop::collection::vec(1_u64..40, 4).prop_map(Step::Reload),
    ];
    prop::collection::vec((moves, step), 1..80)
}

/// Without what other properties are about: classes, shadows, overrides, starts below the capacity.
fn plain(limits: Vec<Limit>) -> Vec<Limit> {
    let plain = |limit: Limit| Limit {
        max: limit.max.max(1),
        algorithm: match limit.algorithm {
            Algorithm::Gcra { .. } => Algorithm::Gcra {
                capacity: limit.max.max(1),
                initial: None,
            },
            other => other,
        },
        shadow: false,
        overridden: None,
        // Of few lengths, so that rates have a common multiple.
        per: if limit.per.is_multiple_of(2) {
            1_000_000_000
        } else {
            7_000_000_000
        },
        ..limit
    };
    limits.into_iter().map(plain).collect()
}

fn with_maxima(limits: &[Limit], maxima: &[u64]) -> Vec<Limit> {
    let change = |(limit, max): (&Limit, &u64)| Limit {
        max: *max,
        algorithm: match limit.algorithm {
            Algorithm::Gcra { .. } => Algorithm::Gcra {
                capacity: *max,
                initial: None,
            },
            other => other,
        },
        ..limit.clone()
    };
    limits.iter().zip(maxima).map(change).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_500))]

    /// A rate never admits more than the largest capacity in force and the integral of its rates; no other limit
    /// more than the largest maximum it had. What a reload says starts fresh is another limit from there on.
    #[test]
    fn nothing_is_ever_over_across_reloads(limits in limits().prop_map(plain), steps in steps()) {
        let (gate, _clock) = gate(&policy(&limits));
        let mut in_force = limits.clone();
        let mut history = vec![limits.clone()];
        let mut since = vec![0_u64];
        let mut events: Vec<Vec<Event>> = vec![Vec::new(); limits.len() * ACCOUNTS];
        let mut fresh_since = vec![0_usize; limits.len()];
        let mut kept = Vec::new();
        let mut now = 0;
        for (moved, step) in steps {
            now += moved;
            match step {
                Step::Admit(ask) => {
                    let Ok(reservation) = gate.admit_at(&ask.request(), Nanos(now), wall(now)) else { continue };
                    kept.push(reservation);
                    for (place, limit) in in_force.iter().enumerate() {
                        if limit.applies(&ask) {
                            events[place * ACCOUNTS + limit.account(&ask)].push(Event::admitted(now, limit.cost(ask.input, ask.output)));
                        }
                    }
                }
                Step::Reload(maxima) => {
                    in_force = with_maxima(&limits, &maxima);
                    let reload = gate.reload_at(&policy(&in_force), Nanos(now), wall(now)).expect("a good policy");
                    for name in &reload.fresh {
                        let place: usize = name.parse().expect("limits are named by their place");
                        fresh_since[place] = history.len();
                        events[place * ACCOUNTS..][..ACCOUNTS].iter_mut().for_each(Vec::clear);
                    }
                    history.push(in_force.clone());
                    since.push(now);
                }
            }
        }
        for (index, events) in events.into_iter().enumerate() {
            let (place, account) = (index / ACCOUNTS, index % ACCOUNTS);
            let versions: Vec<(u64, &Limit)> = since.iter().copied().zip(history.iter().map(|limits| &limits[place])).skip(fresh_since[place]).collect();
            let verdict = if let Algorithm::Gcra { .. } = limits[place].algorithm {
                let rates: Vec<_> = versions.iter().map(|(from, limit)| (*from, RateLimit::new(limit.max, limit.per, limit.max))).collect();
                check_changing(&rates, events, 0)
            } else {
                let largest = versions.iter().map(|(_, limit)| *limit).max_by_key(|limit| limit.max);
                let law: Law = largest.expect("there is one").law(account);
                law.check(events, 0)
            };
            prop_assert!(verdict.held(), "{:?}: {}", versions, verdict);
        }
    }
}
