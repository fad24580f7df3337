//! Running a step, and telling at the end what ran.

use std::{
    ffi::OsStr,
    process::Command,
    time::{Duration, Instant},
};

/// A step failed; it was told why.
#[derive(Debug)]
pub(crate) struct Failed;

/// The steps so far.
#[derive(Default)]
pub(crate) struct Steps {
    done: Vec<(String, String, Duration)>,
}

impl Steps {
    /// Runs `program` with `arguments` in the workspace, its output shown as it comes.
    pub(crate) fn run<'a>(
        &mut self,
        name: &str,
        program: &str,
        arguments: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), Failed> {
        self.run_with(name, program, arguments, [])
    }

    /// As [`Self::run`], with more in the environment.
    pub(crate) fn run_with<'a>(
        &mut self,
        name: &str,
        program: &str,
        arguments: impl IntoIterator<Item = &'a str>,
        environment: impl IntoIterator<Item = (&'a str, &'a OsStr)>,
    ) -> Result<(), Failed> {
        let mut command = Command::new(program);
        command.args(arguments).envs(environment);
        eprintln!("\n== {name}: {command:?}");
        let start = Instant::now();
        let ended = command.status();
        let verdict = match &ended {
            Ok(status) if status.success() => "passed".to_owned(),
            Ok(status) => format!("FAILED ({status})"),
            Err(error) => format!("FAILED ({error})"),
        };
        let passed = ended.is_ok_and(|status| status.success());
        self.done.push((name.to_owned(), verdict, start.elapsed()));
        if passed { Ok(()) } else { Err(Failed) }
    }

    /// Notes something that ran by other means.
    pub(crate) fn note(&mut self, name: &str, verdict: String, time: Duration) {
        self.done.push((name.to_owned(), verdict, time));
    }

    /// Notes something that was not run, and why.
    pub(crate) fn skipped(&mut self, name: &str, why: &str) {
        self.done
            .push((name.to_owned(), format!("skipped: {why}"), Duration::ZERO));
    }

    /// Tells what ran.
    pub(crate) fn tell(&self) {
        eprintln!();
        for (name, verdict, time) in &self.done {
            eprintln!("{name:<24} {:>6.1} s  {verdict}", time.as_secs_f64());
        }
    }
}
