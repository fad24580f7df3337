//! **Debt**: what a call used beyond its estimate, forgotten at the window's edge.

use crate::{
    peers::CounterPerWindow,
    script::{HOUR, MILLI, every},
    tiers::{CALENDARS, FIXED, METERS, Tier},
};
use tollgate_testkit::{RateLimit, subject::Subject};

/// Ten an hour, ten at once.
const TEN: RateLimit = RateLimit::new(10, HOUR, 10);
const HOURS: u64 = 20;
const TEN_MINUTES: u64 = 600_000 * MILLI;
/// What each call asks for, and what it then uses beyond that.
const ESTIMATE: u64 = 1;
const EXTRA: u64 = 39;

/// A caller tries every ten minutes, and whenever it is admitted uses forty times what it asked for. Returns what it
/// has used in the end.
fn used_by_one_who_underestimates(subject: &impl Subject) -> u64 {
    let tries = (0..HOURS * HOUR).step_by(usize::try_from(TEN_MINUTES).expect("64 bits"));
    let call = |now| {
        if !subject.try_acquire_at(ESTIMATE, now).admitted() {
            return 0;
        }
        assert!(subject.charge_anyway_at(EXTRA, now));
        ESTIMATE + EXTRA
    };
    tries.map(call).sum()
}

fn by_period() -> impl Iterator<Item = Tier> {
    FIXED.into_iter().chain(CALENDARS)
}

#[test]
fn tollgate_has_later_periods_pay_a_debt() {
    every(by_period(), TEN, |tier, subject| {
        // Forty are four hours' worth.
        let used = used_by_one_who_underestimates(&subject);
        assert_eq!(used, HOURS * 10, "{}", tier.name);
    });
}

#[test]
fn tollgate_has_refill_pay_a_debt() {
    every(METERS, TEN, |tier, subject| {
        let used = used_by_one_who_underestimates(&subject);
        let refilled = 10 + HOURS * 10;
        assert!(
            (refilled..=refilled + EXTRA).contains(&used),
            "{}: {used}",
            tier.name
        );
    });
}

#[test]
fn the_copied_rule_lets_one_who_underestimates_use_four_times_the_limit() {
    let used = used_by_one_who_underestimates(&CounterPerWindow::new(TEN));
    assert_eq!(used, HOURS * 40);
}
