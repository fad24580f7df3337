//! The outside journal: fixed lines, each written by one call of the system.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::Path,
};

const BYTES: usize = 7 * 8;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum What {
    /// About to ask.
    Asks = 1,
    Admitted,
    Refused,
    /// Settled with so many units.
    Settled,
    /// Found used of the agent's budget, its own first request counted.
    Found,
    /// All that was settled before this number is on disk.
    Flushed,
    /// About to settle with so many units.
    Settles,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    pub(crate) what: What,
    pub(crate) agent: u64,
    /// Names the request; rises in each process.
    pub(crate) request: u64,
    pub(crate) units: u64,
    /// Wall time before and after, by the processes' clock.
    pub(crate) wall: (i64, i64),
    /// A count of what this process has done so far.
    pub(crate) order: u64,
}

impl Line {
    fn bytes(&self) -> [u8; BYTES] {
        let numbers = [
            self.what as u64,
            self.agent,
            self.request,
            self.units,
            self.wall.0.cast_unsigned(),
            self.wall.1.cast_unsigned(),
            self.order,
        ];
        let mut bytes = [0; BYTES];
        for (place, number) in bytes.chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    fn read(bytes: &[u8]) -> Self {
        let number = |place: usize| {
            let bytes = bytes[place * 8..].first_chunk().unwrap();
            u64::from_le_bytes(*bytes)
        };
        let what = match number(0) {
            1 => What::Asks,
            2 => What::Admitted,
            3 => What::Refused,
            4 => What::Settled,
            5 => What::Found,
            6 => What::Flushed,
            7 => What::Settles,
            other => panic!("no such line: {other}"),
        };
        Self {
            what,
            agent: number(1),
            request: number(2),
            units: number(3),
            wall: (number(4).cast_signed(), number(5).cast_signed()),
            order: number(6),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Journal(File);

impl Journal {
    pub(crate) fn open(path: &Path) -> Self {
        let file = OpenOptions::new().create(true).append(true).open(path);
        Self(file.unwrap())
    }

    pub(crate) fn write(&self, line: &Line) {
        // Appending is one step, and a line is one call: lines of several threads do not mix, and a kill cuts none.
        (&self.0).write_all(&line.bytes()).unwrap();
    }
}

/// The lines of a process, which may not have come as far as to write any.
pub(crate) fn read(path: &Path) -> Vec<Line> {
    let bytes = fs::read(path).unwrap_or_default();
    bytes.chunks_exact(BYTES).map(Line::read).collect()
}
