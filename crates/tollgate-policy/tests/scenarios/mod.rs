//! Races on one gate, each with what must hold whoever wins. One call is one race: a model checker runs each under
//! every interleaving, plain threads run them many times. The map of accounts is trusted: to a checker each call of it is
//! one step.

#[cfg(not(model_loom))]
pub(crate) mod mixes;
#[path = "../../../../tests/scenarios/parties.rs"]
mod parties;

use parties::{end, go};

use std::{
    sync::Arc,
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    task::{Wake, Waker},
    time::Duration,
};
use tollgate_core::{Clock, Nanos, Wall};
use tollgate_policy::{Gate, Refusal, Request, Usage, Waiting};
use tollgate_sync::thread;

const SECOND: u64 = 1_000_000_000;
/// Long after the start, so that an account unused since then may be evicted.
const NOW: Nanos = Nanos::new(3_600 * SECOND);

/// A clock that stands still, and is no part of the race.
#[derive(Debug)]
struct Frozen;

impl Clock for Frozen {
    fn now(&self) -> Nanos {
        NOW
    }

    fn wall_offset(&self) -> i64 {
        0
    }
}

fn gate(policy: &str) -> Arc<Gate> {
    let builder = Gate::builder().clock(Frozen);
    Arc::new(builder.build(policy).expect("a policy"))
}

/// One limit of requests by agent.
fn limit(name: &str, max: u64, per: &str) -> String {
    format!(
        "[[limit]]\nname = \"{name}\"\nby = [\"agent\"]\nunit = \"requests\"\nmax = {max}\nper = \"{per}\"\n\
         algorithm = \"fixed\"\n"
    )
}

fn by(agent: &str) -> Request<'_> {
    Request::new().with("agent", agent)
}

/// Whether a request of `agent` passes; what it charged is kept.
fn passes(gate: &Gate, agent: &str) -> bool {
    gate.admit(&by(agent)).map(drop).is_ok()
}

fn used(gate: &Gate, agent: &str) -> Vec<u64> {
    let usage = gate.usage(&[("agent", agent)]);
    usage.iter().map(|limit| limit.used).collect()
}

fn count(passed: impl IntoIterator<Item = bool>) -> u64 {
    passed.into_iter().filter(|passed| *passed).count() as u64
}

/// Callers under two limits, the second of which is the tighter: each is charged under both or under none, and exactly
/// the tighter one's max passes.
pub(crate) fn limits_are_charged_all_or_none(callers: usize, tight: u64) {
    let loose = callers as u64;
    let gate = gate(&(limit("loose", loose, "1d") + &limit("tight", tight, "2d")));
    let callers: Vec<_> = (0..callers)
        .map(|_| go(&gate, |gate| passes(gate, "x")))
        .collect();
    let passed = count(callers.into_iter().map(end));
    assert_eq!(passed, tight.min(loose));
    assert_eq!(used(&gate, "x"), [passed, passed]);
}

/// Callers who reserve, ask for more, and settle at what they used: under no limit is anything left of the rest, and a
/// refused extension changes nothing.
pub(crate) fn extensions_are_settled_under_all_limits(callers: u64) {
    let tokens = |name: &str, max: u64| limit(name, max, "1d").replace("requests", "tokens");
    let gate = gate(&(tokens("loose", 4 * callers) + &tokens("tight", 3 * callers - 1)));
    let actual = Usage {
        input_tokens: 1,
        ..Usage::default()
    };
    let callers: Vec<_> = (0..callers)
        .map(|_| {
            go(&gate, move |gate| {
                let mut reservation = gate.admit(&by("x").input_tokens(2)).expect("all fit");
                let extended = reservation.extend(actual).is_ok();
                reservation.settle(actual);
                extended
            })
        })
        .collect();
    let (all, extended) = (callers.len() as u64, count(callers.into_iter().map(end)));
    assert!(extended >= 1, "there was room for one");
    assert_eq!(used(&gate, "x"), [all, all]);
}

/// Units used beyond the estimate, beside an admission: the debt is counted in full, whoever comes first.
pub(crate) fn debt_is_kept_beside_an_admission() {
    let gate = gate(&limit("all", 3, "1d").replace("requests", "tokens"));
    let open = gate.admit(&by("x").input_tokens(2)).expect("it is fresh");
    let settler = thread::spawn(move || {
        open.settle(Usage {
            input_tokens: 5,
            ..Usage::default()
        });
    });
    let admitted = go(&gate, |gate| {
        gate.admit(&by("x").input_tokens(1)).map(drop).is_ok()
    });
    end(settler);
    assert_eq!(used(&gate, "x"), [5 + u64::from(end(admitted))]);
}

/// A request that was admitted before the max changed is settled beyond its estimate beside the next change: its debt is
/// charged once, and what was charged before is not forgotten.
pub(crate) fn debt_is_kept_beside_a_reload() {
    let policy = |max| limit("all", max, "1d").replace("requests", "tokens");
    let gate = gate(&policy(6));
    let open = gate.admit(&by("x").input_tokens(2)).expect("it is fresh");
    gate.reload(&policy(7)).expect("a policy");
    let settler = thread::spawn(move || {
        open.settle(Usage {
            input_tokens: 5,
            ..Usage::default()
        });
    });
    let reloader = go(&gate, move |gate| {
        gate.reload(&policy(8)).expect("a policy");
    });
    end(settler);
    end(reloader);
    assert_eq!(used(&gate, "x"), [5]);
}

/// Callers of one new agent at once: it gets one account, and its limit counts once.
pub(crate) fn a_new_account_is_made_once(callers: usize, max: u64) {
    let gate = gate(&limit("all", max, "1d"));
    let threads: Vec<_> = (0..callers)
        .map(|_| go(&gate, |gate| passes(gate, "x")))
        .collect();
    let passed = count(threads.into_iter().map(end));
    assert_eq!(passed, max.min(callers as u64));
    assert_eq!((used(&gate, "x"), gate.accounts()), (vec![passed], 1));
}

/// Room for one account, which is at rest, and callers of its agent beside one of another agent, who evicts it: whoever
/// has the place in the end, no agent is admitted twice, and each refusal is for want of a place or of units.
pub(crate) fn an_evicted_account_admits_nobody_twice(callers: usize) {
    let gate = gate(&("max_accounts = 1\n".to_owned() + &limit("all", 1, "1h")));
    let early = gate.admit_at(&by("x"), Nanos::new(1), Wall(0));
    assert!(early.is_ok(), "it is fresh");
    let ask = |gate: &Gate, agent: &str| match gate.admit(&by(agent)) {
        Ok(_) => true,
        Err(Refusal::Limited(_) | Refusal::TooManyAccounts { .. }) => false,
        Err(other) => panic!("{other}"),
    };
    let threads: Vec<_> = (0..callers)
        .map(|_| go(&gate, move |gate| ask(gate, "x")))
        .collect();
    let other = go(&gate, move |gate| ask(gate, "y"));
    let own = count(threads.into_iter().map(end));
    let other = u64::from(end(other));
    assert!(own <= 1 && other <= 1, "{own} and {other}");
    assert!(own + other >= 1, "there was a place for one");
    assert!(gate.accounts() <= 1);
}

/// The max is changed by a reload while callers ask: all that passed counts under the new one, and no more passes than
/// the larger of both.
pub(crate) fn a_reload_keeps_the_units(callers: usize, before: u64, after: u64) {
    let gate = gate(&limit("all", before, "1d"));
    let threads: Vec<_> = (0..callers)
        .map(|_| go(&gate, |gate| passes(gate, "x")))
        .collect();
    let reloader = go(&gate, move |gate| {
        gate.reload(&limit("all", after, "1d")).expect("a policy");
    });
    let passed = count(threads.into_iter().map(end));
    end(reloader);
    assert!(passed <= before.max(after), "{passed} passed");
    assert_eq!(used(&gate, "x"), [passed]);
    let more = count((0..4).map(|_| passes(&gate, "x")));
    assert_eq!(more, after.saturating_sub(passed).min(4));
}

/// An account at rest is evicted for another one while a reload changes its max and its owner asks: the owner has the larger
/// max at most, and what it was admitted is not forgotten.
pub(crate) fn a_reload_beside_an_eviction_forgets_nothing(calls: usize) {
    let policy = |max| "max_accounts = 1\n".to_owned() + &limit("all", max, "1h");
    let gate = gate(&policy(1));
    let early = gate.admit_at(&by("x"), Nanos::new(1), Wall(0));
    assert!(early.is_ok(), "it is fresh");
    // Leaves its account at rest in turn, so that the owner may come back.
    let other = go(&gate, |gate| {
        if let Ok(reservation) = gate.admit(&by("y")) {
            reservation.release();
        }
    });
    let reloader = go(&gate, move |gate| {
        gate.reload(&policy(2)).expect("a policy");
    });
    let own = go(&gate, move |gate| {
        count((0..calls).map(|_| passes(gate, "x")))
    });
    let own = end(own);
    end(other);
    end(reloader);
    assert!(gate.accounts() <= 1);
    let more = count((0..3).map(|_| passes(&gate, "x")));
    assert!(own + more <= 2, "{own} and then {more}");
}

/// A threshold is crossed while callers come: it is told once.
pub(crate) fn a_crossing_is_told_once(callers: usize) {
    let told = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let tell = Arc::clone(&told);
    let policy = limit("all", callers as u64, "1d") + "warn_at = [0.5]\n";
    let builder = Gate::builder().clock(Frozen).on_crossing(move |_| {
        tell.fetch_add(1, SeqCst);
    });
    let gate = Arc::new(builder.build(&policy).expect("a policy"));
    let threads: Vec<_> = (0..callers)
        .map(|_| go(&gate, |gate| passes(gate, "x")))
        .collect();
    assert_eq!(count(threads.into_iter().map(end)), callers as u64);
    assert_eq!(told.load(SeqCst), 1);
}

/// Whether somebody was woken. It is no part of the race.
#[derive(Debug, Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, SeqCst);
    }
}

/// A caller enters the line and asks, while the only unit is given back: it gets the unit, or it is told to ask
/// again at once, or it is woken. If it `leaves` then, the unit is there for others.
pub(crate) fn no_wake_is_lost(leaves: bool) {
    let gate = gate(&limit("all", 1, "1d"));
    let open = gate.admit(&by("x")).expect("it is fresh");
    let waiter = go(&gate, move |gate| {
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let request = by("x");
        let place = gate
            .stand_in_line(&request, Duration::from_secs(86_400))
            .expect("there is room in the line");
        match place.poll(&request, &waker).expect("it may wait") {
            Waiting::Admitted(reservation) => {
                reservation.release();
                None
            }
            Waiting::Until(_) if leaves => None,
            Waiting::Until(instant) => Some((place, instant, woken)),
        }
    });
    let giver = thread::spawn(move || open.release());
    end(giver);
    if let Some((place, until, woken)) = end(waiter) {
        assert!(
            until <= NOW || woken.0.load(SeqCst),
            "nobody woke who was in line"
        );
        drop(place);
    }
    assert!(passes(&gate, "x"), "the unit is there");
}
