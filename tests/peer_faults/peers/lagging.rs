//! A GCRA whose TAT may lie behind now.

use std::cell::Cell;
use tollgate_testkit::{Answer, RateLimit, subject::Subject};

/// throttlecrab 0.4. A stored TAT is raised to `now − tolerance`, not to now, so that idle time earns *up to a
/// capacity more* than the capacity. It is kept until `TAT + tolerance`; with a capacity of one that is now, so that
/// nothing is *ever kept*. The tolerance is the interval times one less than the capacity, which is *cut to 32 bits*.
/// A cost that fits no capacity is answered like any other, *with a wait*. And `now` is the *wall clock*.
pub(crate) struct LaggingTat {
    interval: i64,
    tolerance: i64,
    stored: Cell<Option<Stored>>,
}

#[derive(Clone, Copy)]
struct Stored {
    tat: i64,
    expires: i64,
}

impl LaggingTat {
    pub(crate) fn new(limit: RateLimit) -> Self {
        let interval = i64::try_from(limit.period / limit.units).expect("a short interval");
        #[expect(clippy::cast_possible_truncation, reason = "that is one of its faults")]
        let beyond_one = (limit.capacity - 1) as u32;
        Self {
            interval,
            tolerance: interval * i64::from(beyond_one),
            stored: Cell::new(None),
        }
    }
}

impl Subject for LaggingTat {
    fn try_acquire_at(&self, cost: u64, now: u64) -> Answer {
        let (cost, now) = (signed(cost), signed(now));
        let tat = match self.stored.get().filter(|stored| stored.expires > now) {
            Some(stored) => stored.tat.max(now - self.tolerance),
            None => now - self.interval,
        };
        let next = tat.saturating_add(self.interval.saturating_mul(cost));
        let allow_at = next - self.tolerance;
        if now < allow_at {
            return Answer::Wait(u128::from(allow_at.abs_diff(now)));
        }
        self.stored.set(Some(Stored {
            tat: next,
            expires: next + self.tolerance,
        }));
        Answer::Admit
    }
}

fn signed(figure: u64) -> i64 {
    i64::try_from(figure).expect("a figure of 63 bits")
}
