//! The first law across changes of a live limit: over every interval at most the largest capacity in force there and
//! what the rates give, each for its part of the interval.
#![cfg(not(any(model_loom, model_shuttle)))]

use proptest::{collection::vec, prelude::*};
use std::time::Duration;
use tollgate_core::{Cost, Limit, Limiter, ManualClock, Nanos};

/// Periods of limits here divide this, so that units × this is whole.
const COMMON: i128 = 3_600;

/// A limit with small numbers, so that edges meet.
#[derive(Clone, Copy, Debug)]
struct Plain {
    units: u64,
    period: u64,
    capacity: u64,
}

/// A limit while it was in force. Changes are in order of time; a change that landed after callers of a later `now`
/// lets the limit before it count up to that `now`.
#[derive(Clone, Copy, Debug)]
struct Reign {
    plain: Plain,
    begin: u64,
    end: u64,
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Acquire {
        units: u64,
    },
    Change(Plain),
    /// Waits as long as told, and asks again.
    Patient {
        units: u64,
    },
}

fn plains() -> impl Strategy<Value = Plain> {
    // At most sixteen a nanosecond can be built.
    (
        1..=30_u64,
        prop::sample::select(vec![1_u64, 5, 60, 900, 3_600]),
        1..=15_u64,
    )
        .prop_map(|(units, period, capacity)| Plain {
            units: units.min(16 * period),
            period,
            capacity,
        })
}

fn acts() -> impl Strategy<Value = Vec<(Act, i64)>> {
    let act = prop_oneof![
        6 => (1..=15_u64).prop_map(|units| Act::Acquire { units }),
        2 => (1..=15_u64).prop_map(|units| Act::Patient { units }),
        2 => plains().prop_map(Act::Change),
    ];
    let step = prop_oneof![3 => Just(0_i64), 3 => 0..=8_i64, 1 => 0..=500_i64, 1 => -60..=0_i64];
    vec((act, step), 1..60)
}

fn limit_of(plain: Plain) -> Limit {
    Limit::new(plain.units, Duration::from_nanos(plain.period))
        .expect("a limit")
        .with_capacity(plain.capacity)
}

/// Units that the rates give from `from` to `to`, times `COMMON`: where reigns overlap, the fastest counts.
fn given(reigns: &[Reign], from: u64, to: u64) -> i128 {
    let mut bounds: Vec<u64> = reigns
        .iter()
        .flat_map(|reign| [reign.begin, reign.end])
        .collect();
    bounds.extend([from, to]);
    bounds.retain(|bound| (from..=to).contains(bound));
    bounds.sort_unstable();
    bounds
        .windows(2)
        .map(|part| {
            let rate = reigns
                .iter()
                .filter(|reign| reign.begin <= part[0] && part[1] <= reign.end)
                .map(|reign| {
                    i128::from(reign.plain.units) * (COMMON / i128::from(reign.plain.period))
                })
                .max();
            rate.expect("some limit is always in force") * i128::from(part[1] - part[0])
        })
        .sum()
}

/// Where an interval that starts at `from` is taken to start: a change that lands d after its `now` may add d at the
/// larger of the two rates.
fn start(reigns: &[Reign], from: u64) -> u64 {
    let landing =
        |pair: &[Reign]| (pair[1].begin < from && from <= pair[0].end).then_some(pair[1].begin);
    reigns.windows(2).filter_map(landing).fold(from, u64::min)
}

fn judge(reigns: &[Reign], admitted: &[(u64, u64)]) -> Result<(), TestCaseError> {
    for &(from, _) in admitted {
        for &(to, _) in admitted.iter().filter(|(to, _)| *to >= from) {
            let units: u64 = admitted
                .iter()
                .filter(|(at, _)| (from..=to).contains(at))
                .map(|(_, units)| units)
                .sum();
            let capacity = reigns
                .iter()
                .filter(|reign| reign.begin <= to && from <= reign.end);
            let capacity = capacity
                .map(|reign| i128::from(reign.plain.capacity))
                .max()
                .expect("some limit");
            prop_assert!(
                i128::from(units) * COMMON
                    <= capacity * COMMON + given(reigns, start(reigns, from), to),
                "{units} units from {from} through {to} ns, under {reigns:?}"
            );
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn changes_keep_the_law(first in plains(), acts in acts()) {
        let limiter = Limiter::with_clock(limit_of(first), ManualClock::new()).expect("a limit");
        let mut reigns = vec![Reign { plain: first, begin: 0, end: u64::MAX }];
        let mut admitted = Vec::new();
        let mut now = 1_000_u64;
        for (act, step) in acts {
            now = now.saturating_add_signed(step);
            let (units, patient) = match act {
                Act::Acquire { units } => (units, false),
                Act::Patient { units } => (units, true),
                Act::Change(plain) => {
                    let last = reigns.last_mut().expect("the first limit");
                    let begin = now.max(last.begin);
                    last.end = admitted.iter().map(|(at, _)| *at).fold(begin, u64::max);
                    reigns.push(Reign { plain, begin, end: u64::MAX });
                    limiter.set_limit_at(limit_of(plain), Nanos::new(now)).expect("a limit");
                    continue;
                }
            };
            let cost = Cost::new(units).expect("a cost");
            let Ok(wait) = limiter.peek_at(Nanos::new(now)).wait_time(cost) else { continue };
            if patient && wait > Duration::ZERO {
                let due = Nanos::new(now) + wait;
                prop_assert!(limiter.try_acquire_at(cost, Nanos::new(due.0 - 1)).expect("it fits").is_denied());
                now = due.0;
            }
            let allowed = limiter.try_acquire_at(cost, Nanos::new(now)).expect("it fits").is_allowed();
            prop_assert_eq!(allowed, patient || wait.is_zero());
            if allowed {
                admitted.push((now, units));
            }
        }
        judge(&reigns, &admitted)?;
    }

    /// Whatever limits come between, back at the first one as many units are taken as before, to within one a change
    /// for the rounding of each.
    #[test]
    fn units_survive_any_changes_at_one_instant(first in plains(), others in vec(plains(), 0..6), units in 1..=15_u64) {
        let units = units.min(first.capacity);
        let limiter = Limiter::with_clock(limit_of(first), ManualClock::new()).expect("a limit");
        let taken = limiter.try_acquire(Cost::new(units).expect("a cost")).expect("it fits");
        prop_assert!(taken.is_allowed());
        let before = limiter.peek().reset_after();
        for plain in others.iter().chain([&first]) {
            limiter.set_limit(limit_of(*plain)).expect("a limit");
        }
        prop_assert!(limiter.peek().reset_after() >= before, "nothing is forgotten");
        // A rounding is below one quantum of the limit changed to, and that is at most a unit of it.
        let slack = u64::try_from(others.len() + 1).expect("few");
        let remaining = limiter.peek().remaining();
        prop_assert!((first.capacity - units).saturating_sub(slack) <= remaining && remaining <= first.capacity - units);
    }
}
