//! Gates under every algorithm, and threads that start together.

use std::{sync::Barrier, thread};
use tollgate_core::ManualClock;
use tollgate_policy::{Gate, Request, Usage};

pub(crate) const THREADS: usize = 4;

/// Every algorithm, as a policy file says it. The last one counts open requests, the others any unit.
pub(crate) const ALGORITHMS: [&str; 8] = [
    "algorithm = \"gcra\"\nper = \"1h\"",
    "algorithm = \"gcra\"\nper = \"1h\"\nrefund = \"eager\"",
    "algorithm = \"window\"\nper = \"1h\"\nslots = 7",
    "algorithm = \"log\"\nper = \"1h\"",
    "algorithm = \"fixed\"\nper = \"1h\"",
    "algorithm = \"calendar\"\nper = \"day\"",
    "algorithm = \"lifetime\"",
    CONCURRENCY,
];

pub(crate) const CONCURRENCY: &str = "algorithm = \"concurrency\"";

pub(crate) fn limit(name: &str, unit: &str, max: u64, algorithm: &str) -> String {
    format!("[[limit]]\nname = \"{name}\"\nunit = \"{unit}\"\nmax = {max}\n{algorithm}\n\n")
}

/// A gate whose clock stands still, some days after the epoch, so that no period is at its border.
pub(crate) fn frozen(policy: &str) -> Gate {
    let clock = ManualClock::starting_at(tollgate_core::Nanos::from_secs(1_000_000));
    Gate::builder()
        .clock(clock)
        .build(policy)
        .unwrap_or_else(|mistakes| panic!("{mistakes}\n{policy}"))
}

pub(crate) fn used(gate: &Gate) -> Vec<u64> {
    gate.usage(&[]).iter().map(|usage| usage.used).collect()
}

pub(crate) fn tokens(units: u64) -> Request<'static> {
    Request::new().input_tokens(units)
}

pub(crate) const fn usage(tokens: u64) -> Usage {
    Usage {
        input_tokens: tokens,
        output_tokens: 0,
        micro_usd: 0,
    }
}

/// What each of the threads makes, none of which starts before all have.
pub(crate) fn race<T: Send>(racer: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let (start, racer) = (&Barrier::new(THREADS), &racer);
    thread::scope(|scope| {
        let spawn = |number| {
            scope.spawn(move || {
                start.wait();
                racer(number)
            })
        };
        let racers: Vec<_> = (0..THREADS).map(spawn).collect();
        racers
            .into_iter()
            .map(|racer| racer.join().expect("no racer panics"))
            .collect()
    })
}

/// A small generator of chance, of its own for each racer.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) const fn new(racer: usize, round: u64) -> Self {
        Self(0x9e37_79b9_7f4a_7c15 ^ ((racer as u64 + 1) << 32) ^ (round + 1))
    }

    /// A number below `end`.
    pub(crate) const fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }

    /// A place in a list of `length`.
    pub(crate) fn place(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }
}
