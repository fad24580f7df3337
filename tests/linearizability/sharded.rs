//! Sharded limiters and handles: exact but for what others have in hand.
//!
//! # What is allowed
//! An admission is one that a plain limiter of the whole capacity C would give, charged with all admissions before it.
//! A denial is one that a plain limiter of capacity `max_cost` would give, were what others have in hand taken too. In
//! hand may be, of each call that is under way: up to k units that it drew for its shard, and its cost, unless that is
//! among the admissions already. A living handle holds up to k units that others cannot see. Where nobody has anything in hand,
//! the wait lies between those of the two.

use crate::histories::{Instants, Rounds, SECOND, cost, held};
use std::hash::{Hash, Hasher};
use tollgate_core::{
    CostExceedsCapacity, Decision, Limit, LocalHandle, ManualClock, Nanos, ShardedLimiter,
};
use tollgate_testkit::{
    Answer, RateLimit,
    linear::{Around, Ask, Heard, Spec},
    model::{Gcra, Model},
};

/// With two shards and a seat, k is 2 or so.
const CAPACITY: u64 = 64;

#[derive(Clone, Debug)]
struct Sharded {
    whole: Gcra,
    least: Gcra,
    stock: u64,
    held: u64,
}

impl Spec for Sharded {
    type Ask = Ask;
    type Heard = Heard;

    fn step(&mut self, around: &Around<'_, Ask, Heard>) -> bool {
        let (Ask::Acquire { at, cost, .. }, Heard::Answer(answer)) =
            (around.call().ask, around.call().heard)
        else {
            return false;
        };
        if answer.admitted() {
            let fits = self.whole.look(at, cost).admitted();
            self.whole.charge(at, cost);
            self.least.charge(at, cost);
            return fits;
        }
        let in_hand = around.overlapping().map(|(call, before)| {
            let counted = before && call.heard == Heard::Answer(Answer::Admit);
            let Ask::Acquire { cost, .. } = call.ask else {
                return 0;
            };
            self.stock + if counted { 0 } else { cost }
        });
        let out_of_sight = in_hand.sum::<u64>() + self.held;
        let [whole, least] = [&self.whole, &self.least].map(|limit| limit.look(at, cost));
        match (answer, whole, least) {
            (Answer::Never, ..) => cost > self.least.max(),
            // Nobody has anything in hand.
            (Answer::Wait(wait), Answer::Wait(whole), Answer::Wait(least))
                if around.alone() && self.held == 0 =>
            {
                whole <= wait && wait <= least
            }
            _ => !self.least.look(at, cost + out_of_sight).admitted(),
        }
    }
}

impl PartialEq for Sharded {
    fn eq(&self, other: &Self) -> bool {
        self.whole.tat() == other.whole.tat() && self.least.tat() == other.least.tat()
    }
}

impl Eq for Sharded {}

impl Hash for Sharded {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.whole.tat().ns_ceil().hash(state);
    }
}

fn limiter() -> ShardedLimiter<ManualClock> {
    ShardedLimiter::builder(Limit::per_second(40).with_capacity(CAPACITY))
        .shards(2)
        .seats(2)
        .build_with_clock(ManualClock::starting_at(Nanos(crate::histories::START)))
        .expect("a small limit")
}

fn spec(limiter: &ShardedLimiter<ManualClock>, held: u64) -> Sharded {
    let plain = |capacity| Gcra::quantized(RateLimit::new(40, SECOND, capacity), 16);
    Sharded {
        whole: plain(CAPACITY),
        least: plain(limiter.max_cost()),
        stock: limiter.stock_per_shard(),
        held,
    }
}

fn heard(decision: Result<Decision, CostExceedsCapacity>) -> Heard {
    Heard::Answer(match decision {
        Ok(Decision::Allowed(_)) => Answer::Admit,
        Ok(Decision::Denied(denied)) => Answer::Wait(denied.retry_after().as_nanos()),
        Err(_) => Answer::Never,
    })
}

/// Mostly small costs, at times up to the largest and one beyond.
fn drawn(chance: &mut crate::histories::Chance, max: u64) -> u64 {
    match chance.below(8) {
        0 => 1 + chance.below(max + 1),
        1 | 2 => 1 + chance.below(max / 4),
        _ => 1 + chance.below(3),
    }
}

fn rounds() -> Rounds {
    Rounds {
        calls: 10,
        ..Rounds::new(SECOND / 40, Instants::Rounds)
    }
}

#[test]
fn a_sharded_limiter_denies_only_for_what_is_taken_or_in_hand() {
    held("ShardedLimiter", |seed| {
        let limiter = limiter();
        assert!(limiter.stock_per_shard() > 0);
        let calls = rounds().run(seed, |scribe, chance, id, at| {
            let units = drawn(chance, limiter.max_cost());
            scribe.call(
                Ask::Acquire {
                    id,
                    at,
                    cost: units,
                },
                |_| (heard(limiter.try_acquire_at(cost(units), Nanos(at))), ()),
            );
        });
        (spec(&limiter, 0), calls)
    });
}

#[test]
fn handles_deny_only_for_what_is_taken_in_hand_or_held() {
    held("LocalHandle", |seed| {
        let limiter = limiter();
        let rounds = Rounds {
            calls: 1,
            ..rounds()
        };
        // One handle for all calls of a thread in a round; the last thread has none.
        let calls = rounds.run(seed, |scribe, chance, id, at| {
            let handle: Option<LocalHandle<'_, _>> =
                (scribe.thread() < 2).then(|| limiter.handle());
            for number in 0..7 {
                let units = drawn(chance, limiter.max_cost());
                scribe.call(
                    Ask::Acquire {
                        id: id * 8 + number,
                        at,
                        cost: units,
                    },
                    |_| {
                        let answer = match &handle {
                            Some(handle) => handle.try_acquire_at(cost(units), Nanos(at)),
                            None => limiter.try_acquire_at(cost(units), Nanos(at)),
                        };
                        (heard(answer), ())
                    },
                );
            }
        });
        (spec(&limiter, 2 * limiter.stock_per_shard()), calls)
    });
}
