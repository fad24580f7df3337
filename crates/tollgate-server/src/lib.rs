//! The `tollgate` program: replay a trace through a policy, check a policy, look into a ledger.
//!
//! Exit codes: 0, 1 when a replay found a law broken, 2 when the input cannot be used.
//!
//! The program is [`main`]; what reads its input, [`trace`] and [`decimal`], may be used by itself.

mod books;
mod check;
mod cli;
pub mod decimal;
mod decisions;
mod figures;
mod files;
mod hold;
mod ledger;
mod plot;
mod progress;
mod replay;
mod report;
mod rules;
mod run;
mod sample;
mod timeline;
pub mod trace;
mod units;

use std::process::ExitCode;

use clap::Parser;

/// Does what the command line asks, and returns the exit code.
#[must_use]
pub fn main() -> ExitCode {
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
