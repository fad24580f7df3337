//! One limit of each algorithm: exactly its units pass, however many threads race for them.

use crate::gates::{ALGORITHMS, CONCURRENCY, Chance, THREADS, frozen, limit, race, tokens, used};
use tollgate_policy::Request;

/// Not a multiple of anything that is asked for below.
const UNITS: u64 = 3_001;

/// All together ask half as often again as there are units, and keep what they get.
#[test]
fn racers_for_requests_get_exactly_all_of_them() {
    for algorithm in ALGORITHMS {
        for _ in 0..5 {
            let gate = frozen(&limit("l", "requests", UNITS, algorithm));
            let attempts = UNITS * 3 / 2 / THREADS as u64;
            let kept = race(|_| {
                (0..attempts)
                    .filter_map(|_| gate.admit(&Request::new()).ok())
                    .collect::<Vec<_>>()
            });
            let admitted: usize = kept.iter().map(Vec::len).sum();
            assert_eq!(admitted as u64, UNITS, "{algorithm}");
            assert_eq!(used(&gate), [UNITS], "{algorithm}");
        }
    }
}

/// A denial means that the cost did not fit at that moment, and nothing comes back: so whoever is denied smaller and
/// smaller costs, down to one unit, has seen the limit full.
#[test]
fn racers_for_costs_of_many_sizes_get_exactly_all_units() {
    for algorithm in ALGORITHMS
        .into_iter()
        .filter(|algorithm| *algorithm != CONCURRENCY)
    {
        for round in 0..5 {
            let gate = frozen(&limit("l", "tokens", UNITS, algorithm));
            let taken = race(|racer| {
                let mut chance = Chance::new(racer, round);
                let (mut taken, mut largest) = (0, 8);
                while largest > 0 {
                    let cost = 1 + chance.below(largest);
                    match gate.admit(&tokens(cost)) {
                        Ok(reservation) => {
                            taken += cost;
                            reservation.settle(crate::gates::usage(cost));
                        }
                        Err(_) => largest = cost - 1,
                    }
                }
                taken
            });
            assert_eq!(taken.iter().sum::<u64>(), UNITS, "{algorithm}");
            assert_eq!(used(&gate), [UNITS], "{algorithm}");
        }
    }
}
