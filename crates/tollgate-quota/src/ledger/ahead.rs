//! How much is lent of a period before it begins, and when: arithmetic alone.

use std::time::Duration;

/// The part of a period, from its end, in which its next one is lent.
const LEAD_PART: u32 = 16;
/// Longest before the end, unless commits are as rare.
const LEAD_MAX: Duration = Duration::from_secs(600);
/// So many intervals between commits fit in at least.
const LEAD_INTERVALS: u32 = 8;
/// Accounts whose periods end at once are visited in so many groups, so that no commit has them all.
const GROUPS: u64 = 64;

/// How long before the end of a period of that length its account number `number` is lent some of the next.
pub(super) fn lead(period: Duration, interval: Duration, number: u64) -> Duration {
    let longest = (period / LEAD_PART)
        .min(LEAD_MAX)
        .max(interval * LEAD_INTERVALS)
        .min(period);
    let group = u32::try_from(number % GROUPS).unwrap_or(0);
    longest / 2 + longest / 128 * group
}

/// What limits what is out of an account: whoever is lost loses at most one lease, of both periods together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shares {
    /// One lease.
    pub(super) bound: u64,
    /// Units that can still be admitted in this period. Stock beyond them is worth nothing, and no loss.
    pub(super) room: u64,
    /// The most that can be admitted in the next one.
    pub(super) next_room: u64,
    /// The least to have at hand in this period.
    pub(super) least: u64,
}

impl Shares {
    /// Of `target` units at hand in this period, how many, and how many of the next: half of the lease each, if it is not enough for
    /// both.
    pub(super) fn with(&self, target: u64) -> (u64, u64) {
        let ahead = target.min(self.next_room);
        let now = target.min(self.room);
        if now.saturating_add(ahead) <= self.bound {
            return (target, ahead);
        }
        let half = self.bound - self.bound / 2;
        let now = now.min(half.max(self.bound.saturating_sub(ahead)).max(self.least));
        let ahead = ahead.min(self.bound.saturating_sub(now));
        (if now < self.room { now } else { target }, ahead)
    }

    /// How many of `target` at hand beside `ahead` units that are lent of the next period. None if that must be taken back: it leaves
    /// too little for this one, or, where the meter will not know all that is spent of the next (`is_unknown`), is too much for that.
    pub(super) fn beside(&self, target: u64, ahead: u64, is_unknown: bool) -> Option<u64> {
        if is_unknown && ahead > self.next_room {
            return None;
        }
        let share = self.bound.saturating_sub(ahead);
        if target.min(self.room) <= share {
            return Some(target);
        }
        (share >= self.least).then_some(share)
    }
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    #[test]
    fn next_period_is_lent_within_the_last_part_of_this_one() {
        let interval = Duration::from_millis(50);
        for number in [0, 1, 63, 64, 1_000_003] {
            let lead = lead(HOUR, interval, number);
            assert!(lead >= HOUR / 32 && lead <= HOUR / 16, "{lead:?}");
        }
        let month = lead(HOUR * 24 * 30, interval, 63);
        assert!(month <= LEAD_MAX && month > LEAD_MAX / 2);
        assert!(lead(HOUR, Duration::from_secs(60), 0) >= Duration::from_secs(240));
        assert!(lead(Duration::from_secs(1), HOUR, 63) <= Duration::from_secs(1));
    }

    #[test]
    fn exhausted_period_leaves_the_whole_lease_to_the_next() {
        let shares = Shares {
            bound: 1,
            room: 0,
            next_room: 100,
            least: 1,
        };
        assert_eq!(shares.with(1), (1, 1));
        let shares = Shares { room: 1, ..shares };
        assert_eq!(
            shares.with(1),
            (1, 0),
            "a lease of one unit is this period's"
        );
        assert_eq!(
            shares.beside(1, 1, false),
            None,
            "as is one that was lent ahead"
        );
    }

    #[test]
    fn what_the_meter_will_not_know_of_the_next_period_fits_in_it() {
        let shares = Shares {
            bound: 9,
            room: 2,
            next_room: 4,
            least: 1,
        };
        let beside = |ahead, is_unknown| shares.beside(2, ahead, is_unknown);
        assert_eq!([4, 5].map(|ahead| beside(ahead, true)), [Some(2), None]);
        assert_eq!([3, 5].map(|ahead| beside(ahead, false)), [Some(2); 2]);
    }

    proptest! {
        /// Property: what may be lost of both periods is at most one lease, this one has at least the least, and of the next no more is
        /// lent than it has room for.
        #[test]
        fn shares_are_one_lease_together(
            bound in 1_u64..50,
            room in 0_u64..60,
            next_room in 0_u64..60,
            least in 1_u64..50,
            target in 1_u64..50,
        ) {
            let least = least.min(bound);
            let target = target.clamp(least, bound);
            let shares = Shares { bound, room, next_room, least };
            let (now, ahead) = shares.with(target);
            prop_assert!(now.min(room) + ahead <= bound && ahead <= next_room);
            prop_assert!(least <= now && now <= target);
            if let Some(beside) = shares.beside(target, ahead, true) {
                prop_assert!(beside.min(room) + ahead <= bound && least <= beside);
            }
        }
    }
}
