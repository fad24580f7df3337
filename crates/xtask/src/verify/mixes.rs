//! The races of the models where no model reaches: under shuttle, in random schedules and those of PCT, and on real
//! threads. Both run what `tests/scenarios/mixes.rs` of each crate lists.

use super::{
    Depth, Outcome, Part, Run,
    models::{conclude, slowest},
    suite::{self, Build, Case},
};
use std::time::Duration;

pub(crate) const SHUTTLE: Part = Part {
    name: "shuttle",
    shows: "the same races under shuttle: random and PCT schedules, more threads, longer mixes",
    from: Depth::Quick,
    run: |run| {
        let programs = CRATES.map(|(package, _)| (package, "shuttle"));
        let build = Build {
            arguments: &["--profile", "model"],
            flags: "--cfg model_shuttle",
            target: "target/shuttle",
            ..Build::default()
        };
        run_all(run, &programs, &build)
    },
};

pub(crate) const THREADS: Part = Part {
    name: "threads",
    shows: "the same races on real threads",
    from: Depth::Quick,
    run: |run| {
        // As `cargo test` builds them, and has built them if it ran before.
        let build = Build {
            target: "target",
            ..Build::default()
        };
        run_all(run, &CRATES, &build)
    },
};

/// Crates with mixes, and the test program that runs them on threads.
const CRATES: [(&str, &str); 5] = [
    ("tollgate-core", "threads"),
    ("tollgate-window", "races"),
    ("tollgate-table", "threads"),
    ("tollgate-quota", "threads"),
    ("tollgate-policy", "threads"),
];

/// As often is each race run: in each kind of schedule, or on threads.
const EXECUTIONS_QUICK: u64 = 300;
const EXECUTIONS_FULL: u64 = 20_000;

const LIMIT: Duration = Duration::from_secs(1800);

fn run_all(run: &Run, programs: &[(&str, &str)], build: &Build<'_>) -> Outcome {
    match cases(run, programs, build) {
        Ok(cases) => {
            let explored = format!("{} mixes of {} crates", cases.len(), programs.len());
            let ran = suite::run_each(run, cases, LIMIT);
            run.show(&slowest(&ran));
            conclude(explored, &ran)
        }
        Err(why) => Outcome::failed("", None, why),
    }
}

fn cases(run: &Run, programs: &[(&str, &str)], build: &Build<'_>) -> Result<Vec<Case>, String> {
    let executions = if run.quick() {
        EXECUTIONS_QUICK
    } else {
        EXECUTIONS_FULL
    };
    let mut cases = Vec::new();
    for (package, program) in programs {
        let arguments = [build.arguments, &["--test", program]].concat();
        let build = Build {
            package,
            arguments: &arguments,
            ..build.clone()
        };
        let before = cases.len();
        for built in suite::build(run, &build)? {
            let mixes = built.tests()?.into_iter();
            let mixes = mixes.filter(|test| test.starts_with("mixes::"));
            cases.extend(mixes.map(|test| {
                let mut case = Case::new(package, &built, test);
                let environment = ("TOLLGATE_EXECUTIONS".into(), executions.to_string().into());
                case.environment.push(environment);
                case
            }));
        }
        if cases.len() == before {
            return Err(format!("{package} {program} has no mixes"));
        }
    }
    Ok(cases)
}
