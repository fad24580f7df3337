//! Lifetime budgets and concurrency, decision by decision.

use crate::subject::MeterSubject;
use proptest::prelude::*;
use tollgate_quota::{Concurrency, Lifetime};
use tollgate_testkit::{
    law::{Law, raise_all},
    model,
    strategy::{Histories, Op},
    subject::{check_against, denials_change_nothing},
};

fn histories() -> impl Strategy<Value = (u64, Vec<Op>)> {
    prop_oneof![1_u64..20, 1_u64..1_000_000].prop_flat_map(|max| {
        let histories = Histories {
            refunds: true,
            debts: true,
            ..Histories::of_window(1_000, max)
        };
        (Just(max), histories.ops())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn lifetime_decides_as_the_model_and_keeps_the_laws((max, history) in histories()) {
        let fresh = || MeterSubject::new(Lifetime::new(), max, 0);
        let mut events = check_against(&fresh(), model::Lifetime::new(max), history.clone(), 0)?;
        // It knows no time, so neither must the judge: each event is as late as those before it.
        raise_all(&mut events);
        let verdict = Law::Lifetime { max }.check(events, 0);
        prop_assert!(verdict.held(), "{verdict}");
        denials_change_nothing(fresh, &history)?;
    }

    #[test]
    fn concurrency_decides_as_the_model((max, history) in histories()) {
        let fresh = || MeterSubject::new(Concurrency::new(), max, 0);
        check_against(&fresh(), model::Concurrency::new(max), history.clone(), 0)?;
        denials_change_nothing(fresh, &history)?;
    }
}
