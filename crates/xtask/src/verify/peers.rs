//! Which laws others' limiters keep, and ours, by the same code.

use super::{Depth, Outcome, Part, Run};
use crate::BENCHES;
use std::{env, path::PathBuf, process::Command, time::Duration};

pub(crate) const PART: Part = Part {
    name: "peers",
    shows: "which laws governor and others keep, and ours, by the same code",
    from: Depth::Full,
    run,
};

/// Everybody's limiters take a while to build.
const BUILD: Duration = Duration::from_secs(3_600);
const LIMIT: Duration = Duration::from_secs(1_800);

fn run(run: &Run) -> Outcome {
    match trials(run) {
        Ok(limiters) => Outcome::passed(format!("{limiters} limiters, 7 checks each"), None),
        Err(why) => Outcome::failed("", None, why),
    }
}

/// Fails only if one of ours breaks a law: what others do is told.
fn trials(run: &Run) -> Result<usize, String> {
    let features = ["--features", "peers", "--bin", "trials"];
    let mut build = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build
        .args(["build", "--profile", "model", "--package", BENCHES])
        .args(features);
    run.say("building everybody");
    run.program(&mut build, BUILD, |_| {})?;

    let target = env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let mut command = Command::new(PathBuf::from(target).join("model/trials"));
    if let Some(seed) = run.seed() {
        command.args(["--seed", &seed.to_string()]);
    }
    let lines = run.program(&mut command, LIMIT, |line| {
        if !line.starts_with(' ') {
            run.say(line);
        }
    })?;
    let (broken, table) = told(&lines);
    if table.is_empty() {
        return Err("no table was told".to_owned());
    }
    run.show(&format!("{}\n\n{}", table.join("\n"), broken.join("\n")));
    // The first line names the checks.
    Ok(table.len() - 1)
}

/// What was broken, with its history and the command that shows it again; and the table.
fn told(lines: &[String]) -> (Vec<&str>, Vec<&str>) {
    let place = lines.iter().position(|line| line == "table:");
    let (findings, table) = lines.split_at(place.unwrap_or(lines.len()));
    let mut broken = Vec::new();
    let mut within = false;
    for line in findings {
        within = if line.starts_with(' ') {
            within
        } else {
            line.ends_with(": BROKEN")
        };
        if within {
            broken.push(line.as_str());
        }
    }
    let rows = table.iter().skip(1).map(String::as_str);
    (broken, rows.take_while(|line| !line.is_empty()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_broken_is_told_with_its_history() {
        let lines = [
            "a race: held, 3 tried",
            "b race: BROKEN",
            "  at 0 ns, 1 units: admitted",
            "c race: held, 3 tried",
            "  no history",
            "table:",
            "   race",
            "b  BROKEN",
            "",
            "ours that broke a law: b",
        ];
        let lines = lines.map(str::to_owned);
        let (broken, table) = told(&lines);
        assert_eq!(broken, ["b race: BROKEN", "  at 0 ns, 1 units: admitted"]);
        assert_eq!(table, ["   race", "b  BROKEN"]);
    }
}
