//! One recorded request.

use super::BadRow;

/// The largest number of tokens or millionths of a dollar read from a row, so that sums and products
/// stay far from the ends of the integers.
pub const MAX_AMOUNT: u64 = 1_000_000_000_000_000;

/// One row of a trace. It is read over and over into the same memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row {
    /// From 1, without the header, broken rows counted.
    pub number: u64,
    /// Where the row starts in the file, from 1.
    pub line: u64,
    /// The time as it stands in the trace.
    pub timestamp: String,
    /// The time in nanoseconds since 1970, UTC.
    pub wall_ns: i64,
    /// Model tokens of the input.
    pub input_tokens: u64,
    /// Model tokens of the output.
    pub output_tokens: u64,
    /// Millionths of a dollar.
    pub micro_usd: u64,
    /// Whose request it was.
    pub scopes: Scopes,
    class: String,
}

impl Row {
    /// Input and output tokens together.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.input_tokens + self.output_tokens
    }

    /// The priority class, if the row names one.
    #[must_use]
    pub fn class(&self) -> Option<&str> {
        (!self.class.is_empty()).then_some(self.class.as_str())
    }

    /// This row as a broken one.
    pub(crate) fn bad(&self, problem: String) -> BadRow {
        BadRow {
            row: self.number,
            line: self.line,
            problem,
        }
    }

    pub(super) fn clear(&mut self, number: u64, line: u64) {
        self.number = number;
        self.line = line;
        self.timestamp.clear();
        self.wall_ns = 0;
        self.input_tokens = 0;
        self.output_tokens = 0;
        self.micro_usd = 0;
        self.scopes.clear();
        self.class.clear();
    }

    pub(super) fn set_class(&mut self, class: &str) {
        self.class.clear();
        self.class.push_str(class);
    }
}

/// Scope names and values of one row, in the order of the trace.
#[derive(Debug, Clone, Default)]
pub struct Scopes {
    // Entries past `len` are kept for their memory.
    pairs: Vec<(String, String)>,
    len: usize,
}

impl Scopes {
    /// Names with their values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs[..self.len]
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(super) fn push(&mut self, name: &str, value: &str) {
        if self.len == self.pairs.len() {
            self.pairs.push(Default::default());
        }
        let (old_name, old_value) = &mut self.pairs[self.len];
        old_name.clear();
        old_name.push_str(name);
        old_value.clear();
        old_value.push_str(value);
        self.len += 1;
    }

    fn clear(&mut self) {
        self.len = 0;
    }
}

impl PartialEq for Scopes {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Scopes {}

/// Reads a count; `Err` is what is wrong.
pub(super) fn amount(name: &str, text: &str) -> Result<u64, String> {
    let digits = text.trim_ascii();
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    match digits.parse::<u64>() {
        Ok(amount) if plain && amount <= MAX_AMOUNT => Ok(amount),
        _ => Err(format!(
            "{name} is {}; a whole number from 0 to {MAX_AMOUNT} would be right",
            shown(text)
        )),
    }
}

/// A value as an error shows it: quoted, escaped and not too long.
pub(super) fn shown(value: &str) -> String {
    const LONGEST: usize = 40;
    if value.chars().count() <= LONGEST {
        return format!("{value:?}");
    }
    let start: String = value.chars().take(LONGEST).collect();
    format!("{start:?}...")
}
