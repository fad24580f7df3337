//! Our own mutants: `tests/mutants/*.patch`, each of which breaks one line of the concurrent code, and names the check that
//! must fail for it.
//!
//! Each is applied to a scratch copy of the tree in the target folder, the named test is built and run there, and the
//! copy is put back. Builds are incremental. Every named check must first pass on the copy as it is. A patch that no longer
//! applies or builds is a failure, since it shows nothing.

mod patch;
#[cfg(test)]
mod sites;

use super::{
    Depth, Outcome, Part, Run, at_once,
    copy::Copy,
    models::LOOM,
    suite::{self, Build, Case, TestProgram},
};
use patch::{Check, Kind, Mutant};
use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

pub(crate) const PART: Part = Part {
    name: "mutants",
    shows: "the concurrent code, broken by hand line by line, is caught by a test each time",
    from: Depth::Quick,
    run,
};

/// As many are tried at once by full runs, each in a copy of its own: what is built of one, and most of what is run, has
/// one core to do.
const AT_ONCE: usize = 2;

pub(super) const PATCHES: &str = "tests/mutants";

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

/// Tries only mutants whose name contains this, of both kinds.
pub(super) const ONLY: &str = "TOLLGATE_MUTANTS";

fn run(run: &Run) -> Outcome {
    match patch::all(Path::new(PATCHES)).and_then(|mutants| try_all(run, mutants)) {
        Ok(outcome) => outcome,
        Err(why) => Outcome::failed("", None, why),
    }
}

fn try_all(run: &Run, all: Vec<Mutant>) -> Result<Outcome, String> {
    let there = all.len();
    let mutants = chosen(run, all);
    let places = if run.quick() { 1 } else { AT_ONCE };
    let places = (0..places).map(Place::new).collect::<Result<Vec<_>, _>>()?;
    let unbroken = unbroken(run, &places[0], &mutants)?;
    let mut rows = at_once(
        &places,
        mutants.iter().enumerate(),
        |place, (number, mutant)| {
            let start = Instant::now();
            let took = unbroken.get(&mutant.check).copied().unwrap_or(LIMIT);
            let check = &mutant.check;
            let (told, wrong) = match try_one(run, place, mutant, limit_broken(took)) {
                Ok(Fate::Fails) => (format!("caught by {check}"), None),
                // A model that finds no end fails by itself. One that takes longer has only more to explore.
                Ok(Fate::Hangs) if check.kind == Kind::Plain => (format!("hangs {check}"), None),
                Ok(fate) => {
                    let why = format!("{} is not caught by {check}", mutant.name);
                    let how = match fate {
                        Fate::Hangs => "NOT CAUGHT in its time",
                        Fate::Fails | Fate::Passes => "NOT CAUGHT",
                    };
                    (how.to_owned(), Some(format!("{why}: {}", mutant.breaks)))
                }
                Err(why) => {
                    let why = format!("{} shows nothing: {why}", mutant.name);
                    ("FAILED to apply, build or run".to_owned(), Some(why))
                }
            };
            let took = start.elapsed().as_secs_f64();
            run.say(&format!(
                "{}/{} {}: {told}",
                number + 1,
                mutants.len(),
                mutant.name
            ));
            let row = format!("{:<44} {took:>5.0} s  {told}", mutant.name);
            (number, row, wrong)
        },
    );
    rows.sort_unstable();
    let table: Vec<_> = rows.iter().map(|(_, row, _)| row.as_str()).collect();
    run.show(&table.join("\n"));
    let wrong: Vec<_> = rows
        .iter()
        .filter_map(|(.., wrong)| wrong.clone())
        .collect();
    let explored = format!("{} of {there} mutants", mutants.len());
    let executions = Some(mutants.len() as u64);
    Ok(if wrong.is_empty() {
        Outcome::passed(explored, executions)
    } else {
        Outcome::failed(explored, executions, wrong.join("\n"))
    })
}

/// Where mutants are tried.
struct Place {
    copy: Copy,
    /// Where models and plain tests are built. The first shares what all others have built.
    loom: PathBuf,
    plain: PathBuf,
}

impl Place {
    fn new(number: usize) -> Result<Self, String> {
        let here = env::current_dir().map_err(|error| error.to_string())?;
        let (folder, loom, plain) = match number {
            0 => (
                "target/mutants".to_owned(),
                LOOM.1.to_owned(),
                "target".to_owned(),
            ),
            _ => {
                let folder = format!("target/mutants-{number}");
                let (loom, plain) = (format!("{folder}/loom"), format!("{folder}/plain"));
                (folder, loom, plain)
            }
        };
        Ok(Self {
            copy: Copy::of_the_tree(Path::new(&folder))?,
            loom: here.join(loom),
            plain: here.join(plain),
        })
    }
}

/// Every check passes on the copy as it is, in the time that is told.
fn unbroken(
    run: &Run,
    place: &Place,
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
        let program = build(run, place, first)?;
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

/// What became of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Passes,
    Fails,
    /// It had not ended when its time was over.
    Hangs,
}

impl Fate {
    /// Of a test that was to end within `limit`.
    ///
    /// # Errors
    /// It did not run, or was ended by something else.
    fn of(ran: &suite::Ran, limit: Duration) -> Result<Self, String> {
        match &ran.lines {
            Ok(_) => Ok(Self::Passes),
            Err(why) if why.contains("panicked at") || why.contains("test result: FAILED") => {
                Ok(Self::Fails)
            }
            Err(_) if ran.took >= limit => Ok(Self::Hangs),
            Err(why) => Err(why.clone()),
        }
    }
}

fn try_one(run: &Run, place: &Place, mutant: &Mutant, limit: Duration) -> Result<Fate, String> {
    place
        .copy
        .patched(&mutant.patch, || check_in(run, place, &mutant.check, limit))?
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
pub(super) fn day() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs() / 86_400)
}

/// Builds and runs `check` in the copy.
fn check_in(run: &Run, place: &Place, check: &Check, limit: Duration) -> Result<Fate, String> {
    let program = build(run, place, check)?;
    if !program.tests()?.contains(&check.test) {
        return Err(format!("there is no {check}"));
    }
    let case = Case::new(&program, check.test.clone());
    Fate::of(&suite::run_one(case, limit), limit)
}

fn build(run: &Run, place: &Place, check: &Check) -> Result<TestProgram, String> {
    let mut arguments = vec!["--package", &check.package];
    let (flags, target, apart) = match check.kind {
        Kind::Loom => (LOOM.0, &place.loom, APART_LOOM),
        Kind::Plain => ("", &place.plain, APART_PLAIN),
    };
    match check.kind {
        Kind::Loom => arguments.extend(["--profile", "model"]),
        // Some are of what a feature adds.
        Kind::Plain => arguments.push("--all-features"),
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
    let build = Build {
        arguments,
        flags,
        target: &target.display().to_string(),
        folder: Some(place.copy.root()),
    };
    let mut programs = suite::build(run, &build)?;
    programs
        .pop()
        .ok_or_else(|| format!("{check} was not built"))
}

#[cfg(test)]
mod tests {
    use super::{super::copy::CONTEXTS, *};
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
        let root = super::super::tree::root();
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
