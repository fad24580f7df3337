//! Any limiter, on trial: which of the laws it keeps, and the shortest history that shows where it does not.
//!
//! A [`Trial`] is a name, what is [`Claim`]ed, and how to build a limiter for a [`RateLimit`]. What a limiter cannot do
//! is said beforehand ([`Trial::own_clock`], [`Trial::tells_no_wait`], [`Trial::unit_costs`]), and so is what it
//! documents ([`Trial::slack`], [`Trial::may_deny_in_a_race`]); then nothing of that is held against it. The same code
//! runs for all:
//!
//! | Check | Asks |
//! | --- | --- |
//! | [`Check::NeverOver`] | First law, over random histories of ordinary limits |
//! | [`Check::AnyFigures`] | The same, with limits at the ends of their figures too |
//! | [`Check::OldNow`] | The same, where the clock steps back |
//! | [`Check::LeastWait`] | Second law: each wait is the least. Without waits: nobody is denied where a unit more would be lawful |
//! | [`Check::NoMark`] | Third law: a denial changes nothing |
//! | [`Check::Race`] | Threads that race for K units get exactly K, where one caller alone does |
//! | [`Check::Linear`] | What threads heard, one caller at a time would hear of the same limiter |
//!
//! Everything is drawn from a seed, so the same seed shows the same again; histories are shrunk. What only the
//! interleaving of threads shows is accused only if it comes again: whatever shows in one of four batches is looked for in up
//! to 28 more. Where nothing came twice the table says *not seen*, which is less than *held*.
//!
//! # Example
//! ```
//! use std::sync::Mutex;
//! use tollgate_testkit::{Answer, RateLimit, trial::{Check, Claim, Plan, Trial}};
//!
//! /// A bucket that is refilled whole as soon as a period is over.
//! fn bucket(limit: RateLimit) -> Result<impl Fn(u64, u64) -> Answer + Sync, String> {
//!     let state = Mutex::new((0_u64, 0_u64)); // the period, units used in it
//!     Ok(move |cost: u64, now: u64| {
//!         let (period, used) = &mut *state.lock().unwrap();
//!         if now / limit.period > *period {
//!             (*period, *used) = (now / limit.period, 0);
//!         }
//!         match cost <= limit.capacity.saturating_sub(*used) {
//!             true => { *used += cost; Answer::Admit }
//!             false if cost > limit.capacity => Answer::Never,
//!             false => Answer::Wait(u128::from(*period + 1) * u128::from(limit.period) - u128::from(now)),
//!         }
//!     })
//! }
//!
//! let report = Trial::new("bucket", Claim::Rate, bucket).run(&Plan::quick(7));
//! assert!(report.held(Check::LeastWait) && report.held(Check::NoMark) && report.held(Check::Race));
//! // Twice the capacity passes around the end of a period.
//! assert!(report.broken(Check::NeverOver).is_some(), "{report}");
//! ```

mod histories;
mod report;
mod threads;

#[cfg(test)]
mod tests;

pub use report::{Finding, Report, table};

use crate::{
    answer::Answer,
    law::Law,
    limit::{Periods, RateLimit},
    subject::Subject,
};
use std::fmt;

/// What a limiter says that it does with a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// `units` a period, and at most `capacity` at once.
    Rate,
    /// At most `units` in every half-open interval of a period's length.
    Window,
    /// At most `units` in each period, counted from the epoch.
    Periods,
}

impl Claim {
    fn law(self, limit: RateLimit) -> Law {
        let (window, max) = (limit.period.max(1), limit.units);
        match self {
            Self::Rate => Law::Rate(limit),
            Self::Window => Law::Window { window, max },
            Self::Periods => Law::Periods {
                periods: Periods::every(window, 0),
                max,
            },
        }
    }
}

/// What is asked of a limiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// First law, ordinary limits, a clock that never steps back.
    NeverOver,
    /// First law, limits of all sizes.
    AnyFigures,
    /// First law, a clock that steps back.
    OldNow,
    /// Second law.
    LeastWait,
    /// Third law.
    NoMark,
    /// Threads that race for K units.
    Race,
    /// Linearizability.
    Linear,
}

impl Check {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 7] = [
        Self::NeverOver,
        Self::AnyFigures,
        Self::OldNow,
        Self::LeastWait,
        Self::NoMark,
        Self::Race,
        Self::Linear,
    ];

    /// As it is called in tables and on command lines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NeverOver => "never-over",
            Self::AnyFigures => "any-figures",
            Self::OldNow => "old-now",
            Self::LeastWait => "least-wait",
            Self::NoMark => "no-mark",
            Self::Race => "race",
            Self::Linear => "linear",
        }
    }

    /// Whether it depends on how threads meet, so that what it does not find need not be absent.
    #[must_use]
    pub const fn is_by_chance(self) -> bool {
        matches!(self, Self::Race | Self::Linear)
    }
}

/// How much is tried.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Where chance begins.
    pub seed: u64,
    /// Histories of one caller, for each check.
    pub cases: u32,
    /// Races, and histories of threads, in each batch.
    pub rounds: u32,
    /// Threads that race.
    pub threads: usize,
}

impl Plan {
    /// A second or so for a limiter that is quick to build.
    #[must_use]
    pub const fn quick(seed: u64) -> Self {
        Self {
            seed,
            cases: 300,
            rounds: 30,
            threads: 4,
        }
    }
}

/// A limiter that threads share.
pub type Shared = Box<dyn Subject + Sync>;

type Build = Box<dyn Fn(RateLimit) -> Result<Shared, String> + Sync>;

/// A limiter on trial.
pub struct Trial {
    name: String,
    claim: Claim,
    build: Build,
    own_clock: Option<String>,
    no_old_now: Option<String>,
    no_wait: bool,
    unit_costs: bool,
    slack: fn(RateLimit) -> u64,
    denies_in_races: Option<String>,
}

impl fmt::Debug for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trial")
            .field("name", &self.name)
            .field("claim", &self.claim)
            .finish_non_exhaustive()
    }
}

impl Trial {
    /// A limiter that takes any cost at any instant that it is given, and tells how long to wait. `build` makes a fresh one
    /// with nothing taken, or says what of the limit it cannot represent: then that limit is not held against it.
    pub fn new<S: Subject + Sync + 'static>(
        name: impl Into<String>,
        claim: Claim,
        build: impl Fn(RateLimit) -> Result<S, String> + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            claim,
            build: Box::new(move |limit| Ok(Box::new(build(limit)?))),
            own_clock: None,
            no_old_now: None,
            no_wait: false,
            unit_costs: false,
            slack: |_| 0,
            denies_in_races: None,
        }
    }

    /// It reads a clock of its own, and why nobody can give it another: what depends on time is not asked, and limits
    /// are such that nothing comes back while they are tried.
    #[must_use]
    pub fn own_clock(mut self, why: impl Into<String>) -> Self {
        self.own_clock = Some(why.into());
        self
    }

    /// Its documentation asks for a clock that never steps back.
    #[must_use]
    pub fn no_old_now(mut self, why: impl Into<String>) -> Self {
        self.no_old_now = Some(why.into());
        self
    }

    /// It answers yes or no. Any [`Answer::Wait`] of it stands for a no.
    #[must_use]
    pub fn tells_no_wait(mut self) -> Self {
        self.no_wait = true;
        self
    }

    /// It takes one unit at a time.
    #[must_use]
    pub fn unit_costs(mut self) -> Self {
        self.unit_costs = true;
        self
    }

    /// Units beyond the limit that its documentation declares.
    #[must_use]
    pub fn slack(mut self, slack: fn(RateLimit) -> u64) -> Self {
        self.slack = slack;
        self
    }

    /// Its documentation says that a caller may be denied for what others do at that moment, and find it by asking
    /// again.
    #[must_use]
    pub fn may_deny_in_a_race(mut self, why: impl Into<String>) -> Self {
        self.denies_in_races = Some(why.into());
        self
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs all checks.
    #[must_use]
    pub fn run(&self, plan: &Plan) -> Report {
        let findings = Check::ALL.map(|check| (check, self.check(check, plan)));
        Report::new(&self.name, findings.into())
    }

    /// Runs one check.
    pub fn check(&self, check: Check, plan: &Plan) -> Finding {
        match check {
            Check::NeverOver | Check::AnyFigures | Check::OldNow => self.never_over(check, plan),
            Check::LeastWait => self.least_wait(plan),
            Check::NoMark => self.no_mark(plan),
            Check::Race => self.race(plan),
            Check::Linear => self.linear(plan),
        }
    }

    fn fresh(&self, limit: RateLimit) -> Result<Shared, String> {
        (self.build)(limit)
    }

    /// A limit of which nothing comes back while it is tried.
    const fn still(units: u64) -> RateLimit {
        const HOUR: u64 = 3_600_000_000_000;
        RateLimit::new(units, 10_000 * HOUR, units)
    }
}

impl Subject for Shared {
    fn try_acquire_at(&self, cost: u64, now: u64) -> Answer {
        (**self).try_acquire_at(cost, now)
    }

    fn refund_at(&self, admission: usize, surplus: u64, now: u64) -> bool {
        (**self).refund_at(admission, surplus, now)
    }

    fn charge_anyway_at(&self, extra: u64, now: u64) -> bool {
        (**self).charge_anyway_at(extra, now)
    }
}
