//! Accounts that were used once and never again.

use super::*;
use tollgate_core::{Clock, Limit, Standing};
use tollgate_quota::{
    Depth, RateMeter, RefundRule,
    lease::Ahead,
    ledger::{AccountRecord, Drain, LedgerFile, LimitDrain, PastPeriod},
};

const HOUR_NS: i64 = DAY_NS / 24;

fn key_of(name: &str, algorithm: &str) -> AccountKey {
    AccountKey::new(name, "requests", algorithm, &["agent"], &["a"])
}

/// So many units of 10 in the period of `stamp`.
fn record(key: AccountKey, stamp: i64, committed: u64) -> AccountRecord {
    let standing = Standing {
        stamp,
        committed,
        max: 10,
    };
    AccountRecord::new(key, standing, true)
}

fn daily_of(ledger: &Ledger, name: &str) -> Arc<Leased<CalendarMeter>> {
    let key = key_of(name, "day in UTC");
    ledger.account(&key, terms(10, true), 10, 0, || {
        let days = Calendar::new(CalendarPeriod::Day, "UTC").unwrap();
        CalendarMeter::new(tollgate_sync::Arc::new(days), 10)
    })
}

/// Writes something, as a gate does all the time.
fn write(ledger: &Ledger, times: u64) {
    let budget = lifetime(ledger, 1_000);
    for _ in 0..times {
        charge(ledger, &budget, at(0), 1, 1_000).unwrap();
        assert!(ledger.flush(LONG));
    }
}

/// What a reader finds: the accounts' names, but for the one that [`write`] uses, and what each past period had used.
fn found(place: &Place) -> (Vec<String>, Vec<(String, i64, u64)>) {
    let file = LedgerFile::read(&place.path).unwrap();
    let (mut accounts, mut past) = (Vec::new(), Vec::new());
    file.each_account(|account| accounts.push(account.key.limit().to_owned()))
        .unwrap();
    accounts.retain(|name| name != "lifetime");
    accounts.sort_unstable();
    file.each_past_period(|period: PastPeriod| {
        let Standing {
            stamp, committed, ..
        } = period.standing;
        past.push((period.key.limit().to_owned(), stamp, committed));
    })
    .unwrap();
    past.sort_unstable();
    (accounts, past)
}

/// It was an account for ever: the file had every key that there ever was.
#[test]
fn account_that_is_never_used_again_becomes_history_when_its_period_is_over() {
    let place = Place::new();
    let mut lent = record(key_of("lent", "day in UTC"), 0, 7);
    lent.out = 2;
    let ahead = |name, stamp| {
        let mut account = record(key_of(name, "day in UTC"), 0, 7);
        account.ahead = Some(Ahead { stamp, units: 4 });
        account
    };
    let others = "month from day 31 in Asia/Tokyo";
    let accounts = [
        lent,
        ahead("ahead", DAY_NS),
        ahead("ahead of today", 2 * DAY_NS),
        record(key_of("in debt", "day in UTC"), 0, 11),
        record(key_of("in use", "day in UTC"), 0, 3),
        record(key_of("month", others), 0, 3),
        record(key_of("of another program", "week in UTC"), 0, 3),
        record(key_of("today", "day in UTC"), 2 * DAY_NS, 3),
        record(key_of("window", "windows of 3600000000000 ns"), 47, 5),
        record(
            key_of("window of now", "windows of 3600000000000 ns"),
            48,
            5,
        ),
    ];
    LedgerFile::make(&place.path, &accounts, &[]).unwrap();
    let (ledger, clock) = place.open_by(2 * DAY_NS + HOUR_NS / 2);
    let in_use = daily_of(&ledger, "in use");
    write(&ledger, 1);
    let stay = [
        "ahead",
        "ahead of today",
        "in debt",
        "in use",
        "month",
        "of another program",
        "today",
        "window of now",
    ];
    let past = |name: &str, stamp, used| (name.to_owned(), stamp, used);
    let mut ended = vec![
        past("ahead", 0, 7),
        past("lent", 0, 9),
        past("window", 47, 5),
    ];
    let (accounts, history) = found(&place);
    assert_eq!(accounts, stay);
    assert_eq!(history, ended);

    // What was lent ahead is used in its own period.
    clock.advance(Duration::from_secs(2 * 86_400));
    write(&ledger, 2);
    ended.extend([
        past("today", 2 * DAY_NS, 3),
        past("ahead", DAY_NS, 4),
        past("window of now", 48, 5),
        past("ahead of today", 0, 7),
    ]);
    ended.sort_unstable();
    let (accounts, history) = found(&place);
    assert_eq!(
        accounts,
        [
            "ahead of today",
            "in debt",
            "in use",
            "month",
            "of another program"
        ]
    );
    assert_eq!(history, ended);
    drop(in_use);
}

/// Property: however many there are, a commit looks at a part of them, and none is left out.
#[test]
fn accounts_that_are_over_become_history_some_with_each_commit() {
    let place = Place::new();
    let accounts = (0..1_000).map(|number| {
        let key = key_of(&number.to_string(), "day in UTC");
        record(key, number % 2 * DAY_NS, 1)
    });
    let accounts: Vec<_> = accounts.collect();
    LedgerFile::make(&place.path, &accounts, &[]).unwrap();
    let (ledger, clock) = place.open_by(DAY_NS);
    write(&ledger, 1);
    let (_, history) = found(&place);
    assert!((1..=256).contains(&history.len()), "{}", history.len());
    write(&ledger, 4);
    assert_eq!(found(&place).1.len(), 500);
    clock.advance(Duration::from_secs(86_400));
    write(&ledger, 5);
    let (accounts, history) = found(&place);
    assert_eq!((accounts.len(), history.len()), (0, 1_000));
}

/// Property: a clock that was set forward ends no account for good. One that was found ended begins as it stood then when the clock is put
/// right; and while a process runs, its clock must have gone on for as long.
#[test]
fn account_that_was_found_ended_admits_nothing_twice_when_the_clock_is_set_back() {
    let place = Place::new();
    let accounts = ["once", "twice"].map(|name| record(key_of(name, "day in UTC"), 0, 10));
    LedgerFile::make(&place.path, &accounts, &[]).unwrap();
    let (ledger, clock) = place.open_by(HOUR_NS);
    clock.set_wall(Wall(3 * DAY_NS));
    write(&ledger, 1);
    assert_eq!(found(&place).1, [], "it may be set back");
    assert!(ledger.close());

    let ledger = place.open(3 * DAY_NS);
    write(&ledger, 1);
    assert_eq!(found(&place).1.len(), 2);
    assert!(ledger.close());

    let ledger = place.open(HOUR_NS);
    let [once, other] = ["once", "other"].map(|name| daily_of(&ledger, name));
    let now = at(HOUR_NS);
    charge(&ledger, &other, now, 10, 10).unwrap();
    assert!(
        charge(&ledger, &once, at(DAY_NS - 1), 1, 10).is_err(),
        "its day 0 was used up"
    );
    charge(&ledger, &once, at(DAY_NS), 10, 10).unwrap();
    assert!(charge(&ledger, &once, at(2 * DAY_NS - 1), 1, 10).is_err());
    charge(&ledger, &once, at(2 * DAY_NS), 10, 10).unwrap();
}

/// Tells that accounts of the rate drain so many units an hour.
fn drains(ledger: &Ledger, units: u64) {
    let any = AccountKey::new("rate", "requests", "gcra", &["agent"], &[""]);
    let slowest = Drain::Rate {
        units: units.try_into().unwrap(),
        per: Duration::from_secs(3_600),
    };
    let drain = LimitDrain {
        slowest,
        figures: units,
        begins_empty: true,
    };
    ledger.limit_drains(&any, drain, at(0));
}

/// An hour's rate of so many units.
fn rate_of(ledger: &Ledger, name: &str, units: u64) -> Arc<Leased<RateMeter>> {
    let key = AccountKey::new("rate", "requests", "gcra", &["agent"], &[name]);
    ledger.account(&key, terms(10, false), 10, 0, || {
        let limit = Limit::per_hour(units).with_capacity(10);
        RateMeter::new(&limit, Depth::Short, RefundRule::Exact).unwrap()
    })
}

/// Property: a rate is forgotten once it has certainly drained, at the slowest rate of its limit; one of which something was lent only when
/// the process has run for as long. After the clock was set back it stands where it stood.
#[test]
fn rate_that_is_never_used_again_becomes_history_when_it_has_drained() {
    let place = Place::new();
    let of =
        |limit: &str, name: &str| AccountKey::new(limit, "requests", "gcra", &["agent"], &[name]);
    let record = |key: AccountKey, stamp| {
        let mut rate = record(key, stamp, 10);
        rate.has_periods = false;
        rate
    };
    let mut lent = record(of("rate", "lent"), 0);
    lent.standing.committed = 9;
    lent.out = 1;
    let accounts = [
        record(of("rate", "drained"), 0),
        record(of("rate", "not yet"), 1),
        lent,
        record(of("of no limit", "x"), 0),
    ];
    LedgerFile::make(&place.path, &accounts, &[]).unwrap();
    let names = |place: &Place| {
        let mut names = Vec::new();
        let file = LedgerFile::read(&place.path).unwrap();
        file.each_account(|account| {
            if account.key.limit() != "lifetime" {
                names.push(account.key.scopes()[0].1.to_owned());
            }
        })
        .unwrap();
        names.sort_unstable();
        names
    };
    // Ten units at five an hour.
    let (ledger, clock) = place.open_by(2 * HOUR_NS);
    for units in [5, 100] {
        drains(&ledger, units);
    }
    write(&ledger, 1);
    assert_eq!(names(&place), ["lent", "not yet", "x"]);
    assert_eq!(found(&place).1, [("rate".to_owned(), 0, 10)]);
    clock.advance(Duration::from_secs(86_400));
    write(&ledger, 2);
    assert_eq!(names(&place), ["x"]);
    assert!(ledger.close());

    let ledger = place.open(HOUR_NS);
    let drained = rate_of(&ledger, "drained", 5);
    charge(&ledger, &drained, at(HOUR_NS), 5, 10).unwrap();
    assert!(
        charge(&ledger, &drained, at(HOUR_NS), 1, 10).is_err(),
        "five were still there an hour after"
    );
}

/// It began anew: what its algorithm is called says nothing of its periods.
#[test]
fn account_of_periods_that_are_not_known_admits_nothing_twice_when_the_clock_is_set_back() {
    let place = Place::new();
    let (ledger, clock) = place.open_by(HOUR_NS);
    let days = daily(&ledger, 10);
    charge(&ledger, &days, at(HOUR_NS), 10, 10).unwrap();
    assert!(ledger.flush(LONG));
    clock.set_wall(Wall(2 * DAY_NS));
    assert!(days.close_at_rest(at(2 * DAY_NS)));
    drop(days);
    assert!(ledger.close());
    let past = vec![("daily".to_owned(), 0, 10)];
    assert_eq!(found(&place), (Vec::new(), past));
    let ledger = place.open(HOUR_NS);
    let days = daily(&ledger, 10);
    assert!(charge(&ledger, &days, at(HOUR_NS), 1, 10).is_err());
    charge(&ledger, &days, at(DAY_NS), 10, 10).unwrap();
}

/// Property: a walk goes over all past periods, some with each commit, and forgets those that ended too long ago.
#[test]
fn past_periods_are_forgotten_some_with_each_commit() {
    let place = Place::new();
    let past = (0..1_000).map(|number| {
        let key = key_of(&(number % 10).to_string(), "day in UTC");
        let standing = record(key.clone(), number * DAY_NS, 1).standing;
        PastPeriod::new(key, Wall((number + 1) * DAY_NS), standing, 1)
    });
    LedgerFile::make(&place.path, &[], &past.collect::<Vec<_>>()).unwrap();
    let options = place.options().history(Duration::from_secs(400 * 86_400));
    let ledger = Ledger::open(&options).unwrap();
    let clock = Arc::new(ManualClock::new());
    clock.set_wall(Wall(1_000 * DAY_NS));
    assert!(ledger.start(Arc::clone(&clock) as _).unwrap());
    write(&ledger, 1);
    let left = found(&place).1.len();
    assert!((1_000 - 3 * 256..1_000).contains(&left), "{left}");
    write(&ledger, 4);
    let left = found(&place).1;
    assert_eq!(left.len(), 401, "those that ended 400 days ago and later");
    assert!(left.iter().all(|(_, stamp, _)| *stamp >= 599 * DAY_NS));
    clock.advance(Duration::from_secs(86_400));
    write(&ledger, 3);
    assert_eq!(found(&place).1.len(), 400);
}

/// It had drained, and came back with each eviction, for as long as the clock was behind.
#[test]
fn rate_of_the_history_counts_once_after_the_clock_was_set_back() {
    let place = Place::new();
    let key = AccountKey::new("rate", "requests", "gcra", &["agent"], &["a"]);
    let standing = record(key.clone(), 10 * DAY_NS, 10).standing;
    let past = PastPeriod::new(key, Wall(11 * DAY_NS), standing, 10);
    LedgerFile::make(&place.path, &[], &[past]).unwrap();
    let (ledger, clock) = place.open_by(HOUR_NS);
    let rate = rate_of(&ledger, "a", 5);
    assert!(
        charge(&ledger, &rate, at(HOUR_NS), 1, 10).is_err(),
        "as it stood"
    );
    clock.advance(Duration::from_secs(3 * 3_600));
    let later = clock.moment();
    assert!(rate.close_at_rest(later));
    drop(rate);
    assert!(ledger.flush(LONG));
    let rate = rate_of(&ledger, "a", 5);
    charge(&ledger, &rate, later, 10, 10).unwrap();
}
