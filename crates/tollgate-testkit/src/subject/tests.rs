//! Models stand in for limiters, and planted bugs must be found.

use super::*;
use crate::{
    law::{Law, raise_debts},
    limit::{Periods, RateLimit},
    model::{Gcra, Model, PeriodBudget, SlidingLog, SlottedRing},
    strategy::{Histories, Op, rate_limits, tiny_rate_limits},
};
use proptest::prelude::*;

fn asks(at: impl IntoIterator<Item = u64>) -> Vec<Op> {
    let ask = |at| Op::Acquire { at, cost: 1 };
    at.into_iter().map(ask).collect()
}

fn limits_and_histories() -> impl Strategy<Value = (RateLimit, Vec<Op>)> {
    rate_limits().prop_flat_map(|limit| {
        let histories = Histories {
            refunds: true,
            debts: true,
            steps_max: 30,
            ..Histories::of_rate(limit)
        };
        (Just(limit), histories.ops())
    })
}

fn keeps_the_second_and_third_law<M: Model>(
    model: impl Fn() -> M,
    history: &[Op],
) -> Result<(), Misstep> {
    let fresh = || ModelSubject::new(model());
    waits_are_least(fresh, history)?;
    denials_change_nothing(fresh, history)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_model_agrees_with_itself_and_obeys((limit, history) in limits_and_histories()) {
        let subject = ModelSubject::new(Gcra::new(limit));
        let mut events = check_against(&subject, Gcra::new(limit), history, 0)?;
        raise_debts(&mut events);
        prop_assert!(Law::Rate(limit).check(events, 0).held());
    }

    #[test]
    fn models_keep_the_second_and_third_law((limit, history) in limits_and_histories()) {
        let RateLimit { units, period, capacity } = limit;
        let periods = Periods::every(period, units);
        keeps_the_second_and_third_law(|| Gcra::quantized(limit, 16), &history)?;
        keeps_the_second_and_third_law(|| SlidingLog::new(period, capacity), &history)?;
        keeps_the_second_and_third_law(|| SlottedRing::new(period, 5, units, capacity), &history)?;
        keeps_the_second_and_third_law(|| PeriodBudget::new(periods.clone(), capacity), &history)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    /// The generator reaches what it promises: a unit of capacity too much is found within a few histories.
    #[test]
    fn histories_reach_the_capacity(
        (limit, histories) in tiny_rate_limits().prop_flat_map(|limit| {
            (Just(limit), prop::collection::vec(Histories::of_rate(limit).ops(), 20))
        }),
    ) {
        let planted = RateLimit { capacity: limit.capacity + 1, ..limit };
        let found = histories.into_iter().any(|history| {
            check_against(&ModelSubject::new(Gcra::new(planted)), Gcra::new(limit), history, 0).is_err()
        });
        prop_assert!(found);
    }
}

#[test]
fn a_wait_off_by_more_than_the_tolerance_is_found() {
    let limit = RateLimit::new(1, 10, 1);
    let off_by_two = || {
        let model = ModelSubject::new(Gcra::new(limit));
        move |cost: u64, now: u64| match model.try_acquire_at(cost, now) {
            Answer::Wait(wait) => Answer::Wait(wait + 2),
            answer => answer,
        }
    };
    let check = |tolerance| check_against(&off_by_two(), Gcra::new(limit), asks([0, 3]), tolerance);
    assert!(check(2).is_ok());
    assert_eq!(
        check(1).expect_err("two is more than one").to_string(),
        "step 1 (Acquire { at: 3, cost: 1 }): denied, wait 9 ns, the model says denied, wait 7 ns"
    );
}

#[test]
fn what_a_subject_cannot_do_is_told() {
    let unlimited = |_cost: u64, _now: u64| Answer::Admit;
    let refund = Op::Refund {
        at: 0,
        back: 0,
        surplus: 1,
    };
    let history = [Op::Acquire { at: 0, cost: 1 }, refund];
    let found = check_against(&unlimited, SlidingLog::new(10, 10), history, 0);
    let found = found.expect_err("it knows no refunds");
    assert_eq!((found.step, found.found), (1, None));
    assert_eq!(
        denials_change_nothing(|| unlimited, &history),
        Err(Misstep::Unsupported { step: 1 })
    );
}

#[test]
fn waits_too_long_too_short_or_of_nothing_are_found() {
    let told = |change: fn(u128) -> u128| {
        let fresh = || {
            let model = ModelSubject::new(Gcra::new(RateLimit::new(1, 10, 1)));
            move |cost: u64, now: u64| match model.try_acquire_at(cost, now) {
                Answer::Wait(wait) => Answer::Wait(change(wait)),
                answer => answer,
            }
        };
        waits_are_least(fresh, &asks([0, 3]))
    };
    assert_eq!(told(|wait| wait), Ok(()));
    assert_eq!(
        told(|wait| wait + 1),
        Err(Misstep::WaitTooLong { step: 1, wait: 8 })
    );
    let then = Answer::Wait(0);
    assert_eq!(
        told(|wait| wait - 1),
        Err(Misstep::WaitTooShort {
            step: 1,
            wait: 6,
            then
        })
    );
    assert_eq!(told(|_| 0), Err(Misstep::WaitOfNothing { step: 1 }));
}
