//! Policies of three limits: all or nothing for every racer, and exactly what the tightest limit has.

use crate::gates::{
    ALGORITHMS, CONCURRENCY, Chance, THREADS, frozen, limit, race, tokens, usage, used,
};
use tollgate_policy::Request;

const UNITS: u64 = 2_003;

/// Each request costs one unit of each of three limits. Then a race alone admits exactly what the tightest has: if a
/// limit refuses, as many as it has hold its units, and of those at least as many as the tightest has are admitted,
/// since only a later limit that is full itself sends them back. It holds wherever the tightest stands in the file.
#[test]
fn racers_get_exactly_what_the_tightest_of_three_limits_has() {
    let maxima = [
        [UNITS, UNITS, UNITS],
        [UNITS, UNITS + 1, UNITS + 2],
        [UNITS + 2, UNITS, UNITS + 1],
        [UNITS + 2, UNITS + 1, UNITS],
        [UNITS * 9, UNITS * 9, UNITS],
    ];
    for (turn, maxima) in maxima.into_iter().enumerate() {
        for first in 0..ALGORITHMS.len() {
            let limits = (0..3).map(|place| {
                let algorithm = ALGORITHMS[(first + place * (turn + 1)) % ALGORITHMS.len()];
                limit(&place.to_string(), "requests", maxima[place], algorithm)
            });
            let policy: String = limits.collect();
            let gate = frozen(&policy);
            let attempts = UNITS * 3 / 2 / THREADS as u64;
            let kept = race(|_| {
                (0..attempts)
                    .filter_map(|_| gate.admit(&Request::new()).ok())
                    .collect::<Vec<_>>()
            });
            assert_eq!(
                kept.iter().map(Vec::len).sum::<usize>() as u64,
                UNITS,
                "{policy}"
            );
        }
    }
}

/// Requests, input tokens and all tokens under three algorithms. A racer that backs out may make another be refused
/// for a moment, so when all have given up one caller asks for what is left: then exactly all of the tightest limit
/// was admitted, and no limit holds anything of a refused request.
#[test]
fn refused_racers_leave_nothing_behind() {
    let exact: Vec<_> = ALGORITHMS
        .into_iter()
        .filter(|algorithm| !algorithm.contains("gcra") && *algorithm != CONCURRENCY)
        .collect();
    for first in 0..exact.len() {
        for round in 0..4 {
            let algorithm = |place: usize| exact[(first + place) % exact.len()];
            let policy = limit("all", "tokens", UNITS + 40, algorithm(0))
                + &limit("requests", "requests", UNITS, algorithm(1))
                + &limit("input", "input_tokens", UNITS, algorithm(2));
            let gate = frozen(&policy);
            let admitted = race(|racer| {
                let mut chance = Chance::new(racer, round);
                let (mut requests, mut units, mut refusals) = (0, 0, 0);
                while refusals < 200 {
                    let cost = 1 + chance.below(9);
                    match gate.admit(&tokens(cost)) {
                        Ok(reservation) => {
                            reservation.settle(usage(cost));
                            (requests, units) = (requests + 1, units + cost);
                        }
                        Err(_) => refusals += 1,
                    }
                }
                (requests, units)
            });
            let mut requests: u64 = admitted.iter().map(|(requests, _)| requests).sum();
            let mut units: u64 = admitted.iter().map(|(_, units)| units).sum();
            assert!(units <= UNITS, "{policy}");
            assert_eq!(used(&gate), [units, requests, units], "{policy}");
            while let Ok(reservation) = gate.admit(&tokens(1)) {
                reservation.settle(usage(1));
                (requests, units) = (requests + 1, units + 1);
            }
            assert_eq!(units, UNITS, "{policy}");
            assert_eq!(used(&gate), [units, requests, units], "{policy}");
        }
    }
}
