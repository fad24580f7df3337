//! The first lease of the next period, which is on record before that begins.

use super::*;
use tollgate_quota::{
    lease::{Ahead, LeasedAccount},
    ledger::{AccountRecord, LedgerFile},
};
use tollgate_window::FixedWindow;

/// Shortly before midnight.
const EVENING: i64 = DAY_NS - 1_000_000_000;
const DAY: i64 = DAY_NS;

fn record(place: &Place) -> AccountRecord {
    let mut records = Vec::new();
    let file = LedgerFile::read(&place.path);
    // What a kill has left must be mended first.
    let file = file.unwrap_or_else(|_| LedgerFile::alone(&place.path).unwrap());
    file.each_account(|record| records.push(record)).unwrap();
    assert_eq!(records.len(), 1);
    records.remove(0)
}

/// The days of an account that is lent at most `lease` of ten units.
fn lent(ledger: &Ledger, lease: u64) -> Arc<Leased<CalendarMeter>> {
    ledger.account(&key("daily"), terms(lease, true), 10, 0, || {
        let days = Calendar::new(CalendarPeriod::Day, "UTC").unwrap();
        CalendarMeter::new(tollgate_sync::Arc::new(days), 10)
    })
}

/// What a kill at this instant would leave.
fn killed(place: &Place) -> Place {
    let after = Place::new();
    std::fs::copy(&place.path, &after.path).unwrap();
    after
}

/// A ledger at `wall` whose account has used `units` of a day's ten, and lost nothing of what it was lent.
fn used(place: &Place, wall: i64, units: u64) -> (Ledger, Arc<Leased<CalendarMeter>>) {
    let ledger = place.open(wall);
    let days = daily(&ledger, 10);
    charge(&ledger, &days, at(wall), units, 10).unwrap();
    assert!(ledger.flush(LONG));
    (ledger, days)
}

fn is_denied<M: Lasting>(days: &Leased<M>, wall: i64, units: u64) -> bool {
    matches!(
        days.charge(at(wall), cost(units), 10),
        Err(Refused::Denied(_))
    )
}

#[test]
fn first_request_of_a_period_is_admitted_from_what_was_lent_before_it() {
    let place = Place::new();
    let (ledger, days) = used(&place, EVENING, 10);
    assert!(is_denied(&days, DAY - 1, 1));
    // At once: nobody comes by in between.
    assert!(days.charge(at(DAY), cost(1), 10).is_ok());
    charge(&ledger, &days, at(DAY), 9, 10).unwrap();
    assert!(is_denied(&days, DAY, 1));
    assert!(ledger.flush(LONG));
    assert_eq!(record(&place).ahead, None);
    let mut past = Vec::new();
    let file = LedgerFile::read(&place.path).unwrap();
    file.each_past_period(|period| past.push(period.standing))
        .unwrap();
    assert_eq!(past.len(), 1);
    assert_eq!((past[0].stamp, past[0].committed), (0, 10));
}

#[test]
fn accounts_are_lent_the_next_period_when_this_one_nears_its_end_and_were_used_in_it() {
    let place = Place::new();
    let (ledger, clock) = place.open_by(DAY / 2);
    let days = daily(&ledger, 10);
    charge(&ledger, &days, at(DAY / 2), 10, 10).unwrap();
    assert!(ledger.flush(LONG));
    assert_eq!(record(&place).ahead, None, "at noon");
    // Nobody asks: the ledger comes by by itself.
    clock.set_wall(Wall(EVENING));
    let mut rounds = 0;
    while record(&place).ahead.is_none() {
        rounds += 1;
        assert!(rounds < 1_000);
        ledger.wait(LONG);
    }
    assert!(days.charge(at(DAY), cost(1), 10).is_ok());
    assert!(ledger.flush(LONG));
    // Used in that day, and so lent the one after.
    clock.set_wall(Wall(2 * DAY - 1));
    let mut rounds = 0;
    while record(&place).ahead.is_none() {
        rounds += 1;
        assert!(rounds < 1_000);
        ledger.wait(LONG);
    }
    // A day that passes without a request: the one after is lent nothing.
    clock.set_wall(Wall(4 * DAY - 1));
    days.count_refused();
    for _ in 0..20 {
        ledger.flush(LONG);
    }
    assert!(matches!(
        days.charge(at(4 * DAY), cost(1), 10),
        Err(Refused::Dry)
    ));
}

/// The ledger comes by after midnight, and before anybody is admitted.
#[test]
fn report_that_begins_the_period_has_what_was_lent_of_it_on_record() {
    let place = Place::new();
    let (ledger, clock) = place.open_by(EVENING);
    let days = lent(&ledger, 4);
    charge(&ledger, &days, at(EVENING), 5, 10).unwrap();
    assert!(ledger.flush(LONG));
    assert!(record(&place).ahead.is_some());
    clock.set_wall(Wall(DAY));
    // Told late, of the day before.
    days.charge_anyway(at(EVENING), cost(1), 10).unwrap();
    assert!(ledger.flush(LONG));
    let record = record(&place);
    assert_eq!((record.standing.stamp, record.ahead), (DAY, None));
    let (period, standing) = days.standing(at(DAY)).unwrap();
    let left = days.holder().left(period, standing.committed);
    assert!(left > 0);
    assert_eq!(record.out, left);
    assert!(days.charge(at(DAY), cost(1), 10).is_ok());
}

/// What a charge of the day that left stock finds in the history: what was used, to the unit.
#[test]
fn stock_that_was_left_when_the_next_period_began_is_not_counted_as_used() {
    let place = Place::new();
    let (ledger, days) = used(&place, EVENING, 3);
    assert!(record(&place).out > 0);
    assert!(days.charge(at(DAY), cost(1), 10).is_ok());
    assert!(ledger.flush(LONG));
    let mut past = Vec::new();
    let file = LedgerFile::read(&place.path).unwrap();
    file.each_past_period(|period| past.push(period.standing.committed))
        .unwrap();
    assert_eq!(past, [3]);
}

#[test]
fn restart_in_between_admits_at_the_first_instant_too() {
    let place = Place::new();
    let ledger = place.open(EVENING);
    let days = lent(&ledger, 4);
    charge(&ledger, &days, at(EVENING), 10, 10).unwrap();
    assert!(ledger.flush(LONG));
    let after_kill = killed(&place);
    drop(days);
    assert!(ledger.close());
    for place in [place, after_kill] {
        let ledger = place.open(EVENING);
        let days = lent(&ledger, 4);
        // Whoever asks first has it read what is on record.
        assert!(is_denied_by_record(&ledger, &days, EVENING));
        assert!(ledger.flush(LONG));
        let answer = days.charge(at(DAY), cost(1), 10);
        assert!(answer.is_ok(), "{answer:?}, {:?}", record(&place));
    }
}

#[test]
fn clean_stop_returns_what_was_lent_ahead_exactly() {
    let place = Place::new();
    let (ledger, days) = used(&place, EVENING, 7);
    assert!(record(&place).ahead.is_some());
    drop(days);
    assert!(ledger.close());
    let record = record(&place);
    assert_eq!(
        (record.ahead, record.out, record.standing.committed),
        (None, 0, 7)
    );
    let ledger = place.open(DAY);
    let days = daily(&ledger, 10);
    charge(&ledger, &days, at(DAY), 10, 10).unwrap();
}

#[test]
fn kill_wastes_at_most_one_lease_of_both_periods_together() {
    const LEASE: u64 = 4;
    for used in [1, 5, 97, 99, 100] {
        let place = Place::new();
        let ledger = place.open(EVENING);
        let days = ledger.account(&key("daily"), terms(LEASE, true), 100, 0, || {
            let days = Calendar::new(CalendarPeriod::Day, "UTC").unwrap();
            CalendarMeter::new(tollgate_sync::Arc::new(days), 100)
        });
        for _ in 0..used {
            charge(&ledger, &days, at(EVENING), 1, 100).unwrap();
        }
        assert!(ledger.flush(LONG));
        let record = record(&place);
        let ahead = record.ahead.map_or(0, |ahead| ahead.units);
        let wasted = record.out.min(100 - record.standing.committed);
        assert!(ahead > 0 && wasted + ahead <= LEASE, "{record:?}");
    }
}

/// Whoever was killed may have spent all that was lent ahead, if only the clock says that its period is still to come.
#[test]
fn clock_set_back_after_a_kill_finds_what_was_lent_ahead_spent() {
    let place = Place::new();
    let (_ledger, days) = used(&place, EVENING, 10);
    let Some(Ahead { stamp, units }) = record(&place).ahead else {
        panic!("nothing was lent ahead")
    };
    assert_eq!(stamp, DAY);
    let after_kill = killed(&place);
    // The first process goes on into the next day, and spends it all from stock before the next commit.
    assert!(days.charge(at(DAY), cost(units), 10).is_ok());

    // The clock is set back, and the process after that is killed too.
    let ledger = after_kill.open(EVENING);
    let days = daily(&ledger, 10);
    assert!(is_denied_by_record(&ledger, &days, EVENING));
    assert!(ledger.flush(LONG));
    let ahead = record(&after_kill).ahead.unwrap();
    assert!(ahead.units >= units && ahead.stamp == DAY, "{ahead:?}");
    let twice = killed(&after_kill);
    for place in [after_kill, twice] {
        let lent = record(&place).ahead.unwrap().units;
        let fresh = killed(&place);
        let ledger = fresh.open(DAY);
        let days = daily(&ledger, 10);
        let left = 10 - lent;
        assert!(
            matches!(
                charge(&ledger, &days, at(DAY), left + 1, 10),
                Err(Refused::Denied(_))
            ),
            "{lent} were lent"
        );
    }
}

fn is_denied_by_record(ledger: &Ledger, days: &Leased<CalendarMeter>, wall: i64) -> bool {
    matches!(
        charge(ledger, days, at(wall), 1, 10),
        Err(Refused::Denied(_))
    )
}

/// The same in one process: it has the units charged once the day has begun, whoever begins it.
#[test]
fn what_a_killed_process_had_lent_ahead_is_charged_when_its_period_begins() {
    let place = Place::new();
    let (_ledger, _days) = used(&place, EVENING, 10);
    let lost = record(&place).ahead.unwrap().units;
    let place = killed(&place);
    let (ledger, clock) = place.open_by(EVENING);
    let days = daily(&ledger, 10);
    assert!(is_denied_by_record(&ledger, &days, EVENING));
    assert!(ledger.flush(LONG));
    clock.set_wall(Wall(DAY));
    let mut admitted = 0;
    while charge(&ledger, &days, at(DAY), 1, 10).is_ok() {
        admitted += 1;
        assert!(admitted <= 10);
    }
    assert_eq!(admitted, 10 - lost);
    // A day later it is forgotten.
    clock.set_wall(Wall(2 * DAY));
    charge(&ledger, &days, at(2 * DAY), 10, 10).unwrap();
}

#[test]
fn clock_that_steps_over_a_period_or_back_finds_no_stock_of_another() {
    let place = Place::new();
    let (ledger, days) = used(&place, EVENING, 10);
    // Over a day: what was lent of that dies.
    assert!(matches!(
        days.charge(at(2 * DAY), cost(1), 10),
        Err(Refused::Dry)
    ));
    charge(&ledger, &days, at(2 * DAY), 10, 10).unwrap();
    assert!(is_denied(&days, DAY, 1), "the later day stays begun");
    assert!(ledger.flush(LONG));
    assert_eq!(record(&place).standing.stamp, 2 * DAY);
}

#[test]
fn debt_that_was_told_after_the_next_period_was_lent_is_paid_first() {
    let place = Place::new();
    let (ledger, days) = used(&place, EVENING, 10);
    days.charge_anyway(at(EVENING), cost(6), 10).unwrap();
    assert!(ledger.flush(LONG));
    charge(&ledger, &days, at(DAY), 4, 10).unwrap();
    assert!(is_denied(&days, DAY, 1));
}

#[test]
fn window_of_an_hour_is_lent_ahead_too_and_after_a_restart() {
    const HOUR: Duration = Duration::from_secs(3_600);
    const HOUR_NS: i64 = 3_600_000_000_000;
    let place = Place::new();
    let start = 7 * HOUR_NS + HOUR_NS / 2;
    let window = |ledger: &Ledger| {
        ledger.account(&key("hourly"), terms(10, true), 10, 7, || {
            FixedWindow::with_phase(10, HOUR, HOUR / 2, ()).unwrap()
        })
    };
    let moment = |after: i64| Moment::new(Nanos(after.cast_unsigned()), Wall(start + after));
    let (ledger, clock) = place.open_by(start);
    let hourly = window(&ledger);
    charge(&ledger, &hourly, moment(0), 10, 10).unwrap();
    assert!(ledger.flush(LONG));
    assert_eq!(record(&place).ahead, None);
    // The clock of the windows goes on with the wall's.
    clock.advance(HOUR / 2 - Duration::from_secs(1));
    let mut rounds = 0;
    while record(&place).ahead.is_none() {
        rounds += 1;
        assert!(rounds < 1_000);
        ledger.wait(LONG);
    }
    assert_eq!(record(&place).ahead.unwrap().stamp, 8);
    let after_kill = killed(&place);
    assert!(hourly.charge(moment(HOUR_NS / 2), cost(1), 10).is_ok());

    let lent = record(&after_kill).ahead.unwrap().units;
    let start = 8 * HOUR_NS;
    let ledger = after_kill.open(start);
    let hourly = ledger.account(&key("hourly"), terms(10, true), 10, 8, || {
        FixedWindow::with_phase(10, HOUR, Duration::ZERO, ()).unwrap()
    });
    assert!(matches!(
        charge(&ledger, &hourly, at(start), 10 - lent + 1, 10),
        Err(Refused::Denied(_))
    ));
}

/// It came by when the wall's clock would have shown that it was time: days later.
#[test]
fn window_is_lent_ahead_in_time_though_the_wall_clock_is_set_back() {
    const HOUR: Duration = Duration::from_secs(3_600);
    const HOUR_NS: i64 = 3_600_000_000_000;
    let place = Place::new();
    let (ledger, clock) = place.open_by(9 * DAY);
    let window = ledger.account(&key("hourly"), terms(10, true), 10, 9 * 24, || {
        FixedWindow::with_phase(10, HOUR, Duration::ZERO, ()).unwrap()
    });
    charge(&ledger, &window, at(9 * DAY), 10, 10).unwrap();
    assert!(ledger.flush(LONG));
    assert_eq!(record(&place).ahead, None);
    clock.advance(HOUR - Duration::from_secs(1));
    clock.set_wall(Wall(HOUR_NS));
    let mut rounds = 0;
    while record(&place).ahead.is_none() {
        rounds += 1;
        assert!(rounds < 100, "nobody came by");
        ledger.wait(LONG);
    }
    let next = Moment::new(Nanos(HOUR_NS.cast_unsigned()), Wall(HOUR_NS));
    assert!(window.charge(next, cost(1), 10).is_ok());
}

/// An hour's window, of which the process knows no earlier one, charged its first with what was lent of a window that had passed.
#[test]
fn what_was_lent_ahead_of_a_window_that_passed_without_a_process_counts_in_no_other() {
    const HOUR: Duration = Duration::from_secs(3_600);
    const HOUR_NS: i64 = 3_600_000_000_000;
    let place = Place::new();
    let hourly = |ledger: &Ledger, number: i64| {
        ledger.account(&key("hourly"), terms(10, true), 10, number, || {
            FixedWindow::with_phase(10, HOUR, Duration::ZERO, ()).unwrap()
        })
    };
    let (ledger, clock) = place.open_by(7 * HOUR_NS);
    let window = hourly(&ledger, 7);
    let evening = Moment::new(Nanos(3_599_000_000_000), Wall(8 * HOUR_NS - 1_000_000_000));
    clock.advance(Duration::from_secs(3_599));
    charge(&ledger, &window, evening, 10, 10).unwrap();
    assert!(ledger.flush(LONG));
    assert_eq!(record(&place).ahead.unwrap().stamp, 8);
    for hours in [8, 9, 11] {
        let place = killed(&place);
        let lost = if hours == 8 {
            record(&place).ahead.unwrap().units
        } else {
            0
        };
        let start = hours * HOUR_NS;
        let ledger = place.open(start);
        let window = hourly(&ledger, hours);
        let mut admitted = 0;
        while charge(&ledger, &window, at(start), 1, 10).is_ok() {
            admitted += 1;
        }
        assert_eq!(admitted, 10 - lost, "{hours} hours");
    }
}

#[test]
fn what_was_lent_ahead_of_a_day_that_passed_without_a_process_counts_in_no_other() {
    let place = Place::new();
    let (_ledger, _days) = used(&place, EVENING, 10);
    let lost = record(&place).ahead.unwrap().units;
    for day in 1..4 {
        let place = killed(&place);
        let ledger = place.open(day * DAY);
        let days = daily(&ledger, 10);
        let mut admitted = 0;
        while charge(&ledger, &days, at(day * DAY), 1, 10).is_ok() {
            admitted += 1;
        }
        assert_eq!(admitted, if day == 1 { 10 - lost } else { 10 }, "day {day}");
    }
}

/// Of the day that is lent ahead the max that is in force when it comes holds, whoever has lent how much of it.
#[test]
fn max_that_changes_after_the_next_period_was_lent_holds_in_that() {
    for max in [2, 4, 10, 25] {
        let place = Place::new();
        let (ledger, old) = used(&place, EVENING, 10);
        assert!(record(&place).ahead.is_some());
        let days = Arc::new(old.successor(old.meter().successor(max)));
        days.set_max(max);
        days.take_over(&old, at(EVENING));
        let mut admitted = 0;
        while charge(&ledger, &days, at(DAY), 1, max).is_ok() {
            admitted += 1;
        }
        assert_eq!(admitted, max);
        assert!(ledger.flush(LONG));
        let after = killed(&place);
        let ledger = after.open(DAY);
        let days = daily(&ledger, max);
        let answer = charge(&ledger, &days, at(DAY), 1, max);
        assert!(matches!(answer, Err(Refused::Denied(_))), "{answer:?}");
    }
}

#[test]
fn account_that_is_evicted_after_its_period_was_lent_ahead_has_all_of_it_when_it_comes_back() {
    for (when, used_before) in [(EVENING, 0), (DAY, 7)] {
        let place = Place::new();
        let (ledger, clock) = place.open_by(EVENING);
        let days = daily(&ledger, 10);
        let charged = charge(&ledger, &days, at(EVENING), 7, 10).unwrap();
        assert!(ledger.flush(LONG));
        assert!(record(&place).ahead.is_some());
        days.refund(at(EVENING), &charged.receipt, 7 - used_before);
        clock.set_wall(Wall(when));
        assert!(days.close_at_rest(at(when)));
        assert_eq!(
            days.charge(at(DAY), cost(1), 10).unwrap_err(),
            Refused::Closed
        );
        let again = daily(&ledger, 10);
        charge(&ledger, &again, at(when), 10, 10).unwrap();
        assert!(is_denied(&again, when, 1));
        assert!(ledger.flush(LONG));
        let after = killed(&place);
        let ledger = after.open(when);
        let days = daily(&ledger, 10);
        assert!(is_denied_by_record(&ledger, &days, when));
    }
}

/// Its past was forgotten with it.
#[test]
fn period_of_an_account_that_is_evicted_in_the_next_one_is_history() {
    for comes_back in [false, true] {
        let place = Place::new();
        let (ledger, clock) = place.open_by(EVENING);
        let days = daily(&ledger, 10);
        charge(&ledger, &days, at(EVENING), 7, 10).unwrap();
        assert!(ledger.flush(LONG));
        clock.set_wall(Wall(DAY));
        assert!(days.close_at_rest(at(DAY)));
        if comes_back {
            let days = daily(&ledger, 10);
            charge(&ledger, &days, at(DAY), 1, 10).unwrap();
        }
        assert!(ledger.flush(LONG));
        let mut past = Vec::new();
        let file = LedgerFile::read(&place.path).unwrap();
        file.each_past_period(|period| past.push(period)).unwrap();
        assert_eq!(past.len(), 1);
        assert_eq!(past[0].standing.stamp, 0);
        assert!((7..=10).contains(&past[0].standing.committed), "{past:?}");
        // What was used of it is known unless the account was replaced before the ledger came by.
        assert!(comes_back || past[0].standing.committed == 7, "{past:?}");
    }
}

#[test]
fn period_of_an_account_that_is_evicted_while_it_goes_on_is_no_history_yet() {
    let place = Place::new();
    let ledger = place.open(EVENING);
    let days = daily(&ledger, 10);
    let charged = charge(&ledger, &days, at(EVENING), 7, 10).unwrap();
    assert!(ledger.flush(LONG));
    assert_eq!(days.refund(at(EVENING), &charged.receipt, 7), 7);
    assert!(days.close_at_rest(at(EVENING)));
    assert!(ledger.flush(LONG));
    let file = LedgerFile::read(&place.path).unwrap();
    file.each_past_period(|period| panic!("{period:?}"))
        .unwrap();
}

/// Who changes its max comes in between: the meter that the ledger found takes no charge any more, and what is on record was lost.
#[test]
fn meter_that_is_frozen_while_it_is_restored_does_not_count_as_charged() {
    let place = Place::new();
    let (ledger, days) = used(&place, EVENING, 6);
    drop(days);
    assert!(ledger.close());
    let ledger = place.open(EVENING);
    let old = daily(&ledger, 10);
    let new = Arc::new(old.successor(old.meter().successor(9)));
    new.set_max(9);
    // Frozen, and the ledger knows nothing of what takes over.
    new.meter().take_over(old.meter(), at(EVENING));
    old.ask_for(cost(1), at(EVENING));
    assert!(ledger.flush(LONG));
    new.take_over(&old, at(EVENING));
    let answer = charge(&ledger, &new, at(EVENING), 4, 9);
    assert!(matches!(answer, Err(Refused::Denied(_))), "{answer:?}");
    charge(&ledger, &new, at(EVENING), 3, 9).unwrap();
    assert!(ledger.flush(LONG));
    assert_eq!(record(&place).standing.committed, 9);
}

/// The same of one who evicts it: he has closed the meter, and has not told so yet.
#[test]
fn meter_that_is_closed_while_it_is_restored_does_not_count_as_charged() {
    let place = Place::new();
    let (ledger, days) = used(&place, EVENING, 6);
    drop(days);
    assert!(ledger.close());
    let ledger = place.open(EVENING);
    let days = daily(&ledger, 10);
    assert!(days.meter().close_at_rest(at(EVENING)));
    days.ask_for(cost(1), at(EVENING));
    assert!(ledger.flush(LONG));
    assert!(days.close_at_rest(at(EVENING)));
    assert!(ledger.flush(LONG));
    let again = daily(&ledger, 10);
    let answer = charge(&ledger, &again, at(EVENING), 5, 10);
    assert!(matches!(answer, Err(Refused::Denied(_))), "{answer:?}");
    assert!(ledger.flush(LONG));
    assert_eq!(record(&place).standing.committed, 6);
}

/// An account that was evicted before the ledger had come by forgot what was on record of it.
#[test]
fn account_that_is_evicted_before_it_was_read_forgets_nothing() {
    let place = Place::new();
    let (ledger, days) = used(&place, EVENING, 6);
    drop(days);
    assert!(ledger.close());
    for is_asked in [false, true] {
        let ledger = place.open(EVENING);
        let days = daily(&ledger, 10);
        if is_asked {
            // Found dry, and backed out: the meter is at rest. The ledger may have come by, or not.
            let _ = days.charge(at(EVENING), cost(1), 10);
        }
        if days.close_at_rest(at(EVENING)) {
            let days = daily(&ledger, 10);
            assert!(matches!(
                charge(&ledger, &days, at(EVENING), 5, 10),
                Err(Refused::Denied(_))
            ));
        }
        assert!(ledger.close());
        assert_eq!(record(&place).standing.committed, 6);
    }
}

/// What is on record stops at its max, so what is lent of it does too, until the new max is there.
#[test]
fn raised_max_admits_nothing_that_a_kill_would_forget() {
    let place = Place::new();
    let (_ledger, days) = used(&place, EVENING, 8);
    let new = Arc::new(days.successor(days.meter().successor(100)));
    new.set_max(100);
    new.take_over(&days, at(EVENING));
    let mut used = 8;
    while new.charge(at(EVENING), cost(1), 100).is_ok() {
        used += 1;
    }
    let AccountRecord { standing, out, .. } = record(&place);
    let spent = standing.max.min(standing.committed + out);
    assert!(
        used >= 10 && spent >= used,
        "{used} used, {spent} on record"
    );
}

/// What was lawful under the old max was taken for debt, with which the next day's level began.
#[test]
fn lowered_max_lends_nothing_of_the_next_day_that_a_kill_would_forget() {
    let place = Place::new();
    let ledger = place.open(EVENING);
    let old = lent(&ledger, 2);
    charge(&ledger, &old, at(EVENING), 10, 10).unwrap();
    assert!(ledger.flush(LONG));
    let days = Arc::new(old.successor(old.meter().successor(5)));
    days.set_max(5);
    days.take_over(&old, at(EVENING));
    days.charge_anyway(at(EVENING), cost(1), 5).unwrap();
    assert!(ledger.flush(LONG));
    let ahead = record(&place).ahead.unwrap().units;
    let after = killed(&place);
    let mut admitted = 0;
    while days.charge(at(DAY), cost(1), 5).is_ok() {
        admitted += 1;
    }
    assert!(admitted <= ahead, "{admitted} of {ahead}");
    let ledger = after.open(DAY);
    let days = daily(&ledger, 5);
    while charge(&ledger, &days, at(DAY), 1, 5).is_ok() {
        admitted += 1;
    }
    assert!(
        admitted < 5,
        "{admitted}, though the day before owed one unit"
    );
}

/// A day that begins with what is owed finds what was lent of it all the same.
#[test]
fn debt_leaves_what_was_lent_of_the_next_day() {
    let place = Place::new();
    let (ledger, _clock) = place.open_by(EVENING);
    let days = lent(&ledger, 4);
    charge(&ledger, &days, at(EVENING), 9, 10).unwrap();
    for _ in 0..2 {
        assert!(ledger.flush(LONG));
        assert!(record(&place).ahead.is_some());
        // Told before and after something was lent ahead.
        days.charge_anyway(at(EVENING), cost(2), 10).unwrap();
    }
    assert!(ledger.flush(LONG));
    assert!(days.charge(at(DAY), cost(1), 10).is_ok());
    assert_eq!(days.used(at(DAY)), 3 + 1);
}
