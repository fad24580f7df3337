//! Real threads race for exactly so many units.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::SeqCst},
};
use std::time::Duration;

use tollgate_core::{Cost, Limit, Meter, Moment, Nanos, Refused, Wall};
use tollgate_quota::{
    Calendar, CalendarMeter, Concurrency, Depth, Lifetime, RateMeter, RefundRule,
    calendar::CalendarPeriod,
    threshold::{Share, Thresholds},
};
use tollgate_testkit::stress::race_for;

const THREADS: usize = 4;
const ATTEMPTS: usize = 20_000;
const MAX: u64 = 25_000;

fn cost(units: u64) -> Cost {
    Cost::new(units).unwrap()
}

fn daily() -> CalendarMeter {
    let days = Calendar::new(CalendarPeriod::Day, "Europe/Berlin").unwrap();
    CalendarMeter::new(Arc::new(days), MAX)
}

fn hourly(depth: Depth) -> RateMeter {
    let limit = Limit::new(MAX, Duration::from_secs(3_600)).unwrap();
    RateMeter::new(&limit, depth, RefundRule::Exact).unwrap()
}

/// All ask for one unit each, three times as often as there are units.
fn admits_exactly(meter: &impl Meter) {
    let race = race_for(THREADS, ATTEMPTS, |_, _| {
        u64::from(meter.charge(Moment::default(), Cost::ONE, MAX).is_ok())
    });
    assert_eq!(race.total, u128::from(MAX));
    assert_eq!(meter.used(Moment::default()), MAX);
}

#[test]
fn racers_get_exactly_the_ceiling() {
    admits_exactly(&Lifetime::new());
    admits_exactly(&Concurrency::new());
    admits_exactly(&daily());
}

/// Charges and refunds of changing sizes: what is used in the end is what was kept.
fn keeps_what_was_not_refunded(meter: &impl Meter) {
    let race = race_for(THREADS, ATTEMPTS, |thread, number| {
        let asked = 1 + (thread as u64 + number as u64) % 7;
        let Ok(charged) = meter.charge(Moment::default(), cost(asked), MAX) else {
            return 0;
        };
        let surplus = number as u64 % (asked + 1);
        assert_eq!(
            meter.refund(Moment::default(), &charged.receipt, surplus),
            surplus
        );
        asked - surplus
    });
    assert_eq!(race.total, u128::from(meter.used(Moment::default())));
    assert!(race.total <= u128::from(MAX));
}

#[test]
fn no_refund_is_lost_or_counted_twice() {
    keeps_what_was_not_refunded(&Lifetime::new());
    keeps_what_was_not_refunded(&Concurrency::new());
    keeps_what_was_not_refunded(&daily());
    // Whatever is in flight, and however many charges came while a racer stood still.
    keeps_what_was_not_refunded(&hourly(Depth::Long));
    keeps_what_was_not_refunded(&hourly(Depth::Short));
}

/// Six callers admit, extend and settle at nothing, while a clock moves by a nanosecond a step. What each refund may leave
/// is what was served since its charge, and all of the race together serves a fortieth of a unit.
#[test]
fn racing_refunds_of_a_rate_strand_next_to_nothing() {
    const CAPACITY: u64 = 100;
    const CALLS: usize = 10_000;
    let limit = Limit::new(100, Duration::from_secs(1)).unwrap();
    let limit = limit.with_capacity(CAPACITY);
    let meter = RateMeter::new(&limit, Depth::Long, RefundRule::Exact).unwrap();
    let clock = AtomicU64::new(0);
    let tick = || Moment::new(Nanos(clock.fetch_add(1, SeqCst)), Wall::default());
    let race = race_for(6, CALLS, |thread, number| {
        let charge = |units| meter.charge(tick(), cost(units), CAPACITY);
        let Ok(admitted) = charge(1 + (thread + number) as u64 % 16) else {
            return 0;
        };
        let extended = charge(1 + number as u64 % 5);
        for charged in [Some(admitted), extended.ok()].into_iter().flatten() {
            meter.refund(tick(), &charged.receipt, u64::MAX);
        }
        1
    });
    let used = meter.used(tick());
    assert!(used <= 2, "{used} of {CAPACITY} are stranded");
    let calls = 6 * CALLS as u128;
    assert!(race.total > calls / 2, "{} of {calls} pass", race.total);
}

#[test]
fn never_more_is_open_than_the_ceiling() {
    let (places, open) = (Concurrency::new(), AtomicU64::new(0));
    let race = race_for(THREADS, ATTEMPTS, |_, _| {
        let Ok(charged) = places.charge(Moment::default(), Cost::ONE, 2) else {
            return 0;
        };
        assert!(open.fetch_add(1, SeqCst) < 2, "three were open at once");
        open.fetch_sub(1, SeqCst);
        assert_eq!(places.refund(Moment::default(), &charged.receipt, 1), 1);
        1
    });
    assert!(race.total > 0);
    assert_eq!(places.used(Moment::default()), 0);
    assert!(places.close_at_rest(Moment::default()));
}

/// However the climb is cut into charges, and whoever makes them.
fn tells_each_crossing_once(meter: &impl Meter) {
    const FULL: u64 = 40;
    let half = Thresholds::new([Share::percent(50).unwrap()]).unwrap();
    let told = race_for(THREADS, ATTEMPTS, |_, number| {
        let Ok(charged) = meter.charge(Moment::default(), cost(1 + number as u64 % 9), FULL) else {
            return 0;
        };
        half.crossed(charged.before, charged.after, charged.full)
            .len() as u64
    });
    assert_eq!(told.total, 1);
}

#[test]
fn one_racer_of_all_is_told_of_a_crossing() {
    for _ in 0..50 {
        tells_each_crossing_once(&Lifetime::new());
        tells_each_crossing_once(&daily());
    }
}

/// Whoever closes the meter closes it for all: nothing that was admitted is lost with it.
#[test]
fn close_at_rest_never_takes_a_charge_with_it() {
    for _ in 0..200 {
        let places = Concurrency::new();
        let race = race_for(2, 50, |thread, _| {
            if thread == 0 {
                u64::from(places.close_at_rest(Moment::default()))
            } else {
                match places.charge(Moment::default(), Cost::ONE, 10) {
                    Ok(charged) => {
                        assert_eq!(places.refund(Moment::default(), &charged.receipt, 1), 1);
                        0
                    }
                    Err(refused) => {
                        assert_eq!(refused, Refused::Closed);
                        0
                    }
                }
            }
        });
        assert!(race.total > 0 || places.close_at_rest(Moment::default()));
    }
}
