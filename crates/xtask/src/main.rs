//! `cargo xtask`: everything of this workspace that is more than one command.

mod models;
mod run;
mod trace;

use clap::Parser;
use run::{Failed, Steps};
use std::process::ExitCode;

/// Everything of this workspace that is more than one command.
#[derive(Parser)]
#[command(name = "cargo xtask", version)]
enum Task {
    /// Formatting, lints, all tests with their documentation's, and the models of every interleaving.
    Test,
    /// The models of every interleaving alone.
    Models,
    /// The pages of the crates, warnings being errors.
    Doc,
    /// Decisions of the Gate a second, and what a replay takes end to end.
    Bench,
}

fn main() -> ExitCode {
    let mut steps = Steps::default();
    let done = match Task::parse() {
        Task::Test => test(&mut steps),
        Task::Models => models::run(&mut steps),
        Task::Doc => doc(&mut steps),
        Task::Bench => steps.run("benches", "cargo", ["bench", "-p", "tollgate-benches"]),
    };
    steps.tell();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failed) => ExitCode::FAILURE,
    }
}

fn test(steps: &mut Steps) -> Result<(), Failed> {
    trace::tell(steps);
    steps.run("formatting", "cargo", ["fmt", "--all", "--check"])?;
    steps.run(
        "lints",
        "cargo",
        [
            "clippy",
            "--workspace",
            "--all-targets",
            "--all-features",
            "--",
            "--deny",
            "warnings",
        ],
    )?;
    steps.run("tests", "cargo", ["test", "--workspace", "--all-features"])?;
    doc(steps)?;
    models::run(steps)
}

fn doc(steps: &mut Steps) -> Result<(), Failed> {
    steps.run_with(
        "pages",
        "cargo",
        ["doc", "--workspace", "--all-features", "--no-deps"],
        [("RUSTDOCFLAGS", "--deny warnings".as_ref())],
    )
}
