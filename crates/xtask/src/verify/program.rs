//! Running a program within a time, its output read line by line.

use super::Run;
use std::{
    io::{self, BufRead, BufReader},
    process::{Child, Command, ExitStatus},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

/// As many lines as a failure shows of what came last.
const LAST: usize = 60;

/// All that a program said, standard output and error as they came.
pub(crate) type Lines = Vec<String>;

impl Run {
    /// Runs `command` for at most `limit`, and hands each line of its output over as it comes.
    ///
    /// # Errors
    /// Why it could not be started, ran too long or failed, with the last of its output.
    pub(crate) fn program(
        &self,
        command: &mut Command,
        limit: Duration,
        each: impl FnMut(&str),
    ) -> Result<Lines, String> {
        lines_of(command, limit, each)
    }
}

/// As [`Run::program`], for those who run several at once.
pub(crate) fn lines_of(
    command: &mut Command,
    limit: Duration,
    mut each: impl FnMut(&str),
) -> Result<Lines, String> {
    let told = format!("{command:?}");
    let (mut child, lines) = start(command).map_err(|error| format!("{told}: {error}"))?;
    let end = Instant::now() + limit;
    let mut all = Vec::new();
    loop {
        match lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                each(&line);
                all.push(line);
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                // It may have ended by itself since.
                let _ = child.kill();
                let _ = child.wait();
                let why = format!("stopped after {} s", limit.as_secs());
                return Err(failure(&told, &why, &all));
            }
        }
    }
    match child.wait() {
        Ok(status) if status.success() => Ok(all),
        Ok(status) => Err(failure(&told, &ending(status), &all)),
        Err(error) => Err(failure(&told, &error.to_string(), &all)),
    }
}

/// Starts it with both its outputs in one pipe, which a thread reads to the end.
fn start(command: &mut Command) -> io::Result<(Child, mpsc::Receiver<String>)> {
    let (reader, writer) = io::pipe()?;
    let child = command
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .stdin(std::process::Stdio::null())
        .spawn();
    // The command holds the writing end too, and the reader waits for all to be closed.
    command
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    let child = child?;
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut reader = BufReader::new(reader);
        let mut line = Vec::new();
        // Read as bytes: what a fuzzer prints need not be text.
        while reader
            .read_until(b'\n', &mut line)
            .is_ok_and(|read| read > 0)
        {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            line.clear();
            if sender.send(text).is_err() {
                break;
            }
        }
    });
    Ok((child, receiver))
}

fn ending(status: ExitStatus) -> String {
    format!("ended with {status}")
}

fn failure(told: &str, why: &str, lines: &[String]) -> String {
    let last = lines[lines.len().saturating_sub(LAST)..].join("\n");
    format!("{why}: {told}\n{last}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn both_outputs_are_read_in_order() {
        let mut seen = Vec::new();
        let script = &mut shell("echo one; echo two >&2; echo three");
        let all = lines_of(script, LONG, |line| seen.push(line.to_owned())).expect("it passes");
        assert_eq!(all, ["one", "two", "three"]);
        assert_eq!(seen, all);
    }

    #[test]
    fn a_failure_shows_what_came_last() {
        let why = lines_of(&mut shell("echo wrong; exit 3"), LONG, |_| {}).expect_err("it fails");
        assert!(why.contains("exit status: 3") && why.contains("wrong"));
    }

    #[test]
    fn one_that_runs_too_long_is_stopped() {
        let limit = Duration::from_millis(50);
        let why = lines_of(&mut shell("exec sleep 600"), limit, |_| {}).expect_err("it hangs");
        assert!(why.starts_with("stopped after 0 s"));
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error() {
        let none = &mut Command::new("/no/such/program");
        assert!(lines_of(none, LONG, |_| {}).is_err());
    }
}
