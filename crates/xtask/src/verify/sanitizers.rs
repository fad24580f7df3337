//! Sanitizers: ThreadSanitizer over the tests that race real threads, with the standard library built for it too, and
//! AddressSanitizer over what is kept for the fuzz targets.

use super::{
    Depth, Outcome, Part, Run,
    instrumented::{self, Compiler},
    suite::{self, Build, Case, Ran, TestProgram},
    targets,
};
use std::{ffi::OsString, fmt::Write as _, time::Duration};

pub(crate) const PART: Part = Part {
    name: "sanitizers",
    shows: "no data race in what races, no bad access in what parses",
    from: Depth::Full,
    run,
};

/// Test programs that race threads.
const RACING: [(&str, &str); 11] = [
    ("tollgate-core", "threads"),
    ("tollgate-window", "races"),
    ("tollgate-window", "sharded"),
    ("tollgate-quota", "meters"),
    ("tollgate-quota", "threads"),
    ("tollgate-quota", "ledger"),
    ("tollgate-table", "threads"),
    ("tollgate-table", "exact"),
    ("tollgate-policy", "threads"),
    ("tollgate", "waiting"),
    ("tollgate-tests", "stress"),
];

/// As often is each mix run.
const EXECUTIONS: u64 = 300;

/// What it bounds depends on how often threads meet, which is another number ten times as slow.
const BY_CHANCE: &str = "races::racing_refunds_of_a_rate_strand_next_to_nothing";

/// Beginnings of the names of tests that have one thread and many inputs: minutes in which nothing can race.
const ALONE: [&str; 4] = [
    "models::",
    "law_holds_when_the_clock_steps_back",
    "ring_with_",
    "waits_are_least_",
];

const TARGET: &str = "target/tsan";
/// As long as one test may take: instrumented ones take some ten times as long.
const LIMIT: Duration = Duration::from_secs(1_800);

fn run(run: &Run) -> Outcome {
    let (mut explored, mut executions, mut wrong, mut missing) =
        (Vec::new(), 0, Vec::new(), Vec::new());
    match threads(run) {
        Ok(Some((compiler, ran))) => {
            explored.push(format!(
                "{} tests under ThreadSanitizer ({compiler})",
                ran.len()
            ));
            wrong.extend(ran.into_iter().filter_map(|ran| ran.lines.err()));
        }
        Ok(None) => missing.push(instrumented::GET),
        Err(why) => wrong.push(why),
    }
    match addresses(run) {
        Ok(Some((targets, inputs))) => {
            explored.push(format!("{targets} fuzz targets under AddressSanitizer"));
            executions += inputs;
        }
        Ok(None) => missing.push(targets::GET),
        Err(why) => wrong.push(why),
    }
    let explored = explored.join(", ");
    if !wrong.is_empty() {
        Outcome::failed(explored, Some(executions), wrong.join("\n"))
    } else if !missing.is_empty() {
        // Half of it is not all of it.
        Outcome::skipped(missing.join("; "))
    } else {
        Outcome::passed(explored, Some(executions))
    }
}

/// Runs what races; a report of the sanitizer ends the test program, and so fails its test.
fn threads(run: &Run) -> Result<Option<(String, Vec<Ran>)>, String> {
    let Some(compiler) = Compiler::find(run)? else {
        return Ok(None);
    };
    run.say(&format!("ThreadSanitizer by {}", compiler.version));
    let environment = compiler.environment()?;
    let mut arguments = vec!["--all-features"];
    for (package, test) in RACING {
        for (option, name) in [("--package", package), ("--test", test)] {
            if !arguments.contains(&name) {
                arguments.extend([option, name]);
            }
        }
    }
    let build = Build {
        arguments,
        flags: "",
        target: TARGET,
        folder: None,
    };
    let programs = suite::build_in(run, &build, &environment)?;
    let mut settings: Vec<(OsString, OsString)> = Vec::new();
    settings.extend(
        environment
            .iter()
            .map(|(name, value)| (name.into(), value.into())),
    );
    settings.push(("TOLLGATE_EXECUTIONS".into(), EXECUTIONS.to_string().into()));
    let mut cases = Vec::new();
    for (package, test) in RACING {
        let of = |program: &&TestProgram| program.package == package && program.name == test;
        let program = programs.iter().find(of);
        let program = program.ok_or_else(|| format!("{package} {test} was not built"))?;
        let tests = program.tests()?.into_iter();
        cases.extend(tests.filter(|test| races(test)).map(|test| {
            let mut case = Case::new(program, test);
            case.environment.clone_from(&settings);
            case
        }));
    }
    let ran = suite::run_each(run, cases, LIMIT);
    run.show(&times(&ran));
    Ok(Some((compiler.version, ran)))
}

/// Whether ThreadSanitizer has something to see in a test.
fn races(test: &str) -> bool {
    test != BY_CHANCE && !ALONE.iter().any(|alone| test.starts_with(alone))
}

fn times(ran: &[Ran]) -> String {
    let mut table = String::new();
    for (package, test) in RACING {
        let of = |ran: &&Ran| ran.case.program.package == package && ran.case.program.name == test;
        let took: f64 = ran
            .iter()
            .filter(of)
            .map(|ran| ran.took.as_secs_f64())
            .sum();
        let tests = ran.iter().filter(of).count();
        let _ = writeln!(
            table,
            "{package:<16} {test:<10} {tests:>3} tests {took:>7.1} s"
        );
    }
    table
}

/// How many targets ran how many inputs.
fn addresses(run: &Run) -> Result<Option<(usize, u64)>, String> {
    let Some(targets) = targets::build(run)? else {
        return Ok(None);
    };
    let mut inputs = 0;
    for target in &targets {
        let counts = target.replay()?;
        if counts.executions == 0 {
            return Err(format!("{} executed nothing", target.name));
        }
        run.say(&format!("{}: {} inputs", target.name, counts.executions));
        inputs += counts.executions;
    }
    Ok(Some((targets.len(), inputs)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_of_one_thread_are_left_out() {
        assert!(races("racing_threads_take_exactly_the_max") && races("mixes::rings"));
        assert!(!races("models::concurrency_decides_as_the_model") && !races(BY_CHANCE));
    }
}
