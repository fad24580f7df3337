//! A scratch copy of the tree, into which patches are applied and taken out again.

use super::program::lines_of;
use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// As long as git may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Lines of context that must agree: all, then fewer, for code that has changed around a patch.
pub(super) const CONTEXTS: [&str; 3] = ["-C3", "-C2", "-C1"];

/// The copy.
#[derive(Debug)]
pub(super) struct Copy {
    /// Of the tree that is copied.
    from: PathBuf,
    root: PathBuf,
    /// Where patches lie while they are applied.
    patch: PathBuf,
}

impl Copy {
    /// Brings the copy in `folder` up to the tree as it is, uncommitted files included. What has not changed is not
    /// touched, so that it is not built again.
    pub(super) fn of_the_tree(folder: &Path) -> Result<Self, String> {
        let from = env::current_dir().map_err(|error| error.to_string())?;
        let folder = from.join(folder);
        let root = folder.join("tree");
        let copy = Self {
            from,
            root,
            patch: folder.join("mutant.patch"),
        };
        let listed = lines_of(
            Command::new("git").args(["ls-files", "--cached", "--others", "--exclude-standard"]),
            LIMIT,
            |_| {},
        )?;
        let mut kept = BTreeSet::new();
        for file in listed {
            // Listed, but deleted.
            if copy.from.join(&file).is_file() {
                copy.bring(&file)?;
                kept.insert(copy.root.join(file));
            }
        }
        remove_others(&copy.root, &kept)?;
        Ok(copy)
    }

    /// The copy's own workspace.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Copies one file, if it differs.
    fn bring(&self, file: &str) -> Result<(), String> {
        let told = |error: std::io::Error| format!("{file}: {error}");
        let (from, to) = (self.from.join(file), self.root.join(file));
        let text = fs::read(from).map_err(told)?;
        if fs::read(&to).is_ok_and(|there| there == text) {
            return Ok(());
        }
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder).map_err(told)?;
        }
        // Written anew, so that cargo sees by its time that it changed.
        fs::write(to, text).map_err(told)
    }

    /// Does `act` with the patch applied, and takes it out.
    pub(super) fn patched<T>(&self, patch: &str, act: impl FnOnce() -> T) -> Result<T, String> {
        let told = |error: std::io::Error| error.to_string();
        fs::write(&self.patch, patch).map_err(told)?;
        let files = patch.lines().filter_map(|line| line.strip_prefix("+++ b/"));
        let mut before = Vec::new();
        for file in files.map(|file| self.root.join(file.trim())) {
            before.push((fs::read(&file).map_err(told)?, file));
        }
        let mut applied = Err(String::new());
        for context in CONTEXTS {
            if applied.is_err() {
                applied = self.apply(context);
            }
        }
        applied.map_err(|why| format!("the patch no longer applies: write it anew\n{why}"))?;
        let done = act();
        // Written anew, so that cargo sees by its time that it changed.
        for (text, file) in before {
            fs::write(file, text).map_err(told)?;
        }
        Ok(done)
    }

    fn apply(&self, context: &str) -> Result<(), String> {
        let mut git = Command::new("git");
        // Inside a repository git would leave out what lies outside its tree; so it is told that this is none.
        git.current_dir(&self.root)
            .env(
                "GIT_CEILING_DIRECTORIES",
                self.root.parent().unwrap_or(&self.root),
            )
            .args(["apply", "--recount", context])
            .arg(&self.patch);
        lines_of(&mut git, LIMIT, |_| {}).map(|_| ())
    }
}

/// Removes what the tree no longer has.
fn remove_others(folder: &Path, kept: &BTreeSet<PathBuf>) -> Result<(), String> {
    let told = |error: std::io::Error| format!("{}: {error}", folder.display());
    for entry in fs::read_dir(folder).map_err(told)? {
        let path = entry.map_err(told)?.path();
        if path.is_dir() {
            remove_others(&path, kept)?;
        } else if !kept.contains(&path) {
            fs::remove_file(&path).map_err(told)?;
        }
    }
    Ok(())
}
