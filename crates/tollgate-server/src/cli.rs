//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::decimal::{self, Factor};
use crate::hold::Distribution;

/// Exact limits for requests: replay a trace through a policy, check a policy.
#[derive(Debug, Parser)]
#[command(name = "tollgate", version, about)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Feed a recorded trace through a policy, and report what it would have done
    ///
    /// Each row of the trace asks at its own time. A trace is CSV with a header, or JSON lines, with
    /// TIMESTAMP, ContextTokens and GeneratedTokens, if wanted CostMicroUsd and class, and any further
    /// columns as scope values (agent, provider, model, ...).
    ///
    /// Exits with 0, with 1 if a law was broken, and with 2 if the input cannot be used.
    Replay(Box<ReplayArgs>),
    /// Validate a policy, and print the worst burst that each limit allows
    ///
    /// Exits with 0, and with 2 if the policy is not valid.
    Check(CheckArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The policy file (TOML); - reads standard input
    #[arg(long, value_name = "FILE", required_unless_present = "sample")]
    pub(crate) policy: Option<PathBuf>,

    /// The trace (CSV or JSON lines); - reads standard input
    #[arg(long, value_name = "FILE", required_unless_present = "sample")]
    pub(crate) trace: Option<PathBuf>,

    /// Replay a made day of five agents, under a policy of its own unless --policy gives one
    #[arg(long, conflicts_with = "trace")]
    pub(crate) sample: bool,

    /// How the report is written to standard output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,

    /// Write every decision to this file, as CSV: row,timestamp,decision,limit,retry_after_ns
    #[arg(long, value_name = "FILE.csv")]
    pub(crate) decisions: Option<PathBuf>,

    /// Draw requests and usage over time into this file, as SVG
    #[arg(long, value_name = "FILE.svg")]
    pub(crate) plot: Option<PathBuf>,

    /// How long an admitted request stays open before it settles
    ///
    /// It settles as soon as a row comes whose time is its due time or later. With 0 that is the time of its own
    /// row, so a row after it that steps back in time finds it still open.
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = decimal::seconds, allow_negative_numbers = true)]
    pub(crate) hold: Duration,

    /// How holds are spread about --hold
    #[arg(long, value_enum, default_value_t = Distribution::Fixed)]
    pub(crate) hold_distribution: Distribution,

    /// The seed of random holds
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        allow_negative_numbers = true
    )]
    pub(crate) seed: u64,

    /// Estimates are this many times the truth, each class rounded up; a request stays one request
    #[arg(
        long,
        value_name = "FACTOR",
        default_value = "1",
        allow_negative_numbers = true
    )]
    pub(crate) estimate: Factor,

    /// What to do about a row that cannot be read, or that the policy cannot judge
    #[arg(long, value_enum, default_value_t = OnBadRow::Stop)]
    pub(crate) on_bad_row: OnBadRow,

    /// Whether every decision is checked against the laws; off is faster
    #[arg(long, value_enum, default_value_t = Switch::On)]
    pub(crate) laws: Switch,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The policy file (TOML); - reads standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// One JSON object
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnBadRow {
    /// Warn, leave it out and count it
    Skip,
    /// Stop with an error
    Stop,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    On,
    Off,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
