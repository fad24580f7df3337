//! Limits, costs and histories, of the kinds that `tollgate_testkit::strategy` draws at random.

use super::Source;
use tollgate_testkit::{
    RateLimit,
    strategy::{Histories, Op},
};

pub(super) const SECOND: u64 = 1_000_000_000;
pub(super) const HOUR: u64 = 3_600 * SECOND;

/// Limits whose edges are met often, limits as people have them, and fast and slow ones.
pub(super) fn rate_limit(source: &Source<'_>) -> RateLimit {
    let (units, period, capacity) = match source.number(0..=3) {
        0 => (
            source.number(1..=40),
            source.number(1..=60),
            source.number(1..=12),
        ),
        1 => (
            source.number(1..=1_000_000),
            source.pick(&[SECOND, 60 * SECOND, HOUR]),
            source.number(1..=1_000_000),
        ),
        2 => (1, source.number(1..=24 * HOUR), source.number(1..=100)),
        _ => (
            source.number(100_000_000..=16 * SECOND),
            SECOND,
            source.number(1..=1 << 40),
        ),
    };
    RateLimit::new(units, period, capacity)
}

/// Mostly a small part of `capacity`, at times all of it, and at times one more than ever fits. Never zero.
pub(super) fn cost(source: &Source<'_>, capacity: u64) -> u64 {
    let capacity = capacity.max(1);
    match source.number(0..=20) {
        0..8 => 1,
        8..16 => source.number(1..=capacity.div_ceil(8)),
        16..19 => source.number(1..=capacity),
        19 => capacity,
        _ => capacity.saturating_add(1),
    }
}

/// Where the clock stands next: mostly a little later or at the same instant, at times much later, and, if it may,
/// at times back.
pub(super) fn moved(source: &Source<'_>, now: u64, scale: Histories) -> u64 {
    let (unit, full) = (scale.unit_ns.max(1), scale.full_ns.max(1));
    let on = |nanos| now.saturating_add(nanos);
    let back = |nanos| {
        if scale.steps_back {
            now.saturating_sub(nanos)
        } else {
            on(nanos)
        }
    };
    match source.number(0..=19) {
        0..6 => now,
        6..12 => on(source.number(0..=unit.saturating_mul(2))),
        12..14 => on(source.pick(&[unit, full, unit - 1, full - 1])),
        14..16 => on(source.number(0..=full)),
        16 => on(source.number(0..=full.saturating_mul(10))),
        17..19 => back(source.number(0..=unit.saturating_mul(2))),
        _ => back(source.number(0..=full.saturating_mul(2))),
    }
}

/// A history of `scale`'s kind, as long as the bytes last and at most `scale.steps_max` steps.
pub(super) fn history(source: &Source<'_>, scale: Histories) -> Vec<Op> {
    let mut now = source.pick(&[0, scale.full_ns, 700_000_000 * SECOND]);
    let mut ops = Vec::new();
    while source.goes_on() && ops.len() < scale.steps_max {
        now = moved(source, now, scale);
        match source.number(0..=15) {
            12..15 if scale.refunds => ops.push(Op::Refund {
                at: now,
                back: source.index(12),
                surplus: match source.number(0..=2) {
                    0 => u64::MAX,
                    _ => cost(source, scale.capacity),
                },
            }),
            15 if scale.debts => ops.push(Op::Debt {
                at: now,
                extra: cost(source, scale.capacity),
            }),
            // Admitted, and backed out of at once.
            11 if scale.refunds => ops.extend([
                Op::Acquire {
                    at: now,
                    cost: cost(source, scale.capacity),
                },
                Op::Refund {
                    at: now,
                    back: 0,
                    surplus: u64::MAX,
                },
            ]),
            _ => ops.push(Op::Acquire {
                at: now,
                cost: cost(source, scale.capacity),
            }),
        }
    }
    ops
}
