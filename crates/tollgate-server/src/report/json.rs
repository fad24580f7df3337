//! The report as JSON.
//!
//! Amounts of a `usd` limit are millionths of a dollar; times are RFC 3339 in UTC; usage is a share
//! of the limit, 1 being full.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::{Amounts, Busiest, Report, Waits, Worst};
use crate::figures;
use crate::units;

pub(super) fn render(report: &Report) -> Result<String, serde_json::Error> {
    let mut text = harmless(&serde_json::to_string_pretty(&Json::new(report))?);
    text.push('\n');
    Ok(text)
}

/// The same JSON, with escapes for what JSON lets stand in strings and a terminal would act on.
fn harmless(json: &str) -> String {
    let mut text = String::with_capacity(json.len() + 1);
    for letter in json.chars() {
        // Outside of strings stand ends of lines and nothing else of the kind; all such characters fit four digits.
        if letter != '\n' && figures::plays_tricks(letter) {
            // Writing to a string cannot fail.
            let _ = write!(text, "\\u{:04x}", u32::from(letter));
        } else {
            text.push(letter);
        }
    }
    text
}

#[derive(Serialize)]
struct Json<'a> {
    requests: u64,
    admitted: u64,
    refused: u64,
    by_limit: Pairs<&'a str, ByLimit<'a>>,
    laws: Pairs<&'a str, &'a str>,
    law_notes: Pairs<&'a str, &'a str>,
    skipped_rows: u64,
    first: Option<String>,
    last: Option<String>,
    asked: &'a Amounts,
    used: &'a Amounts,
    waits: JsonWaits,
    worst_second: JsonWorst,
    worst_minute: JsonWorst,
    timeline: JsonTimeline<'a>,
    elapsed_s: f64,
    decisions_per_second: f64,
}

#[derive(Serialize)]
struct ByLimit<'a> {
    refused: u64,
    units_admitted: u128,
    max_in_any_window: u128,
    units_debt: u128,
    would_refuse: u64,
    counted_later: u64,
    unit: &'static str,
    window: &'a str,
    rule: &'a str,
}

#[derive(Serialize)]
struct JsonWaits {
    count: u64,
    mean_ns: u128,
    max_ns: u128,
    never: u64,
}

#[derive(Serialize)]
struct JsonWorst {
    requests: Option<Span>,
    tokens: Option<Span>,
}

#[derive(Serialize)]
struct Span {
    start: String,
    units: u128,
}

#[derive(Serialize)]
struct JsonTimeline<'a> {
    bucket_ns: i64,
    buckets: Vec<JsonBucket<'a>>,
}

#[derive(Serialize)]
struct JsonBucket<'a> {
    start: String,
    admitted: u64,
    refused: Pairs<&'a str, u64>,
    usage: Pairs<&'a str, f64>,
}

impl<'a> Json<'a> {
    fn new(report: &'a Report) -> Self {
        let by_limit = report.limits.iter().map(|limit| {
            let figures = ByLimit {
                refused: limit.refused,
                units_admitted: limit.units_admitted,
                max_in_any_window: limit.max_in_any_window,
                units_debt: limit.units_debt,
                would_refuse: limit.would_refuse,
                counted_later: limit.counted_later,
                unit: units::name(limit.unit),
                window: &limit.window,
                rule: &limit.rule,
            };
            (limit.name.as_str(), figures)
        });
        let laws = report.laws.all();
        let elapsed_s = report.elapsed.as_secs_f64();
        Self {
            requests: report.requests(),
            admitted: report.admitted,
            refused: report.refused,
            by_limit: Pairs(by_limit.collect()),
            laws: Pairs(
                laws.iter()
                    .map(|(name, verdict)| (*name, verdict.word()))
                    .collect(),
            ),
            law_notes: Pairs(
                laws.iter()
                    .filter_map(|(name, law)| Some((*name, law.detail()?)))
                    .collect(),
            ),
            skipped_rows: report.skipped_rows,
            first: report.span_ns.map(|(first, _)| rfc3339(first)),
            last: report.span_ns.map(|(_, last)| rfc3339(last)),
            asked: &report.asked,
            used: &report.used,
            waits: JsonWaits::new(&report.waits),
            worst_second: JsonWorst::new(&report.worst_second),
            worst_minute: JsonWorst::new(&report.worst_minute),
            timeline: JsonTimeline::new(report),
            elapsed_s,
            decisions_per_second: report.requests() as f64
                / elapsed_s.max(Duration::from_nanos(1).as_secs_f64()),
        }
    }
}

impl JsonWaits {
    fn new(waits: &Waits) -> Self {
        Self {
            count: waits.count,
            mean_ns: waits.mean().as_nanos(),
            max_ns: waits.max.as_nanos(),
            never: waits.never,
        }
    }
}

impl JsonWorst {
    fn new(worst: &Worst) -> Self {
        let span = |b: Busiest| Span {
            start: rfc3339(b.start_ns),
            units: b.units,
        };
        Self {
            requests: worst.requests.map(span),
            tokens: worst.tokens.map(span),
        }
    }
}

impl<'a> JsonTimeline<'a> {
    fn new(report: &'a Report) -> Self {
        let names = || report.limits.iter().map(|limit| limit.name.as_str());
        let buckets = report.timeline.iter().map(|(start_ns, bucket)| JsonBucket {
            start: rfc3339(start_ns),
            admitted: bucket.admitted,
            refused: Pairs(names().zip(bucket.refused.iter().copied()).collect()),
            usage: Pairs(
                names()
                    .zip(&bucket.usage_ppm)
                    .filter_map(|(name, ppm)| Some((name, (*ppm)? as f64 / 1e6)))
                    .collect(),
            ),
        });
        Self {
            bucket_ns: report.timeline.width_ns(),
            buckets: buckets.collect(),
        }
    }
}

fn rfc3339(wall_ns: i64) -> String {
    figures::utc(wall_ns, "%Y-%m-%dT%H:%M:%S%.fZ")
}

/// A map in the order of its pairs, which is the order of the policy file.
struct Pairs<K, V>(Vec<(K, V)>);

impl<K: Serialize, V: Serialize> Serialize for Pairs<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::made;

    #[test]
    fn the_agreed_members_come_first_and_as_agreed() {
        let text = made::report().to_json().unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["requests"], json!(19_366));
        assert_eq!(value["admitted"], json!(19_000));
        assert_eq!(value["refused"], json!(366));
        assert_eq!(
            value["by_limit"]["agent-rpm"],
            json!({"refused": 300, "units_admitted": 19_000, "max_in_any_window": 70,
                "units_debt": 0, "would_refuse": 0, "counted_later": 0, "unit": "requests", "window": "1m",
                "rule": "60 requests per 1m, gcra, by agent"})
        );
        assert_eq!(
            value["by_limit"]["team \"usd\""]["units_admitted"],
            json!(24_999_000)
        );
        assert_eq!(
            value["laws"],
            json!({"never_over": "held", "never_needlessly_under": "not_checked",
                "denial_changes_nothing": "broken"})
        );
        assert_eq!(value["law_notes"]["denial_changes_nothing"], json!("row 7"));
        assert_eq!(
            value["worst_second"]["requests"]["start"],
            json!("2023-11-16T18:15:46.68059Z")
        );
        assert_eq!(value["waits"]["mean_ns"], json!(2_000_000_000));
        let members = ["requests", "admitted", "refused", "by_limit", "laws"];
        let at: Vec<_> = members
            .map(|m| text.find(&format!("\n  \"{m}\":")).unwrap())
            .to_vec();
        assert!(at.is_sorted(), "{text}");
        assert!(text.find("agent-rpm").unwrap() < text.find("team").unwrap());
    }
}
