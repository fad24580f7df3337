//! Measures everybody in interleaved rounds, and writes the page and its pictures. Started by `cargo xtask bench` in the
//! workspace's folder.

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    env,
    error::Error,
    fs, io,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::Duration,
};
use tollgate_benches::{
    groups::Scale,
    report::{
        MemoryFigures, Report, answers, flood, load, measure, page, plots, setting::Setting, tail,
        why::Why,
    },
};

/// Measures everybody side by side.
#[derive(Parser)]
struct Arguments {
    /// Minutes instead of three quarters of an hour: fewer rounds, fewer peers among the most keys.
    #[arg(long)]
    quick: bool,
    /// Seconds: shows only that everything runs and answers right.
    #[arg(long, conflicts_with = "quick")]
    smoke: bool,
    /// Only groups whose name begins so, and nothing but groups.
    #[arg(long, default_value = "")]
    only: String,
    /// Where `RESULTS.md` and `plots/` are written.
    #[arg(long, default_value = "benches")]
    out: PathBuf,
    /// Where the bare figures are kept.
    #[arg(long, default_value = "target/results.json")]
    figures: PathBuf,
    /// Measures nothing, and tells the figures kept there.
    #[arg(long)]
    again: bool,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments = Arguments::parse();
    let report = if arguments.again {
        serde_json::from_str(&fs::read_to_string(&arguments.figures)?)?
    } else {
        let report = measured(&arguments)?;
        fs::write(&arguments.figures, serde_json::to_string(&report)?)?;
        report
    };
    write(&report, &arguments.out)?;
    let wrong = report.ours_wrong();
    if wrong.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("wrong answers of ours:");
    wrong.iter().for_each(|wrong| eprintln!("  {wrong}"));
    Ok(ExitCode::FAILURE)
}

fn measured(arguments: &Arguments) -> Result<Report, Box<dyn Error>> {
    let (name, scale) = match arguments {
        Arguments { smoke: true, .. } => ("smoke", Scale::smoke()),
        Arguments { quick: true, .. } => ("quick", Scale::quick()),
        _ => ("full", Scale::full()),
    };
    let progress = ProgressBar::new_spinner();
    progress.set_style(ProgressStyle::with_template(
        "{spinner} {elapsed_precise} {pos} groups; {msg}",
    )?);
    progress.enable_steady_tick(Duration::from_millis(500));
    let mut report = Report {
        setting: Setting::read(name),
        groups: measure::groups(&scale, &arguments.only, &progress),
        answers: Vec::new(),
        memory: Vec::new(),
        tails: Vec::new(),
        floods: Vec::new(),
        loads: Vec::new(),
    };
    if arguments.only.is_empty() {
        progress.set_message("right answers");
        report.answers = answers::answers();
        progress.set_message("load of the table");
        report.loads = load::loads(scale.sizes.iter().copied().max().unwrap_or(1_000));
        progress.set_message("memory");
        report.memory = memory(scale.flood_keys)?;
        progress.set_message("flood of new keys");
        report.floods = flood::floods(scale.flood_keys, scale.patience);
        // The last, since it keeps the thread on one core.
        progress.set_message("single operations");
        report.tails = tail::tails(&scale);
    }
    progress.finish_and_clear();
    Ok(report)
}

/// What the program `memory`, which stands beside this one, counts.
fn memory(keys: usize) -> Result<Vec<MemoryFigures>, Box<dyn Error>> {
    let program = env::current_exe()?.with_file_name("memory");
    let output = Command::new(&program).arg(keys.to_string()).output()?;
    if !output.status.success() {
        return Err(format!("{}: {}", program.display(), output.status).into());
    }
    let told = String::from_utf8(output.stdout)?;
    Ok(told
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?)
}

fn write(report: &Report, out: &Path) -> Result<(), Box<dyn Error>> {
    let why = match fs::read_to_string("benches/why.toml") {
        Ok(text) => Why::parse(&text)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Why::default(),
        Err(error) => return Err(error.into()),
    };
    let pictures = plots::draw(report)?;
    fs::create_dir_all(out.join("plots"))?;
    for picture in &pictures {
        fs::write(out.join("plots").join(picture.file), &picture.svg)?;
    }
    fs::write(
        out.join("RESULTS.md"),
        page::render(report, &why, &pictures)?,
    )?;
    eprintln!("written: {}", out.join("RESULTS.md").display());
    Ok(())
}
