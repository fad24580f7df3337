//! Kills: a process that admits and settles under quotas, a budget and long windows is killed at random instants, hundreds of
//! times, and started again on the same ledger; what it admitted stands in a journal of its own.
//!
//! `TOLLGATE_LEDGER_KILLS` says how many kills, 50 by default; `TOLLGATE_LEDGER_SEED` where the instants begin.
//!
//! # What is held against what
//! Every third is backed up until it is killed: what is read is never damaged. The process writes a line before it asks, after it was answered and after it settled, each with one call of the system, so
//! that a kill leaves it whole. Its wall clock runs [`FASTER`] times as fast, so an hour ends every few commits. The
//! judge adds up the lines alone:
//!
//! - of each agent and hour, and each window of two hours, what was admitted and kept is at most the limit, over all processes;
//! - of each agent's budget likewise, over everything;
//! - of one agent in every true window of an hour at most the limit; of another in every interval at most what its rate allows;
//! - what a new process finds used of a budget is at least what the journal says, less debts of after the last flush, and at most a
//!   lease more than that, beyond estimates that were open at the last flush;
//! - after a clean stop it is exactly what the journal says.

mod child;
mod journal;
mod judge;

use judge::Judge;
use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::Rng;
use std::{
    env,
    io::Write,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tollgate_quota::ledger::{LedgerError, LedgerFile};

/// How much faster than the system's the processes' wall clock runs: an hour takes 120 ms.
const FASTER: u64 = 30_000;

/// The processes' place, and when the system's clock read zero of theirs.
const PLACE: &str = "TOLLGATE_LEDGER_PLACE";
const EPOCH: &str = "TOLLGATE_LEDGER_EPOCH";
const RUN: &str = "TOLLGATE_LEDGER_RUN";
const COMPACT: &str = "TOLLGATE_LEDGER_COMPACT";

fn main() {
    if let Ok(place) = env::var(PLACE) {
        child::run(Path::new(&place));
        return;
    }
    // As a test program that lists and filters its one test.
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        println!("kills_never_exceed_a_limit_and_waste_at_most_a_lease: test");
        return;
    }
    let kills = number("TOLLGATE_LEDGER_KILLS").unwrap_or(50);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = number("TOLLGATE_LEDGER_SEED").unwrap_or(u64::from(now.subsec_nanos()));
    println!("seed {seed}");
    // Beside each other, since a process that is about to be killed is mostly waited for.
    let judged = thread::scope(|scope| {
        let judging = ["within 5ms", "every commit"].map(|durability| {
            let killing = scope.spawn(move || {
                let folder = tempfile::tempdir().unwrap();
                kill(folder.path(), kills / 2, seed, durability)
            });
            (durability, killing)
        });
        judging.map(|(durability, killing)| (durability, killing.join()))
    });
    for (durability, judge) in judged {
        let judge = judge.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        println!("{durability}: {}", judge.told());
        println!("explored: {} executions", kills / 2);
    }
    // As any test program ends: whoever started it looks for this line.
    println!("test result: ok. 1 passed; 0 failed; 0 ignored");
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

fn kill(place: &Path, kills: u64, seed: u64, durability: &str) -> Judge {
    let mut random = Pcg64Mcg::new(u128::from(seed) | 1);
    let policy = child::POLICY
        .replace("PLACE", &place.join("ledger").display().to_string())
        .replace("DURABILITY", durability);
    std::fs::write(place.join("policy.toml"), policy).unwrap();
    let epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_nanos()
        .to_string();
    let mut judge = Judge::new(durability == "every commit");
    let (mut run, mut killed) = (0, 0);
    while killed < kills {
        // Every fifth stops by itself, and one in eight begins with a compaction.
        let is_clean = run % 5 == 4;
        let mut child = start(place, &epoch, run, random.next_u64().is_multiple_of(8));
        if is_clean {
            thread::sleep(Duration::from_millis(300));
            child.stdin.take().unwrap().write_all(b"stop").unwrap();
            let ended = child.wait().unwrap();
            assert!(ended.success(), "run {run}: {ended}");
        } else {
            // Half of them while they open the file, or little later.
            let most = if random.next_u64().is_multiple_of(2) {
                60
            } else {
                600
            };
            let delay = Duration::from_micros(random.next_u64() % (most * 1_000));
            let begun = Instant::now();
            let backs_up = random.next_u64().is_multiple_of(3);
            while begun.elapsed() < delay {
                if backs_up {
                    judge.backups += u64::from(back_up(&place.join("ledger")));
                }
                thread::sleep(Duration::from_micros(200));
            }
            child.kill().unwrap();
            let ended = child.wait().unwrap();
            assert!(ended.code().is_none(), "run {run} ended by itself: {ended}");
            killed += 1;
        }
        let lines = journal::read(&place.join(format!("journal-{run}")));
        judge.hear(run, &lines, is_clean);
        run += 1;
    }
    judge.conclude(killed);
    judge
}

/// Reads all that is in a ledger while its process writes or is just about to be killed. False if it was not open yet.
fn back_up(path: &Path) -> bool {
    let read = || {
        let file = LedgerFile::read(path)?;
        file.each_account(drop)?;
        file.each_past_period(drop)
    };
    match read() {
        Ok(()) => true,
        Err(error @ LedgerError::Damaged { .. }) => panic!("{error}"),
        Err(_) => false,
    }
}

fn start(place: &Path, epoch: &str, run: u64, compacts: bool) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .env(PLACE, place)
        .env(EPOCH, epoch)
        .env(RUN, run.to_string())
        .stdin(Stdio::piped());
    if compacts {
        command.env(COMPACT, "1");
    }
    command.spawn().unwrap()
}
