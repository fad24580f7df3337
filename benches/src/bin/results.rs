//! Measures everybody in interleaved rounds, and writes the page and its pictures. Started by `cargo xtask bench` in the
//! workspace's folder.

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    env,
    error::Error,
    fs, io, mem,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::Duration,
};
use tollgate_benches::{
    groups::Scale,
    report::{
        MemoryFigures, Report, answers, flood, load,
        measure::{self, Wanted},
        page, plots,
        setting::Setting,
        tail,
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
    /// Only groups whose name begins so, or the parts `answers`, `load`, `memory`, `flood` and `tail`; may be given more
    /// than once. What was measured before stays among the figures.
    #[arg(long, value_name = "BEGINNING")]
    only: Vec<String>,
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
        kept(&arguments.figures)?
    } else {
        measured(&arguments)?
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

fn kept(figures: &Path) -> Result<Report, Box<dyn Error>> {
    let text = fs::read_to_string(figures)?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", figures.display()).into())
}

/// The report so far, in a file from which it can be told again: what a run measured before it was cut short is not lost.
struct Keeping<'a> {
    report: Report,
    run: Setting,
    figures: &'a Path,
}

impl Keeping<'_> {
    fn keep(&mut self, piece: Report) -> io::Result<()> {
        self.report.take(Report {
            runs: vec![self.run.clone()],
            ..piece
        });
        fs::write(self.figures, serde_json::to_string(&self.report)?)
    }
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
    let wanted = Wanted(arguments.only.clone());
    let report = if wanted.0.is_empty() || !arguments.figures.exists() {
        Report::default()
    } else {
        kept(&arguments.figures)?
    };
    let mut keeping = Keeping {
        report,
        run: Setting::read(name),
        figures: &arguments.figures,
    };
    measure::groups(&scale, &wanted, &progress, |groups| {
        keeping.keep(Report {
            groups,
            ..Report::default()
        })
    })?;
    let part = |name: &str, said: &'static str| {
        let is = wanted.is(name);
        if is {
            progress.set_message(said);
        }
        is
    };
    let mut piece = Report::default();
    if part("answers", "right answers") {
        piece.answers.figures = answers::answers();
    }
    if part("load", "load of the table") {
        let slots = scale.sizes.iter().copied().max().unwrap_or(1_000);
        piece.loads.figures = load::loads(slots, scale.load_tables);
    }
    if part("memory", "memory") {
        piece.memory.figures = memory(scale.flood_keys)?;
    }
    if part("flood", "flood of new keys") {
        piece.floods.figures = flood::floods(scale.flood_keys, scale.patience);
    }
    keeping.keep(mem::take(&mut piece))?;
    // The last, since it keeps the thread on one core.
    if part("tail", "single operations") {
        piece.tails.figures = tail::tails(&scale);
        keeping.keep(piece)?;
    }
    progress.finish_and_clear();
    Ok(keeping.report)
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
