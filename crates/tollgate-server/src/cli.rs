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
    /// Look into the file in which a gate keeps what its limits have committed
    ///
    /// Exits with 0, and with 2 if the file cannot be used.
    #[command(subcommand)]
    Ledger(LedgerCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum LedgerCommand {
    /// Show every account as a table: one state of the file, also while a gate uses it
    ///
    /// Names of limits and accounts are shortened in the middle beyond 64 characters; as JSON they are whole
    Show(ShowArgs),
    /// Write everything as JSON: a backup, also while a gate uses the file
    Export(ExportArgs),
    /// Put accounts in, while no gate uses the file; a file that is not there is made
    ///
    /// What export has written, with what was lent then counted as spent; or, with --policy and --limit, a plain state file
    /// of one deployment: {"deployment_name": ..., "total_tokens_this_month": ..., "quota_month": "2026-11", ...}
    Import(ImportArgs),
    /// Check every page and every record, while no gate uses the file
    Verify(LedgerPlace),
    /// Make the file as small as it can be, while no gate uses it
    Compact(LedgerPlace),
}

#[derive(Debug, Args)]
pub(crate) struct LedgerPlace {
    /// The ledger's file
    pub(crate) ledger: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The ledger's file
    pub(crate) ledger: PathBuf,

    /// Only accounts of this limit
    #[arg(long, value_name = "NAME")]
    pub(crate) limit: Option<String>,

    /// Past periods too
    #[arg(long)]
    pub(crate) history: bool,

    /// How it is written
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The ledger's file
    pub(crate) ledger: PathBuf,

    /// The file to write, which must not be there yet; - is standard output
    #[arg(long, value_name = "FILE.json", default_value = "-")]
    pub(crate) to: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The ledger's file
    pub(crate) ledger: PathBuf,

    /// The file to read; - is standard input
    #[arg(long, value_name = "FILE.json")]
    pub(crate) from: PathBuf,

    /// The policy whose limit a plain state file is about
    #[arg(long, value_name = "FILE", requires = "limit")]
    pub(crate) policy: Option<PathBuf>,

    /// The limit of the policy that a plain state file is about: tokens by the calendar month
    #[arg(long, value_name = "NAME", requires = "policy")]
    pub(crate) limit: Option<String>,

    /// A scope value of the account, where the deployment's name does not say all
    #[arg(long, value_name = "NAME=VALUE", value_parser = scope, requires = "policy")]
    pub(crate) scope: Vec<(String, String)>,

    /// Put it in place of accounts and past periods that the ledger has already
    #[arg(long)]
    pub(crate) replace: bool,
}

fn scope(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err("a scope and its value with = in between would be right".to_owned()),
    }
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
