//! Random policies and traffic in simulated time, by seed.

use super::{
    Depth, Outcome, Part, Run,
    suite::{self, Build},
};
use std::{process::Command, time::Duration};

pub(crate) const PART: Part = Part {
    name: "soak",
    shows: "random policies and traffic in simulated time keep the laws, seed after seed",
    from: Depth::Quick,
    run,
};

/// How long, unless `--minutes` says.
const QUICK_MINUTES: f64 = 0.4;
const FULL_MINUTES: f64 = 5.0;

fn run(run: &Run) -> Outcome {
    let usual = if run.quick() {
        QUICK_MINUTES
    } else {
        FULL_MINUTES
    };
    match soak(run, run.minutes().unwrap_or(usual)) {
        Ok((explored, calls)) => Outcome::passed(explored, Some(calls)),
        Err(why) => Outcome::failed("", None, why),
    }
}

fn soak(run: &Run, minutes: f64) -> Result<(String, u64), String> {
    let build = Build::by_depth(run, &["soak"]);
    let programs = suite::build(run, &build)?;
    let [program] = &programs[..] else {
        return Err("one program was to be built".to_owned());
    };
    let mut command = Command::new(&program.path);
    command
        .current_dir(&program.folder)
        .args(["--minutes", &minutes.to_string()])
        .args(["--seed", &run.first_seed(1).to_string()]);
    let limit = Duration::from_secs_f64(minutes * 60.0) + Duration::from_secs(120);
    let lines = run.program(&mut command, limit, |line| {
        if line.starts_with("soak: ") {
            run.say(line);
        }
    })?;
    let last = lines.iter().rev().find_map(|line| summary(line));
    last.ok_or_else(|| "it did not say what it did".to_owned())
}

/// What a line such as `soak: 9 cases from seed 1, 300 calls, 20 probes, 4 reloads, held` tells, and how many calls.
fn summary(line: &str) -> Option<(String, u64)> {
    let told = line.strip_prefix("soak: ")?.strip_suffix(", held")?;
    let calls = told
        .split(", ")
        .find_map(|part| part.strip_suffix(" calls"))?;
    Some((told.to_owned(), calls.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_soak_did_is_read_from_its_last_line() {
        let told = "9 cases from seed 1, 300 calls, 20 probes, 4 reloads";
        assert_eq!(
            summary(&format!("soak: {told}, held")),
            Some((told.to_owned(), 300))
        );
        assert_eq!(summary("soak: 9 cases, 300 calls so far"), None);
    }
}
