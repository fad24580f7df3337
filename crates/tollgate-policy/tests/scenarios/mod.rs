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
use tollgate_policy::{Gate, Place, Refusal, Request, Reservation, Usage, Waiting};
use tollgate_sync::thread;

const SECOND: u64 = 1_000_000_000;
/// In the second hour, for longer than an account must have rested to be evicted: one that was used in the first hour only may
/// be.
const NOW: Nanos = Nanos::new(3_602 * SECOND);

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

/// One limit of tokens a day by agent.
fn tokens_by(algorithm: &str, max: u64) -> String {
    let policy = limit("all", max, "1d").replace("requests", "tokens");
    policy.replace("fixed", algorithm)
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
/// the tighter one's max passes. It is the one that refuses, though who is refused would wait longer for the other, which has
/// room for all.
pub(crate) fn limits_are_charged_all_or_none(callers: usize, tight: u64) {
    let loose = callers as u64;
    let gate = gate(&(limit("loose", loose, "2d") + &limit("tight", tight, "1d")));
    let ask = |gate: &Gate| match gate.admit(&by("x")) {
        Ok(_) => true,
        Err(refusal) => {
            let limited = refusal.limited().expect("nothing else is scarce");
            assert_eq!(&*limited.limit, "tight");
            false
        }
    };
    let callers: Vec<_> = (0..callers).map(|_| go(&gate, ask)).collect();
    let passed = count(callers.into_iter().map(end));
    assert_eq!(passed, tight.min(loose));
    assert_eq!(used(&gate, "x"), [passed, passed]);
}

/// A limit is full, and a request under it and under another one is refused: it takes nothing of that one, not even for a
/// moment, so a request under that one alone has the last unit.
pub(crate) fn a_refused_request_takes_nothing_from_others() {
    let full = limit("full", 1, "1d") + "when = { kind = \"k\" }\n";
    let gate = gate(&(limit("all", 2, "1d") + &full));
    let under_both = |gate: &Gate| gate.admit(&by("x").with("kind", "k")).map(drop).is_ok();
    assert!(under_both(&gate), "it is fresh");
    let refused = go(&gate, under_both);
    assert!(passes(&gate, "x"), "there is a unit");
    assert!(!end(refused));
    assert_eq!(used(&gate, "x"), [2, 1]);
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
pub(crate) fn debt_is_kept_beside_a_reload(algorithm: &str) {
    let policy = |max| tokens_by(algorithm, max);
    let gate = gate(&policy(6));
    let open = gate.admit(&by("x").input_tokens(2)).expect("it is fresh");
    gate.reload(&policy(7)).expect("a policy");
    let settler = thread::spawn(move || {
        open.settle(Usage {
            input_tokens: 5,
            ..Usage::default()
        });
    });
    let next = policy(8);
    let reloader = go(&gate, move |gate| {
        gate.reload(&next).expect("a policy");
    });
    end(settler);
    end(reloader);
    assert_eq!(used(&gate, "x"), [5]);
}

/// A request that was admitted before the rate or max changed is settled below its estimate beside the next change: what it did not
/// use comes back.
pub(crate) fn a_surplus_comes_back_beside_a_reload(algorithm: &str) {
    let policy = |max| tokens_by(algorithm, max);
    let gate = gate(&policy(6));
    let open = gate.admit(&by("x").input_tokens(4)).expect("it is fresh");
    gate.reload(&policy(7)).expect("a policy");
    let next = policy(8);
    let reloader = go(&gate, move |gate| {
        gate.reload(&next).expect("a policy");
    });
    open.settle(Usage {
        input_tokens: 1,
        ..Usage::default()
    });
    end(reloader);
    assert_eq!(used(&gate, "x"), [1]);
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

/// Callers of one new agent at once, each of whom comes for an agent of its own then, and a place for each of these: all find
/// theirs, and there is none for anybody else.
pub(crate) fn places_are_counted(callers: usize) {
    const AGENTS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
    let places = callers + 1;
    let gate = gate(&(format!("max_accounts = {places}\n") + &limit("all", 9, "1d")));
    let threads: Vec<_> = AGENTS[..callers]
        .iter()
        .map(|own| go(&gate, move |gate| passes(gate, "x") & passes(gate, own)))
        .collect();
    let passed = count(threads.into_iter().map(end));
    assert_eq!((passed, gate.accounts()), (callers as u64, places));
    assert!(is_full_for(&gate, "z"));
}

/// Requests that need more accounts than there is room for: each account is made in the place of the other, until they are
/// refused. Then no account is kept for them, and somebody else finds a place.
pub(crate) fn a_refused_request_keeps_no_account(callers: usize) {
    let second = limit("second", 9, "1d") + "when = { kind = \"k\" }\n";
    let gate = gate(&("max_accounts = 1\n".to_owned() + &limit("first", 9, "1d") + &second));
    let threads: Vec<_> = (1..callers)
        .map(|_| go(&gate, |gate| gate.admit(&by("x").with("kind", "k")).is_ok()))
        .collect();
    assert!(gate.admit(&by("x").with("kind", "k")).is_err());
    assert_eq!(count(threads.into_iter().map(end)), 0);
    assert!(passes(&gate, "y"));
}

const DAY: u64 = 86_400 * SECOND;

/// Whether a request of `agent` passes by clocks that stand at `at`; what it charged is kept.
fn passes_at(gate: &Gate, agent: &str, at: u64) -> bool {
    let wall = Wall(i64::try_from(at).expect("a time of our day"));
    let answer = gate.admit_at(&by(agent), Nanos(at), wall);
    answer.map(drop).is_ok()
}

fn one_a_day(algorithm: &str, places: usize) -> String {
    let per = if algorithm == "calendar" { "day" } else { "1d" };
    format!("max_accounts = {places}\n") + &limit("all", 1, per).replace("fixed", algorithm)
}

/// Two accounts are evicted at once, the one as of much earlier than the other, whose agent had used its unit by then: with a clock
/// as old as that it is admitted nothing, whoever comes first.
pub(crate) fn an_eviction_never_lowers_the_floor(algorithm: &str) {
    let gate = gate(&one_a_day(algorithm, 2));
    assert!(passes_at(&gate, "x", 1));
    gate.admit_at(&by("w"), Nanos(1), Wall(1))
        .expect("it is fresh")
        .release();
    let late = go(&gate, |gate| passes_at(gate, "y", DAY + 2 * SECOND));
    passes_at(&gate, "z", DAY / 2);
    assert!(end(late));
    gate.reload(&one_a_day(algorithm, 9)).expect("a policy");
    assert!(!passes_at(&gate, "x", DAY / 2 + SECOND));
}

/// A caller of a new agent is about to make its account, while the agent comes by another caller, uses its unit, and is evicted as
/// of the next day: by a clock of that day before it gets none.
pub(crate) fn an_evicted_accounts_floor_is_found(algorithm: &str) {
    let gate = gate(&one_a_day(algorithm, 2));
    let old = go(&gate, |gate| passes_at(gate, "x", DAY / 2));
    let first = passes_at(&gate, "x", 1);
    passes_at(&gate, "y", DAY + 2 * SECOND);
    assert!(!(end(old) & first));
}

/// As above, and the agent comes once more, late enough to find the account that the first caller makes, and takes a unit of that: so it
/// is not at rest when its maker looks at it again. Three units of one window are not admitted all the same.
pub(crate) fn a_charge_hides_no_floor() {
    let limit = limit("all", 2, "1d").replace("fixed", "log");
    let gate = gate(&("max_accounts = 2\n".to_owned() + &limit));
    let old = go(&gate, |gate| passes_at(gate, "x", DAY / 2));
    let taken = (0..2).all(|_| passes_at(&gate, "x", DAY / 2));
    passes_at(&gate, "y", 2 * DAY);
    passes_at(&gate, "x", 2 * DAY + SECOND);
    assert!(!(end(old) & taken));
}

/// Room for one account, which is at rest, and callers of its agent beside one of another agent, who evicts it and leaves
/// an account at rest in turn: the agent is admitted its one unit, then or when all have gone, and never another. Nobody is
/// refused for want of a place while there is one, and then all are taken.
pub(crate) fn an_evicted_account_admits_nobody_twice(callers: usize) {
    let gate = gate(&("max_accounts = 1\n".to_owned() + &limit("all", 1, "1h")));
    let early = gate.admit_at(&by("x"), Nanos::new(1), Wall(0));
    assert!(early.is_ok(), "it is fresh");
    drop(early);
    let threads: Vec<_> = (0..callers)
        .map(|_| go(&gate, |gate| asks(gate, "x").map(drop).is_some()))
        .collect();
    let other = go(&gate, |gate| {
        let admitted = asks(gate, "y");
        let is_admitted = admitted.is_some();
        admitted.into_iter().for_each(Reservation::release);
        is_admitted
    });
    let own = count(threads.into_iter().map(end));
    assert!(end(other) || own == 1, "there was a place for one");
    let again = count((0..2).map(|_| passes(&gate, "x")));
    assert_eq!((own + again, gate.accounts()), (1, 1), "{own} in time");
    assert!(is_full_for(&gate, "z"));
}

/// What `agent` is admitted: none for want of units, or of a place among the accounts.
fn asks(gate: &Gate, agent: &str) -> Option<Reservation> {
    match gate.admit(&by(agent)) {
        Ok(reservation) => Some(reservation),
        Err(Refusal::Limited(_) | Refusal::TooManyAccounts { .. }) => None,
        Err(other) => panic!("{other}"),
    }
}

/// Whether there is no place for `agent` among the accounts.
fn is_full_for(gate: &Gate, agent: &str) -> bool {
    matches!(gate.admit(&by(agent)), Err(Refusal::TooManyAccounts { .. }))
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

/// A reload adds a limit while somebody asks: once it has returned, whoever had another policy at hand goes by the new one.
pub(crate) fn a_reload_is_in_force_when_it_returns() {
    let loose = limit("loose", 9, "1d");
    let gate = gate(&loose);
    let both = loose + &limit("tight", 1, "1d");
    let reloader = go(&gate, move |gate| {
        gate.reload(&both).expect("a policy");
    });
    assert!(passes(&gate, "x"));
    end(reloader);
    assert!(!(passes(&gate, "x") & passes(&gate, "x")));
}

/// Reloads at once: an account that was there before goes by the max that is in force in the end, as one that is new does.
pub(crate) fn reloads_take_turns() {
    let gate = gate(&limit("all", 2, "1d"));
    assert!(passes(&gate, "x"));
    let reload = |max| {
        move |gate: &Gate| {
            gate.reload(&limit("all", max, "1d")).expect("a policy");
        }
    };
    let first = go(&gate, reload(3));
    reload(4)(&gate);
    end(first);
    let all = |agent| count((0..5).map(|_| passes(&gate, agent)));
    assert_eq!(1 + all("x"), all("y"));
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

/// Enters a line for `request` and asks: what to do then, unless it was admitted, and whether it was woken.
fn waits(gate: &Gate, request: &Request<'_>) -> Option<(Place, Nanos, Arc<Woken>)> {
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let place = gate
        .stand_in_line(request, Duration::from_secs(86_400))
        .expect("there is room in the line");
    match place.poll(request, &waker).expect("it may wait") {
        Waiting::Admitted(reservation) => {
            reservation.release();
            None
        }
        Waiting::Until(instant) => Some((place, instant, woken)),
    }
}

/// Somebody who waited need not wait any more, and leaves.
fn knows((place, until, woken): (Place, Nanos, Arc<Woken>)) {
    assert!(
        until <= NOW || woken.0.load(SeqCst),
        "nobody woke who was in line"
    );
    drop(place);
}

/// How the only unit is given back.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Back {
    Released,
    Settled,
}

/// A caller enters the line and asks, while the only unit is given back: it gets the unit, or it is told to ask
/// again at once, or it is woken. If it `leaves` then, the unit is there for others.
pub(crate) fn no_wake_is_lost(back: Back, leaves: bool) {
    let gate = gate(&limit("all", 1, "1d").replace("requests", "tokens"));
    let request = || by("x").input_tokens(1);
    let open = gate.admit(&request()).expect("it is fresh");
    let waiter = go(&gate, move |gate| {
        waits(gate, &request()).filter(|_| !leaves)
    });
    let giver = thread::spawn(move || match back {
        Back::Released => open.release(),
        Back::Settled => open.settle(Usage::default()),
    });
    end(giver);
    end(waiter).into_iter().for_each(knows);
    assert!(gate.admit(&request()).is_ok(), "the unit is there");
}

/// A caller enters the line and asks, while a reload sets the max and the share of its class so that it fits: it is admitted, or told
/// to ask again at once, or woken.
pub(crate) fn a_reload_wakes_who_waits(max: u64, share: &str) {
    let policy = |max, share: &str| {
        let class = format!("[[priority]]\nname = \"some\"\nshare = {share}\n");
        tokens_by("fixed", max) + &class
    };
    let gate = gate(&policy(2, "0.5"));
    let request = || by("x").input_tokens(1).class("some");
    let passes = |gate: &Gate| gate.admit(&request()).map(drop).is_ok();
    assert!(passes(&gate), "it is fresh");
    let waiter = go(&gate, move |gate| waits(gate, &request()));
    gate.reload(&policy(max, share)).expect("a policy");
    end(waiter).into_iter().for_each(knows);
    assert!(passes(&gate), "the unit is there");
}
