//! All tests of the workspace with their documentation's, as `cargo test` runs them: laws, decisions, traces, faults of disks,
//! and the story of each fault that was found.

use super::{Depth, Outcome, Part, Run};
use crate::{ALL, trace};
use std::{process::Command, time::Duration};

pub(crate) const PART: Part = Part {
    name: "tests",
    shows: "all tests, and the examples of the documentation",
    from: Depth::Quick,
    run,
};

/// As long as they may take, with their build.
const LIMIT: Duration = Duration::from_secs(3_600);

fn run(run: &Run) -> Outcome {
    let mut cargo = Command::new("cargo");
    cargo.arg("test").args(ALL);
    let mut ran = Counts::default();
    let ended = run.program(&mut cargo, LIMIT, |line| {
        eprintln!("{line}");
        ran.add(line);
    });
    let Counts {
        programs,
        passed,
        ignored,
    } = ran;
    let mut explored = format!("{passed} tests of {programs} programs");
    if ignored > 0 {
        explored += &format!(", {ignored} ignored");
    }
    if let Some(missing) = trace::missing() {
        explored += &format!(", none on the trace: {missing}");
    }
    match ended {
        Ok(_) if passed == 0 => Outcome::failed(explored, None, "no test ran"),
        Ok(_) => Outcome::passed(explored, Some(passed)),
        Err(why) => Outcome::failed(explored, Some(passed), why),
    }
}

/// What the closing lines of test programs tell.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    programs: u64,
    passed: u64,
    ignored: u64,
}

impl Counts {
    /// Adds what `line` tells, as in "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; …".
    fn add(&mut self, line: &str) {
        let Some((_, told)) = line
            .strip_prefix("test result: ")
            .and_then(|told| told.split_once(". "))
        else {
            return;
        };
        self.programs += 1;
        for part in told.split("; ") {
            match part.split_once(' ') {
                Some((count, "passed")) => self.passed += count.parse().unwrap_or(0),
                Some((count, "ignored")) => self.ignored += count.parse().unwrap_or(0),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_added_up() {
        let mut counts = Counts::default();
        for line in [
            "running 2 tests",
            "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.10s",
            "test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s",
        ] {
            counts.add(line);
        }
        let expected = Counts {
            programs: 2,
            passed: 7,
            ignored: 1,
        };
        assert_eq!(counts, expected);
    }
}
