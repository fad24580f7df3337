//! What users of a gate rely on.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    task::{Wake, Waker},
    time::Duration,
};
use tollgate_core::{ManualClock, Nanos, Wall};
use tollgate_policy::{Crossing, Gate, Limited, Refusal, Request, Usage, Verdict, Waiting};
use tollgate_quota::StatusLevel;

const SECOND: u64 = 1_000_000_000;

fn gate(policy: &str) -> (Gate, ManualClock) {
    let clock = ManualClock::new();
    (
        Gate::builder().clock(clock.clone()).build(policy).unwrap(),
        clock,
    )
}

fn limited(answer: Result<tollgate_policy::Reservation, Refusal>) -> Limited {
    match answer {
        Err(Refusal::Limited(limited)) => limited,
        other => panic!("expected a limit, found {other:?}"),
    }
}

fn tokens(input: u64, output: u64) -> Usage {
    Usage {
        input_tokens: input,
        output_tokens: output,
        micro_usd: 0,
    }
}

const TWO: &str = r#"
    [[limit]]
    name = "rpm"
    by = ["agent"]
    unit = "requests"
    max = 2
    per = "1m"

    [[limit]]
    name = "tpm"
    by = ["agent"]
    unit = "tokens"
    max = 100
    per = "1m"
"#;

#[test]
fn all_limits_or_none() {
    let (gate, _clock) = gate(TWO);
    let large = Request::new().with("agent", "a").input_tokens(90);
    let small = Request::new().with("agent", "a").input_tokens(10);
    let _kept = gate.admit(&large).unwrap();
    let refused = limited(gate.admit(&large));
    assert_eq!(
        (
            &*refused.limit,
            refused.used,
            refused.requested,
            refused.max
        ),
        ("tpm", 90, 90, 100)
    );
    // The refused request was counted by neither limit.
    let _kept = gate.admit(&small).unwrap();
    assert_eq!(
        gate.usage(&[("agent", "a")])
            .iter()
            .map(|usage| usage.used)
            .collect::<Vec<_>>(),
        [2, 100]
    );
}

#[test]
fn the_binding_limit_has_the_longest_wait_and_ties_go_to_the_first() {
    let (gate, _clock) = gate(TWO);
    let request = Request::new().with("agent", "a").input_tokens(50);
    let _one = gate.admit(&request).unwrap();
    let _two = gate.admit(&request).unwrap();
    // Both are spent: half a minute for a request, half a minute for 50 tokens.
    let refused = limited(gate.admit(&request));
    assert_eq!(
        (&*refused.limit, refused.retry_after),
        ("rpm", Some(Duration::from_secs(30)))
    );
    let refused = limited(gate.admit(&request.clone().input_tokens(51)));
    assert_eq!(
        (&*refused.limit, refused.retry_after),
        ("tpm", Some(Duration::from_millis(30_600)))
    );
    // What can never fit is longest.
    let refused = limited(gate.admit(&request.clone().input_tokens(101)));
    assert_eq!(
        (&*refused.limit, refused.retry_after, refused.never_fits),
        ("tpm", None, true)
    );
}

#[test]
fn retry_after_is_the_least_wait() {
    let (gate, clock) = gate(TWO);
    let request = Request::new().with("agent", "a").input_tokens(33);
    while gate.admit(&request).map(drop).is_ok() {}
    let wait = limited(gate.admit(&request)).retry_after.unwrap();
    clock.advance(wait - Duration::from_nanos(1));
    assert!(gate.admit(&request).is_err());
    clock.advance(Duration::from_nanos(1));
    assert!(gate.admit(&request).is_ok());
}

#[test]
fn a_request_without_a_scope_is_an_error_and_never_pooled() {
    let (gate, _clock) = gate(TWO);
    let error = gate.admit(&Request::new().with("Agent", "a")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "limit `rpm` counts by `agent`, and the request has no value for it"
    );
    assert_eq!(gate.accounts(), 0);
}

#[test]
fn scope_values_are_opaque() {
    let (gate, _clock) = gate(
        "[[limit]]\nname = \"l\"\nby = [\"a\", \"b\"]\nunit = \"requests\"\nmax = 1\nper = \"1h\"",
    );
    for (a, b) in [
        ("x:", "y"),
        ("x", ":y"),
        ("", "x:y"),
        ("x:y", ""),
        ("x\0", "y"),
        ("x", "\0y"),
    ] {
        assert!(
            gate.admit(&Request::new().with("a", a).with("b", b))
                .is_ok(),
            "{a:?} {b:?}"
        );
    }
    assert_eq!(gate.accounts(), 6);
}

#[test]
fn settling_gives_back_the_surplus_and_charges_the_debt() {
    let (gate, _clock) = gate(TWO);
    let used = |gate: &Gate| gate.usage(&[("agent", "a")])[1].used;
    let request = Request::new()
        .with("agent", "a")
        .input_tokens(10)
        .output_tokens(50);
    gate.admit(&request).unwrap().settle(tokens(10, 5));
    assert_eq!(used(&gate), 15);
    gate.admit(&request).unwrap().settle(tokens(10, 190));
    assert_eq!(
        used(&gate),
        215,
        "units used beyond the estimate are spent, and nothing is clamped"
    );
    let refused = limited(gate.admit(&request.clone().output_tokens(0)));
    // Refill pays the debt first: 125 of 100 a minute.
    assert_eq!(
        (&*refused.limit, refused.retry_after),
        ("tpm", Some(Duration::from_secs(75)))
    );
}

#[test]
fn released_reservations_were_never_there_and_extensions_ask() {
    let (gate, _clock) = gate(TWO);
    let used = |gate: &Gate| {
        gate.usage(&[("agent", "a")])
            .iter()
            .map(|usage| usage.used)
            .collect::<Vec<_>>()
    };
    let request = Request::new().with("agent", "a").input_tokens(60);
    let mut reservation = gate.admit(&request).unwrap();
    reservation.extend(tokens(0, 30)).unwrap();
    assert_eq!(used(&gate), [1, 90]);
    let refused = reservation.extend(tokens(0, 11)).unwrap_err();
    assert_eq!(refused.limited().unwrap().limit.as_ref(), "tpm");
    assert_eq!(
        (used(&gate), reservation.estimate().output_tokens),
        (vec![1, 90], 30)
    );
    reservation.release();
    assert_eq!(used(&gate), [0, 0]);
}

/// Millionths of a dollar used to be told as so many "usd".
#[test]
fn refusals_tell_money_in_dollars() {
    let (gate, _clock) =
        gate("[[limit]]\nname = 'budget'\nunit = 'usd'\nmax = 2.5\nalgorithm = 'lifetime'\n");
    let _held = gate.admit(&Request::new().micro_usd(2_250_001)).unwrap();
    let refusal = gate.admit(&Request::new().micro_usd(300_000)).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "limit `budget` is reached: $2.250001 used, $0.30 requested, $2.50 allowed, and time alone brings none back"
    );
}

#[test]
fn each_limit_gives_back_of_its_own_extensions() {
    let (gate, _clock) = gate(
        r#"
        [[limit]]
        name = "in"
        unit = "input_tokens"
        max = 100
        algorithm = "lifetime"
        [[limit]]
        name = "out"
        unit = "output_tokens"
        max = 100
        algorithm = "lifetime"
        on_drop = "release"
        "#,
    );
    let used = |gate: &Gate| {
        let usage = gate.usage(&[]);
        usage.iter().map(|usage| usage.used).collect::<Vec<_>>()
    };
    let extended = || {
        let request = Request::new().input_tokens(10).output_tokens(20);
        let mut reservation = gate.admit(&request).unwrap();
        for more in [tokens(5, 0), tokens(0, 7), tokens(1, 1)] {
            reservation.extend(more).unwrap();
        }
        reservation
    };
    let reservation = extended();
    assert_eq!(used(&gate), [16, 28]);
    reservation.settle(tokens(12, 3));
    assert_eq!(used(&gate), [12, 3]);
    extended().settle(tokens(30, 25));
    assert_eq!(used(&gate), [42, 28]);
    drop(extended());
    assert_eq!(used(&gate), [58, 28]);
    extended().release();
    assert_eq!(used(&gate), [58, 28]);
}

#[test]
fn a_dropped_reservation_does_what_its_limits_declare() {
    let (gate, _clock) = gate(
        r#"
        [[limit]]
        name = "kept"
        unit = "requests"
        max = 5
        per = "1h"

        [[limit]]
        name = "released"
        unit = "requests"
        max = 5
        per = "1h"
        on_drop = "release"

        [[limit]]
        name = "open"
        unit = "requests"
        max = 5
        algorithm = "concurrency"
        "#,
    );
    drop(gate.admit(&Request::new()).unwrap());
    assert_eq!(
        gate.usage(&[])
            .iter()
            .map(|usage| usage.used)
            .collect::<Vec<_>>(),
        [1, 0, 0]
    );
}

#[test]
fn overrides_and_priority_classes() {
    let (gate, _clock) = gate(
        r#"
        [[limit]]
        name = "rpm"
        by = ["agent"]
        unit = "requests"
        max = 3
        per = "1h"

        [[override]]
        limit = "rpm"
        where = { agent = "premium" }
        max = 10

        [[override]]
        limit = "rpm"
        where = { agent = "blocked" }
        max = 0

        [[priority]]
        name = "batch"
        share = 0.5
        "#,
    );
    let admitted = |agent: &str, class: Option<&str>| {
        let request = Request::new().with("agent", agent);
        let request = class
            .iter()
            .fold(request, |request, class| request.class(class));
        (0..20)
            .take_while(|_| gate.admit(&request).map(drop).is_ok())
            .count()
    };
    assert_eq!(admitted("a", Some("batch")), 1, "half of three rounds down");
    assert_eq!(admitted("a", None), 2);
    assert_eq!(admitted("premium", Some("batch")), 5);
    assert_eq!(admitted("premium", None), 5);
    assert_eq!(admitted("blocked", None), 0);
    let refused = limited(gate.admit(&Request::new().with("agent", "blocked")));
    assert_eq!((refused.max, refused.never_fits), (0, true));
    let unknown = gate
        .admit(&Request::new().with("agent", "a").class("gold"))
        .unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "the policy has no priority class `gold`"
    );
}

#[test]
fn when_must_match_and_shadow_never_refuses() {
    let (gate, _clock) = gate(
        r#"
        [[limit]]
        name = "gpt-4o"
        unit = "requests"
        max = 1
        per = "1h"
        when = { model = "gpt-4o*" }

        [[limit]]
        name = "shadow"
        unit = "requests"
        max = 2
        per = "1h"
        mode = "shadow"
        "#,
    );
    let model = |model| Request::new().with("model", model);
    assert!(gate.admit(&model("gpt-4o-mini")).is_ok());
    assert!(gate.admit(&model("gpt-4o")).is_err());
    for _ in 0..5 {
        assert!(gate.admit(&model("GPT-4o")).is_ok() && gate.admit(&Request::new()).is_ok());
    }
    assert_eq!(
        gate.usage(&[])[1].used,
        2,
        "a shadow counts what it would have admitted"
    );
}

#[test]
fn thresholds_are_told_once_a_crossing() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    let policy = "[[limit]]\nname = \"day\"\nunit = \"tokens\"\nmax = 100\nper = \"day\"\nalgorithm = \"calendar\"\nwarn_at = [0.5, 0.9]";
    let gate = Gate::builder()
        .clock(ManualClock::new())
        .on_crossing(move |crossing: &Crossing| {
            tell.lock()
                .unwrap()
                .push((crossing.share.to_string(), crossing.used))
        })
        .build(policy)
        .unwrap();
    for _ in 0..10 {
        let _kept = gate.admit(&Request::new().input_tokens(10)).unwrap();
    }
    assert_eq!(
        *told.lock().unwrap(),
        [("50%".to_owned(), 50), ("90%".to_owned(), 90)]
    );
    assert_eq!(gate.status(&[]), StatusLevel::Critical);
}

#[test]
fn a_reload_keeps_committed_units() {
    let (gate, clock) = gate(TWO);
    let request = Request::new().with("agent", "a").input_tokens(30);
    let open = gate.admit(&request).unwrap();
    let reload = gate
        .reload(
            &TWO.replace("max = 100", "max = 200")
                .replace("max = 2\n", "max = 9\n"),
        )
        .unwrap();
    assert_eq!(reload.kept.len(), 2);
    let usage = gate.usage(&[("agent", "a")]);
    assert_eq!(
        (usage[0].used, usage[0].max, usage[1].used, usage[1].max),
        (1, Some(9), 30, Some(200))
    );
    assert_eq!(
        limited(gate.admit(&request.clone().input_tokens(171))).used,
        30
    );
    open.settle(tokens(80, 0));
    assert_eq!(
        gate.usage(&[("agent", "a")])[1].used,
        80,
        "a debt goes to the account in force"
    );
    clock.advance(Duration::from_secs(12));
    assert_eq!(gate.usage(&[("agent", "a")])[1].used, 40);

    let bad = gate.reload("[[limit]]\nname = 3").unwrap_err();
    assert!(
        bad.to_string()
            .contains("line 2, column 8: `name` must be text in quotes"),
        "{bad}"
    );
    assert_eq!(
        gate.usage(&[("agent", "a")])[1].max,
        Some(200),
        "a bad file changes nothing"
    );

    let reload = gate
        .reload(
            &TWO.replace("unit = \"tokens\"", "unit = \"input_tokens\"")
                .replace("rpm", "rate"),
        )
        .unwrap();
    let names = |list: &[Arc<str>]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        (
            names(&reload.fresh),
            names(&reload.added),
            names(&reload.removed)
        ),
        (vec!["tpm".into()], vec!["rate".into()], vec!["rpm".into()])
    );
    assert_eq!(gate.usage(&[("agent", "a")])[1].used, 0);
}

#[test]
fn accounts_are_bounded_and_evicted_only_at_rest() {
    let (gate, clock) = gate(&format!("max_accounts = 3\n{TWO}").replace(
        "\n\n    [[limit]]\n    name = \"tpm\"",
        "\n[[limit]]\nname = \"tpm\"\nmode = \"off\"",
    ));
    let agents = ["a", "b", "c"];
    for agent in agents {
        let _kept = gate.admit(&Request::new().with("agent", agent)).unwrap();
    }
    let refused = gate.admit(&Request::new().with("agent", "d")).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "limit `rpm` has a new account for this request, but `max_accounts = 3` are in use"
    );
    assert!(
        gate.admit(&Request::new().with("agent", "a")).is_ok(),
        "those that exist go on"
    );
    // After half a minute two of them are whole again, but not yet for a second.
    clock.advance(Duration::from_secs(30));
    assert!(gate.admit(&Request::new().with("agent", "d")).is_err());
    clock.advance(Duration::from_secs(1));
    assert!(gate.admit(&Request::new().with("agent", "d")).is_ok());
    assert_eq!(gate.accounts(), 3);
}

/// Each account used to be evicted for the next one of the same request, and looked up again, for ever.
#[test]
fn a_request_that_needs_more_accounts_than_there_may_be_is_refused() {
    let (gate, clock) = gate(&format!("max_accounts = 1\n{TWO}"));
    for _ in 0..3 {
        let refused = gate.admit(&Request::new().with("agent", "a")).unwrap_err();
        assert!(
            matches!(
                refused,
                Refusal::TooManyAccounts {
                    max_accounts: 1,
                    ..
                }
            ),
            "{refused}"
        );
        clock.advance(Duration::from_secs(100));
    }
    assert_eq!(gate.accounts(), 1);
}

/// An account used to change at its next use only, and until then its backlog drained at the old rate.
#[test]
fn a_reload_changes_the_rate_of_idle_accounts_too() {
    let policy = |max| {
        format!(
            "[[limit]]\nname = \"l\"\nunit = \"tokens\"\nmax = {max}\nper = \"1s\"\ncapacity = 100"
        )
    };
    let (gate, _clock) = gate(&policy(100));
    let all = Request::new().input_tokens(100);
    let _kept = gate.admit_at(&all, Nanos(0), Wall(0)).unwrap();
    gate.reload_at(&policy(1), Nanos(0), Wall(0)).unwrap();
    let refused = limited(gate.admit_at(&all, Nanos::from_secs(1), Wall(0)));
    assert_eq!(refused.retry_after, Some(Duration::from_secs(99)));
}

/// A number of a limit that was gone used to be given to a new one, which could find a meter of another algorithm.
#[test]
fn a_new_limit_never_finds_accounts_of_one_that_is_gone() {
    let rate = "[[limit]]\nname = \"y\"\nunit = \"requests\"\nmax = 1000\nper = \"1s\"\n";
    let life = "[[limit]]\nname = \"z\"\nunit = \"requests\"\nmax = 5\nalgorithm = \"lifetime\"\n";
    let other = "[[limit]]\nname = \"x\"\nunit = \"requests\"\nmax = 1000000\nper = \"1s\"\n";
    let (gate, _clock) = gate(&format!("{other}{rate}"));
    let _kept = gate.admit(&Request::new()).unwrap();
    gate.reload(other).unwrap();
    gate.reload(&format!("{other}{life}")).unwrap();
    assert_eq!(
        (0..1_000)
            .filter(|_| gate.admit(&Request::new()).map(drop).is_ok())
            .count(),
        5
    );
}

/// A reload that changed only `refund` used to change nothing.
#[test]
fn a_reload_changes_the_refund_rule() {
    let policy = |refund| {
        format!(
            "[[limit]]\nname = \"l\"\nunit = \"tokens\"\nmax = 100\nper = \"100s\"\nrefund = \"{refund}\""
        )
    };
    let (gate, clock) = gate(&policy("eager"));
    gate.reload(&policy("exact")).unwrap();
    let early = gate.admit(&Request::new().input_tokens(50)).unwrap();
    clock.advance(Duration::from_secs(60));
    let _late = gate.admit(&Request::new().input_tokens(60)).unwrap();
    early.settle(tokens(0, 0));
    assert_eq!(
        gate.usage(&[])[0].used,
        60,
        "the early charge was refilled before the late one came"
    );
}

/// Keys of accounts that a reload had removed used to count as tries at evicting one.
#[test]
fn accounts_that_a_reload_removed_take_no_room() {
    let policy = |name| {
        format!(
            "max_accounts = 200\n[[limit]]\nname = \"{name}\"\nby = [\"agent\"]\nunit = \"requests\"\nmax = 1\nper = \"1s\""
        )
    };
    let (gate, clock) = gate(&policy("one"));
    let fill = |from: usize| {
        (from..from + 200)
            .filter(|agent| {
                gate.admit(&Request::new().with("agent", &agent.to_string()))
                    .is_ok()
            })
            .count()
    };
    assert_eq!(fill(0), 200);
    gate.reload(&policy("two")).unwrap();
    assert_eq!(fill(0), 200);
    clock.advance(Duration::from_secs(10));
    assert_eq!(fill(1_000), 200);
}

/// An account at rest used to be evicted at once, and a caller with an older `now` found a second capacity.
#[test]
fn an_old_now_finds_no_second_capacity_after_an_eviction() {
    let (gate, _clock) = gate(
        "max_accounts = 1\n[[limit]]\nname = \"l\"\nby = [\"agent\"]\nunit = \"requests\"\nmax = 5\nper = \"1s\"",
    );
    let ask = |agent, now| {
        gate.admit_at(&Request::new().with("agent", agent), Nanos(now), Wall(0))
            .map(drop)
            .is_ok()
    };
    assert_eq!((0..6).filter(|_| ask("x", 0)).count(), 5);
    assert!(!ask("y", SECOND), "it was at rest for no time");
    assert!(!ask("y", 2 * SECOND - 1) && ask("y", 2 * SECOND));
    // However old: until the instant as of which the other account was at rest, a new one admits nobody.
    assert!(ask("x", 5 * SECOND) && !ask("y", SECOND / 2) && ask("y", 7 * SECOND));
}

#[test]
fn explain_changes_nothing() {
    let (gate, _clock) = gate(TWO);
    let request = Request::new().with("agent", "a").input_tokens(101);
    let explained = gate.explain(&request);
    assert!(matches!(
        explained[0].verdict,
        Verdict::Admits {
            used: 0,
            requested: 1,
            max: Some(2)
        }
    ));
    assert!(matches!(&explained[1].verdict, Verdict::Refuses(limited) if limited.never_fits));
    assert!(matches!(
        gate.explain(&Request::new())[0].verdict,
        Verdict::Invalid(Refusal::MissingScope { .. })
    ));
    assert_eq!(gate.accounts(), 0);
}

/// A value of 10 MB was admitted, and made a ledger of 67 MB.
#[test]
fn values_that_are_too_long_for_an_account_are_refused_before_anything_is_charged() {
    let (gate, _clock) = gate(
        "[[limit]]\nname = \"all\"\nunit = \"requests\"\nmax = 9\nper = \"1h\"\n\
         [[limit]]\nname = \"l\"\nby = [\"agent\", \"model\"]\nunit = \"requests\"\nmax = 9\nper = \"1h\"",
    );
    let most = Request::SCOPES_BYTES_MAX;
    let (agent, model) = ("a".repeat(most / 4), "m".repeat(most - most / 4));
    let (long, too_long) = ("x".repeat(1 << 20), format!("{model}m"));
    let request = Request::new().with("agent", &agent);
    // What no limit counts by may be of any length.
    let fits = request.clone().with("model", &model).with("trace", &long);
    gate.admit(&fits).unwrap().settle(Usage::default());
    let too_long = request.with("model", &too_long);
    let refused = gate.admit(&too_long).unwrap_err();
    assert_eq!(
        refused,
        Refusal::ScopesTooLong {
            limit: "l".into(),
            scope: "model".into(),
            bytes: most - most / 4 + 1,
            bytes_max: most,
        }
    );
    let told = refused.to_string();
    assert!(told.contains("`model`") && told.contains("4096"), "{told}");
    assert!(matches!(
        &gate.explain(&too_long)[1].verdict,
        Verdict::Invalid(Refusal::ScopesTooLong { .. })
    ));
    assert_eq!(gate.accounts(), 2);
    assert_eq!(gate.usage(&[])[0].used, 1, "nothing was charged");
}

#[test]
fn reset_forgets_all_accounts_of_a_scope() {
    let (gate, _clock) = gate(
        "[[limit]]\nname = \"l\"\nby = [\"agent\", \"model\"]\nunit = \"requests\"\nmax = 1\nper = \"1h\"",
    );
    let request = |agent, model| Request::new().with("agent", agent).with("model", model);
    for (agent, model) in [("a", "m"), ("a", "n"), ("b", "m")] {
        assert!(gate.admit(&request(agent, model)).is_ok());
    }
    assert_eq!(gate.reset(&[("agent", "a")]), 2);
    assert!(gate.admit(&request("a", "m")).is_ok() && gate.admit(&request("a", "n")).is_ok());
    assert!(gate.admit(&request("b", "m")).is_err());
}

/// Counts how often it is woken.
#[derive(Debug, Default)]
struct Woken(AtomicU64);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

#[test]
fn nobody_in_line_is_woken_by_a_settlement_that_brings_nothing_back() {
    let (gate, _clock) =
        gate("[[limit]]\nname = \"tpd\"\nunit = \"tokens\"\nmax = 10\nper = \"1d\"");
    let all = Request::new().input_tokens(10);
    let forgotten = gate.admit(&all).unwrap();
    assert_eq!(gate.reset(&[]), 1);
    let open = gate.admit(&all).unwrap();

    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let place = gate
        .stand_in_line(&all, Duration::from_secs(86_400))
        .unwrap();
    let answer = place.poll(&all, &waker).unwrap();
    assert!(matches!(answer, Waiting::Until(_)), "{answer:?}");
    forgotten.settle(tokens(0, 0));
    assert_eq!(woken.0.load(SeqCst), 0, "its units went with the reset");
    open.settle(tokens(0, 0));
    assert_eq!(woken.0.load(SeqCst), 1);
    let answer = place.poll(&all, &waker).unwrap();
    assert!(matches!(answer, Waiting::Admitted(_)), "{answer:?}");
}

/// A reset used to allow as many again while the first were still open.
#[test]
fn reset_leaves_open_requests_their_places() {
    let (gate, _clock) = gate(
        "[[limit]]\nname = \"open\"\nunit = \"requests\"\nmax = 2\nalgorithm = \"concurrency\"\n\
         [[limit]]\nname = \"ever\"\nunit = \"requests\"\nmax = 2\nalgorithm = \"lifetime\"",
    );
    let request = Request::new();
    let open = [(); 2].map(|()| gate.admit(&request).unwrap());
    assert_eq!(gate.reset(&[]), 2);
    assert_eq!(&*limited(gate.admit(&request)).limit, "open");
    let [first, second] = open;
    first.release();
    let third = gate.admit(&request).unwrap();
    assert_eq!(&*limited(gate.admit(&request)).limit, "open");
    for reservation in [second, third] {
        reservation.release();
    }
    assert_eq!(gate.usage(&[])[0].used, 0, "each closed once");
}

/// A call that used more than any rate refills in a lifetime: the wait is told as far as 64 bits of nanoseconds go, 584
/// years, and the debt is kept for longer than any process lives.
#[test]
fn debt_of_centuries_is_told_and_forgiven_by_a_reset() {
    for (max, per) in [(60, "1m"), (u64::from(u32::MAX), "1s"), (1, "30d")] {
        let (gate, _clock) = gate(&format!(
            "[[limit]]\nname = \"l\"\nunit = \"tokens\"\nmax = {max}\nper = \"{per}\""
        ));
        let request = Request::new().input_tokens(1);
        let admit = |secs| gate.admit_at(&request, Nanos::from_secs(secs), Wall::default());
        let all = Usage {
            input_tokens: u64::MAX,
            output_tokens: u64::MAX,
            ..Usage::default()
        };
        let first = admit(5).unwrap();
        let second = (max > 1).then(|| admit(5).unwrap());
        first.settle_at(all, Nanos::from_secs(5), Wall::default());
        let refused = limited(admit(5));
        let years = |years: u64| Duration::from_secs(years * 365 * 86_400);
        let wait = refused.retry_after.expect("it is told");
        assert!((years(30)..years(585)).contains(&wait), "{wait:?}");
        assert!(refused.used > max && !refused.never_fits);
        assert!(admit(5).unwrap_err().to_string().contains("retry after"));
        // More of it, and what comes back of a charge before it.
        second.into_iter().for_each(|second| {
            second.settle_at(all, Nanos::from_secs(6), Wall::default());
        });
        assert!(admit(20 * 365 * 86_400).is_err());
        assert_eq!(gate.reset(&[]), 1);
        assert!(admit(6).is_ok());
    }
}

#[test]
fn calendar_quotas_come_back_at_the_period_and_not_before() {
    let (gate, _clock) = gate(
        "[[limit]]\nname = \"day\"\nunit = \"usd\"\nmax = 1.5\nper = \"day\"\nalgorithm = \"calendar\"",
    );
    let request = Request::new().micro_usd(1_000_000);
    let day = Wall::from_secs(86_400 * 20_000);
    let at = |secs| {
        (
            Nanos::from_secs(secs),
            Wall(day.0 + i64::try_from(secs * SECOND).unwrap()),
        )
    };
    let (now, wall) = at(10);
    gate.admit_at(&request, now, wall).unwrap().settle_at(
        Usage {
            micro_usd: 1_000_000,
            ..Usage::default()
        },
        now,
        wall,
    );
    let refused = limited(gate.admit_at(&request, now, wall));
    assert_eq!(
        (refused.used, refused.retry_after),
        (1_000_000, Some(Duration::from_secs(86_390)))
    );
    let (now, wall) = at(86_400);
    assert!(gate.admit_at(&request, now, wall).is_ok());
}

/// An extension went by the maximum under which its request had been admitted, where a reload had lowered it without
/// putting another meter in place.
#[test]
fn an_extension_after_a_reload_asks_the_new_maximum() {
    for algorithm in ["gcra", "window", "log", "fixed", "lifetime"] {
        let per = if algorithm == "lifetime" {
            ""
        } else {
            "per = \"1h\""
        };
        let policy = |max: u64| {
            format!(
                "[[limit]]\nname = \"l\"\nunit = \"tokens\"\nmax = {max}\n{per}\nalgorithm = \"{algorithm}\"\n"
            )
        };
        let gate = Gate::builder()
            .clock(ManualClock::new())
            .build(&policy(20))
            .unwrap();
        let mut reservation = gate.admit(&Request::new().input_tokens(5)).unwrap();
        let more = |output_tokens| Usage {
            output_tokens,
            ..Usage::default()
        };
        reservation.extend(more(5)).unwrap();
        gate.reload(&policy(11)).unwrap();
        let refusal = reservation.extend(more(2)).unwrap_err();
        assert_eq!(
            refusal.limited().map(|limited| limited.max),
            Some(11),
            "{algorithm}"
        );
        reservation.extend(more(1)).unwrap();
        gate.reload(&policy(30)).unwrap();
        reservation.extend(more(9)).unwrap();
    }
}
