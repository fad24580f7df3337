//! What is written where, and what happens when that fails.

use std::fs::File;
use std::process::{Command, Stdio};

use crate::program::{Folder, POLICY, TRACE};

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .args(["replay", "--sample", "--laws", "off"])
        .stdout(writer)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[test]
#[cfg(target_os = "linux")]
fn an_output_that_cannot_be_written_is_told() {
    let folder = Folder::new("full")
        .with("p.toml", POLICY)
        .with("t.csv", TRACE);
    for option in ["--decisions", "--plot"] {
        let ran = folder.run(&format!(
            "replay --policy p.toml --trace t.csv {option} /dev/full"
        ));
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(
            ran.err
                .starts_with("error: /dev/full: No space left on device"),
            "{}",
            ran.err
        );
    }
    let output = Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .args(["replay", "--sample", "--laws", "off"])
        .stdout(File::create("/dev/full").unwrap())
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .starts_with("error: standard output: No space left")
    );
}

#[test]
fn check_prints_the_worst_bursts() {
    let folder = Folder::new("check").with("p.toml", POLICY);
    let ran = folder.run("check --policy p.toml");
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    for line in [
        "p.toml: valid, 2 limits, 0 overrides, 0 priority classes",
        "  limit  second  minute   hour     day  rule",
        "  rpm         2       3    121   2,881  2 requests per 1m, gcra, by agent",
        "  tpm        60      60  3,600  86,400  60 tokens per 1m, log, by model",
    ] {
        assert!(
            ran.out.lines().any(|have| have == line),
            "{line}\n{}",
            ran.out
        );
    }
    let from_stdin = folder.run_with_input("check --policy -", POLICY.as_bytes());
    assert_eq!(from_stdin.out, ran.out.replace("p.toml", "standard input"));
}

#[test]
fn laws_can_be_left_unchecked() {
    let folder = Folder::new("laws_off")
        .with("p.toml", POLICY)
        .with("t.csv", TRACE);
    let on = folder
        .run("replay --policy p.toml --trace t.csv --format json")
        .json();
    let off = folder
        .run("replay --policy p.toml --trace t.csv --format json --laws off")
        .json();
    for law in [
        "never_over",
        "never_needlessly_under",
        "denial_changes_nothing",
    ] {
        assert_eq!(off["laws"][law], "not_checked");
    }
    for same in [
        "requests",
        "admitted",
        "refused",
        "by_limit",
        "waits",
        "worst_minute",
        "timeline",
    ] {
        assert_eq!(on[same], off[same], "{same}");
    }
}

/// A row that steps back an hour sees an hour's worth committed. The end of the axis used to overflow.
#[test]
fn usage_of_any_height_is_drawn() {
    let policy = "[[limit]]\nname = \"tpm\"\nunit = \"tokens\"\nmax = 2_000_000_000_000\nper = \"250ms\"\n\
                  capacity = 5\n";
    let folder = Folder::new("height").with("p.toml", policy).with(
        "t.csv",
        "TIMESTAMP,ContextTokens,GeneratedTokens\n\
         2024-01-01 01:00:00,5,0\n2024-01-01 00:00:00,1,0\n",
    );
    let ran = folder.run("replay --policy p.toml --trace t.csv --plot p.svg");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("highest 100000000000.0 %"), "{}", ran.out);
    assert!(folder.read("p.svg").ends_with("</svg>\n"));
}

#[test]
fn a_replay_leaves_no_ledger() {
    let policy = format!("[ledger]\npath = \"ledger\"\n{POLICY}");
    let folder = Folder::new("no_ledger")
        .with("p.toml", policy)
        .with("t.csv", TRACE);
    let ran = folder.run("replay --policy p.toml --trace t.csv");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(!folder.has("ledger"));
}
