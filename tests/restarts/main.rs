//! A gate with a ledger through random lives: admissions, settlements, debts, evictions, reloads of other figures, limits that go and come
//! back, clean stops and kills, and clocks that are set forward and back between two runs.
//!
//! Whatever is admitted is judged by what was truly used ([`judge`]): never more than a limit, but for debt, which is paid; a clean stop
//! changes nothing; a kill wastes at most a lease and what was open. A kill is a copy of the file while nobody writes it, with which the next
//! process goes on: what the killed one would have written is lost.
//!
//! ```text
//! cargo test -p tollgate-tests --test restarts                             # some seeds
//! TOLLGATE_MINUTES=30 TOLLGATE_SEED=1000 cargo test --release -p tollgate-tests --test restarts
//! TOLLGATE_MINUTES=0 TOLLGATE_SEED=1000 cargo test -p tollgate-tests --test restarts      # one seed again
//! ```

mod judge;
mod life;

use life::Life;
use std::{
    env,
    time::{Duration, Instant},
};

/// So many seeds of so many steps in an ordinary run.
const SEEDS: u64 = 4;
const STEPS: u64 = 500;

fn asked(name: &str) -> Option<f64> {
    env::var(name).ok()?.parse().ok()
}

#[test]
fn no_restart_lets_more_pass_or_forgets_what_is_owed() {
    let began = Instant::now();
    let minutes = asked("TOLLGATE_MINUTES").map(|minutes| Duration::from_secs_f64(minutes * 60.0));
    let first = env::var("TOLLGATE_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let first: u64 = first.unwrap_or(1);
    let (mut seeds, mut told) = (0, life::Told::default());
    loop {
        let mut life = Life::new(first + seeds);
        for step in 0..STEPS {
            if let Err(why) = life.step() {
                let trace = life.trace();
                panic!("seed {}, step {step}: {why}\n{trace}", first + seeds);
            }
        }
        told.add(&life.told());
        seeds += 1;
        let is_over = minutes.map_or(seeds >= SEEDS, |most| began.elapsed() >= most);
        if is_over {
            break;
        }
    }
    println!(
        "explored: {} executions, {seeds} seeds: {told:?}",
        told.admitted
    );
    assert!(minutes.is_some() || told.is_varied(), "{told:?}");
}
