//! A progress bar, for a trace that takes long and a terminal that shows it.

use indicatif::{ProgressBar, ProgressStyle};

use crate::figures::plain;

/// Rows between two looks at the bar.
const EVERY: u64 = 1 << 12;

/// Follows the bytes of a trace. Hidden where standard error is no terminal.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    rows: u64,
}

impl Progress {
    /// For a trace of `length` bytes, or of unknown length.
    pub(crate) fn new(length: Option<u64>) -> Self {
        let (bar, style) = match length {
            Some(length) => (
                ProgressBar::new(length),
                "{wide_bar} {percent:>3} % {eta:>4} left",
            ),
            None => (ProgressBar::new_spinner(), "{spinner} {bytes} in {elapsed}"),
        };
        // A template that does not parse would be a mistake of this file; the default bar does then.
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        Self { bar, rows: 0 }
    }

    /// One more row was read, up to `bytes`.
    pub(crate) fn row(&mut self, bytes: u64) {
        self.rows += 1;
        if self.rows.is_multiple_of(EVERY) {
            self.bar.set_position(bytes);
        }
    }

    /// Writes a line, made plain, to standard error without breaking the bar.
    pub(crate) fn say(&self, line: &str) {
        self.bar.suspend(|| eprintln!("{}", plain(line)));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
