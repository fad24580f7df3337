//! Input that cannot be used: what is said, and with which exit code.

use serde_json::json;

use crate::program::{Folder, POLICY, TRACE};

fn folder(name: &str) -> Folder {
    Folder::new(name)
        .with("p.toml", POLICY)
        .with("t.csv", TRACE)
}

#[test]
fn a_broken_row_stops_or_is_skipped_as_told() {
    let lines: Vec<&str> = TRACE.lines().collect();
    let broken = [
        lines[0],
        lines[1],
        "2024-01-01 00:00:00,ten,5,a,m",
        lines[2],
        "yes",
        lines[3],
    ]
    .join("\r\n");
    let folder = folder("broken_row").with("b.csv", broken);
    let ran = folder.run("replay --policy p.toml --trace b.csv");
    assert_eq!(ran.code, 2);
    assert_eq!(ran.out, "");
    assert_eq!(
        ran.err,
        "error: b.csv: row 2, line 3: ContextTokens is \"ten\"; a whole number from 0 to 1000000000000000 \
         would be right\n"
    );
    let ran = folder.run(
        "replay --policy p.toml --trace b.csv --on-bad-row skip --decisions d.csv --format json",
    );
    let report = ran.json();
    assert_eq!(report["skipped_rows"], json!(2));
    assert_eq!(report["requests"], json!(3));
    assert_eq!(
        ran.err.lines().nth(1).unwrap(),
        "warning: b.csv: row 4, line 5: has 1 fields; as many as the header, 5, would be right; skipped"
    );
    let rows: Vec<_> = folder
        .read("d.csv")
        .lines()
        .skip(1)
        .map(|line| line.split(',').next().unwrap().to_owned())
        .collect();
    assert_eq!(
        rows,
        ["1", "3", "5"],
        "broken rows are counted and have no decision"
    );
}

/// The old plot used to be emptied before the first row was read.
#[test]
fn a_replay_that_stops_leaves_the_last_plot_alone() {
    let broken = format!("{}\nyes\n", TRACE.trim_end());
    let folder = folder("last_plot")
        .with("b.csv", broken)
        .with("p.svg", "the last one, which is longer than nothing");
    let ran = folder.run("replay --policy p.toml --trace b.csv --plot p.svg");
    assert_eq!(ran.code, 2);
    assert_eq!(
        folder.read("p.svg"),
        "the last one, which is longer than nothing"
    );
    let ran = folder.run("replay --policy p.toml --trace t.csv --plot p.svg");
    assert_eq!(ran.code, 0, "{}", ran.err);
    let svg = folder.read("p.svg");
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
}

#[test]
fn of_many_broken_rows_some_are_told() {
    let trace = format!(
        "TIMESTAMP,ContextTokens,GeneratedTokens\n{}",
        "x,1,1\n".repeat(25)
    );
    let ran = folder("many_broken")
        .with("b.csv", trace)
        .run("replay --policy p.toml --trace b.csv --on-bad-row skip");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.err.lines().count(), 21);
    assert!(ran.err.ends_with("warning: b.csv: 5 more rows skipped\n"));
    assert!(ran.out.contains("  requests  0\n"), "{}", ran.out);
}

#[test]
fn a_row_that_the_policy_cannot_judge_is_a_broken_one() {
    let trace = "TIMESTAMP,ContextTokens,GeneratedTokens,agent,model,class\n\
                 2024-01-01 00:00:00,1,1,,m,\n\
                 2024-01-01 00:00:00,1,1,a,m,gold\n\
                 2024-01-01 00:00:00,1,1,a,m,\n\
                 2000-01-01 00:00:00,1,1,a,m,\n\
                 2060-01-01 00:00:00,1,1,a,m,\n";
    let folder = folder("unjudged").with("u.csv", trace);
    let ran = folder.run("replay --policy p.toml --trace u.csv");
    assert_eq!(ran.code, 2);
    assert!(
        ran.err
            .starts_with("error: u.csv: row 1, line 2: limit `rpm` counts by `agent`"),
        "{}",
        ran.err
    );
    let ran = folder.run("replay --policy p.toml --trace u.csv --on-bad-row skip --format json");
    assert_eq!(ran.json()["requests"], json!(1));
    let told: Vec<_> = ran.err.lines().collect();
    assert!(
        told[1].contains("row 2, line 3: the policy has no priority class `gold`"),
        "{}",
        told[1]
    );
    assert!(
        told[2]
            .contains("row 4, line 5: TIMESTAMP is \"2000-01-01 00:00:00\"; a time from 366 days"),
        "{}",
        told[2]
    );
    assert!(
        told[3].contains("row 5, line 6: TIMESTAMP is"),
        "{}",
        told[3]
    );
}

#[test]
fn policy_mistakes_are_told_with_file_line_and_column() {
    let policy =
        "[[limit]]\nname = \"rpm\"\nunit = \"request\"\nmax = 60\nper = \"1m\"\ncolour = 1\n";
    let folder = folder("policy_mistakes").with("bad.toml", policy);
    for args in [
        "check --policy bad.toml",
        "replay --policy bad.toml --trace t.csv",
    ] {
        let ran = folder.run(args);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""));
        let told: Vec<_> = ran.err.lines().collect();
        assert_eq!(told.len(), 2, "{}", ran.err);
        assert!(
            told[0].starts_with("error: bad.toml: line 3, column 8: "),
            "{}",
            told[0]
        );
        assert!(
            told[1].starts_with("error: bad.toml: line 6, column 1: "),
            "{}",
            told[1]
        );
    }
}

#[test]
fn control_characters_never_reach_the_terminal() {
    let policy = r#"
[[limit]]
name = "rpm\u001B[2J\u009B\u202E\""
unit = "requests"
max = 1
per = "1m"
when = { agent = "*\u0007" }
[[priority]]
name = "low\u0008\nerror: made up"
share = 0.5
"#;
    let trace = "TIMESTAMP,ContextTokens,GeneratedTokens,agent,class\n\
                 2024-01-01 00:00:00,1,1,a\u{7},\n\
                 2024-01-01 00:00:00,1,1,a\u{7},\n\
                 2024-01-01 00:00:00,1,1,b,\"\u{1b}[31m\nx\"\n";
    let folder = folder("controls")
        .with("c.toml", policy)
        .with("c.csv", trace)
        .with(
            "bad.toml",
            "[[limit]]\n\"na\\u001B\\nme\" = 1\nname = \"\\u001B\"\n",
        );
    for args in [
        "check --policy c.toml",
        "check --policy bad.toml",
        "replay --policy c.toml --trace c.csv",
        "replay --policy c.toml --trace c.csv --on-bad-row skip --plot c.svg",
        "check --policy no\u{1b}[2J.toml",
    ] {
        let ran = folder.run(args);
        let all = format!("{}{}", ran.out, ran.err);
        assert!(all.contains(r"\u{1b}"), "{args}: {all}");
        let raw = all.chars().find(|c| c.is_control() && *c != '\n');
        assert_eq!(raw, None, "{args}: {all:?}");
        assert!(!all.contains("\nerror: made up"), "{args}: {all}");
    }
    let svg = folder.read("c.svg");
    assert!(!svg.chars().any(|c| c.is_control() && c != '\n'));

    let ran = folder.run("replay --policy c.toml --trace c.csv --on-bad-row skip --format json");
    assert!(
        !ran.out
            .contains(|c: char| (c.is_control() && c != '\n') || c == '\u{202e}')
    );
    let report = ran.json();
    let names: Vec<_> = report["by_limit"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["rpm\u{1b}[2J\u{9b}\u{202e}\""]);
}

#[test]
fn files_and_arguments_that_cannot_be_used_are_named() {
    let folder = folder("unusable")
        .link("hard.csv", "t.csv")
        .with("empty.csv", "")
        .with("header.csv", "a,b\n")
        .with("latin.toml", b"# \xe9\n");
    let cases = [
        (
            "replay --policy none.toml --trace t.csv",
            "error: none.toml: No such file or directory",
        ),
        (
            "replay --policy p.toml --trace none.csv",
            "error: none.csv: No such file or directory",
        ),
        (
            "replay --policy p.toml --trace .",
            "error: .: is a folder; a file would be right",
        ),
        (
            "replay --policy p.toml --trace empty.csv",
            "error: empty.csv: line 1: the trace is empty; ",
        ),
        (
            "replay --policy p.toml --trace header.csv",
            "error: header.csv: line 1: the header has no TIMESTAMP; ",
        ),
        (
            "check --policy latin.toml",
            "error: latin.toml: line 1, column 3: the byte 0xe9 is not UTF-8; save the file as UTF-8\n",
        ),
        (
            "replay --policy - --trace -",
            "error: --policy and --trace both read standard input",
        ),
        (
            "replay --policy p.toml --trace t.csv --plot no/p.svg",
            "error: no/p.svg: No such file or directory",
        ),
        (
            "replay --policy p.toml --trace t.csv --decisions t.csv",
            "error: t.csv: is read as input too; ",
        ),
        (
            "replay --policy p.toml --trace t.csv --decisions o --plot ./o",
            "error: ./o: is written already; ",
        ),
        (
            "replay --policy p.toml --trace t.csv --estimate 0",
            "error: invalid value '0' for '--estimate <FACTOR>': a decimal above 0",
        ),
        (
            "replay --policy p.toml --trace t.csv --hold -1",
            "error: invalid value '-1' for '--hold <SECONDS>': seconds from 0 to 86400",
        ),
        (
            "replay --policy p.toml --trace t.csv --plot hard.csv",
            "error: hard.csv: is read as input too; ",
        ),
        (
            "replay --policy p.toml",
            "error: the following required arguments were not provided",
        ),
        (
            "replay --sample --trace t.csv",
            "error: the argument '--sample' cannot be used with '--trace <FILE>'",
        ),
        ("meditate", "error: unrecognized subcommand 'meditate'"),
    ];
    for (args, start) in cases {
        let ran = folder.run(args);
        assert_eq!(ran.code, 2, "{args}: {ran:?}");
        assert!(ran.err.starts_with(start), "{args}: {}", ran.err);
        assert_eq!(ran.out, "", "{args}");
    }
    assert_eq!(folder.read("t.csv"), TRACE, "an input is never overwritten");
}

#[test]
fn a_trace_without_rows_is_an_empty_report() {
    let folder = folder("no_rows").with("n.csv", "TIMESTAMP,ContextTokens,GeneratedTokens\r\n");
    let report = folder
        .run("replay --policy p.toml --trace n.csv --format json --plot p.svg --decisions d.csv")
        .json();
    assert_eq!(report["requests"], json!(0));
    assert_eq!(report["laws"]["never_over"], json!("held"));
    assert_eq!(
        folder.read("d.csv"),
        "row,timestamp,decision,limit,retry_after_ns\n"
    );
    assert!(
        folder
            .read("p.svg")
            .contains("no request came under this limit")
    );
}
