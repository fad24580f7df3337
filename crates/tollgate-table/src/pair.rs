//! A key under two limits: both are charged, or none.
//!
//! The limits of a key have stored hashes of their own and the same candidate lines, so that both slots are in the
//! home line if there is room. A decision looks at both first, so that a limit that is full denies without a write; then
//! it charges one after the other, and if the second refuses after all, since others came in between, backs out of the
//! first. The first limit alone may so deny others for as long as that takes.

use crate::{
    cell::Charged,
    decision::{Full, KeyedDecision},
    table::{Answer, Ask, Table},
    word::Now,
};
use tollgate_core::{Allowed, Cost, CostExceedsCapacity, Decision, Denied, gcra::Gcra};

/// The stored hash of a key's second limit.
pub(crate) const fn second_hash(hash: u64) -> u64 {
    stored(hash ^ 0x9E37_79B9_7F4A_7C15)
}

/// 0 is the hash of a slot that was never used.
#[inline]
pub(crate) const fn stored(hash: u64) -> u64 {
    if hash == 0 { 1 } else { hash }
}

impl Table {
    #[inline(never)]
    pub(crate) fn charge_pair(
        &self,
        hash: u64,
        limits: [&Gcra; 2],
        cost: Cost,
        now: Now,
        again: impl FnOnce() -> Now,
    ) -> Result<KeyedDecision, CostExceedsCapacity> {
        let place = self.place(hash);
        let [first, second] =
            [(limits[0], hash), (limits[1], second_hash(hash))].map(|(gcra, hash)| Ask {
                hash,
                gcra,
                cost,
                now,
            });
        let seen = [&first, &second].map(|ask| self.seen(place, ask.hash, ask.gcra, now));
        // Both are asked, so that a cost that one of them can never admit is an error whatever the other says.
        match (seen[0].ask(cost)?, seen[1].ask(cost)?) {
            (Decision::Denied(first), Decision::Denied(second)) => {
                return Ok(KeyedDecision::Denied(longer(first, second)));
            }
            (Decision::Denied(denied), _) | (_, Decision::Denied(denied)) => {
                return Ok(KeyedDecision::Denied(denied));
            }
            _ => {}
        }
        let (allowed, charge) = match self.charge(place, 0, &first)? {
            Answer::Charged(Charged::Allowed(allowed, charge)) => (allowed, Some(charge)),
            Answer::Uncounted(allowed) => (allowed, None),
            Answer::Charged(Charged::Denied(denied)) => return Ok(KeyedDecision::Denied(denied)),
            Answer::Full(wait) => return Ok(KeyedDecision::Full(Full::new(wait))),
        };
        let refused = match self.charge(place, 1, &second)? {
            Answer::Charged(Charged::Allowed(other, _)) | Answer::Uncounted(other) => {
                return Ok(KeyedDecision::Allowed(scarcer(allowed, other)));
            }
            Answer::Charged(Charged::Denied(denied)) => KeyedDecision::Denied(denied),
            Answer::Full(wait) => KeyedDecision::Full(Full::new(wait)),
        };
        if let Some(charge) = charge {
            self.back_out(charge, again);
        }
        Ok(refused)
    }
}

/// The denial with the longer wait; of equal ones, the first.
pub(crate) fn longer(first: Denied, second: Denied) -> Denied {
    if second.retry_after() > first.retry_after() {
        second
    } else {
        first
    }
}

/// The answer of the limit of which fewer units are left; of equal ones, the first.
pub(crate) fn scarcer(first: Allowed, second: Allowed) -> Allowed {
    if second.remaining() < first.remaining() {
        second
    } else {
        first
    }
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;
    use tollgate_core::{Limit, Nanos, Snapshot};

    /// Of a limit of so many units, at one an hour, so many taken.
    fn held(capacity: u64, taken: u64) -> Snapshot {
        let gcra = Gcra::new(Limit::per_hour(1).with_capacity(capacity)).expect("a limit");
        gcra.snapshot(taken * 3_600_000_000_000 * 16, Nanos::ZERO)
    }

    fn denied(capacity: u64, taken: u64) -> Denied {
        match held(capacity, taken).ask(Cost::ONE).expect("it fits") {
            Decision::Denied(denied) => denied,
            Decision::Allowed(_) => panic!("nothing is left"),
        }
    }

    fn allowed(capacity: u64, taken: u64) -> Allowed {
        match held(capacity, taken).ask(Cost::ONE).expect("it fits") {
            Decision::Allowed(allowed) => allowed,
            Decision::Denied(_) => panic!("something is left"),
        }
    }

    #[test]
    fn the_longer_wait_is_told_and_of_equal_ones_the_first_limits() {
        let (short, long) = (denied(2, 2), denied(2, 3));
        assert_eq!(longer(short, long), long);
        assert_eq!(longer(long, short), long);
        let equal = denied(9, 9);
        assert_eq!(longer(short, equal), short);
        assert_eq!(longer(equal, short), equal);
    }

    #[test]
    fn fewer_units_left_are_told_and_of_as_many_the_first_limits() {
        let (few, many) = (allowed(5, 3), allowed(5, 2));
        assert_eq!(scarcer(few, many), few);
        assert_eq!(scarcer(many, few), few);
        let equal = allowed(9, 7);
        assert_eq!(scarcer(few, equal), few);
        assert_eq!(scarcer(equal, few), equal);
    }
}
