//! The benches: everybody side by side, in interleaved rounds.

use crate::{
    BENCHES,
    run::{Failed, Steps},
};
use clap::Args;
use std::{
    env,
    path::PathBuf,
    process::{Command, Stdio},
};

/// How much is measured.
#[derive(Args)]
pub(crate) struct Bench {
    /// A few minutes instead of three quarters of an hour.
    #[arg(long)]
    quick: bool,
    /// Seconds: shows only that everything runs and answers right. Writes its page to the target folder.
    #[arg(long, conflicts_with = "quick")]
    smoke: bool,
    /// Only groups whose name begins so, or the parts `answers`, `load`, `memory`, `flood` and `tail`; may be given more
    /// than once. Keeps what was measured before, and writes its page to the target folder.
    #[arg(long, value_name = "BEGINNING")]
    only: Vec<String>,
    /// Measures nothing; writes the page again from the figures of the last run, and of its pieces.
    #[arg(long)]
    again: bool,
}

/// Builds and runs them; the page and its pictures are written to `benches/`.
pub(crate) fn run(steps: &mut Steps, bench: &Bench) -> Result<(), Failed> {
    let package = ["--package", BENCHES, "--features", "peers"];
    let build = [
        "build",
        "--profile",
        "bench",
        "--bin",
        "results",
        "--bin",
        "memory",
    ];
    steps.run("benches, built", "cargo", build.into_iter().chain(package))?;

    let programs = programs();
    let results = programs.join("results").display().to_string();
    let figures = if bench.smoke {
        "smoke.json"
    } else {
        "results.json"
    };
    let figures = programs.join(figures).display().to_string();
    let aside = programs.join("bench").display().to_string();
    let mut arguments = vec!["--figures", &figures];
    for (given, name) in [
        (bench.quick, "--quick"),
        (bench.smoke, "--smoke"),
        (bench.again, "--again"),
    ] {
        if given {
            arguments.push(name);
        }
    }
    for only in &bench.only {
        arguments.extend(["--only", only]);
    }
    if bench.smoke || !bench.only.is_empty() {
        arguments.extend(["--out", &aside]);
    }
    if bench.smoke || !real_time() {
        if !bench.smoke {
            steps.skipped(
                "real-time priority",
                "`chrt -f 5` is not permitted; other work will show",
            );
        }
        return steps.run("benches", &results, arguments);
    }
    let chrt = ["-f", "5", results.as_str()];
    steps.run("benches", "chrt", chrt.into_iter().chain(arguments))
}

/// Where the bench profile leaves programs.
pub(crate) fn programs() -> PathBuf {
    PathBuf::from(env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
        .join("release")
}

/// Whether programs may run ahead of all others.
fn real_time() -> bool {
    Command::new("chrt")
        .args(["-f", "5", "true"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
