//! The rows of a trace, and what is done about the broken ones.

use std::io::BufRead;

use crate::files::Failure;
use crate::progress::Progress;
use crate::trace::{BadRow, Row, Trace, TraceError};

/// Broken rows that are told; the rest is counted.
const TOLD: u64 = 20;

/// Rows that can be used.
pub(super) struct Rows<R> {
    trace: Trace<R>,
    name: String,
    skip: bool,
    skipped: u64,
    progress: Progress,
}

impl<R: BufRead> Rows<R> {
    /// Rows of `trace`, whose file has this `name`. Broken ones are passed over if `skip`, else they end it all.
    pub(super) fn new(trace: Trace<R>, name: String, skip: bool, progress: Progress) -> Self {
        Self {
            trace,
            name,
            skip,
            skipped: 0,
            progress,
        }
    }

    /// Reads the next good row; `false` at the end.
    pub(super) fn read(&mut self, row: &mut Row) -> Result<bool, Failure> {
        loop {
            let read = self.trace.read(row);
            self.progress.row(self.trace.bytes());
            match read {
                Ok(more) => return Ok(more),
                Err(TraceError::Row(bad)) => self.bad(bad)?,
                Err(error) => return Err(Failure::with(&self.name, error)),
            }
        }
    }

    /// Passes over a broken row, or ends with it.
    pub(super) fn bad(&mut self, bad: BadRow) -> Result<(), Failure> {
        if !self.skip {
            return Err(Failure::with(&self.name, bad));
        }
        if self.skipped < TOLD {
            self.progress
                .say(&format!("warning: {}: {bad}; skipped", self.name));
        }
        self.skipped += 1;
        Ok(())
    }

    /// How many broken rows there were.
    pub(super) fn finish(self) -> u64 {
        if let Some(more) = self.skipped.checked_sub(TOLD).filter(|more| *more > 0) {
            self.progress
                .say(&format!("warning: {}: {more} more rows skipped", self.name));
        }
        self.skipped
    }
}
