//! Tollgate's side: every tier as a subject of the same scenarios.

use crate::{
    script::{HOUR, MILLI},
    subjected::{Subjected, of_cell, of_gate, of_meter, turns},
};
use std::{sync::Arc, time::Duration};
use tollgate_core::{Cost, Limit, Limiter, ManualClock, TokenBucket};
use tollgate_quota::{
    Calendar, CalendarMeter, Concurrency, Depth, Lifetime, RateMeter, RefundRule,
    calendar::CalendarPeriod,
};
use tollgate_testkit::{Periods, RateLimit, law::Law};
use tollgate_window::{ExactLog, FixedWindow, SlottedRing};

/// Slots of the slotted rings.
const SLOTS: u32 = 4;

/// A tier of Tollgate that keeps limits.
#[derive(Clone, Copy)]
pub(crate) struct Tier {
    /// What to call it.
    pub(crate) name: &'static str,
    build: fn(RateLimit) -> Result<Subjected, String>,
    law: fn(RateLimit) -> Law,
}

impl Tier {
    /// A fresh subject for `limit`, or why the tier cannot represent it. A window takes the capacity for its max, and
    /// the period for its length.
    pub(crate) fn build(&self, limit: RateLimit) -> Result<Subjected, String> {
        (self.build)(limit)
    }

    /// What the tier promises of `limit`.
    pub(crate) fn law(&self, limit: RateLimit) -> Law {
        (self.law)(limit)
    }
}

/// Rates with a capacity.
pub(crate) const RATES: [Tier; 4] = [
    rate("limiter", |limit| {
        let clock = ManualClock::new();
        let limiter = text(Limiter::with_clock(limit_of(limit)?, clock.clone()))?;
        Ok(of_cell(clock, move |cost| limiter.try_acquire(cost)))
    }),
    rate("token bucket", |limit| {
        let clock = ManualClock::new();
        let bucket = text(
            TokenBucket::builder(limit.capacity)
                .rate_per(limit.units, Duration::from_nanos(limit.period))
                .build_with_clock(clock.clone()),
        )?;
        Ok(of_cell(clock, move |cost: Cost| {
            bucket.try_acquire(cost.get())
        }))
    }),
    rate("rate meter", |limit| {
        let meter = RateMeter::new(&limit_of(limit)?, Depth::Long, RefundRule::Exact);
        Ok(of_meter(text(meter)?, limit.capacity))
    }),
    rate("gate, gcra", |limit| {
        let figures = format!("max = {}\ncapacity = {}", limit.units, limit.capacity);
        of_gate("gcra", &format!("{figures}\n{}", per(limit)?))
    }),
];

/// Rates that take a charge back.
pub(crate) const METERS: [Tier; 2] = [RATES[2], RATES[3]];

/// Turns of those rates that have them, asked for without waiting.
pub(crate) const TURNS: [Tier; 2] = [
    rate("turns of a limiter", |limit| {
        // Turns borrow what they are of.
        let limiter: &'static Limiter<ManualClock> = Box::leak(Box::new(text(
            Limiter::with_clock(limit_of(limit)?, ManualClock::new()),
        )?));
        Ok(turns(|cost, now| {
            limiter.turn_at(cost, Duration::ZERO, now)
        }))
    }),
    rate("turns of a token bucket", |limit| {
        let bucket: &'static TokenBucket<ManualClock> = Box::leak(Box::new(text(
            TokenBucket::builder(limit.capacity)
                .rate_per(limit.units, Duration::from_nanos(limit.period))
                .build_with_clock(ManualClock::new()),
        )?));
        Ok(turns(|cost, now| {
            bucket.turn_at(cost.get(), Duration::ZERO, now)
        }))
    }),
];

/// A rate that gives back eagerly, at the price of a declared slack.
pub(crate) const EAGER: Tier = rate("rate meter, eager", |limit| {
    let meter = RateMeter::new(&limit_of(limit)?, Depth::Long, RefundRule::Eager);
    Ok(of_meter(text(meter)?, limit.capacity))
});

/// Windows.
pub(crate) const WINDOWS: [Tier; 6] = [
    Tier {
        name: "exact log",
        build: |limit| {
            let log = ExactLog::new(limit.capacity, Duration::from_nanos(limit.period));
            Ok(of_meter(text(log)?, limit.capacity))
        },
        law: sliding,
    },
    Tier {
        name: "slotted ring",
        build: |limit| {
            let ring = SlottedRing::new(limit.capacity, Duration::from_nanos(limit.period), SLOTS);
            Ok(of_meter(text(ring)?, limit.capacity))
        },
        law: sliding,
    },
    Tier {
        name: "fixed window",
        build: |limit| {
            let fixed = FixedWindow::new(limit.capacity, Duration::from_nanos(limit.period));
            Ok(of_meter(text(fixed)?, limit.capacity))
        },
        law: by_period,
    },
    Tier {
        name: "gate, log",
        build: |limit| of_gate("log", &format!("max = {}\n{}", limit.capacity, per(limit)?)),
        law: sliding,
    },
    Tier {
        name: "gate, window",
        build: |limit| {
            let max = limit.capacity;
            of_gate(
                "window",
                &format!("max = {max}\nslots = {SLOTS}\n{}", per(limit)?),
            )
        },
        law: sliding,
    },
    Tier {
        name: "gate, fixed",
        build: |limit| {
            of_gate(
                "fixed",
                &format!("max = {}\n{}", limit.capacity, per(limit)?),
            )
        },
        law: by_period,
    },
];

/// Those of the windows that stand still.
pub(crate) const FIXED: [Tier; 2] = [WINDOWS[2], WINDOWS[5]];

/// Counts: of calendar hours, whatever the period, and for good.
pub(crate) const COUNTS: [Tier; 5] = [
    Tier {
        name: "calendar meter",
        build: |limit| {
            let hours = text(Calendar::new(CalendarPeriod::Hour, "UTC"))?;
            Ok(of_meter(
                CalendarMeter::new(Arc::new(hours), limit.capacity),
                limit.capacity,
            ))
        },
        law: by_hour,
    },
    Tier {
        name: "gate, calendar",
        build: |limit| {
            of_gate(
                "calendar",
                &format!("max = {}\nper = \"hour\"\nzone = \"UTC\"", limit.capacity),
            )
        },
        law: by_hour,
    },
    Tier {
        name: "lifetime",
        build: |limit| Ok(of_meter(Lifetime::new(), limit.capacity)),
        law: for_good,
    },
    Tier {
        name: "gate, lifetime",
        build: |limit| of_gate("lifetime", &format!("max = {}", limit.capacity)),
        law: for_good,
    },
    Tier {
        name: "concurrency",
        build: |limit| Ok(of_meter(Concurrency::new(), limit.capacity)),
        law: |limit| Law::Concurrency {
            max: limit.capacity,
        },
    },
];

/// Those of calendar hours.
pub(crate) const CALENDARS: [Tier; 2] = [COUNTS[0], COUNTS[1]];

/// All tiers that are asked, not waited for.
pub(crate) fn all() -> impl Iterator<Item = Tier> {
    RATES.into_iter().chain(WINDOWS).chain(COUNTS)
}

const fn rate(name: &'static str, build: fn(RateLimit) -> Result<Subjected, String>) -> Tier {
    Tier {
        name,
        build,
        law: Law::Rate,
    }
}

fn sliding(limit: RateLimit) -> Law {
    Law::Window {
        window: limit.period,
        max: limit.capacity,
    }
}

fn by_period(limit: RateLimit) -> Law {
    Law::Periods {
        periods: Periods::every(limit.period, 0),
        max: limit.capacity,
    }
}

fn by_hour(limit: RateLimit) -> Law {
    by_period(RateLimit {
        period: HOUR,
        ..limit
    })
}

fn for_good(limit: RateLimit) -> Law {
    Law::Lifetime {
        max: limit.capacity,
    }
}

/// The limit of the crates for that of the testkit.
pub(crate) fn limit_of(limit: RateLimit) -> Result<Limit, String> {
    let rate = text(Limit::new(limit.units, Duration::from_nanos(limit.period)))?;
    text(rate.try_with_capacity(limit.capacity))
}

fn per(limit: RateLimit) -> Result<String, String> {
    if !limit.period.is_multiple_of(MILLI) {
        return Err(format!(
            "a policy counts milliseconds, found {} ns",
            limit.period
        ));
    }
    Ok(format!("per = \"{}ms\"", limit.period / MILLI))
}

fn text<T, E: ToString>(built: Result<T, E>) -> Result<T, String> {
    built.map_err(|error| error.to_string())
}
