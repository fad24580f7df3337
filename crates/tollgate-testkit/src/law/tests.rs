//! The fast laws against their word-for-word twins, and planted bugs that they must catch.

use super::*;
use proptest::prelude::*;

fn events() -> impl Strategy<Value = Vec<Event>> {
    let kind = prop_oneof![
        6 => Just(Kind::Admitted),
        1 => Just(Kind::Debt),
        2 => Just(Kind::Closed),
    ];
    let event = (0_u64..60, 0_u64..6, kind).prop_map(|(at, units, kind)| Event { at, units, kind });
    prop::collection::vec(event, 0..40)
}

fn laws() -> impl Strategy<Value = Law> {
    let periods = prop_oneof![
        (1_u64..20, 0_u64..20).prop_map(|(period, phase)| Periods::every(period, phase)),
        prop::collection::vec(0_u64..60, 0..5).prop_map(Periods::between),
    ];
    prop_oneof![
        3 => (0_u64..8, 1_u64..12, 0_u64..20)
            .prop_map(|(units, period, capacity)| Law::Rate(RateLimit::new(units, period, capacity))),
        2 => (0_u64..20, 0_u64..20).prop_map(|(window, max)| Law::Window { window, max }),
        2 => (periods, 0_u64..20).prop_map(|(periods, max)| Law::Periods { periods, max }),
        1 => (0_u64..60).prop_map(|max| Law::Lifetime { max }),
        1 => (0_u64..20).prop_map(|max| Law::Concurrency { max }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn fast_laws_equal_every_interval_summed_anew(law in laws(), events in events(), slack in 0_u64..4) {
        let excess = brute::excess(&law, &events, slack);
        let mut judge = Judge::new(&law, slack);
        in_order(events.clone()).into_iter().for_each(|event| judge.push(event));
        prop_assert_eq!(judge.excess(), excess);
        prop_assert_eq!(judge.verdict().held(), excess == 0);
        prop_assert_eq!(law.check(events, slack).held(), excess == 0);
    }

    #[test]
    fn evidence_sums_what_lies_between_its_ends(law in laws(), events in events()) {
        let sorted = in_order(events);
        if let (Verdict::Broken(evidence), Law::Rate(_) | Law::Window { .. } | Law::Lifetime { .. })
            = (law.check(sorted.clone(), 0), &law)
        {
            let inside: u128 = sorted
                .iter()
                .filter(|event| event.kind != Kind::Closed)
                .filter(|event| (evidence.first..=evidence.last).contains(&event.at))
                .map(|event| u128::from(event.units))
                .sum();
            prop_assert!(evidence.allowed < evidence.units && evidence.units <= inside);
        }
    }

    #[test]
    fn admissions_alone_are_judged_whatever_their_order(law in laws(), events in events(), seed in any::<u64>()) {
        prop_assume!(!matches!(law, Law::Concurrency { .. }));
        let admitted: Vec<Event> = events.into_iter().filter(|event| event.kind == Kind::Admitted).collect();
        let mut shuffled = admitted.clone();
        shuffled.sort_by_key(|event| (event.at ^ seed).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        prop_assert_eq!(law.check(admitted, 0).held(), law.check(shuffled, 0).held());
    }

    #[test]
    fn busiest_window_is_the_largest_of_all_windows(window in 0_u64..20, events in events()) {
        let record: Vec<(u64, u64)> = events.iter().map(|event| (event.at, event.units)).collect();
        let in_window = |start: u64| -> u128 {
            let inside = record.iter().filter(|(at, _)| (start..start + window.max(1)).contains(at));
            inside.map(|(_, units)| u128::from(*units)).sum()
        };
        let largest = (0..60).map(in_window).max();
        let found = busiest(window, record.clone());
        prop_assert_eq!(found.map_or(0, |peak| peak.units), largest.unwrap_or(0));
        if let Some(peak) = found {
            prop_assert_eq!(in_window(peak.start), peak.units);
        }
    }
}

/// An exact bucket, written for this test: what it admits obeys, and one unit more of capacity does not.
fn bucket(limit: RateLimit, arrivals: impl IntoIterator<Item = (u64, u64)>) -> Vec<Event> {
    let (mut tat, mut admitted) = (0_u128, Vec::new());
    for (at, units) in arrivals {
        let now = u128::from(at) * u128::from(limit.units);
        let worth = |units: u64| u128::from(units) * u128::from(limit.period);
        let next = tat.max(now) + worth(units);
        if next <= now + worth(limit.capacity) {
            tat = next;
            admitted.push(Event::admitted(at, units));
        }
    }
    admitted
}

#[test]
fn one_unit_too_much_capacity_is_caught() {
    let limit = RateLimit::new(3, 1_000, 10);
    let arrivals = || (0..5_000).map(|step| (step * 7, 1 + step % 3));
    let law = Law::Rate(limit);
    assert!(law.check(bucket(limit, arrivals()), 0).held());

    let planted = RateLimit {
        capacity: limit.capacity + 1,
        ..limit
    };
    let broken = bucket(planted, arrivals());
    assert_eq!(law.check(broken.clone(), 0).word(), "broken");
    assert_eq!(law.least_slack(broken), 1);
}

#[test]
fn an_interval_rounded_down_is_caught() {
    // Three units in ten nanoseconds are one in 3.33, and one in 3 is too many.
    let limit = RateLimit::new(3, 10, 2);
    let arrivals = || (0..1_000).map(|at| (at, 1));
    let law = Law::Rate(limit);
    assert!(law.check(bucket(limit, arrivals()), 0).held());
    assert!(
        !law.check(bucket(RateLimit::new(1, 3, 2), arrivals()), 0)
            .held()
    );
}

#[test]
fn a_window_that_lets_go_one_nanosecond_early_is_caught() {
    let law = Law::Window {
        window: 100,
        max: 2,
    };
    let held = [0, 0, 100, 100, 200].map(|at| Event::admitted(at, 1));
    assert!(law.check(held, 0).held());
    let early = [0, 0, 99].map(|at| Event::admitted(at, 1));
    let Verdict::Broken(evidence) = law.check(early, 0) else {
        panic!("three in 100 ns were not seen");
    };
    assert_eq!(
        (
            evidence.first,
            evidence.last,
            evidence.units,
            evidence.allowed
        ),
        (0, 99, 3, 2)
    );
}

#[test]
fn debt_is_exempt_and_weighs_on_later_admissions() {
    let law = Law::Rate(RateLimit::new(1, 10, 5));
    let spent = [Event::admitted(0, 5), Event::debt(0, 3)];
    assert!(law.check(spent, 0).held(), "debt is spent, not admitted");

    let with = |at| [spent[0], spent[1], Event::admitted(at, 1)];
    assert!(
        !law.check(with(39), 0).held(),
        "refill has not paid the debt"
    );
    assert!(law.check(with(40), 0).held());
}

#[test]
fn debt_under_an_old_now_counts_from_the_admission_before_it() {
    let law = Law::Rate(RateLimit::new(1, 1, 10));
    let mut events = [Event::admitted(100, 10), Event::debt(99, 5)];
    assert!(
        !law.check(events, 0).held(),
        "judged as if the debt had come first"
    );
    raise_debts(&mut events);
    assert!(law.check(events, 0).held());
    assert_eq!(events[1].at, 100);
}

#[test]
fn a_clock_of_a_calendar_that_was_set_back_counts_as_the_latest() {
    let mut events = [
        Event::admitted(50, 1),
        Event::admitted(49, 1),
        Event::admitted(60, 1),
    ];
    raise_all(&mut events);
    assert_eq!(events.map(|event| event.at), [50, 50, 60]);
}

#[test]
fn closing_makes_room_and_a_hold_too_many_is_caught() {
    let law = Law::Concurrency { max: 2 };
    let turns = [
        Event::admitted(0, 2),
        Event::closed(5, 1),
        Event::admitted(5, 1),
    ];
    assert!(law.check(turns, 0).held());
    let swapped = [turns[0], turns[2], turns[1]];
    assert_eq!(
        law.least_slack(swapped),
        1,
        "it opened before the other closed"
    );
}

#[test]
fn a_stream_out_of_order_is_not_judged() {
    let mut judge = Judge::new(&Law::Lifetime { max: 9 }, 0);
    judge.push(Event::admitted(5, 1));
    judge.push(Event::admitted(4, 1));
    assert_eq!(judge.verdict().word(), "not_checked");

    let mut judge = Judge::new(&Law::Lifetime { max: 0 }, 0);
    judge.push(Event::admitted(5, 1));
    judge.push(Event::admitted(4, 1));
    assert_eq!(judge.verdict().word(), "broken", "a breach stays one");
}

#[test]
fn the_largest_figures_do_not_overflow() {
    let limit = RateLimit::new(u64::MAX, u64::MAX, u64::MAX);
    let full = |at| Event::admitted(at, u64::MAX);
    assert!(
        Law::Rate(limit)
            .check([full(0), full(u64::MAX)], u64::MAX)
            .held()
    );
    assert_eq!(
        Law::Rate(limit).least_slack([full(0), full(0)]),
        u128::from(u64::MAX)
    );
    let forever = Law::Window {
        window: u64::MAX,
        max: u64::MAX,
    };
    assert!(forever.check([full(0), full(u64::MAX)], 0).held());
    assert!(
        !forever
            .check([full(0), Event::admitted(u64::MAX - 1, 1)], 0)
            .held()
    );
}

#[test]
fn zero_allows_nothing() {
    let one = [Event::admitted(7, 1)];
    for law in [
        Law::Rate(RateLimit::new(0, 0, 0)),
        Law::Window { window: 0, max: 0 },
        Law::Lifetime { max: 0 },
        Law::Concurrency { max: 0 },
        Law::Periods {
            periods: Periods::every(0, 0),
            max: 0,
        },
    ] {
        assert!(!law.check(one, 0).held(), "{law:?}");
        assert!(law.check([], 0).held());
    }
}
