//! `cargo xtask`: everything of this workspace that is more than one command.

mod bench;
mod icount;
mod run;
mod trace;
mod verify;

use bench::Bench;
use clap::Parser;
use icount::Icount;
use run::{Failed, Steps};
use std::process::ExitCode;
use verify::Verify;

/// The package of the benches.
const BENCHES: &str = "tollgate-benches";

/// Which packages and features are tested: the same wherever it is, or cargo would build what they share again.
const ALL: [&str; 4] = ["--workspace", "--exclude", BENCHES, "--all-features"];

/// Everything of this workspace that is more than one command.
#[derive(Parser)]
#[command(name = "cargo xtask", version)]
enum Task {
    /// Formatting, lints, all tests with their documentation's, and `verify --quick`.
    Test,
    /// All that checks Tollgate's claims: models, histories, oracles, mutants and more, with a closing table.
    Verify(Verify),
    /// The pages of the crates, warnings being errors.
    Doc,
    /// Everybody side by side; writes `benches/RESULTS.md` and its pictures.
    Bench(Bench),
    /// Instructions of the hot functions, held to what is recorded.
    Icount(Icount),
}

fn main() -> ExitCode {
    let mut steps = Steps::default();
    let done = match Task::parse() {
        Task::Test => test(&mut steps),
        Task::Verify(verify) => verify::run(&mut steps, &verify),
        Task::Doc => doc(&mut steps),
        Task::Bench(bench) => bench::run(&mut steps, &bench),
        Task::Icount(icount) => icount::run(&mut steps, &icount),
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
    // The benches' feature `peers` builds everybody we compare with, which only benches are worth.
    let all = ALL;
    let benches = ["--package", BENCHES, "--features", "report"];
    for (name, what) in [("lints", &all[..]), ("lints of the benches", &benches)] {
        let lints = ["clippy", "--all-targets"].iter().chain(what);
        let lints = lints.chain(&["--", "--deny", "warnings"]).copied();
        steps.run(name, "cargo", lints)?;
    }
    let tests = ["test"].iter().chain(&benches).copied();
    steps.run("tests of the benches", "cargo", tests)?;
    // All else is built with ledgers.
    let without = [
        "test",
        "--package",
        "tollgate-policy",
        "--test",
        "without_ledger",
    ];
    steps.run("tests without features", "cargo", without)?;
    icount::run_if_possible(steps)?;
    doc(steps)?;
    verify::run(steps, &Verify::default())
}

fn doc(steps: &mut Steps) -> Result<(), Failed> {
    steps.run_with(
        "pages",
        "cargo",
        [
            "doc",
            "--workspace",
            "--exclude",
            BENCHES,
            "--all-features",
            "--no-deps",
        ],
        [("RUSTDOCFLAGS", "--deny warnings".as_ref())],
    )
}
