//! A gate with a ledger: what it keeps across restarts, and what it does while the ledger cannot help.
#![cfg(feature = "ledger")]

use std::{path::Path, sync::Arc, time::Duration};
use tollgate_core::{ManualClock, Wall};
use tollgate_policy::{Gate, PolicyFile, Refusal, Request, Reservation, Usage};
use tollgate_quota::ledger::Ledger;

const LIMITS: &str = r#"
    [[limit]]
    name = "monthly"
    by = ["agent"]
    unit = "tokens"
    max = 1000
    algorithm = "calendar"
    per = "month"

    [[limit]]
    name = "ever"
    by = ["agent"]
    unit = "tokens"
    max = 5000
    algorithm = "lifetime"

    [[limit]]
    name = "hourly"
    by = ["agent"]
    unit = "requests"
    max = 100
    algorithm = "fixed"
    per = "1h"

    [[limit]]
    name = "a minute"
    by = ["agent"]
    unit = "requests"
    max = 100
    per = "1m"
"#;

/// 1 November 2026.
const NOVEMBER: i64 = 1_793_491_200_000_000_000;
const DECEMBER: i64 = NOVEMBER + 30 * 86_400_000_000_000;

fn policy(path: &Path, more: &str) -> String {
    format!("[ledger]\npath = '{}'\n{more}\n{LIMITS}", path.display())
}

struct Process {
    gate: Gate,
    ledger: Ledger,
    clock: Arc<ManualClock>,
}

impl Process {
    fn start(text: &str, wall: i64) -> Self {
        let options = PolicyFile::parse(text).unwrap().ledger.unwrap().options();
        let clock = Arc::new(ManualClock::new());
        clock.set_wall(Wall(wall));
        let ledger = Ledger::open(&options).unwrap();
        let gate = Gate::builder()
            .clock(Arc::clone(&clock))
            .ledger(ledger.clone())
            .build(text)
            .unwrap();
        Self {
            gate,
            ledger,
            clock,
        }
    }

    fn admit(&self, tokens: u64) -> Result<Reservation, Refusal> {
        self.gate.admit(&request(tokens))
    }

    fn used(&self) -> Vec<(String, u64)> {
        let usage = self.gate.usage(&[("agent", "a")]);
        usage
            .iter()
            .map(|usage| (usage.limit.to_string(), usage.used))
            .collect()
    }

    fn stop(self) {
        assert!(self.ledger.close(), "{:?}", self.ledger.status());
    }
}

fn request(tokens: u64) -> Request<'static> {
    Request::new().with("agent", "a").input_tokens(tokens)
}

fn used(tokens: u64) -> Usage {
    Usage {
        input_tokens: tokens,
        ..Usage::default()
    }
}

#[test]
fn restart_keeps_what_persists_and_forgets_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let text = policy(&folder.path().join("ledger"), "");
    let process = Process::start(&text, NOVEMBER);
    process.admit(500).unwrap().settle(used(300));
    process.admit(100).unwrap().settle(used(150));
    // Still open when the process stops: it stays charged.
    let open = process.admit(50).unwrap();
    process.stop();
    drop(open);

    let process = Process::start(&text, NOVEMBER);
    process.admit(1).unwrap().settle(used(1));
    let expected = [
        ("monthly", 501),
        ("ever", 501),
        ("hourly", 4),
        ("a minute", 1),
    ];
    let expected = expected.map(|(name, used)| (name.to_owned(), used));
    assert_eq!(process.used(), expected);
    let refusal = process.admit(500).unwrap_err();
    assert_eq!(&*refusal.limited().unwrap().limit, "monthly");
    process.stop();

    let process = Process::start(&text, DECEMBER);
    drop(process.admit(1000).unwrap());
    let refusal = process.admit(1).unwrap_err();
    assert_eq!(&*refusal.limited().unwrap().limit, "monthly");
    process.stop();
}

#[test]
fn exhausted_month_ends_without_a_restart_too() {
    let folder = tempfile::tempdir().unwrap();
    let text = policy(&folder.path().join("ledger"), "durability = 'every commit'");
    let process = Process::start(&text, NOVEMBER);
    process.admit(990).unwrap().settle(used(1_200));
    assert!(process.admit(1).is_err());
    process.clock.set_wall(Wall(DECEMBER));
    // The debt of 200 is paid first.
    assert!(process.admit(801).is_err());
    drop(process.admit(800).unwrap());
    process.stop();
}

#[test]
fn gate_that_refuses_the_cold_does_not_wait() {
    let folder = tempfile::tempdir().unwrap();
    let text = policy(&folder.path().join("ledger"), "dry = 'refuse'");
    let process = Process::start(&text, NOVEMBER);
    let refusal = process.admit(1).unwrap_err();
    let Refusal::NothingLent {
        retry_after,
        is_failing,
        ..
    } = &refusal
    else {
        panic!("{refusal}")
    };
    assert!(!is_failing);
    assert_eq!(*retry_after, Duration::from_millis(50));
    let mut refused = 0;
    while process.admit(1).is_err() {
        refused += 1;
        assert!(refused < 100, "{:?}", process.ledger.status());
        process.ledger.flush(Duration::from_secs(60));
    }
    let all: Vec<_> = process.used().into_iter().map(|(_, used)| used).collect();
    assert_eq!(all, [1; 4], "what was refused was backed out");
}

#[test]
fn closed_ledger_lends_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let text = policy(&folder.path().join("ledger"), "dry = 'refuse'");
    let process = Process::start(&text, NOVEMBER);
    while process.admit(1).is_err() {
        process.ledger.flush(Duration::from_secs(60));
    }
    assert!(process.ledger.close());
    assert!(matches!(process.admit(1), Err(Refusal::NothingLent { .. })));
}

#[test]
fn reload_with_another_max_goes_on_with_the_same_units() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let text = policy(&path, "");
    let process = Process::start(&text, NOVEMBER);
    let open = process.admit(600).unwrap();
    let lower = text.replace("max = 1000", "max = 700");
    let reload = process.gate.reload(&lower).unwrap();
    assert_eq!(reload.kept.len(), 4);
    assert!(process.admit(101).is_err());
    drop(process.admit(100).unwrap());
    open.settle(used(100));
    drop(process.admit(500).unwrap());
    assert!(process.admit(1).is_err());
    process.stop();
    let process = Process::start(&lower, NOVEMBER);
    let refusal = process.admit(1).unwrap_err();
    assert_eq!(refusal.limited().unwrap().used, 700);
    assert_eq!(refusal.limited().unwrap().max, 700);
    process.stop();
}

#[test]
fn reload_moves_no_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let text = policy(&folder.path().join("ledger"), "");
    let process = Process::start(&text, NOVEMBER);
    let moved = policy(&folder.path().join("other"), "");
    let errors = process.gate.reload(&moved).unwrap_err();
    assert!(
        errors.to_string().starts_with("line 1, column 1:"),
        "{errors}"
    );
    assert!(
        process
            .gate
            .reload(&policy(&folder.path().join("ledger"), "dry = 'refuse'"))
            .is_ok()
    );
}

#[test]
fn ledger_serves_one_gate() {
    let folder = tempfile::tempdir().unwrap();
    let text = policy(&folder.path().join("ledger"), "");
    let process = Process::start(&text, NOVEMBER);
    let second = Gate::builder().ledger(process.ledger.clone()).build(&text);
    assert!(second.unwrap_err().to_string().contains("another gate"));
}

#[test]
fn explaining_lends_nothing_and_makes_no_account() {
    let folder = tempfile::tempdir().unwrap();
    let text = policy(&folder.path().join("ledger"), "");
    let process = Process::start(&text, NOVEMBER);
    let explained = process.gate.explain(&request(10));
    assert_eq!(explained.len(), 4);
    assert_eq!(process.ledger.status().accounts, 0);
    assert_eq!(process.gate.clock().moment().wall, Wall(NOVEMBER));
}

#[test]
fn shadow_of_a_kept_limit_counts_and_waits_for_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let text = policy(&path, "dry = 'refuse'").replace("max = 5000", "max = 5000\nmode = 'shadow'");
    let text = text.replace("name = \"monthly\"", "name = \"monthly\"\nmode = 'shadow'");
    let text = text.replace("name = \"hourly\"", "name = \"hourly\"\nmode = 'shadow'");
    let process = Process::start(&text, NOVEMBER);
    drop(process.admit(40).unwrap());
    process.stop();
    let process = Process::start(&text, NOVEMBER);
    drop(process.admit(2).unwrap());
    assert!(process.ledger.flush(Duration::from_secs(60)));
    assert_eq!(process.used()[0].1, 42);
    process.stop();
}

#[test]
fn gate_opens_the_ledger_that_its_policy_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let text = policy(&path, "");
    let start = || Gate::from_toml(&text);
    let gate = start().unwrap();
    gate.admit(&request(600)).unwrap().settle(used(400));
    let errors = start().unwrap_err().to_string();
    assert!(errors.starts_with("line 1, column 1:"), "{errors}");
    assert!(errors.contains("open"), "{errors}");
    // Its last handle closes the file, with nothing lost.
    drop(gate);
    let gate = start().unwrap();
    let limited = gate.admit(&request(601)).unwrap_err();
    assert_eq!(limited.limited().unwrap().used, 400);
}

#[test]
fn gate_without_a_ledger_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let gate = Gate::builder().without_ledger();
    let gate = gate.build(&policy(&path, "")).unwrap();
    gate.admit(&request(600)).unwrap().settle(used(600));
    assert_eq!(gate.usage(&[("agent", "a")])[0].used, 600);
    assert!(!path.exists());
}
