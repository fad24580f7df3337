//! The mutants that `cargo mutants` makes of the concurrent crates, held to their plain tests. It knows operators and
//! return values; orderings, exchanges and the order of steps are what the patches of `mutants` are for.

use super::{Depth, Outcome, Part, Run};
use std::{fs, path::Path, process::Command, time::Duration};

pub(crate) const PART: Part = Part {
    name: "cargo-mutants",
    shows: "what cargo mutants makes of the concurrent crates is caught by their tests",
    from: Depth::Full,
    run,
};

/// Files of the protocols: everything else is for the plain tests to judge, and would take a day.
const FILES: [&str; 6] = [
    "crates/tollgate-core/src/sharded/*.rs",
    "crates/tollgate-core/src/limiter/cell*.rs",
    "crates/tollgate-window/src/*/cell.rs",
    "crates/tollgate-window/src/fixed/counter.rs",
    "crates/tollgate-quota/src/rate/*.rs",
    "crates/tollgate-table/src/c*.rs",
];

/// Where the tool leaves what it found, as lists of mutants by outcome.
const OUT: &str = "target/cargo-mutants";

/// It is stopped after this time, and says how far it came.
const LIMIT: Duration = Duration::from_secs(3600);

fn run(run: &Run) -> Outcome {
    let version = Command::new("cargo")
        .args(["mutants", "--version"])
        .output();
    if !version.is_ok_and(|output| output.status.success()) {
        return Outcome::skipped("cargo install --locked cargo-mutants");
    }
    let mut cargo = Command::new("cargo");
    cargo.args(["mutants", "--no-shuffle", "--output", OUT]);
    for file in FILES {
        cargo.args(["--file", file]);
    }
    let ended = run.program(&mut cargo, LIMIT, |line| run.say(line));
    let found = Path::new(OUT).join("mutants.out");
    let (caught, missed) = (list(&found, "caught.txt"), list(&found, "missed.txt"));
    run.show(&format!("not caught:\n{}", missed.join("\n")));
    let tried = caught.len() + missed.len();
    let explored = format!("{} of {tried} mutants caught", caught.len());
    let executions = Some(tried as u64);
    match ended {
        _ if tried == 0 => Outcome::failed(explored, executions, "no mutant was tried"),
        _ if !missed.is_empty() => Outcome::failed(explored, executions, missed.join("\n")),
        Err(why) => Outcome::failed(explored, executions, why),
        Ok(_) => Outcome::passed(explored, executions),
    }
}

fn list(folder: &Path, name: &str) -> Vec<String> {
    let text = fs::read_to_string(folder.join(name)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}
