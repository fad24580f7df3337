//! `tollgate check`: what a valid policy allows at worst.

mod burst;

use std::fmt::Write as _;

use tollgate_policy::{Algorithm, LimitRule, Mode, OverrideRule, PolicyFile};

use self::burst::Worst;
use crate::figures::plain;
use crate::rules::{self, Terms};
use crate::units;

/// Before a figure that only bounds what passes.
const AT_MOST: &str = "≤ ";
const SECOND: u64 = 1_000_000_000;
const WINDOWS: [(&str, u64); 4] = [
    ("second", SECOND),
    ("minute", 60 * SECOND),
    ("hour", 3600 * SECOND),
    ("day", 86_400 * SECOND),
];

/// The limits and overrides of a policy with the worst bursts they allow.
pub(crate) fn render(name: &str, file: &PolicyFile) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut out, name, file);
    out
}

fn write(out: &mut String, name: &str, file: &PolicyFile) -> std::fmt::Result {
    let several =
        |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
    writeln!(
        out,
        "{}: valid, {}, {}, {}\n",
        plain(name),
        several(file.limits.len(), "limit", "limits"),
        several(file.overrides.len(), "override", "overrides"),
        several(file.priorities.len(), "priority class", "priority classes"),
    )?;
    writeln!(
        out,
        "The most that one account is admitted in any second, minute, hour and day, of any start:\n"
    )?;
    let rows = rows(file);
    let widths: Vec<usize> = (0..6)
        .map(|column| {
            rows.iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    for [name, second, minute, hour, day, rule] in &rows {
        let [a, b, c, d, e] = [0, 1, 2, 3, 4].map(|column| widths[column]);
        let line =
            format!("  {name:<a$}  {second:>b$}  {minute:>c$}  {hour:>d$}  {day:>e$}  {rule}");
        writeln!(out, "{}", line.trim_end())?;
    }
    if !file.priorities.is_empty() {
        writeln!(
            out,
            "\nA priority class sees only part of every capacity and maximum:\n"
        )?;
        let width = file
            .priorities
            .iter()
            .map(|class| plain(&class.name).chars().count())
            .max()
            .unwrap_or(0);
        for class in &file.priorities {
            let (whole, part) = (class.share.as_ppm() / 10_000, class.share.as_ppm() % 10_000);
            let decimals = format!("{part:04}");
            let decimals = decimals.trim_end_matches('0');
            let point = if decimals.is_empty() { "" } else { "." };
            writeln!(
                out,
                "  {:<width$}  {whole}{point}{decimals} %",
                plain(&class.name)
            )?;
        }
    }
    let bounds = rows
        .iter()
        .skip(1)
        .any(|row| row[1..5].iter().any(|figure| figure.starts_with(AT_MOST)));
    notes(out, file, bounds)
}

type Row = [String; 6];

fn rows(file: &PolicyFile) -> Vec<Row> {
    let mut rows: Vec<Row> =
        vec![["limit", "second", "minute", "hour", "day", "rule"].map(String::from)];
    for (index, limit) in file.limits.iter().enumerate() {
        rows.push(row(plain(&limit.name).into(), limit, None));
        for other in file.overrides.iter().filter(|other| other.limit == index) {
            let accounts: Vec<String> = other
                .where_
                .iter()
                .map(|(scope, value)| format!("{scope} = {value:?}"))
                .collect();
            rows.push(row(
                format!("  {}", accounts.join(", ")),
                limit,
                Some(other),
            ));
        }
    }
    rows
}

fn row(name: String, limit: &LimitRule, other: Option<&OverrideRule>) -> Row {
    let terms = Terms::new(limit, other);
    let [second, minute, hour, day] =
        WINDOWS.map(|(_, window)| match bound(limit, &terms, window) {
            Some(worst) => {
                let at_most = if worst.exact { "" } else { AT_MOST };
                format!("{at_most}{}", units::amount(limit.unit, worst.units))
            }
            None => "any".into(),
        });
    [name, second, minute, hour, day, rules::words(limit, &terms)]
}

/// None where nothing bounds it.
fn bound(limit: &LimitRule, terms: &Terms, window_ns: u64) -> Option<Worst> {
    if terms.mode != Mode::Enforce {
        return None;
    }
    burst::worst(&limit.algorithm, terms.max?, terms.capacity?, window_ns)
}

fn notes(out: &mut String, file: &PolicyFile, bounds: bool) -> std::fmt::Result {
    let mut notes = Vec::new();
    if bounds {
        notes.push(
            "A figure with ≤ is a bound: at most so many are admitted, and maybe never so many.",
        );
    }
    let uses =
        |test: fn(&Algorithm) -> bool| file.limits.iter().any(|limit| test(&limit.algorithm));
    if uses(|algorithm| *algorithm == Algorithm::Concurrency) {
        notes.push(
            "A concurrency limit bounds the requests open at once, and not how many pass in any span of time.",
        );
    }
    if uses(|algorithm| matches!(algorithm, Algorithm::Fixed { .. } | Algorithm::Calendar(_))) {
        notes.push(
            "Fixed and calendar periods side by side may each be used up at the bound between them; where a \
             zone changes its clocks, a day may have 23 hours.",
        );
    }
    if file
        .limits
        .iter()
        .any(|limit| limit.refund == tollgate_policy::Refund::Eager)
    {
        notes.push("Eager refunds may add the surplus of the estimates in flight.");
    }
    for (index, note) in notes.iter().enumerate() {
        writeln!(out, "{}{note}", if index == 0 { "\n" } else { "" })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_and_override_has_its_line() {
        let file = PolicyFile::parse(
            r#"
            [[limit]]
            name = "agent-rpm"
            by = ["agent"]
            unit = "requests"
            max = 60
            per = "1m"
            capacity = 10
            [[limit]]
            name = "budget"
            unit = "usd"
            max = 25.50
            per = "day"
            algorithm = "calendar"
            [[limit]]
            name = "open"
            unit = "requests"
            max = 3
            algorithm = "concurrency"
            [[override]]
            limit = "agent-rpm"
            where = { agent = "did:agent:premium" }
            max = 200
            [[priority]]
            name = "batch"
            share = 0.125
            "#,
        )
        .unwrap();
        let expected = "\
policy.toml: valid, 3 limits, 1 override, 1 priority class

The most that one account is admitted in any second, minute, hour and day, of any start:

  limit                          second  minute    hour      day  rule
  agent-rpm                          10      69   3,609   86,409  60 requests per 1m, capacity 10, gcra, by agent
    agent = \"did:agent:premium\"      13     209  12,009  288,009  200 requests per 1m, capacity 10, gcra, by agent
  budget                         $51.00  $51.00  $51.00   $51.00  $25.50 per day, calendar
  open                              any     any     any      any  3 requests, concurrency

A priority class sees only part of every capacity and maximum:

  batch  12.5 %

A concurrency limit bounds the requests open at once, and not how many pass in any span of time.
Fixed and calendar periods side by side may each be used up at the bound between them; where a zone changes its clocks, a day may have 23 hours.
";
        assert_eq!(render("policy.toml", &file), expected);
    }
}
