//! Our own mutants: `tests/mutants/*.patch`, each of which breaks one line of the concurrent code, and names the check that
//! must fail for it.
//!
//! Each is applied to a scratch copy of the tree in the target folder, the named test is built and run there, and the
//! copy is put back. Builds are incremental. Every named check must first pass on the copy as it is. A patch that no longer
//! applies or builds is a failure, since it shows nothing.

mod copy;
mod patch;

use super::{
    Depth, Outcome, Part, Run,
    models::LOOM,
    suite::{self, Build, Case, TestProgram},
};
use copy::Copy;
use patch::{Check, Kind, Mutant};
use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    fmt::Write as _,
    path::Path,
    time::{Duration, Instant, SystemTime},
};

pub(crate) const PART: Part = Part {
    name: "mutants",
    shows: "the concurrent code, broken by hand line by line, is caught by a test each time",
    from: Depth::Quick,
    run,
};

const PATCHES: &str = "tests/mutants";

/// As many are tried by `--quick`.
const SAMPLE: usize = 10;

/// As long as a check may take on what is not broken.
const LIMIT: Duration = Duration::from_secs(900);

/// As long as a check may take on a mutant if it took `unbroken` without: one that hangs is caught, and need not hang long.
fn limit_broken(unbroken: Duration) -> Duration {
    Duration::from_secs(30) + unbroken * 20
}

/// To cargo the copy is the same workspace as this one, so that in one target folder each would take the other's programs
/// for its own. A setting that the workspace's own packages alone have, and that changes next to nothing, keeps them apart,
/// and what they depend on is built once for both.
const APART_LOOM: (&str, &str) = ("model", "codegen-units=15");
const APART_PLAIN: (&str, &str) = ("test", "debug=false");
const OURS: [&str; 7] = [
    "sync", "core", "window", "table", "quota", "policy", "testkit",
];

/// Tries only mutants whose name contains this.
const ONLY: &str = "TOLLGATE_MUTANTS";

fn run(run: &Run) -> Outcome {
    match patch::all(Path::new(PATCHES)).and_then(|mutants| try_all(run, mutants)) {
        Ok(outcome) => outcome,
        Err(why) => Outcome::failed("", None, why),
    }
}

fn try_all(run: &Run, all: Vec<Mutant>) -> Result<Outcome, String> {
    let there = all.len();
    let mutants = chosen(run, all);
    let copy = Copy::of_the_tree(Path::new("target/mutants"))?;
    let unbroken = unbroken(run, &copy, &mutants)?;
    let (mut table, mut wrong) = (String::new(), Vec::new());
    for (place, mutant) in mutants.iter().enumerate() {
        run.say(&format!("{}/{} {}", place + 1, mutants.len(), mutant.name));
        let start = Instant::now();
        let took = unbroken.get(&mutant.check).copied().unwrap_or(LIMIT);
        let told = match try_one(run, &copy, mutant, limit_broken(took)) {
            Ok(true) => format!("caught by {}", mutant.check),
            Ok(false) => {
                let why = format!("{} is not caught by {}", mutant.name, mutant.check);
                wrong.push(format!("{why}: {}", mutant.breaks));
                "NOT CAUGHT".to_owned()
            }
            Err(why) => {
                wrong.push(format!("{} shows nothing: {why}", mutant.name));
                "FAILED to apply or to build".to_owned()
            }
        };
        let took = start.elapsed().as_secs_f64();
        run.say(&told);
        let _ = writeln!(table, "{:<44} {took:>5.0} s  {told}", mutant.name);
    }
    run.show(&table);
    let explored = format!("{} of {there} mutants", mutants.len());
    let executions = Some(mutants.len() as u64);
    Ok(if wrong.is_empty() {
        Outcome::passed(explored, executions)
    } else {
        Outcome::failed(explored, executions, wrong.join("\n"))
    })
}

/// Every check passes on the copy as it is, in the time that is told.
fn unbroken(
    run: &Run,
    copy: &Copy,
    mutants: &[Mutant],
) -> Result<BTreeMap<Check, Duration>, String> {
    let checks: BTreeSet<_> = mutants.iter().map(|mutant| &mutant.check).collect();
    let mut programs: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for check in checks {
        let program = (check.kind, &check.package, &check.program);
        programs.entry(program).or_default().push(check);
    }
    let mut cases = Vec::new();
    for checks in programs.values() {
        let Some(first) = checks.first() else {
            continue;
        };
        let program = build(run, copy, first)?;
        let known = program.tests()?;
        for check in checks {
            if !known.contains(&check.test) {
                return Err(format!("there is no {check}"));
            }
            cases.push(Case::new(&program, check.test.clone()));
        }
    }
    let ran = suite::run_each(run, cases, LIMIT);
    let took = |mutant: &Mutant| {
        let check = &mutant.check;
        let of = |ran: &&suite::Ran| {
            let (program, test) = (&ran.case.program, &ran.case.test);
            program.package == check.package && *test == check.test
        };
        Some((check.clone(), ran.iter().find(of)?.took))
    };
    let times = mutants.iter().filter_map(took).collect();
    let failed = ran.iter().find_map(|ran| {
        let why = ran.lines.as_ref().err()?;
        Some(format!("{} fails unbroken:\n{why}", ran.case.test))
    });
    failed.map_or(Ok(times), Err)
}

/// Whether it is caught.
fn try_one(run: &Run, copy: &Copy, mutant: &Mutant, limit: Duration) -> Result<bool, String> {
    let checked = copy.patched(&mutant.patch, || check_in(run, copy, &mutant.check, limit))?;
    Ok(checked?.is_err())
}

/// All of them, or a sample.
fn chosen(run: &Run, mut all: Vec<Mutant>) -> Vec<Mutant> {
    if let Ok(only) = env::var(ONLY) {
        all.retain(|mutant| mutant.name.contains(&only));
        return all;
    }
    if !run.quick() {
        return all;
    }
    let seed = run.seed().unwrap_or_else(day);
    run.say(&format!("the sample of --seed {seed}"));
    sample(all, seed)
}

/// Ten or fewer, others for each seed, until all have had their turn.
fn sample<T>(mut all: Vec<T>, seed: u64) -> Vec<T> {
    // Spread over the list, which is sorted by crate.
    let samples = all.len().div_ceil(SAMPLE).max(1) as u64;
    let mut place = 0;
    all.retain(|_| {
        place += 1;
        place % samples == seed % samples
    });
    all
}

/// Today, as a number.
fn day() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs() / 86_400)
}

/// Builds and runs `check` in the copy. The outer error says why it could not be, the inner one how it failed.
fn check_in(
    run: &Run,
    copy: &Copy,
    check: &Check,
    limit: Duration,
) -> Result<Result<(), String>, String> {
    let program = build(run, copy, check)?;
    if !program.tests()?.contains(&check.test) {
        return Err(format!("there is no {check}"));
    }
    let case = Case::new(&program, check.test.clone());
    Ok(suite::run_one(case, limit).lines.map(|_| ()))
}

fn build(run: &Run, copy: &Copy, check: &Check) -> Result<TestProgram, String> {
    let mut arguments = vec!["--package", &check.package];
    let (flags, target, apart) = match check.kind {
        Kind::Loom => (LOOM.0, LOOM.1, APART_LOOM),
        Kind::Plain => ("", "target", APART_PLAIN),
    };
    if check.kind == Kind::Loom {
        arguments.extend(["--profile", "model"]);
    }
    let (profile, setting) = apart;
    let apart = OURS.map(|ours| format!("profile.{profile}.package.tollgate-{ours}.{setting}"));
    for setting in &apart {
        arguments.extend(["--config", setting]);
    }
    match check.program.as_str() {
        "lib" => arguments.push("--lib"),
        test => arguments.extend(["--test", test]),
    }
    let target = env::current_dir()
        .map_err(|error| error.to_string())?
        .join(target);
    let build = Build {
        arguments,
        flags,
        target: &target.display().to_string(),
        folder: Some(copy.root()),
    };
    let mut programs = suite::build(run, &build)?;
    programs
        .pop()
        .ok_or_else(|| format!("{check} was not built"))
}

#[cfg(test)]
mod tests {
    use super::{copy::CONTEXTS, *};
    use std::process::Command;

    #[test]
    fn samples_take_turns_until_all_had_theirs() {
        let all: Vec<_> = (0..64).collect();
        let mut seen = BTreeSet::new();
        for seed in 100..107 {
            let sample = sample(all.clone(), seed);
            assert!(sample.len() <= SAMPLE);
            seen.extend(sample);
        }
        assert_eq!(seen.len(), 64);
        assert_eq!(sample(vec![1, 2], 5).len(), 2);
    }

    #[test]
    fn every_patch_in_the_tree_names_its_check_and_applies() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let all = patch::all(&root.join(PATCHES)).expect("all are read");
        assert!(all.len() >= 60, "{}", all.len());
        for mutant in all {
            let check = |context: &str| {
                let mut git = Command::new("git");
                git.current_dir(&root)
                    .args(["apply", "--check", "--recount", context])
                    .arg(format!("{PATCHES}/{}.patch", mutant.name));
                git.output().is_ok_and(|output| output.status.success())
            };
            assert!(
                CONTEXTS.into_iter().any(check),
                "{} must be written anew",
                mutant.name
            );
        }
    }
}
