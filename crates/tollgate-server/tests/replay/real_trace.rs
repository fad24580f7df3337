//! An hour of recorded traffic, where it is at hand.

use std::path::PathBuf;

use serde_json::json;

use crate::program::Folder;

/// The Azure conversation trace of 2023, beside the repository or where `TOLLGATE_TRACE` points.
fn trace() -> Option<PathBuf> {
    let beside = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../shared/data/azure-llm-2023-conv.csv"
    );
    let path =
        std::env::var_os("TOLLGATE_TRACE").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    if path.is_file() {
        return Some(path);
    }
    eprintln!(
        "skipped: there is no {}; TOLLGATE_TRACE may point to the trace",
        path.display()
    );
    None
}

#[test]
fn every_law_holds_on_the_real_trace() {
    let Some(path) = trace() else { return };
    let limits = ["gcra", "window", "log"].map(|algorithm| {
        format!("[[limit]]\nname = \"rpm\"\nunit = \"requests\"\nmax = 250\nper = \"1m\"\nalgorithm = \"{algorithm}\"\n")
    });
    for (index, limit) in limits.iter().enumerate() {
        let tokens = "[[limit]]\nname = \"tpm\"\nunit = \"tokens\"\nmax = 400_000\nper = \"1m\"\n";
        let folder =
            Folder::new(&format!("real_{index}")).with("p.toml", format!("{limit}{tokens}"));
        let args = format!(
            "replay --policy p.toml --trace {} --format json --decisions d.csv",
            path.display()
        );
        let report = folder.run(&args).json();
        assert_eq!(report["requests"], json!(19_366));
        assert_eq!(
            report["laws"],
            json!({"never_over": "held", "never_needlessly_under": "held", "denial_changes_nothing": "held"}),
            "{limit}"
        );
        assert!(report["refused"].as_u64().unwrap() > 1_000);
        assert_eq!(folder.read("d.csv").lines().count(), 19_367);
    }
}

#[test]
fn estimates_above_the_truth_cost_little() {
    let Some(path) = trace() else { return };
    let limit = "[[limit]]\nname = \"tpm\"\nunit = \"tokens\"\nmax = 226_000\nper = \"1m\"\n";
    let folder = Folder::new("real_estimates")
        .with("p.toml", limit)
        .with("e.toml", format!("{limit}refund = \"eager\"\n"));
    let tokens = |policy: &str, more: &str| {
        let args = format!(
            "replay --policy {policy} --trace {} --format json {more}",
            path.display()
        );
        let report = folder.run(&args).json();
        assert_eq!(
            report["laws"]["never_over"],
            json!("held"),
            "{policy} {more}"
        );
        report["by_limit"]["tpm"]["units_admitted"]
            .as_u64()
            .unwrap()
    };
    let perfect = tokens("p.toml", "");
    let share = |policy, more: &str| tokens(policy, more) * 1000 / perfect;
    assert!(share("p.toml", "--hold 30 --estimate 2") >= 980);
    assert!(share("p.toml", "--hold 30 --estimate 4") >= 700);
    assert!(
        share(
            "p.toml",
            "--hold 30 --estimate 2 --hold-distribution exponential"
        ) >= 980
    );
    assert!(
        share(
            "p.toml",
            "--hold 30 --estimate 4 --hold-distribution exponential"
        ) >= 800
    );
    assert!(share("e.toml", "--hold 30 --estimate 4") >= 970);
}
