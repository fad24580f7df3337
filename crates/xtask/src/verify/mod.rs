//! `cargo xtask verify`: everything that checks Tollgate's claims, for whoever wants to see it themselves.
//!
//! Parts are run one after the other, each telling how far it is; a table at the end says of each what was explored,
//! how many executions that took, the time and the verdict. Any failure makes the exit code non-zero. A part whose tool
//! is missing is *skipped*, and says how to get it: that is told apart from passing.
//!
//! # Adding a part
//!
//! 1. A file of its own in this folder, with `pub(crate) const PART: Part`, and its line in [`PARTS`], which is the order
//!    of the table. `Part::from` says whether `--quick` (CI; at most six minutes in all on two cores) has it too, or
//!    only `--full`. A part that is named on the command line is run whichever it is.
//! 2. Its `run` is given a [`Run`] and returns an [`Outcome`]: `passed` with what was explored, `failed` with why, or
//!    `skipped` with how to get what is missing. `run.quick()` says how deep to go.
//! 3. Programs are started with [`Run::program`], which hands over every line of their output as it comes, and stops
//!    them when their time is over. [`Run::say`] tells progress. Test programs are best built first and then run on
//!    their own (see [`suite`]), since stopping `cargo test` leaves its child alive.
//! 4. What waits or runs on one core goes beside others of its kind: a [`Run`] is shared by threads, and [`at_once`] works
//!    through a list.
//! 5. A table of the part's own is told with [`Run::show`], which the end of the run repeats above the closing table.

mod cargo_mutants;
#[cfg(test)]
mod claims;
mod copy;
mod coverage;
mod instrumented;
mod kills;
mod leases;
mod linearizability;
mod mixes;
mod models;
mod mutants;
mod oracles;
mod outcome;
mod peers;
mod plain;
mod program;
mod restarts;
mod sanitizers;
mod soak;
mod suite;
mod targets;
#[cfg(test)]
mod tree;

use crate::run::{Failed, Steps};
use clap::Args;
use outcome::{Outcome, Verdict};
use std::{
    collections::VecDeque,
    fmt::Write as _,
    iter, panic,
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// All parts, in the order of the table.
const PARTS: &[Part] = &[
    plain::PART,
    models::PART,
    mixes::SHUTTLE,
    mixes::THREADS,
    linearizability::PART,
    oracles::PART,
    sanitizers::PART,
    mutants::PART,
    cargo_mutants::PART,
    coverage::PART,
    soak::PART,
    restarts::PART,
    peers::PART,
    leases::PART,
    kills::PART,
];

/// What is verified, and how deep.
#[derive(Args, Default)]
pub(crate) struct Verify {
    /// At most six minutes on two cores; this is the default.
    #[arg(long)]
    quick: bool,
    /// About an hour.
    #[arg(long, conflicts_with = "quick")]
    full: bool,
    /// Where random parts begin; they print the seed with which a failure comes again.
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,
    /// How long the soak goes on.
    #[arg(long, value_name = "MINUTES")]
    minutes: Option<f64>,
    /// Only these parts; `list` lists them.
    #[arg(value_name = "PART")]
    parts: Vec<String>,
}

/// How deep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Depth {
    Quick,
    Full,
}

/// One kind of check.
pub(crate) struct Part {
    /// As it is named on the command line.
    pub(crate) name: &'static str,
    /// What it shows, in a line.
    pub(crate) shows: &'static str,
    /// `Quick` if every run has it, `Full` if only full ones have.
    pub(crate) from: Depth,
    pub(crate) run: fn(&Run) -> Outcome,
}

/// What a part is given.
pub(crate) struct Run {
    depth: Depth,
    seed: Option<u64>,
    minutes: Option<f64>,
    is_alone: bool,
    part: &'static str,
    start: Instant,
    shown: Mutex<String>,
}

impl Run {
    fn new(depth: Depth, verify: &Verify, part: &'static str) -> Self {
        Self {
            depth,
            seed: verify.seed,
            // As long as a soak is likely to be wished for: a year.
            minutes: verify.minutes.map(|minutes| minutes.clamp(0.0, 525_600.0)),
            is_alone: verify.parts.len() == 1,
            part,
            start: Instant::now(),
            shown: Mutex::default(),
        }
    }

    /// Whether minutes must do.
    pub(crate) fn quick(&self) -> bool {
        self.depth == Depth::Quick
    }

    /// The seed that was asked for.
    pub(crate) fn seed(&self) -> Option<u64> {
        self.seed
    }

    /// The seed with which random histories begin: the one that was asked for; else `quick`, the same in each quick run, and in full ones
    /// another each day, which leaves a million for that.
    pub(crate) fn first_seed(&self, quick: u64) -> u64 {
        let usual = if self.quick() {
            quick
        } else {
            mutants::day() * 1_000_000
        };
        self.seed.unwrap_or(usual)
    }

    /// How long the soak is to go on, if that was said.
    pub(crate) fn minutes(&self) -> Option<f64> {
        self.minutes
    }

    /// Whether nothing else was asked for, so that it may take as long as it takes.
    pub(crate) fn is_alone(&self) -> bool {
        self.is_alone
    }

    /// Tells how far the part is.
    pub(crate) fn say(&self, progress: &str) {
        eprintln!(
            "[{} {:>4} s] {progress}",
            self.part,
            self.start.elapsed().as_secs()
        );
    }

    /// Tells something that is also to be read at the end.
    pub(crate) fn show(&self, table: &str) {
        eprintln!("{table}");
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = writeln!(shown, "{}:\n{}\n", self.part, table.trim_end());
    }
}

/// Runs the parts and tells the table.
pub(crate) fn run(steps: &mut Steps, verify: &Verify) -> Result<(), Failed> {
    let depth = if verify.full {
        Depth::Full
    } else {
        Depth::Quick
    };
    let parts = match chosen(depth, &verify.parts) {
        Ok(parts) => parts,
        Err(known) => {
            eprintln!("{known}");
            return Err(Failed);
        }
    };
    let (mut shown, mut rows) = (String::new(), Vec::new());
    for part in parts {
        eprintln!("\n== {}: {}", part.name, part.shows);
        let run = Run::new(depth, verify, part.name);
        let outcome = (part.run)(&run);
        if let Verdict::Failed(why) = &outcome.verdict {
            eprintln!("{why}\n{} FAILED", part.name);
        }
        let took = run.start.elapsed();
        steps.note(
            &format!("verify {}", part.name),
            outcome.verdict.short(),
            took,
        );
        shown += &run
            .shown
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        rows.push((part.name, outcome, took));
    }
    let table = table(&rows);
    eprintln!("\n{shown}{table}");
    let failed = rows
        .iter()
        .any(|(_, outcome, _)| matches!(outcome.verdict, Verdict::Failed(_)));
    if failed { Err(Failed) } else { Ok(()) }
}

/// Does `work` with each of `items`, as many at once as there are `places` to do it in. Returns what came of it, in no order.
pub(crate) fn at_once<P: Sync, T: Send, R: Send>(
    places: &[P],
    items: impl IntoIterator<Item = T>,
    work: impl Fn(&P, T) -> R + Sync,
) -> Vec<R> {
    let waiting = Mutex::new(items.into_iter().collect::<VecDeque<_>>());
    let next = || {
        waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    };
    let (next, work) = (&next, &work);
    thread::scope(|scope| {
        let work_through = |place| {
            scope.spawn(move || {
                iter::from_fn(next)
                    .map(|item| work(place, item))
                    .collect::<Vec<_>>()
            })
        };
        let working: Vec<_> = places.iter().map(work_through).collect();
        let ended = working.into_iter().flat_map(|thread| {
            thread
                .join()
                .unwrap_or_else(|panic| panic::resume_unwind(panic))
        });
        ended.collect()
    })
}

/// The parts of this run, or what there is to choose from.
fn chosen(depth: Depth, named: &[String]) -> Result<Vec<&'static Part>, String> {
    let named_or_deep = |part: &&Part| {
        if named.is_empty() {
            part.from <= depth
        } else {
            named.iter().any(|name| name == part.name)
        }
    };
    let unknown = named
        .iter()
        .find(|name| PARTS.iter().all(|part| part.name != **name));
    if unknown.is_none() {
        return Ok(PARTS.iter().filter(named_or_deep).collect());
    }
    let mut known = String::from("the parts are:\n");
    for part in PARTS {
        let depth = match part.from {
            Depth::Quick => "",
            Depth::Full => " (not in --quick)",
        };
        let _ = writeln!(known, "  {:<16} {}{depth}", part.name, part.shows);
    }
    Err(known)
}

fn table(rows: &[(&str, Outcome, Duration)]) -> String {
    let widest = rows
        .iter()
        .map(|(_, outcome, _)| outcome.explored.chars().count())
        .max();
    let wide = widest.unwrap_or(0).max("explored".len());
    let mut table = String::new();
    let _ = writeln!(
        table,
        "{:<16} {:<wide$} {:>14} {:>9}  verdict",
        "part", "explored", "executions", "time"
    );
    for (name, outcome, took) in rows {
        let executions = outcome
            .executions
            .map_or_else(|| "-".to_owned(), |count| count.to_string());
        let _ = writeln!(
            table,
            "{name:<16} {:<wide$} {executions:>14} {:>7.1} s  {}",
            outcome.explored,
            took.as_secs_f64(),
            outcome.verdict.short()
        );
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_has_a_name_of_its_own() {
        for (place, part) in PARTS.iter().enumerate() {
            assert!(
                PARTS[..place].iter().all(|other| other.name != part.name),
                "{}",
                part.name
            );
        }
    }

    #[test]
    fn each_item_is_worked_on_once_in_some_place() {
        let mut done = at_once(&[1, 2], 0..50, |place, item| (item, *place));
        done.sort_unstable();
        assert!(done.iter().map(|(item, _)| *item).eq(0..50));
        assert!(done.iter().all(|(_, place)| [1, 2].contains(place)));
    }

    #[test]
    fn an_unknown_part_lists_those_there_are() {
        let Err(known) = chosen(Depth::Quick, &["no such".to_owned()]) else {
            panic!("it is unknown");
        };
        assert!(known.contains("models"));
    }

    #[test]
    fn a_skipped_part_is_not_told_as_passed() {
        let rows = [("x", Outcome::skipped("apt-get install x"), Duration::ZERO)];
        let table = table(&rows);
        assert!(table.contains("skipped: apt-get install x"));
        assert!(!table.contains("passed"));
    }
}
