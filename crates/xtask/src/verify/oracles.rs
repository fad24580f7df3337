//! Differential oracles: sequences of operations against exact models, and parsers against bytes, by the bodies of
//! `tests/bodies`. Quick runs have the property tests and what is kept in `fuzz/corpus`, on stable; full ones search
//! with the fuzz targets too, each for half a minute, or for as many seconds as `TOLLGATE_FUZZ_SECONDS` says.

use super::{
    Depth, Outcome, Part, Run, at_once, models,
    suite::{self, Build, Case, Ran},
    targets::{self, Counts},
};
use std::{env, fmt::Write as _, thread, time::Duration};

pub(crate) const PART: Part = Part {
    name: "oracles",
    shows: "random operations and bytes, against exact models",
    from: Depth::Quick,
    run,
};

const FUZZ_SECONDS: u64 = 30;
/// As long as one property may take, on a machine that is busy with others too.
const LIMIT: Duration = Duration::from_secs(900);

fn run(run: &Run) -> Outcome {
    let ran = match properties(run) {
        Ok(ran) => ran,
        Err(why) => return Outcome::failed("", None, why),
    };
    let explored = format!("{} properties", ran.len());
    let stable = models::conclude(explored.clone(), &ran);
    if run.quick() || stable.is_failed() {
        return stable;
    }
    let searched = match search(run) {
        Ok(Some(searched)) => searched,
        Ok(None) => return Outcome::skipped(format!("{} ({explored} passed)", targets::GET)),
        Err(why) => return Outcome::failed(explored, stable.executions, why),
    };
    let Searched {
        targets,
        executions,
        wrong,
    } = searched;
    let explored = format!("{explored}, {targets} fuzz targets");
    let executions = Some(executions + stable.executions.unwrap_or(0));
    if wrong.is_empty() {
        Outcome::passed(explored, executions)
    } else {
        Outcome::failed(explored, executions, wrong.join("\n"))
    }
}

/// The tests that tell how much they tried. Random ones try the same in every run: new inputs are the search's to find.
fn properties(run: &Run) -> Result<Vec<Ran>, String> {
    let build = Build::plain(&["fuzzed"]);
    let mut cases = Vec::new();
    for program in suite::build(run, &build)? {
        let tests = program.tests()?;
        let telling = tests.into_iter().filter(|test| tells(test));
        cases.extend(telling.map(|test| Case::new(&program, test)));
    }
    Ok(suite::run_each(run, cases, LIMIT))
}

/// Whether a test drives bodies, rather than looking that none is left out or that one story has not come again.
fn tells(test: &str) -> bool {
    test == "kept::every_input_passes"
        || test
            .strip_prefix("random::")
            .is_some_and(|body| body != "no_body_is_left_out")
}

struct Searched {
    targets: usize,
    executions: u64,
    wrong: Vec<String>,
}

/// Searches with all targets, as many at once as there are cores.
fn search(run: &Run) -> Result<Option<Searched>, String> {
    let Some(targets) = targets::build(run)? else {
        return Ok(None);
    };
    let seconds = env::var("TOLLGATE_FUZZ_SECONDS");
    let seconds = seconds
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(FUZZ_SECONDS);
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let mut ended = at_once(&vec![(); cores], &targets, |(), target| {
        let counts = target.search(seconds);
        let verdict = if counts.is_ok() { "" } else { " FAILED" };
        run.say(&format!("{}{verdict}", target.name));
        (target.name.clone(), counts)
    });
    ended.sort_by(|one, other| one.0.cmp(&other.0));
    let (mut table, mut executions, mut wrong) = (String::new(), 0, Vec::new());
    for (name, counts) in ended {
        match counts {
            Ok(Counts { executions: 0, .. }) => wrong.push(format!("{name} executed nothing")),
            Ok(counts) => {
                let _ = writeln!(
                    table,
                    "{name:<20} {:>12} executions {:>6} edges",
                    counts.executions, counts.edges
                );
                executions += counts.executions;
            }
            Err(why) => wrong.push(why),
        }
    }
    run.show(&table);
    Ok(Some(Searched {
        targets: targets.len(),
        executions,
        wrong,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tests_that_tell_how_much_they_tried_are_counted() {
        assert!(tells("random::limiter") && tells("kept::every_input_passes"));
        assert!(!tells("random::no_body_is_left_out") && !tells("regressions::a_story"));
    }
}
