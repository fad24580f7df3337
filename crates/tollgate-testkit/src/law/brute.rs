//! The laws once more, word for word: every interval is summed anew. Quadratic, for small figures only.

use super::{Event, Kind, Law};

/// Units beyond what `law` allows, at the worst admission of `events`.
pub(super) fn excess(law: &Law, events: &[Event], slack: u64) -> u128 {
    let mut sorted = events.to_vec();
    sorted.sort_by_key(|event| event.at);
    let admissions = (0..sorted.len()).filter(|last| sorted[*last].kind == Kind::Admitted);
    let worst = admissions
        .map(|last| excess_at(law, &sorted[..=last], i128::from(slack)))
        .max();
    u128::try_from(worst.unwrap_or(0)).unwrap_or(0)
}

/// Units beyond what `law` allows in any interval that ends with the last of `events`.
fn excess_at(law: &Law, events: &[Event], slack: i128) -> i128 {
    let last = events.last().expect("an admission is there").at;
    match law {
        Law::Rate(limit) => {
            let beyond = |first: u64| {
                let refilled = i128::from(limit.units) * i128::from(last - first);
                let allowed = i128::from(limit.capacity) + slack;
                let floored = refilled.div_euclid(i128::from(limit.period.max(1)));
                sum(events, |event| event.at >= first) - allowed - floored
            };
            let firsts = events.iter().map(|event| event.at);
            firsts.map(beyond).max().unwrap_or(0)
        }
        Law::Window { window, max } => {
            let in_window = |event: &Event| event.at + (*window).max(1) > last;
            sum(events, in_window) - i128::from(*max) - slack
        }
        Law::Periods { periods, max } => {
            let allowed = i128::from(*max) + slack;
            let mut used = 0;
            for number in 0..=periods.number(last) {
                used = (used - allowed).max(0);
                used += sum(events, |event| periods.number(event.at) == number);
            }
            used - allowed
        }
        Law::Lifetime { max } => sum(events, |_| true) - i128::from(*max) - slack,
        Law::Concurrency { max } => {
            let mut open = 0;
            for event in events {
                let units = i128::from(event.units);
                open = if event.kind == Kind::Closed {
                    (open - units).max(0)
                } else {
                    open + units
                };
            }
            open - i128::from(*max) - slack
        }
    }
}

fn sum(events: &[Event], counts: impl Fn(&Event) -> bool) -> i128 {
    let spent = events.iter().filter(|event| event.kind != Kind::Closed);
    spent
        .filter(|event| counts(event))
        .map(|event| i128::from(event.units))
        .sum()
}
