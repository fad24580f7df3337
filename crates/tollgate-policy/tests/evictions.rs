//! An account that is evicted and made again gives nobody a second allowance, however old the caller's clock.

use proptest::prelude::*;
use std::{collections::HashMap, time::Duration};
use tollgate_core::{ManualClock, Nanos, Wall};
use tollgate_policy::{Gate, Refusal, Request, Usage};

const SECOND: u64 = 1_000_000_000;
const DAY: u64 = 86_400 * SECOND;
const MAX: usize = 5;

/// [`MAX`] tokens a day.
fn policy(algorithm: &str, max_accounts: usize) -> String {
    let per = if algorithm == "calendar" { "day" } else { "1d" };
    format!(
        "max_accounts = {max_accounts}\n[[limit]]\nname = \"l\"\nby = [\"agent\"]\nunit = \"tokens\"\n\
         max = {MAX}\nper = \"{per}\"\nalgorithm = \"{algorithm}\"\n"
    )
}

/// Asks for a token when the clocks stand this far from where they began: the one for rates at nothing, the wall's at a midnight.
fn ask(gate: &Gate, agent: &str, now: u64, wall: u64) -> Result<(), Refusal> {
    let wall = Wall(i64::try_from(20_000 * DAY + wall).unwrap());
    let request = Request::new().with("agent", agent).input_tokens(1);
    gate.admit_at(&request, Nanos(now), wall).map(drop)
}

/// The instant as of which [`evicted`] evicts: the noon of the third day.
const FLOOR: u64 = 2 * DAY + DAY / 2;

/// A gate of which `x` has used up the first day, and has no account any more. There is room for a new one.
fn evicted(algorithm: &str) -> Gate {
    let gate = Gate::from_toml(&policy(algorithm, 1)).unwrap();
    for _ in 0..MAX {
        ask(&gate, "x", SECOND, SECOND).unwrap();
    }
    assert!(ask(&gate, "x", SECOND, SECOND).is_err());
    // An account must have rested for a second.
    let now = FLOOR + SECOND;
    ask(&gate, "y", now, now).unwrap();
    assert!(
        gate.usage(&[("agent", "x")])
            .iter()
            .all(|limit| limit.used == 0)
    );
    gate.reload_at(&policy(algorithm, 9), Nanos(now), Wall(0))
        .unwrap();
    gate
}

/// What a map replaces it keeps for a while, and so it kept the accounts of before a reload, which lead to those of after it:
/// these counted as held, and no new account found a place again.
#[test]
fn a_reload_keeps_no_account_from_eviction() {
    let (before, after) = (
        policy("gcra", 3),
        policy("gcra", 3).replace("max = 5", "max = 6"),
    );
    let gate = Gate::from_toml(&before).unwrap();
    let mut now = SECOND;
    for policy in [&after, &before, &after] {
        for agent in ["a", "b", "c"] {
            ask(&gate, agent, now, now).unwrap();
        }
        gate.reload_at(policy, Nanos(now), Wall(0)).unwrap();
        now += 2 * DAY;
        for agent in ["d", "e", "f"] {
            ask(&gate, agent, now, now).unwrap();
        }
        now += 2 * DAY;
    }
}

/// Each account that the request needs would make room for the next one, and so on for ever.
#[test]
fn a_request_of_more_limits_than_there_are_places_is_refused() {
    let limit = |name| {
        format!("[[limit]]\nname = \"{name}\"\nunit = \"requests\"\nmax = 3\nper = \"1m\"\n")
    };
    for places in 1..4 {
        let limits: String = ["a", "b", "c"].map(limit).concat();
        let gate = Gate::from_toml(&format!("max_accounts = {places}\n{limits}")).unwrap();
        let asked = ask(&gate, "x", SECOND, SECOND);
        assert_eq!(asked.is_ok(), places == 3, "{asked:?}");
        assert_eq!(gate.accounts(), places);
    }
}

/// Somebody waits for an account and leaves: it is in use as long as that, and no longer.
#[test]
fn an_account_whose_line_was_left_is_evicted() {
    let clock = ManualClock::new();
    let gate = Gate::builder().clock(clock.clone());
    let gate = gate.build(&policy("gcra", 1)).unwrap();
    let at = |now: u64, agent: &str| ask(&gate, agent, now, now);
    (0..MAX).for_each(|_| at(0, "x").unwrap());
    let request = Request::new().with("agent", "x").input_tokens(1);
    let place = gate
        .stand_in_line(&request, Duration::from_secs(9 * 86_400))
        .unwrap();
    assert!(matches!(
        at(2 * DAY, "y"),
        Err(Refusal::TooManyAccounts { .. })
    ));
    drop(place);
    at(2 * DAY, "y").unwrap();
}

/// A call may take longer than its charge counts. What it owes in the end, and what it asks for on top, goes by an account of its key
/// though that was evicted and all places are taken.
#[test]
fn a_reservation_of_an_evicted_account_owes_all_the_same() {
    let gate = Gate::from_toml(&policy("gcra", 1)).unwrap();
    let tokens = |input_tokens| Usage {
        input_tokens,
        ..Usage::default()
    };
    let request = Request::new().with("agent", "x").input_tokens(1);
    let open = || gate.admit_at(&request, Nanos(SECOND), Wall(0)).unwrap();
    let (owes, mut asks) = (open(), open());
    let now = 2 * DAY;
    ask(&gate, "y", now, now).unwrap();
    let used = || gate.usage_at(&[("agent", "x")], Nanos(now), Wall(0))[0].used;
    assert_eq!((used(), gate.accounts()), (0, 1));

    let (at, wall) = (Nanos(now), Wall(0));
    asks.extend_at(tokens(2), at, wall).unwrap();
    owes.settle_at(tokens(3), at, wall);
    assert_eq!((used(), gate.accounts()), (4, 2));
    assert!(matches!(
        asks.extend_at(tokens(2), at, wall),
        Err(Refusal::Limited(_))
    ));
    // Both places are in use, and there is one: nobody else comes in.
    assert!(matches!(
        ask(&gate, "z", now, now),
        Err(Refusal::TooManyAccounts { .. })
    ));
    let later = now + 2 * DAY;
    ask(&gate, "z", later, later).unwrap();
    assert_eq!(gate.accounts(), 1);
}

/// Asks for `x` at instants before and from the floor, on the clock that `clocks` sets by it.
fn admits_from_the_floor_only(algorithm: &str, clocks: impl Fn(u64) -> (u64, u64)) {
    let gate = evicted(algorithm);
    let ask = |at| {
        let (now, wall) = clocks(at);
        ask(&gate, "x", now, wall)
    };
    for at in [0, SECOND, DAY - 1, DAY, 2 * DAY, FLOOR - 1] {
        let Err(Refusal::Limited(limited)) = ask(at) else {
            panic!("{algorithm} admits {at} ns from the start, before the eviction");
        };
        assert_eq!(limited.retry_after, Some(Duration::from_nanos(FLOOR - at)));
    }
    assert_eq!((0..9).filter(|_| ask(FLOOR).is_ok()).count(), MAX);
    assert!(ask(FLOOR - 1).is_err());
}

#[test]
fn a_calendar_account_made_again_admits_nobody_before_its_eviction() {
    admits_from_the_floor_only("calendar", |at| (at, at));
}

#[test]
fn what_never_fits_is_told_so_before_the_eviction_as_well() {
    let gate = evicted("calendar");
    let large = Request::new().with("agent", "x").input_tokens(6);
    let Err(Refusal::Limited(limited)) = gate.admit_at(&large, Nanos(0), Wall(0)) else {
        panic!("more than the limit");
    };
    assert_eq!((limited.retry_after, limited.never_fits), (None, true));
}

#[test]
fn a_calendar_account_made_again_goes_by_the_wall_clock_alone() {
    // The other clock is ahead of the eviction, or far behind it.
    admits_from_the_floor_only("calendar", |at| (9 * DAY, at));
    admits_from_the_floor_only("calendar", |at| (0, at));
}

#[test]
fn an_account_of_a_rate_or_window_made_again_admits_nobody_before_its_eviction() {
    for algorithm in ["gcra", "window", "log", "fixed"] {
        admits_from_the_floor_only(algorithm, |at| (at, at));
        // A wall clock that is ahead or set back means nothing to it.
        admits_from_the_floor_only(algorithm, |at| (at, 9 * DAY));
        admits_from_the_floor_only(algorithm, |at| (at, 0));
    }
}

proptest! {
    /// Callers of four agents with clocks of all ages, and room for two accounts: in no day are more than five
    /// tokens of an agent admitted. A request counts in its day, or in the latest before it if that is later.
    #[test]
    fn no_calendar_day_is_spent_twice(
        calls in prop::collection::vec((0_usize..4, 0..6 * DAY, 0..6 * DAY), 1..200),
        in_order in any::<bool>(),
    ) {
        let gate = Gate::from_toml(&policy("calendar", 2)).unwrap();
        let mut calls = calls;
        if in_order {
            // Most clocks run forward; one call in ten is by an old one.
            let walls = calls.iter().map(|call| call.2);
            let mut walls: Vec<_> = walls.collect();
            walls.sort_unstable();
            for (index, (call, wall)) in calls.iter_mut().zip(walls).enumerate() {
                if index % 10 != 9 {
                    call.2 = wall;
                }
            }
        }
        let mut latest = HashMap::new();
        let mut spent = HashMap::new();
        for (agent, now, wall) in calls {
            if ask(&gate, ["a", "b", "c", "d"][agent], now, wall).is_err() {
                continue;
            }
            let day = latest.entry(agent).or_insert(0);
            *day = (wall / DAY).max(*day);
            let spent = spent.entry((agent, *day)).or_insert(0);
            *spent += 1;
            prop_assert!(*spent <= MAX, "agent {} on day {}", agent, day);
        }
    }
}

/// A request found the account of one limit at rest, evicted it for the account of another, and was then refused by a
/// third: the evicted limit was left out where the longest wait was looked for, though it could never have passed.
#[test]
fn a_limit_whose_account_was_evicted_on_the_way_binds_all_the_same() {
    let limit = |name: &str, figures: &str| {
        format!("[[limit]]\nname = \"{name}\"\nunit = \"tokens\"\n{figures}\n")
    };
    let small = "by = [\"agent\"]\nwhen = { kind = \"small\" }\nmax = 1\nper = \"1s\"";
    let wide = "by = [\"agent\"]\nwhen = { model = \"m\" }\nmax = 100\nper = \"1s\"";
    let policy = format!(
        "max_accounts = 3\n{}{}{}",
        limit("small", small),
        limit("wide", wide),
        limit("all", "max = 9\nper = \"1h\"\nalgorithm = \"log\"")
    );
    // Which account is evicted is the map's choice: of two that rest, the one that matters half of the time.
    for round in 0..30 {
        let gate = Gate::from_toml(&policy).unwrap();
        let ask = |agent: &str, kind: &str, model: &str, tokens: u64, now: u64| {
            let request = Request::new()
                .with("agent", agent)
                .with("kind", kind)
                .with("model", model);
            gate.admit_at(&request.input_tokens(tokens), Nanos(now), Wall(0))
                .map(drop)
        };
        ask("x", "small", "", 1, SECOND).unwrap();
        ask("y", "small", "", 1, SECOND).unwrap();
        ask("x", "", "", 7, SECOND).unwrap();
        let refusal = ask("x", "small", "m", 4, 20 * SECOND).unwrap_err();
        let limited = refusal
            .limited()
            .unwrap_or_else(|| panic!("round {round}: {refusal}"));
        assert_eq!(
            (&*limited.limit, limited.never_fits),
            ("small", true),
            "round {round}"
        );
    }
}

/// A caller whose clock is older than the eviction was told to wait until that instant, though others had meanwhile taken
/// all there was then.
#[test]
fn a_wait_until_the_eviction_counts_what_was_taken_since() {
    let gate = evicted("gcra");
    for _ in 0..MAX {
        ask(&gate, "x", FLOOR, FLOOR).unwrap();
    }
    let refusal = ask(&gate, "x", FLOOR - SECOND, FLOOR - SECOND).unwrap_err();
    let wait = refusal.retry_after().unwrap();
    // A fifth of a day after they took it, a token is back.
    assert_eq!(wait, Duration::from_nanos(DAY / 5 + SECOND));
    let later = FLOOR - SECOND + u64::try_from(wait.as_nanos()).unwrap();
    assert!(ask(&gate, "x", later - 1, later - 1).is_err());
    assert!(ask(&gate, "x", later, later).is_ok());
}
