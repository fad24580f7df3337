//! The quick meter against the history lived again.

use super::*;
use crate::limit::RateLimit;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Charge(u64),
    /// Of which charge, counted back from the latest, and how many units.
    Refund(usize, u64),
}

/// Steps with the time from each to the next, which may be negative.
fn histories() -> impl Strategy<Value = Vec<(i64, Step)>> {
    let elapsed = prop_oneof![3 => Just(0_i64), 6 => 0_i64..40, 1 => -30_i64..0, 1 => 100_i64..400];
    let step = prop_oneof![
        3 => (0_u64..12).prop_map(Step::Charge),
        2 => (0_usize..12, 0_u64..12).prop_map(|(back, units)| Step::Refund(back, units)),
    ];
    prop::collection::vec((elapsed, step), 0..50)
}

fn run(
    history: &[(i64, Step)],
    mut charge: impl FnMut(u64, u64) -> Receipt,
    mut each: impl FnMut(u64, Option<(&mut Receipt, u64)>),
) {
    let (mut now, mut receipts) = (500_u64, Vec::new());
    for (elapsed, step) in history {
        now = now.saturating_add_signed(*elapsed);
        match step {
            Step::Charge(cost) => {
                receipts.push(charge(now, *cost));
                each(now, None);
            }
            Step::Refund(back, units) => {
                let index = receipts.len().checked_sub(back + 1);
                if let Some(receipt) = index.and_then(|index| receipts.get_mut(index)) {
                    each(now, Some((receipt, *units)));
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn the_quick_meter_equals_the_history_lived_again(
        units in 0_u64..9,
        period in 0_u64..60,
        quantum in prop_oneof![Just(None), (1_u64..20).prop_map(Some)],
        history in histories(),
    ) {
        let limit = RateLimit::new(units, period, 10);
        let (world, meter) = match quantum {
            None => (IdealWorld::new(limit), IdealMeter::new(limit)),
            Some(per_ns) => (IdealWorld::quantized(limit, per_ns), IdealMeter::quantized(limit, per_ns)),
        };
        let (world, meter) = (std::cell::RefCell::new(world), std::cell::RefCell::new(meter));
        let mut disagreement = None;
        run(
            &history,
            |now, cost| {
                let quick = meter.borrow_mut().charge(now, cost);
                assert_eq!(quick, world.borrow_mut().charge(now, cost));
                quick
            },
            |now, refund| {
                let (mut world, mut meter) = (world.borrow_mut(), meter.borrow_mut());
                if let Some((receipt, units)) = refund {
                    let before = world.tat();
                    let slow = world.refund(now, &mut receipt.clone(), units);
                    let quick = meter.refund(now, receipt, units);
                    let moved = before.parts - world.tat().parts;
                    // Seen from an instant before the old TAT, the world moves by what was given back, or by more
                    // that only an older `now` could tell.
                    if slow != quick || moved < slow.parts {
                        disagreement = Some(format!("refund at {now}: {slow} lived, {quick} quick, {moved} moved"));
                    }
                }
                if world.tat() != meter.tat() {
                    disagreement = Some(format!("at {now}: {} lived, {} quick", world.tat(), meter.tat()));
                }
            },
        );
        prop_assert_eq!(disagreement, None);
    }

    /// With a clock that never steps back, what is given back is all the difference that knowing makes.
    #[test]
    fn a_refund_leaves_the_meter_where_the_truth_would(history in histories(), units in 1_u64..9, period in 1_u64..60) {
        let history: Vec<(i64, Step)> = history.into_iter().map(|(elapsed, step)| (elapsed.max(0), step)).collect();
        let limit = RateLimit::new(units, period, 10);
        let world = std::cell::RefCell::new(IdealWorld::new(limit));
        let mut wrong = None;
        run(
            &history,
            |now, cost| world.borrow_mut().charge(now, cost),
            |now, refund| {
                let mut world = world.borrow_mut();
                if let Some((receipt, units)) = refund {
                    let before = world.backlog(now);
                    let given = world.refund(now, receipt, units);
                    let after = world.backlog(now);
                    if before.parts - after.parts != given.parts {
                        wrong = Some((now, before, after, given));
                    }
                }
            },
        );
        prop_assert_eq!(wrong, None);
    }
}

/// One unit every 10 ns.
fn meter() -> IdealMeter {
    IdealMeter::new(RateLimit::new(1, 10, 100))
}

#[test]
fn a_lone_charge_gets_all_of_its_surplus_back() {
    let mut meter = meter();
    let mut receipt = meter.charge(0, 60);
    assert_eq!(meter.refund(100, &mut receipt, 50).units_floor(), 50);
    assert_eq!(meter.backlog(100).units_ceil(), 0);
    assert_eq!(receipt.kept(), 10);
}

#[test]
fn what_was_refilled_meanwhile_is_not_given_twice() {
    let mut meter = meter();
    let mut receipt = meter.charge(0, 10);
    let _next = meter.charge(100, 10);
    assert_eq!(meter.refund(100, &mut receipt, 10).ns_ceil(), 0);
}

#[test]
fn a_refund_lowers_what_a_later_one_finds() {
    let mut meter = meter();
    let mut first = meter.charge(0, 10);
    let mut second = meter.charge(50, 10);
    let _third = meter.charge(100, 10);
    // The third saw ten units. Five of them would not have been there, had the second been smaller.
    assert_eq!(meter.refund(100, &mut second, 5).units_floor(), 5);
    // The second saw five units; of the first, those five were still there at each charge since.
    assert_eq!(meter.refund(100, &mut first, 10).units_floor(), 5);
}

#[test]
fn a_receipt_gives_back_no_more_than_it_holds() {
    let mut meter = meter();
    let mut receipt = meter.charge(0, 4);
    let _other = meter.charge(0, 20);
    assert_eq!(meter.refund(0, &mut receipt, 3).units_floor(), 3);
    assert_eq!(meter.refund(0, &mut receipt, 3).units_floor(), 1);
    assert_eq!(meter.refund(0, &mut receipt, 3).units_floor(), 0);
    assert_eq!(meter.backlog(0).units_floor(), 20);
}

#[test]
fn amounts_are_rounded_the_way_they_are_named() {
    let mut meter = IdealMeter::new(RateLimit::new(3, 10, 10));
    let _one = meter.charge(0, 1);
    let tat = meter.tat();
    assert_eq!((tat.ns_floor(), tat.ns_ceil()), (3, 4));
    assert_eq!((tat.floor_in(16), tat.ceil_in(16)), (53, 54));
    assert_eq!(meter.backlog(1).units_floor(), 0);
    assert_eq!(meter.backlog(1).units_ceil(), 1);

    let mut rounded = IdealMeter::quantized(RateLimit::new(3, 10, 10), 16);
    let _one = rounded.charge(0, 1);
    assert_eq!(
        rounded.tat().floor_in(16),
        54,
        "10/3 ns are 53.3 quanta, rounded up once"
    );
    assert!(rounded.tat() > tat);
}
