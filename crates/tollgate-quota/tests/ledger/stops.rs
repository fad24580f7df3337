//! What one process leaves for the next.

use super::*;
use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::Instant,
};
use tollgate_core::{Clock, Limit};
use tollgate_quota::{
    Depth, RateMeter, RefundRule, Scale,
    ledger::{Durability, LedgerFile},
};
use tollgate_window::{ExactLog, FixedWindow, SlottedRing};

#[test]
fn clean_stop_and_start_wastes_nothing() {
    let place = Place::new();
    let ledger = place.open(5);
    let (budget, days) = (lifetime(&ledger, 100), daily(&ledger, 100));
    for _ in 0..7 {
        charge(&ledger, &budget, at(5), 3, 100).unwrap();
        charge(&ledger, &days, at(5), 4, 100).unwrap();
    }
    let open = charge(&ledger, &budget, at(5), 9, 100).unwrap();
    assert_eq!(budget.refund(at(5), &open.receipt, 8), 8);
    drop((budget, days));
    assert!(ledger.close());

    let ledger = place.open(6);
    let (budget, days) = (lifetime(&ledger, 100), daily(&ledger, 100));
    // The first asks, so that what is on record is read.
    charge(&ledger, &budget, at(6), 1, 100).unwrap();
    charge(&ledger, &days, at(6), 1, 100).unwrap();
    assert_eq!((budget.used(at(6)), days.used(at(6))), (23, 29));
}

/// Nobody answers there any more: a server that stops is not kept for as long as its callers would wait.
#[test]
fn nobody_waits_for_a_ledger_that_was_closed() {
    const MOST: Duration = Duration::from_secs(10);
    let place = Place::new();
    let ledger = place.open(5);
    let budget = lifetime(&ledger, 100);
    charge(&ledger, &budget, at(5), 7, 100).unwrap();
    assert!(ledger.close());
    let begun = Instant::now();
    assert!(!ledger.wait(MOST), "nothing is lent any more");
    let ledger = Ledger::open(&place.options()).unwrap();
    assert!(ledger.close() && !ledger.wait(MOST), "it was never started");
    assert!(begun.elapsed() < MOST);
}

/// Commits are as rare as they may be.
#[test]
fn ledger_comes_by_at_once_for_who_has_nothing_left_and_else_in_its_time() {
    let place = Place::new();
    let options = place
        .options()
        .durability(Durability::Within(Durability::WITHIN_MAX));
    let ledger = Ledger::open(&options).unwrap();
    ledger.start(Arc::new(ManualClock::new())).unwrap();
    let budget = lifetime(&ledger, 100);
    let begun = Instant::now();
    charge(&ledger, &budget, at(5), 7, 100).unwrap();
    assert!(begun.elapsed() < Durability::WITHIN_MAX / 2, "it was woken");
    // It may come by once more for who has just waited, and find what was charged since.
    thread::sleep(Duration::from_millis(200));
    let commits = ledger.status().commits;
    charge(&ledger, &budget, at(5), 1, 100).unwrap();
    thread::sleep(Duration::from_millis(200));
    assert_eq!(ledger.status().commits, commits);
    let on_record = |key: &AccountKey| {
        ledger
            .record(key)
            .unwrap()
            .map(|record| record.standing.committed)
    };
    let before = on_record(&key("lifetime"));
    assert!(before == Some(0) || before == Some(7), "{before:?}");
    assert!(ledger.flush(LONG) && begun.elapsed() < Durability::WITHIN_MAX / 2);
    assert_eq!(on_record(&key("lifetime")), Some(8));
    assert_eq!(on_record(&key("another")), None);
    assert!(ledger.close() && ledger.record(&key("lifetime")).is_err());
}

/// A clock of somebody else's, that breaks.
#[derive(Debug, Default)]
struct Breaking(AtomicBool);

impl Clock for Breaking {
    fn now(&self) -> Nanos {
        assert!(!self.0.load(Relaxed), "a clock that broke");
        Nanos::ZERO
    }

    fn wall_offset(&self) -> i64 {
        5
    }
}

/// The thread ended without a word: every request that found nothing lent waited in vain, and the status said that all was well.
#[test]
fn thread_that_panics_is_told_and_waited_for_by_nobody() {
    let place = Place::new();
    let ledger = Ledger::open(&place.options()).unwrap();
    let clock = Arc::new(Breaking::default());
    assert!(ledger.start(Arc::clone(&clock) as _).unwrap());
    let budget = lifetime(&ledger, 100);
    charge(&ledger, &budget, at(5), 7, 100).unwrap();
    clock.0.store(true, Relaxed);
    let begun = Instant::now();
    assert!(!ledger.flush(LONG));
    assert!(begun.elapsed() < LONG);
    let failing = ledger.status().failing.unwrap();
    assert!(failing.contains("panicked"), "{failing}");
    assert!(!ledger.close());
}

#[test]
fn what_was_lent_and_not_closed_counts_as_spent_and_no_more() {
    let place = Place::new();
    let ledger = place.open(5);
    let budget = lifetime(&ledger, 100);
    charge(&ledger, &budget, at(5), 7, 100).unwrap();
    assert!(ledger.flush(LONG));
    // The file as a kill would leave it.
    let after_kill = Place::new();
    std::fs::copy(&place.path, &after_kill.path).unwrap();
    let ledger = after_kill.open(5);
    let budget = lifetime(&ledger, 100);
    charge(&ledger, &budget, at(5), 1, 100).unwrap();
    let used = budget.used(at(5));
    assert!((8..=8 + 14).contains(&used), "{used}");
}

#[test]
fn exhausted_quota_admits_at_the_first_instant_of_the_next_period() {
    let place = Place::new();
    let ledger = place.open(5);
    let days = daily(&ledger, 10);
    charge(&ledger, &days, at(5), 10, 10).unwrap();
    assert!(matches!(
        days.charge(at(DAY_NS - 1), cost(1), 10),
        Err(Refused::Denied(_))
    ));
    drop(days);
    assert!(ledger.close());
    let ledger = place.open(DAY_NS);
    let days = daily(&ledger, 10);
    charge(&ledger, &days, at(DAY_NS), 10, 10).unwrap();
    drop(days);
    assert!(ledger.close());

    let mut past = Vec::new();
    let file = LedgerFile::alone(&place.path).unwrap();
    file.each_past_period(|period| past.push(period)).unwrap();
    assert_eq!(past.len(), 1);
    assert_eq!(
        (past[0].standing.stamp, past[0].standing.committed),
        (0, 10)
    );
    assert_eq!((past[0].standing.max, past[0].peak), (10, 10));
    assert_eq!(past[0].key, key("daily"));
}

#[test]
fn clock_set_back_between_two_runs_finds_the_later_period_begun() {
    let place = Place::new();
    let ledger = place.open(DAY_NS);
    let days = daily(&ledger, 10);
    charge(&ledger, &days, at(DAY_NS), 6, 10).unwrap();
    drop(days);
    assert!(ledger.close());
    let ledger = place.open(5);
    let days = daily(&ledger, 10);
    charge(&ledger, &days, at(5), 4, 10).unwrap();
    assert!(matches!(
        days.charge(at(5), cost(1), 10),
        Err(Refused::Denied(_))
    ));
    assert_eq!(days.used(at(5)), 10);
    assert!(
        ledger
            .status()
            .notices
            .iter()
            .any(|notice| notice.contains("earlier"))
    );
}

/// As much as a request that was released leaves: the earlier period was whole again, although it had been used.
#[test]
fn clock_set_back_finds_the_later_period_begun_though_nothing_is_used_in_it() {
    const HOUR: Duration = Duration::from_secs(3_600);
    const HOUR_NS: i64 = 3_600_000_000_000;
    fn release<M: Lasting>(ledger: &Ledger, account: &Leased<M>, at: Moment) {
        let charged = charge(ledger, account, at, 1, 10).unwrap();
        assert_eq!(account.refund(at, &charged.receipt, 1), 1);
    }

    let place = Place::new();
    let hourly = |ledger: &Ledger, number: i64| {
        ledger.account(&key("hourly"), terms(10, true), 10, number, || {
            FixedWindow::with_phase(10, HOUR, Duration::ZERO, ()).unwrap()
        })
    };
    let later = Moment::new(Nanos(3_600_000_000_000), Wall(DAY_NS));
    let start = DAY_NS - HOUR_NS;
    let (ledger, clock) = place.open_by(start);
    let (days, hours) = (daily(&ledger, 10), hourly(&ledger, 23));
    charge(&ledger, &days, at(start), 10, 10).unwrap();
    charge(&ledger, &hours, at(start), 10, 10).unwrap();
    clock.advance(HOUR);
    release(&ledger, &days, later);
    release(&ledger, &hours, later);
    drop((days, hours));
    assert!(ledger.close());

    let (ledger, clock) = place.open_by(start);
    let (days, hours) = (daily(&ledger, 10), hourly(&ledger, 23));
    // Of the day and the hour that stay begun, or refused until they come.
    let day = charge(&ledger, &days, at(start), 10, 10).map(|_| 10);
    let hour = charge(&ledger, &hours, at(start), 10, 10).map(|_| 10);
    assert!(matches!(hour, Err(Refused::Denied(_))), "{hour:?}");
    clock.advance(HOUR);
    let answer = charge(&ledger, &days, later, 11 - day.unwrap_or(0), 10);
    assert!(answer.is_err(), "the day before was admitted twice");
    charge(&ledger, &hours, later, 10, 10).unwrap();
}

#[test]
fn debt_is_kept_and_paid_by_the_days_that_pass() {
    let place = Place::new();
    let ledger = place.open(5);
    let days = daily(&ledger, 10);
    charge(&ledger, &days, at(5), 10, 10).unwrap();
    days.charge_anyway(at(5), cost(15), 10).unwrap();
    assert!(ledger.flush(LONG));
    drop(days);
    assert!(ledger.close());
    for (day, left) in [(1, 15), (2, 5), (3, 0)] {
        let copy = Place::new();
        std::fs::copy(&place.path, &copy.path).unwrap();
        let ledger = copy.open(day * DAY_NS);
        let days = daily(&ledger, 10);
        let answer = charge(&ledger, &days, at(day * DAY_NS), 1, 10);
        assert_eq!(answer.is_ok(), left < 10, "day {day}");
        assert_eq!(days.used(at(day * DAY_NS)), left + u64::from(left < 10));
    }
}

#[test]
fn what_was_lawful_under_a_larger_max_is_no_debt_under_a_smaller_one() {
    let place = Place::new();
    let ledger = place.open(5);
    let days = daily(&ledger, 100);
    charge(&ledger, &days, at(5), 80, 100).unwrap();
    drop(days);
    assert!(ledger.close());
    let ledger = place.open(6);
    let days = daily(&ledger, 10);
    assert!(matches!(
        charge(&ledger, &days, at(6), 1, 10),
        Err(Refused::Denied(_))
    ));
    charge(&ledger, &days, at(DAY_NS), 10, 10).unwrap();
}

/// The hours of the day of `max` units, in a process whose own clock starts with that day.
fn hourly(ledger: &Ledger, max: u64) -> Arc<Leased<FixedWindow<()>>> {
    let hour = Duration::from_secs(3_600);
    ledger.account(&key("hourly"), terms(10, true), max, 0, || {
        FixedWindow::with_phase(max, hour, Duration::ZERO, ()).unwrap()
    })
}

/// It was on record as if no more than the smaller max had been used.
#[test]
fn max_that_was_lower_for_a_while_between_restarts_admits_nothing_twice() {
    let place = Place::new();
    let (mut day, mut hour) = (0, 0);
    for max in [100, 10, 100] {
        let ledger = place.open(5);
        let (days, hours) = (daily(&ledger, max), hourly(&ledger, max));
        while charge(&ledger, &days, at(5), 20.min(max), max).is_ok() {
            day += 20;
        }
        while charge(&ledger, &hours, at(5), 20.min(max), max).is_ok() {
            hour += 20;
        }
        assert_eq!((day, hour), (100, 100), "a max of {max}");
        drop((days, hours));
        assert!(ledger.close());
    }
}

/// It was on record under the smaller max alone, and the days after paid what nobody owed.
#[test]
fn what_was_lawful_before_a_reload_is_no_debt_after_a_restart() {
    let place = Place::new();
    let ledger = place.open(5);
    let (days, hours) = (daily(&ledger, 100), hourly(&ledger, 100));
    charge(&ledger, &days, at(5), 80, 100).unwrap();
    charge(&ledger, &hours, at(5), 80, 100).unwrap();
    let lower_days = Arc::new(days.successor(days.meter().successor(10)));
    lower_days.set_max(10);
    lower_days.take_over(&days, at(5));
    let lower_hours = Arc::new(hours.successor(hours.meter().successor(10)));
    lower_hours.set_max(10);
    lower_hours.take_over(&hours, at(5));
    // What is beyond both is debt all the same.
    charge_beyond(&lower_days, 23);
    charge_beyond(&lower_hours, 23);
    drop((days, hours, lower_days, lower_hours));
    assert!(ledger.close());
    for _ in 0..2 {
        let ledger = place.open(6);
        let (days, hours) = (daily(&ledger, 10), hourly(&ledger, 10));
        let denied = charge(&ledger, &days, at(6), 1, 10).unwrap_err();
        assert!(matches!(denied, Refused::Denied(_)), "{denied:?}");
        let denied = charge(&ledger, &hours, at(6), 1, 10).unwrap_err();
        assert!(matches!(denied, Refused::Denied(_)), "{denied:?}");
        drop((days, hours));
        assert!(ledger.close());
    }
    let ledger = place.open(DAY_NS);
    let days = daily(&ledger, 10);
    charge(&ledger, &days, at(DAY_NS), 7, 10).unwrap();
    assert_eq!(days.used(at(DAY_NS)), 3 + 7);
}

fn charge_beyond<M: Lasting>(meter: &Leased<M>, units: u64) {
    meter.charge_anyway(at(5), cost(units), 10).unwrap();
}

#[test]
fn window_of_an_hour_goes_on_in_a_process_whose_clock_starts_anew() {
    const HOUR: Duration = Duration::from_secs(3_600);
    const HOUR_NS: i64 = 3_600_000_000_000;
    let place = Place::new();
    // The process starts twenty minutes into hour 7; its own clock starts at zero then.
    let window = |ledger: &Ledger, wall: i64| {
        let phase = Duration::from_nanos(wall.rem_euclid(HOUR_NS).cast_unsigned());
        ledger.account(&key("hourly"), terms(10, true), 10, wall / HOUR_NS, || {
            FixedWindow::with_phase(10, HOUR, phase, ()).unwrap()
        })
    };
    let start = 7 * HOUR_NS + HOUR_NS / 3;
    let ledger = place.open(start);
    let hourly = window(&ledger, start);
    charge(&ledger, &hourly, at(start), 6, 10).unwrap();
    drop(hourly);
    assert!(ledger.close());

    let again = 7 * HOUR_NS + HOUR_NS / 2;
    let ledger = place.open(again);
    let hourly = window(&ledger, again);
    charge(&ledger, &hourly, at(again), 4, 10).unwrap();
    assert!(matches!(
        hourly.charge(at(again), cost(1), 10),
        Err(Refused::Denied(_))
    ));
    drop(hourly);
    assert!(ledger.close());

    let ledger = place.open(8 * HOUR_NS);
    let hourly = window(&ledger, 8 * HOUR_NS);
    charge(&ledger, &hourly, at(8 * HOUR_NS), 10, 10).unwrap();
}

#[test]
fn window_whose_max_changes_keeps_what_was_used_of_it() {
    for max in [7, 20] {
        let place = Place::new();
        let ledger = place.open(5);
        let old = ledger.account(&key("hourly"), terms(10, true), 10, 0, || {
            FixedWindow::with_phase(10, HOUR, Duration::ZERO, ()).unwrap()
        });
        charge(&ledger, &old, at(5), 6, 10).unwrap();
        let new = Arc::new(old.successor(old.meter().successor(max)));
        new.set_max(max);
        new.take_over(&old, at(5));
        assert_eq!(new.used(at(5)), 6);
        charge(&ledger, &new, at(5), max - 6, max).unwrap();
        let answer = charge(&ledger, &new, at(5), 1, max);
        assert!(matches!(answer, Err(Refused::Denied(_))), "{answer:?}");
    }
}

#[test]
fn rate_drains_while_nobody_runs() {
    const HOUR_NS: i64 = 3_600_000_000_000;
    let place = Place::new();
    let limit = Limit::new(10, Duration::from_secs(36_000)).unwrap();
    let rate = |ledger: &Ledger| {
        ledger.account(&key("rate"), terms(10, false), 10, 0, || {
            let scale = Scale::new(&limit).unwrap();
            RateMeter::with_used(scale, Depth::Short, RefundRule::Exact, 0, at(0))
        })
    };
    let ledger = place.open(0);
    let meter = rate(&ledger);
    charge(&ledger, &meter, at(0), 10, 10).unwrap();
    drop(meter);
    assert!(ledger.close());
    // Ten an hour apart: three have drained.
    let ledger = place.open(3 * HOUR_NS);
    let meter = rate(&ledger);
    charge(&ledger, &meter, at(3 * HOUR_NS), 3, 10).unwrap();
    assert!(matches!(
        meter.charge(at(3 * HOUR_NS), cost(1), 10),
        Err(Refused::Denied(_))
    ));
}

#[test]
fn evicted_account_comes_back_with_nothing_used() {
    let place = Place::new();
    let ledger = place.open(5);
    let budget = lifetime(&ledger, 100);
    let charged = charge(&ledger, &budget, at(5), 7, 100).unwrap();
    budget.refund(at(5), &charged.receipt, 7);
    assert!(budget.close_at_rest(at(5)));
    let again = lifetime(&ledger, 100);
    charge(&ledger, &again, at(5), 100, 100).unwrap();
    assert_eq!(again.used(at(5)), 100);
    assert_eq!(
        budget.charge(at(5), cost(1), 100).unwrap_err(),
        Refused::Closed
    );
}

#[test]
fn account_in_use_is_one_account() {
    let place = Place::new();
    let ledger = place.open(5);
    let (one, other) = (lifetime(&ledger, 100), lifetime(&ledger, 100));
    assert!(Arc::ptr_eq(&one, &other));
    assert_eq!(ledger.status().accounts, 1);
}

#[test]
fn stock_grows_with_demand_up_to_the_lease() {
    let place = Place::new();
    let ledger = place.open(5);
    let budget = lifetime(&ledger, 1_000);
    for _ in 0..200 {
        charge(&ledger, &budget, at(5), 1, 1_000).unwrap();
        let mut out = 0;
        ledger.flush(LONG);
        let file = LedgerFile::read(&place.path).unwrap();
        file.each_account(|account| out = account.out).unwrap();
        assert!(out <= 10, "{out} out of a lease of 10");
    }
    // A cost above the lease is lent for all the same.
    charge(&ledger, &budget, at(5), 500, 1_000).unwrap();
}

/// A rate drains from when its record was made; what was lent then may have been spent at any time since, and so drains from the
/// restart on.
#[test]
fn stock_that_a_rate_spent_long_after_its_record_has_not_drained() {
    const HOUR_NS: i64 = 3_600_000_000_000;
    let place = Place::new();
    let limit = Limit::new(10, Duration::from_secs(36_000)).unwrap();
    let rate = |ledger: &Ledger| {
        ledger.account(&key("rate"), terms(4, false), 10, 0, || {
            let scale = Scale::new(&limit).unwrap();
            RateMeter::with_used(scale, Depth::Short, RefundRule::Exact, 0, at(0))
        })
    };
    let ledger = place.open(0);
    let meter = rate(&ledger);
    charge(&ledger, &meter, at(0), 1, 10).unwrap();
    assert!(ledger.flush(LONG));
    let killed = Place::new();
    std::fs::copy(&place.path, &killed.path).unwrap();
    let mut out = 0;
    let file = LedgerFile::read(&place.path).unwrap();
    file.each_account(|account| out = account.out).unwrap();
    assert!(out > 1, "{out}");
    drop(file);
    // Five hours later all of that is spent from stock, and the process is killed before the next commit.
    let later = at(5 * HOUR_NS);
    let after = Moment::new(Nanos(5 * HOUR_NS.cast_unsigned()), later.wall);
    meter.charge(after, cost(out), 10).unwrap();

    let ledger = killed.open(5 * HOUR_NS);
    let meter = rate(&ledger);
    let room = 10 - out;
    assert!(matches!(
        charge(&ledger, &meter, later, room + 1, 10),
        Err(Refused::Denied(_))
    ));
    charge(&ledger, &meter, later, room, 10).unwrap();
}

#[test]
fn past_period_tells_what_was_refused_in_it() {
    let place = Place::new();
    let ledger = place.open(5);
    let days = daily(&ledger, 10);
    charge(&ledger, &days, at(5), 10, 10).unwrap();
    days.count_refused();
    assert!(ledger.flush(LONG));
    days.count_refused();
    drop(days);
    assert!(ledger.close());
    let ledger = place.open(6);
    let days = daily(&ledger, 10);
    charge(&ledger, &days, at(6), 1, 10).unwrap_err();
    days.count_refused();
    drop(days);
    assert!(ledger.close());
    let refused = |path: &std::path::Path| {
        let (mut now, mut past) = (Vec::new(), Vec::new());
        let file = LedgerFile::alone(path).unwrap();
        file.each_account(|account| now.push(account.refused))
            .unwrap();
        file.each_past_period(|period| past.push(period.refused))
            .unwrap();
        (now, past)
    };
    assert_eq!(refused(&place.path), (vec![3], vec![]));

    let ledger = place.open(DAY_NS);
    let days = daily(&ledger, 10);
    charge(&ledger, &days, at(DAY_NS), 1, 10).unwrap();
    drop(days);
    assert!(ledger.close());
    assert_eq!(refused(&place.path), (vec![0], vec![3]));
}

const HOUR: Duration = Duration::from_secs(3_600);
const MINUTE_NS: i64 = 60_000_000_000;

/// What `window` makes of an hour's ten units over restarts, at minutes since the first start.
fn window_over_restarts<M: Lasting + 'static>(window: impl Fn(&Ledger) -> Arc<Leased<M>>) {
    let place = Place::new();
    let minute = |minute: i64| at(minute * MINUTE_NS);
    let process = |place: &Place, at: i64, takes: u64| {
        let ledger = place.open(at * MINUTE_NS);
        let meter = window(&ledger);
        charge(&ledger, &meter, minute(at), takes, 10).unwrap();
        (ledger, meter)
    };
    let full = |ledger: &Ledger, meter: &Leased<M>, at: i64| {
        let answer = charge(ledger, meter, minute(at), 1, 10);
        assert!(
            matches!(answer, Err(Refused::Denied(_))),
            "minute {at}: {answer:?}"
        );
    };
    let (ledger, meter) = process(&place, 0, 6);
    assert!(ledger.flush(LONG));
    let killed = Place::new();
    std::fs::copy(&place.path, &killed.path).unwrap();
    drop(meter);
    assert!(ledger.close());
    // Half an hour later these six count, to the unit; and so do the others half an hour after that.
    let (ledger, meter) = process(&place, 30, 4);
    full(&ledger, &meter, 30);
    drop(meter);
    assert!(ledger.close());
    let ledger = place.open(59 * MINUTE_NS);
    let meter = window(&ledger);
    full(&ledger, &meter, 59);
    drop(meter);
    assert!(ledger.close());
    // An hour after the last process none do.
    let (ledger, meter) = process(&place, 119, 10);
    full(&ledger, &meter, 119);

    // What was lent when a process was killed may have been spent just before the next one started.
    let mut out = 0;
    let file = LedgerFile::alone(&killed.path).unwrap();
    file.each_account(|account| out = account.out).unwrap();
    drop(file);
    assert!(out > 0);
    let left = 10 - out.min(4);
    let ledger = killed.open(61 * MINUTE_NS);
    let meter = window(&ledger);
    let answer = charge(&ledger, &meter, minute(61), left + 1, 10);
    assert!(matches!(answer, Err(Refused::Denied(_))), "{answer:?}");
    charge(&ledger, &meter, minute(61), left, 10).unwrap();
}

#[test]
fn slotted_window_goes_on_after_a_restart_and_admits_no_more() {
    window_over_restarts(|ledger| {
        ledger.account(&key("ring"), terms(4, false), 10, 0, || {
            SlottedRing::with_phase(10, HOUR, 6, Duration::ZERO, ()).unwrap()
        })
    });
}

#[test]
fn log_goes_on_after_a_restart_and_admits_no_more() {
    window_over_restarts(|ledger| {
        ledger.account(&key("log"), terms(4, false), 10, 0, || {
            ExactLog::with_clock(10, HOUR, ()).unwrap()
        })
    });
}

/// A clock that was set back for one run, and was put right after it, has not passed that time twice.
#[test]
fn rate_does_not_drain_by_a_clock_that_was_set_back_for_a_while() {
    const HOUR_NS: i64 = 60 * MINUTE_NS;
    let place = Place::new();
    let limit = Limit::new(10, Duration::from_secs(36_000)).unwrap();
    let run = |wall: i64, takes: u64| {
        let ledger = place.open(wall);
        let meter = ledger.account(&key("rate"), terms(10, false), 10, 0, || {
            let scale = Scale::new(&limit).unwrap();
            RateMeter::with_used(scale, Depth::Short, RefundRule::Exact, 0, at(0))
        });
        let answer = charge(&ledger, &meter, at(wall), takes, 10);
        drop(meter);
        assert!(ledger.close());
        answer.is_ok()
    };
    assert!(run(5 * HOUR_NS, 9));
    assert!(run(0, 1));
    assert!(!run(5 * HOUR_NS, 1), "no time has passed");
    assert!(run(6 * HOUR_NS, 1));
}
