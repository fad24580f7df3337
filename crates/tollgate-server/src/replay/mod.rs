//! Feeding a trace through a gate, on a clock that only the trace moves.
//!
//! Rows ask in file order, each at its own time, which may step back: an old one is only judged more strictly. (A calendar
//! counts it in the period that had begun, and the report says how many it did so.) What is admitted settles at the
//! row's time plus its hold; settlements due at or before a row's time happen first, by time and then by
//! row. Slots, fixed windows and calendars begin where they do by the clock of the wall, in UTC or the
//! zone of the policy.

mod pending;
mod rows;
mod run;
#[cfg(test)]
mod tests;

use std::io::{BufRead, Write};
use std::time::Instant;

use tollgate_core::{ManualClock, Wall};
use tollgate_policy::{Gate, PolicyErrors, PolicyFile};

use self::rows::Rows;
use self::run::Run;
use crate::decimal::Factor;
use crate::decisions::Decisions;
use crate::files::Failure;
use crate::hold::Holds;
use crate::progress::Progress;
use crate::report::Report;
use crate::trace::{Row, Trace};

/// What a replay is told.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) trace_name: String,
    pub(crate) policy_name: String,
    pub(crate) policy: String,
    pub(crate) estimate: Factor,
    pub(crate) holds: Holds,
    /// Whether every decision is checked against the laws.
    pub(crate) laws: bool,
    pub(crate) skip_bad_rows: bool,
}

/// A gate for the policy `text`, whose clock stands at `epoch_ns` since 1970.
pub(crate) fn gate(text: &str, epoch_ns: i64) -> Result<Gate, PolicyErrors> {
    let clock = ManualClock::new();
    clock.set_wall(Wall::new(epoch_ns));
    Gate::builder().clock(clock).without_ledger().build(text)
}

/// Replays `trace`, and writes decisions where they are wanted.
pub(crate) fn replay<R: BufRead, W: Write>(
    trace: Trace<R>,
    settings: Settings,
    file: &PolicyFile,
    decisions: Option<&mut Decisions<W>>,
    progress: Progress,
) -> Result<Report, Failure> {
    let started = Instant::now();
    let mut rows = Rows::new(
        trace,
        settings.trace_name.clone(),
        settings.skip_bad_rows,
        progress,
    );
    let mut row = Row::default();
    let mut more = rows.read(&mut row)?;
    let mut run = Run::new(
        settings,
        file,
        decisions,
        if more { row.wall_ns } else { 0 },
    )?;
    while more {
        if let Some(problem) = run.row(&row)? {
            rows.bad(row.bad(problem))?;
        }
        more = rows.read(&mut row)?;
    }
    let skipped = rows.finish();
    Ok(run.finish(skipped, started))
}
