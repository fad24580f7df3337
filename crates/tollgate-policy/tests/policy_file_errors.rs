//! Every mistake that a policy file can make, with the words that tell it.
//!
//! The cases stand in `policy_file_errors/*.txt`. A block begins with `base NAME` or `case [NAME]` and its lines of
//! TOML follow after `| `; below those of a case stands what the file's errors display. In a case with a base, each
//! line takes the place of the one with its key in the base's last table, or is added to it.

use std::collections::HashMap;
use std::fmt::Write;

use tollgate_policy::PolicyFile;

/// Holds all cases of `fixture` against what is told, and tells how those that differ do.
fn check(fixture: &str) {
    let mut bases: HashMap<&str, Vec<&str>> = HashMap::new();
    let (mut cases, mut differing) = (0, String::new());
    for block in fixture.trim_end().split("\n\n") {
        let mut lines = block
            .lines()
            .skip_while(|line| line.starts_with('#') || line.is_empty())
            .peekable();
        let Some(head) = lines.next() else { continue };
        let mut toml = Vec::new();
        while let Some(line) = lines.next_if(|line| line.starts_with('|')) {
            toml.push(line.strip_prefix("| ").unwrap_or(""));
        }
        let expected: Vec<_> = lines.collect();
        match head.split_once(' ') {
            Some(("base", name)) => {
                bases.insert(name, toml);
                continue;
            }
            Some(("case", name)) => toml = amended(&bases[name], toml),
            _ => assert_eq!(head, "case"),
        }
        cases += 1;
        let text: String = toml.iter().flat_map(|line| [line, "\n"]).collect();
        let told = match PolicyFile::parse(&text) {
            Ok(_) => "nothing is wrong".to_owned(),
            Err(errors) => errors.to_string(),
        };
        if told != expected.join("\n") {
            write!(differing, "{block}\n---- but told:\n{told}\n\n").unwrap();
        }
    }
    assert!(differing.is_empty(), "\n{differing}");
    assert!(cases > 0, "a fixture without cases shows nothing");
}

fn amended<'t>(base: &[&'t str], lines: Vec<&'t str>) -> Vec<&'t str> {
    let mut toml = base.to_vec();
    let key = |line: &'t str| line.split([' ', '=']).next();
    let table = toml
        .iter()
        .rposition(|line| line.starts_with("[["))
        .unwrap();
    for line in lines {
        match (table..toml.len()).find(|index| key(toml[*index]) == key(line)) {
            Some(index) => toml[index] = line,
            None => toml.push(line),
        }
    }
    toml
}

#[test]
fn files_of_the_wrong_shape() {
    check(include_str!("policy_file_errors/shape.txt"));
}

#[test]
fn wrong_values_of_limits() {
    check(include_str!("policy_file_errors/limit.txt"));
}

#[test]
fn wrong_amounts() {
    check(include_str!("policy_file_errors/amount.txt"));
}

#[test]
fn wrong_periods() {
    check(include_str!("policy_file_errors/period.txt"));
}

#[test]
fn keys_that_do_not_go_together() {
    check(include_str!("policy_file_errors/together.txt"));
}

#[test]
fn figures_that_no_meter_can_hold() {
    check(include_str!("policy_file_errors/figures.txt"));
}

#[test]
fn wrong_overrides() {
    check(include_str!("policy_file_errors/override.txt"));
}

#[test]
fn wrong_priorities() {
    check(include_str!("policy_file_errors/priority.txt"));
}

#[test]
fn broken_toml() {
    check(include_str!("policy_file_errors/syntax.txt"));
}

#[test]
fn several_mistakes() {
    check(include_str!("policy_file_errors/several.txt"));
}

#[test]
fn wrong_ledgers() {
    check(include_str!("policy_file_errors/ledger.txt"));
}
