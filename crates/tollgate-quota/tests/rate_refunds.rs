//! Refunds of the rate meter against a world that is simulated anew for each of them.
#![cfg(not(any(model_loom, model_shuttle)))]

use proptest::prelude::*;
use std::time::Duration;
use tollgate_core::{Charged, Cost, Limit, Meter, Moment, Nanos, Wall};
use tollgate_quota::{Depth, RateMeter, RateReceipt, RefundRule, Scale};

/// One charge of the slow world: when, and what of it is still charged, in units × period (exact).
#[derive(Clone, Debug)]
struct Known {
    now: u128,
    cost: u128,
}

/// Backlog in units × period: a unit is worth `period`, and `units` of it drain each nanosecond.
struct World {
    units: u128,
    charges: Vec<Known>,
}

impl World {
    /// The backlog that each charge saw, and the TAT after the last, in 1/units ns.
    fn run(&self) -> (Vec<u128>, u128) {
        let mut tat = 0u128;
        let mut seen = Vec::new();
        for charge in &self.charges {
            let now = charge.now * self.units;
            seen.push(tat.saturating_sub(now));
            tat = tat.max(now) + charge.cost;
        }
        (seen, tat)
    }

    fn refund(&mut self, now: u128, of: usize, surplus: u128) -> u128 {
        let (seen, tat) = self.run();
        let backlog = tat.saturating_sub(now * self.units);
        let lowest = seen[of + 1..].iter().copied().min().unwrap_or(u128::MAX);
        let amount = surplus.min(backlog).min(lowest);
        self.charges[of].cost -= amount;
        amount
    }
}

#[derive(Clone, Debug)]
enum Op {
    Charge {
        after: u64,
        cost: u64,
        anyway: bool,
    },
    Refund {
        after: u64,
        which: usize,
        share: u64,
    },
}

fn op(period: u64) -> impl Strategy<Value = Op> {
    let step = prop_oneof![3 => 0..=3u64, 3 => 0..=period / 8, 1 => 0..=period * 2];
    prop_oneof![
        3 => (step.clone(), 1..=40u64, prop::bool::weighted(0.1))
            .prop_map(|(after, cost, anyway)| Op::Charge { after, cost, anyway }),
        2 => (step, any::<prop::sample::Index>(), 0..=4u64)
            .prop_map(|(after, which, share)| Op::Refund { after, which: which.index(1 << 20), share }),
    ]
}

fn at(now: u64) -> Moment {
    Moment::new(Nanos(now), Wall(0))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// While all charges are told apart, every refund leaves the meter exactly where it would be had the actual
    /// cost been known.
    #[test]
    fn refund_equals_the_ideal_world(
        units in 1..=60u64,
        period in 1..=2_000u64,
        capacity in 1..=100u64,
        depth in prop_oneof![Just(Depth::Short), Just(Depth::Long)],
        ops in prop::collection::vec(op(2_000), 1..300),
    ) {
        let limit = Limit::new(units, Duration::from_nanos(period)).unwrap().with_capacity(capacity);
        let meter = RateMeter::new(&limit, depth, RefundRule::Exact).unwrap();
        let mut world = World { units: units.into(), charges: Vec::new() };
        let mut open: Vec<(usize, RateReceipt, u64)> = Vec::new();
        let mut now = 0u64;
        let mut exact = true;
        for op in ops {
            match op {
                Op::Charge { after, cost, anyway } => {
                    now += after;
                    let (_, tat) = world.run();
                    let backlog = tat.saturating_sub(u128::from(now) * u128::from(units));
                    let fits = cost <= capacity
                        && backlog + u128::from(cost * period) <= u128::from(capacity * period);
                    let cost = Cost::new(cost).unwrap();
                    let charged = if anyway {
                        meter.charge_anyway(at(now), cost, capacity)
                    } else {
                        meter.charge(at(now), cost, capacity)
                    };
                    if exact {
                        prop_assert_eq!(charged.is_ok(), fits || anyway);
                    } else {
                        prop_assert!(fits || anyway || charged.is_err());
                    }
                    if let Ok(Charged { receipt, .. }) = charged {
                        open.push((world.charges.len(), receipt, cost.get()));
                        world.charges.push(Known { now: now.into(), cost: u128::from(cost.get() * period) });
                    }
                }
                Op::Refund { after, which, share } => {
                    now += after;
                    if open.is_empty() {
                        continue;
                    }
                    let (of, receipt, cost) = open.swap_remove(which % open.len());
                    let surplus = cost * share / 4;
                    let slots = if depth == Depth::Short { 16 } else { 512 };
                    let told_apart = world.charges.len() - of <= slots - 8;
                    let before = meter.used(at(now));
                    exact &= told_apart;
                    let amount = world.refund(now.into(), of, u128::from(surplus * period));
                    let given = meter.refund(at(now), &receipt, surplus);
                    // A charge after which nothing happened is given back whole: as if it had never been.
                    let whole = surplus == cost && given == surplus;
                    if exact && !whole {
                        prop_assert_eq!(u128::from(given), amount / u128::from(period));
                    }
                    prop_assert!(meter.used(at(now)) <= before);
                }
            }
            let (_, tat) = world.run();
            let backlog = tat.saturating_sub(u128::from(now) * u128::from(units));
            let used = u64::try_from(backlog.div_ceil(u128::from(period))).unwrap();
            if exact {
                prop_assert_eq!(meter.used(at(now)), used);
            } else {
                prop_assert!(meter.used(at(now)) >= used, "less committed than in the ideal world");
            }
        }
    }
}

fn take(meter: &RateMeter, now: u64, units: u64) -> RateReceipt {
    meter
        .charge(at(now), Cost::new(units).unwrap(), u64::MAX >> 1)
        .unwrap()
        .receipt
}

fn slow(capacity: u64) -> RateMeter {
    let limit = Limit::new(1, Duration::from_nanos(10))
        .unwrap()
        .with_capacity(capacity);
    RateMeter::new(&limit, Depth::Short, RefundRule::Exact).unwrap()
}

/// Backing out used to put back the number of the charge too, so that the next charge of that number shared its
/// record, and those before it got back too little.
#[test]
fn a_backed_out_charge_binds_nobody() {
    let meter = slow(100);
    let (one, two) = (take(&meter, 0, 1), take(&meter, 0, 1));
    meter.refund(at(0), &two, 1);
    meter.refund(at(0), &one, 1);
    let _three = take(&meter, 0, 3);
    let four = take(&meter, 0, 20);
    take(&meter, 0, 1);
    assert_eq!(meter.refund(at(0), &four, 15), 15);
}

#[test]
fn a_lone_large_request_gets_its_whole_surplus_back() {
    let meter = slow(100);
    let receipt = take(&meter, 0, 100);
    assert_eq!(meter.refund(at(50), &receipt, 90), 90);
    assert_eq!(meter.used(at(50)), 5);
}

#[test]
fn what_was_refilled_in_between_is_not_given_back() {
    let meter = slow(100);
    let receipt = take(&meter, 0, 10);
    // Whole again at 100; then another comes.
    let _other = take(&meter, 200, 50);
    assert_eq!(meter.refund(at(200), &receipt, 10), 0);
    assert_eq!(meter.used(at(200)), 50);
}

/// Charged 1 of 14 above 13, and released when all had been refilled: the word went back to what it was, and the
/// answer said that a unit had come back though none was committed any more.
#[test]
fn a_refund_does_not_tell_of_units_that_were_refilled_before_it() {
    let meter = slow(14);
    take(&meter, 0, 13);
    let receipt = take(&meter, 0, 1);
    assert_eq!(meter.refund(at(140), &receipt, 1), 0);
    assert_eq!(meter.used(at(0)), 13);

    let meter = slow(14);
    let receipt = take(&meter, 0, 4);
    assert_eq!(meter.refund(at(30), &receipt, 4), 1);
}

#[test]
fn a_reset_forfeits_earlier_receipts() {
    for rule in [RefundRule::Exact, RefundRule::Eager] {
        let limit = Limit::new(1, Duration::from_nanos(10))
            .unwrap()
            .with_capacity(100);
        let meter = RateMeter::new(&limit, Depth::Short, rule).unwrap();
        let receipt = take(&meter, 0, 60);
        meter.reset(at(0));
        let _other = take(&meter, 0, 50);
        assert_eq!(
            (meter.refund(at(0), &receipt, 60), meter.used(at(0))),
            (0, 50)
        );
    }
}

#[test]
fn a_reset_forfeits_what_would_be_handed_on() {
    let limit = Limit::new(1, Duration::from_nanos(10))
        .unwrap()
        .with_capacity(100);
    for rule in [RefundRule::Exact, RefundRule::Eager] {
        let old = RateMeter::new(&limit, Depth::Short, rule).unwrap();
        let receipt = take(&old, 0, 60);
        old.reset(at(0));
        let _other = take(&old, 0, 50);
        let new = RateMeter::pending(Scale::new(&limit).unwrap(), Depth::Short, rule);
        new.take_over(&old, at(0));
        let refunded = new.refund_carried(at(0), old.hand_on(&receipt, 60));
        assert_eq!((refunded.unwrap(), new.used(at(0))), (0, 50));
    }
}

/// Units in `scale`-ths: what is left at `end` of charges by two rates, the second from `change` on, had each charge
/// been of its actual cost.
fn ideal(charges: &[(u64, u128)], rates: [(u64, u64); 2], change: u64, end: u64) -> u128 {
    let scale = u128::from(rates[0].1) * u128::from(rates[1].1);
    let drained = |from: u64, to: u64| {
        let by = |(units, period): (u64, u64), ns: u64| {
            u128::from(units) * (scale / u128::from(period)) * u128::from(ns)
        };
        let (first, second) = (
            from.min(change)..to.min(change),
            from.max(change)..to.max(change),
        );
        by(rates[0], first.end - first.start) + by(rates[1], second.end - second.start)
    };
    let (mut backlog, mut now) = (0u128, 0);
    for &(at, cost) in charges {
        backlog = backlog.saturating_sub(drained(now, at)) + cost * scale;
        now = at;
    }
    backlog.saturating_sub(drained(now, end)).div_ceil(scale)
}

proptest! {
    /// Receipts of a meter are honoured by the one that took over from it, to within a unit of the ideal world, and a quantum of the
    /// new one, which may be a whole unit, for each that is handed on.
    #[test]
    fn a_change_of_the_rate_forfeits_no_refund(
        rates in [(1..=40u64, 1..=500u64), (1..=40u64, 1..=500u64)],
        rounds in prop::collection::vec((0..400u64, 1..=50u64, 0..=4u64), 2..14),
        change_at in 0..14usize,
        order in prop::collection::vec(any::<prop::sample::Index>(), 14),
    ) {
        let capacity = 1 << 20;
        let limit = |(units, period)| {
            Limit::new(units, Duration::from_nanos(period)).unwrap().with_capacity(capacity)
        };
        let old = RateMeter::new(&limit(rates[0]), Depth::Short, RefundRule::Exact).unwrap();
        let scale = Scale::new(&limit(rates[1])).unwrap();
        let new = RateMeter::pending(scale, Depth::Short, RefundRule::Exact);
        let (mut now, mut change) = (0, None);
        let mut charges = Vec::new();
        let mut open = Vec::new();
        let mut handed_on = 0;
        for (place, &(after, cost, share)) in rounds.iter().enumerate() {
            if place == change_at {
                new.take_over(&old, at(now));
                change = Some(now);
            }
            now += after;
            let meter = if change.is_some() { &new } else { &old };
            let cost = Cost::new(cost).unwrap();
            let receipt = meter.charge_anyway(at(now), cost, capacity).unwrap().receipt;
            open.push((charges.len(), change.is_none(), receipt, cost.get() * share / 4));
            charges.push((now, u128::from(cost.get())));
        }
        let change = change.unwrap_or_else(|| {
            new.take_over(&old, at(now));
            now
        });
        for pick in order {
            if open.is_empty() {
                break;
            }
            let (of, is_old, receipt, surplus) = open.swap_remove(pick.index(open.len()));
            charges[of].1 -= u128::from(surplus);
            if is_old {
                let refunded = new.refund_carried(at(now), old.hand_on(&receipt, surplus));
                prop_assert!(refunded.unwrap() <= surplus);
                handed_on += 1;
            } else {
                new.refund(at(now), &receipt, surplus);
            }
            let (used, ideal) = (new.used(at(now)), ideal(&charges, rates, change, now));
            prop_assert!(u128::from(used) >= ideal, "{used} used, {ideal} in the ideal world");
            let most = ideal + 1 + handed_on;
            prop_assert!(u128::from(used) <= most, "{used} used, {ideal} in the ideal world");
        }
    }
}

/// A unit of the new rate is a nanosecond, and so one quantum: no part of a unit comes back of what is handed on.
#[test]
fn what_is_handed_on_is_rounded_down_to_a_quantum_of_the_new_meter() {
    let limit = |units, period| {
        let limit = Limit::new(units, Duration::from_nanos(period)).unwrap();
        limit.with_capacity(1 << 20)
    };
    let meter = || RateMeter::new(&limit(14, 135), Depth::Short, RefundRule::Exact).unwrap();
    let charged = |meter: &RateMeter| {
        [(0, 39), (290, 26), (296, 16), (497, 19), (840, 11)]
            .map(|(now, units)| take(meter, now, units))
    };
    let kept = meter();
    let open = charged(&kept);
    for (receipt, surplus) in [(&open[0], 9), (&open[2], 4)] {
        kept.refund(at(840), receipt, surplus);
    }
    assert_eq!(kept.used(at(840)), 11);

    let old = meter();
    let open = charged(&old);
    let scale = Scale::new(&limit(1, 1)).unwrap();
    let new = RateMeter::pending(scale, Depth::Short, RefundRule::Exact);
    new.take_over(&old, at(840));
    for (receipt, surplus, whole) in [(&open[0], 9, 8), (&open[2], 4, 3)] {
        let refunded = new.refund_carried(at(840), old.hand_on(receipt, surplus));
        assert_eq!(refunded.unwrap(), whole);
    }
    assert_eq!(new.used(at(840)), 13);
}

#[test]
fn receipts_are_handed_on_through_several_changes() {
    let limit = |units| Limit::new(units, Duration::from_secs(3_600)).unwrap();
    let first = RateMeter::new(&limit(100), Depth::Long, RefundRule::Exact).unwrap();
    let receipt = take(&first, 0, 100);
    let pending = |units| {
        let scale = Scale::new(&limit(units)).unwrap();
        RateMeter::pending(scale, Depth::Long, RefundRule::Exact)
    };
    let (second, third) = (pending(101), pending(999));
    second.take_over(&first, at(0));
    third.take_over(&second, at(0));
    let further = second
        .refund_carried(at(0), first.hand_on(&receipt, 100))
        .unwrap_err();
    assert!(third.refund_carried(at(0), further).unwrap() >= 99);
    assert!(third.used(at(0)) <= 1);
    let again = first.hand_on(&receipt, 100);
    let again = second
        .refund_carried(at(0), again)
        .unwrap_or_else(|further| third.refund_carried(at(0), further).unwrap());
    assert_eq!(again, 0, "what was handed on is not handed on again");
}
