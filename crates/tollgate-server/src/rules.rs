//! The limits of a policy in words and in the numbers that are in force.

use std::time::Duration;

use tollgate_policy::{Algorithm, CalendarPeriod, LimitRule, Mode, OverrideRule, Refund};

use crate::{figures, units};

/// What an account may use, its overrides counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terms {
    /// Units a period, in all or open at once; none is unlimited.
    pub(crate) max: Option<u64>,
    /// Units at one instant, of a gcra limit; otherwise `max`.
    pub(crate) capacity: Option<u64>,
    pub(crate) mode: Mode,
}

impl Terms {
    /// The terms of `limit`, with those of an override in their place where it gives them.
    pub(crate) fn new(limit: &LimitRule, other: Option<&OverrideRule>) -> Self {
        let max = other.and_then(|other| other.max).or(limit.max);
        let capacity = other
            .and_then(|other| other.capacity)
            .or(limit.capacity)
            .or(max);
        let mode = other.and_then(|other| other.mode).unwrap_or(limit.mode);
        Self {
            max,
            capacity,
            mode,
        }
    }
}

/// A limit in words, such as `60 requests per 1m, capacity 10, gcra, by agent`.
pub(crate) fn words(limit: &LimitRule, terms: &Terms) -> String {
    let unit = limit.unit;
    let Some(max) = terms.max else {
        return "unlimited".into();
    };
    let mut words = vec![match period(&limit.algorithm) {
        Some(period) => format!("{} per {period}", units::amount_of(unit, max.into())),
        None => units::amount_of(unit, max.into()),
    }];
    if let Some(capacity) = terms.capacity.filter(|capacity| *capacity != max) {
        words.push(format!("capacity {}", units::amount(unit, capacity.into())));
    }
    words.push(match &limit.algorithm {
        Algorithm::Window { slots, .. } => format!("window of {slots} slots"),
        Algorithm::Calendar(rule) if rule.zone != "UTC" => format!("calendar of {}", rule.zone),
        other => algorithm(other).to_owned(),
    });
    if limit.refund == Refund::Eager {
        words.push("eager refunds".into());
    }
    if !limit.by.is_empty() {
        words.push(format!("by {}", limit.by.join(", ")));
    }
    if !limit.when.is_empty() {
        let parts = limit
            .when
            .iter()
            .map(|(scope, pattern)| format!("{scope} = {pattern}"));
        words.push(format!("when {}", parts.collect::<Vec<_>>().join(" and ")));
    }
    match terms.mode {
        Mode::Enforce => {}
        Mode::Shadow => words.push("shadow: refuses nobody".into()),
        Mode::Off => words.push("off".into()),
    }
    figures::plain(&words.join(", ")).into_owned()
}

/// The span within which a limit promises its maximum, in words.
pub(crate) fn window(algorithm: &Algorithm) -> String {
    match algorithm {
        Algorithm::Lifetime => "ever".into(),
        Algorithm::Concurrency => "at once".into(),
        _ => period(algorithm).unwrap_or_default(),
    }
}

/// The period of an algorithm that has one, as a policy writes it.
fn period(algorithm: &Algorithm) -> Option<String> {
    let word = match algorithm {
        Algorithm::Gcra { per_ns, .. }
        | Algorithm::Window { per_ns, .. }
        | Algorithm::Log { per_ns }
        | Algorithm::Fixed { per_ns } => {
            return Some(figures::round_span(Duration::from_nanos(*per_ns)));
        }
        Algorithm::Calendar(rule) => match rule.period {
            CalendarPeriod::Hour => "hour",
            CalendarPeriod::Day => "day",
            CalendarPeriod::Week { .. } => "week",
            CalendarPeriod::Month { .. } => "month",
            CalendarPeriod::Year => "year",
        },
        Algorithm::Lifetime | Algorithm::Concurrency => return None,
    };
    Some(word.into())
}

fn algorithm(algorithm: &Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Gcra { .. } => "gcra",
        Algorithm::Window { .. } => "window",
        Algorithm::Log { .. } => "log",
        Algorithm::Fixed { .. } => "fixed",
        Algorithm::Calendar(_) => "calendar",
        Algorithm::Lifetime => "lifetime",
        Algorithm::Concurrency => "concurrency",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tollgate_policy::PolicyFile;

    #[test]
    fn limits_read_as_people_say_them() {
        let text = r#"
            [[limit]]
            name = "a"
            by = ["agent", "provider"]
            unit = "requests"
            max = 60
            per = "1m"
            capacity = 10
            when = { model = "gpt-4o*" }
            mode = "shadow"
            [[limit]]
            name = "b"
            unit = "usd"
            max = 12.5
            per = "day"
            algorithm = "calendar"
            zone = "Europe/Berlin"
            [[limit]]
            name = "c"
            unit = "requests"
            max = 3
            algorithm = "concurrency"
            [[override]]
            limit = "a"
            where = { agent = "x" }
            max = 200
            mode = "enforce"
        "#;
        let file = PolicyFile::parse(text).unwrap();
        let words = |limit: &LimitRule, other| super::words(limit, &Terms::new(limit, other));
        assert_eq!(
            words(&file.limits[0], None),
            "60 requests per 1m, capacity 10, gcra, by agent, provider, when model = gpt-4o*, \
             shadow: refuses nobody"
        );
        assert_eq!(
            words(&file.limits[0], Some(&file.overrides[0])),
            "200 requests per 1m, capacity 10, gcra, by agent, provider, when model = gpt-4o*"
        );
        assert_eq!(
            words(&file.limits[1], None),
            "$12.50 per day, calendar of Europe/Berlin"
        );
        assert_eq!(words(&file.limits[2], None), "3 requests, concurrency");
        assert_eq!(window(&file.limits[2].algorithm), "at once");
        assert_eq!(window(&file.limits[0].algorithm), "1m");
    }
}
