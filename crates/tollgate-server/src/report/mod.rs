//! What a replay found out, and its two renderings.

mod json;
mod text;

use std::time::Duration;

use tollgate_policy::Unit;

use crate::timeline::Timeline;

/// Everything a replay found out.
#[derive(Debug)]
pub(crate) struct Report {
    /// What was replayed, and under what.
    pub(crate) trace: String,
    pub(crate) policy: String,
    pub(crate) admitted: u64,
    pub(crate) refused: u64,
    /// Rows that were broken and passed over.
    pub(crate) skipped_rows: u64,
    /// The earliest and the latest row, in nanoseconds since 1970.
    pub(crate) span_ns: Option<(i64, i64)>,
    /// The limits in file order.
    pub(crate) limits: Vec<LimitReport>,
    /// Priority classes, and what they may use of each limit in millionths.
    pub(crate) classes: Vec<(String, u32)>,
    pub(crate) laws: Laws,
    pub(crate) waits: Waits,
    /// What all rows asked for, by their own account.
    pub(crate) asked: Amounts,
    /// What the admitted rows used, by their own account.
    pub(crate) used: Amounts,
    pub(crate) worst_second: Worst,
    pub(crate) worst_minute: Worst,
    pub(crate) timeline: Timeline,
    /// Wall time of the whole replay.
    pub(crate) elapsed: Duration,
}

impl Report {
    pub(crate) fn requests(&self) -> u64 {
        self.admitted + self.refused
    }

    /// `false` as soon as one law was broken.
    pub(crate) fn lawful(&self) -> bool {
        self.laws
            .all()
            .iter()
            .all(|(_, verdict)| !matches!(verdict, Verdict::Broken(_)))
    }

    /// One rendering of the report as JSON, ending in a line feed.
    pub(crate) fn to_json(&self) -> Result<String, serde_json::Error> {
        json::render(self)
    }

    /// One rendering of the report for people, ending in a line feed.
    pub(crate) fn to_text(&self) -> String {
        text::render(self)
    }
}

/// What happened at one limit.
#[derive(Debug)]
pub(crate) struct LimitReport {
    pub(crate) name: String,
    pub(crate) unit: Unit,
    /// The limit in words, such as `60 requests per 1m, gcra, by agent`.
    pub(crate) rule: String,
    /// The window of `max_in_any_window` in words, such as `1m`, `day` or `ever`.
    pub(crate) window: String,
    /// Requests for whose refusal this limit is the binding one.
    pub(crate) refused: u64,
    /// Requests that a limit in shadow mode would have refused.
    pub(crate) would_refuse: u64,
    /// Units admitted and kept: of an estimate what was not given back, without debt.
    pub(crate) units_admitted: u128,
    /// Units used beyond the estimates.
    pub(crate) units_debt: u128,
    /// The most of `units_admitted` in any window of one account.
    pub(crate) max_in_any_window: u128,
    /// Requests that a calendar counted in a later period than their own, since that had begun.
    pub(crate) counted_later: u64,
}

/// What is said about one law.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Held,
    /// With the first thing that breaks it.
    Broken(String),
    /// With the reason.
    NotChecked(String),
}

impl Verdict {
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Broken(_) => "broken",
            Self::NotChecked(_) => "not_checked",
        }
    }

    pub(crate) fn detail(&self) -> Option<&str> {
        match self {
            Self::Held => None,
            Self::Broken(detail) | Self::NotChecked(detail) => Some(detail),
        }
    }
}

/// The verdicts on the three laws.
#[derive(Debug)]
pub(crate) struct Laws {
    pub(crate) never_over: Verdict,
    pub(crate) never_needlessly_under: Verdict,
    pub(crate) denial_changes_nothing: Verdict,
}

impl Laws {
    pub(crate) fn all(&self) -> [(&'static str, &Verdict); 3] {
        [
            ("never_over", &self.never_over),
            ("never_needlessly_under", &self.never_needlessly_under),
            ("denial_changes_nothing", &self.denial_changes_nothing),
        ]
    }
}

/// How long refused requests were told to wait.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    /// Refusals that waiting helps.
    pub(crate) count: u64,
    pub(crate) sum: Duration,
    pub(crate) max: Duration,
    /// Refusals that no waiting helps.
    pub(crate) never: u64,
}

impl Waits {
    pub(crate) fn record(&mut self, retry_after: Option<Duration>) {
        match retry_after {
            None => self.never += 1,
            Some(wait) => {
                self.count += 1;
                self.sum = self.sum.saturating_add(wait);
                self.max = self.max.max(wait);
            }
        }
    }

    pub(crate) fn mean(&self) -> Duration {
        match u32::try_from(self.count) {
            Ok(0) => Duration::ZERO,
            Ok(count) => self.sum / count,
            Err(_) => self.sum.div_f64(self.count as f64),
        }
    }
}

/// Sums of what requests asked for.
#[derive(Debug, Default, serde::Serialize)]
pub(crate) struct Amounts {
    pub(crate) input_tokens: u128,
    pub(crate) output_tokens: u128,
    pub(crate) micro_usd: u128,
}

/// The busiest spans of one length, of admitted requests.
#[derive(Debug, Default)]
pub(crate) struct Worst {
    pub(crate) requests: Option<Busiest>,
    pub(crate) tokens: Option<Busiest>,
}

/// Where a busiest span starts, in nanoseconds since 1970, and what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Busiest {
    pub(crate) start_ns: i64,
    pub(crate) units: u128,
}

#[cfg(test)]
pub(crate) mod made {
    //! A report made by hand, for the renderings.

    use super::*;

    pub(crate) fn report() -> Report {
        let start = 1_700_158_546_680_590_000;
        let second = 1_000_000_000;
        let mut timeline = Timeline::new(2);
        for i in 0..3600 {
            let bucket = timeline.at(start + i * second);
            let wave = 3 + u64::try_from((i / 60) % 7).unwrap_or(0);
            bucket.admitted += wave;
            bucket.used(0, wave * 10, 100);
            bucket.used(1, 50 + wave * 10, 100);
            if i % 5 == 0 && wave > 6 {
                bucket.refused[0] += 3;
                bucket.refused[1] += 1;
            }
        }
        let busiest = |units| {
            Some(Busiest {
                start_ns: start,
                units,
            })
        };
        Report {
            trace: "trace.csv".into(),
            policy: "policy.toml".into(),
            admitted: 19_000,
            refused: 366,
            skipped_rows: 2,
            span_ns: Some((start, start + 3600 * second)),
            limits: vec![
                LimitReport {
                    name: "agent-rpm".into(),
                    unit: Unit::Requests,
                    rule: "60 requests per 1m, gcra, by agent".into(),
                    window: "1m".into(),
                    refused: 300,
                    would_refuse: 0,
                    units_admitted: 19_000,
                    units_debt: 0,
                    max_in_any_window: 70,
                    counted_later: 0,
                },
                LimitReport {
                    name: "team \"usd\"".into(),
                    unit: Unit::Usd,
                    rule: "$25.00 per day, calendar".into(),
                    window: "day".into(),
                    refused: 66,
                    would_refuse: 5,
                    units_admitted: 24_999_000,
                    units_debt: 7,
                    max_in_any_window: 24_999_000,
                    counted_later: 3,
                },
            ],
            classes: vec![("batch".into(), 500_000)],
            laws: Laws {
                never_over: Verdict::Held,
                never_needlessly_under: Verdict::NotChecked("estimates differ".into()),
                denial_changes_nothing: Verdict::Broken("row 7".into()),
            },
            waits: Waits {
                count: 360,
                sum: Duration::from_secs(720),
                max: Duration::from_secs(9),
                never: 6,
            },
            asked: Amounts {
                input_tokens: 2_000_000,
                output_tokens: 500_000,
                micro_usd: 0,
            },
            used: Amounts {
                input_tokens: 1_900_000,
                output_tokens: 450_000,
                micro_usd: 0,
            },
            worst_second: Worst {
                requests: busiest(12),
                tokens: busiest(34_000),
            },
            worst_minute: Worst {
                requests: busiest(340),
                tokens: busiest(340_000),
            },
            timeline,
            elapsed: Duration::from_millis(40),
        }
    }
}
