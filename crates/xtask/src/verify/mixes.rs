//! The races of the models where no model reaches: under shuttle, in random schedules and those of PCT, and on real
//! threads. Both run what `tests/scenarios/mixes.rs` of each crate lists.

use super::{
    Depth, Outcome, Part, Run,
    models::{conclude, slowest},
    suite::{self, Build, Case, TestProgram},
};
use std::time::Duration;

pub(crate) const SHUTTLE: Part = Part {
    name: "shuttle",
    shows: "the same races under shuttle: random and PCT schedules, more threads, longer mixes",
    from: Depth::Quick,
    run: |run| {
        let programs = CRATES.map(|(package, _)| (package, "shuttle"));
        let mut arguments = vec!["--test", "shuttle"];
        if !run.quick() {
            // Worth its build only where minutes are spent in the mixes themselves.
            arguments.extend(["--profile", "model"]);
        }
        for (package, _) in CRATES {
            arguments.extend(["--package", package]);
        }
        let build = Build {
            arguments,
            flags: "--cfg model_shuttle",
            target: "target/shuttle",
            folder: None,
        };
        run_all(run, &programs, &build)
    },
};

pub(crate) const THREADS: Part = Part {
    name: "threads",
    shows: "the same races on real threads",
    from: Depth::Quick,
    run: |run| run_all(run, &CRATES, &Build::plain(&["threads", "races"])),
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
    let built = suite::build(run, build)?;
    let mut cases = Vec::new();
    for (package, name) in programs {
        let before = cases.len();
        let of = |program: &&TestProgram| program.package == *package && program.name == *name;
        for program in built.iter().filter(of) {
            let mixes = program.tests()?.into_iter();
            let mixes = mixes.filter(|test| test.starts_with("mixes::"));
            cases.extend(mixes.map(|test| {
                let mut case = Case::new(program, test);
                let environment = ("TOLLGATE_EXECUTIONS".into(), executions.to_string().into());
                case.environment.push(environment);
                case
            }));
        }
        if cases.len() == before {
            return Err(format!("{package} {name} has no mixes"));
        }
    }
    Ok(cases)
}
