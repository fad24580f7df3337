//! The protocols of leases, explored state by state.

use super::{
    Depth, Outcome, Part, Run,
    models::{conclude, slowest},
    suite::{self, Build, Case},
};
use std::time::Duration;

pub(crate) const PART: Part = Part {
    name: "leases",
    shows: "what is lent is never spent twice: kills, lost and repeated messages, clocks that differ",
    from: Depth::Quick,
    run,
};

const LIMIT: Duration = Duration::from_secs(300);

fn run(run: &Run) -> Outcome {
    let build = Build::by_depth(run, &["leases"]);
    let cases = suite::build(run, &build).and_then(|programs| {
        let mut cases = Vec::new();
        for program in programs {
            let tests = program.tests()?.into_iter();
            cases.extend(tests.map(|test| Case::new(&program, test)));
        }
        Ok(cases)
    });
    match cases {
        Ok(cases) if cases.is_empty() => Outcome::failed("", None, "no model was found".to_owned()),
        Ok(cases) => {
            let explored = format!("{} models, planted mistakes among them", cases.len());
            let ran = suite::run_each(run, cases, LIMIT);
            run.show(&slowest(&ran));
            conclude(explored, &ran)
        }
        Err(why) => Outcome::failed("", None, why),
    }
}
