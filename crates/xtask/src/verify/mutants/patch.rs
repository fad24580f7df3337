//! One mutant: a patch with a head.
//!
//! ```text
//! Breaks: what the code does wrong with it, in a line.
//! Check: loom tollgate-core loom two_callers_take_exactly_the_capacity
//!
//! --- a/crates/...
//! ```
//!
//! A check is the kind of build (`loom` or `plain`), the crate, the test program (`lib` for unit tests) and the test.

use std::{fmt, fs, path::Path};

/// One of the patches.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mutant {
    /// The file's name.
    pub(super) name: String,
    pub(super) breaks: String,
    pub(super) check: Check,
    /// The whole text: whoever applies it skips the head.
    pub(super) patch: String,
}

/// The test that must fail.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Check {
    pub(super) kind: Kind,
    pub(super) package: String,
    pub(super) program: String,
    pub(super) test: String,
}

/// How it is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Plain,
    Loom,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Plain => "",
            Kind::Loom => " (loom)",
        };
        write!(f, "{} {} {}{kind}", self.package, self.program, self.test)
    }
}

/// All patches of a folder, by name.
pub(super) fn all(folder: &Path) -> Result<Vec<Mutant>, String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut mutants = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| error.to_string())?.path();
        if path
            .extension()
            .is_none_or(|extension| extension != "patch")
        {
            continue;
        }
        let told = |error: &dyn fmt::Display| format!("{}: {error}", path.display());
        let patch = fs::read_to_string(&path).map_err(|error| told(&error))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        mutants.push(read(&name, patch).map_err(|error| told(&error))?);
    }
    mutants.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(mutants)
}

fn read(name: &str, patch: String) -> Result<Mutant, String> {
    let head = |key: &str| {
        let mut lines = patch.lines().take_while(|line| !line.starts_with("--- "));
        let line = lines.find_map(|line| line.strip_prefix(key));
        line.map(|text| text.trim().to_owned())
            .ok_or_else(|| format!("its head has no line `{key}`"))
    };
    Ok(Mutant {
        name: name.to_owned(),
        breaks: head("Breaks:")?,
        check: check(&head("Check:")?)?,
        patch,
    })
}

fn check(text: &str) -> Result<Check, String> {
    let words: Vec<_> = text.split_whitespace().collect();
    let [kind, package, program, test] = words.as_slice() else {
        return Err(format!(
            "`{text}`: needs kind, crate, test program and test"
        ));
    };
    let kind = match *kind {
        "loom" => Kind::Loom,
        "plain" => Kind::Plain,
        other => return Err(format!("`{other}` is neither `loom` nor `plain`")),
    };
    Ok(Check {
        kind,
        package: (*package).to_owned(),
        program: (*program).to_owned(),
        test: (*test).to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str = "Breaks: the sum.\nCheck: loom a loom x::y\n\n--- a/one\n+++ b/one\n";

    #[test]
    fn the_head_is_read() {
        let mutant = read("one", PATCH.to_owned()).expect("it has one");
        assert_eq!(mutant.breaks, "the sum.");
        assert_eq!(mutant.check.kind, Kind::Loom);
        assert_eq!(mutant.check.to_string(), "a loom x::y (loom)");
    }

    #[test]
    fn a_patch_without_a_check_is_an_error() {
        for wrong in [
            "Breaks: x\n--- a/one\nCheck: loom a loom x",
            "Breaks: x\nCheck: a loom x",
            "Breaks: x\nCheck: loom a x",
        ] {
            assert!(read("one", wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
