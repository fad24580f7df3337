//! What each limit has truly admitted to each agent, and whether it may admit more.
//!
//! A charge under a limit of periods counts in the earliest period in which it may: not before the clock's, nor before one that was used, and not
//! after the latest that has ever begun, since that stays begun when a clock is set back. Other units count by the time that has
//! truly passed.

use std::collections::BTreeMap;

/// Nanoseconds, of a wall clock or of the time that has passed.
pub(crate) type Time = i64;

/// What a limit counts by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Lifetime,
    /// UTC days.
    Days,
    /// Fixed windows of so many ns.
    Windows(Time),
    /// Whatever was admitted in the last so many ns.
    Trailing(Time),
    /// Units that drain in so many ns, all that the limit admits.
    Rate(Time),
}

impl Kind {
    /// The period of a wall time.
    pub(crate) fn period(&self, wall: Time) -> i64 {
        match self {
            Self::Days => wall.div_euclid(86_400_000_000_000),
            Self::Windows(per) => wall.div_euclid(*per),
            _ => 0,
        }
    }

    /// Whether units stay until their period ends.
    pub(crate) fn stays(&self) -> bool {
        !matches!(self, Self::Trailing(_) | Self::Rate(_))
    }
}

/// When a charge came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    /// The latest wall time that was ever read.
    pub(crate) latest: Time,
    pub(crate) wall: Time,
    pub(crate) passed: Time,
}

/// Where a charge was counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place(Time);

/// All that one limit has admitted to one agent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Account {
    /// By period, or by the time that had passed.
    used: BTreeMap<Time, u64>,
    /// The largest maximum that was ever in force.
    most: u64,
    /// Of a rate: units times the ns in which the maximum drains, as of that time.
    backlog: (u128, Time),
    /// The maximum by which it has drained since.
    drains: u64,
}

impl Account {
    /// From now on this is the maximum.
    pub(crate) fn set_max(&mut self, kind: &Kind, max: u64, passed: Time) {
        self.most = self.most.max(max);
        self.drain(kind, passed);
        self.drains = max;
    }

    fn drain(&mut self, kind: &Kind, passed: Time) {
        if matches!(kind, Kind::Rate(_)) {
            let (backlog, at) = self.backlog;
            let drained = u128::from(self.drains) * u128::from((passed - at).unsigned_abs());
            self.backlog = (backlog.saturating_sub(drained), passed);
        }
    }

    /// What was used in the periods before `period` and is still owed, at least.
    fn owed(&self, period: i64) -> u64 {
        let (mut owed, mut at) = (0_u64, None);
        for (&of, used) in self.used.range(..period) {
            let between = at.map_or(0, |at: i64| (of - at - 1).unsigned_abs());
            owed = owed.saturating_sub(self.most.saturating_mul(between));
            owed = (owed + used).saturating_sub(self.most);
            at = Some(of);
        }
        let between = at.map_or(0, |at| (period - at - 1).unsigned_abs());
        owed.saturating_sub(self.most.saturating_mul(between))
    }

    /// Counts `cost` units under a limit of `max`.
    ///
    /// # Errors
    /// They are too many.
    pub(crate) fn admit(
        &mut self,
        kind: &Kind,
        now: Now,
        cost: u64,
        max: u64,
    ) -> Result<Place, String> {
        let fits = |used: u64| used.saturating_add(cost) <= max;
        let place = match *kind {
            Kind::Lifetime | Kind::Days | Kind::Windows(_) => {
                let last = self.used.iter().rev().find(|(_, used)| **used > 0);
                let first = kind
                    .period(now.wall)
                    .max(last.map_or(i64::MIN, |(period, _)| *period));
                let top = kind.period(now.latest).max(first);
                let used = |period: i64| self.used.get(&period).copied().unwrap_or(0);
                (first..=top)
                    .find(|&period| fits(used(period) + self.owed(period)))
                    .ok_or_else(|| {
                        format!("{cost} more in period {first} to {top}, of {max}: {self:?}")
                    })?
            }
            Kind::Trailing(window) => {
                let recent = self.used.range(now.passed - window + 1..);
                let used: u64 = recent.map(|(_, used)| used).sum();
                if !fits(used) {
                    return Err(format!("{cost} more beside {used} in a window, of {max}"));
                }
                now.passed
            }
            Kind::Rate(per) => {
                self.drain(kind, now.passed);
                let all = u128::from(max) * u128::from(per.unsigned_abs());
                let more = u128::from(cost) * u128::from(per.unsigned_abs());
                if self.backlog.0 + more > all {
                    return Err(format!("{cost} more at {:?}, of {max}", self.backlog));
                }
                now.passed
            }
        };
        self.add(kind, Place(place), cost);
        Ok(Place(place))
    }

    /// Counts what was used beyond an estimate.
    pub(crate) fn owe(&mut self, kind: &Kind, now: Now, units: u64) -> Place {
        let last = self.used.keys().next_back().copied().unwrap_or(i64::MIN);
        let place = Place(match kind {
            Kind::Trailing(_) | Kind::Rate(_) => now.passed,
            _ => kind.period(now.wall).max(last),
        });
        self.drain(kind, now.passed);
        self.add(kind, place, units);
        place
    }

    fn add(&mut self, kind: &Kind, Place(place): Place, units: u64) {
        match kind {
            Kind::Rate(per) => self.backlog.0 += u128::from(units) * u128::from(per.unsigned_abs()),
            _ => *self.used.entry(place).or_default() += units,
        }
    }

    /// Takes back units that were counted at `place`.
    pub(crate) fn take_back(&mut self, kind: &Kind, Place(place): Place, units: u64, passed: Time) {
        match kind {
            Kind::Rate(per) => {
                self.drain(kind, passed);
                let units = u128::from(units) * u128::from(per.unsigned_abs());
                self.backlog.0 = self.backlog.0.saturating_sub(units);
            }
            _ => {
                if let Some(used) = self.used.get_mut(&place) {
                    *used = used.saturating_sub(units);
                }
            }
        }
    }

    /// All that it has used, of a limit without periods.
    pub(crate) fn in_all(&self) -> u64 {
        self.used.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Time = 86_400_000_000_000;

    fn at(wall: Time, latest: Time) -> Now {
        Now {
            latest,
            wall,
            passed: wall,
        }
    }

    #[test]
    fn more_than_the_limit_is_found() {
        for kind in [
            Kind::Lifetime,
            Kind::Days,
            Kind::Windows(DAY),
            Kind::Trailing(DAY),
            Kind::Rate(DAY),
        ] {
            let mut account = Account::default();
            account.set_max(&kind, 10, 0);
            account.admit(&kind, at(0, 0), 6, 10).unwrap();
            let mut over = account.clone();
            over.admit(&kind, at(DAY / 10, DAY / 10), 6, 10)
                .unwrap_err();
            account.admit(&kind, at(DAY / 10, DAY / 10), 4, 10).unwrap();
            let tomorrow = account.admit(&kind, at(2 * DAY, 2 * DAY), 9, 10);
            assert_eq!(tomorrow.is_ok(), kind != Kind::Lifetime, "{kind:?}");
        }
    }

    #[test]
    fn periods_that_follow_pay_what_is_owed() {
        let kind = Kind::Days;
        let mut account = Account::default();
        account.set_max(&kind, 10, 0);
        let place = account.owe(&kind, at(0, 0), 25);
        account.admit(&kind, at(DAY, DAY), 1, 10).unwrap_err();
        account
            .admit(&kind, at(2 * DAY, 2 * DAY), 6, 10)
            .unwrap_err();
        account.admit(&kind, at(2 * DAY, 2 * DAY), 5, 10).unwrap();
        account.take_back(&kind, place, 5, 0);
        account.admit(&kind, at(2 * DAY, 2 * DAY), 5, 10).unwrap();
    }

    #[test]
    fn clock_that_was_set_back_admits_what_the_later_period_has_room_for() {
        let kind = Kind::Days;
        let mut account = Account::default();
        account.set_max(&kind, 10, 0);
        for _ in 0..2 {
            account.admit(&kind, at(0, DAY), 10, 10).unwrap();
        }
        account.admit(&kind, at(0, DAY), 1, 10).unwrap_err();
    }
}
