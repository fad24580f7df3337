//! What a ledger costs: admissions with it and without, side by side in one run; what its thread uses; how a large one opens.
//!
//! `cargo run --release -p tollgate-benches --features ledger --bin ledger`. Linux only: figures of threads are read from `/proc`.

use std::{
    fs,
    hint::black_box,
    path::Path,
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};
use tollgate_core::Standing;
use tollgate_policy::{Gate, PolicyFile, Request, Reservation, Usage};
use tollgate_quota::ledger::{AccountKey, AccountRecord, Ledger, LedgerFile};

/// Admissions measured together, too short to be timed one by one.
const BATCH: usize = 64;
const ROUNDS: usize = 2_000;
/// Pairs of gates that are compared, each built anew: where their accounts come to lie in memory makes a tenth of difference between
/// two that are built alike. Who is built first takes turns.
const PAIRS: usize = 15;
/// Batches in a row by one of the two gates, some half a millisecond: each finds its accounts in the cache, as a gate does that is
/// alone.
const TURN: usize = 20;
const AGENTS: usize = 64;
const ACCOUNTS: u64 = 1_000_000;

const LIMITS: &str = r#"
[[limit]]
name = "monthly"
by = ["agent"]
unit = "tokens"
max = 1_000_000_000_000
per = "month"
algorithm = "calendar"
lease = 10_000_000
"#;
const AND_A_MINUTE: &str = r#"
[[limit]]
name = "a minute"
by = ["agent"]
unit = "requests"
max = 10_000_000_000
per = "1m"

[[limit]]
name = "tokens a minute"
by = ["agent"]
unit = "tokens"
max = 100_000_000_000
per = "1m"
"#;

fn main() {
    let folder = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "target/ledger-bench".to_owned());
    let folder = Path::new(&folder);
    fs::create_dir_all(folder).expect("a folder for the ledgers");
    for (name, limits) in [
        ("one limit, kept", LIMITS.to_owned()),
        ("three limits, one kept", format!("{LIMITS}{AND_A_MINUTE}")),
    ] {
        for threads in [1, 2] {
            admissions(folder, name, &limits, threads);
        }
    }
    opening(folder);
}

/// What one pair of gates showed.
struct Compared {
    /// In nanoseconds an admission, with a ledger and without.
    median: [f64; 2],
    p999: [f64; 2],
    commits: u64,
    millis: u128,
    /// Of the ledger's thread, in nanoseconds an admission.
    clerk: u64,
}

/// Pairs of gates with a ledger and without, on so many threads.
fn admissions(folder: &Path, name: &str, limits: &str, threads: usize) {
    let pairs: Vec<_> = (0..PAIRS)
        .map(|number| pair(folder, limits, threads, number % 2 == 0))
        .collect();
    let told = |of: fn(&Compared) -> [f64; 2]| {
        let [with, without] = [0, 1].map(|at| middle(pairs.iter().map(|pair| of(pair)[at])).1);
        let ratios = pairs.iter().map(|pair| of(pair)[0] / of(pair)[1]);
        let (least, ratio, most) = middle(ratios);
        format!(
            "{with:.0} with, {without:.0} without ({ratio:.2}x, pairs {least:.2} to {most:.2}x)"
        )
    };
    println!(
        "{name}, {threads} threads: admit and settle, ns: median {}; p99.9 of batches of {BATCH} {}",
        told(|pair| pair.median),
        told(|pair| pair.p999),
    );
    println!(
        "    {} commits in {} ms; the ledger's thread at most {} ns of CPU an admission (aim: below 1,000); no file was read or written by those who admit",
        pairs.iter().map(|pair| pair.commits).sum::<u64>(),
        pairs.iter().map(|pair| pair.millis).sum::<u128>(),
        pairs.iter().map(|pair| pair.clerk).max().unwrap_or(0),
    );
}

/// The least, the median and the most.
fn middle(values: impl Iterator<Item = f64>) -> (f64, f64, f64) {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    (
        values[0],
        values[values.len() / 2],
        values[values.len() - 1],
    )
}

/// Batches with and without a ledger in turn, on each of so many threads.
fn pair(folder: &Path, limits: &str, threads: usize, is_on_first: bool) -> Compared {
    let path = folder.join("admissions");
    let _ = fs::remove_file(&path);
    let text = format!(
        "[ledger]\npath = '{}'\ndurability = 'within 50ms'\n{limits}",
        path.display()
    );
    let options = PolicyFile::parse(&text)
        .expect("a policy")
        .ledger
        .expect("it has one")
        .options();
    let ledger = Ledger::open(&options).expect("a new ledger");
    let on = Gate::builder()
        .ledger(ledger.clone())
        .build(&text)
        .expect("a gate");
    let off = Gate::from_toml(limits).expect("a gate");
    let agents: Vec<String> = (0..AGENTS)
        .map(|agent| format!("agent-{agent:04}"))
        .collect();
    // Every account is warm, and demand is known.
    let warm = Instant::now();
    while warm.elapsed() < Duration::from_millis(200) {
        for gate in if is_on_first {
            [&on, &off]
        } else {
            [&off, &on]
        } {
            batch(gate, &agents, 0);
        }
    }
    let (before, commits) = (clerk_cpu_ns(), ledger.status().commits);
    let started = Instant::now();
    let barrier = Barrier::new(threads);
    let mut taken: [Vec<u64>; 2] = Default::default();
    let io_calls = thread::scope(|scope| {
        let work = |number: usize| {
            let (on, off, agents, barrier) = (&on, &off, &agents, &barrier);
            move || {
                barrier.wait();
                // What a reading itself takes.
                let own = io_calls();
                let io = io_calls();
                let own = io - own;
                let mut taken: [Vec<u64>; 2] = Default::default();
                for turn in 0..2 * ROUNDS / TURN {
                    // All threads ask the same gate.
                    barrier.wait();
                    let gate = [on, off][turn % 2];
                    for round in 0..TURN {
                        let begun = Instant::now();
                        batch(gate, agents, number + round);
                        let elapsed = begun.elapsed().as_nanos();
                        taken[turn % 2].push(u64::try_from(elapsed).unwrap_or(u64::MAX));
                    }
                }
                (taken, io_calls() - io - own)
            }
        };
        let running: Vec<_> = (0..threads)
            .map(|number| scope.spawn(work(number)))
            .collect();
        let mut calls = 0;
        for thread in running {
            let (each, io) = thread.join().expect("no thread panics");
            for (all, own) in taken.iter_mut().zip(each) {
                all.extend(own);
            }
            calls += io;
        }
        calls
    });
    let millis = started.elapsed().as_millis();
    let admitted = (threads * ROUNDS * BATCH) as u64;
    let clerk = (clerk_cpu_ns() - before) / admitted;
    let commits = ledger.status().commits - commits;
    for taken in &mut taken {
        taken.sort_unstable();
    }
    let at = |per_mille: usize| {
        taken
            .each_ref()
            .map(|taken| taken[(taken.len() - 1) * per_mille / 1_000] as f64 / BATCH as f64)
    };
    let used = on.usage(&[("agent", &agents[0])])[0].used;
    assert!(used > 0 && ledger.close(), "{:?}", ledger.status());
    assert_eq!(io_calls, 0, "an admission was inside a disk call");
    Compared {
        median: at(500),
        p999: at(999),
        commits,
        millis,
        clerk,
    }
}

fn batch(gate: &Gate, agents: &[String], round: usize) {
    for place in 0..BATCH {
        let agent = &agents[(place * 7 + round) % AGENTS];
        let request = Request::new().with("agent", agent).input_tokens(400);
        let reservation: Reservation = gate
            .admit(black_box(&request))
            .expect("it is below every limit");
        reservation.settle(Usage {
            input_tokens: 300,
            ..Usage::default()
        });
    }
}

fn opening(folder: &Path) {
    let path = folder.join("large");
    let _ = fs::remove_file(&path);
    let file = LedgerFile::alone(&path).expect("a new ledger");
    let record = |number: u64| {
        let agent = format!("agent-{number:07}");
        let key = AccountKey::new(
            "monthly",
            "tokens",
            "month from day 1 in UTC",
            &["agent"],
            &[&agent],
        );
        let standing = Standing {
            stamp: 1_793_491_200_000_000_000,
            committed: number,
            max: 1_000_000,
        };
        AccountRecord::new(key, standing, true)
    };
    for part in 0..10 {
        let accounts: Vec<_> = (part * ACCOUNTS / 10..(part + 1) * ACCOUNTS / 10)
            .map(record)
            .collect();
        file.import(&accounts, &[]).expect("room on the disk");
    }
    drop(file);
    let file = LedgerFile::read(&path).expect("it was closed");
    let begun = Instant::now();
    let mut sum = 0;
    file.each_account(|account| sum += account.standing.committed)
        .expect("it is sound");
    let scan = begun.elapsed();
    assert_eq!(sum, ACCOUNTS * (ACCOUNTS - 1) / 2);
    drop(file);
    let resident = resident_kib();
    let options = tollgate_quota::ledger::LedgerOptions::new(&path);
    let begun = Instant::now();
    let ledger = Ledger::open(&options).expect("it was closed");
    let opened = begun.elapsed();
    let policy = LIMITS.replace("lease = 10_000_000\n", "");
    let gate = Gate::builder()
        .ledger(ledger.clone())
        .build(&policy)
        .expect("a gate");
    let begun = Instant::now();
    let request = Request::new()
        .with("agent", "agent-0999999")
        .input_tokens(1);
    drop(
        gate.admit(&request)
            .expect("a month has passed or has room"),
    );
    println!(
        "{ACCOUNTS} accounts in {} MiB: scanned in {} ms, opened in {} ms, the first admission of a cold account {} us later; {} MiB more resident",
        fs::metadata(&path).map_or(0, |data| data.len()) >> 20,
        scan.as_millis(),
        opened.as_millis(),
        begun.elapsed().as_micros(),
        resident_kib().saturating_sub(resident) >> 10,
    );
}

/// Calls that read or write files, by this thread.
fn io_calls() -> u64 {
    let text = fs::read_to_string("/proc/thread-self/io").unwrap_or_default();
    let count = |name: &str| -> u64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|count| count.trim().parse().ok())
            .unwrap_or(0)
    };
    count("syscr:") + count("syscw:")
}

/// Nanoseconds that the ledger's thread was on a processor.
fn clerk_cpu_ns() -> u64 {
    let tasks = fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten();
    let clerk = |task: &fs::DirEntry| {
        fs::read_to_string(task.path().join("comm"))
            .is_ok_and(|name| name.trim() == "tollgate-ledger")
    };
    let on_cpu = |task: fs::DirEntry| {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    };
    tasks.filter(clerk).filter_map(on_cpu).sum()
}

fn resident_kib() -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}
