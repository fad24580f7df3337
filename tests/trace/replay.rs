//! One replay: a policy at work on a Gate, and the exact models of its limits, row by row.

use crate::{
    exact::{Answer, Bucket, Exact, Fixed, Log, Slots},
    rows::{Row, Trace},
};
use tollgate_core::{ManualClock, Nanos, Wall};
use tollgate_policy::{Gate, Refusal, Request, Usage};
use tollgate_testkit::{
    Periods, RateLimit,
    law::{Event, Law},
};

pub(crate) const MINUTE: u64 = 60_000_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Requests,
    Tokens,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Gcra { capacity: u64 },
    Window { slots: u32 },
    Log,
    Fixed,
}

/// One limit of a policy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) unit: Unit,
    pub(crate) max: u64,
    /// Nanoseconds, whole milliseconds.
    pub(crate) per: u64,
    pub(crate) algorithm: Algorithm,
}

impl Limit {
    /// Its entry in a policy file.
    fn toml(&self, name: usize) -> String {
        let unit = match self.unit {
            Unit::Requests => "requests",
            Unit::Tokens => "tokens",
        };
        let algorithm = match self.algorithm {
            Algorithm::Gcra { capacity } => format!("algorithm = \"gcra\"\ncapacity = {capacity}"),
            Algorithm::Window { slots } => format!("algorithm = \"window\"\nslots = {slots}"),
            Algorithm::Log => "algorithm = \"log\"".to_owned(),
            Algorithm::Fixed => "algorithm = \"fixed\"".to_owned(),
        };
        let (max, per) = (self.max, self.per / 1_000_000);
        format!(
            "[[limit]]\nname = \"{name}\"\nunit = \"{unit}\"\nmax = {max}\nper = \"{per}ms\"\n{algorithm}\n\n"
        )
    }

    fn exact(&self) -> Box<dyn Exact> {
        match self.algorithm {
            Algorithm::Gcra { capacity } => Box::new(Bucket::new(self.max, self.per, capacity)),
            Algorithm::Window { slots } => Box::new(Slots::new(self.per, slots, self.max)),
            Algorithm::Log => Box::new(Log::new(self.per, self.max)),
            Algorithm::Fixed => Box::new(Fixed::new(self.per, self.max)),
        }
    }

    fn law(&self) -> Law {
        match self.algorithm {
            Algorithm::Gcra { capacity } => Law::Rate(RateLimit::new(self.max, self.per, capacity)),
            Algorithm::Window { .. } | Algorithm::Log => Law::Window {
                window: self.per,
                max: self.max,
            },
            Algorithm::Fixed => Law::Periods {
                periods: Periods::every(self.per, 0),
                max: self.max,
            },
        }
    }

    const fn cost(&self, row: &Row) -> u64 {
        match self.unit {
            Unit::Requests => 1,
            Unit::Tokens => row.tokens(),
        }
    }

    const fn ceiling(&self) -> u64 {
        match self.algorithm {
            Algorithm::Gcra { capacity } => capacity,
            _ => self.max,
        }
    }
}

/// What a Gate answered, as far as a model can say it too.
#[derive(Debug, PartialEq, Eq)]
enum Decision {
    Admitted,
    Refused {
        limit: String,
        retry_after: Option<u64>,
        never_fits: bool,
        used: u64,
        requested: u64,
        max: u64,
    },
}

/// How many rows were admitted, and how many each limit refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) admitted: usize,
    pub(crate) refused_by: Vec<usize>,
    pub(crate) never_fit: usize,
}

/// Replays `trace` under `limits`, each row settled at once as it was estimated.
///
/// # Panics
/// At the first decision that differs from the models', and at the first law that is broken.
pub(crate) fn replay(trace: &Trace, limits: &[Limit]) -> Counts {
    let clock = ManualClock::new();
    clock.set_wall(wall(trace.start));
    let policy: String = (0..)
        .zip(limits)
        .map(|(name, limit)| limit.toml(name))
        .collect();
    let gate = Gate::builder()
        .clock(clock)
        .build(&policy)
        .expect("a good policy");
    let mut models: Vec<_> = limits.iter().map(Limit::exact).collect();
    let mut counts = Counts {
        refused_by: vec![0; limits.len()],
        ..Counts::default()
    };
    let mut kept = Vec::new();

    for (number, row) in (1..).zip(&trace.rows) {
        let unix = trace.start + row.now;
        let expected = decide(limits, &mut models, unix, row);
        let found = ask(&gate, unix, row);
        assert_eq!(found, expected, "row {number} ({row:?}) under\n{policy}");
        match expected {
            Decision::Admitted => {
                for (model, limit) in models.iter_mut().zip(limits) {
                    model.take(unix, limit.cost(row));
                }
                kept.push((unix, row));
                counts.admitted += 1;
            }
            Decision::Refused {
                limit, never_fits, ..
            } => {
                counts.refused_by[limit.parse::<usize>().expect("a place")] += 1;
                counts.never_fit += usize::from(never_fits);
            }
        }
    }

    for limit in limits {
        let events = kept
            .iter()
            .map(|(at, row)| Event::admitted(*at, limit.cost(row)));
        let verdict = limit.law().check(events, 0);
        assert!(verdict.held(), "{limit:?}: {verdict}");
    }
    counts
}

/// What the models say: all fit, or the one with the longest wait refuses, of equals the first in the file. One that
/// never fits waits longest.
fn decide(limits: &[Limit], models: &mut [Box<dyn Exact>], unix: u64, row: &Row) -> Decision {
    let mut longest = None;
    for (place, (model, limit)) in models.iter_mut().zip(limits).enumerate() {
        let wait = match model.look(unix, limit.cost(row)) {
            Answer::Fits => continue,
            Answer::Wait(wait) => wait,
            Answer::NeverFits => u64::MAX,
        };
        if longest.is_none_or(|(_, known)| wait > known) {
            longest = Some((place, wait));
        }
    }
    let Some((place, wait)) = longest else {
        return Decision::Admitted;
    };
    Decision::Refused {
        limit: place.to_string(),
        retry_after: (wait < u64::MAX).then_some(wait),
        never_fits: wait == u64::MAX,
        used: models[place].used(unix),
        requested: limits[place].cost(row),
        max: limits[place].ceiling(),
    }
}

fn ask(gate: &Gate, unix: u64, row: &Row) -> Decision {
    let (now, wall) = (Nanos(row.now), wall(unix));
    let request = Request::new()
        .input_tokens(row.input)
        .output_tokens(row.output);
    match gate.admit_at(&request, now, wall) {
        Ok(reservation) => {
            reservation.settle_at(*request.estimate(), now, wall);
            Decision::Admitted
        }
        Err(Refusal::Limited(limited)) => Decision::Refused {
            limit: limited.limit.to_string(),
            retry_after: limited.retry_after.map(nanos),
            never_fits: limited.never_fits,
            used: limited.used,
            requested: limited.requested,
            max: limited.max,
        },
        Err(other) => panic!("only limits refuse, found {other}"),
    }
}

fn nanos(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_nanos()).expect("a wait of less than centuries")
}

pub(crate) fn wall(unix: u64) -> Wall {
    Wall(i64::try_from(unix).expect("a time of our day"))
}

pub(crate) const fn usage(input: u64, output: u64) -> Usage {
    Usage {
        input_tokens: input,
        output_tokens: output,
        micro_usd: 0,
    }
}
