//! The law of a rate whose limit was changed while it ran.

use super::{Event, Evidence, Kind, Verdict, in_order};
use crate::{
    exact::{Wide, clamp, floor, product},
    limit::RateLimit,
};

/// The largest common multiple of periods that is reckoned with, so that every product stays exact.
const MULTIPLE_MAX: u128 = 1 << 100;

/// Judges `events` under limits that replaced one another: each holds from its instant on, the first from the start
/// of time. From `a` through `b` at most the largest capacity in force there, plus the integral of the rates, plus
/// `slack` may pass. The instant of a change belongs to both limits.
///
/// Who is decided under the new limit by a `now` from before the change counts at the change. O(n × limits) on events
/// in order of time.
///
/// ```
/// use tollgate_testkit::law::{Event, check_changing};
/// use tollgate_testkit::RateLimit;
///
/// // Two a second, then at 5 s ten a second.
/// let second = 1_000_000_000;
/// let limits = [(0, RateLimit::new(2, second, 2)), (5 * second, RateLimit::new(10, second, 10))];
/// let burst = |units| [Event::admitted(0, 2), Event::admitted(5 * second, units)];
/// assert!(check_changing(&limits, burst(10), 0).held());
/// assert!(!check_changing(&limits, burst(11), 0).held());
/// ```
pub fn check_changing(
    limits: &[(u64, RateLimit)],
    events: impl IntoIterator<Item = Event>,
    slack: u64,
) -> Verdict {
    let mut limits = limits.to_vec();
    limits.sort_by_key(|(from, _)| *from);
    let Some(multiple) = common_multiple(&limits) else {
        return Verdict::NotChecked(format!(
            "the periods need a common multiple of at most {MULTIPLE_MAX} ns, and at least one limit"
        ));
    };
    let multiple = Wide::from(multiple);
    let refilled = Refilled::new(&limits, multiple);

    // For intervals that begin under each limit: the largest of `refilled(a) - units before a`, and its `a`.
    let mut starts: Vec<Option<(Wide, u128, u64)>> = vec![None; limits.len()];
    let mut units = 0_u128;
    for event in in_order(events.into_iter().collect()) {
        if event.kind == Kind::Closed {
            continue;
        }
        let by_now = refilled.until(event.at);
        let start = by_now - Wide::from(units) * multiple;
        let under = limits
            .partition_point(|(from, _)| *from < event.at)
            .saturating_sub(1);
        if starts[under].is_none_or(|(largest, ..)| start > largest) {
            starts[under] = Some((start, units, event.at));
        }
        units += u128::from(event.units);
        if event.kind != Kind::Admitted {
            continue;
        }

        let last = limits.partition_point(|(from, _)| *from <= event.at).max(1);
        let mut capacity = 0;
        for index in (0..last).rev() {
            capacity = capacity.max(limits[index].1.capacity);
            let Some((start, before, first)) = starts[index] else {
                continue;
            };
            let room = u128::from(capacity) + u128::from(slack);
            let passed = Wide::from(units) * multiple - by_now + start;
            if passed > Wide::from(room) * multiple {
                let refill = floor(by_now - refilled.until(first), multiple);
                return Verdict::Broken(Evidence {
                    first,
                    last: event.at,
                    units: units - before,
                    allowed: room.saturating_add(clamp(refill)),
                });
            }
        }
    }
    Verdict::Held
}

/// The integral of the rates, times a common multiple of their periods.
struct Refilled {
    /// From when, units a nanosecond, and what was refilled before.
    pieces: Vec<(u64, Wide, Wide)>,
}

impl Refilled {
    fn new(limits: &[(u64, RateLimit)], multiple: Wide) -> Self {
        let mut pieces: Vec<(u64, Wide, Wide)> = Vec::new();
        for (index, (from, limit)) in limits.iter().enumerate() {
            let from = if index == 0 { 0 } else { *from };
            let speed = Wide::from(limit.units) * (multiple / Wide::from(limit.period.max(1)));
            let before = pieces.last().map_or(Wide::ZERO, |(since, speed, before)| {
                *before + *speed * product(from - since, 1)
            });
            pieces.push((from, speed, before));
        }
        Self { pieces }
    }

    fn until(&self, at: u64) -> Wide {
        let index = self.pieces.partition_point(|(from, ..)| *from <= at);
        let (from, speed, before) = self.pieces[index.saturating_sub(1)];
        before + speed * product(at - from, 1)
    }
}

fn common_multiple(limits: &[(u64, RateLimit)]) -> Option<u128> {
    let mut multiple = 1_u128;
    for (_, limit) in limits {
        let period = u128::from(limit.period.max(1));
        multiple = (multiple / common_divisor(multiple, period)).checked_mul(period)?;
        if multiple > MULTIPLE_MAX {
            return None;
        }
    }
    (!limits.is_empty()).then_some(multiple)
}

fn common_divisor(a: u128, b: u128) -> u128 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::law::Law;
    use proptest::prelude::*;

    fn limit() -> impl Strategy<Value = RateLimit> {
        (0_u64..5, 1_u64..8, 0_u64..15)
            .prop_map(|(units, period, capacity)| RateLimit::new(units, period, capacity))
    }

    fn events() -> impl Strategy<Value = Vec<Event>> {
        let event = (0_u64..40, 0_u64..6, any::<bool>()).prop_map(|(at, units, admitted)| {
            if admitted {
                Event::admitted(at, units)
            } else {
                Event::debt(at, units / 3)
            }
        });
        prop::collection::vec(event, 0..25)
    }

    /// Every pair of instants summed anew, the integral a nanosecond at a time. 840 is a multiple of every period.
    fn held(limits: &[(u64, RateLimit)], events: &[Event]) -> bool {
        let mut events = events.to_vec();
        events.sort_by_key(|event| event.at);
        let at = |instant: u64| {
            limits
                .iter()
                .rfind(|(from, _)| *from <= instant)
                .unwrap_or(&limits[0])
                .1
        };
        let in_force = |first: u64, last: u64| {
            limits.iter().enumerate().filter(move |(index, (from, _))| {
                let ends = limits.get(index + 1).map_or(u64::MAX, |(from, _)| *from);
                (*index == 0 || *from <= last) && first <= ends
            })
        };
        (0..events.len())
            .filter(|last| events[*last].kind == Kind::Admitted)
            .all(|last| {
                (0..=last).all(|first| {
                    let (a, b) = (events[first].at, events[last].at);
                    let units: u64 = events[first..=last].iter().map(|event| event.units).sum();
                    let refilled: u64 = (a..b).map(|t| at(t).units * 840 / at(t).period).sum();
                    let capacity = in_force(a, b).map(|(_, (_, limit))| limit.capacity).max();
                    units * 840 <= capacity.unwrap_or(0) * 840 + refilled
                })
            })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3_000))]

        #[test]
        fn equals_every_interval_summed_anew(
            changes in prop::collection::btree_map(0_u64..40, limit(), 1..4),
            events in events(),
        ) {
            let limits: Vec<(u64, RateLimit)> = changes.into_iter().collect();
            prop_assert_eq!(check_changing(&limits, events.clone(), 0).held(), held(&limits, &events));
        }

        #[test]
        fn a_limit_that_never_changes_is_the_law_of_a_rate(limit in limit(), events in events(), slack in 0_u64..3) {
            let unchanged = check_changing(&[(9, limit)], events.clone(), slack);
            let law = Law::Rate(limit).check(events, slack);
            prop_assert_eq!(unchanged.word(), law.word());
        }
    }

    #[test]
    fn a_backlog_kept_in_time_is_caught() {
        // 100 a second, all taken; then 10 a second with a capacity of 60. Ten units of backlog in time would be one.
        let second = 1_000_000_000;
        let limits = [
            (0, RateLimit::new(100, second, 100)),
            (0, RateLimit::new(10, second, 60)),
        ];
        let kept_in_time = [Event::admitted(0, 100), Event::admitted(second, 60)];
        assert!(!check_changing(&limits, kept_in_time, 0).held());
        assert!(check_changing(&limits, [kept_in_time[0], Event::admitted(second, 10)], 0).held());
    }

    #[test]
    fn what_cannot_be_reckoned_is_not_checked() {
        let primes = [u64::MAX - 58, u64::MAX - 82].map(|period| (0, RateLimit::new(1, period, 1)));
        assert_eq!(check_changing(&primes, [], 0).word(), "not_checked");
        assert_eq!(check_changing(&[], [], 0).word(), "not_checked");
    }
}
