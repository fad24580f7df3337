//! The process that is killed.

use super::{
    COMPACT, EPOCH, FASTER, RUN,
    journal::{Journal, Line, What},
};
use rand_pcg::{Pcg64Mcg, rand_core::Rng};
use std::{
    env,
    io::Read,
    path::Path,
    process,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tollgate_core::{Clock, Nanos};
use tollgate_policy::{Gate, PolicyFile, Request, Usage};
use tollgate_quota::ledger::{Ledger, LedgerError, LedgerFile};

pub(crate) const AGENTS: [&str; 3] = ["a", "b", "c"];
pub(crate) const HOURLY_MAX: u64 = 800;
pub(crate) const WINDOW_MAX: u64 = 60;
pub(crate) const BUDGET_MAX: u64 = 400_000;
pub(crate) const LEASE: u64 = 300;
/// Of agent b alone, in any hour.
pub(crate) const SLIDING_MAX: u64 = 40;
/// Of agent c alone: at one instant, and an hour.
pub(crate) const RATE_CAPACITY: u64 = 200;
pub(crate) const RATE_HOURLY: u64 = 800;
pub(crate) const ESTIMATE_MAX: u64 = 60;

pub(crate) const POLICY: &str = r#"
[ledger]
path = "PLACE"
durability = "DURABILITY"

[[limit]]
name = "hourly"
by = ["agent"]
unit = "tokens"
max = 800
algorithm = "calendar"
per = "hour"
lease = 100

[[limit]]
name = "window"
by = ["agent"]
unit = "requests"
max = 60
algorithm = "fixed"
per = "2h"
lease = 10

[[limit]]
name = "budget"
by = ["agent"]
unit = "tokens"
max = 400000
algorithm = "lifetime"
lease = 300

[[limit]]
name = "sliding"
when = { agent = "b" }
unit = "requests"
max = 40
algorithm = "window"
per = "1h"
slots = 6
lease = 5

[[limit]]
name = "rate"
when = { agent = "c" }
unit = "tokens"
max = 800
capacity = 200
per = "1h"
lease = 20
"#;

/// A clock that runs faster, and in step with those of the processes before.
#[derive(Debug)]
struct Fast {
    start: Instant,
    wall_at_start: i64,
}

impl Fast {
    fn new() -> Self {
        let epoch: u128 = env::var(EPOCH).unwrap().parse().unwrap();
        let start = Instant::now();
        let passed = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_nanos()
            - epoch;
        Self {
            start,
            wall_at_start: i64::try_from(passed).unwrap() * i64::try_from(FASTER).unwrap(),
        }
    }
}

impl Clock for Fast {
    fn now(&self) -> Nanos {
        Nanos(u64::try_from(self.start.elapsed().as_nanos()).unwrap() * FASTER)
    }

    fn wall_offset(&self) -> i64 {
        self.wall_at_start
    }
}

struct Process {
    gate: Gate,
    ledger: Ledger,
    journal: Journal,
    requests: AtomicU64,
    order: AtomicU64,
    is_stopping: AtomicBool,
}

pub(crate) fn run(place: &Path) {
    let text = std::fs::read_to_string(place.join("policy.toml")).unwrap();
    let options = PolicyFile::parse(&text).unwrap().ledger.unwrap().options();
    if env::var(COMPACT).is_ok() && options.path().exists() {
        match LedgerFile::alone(options.path()).unwrap().compact() {
            // The judge may be reading it.
            Ok(_) | Err(LedgerError::BeingRead { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    let ledger = match Ledger::open(&options) {
        Ok(ledger) => ledger,
        Err(error) => panic!("{error}"),
    };
    let run: u64 = env::var(RUN).unwrap().parse().unwrap();
    let process = Process {
        gate: Gate::builder()
            .clock(Fast::new())
            .ledger(ledger.clone())
            .build(&text)
            .unwrap(),
        ledger,
        journal: Journal::open(&place.join(format!("journal-{run}"))),
        requests: AtomicU64::new(0),
        order: AtomicU64::new(0),
        is_stopping: AtomicBool::new(false),
    };
    for agent in 0..AGENTS.len() {
        process.find(agent);
    }
    thread::scope(|scope| {
        for number in 0..3 {
            let process = &process;
            scope.spawn(move || process.work(Pcg64Mcg::new(u128::from(run * 8 + number) * 2 + 1)));
        }
        scope.spawn(|| process.flush());
        // Ends when the judge says so; it kills most, though.
        let mut word = Vec::new();
        std::io::stdin().read_to_end(&mut word).unwrap();
        process.is_stopping.store(true, SeqCst);
    });
    assert!(process.ledger.close());
    process::exit(0);
}

impl Process {
    fn write(&self, what: What, agent: usize, request: u64, units: u64, before: i64) {
        self.journal.write(&Line {
            what,
            agent: agent as u64,
            request,
            units,
            wall: (before, self.wall()),
            order: self.order.fetch_add(1, SeqCst),
        });
    }

    fn wall(&self) -> i64 {
        self.gate.clock().moment().wall.0
    }

    /// The first request of an agent, and what is found used then.
    fn find(&self, agent: usize) {
        let request = self.requests.fetch_add(1, SeqCst);
        let asked = Request::new().with("agent", AGENTS[agent]).input_tokens(1);
        self.write(What::Asks, agent, request, 1, 0);
        let before = self.wall();
        // Whatever refuses it has read the account all the same, unless the disk is slow.
        if let Ok(reservation) = self.gate.admit(&asked) {
            self.write(What::Admitted, agent, request, 1, before);
            let used = reservation.estimate().input_tokens;
            reservation.settle(Usage {
                input_tokens: used,
                ..Usage::default()
            });
            self.write(What::Settled, agent, request, 1, 0);
            let usage = self.gate.usage(&[("agent", AGENTS[agent])]);
            let budget = usage
                .iter()
                .find(|usage| &*usage.limit == "budget")
                .unwrap();
            self.write(What::Found, agent, request, budget.used, 0);
        } else {
            self.write(What::Refused, agent, request, 1, before);
        }
    }

    fn work(&self, mut random: Pcg64Mcg) {
        let mut held = Vec::new();
        while !self.is_stopping.load(SeqCst) {
            let agent = (random.next_u64() % 3) as usize;
            let estimate = 1 + random.next_u64() % ESTIMATE_MAX;
            let request = self.requests.fetch_add(1, SeqCst);
            let asked = Request::new()
                .with("agent", AGENTS[agent])
                .input_tokens(estimate);
            self.write(What::Asks, agent, request, estimate, 0);
            let before = self.wall();
            match self.gate.admit(&asked) {
                Ok(reservation) => {
                    self.write(What::Admitted, agent, request, estimate, before);
                    held.push((reservation, agent, request, estimate));
                }
                Err(_) => {
                    self.write(What::Refused, agent, request, estimate, before);
                    thread::sleep(Duration::from_micros(500));
                }
            }
            if held.len() > 8 {
                let place = (random.next_u64() % 9) as usize;
                let (reservation, agent, request, estimate) = held.swap_remove(place);
                // Mostly less than estimated, now and then twice as much.
                let actual = match random.next_u64() % 16 {
                    0 => estimate * 2,
                    part => estimate * part / 16,
                };
                self.write(What::Settles, agent, request, actual, 0);
                reservation.settle(Usage {
                    input_tokens: actual,
                    ..Usage::default()
                });
                self.write(What::Settled, agent, request, actual, 0);
            }
        }
        for (reservation, agent, request, estimate) in held {
            reservation.settle(Usage {
                input_tokens: estimate,
                ..Usage::default()
            });
            self.write(What::Settled, agent, request, estimate, 0);
        }
    }

    /// Tells now and then what is on disk for certain.
    fn flush(&self) {
        while !self.is_stopping.load(SeqCst) {
            let order = self.order.load(SeqCst);
            if self.ledger.flush(Duration::from_secs(10)) {
                self.write(What::Flushed, 0, 0, order, 0);
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}
