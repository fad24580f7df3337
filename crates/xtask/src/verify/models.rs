//! The models of every interleaving, under loom.

use super::{Depth, Outcome, Part, Run, suite};
use std::{cmp::Reverse, time::Duration};
use suite::{Build, Case};

pub(crate) const PART: Part = Part {
    name: "models",
    shows: "every interleaving of a few threads, under loom",
    from: Depth::Quick,
    run,
};

/// Crates with models, and the test programs that they are in.
const CRATES: [(&str, &[&str]); 4] = [
    ("tollgate-core", &["--release", "--test", "loom"]),
    ("tollgate-window", &["--release", "--test", "loom"]),
    ("tollgate-quota", &["--release", "--test", "loom"]),
    ("tollgate-table", &["--release", "--lib", "--test", "loom"]),
];

/// As long as one model may take, on a machine that is busy with others too.
const LIMIT_QUICK: Duration = Duration::from_secs(300);
const LIMIT_FULL: Duration = Duration::from_secs(1800);

/// As many are shown as the slowest.
const SLOWEST: usize = 5;

fn run(run: &Run) -> Outcome {
    let mut cases = Vec::new();
    for (package, arguments) in CRATES {
        let build = Build {
            package,
            arguments,
            flags: "--cfg model_loom",
            target: "target/loom",
        };
        match listed(run, &build) {
            Ok(more) => cases.extend(more),
            Err(why) => return Outcome::failed("", None, why),
        }
    }
    let explored = format!("{} models of {} crates", cases.len(), CRATES.len());
    let limit = if run.quick() { LIMIT_QUICK } else { LIMIT_FULL };
    let mut ran = suite::run_each(run, cases, limit);
    ran.sort_by_key(|ran| Reverse(ran.took));
    let slowest = ran.iter().take(SLOWEST).map(|ran| {
        let (case, took) = (&ran.case, ran.took.as_secs_f64());
        format!("{took:>7.1} s  {}::{}\n", case.program.name, case.test)
    });
    run.show(&format!("the slowest\n{}", slowest.collect::<String>()));
    let wrong: Vec<_> = ran
        .iter()
        .filter_map(|ran| ran.lines.as_ref().err())
        .collect();
    match wrong.as_slice() {
        [] => Outcome::passed(explored, None),
        wrong => {
            let wrong: Vec<_> = wrong.iter().map(|why| why.as_str()).collect();
            Outcome::failed(explored, None, wrong.join("\n"))
        }
    }
}

fn listed(run: &Run, build: &Build<'_>) -> Result<Vec<Case>, String> {
    let mut cases = Vec::new();
    for program in suite::build(run, build)? {
        for test in program.tests()? {
            cases.push(Case {
                program: program.clone(),
                test,
                environment: Vec::new(),
            });
        }
    }
    Ok(cases)
}
