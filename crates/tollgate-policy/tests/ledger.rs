//! A gate with a ledger: what it keeps across restarts, and what it does while the ledger cannot help.
#![cfg(feature = "ledger")]

use std::{path::Path, sync::Arc, time::Duration};
use tollgate_core::{ManualClock, Wall};
use tollgate_policy::{Gate, PolicyFile, Refusal, Request, Reservation, Usage, Verdict};
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

/// The month ends between two requests, and nothing that the first of the next would have to wait for lies in between: neither in one
/// process, nor with a restart before that.
#[test]
fn exhausted_month_admits_at_its_end_without_a_wait_or_a_refusal() {
    const EVE: i64 = DECEMBER - 60_000_000_000;
    for restarts in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let text = policy(&folder.path().join("ledger"), "dry = 'refuse'");
        let answer = |process: &Process, tokens: u64| loop {
            match process.admit(tokens) {
                Err(Refusal::NothingLent { .. }) => {
                    assert!(process.ledger.flush(Duration::from_secs(60)));
                }
                answer => return answer,
            }
        };
        let mut process = Process::start(&text, EVE);
        drop(answer(&process, 1000).unwrap());
        if restarts {
            process.stop();
            process = Process::start(&text, EVE);
        }
        let refusal = answer(&process, 1).unwrap_err();
        let limited = refusal.limited().unwrap();
        assert_eq!((&*limited.limit, limited.used), ("monthly", 1000));
        assert!(process.ledger.flush(Duration::from_secs(60)));

        process.clock.set_wall(Wall(DECEMBER));
        drop(process.admit(1).unwrap());
        process.stop();
    }
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
    let ledger = gate.ledger().expect("it opened one");
    assert!(ledger.flush(Duration::from_secs(60)));
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
    assert!(gate.ledger().is_none());
    assert!(!path.exists());
}

#[test]
fn past_month_tells_how_many_requests_its_limit_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let text = policy(&path, "");
    let process = Process::start(&text, NOVEMBER);
    drop(process.admit(990).unwrap());
    for _ in 0..3 {
        assert!(process.admit(11).is_err());
    }
    process.stop();
    let process = Process::start(&text, DECEMBER);
    drop(process.admit(1).unwrap());
    process.stop();
    let file = tollgate_quota::ledger::LedgerFile::alone(&path).unwrap();
    let mut past = Vec::new();
    file.each_past_period(|period| past.push((period.key.limit().to_owned(), period.refused)))
        .unwrap();
    past.sort();
    assert_eq!(past, [("hourly".to_owned(), 0), ("monthly".to_owned(), 3)]);
}

/// What the tests of a full disk do in a process of their own: one that may make no file longer than so many bytes, as a disk that is full
/// would not let it. Whether it may is changed while it runs.
#[cfg(target_os = "linux")]
mod full_disk {
    use super::*;
    use std::{
        env,
        process::{Command, id},
        time::Instant,
    };

    const INSIDE: &str = "TOLLGATE_FULL_DISK";

    /// Runs the test `name` in a process that is told of a full disk, and is not killed by it. True within that process.
    fn inside(name: &str) -> bool {
        if env::var_os(INSIDE).is_some() {
            return true;
        }
        let output = Command::new("sh")
            .args(["-c", "trap '' XFSZ; exec \"$0\" --exact \"$1\" --nocapture"])
            .arg(env::current_exe().unwrap())
            .arg(name)
            .env(INSIDE, "1")
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "{told}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(told.contains("1 passed"), "{told}");
        false
    }

    fn set_full(is_full: bool) {
        let most = if is_full { "1:unlimited" } else { "unlimited" };
        let set = Command::new("prlimit")
            .args(["--pid", &id().to_string(), &format!("--fsize={most}")])
            .status()
            .expect("prlimit of util-linux");
        assert!(set.success());
    }

    fn request(agent: &str) -> Request<'_> {
        Request::new().with("agent", agent).input_tokens(1)
    }

    /// A process whose disk has just filled up: `warm` agents have stock.
    fn filled_up(folder: &Path, more: &str) -> Process {
        let process = Process::start(&policy(&folder.join("ledger"), more), NOVEMBER);
        drop(process.gate.admit(&request("warm")).unwrap());
        assert!(process.ledger.flush(Duration::from_secs(60)));
        set_full(true);
        process
    }

    fn recovers(process: &Process) {
        set_full(false);
        let begun = Instant::now();
        while !process.ledger.flush(Duration::from_secs(1)) || process.ledger.is_failing() {
            // Somebody asks, as somebody would.
            drop(process.gate.admit(&request("warm")));
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "{:?}",
                process.ledger.status()
            );
        }
        drop(process.gate.admit(&request("after")).unwrap());
    }

    #[test]
    fn full_disk_refuses_what_is_not_lent_where_the_policy_says_deny() {
        if !inside("full_disk::full_disk_refuses_what_is_not_lent_where_the_policy_says_deny") {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let process = filled_up(folder.path(), "failing = 'deny'");
        drop(process.gate.admit(&request("warm")).unwrap());
        let refusal = process.gate.admit(&request("cold")).unwrap_err();
        assert!(
            matches!(
                refusal,
                Refusal::NothingLent {
                    is_failing: true,
                    ..
                }
            ),
            "{refusal}"
        );
        let usage = process.gate.usage(&[("agent", "cold")]);
        assert!(usage.iter().all(|usage| usage.used == 0), "{usage:?}");
        assert!(process.ledger.status().failing.unwrap().contains("large"));
        recovers(&process);
        process.stop();
    }

    #[test]
    fn full_disk_admits_unrecorded_where_the_policy_says_allow_and_records_it_later() {
        if !inside(
            "full_disk::full_disk_admits_unrecorded_where_the_policy_says_allow_and_records_it_later",
        ) {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let process = filled_up(folder.path(), "failing = 'allow'");
        for _ in 0..99 {
            drop(process.gate.admit(&request("cold")).unwrap());
        }
        assert!(process.ledger.is_failing());
        // The limit holds all the same.
        drop(process.gate.admit(&request("cold")).unwrap());
        let refusal = process.gate.admit(&request("cold")).unwrap_err();
        assert!(refusal.limited().is_some(), "{refusal}");
        recovers(&process);
        process.stop();
        let process = Process::start(&policy(&folder.path().join("ledger"), ""), NOVEMBER);
        assert!(
            process
                .gate
                .admit(&request("cold"))
                .unwrap_err()
                .limited()
                .is_some()
        );
        process.stop();
    }
}

#[test]
fn sliding_windows_of_an_hour_go_on_after_a_restart() {
    const WINDOWS: &str = r#"
    [[limit]]
    name = "ring"
    unit = "tokens"
    max = 100
    algorithm = "window"
    per = "1h"

    [[limit]]
    name = "log"
    unit = "requests"
    max = 3
    algorithm = "log"
    per = "2h"

    [[limit]]
    name = "short"
    unit = "tokens"
    max = 100
    algorithm = "window"
    per = "59m"
    "#;
    const HOUR: i64 = 3_600_000_000_000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let text = format!("[ledger]\npath = '{}'\n{WINDOWS}", path.display());
    let process = Process::start(&text, NOVEMBER);
    process.admit(80).unwrap().settle(used(60));
    process.stop();

    let process = Process::start(&text, NOVEMBER + HOUR / 2);
    let refusal = process.admit(41).unwrap_err();
    assert_eq!(&*refusal.limited().unwrap().limit, "ring");
    process.admit(40).unwrap().settle(used(40));
    let used_up = [("ring", 100), ("log", 2), ("short", 40)];
    assert_eq!(
        process.used(),
        used_up.map(|(name, used)| (name.to_owned(), used))
    );
    process.stop();

    let process = Process::start(&text, NOVEMBER + 2 * HOUR);
    process.admit(100).unwrap().settle(used(100));
    let refusal = process.admit(0).unwrap_err();
    assert_eq!(&*refusal.limited().unwrap().limit, "log");
    process.stop();
}

/// One limit of every kind that a ledger keeps, by agent.
const ALL_KINDS: &str = r#"
    [[limit]]
    name = "rate"
    by = ["agent"]
    unit = "tokens"
    max = 1000
    initial = 900
    per = "1h"

    [[limit]]
    name = "money rate"
    by = ["agent"]
    unit = "usd"
    max = 10
    refund = "eager"
    per = "1d"

    [[limit]]
    name = "window"
    by = ["agent"]
    unit = "tokens"
    max = 1000
    algorithm = "window"
    per = "1h"

    [[limit]]
    name = "log"
    by = ["agent"]
    unit = "requests"
    max = 1000
    algorithm = "log"
    per = "1h"

    [[limit]]
    name = "fixed"
    by = ["agent"]
    unit = "input_tokens"
    max = 1000
    algorithm = "fixed"
    per = "7h"

    [[limit]]
    name = "hour"
    by = ["agent"]
    unit = "tokens"
    max = 1000
    algorithm = "calendar"
    per = "hour"

    [[limit]]
    name = "day"
    by = ["agent"]
    unit = "output_tokens"
    max = 1000
    algorithm = "calendar"
    per = "day"
    zone = "Asia/Kolkata"

    [[limit]]
    name = "week"
    by = ["agent"]
    unit = "usd"
    max = 3
    algorithm = "calendar"
    per = "week"

    [[limit]]
    name = "month"
    unit = "tokens"
    max = 5000
    algorithm = "calendar"
    per = "month"
    anchor_day = 31

    [[limit]]
    name = "year"
    by = ["agent", "model"]
    unit = "tokens"
    max = 1000
    algorithm = "calendar"
    per = "year"

    [[limit]]
    name = "ever"
    by = ["agent"]
    unit = "usd"
    max = 50
    algorithm = "lifetime"
"#;

/// Used before a clean stop equals used after the start, for every account under every algorithm, with open requests, refunds and
/// debts; and says so before anybody asks.
#[test]
fn clean_stop_and_start_wastes_nothing_of_any_account() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let text = format!("[ledger]\npath = '{}'\n{ALL_KINDS}", path.display());
    let agents = ["a", "b", "c", "d"];
    let mut random = 42_u64;
    let mut next = |below: u64| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (random >> 33) % below
    };
    let usage = |process: &Process| -> Vec<(String, Vec<String>, u64)> {
        let all = agents
            .iter()
            .flat_map(|agent| process.gate.usage(&[("agent", agent), ("model", "m")]));
        all.map(|usage| (usage.limit.to_string(), usage.account, usage.used))
            .collect()
    };
    let mut before: Option<Vec<_>> = None;
    for restart in 0..6 {
        let process = Process::start(&text, NOVEMBER);
        if let Some(before) = before {
            assert_eq!(
                usage(&process),
                before,
                "restart {restart}, nobody has asked"
            );
        } else {
            let rate = &usage(&process)[0];
            assert_eq!((&*rate.0, rate.2), ("rate", 100), "what it starts with");
        }
        let mut open = Vec::new();
        for _ in 0..40 {
            // The last is used by one process in two.
            let agent = agents[usize::try_from(next(3 + restart % 2)).unwrap()];
            let request = Request::new().with("agent", agent).with("model", "m");
            let request = request
                .input_tokens(next(20))
                .output_tokens(next(20))
                .micro_usd(next(100_000));
            if let Ok(reservation) = process.gate.admit(&request) {
                open.push(reservation);
            }
            if next(3) > 0 && !open.is_empty() {
                let place = usize::try_from(next(open.len() as u64)).unwrap();
                open.swap_remove(place).settle(Usage {
                    input_tokens: next(25),
                    output_tokens: next(25),
                    micro_usd: next(120_000),
                });
            }
        }
        // Those stay charged: their requests may have gone out.
        let now = usage(&process);
        let is_read = |(limit, _, _): &(String, Vec<String>, u64)| limit == "ever";
        assert!(
            now.iter()
                .filter(|usage| is_read(usage))
                .any(|(.., used)| *used > 0)
        );
        before = Some(now);
        process.stop();
        drop(open);
    }
}

/// Reads, writes and flushes of files that this thread has made, as the system counts them.
#[cfg(target_os = "linux")]
fn calls_of_files() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/io").unwrap();
    let count = |name: &str| -> u64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap().trim().parse().unwrap()
    };
    count("syscr:") + count("syscw:")
}

/// Those who admit and settle make no call of a file while the ledger's thread commits beside them, when stock runs dry neither.
#[cfg(target_os = "linux")]
#[test]
fn no_admission_is_ever_inside_a_disk_call() {
    let folder = tempfile::tempdir().unwrap();
    // A lease so small that some are dry, and wait.
    let text = policy(&folder.path().join("ledger"), "durability = 'within 1ms'");
    let text = text
        .replace("max = 5000", "max = 5000000\nlease = 50")
        .replace("max = 1000", "max = 1000000");
    let text = text.replace("max = 100\n", "max = 1000000\n");
    let process = Process::start(&text, NOVEMBER);
    let own = {
        let before = calls_of_files();
        calls_of_files() - before
    };
    assert!(own > 0, "nothing is counted");
    let (before, commits) = (calls_of_files(), process.ledger.status().commits);
    for round in 0..2_000 {
        let reservation = process.admit(1 + round % 7).unwrap();
        reservation.settle(used(round % 9));
    }
    let calls = calls_of_files() - before - own;
    let commits = process.ledger.status().commits - commits;
    assert!(commits > 5, "only {commits} commits beside it");
    assert_eq!(calls, 0, "an admission was inside a disk call");
    process.stop();
}

/// The ledger learned of the slower rate with the first account that it made under it, and took what was left for drained.
#[test]
fn unused_account_of_a_rate_that_becomes_slower_drains_by_the_slower_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let text = |max: u64| {
        let path = path.display();
        format!(
            "[ledger]\npath = '{path}'\n[[limit]]\nname = \"rate\"\nby = [\"agent\"]\nwhen = {{ kind = \"slow\" }}\nunit = \"tokens\"\n\
            max = {max}\ncapacity = 600\nper = \"1h\"\n[[limit]]\nname = \"ever\"\nunit = \"tokens\"\nmax = 5000\nalgorithm = \"lifetime\"\n"
        )
    };
    let slow = |tokens| request(tokens).with("kind", "slow");
    let process = Process::start(&text(600), NOVEMBER);
    process.gate.admit(&slow(600)).unwrap().settle(used(600));
    process.stop();

    const HOUR: Duration = Duration::from_secs(3_600);
    let process = Process::start(&text(600), NOVEMBER);
    process.clock.advance(HOUR / 2);
    process.gate.reload(&text(60)).unwrap();
    process.clock.advance(HOUR);
    for _ in 0..3 {
        process.admit(1).unwrap().settle(used(1));
        assert!(process.ledger.flush(HOUR));
    }
    // Half an hour at the faster rate, and an hour at the slower one.
    assert!(process.gate.admit(&slow(361)).is_err());
    process.gate.admit(&slow(360)).unwrap().settle(used(360));
    process.stop();
}

/// All that was on record drained at the new rate, for the time before the reload too.
#[test]
fn account_that_is_first_used_after_a_reload_has_drained_at_the_rate_before() {
    const HOUR: Duration = Duration::from_secs(3_600);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let text = |per: &str| {
        let path = path.display();
        format!(
            "[ledger]\npath = '{path}'\n[[limit]]\nname = \"rate\"\nby = [\"agent\"]\nunit = \"tokens\"\nmax = 100\nper = \"{per}\"\n"
        )
    };
    let process = Process::start(&text("100h"), NOVEMBER);
    process.admit(100).unwrap().settle(used(100));
    process.stop();
    let process = Process::start(&text("100h"), NOVEMBER);
    process.clock.advance(HOUR);
    process.gate.reload(&text("1h")).unwrap();
    assert!(process.admit(2).is_err());
    process.admit(1).unwrap().settle(used(1));
    process.clock.advance(HOUR);
    process.admit(100).unwrap().settle(used(100));
    process.stop();
}

/// Its last period was over, and with it what it owed.
#[test]
fn debt_of_an_evicted_account_is_kept_when_the_clock_is_set_back() {
    const DAY_NS: i64 = 86_400_000_000_000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let text = format!(
        "max_accounts = 2\n[ledger]\npath = '{}'\n[[limit]]\nname = \"daily\"\nby = [\"agent\"]\nunit = \"tokens\"\nmax = 13\n\
        algorithm = \"calendar\"\nper = \"day\"\n",
        path.display()
    );
    let process = Process::start(&text, NOVEMBER);
    process.admit(13).unwrap().settle(used(43));
    process.stop();
    // Owed: 30 on the next day, 17 on the one after it, 4 on the third.
    let process = Process::start(&text, NOVEMBER + 4 * DAY_NS);
    process.admit(1).unwrap().release();
    process.clock.advance(Duration::from_secs(5));
    for agent in ["b", "c"] {
        let request = Request::new().with("agent", agent).input_tokens(1);
        drop(process.gate.admit(&request).unwrap());
    }
    process.stop();
    let file = tollgate_quota::ledger::LedgerFile::alone(&path).unwrap();
    file.each_account(|account| assert_ne!(account.key.scopes(), [("agent", "a")]))
        .unwrap();
    drop(file);
    for (day, owed, left) in [(1, 30, 0), (2, 17, 0), (3, 4, 9), (4, 0, 13)] {
        let process = Process::start(&text, NOVEMBER + day * DAY_NS);
        assert_eq!(process.used(), [("daily".to_owned(), owed)]);
        assert!(process.admit(left + 1).is_err(), "on day {day}");
        if left > 0 {
            process.admit(left).unwrap().settle(used(left));
        }
        process.stop();
    }
}

/// The meter that took the charge was frozen, and led nowhere: its limit had gone.
#[test]
fn request_is_settled_under_its_limit_when_that_comes_back_with_another_max() {
    let folder = tempfile::tempdir().unwrap();
    for (place, how) in [
        "algorithm = \"calendar\"\nper = \"month\"",
        "algorithm = \"fixed\"\nper = \"1h\"",
        "per = \"1h\"",
        "algorithm = \"lifetime\"",
    ]
    .into_iter()
    .enumerate()
    {
        let path = folder.path().join(place.to_string());
        let text = |max: Option<u64>| {
            let limit = max.map_or_else(String::new, |max| {
                format!("[[limit]]\nname = \"it\"\nby = [\"agent\"]\nunit = \"tokens\"\n{how}\nmax = {max}\n")
            });
            let path = path.display();
            format!(
                "{limit}[[limit]]\nname = \"other\"\nunit = \"requests\"\nalgorithm = \"lifetime\"\nmax = 9\n[ledger]\npath = '{path}'\n"
            )
        };
        let process = Process::start(&text(Some(100)), NOVEMBER);
        let open = [(); 3].map(|()| process.admit(10).unwrap());
        process.gate.reload(&text(None)).unwrap();
        process.gate.reload(&text(Some(200))).unwrap();
        process.admit(1).unwrap().settle(used(1));
        let [more, less, none] = open;
        more.settle(used(60));
        less.settle(used(4));
        none.release();
        assert_eq!(process.used()[0].1, 65, "{how}");
        process.stop();
        let process = Process::start(&text(Some(200)), NOVEMBER);
        assert_eq!(process.used()[0].1, 65, "{how}");
        process.stop();
    }
}

/// The account was made, and nobody had asked the ledger for it; and who asked whether a request would pass was told yes.
#[test]
fn usage_and_explanations_know_what_is_on_record_of_an_account_that_was_not_charged_yet() {
    let folder = tempfile::tempdir().unwrap();
    let text = policy(&folder.path().join("ledger"), "");
    let process = Process::start(&text, NOVEMBER);
    process.admit(900).unwrap().settle(used(900));
    let known = process.used();
    assert_eq!(
        known[..2],
        [("monthly".to_owned(), 900), ("ever".to_owned(), 900)]
    );
    process.stop();
    let process = Process::start(&text, NOVEMBER);
    let refuses = || {
        let told = process.gate.explain(&request(101));
        matches!(&told[0].verdict, Verdict::Refuses(limited) if limited.used == 900)
    };
    // The last of them does not persist.
    assert!(refuses() && process.used()[..3] == known[..3]);
    // One that never fits.
    assert!(process.admit(1_001).is_err());
    assert!(
        refuses() && process.used()[..3] == known[..3],
        "{:?}",
        process.used()
    );
    process.admit(100).unwrap().settle(used(100));
    assert_eq!(process.used()[0].1, 1_000);
    assert!(process.admit(1).is_err());
    process.stop();
}

/// Of a limit with an override that drains more slowly, and stays: the ledger saw no change.
#[test]
fn account_drains_at_its_rate_before_a_reload_that_changes_no_other() {
    const HOUR: Duration = Duration::from_secs(3_600);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let text = |max: u64| {
        let path = path.display();
        format!(
            "[ledger]\npath = '{path}'\n[[limit]]\nname = \"rate\"\nby = [\"agent\"]\nunit = \"tokens\"\nmax = {max}\ncapacity = 100\n\
            per = \"100h\"\n[[override]]\nlimit = \"rate\"\nwhere = {{ agent = \"b\" }}\nmax = 1\n"
        )
    };
    let process = Process::start(&text(100), NOVEMBER);
    process.admit(100).unwrap().settle(used(100));
    process.stop();
    let process = Process::start(&text(100), NOVEMBER);
    process.clock.advance(HOUR);
    // A clock that is wrong just then counts for nothing.
    process.clock.set_wall(Wall(DECEMBER));
    process.gate.reload(&text(10_000)).unwrap();
    process.clock.set_wall(Wall(NOVEMBER + 3_600_000_000_000));
    assert!(process.admit(2).is_err());
    process.clock.advance(HOUR);
    process.admit(100).unwrap().settle(used(100));
    process.stop();
}

/// Usage said nothing was used, until the next request.
#[test]
fn usage_of_a_limit_that_was_removed_and_comes_back_is_what_it_has_on_record() {
    let folder = tempfile::tempdir().unwrap();
    let text = policy(&folder.path().join("ledger"), "");
    let without = text.replace("name = \"monthly\"", "name = \"other\"");
    let process = Process::start(&text, NOVEMBER);
    process.admit(900).unwrap().settle(used(900));
    assert!(process.ledger.flush(Duration::from_secs(60)));
    process.gate.reload(&without).unwrap();
    process.gate.reload(&text).unwrap();
    assert_eq!(process.used()[0], ("monthly".to_owned(), 900));
    let told = process.gate.explain(&request(101));
    assert!(matches!(&told[0].verdict, Verdict::Refuses(_)), "{told:?}");
    process.stop();
}
