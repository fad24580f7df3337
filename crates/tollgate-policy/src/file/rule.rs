//! What a policy file says, as plain values.

use super::pattern::Pattern;
use super::period::PER_NS_MAX;
use std::fmt;
use std::ops::RangeInclusive;
use tollgate_quota::calendar::{CalendarPeriod, Weekday};
use tollgate_quota::threshold::Share;

/// One `[[limit]]`: what is counted, for whom, and how much of it may pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitRule {
    /// The name, unique in the file and not empty.
    pub name: String,
    /// The scopes that together make an account, in file order, none twice. Empty: one account for all.
    pub by: Vec<String>,
    /// What is counted.
    pub unit: Unit,
    /// Units per period, in all, or open at once, by the algorithm; 0 allows nothing.
    /// `None` is unlimited, but for the accounts whose override gives a maximum; there is at least one such override.
    pub max: Option<u64>,
    /// The capacity if the file gives one, at least 1; else it is `max`. Only [`Algorithm::Gcra`] has one.
    pub capacity: Option<u64>,
    /// How it is counted.
    pub algorithm: Algorithm,
    /// Request values that must all match for the limit to apply, in file order.
    pub when: Vec<(String, Pattern)>,
    /// What a refusal means.
    pub mode: Mode,
    /// How much of a surplus a settlement gives back.
    pub refund: Refund,
    /// What a reservation that is dropped unsettled does.
    pub on_drop: OnDrop,
    /// The shares of the limit whose crossing is told, ascending, none twice.
    pub warn_at: Vec<Share>,
    /// Whether a gate with a ledger keeps what is committed across restarts. Only limits of an hour and more can.
    pub persist: bool,
    /// The most units that a ledger lends one of its accounts at once, but for a single cost that is larger. `None`: a hundredth of the
    /// limit.
    pub lease: Option<u64>,
}

impl LimitRule {
    /// How a ledger names the algorithm and its periods; none if it does not keep the limit.
    #[cfg(feature = "ledger")]
    pub(crate) fn kept_as(&self) -> Option<String> {
        use tollgate_quota::ledger::KeptAlgorithm;

        let kept = match &self.algorithm {
            Algorithm::Calendar(CalendarRule { period, zone }) => KeptAlgorithm::Calendar {
                period: *period,
                zone: zone.clone(),
            },
            Algorithm::Fixed { per_ns } => KeptAlgorithm::Fixed { per_ns: *per_ns },
            Algorithm::Lifetime => KeptAlgorithm::Lifetime,
            Algorithm::Gcra { .. } => KeptAlgorithm::Gcra,
            Algorithm::Window { per_ns, .. } => KeptAlgorithm::Window { per_ns: *per_ns },
            Algorithm::Log { per_ns } => KeptAlgorithm::Log { per_ns: *per_ns },
            Algorithm::Concurrency => return None,
        };
        self.persist.then(|| kept.to_string())
    }

    /// Without ledgers none is kept.
    #[cfg(not(feature = "ledger"))]
    #[expect(clippy::unused_self, reason = "as with ledgers")]
    pub(crate) const fn kept_as(&self) -> Option<String> {
        None
    }

    /// The name of its account with `values`, one for each scope in `by`, in a ledger; none if it is not kept in one.
    #[cfg(feature = "ledger")]
    #[must_use]
    pub fn account_key(&self, values: &[&str]) -> Option<tollgate_quota::ledger::AccountKey> {
        let scopes: Vec<&str> = self.by.iter().map(String::as_str).collect();
        (scopes.len() == values.len()).then_some(())?;
        let (name, unit) = (&self.name, self.unit.to_string());
        let algorithm = self.kept_as()?;
        Some(tollgate_quota::ledger::AccountKey::new(
            name, &unit, &algorithm, &scopes, values,
        ))
    }
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Requests, each one unit.
    Requests,
    /// Model tokens, input and output together.
    Tokens,
    /// Model tokens of the input.
    InputTokens,
    /// Model tokens of the output.
    OutputTokens,
    /// Money: amounts are whole millionths of a US dollar.
    Usd,
}

impl Unit {
    pub(super) const NAMES: [(&'static str, Self); 5] = [
        ("requests", Self::Requests),
        ("tokens", Self::Tokens),
        ("input_tokens", Self::InputTokens),
        ("output_tokens", Self::OutputTokens),
        ("usd", Self::Usd),
    ];
}

impl fmt::Display for Unit {
    /// Writes the unit as a policy file does.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES
            .iter()
            .find(|(_, unit)| unit == self)
            .map_or("", |(name, _)| *name);
        f.pad(name)
    }
}

/// How a limit counts, with what only that algorithm needs. Periods are in nanoseconds, above 0 and at most
/// 3,650 days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// A rate with a burst.
    Gcra {
        /// The period in which `max` units come back.
        per_ns: u64,
        /// Units that a new account starts with, at most the capacity; `None`: all of it.
        initial: Option<u64>,
    },
    /// A sliding window in slots.
    Window {
        /// The window.
        per_ns: u64,
        /// Its slots, 1..=4,096.
        slots: u32,
    },
    /// A sliding window that remembers each unit; `max` is at most 4,194,304.
    Log {
        /// The window.
        per_ns: u64,
    },
    /// Windows side by side.
    Fixed {
        /// Each window.
        per_ns: u64,
    },
    /// Periods of the calendar.
    Calendar(CalendarRule),
    /// One budget that never comes back.
    Lifetime,
    /// Requests open at once; the unit is [`Unit::Requests`].
    Concurrency,
}

impl Algorithm {
    /// The periods of rates and windows that a ledger keeps, in nanoseconds: from an hour to the longest that there is. Limits of shorter ones
    /// are not worth a disk.
    pub const PERSIST_NS: RangeInclusive<u64> = 3_600 * 1_000_000_000..=PER_NS_MAX;
}

/// Which periods of which calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalendarRule {
    /// The period.
    pub period: CalendarPeriod,
    /// The time zone, a known IANA name as its database spells it.
    pub zone: String,
}

pub(super) const WEEKDAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];

/// What a limit does when it would refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// It refuses.
    Enforce,
    /// It counts, and refuses nobody.
    Shadow,
    /// It does nothing.
    Off,
}

impl Mode {
    pub(super) const NAMES: [(&'static str, Self); 3] = [
        ("enforce", Self::Enforce),
        ("shadow", Self::Shadow),
        ("off", Self::Off),
    ];
}

/// How much of a surplus comes back when the actual cost was below the estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refund {
    /// What leaves the limit where it would be had the actual cost been known at admission.
    Exact,
    /// All of it, at the price of a declared slack. Only [`Algorithm::Gcra`] can.
    Eager,
}

impl Refund {
    pub(super) const NAMES: [(&'static str, Self); 2] =
        [("exact", Self::Exact), ("eager", Self::Eager)];
}

/// What happens to the charge of a reservation that is dropped without being settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OnDrop {
    /// It is given back, as if the request had never been sent. [`Algorithm::Concurrency`] always does this.
    Release,
    /// It stays, as if the estimate had been the actual cost.
    Keep,
}

impl OnDrop {
    pub(super) const NAMES: [(&'static str, Self); 2] =
        [("release", Self::Release), ("keep", Self::Keep)];
}

/// One `[[override]]`: other figures of a limit for some accounts. Where several match, the last wins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverrideRule {
    /// Which limit: an index into the limits of the file.
    pub limit: usize,
    /// Scope values, compared as they are; each scope is one of the limit's `by`. Never empty.
    pub where_: Vec<(String, String)>,
    /// The maximum in place of the limit's.
    pub max: Option<u64>,
    /// The capacity in place of the limit's, at least 1; only [`Algorithm::Gcra`] has one. If neither this nor
    /// the limit gives a capacity, it is the maximum in force.
    pub capacity: Option<u64>,
    /// The mode in place of the limit's.
    pub mode: Option<Mode>,
}

/// `[ledger]`: where and how what limits have committed is kept across restarts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerRule {
    /// The file.
    pub path: String,
    /// How long a change may wait to share a commit, in nanoseconds; `None`: a settlement waits until its debt is on disk.
    pub within_ns: Option<u64>,
    /// How long past periods are kept, in nanoseconds.
    pub history_ns: u64,
    /// What becomes of a request for which nothing is lent yet.
    pub dry: Dry,
    /// What becomes of a request for which nothing is lent while the disk fails.
    pub failing: Failing,
}

/// What becomes of a request that fits its limits, but for which the ledger has lent nothing yet: the first of an account, say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Dry {
    /// It waits for the next commit.
    #[default]
    Wait,
    /// It is refused, and may be sent again after it.
    Refuse,
}

impl Dry {
    pub(super) const NAMES: [(&'static str, Self); 2] =
        [("wait", Self::Wait), ("refuse", Self::Refuse)];
}

/// What becomes of a request for which the ledger can lend nothing, since the disk fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Failing {
    /// It is refused.
    #[default]
    Deny,
    /// It is admitted under its limits. What is admitted so is forgotten if the process ends before the disk is well again.
    Allow,
}

impl Failing {
    pub(super) const NAMES: [(&'static str, Self); 2] =
        [("deny", Self::Deny), ("allow", Self::Allow)];
}

/// One `[[priority]]`: a class of callers that may use only part of every capacity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriorityRule {
    /// The name, unique in the file and not empty.
    pub name: String,
    /// Its part of every capacity.
    pub share: Share,
}

#[cfg(feature = "ledger")]
impl LedgerRule {
    /// How to open the ledger that the file describes.
    #[must_use]
    pub fn options(&self) -> tollgate_quota::ledger::LedgerOptions {
        use std::time::Duration;
        use tollgate_quota::ledger::{Durability, LedgerOptions};

        let durability = match self.within_ns {
            Some(within) => Durability::Within(Duration::from_nanos(within)),
            None => Durability::EveryCommit,
        };
        LedgerOptions::new(&self.path)
            .durability(durability)
            .history(Duration::from_nanos(self.history_ns))
    }
}

#[cfg(all(test, feature = "ledger", not(any(model_loom, model_shuttle))))]
mod tests {
    use super::super::PolicyFile;

    /// They are in the keys of ledgers: a limit of other words would begin with nothing on record.
    #[test]
    fn limit_is_kept_by_the_words_that_are_on_disk() {
        for (rule, words) in [
            ("algorithm = 'lifetime'", Some("lifetime")),
            ("algorithm = 'gcra'\nper = '1h'", Some("gcra")),
            ("algorithm = 'gcra'\nper = '30d'", Some("gcra")),
            (
                "algorithm = 'window'\nper = '1h'\nslots = 60",
                Some("sliding window of 3600000000000 ns"),
            ),
            (
                "algorithm = 'window'\nper = '1h'\nslots = 6",
                Some("sliding window of 3600000000000 ns"),
            ),
            (
                "algorithm = 'log'\nper = '2h'",
                Some("log of 7200000000000 ns"),
            ),
            (
                "algorithm = 'fixed'\nper = '1d'",
                Some("windows of 86400000000000 ns"),
            ),
            ("algorithm = 'calendar'\nper = 'hour'", Some("hour in UTC")),
            (
                "algorithm = 'calendar'\nper = 'day'\nzone = 'europe/berlin'",
                Some("day in Europe/Berlin"),
            ),
            (
                "algorithm = 'calendar'\nper = 'week'\nweek_starts = 'sunday'",
                Some("week from Sunday in UTC"),
            ),
            (
                "algorithm = 'calendar'\nper = 'month'\nanchor_day = 31",
                Some("month from day 31 in UTC"),
            ),
            ("algorithm = 'calendar'\nper = 'year'", Some("year in UTC")),
            ("algorithm = 'gcra'\nper = '59m'", None),
            ("algorithm = 'lifetime'\npersist = false", None),
            ("algorithm = 'concurrency'", None),
        ] {
            let text = format!("[[limit]]\nname = 'm'\nunit = 'requests'\nmax = 10\n{rule}\n");
            let policy = PolicyFile::parse(&text).unwrap();
            let key = policy.limits[0].account_key(&[]);
            let kept = key.as_ref().map(|key| key.algorithm());
            assert_eq!(kept, words, "{rule}");
        }
    }
}
