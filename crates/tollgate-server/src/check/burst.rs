//! The most that a limit admits in any half-open span of a given length.
//!
//! | Algorithm | At most, in any span of length w |
//! | --- | --- |
//! | gcra | capacity + ⌊max × (w - 1 ns) / period⌋ |
//! | window, log | max for each window begun: max × ⌈w / window⌉ |
//! | fixed, calendar | max for each period that the span can touch |
//! | lifetime | max |
//! | concurrency | nothing bounds it |
//!
//! A span of w nanoseconds can touch ⌈(w - 1) / p⌉ + 1 periods of p nanoseconds: it begins with the
//! last of one. A zone that changes its clocks has a short period now and then, which makes it one more
//! where the span is longer than that period. For a month the shortest one counts.
//!
//! Instants are whole nanoseconds, so the last one in a span of w is w - 1 after its start, and a unit that
//! comes back at the end of the span is outside it. [`Worst::exact`] says whether that many can pass, or
//! whether the figure only bounds them.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tollgate_policy::{Algorithm, CalendarPeriod, CalendarRule};

const MINUTE: u64 = 60_000_000_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Rates are exact up to this many units a nanosecond in lowest terms; the time of a unit of a finer one is
/// rounded up to the 32,768th of a nanosecond.
const FINEST: u128 = 1 << 15;

/// Units admitted at worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Worst {
    pub(super) units: u128,
    /// Whether so many can pass; otherwise no more can.
    pub(super) exact: bool,
}

/// None where nothing bounds it. `window_ns` is at least 1.
pub(super) fn worst(
    algorithm: &Algorithm,
    max: u64,
    capacity: u64,
    window_ns: u64,
) -> Option<Worst> {
    let times = |periods: u64, exact| Worst {
        units: u128::from(max) * u128::from(periods),
        exact,
    };
    if max == 0 {
        return Some(times(0, true));
    }
    Some(match algorithm {
        Algorithm::Gcra { per_ns, .. } => rate(max, *per_ns, capacity, window_ns),
        // What a slot holds may count for up to a slot longer than the window.
        Algorithm::Window { per_ns, .. } => {
            times(window_ns.div_ceil(*per_ns), window_ns <= *per_ns)
        }
        Algorithm::Log { per_ns } => times(window_ns.div_ceil(*per_ns), true),
        Algorithm::Fixed { per_ns } => times(touched(window_ns, *per_ns), true),
        Algorithm::Calendar(rule) => {
            let (periods, exact) = periods(rule, window_ns);
            times(periods, exact)
        }
        Algorithm::Lifetime => times(1, true),
        Algorithm::Concurrency => return None,
    })
}

/// The capacity at the first instant, and what comes back until the last.
fn rate(max: u64, per_ns: u64, capacity: u64, window_ns: u64) -> Worst {
    // A unit takes per / max nanoseconds, in lowest terms or in 32,768ths.
    let (max, per) = (u128::from(max), u128::from(per_ns));
    let common = gcd(max, per);
    let (max, per) = if max / common <= FINEST {
        (max / common, per / common)
    } else {
        (FINEST, (per * FINEST).div_ceil(max))
    };
    let (capacity, window) = (u128::from(capacity), u128::from(window_ns));
    // A single unit is back at an instant only when all of its time is over, so that parts of a nanosecond
    // are lost each time.
    let (max, per) = if capacity == 1 {
        (1, per.div_ceil(max))
    } else {
        (max, per)
    };
    let refilled = capacity + (window - 1) * max / per;
    let at_every_instant = capacity.saturating_mul(window);
    // A capacity that is full again between two instants loses parts of units too.
    let exact = per >= max || at_every_instant <= refilled || (capacity - 1) * per >= max;
    Worst {
        units: refilled.min(at_every_instant),
        exact,
    }
}

fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

/// How many periods of equal length a span can touch.
fn touched(window_ns: u64, per_ns: u64) -> u64 {
    (window_ns - 1).div_ceil(per_ns) + 1
}

/// How many periods of a calendar a span can touch, and whether that is exact.
fn periods(rule: &CalendarRule, window_ns: u64) -> (u64, bool) {
    let length = match rule.period {
        CalendarPeriod::Hour => HOUR,
        CalendarPeriod::Day => DAY,
        CalendarPeriod::Week { .. } => 7 * DAY,
        CalendarPeriod::Month { .. } => 28 * DAY,
        CalendarPeriod::Year => 365 * DAY,
    };
    // Clocks are put forward by an hour at most; an hour itself loses half of it where they move by that.
    let shortest = if rule.period == CalendarPeriod::Hour {
        HOUR / 2
    } else {
        length - HOUR
    };
    let longer = window_ns > shortest;
    let one_more = longer && changes_clocks(&rule.zone);
    // Months and years differ in length.
    let alike = matches!(
        rule.period,
        CalendarPeriod::Hour | CalendarPeriod::Day | CalendarPeriod::Week { .. }
    );
    (
        touched(window_ns, length) + u64::from(one_more),
        !longer || (alike && !one_more),
    )
}

/// Whether the zone has changed its clocks since 1970, or will. An unknown one might.
fn changes_clocks(zone: &str) -> bool {
    TimeZone::get(zone).map_or(true, |zone| {
        zone.following(Timestamp::UNIX_EPOCH).next().is_some()
    })
}

#[cfg(test)]
mod tests {
    use tollgate_testkit::model::{Gcra, Model};
    use tollgate_testkit::{Answer, RateLimit};

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn calendar(period: CalendarPeriod, zone: &str) -> Algorithm {
        Algorithm::Calendar(CalendarRule {
            period,
            zone: zone.into(),
        })
    }

    fn units(algorithm: &Algorithm, max: u64, capacity: u64, window: u64) -> Option<u128> {
        worst(algorithm, max, capacity, window).map(|worst| worst.units)
    }

    fn exact(algorithm: &Algorithm, window: u64) -> bool {
        worst(algorithm, 4, 4, window).unwrap().exact
    }

    /// The most that `model` admits in any way from `now` on, to the last instant before `end`.
    fn tried(model: &Gcra, capacity: u64, now: u64, end: u64) -> u64 {
        if now == end {
            return 0;
        }
        let ways = (0..=capacity).filter(|cost| model.look(now, *cost) == Answer::Admit);
        ways.map(|cost| {
            let mut model = model.clone();
            let _kept = model.charge(now, cost);
            cost + tried(&model, capacity, now + 1, end)
        })
        .max()
        .unwrap_or(0)
    }

    #[test]
    fn gcra_is_exact() {
        let mut only_bounds = 0;
        for (max, per_ns) in (1..=5).flat_map(|max| (1..=5).map(move |per| (max, per))) {
            for (capacity, window) in [(1, 1), (1, 7), (2, 2), (2, 3), (2, 5), (3, 4), (4, 3)] {
                let rule = Algorithm::Gcra {
                    per_ns,
                    initial: None,
                };
                let model = Gcra::new(RateLimit::new(max, per_ns, capacity));
                let most = u128::from(tried(&model, capacity, 9, 9 + window));
                let worst = worst(&rule, max, capacity, window).unwrap();
                let of = format!("{max} in {per_ns} ns, capacity {capacity}, in {window} ns");
                if worst.exact {
                    assert_eq!(worst.units, most, "{of}");
                } else {
                    assert!(worst.units >= most, "{of}");
                    only_bounds += 1;
                }
            }
        }
        assert!((1..20).contains(&only_bounds), "{only_bounds}");
    }

    #[test]
    fn what_comes_back_at_the_end_of_a_span_is_outside_it() {
        let rate = |per_ns| Algorithm::Gcra {
            per_ns,
            initial: None,
        };
        let minute = rate(60 * SECOND);
        assert_eq!(units(&minute, 60, 10, SECOND), Some(10));
        assert_eq!(units(&minute, 60, 10, SECOND + 1), Some(11));
        assert_eq!(units(&minute, 60, 10, MINUTE), Some(69));
        assert_eq!(units(&rate(7 * SECOND), 3, 5, 1), Some(5));
        assert_eq!(units(&minute, 0, 5, DAY), Some(0), "zero allows nothing");
        // 65,537 units in 65,536 ns are a bit finer than the 32,768th, and rounded to one a nanosecond.
        assert_eq!(units(&rate(65_536), 65_537, 9, 65_537), Some(9 + 65_536));
        let most = u64::MAX;
        assert_eq!(
            units(&rate(SECOND), most, most, DAY),
            Some(u128::from(most) + 32_768 * u128::from(DAY - 1))
        );
    }

    #[test]
    fn windows_count_for_each_one_begun() {
        for sliding in [
            Algorithm::Log {
                per_ns: 10 * SECOND,
            },
            Algorithm::Window {
                per_ns: 10 * SECOND,
                slots: 5,
            },
        ] {
            assert_eq!(units(&sliding, 4, 4, SECOND), Some(4));
            assert_eq!(units(&sliding, 4, 4, 10 * SECOND), Some(4));
            assert_eq!(units(&sliding, 4, 4, 10 * SECOND + 1), Some(8));
            assert_eq!(units(&sliding, 4, 4, 60 * SECOND), Some(24));
            assert!(exact(&sliding, 10 * SECOND));
            assert_eq!(
                exact(&sliding, 60 * SECOND),
                matches!(sliding, Algorithm::Log { .. })
            );
        }
    }

    #[test]
    fn fixed_periods_count_for_each_one_touched() {
        let fixed = Algorithm::Fixed { per_ns: 10 };
        for window in 1..=60 {
            // By trying every start in a period.
            let tried = (0..10).map(|start| (start + window - 1) / 10 + 1).max();
            assert_eq!(
                units(&fixed, 4, 4, window),
                tried.map(|n| u128::from(n) * 4),
                "{window}"
            );
        }
        assert_eq!(units(&Algorithm::Fixed { per_ns: 1 }, 4, 4, 3), Some(12));
    }

    #[test]
    fn calendars_know_short_days() {
        let day = |zone, window| units(&calendar(CalendarPeriod::Day, zone), 1, 1, window);
        assert_eq!(day("UTC", SECOND), Some(2));
        assert_eq!(day("UTC", DAY), Some(2));
        assert_eq!(
            day("Asia/Kolkata", DAY),
            Some(2),
            "no change of clocks since 1970"
        );
        // 25 March 2029 has 23 hours in Berlin: the last instant of the day before, that day, and the first
        // hour of the next are within 24 hours.
        assert_eq!(day("Europe/Berlin", DAY), Some(3));
        assert_eq!(day("Europe/Berlin", 23 * HOUR), Some(2));
        let berlin = calendar(CalendarPeriod::Day, "Europe/Berlin");
        assert!(exact(&berlin, 23 * HOUR) && !exact(&berlin, DAY));
        assert!(exact(&calendar(CalendarPeriod::Day, "UTC"), DAY));
        let hour = |window| units(&calendar(CalendarPeriod::Hour, "UTC"), 1, 1, window);
        assert_eq!((hour(HOUR), hour(DAY)), (Some(2), Some(25)));
        let month = calendar(CalendarPeriod::Month { anchor_day: 31 }, "Europe/Berlin");
        assert_eq!(units(&month, 1, 1, DAY), Some(2));
        assert_eq!(
            units(&calendar(CalendarPeriod::Year, "UTC"), 1, 1, DAY),
            Some(2)
        );
        assert_eq!(units(&Algorithm::Lifetime, 9, 9, DAY), Some(9));
        assert_eq!(units(&Algorithm::Concurrency, 9, 9, DAY), None);
    }
}
