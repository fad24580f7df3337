//! The commands.

use std::fs::File;
use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tollgate_policy::{PolicyErrors, PolicyFile};

use crate::check;
use crate::cli::{CheckArgs, Cli, Command, Format, OnBadRow, ReplayArgs, Switch};
use crate::decisions::Decisions;
use crate::files::{self, Failure};
use crate::hold::Holds;
use crate::ledger;
use crate::plot;
use crate::progress::Progress;
use crate::replay::{self, Settings};
use crate::sample;
use crate::trace::Trace;

pub(crate) fn run(cli: Cli) -> Result<ExitCode, Failure> {
    match cli.command {
        Command::Replay(args) => replay(*args),
        Command::Check(args) => check(&args),
        Command::Ledger(command) => ledger::run(command),
    }
}

fn check(args: &CheckArgs) -> Result<ExitCode, Failure> {
    let (name, text) = (
        files::shown(&args.policy),
        files::read_policy(&args.policy)?,
    );
    let file = policy(&name, &text)?;
    say(&check::render(&name, &file))?;
    Ok(ExitCode::SUCCESS)
}

fn replay(args: ReplayArgs) -> Result<ExitCode, Failure> {
    if args.policy.as_deref().is_some_and(files::is_stdin)
        && args.trace.as_deref().is_some_and(files::is_stdin)
    {
        return Err(Failure(
            "--policy and --trace both read standard input; a file for one would be right".into(),
        ));
    }
    let (policy_name, text) = match &args.policy {
        Some(path) => (files::shown(path), files::read_policy(path)?),
        None => ("the sample policy".into(), sample::POLICY.into()),
    };
    let file = policy(&policy_name, &text)?;
    let (trace_name, input, length): (String, Box<dyn BufRead>, Option<u64>) = match &args.trace {
        Some(path) => {
            let (input, length) = files::open_trace(path)?;
            (files::shown(path), input, length)
        }
        None => {
            let text = sample::trace();
            let length = text.len() as u64;
            (
                "the sample trace".into(),
                Box::new(io::Cursor::new(text)),
                Some(length),
            )
        }
    };
    // Outputs are opened before the work, so that one that cannot be written is told at once.
    let outputs = Outputs::create(&args)?;
    let trace = Trace::new(input).map_err(|error| Failure::with(&trace_name, error))?;
    let settings = Settings {
        trace_name,
        policy_name,
        policy: text,
        estimate: args.estimate,
        holds: Holds::new(args.hold, args.hold_distribution, args.seed),
        laws: args.laws == Switch::On,
        skip_bad_rows: args.on_bad_row == OnBadRow::Skip,
    };
    let Outputs {
        mut decisions,
        plot,
    } = outputs;
    let report = replay::replay(
        trace,
        settings,
        &file,
        decisions.as_mut(),
        Progress::new(length),
    )?;
    if let Some(decisions) = decisions {
        decisions.finish()?;
    }
    if let Some((path, mut output)) = plot {
        let fail = |error: &dyn std::fmt::Display| Failure::with(path.display(), error);
        let svg = plot::render(&report).map_err(|error| fail(&error))?;
        files::empty(&output)
            .and_then(|()| output.write_all(svg.as_bytes()))
            .map_err(|error| fail(&error))?;
    }
    match args.format {
        Format::Text => say(&report.to_text())?,
        Format::Json => say(&report
            .to_json()
            .map_err(|error| Failure(error.to_string()))?)?,
    }
    Ok(if report.lawful() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The files that a replay writes.
struct Outputs {
    decisions: Option<Decisions<File>>,
    plot: Option<(PathBuf, File)>,
}

impl Outputs {
    fn create(args: &ReplayArgs) -> Result<Self, Failure> {
        let inputs = args.policy.iter().chain(&args.trace);
        let mut used: Vec<(&Path, &str)> = inputs
            .map(|path| (path.as_path(), "read as input too"))
            .collect();
        let decisions = match &args.decisions {
            Some(path) => Some(Decisions::new(
                path.display().to_string(),
                files::create(path, &used)?,
            )?),
            None => None,
        };
        used.extend(
            args.decisions
                .as_deref()
                .map(|path| (path, "written already")),
        );
        let plot = match &args.plot {
            Some(path) => Some((path.clone(), files::open_to_write(path, &used)?)),
            None => None,
        };
        Ok(Self { decisions, plot })
    }
}

/// Reads a policy and tries it out.
fn policy(name: &str, text: &str) -> Result<PolicyFile, Failure> {
    let fail = |errors: PolicyErrors| Failure::policy(name, &errors);
    let file = PolicyFile::parse(text).map_err(fail)?;
    replay::gate(text, 0).map_err(fail)?;
    Ok(file)
}

/// Writes to standard output. A reader that has gone away wants no more, which is no failure.
fn say(text: &str) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    match output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush())
    {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.map_err(|error| Failure::with("standard output", error)),
    }
}
