//! The `tollgate` program: replay a trace through a policy, check a policy.
//!
//! Exit codes: 0, 1 when a replay found a law broken, 2 when the input cannot be used.

mod books;
mod check;
mod cli;
mod decimal;
mod decisions;
mod figures;
mod files;
mod hold;
mod plot;
mod progress;
mod replay;
mod report;
mod rules;
mod run;
mod sample;
mod timeline;
mod trace;
mod units;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match run::run(cli::Cli::parse()) {
        Ok(code) => code,
        Err(failure) => {
            for line in failure.0.lines() {
                eprintln!("error: {line}");
            }
            ExitCode::from(2)
        }
    }
}
