//! The fuzz targets, built by cargo-fuzz with AddressSanitizer.

use super::{Run, program::lines_of};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// How to get the tool.
pub(super) const GET: &str = "cargo install --locked cargo-fuzz";

const FOLDER: &str = "fuzz";
/// As long as a build may take.
const BUILD: Duration = Duration::from_secs(3_600);

/// A target, built.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) name: String,
    program: PathBuf,
}

/// What one run came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) executions: u64,
    /// Edges of the program that were met, if the fuzzer said.
    pub(super) edges: u64,
}

/// Builds all of them; none where cargo-fuzz is not there. `Err` says why they cannot be built.
pub(super) fn build(run: &Run) -> Result<Option<Vec<Target>>, String> {
    let there = |command: &mut Command| command.output().is_ok_and(|told| told.status.success());
    if !there(cargo(None).args(["fuzz", "--version"])) {
        return Ok(None);
    }
    // Sanitizers are an unstable flag: of a nightly, or of any compiler that is told to take itself for one.
    let nightly = there(cargo(Some("+nightly")).arg("--version"));
    let toolchain = nightly.then_some("+nightly");
    let in_folder = |arguments: [&str; 2]| {
        let mut command = cargo(toolchain);
        command.args(arguments).current_dir(FOLDER);
        if !nightly {
            command.env("RUSTC_BOOTSTRAP", "1");
        }
        command
    };
    run.say("building the fuzz targets");
    run.program(&mut in_folder(["fuzz", "build"]), BUILD, |_| {})?;
    let listed = run.program(&mut in_folder(["fuzz", "list"]), BUILD, |_| {})?;
    let targets: Vec<Target> = listed
        .iter()
        .filter_map(|name| built(name.trim()))
        .collect();
    match targets.len() {
        0 => Err("cargo fuzz built no target".to_owned()),
        built if built < listed.len() => {
            Err(format!("{built} of {} targets were found", listed.len()))
        }
        _ => Ok(Some(targets)),
    }
}

/// As rustup finds it, and not the one that runs this.
fn cargo(toolchain: Option<&str>) -> Command {
    let mut command = Command::new("cargo");
    command
        .env_remove("CARGO")
        .env_remove("RUSTC")
        .args(toolchain);
    if toolchain.is_some() {
        command.env_remove("RUSTUP_TOOLCHAIN");
    }
    command
}

/// Whichever platform it was built for.
fn built(name: &str) -> Option<Target> {
    let platforms = fs::read_dir(Path::new(FOLDER).join("target")).ok()?;
    let program = platforms
        .flatten()
        .map(|platform| platform.path().join("release").join(name))
        .find(|program| program.is_file())?;
    Some(Target {
        name: name.to_owned(),
        program: fs::canonicalize(program).ok()?,
    })
}

impl Target {
    /// Looks for inputs that fail for `seconds`, from what is kept and what earlier searches have found.
    pub(super) fn search(&self, seconds: u64) -> Result<Counts, String> {
        let found = format!("target/fuzz/{}", self.name);
        fs::create_dir_all(&found).map_err(|error| format!("{found}: {error}"))?;
        let arguments = [
            format!("-max_total_time={seconds}"),
            "-len_control=0".to_owned(),
            found,
        ];
        // The time is looked at between inputs, and the kept ones are run first.
        self.run(&arguments, Duration::from_secs(seconds + 600))
    }

    /// Runs what is kept, and nothing else.
    pub(super) fn replay(&self) -> Result<Counts, String> {
        self.run(&["-runs=0".to_owned()], Duration::from_secs(1_800))
    }

    fn run(&self, arguments: &[String], limit: Duration) -> Result<Counts, String> {
        let artifacts = format!("{FOLDER}/artifacts/{}/", self.name);
        fs::create_dir_all(&artifacts).map_err(|error| format!("{artifacts}: {error}"))?;
        let mut command = Command::new(&self.program);
        command
            // What does not end in time is not linear. The first input of some loads vocabularies, which takes seconds.
            .args([
                "-timeout=60",
                "-rss_limit_mb=2048",
                "-max_len=800",
                "-print_final_stats=1",
            ])
            .arg(format!("-artifact_prefix={artifacts}"))
            .args(arguments)
            .arg(format!("{FOLDER}/corpus/{}", self.name))
            .env("RUST_BACKTRACE", "0");
        let lines = lines_of(&mut command, limit, |_| {})
            .map_err(|why| format!("{} fails, on the input in {artifacts}:\n{why}", self.name))?;
        Ok(counts(&lines))
    }
}

/// What libFuzzer tells in the end.
fn counts(lines: &[String]) -> Counts {
    let last = |before: &str| {
        let told = |line: &String| {
            let (_, rest) = line.split_once(before)?;
            rest.split_whitespace().next()?.parse().ok()
        };
        lines.iter().rev().find_map(told).unwrap_or(0)
    };
    Counts {
        executions: last("stat::number_of_executed_units:"),
        edges: last("cov: "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_from_what_the_fuzzer_prints() {
        let lines = [
            "#19591\tREDUCE cov: 700 ft: 2150 corp: 270/4733b lim: 33 exec/s: 321 rss: 128Mb",
            "#19591\tDONE   cov: 712 ft: 2155 corp: 270/4733b lim: 33 exec/s: 321 rss: 128Mb",
            "Done 19591 runs in 61 second(s)",
            "stat::number_of_executed_units: 19591",
        ];
        let lines = lines.map(str::to_owned);
        assert_eq!(
            counts(&lines),
            Counts {
                executions: 19_591,
                edges: 712
            }
        );
        assert_eq!(counts(&[]), Counts::default());
    }
}
