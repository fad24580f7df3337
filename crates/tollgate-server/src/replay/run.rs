//! One replay under way.

use std::collections::HashMap;
use std::io::Write;
use std::time::Instant;

use tollgate_core::{Nanos, Wall};
use tollgate_policy::{Explained, Gate, Mode, PolicyFile, Refusal, Request, Usage, Verdict};
use tollgate_testkit::law;

use super::pending::{Open, Pending};
use super::{Settings, gate};
use crate::books::{Books, Checks, Concern, Decision};
use crate::decisions::Decisions;
use crate::files::Failure;
use crate::report::{Amounts, Busiest, LimitReport, Report, Waits, Worst};
use crate::rules::{self, Terms};
use crate::timeline::Timeline;
use crate::trace::Row;

const DAY_NS: i64 = 86_400_000_000_000;
/// How much earlier than the first row a row may be: the epoch lies so far before it.
const BEFORE_NS: i64 = 366 * DAY_NS;
/// How much later a row may be, so that it and its settlement lie within the 30 years of a gate.
const AFTER_NS: i64 = 28 * 365 * DAY_NS;
const SECOND_NS: u64 = 1_000_000_000;

/// A gate with all that is known so far.
pub(super) struct Run<'a, W: Write> {
    settings: Settings,
    file: &'a PolicyFile,
    places: HashMap<&'a str, usize>,
    decisions: Option<&'a mut Decisions<W>>,
    gate: Gate,
    epoch_ns: i64,
    books: Books,
    pending: Pending,
    timeline: Timeline,
    span_ns: Option<(i64, i64)>,
    /// Refusals by binding limit, and by limits that only count.
    refused: Vec<u64>,
    would_refuse: Vec<u64>,
    /// When each admitted request came, and its tokens.
    passed: Vec<(u64, u64)>,
    waits: Waits,
    asked: Amounts,
    used: Amounts,
}

impl<'a, W: Write> Run<'a, W> {
    /// A replay whose first row is at `first_ns` since 1970.
    pub(super) fn new(
        settings: Settings,
        file: &'a PolicyFile,
        decisions: Option<&'a mut Decisions<W>>,
        first_ns: i64,
    ) -> Result<Self, Failure> {
        let epoch_ns = first_ns.saturating_sub(BEFORE_NS);
        let gate = gate(&settings.policy, epoch_ns)
            .map_err(|errors| Failure::policy(&settings.policy_name, &errors))?;
        let checks = Checks {
            laws: settings.laws,
            estimates_are_true: settings.estimate.is_one(),
        };
        let limits = file.limits.len();
        Ok(Self {
            file,
            places: file
                .limits
                .iter()
                .enumerate()
                .map(|(place, limit)| (&*limit.name, place))
                .collect(),
            decisions,
            gate,
            epoch_ns,
            books: Books::new(file, epoch_ns, checks),
            pending: Pending::default(),
            timeline: Timeline::new(limits),
            span_ns: None,
            refused: vec![0; limits],
            would_refuse: vec![0; limits],
            passed: Vec::new(),
            waits: Waits::default(),
            asked: Amounts::default(),
            used: Amounts::default(),
            settings,
        })
    }

    /// Decides about a row. `Some` says why that cannot be done.
    pub(super) fn row(&mut self, row: &Row) -> Result<Option<String>, Failure> {
        // One is drawn for each row, whatever becomes of it.
        let hold = self.settings.holds.draw();
        if let Some(problem) = self.out_of_range(row) {
            return Ok(Some(problem));
        }
        self.settle_due(row.wall_ns);
        let actual = Usage {
            input_tokens: row.input_tokens,
            output_tokens: row.output_tokens,
            micro_usd: row.micro_usd,
        };
        let factor = self.settings.estimate;
        let estimate = Usage {
            input_tokens: factor.apply(actual.input_tokens),
            output_tokens: factor.apply(actual.output_tokens),
            micro_usd: factor.apply(actual.micro_usd),
        };
        let mut request = Request::new().usage(estimate);
        for (name, value) in row.scopes.iter() {
            request = request.with(name, value);
        }
        if let Some(class) = row.class() {
            request = request.class(class);
        }
        let (now, wall) = (self.now(row.wall_ns), Wall::new(row.wall_ns));
        let before = self.gate.explain_at(&request, now, wall);
        match self.gate.admit_at(&request, now, wall) {
            Ok(reservation) => {
                let concerns = self.decided(row, &estimate, &actual, &before, &Ok(()));
                self.passed.push((now.0, row.tokens()));
                add(&mut self.used, &actual);
                if let Some(decisions) = &mut self.decisions {
                    decisions.admitted(row.number, &row.timestamp)?;
                }
                let hold = i64::try_from(hold.as_nanos()).unwrap_or(i64::MAX);
                let due_ns = row.wall_ns.saturating_add(hold);
                self.pending.push(Open {
                    due_ns,
                    row: row.number,
                    reservation,
                    actual,
                    concerns,
                });
            }
            Err(Refusal::Limited(limited)) => {
                // Invariant: the gate and the books are made from one file, so its limits are known here.
                let place = self.places.get(&*limited.limit).copied().unwrap_or(0);
                let decision = Err((place, limited.retry_after));
                self.decided(row, &estimate, &actual, &before, &decision);
                self.refused[place] += 1;
                self.waits.record(limited.retry_after);
                if self.settings.laws {
                    let after = self.gate.explain_at(&request, now, wall);
                    if let Some(change) = change(&before, &after) {
                        self.books.changed_by_denial(row.number, &change);
                    }
                }
                if let Some(decisions) = &mut self.decisions {
                    decisions.refused(
                        row.number,
                        &row.timestamp,
                        &limited.limit,
                        limited.retry_after,
                    )?;
                }
            }
            Err(other) => return Ok(Some(other.to_string())),
        }
        add(&mut self.asked, &actual);
        Ok(None)
    }

    /// Settles what is still open, and sums up.
    pub(super) fn finish(mut self, skipped_rows: u64, started: Instant) -> Report {
        self.settle_due(i64::MAX);
        let limits = self.file.limits.iter().enumerate().map(|(place, limit)| {
            let sums = self.books.sums(place);
            LimitReport {
                name: limit.name.clone(),
                unit: limit.unit,
                rule: rules::words(limit, &Terms::new(limit, None)),
                window: rules::window(&limit.algorithm),
                refused: self.refused[place],
                would_refuse: self.would_refuse[place],
                units_admitted: sums.admitted,
                units_debt: sums.debt,
                max_in_any_window: sums.most_in_window,
                counted_later: sums.counted_later,
            }
        });
        let limits: Vec<_> = limits.collect();
        let laws = self.books.laws();
        Report {
            trace: self.settings.trace_name.clone(),
            policy: self.settings.policy_name.clone(),
            admitted: self.passed.len() as u64,
            refused: self.refused.iter().sum(),
            skipped_rows,
            span_ns: self.span_ns,
            limits,
            classes: self
                .file
                .priorities
                .iter()
                .map(|class| (class.name.clone(), class.share.as_ppm()))
                .collect(),
            laws,
            worst_second: self.worst(SECOND_NS),
            worst_minute: self.worst(60 * SECOND_NS),
            waits: self.waits,
            asked: self.asked,
            used: self.used,
            timeline: self.timeline,
            elapsed: started.elapsed(),
        }
    }

    fn out_of_range(&self, row: &Row) -> Option<String> {
        let first = self.epoch_ns.saturating_add(BEFORE_NS);
        let range = self.epoch_ns..=first.saturating_add(AFTER_NS);
        if range.contains(&row.wall_ns) {
            return None;
        }
        Some(format!(
            "TIMESTAMP is {:?}; a time from 366 days before the first row's to 28 years after it would be right",
            row.timestamp
        ))
    }

    fn now(&self, wall_ns: i64) -> Nanos {
        Nanos::new(wall_ns.abs_diff(self.epoch_ns))
    }

    fn settle_due(&mut self, wall_ns: i64) {
        while let Some(mut open) = self.pending.pop_due(wall_ns) {
            let now = self.now(open.due_ns);
            open.reservation
                .settle_at(open.actual, now, Wall::new(open.due_ns));
            self.books.settled(now.0, &mut open.concerns);
        }
    }

    /// Enters a decision in the books and on the time line.
    fn decided(
        &mut self,
        row: &Row,
        estimate: &Usage,
        actual: &Usage,
        before: &[Explained],
        decision: &Decision,
    ) -> Vec<Concern> {
        let now = self.now(row.wall_ns).0;
        let mut concerns = self.books.concerns(row, now, estimate, actual);
        self.books.decided(row.number, now, &mut concerns, decision);
        let span = self.span_ns.get_or_insert((row.wall_ns, row.wall_ns));
        *span = (span.0.min(row.wall_ns), span.1.max(row.wall_ns));
        let bucket = self.timeline.at(row.wall_ns);
        match decision {
            Ok(()) => bucket.admitted += 1,
            Err((limit, _)) => bucket.refused[*limit] += 1,
        }
        for concern in &concerns {
            let (used, fits) = match &before[concern.limit].verdict {
                Verdict::Admits { used, .. } => (*used, true),
                Verdict::Refuses(limited) => (limited.used, false),
                _ => continue,
            };
            let added = if decision.is_ok() && fits {
                concern.estimate
            } else {
                0
            };
            if let Some(ceiling) = self.books.ceiling(concern) {
                bucket.used(concern.limit, used.saturating_add(added), ceiling);
            }
            let shadow = before[concern.limit].mode == Mode::Shadow;
            self.would_refuse[concern.limit] += u64::from(shadow && !fits);
        }
        concerns
    }

    fn worst(&self, width_ns: u64) -> Worst {
        let busiest = |record: &mut dyn Iterator<Item = (u64, u64)>| {
            law::busiest(width_ns, record).map(|peak| Busiest {
                start_ns: self.epoch_ns.saturating_add_unsigned(peak.start),
                units: peak.units,
            })
        };
        Worst {
            requests: busiest(&mut self.passed.iter().map(|(at, _)| (*at, 1))),
            tokens: busiest(&mut self.passed.iter().copied()),
        }
    }
}

/// The first limit that says something else than before.
pub(super) fn change(before: &[Explained], after: &[Explained]) -> Option<String> {
    let (old, new) = before.iter().zip(after).find(|(old, new)| old != new)?;
    Some(format!(
        "limit {:?} said {:?} before, and {:?} after",
        old.limit, old.verdict, new.verdict
    ))
}

fn add(sums: &mut Amounts, usage: &Usage) {
    sums.input_tokens += u128::from(usage.input_tokens);
    sums.output_tokens += u128::from(usage.output_tokens);
    sums.micro_usd += u128::from(usage.micro_usd);
}
