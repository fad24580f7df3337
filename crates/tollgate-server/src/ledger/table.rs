//! A ledger as tables for people.

use std::fmt::Write as _;

use jiff::{Timestamp, tz::TimeZone};
use tollgate_core::{Standing, Wall};
use tollgate_policy::Unit;
use tollgate_quota::{
    StatusLevel, StatusLevels,
    ledger::{AccountKey, AccountRecord},
};

use super::Contents;
use crate::{figures, units};

const HEAD: [&str; 9] = [
    "limit", "account", "period", "used", "lent", "max", "share", "refused", "status",
];
const PAST_HEAD: [&str; 7] = [
    "limit", "account", "period", "used", "max", "peak", "refused",
];

pub(super) fn render(contents: &Contents, history: bool, coloured: bool) -> String {
    let rows = contents.accounts.iter().map(|record| {
        let (key, standing) = (&record.key, &record.standing);
        let level = StatusLevels::default().of(standing.committed.into(), standing.max.into());
        let cells = [
            figures::plain(key.limit()).into_owned(),
            account(key),
            period(key, standing.stamp),
            amount(key, standing.committed),
            lent(record),
            max(key, standing.max),
            share(standing),
            figures::grouped(record.refused.into()),
            level.as_str().to_owned(),
        ];
        (cells, Some(level))
    });
    let mut text = columns(&HEAD, rows.collect(), coloured);
    if history {
        let rows = contents.past.iter().map(|past| {
            let (key, standing) = (&past.key, &past.standing);
            let cells = [
                figures::plain(key.limit()).into_owned(),
                account(key),
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
    format!("`{}` {}", figures::plain(key.limit()), account(key))
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
    let algorithm = key.algorithm();
    if let Some((period, zone)) = algorithm.split_once(" in ") {
        let with_time = if period == "hour" {
            "%Y-%m-%d %H:%M"
        } else {
            "%Y-%m-%d"
        };
        return time(Wall(stamp), zone, with_time);
    }
    let window = algorithm
        .strip_prefix("windows of ")
        .and_then(|rest| rest.strip_suffix(" ns"));
    if let Some(per) = window.and_then(|per| per.parse::<i64>().ok()) {
        return time(Wall(stamp.saturating_mul(per)), "UTC", "%Y-%m-%d %H:%M:%S");
    }
    match algorithm {
        "lifetime" => "ever".to_owned(),
        _ => format!("as of {}", time(Wall(stamp), "UTC", "%Y-%m-%d %H:%M:%S")),
    }
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
