//! Where and with what was measured.

use serde::{Deserialize, Serialize};
use std::{fs, process::Command, thread};

/// Crates whose versions are told.
const TOLD: [&str; 14] = [
    "governor",
    "ratelimit",
    "leaky-bucket",
    "throttlecrab",
    "limitador",
    "pingora-limits",
    "tokio",
    "dashmap",
    "scc",
    "papaya",
    "foldhash",
    "quanta",
    "portable-atomic",
    "criterion",
];

/// Where and with what was measured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// How much: full, quick or smoke.
    pub scale: String,
    /// When it began: day and minute, by UTC.
    pub began: String,
    /// The processor.
    pub cpu: String,
    /// How many threads it runs at once.
    pub threads: usize,
    /// Its memory, in GiB.
    pub memory_gib: u64,
    /// The system.
    pub kernel: String,
    /// The compiler.
    pub rustc: String,
    /// The commit, and whether it was changed.
    pub commit: String,
    /// Whether other work on the machine had to wait.
    pub real_time: bool,
    /// The versions of everybody.
    pub versions: Vec<(String, String)>,
}

impl Setting {
    /// What is so now, for a run in the workspace's folder.
    #[must_use]
    pub fn read(scale: &str) -> Self {
        let changed = !said("git", &["status", "--porcelain", "--untracked-files=no"]).is_empty();
        let commit = said("git", &["rev-parse", "--short=10", "HEAD"]);
        Self {
            scale: scale.to_owned(),
            began: said("date", &["-u", "+%F %H:%M"]),
            cpu: cpu(),
            threads: thread::available_parallelism().map_or(1, usize::from),
            memory_gib: memory_gib(),
            kernel: said("uname", &["-sr"]),
            rustc: said("rustc", &["-V"]),
            commit: if changed {
                format!("{commit}, changed")
            } else {
                commit
            },
            real_time: real_time(),
            versions: versions(&fs::read_to_string("Cargo.lock").unwrap_or_default()),
        }
    }
}

fn said(program: &str, arguments: &[&str]) -> String {
    Command::new(program)
        .args(arguments)
        .output()
        .ok()
        .filter(|output| output.status.success())
        .map_or_else(String::new, |output| {
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        })
}

/// Model, family and stepping: a hypervisor's name alone says little.
fn cpu() -> String {
    let told = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        told.lines()
            .find(|line| line.split(':').next().is_some_and(|key| key.trim() == name))
            .and_then(|line| line.split(':').nth(1))
            .map_or("unknown", str::trim)
            .to_owned()
    };
    format!(
        "{}, family {} model {}",
        field("model name"),
        field("cpu family"),
        field("model")
    )
}

fn memory_gib() -> u64 {
    fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|told| {
            let line = told.lines().find(|line| line.starts_with("MemTotal:"))?;
            line.split_whitespace().nth(1)?.parse::<u64>().ok()
        })
        .map_or(0, |kib| kib.div_ceil(1 << 20))
}

/// Whether this process runs first in, first out (policy 1): field 41 of its state, 38 after the name's end.
fn real_time() -> bool {
    fs::read_to_string("/proc/self/stat")
        .ok()
        .and_then(|told| {
            let (_, after) = told.rsplit_once(')')?;
            Some(after.split_whitespace().nth(38)? == "1")
        })
        .unwrap_or(false)
}

/// Of several versions of one crate the newest, which is the one we name.
fn versions(lock: &str) -> Vec<(String, String)> {
    let Ok(lock) = toml::from_str::<toml::Table>(lock) else {
        return Vec::new();
    };
    let packages = lock.get("package").and_then(|list| list.as_array());
    TOLD.iter()
        .filter_map(|name| {
            let mut versions = packages?.iter().filter_map(|package| {
                let is_it = package.get("name")?.as_str()? == *name;
                is_it.then(|| package.get("version")?.as_str()).flatten()
            });
            Some(((*name).to_owned(), versions.next_back()?.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::versions;

    #[test]
    fn versions_are_read_from_the_lock_file() {
        let lock = "[[package]]\nname = 'scc'\nversion = '3.8.8'\n[[package]]\nname = 'own'\nversion = '1.0.0'\n";
        assert_eq!(versions(lock), [("scc".to_owned(), "3.8.8".to_owned())]);
    }
}
