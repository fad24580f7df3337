//! Mutants that the tool `cargo mutants` makes: operators and whole functions replaced in the concurrent crates, which their
//! plain tests must catch, or else their models. Orderings it does not touch: those are for our own mutants.
//!
//! There are thousands, and each is built anew. So a full run tries one round of [`ROUNDS`], another each day, or the one that
//! `--seed` names; whoever asks for nothing but this part at full depth gets all of them, which takes hours.

use super::{
    Depth, Outcome, Part, Run, at_once,
    copy::Copy,
    models::{self, LOOM},
    mutants::{ONLY, day},
    program::lines_of,
};
use serde::Deserialize;
use std::{collections::BTreeSet, env, fmt, fs, mem, path::Path, process::Command, time::Duration};

pub(crate) const PART: Part = Part {
    name: "cargo-mutants",
    shows: "what cargo mutants makes of the concurrent crates is caught by their tests",
    from: Depth::Full,
    run,
};

/// A crate or a part of it, what of it is mutated and what must catch it.
struct Subject {
    name: &'static str,
    package: &'static str,
    /// In its folder `src`.
    files: &'static [&'static str],
    /// What is tried first, beside the unit tests: what is soon built and run, and catches most.
    first: &'static [&'static str],
    /// Beginnings of the names of tests that take seconds, which are tried last.
    slow: &'static [&'static str],
    /// Test programs of it and of those crates, beside their unit tests.
    tests: &'static [&'static str],
    beside: &'static [&'static str],
    /// Whether its models are of these files.
    has_models: bool,
}

/// All that threads share, and the arithmetic that they share it by. The longest first.
const SUBJECTS: [Subject; 7] = [
    Subject {
        name: "policy",
        package: "tollgate-policy",
        files: &[
            "meter.rs",
            "gate/{accounts,admit,current,keeper,line,mod,reload,reservation}.rs",
        ],
        first: &[],
        slow: &[],
        tests: &[
            "evictions",
            "gate",
            "ledger",
            "log_reload",
            "rate_reload",
            "threads",
            "unlimited_reload",
            "waiting",
        ],
        // Who waits is tried where there is somebody to wait.
        beside: &["tollgate"],
        has_models: true,
    },
    Subject {
        name: "window",
        package: "tollgate-window",
        files: &[
            "cell.rs",
            "fixed/{counter,number,state,window}.rs",
            "log/{cell,level,trail,window,word}.rs",
            "ring/{cell,history,ticks,window,word}.rs",
            "ring/sharded/{mod,stock,supply}.rs",
        ],
        first: &[],
        slow: &[],
        tests: &["against_models", "clocks", "races", "sharded"],
        beside: &[],
        has_models: true,
    },
    Subject {
        name: "ledger",
        package: "tollgate-quota",
        files: &["ledger/{ahead,algorithm,books,clerk,demand,desk,old,periods,told,visit,walk}.rs"],
        first: &["ledger"],
        slow: &[
            "ledger::faults::rollover::",
            "ledger::faults::disk_that_fails_at_every_point",
        ],
        tests: &["ledger", "meters", "threads"],
        beside: &[],
        has_models: false,
    },
    Subject {
        name: "lease",
        package: "tollgate-quota",
        files: &["lease/*.rs"],
        first: &["ledger"],
        slow: &["ledger::faults::"],
        tests: &["ledger", "meters", "threads"],
        beside: &[],
        has_models: true,
    },
    Subject {
        name: "quota",
        package: "tollgate-quota",
        files: &[
            "rate/*.rs",
            "{concurrency,lifetime,tally}.rs",
            "calendar/{cache,meter}.rs",
            "threshold/mod.rs",
        ],
        first: &["meters"],
        slow: &["ledger::"],
        tests: &["calendar", "ledger", "meters", "rate_refunds", "threads"],
        beside: &[],
        has_models: true,
    },
    Subject {
        name: "table",
        package: "tollgate-table",
        files: &[
            "{batch,cell,choice,claim,class,hash,keyed,lines}.rs",
            "exact/{entry,limiter,places}.rs",
            "{occupancy,pair,place,table,view,word}.rs",
        ],
        first: &[],
        slow: &["bounds::no_call_goes_beyond_the_bounds"],
        tests: &["exact", "properties", "threads"],
        beside: &[],
        has_models: true,
    },
    Subject {
        name: "core",
        package: "tollgate-core",
        files: &[
            "{gcra,turn}.rs",
            "clock/{coarse,manual,quanta}.rs",
            "limiter/{cell,cells,mod}.rs",
            "sharded/{guess,hand,handle,mod,parent,stock,supply}.rs",
        ],
        first: &[],
        slow: &["limiter::tests::polling_loses_no_fraction"],
        tests: &["changes", "properties", "sharded", "threads"],
        beside: &[],
        has_models: true,
    },
];

/// As many rounds try all mutants. One takes some minutes on two cores.
const ROUNDS: u64 = 48;

/// What is tried at once: the tests of a mutant mostly wait for its build, whose end has little to share among cores.
const AT_ONCE: u64 = 2;

/// As often is each mix of threads run.
const EXECUTIONS: u64 = 50;

/// So many preemptions do models search.
const PREEMPTIONS: u64 = 2;

/// Tests that the tool does not know for such, and what is shown to who debugs, which promises nothing.
const NEITHER: &str = r"(replace|in) (tests|models)::|impl fmt::Debug for";

/// Mutants of equal meaning, each with its argument.
const EQUAL: &str = "tests/mutants/equal.toml";

/// For each mutant that was caught, the test that caught it.
const CAUGHT: &str = "target/cargo-mutants/caught.txt";

/// Copies of the tree, and what the tool found, as lists of mutants by outcome.
const FOLDER: &str = "target/cargo-mutants";

const A_MINUTE: Duration = Duration::from_secs(60);

/// As long as one crate's share of a round may take.
const LIMIT: Duration = Duration::from_secs(3_600);

/// As long as everything may take.
const LIMIT_ALL: Duration = Duration::from_secs(12 * 3_600);

fn run(run: &Run) -> Outcome {
    let version = Command::new("cargo")
        .args(["mutants", "--version"])
        .output();
    if !version.is_ok_and(|output| output.status.success()) {
        return Outcome::skipped("cargo install --locked cargo-mutants");
    }
    match all(run) {
        Ok(outcome) => outcome,
        Err(why) => Outcome::failed("", None, why),
    }
}

/// Some mutants of one crate.
struct Share<'a> {
    subject: &'static Subject,
    /// Those of the crate.
    all: &'a [String],
    /// Which part it is, of how many: every so manieth mutant.
    number: u64,
    of: u64,
}

fn all(run: &Run) -> Result<Outcome, String> {
    let equal =
        Equal::read(&fs::read_to_string(EQUAL).map_err(|error| format!("{EQUAL}: {error}"))?)?;
    let copies = (0..AT_ONCE)
        .map(|number| Copy::of_the_tree(Path::new(&format!("{FOLDER}/{number}"))))
        .collect::<Result<Vec<_>, _>>()?;
    let tree = copies[0].root();
    let lists = SUBJECTS.iter().map(|subject| subject.listed(tree));
    let lists = lists.collect::<Result<Vec<_>, _>>()?;
    let there = lists.concat();
    let text_of = |file: &str| fs::read_to_string(tree.join(file)).unwrap_or_default();
    let argued = equal.found_in(&there, text_of)?;
    if argued.len() * 20 > there.len() {
        return Err(format!(
            "{EQUAL} argues {} of {} mutants, which is too many",
            argued.len(),
            there.len()
        ));
    }
    let (rounds, round) = if run.is_alone() && !run.quick() {
        (1, 0)
    } else {
        let round = run.seed().unwrap_or_else(day) % ROUNDS;
        run.say(&format!("round {round} of {ROUNDS}; --seed names another"));
        (ROUNDS, round)
    };
    let of = rounds * AT_ONCE;
    let only = env::var(ONLY).unwrap_or_default();
    let shares = (0..AT_ONCE).flat_map(|part| {
        let number = round * AT_ONCE + part;
        let asked = |(subject, _): &(&Subject, _)| subject.name.contains(&only);
        let asked = SUBJECTS.iter().zip(&lists).filter(asked);
        let shares = asked.map(|(subject, all)| Share {
            subject,
            all,
            number,
            of,
        });
        shares.collect::<Vec<_>>()
    });
    let limit = if rounds == 1 { LIMIT_ALL } else { LIMIT };
    let found = at_once(&copies, shares, |copy, share| {
        share.tried(copy, &argued, limit, |line| {
            run.say(&format!("{}: {line}", share.subject.name))
        })
    });
    let mut sums = Found::default();
    let mut wrong = Vec::new();
    for found in found {
        match found {
            Ok(mut found) => {
                // Tried all the same: which mutants are a part's does not hang on what is argued.
                found.missed.retain(|name| !argued.contains(name));
                sums.add(found);
            }
            Err(why) => wrong.push(why),
        }
    }
    let Found {
        caught,
        hung,
        missed,
        unviable,
    } = sums;
    let tried = caught.len() + hung.len() + missed.len();
    let mut table = [caught.as_slice(), &hung].concat();
    table.sort_unstable();
    fs::write(CAUGHT, table.join("\n")).map_err(|error| format!("{CAUGHT}: {error}"))?;
    run.say(&format!("which test caught which mutant: {CAUGHT}"));
    let part = if rounds == 1 {
        "all".to_owned()
    } else {
        format!("round {round} of {ROUNDS}")
    };
    let explored = format!(
        "{} of {tried} mutants caught, {} of them as a test did not end ({part} of {}; {unviable} do not build; {} argued in all)",
        table.len(),
        hung.len(),
        there.len(),
        argued.len()
    );
    run.show(&format!(
        "not caught: {}\n{}",
        missed.len(),
        missed.join("\n")
    ));
    wrong.extend(missed);
    Ok(if !wrong.is_empty() {
        Outcome::failed(explored, Some(tried as u64), wrong.join("\n"))
    } else if tried == 0 {
        Outcome::failed(explored, None, "no mutant was tried")
    } else {
        Outcome::passed(explored, Some(tried as u64))
    })
}

/// What became of mutants.
#[derive(Debug, Default)]
struct Found {
    /// By a test that failed: each with that test.
    caught: Vec<String>,
    /// By one that did not end.
    hung: Vec<String>,
    missed: Vec<String>,
    unviable: usize,
}

/// What the tool tells of what it tried, as far as it is of use here.
#[derive(Debug, Deserialize)]
struct Outcomes {
    outcomes: Vec<Tried>,
}

#[derive(Debug, Deserialize)]
struct Tried {
    scenario: Scenario,
    summary: String,
    log_path: String,
}

#[derive(Debug, Deserialize)]
enum Scenario {
    Baseline,
    Mutant { name: String },
}

impl Found {
    /// What the tool left in a folder; nothing if it left nothing.
    fn read(folder: &Path) -> Self {
        let text = fs::read_to_string(folder.join("outcomes.json")).unwrap_or_default();
        let Ok(Outcomes { outcomes }) = serde_json::from_str(&text) else {
            return Self::default();
        };
        let mut found = Self::default();
        for tried in outcomes {
            let Scenario::Mutant { name } = tried.scenario else {
                continue;
            };
            match tried.summary.as_str() {
                "CaughtMutant" => {
                    let log = fs::read_to_string(folder.join(tried.log_path)).unwrap_or_default();
                    found.caught.push(format!("{name}: {}", failed_in(&log)));
                }
                "Timeout" => found.hung.push(format!("{name}: a test that did not end")),
                "MissedMutant" => found.missed.push(name),
                "Unviable" => found.unviable += 1,
                // Not tried.
                _ => {}
            }
        }
        found
    }

    fn all(&self) -> usize {
        self.caught.len() + self.hung.len() + self.missed.len() + self.unviable
    }

    fn add(&mut self, other: Self) {
        self.caught.extend(other.caught);
        self.hung.extend(other.hung);
        self.missed.extend(other.missed);
        self.unviable += other.unviable;
    }
}

/// The test that failed first, as the log of a test program has it.
fn failed_in(log: &str) -> &str {
    log.lines()
        .find_map(|line| {
            let (test, how) = line.strip_prefix("test ")?.split_once(" ... ")?;
            how.starts_with("FAILED").then_some(test)
        })
        .unwrap_or("a test program that ended before its time")
}

impl Subject {
    /// The tool, in a copy of the tree.
    fn tool(&self, tree: &Path) -> Command {
        let mut tool = Command::new("cargo");
        tool.current_dir(tree)
            .args(["mutants", "--no-config", "--no-shuffle"])
            .args(["--package", self.package, "--exclude-re", NEITHER]);
        for file in self.files {
            tool.arg("--file")
                .arg(format!("crates/{}/src/{file}", self.package));
        }
        tool
    }

    /// The names of all its mutants.
    fn listed(&self, tree: &Path) -> Result<Vec<String>, String> {
        let mut listed = lines_of(self.tool(tree).arg("--list"), A_MINUTE, |_| {})?;
        listed.retain(|line| line.starts_with("crates/"));
        Ok(listed)
    }
}

impl Share<'_> {
    /// How many they are.
    fn count(&self) -> usize {
        let places = (0..self.of).cycle().zip(self.all);
        places.filter(|(place, _)| *place == self.number).count()
    }

    /// Tries all of them: first against what is soon built and run, which catches most; what that misses, against all tests; and what those
    /// miss and nobody has `argued`, against the models.
    fn tried(
        &self,
        copy: &Copy,
        argued: &BTreeSet<String>,
        limit: Duration,
        mut each: impl FnMut(&str),
    ) -> Result<Found, String> {
        let count = self.count();
        if count == 0 {
            return Ok(Found::default());
        }
        let folder = copy.root().parent().unwrap_or(copy.root());
        let out = folder.join(format!(
            "{}-{}-of-{}",
            self.subject.name, self.number, self.of
        ));
        // What an earlier run found is not of this one.
        let _ = fs::remove_dir_all(&out);
        fs::create_dir_all(&out).map_err(|error| format!("{}: {error}", out.display()))?;
        let mut tool = self.plain(copy, &out);
        // Not by name: the tool tries fields that are left out whatever `--re` says.
        let part = format!("{}/{}", self.number, self.of);
        tool.args(["--sharding", "round-robin", "--shard", &part]);
        for test in self.subject.first {
            tool.arg(format!("--cargo-arg=--test={test}"));
        }
        // For cargo, and for the test programs.
        tool.args(["--", "--"]);
        for slow in self.subject.slow {
            tool.args(["--skip", slow]);
        }
        let mut found = self.ended(tool, &out, count, limit, &mut each)?;
        let missed = mem::take(&mut found.missed);
        if !missed.is_empty() {
            let mut tool = self.plain(copy, &out);
            tool.arg("--iterate");
            // Not as the tool's own option, which does not say what is tried unmutated.
            for package in self.subject.beside {
                tool.arg(format!("--cargo-arg=--package={package}"));
            }
            for test in self.subject.tests {
                tool.arg(format!("--cargo-arg=--test={test}"));
            }
            found.add(self.again(tool, &out, &missed, limit, &mut each)?);
        }
        if self.subject.has_models {
            let missed = mem::take(&mut found.missed);
            let (argued, missed): (Vec<_>, Vec<_>) =
                missed.into_iter().partition(|name| argued.contains(name));
            found.missed = argued;
            if !missed.is_empty() {
                let tool = self.models(copy, &out)?;
                found.add(self.again(tool, &out, &missed, limit, &mut each)?);
            }
        }
        Ok(found)
    }

    /// What `tool` finds of those that were `missed` before.
    fn again(
        &self,
        tool: Command,
        out: &Path,
        missed: &[String],
        limit: Duration,
        each: impl FnMut(&str),
    ) -> Result<Found, String> {
        // The tool leaves out what it finds on its list of the caught.
        let others = self.all.iter().filter(|name| !missed.contains(name));
        let others: String = others.flat_map(|name| [name, "\n"]).collect();
        let caught = out.join("mutants.out/caught.txt");
        fs::write(&caught, others).map_err(|error| format!("{}: {error}", caught.display()))?;
        self.ended(tool, out, missed.len(), limit, each)
    }

    /// The tool over the unit tests and what else is asked for.
    fn plain(&self, copy: &Copy, out: &Path) -> Command {
        let mut tool = self.tool(copy, out, "target");
        tool.args(["--all-features", "--cargo-arg=--lib"])
            // Nobody looks into what is built.
            .env("CARGO_PROFILE_TEST_DEBUG", "false")
            // Of each race: what it takes many to see is for the models.
            .env("TOLLGATE_EXECUTIONS", EXECUTIONS.to_string());
        tool
    }

    /// The tool over the models that are soon through.
    fn models(&self, copy: &Copy, out: &Path) -> Result<Command, String> {
        let mut tool = self.tool(copy, out, "loom");
        tool.args(["--iterate", "--profile", "model", "--cargo-arg=--test=loom"])
            // For cargo, and for the test program.
            .args(["--", "--"])
            .env("RUSTFLAGS", LOOM.0)
            .env("TOLLGATE_PREEMPTIONS", PREEMPTIONS.to_string());
        for slow in models::slow_of(self.subject.package)? {
            tool.args(["--skip", &slow]);
        }
        Ok(tool)
    }

    /// The tool as it runs here, with what it builds in a folder of that name.
    fn tool(&self, copy: &Copy, out: &Path, target: &str) -> Command {
        let mut tool = self.subject.tool(copy.root());
        tool.args(["--in-place", "--cap-lints", "true", "--colors", "never"])
            // Of a mutant that hangs.
            .args(["--timeout-multiplier", "2", "--minimum-test-timeout", "20"])
            .arg("--output")
            .arg(out)
            .env("CARGO_TARGET_DIR", out.with_file_name(target));
        tool
    }

    /// What `tool` finds, of so many mutants.
    fn ended(
        &self,
        mut tool: Command,
        out: &Path,
        expected: usize,
        limit: Duration,
        each: impl FnMut(&str),
    ) -> Result<Found, String> {
        // It fails if a mutant was missed too.
        let ended = lines_of(&mut tool, limit, each);
        let found = Found::read(&out.join("mutants.out"));
        if found.all() == expected {
            return Ok(found);
        }
        let name = self.subject.name;
        let why = ended
            .err()
            .map_or_else(String::new, |why| format!(": {why}"));
        Err(format!(
            "{name}: {} of {expected} mutants were tried{why}",
            found.all()
        ))
    }
}

/// The mutants that mean the same as the code.
#[derive(Debug, Default, Deserialize)]
struct Equal {
    #[serde(default)]
    equal: Vec<Argued>,
}

/// One of them. It is known by its line, not by the line's number, so that the argument must be thought over when the line
/// changes, and not when others do.
#[derive(Debug, Deserialize)]
struct Argued {
    file: String,
    /// The source, without white space around it.
    line: String,
    /// As the tool tells it, without the place.
    mutant: String,
    why: String,
}

impl Equal {
    fn read(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| format!("{EQUAL}: {error}"))
    }

    /// Their names among those that are there. Each entry must be of one or more.
    fn found_in(
        &self,
        there: &[String],
        text_of: impl Fn(&str) -> String,
    ) -> Result<BTreeSet<String>, String> {
        let mut found = BTreeSet::new();
        for argued in &self.equal {
            let before = found.len();
            let text = text_of(&argued.file);
            let lines: Vec<_> = text.lines().map(str::trim).collect();
            let is_it = |name: &&String| {
                let is_of = |(of, line, told): (&str, usize, &str)| {
                    of == argued.file
                        && told == argued.mutant
                        && lines.get(line.wrapping_sub(1)) == Some(&argued.line.as_str())
                };
                parts(name).is_some_and(is_of)
            };
            found.extend(there.iter().filter(is_it).cloned());
            if found.len() == before {
                return Err(format!("{EQUAL} has what is not there, or twice: {argued}"));
            }
            if argued.why.trim().is_empty() {
                return Err(format!("{EQUAL} does not say why: {argued}"));
            }
        }
        Ok(found)
    }
}

impl fmt::Display for Argued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.file, self.line, self.mutant)
    }
}

/// File, line and change of `crates/a/src/b.rs:12:9: replace < with <= in c`.
fn parts(name: &str) -> Option<(&str, usize, &str)> {
    let (place, mutant) = name.split_once(": ")?;
    let mut parts = place.split(':');
    let (file, line) = (parts.next()?, parts.next()?.parse().ok()?);
    Some((file, line, mutant))
}

#[cfg(test)]
mod tests {
    use super::{super::tree::text_of, *};

    const NAME: &str = "crates/a/src/b.rs:2:9: replace < with <= in <impl C for D>::e";

    #[test]
    fn what_the_tool_found_is_read_from_its_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let outcome = |scenario: &str, summary: &str| {
            format!(r#"{{"scenario":{scenario},"summary":"{summary}","log_path":"log/1.log"}}"#)
        };
        let of = |name: &str| format!(r#"{{"Mutant":{{"name":"{name}","package":"p"}}}}"#);
        let outcomes = [
            outcome("\"Baseline\"", "Success"),
            outcome(&of("a"), "CaughtMutant"),
            outcome(&of("b"), "MissedMutant"),
            outcome(&of("c"), "Timeout"),
            outcome(&of("d"), "Unviable"),
        ];
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("log")).expect("a folder");
        let log = "running 2 tests\ntest e::f ... ok\ntest g::h ... FAILED\ntest i ... FAILED\n";
        fs::write(path("log/1.log"), log).expect("room");
        let text = format!(r#"{{"outcomes":[{}]}}"#, outcomes.join(","));
        fs::write(path("outcomes.json"), text).expect("room");
        let found = Found::read(folder.path());
        assert_eq!(found.caught, ["a: g::h"]);
        assert_eq!((found.hung.len(), found.unviable, found.all()), (1, 1, 4));
        assert_eq!(found.missed, ["b"]);
        assert_eq!(Found::read(&path("log")).all(), 0);
    }

    #[test]
    fn a_name_is_taken_apart() {
        let right = (
            "crates/a/src/b.rs",
            2,
            "replace < with <= in <impl C for D>::e",
        );
        assert_eq!(parts(NAME), Some(right));
        assert_eq!(parts("Found 3 mutants"), None);
    }

    #[test]
    fn an_argument_holds_for_its_line_wherever_that_is() {
        let there = [NAME.to_owned()];
        let argued = |line: &str| {
            let text = format!(
                "[[equal]]\nfile = 'crates/a/src/b.rs'\nline = '{line}'\nmutant = 'replace < with <= in <impl C for D>::e'\nwhy = 'y is odd'\n"
            );
            Equal::read(&text)
                .expect("it is right")
                .found_in(&there, |_| "fn e() {\n    if x < y {\n".to_owned())
                .map(|found| found.into_iter().collect::<Vec<_>>())
        };
        assert_eq!(argued("if x < y {").as_deref(), Ok(&there[..]));
        assert!(argued("if x < z {").is_err());
        let unsaid = Equal {
            equal: vec![Argued {
                file: "crates/a/src/b.rs".to_owned(),
                line: "if x < y {".to_owned(),
                mutant: parts(NAME).expect("a name").2.to_owned(),
                why: " ".to_owned(),
            }],
        };
        let found = unsaid.found_in(&there, |_| "\nif x < y {\n".to_owned());
        assert!(found.is_err_and(|why| why.contains("why")));
    }

    #[test]
    fn every_argument_of_the_tree_is_of_a_line_that_is_there_and_stands_once() {
        let mut seen = BTreeSet::new();
        for argued in Equal::read(&text_of(EQUAL)).expect("it is right").equal {
            let is_it = |line: &str| line.trim() == argued.line;
            assert!(text_of(&argued.file).lines().any(is_it), "{argued:?}");
            assert!(!argued.why.trim().is_empty(), "{argued}: why?");
            assert!(seen.insert(argued.to_string()), "{argued}: twice");
        }
    }
}
