//! The soak: random policies and random traffic in simulated time, by seed, for as long as it is told.
//!
//! Each seed makes a policy (every algorithm, scopes, overrides, classes, zones whose clocks change, and reloads of other
//! figures) and drives a gate twice: by one caller, whose every answer is a function of the seed, and by threads in phases,
//! whose journal is kept. The first law is judged exactly from the journal, account by account; the second and third
//! are probed whenever nobody else calls; and long after the last call every limit that time heals must be whole.
//!
//! ```text
//! cargo test --release -p tollgate-tests --test soak -- --minutes 60       # from a seed of its own
//! cargo test --release -p tollgate-tests --test soak -- --case 1234        # one seed again
//! cargo test --release -p tollgate-tests --test soak -- --judge FILE       # a saved journal again
//! ```
//!
//! A failure of one caller is shortened to the fewest steps that show it. One of threads is saved as a journal in the
//! target folder, from which the verdict comes again. Without arguments it runs for some seconds.

mod drive;
mod journal;
mod judge;
mod policies;

use drive::Run;
use policies::Policies;
use std::{
    env, fs,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

/// Steps of one caller, and of each thread in a phase.
const STEPS: u64 = 1_500;
const STEPS_OF_PHASE: u64 = 150;
const PHASES: u64 = 4;
/// The seed of a policy that counts input tokens.
const TEETH: u64 = 93;
/// Policies that follow one another.
const EPOCHS: usize = 24;
/// An ordinary run.
const ORDINARY: Duration = Duration::from_secs(4);

#[derive(Debug, Default)]
struct Told {
    minutes: Option<f64>,
    seed: Option<u64>,
    case: Option<u64>,
    judge: Option<PathBuf>,
}

fn main() -> ExitCode {
    let told = match told(env::args().skip(1)) {
        Ok(told) => told,
        Err(why) => return failed(&why),
    };
    if let Some(file) = told.judge {
        return ended(judge_file(&file).map(|judged| println!("held: {judged} accounts judged")));
    }
    if let Some(seed) = told.case {
        return ended(
            case(seed).map(|run| println!("held: {} calls, {} probes", run.calls, run.probes)),
        );
    }
    let time = told
        .minutes
        .map_or(ORDINARY, |minutes| Duration::from_secs_f64(minutes * 60.0));
    ended(soak(told.seed.unwrap_or(1), time))
}

/// What the command line says; what a test harness would know is passed over.
fn told(mut words: impl Iterator<Item = String>) -> Result<Told, String> {
    let mut told = Told::default();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        let number = |text: String| {
            text.parse::<u64>()
                .map_err(|error| format!("{text}: {error}"))
        };
        match word.as_str() {
            "--minutes" => {
                told.minutes = Some(
                    value()?
                        .parse()
                        .map_err(|error| format!("--minutes: {error}"))?,
                )
            }
            "--seed" => told.seed = Some(number(value()?)?),
            "--case" => told.case = Some(number(value()?)?),
            "--judge" => told.judge = Some(value()?.into()),
            _ => {}
        }
    }
    Ok(told)
}

fn ended(result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => failed(&why),
    }
}

fn failed(why: &str) -> ExitCode {
    println!("{why}");
    ExitCode::FAILURE
}

/// The judge finds what it is there for: a journal in which everybody asked for a thousand times as much is not lawful,
/// and one that was saved is read as it was.
fn teeth() -> Result<(), String> {
    let policies = Policies::drawn(TEETH, EPOCHS).roomy();
    let run = drive::alone(&policies, TEETH, STEPS)?;
    let (_, again) = journal::read(&journal::save(TEETH, 1, &run.entries))?;
    if again != run.entries {
        return Err("a journal is not read as it was saved".to_owned());
    }
    let larger = again.into_iter().map(|mut entry| {
        if let journal::What::Admit { input, .. } | journal::What::Settle { input, .. } =
            &mut entry.what
        {
            *input *= 1_000;
        }
        entry
    });
    match judge::judge(&policies, &larger.collect::<Vec<_>>()) {
        Ok(_) => Err("the judge holds a thousand times as much for lawful".to_owned()),
        Err(_) => Ok(()),
    }
}

/// Cases from `seed` on, until the time is over.
fn soak(seed: u64, time: Duration) -> Result<(), String> {
    teeth()?;
    let (start, mut told) = (Instant::now(), Instant::now());
    let (mut cases, mut calls, mut probes, mut reloads) = (0_u64, 0, 0, 0);
    while start.elapsed() < time {
        let run = case(seed + cases)?;
        cases += 1;
        calls += run.calls;
        probes += run.probes;
        reloads += run.reloads;
        if told.elapsed() > Duration::from_secs(10) {
            told = Instant::now();
            println!(
                "soak: {cases} cases, {calls} calls, {probes} probes, {reloads} reloads so far"
            );
        }
    }
    println!(
        "soak: {cases} cases from seed {seed}, {calls} calls, {probes} probes, {reloads} reloads, held"
    );
    Ok(())
}

/// One seed: a caller alone, and threads.
fn case(seed: u64) -> Result<Run, String> {
    let policies = Policies::drawn(seed, EPOCHS);
    let roomy = policies.roomy();
    let wrong_after = |steps: u64| -> Result<Run, String> {
        let run = drive::alone(&roomy, seed, steps)?;
        match &run.wrong {
            Some(wrong) => Err(wrong.clone()),
            None => judge::judge(&policies, &run.entries).map(|_| run),
        }
    };
    let mut all = match wrong_after(STEPS) {
        Ok(run) => run,
        Err(wrong) => return Err(shortest(seed, &roomy, &wrong, wrong_after)),
    };

    let threads = 2 + usize::try_from(seed % 3).unwrap_or(0);
    let run = drive::together(&policies, seed, threads, PHASES, STEPS_OF_PHASE)?;
    let judged = run
        .wrong
        .clone()
        .map_or(Ok(0), Err)
        .and_then(|_| judge::judge(&policies, &run.entries));
    if let Err(wrong) = judged {
        let file = PathBuf::from(
            env::var_os("CARGO_TARGET_TMPDIR")
                .unwrap_or_else(|| env!("CARGO_TARGET_TMPDIR").into()),
        )
        .join(format!("soak-{seed}.journal"));
        let saved = fs::write(&file, journal::save(seed, threads, &run.entries));
        let file = file.display();
        return Err(format!(
            "seed {seed}, {threads} threads: {wrong}\n{}\nthe journal {}: judge it again with --judge {file}",
            policies.toml(0),
            saved.map_or_else(
                |error| format!("could not be saved ({error})"),
                |()| format!("is in {file}")
            ),
        ));
    }
    all.calls += run.calls;
    all.probes += run.probes;
    all.reloads += run.reloads;
    Ok(all)
}

/// A failure of one caller, cut after the fewest steps that show one. The calls of a seed do not depend on how many follow.
fn shortest(
    seed: u64,
    policies: &Policies,
    wrong: &str,
    wrong_after: impl Fn(u64) -> Result<Run, String>,
) -> String {
    let (mut passes, mut fails, mut wrong) = (0, STEPS, wrong.to_owned());
    while passes + 1 < fails {
        let middle = passes + (fails - passes) / 2;
        match wrong_after(middle) {
            Ok(_) => passes = middle,
            Err(found) => (fails, wrong) = (middle, found),
        }
    }
    let run = drive::alone(policies, seed, fails).unwrap_or_default();
    let last: Vec<String> = run
        .entries
        .iter()
        .rev()
        .take(30)
        .map(|entry| format!("{entry:?}"))
        .collect();
    format!(
        "seed {seed}, one caller, after {fails} steps: {wrong}\nagain: --case {seed}\n{}\nthe last calls, the latest first:\n{}",
        policies.toml(0),
        last.join("\n")
    )
}

fn judge_file(file: &PathBuf) -> Result<u64, String> {
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let (seed, entries) = journal::read(&text)?;
    judge::judge(&Policies::drawn(seed, EPOCHS), &entries)
}
