//! The policy file: TOML text in, a plain and valid value out, or every mistake with its place and its remedy.
//!
//! serde's derive stops at the first mistake and loses the text of numbers, so the table of the `toml` crate,
//! which keeps places and digits, is walked by hand: `syntax` makes the table; `item` and `figure` read single
//! values; `limit`, `overrides` and `priority` read the tables named so; `mistakes` collects what is wrong.

use std::collections::{HashMap, HashSet};

mod algorithm;
mod calendar;
mod error;
mod figure;
mod fit;
mod item;
mod ledger;
mod limit;
mod mistakes;
mod number;
mod overrides;
mod pattern;
mod period;
mod priority;
mod rule;
mod syntax;
mod table;
mod unfit;
mod words;

pub use error::{PolicyError, PolicyErrors};
pub use pattern::{Pattern, StrayBackslash};
pub use rule::{
    Algorithm, CalendarRule, Dry, Failing, LedgerRule, LimitRule, Mode, OnDrop, OverrideRule,
    PriorityRule, Refund, Unit,
};

use limit::Draft;
use mistakes::{Mistakes, Read};
use overrides::Limits;
use table::Fields;
use words::quoted;

/// Longest policy file.
const BYTES_MAX: usize = 4 << 20;

const LIMITS_MAX: usize = 10_000;
const OVERRIDES_MAX: usize = 100_000;
const PRIORITIES_MAX: usize = 1_000;
const ACCOUNTS_MAX: usize = 100_000_000;
const ACCOUNTS_DEFAULT: usize = 1_000_000;

const MAX_ACCOUNTS: &str = "max_accounts";
const KEYS: [&str; 5] = ["limit", "override", "priority", "ledger", MAX_ACCOUNTS];

/// A policy as its file says it: valid by itself, and not yet at work.
///
/// # The file
///
/// TOML of at most 4 MiB. At the top stands `max_accounts` (1..=100,000,000, by default 1,000,000; an account at rest for a second makes
/// room for another, and a reservation that outlasts its own so may bring one more), then come
/// `[[limit]]` (1..=10,000), `[[override]]` (at most 100,000) and `[[priority]]` (at most 1,000), and one `[ledger]`. Every
/// other key is a mistake.
///
/// | `[[limit]]` | Value | Default |
/// | --- | --- | --- |
/// | `name` | text, unique | required |
/// | `unit` | `requests`, `tokens`, `input_tokens`, `output_tokens`, `usd` | required |
/// | `max` | amount; 0 allows nothing | unlimited but for overrides, of which one gives a `max` |
/// | `algorithm` | `gcra`, `window`, `log`, `fixed`, `calendar`, `lifetime`, `concurrency` | `gcra` |
/// | `per` | a whole number with `ms`, `s`, `m`, `h` or `d`; calendar: `hour`, `day`, `week`, `month`, `year` | required, but not used by `lifetime` and `concurrency` |
/// | `by` | scopes that together make an account | none: one account for all |
/// | `when` | patterns of request values, which must all match | none: always |
/// | `mode` | `enforce`, `shadow`, `off` | `enforce` |
/// | `refund` | `exact`; gcra: also `eager` | `exact` |
/// | `on_drop` | `release`, `keep`; not used by `concurrency`, which releases | `keep` |
/// | `warn_at` | shares of the limit | 0.8 and 0.95 |
/// | `capacity`, `initial` | amounts; gcra only | `max`, the capacity |
/// | `slots` | 1..=4,096; window only | 60 |
/// | `zone` | IANA name; calendar only | `UTC` |
/// | `week_starts` | `monday` to `sunday`; calendar by week only | `monday` |
/// | `anchor_day` | 1..=31, 31 being the last day; calendar by month only | 1 |
/// | `persist` | whether a gate with a ledger keeps what is committed across restarts; gcra, window, log and fixed of an hour and more, calendar, lifetime | `true` of those |
/// | `lease` | amount that the ledger lends an account at most, of limits that persist | a hundredth of the limit |
///
/// An `[[override]]` has `limit`, `where` (values of some of the limit's scopes) and at least one of `max`,
/// `capacity` and `mode`; a `[[priority]]` has `name` and `share`. `by`, `when` and `where` have at most 32 entries
/// each, `warn_at` 16. No scope has an empty name.
///
/// | `[ledger]` | Value | Default |
/// | --- | --- | --- |
/// | `path` | the file | required |
/// | `durability` | `every commit`: a settlement returns when its debt is on disk, or the disk fails; `within` a time up to 60 s, as in `within 50ms`: a kill may lose the debt of that time | `within 50ms` |
/// | `history` | how long past periods are kept, as `per` of a duration | `400d` |
/// | `dry` | what becomes of a request that fits, but for which nothing is lent yet: `wait` for the next commit, `refuse`. That is the first of an account in a process, and of a period before which the account was not used for a whole one; the first of any other period is lent before | `wait` |
/// | `failing` | what becomes of it while the disk fails: `deny`, `allow` and forget it if the process ends before the disk is well again | `deny` |
///
/// Of a `window` or `log` that persists, what counted when its process ended counts for one more `per` after the restart, unless that
/// came later than it could: when in the window it was admitted is not on record. So it may be refused what it would else be admitted,
/// and is never admitted more.
///
/// Who builds the gate opens the ledger; without one nothing is kept.
///
/// Amounts are whole numbers up to 2^63 - 1; of `usd` they are dollars, as a decimal number or text with at most
/// six places, read exactly. A maximum is at most what its algorithm can count: 4,194,304 of `log`, some 4.4 × 10¹²
/// of `window`, some 4.5 × 10¹⁵ of `fixed` and `calendar`; of `gcra` 32,768 a nanosecond, with a capacity that refills
/// within some years. Slots are some 430 µs or longer. A mistake names the figure that would fit. Shares are decimal numbers above 0 and at most 1, with at most six places.
///
/// # Examples
///
/// ```
/// use tollgate_policy::{Algorithm, PolicyFile, Unit};
///
/// let file = PolicyFile::parse(
///     r#"
///     [[limit]]
///     name = "agent-usd"
///     by = ["agent"]
///     unit = "usd"
///     max = 12.50
///     per = "1d"
///     algorithm = "fixed"
///     "#,
/// )?;
/// assert_eq!(file.limits[0].unit, Unit::Usd);
/// assert_eq!(file.limits[0].max, Some(12_500_000));
/// assert_eq!(file.limits[0].algorithm, Algorithm::Fixed { per_ns: 86_400_000_000_000 });
/// # Ok::<(), tollgate_policy::PolicyErrors>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyFile {
    /// Most accounts kept at once, in 1..=100,000,000.
    pub max_accounts: usize,
    /// The limits, in file order; never empty.
    pub limits: Vec<LimitRule>,
    /// The overrides, in file order.
    pub overrides: Vec<OverrideRule>,
    /// The priority classes, in file order.
    pub priorities: Vec<PriorityRule>,
    /// Where and how what limits have committed is kept across restarts.
    pub ledger: Option<LedgerRule>,
}

impl PolicyFile {
    /// The maximum of the account of `rule`, one of the file's limits, with `values`, one for each scope in its `by`. None is unlimited.
    #[must_use]
    pub fn max_of(&self, rule: &LimitRule, values: &[&str]) -> Option<u64> {
        let matches = |change: &&OverrideRule| {
            let of = |name: &str| {
                let place = rule.by.iter().position(|by| by == name)?;
                values.get(place).copied()
            };
            let is_of_rule = self.limits.get(change.limit) == Some(rule);
            is_of_rule
                && change
                    .where_
                    .iter()
                    .all(|(name, value)| of(name) == Some(value))
        };
        let change = self.overrides.iter().rev().find(matches);
        change.and_then(|change| change.max).or(rule.max)
    }

    /// The text of a policy file, of which TOML asks that it is UTF-8.
    ///
    /// # Errors
    ///
    /// The first byte that is not, with its line and column; nothing is read beyond it.
    ///
    /// ```
    /// use tollgate_policy::PolicyFile;
    ///
    /// assert_eq!(PolicyFile::text("name = 'été'".as_bytes()), Ok("name = 'été'"));
    /// let error = PolicyFile::text(b"\nname = '\xe9t\xe9'").unwrap_err();
    /// assert_eq!(error.to_string(), "line 2, column 9: the byte 0xe9 is not UTF-8; save the file as UTF-8");
    /// ```
    pub fn text(bytes: &[u8]) -> Result<&str, PolicyErrors> {
        str::from_utf8(bytes).map_err(|error| {
            let (text, rest) = bytes.split_at(error.valid_up_to());
            let byte = rest.first().copied().unwrap_or_default();
            let mut mistakes = Mistakes::new();
            let message = format!("the byte {byte:#04x} is not UTF-8");
            mistakes.tell(text.len(), message, "save the file as UTF-8");
            mistakes.into_errors(str::from_utf8(text).unwrap_or_default())
        })
    }

    /// Reads the text of a policy file, in time near linear in its length.
    ///
    /// # Errors
    ///
    /// [`PolicyErrors`] with every mistake of the file, in whatever table it stands. Where the TOML itself is
    /// broken, what stands in the broken lines is not looked at any further, and a table whose header is
    /// broken not at all.
    pub fn parse(text: &str) -> Result<Self, PolicyErrors> {
        let mut mistakes = Mistakes::new();
        match read(text, &mut mistakes) {
            Ok(file) if mistakes.is_empty() => Ok(file),
            _ => Err(mistakes.into_errors(text)),
        }
    }
}

fn read(text: &str, mistakes: &mut Mistakes) -> Read<PolicyFile> {
    if text.len() > BYTES_MAX {
        let message = format!("the file has {} bytes", text.len());
        return Err(mistakes.tell(0, message, format!("a policy has at most {BYTES_MAX}")));
    }
    let without_mistakes;
    let table = match syntax::parse(text) {
        Ok(table) => table,
        Err(_) => {
            without_mistakes = syntax::without_mistakes(text, mistakes);
            // Sections that are right by themselves may be wrong together.
            syntax::parse(&without_mistakes)
                .map_err(|fault| mistakes.tell(fault.at, fault.message, fault.remedy))?
        }
    };
    let fields = Fields::of("the file", 0, &table, &KEYS, mistakes);
    let tables = |key, max, mistakes: &mut Mistakes| match fields.get(key) {
        Some(item) => item.tables(max, mistakes),
        None => Vec::new(),
    };
    let max_accounts = fields.optional(MAX_ACCOUNTS, mistakes, |item, mistakes| {
        item.whole(1..=ACCOUNTS_MAX, mistakes)
    });

    let ledger = fields.optional("ledger", mistakes, ledger::read);

    let limits = tables("limit", LIMITS_MAX, mistakes);
    let (drafts, limits): (Vec<_>, Vec<_>) = limits
        .into_iter()
        .map(|(at, table)| limit::read(at, table, mistakes))
        .unzip();
    if drafts.is_empty() && mistakes.is_empty() {
        mistakes.tell(
            0,
            "the file has no [[limit]]",
            "add one with `name`, `unit`, `max` and `per`",
        );
    }
    let by_name = by_name(&drafts, mistakes);
    let mut named = Limits {
        drafts: &drafts,
        by_name: &by_name,
        given_max: vec![false; drafts.len()],
    };
    let overrides = tables("override", OVERRIDES_MAX, mistakes);
    let overrides = limit::all(
        overrides
            .into_iter()
            .map(|(at, table)| overrides::read(at, table, &mut named, mistakes)),
    );
    check_maxima(&named, mistakes);

    let mut classes = HashSet::new();
    let priorities = tables("priority", PRIORITIES_MAX, mistakes);
    let priorities = limit::all(
        priorities
            .into_iter()
            .map(|(at, table)| priority::read(at, table, &mut classes, mistakes)),
    );

    Ok(PolicyFile {
        max_accounts: max_accounts?.unwrap_or(ACCOUNTS_DEFAULT),
        limits: limit::all(limits.into_iter())?,
        overrides: overrides?,
        priorities: priorities?,
        ledger: ledger?,
    })
}

/// The first limit of each name; the others are told.
fn by_name<'a>(drafts: &[Draft<'a>], mistakes: &mut Mistakes) -> HashMap<&'a str, usize> {
    let mut by_name = HashMap::with_capacity(drafts.len());
    for (index, draft) in drafts.iter().enumerate() {
        let Ok((name, at)) = draft.name else { continue };
        if by_name.contains_key(name) {
            let message = format!("a second limit named {}", quoted(name, '"'));
            mistakes.tell(at, message, "give each limit a name of its own");
        } else {
            by_name.insert(name, index);
        }
    }
    by_name
}

/// Tells limits that limit nobody.
fn check_maxima(limits: &Limits<'_, '_>, mistakes: &mut Mistakes) {
    if mistakes.any_damaged().is_err() {
        // The override that gives the maximum may be one whose syntax is broken.
        return;
    }
    for (draft, given_max) in limits.drafts.iter().zip(&limits.given_max) {
        if let (Ok(None), false) = (draft.max, given_max) {
            let message = "[[limit]] has no `max`, and no override gives one, so it limits nothing";
            mistakes.tell(draft.at, message, "add `max`, or an [[override]] with one");
        }
    }
}
