//! A gate with a ledger through random stops, kills, clocks and reloads, by seed.

use super::{
    Depth, Outcome, Part, Run,
    suite::{self, Build},
};
use std::{process::Command, time::Duration};

pub(crate) const PART: Part = Part {
    name: "restarts",
    shows: "no stop, kill, clock or reload lets more pass than a limit, or forgets what is owed",
    from: Depth::Full,
    run,
};

/// How long, unless `--minutes` says.
const MINUTES: f64 = 5.0;

fn run(run: &Run) -> Outcome {
    match restarts(run, run.minutes().unwrap_or(MINUTES)) {
        Ok((explored, admitted)) => Outcome::passed(explored, Some(admitted)),
        Err(why) => Outcome::failed("", None, why),
    }
}

fn restarts(run: &Run, minutes: f64) -> Result<(String, u64), String> {
    let programs = suite::build(run, &Build::by_depth(run, &["restarts"]))?;
    let [program] = &programs[..] else {
        return Err("one program was to be built".to_owned());
    };
    let mut command = Command::new(&program.path);
    command
        .current_dir(&program.folder)
        .arg("--nocapture")
        .env("TOLLGATE_MINUTES", minutes.to_string())
        .env("TOLLGATE_SEED", run.first_seed(1).to_string());
    let limit = Duration::from_secs_f64(minutes * 60.0) + Duration::from_secs(120);
    let lines = run.program(&mut command, limit, |_| {})?;
    let last = lines.iter().rev().find_map(|line| summary(line));
    last.ok_or_else(|| "it did not say what it did".to_owned())
}

/// What a line such as `explored: 90 executions, 5 seeds: …` tells, and how many admissions.
fn summary(line: &str) -> Option<(String, u64)> {
    let (_, told) = line.split_once("explored: ")?;
    let (admitted, told) = told.split_once(" executions, ")?;
    Some((told.to_owned(), admitted.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lives_there_were_is_read_from_the_last_line() {
        let line = "test a ... explored: 90 executions, 5 seeds: all of it";
        assert_eq!(summary(line), Some(("5 seeds: all of it".to_owned(), 90)));
        assert_eq!(summary("explored: nothing"), None);
    }
}
