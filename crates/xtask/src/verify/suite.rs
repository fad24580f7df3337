//! Test programs: built once, their tests listed, and each test then run as a process of its own, so that one that hangs
//! or eats all memory is stopped alone, and each is timed.

use super::{Run, program::lines_of};
use crate::ALL;
use serde_json::Value;
use std::{
    collections::VecDeque,
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

/// As long as a build may take.
const BUILD: Duration = Duration::from_secs(1800);

/// How test programs are built.
#[derive(Clone, Debug, Default)]
pub(crate) struct Build<'a> {
    /// As for `cargo test`: `--package`, `--test loom`, `--lib`, `--release`, features.
    pub(crate) arguments: Vec<&'a str>,
    /// Flags for the compiler, in addition to none.
    pub(crate) flags: &'a str,
    /// A target folder of its own, or every change of flags builds the world again.
    pub(crate) target: &'a str,
    /// The root of a workspace other than this one.
    pub(crate) folder: Option<&'a Path>,
}

/// A test program.
#[derive(Clone, Debug)]
pub(crate) struct TestProgram {
    /// The package that it is of.
    pub(crate) package: String,
    /// The target's name, such as `loom`.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    /// Where its tests expect to be run.
    pub(crate) folder: PathBuf,
}

impl<'a> Build<'a> {
    /// As `cargo xtask test` builds tests, and has built them if it ran before.
    pub(crate) fn plain(tests: &[&'a str]) -> Self {
        let mut arguments = ALL.to_vec();
        for test in tests {
            arguments.extend(["--test", test]);
        }
        Self {
            arguments,
            target: "target",
            ..Self::default()
        }
    }

    /// The same, optimised as models are: worth another build where minutes are spent in the tests themselves.
    pub(crate) fn optimised(tests: &[&'a str]) -> Self {
        let mut build = Self::plain(tests);
        build.arguments.extend(["--profile", "model"]);
        build
    }

    /// Plain if minutes must do, else optimised.
    pub(crate) fn by_depth(run: &Run, tests: &[&'a str]) -> Self {
        if run.quick() {
            Self::plain(tests)
        } else {
            Self::optimised(tests)
        }
    }
}

/// Builds them; `Err` says why not.
pub(crate) fn build(run: &Run, build: &Build<'_>) -> Result<Vec<TestProgram>, String> {
    build_in(run, build, &[])
}

/// As [`build`], with more in the environment.
pub(crate) fn build_in(
    run: &Run,
    build: &Build<'_>,
    environment: &[(&str, String)],
) -> Result<Vec<TestProgram>, String> {
    // Settings are long, and say nothing of what is built.
    let told = build.arguments.iter().copied();
    let told: Vec<_> = told
        .filter(|argument| *argument != "--config" && !argument.starts_with("profile."))
        .collect();
    run.say(&format!("building {}", told.join(" ")));
    // The one that runs this, whatever toolchain a scratch copy would choose.
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["test", "--no-run"])
        .args(&build.arguments)
        .arg("--message-format=json-render-diagnostics")
        .env("CARGO_TARGET_DIR", build.target)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .current_dir(build.folder.unwrap_or(Path::new(".")));
    if !build.flags.is_empty() {
        cargo.env("RUSTFLAGS", build.flags);
    }
    let lines = run.program(&mut cargo, BUILD, |_| {})?;
    let programs: Vec<_> = lines.iter().filter_map(|line| test_program(line)).collect();
    if programs.is_empty() {
        return Err(format!("{cargo:?}: no test program was built"));
    }
    Ok(programs)
}

/// The test program that a line of cargo's output tells of.
fn test_program(line: &str) -> Option<TestProgram> {
    let told: Value = serde_json::from_str(line).ok()?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let is_test = told["profile"]["test"].as_bool() == Some(true);
    let manifest = PathBuf::from(told["manifest_path"].as_str()?);
    is_test.then_some(TestProgram {
        package: package_name(told["package_id"].as_str()?)?.to_owned(),
        name: text(&told["target"]["name"])?,
        path: text(&told["executable"])?.into(),
        folder: manifest.parent()?.to_owned(),
    })
}

/// The name in `path+file:///x/tests#tollgate-tests@0.1.0`, or in `path+file:///x/crates/xtask#0.1.0`.
fn package_name(id: &str) -> Option<&str> {
    let (path, told) = id.rsplit_once('#')?;
    match told.split_once('@') {
        Some((name, _)) => Some(name),
        None => path.rsplit('/').next(),
    }
}

impl TestProgram {
    /// The names of its tests, but for those that are ignored.
    pub(crate) fn tests(&self) -> Result<Vec<String>, String> {
        let mut list = self.command();
        list.args(["--list", "--format=terse"]);
        let lines = lines_of(&mut list, Duration::from_secs(60), |_| {})?;
        let names = lines.iter().filter_map(|line| line.strip_suffix(": test"));
        Ok(names.map(str::to_owned).collect())
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        // No bound but its own.
        command
            .current_dir(&self.folder)
            .env_remove("TOLLGATE_PREEMPTIONS");
        command
    }
}

/// One test to be run.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) program: TestProgram,
    pub(crate) test: String,
    pub(crate) environment: Vec<(OsString, OsString)>,
}

impl Case {
    pub(crate) fn new(program: &TestProgram, test: String) -> Self {
        Self {
            program: program.clone(),
            test,
            environment: Vec::new(),
        }
    }
}

/// How a test ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) case: Case,
    pub(crate) took: Duration,
    /// All it said, or why it failed.
    pub(crate) lines: Result<Vec<String>, String>,
}

impl Ran {
    /// How much it explored, by the lines `explored: 12 executions` that it printed.
    pub(crate) fn executions(&self) -> u64 {
        let told = |line: &String| {
            let (_, rest) = line.split_once("explored: ")?;
            rest.split_once(" executions")?.0.parse::<u64>().ok()
        };
        self.lines.iter().flatten().filter_map(told).sum()
    }
}

/// Runs `cases`, as many at once as there are cores, each for at most `limit`. Returns them in the order they ended.
pub(crate) fn run_each(run: &Run, cases: Vec<Case>, limit: Duration) -> Vec<Ran> {
    let all = cases.len();
    let waiting = Mutex::new(VecDeque::from(cases));
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let (sender, receiver) = std::sync::mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..cores {
            let (waiting, sender) = (&waiting, sender.clone());
            scope.spawn(move || {
                loop {
                    let next = waiting.lock().ok().and_then(|mut cases| cases.pop_front());
                    let Some(case) = next else { break };
                    if sender.send(run_one(case, limit)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let mut ran = Vec::with_capacity(all);
        for one in receiver {
            let verdict = if one.lines.is_ok() { "" } else { " FAILED" };
            run.say(&format!(
                "{}/{all} {} {} {}: {:.1} s, {} executions{verdict}",
                ran.len() + 1,
                one.case.program.package,
                one.case.program.name,
                one.case.test,
                one.took.as_secs_f64(),
                one.executions(),
            ));
            ran.push(one);
        }
        ran
    })
}

/// Runs one test for at most `limit`.
pub(crate) fn run_one(case: Case, limit: Duration) -> Ran {
    let start = Instant::now();
    let mut command = case.program.command();
    command
        .args(["--exact", &case.test, "--nocapture", "--test-threads=1"])
        .envs(case.environment.iter().map(|(name, value)| (name, value)));
    let lines = lines_of(&mut command, limit, |_| {}).and_then(|lines| {
        // A name that no test has is no failure to the program.
        let one = lines
            .iter()
            .any(|line| line.contains("test result: ok. 1 passed"));
        if one {
            Ok(lines)
        } else {
            Err(format!("{} did not run\n{}", case.test, lines.join("\n")))
        }
    });
    Ran {
        case,
        took: start.elapsed(),
        lines,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_programs_are_found_in_what_cargo_says() {
        let line = r#"{"reason":"compiler-artifact","package_id":"path+file:///x/crates/a#0.1.0","manifest_path":"/x/crates/a/Cargo.toml","target":{"name":"loom"},"profile":{"test":true},"executable":"/x/loom-1"}"#;
        let program = test_program(line).expect("it is one");
        assert_eq!(program.package, "a");
        assert_eq!(program.name, "loom");
        assert_eq!(program.folder, PathBuf::from("/x/crates/a"));
        for other in [
            "warning: x",
            r#"{"reason":"build-finished","success":true}"#,
            r#"{"manifest_path":"/x/Cargo.toml","target":{"name":"a"},"profile":{"test":false},"executable":"/x/a"}"#,
        ] {
            assert!(test_program(other).is_none(), "{other}");
        }
    }

    #[test]
    fn packages_are_known_by_name_wherever_they_lie() {
        assert_eq!(
            package_name("path+file:///x/tests#a-tests@0.1.0"),
            Some("a-tests")
        );
        assert_eq!(package_name("path+file:///x/crates/a#0.1.0"), Some("a"));
        assert_eq!(package_name("a"), None);
    }
}
