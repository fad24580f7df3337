//! Meters that refund: rates, calendars, lifetime budgets, units open at once.
//!
//! # What a refund of a rate may fall short by
//! While one refund is under way, another call cannot tell whether what it gives back is in the backlog yet, and errs
//! towards giving back less. So a refund may fall short by what other refunds gave back that overlapped it, or that
//! overlapped a charge which came after its own (its own included): their records saw the backlog with or without them.
//! By nothing else: a refund that nothing of the kind touched is exact.

use crate::histories::{Instants, Manners, Rounds, SECOND, held, of_meter};
use std::{sync::Arc, time::Duration};
use tollgate_core::Limit;
use tollgate_quota::{
    Calendar, CalendarMeter, Concurrency, Depth, Lifetime, RateMeter, RefundRule,
    calendar::CalendarPeriod,
};
use tollgate_testkit::{
    Periods, RateLimit,
    linear::{Around, Ask, Call, Heard, OneLimit},
    model::{self, Gcra, PeriodBudget},
};

const ALL: Manners = Manners {
    cost_max: 6,
    refunds: true,
    debts: true,
    used: true,
};
const MAX: u64 = 14;

/// A unit is worth ten steps.
fn limit() -> Limit {
    Limit::new(1, Duration::from_secs(1))
        .and_then(|limit| limit.try_with_capacity(MAX))
        .expect("a small limit")
}

fn charges(call: &Call<Ask, Heard>) -> bool {
    matches!(call.ask, Ask::Acquire { .. } | Ask::Debt { .. })
}

fn surplus(call: &Call<Ask, Heard>) -> u64 {
    match call.ask {
        Ask::Refund { surplus, .. } => surplus,
        _ => 0,
    }
}

/// As the head of this file says.
fn racing_refunds(around: &Around<'_, Ask, Heard>) -> u64 {
    let (calls, this) = (around.history(), around.call());
    let Ask::Refund { of, .. } = this.ask else {
        return 0;
    };
    let own = calls
        .iter()
        .find(|call| matches!(call.ask, Ask::Acquire { id, .. } if id == of));
    let since = own.map_or(0, |own| own.began);
    let records: Vec<_> = calls
        .iter()
        .filter(|call| charges(call) && call.ended > since && call.began < this.ended)
        .collect();
    let races = |call: &&Call<Ask, Heard>| {
        call.began != this.began
            && (call.overlaps(this) || records.iter().any(|record| record.overlaps(call)))
    };
    calls
        .iter()
        .filter(|call| surplus(call) > 0)
        .filter(races)
        .map(surplus)
        .sum()
}

#[test]
fn a_rate_refunds_by_the_exact_rule_but_for_refunds_that_race() {
    let rate = RateLimit::new(1, SECOND, MAX);
    let meter = || RateMeter::new(&limit(), Depth::Long, RefundRule::Exact).expect("a small limit");
    held("RateMeter", |seed| {
        let calls = of_meter(
            &meter(),
            MAX,
            &Rounds::new(SECOND, Instants::Rounds),
            ALL,
            seed,
        );
        (
            OneLimit::new(Gcra::new(rate)).may_give_less(racing_refunds),
            calls,
        )
    });
    // Where instants step back, a refund gives back no more than was left as of its own, and the model a whole
    // difference: they agree without refunds, and the stress tests hold the rest to the law.
    held("RateMeter, no refunds", |seed| {
        let manners = Manners {
            refunds: false,
            ..ALL
        };
        let calls = of_meter(
            &meter(),
            MAX,
            &Rounds::new(SECOND / 10, Instants::Drawn),
            manners,
            seed,
        );
        (OneLimit::new(Gcra::new(rate)), calls)
    });
}

#[test]
fn a_calendar_answers_as_one_caller_at_a_time_would_hear() {
    let hours = Arc::new(Calendar::new(CalendarPeriod::Hour, "UTC").expect("an hour"));
    held("CalendarMeter", |seed| {
        let meter = CalendarMeter::new(Arc::clone(&hours), MAX);
        let calls = of_meter(
            &meter,
            MAX,
            &Rounds::new(600 * SECOND, Instants::Rounds),
            ALL,
            seed,
        );
        (
            OneLimit::new(PeriodBudget::new(Periods::every(3_600 * SECOND, 0), MAX)),
            calls,
        )
    });
}

#[test]
fn tallies_answer_as_one_caller_at_a_time_would_hear() {
    let rounds = || Rounds::new(SECOND, Instants::Drawn);
    held("Lifetime", |seed| {
        let calls = of_meter(&Lifetime::new(), MAX, &rounds(), ALL, seed);
        (OneLimit::new(model::Lifetime::new(MAX)), calls)
    });
    held("Concurrency", |seed| {
        let manners = Manners {
            debts: false,
            ..ALL
        };
        let calls = of_meter(&Concurrency::new(), MAX, &rounds(), manners, seed);
        (OneLimit::new(model::Concurrency::new(MAX)), calls)
    });
}
