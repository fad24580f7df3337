//! Admissions race reloads and evictions.

use crate::gates::{CONCURRENCY, Chance, THREADS, frozen, limit, race, tokens, usage, used};
use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    time::Duration,
};
use tollgate_core::{Nanos, Wall};
use tollgate_policy::{Gate, Refusal, Request};

const RELOADS: usize = 60;

/// The last racer reloads one policy and the other in turn, ending with the second; the others work until it is done.
fn reloading<T: Send>(
    gate: &Gate,
    policies: [&str; 2],
    work: impl Fn(usize, &AtomicBool) -> T + Sync,
) -> Vec<T> {
    let done = AtomicBool::new(false);
    let results = race(|racer| {
        if racer == THREADS - 1 {
            for _ in 0..RELOADS {
                for policy in policies {
                    let reload = gate.reload(policy).expect("a good policy");
                    assert!(
                        reload.fresh.is_empty()
                            && reload.added.is_empty()
                            && reload.removed.is_empty()
                    );
                    std::thread::yield_now();
                }
            }
            done.store(true, SeqCst);
            None
        } else {
            Some(work(racer, &done))
        }
    });
    results.into_iter().flatten().collect()
}

/// A rate of 1,000 and one of 1,500 an hour: their intervals are whole, so that a unit is a unit under both. At one
/// instant exactly the larger capacity passes, across any number of changes.
#[test]
fn racers_across_reloads_of_a_rate_get_exactly_the_last_capacity() {
    let policies =
        [1_000, 1_500].map(|max| limit("l", "tokens", max, "algorithm = \"gcra\"\nper = \"1h\""));
    let gate = frozen(&policies[1]);
    let taken = reloading(&gate, [&policies[0], &policies[1]], |racer, done| {
        let mut chance = Chance::new(racer, 0);
        let mut taken = 0;
        while !done.load(SeqCst) {
            let cost = 1 + chance.below(3);
            if let Ok(reservation) = gate.admit(&tokens(cost)) {
                reservation.settle(usage(cost));
                taken += cost;
            }
        }
        taken
    });
    let mut taken: u64 = taken.iter().sum();
    assert!(taken <= 1_500, "{taken}");
    assert_eq!(used(&gate), [taken]);
    while let Ok(reservation) = gate.admit(&tokens(1)) {
        reservation.settle(usage(1));
        taken += 1;
    }
    assert_eq!(taken, 1_500);
}

/// Reservations end under another maximum than they began under, and every unit finds its way back.
#[test]
fn what_is_released_across_reloads_comes_back() {
    let algorithms = [
        "algorithm = \"window\"\nper = \"1h\"\nslots = 7",
        "algorithm = \"fixed\"\nper = \"1h\"",
        "algorithm = \"calendar\"\nper = \"day\"",
        "algorithm = \"lifetime\"",
    ];
    for algorithm in algorithms {
        let policies = [40, 90].map(|max| limit("l", "tokens", max, algorithm));
        let gate = frozen(&policies[1]);
        let kept = reloading(&gate, [&policies[0], &policies[1]], |racer, done| {
            let mut chance = Chance::new(racer, 1);
            let (mut open, mut kept) = (Vec::new(), 0);
            while !done.load(SeqCst) {
                open.extend(gate.admit(&tokens(1 + chance.below(6))));
                if open.len() > 3 {
                    open.swap_remove(chance.place(3)).release();
                }
                if chance.below(1_000) == 0
                    && let Some(reservation) = open.pop()
                {
                    reservation.settle(usage(1));
                    kept += 1;
                }
            }
            open.into_iter()
                .for_each(tollgate_policy::Reservation::release);
            kept
        });
        assert_eq!(used(&gate), [kept.iter().sum::<u64>()], "{algorithm}");
    }
}

/// Never more open than the larger maximum, and in the end none.
#[test]
fn open_requests_are_counted_across_reloads() {
    let policies = [3, 5].map(|max| limit("l", "requests", max, CONCURRENCY));
    let gate = frozen(&policies[1]);
    let (open, most) = (AtomicU64::new(0), AtomicU64::new(0));
    reloading(&gate, [&policies[0], &policies[1]], |_, done| {
        while !done.load(SeqCst) {
            let held: Vec<_> = (0..3)
                .filter_map(|_| gate.admit(&Request::new()).ok())
                .collect();
            let now_open = open.fetch_add(held.len() as u64, SeqCst) + held.len() as u64;
            most.fetch_max(now_open, SeqCst);
            open.fetch_sub(held.len() as u64, SeqCst);
            drop(held);
        }
    });
    assert!((1..=5).contains(&most.into_inner()));
    assert_eq!(used(&gate), [0]);
    let held: Vec<_> = (0..9)
        .filter_map(|_| gate.admit(&Request::new()).ok())
        .collect();
    assert_eq!(held.len(), 5);
}

/// Twelve agents share four places. Whoever holds the only request that its agent may have open is alone with it,
/// though accounts come and go.
#[test]
fn evictions_never_let_two_hold_what_is_for_one() {
    const AGENTS: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
    let policy = format!(
        "max_accounts = 4\n{}",
        limit(
            "l",
            "requests",
            1,
            &format!("by = [\"agent\"]\n{CONCURRENCY}")
        )
    );
    let gate = frozen(&policy);
    let held = AGENTS.map(|_| AtomicBool::new(false));
    let admitted = race(|racer| {
        let mut chance = Chance::new(racer, 3);
        let mut admitted = 0;
        for _ in 0..20_000 {
            let agent = chance.place(AGENTS.len());
            match gate.admit(&Request::new().with("agent", AGENTS[agent])) {
                Ok(reservation) => {
                    assert!(
                        !held[agent].swap(true, SeqCst),
                        "two hold the request of {}",
                        AGENTS[agent]
                    );
                    held[agent].store(false, SeqCst);
                    reservation.release();
                    admitted += 1;
                }
                Err(Refusal::Limited(_) | Refusal::TooManyAccounts { .. }) => {}
                Err(other) => panic!("{other}"),
            }
        }
        admitted
    });
    assert!(admitted.iter().sum::<u64>() > 0);
    assert!(gate.accounts() <= 4, "{}", gate.accounts());
    for agent in AGENTS {
        assert_eq!(gate.usage(&[("agent", agent)])[0].used, 0);
        // Two that wanted the place of one that was evicted used to lose it for ever.
        assert!(gate.admit(&Request::new().with("agent", agent)).is_ok());
    }
}

/// The maximum goes up and down while racers cross from period to period and use nothing beyond it: no period that
/// follows has anything to pay, so every wait ends with the period.
#[test]
fn what_is_admitted_across_reloads_is_never_debt() {
    const HOUR: u64 = 3_600_000_000_000;
    let algorithms = [
        "algorithm = \"fixed\"\nper = \"1h\"",
        "algorithm = \"calendar\"\nper = \"hour\"",
    ];
    for algorithm in algorithms {
        let policies = [40, 900].map(|max| limit("l", "tokens", max, algorithm));
        let gate = frozen(&policies[1]);
        let clock = AtomicU64::new(100_000 * HOUR);
        let at = |now| {
            (
                Nanos(now),
                Wall(i64::try_from(now).expect("a time of our day")),
            )
        };
        let admitted = reloading(&gate, [&policies[0], &policies[1]], |racer, done| {
            let mut chance = Chance::new(racer, 5);
            let mut admitted = 0;
            while !done.load(SeqCst) {
                let (now, wall) = at(clock.fetch_add(chance.below(HOUR / 20), SeqCst));
                let (estimate, surplus) = (1 + chance.below(40), chance.below(2));
                match gate.admit_at(&tokens(estimate), now, wall) {
                    Ok(reservation) => {
                        reservation.settle_at(usage(estimate - surplus), now, wall);
                        admitted += 1;
                    }
                    Err(refusal) => {
                        let limited = refusal.limited().expect("the limit refused");
                        let wait = limited.retry_after.expect("it fits a fresh period");
                        // The latest stamp may be that much later than this racer's.
                        let late = clock.load(SeqCst) - now.0;
                        let most = Duration::from_nanos(HOUR + late);
                        assert!(wait <= most, "{wait:?}, {algorithm}");
                    }
                }
            }
            admitted
        });
        assert!(admitted.iter().sum::<u64>() > 0, "{algorithm}");
        let (now, wall) = at(clock.into_inner() + HOUR);
        assert_eq!(gate.usage_at(&[], now, wall)[0].used, 0, "{algorithm}");
    }
}
