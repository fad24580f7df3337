//! Which laws each limiter keeps: peers and ourselves, by the same code. See `cargo xtask verify peers`.
//!
//! Prints a table, and of each check that was broken the shortest history found and the command that shows it again. Fails
//! if one of ours breaks a law.

use clap::Parser;
use std::process::ExitCode;
use tollgate_benches::{ours, peers};
use tollgate_testkit::trial::{Check, Finding, Plan, Report, Trial, table};

/// Which laws each limiter keeps.
#[derive(Parser)]
struct Arguments {
    /// Where chance begins: the same seed shows the same histories again.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Histories of one caller for each check.
    #[arg(long, default_value_t = 400)]
    cases: u32,
    /// Races, and histories of threads.
    #[arg(long, default_value_t = 300)]
    rounds: u32,
    /// Threads that race.
    #[arg(long, default_value_t = 4)]
    threads: usize,
    /// Only limiters whose name begins so.
    #[arg(long, value_name = "BEGINNING", default_value = "")]
    only: String,
    /// Only this check.
    #[arg(long, value_name = "CHECK")]
    check: Option<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // A limiter that panics is told of where it is found; the trace of each attempt to shorten it helps nobody.
    std::panic::set_hook(Box::new(|_| {}));
    let plan = Plan {
        seed: arguments.seed,
        cases: arguments.cases,
        rounds: arguments.rounds,
        threads: arguments.threads,
    };
    let run = |trials: Vec<Trial>| {
        let chosen = trials
            .into_iter()
            .filter(|trial| trial.name().starts_with(&arguments.only));
        chosen
            .map(|trial| one(&trial, &plan, &arguments))
            .collect::<Vec<Report>>()
    };
    let (theirs, ours) = (run(peers::trials()), run(ours::trials()));
    let broken = |report: &Report| {
        Check::ALL
            .iter()
            .any(|check| report.broken(*check).is_some())
    };
    let wrong: Vec<&str> = ours
        .iter()
        .filter(|report| broken(report))
        .map(Report::name)
        .collect();
    let all: Vec<Report> = theirs.iter().chain(&ours).cloned().collect();
    println!("table:\n{}", table(&all));
    if wrong.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("ours that broke a law: {}", wrong.join(", "));
    ExitCode::FAILURE
}

fn one(trial: &Trial, plan: &Plan, arguments: &Arguments) -> Report {
    let asked = |check: &Check| {
        arguments
            .check
            .as_deref()
            .is_none_or(|name| name == check.name())
    };
    let checks = Check::ALL.into_iter().filter(asked);
    let findings = checks.map(|check| {
        let finding = trial.check(check, plan);
        tell(trial.name(), check, plan, &finding);
        (check, finding)
    });
    Report::new(trial.name(), findings.collect())
}

fn tell(name: &str, check: Check, plan: &Plan, finding: &Finding) {
    let called = check.name();
    match finding {
        Finding::Held { tried, note } if check.is_by_chance() => {
            println!(
                "{name} {called}: not seen in {tried} tries{}{note}",
                if note.is_empty() { "" } else { "; " }
            );
        }
        Finding::Held { tried, note } if note.is_empty() => {
            println!("{name} {called}: held, {tried} tried")
        }
        Finding::Held { tried, note } => println!("{name} {called}: held, {tried} tried; {note}"),
        Finding::NotApplicable(why) => println!("{name} {called}: not asked, {why}"),
        Finding::Broken(how) => {
            let Plan {
                seed,
                cases,
                rounds,
                threads,
            } = plan;
            println!("{name} {called}: BROKEN\n{how}");
            println!(
                "  again: cargo run --release -p tollgate-benches --features peers --bin trials -- --only \"{name}\" \
                 --check {called} --seed {seed} --cases {cases} --rounds {rounds} --threads {threads}"
            );
        }
    }
}
