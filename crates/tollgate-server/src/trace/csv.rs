//! Rows of a CSV file.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read};

use csv::{ByteRecord, Reader, ReaderBuilder};

use super::row::{Row, amount};
use super::{BadRow, MAX_ROW_BYTES, Role, TraceError, lacking, timestamp};

/// A CSV reader with its header's meaning.
#[derive(Debug)]
pub(super) struct CsvRows<R> {
    reader: Reader<Watched<R>>,
    record: ByteRecord,
    columns: Vec<(String, Role)>,
    rows: u64,
    /// Line ends before the last line of the current record.
    lines: u64,
}

impl<R: BufRead> CsvRows<R> {
    /// Reads the header. `lines_before` is how many empty lines were passed before it.
    pub(super) fn new(input: R, lines_before: u64) -> Result<Self, TraceError> {
        let mut rows = Self {
            reader: ReaderBuilder::new()
                .has_headers(false)
                .flexible(true)
                .buffer_capacity(1 << 16)
                .from_reader(Watched::new(input)),
            record: ByteRecord::new(),
            columns: Vec::new(),
            rows: 0,
            lines: lines_before,
        };
        rows.next_record().map_err(|error| match error {
            TraceError::OpenQuote { line, .. } => TraceError::Header {
                line,
                problem:
                    "a quote opens in the header and never closes; a closing one would be right"
                        .into(),
            },
            TraceError::Row(BadRow { line, problem, .. }) => TraceError::Header {
                line,
                problem: format!("the header {problem}"),
            },
            TraceError::Endless { line, .. } => TraceError::Header {
                line,
                problem: format!(
                    "the header is longer than {MAX_ROW_BYTES} bytes; is a quote left open there?"
                ),
            },
            other => other,
        })?;
        rows.columns = columns(&rows.record).map_err(|problem| TraceError::Header {
            line: rows.line(),
            problem,
        })?;
        Ok(rows)
    }

    pub(super) fn read(&mut self, row: &mut Row) -> Result<bool, TraceError> {
        let more = self.next_record();
        if let Ok(true) | Err(TraceError::Row(_)) = &more {
            self.rows += 1;
        }
        if !more? {
            return Ok(false);
        }
        row.clear(self.rows, self.line());
        match fill(row, &self.record, &self.columns) {
            Ok(()) => Ok(true),
            Err(problem) => Err(TraceError::Row(BadRow {
                row: row.number,
                line: row.line,
                problem,
            })),
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        let watched = self.reader.get_ref();
        let whole = watched.end.unwrap_or(watched.bytes);
        self.reader.position().byte().min(whole) + watched.passed_over
    }

    /// The line on which the current record starts.
    fn line(&self) -> u64 {
        let inside = self
            .record
            .as_slice()
            .iter()
            .filter(|&&b| b == b'\n')
            .count();
        self.lines + 1 - inside as u64
    }

    fn next_record(&mut self) -> Result<bool, TraceError> {
        let start = self.reader.position().byte();
        self.reader.get_mut().begin_row(start);
        let read = self.reader.read_byte_record(&mut self.record);
        match read {
            Ok(more) => {
                let end = self.reader.position().byte();
                // The byte before `end` ends the record, be it a line feed or a carriage return.
                self.lines += self.reader.get_mut().lines_before(end.saturating_sub(1));
                let is_long =
                    self.reader.get_ref().is_cut || self.record.as_slice().len() > MAX_ROW_BYTES;
                if more && is_long {
                    return Err(TraceError::Row(BadRow {
                        row: self.rows + 1,
                        line: self.line(),
                        problem: format!(
                            "is longer than {MAX_ROW_BYTES} bytes; shorter would be right"
                        ),
                    }));
                }
                if !more || !self.reader.get_ref().is_in_tail(end) {
                    return Ok(more);
                }
                if self.record.len() == 1 && self.record[0].is_empty() {
                    // The tail's own record: all before it was closed.
                    return Ok(false);
                }
                Err(TraceError::OpenQuote {
                    row: self.rows + 1,
                    // The record took in the line feed that ends it as well.
                    line: self.line() + 1,
                })
            }
            Err(_) if self.reader.get_ref().left == 0 => {
                // The line feed of the last record's CR LF may still stand there.
                self.lines += self.reader.get_mut().lines_before(start + 1);
                Err(TraceError::Endless {
                    row: self.rows + 1,
                    line: self.lines + 1,
                })
            }
            Err(error) => Err(TraceError::Io(error.into())),
        }
    }
}

/// Handed on behind the last byte. After a row that is whole it is a row of one empty field; within quotes it is
/// part of the field, and leaves them open.
const TAIL: &[u8] = b"\n\"\"\n";

/// Does for the CSV reader what it does not: bounds a row, knows its line, and tells quotes that never close.
///
/// The reader would collect a row of any length, and its own line count stands before the empty lines
/// and the line feed of a CR LF that it passes over only with the next record.
#[derive(Debug)]
struct Watched<R> {
    input: R,
    /// Bytes that may still be handed on.
    left: usize,
    /// Where the row starts.
    start: u64,
    /// Where the last quote stands that was handed on.
    quote: Option<u64>,
    /// Whether the rest of the row's line was passed over, since it was too long. Without quotes the next row is known
    /// to start on the next line.
    is_cut: bool,
    /// Bytes of all rows that were passed over.
    passed_over: u64,
    /// Bytes handed on, the tail included.
    bytes: u64,
    /// Where the input ended, once it has.
    end: Option<u64>,
    /// Where line feeds stand that were handed on and not yet counted: no more than one row and one
    /// buffer may hold.
    line_feeds: VecDeque<u64>,
}

impl<R> Watched<R> {
    fn new(input: R) -> Self {
        Self {
            input,
            left: 0,
            start: 0,
            quote: None,
            is_cut: false,
            passed_over: 0,
            bytes: 0,
            end: None,
            line_feeds: VecDeque::new(),
        }
    }

    /// A row starts at `start`.
    const fn begin_row(&mut self, start: u64) {
        self.left = MAX_ROW_BYTES;
        self.start = start;
        self.is_cut = false;
    }

    /// Whether a record that ends before `byte` ends within the tail, beyond the line feed that may end the last row.
    fn is_in_tail(&self, byte: u64) -> bool {
        self.end.is_some_and(|end| byte > end + 1)
    }

    /// Counts, once, the line feeds before `byte`.
    fn lines_before(&mut self, byte: u64) -> u64 {
        let mut lines = 0;
        while self.line_feeds.pop_front_if(|at| *at < byte).is_some() {
            lines += 1;
        }
        lines
    }
}

impl<R: BufRead> Watched<R> {
    /// Leaves the next line feed as the next byte.
    fn pass_over(&mut self) -> io::Result<()> {
        loop {
            let buffer = self.input.fill_buf()?;
            let line_feed = buffer.iter().position(|&byte| byte == b'\n');
            let passed = line_feed.unwrap_or(buffer.len());
            let is_done = line_feed.is_some() || buffer.is_empty();
            self.input.consume(passed);
            self.passed_over += passed as u64;
            if is_done {
                return Ok(());
            }
        }
    }
}

impl<R: BufRead> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            if self.quote.is_some_and(|quote| quote >= self.start) {
                return Err(io::Error::other("the row is too long"));
            }
            self.pass_over()?;
            (self.is_cut, self.left) = (true, MAX_ROW_BYTES);
        }
        let most = buffer.len().min(self.left);
        let mut read = self.input.read(&mut buffer[..most])?;
        // A byte order mark that comes alone the CSV reader takes for the end.
        while self.bytes == 0 && (1..4).contains(&read) {
            match self.input.read(&mut buffer[read..most])? {
                0 => break,
                more => read += more,
            }
        }
        if read == 0 && most > 0 {
            let end = *self.end.get_or_insert(self.bytes);
            let handed_on = usize::try_from(self.bytes - end).unwrap_or(TAIL.len());
            read = (&TAIL[handed_on.min(TAIL.len())..]).read(&mut buffer[..most])?;
        }
        for (at, byte) in (self.bytes..).zip(&buffer[..read]) {
            match *byte {
                b'\n' => self.line_feeds.push_back(at),
                b'"' => self.quote = Some(at),
                _ => {}
            }
        }
        self.left -= read;
        self.bytes += read as u64;
        Ok(read)
    }
}

fn columns(header: &ByteRecord) -> Result<Vec<(String, Role)>, String> {
    let mut columns: Vec<(String, Role)> = Vec::new();
    for (index, field) in header.iter().enumerate() {
        let name = std::str::from_utf8(field.trim_ascii()).map_err(|_| {
            format!(
                "the name of column {} is not UTF-8; UTF-8 would be right",
                index + 1
            )
        })?;
        if name.is_empty() {
            return Err(format!(
                "column {} has no name; a name, or no column, would be right",
                index + 1
            ));
        }
        let role = Role::of(name);
        let twice = |(old, old_role): &(String, Role)| {
            if role == Role::Scope {
                old == name
            } else {
                *old_role == role
            }
        };
        if columns.iter().any(twice) {
            return Err(format!(
                "the header has {name:?} twice; once would be right"
            ));
        }
        columns.push((name.to_owned(), role));
    }
    match lacking(|role| columns.iter().any(|(_, have)| have == role)) {
        Some(problem) => Err(format!("the header {problem}")),
        None => Ok(columns),
    }
}

fn fill(row: &mut Row, record: &ByteRecord, columns: &[(String, Role)]) -> Result<(), String> {
    if record.len() != columns.len() {
        return Err(format!(
            "has {} fields; as many as the header, {}, would be right",
            record.len(),
            columns.len()
        ));
    }
    for (index, (field, (name, role))) in record.iter().zip(columns).enumerate() {
        let text = std::str::from_utf8(field).map_err(|_| {
            format!(
                "column {}, {name:?}, is not UTF-8 text; UTF-8 would be right",
                index + 1
            )
        })?;
        match role {
            Role::Timestamp => {
                row.timestamp.push_str(text);
                row.wall_ns = timestamp::wall_ns(text)?;
            }
            Role::InputTokens => row.input_tokens = amount(name, text)?,
            Role::OutputTokens => row.output_tokens = amount(name, text)?,
            Role::MicroUsd => row.micro_usd = amount(name, text)?,
            Role::Class => row.set_class(text),
            Role::Scope if text.is_empty() => {}
            Role::Scope => row.scopes.push(name, text),
        }
    }
    Ok(())
}
