//! Figures that no meter can hold are told at the key that gives them, with the largest that would fit.

use std::time::Duration;

use super::algorithm::Kind;
use super::item::Item;
use super::mistakes::{Mistakes, Read};
use super::number::AMOUNT_MAX;
use super::rule::{Algorithm, Unit};
use super::words::amount_text;
use tollgate_core::Limit;
use tollgate_quota::Scale;
use tollgate_window::{ExactLog, FixedWindow, PeriodCounter, SlottedRing};

/// The figures of an account: those of the limit, or of an override in their place.
#[derive(Debug)]
pub(super) struct Figures<'a> {
    pub(super) unit: Unit,
    pub(super) max: Option<u64>,
    pub(super) capacity: Read<Option<u64>>,
    /// Where the table in question gives the maximum, and where the capacity.
    pub(super) max_item: Option<Item<'a>>,
    pub(super) capacity_item: Option<Item<'a>>,
}

/// What does not fit, and the most that would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Misfit {
    /// The maximum, whatever the period.
    Max { most: u64 },
    /// The maximum, for its period.
    Rate { most: u64 },
    /// The capacity, for its rate.
    Capacity { most: u64 },
}

/// Tells figures that a meter of `kind` cannot hold; what is wrong with `algorithm` was told already. For figures
/// of an override, `limit` says whether those of its limit fit by themselves: if not, that is not told again.
pub(super) fn check(
    kind: Kind,
    algorithm: Read<&Algorithm>,
    figures: &Figures<'_>,
    limit: Read<()>,
    mistakes: &mut Mistakes,
) -> Read<()> {
    let Some(max) = figures.max else {
        return Ok(());
    };
    let Some(misfit) = misfit(kind, algorithm, max, figures.capacity) else {
        return Ok(());
    };
    let at_fault = match misfit {
        Misfit::Max { .. } | Misfit::Rate { .. } => figures.max_item,
        // A capacity of the limit that is wrong by itself is not the fault of this maximum.
        Misfit::Capacity { .. } if matches!(figures.capacity, Ok(Some(_))) => figures
            .capacity_item
            .or(figures.max_item.filter(|_| limit.is_ok())),
        Misfit::Capacity { .. } => figures.max_item,
    };
    let Some(item) = at_fault else {
        return limit;
    };
    let shown = |amount| amount_text(figures.unit, amount);
    let max = shown(max);
    let (message, remedy) = match (misfit, figures.capacity) {
        (Misfit::Max { most }, _) if kind == Kind::Log => (
            format!(
                "`max` is {max}, but a log keeps a stamp for each unit and at most {}",
                shown(most)
            ),
            "choose algorithm = \"window\" or \"gcra\", or a smaller maximum".into(),
        ),
        (Misfit::Max { most }, _) => (
            format!("`max` is {max}, more than {} can count", kind.name()),
            format!("write at most {}", shown(most)),
        ),
        (Misfit::Rate { most }, _) => (
            format!("`max` is {max}, more than gcra can tell apart in this `per`"),
            format!("write at most {}, or make `per` longer", shown(most)),
        ),
        (Misfit::Capacity { most }, Ok(Some(capacity))) => (
            format!(
                "a capacity of {} with a `max` of {max} takes longer to refill than gcra can hold",
                shown(capacity)
            ),
            match figures.capacity_item {
                Some(_) => format!("write at most {}", shown(most)),
                None => format!("add a `capacity` of at most {}", shown(most)),
            },
        ),
        (Misfit::Capacity { most }, _) => (
            format!(
                "the capacity, which is `max` unless given, takes longer to refill than gcra can hold if it is {max}"
            ),
            format!(
                "add a `capacity` of at most {}, or make `per` shorter",
                shown(most)
            ),
        ),
    };
    Err(mistakes.tell(item.at, message, remedy))
}

fn misfit(
    kind: Kind,
    algorithm: Read<&Algorithm>,
    max: u64,
    capacity: Read<Option<u64>>,
) -> Option<Misfit> {
    let most = match kind {
        Kind::Window => SlottedRing::MAX_UNITS,
        Kind::Log => ExactLog::MAX_UNITS,
        Kind::Fixed => FixedWindow::MAX_UNITS,
        Kind::Calendar => PeriodCounter::UNITS_MAX,
        Kind::Gcra | Kind::Lifetime | Kind::Concurrency => AMOUNT_MAX,
    };
    if max > most {
        return Some(Misfit::Max { most });
    }
    match algorithm {
        // Nothing allowed is a ceiling of nothing, whatever the rate.
        Ok(Algorithm::Gcra { per_ns, .. }) if max > 0 => {
            rate_misfit(max, Duration::from_nanos(*per_ns), capacity)
        }
        _ => None,
    }
}

fn rate_misfit(max: u64, per: Duration, capacity: Read<Option<u64>>) -> Option<Misfit> {
    let one_at_once = Limit::new(max, per).and_then(|limit| limit.try_with_capacity(1));
    let Ok(scale) = one_at_once.and_then(|limit| Scale::new(&limit)) else {
        return Some(Misfit::Rate {
            most: Scale::units_max(per).min(AMOUNT_MAX),
        });
    };
    let most = scale.capacity_max();
    let capacity = capacity.ok()?.unwrap_or(max);
    (capacity > most).then_some(Misfit::Capacity { most })
}
