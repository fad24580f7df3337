//! What a caller asks for.

use crate::file::Unit;
use smallvec::SmallVec;

/// What a request uses, estimated or actual, by class. A request itself is always one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Model tokens of the input.
    pub input_tokens: u64,
    /// Model tokens of the output.
    pub output_tokens: u64,
    /// Money, in millionths of a US dollar.
    pub micro_usd: u64,
}

impl Usage {
    /// Units of `unit`, those of a request counted too.
    #[must_use]
    pub const fn of(&self, unit: Unit) -> u64 {
        match unit {
            Unit::Requests => 1,
            Unit::Tokens => self.input_tokens.saturating_add(self.output_tokens),
            Unit::InputTokens => self.input_tokens,
            Unit::OutputTokens => self.output_tokens,
            Unit::Usd => self.micro_usd,
        }
    }

    /// This and `more`, class by class; the largest number where a sum does not fit.
    #[must_use]
    pub const fn plus(&self, more: &Self) -> Self {
        Self {
            input_tokens: self.input_tokens.saturating_add(more.input_tokens),
            output_tokens: self.output_tokens.saturating_add(more.output_tokens),
            micro_usd: self.micro_usd.saturating_add(more.micro_usd),
        }
    }
}

/// One request: scope values, a priority class, and the estimate of what it uses.
///
/// Values are opaque: they may hold any character, and two different ones never share an account. All that a limit counts by
/// have at most [`SCOPES_BYTES_MAX`](Self::SCOPES_BYTES_MAX) bytes together: accounts and their ledger bear them. What no limit counts by may
/// be of any length.
///
/// ```
/// use tollgate_policy::Request;
/// let request = Request::new().with("agent", "a:1").with("model", "gpt-4o").input_tokens(374).output_tokens(44);
/// assert_eq!(request.value("agent"), Some("a:1"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Request<'a> {
    values: SmallVec<[(&'a str, &'a str); 6]>,
    class: Option<&'a str>,
    usage: Usage,
}

impl<'a> Request<'a> {
    /// The most bytes that the values of all scopes by which one limit counts may have together.
    pub const SCOPES_BYTES_MAX: usize = 4_096;

    /// A request with no values that uses nothing but one request.
    #[inline]
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With `value` for the scope `name`; a later value replaces an earlier one.
    #[inline]
    #[must_use]
    pub fn with(mut self, name: &'a str, value: &'a str) -> Self {
        match self.values.iter_mut().find(|(known, _)| *known == name) {
            Some(pair) => pair.1 = value,
            None => self.values.push((name, value)),
        }
        self
    }

    /// Of the priority class `name`; without one, a request may use the whole of every capacity.
    #[inline]
    #[must_use]
    pub fn class(mut self, name: &'a str) -> Self {
        self.class = Some(name);
        self
    }

    /// With an estimate of `tokens` model tokens of input.
    #[inline]
    #[must_use]
    pub fn input_tokens(mut self, tokens: u64) -> Self {
        self.usage.input_tokens = tokens;
        self
    }

    /// With an estimate of `tokens` model tokens of output.
    #[inline]
    #[must_use]
    pub fn output_tokens(mut self, tokens: u64) -> Self {
        self.usage.output_tokens = tokens;
        self
    }

    /// With an estimated price, in millionths of a US dollar.
    #[inline]
    #[must_use]
    pub fn micro_usd(mut self, micro_usd: u64) -> Self {
        self.usage.micro_usd = micro_usd;
        self
    }

    /// With `usage` as its estimate.
    #[inline]
    #[must_use]
    pub fn usage(mut self, usage: Usage) -> Self {
        self.usage = usage;
        self
    }

    /// The value of the scope `name`.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&'a str> {
        self.find(name).map(|(_, value)| value)
    }

    /// The place of the scope `name`, and its value.
    #[inline]
    pub(crate) fn find(&self, name: &str) -> Option<(usize, &'a str)> {
        self.values
            .iter()
            .enumerate()
            .find(|(_, (known, _))| *known == name)
            .map(|(place, (_, value))| (place, *value))
    }

    /// The priority class.
    #[must_use]
    pub const fn priority_class(&self) -> Option<&'a str> {
        self.class
    }

    /// The estimate.
    #[must_use]
    pub const fn estimate(&self) -> &Usage {
        &self.usage
    }
}
