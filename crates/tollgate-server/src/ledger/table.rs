//! A ledger as tables for people.

use std::fmt::Write as _;

use jiff::{Timestamp, tz::TimeZone};
use tollgate_core::{Standing, Wall};
use tollgate_policy::{CalendarPeriod, Unit};
use tollgate_quota::{
    StatusLevel, StatusLevels,
    ledger::{AccountKey, AccountRecord, KeptAlgorithm, PastPeriod},
};

use super::Contents;
use crate::{figures, units};

const HEAD: [&str; 9] = [
    "limit", "account", "period", "used", "lent", "max", "share", "refused", "status",
];
const PAST_HEAD: [&str; 7] = [
    "limit", "account", "period", "used", "max", "peak", "refused",
];

/// The status of an account whose period is over, and that owes nothing: what it has used says nothing of the next.
const ENDED: &str = "ended";

/// The longest name of a limit or of its account in a table: each row is as wide as the widest.
const CELL_CHARS: usize = 64;

/// The longest name of a limit or of its account in a sentence.
pub(super) const NAMED_CHARS: usize = 200;

/// The ledger as of `now`.
pub(super) fn render(contents: &Contents, now: Wall, history: bool, coloured: bool) -> String {
    let rows = contents.accounts.iter().map(|record| {
        let (key, standing) = (&record.key, &record.standing);
        let is_over = standing.committed <= standing.max && has_ended(key, standing.stamp, now);
        let level = StatusLevels::default().of(standing.committed.into(), standing.max.into());
        let cells = [
            figures::shortened(key.limit(), CELL_CHARS),
            figures::shortened(&account(key), CELL_CHARS),
            period(key, standing.stamp),
            amount(key, standing.committed),
            lent(record),
            max(key, standing.max),
            share(standing),
            figures::grouped(record.refused.into()),
            if is_over { ENDED } else { level.as_str() }.to_owned(),
        ];
        (cells, (!is_over).then_some(level))
    });
    let mut text = columns(&HEAD, rows.collect(), coloured);
    if history {
        let rows = contents.past.iter().map(|past| {
            let (key, standing) = (&past.key, &past.standing);
            let cells = [
                figures::shortened(key.limit(), CELL_CHARS),
                figures::shortened(&account(key), CELL_CHARS),
                period(key, standing.stamp),
                amount(key, standing.committed),
                max(key, standing.max),
                amount(key, past.peak),
                figures::grouped(past.refused.into()),
            ];
            (cells, None)
        });
        let _ = write!(
            text,
            "\npast periods\n{}",
            columns(&PAST_HEAD, rows.collect(), coloured)
        );
    }
    text
}

/// An account for people: its scope values.
pub(super) fn account(key: &AccountKey) -> String {
    let scopes = key.scopes();
    if scopes.is_empty() {
        return "all".to_owned();
    }
    let parts = scopes.iter().map(|(name, value)| format!("{name}={value}"));
    figures::plain(&parts.collect::<Vec<_>>().join(" ")).into_owned()
}

/// An account for people: its limit and its scope values.
pub(super) fn named(key: &AccountKey) -> String {
    let (limit, account) = (key.limit(), account(key));
    let [limit, account] = [limit, &account].map(|name| figures::shortened(name, NAMED_CHARS));
    format!("`{limit}` {account}")
}

/// A past period for people, by the number that it has in an export.
pub(super) fn past_period(past: &PastPeriod) -> String {
    let (stamp, named) = (past.standing.stamp, named(&past.key));
    format!("the past period {stamp} of {named}")
}

/// What is lent, and on top what is of the next period.
fn lent(record: &AccountRecord) -> String {
    let now = amount(&record.key, record.out);
    match record.ahead {
        Some(ahead) => format!("{now} + {} ahead", amount(&record.key, ahead.units)),
        None => now,
    }
}

fn max(key: &AccountKey, max: u64) -> String {
    // No limit stands for more than any can be.
    if max == u64::MAX {
        return "unlimited".to_owned();
    }
    amount(key, max)
}

fn amount(key: &AccountKey, amount: u64) -> String {
    let is_money = key.unit() == units::name(Unit::Usd);
    units::amount(
        if is_money { Unit::Usd } else { Unit::Requests },
        amount.into(),
    )
}

fn share(standing: &Standing) -> String {
    match (u128::from(standing.committed) * 1_000).checked_div(standing.max.into()) {
        Some(per_mille) => format!("{}.{} %", per_mille / 10, per_mille % 10),
        None => "-".to_owned(),
    }
}

/// The period of a stamp, by the words of the key's algorithm.
fn period(key: &AccountKey, stamp: i64) -> String {
    const TO_THE_SECOND: &str = "%Y-%m-%d %H:%M:%S";
    match key.algorithm().parse() {
        Ok(KeptAlgorithm::Lifetime) => "ever".to_owned(),
        Ok(KeptAlgorithm::Calendar { period, zone }) => {
            let with_time = match period {
                CalendarPeriod::Hour => "%Y-%m-%d %H:%M",
                _ => "%Y-%m-%d",
            };
            time(Wall(stamp), &zone, with_time)
        }
        _ => match key.period(stamp) {
            Some(window) => time(window.start, "UTC", TO_THE_SECOND),
            None => format!("as of {}", time(Wall(stamp), "UTC", TO_THE_SECOND)),
        },
    }
}

/// Whether the period of a stamp is over. Not known of words that a newer program has written.
fn has_ended(key: &AccountKey, stamp: i64, now: Wall) -> bool {
    key.period(stamp).is_some_and(|period| period.end <= now)
}

/// An instant for people, in UTC.
pub(super) fn instant(wall: Wall) -> String {
    time(wall, "UTC", "%Y-%m-%d %H:%M:%S UTC")
}

fn time(wall: Wall, zone: &str, format: &str) -> String {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    match Timestamp::from_nanosecond(wall.0.into()) {
        Ok(time) => time.to_zoned(zone).strftime(format).to_string(),
        Err(_) => wall.0.to_string(),
    }
}

const fn colour(level: StatusLevel) -> &'static str {
    match level {
        StatusLevel::Ok => "32",
        StatusLevel::Notice => "36",
        StatusLevel::Warn => "33",
        StatusLevel::Critical => "31",
    }
}

/// Columns as wide as their widest cell; numbers to the right, which are those with a digit first.
fn columns<const N: usize>(
    head: &[&str; N],
    rows: Vec<([String; N], Option<StatusLevel>)>,
    coloured: bool,
) -> String {
    let wide = |column: usize| {
        let cells = rows.iter().map(|(cells, _)| cells[column].chars().count());
        cells
            .chain([head[column].chars().count()])
            .max()
            .unwrap_or(0)
    };
    let wide: [usize; N] = std::array::from_fn(wide);
    let is_number = |column: usize| {
        matches!(
            head[column],
            "used" | "lent" | "max" | "share" | "peak" | "refused"
        )
    };
    let mut text = String::new();
    let mut line = |cells: [&str; N], level: Option<StatusLevel>| {
        for (column, cell) in cells.iter().enumerate() {
            let space = " ".repeat(wide[column].saturating_sub(cell.chars().count()));
            let gap = if column == 0 { "" } else { "  " };
            let is_last = column + 1 == N;
            let cell = match level {
                Some(level) if coloured && is_last => {
                    format!("\x1b[{}m{cell}\x1b[0m", colour(level))
                }
                _ => (*cell).to_owned(),
            };
            let _ = if is_number(column) {
                write!(text, "{gap}{space}{cell}")
            } else if is_last {
                write!(text, "{gap}{cell}")
            } else {
                write!(text, "{gap}{cell}{space}")
            };
        }
        text.push('\n');
    };
    line(*head, None);
    for (cells, level) in &rows {
        line(std::array::from_fn(|column| cells[column].as_str()), *level);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use tollgate_policy::PolicyFile;

    /// One agent whose name has 4 KiB made every row as long.
    #[test]
    fn one_long_name_makes_no_row_wide() {
        let long = "x".repeat(4_096);
        let standing = Standing {
            stamp: 0,
            committed: 1,
            max: 9,
        };
        let mut contents = Contents::default();
        for (limit, agent) in [("m", "a"), ("m", &*long), (&*long, "a")] {
            let key = AccountKey::new(limit, "requests", "day in UTC", &["agent"], &[agent]);
            let past = PastPeriod::new(key.clone(), Wall(1), standing, 1);
            contents
                .accounts
                .push(AccountRecord::new(key, standing, true));
            contents.past.push(past);
        }
        let text = render(&contents, Wall(1), true, false);
        for line in text.lines() {
            assert!(line.chars().count() < 250, "{line}");
        }
        let shortened = format!("agent={}…{}", "x".repeat(26), "x".repeat(31));
        assert_eq!(text.matches(&shortened).count(), 2, "{text}");
        let shortened = format!("{}…{}", "x".repeat(32), "x".repeat(31));
        assert_eq!(text.matches(&shortened).count(), 2, "{text}");
        assert_eq!(text.matches("agent=a ").count(), 4, "{text}");
    }

    /// One month that was used up was told as critical for ever, though the next had begun.
    #[test]
    fn period_that_is_over_is_told_as_ended_unless_it_owes() {
        const DAY: i64 = 86_400_000_000_000;
        for (rule, per) in [
            ("algorithm = 'calendar'\nper = 'hour'", DAY / 24),
            ("algorithm = 'calendar'\nper = 'day'", DAY),
            (
                "algorithm = 'calendar'\nper = 'week'\nweek_starts = 'thursday'",
                7 * DAY,
            ),
            (
                "algorithm = 'calendar'\nper = 'month'\nanchor_day = 1",
                31 * DAY,
            ),
            ("algorithm = 'calendar'\nper = 'year'", 365 * DAY),
            ("algorithm = 'fixed'\nper = '2h'", DAY / 12),
            ("algorithm = 'lifetime'", i64::MAX),
        ] {
            let text = format!("[[limit]]\nname = 'm'\nunit = 'requests'\nmax = 10\n{rule}\n");
            let policy = PolicyFile::parse(&text).unwrap();
            let key = policy.limits[0].account_key(&[]).unwrap();
            // All begin at the Unix epoch, a Thursday.
            let status = |committed, now| {
                let standing = Standing {
                    stamp: 0,
                    committed,
                    max: 10,
                };
                let contents = Contents {
                    accounts: vec![AccountRecord::new(key.clone(), standing, true)],
                    past: Vec::new(),
                };
                let text = render(&contents, Wall(now), false, true);
                text.split_whitespace().last().unwrap().to_owned()
            };
            let critical = "\x1b[31mcritical\x1b[0m";
            assert_eq!(status(10, per - 1), critical, "{rule}");
            let over = if per == i64::MAX { critical } else { ENDED };
            assert_eq!(status(10, per), over, "{rule}");
            assert_eq!(status(11, per), critical, "{rule}");
        }
    }
}
