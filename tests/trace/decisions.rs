//! Every decision on the trace equals that of the exact models, and every wait is the least to the nanosecond.

use crate::{
    replay::{Algorithm, Counts, Limit, MINUTE, Unit, replay},
    rows::{Trace, load},
};

const SECOND: u64 = 1_000_000_000;

const fn requests(max: u64, per: u64, algorithm: Algorithm) -> Limit {
    Limit {
        unit: Unit::Requests,
        max,
        per,
        algorithm,
    }
}

const fn tokens(max: u64, per: u64, algorithm: Algorithm) -> Limit {
    Limit {
        unit: Unit::Tokens,
        max,
        per,
        algorithm,
    }
}

/// Each policy alone, on the same trace; every one of its limits is to refuse some rows and admit others.
fn equal(trace: &Trace, policies: &[&[Limit]]) {
    for limits in policies {
        let counts = replay(trace, limits);
        println!("{counts:?} under {limits:?}");
        let Counts {
            admitted,
            refused_by,
            ..
        } = &counts;
        assert!(
            *admitted > 0 && refused_by.iter().all(|refused| *refused > 0),
            "{counts:?}"
        );
        assert_eq!(
            admitted + refused_by.iter().sum::<usize>(),
            trace.rows.len()
        );
    }
}

/// Requests and tokens by one algorithm: each alone, both together in both orders, and figures that divide nothing.
fn equal_for(algorithm: impl Fn(u64) -> Algorithm) {
    let Some(trace) = load() else { return };
    let rpm = requests(300, MINUTE, algorithm(300));
    let tpm = tokens(226_000, MINUTE, algorithm(226_000));
    let odd_requests = requests(31, 7_001_000_000, algorithm(31));
    let odd_tokens = tokens(9_973, 3_333_000_000, algorithm(9_973));
    equal(
        &trace,
        &[
            &[rpm],
            &[tpm],
            &[odd_requests],
            &[odd_tokens],
            &[requests(200, MINUTE, algorithm(200)), tpm],
            &[tpm, requests(200, MINUTE, algorithm(200))],
            &[odd_tokens, odd_requests],
        ],
    );
}

#[test]
fn gcra_decides_as_the_exact_bucket() {
    equal_for(|max| Algorithm::Gcra { capacity: max });
}

#[test]
fn gcra_of_small_and_large_capacities_decides_as_the_exact_bucket() {
    let Some(trace) = load() else { return };
    let gcra = |capacity| Algorithm::Gcra { capacity };
    let small = requests(300, MINUTE, gcra(10));
    // Some rows cost more than it ever holds.
    let narrow = tokens(226_000, MINUTE, gcra(4_000));
    let large = tokens(3_767, SECOND, gcra(1_000_000));
    equal(
        &trace,
        &[
            &[small],
            &[narrow],
            &[large],
            &[small, narrow],
            &[narrow, small],
            &[small, large],
        ],
    );
    assert!(replay(&trace, &[narrow]).never_fit > 0);
}

#[test]
fn a_window_of_60_slots_decides_as_the_ring_as_specified() {
    equal_for(|_| Algorithm::Window { slots: 60 });
}

#[test]
fn a_window_of_slots_that_do_not_divide_it_decides_as_the_ring_as_specified() {
    equal_for(|_| Algorithm::Window { slots: 7 });
    equal_for(|_| Algorithm::Window { slots: 1 });
}

#[test]
fn a_log_decides_as_the_exact_window() {
    equal_for(|_| Algorithm::Log);
}

#[test]
fn fixed_windows_decide_as_whole_minutes() {
    equal_for(|_| Algorithm::Fixed);
}

#[test]
fn limits_of_different_algorithms_bind_by_the_longest_wait() {
    let Some(trace) = load() else { return };
    let gcra = |max| Algorithm::Gcra { capacity: max };
    equal(
        &trace,
        &[
            &[
                requests(200, MINUTE, gcra(20)),
                tokens(226_000, MINUTE, Algorithm::Window { slots: 60 }),
            ],
            &[
                requests(200, MINUTE, Algorithm::Log),
                tokens(226_000, MINUTE, gcra(226_000)),
            ],
            &[
                tokens(226_000, MINUTE, Algorithm::Log),
                requests(200, MINUTE, Algorithm::Window { slots: 7 }),
            ],
        ],
    );
}

/// Two equal limits always wait equally long: the first in the file is named, whichever it is.
#[test]
fn equal_waits_bind_the_first_limit_of_the_file() {
    let Some(trace) = load() else { return };
    for algorithm in [
        Algorithm::Gcra { capacity: 200 },
        Algorithm::Window { slots: 60 },
        Algorithm::Log,
        Algorithm::Fixed,
    ] {
        let limit = requests(200, MINUTE, algorithm);
        let counts = replay(&trace, &[limit, limit]);
        assert!(
            counts.refused_by[0] > 0 && counts.refused_by[1] == 0,
            "{counts:?}"
        );
    }
}
