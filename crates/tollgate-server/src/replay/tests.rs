//! Do the verdicts have teeth? Gates that keep another policy than the one they are judged by.

use std::time::Duration;

use tollgate_core::{Nanos, Wall};
use tollgate_policy::{PolicyFile, Request};

use super::run::change;
use super::{Settings, gate, replay};
use crate::decisions::Decisions;
use crate::hold::{Distribution, Holds};
use crate::progress::Progress;
use crate::report::{Report, Verdict};
use crate::trace::Trace;

/// Two requests and 300 tokens a second, for an hour.
fn trace() -> String {
    let row = |second: u32| {
        let (minute, second) = (second / 60, second % 60);
        format!(
            "2024-01-01 00:{minute:02}:{second:02},90,10\n2024-01-01 00:{minute:02}:{second:02}.5,150,50\n"
        )
    };
    std::iter::once("TIMESTAMP,ContextTokens,GeneratedTokens\n".into())
        .chain((0..3600).map(row))
        .collect()
}

fn policy(algorithm: &str, max: u64) -> String {
    format!(
        "[[limit]]\nname = \"tpm\"\nunit = \"tokens\"\nmax = {max}\nalgorithm = \"{algorithm}\"\n{}\n",
        match algorithm {
            "lifetime" => "",
            "calendar" => "per = \"hour\"",
            _ => "per = \"1m\"",
        }
    )
}

/// Replays the hour under a gate that keeps `kept`, judged by `told`.
fn judged(kept: &str, told: &str, estimate: &str, hold: (u64, Distribution)) -> Report {
    judged_on(&trace(), kept, told, estimate, hold)
}

fn judged_on(
    text: &str,
    kept: &str,
    told: &str,
    estimate: &str,
    hold: (u64, Distribution),
) -> Report {
    let settings = Settings {
        trace_name: "trace".into(),
        policy_name: "policy".into(),
        policy: kept.into(),
        estimate: estimate.parse().unwrap(),
        holds: Holds::new(Duration::from_secs(hold.0), hold.1, 1),
        laws: true,
        skip_bad_rows: false,
    };
    let file = PolicyFile::parse(told).unwrap();
    let none: Option<&mut Decisions<std::io::Sink>> = None;
    replay(
        Trace::new(text.as_bytes()).unwrap(),
        settings,
        &file,
        none,
        Progress::new(None),
    )
    .unwrap()
}

const AT_ONCE: (u64, Distribution) = (0, Distribution::Fixed);

const ALGORITHMS: [&str; 6] = ["gcra", "window", "log", "fixed", "calendar", "lifetime"];

#[test]
fn a_gate_that_keeps_its_policy_is_found_lawful() {
    for algorithm in ALGORITHMS {
        let policy = policy(algorithm, 4_500);
        let report = judged(&policy, &policy, "1", AT_ONCE);
        assert!(report.refused > 0, "{algorithm}");
        for (law, verdict) in report.laws.all() {
            assert_eq!(*verdict, Verdict::Held, "{algorithm}, {law}");
        }
    }
}

#[test]
fn a_gate_that_allows_one_unit_more_is_found_out() {
    for algorithm in ALGORITHMS {
        // The larger limit is a multiple of what the rows ask for, and is used to the last unit.
        let report = judged(
            &policy(algorithm, 4_500),
            &policy(algorithm, 4_499),
            "1",
            AT_ONCE,
        );
        let Verdict::Broken(detail) = &report.laws.never_over else {
            panic!("{algorithm}: {:?}", report.laws)
        };
        assert!(detail.starts_with("limit \"tpm\", account 1: "), "{detail}");
        assert!(detail.contains(" units from 2024-01-01 00:"), "{detail}");
        assert!(
            matches!(report.laws.never_needlessly_under, Verdict::Broken(_)),
            "{algorithm}"
        );
        assert!(!report.lawful());
    }
}

#[test]
fn a_gate_that_allows_less_is_found_out() {
    for algorithm in ALGORITHMS {
        let report = judged(
            &policy(algorithm, 4_499),
            &policy(algorithm, 4_500),
            "1",
            AT_ONCE,
        );
        assert_eq!(report.laws.never_over, Verdict::Held, "{algorithm}");
        let Verdict::Broken(detail) = &report.laws.never_needlessly_under else {
            panic!("{algorithm}: {:?}", report.laws)
        };
        assert!(detail.contains("was refused by \"tpm\" for"), "{detail}");
        assert!(!report.lawful());
    }
}

#[test]
fn an_account_that_starts_full_is_not_held_to_its_first_row() {
    // Each row but the first is before the one that the account begins with.
    let trace = "TIMESTAMP,ContextTokens,GeneratedTokens\n\
                 2024-01-01 00:00:09,9,0\n\
                 2024-01-01 00:00:05,4,0\n\
                 2024-01-01 00:00:04,1,0\n";
    for initial in [4, 3] {
        let policy = format!(
            "[[limit]]\nname = \"tpm\"\nunit = \"tokens\"\nmax = 4\nper = \"1m\"\ninitial = {initial}\n"
        );
        let report = judged_on(trace, &policy, &policy, "1", AT_ONCE);
        for (law, verdict) in report.laws.all() {
            assert_eq!(*verdict, Verdict::Held, "{initial}, {law}");
        }
        // Only a full one has the four of the second row; the third finds one of what it starts with.
        let admitted = if initial == 4 { 4 } else { 1 };
        assert_eq!(report.limits[0].units_admitted, admitted, "{initial}");
    }
}

#[test]
fn surpluses_that_come_back_late_break_no_law() {
    let exact = policy("gcra", 4_500);
    let eager = format!("{exact}refund = \"eager\"\n");
    for (policy, distribution) in [
        (&exact, Distribution::Fixed),
        (&exact, Distribution::Exponential),
        (&eager, Distribution::Exponential),
    ] {
        let report = judged(policy, policy, "4", (30, distribution));
        assert_eq!(report.laws.never_over, Verdict::Held);
        assert!(matches!(
            report.laws.never_needlessly_under,
            Verdict::NotChecked(_)
        ));
    }
}

#[test]
fn a_limit_that_says_something_else_is_seen() {
    let gate = gate(&policy("gcra", 4_500), 0).unwrap();
    let request = Request::new().input_tokens(4_000);
    let at = |now| gate.explain_at(&request, Nanos::new(now), Wall::new(0));
    let before = at(0);
    assert_eq!(change(&before, &at(0)), None);
    let kept = gate
        .admit_at(&request, Nanos::new(0), Wall::new(0))
        .unwrap();
    assert!(
        change(&before, &at(0))
            .unwrap()
            .starts_with("limit \"tpm\" said Admits")
    );
    // A nanosecond is enough: the wait is a nanosecond shorter.
    assert!(change(&at(0), &at(1)).unwrap().contains("Refuses"));
    kept.release_at(Nanos::new(0), Wall::new(0));
    assert_eq!(change(&before, &at(0)), None);
}

/// A wait is told in 64 bits, and such a one used to be taken for a broken law.
#[test]
fn a_wait_of_thousands_of_years_breaks_no_law() {
    let policy = "[[limit]]\nname = \"slow\"\nunit = \"tokens\"\nmax = 1\nper = \"3650d\"\ncapacity = 10_000\n";
    let trace = "TIMESTAMP,ContextTokens,GeneratedTokens\n\
                 2024-01-01 00:00:00,10000,0\n2024-01-01 00:00:00,9000,0\n";
    let report = judged_on(trace, policy, policy, "1", AT_ONCE);
    assert_eq!((report.admitted, report.refused), (1, 1));
    assert!(
        report
            .laws
            .all()
            .iter()
            .all(|(_, law)| matches!(law, Verdict::Held))
    );
}

/// The account that the last row finds is evicted for another, and made again by it for callers of a later time.
#[test]
fn a_refusal_that_evicts_may_be_stricter_to_rows_that_step_back() {
    let limits = "[[limit]]\nname = \"all\"\nunit = \"input_tokens\"\nmax = 1\nper = \"86ms\"\nalgorithm = \"window\"\n\
                  [[limit]]\nname = \"each\"\nby = [\"agent\"]\nunit = \"usd\"\nmax = 0.00001\ncapacity = 0.000002\nper = \"26ms\"\n";
    let trace = "TIMESTAMP,ContextTokens,GeneratedTokens,CostMicroUsd,agent\n\
                 2024-04-01 01:53:23,9,0,0,c\n2024-05-01 01:52:26,0,0,1,d\n2024-04-01 01:53:23,0,0,1,c\n";
    let verdict = |policy: &str| {
        let report = judged_on(trace, policy, policy, "1", AT_ONCE);
        report.laws.denial_changes_nothing
    };
    assert_eq!(verdict(limits), Verdict::Held);
    let evicting = verdict(&format!("max_accounts = 2\n{limits}"));
    assert!(
        matches!(&evicting, Verdict::NotChecked(why) if why.contains("step back")),
        "{evicting:?}"
    );
}
