//! Admissions race settlements, extensions and releases. When all are done, what is used is what was kept.

use crate::gates::{ALGORITHMS, CONCURRENCY, Chance, frozen, limit, race, tokens, usage, used};
use tollgate_policy::{Gate, Reservation};

const UNITS: u64 = 500;
const STEPS: usize = 4_000;

/// Keeps a few reservations open and ends them in any order, in every way there is but debt. Returns the units kept.
fn churn(gate: &Gate, racer: usize, round: u64) -> u64 {
    let mut chance = Chance::new(racer, round);
    let mut open: Vec<Reservation> = Vec::new();
    let mut kept = 0;
    let end = |mut reservation: Reservation, chance: &mut Chance, may_keep: bool| {
        if chance.below(3) == 0 {
            let _extended = reservation.extend(usage(1 + chance.below(5)));
        }
        let charged = reservation.estimate().input_tokens;
        match chance.below(40) {
            // Rarely, or the limit would soon be full.
            0 if may_keep => {
                let actual = chance.below(charged.min(3) + 1);
                reservation.settle(usage(actual));
                return actual;
            }
            1..=9 => reservation.settle(usage(0)),
            10..=19 => drop(reservation),
            _ => reservation.release(),
        }
        0
    };
    for step in 0..STEPS {
        open.extend(gate.admit(&tokens(1 + chance.below(20))));
        if open.len() > chance.place(7) {
            let reservation = open.swap_remove(chance.place(open.len()));
            kept += end(reservation, &mut chance, step % 4 == 0);
        }
    }
    for reservation in open {
        kept += end(reservation, &mut chance, false);
    }
    kept
}

#[test]
fn what_is_used_in_the_end_is_what_was_kept() {
    for algorithm in ALGORITHMS
        .into_iter()
        .filter(|algorithm| *algorithm != CONCURRENCY)
    {
        for round in 0..2 {
            let policy = limit(
                "l",
                "tokens",
                UNITS,
                &format!("{algorithm}\non_drop = \"release\""),
            );
            let gate = frozen(&policy);
            let kept: u64 = race(|racer| churn(&gate, racer, round)).iter().sum();
            assert_eq!(used(&gate), [kept], "{policy}");
        }
    }
}

/// The same under three limits, one of which counts what is open.
#[test]
fn what_is_used_in_the_end_is_what_was_kept_under_three_limits() {
    for algorithm in [
        "algorithm = \"log\"\nper = \"1h\"",
        "algorithm = \"window\"\nper = \"1h\"\nslots = 7",
    ] {
        let release = "on_drop = \"release\"";
        let policy = limit("open", "requests", 12, CONCURRENCY)
            + &limit(
                "input",
                "input_tokens",
                UNITS,
                &format!("{algorithm}\n{release}"),
            )
            + &limit(
                "all",
                "tokens",
                UNITS + 10,
                &format!("algorithm = \"lifetime\"\n{release}"),
            );
        let gate = frozen(&policy);
        let kept: u64 = race(|racer| churn(&gate, racer, 9)).iter().sum();
        assert_eq!(used(&gate), [0, kept, kept], "{policy}");
    }
}
