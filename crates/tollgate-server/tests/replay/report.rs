//! Reports on a trace small enough to be worked out by hand.

use serde_json::json;

use crate::program::{Folder, POLICY, TRACE};

#[test]
fn the_report_has_the_agreed_shape_and_the_right_figures() {
    let folder = Folder::new("report_json")
        .with("p.toml", POLICY)
        .with("t.csv", TRACE);
    let report = folder
        .run("replay --policy p.toml --trace t.csv --format json")
        .json();
    assert_eq!(report["requests"], json!(6));
    assert_eq!(report["admitted"], json!(3));
    assert_eq!(report["refused"], json!(3));
    let rpm = &report["by_limit"]["rpm"];
    assert_eq!(
        (
            &rpm["refused"],
            &rpm["units_admitted"],
            &rpm["max_in_any_window"]
        ),
        (&json!(1), &json!(3), &json!(2))
    );
    let tpm = &report["by_limit"]["tpm"];
    assert_eq!(
        (
            &tpm["refused"],
            &tpm["units_admitted"],
            &tpm["max_in_any_window"]
        ),
        (&json!(2), &json!(50), &json!(50))
    );
    assert_eq!(
        report["laws"],
        json!({"never_over": "held", "never_needlessly_under": "held", "denial_changes_nothing": "held"})
    );
    assert_eq!(
        report["waits"],
        json!({"count": 2, "mean_ns": 43_250_000_000_u64, "max_ns": 57_500_000_000_u64, "never": 1})
    );
    assert_eq!(
        report["worst_second"]["requests"],
        json!({"start": "2024-01-01T00:00:00Z", "units": 2})
    );
    assert_eq!(
        report["worst_minute"]["tokens"],
        json!({"start": "2024-01-01T00:00:00Z", "units": 50})
    );
    assert_eq!(
        report["asked"],
        json!({"input_tokens": 101, "output_tokens": 23, "micro_usd": 0})
    );
}

#[test]
fn every_decision_is_on_record() {
    let folder = Folder::new("decisions")
        .with("p.toml", POLICY)
        .with("t.csv", TRACE);
    let ran = folder.run("replay --policy p.toml --trace t.csv --decisions d.csv");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(
        folder.read("d.csv"),
        "row,timestamp,decision,limit,retry_after_ns\n\
         1,2024-01-01 00:00:00,admitted,,\n\
         2,2024-01-01 00:00:00.5,admitted,,\n\
         3,2024-01-01 00:00:01.0000000,refused,rpm,29000000000\n\
         4,2024-01-01T00:00:02Z,admitted,,\n\
         5,2024-01-01 01:00:02.5+01:00,refused,tpm,57500000000\n\
         6,2024-01-01 00:00:03,refused,tpm,\n"
    );
}

#[test]
fn json_lines_and_line_ends_make_no_difference() {
    let lines: String = TRACE
        .lines()
        .skip(1)
        .map(|line| {
            let [time, input, output, agent, model] = line.split(',').collect::<Vec<_>>()[..]
            else {
                panic!("{line}")
            };
            format!(
                "{{\"model\":\"{model}\",\"TIMESTAMP\":\"{time}\",\"ContextTokens\":{input},\
                 \"GeneratedTokens\":\"{output}\",\"agent\":\"{agent}\"}}\n"
            )
        })
        .collect();
    let crlf = TRACE.replace('\n', "\r\n");
    let folder = Folder::new("formats").with("p.toml", POLICY);
    let decisions = |trace: &str| {
        let ran = folder.run_with_input(
            "replay --policy p.toml --trace - --decisions d.csv",
            trace.as_bytes(),
        );
        assert_eq!(ran.code, 0, "{ran:?}");
        folder.read("d.csv")
    };
    let expected = decisions(TRACE);
    assert_eq!(expected.lines().count(), 7);
    for trace in [
        &lines,
        lines.trim_end(),
        &crlf,
        crlf.trim_end(),
        &format!("\u{feff}{TRACE}"),
    ] {
        assert_eq!(decisions(trace), expected);
    }
}

#[test]
fn settlements_due_at_a_rows_time_come_first() {
    let policy =
        "[[limit]]\nname = \"open\"\nunit = \"requests\"\nmax = 1\nalgorithm = \"concurrency\"\n";
    let trace = "TIMESTAMP,ContextTokens,GeneratedTokens\n\
                 2024-01-01 00:00:00,1,1\n\
                 2024-01-01 00:00:02.4999999,1,1\n\
                 2024-01-01 00:00:02.5,1,1\n\
                 2024-01-01 00:00:01,1,1\n\
                 2024-01-01 00:00:05.0,1,1\n";
    let folder = Folder::new("settle")
        .with("p.toml", policy)
        .with("t.csv", trace);
    let report = folder
        .run("replay --policy p.toml --trace t.csv --hold 2.5 --format json --decisions d.csv")
        .json();
    let decisions: Vec<_> = folder
        .read("d.csv")
        .lines()
        .skip(1)
        .map(|line| line.contains(",admitted,"))
        .collect();
    assert_eq!(decisions, [true, false, true, false, true]);
    assert_eq!(report["by_limit"]["open"]["max_in_any_window"], json!(1));
    assert_eq!(report["laws"]["never_needlessly_under"], json!("held"));
}

#[test]
fn estimates_are_multiplied_by_class_and_rounded_up() {
    let policy = "[[limit]]\nname = \"in\"\nunit = \"input_tokens\"\nmax = 100\nalgorithm = \"lifetime\"\n\
                  [[limit]]\nname = \"usd\"\nunit = \"usd\"\nmax = 0.000100\nalgorithm = \"lifetime\"\n";
    // 1.1 times 10 is 11, and in floats above it. After ten rows of truth 10 that are settled at once, 100
    // are used; the tenth fits only if its estimate is at most 10.
    let trace: String =
        std::iter::once("TIMESTAMP,ContextTokens,GeneratedTokens,CostMicroUsd\n".to_owned())
            .chain((0..10).map(|second| format!("2024-01-01 00:00:0{second},9,1,10\n")))
            .collect();
    let folder = Folder::new("estimate")
        .with("p.toml", policy)
        .with("t.csv", trace);
    let run = |factor: &str| {
        folder
            .run(&format!(
                "replay --policy p.toml --trace t.csv --estimate {factor} --format json"
            ))
            .json()
    };
    let exact = run("1");
    assert_eq!(exact["by_limit"]["usd"]["units_admitted"], json!(100));
    assert_eq!(exact["admitted"], json!(10));
    let more = run("1.1");
    assert_eq!(more["admitted"], json!(9));
    assert_eq!(more["by_limit"]["usd"]["refused"], json!(1));
    assert_eq!(more["laws"]["never_needlessly_under"], json!("not_checked"));
    let less = run("0.05");
    assert_eq!(less["admitted"], json!(10));
    // 0.45 rounded up is 1 of 9; the other 8 are debt.
    assert_eq!(less["by_limit"]["in"]["units_admitted"], json!(10));
    assert_eq!(less["by_limit"]["in"]["units_debt"], json!(80));
    assert_eq!(less["laws"]["never_over"], json!("held"));
}

#[test]
fn classes_and_shadow_limits_are_heeded() {
    let policy = "[[limit]]\nname = \"all\"\nunit = \"requests\"\nmax = 4\nper = \"1h\"\n\
                  [[limit]]\nname = \"seen\"\nunit = \"requests\"\nmax = 1\nper = \"1h\"\nmode = \"shadow\"\n\
                  [[priority]]\nname = \"batch\"\nshare = 0.5\n";
    let row = |class| format!("2024-01-01 00:00:00,1,1,{class}\n");
    let trace = format!(
        "TIMESTAMP,ContextTokens,GeneratedTokens,class\n{}",
        ["batch", "batch", "batch", "", "", ""].map(row).concat()
    );
    let folder = Folder::new("classes")
        .with("p.toml", policy)
        .with("t.csv", trace);
    let report = folder
        .run("replay --policy p.toml --trace t.csv --decisions d.csv --format json")
        .json();
    let decisions: Vec<_> = folder
        .read("d.csv")
        .lines()
        .skip(1)
        .map(|line| line.contains(",admitted,"))
        .collect();
    assert_eq!(decisions, [true, true, false, true, true, false]);
    assert_eq!(report["by_limit"]["seen"]["refused"], json!(0));
    assert_eq!(report["by_limit"]["seen"]["would_refuse"], json!(5));
    assert_eq!(report["laws"]["never_needlessly_under"], json!("held"));
}

#[test]
fn rows_may_go_back_in_time() {
    let policy = "[[limit]]\nname = \"r\"\nunit = \"requests\"\nmax = 1\nper = \"10s\"\n";
    let trace = "TIMESTAMP,ContextTokens,GeneratedTokens\n\
                 2024-01-01 00:00:10,1,1\n\
                 2023-12-31 00:00:00,1,1\n\
                 2024-01-01 00:00:20,1,1\n";
    let folder = Folder::new("back")
        .with("p.toml", policy)
        .with("t.csv", trace);
    let report = folder
        .run("replay --policy p.toml --trace t.csv --format json --decisions d.csv")
        .json();
    assert_eq!(report["first"], json!("2023-12-31T00:00:00Z"));
    // An old time never loosens: the row waits until the admission before it is paid for.
    let wait = 86_400_000_000_000_u64 + 20_000_000_000;
    assert!(
        folder
            .read("d.csv")
            .contains(&format!("2,2023-12-31 00:00:00,refused,r,{wait}\n"))
    );
    assert_eq!(report["admitted"], json!(2));
    assert_eq!(report["laws"]["never_over"], json!("held"));
}

/// Two rows step back a day. The report used to say `held` beside more than the max in a window.
#[test]
fn rows_that_step_back_are_judged_by_their_own_time() {
    let trace = "TIMESTAMP,ContextTokens,GeneratedTokens\n\
                 2024-01-02 00:00:10,60,0\n\
                 2024-01-03 01:00:10,60,0\n\
                 2024-01-02 00:00:20,60,0\n\
                 2024-01-02 23:59:59,30,0\n\
                 2024-01-03 01:00:20,40,0\n";
    let folder = Folder::new("back_a_day").with("t.csv", trace);
    for (rest, decisions) in [
        ("per = \"1d\"\nalgorithm = \"log\"", "aarra"),
        ("per = \"1d\"\nalgorithm = \"window\"\nslots = 1", "arrar"),
        ("per = \"1d\"\nalgorithm = \"window\"\nslots = 24", "aarra"),
        ("per = \"1d\"\nalgorithm = \"fixed\"", "aarra"),
        ("per = \"day\"\nalgorithm = \"calendar\"", "aarar"),
    ] {
        let policy = format!("[[limit]]\nname = \"t\"\nunit = \"tokens\"\nmax = 100\n{rest}\n");
        folder.put("p.toml", policy);
        let report = folder
            .run("replay --policy p.toml --trace t.csv --format json --decisions d.csv")
            .json();
        let decided = folder.read("d.csv");
        let decided: String = decided
            .lines()
            .skip(1)
            .map(|line| {
                if line.contains(",admitted,") {
                    'a'
                } else {
                    'r'
                }
            })
            .collect();
        assert_eq!(decided, decisions, "{rest}");
        assert_eq!(
            report["laws"],
            json!({"never_over": "held", "never_needlessly_under": "held", "denial_changes_nothing": "held"}),
            "{rest}"
        );
        let limit = &report["by_limit"]["t"];
        assert!(
            limit["max_in_any_window"].as_u64().unwrap() <= 100,
            "{rest}: {limit}"
        );
        let later = u64::from(rest.contains("calendar"));
        assert_eq!(limit["counted_later"], json!(later), "{rest}");
    }
    let text = folder.run("replay --policy p.toml --trace t.csv");
    let told = "clock set back  t counted 1 rows of an earlier day in the one that had begun";
    assert!(text.out.contains(told), "{}", text.out);
}

#[test]
fn the_sample_needs_nothing_else() {
    let folder = Folder::new("sample");
    let ran = folder.run("replay --sample --plot s.svg");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.err.is_empty(), "{}", ran.err);
    for text in [
        "the sample trace under the sample policy",
        "never over                held",
        "agent-rpm",
    ] {
        assert!(ran.out.contains(text), "{text}: {}", ran.out);
    }
    assert!(folder.read("s.svg").contains("refused by agent-rpm"));
    let report = folder.run("replay --sample --format json").json();
    let by_limit = report["by_limit"].as_object().unwrap();
    assert!(
        by_limit
            .values()
            .all(|limit| limit["refused"].as_u64().unwrap() > 0),
        "{by_limit:?}"
    );
    let refused: u64 = by_limit
        .values()
        .map(|limit| limit["refused"].as_u64().unwrap())
        .sum();
    assert_eq!(
        report["refused"],
        json!(refused),
        "every refusal has one binding limit"
    );
}

#[test]
fn the_last_override_that_fits_wins() {
    let policy = "[[limit]]\nname = \"r\"\nby = [\"agent\", \"team\"]\nunit = \"requests\"\nmax = 1\nper = \"1h\"\n\
                  [[override]]\nlimit = \"r\"\nwhere = { agent = \"a\" }\nmax = 2\n\
                  [[override]]\nlimit = \"r\"\nwhere = { team = \"t\" }\nmax = 3\n\
                  [[override]]\nlimit = \"r\"\nwhere = { agent = \"off\" }\nmode = \"off\"\n";
    let rows =
        |agent: &str, team: &str| format!("2024-01-01 00:00:00,1,1,{agent},{team}\n").repeat(4);
    let trace = format!(
        "TIMESTAMP,ContextTokens,GeneratedTokens,agent,team\n{}{}{}{}",
        rows("a", "x"),
        rows("a", "t"),
        rows("b", "x"),
        rows("off", "t"),
    );
    let folder = Folder::new("overrides")
        .with("p.toml", policy)
        .with("t.csv", trace);
    let report = folder
        .run("replay --policy p.toml --trace t.csv --format json --decisions d.csv")
        .json();
    let decisions: Vec<_> = folder
        .read("d.csv")
        .lines()
        .skip(1)
        .map(|line| line.contains(",admitted,"))
        .collect();
    let admitted: Vec<_> = decisions
        .chunks(4)
        .map(|rows| rows.iter().filter(|row| **row).count())
        .collect();
    assert_eq!(admitted, [2, 3, 1, 4]);
    assert_eq!(report["laws"]["never_needlessly_under"], json!("held"));
    assert_eq!(report["by_limit"]["r"]["units_admitted"], json!(6));
}

#[test]
fn of_equal_waits_the_first_limit_binds_and_never_is_longest() {
    let limit = |name, rest| format!("[[limit]]\nname = \"{name}\"\nunit = \"requests\"\n{rest}\n");
    let equal = "max = 1\nper = \"1h\"";
    let trace = format!(
        "TIMESTAMP,ContextTokens,GeneratedTokens\n{}",
        "2024-01-01 00:00:00,1,1\n".repeat(3)
    );
    let folder = Folder::new("ties").with("t.csv", trace);
    let with = |policy: String| {
        folder.put("p.toml", policy);
        folder
            .run("replay --policy p.toml --trace t.csv --format json")
            .json()
    };
    let report = with([limit("b", equal), limit("a", equal)].concat());
    assert_eq!(
        (
            &report["by_limit"]["b"]["refused"],
            &report["by_limit"]["a"]["refused"]
        ),
        (&json!(2), &json!(0))
    );
    assert_eq!(report["laws"]["never_needlessly_under"], json!("held"));
    let report = with(
        [
            limit("b", equal),
            limit("a", "max = 1\nalgorithm = \"lifetime\""),
        ]
        .concat(),
    );
    assert_eq!(
        (
            &report["by_limit"]["b"]["refused"],
            &report["by_limit"]["a"]["refused"]
        ),
        (&json!(0), &json!(2))
    );
    assert_eq!(report["waits"]["never"], json!(2));
    assert_eq!(report["laws"]["never_needlessly_under"], json!("held"));
}

#[test]
fn every_algorithm_is_lawful_when_rows_go_back() {
    // Each third row is up to a minute late.
    let rows = (0..900_u32).map(|n| {
        let second = n - if n % 3 == 2 { n % 61 } else { 0 };
        format!(
            "2024-01-01 00:{:02}:{:02},{},{}\n",
            second / 60,
            second % 60,
            n % 97,
            n % 7
        )
    });
    let trace: String = std::iter::once("TIMESTAMP,ContextTokens,GeneratedTokens\n".to_owned())
        .chain(rows)
        .collect();
    let folder = Folder::new("back_everywhere").with("t.csv", trace);
    for rest in [
        "per = \"1m\"",
        "per = \"1m\"\ncapacity = 150\ninitial = 20",
        "per = \"1m\"\nalgorithm = \"window\"\nslots = 7",
        "per = \"1m\"\nalgorithm = \"log\"",
        "per = \"90s\"\nalgorithm = \"fixed\"",
        "per = \"hour\"\nalgorithm = \"calendar\"",
        "algorithm = \"lifetime\"",
    ] {
        let policy = format!("[[limit]]\nname = \"t\"\nunit = \"tokens\"\nmax = 1_000\n{rest}\n");
        folder.put("p.toml", policy);
        let report = folder
            .run("replay --policy p.toml --trace t.csv --format json")
            .json();
        assert_eq!(
            report["laws"],
            json!({"never_over": "held", "never_needlessly_under": "held", "denial_changes_nothing": "held"}),
            "{rest}"
        );
        assert!(report["refused"].as_u64().unwrap() > 0, "{rest}");
        let most = report["by_limit"]["t"]["max_in_any_window"].as_u64();
        // A rate may admit its capacity and what refills within the window.
        let max = if rest.starts_with("per = \"1m\"") && !rest.contains("algorithm") {
            2_000
        } else {
            1_000
        };
        assert!(most.unwrap() <= max, "{rest}: {most:?}");
        let held = folder
            .run("replay --policy p.toml --trace t.csv --format json --estimate 2 --hold 25")
            .json();
        assert_eq!(held["laws"]["never_over"], json!("held"), "{rest}");
        let owing = folder
            .run("replay --policy p.toml --trace t.csv --format json --estimate 0.3 --hold 25")
            .json();
        assert_eq!(owing["laws"]["never_over"], json!("held"), "{rest}");
    }
}

#[test]
fn a_debt_is_not_held_against_what_was_admitted_before_it() {
    let policy = "[[limit]]\nname = \"t\"\nunit = \"input_tokens\"\nmax = 10\nper = \"1h\"\n";
    // The second row settles at 50 s, with a debt of 9 of which nobody knew when the first row was admitted.
    let trace = "TIMESTAMP,ContextTokens,GeneratedTokens\n\
                 2024-01-01 00:01:40,50,0\n\
                 2024-01-01 00:00:00,10,0\n\
                 2024-01-01 00:01:00,1,0\n";
    let folder = Folder::new("late_debt")
        .with("p.toml", policy)
        .with("t.csv", trace);
    let report = folder
        .run("replay --policy p.toml --trace t.csv --estimate 0.1 --hold 50 --format json")
        .json();
    assert_eq!(report["by_limit"]["t"]["units_debt"], json!(45 + 9));
    assert_eq!(
        (&report["admitted"], &report["laws"]["never_over"]),
        (&json!(2), &json!("held"))
    );
}

#[test]
fn later_windows_pay_a_debt_and_the_first_law_knows() {
    let policy = "[[limit]]\nname = \"t\"\nunit = \"input_tokens\"\nmax = 10\nper = \"1m\"\nalgorithm = \"fixed\"\n";
    // Of 30 units the first minute pays 10, and so do the two that follow.
    let trace = "TIMESTAMP,ContextTokens,GeneratedTokens\n\
                 2024-01-01 00:00:00,30,0\n\
                 2024-01-01 00:01:00,10,0\n\
                 2024-01-01 00:02:59.9999999,10,0\n\
                 2024-01-01 00:03:00,10,0\n";
    let folder = Folder::new("paid_later")
        .with("p.toml", policy)
        .with("t.csv", trace);
    let report = folder
        .run("replay --policy p.toml --trace t.csv --estimate 0.1 --format json --decisions d.csv")
        .json();
    let decisions: Vec<_> = folder
        .read("d.csv")
        .lines()
        .skip(1)
        .map(|line| line.contains(",admitted,"))
        .collect();
    assert_eq!(decisions, [true, false, false, true]);
    assert_eq!(report["by_limit"]["t"]["units_debt"], json!(27 + 9));
    assert_eq!(report["laws"]["never_over"], json!("held"));
}
