//! Lines and branches of the concurrent crates that their own tests run. It is reported, and nothing fails by it: a
//! line that runs is not a line that is checked, which is what the mutants are for.

use super::{Depth, Outcome, Part, Run};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

pub(crate) const PART: Part = Part {
    name: "coverage",
    shows: "lines and branches of the concurrent crates that their tests run",
    from: Depth::Full,
    run,
};

/// The concurrent crates.
const CRATES: [&str; 6] = [
    "tollgate-sync",
    "tollgate-core",
    "tollgate-window",
    "tollgate-table",
    "tollgate-quota",
    "tollgate-policy",
];

const REPORT: &str = "target/coverage.lcov";

const LIMIT: Duration = Duration::from_secs(1800);

const A_MINUTE: Duration = Duration::from_secs(60);

fn run(run: &Run) -> Outcome {
    let llvm = match tools(run) {
        Ok(llvm) => llvm,
        Err(get) => return Outcome::skipped(get),
    };
    run.say("building and running the tests of the concurrent crates");
    let mut cargo = Command::new("cargo");
    cargo
        .args([
            "llvm-cov",
            "test",
            "--all-features",
            // A test that fails under instrumentation is for `cargo test` to judge.
            "--ignore-run-fail",
            "--branch",
            "--lcov",
            "--output-path",
            REPORT,
        ])
        .args(CRATES.iter().flat_map(|name| ["--package", name]))
        .env("LLVM_COV", llvm.join("llvm-cov"))
        .env("LLVM_PROFDATA", llvm.join("llvm-profdata"))
        // Branches are an unstable option of the compiler, which a stable one has too.
        .env("RUSTC_BOOTSTRAP", "1");
    let report = run
        .program(&mut cargo, LIMIT, |_| {})
        .and_then(|_| fs::read_to_string(REPORT).map_err(|error| format!("{REPORT}: {error}")));
    let files = match report {
        Ok(report) => read(&report, production_lines),
        Err(why) => return Outcome::failed("", None, why),
    };
    let bare = CRATES
        .iter()
        .find(|name| !files.keys().any(|path| is_of(path, name)));
    if let Some(bare) = bare {
        return Outcome::failed("", None, format!("the report has nothing of {bare}"));
    }
    let (table, all) = table(&files);
    run.show(&table);
    run.show(&uncovered(&files));
    Outcome::passed(all, None)
}

/// Where LLVM's tools are, or how to get what is missing.
fn tools(run: &Run) -> Result<PathBuf, String> {
    let cargo = run.program(
        Command::new("cargo").args(["llvm-cov", "--version"]),
        A_MINUTE,
        |_| {},
    );
    cargo.map_err(|_| "cargo install --locked cargo-llvm-cov".to_owned())?;
    let version = run.program(Command::new("rustc").arg("-vV"), A_MINUTE, |_| {})?;
    let version = version
        .iter()
        .find_map(|line| line.strip_prefix("LLVM version: "))
        .and_then(|version| version.split('.').next())
        .unwrap_or("of rustc");
    let folder = PathBuf::from(format!("/usr/lib/llvm-{version}/bin"));
    if folder.join("llvm-cov").is_file() {
        Ok(folder)
    } else {
        Err(format!(
            "apt-get install --no-install-recommends llvm-{version}"
        ))
    }
}

/// What one source file has, and what of it was run.
#[derive(Debug, Default, PartialEq, Eq)]
struct Covered {
    lines: u64,
    lines_run: u64,
    branches: u64,
    branches_taken: u64,
    /// Lines that were not run.
    missed: Vec<usize>,
}

/// The lines of a source file before its tests.
fn production_lines(file: &Path) -> usize {
    let text = fs::read_to_string(file).unwrap_or_default();
    let tests = text
        .lines()
        .position(|line| line.starts_with("#[cfg(") && line.contains("test"));
    tests.unwrap_or(usize::MAX)
}

/// Reads a report in the format of lcov: `SF:file`, `DA:line,count`, `BRDA:line,block,branch,taken`.
fn read(report: &str, lines_of: impl Fn(&Path) -> usize) -> BTreeMap<PathBuf, Covered> {
    let mut files: BTreeMap<PathBuf, Covered> = BTreeMap::new();
    let (mut file, mut last) = (None, 0);
    for line in report.lines() {
        if let Some(path) = line.strip_prefix("SF:") {
            let is_source = path.contains("/src/") && !path.ends_with("/tests.rs");
            let path = PathBuf::from(path);
            last = lines_of(&path);
            file = is_source.then_some(path);
            continue;
        }
        let Some(file) = &file else { continue };
        let figures = |rest: &str| rest.split(',').map(str::to_owned).collect::<Vec<_>>();
        if let Some(rest) = line.strip_prefix("DA:") {
            let figures = figures(rest);
            let [line, count, ..] = figures.as_slice() else {
                continue;
            };
            let line = line.parse().unwrap_or(usize::MAX);
            if line > last {
                continue;
            }
            let covered = files.entry(file.clone()).or_default();
            covered.lines += 1;
            if count == "0" {
                covered.missed.push(line);
            } else {
                covered.lines_run += 1;
            }
        } else if let Some(rest) = line.strip_prefix("BRDA:") {
            let figures = figures(rest);
            let [line, _, _, taken] = figures.as_slice() else {
                continue;
            };
            if line.parse().unwrap_or(usize::MAX) > last {
                continue;
            }
            let covered = files.entry(file.clone()).or_default();
            covered.branches += 1;
            covered.branches_taken += u64::from(taken != "0" && taken != "-");
        }
    }
    files
}

/// Whether the file is of that crate.
fn is_of(path: &Path, name: &str) -> bool {
    path.to_string_lossy().contains(&format!("/{name}/src/"))
}

/// By crate, and in a line.
fn table(files: &BTreeMap<PathBuf, Covered>) -> (String, String) {
    let mut table = String::new();
    let mut all = [0; 4];
    let percent = |run: u64, of: u64| {
        if of == 0 {
            100.0
        } else {
            run as f64 * 100.0 / of as f64
        }
    };
    for name in CRATES {
        let of_crate = files.iter().filter(|(path, _)| is_of(path, name));
        let mut sums = [0; 4];
        for (_, covered) in of_crate {
            let figures = [
                covered.lines_run,
                covered.lines,
                covered.branches_taken,
                covered.branches,
            ];
            for (place, figure) in figures.into_iter().enumerate() {
                sums[place] += figure;
                all[place] += figure;
            }
        }
        let _ = writeln!(
            table,
            "{name:<18} {:>5} of {:>5} lines {:>5.1} %  {:>5} of {:>5} branches {:>5.1} %",
            sums[0],
            sums[1],
            percent(sums[0], sums[1]),
            sums[2],
            sums[3],
            percent(sums[2], sums[3]),
        );
    }
    let all = format!(
        "{:.1} % of {} lines, {:.1} % of {} branches",
        percent(all[0], all[1]),
        all[1],
        percent(all[2], all[3]),
        all[3]
    );
    (table, all)
}

/// What was not run: the functions that the lines are in, by file.
fn uncovered(files: &BTreeMap<PathBuf, Covered>) -> String {
    let mut told = String::from("not run:\n");
    for (path, covered) in files
        .iter()
        .filter(|(_, covered)| !covered.missed.is_empty())
    {
        let text = fs::read_to_string(path).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        let mut functions: Vec<(String, usize)> = Vec::new();
        for line in &covered.missed {
            let name = function_of(&lines, *line);
            match functions.last_mut() {
                Some((last, count)) if *last == name => *count += 1,
                _ => functions.push((name, 1)),
            }
        }
        let functions: Vec<_> = functions
            .iter()
            .map(|(name, count)| format!("{name} ({count})"))
            .collect();
        let path = path.to_string_lossy();
        let short = path.split_once("/crates/").map_or(&*path, |(_, rest)| rest);
        let _ = writeln!(told, "  {short}: {}", functions.join(", "));
    }
    told
}

/// The function that a line (from 1) is in, by the nearest `fn` above it.
fn function_of(lines: &[&str], line: usize) -> String {
    let above = lines.iter().take(line).rev();
    let name = above
        .filter_map(|text| text.split_once("fn "))
        .find(|(before, _)| !before.contains("//") && !before.contains('"'))
        .and_then(|(_, rest)| rest.split(['(', '<']).next());
    name.unwrap_or("?").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "SF:/x/crates/tollgate-core/src/a.rs\nDA:1,3\nDA:2,0\nBRDA:2,0,0,-\nBRDA:2,0,1,4\nDA:9,0\n\
        end_of_record\nSF:/x/crates/tollgate-core/tests/b.rs\nDA:1,0\nend_of_record\n";

    #[test]
    fn lines_before_the_tests_are_counted() {
        let files = read(REPORT, |_| 8);
        let (path, covered) = files.into_iter().next().expect("one file");
        assert!(path.ends_with("src/a.rs"));
        let right = Covered {
            lines: 2,
            lines_run: 1,
            branches: 2,
            branches_taken: 1,
            missed: vec![2],
        };
        assert_eq!(covered, right);
    }

    #[test]
    fn sums_are_by_crate_and_in_all() {
        let (table, all) = table(&read(REPORT, |_| 8));
        assert!(table.contains("tollgate-core          1 of     2 lines  50.0 %"));
        assert_eq!(all, "50.0 % of 2 lines, 50.0 % of 2 branches");
    }

    #[test]
    fn a_line_is_named_by_its_function() {
        let lines = [
            "    pub fn one<T>() {",
            "        x();",
            "    // fn no",
            "    }",
        ];
        assert_eq!(function_of(&lines, 4), "one");
        assert_eq!(function_of(&lines[1..], 1), "?");
    }
}
