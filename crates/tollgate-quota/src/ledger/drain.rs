//! How units of rates and windows drain while their account is not in use.

use std::{num::NonZeroU64, time::Duration};
use tollgate_core::{Standing, Wall};

/// How long an account takes until nothing is left of what it has committed, if no more comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Drain {
    /// Not known, or it never is: units stay until their period ends.
    #[default]
    Never,
    /// So long, however much that is.
    Within(Duration),
    /// As long as its units take at this rate.
    Rate {
        /// So many units drain,
        units: NonZeroU64,
        /// in so long.
        per: Duration,
    },
}

impl Drain {
    /// How long `units` take.
    pub(super) fn takes(self, units: u64) -> Option<Duration> {
        match self {
            Self::Never => None,
            Self::Within(most) => Some(most),
            Self::Rate { units: rate, per } => {
                let ns = per.as_nanos().checked_mul(u128::from(units))?;
                u64::try_from(ns.div_ceil(u128::from(rate.get())))
                    .ok()
                    .map(Duration::from_nanos)
            }
        }
    }

    /// What is left of `units` when so long has passed, at most.
    fn left(self, units: u64, passed: Duration) -> u64 {
        match self {
            Self::Never => units,
            Self::Within(most) if passed < most => units,
            Self::Within(_) => 0,
            Self::Rate { units: rate, per } => {
                // A product of two 64-bit numbers, but for ten thousand years.
                let drained =
                    passed.as_nanos().saturating_mul(rate.get().into()) / per.as_nanos().max(1);
                units.saturating_sub(u64::try_from(drained).unwrap_or(u64::MAX))
            }
        }
    }

    /// The one of two that takes longer for the same units.
    fn slower(self, other: Self) -> Self {
        let is_slower = match (self, other) {
            (Self::Never, _) => false,
            (_, Self::Never) => true,
            (
                Self::Rate { units, per },
                Self::Rate {
                    units: others,
                    per: other_per,
                },
            ) => {
                let takes = |per: Duration, units: NonZeroU64| {
                    per.as_nanos().saturating_mul(units.get().into())
                };
                takes(other_per, units) > takes(per, others)
            }
            // Accounts of one algorithm drain in one way.
            (Self::Within(most), Self::Within(other)) => other > most,
            (Self::Within(_), Self::Rate { .. }) | (Self::Rate { .. }, Self::Within(_)) => {
                return Self::Never;
            }
        };
        if is_slower { other } else { self }
    }
}

/// How the accounts of one limit drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitDrain {
    /// The slowest of them.
    pub slowest: Drain,
    /// Any number that is another one whenever one of them drains otherwise, be it not the slowest.
    pub figures: u64,
    /// Whether one of which nothing is on record begins with nothing, and not with initial units.
    pub begins_empty: bool,
}

/// How the accounts of one limit drain, and did before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draining {
    now: LimitDrain,
    /// No more slowly than this before that time.
    before: Option<(Drain, Wall)>,
    /// Whether one of which nothing is on record has always begun with nothing.
    begins_empty: bool,
}

impl Draining {
    pub(super) const fn new(now: LimitDrain) -> Self {
        Self {
            now,
            before: None,
            begins_empty: now.begins_empty,
        }
    }

    /// From `wall` on they drain otherwise, perhaps.
    pub(super) fn change(&mut self, drain: LimitDrain, wall: Wall) {
        self.begins_empty &= drain.begins_empty;
        if drain != self.now {
            self.before = Some((self.slowest(), wall));
            self.now = drain;
        }
    }

    /// How they come to stand as one of which nothing is on record, at the latest.
    pub(super) fn to_nothing(self) -> Drain {
        if self.begins_empty {
            self.slowest()
        } else {
            Drain::Never
        }
    }

    fn slowest(self) -> Drain {
        match self.before {
            Some((before, _)) => before.slower(self.now.slowest),
            None => self.now.slowest,
        }
    }

    /// What was left of `standing` when they came to drain as they do now.
    pub(super) fn before_now(self, standing: &Standing) -> Standing {
        match self.before {
            Some((drain, until)) if standing.stamp < until.0 => Standing {
                stamp: until.0,
                committed: drain.left(standing.committed, until.since(Wall(standing.stamp))),
                ..*standing
            },
            _ => *standing,
        }
    }
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);
    const HOUR_NS: i64 = 3_600_000_000_000;

    fn rate(units: u64) -> Drain {
        let units = NonZeroU64::new(units).unwrap();
        Drain::Rate { units, per: HOUR }
    }

    #[test]
    fn what_is_left_is_rounded_up_and_takes_as_long_as_it_says() {
        let hours = |hours: u32| HOUR * hours;
        assert_eq!(rate(10).left(15, hours(1)), 5);
        assert_eq!(rate(10).left(15, hours(1) - Duration::from_nanos(1)), 6);
        assert_eq!(rate(10).left(15, hours(2)), 0);
        for units in [0, 1, 15, 1_000] {
            let takes = rate(7).takes(units).unwrap();
            assert_eq!(rate(7).left(units, takes), 0);
            let sooner = takes.saturating_sub(Duration::from_nanos(1));
            assert_eq!(rate(7).left(units, sooner), u64::from(units > 0), "{units}");
        }
        let within = Drain::Within(HOUR);
        assert_eq!(
            [HOUR - Duration::from_nanos(1), HOUR].map(|passed| within.left(3, passed)),
            [3, 0]
        );
        assert_eq!(
            (
                Drain::Never.left(3, Duration::MAX),
                rate(u64::MAX).left(u64::MAX, Duration::MAX)
            ),
            (3, 0)
        );
    }

    /// A limit all of whose accounts drain so.
    fn of(units: u64, begins_empty: bool) -> LimitDrain {
        LimitDrain {
            slowest: rate(units),
            figures: units,
            begins_empty,
        }
    }

    /// The time before was left to the new rate if the slowest account's stayed.
    #[test]
    fn change_of_one_account_alone_counts_too() {
        let mut draining = Draining::new(of(1, true));
        let other = LimitDrain {
            figures: 2,
            ..of(1, true)
        };
        draining.change(other, Wall(HOUR_NS));
        let standing = Standing {
            stamp: 0,
            committed: 50,
            max: 100,
        };
        let left = draining.before_now(&standing);
        assert_eq!((left.stamp, left.committed), (HOUR_NS, 49));
    }

    #[test]
    fn change_of_a_rate_counts_from_when_it_was_told() {
        let standing = |stamp, committed| Standing {
            stamp,
            committed,
            max: 100,
        };
        let mut draining = Draining::new(of(1, true));
        draining.change(of(1, true), Wall(HOUR_NS));
        assert_eq!(
            draining.before_now(&standing(0, 50)),
            standing(0, 50),
            "no change"
        );
        draining.change(of(40, true), Wall(2 * HOUR_NS));
        assert_eq!(
            draining.before_now(&standing(0, 50)),
            standing(2 * HOUR_NS, 48)
        );
        assert_eq!(
            draining.before_now(&standing(2 * HOUR_NS, 50)),
            standing(2 * HOUR_NS, 50)
        );
        assert_eq!(draining.to_nothing(), rate(1));
        // Of more than one, the slowest.
        draining.change(of(20, true), Wall(4 * HOUR_NS));
        assert_eq!(
            draining.before_now(&standing(HOUR_NS, 50)),
            standing(4 * HOUR_NS, 47)
        );
        draining.change(of(10, true), Wall(4 * HOUR_NS));
        assert_eq!(draining.to_nothing(), rate(1));
        // One that begins with some is told from one that has drained.
        draining.change(of(10, false), Wall(4 * HOUR_NS));
        draining.change(of(10, true), Wall(4 * HOUR_NS));
        assert_eq!(draining.to_nothing(), Drain::Never);
    }
}
