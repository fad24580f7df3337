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

/// Only accounts were asked for: a past period was overwritten without a word.
#[test]
fn past_period_is_overwritten_only_by_replace() {
    let folder = tempfile::tempdir().unwrap();
    let [path, from] = ["ledger", "export.json"].map(|name| folder.path().join(name));
    let [file, from] = [&path, &from].map(|path| path.to_str().unwrap());
    let past = |stamp: u64, used: u64| {
        format!(
            r#"{{"limit": "m", "unit": "tokens", "algorithm": "day in UTC", "scopes": [["team", "x"]],
                "stamp": {stamp}, "ended_ns": 172800000000000, "committed": {used}, "max": 9, "peak": {used}}}"#
        )
    };
    let import = |history: &[String], arguments: &[&str]| {
        let history = history.join(",");
        fs::write(
            from,
            format!(r#"{{"format": 2, "accounts": [], "history": [{history}]}}"#),
        )
        .unwrap();
        tollgate(&[&["import", file, "--from", from], arguments].concat())
    };
    let has = |stamp: u64, used: u64| {
        let export: serde_json::Value =
            serde_json::from_str(&told(&tollgate(&["export", file]))).unwrap();
        let history = export["history"].as_array().unwrap();
        history
            .iter()
            .any(|past| past["stamp"] == stamp && past["committed"] == used)
    };
    let day = 86_400_000_000_000;
    told(&import(&[past(0, 7)], &[]));
    let refusal = refused(&import(&[past(day, 2), past(0, 1)], &[]));
    assert!(
        refusal.contains("past period 0 of `m` team=x already") && refusal.contains("--replace"),
        "{refusal}"
    );
    assert!(has(0, 7) && !has(day, 2), "nothing was put in");
    told(&import(&[past(day, 2)], &[]));
    told(&import(&[past(0, 1)], &["--replace"]));
    assert!(has(0, 1) && has(day, 2));
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
        r#"{"deployment_name": "eu", "total_tokens_this_month": 900, "quota_month": "2024-11",
            "tpm_quota": 120000, "timestamp": "2024-11-14T12:00:00Z"}"#,
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
        table.contains("2024-11-01") && table.contains("90.0 %") && table.contains("ended"),
        "{table}"
    );
}

/// A ledger of many accounts, and its export.
fn large(folder: &Path) -> (std::path::PathBuf, String) {
    let path = folder.join("ledger");
    let account = |number: u32| {
        format!(
            r#"{{"limit": "m", "unit": "tokens", "algorithm": "lifetime", "scopes": [["team", "{number:04}"]], "stamp": 0,
                "committed": {number}, "lent": 0, "max": 5000, "peak": {number}, "has_periods": false}}"#
        )
    };
    let accounts: Vec<_> = (0..300).map(account).collect();
    let json = folder.join("accounts.json");
    let accounts = accounts.join(",");
    fs::write(
        &json,
        format!(r#"{{"format": 1, "accounts": [{accounts}], "history": []}}"#),
    )
    .unwrap();
    let [file, json] = [&path, &json].map(|path| path.to_str().unwrap());
    told(&tollgate(&["import", file, "--from", json]));
    let export = told(&tollgate(&["export", file]));
    (path, export)
}

/// A backup is read beside the process that writes, where the database checks no page: 62 of 720 damaged files were exported with other
/// figures, or ended the program.
#[test]
fn export_of_a_damaged_file_is_refused_or_right() {
    let folder = tempfile::tempdir().unwrap();
    let (path, export) = large(folder.path());
    let whole = fs::read(&path).unwrap();
    let file = path.to_str().unwrap();
    let mut refusals = 0;
    let mut judge = |bytes: &[u8], what: String| {
        fs::write(&path, bytes).unwrap();
        let output = tollgate(&["export", file]);
        let errors = String::from_utf8(output.stderr).unwrap();
        match output.status.code() {
            Some(0) => assert_eq!(String::from_utf8(output.stdout).unwrap(), export, "{what}"),
            Some(2) => {
                refusals += 1;
                assert!(
                    errors.contains("ledger ") && errors.contains(file),
                    "{what}: {errors}"
                );
                assert!(!errors.contains("panicked"), "{what}: {errors}");
            }
            code => panic!("{what}: {code:?} {errors}"),
        }
        assert_eq!(
            fs::read(&path).unwrap(),
            bytes,
            "{what}: it was left as it is"
        );
    };
    // Every page, and of those with rows every part.
    for place in (0..whole.len()).step_by(whole.len() / 150) {
        for bit in [0, 7] {
            let mut bytes = whole.clone();
            bytes[place] ^= 1 << bit;
            judge(&bytes, format!("bit {bit} of byte {place}"));
        }
    }
    for len in (0..whole.len()).step_by(whole.len() / 30) {
        judge(&whole[..len], format!("cut to {len}"));
    }
    assert!(refusals > 40, "{refusals}");
}

#[test]
fn file_that_a_kill_left_open_says_how_it_is_recovered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let (gate, ledger) = gate(&path);
    use_up(&gate, 500);
    assert!(ledger.flush(Duration::from_secs(60)));
    // As a kill leaves it.
    let killed = folder.path().join("killed");
    fs::copy(&path, &killed).unwrap();
    let file = killed.to_str().unwrap();
    let refusal = refused(&tollgate(&["show", file]));
    assert!(
        refusal.contains("not closed") && refusal.contains("tollgate ledger verify"),
        "{refusal}"
    );
    assert!(told(&tollgate(&["verify", file])).contains("2 accounts had units lent"));
    assert!(told(&tollgate(&["show", file])).contains("deployment=eu"));
}

#[test]
fn state_files_that_make_no_sense_make_no_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let [path, policy, state] =
        ["ledger", "policy.toml", "state.json"].map(|name| folder.path().join(name));
    fs::write(&policy, POLICY).unwrap();
    let [file, policy] = [&path, &policy].map(|path| path.to_str().unwrap());
    let good =
        r#"{"deployment_name": "eu", "total_tokens_this_month": 900, "quota_month": "2024-11"}"#;
    let deep = "[".repeat(1_000_000);
    let in_deployment = format!(r#"{{"deployment_name": {deep}"#);
    let files: &[(&str, Vec<u8>)] = &[
        ("empty", Vec::new()),
        ("no text", vec![0xff, 0xfe, 0]),
        ("nested too deep", deep.into_bytes()),
        ("nested too deep within", in_deployment.into_bytes()),
        ("cut", good.as_bytes()[..40].to_vec()),
        ("two", [good, good].concat().into_bytes()),
        ("negative", good.replace("900", "-1").into_bytes()),
        (
            "beyond 64 bits",
            good.replace("900", "18446744073709551616").into_bytes(),
        ),
        ("a part of one", good.replace("900", "900.5").into_bytes()),
        ("text", good.replace("900", "\"900\"").into_bytes()),
        ("a month to come", good.replace("2024", "2199").into_bytes()),
        ("no month", good.replace("-11", "-13").into_bytes()),
        (
            "named twice",
            good.replace("{", "{\"deployment_name\": \"us\", ")
                .into_bytes(),
        ),
    ];
    for (what, bytes) in files {
        fs::write(&state, bytes).unwrap();
        let from = state.to_str().unwrap();
        let import = [
            "import", file, "--from", from, "--policy", policy, "--limit", "month",
        ];
        let refusal = refused(&tollgate(&import));
        assert!(
            refusal.starts_with("error: ") && refusal.len() < 1_000,
            "{what}: {refusal}"
        );
        assert!(refusal.contains("state.json"), "{what}: {refusal}");
        assert!(!path.exists(), "{what}");
    }
    // And with the mark that some editors begin a file with.
    fs::write(&state, format!("\u{feff}{good}")).unwrap();
    let from = state.to_str().unwrap();
    let import = [
        "import", file, "--from", from, "--policy", policy, "--limit", "month",
    ];
    assert_eq!(
        told(&tollgate(&import)),
        "1 account and 0 past periods imported\n"
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

#[test]
fn killed_backup_leaves_none_and_harms_no_gate() {
    let folder = tempfile::tempdir().unwrap();
    let (path, export) = large(folder.path());
    let backup = folder.path().join("backup.json");
    let [file, to] = [&path, &backup].map(|path| path.to_str().unwrap());
    let (gate, ledger) = gate(&path);
    let (mut killed, mut ended) = (0, 0);
    for attempt in 0..60_u64 {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tollgate"))
            .args(["ledger", "export", file, "--to", to])
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_micros(attempt * 1_000));
        child.kill().unwrap();
        let status = child.wait().unwrap();
        (killed, ended) = (
            killed + u64::from(!status.success()),
            ended + u64::from(status.success()),
        );
        if backup.exists() {
            let text = fs::read_to_string(&backup).unwrap();
            serde_json::from_str::<serde_json::Value>(&text).unwrap();
            assert!(text.matches("committed").count() >= export.matches("committed").count());
            fs::remove_file(&backup).unwrap();
        } else {
            assert!(!status.success());
        }
        // The gate goes on.
        use_up(&gate, 1);
        assert!(
            ledger.flush(Duration::from_secs(60)),
            "{:?}",
            ledger.status()
        );
    }
    assert!(killed > 0 && ended > 0, "{killed} killed, {ended} ended");
    drop(gate);
    assert!(ledger.close());
    assert!(told(&tollgate(&["verify", file])).starts_with("sound: 302 accounts"));
}
