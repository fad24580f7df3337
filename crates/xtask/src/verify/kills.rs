//! Processes killed in the middle of things, and what their ledger says afterwards.

use super::{
    Depth, Outcome, Part, Run,
    suite::{self, Build, Case},
};
use std::time::Duration;

pub(crate) const PART: Part = Part {
    name: "kills",
    shows: "a ledger never lets a limit be exceeded, however its process is killed",
    from: Depth::Full,
    run,
};

const QUICK: u64 = 50;
const FULL: u64 = 1_000;
const LIMIT: Duration = Duration::from_secs(3_600);

fn run(run: &Run) -> Outcome {
    match check(run) {
        Ok((explored, kills)) => Outcome::passed(explored, Some(kills)),
        Err(why) => Outcome::failed("", None, why),
    }
}

fn check(run: &Run) -> Result<(String, u64), String> {
    let build = Build::by_depth(run, &["kills"]);
    let wanted = if run.quick() { QUICK } else { FULL };
    let (mut kills, mut table) = (0, String::new());
    for program in suite::build(run, &build)? {
        for test in program.tests()? {
            let mut case = Case::new(&program, test);
            let mut set = |name: &str, value: u64| {
                let setting = (name.into(), value.to_string().into());
                case.environment.push(setting);
            };
            set("TOLLGATE_LEDGER_KILLS", wanted);
            if let Some(seed) = run.seed() {
                set("TOLLGATE_LEDGER_SEED", seed);
            }
            let ran = suite::run_one(case, LIMIT);
            kills += ran.executions();
            for line in ran.lines? {
                if line.contains(" kills, ") || line.starts_with("seed ") {
                    table += &line;
                    table += "\n";
                }
            }
        }
    }
    run.show(&table);
    if kills < wanted {
        return Err(format!("only {kills} of {wanted} kills were told"));
    }
    Ok((
        "a gate under quotas, a budget and windows".to_owned(),
        kills,
    ))
}
