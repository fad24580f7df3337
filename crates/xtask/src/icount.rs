//! Instructions of the hot functions, held to what the repository records.
//!
//! The program `icount` of the benches runs under callgrind, which counts within `instructions_of` alone and dumps the
//! count whenever `row_done` is entered; the dumps stand for the rows in the order in which the program prints them.
//! So nothing is needed but valgrind.

use crate::{
    BENCHES,
    bench::programs,
    run::{Failed, Steps},
};
use clap::Args;
use std::{
    collections::BTreeMap,
    env,
    fmt::Write as _,
    fs,
    path::Path,
    process::{Command, Output},
    time::Instant,
};

/// What is recorded, from the root of the workspace.
const RECORDED: &str = "benches/icount.toml";
/// Calls of a row, as the program makes them.
const CALLS: f64 = 1_000.0;
/// A rise by more than this share fails.
const RISE_MAX: f64 = 0.02;
/// How to get what is missing.
const GET: &str = "no valgrind; on Debian: apt-get install --no-install-recommends valgrind";

/// What to do with the counts.
#[derive(Args, Default)]
pub(crate) struct Icount {
    /// Records the counts instead of comparing them. The commit says why they changed.
    #[arg(long)]
    bless: bool,
}

/// Instructions a call, by row, and the compiler that made them.
#[derive(Debug, Default, PartialEq)]
struct Counts {
    toolchain: String,
    calls: BTreeMap<String, f64>,
}

/// As [`run`], if there is a valgrind.
pub(crate) fn run_if_possible(steps: &mut Steps) -> Result<(), Failed> {
    if said("valgrind", &["--version"]).is_none() {
        steps.skipped("instruction counts", GET);
        return Ok(());
    }
    run(steps, &Icount::default())
}

/// Counts, and compares or records.
pub(crate) fn run(steps: &mut Steps, icount: &Icount) -> Result<(), Failed> {
    let package = ["--package", BENCHES, "--bin", "icount"];
    let build = ["build", "--profile", "bench"];
    steps.run(
        "hot functions, built",
        "cargo",
        build.into_iter().chain(package),
    )?;
    let start = Instant::now();
    let verdict = count().and_then(|counts| {
        if icount.bless {
            fs::write(RECORDED, counts.to_toml()).map_err(|error| format!("{RECORDED}: {error}"))
        } else {
            let text =
                fs::read_to_string(RECORDED).map_err(|error| format!("{RECORDED}: {error}"))?;
            compare(&Counts::from_toml(&text)?, &counts)
        }
    });
    if let Err(why) = &verdict {
        eprintln!("{why}");
    }
    let short = if verdict.is_ok() { "passed" } else { "FAILED" };
    steps.note("instruction counts", short.to_owned(), start.elapsed());
    verdict.map_err(|_| Failed)
}

/// Runs the program under callgrind.
fn count() -> Result<Counts, String> {
    let program = programs().join("icount");
    let dumps = env::temp_dir().join(format!("icount-{}", std::process::id()));
    fs::create_dir_all(&dumps).map_err(|error| format!("{}: {error}", dumps.display()))?;
    let dump = dumps.join("dump");
    let ended = Command::new("valgrind")
        .args([
            "--tool=callgrind",
            "--toggle-collect=*instructions_of*",
            "--dump-before=*row_done*",
        ])
        .arg(format!("--callgrind-out-file={}", dump.display()))
        .arg(&program)
        .output()
        .map_err(|error| format!("{GET} ({error})"));
    let counts = ended.and_then(|ended| read(&ended, &dump));
    // What is left of them is in a folder for such things.
    let _ = fs::remove_dir_all(&dumps);
    counts
}

/// Brings names and dumps together.
fn read(ended: &Output, dump: &Path) -> Result<Counts, String> {
    if !ended.status.success() {
        return Err(format!(
            "the program failed under valgrind ({}):\n{}",
            ended.status,
            String::from_utf8_lossy(&ended.stderr)
        ));
    }
    let mut calls = BTreeMap::new();
    let names = String::from_utf8_lossy(&ended.stdout);
    for (place, name) in names.lines().enumerate() {
        let file = format!("{}.{}", dump.display(), place + 1);
        let text =
            fs::read_to_string(&file).map_err(|error| format!("row {name}: {file}: {error}"))?;
        let total = total(&text).ok_or_else(|| format!("row {name}: no total in {file}"))?;
        calls.insert(name.to_owned(), tenths(total / CALLS));
    }
    if calls.is_empty() {
        return Err("the program told no rows".to_owned());
    }
    Ok(Counts {
        toolchain: said("rustc", &["--version"]).unwrap_or_default(),
        calls,
    })
}

/// The figure of the line `totals:` (or `summary:`) of a dump.
fn total(dump: &str) -> Option<f64> {
    let line = dump
        .lines()
        .rfind(|line| line.starts_with("totals:") || line.starts_with("summary:"))?;
    line.split_whitespace()
        .nth(1)?
        .parse()
        .ok()
        .filter(|total| *total > 0.0)
}

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// Fails on a rise, and on rows that only one side has. A fall is told, and passes.
fn compare(recorded: &Counts, counted: &Counts) -> Result<(), String> {
    let mut wrong = Vec::new();
    for (name, now) in &counted.calls {
        let Some(before) = recorded.calls.get(name) else {
            wrong.push(format!("{name}: {now}, not recorded"));
            continue;
        };
        let change = now / before - 1.0;
        eprintln!(
            "{name:<28} {now:>9.1}  recorded {before:>9.1}  {:+.1} %",
            change * 100.0
        );
        // Tenths are rounded.
        if *now > before * (1.0 + RISE_MAX) + 0.05 {
            wrong.push(format!(
                "{name}: {before} instructions a call recorded, {now} counted"
            ));
        }
    }
    for name in recorded.calls.keys() {
        if !counted.calls.contains_key(name) {
            wrong.push(format!("{name}: recorded, but not counted"));
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    if recorded.toolchain != counted.toolchain {
        wrong.push(format!(
            "recorded with {}, counted with {}",
            recorded.toolchain, counted.toolchain
        ));
    }
    wrong.push(
        "if it must be so: `cargo xtask icount --bless`, and say why in the commit".to_owned(),
    );
    Err(wrong.join("\n"))
}

impl Counts {
    fn to_toml(&self) -> String {
        let mut text = String::from(
            "# Instructions a call of the hot functions. `cargo xtask icount` fails on a rise above 2 %;\n\
             # `cargo xtask icount --bless` records anew, and the commit says why.\n\n",
        );
        let _ = writeln!(text, "toolchain = {:?}\n\n[calls]", self.toolchain);
        for (name, count) in &self.calls {
            let _ = writeln!(text, "{name} = {count:.1}");
        }
        text
    }

    fn from_toml(text: &str) -> Result<Self, String> {
        let table: toml::Table = text
            .parse()
            .map_err(|error| format!("{RECORDED}: {error}"))?;
        let toolchain = table.get("toolchain").and_then(toml::Value::as_str);
        let calls = table.get("calls").and_then(toml::Value::as_table);
        let (Some(toolchain), Some(calls)) = (toolchain, calls) else {
            return Err(format!("{RECORDED}: needs `toolchain` and a table `calls`"));
        };
        let figure = |(name, value): (&String, &toml::Value)| {
            let figure = value.as_float().filter(|figure| *figure > 0.0);
            let figure =
                figure.ok_or_else(|| format!("{RECORDED}: {name}: needs a figure like 25.0"))?;
            Ok((name.clone(), figure))
        };
        Ok(Self {
            toolchain: toolchain.to_owned(),
            calls: calls.iter().map(figure).collect::<Result<_, String>>()?,
        })
    }
}

fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(rows: &[(&str, f64)]) -> Counts {
        Counts {
            toolchain: "rustc 1".to_owned(),
            calls: rows
                .iter()
                .map(|(name, count)| ((*name).to_owned(), *count))
                .collect(),
        }
    }

    #[test]
    fn only_a_rise_above_two_per_cent_fails() {
        let recorded = counts(&[("take", 100.0)]);
        for (now, passes) in [(50.0, true), (102.0, true), (102.2, false)] {
            assert_eq!(
                compare(&recorded, &counts(&[("take", now)])).is_ok(),
                passes,
                "{now}"
            );
        }
    }

    #[test]
    fn a_row_that_one_side_lacks_fails() {
        let (none, one) = (counts(&[]), counts(&[("take", 1.0)]));
        assert!(compare(&none, &one).is_err());
        assert!(compare(&one, &none).is_err());
    }

    #[test]
    fn what_is_recorded_reads_back() {
        let recorded = counts(&[("deny", 12.0), ("take", 25.3)]);
        assert_eq!(Counts::from_toml(&recorded.to_toml()), Ok(recorded));
        assert!(Counts::from_toml("toolchain = 'x'\n[calls]\ntake = 0.0").is_err());
    }

    #[test]
    fn the_total_of_a_dump_is_read() {
        assert_eq!(total("fn=(1) x\n3 4\n\ntotals: 25003\n"), Some(25_003.0));
        assert_eq!(total("fn=(1) x\n"), None);
        assert_eq!(total("totals: 0\n"), None);
    }
}
