//! What we hold ourselves to.

use super::figures::{FloodFigures, Report};
use crate::Role;

/// How a target is measured.
#[derive(Clone, Copy, Debug)]
enum Measured {
    /// In each of these groups, so many times faster than another row.
    Faster {
        groups: &'static [&'static str],
        row: &'static str,
        than: &'static str,
        times: f64,
    },
    /// In each of these groups, at most so many times the time of another row.
    AtMost {
        groups: &'static [&'static str],
        row: &'static str,
        of: &'static str,
        times: f64,
    },
    /// Bytes by key at this load.
    Bytes { load_percent: u32, most: f64 },
    /// New keys that find no slot, one in so many: of all that came until this load, or of those on its last per cent.
    NoSlot {
        load_percent: u32,
        last: bool,
        one_in: u64,
    },
    /// Long operations beside those of the idle loop.
    LongOperations,
    /// Laws under a flood of keys.
    Flood,
}

/// One thing we hold ourselves to.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// What, for a reader; also the name under which reasons are kept.
    pub what: &'static str,
    measured: Measured,
}

/// What became of a target.
#[derive(Clone, Debug)]
pub struct Held {
    /// The target.
    pub what: &'static str,
    /// What it asks for.
    pub target: String,
    /// What was measured.
    pub measured: String,
    /// Whether it was held; `None`: it was not measured.
    pub held: Option<bool>,
}

const fn faster(
    what: &'static str,
    groups: &'static [&'static str],
    row: &'static str,
    than: &'static str,
    times: f64,
) -> Target {
    let measured = Measured::Faster {
        groups,
        row,
        than,
        times,
    };
    Target { what, measured }
}

const fn at_most(
    what: &'static str,
    groups: &'static [&'static str],
    row: &'static str,
    of: &'static str,
    times: f64,
) -> Target {
    let measured = Measured::AtMost {
        groups,
        row,
        of,
        times,
    };
    Target { what, measured }
}

/// All of them.
pub const TARGETS: [Target; 26] = [
    faster(
        "one limit, allowed, 1 thread: sharded against governor",
        &["one_limit/allowed/threads_1"],
        "tollgate_sharded",
        "governor",
        2.5,
    ),
    faster(
        "one limit, allowed, 1 thread: handle against governor",
        &["one_limit/allowed/threads_1"],
        "tollgate_handle",
        "governor",
        9.0,
    ),
    faster(
        "one limit, allowed, 2 threads: sharded against governor",
        &["one_limit/allowed/threads_2"],
        "tollgate_sharded",
        "governor",
        10.0,
    ),
    at_most(
        "one limit, plain cell on the fast clock, allowed and denied: of governor's time",
        &["one_limit/allowed/threads_1", "one_limit/denied/threads_1"],
        "tollgate",
        "governor",
        1.05,
    ),
    at_most(
        "one limit, coarse clock, allowed: of the textbook GCRA's time",
        &["one_limit/allowed/threads_1"],
        "tollgate_coarse",
        "textbook_gcra_coarse",
        1.10,
    ),
    at_most(
        "one limit, coarse clock, denied: of the textbook GCRA's time",
        &["one_limit/denied/threads_1"],
        "tollgate_coarse",
        "textbook_gcra_coarse",
        1.4,
    ),
    faster(
        "1M text keys, single: table against governor's dashmap",
        &["keyed/string24_1m/uniform/allowed/single/threads_1"],
        "tollgate_table",
        "governor_dashmap",
        7.0,
    ),
    faster(
        "1M text keys, batches of 16: table against governor's dashmap",
        &["keyed/string24_1m/uniform/allowed/batch_16/threads_1"],
        "tollgate_table",
        "governor_dashmap",
        14.0,
    ),
    faster(
        "10M text keys, single: table against governor's dashmap",
        &["keyed/string24_10m/uniform/allowed/single/threads_1"],
        "tollgate_table",
        "governor_dashmap",
        9.0,
    ),
    faster(
        "10M text keys, batches of 16: table against governor's dashmap",
        &["keyed/string24_10m/uniform/allowed/batch_16/threads_1"],
        "tollgate_table",
        "governor_dashmap",
        20.0,
    ),
    faster(
        "1M u64 keys, single: table against governor's dashmap",
        &["keyed/u64_1m/uniform/allowed/single/threads_1"],
        "tollgate_table",
        "governor_dashmap",
        2.8,
    ),
    faster(
        "10M u64 keys, single: table against governor's dashmap",
        &["keyed/u64_10m/uniform/allowed/single/threads_1"],
        "tollgate_table",
        "governor_dashmap",
        2.8,
    ),
    faster(
        "1M u64 keys, batches of 16: table against governor's dashmap",
        &["keyed/u64_1m/uniform/allowed/batch_16/threads_1"],
        "tollgate_table",
        "governor_dashmap",
        6.0,
    ),
    faster(
        "10M u64 keys, batches of 16: table against governor's dashmap",
        &["keyed/u64_10m/uniform/allowed/batch_16/threads_1"],
        "tollgate_table",
        "governor_dashmap",
        6.0,
    ),
    faster(
        "10M text keys, 2 threads, batches of 16: table against governor's dashmap",
        &["keyed/string24_10m/uniform/allowed/batch_16/threads_2"],
        "tollgate_table",
        "governor_dashmap",
        15.0,
    ),
    at_most(
        "10M u64 keys, batches of 16: of a bare load and exchange on the same footprint",
        &["keyed/u64_10m/uniform/allowed/batch_16/threads_1"],
        "tollgate_table",
        "floor_exchange",
        1.8,
    ),
    Target {
        what: "bytes by key at 60 % load",
        measured: Measured::Bytes {
            load_percent: 60,
            most: 28.0,
        },
    },
    Target {
        what: "bytes by key at 90 % load",
        measured: Measured::Bytes {
            load_percent: 90,
            most: 18.5,
        },
    },
    Target {
        what: "operations above 20 µs on the largest table: of twice the idle loop's, plus 10",
        measured: Measured::LongOperations,
    },
    faster(
        "sliding window, allowed, 1 thread: sharded ring against pingora's observe",
        &["window/allowed/threads_1"],
        "tollgate_ring_sharded",
        "pingora_observe",
        2.5,
    ),
    faster(
        "sliding window, denied, 1 thread: sharded ring against pingora's observe",
        &["window/denied/threads_1"],
        "tollgate_ring_sharded",
        "pingora_observe",
        2.5,
    ),
    Target {
        what: "new keys without a slot at 70 % load: of those that came on its last per cent",
        measured: Measured::NoSlot {
            load_percent: 70,
            last: true,
            one_in: 100_000,
        },
    },
    Target {
        what: "new keys without a slot at 80 % load: of those that came on its last per cent",
        measured: Measured::NoSlot {
            load_percent: 80,
            last: true,
            one_in: 1_000,
        },
    },
    Target {
        what: "new keys without a slot at 70 % load: of all that came until then",
        measured: Measured::NoSlot {
            load_percent: 70,
            last: false,
            one_in: 100_000,
        },
    },
    Target {
        what: "new keys without a slot at 80 % load: of all that came until then",
        measured: Measured::NoSlot {
            load_percent: 80,
            last: false,
            one_in: 1_000,
        },
    },
    Target {
        what: "flood of ten times as many new keys: laws broken for those who were there",
        measured: Measured::Flood,
    },
];

impl Target {
    /// What became of it.
    #[must_use]
    pub fn judge(&self, report: &Report) -> Held {
        let (target, measured, held) = match self.measured {
            Measured::Faster {
                groups,
                row,
                than,
                times,
            } => {
                let worst = groups
                    .iter()
                    .map(|group| report.group(group)?.times_faster(row, than))
                    .try_fold(f64::INFINITY, |least, found| Some(least.min(found?)));
                (
                    format!("{times}× faster"),
                    worst.map(|worst| format!("{worst:.2}×")),
                    worst.map(|worst| worst >= times),
                )
            }
            Measured::AtMost {
                groups,
                row,
                of,
                times,
            } => {
                let worst = groups
                    .iter()
                    .map(|group| report.group(group)?.times_faster(of, row))
                    .try_fold(0.0, |most: f64, found| Some(most.max(found?)));
                (
                    format!("at most {times}×"),
                    worst.map(|worst| format!("{worst:.2}×")),
                    worst.map(|worst| worst <= times),
                )
            }
            Measured::Bytes { load_percent, most } => {
                let load = report
                    .loads
                    .figures
                    .iter()
                    .find(|one| one.load_percent == load_percent);
                (
                    format!("at most {most}"),
                    load.map(|load| format!("{:.1}", load.bytes_per_key)),
                    load.map(|load| load.bytes_per_key <= most),
                )
            }
            Measured::NoSlot {
                load_percent,
                last,
                one_in,
            } => {
                let load = report
                    .loads
                    .figures
                    .iter()
                    .find(|one| one.load_percent == load_percent);
                let counts = load.map(|load| match last {
                    true => (load.refused_last, load.came_last),
                    false => (load.refused, load.came),
                });
                (
                    format!("at most 1 in {one_in}"),
                    counts.map(|(refused, came)| format!("{refused} of {came}")),
                    counts.map(|(refused, came)| refused * one_in <= came),
                )
            }
            Measured::LongOperations => {
                let ours = report
                    .tails
                    .figures
                    .iter()
                    .position(|one| one.role == Role::Ours);
                let pair = ours.and_then(|at| {
                    report
                        .tails
                        .figures
                        .get(at)
                        .zip(report.tails.figures.get(at + 1))
                });
                (
                    "at most 2 × idle + 10".to_owned(),
                    pair.map(|(ours, idle)| {
                        format!("{}, idle {}", ours.above_20us, idle.above_20us)
                    }),
                    pair.map(|(ours, idle)| ours.above_20us <= 2 * idle.above_20us + 10),
                )
            }
            Measured::Flood => {
                let ours: Vec<&FloodFigures> = report
                    .floods
                    .figures
                    .iter()
                    .filter(|one| one.role == Role::Ours)
                    .collect();
                let wrong: Vec<String> = ours.iter().flat_map(|one| one.wrong()).collect();
                let measured = if wrong.is_empty() {
                    "none".to_owned()
                } else {
                    wrong.join(", ")
                };
                (
                    "none".to_owned(),
                    (!ours.is_empty()).then_some(measured),
                    (!ours.is_empty()).then_some(wrong.is_empty()),
                )
            }
        };
        Held {
            what: self.what,
            target,
            measured: measured.unwrap_or_else(|| "not measured".to_owned()),
            held,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{GroupFigures, RowFigures, page::tests::empty};

    fn row(name: &str, ns: &[f64]) -> RowFigures {
        RowFigures {
            name: name.to_owned(),
            role: Role::Ours,
            ns: ns.to_vec(),
            wrong: None,
        }
    }

    #[test]
    fn ratios_are_of_rounds_and_absent_rows_are_not_measured() {
        let mut report = empty();
        assert_eq!(TARGETS[0].judge(&report).held, None);
        report.groups.push(GroupFigures {
            run: 0,
            name: "one_limit/allowed/threads_1".to_owned(),
            against: "governor".to_owned(),
            // The second round was disturbed, for both.
            rows: vec![
                row("tollgate_sharded", &[4.0, 40.0, 4.0]),
                row("governor", &[10.0, 80.0, 12.0]),
            ],
            absent: Vec::new(),
        });
        let held = TARGETS[0].judge(&report);
        assert_eq!((held.measured.as_str(), held.held), ("2.50×", Some(true)));
        assert_eq!(TARGETS[1].judge(&report).held, None);
    }
}
