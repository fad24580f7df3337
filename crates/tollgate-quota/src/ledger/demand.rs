//! How much an account is to have at hand: arithmetic alone.

use crate::lease::Holder;
use std::time::Duration;

/// What it spends in so many intervals between commits, and at least in so long.
const INTERVALS: u32 = 4;
const AT_LEAST: Duration = Duration::from_millis(100);

/// What is known of what an account spends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Demand {
    /// The most that is lent, but for a single cost that is larger.
    pub(super) lease: u64,
    /// What it was to have at hand by its last report.
    pub(super) target: u64,
    /// Units spent since then, and how long ago that is.
    pub(super) spent: u64,
    pub(super) passed: Duration,
    /// Between commits.
    pub(super) interval: Duration,
    /// The largest cost that was not there.
    pub(super) wanted: u64,
}

impl Demand {
    /// Units to have at hand until the next report. They grow at once and fall slowly, so that a short rest costs no dry spell.
    pub(super) fn target(&self) -> u64 {
        let horizon = AT_LEAST.max(self.interval * INTERVALS).as_micros();
        let by_demand = u128::from(self.spent) * horizon / self.passed.as_micros().max(1);
        let by_demand = u64::try_from(by_demand).unwrap_or(u64::MAX);
        // Whoever was dry had spent all there was, or nothing is known of it yet.
        let dry = match self.wanted {
            0 => 0,
            wanted => self.target.saturating_mul(4).max(wanted.saturating_mul(2)),
        };
        let slowly = self.target - self.target / 8;
        by_demand
            .max(dry)
            .max(slowly)
            .clamp(1, self.lease.max(1))
            .max(self.wanted)
            .min(Holder::LEFT_MAX)
    }
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;

    const RESTS: Demand = Demand {
        lease: 1_000,
        target: 0,
        spent: 0,
        passed: Duration::from_millis(50),
        interval: Duration::from_millis(50),
        wanted: 0,
    };

    fn target(change: impl FnOnce(&mut Demand)) -> u64 {
        let mut demand = RESTS;
        change(&mut demand);
        demand.target()
    }

    #[test]
    fn account_has_at_hand_what_it_spends_in_a_few_commits() {
        assert_eq!(target(|demand| demand.spent = 30), 120);
        let rare = |demand: &mut Demand| {
            (demand.spent, demand.interval) = (30, Duration::from_millis(100));
        };
        assert_eq!(target(rare), 240, "commits are rarer");
        let often = |demand: &mut Demand| {
            (demand.spent, demand.interval) = (30, Duration::from_millis(1));
        };
        assert_eq!(target(often), 60, "and at least in a tenth of a second");
        let long = |demand: &mut Demand| {
            (demand.spent, demand.passed) = (30, Duration::from_millis(600));
        };
        assert_eq!(target(long), 10);
        assert_eq!(target(|demand| demand.spent = u64::MAX), 1_000, "the lease");
        assert_eq!(target(|_| {}), 1);
        let at_once = |demand: &mut Demand| (demand.spent, demand.passed) = (1, Duration::ZERO);
        assert_eq!(target(at_once), 1_000);
    }

    #[test]
    fn what_is_at_hand_falls_slowly_and_grows_at_once() {
        assert_eq!(target(|demand| demand.target = 80), 70);
        let dry = |wanted| target(|demand| (demand.target, demand.wanted) = (80, wanted));
        assert_eq!([1, 160, 161, 500].map(dry), [320, 320, 322, 1_000]);
        assert_eq!(
            dry(1_001),
            1_001,
            "a single cost that is larger than a lease"
        );
        assert_eq!(dry(u64::MAX), Holder::LEFT_MAX);
    }
}
