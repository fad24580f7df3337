//! Files in and out, with errors that name them.

use std::fmt::Display;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use tollgate_policy::{PolicyErrors, PolicyFile};

use crate::figures::plain;

/// What ends the program with exit code 2: one message a line.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) String);

impl Failure {
    /// A problem with a file, on one line: `NAME: PROBLEM`.
    pub(crate) fn with(name: impl Display, problem: impl Display) -> Self {
        Self(plain(&format!("{name}: {problem}")).into_owned())
    }

    /// The mistakes of a policy, one a line.
    pub(crate) fn policy(name: &str, errors: &PolicyErrors) -> Self {
        let told = errors.mistakes().iter();
        let mut lines: Vec<String> = told.map(|mistake| Self::with(name, mistake).0).collect();
        if errors.untold() > 0 {
            lines.push(format!("and {} more", errors.untold()));
        }
        Self(lines.join("\n"))
    }
}

/// The longest policy file, in bytes.
const MAX_POLICY_BYTES: u64 = 8 << 20;

/// How a path is written in messages.
pub(crate) fn shown(path: &Path) -> String {
    if is_stdin(path) {
        "standard input".into()
    } else {
        path.display().to_string()
    }
}

pub(crate) fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// Reads a whole file of text, or standard input for `-`.
pub(crate) fn read_policy(path: &Path) -> Result<String, Failure> {
    let fail = |error: io::Error| Failure::with(shown(path), error);
    let input: Box<dyn Read> = if is_stdin(path) {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(path).map_err(fail)?)
    };
    let mut bytes = Vec::new();
    input
        .take(MAX_POLICY_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(fail)?;
    if bytes.len() as u64 > MAX_POLICY_BYTES {
        return Err(Failure::with(
            shown(path),
            format!("is longer than {MAX_POLICY_BYTES} bytes; shorter would be right"),
        ));
    }
    PolicyFile::text(&bytes)
        .map(str::to_owned)
        .map_err(|errors| Failure::policy(&shown(path), &errors))
}

/// Opens a trace, or standard input for `-`; with its length in bytes, where that is known.
pub(crate) fn open_trace(path: &Path) -> Result<(Box<dyn BufRead>, Option<u64>), Failure> {
    if is_stdin(path) {
        return Ok((Box::new(io::stdin().lock()), None));
    }
    let fail = |error: io::Error| Failure::with(shown(path), error);
    let file = File::open(path).map_err(fail)?;
    let about = file.metadata().map_err(fail)?;
    if about.is_dir() {
        return Err(Failure::with(
            shown(path),
            "is a folder; a file would be right",
        ));
    }
    let length = about.is_file().then_some(about.len());
    Ok((Box::new(BufReader::with_capacity(1 << 16, file)), length))
}

/// Whether both are one file, by whatever names. A device may be named twice, as nothing in it is destroyed.
fn is_same_file(one: &Path, other: &Path) -> bool {
    let (Ok(about), Ok(about_other)) = (fs::metadata(one), fs::metadata(other)) else {
        return false;
    };
    about.is_file() && about_other.is_file() && {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            (about.dev(), about.ino()) == (about_other.dev(), about_other.ino())
        }
        #[cfg(not(unix))]
        {
            fs::canonicalize(one).ok() == fs::canonicalize(other).ok()
        }
    }
}

/// Creates an output file, unless it is one of the files `used` already, which that would destroy.
pub(crate) fn create(path: &Path, used: &[(&Path, &str)]) -> Result<File, Failure> {
    let file = open_to_write(path, used)?;
    empty(&file).map_err(|error| Failure::with(path.display(), error))?;
    Ok(file)
}

/// Makes a file that was opened to be written empty; a device stays what it is.
pub(crate) fn empty(file: &File) -> std::io::Result<()> {
    if file.metadata()?.is_file() {
        file.set_len(0)?;
    }
    Ok(())
}

/// As [`create`], but what is in the file stays there until it is made [`empty`]: where the work may fail before there is
/// anything to write.
pub(crate) fn open_to_write(path: &Path, used: &[(&Path, &str)]) -> Result<File, Failure> {
    for (other, how) in used {
        if is_same_file(path, other) {
            return Err(Failure::with(
                path.display(),
                format!("is {how}; another file would be right"),
            ));
        }
    }
    File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(|error| Failure::with(path.display(), error))
}
