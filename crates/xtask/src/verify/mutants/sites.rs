//! Where threads meet: the orderings, fences and exchanges of the source. For each there is a mutant, or an argument.

use super::{
    super::tree::{files_of_rust, root, text_of},
    PATCHES, patch,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

/// Orderings and steps that nothing catches, each with its argument: file and line are quoted in it.
const EQUAL: &str = "EQUAL.md";

/// Crates that no user runs, and the one that only hands on what threads meet by.
const OTHERS: [&str; 3] = ["xtask", "tollgate-testkit", "tollgate-sync"];

const ORDERINGS: [&str; 4] = ["Acquire", "Release", "AcqRel", "SeqCst"];
const EXCHANGES: [&str; 3] = [".swap(", ".compare_exchange", ".fetch_"];

/// A line in which threads meet.
fn is_site(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    let is_import = code.contains("use ") || code.contains("Ordering::{");
    let is_argument = |word: &str| {
        code.match_indices(word).any(|(at, _)| {
            let after = code.as_bytes().get(at + word.len());
            code[..at].ends_with(['(', ' ']) && matches!(after, Some(b',' | b')'))
        })
    };
    let meets = || {
        ORDERINGS.into_iter().any(is_argument) || EXCHANGES.iter().any(|call| code.contains(call))
    };
    !is_import && meets()
}

/// What of a file is not its tests.
fn source(text: &str) -> Vec<&str> {
    let is_test =
        |line: &&str| line.starts_with("#[cfg(test)]") || line.starts_with("#[cfg(all(test");
    let lines = text.lines().take_while(|line| !is_test(line));
    lines.map(str::trim).collect()
}

/// Lines that a patch takes away, by file: where they are now, which may be some lines from where they were.
fn taken_away(patch: &str, text_of: impl Fn(&str) -> String) -> BTreeMap<String, BTreeSet<usize>> {
    let mut taken: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    let body = patch.find("\n--- a/").map_or(patch, |at| &patch[at + 1..]);
    for of_file in body.split("--- a/").skip(1) {
        let mut hunks = of_file.split("\n@@ -");
        let name = hunks.next().and_then(|head| head.lines().next());
        let name = name.expect("a file's name");
        let text = text_of(name);
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        for hunk in hunks {
            let start = hunk.split([',', ' ']).next();
            let start: usize = start
                .and_then(|start| start.parse().ok())
                .expect("a line's number");
            let old: Vec<_> = hunk
                .lines()
                .skip(1)
                .filter(|line| !line.starts_with(['+', '\\']))
                .map(|line| {
                    (
                        line.starts_with('-'),
                        line.get(1..).unwrap_or_default().trim(),
                    )
                })
                .collect();
            let is_taken = |(is_taken, _): &(bool, &str)| *is_taken;
            let (Some(first), Some(last)) = (
                old.iter().position(is_taken),
                old.iter().rposition(is_taken),
            ) else {
                continue;
            };
            // With a line of context on both sides, by which alike lines are told apart.
            let (from, to) = (first.saturating_sub(1), (last + 2).min(old.len()));
            let block: Vec<_> = old[from..to].iter().map(|(_, line)| *line).collect();
            let places = lines.windows(block.len()).enumerate();
            let places = places
                .filter(|(_, window)| *window == block)
                .map(|(at, _)| at);
            let at = places
                .min_by_key(|at| (at + 1).abs_diff(start + from))
                .unwrap_or_else(|| panic!("{name}: {block:?} is not there"));
            let of_file = taken.entry(name.to_owned()).or_default();
            let gone = old[from..to]
                .iter()
                .enumerate()
                .filter(|(_, line)| is_taken(line));
            of_file.extend(gone.map(|(place, _)| at + place));
        }
    }
    taken
}

#[test]
fn every_ordering_fence_and_exchange_has_a_mutant_or_an_argument() {
    let root = root();
    let mut taken: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for mutant in patch::all(&root.join(PATCHES)).expect("all are read") {
        for (file, lines) in taken_away(&mutant.patch, text_of) {
            taken.entry(file).or_default().extend(lines);
        }
    }
    let argued = text_of(&format!("{PATCHES}/{EQUAL}"));
    let argued: Vec<_> = argued.split("\n- ").skip(1).collect();
    let mut found = Vec::new();
    for krate in fs::read_dir(root.join("crates")).expect("crates").flatten() {
        if !OTHERS.iter().any(|other| krate.path().ends_with(other)) {
            let mut files = files_of_rust(&krate.path().join("src"));
            files.retain(|path| !path.ends_with("tests.rs") && !path.ends_with("models.rs"));
            found.extend(files);
        }
    }
    let (mut sites, mut left) = (0, Vec::new());
    for path in found {
        let name = path
            .strip_prefix(&root)
            .expect("it is in the tree")
            .display()
            .to_string();
        for (number, line) in source(&text_of(&name)).into_iter().enumerate() {
            if !is_site(line) {
                continue;
            }
            sites += 1;
            let is_argued = || {
                argued
                    .iter()
                    .any(|text| text.contains(&format!("`{line}`")) && text.contains(&name))
            };
            let is_taken = taken
                .get(&name)
                .is_some_and(|lines| lines.contains(&number));
            if !is_taken && !is_argued() {
                left.push(format!("{name}:{}: {line}", number + 1));
            }
        }
    }
    assert!(sites > 100, "{sites}");
    assert!(
        left.is_empty(),
        "a patch in {PATCHES} that breaks it is missing, or an argument in {EQUAL}:\n{}",
        left.join("\n")
    );
}

#[test]
fn sites_are_told_from_names() {
    assert!(is_site("fence(Acquire);"));
    assert!(is_site(
        ".compare_exchange_weak(tat, CLOSED, Release, Relaxed)"
    ));
    assert!(is_site("self.word.load(Acquire)"));
    assert!(is_site("let _ = self.now.swap(1, Relaxed);"));
    assert!(!is_site(
        "// Acquire: pairs with the Release of `fence(Release)`."
    ));
    assert!(!is_site("Ordering::{Acquire, Relaxed, Release},"));
    assert!(!is_site("f(limit.on_drop == OnDrop::Release)"));
    assert!(!is_site("pub use tokio::{Acquire, AdmitWithin};"));
    assert!(!is_site("self.word.load(Relaxed)"));
}

#[test]
fn lines_that_a_patch_takes_away_are_found_where_they_are_now() {
    let patch = "Breaks: a.\nCheck: b\n\n--- a/f.rs\n+++ b/f.rs\n@@ -2,3 +2,2 @@ fn g() {\n one\n-two\n three\n";
    let text = "zero\none\nnone\n    one\n    two\n    three\ntwo\n";
    let taken = taken_away(patch, |_| text.to_owned());
    assert_eq!(taken["f.rs"], BTreeSet::from([4]));
}
