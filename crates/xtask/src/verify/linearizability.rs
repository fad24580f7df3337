//! Histories of real threads, held to the sequential specification of what they called.

use super::{
    Depth, Outcome, Part, Run,
    suite::{self, Build, Case},
};
use std::time::Duration;

pub(crate) const PART: Part = Part {
    name: "linearizability",
    shows: "what real threads heard, one caller at a time could have heard",
    from: Depth::Quick,
    run,
};

/// Histories of each check.
const QUICK: u64 = 300;
const FULL: u64 = 10_000;
/// Quick runs begin with another seed than ordinary ones of the tests.
const SEED: u64 = 1_000_000;
/// Beginnings of the names of tests that record no history of ours: what they check is the check.
const OF_THE_CHECK: [&str; 3] = [
    "planted::",
    "stateright::",
    "gate::an_admission_may_come_between_the_limits_of_a_settlement",
];
/// As long as one test may take.
const LIMIT: Duration = Duration::from_secs(1_800);

#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    histories: u64,
    calls: u64,
    overlapping: u64,
}

fn run(run: &Run) -> Outcome {
    match check(run) {
        Ok(counts) => {
            let Counts {
                histories,
                calls,
                overlapping,
            } = counts;
            let explored =
                format!("{histories} histories of {calls} calls, {overlapping} overlapping");
            Outcome::passed(explored, Some(histories))
        }
        Err(why) => Outcome::failed("", None, why),
    }
}

/// Runs the tests one after the other: racing threads want all cores.
fn check(run: &Run) -> Result<Counts, String> {
    let build = Build::by_depth(run, &["linearizability"]);
    let histories = if run.quick() { QUICK } else { FULL };
    let (mut all, mut table) = (Counts::default(), String::new());
    for program in suite::build(run, &build)? {
        for test in program.tests()? {
            let mut case = Case::new(&program, test);
            let settings = [
                ("TOLLGATE_HISTORIES", histories.to_string()),
                ("TOLLGATE_SEED", run.first_seed(SEED).to_string()),
            ];
            let settings = settings.map(|(name, value)| (name.into(), value.into()));
            case.environment.extend(settings);
            let ran = suite::run_one(case, LIMIT);
            run.say(&format!(
                "{}: {:.1} s",
                ran.case.test,
                ran.took.as_secs_f64()
            ));
            let before = all.histories;
            for line in ran.lines? {
                if let Some(counts) = counts(&line) {
                    all.histories += counts.histories;
                    all.calls += counts.calls;
                    all.overlapping += counts.overlapping;
                    let told = line
                        .rsplit_once(" ... ")
                        .map_or(line.as_str(), |(_, told)| told);
                    table += told;
                    table += "\n";
                }
            }
            let test = &ran.case.test;
            if all.histories == before && !OF_THE_CHECK.iter().any(|name| test.starts_with(name)) {
                return Err(format!("{test} told of no history"));
            }
        }
    }
    if all.histories == 0 {
        return Err("no test told of any history".to_owned());
    }
    run.show(&table);
    Ok(all)
}

/// What a line such as `Limiter  60 histories  4448 calls  524 overlapping  0 undecided` tells.
fn counts(line: &str) -> Option<Counts> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let before = |word: &str| {
        let place = words.iter().position(|other| *other == word)?;
        words.get(place.checked_sub(1)?)?.parse().ok()
    };
    Some(Counts {
        histories: before("histories")?,
        calls: before("calls")?,
        overlapping: before("overlapping")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_from_what_a_check_prints() {
        let line = "test cells::a ... Limiter, Rounds    60 histories   4448 calls   524 overlapping    0 undecided";
        let expected = Counts {
            histories: 60,
            calls: 4_448,
            overlapping: 524,
        };
        assert_eq!(counts(line), Some(expected));
        assert_eq!(counts("test result: ok. 1 passed"), None);
    }
}
