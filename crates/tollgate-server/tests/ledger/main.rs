//! `tollgate ledger`, as a program.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
    sync::Arc,
    time::Duration,
};
use tollgate_core::QuantaClock;
use tollgate_policy::{Gate, PolicyFile, Request, Usage};
use tollgate_quota::ledger::Ledger;

const POLICY: &str = r#"
[[limit]]
name = "month"
by = ["deployment"]
unit = "tokens"
max = 1000
algorithm = "calendar"
per = "month"

[[limit]]
name = "money"
unit = "usd"
max = 100
algorithm = "lifetime"
"#;

fn tollgate(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .arg("ledger")
        .args(arguments)
        .output()
        .unwrap()
}

fn told(output: &Output) -> String {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(2));
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn gate(path: &Path) -> (Gate, Ledger) {
    let text = format!("[ledger]\npath = '{}'\n{POLICY}", path.display());
    let options = PolicyFile::parse(&text).unwrap().ledger.unwrap().options();
    let ledger = Ledger::open(&options).unwrap();
    let builder = Gate::builder().clock(Arc::new(QuantaClock::new()));
    (builder.ledger(ledger.clone()).build(&text).unwrap(), ledger)
}

fn use_up(gate: &Gate, tokens: u64) {
    let request = Request::new().with("deployment", "eu").input_tokens(tokens);
    let reservation = gate.admit(&request.micro_usd(1_500_000)).unwrap();
    reservation.settle(Usage {
        input_tokens: tokens,
        micro_usd: 1_500_000,
        ..Usage::default()
    });
}

#[test]
fn table_tells_use_and_status_while_a_gate_writes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let (gate, ledger) = gate(&path);
    use_up(&gate, 960);
    assert!(ledger.flush(Duration::from_secs(60)));
    let file = path.to_str().unwrap();
    let table = told(&tollgate(&["show", file]));
    let rows: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let row = |limit: &str| rows.iter().find(|row| row[0] == limit).unwrap().clone();
    let month = row("month");
    assert_eq!(
        (month[1], month[3], *month.last().unwrap()),
        ("deployment=eu", "960", "critical")
    );
    let money = row("money");
    assert_eq!((money[1], money[2], money[3]), ("all", "ever", "$1.50"));
    assert_eq!(*money.last().unwrap(), "ok");
    assert!(!table.contains('\x1b'), "no colours but on a terminal");
    assert_eq!(
        told(&tollgate(&["show", file, "--limit", "money"]))
            .lines()
            .count(),
        2
    );
    // What changes the file waits for the gate to end.
    for command in ["verify", "compact"] {
        assert!(refused(&tollgate(&[command, file])).contains("another process"));
    }
}

#[test]
fn export_while_in_use_is_a_backup_that_counts_what_was_lent() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let (gate, ledger) = gate(&path);
    use_up(&gate, 500);
    assert!(ledger.flush(Duration::from_secs(60)));
    let (file, backup) = (path.to_str().unwrap(), folder.path().join("backup.json"));
    let backup = backup.to_str().unwrap();
    assert!(told(&tollgate(&["export", file, "--to", backup])).starts_with("2 accounts"));
    assert!(refused(&tollgate(&["export", file, "--to", backup])).contains("exists"));

    let restored = folder.path().join("restored");
    let restored = restored.to_str().unwrap();
    told(&tollgate(&["import", restored, "--from", backup]));
    assert!(refused(&tollgate(&["import", restored, "--from", backup])).contains("--replace"));
    told(&tollgate(&[
        "import",
        restored,
        "--from",
        backup,
        "--replace",
    ]));
    assert!(told(&tollgate(&["verify", restored])).starts_with("sound: 2 accounts"));
    let (again, _ledger) = self::gate(Path::new(restored));
    let request = Request::new().with("deployment", "eu").input_tokens(501);
    assert!(again.admit(&request).is_err());
    drop((gate, ledger));
    assert!(told(&tollgate(&["compact", file])).contains("after"));
    assert!(told(&tollgate(&["verify", file])).starts_with("sound"));
}

#[test]
fn plain_state_file_becomes_the_deployments_month() {
    let folder = tempfile::tempdir().unwrap();
    let (path, policy) = (
        folder.path().join("ledger"),
        folder.path().join("policy.toml"),
    );
    let state = folder.path().join("state.json");
    fs::write(&policy, POLICY).unwrap();
    fs::write(
        &state,
        r#"{"deployment_name": "eu", "total_tokens_this_month": 900, "quota_month": "2026-11",
            "tpm_quota": 120000, "timestamp": "2026-11-14T12:00:00Z"}"#,
    )
    .unwrap();
    let [path, policy, state] = [&path, &policy, &state].map(|path| path.to_str().unwrap());
    let import = [
        "import", path, "--from", state, "--policy", policy, "--limit",
    ];
    told(&tollgate(&[&import[..], &["month"]].concat()));
    assert!(refused(&tollgate(&[&import[..], &["money"]].concat())).contains("month"));
    let table = told(&tollgate(&["show", path]));
    assert!(
        table.contains("2026-11-01") && table.contains("90.0 %") && table.contains("warn"),
        "{table}"
    );
}

#[test]
fn files_that_are_not_there_are_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let file = path.to_str().unwrap();
    for command in ["show", "export", "verify", "compact"] {
        refused(&tollgate(&[command, file]));
        assert!(!path.exists(), "{command}");
    }
}
