//! The cell of one key: a TAT for each limit that it may have, in one word. Relaxed, all: it is the whole state and publishes
//! nothing else.

use crate::{
    KeyedDecision,
    class::Rule,
    pair::{longer, scarcer},
    word::Now,
};
use tollgate_core::{
    Cost, CostExceedsCapacity, Snapshot,
    gcra::{Gcra, Step},
};
use tollgate_sync::atomic::{AtomicU128, Ordering::Relaxed};

/// No pair of TATs: each would be a mark.
const CLOSED: u128 = u128::MAX;

/// The cell of one key.
#[derive(Debug, Default)]
pub(super) struct Entry {
    /// Low half: the TAT of the first limit; high half: of the second.
    tats: AtomicU128,
}

impl Entry {
    /// What is held as of `now`, by the limit of the rule that has less left.
    pub(super) fn peek(&self, rule: &Rule, now: Now) -> Snapshot {
        let tats = self.tats.load(Relaxed);
        // A closed entry was whole.
        snapshot(rule, if tats == CLOSED { 0 } else { tats }, now)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.tats.load(Relaxed) == CLOSED
    }

    /// Charges all limits of the rule or none; none if the entry is closed.
    pub(super) fn charge(
        &self,
        rule: &Rule,
        cost: Cost,
        now: Now,
    ) -> Result<Option<KeyedDecision>, CostExceedsCapacity> {
        // Linearization point of a denial: the load that it was read by.
        let mut tats = self.tats.load(Relaxed);
        // Lock-free: an exchange fails only if another's succeeded.
        while tats != CLOSED {
            let (next, decision) = step(rule, tats, cost, now)?;
            if next == tats {
                return Ok(Some(decision));
            }
            // Linearization point of `Allowed`.
            match self
                .tats
                .compare_exchange_weak(tats, next, Relaxed, Relaxed)
            {
                Ok(_) => return Ok(Some(decision)),
                Err(seen) => tats = seen,
            }
        }
        Ok(None)
    }

    /// Closes the entry if every TAT is expired; else says when they are.
    pub(super) fn close(&self, now: Now) -> Result<(), u64> {
        let tats = self.tats.load(Relaxed);
        let (first, second) = unpack(tats);
        let latest = first.max(second);
        if tats == CLOSED || latest > now.horizon() {
            return Err(latest);
        }
        self.tats
            .compare_exchange(tats, CLOSED, Relaxed, Relaxed)
            .map(drop)
            .map_err(|_| latest)
    }

    pub(super) fn reset(&self) {
        let mut tats = self.tats.load(Relaxed);
        while tats != CLOSED {
            match self.tats.compare_exchange_weak(tats, 0, Relaxed, Relaxed) {
                Ok(_) => return,
                Err(seen) => tats = seen,
            }
        }
    }
}

/// The TATs after `cost`, the same if it is denied, and the answer.
pub(super) fn step(
    rule: &Rule,
    tats: u128,
    cost: Cost,
    now: Now,
) -> Result<(u128, KeyedDecision), CostExceedsCapacity> {
    let (first, second) = unpack(tats);
    let one = |gcra: &Gcra, tat| gcra.step(tat, now.nanos(), cost);
    let own = one(&rule.first, first)?;
    let Some(other) = &rule.second else {
        return Ok(match own {
            // What a second limit of another class holds stays.
            Step::Take { tat, allowed } => (pack(tat, second), KeyedDecision::Allowed(allowed)),
            Step::Deny(denied) => (tats, KeyedDecision::Denied(denied)),
        });
    };
    Ok(match (own, one(other, second)?) {
        (
            Step::Take { tat, allowed },
            Step::Take {
                tat: second,
                allowed: other,
            },
        ) => (
            pack(tat, second),
            KeyedDecision::Allowed(scarcer(allowed, other)),
        ),
        (Step::Deny(denied), Step::Deny(other)) => {
            (tats, KeyedDecision::Denied(longer(denied, other)))
        }
        (Step::Deny(denied), _) | (_, Step::Deny(denied)) => (tats, KeyedDecision::Denied(denied)),
    })
}

const fn pack(first: u64, second: u64) -> u128 {
    (second as u128) << 64 | first as u128
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "each half is cut out as such"
)]
const fn unpack(tats: u128) -> (u64, u64) {
    (tats as u64, (tats >> 64) as u64)
}

/// What `tats` holds as of `now`, by the limit of the rule that has less left; the first, where both have as much.
pub(super) fn snapshot(rule: &Rule, tats: u128, now: Now) -> Snapshot {
    let (first, second) = unpack(tats);
    let held = rule.first.snapshot(first, now.nanos());
    match rule.second.map(|limit| limit.snapshot(second, now.nanos())) {
        Some(other) if other.remaining() < held.remaining() => other,
        _ => held,
    }
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;
    use crate::class::Class;
    use tollgate_core::{Limit, Nanos};

    const NOW: Nanos = Nanos::new(5_000_000_000);

    #[test]
    fn an_entry_closes_when_its_last_limit_is_whole_and_no_sooner() {
        let limits = [Limit::per_second(1), Limit::per_second(2)];
        for limits in [limits, [limits[1], limits[0]]] {
            let rules = Rule::of_all([Class::from(limits)]).expect("two limits");
            let (entry, rule) = (Entry::default(), &rules[0]);
            let charged = entry.charge(rule, Cost::ONE, Now::new(NOW));
            assert!(charged.expect("it fits").is_some());
            let frees_at = entry.close(Now::new(NOW)).expect_err("it is in use");
            let wait = Now::new(NOW).until_free(frees_at);
            let free = NOW + wait;
            assert!(entry.close(Now::new(Nanos::new(free.0 - 1))).is_err());
            assert!(!entry.is_closed());
            assert!(entry.close(Now::new(free)).is_ok());
            assert!(entry.is_closed());
        }
    }

    #[test]
    fn a_closed_entry_is_whole_and_takes_no_charge() {
        let rules = Rule::of_all([Class::from(Limit::per_second(3))]).expect("a limit");
        let (entry, rule, now) = (Entry::default(), &rules[0], Now::new(NOW));
        assert!(entry.close(now).is_ok());
        assert!(entry.close(now).is_err(), "its place is another's already");
        assert_eq!(entry.peek(rule, now).remaining(), 3);
        assert!(
            entry
                .charge(rule, Cost::ONE, now)
                .expect("it fits")
                .is_none()
        );
        entry.reset();
        assert!(entry.is_closed());
    }
}
