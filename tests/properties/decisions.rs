//! Every decision of a Gate against the composed model, where nothing is refunded.

use crate::{
    policies::{Algorithm, Asked, Limit, Unit, gate, policy, usage, wall},
    random::{asks, limits, moves},
};
use proptest::prelude::*;
use tollgate_core::Nanos;
use tollgate_policy::{Refusal, Reservation};
use tollgate_testkit::model::{Ask, Model, Policy, PolicyReceipt};

#[derive(Clone, Debug)]
enum Step {
    Admit(Asked),
    /// Ends one that is open as estimated, or with this much more input spent.
    Settle {
        which: prop::sample::Index,
        extra: u64,
    },
    Extend {
        which: prop::sample::Index,
        input: u64,
    },
}

fn steps() -> impl Strategy<Value = Vec<(i64, Step)>> {
    let which = any::<prop::sample::Index>;
    let step = prop_oneof![
        6 => asks().prop_map(Step::Admit),
        2 => (which(), prop_oneof![2 => Just(0), 1 => 1_u64..20]).prop_map(|(which, extra)| Step::Settle { which, extra }),
        1 => (which(), 1_u64..8).prop_map(|(which, input)| Step::Extend { which, input }),
    ];
    prop::collection::vec((moves(), step), 1..60)
}

/// The accounts of all limits in file order: those that refuse as the testkit's policy, shadows beside it.
struct World<'a> {
    limits: &'a [Limit],
    policy: Policy,
    shadows: Vec<Vec<Box<dyn Model>>>,
}

/// What the model knows of a reservation.
struct Held {
    ask: Asked,
    input: u64,
    receipts: PolicyReceipt,
    /// Which shadows took it.
    shadowed: Vec<bool>,
}

const ACCOUNTS: usize = 4;

impl<'a> World<'a> {
    fn new(limits: &'a [Limit]) -> Self {
        let models = |limit: &Limit| {
            (0..ACCOUNTS)
                .map(|account| limit.model(account))
                .collect::<Vec<_>>()
        };
        let mut policy = Policy::new();
        limits
            .iter()
            .flat_map(models)
            .for_each(|model| policy.add_boxed(model));
        Self {
            limits,
            policy,
            shadows: limits.iter().map(models).collect(),
        }
    }

    /// One ask for each account of each limit: at most one of a limit's is asked, and no shadow.
    fn asks(&self, ask: &Asked, cost: impl Fn(&Limit) -> u64) -> Vec<Option<Ask>> {
        let mut asks = vec![None; self.limits.len() * ACCOUNTS];
        for (place, limit) in self.limits.iter().enumerate() {
            if limit.applies(ask) && !limit.shadow && cost(limit) > 0 {
                asks[place * ACCOUNTS + limit.account(ask)] = Some(limit.ask(ask, cost(limit)));
            }
        }
        asks
    }

    fn shadow(
        &mut self,
        now: u64,
        ask: &Asked,
        may: &[bool],
        cost: impl Fn(&Limit) -> u64,
    ) -> Vec<bool> {
        let limits = self.limits;
        let mut took = vec![false; limits.len()];
        for (place, limit) in limits.iter().enumerate() {
            let model = &mut self.shadows[place][limit.account(ask)];
            if limit.shadow && may[place] && limit.applies(ask) && cost(limit) > 0 {
                took[place] = model
                    .look_under(now, cost(limit), limit.share(ask))
                    .admitted();
                if took[place] {
                    let _kept = model.charge(now, cost(limit));
                }
            }
        }
        took
    }

    /// A start below the capacity counts from the first request on, admitted or not.
    fn touch(&self, now: u64, ask: &Asked) {
        for (place, limit) in self.limits.iter().enumerate() {
            if limit.applies(ask) {
                let account = limit.account(ask);
                let _started = self.policy.limits()[place * ACCOUNTS + account].used(now);
                let _started = self.shadows[place][account].used(now);
            }
        }
    }

    fn admit(&mut self, now: u64, ask: Asked) -> Result<Held, (usize, Option<u128>)> {
        self.touch(now, &ask);
        let cost = |limit: &Limit| limit.cost(ask.input, ask.output);
        let receipts = self.acquire(now, &self.asks(&ask, cost))?;
        let all = vec![true; self.limits.len()];
        let shadowed = self.shadow(now, &ask, &all, cost);
        Ok(Held {
            ask,
            input: ask.input,
            receipts,
            shadowed,
        })
    }

    fn acquire(
        &mut self,
        now: u64,
        asks: &[Option<Ask>],
    ) -> Result<PolicyReceipt, (usize, Option<u128>)> {
        let taken = self.policy.try_acquire(now, asks);
        taken.map_err(|refusal| (refusal.limit / ACCOUNTS, refusal.retry_after))
    }

    /// The request itself was counted when it was admitted.
    fn extend(
        &mut self,
        now: u64,
        held: &mut Held,
        input: u64,
    ) -> Result<(), (usize, Option<u128>)> {
        let more = |limit: &Limit| {
            if limit.unit == Unit::Requests {
                0
            } else {
                limit.cost(input, 0)
            }
        };
        self.acquire(now, &self.asks(&held.ask, more))?;
        self.shadow(now, &held.ask, &held.shadowed, more);
        held.input += input;
        Ok(())
    }

    fn settle(&mut self, now: u64, held: &mut Held, extra: u64) {
        for (place, limit) in self.limits.iter().enumerate() {
            let account = limit.account(&held.ask);
            let debt = if limit.unit == Unit::Requests {
                0
            } else {
                extra
            };
            if limit.algorithm == Algorithm::Concurrency {
                // What ends is no longer open.
                self.policy
                    .settle(now, &mut held.receipts, place * ACCOUNTS + account, 0);
            } else if debt > 0 && limit.shadow && held.shadowed[place] {
                self.shadows[place][account].charge_anyway(now, debt);
            } else if debt > 0 && !limit.shadow {
                let actual = limit.cost(held.ask.input, held.ask.output) + debt;
                self.policy
                    .settle(now, &mut held.receipts, place * ACCOUNTS + account, actual);
            }
        }
    }
}

fn found(refusal: &Refusal) -> (usize, Option<u128>) {
    let limited = refusal.limited().expect("only limits refuse");
    let place = limited
        .limit
        .parse()
        .expect("limits are named by their place");
    (place, limited.retry_after.map(|wait| wait.as_nanos()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn every_decision_and_wait_is_that_of_the_composed_model(limits in limits(), steps in steps()) {
        // A shadow that counts what is open would be refunded.
        let limits: Vec<Limit> = limits.into_iter().map(|limit| Limit {
            shadow: limit.shadow && limit.algorithm != Algorithm::Concurrency,
            ..limit
        }).collect();
        let text = policy(&limits);
        let (gate, _clock) = gate(&text);
        let mut world = World::new(&limits);
        let mut open: Vec<(Reservation, Held)> = Vec::new();
        // A log may have forgotten what an old `now` would see, and is then stricter: from there on the worlds differ.
        let forgot = |now: u64, latest: u64, refusal: &Refusal| {
            now < latest && limits[found(refusal).0].algorithm == Algorithm::Log
        };
        let (mut now, mut latest) = (0_u64, 0_u64);
        for (moved, step) in steps {
            now = now.saturating_add_signed(moved);
            match step {
                Step::Admit(ask) => {
                    let answer = gate.admit_at(&ask.request(), Nanos(now), wall(now));
                    let expected = world.admit(now, ask);
                    latest = latest.max(if answer.is_ok() { now } else { 0 });
                    match (answer, expected) {
                        (Ok(reservation), Ok(held)) => open.push((reservation, held)),
                        (Err(refusal), expected) if forgot(now, latest, &refusal) && expected.as_ref().err() != Some(&found(&refusal)) => return Ok(()),
                        (Err(refusal), Err(expected)) => prop_assert_eq!(found(&refusal), expected, "{} at {} under\n{}", refusal, now, text),
                        (answer, expected) => prop_assert!(false, "{:?} but {:?} at {} under\n{}", answer, expected.err(), now, text),
                    }
                }
                Step::Settle { which, extra } if !open.is_empty() => {
                    latest = latest.max(now);
                    let (reservation, mut held) = open.swap_remove(which.index(open.len()));
                    reservation.settle_at(usage(held.input + extra, held.ask.output), Nanos(now), wall(now));
                    world.settle(now, &mut held, extra);
                }
                Step::Extend { which, input } if !open.is_empty() => {
                    let which = which.index(open.len());
                    let (reservation, held) = &mut open[which];
                    let answer = reservation.extend_at(usage(input, 0), Nanos(now), wall(now));
                    let expected = world.extend(now, held, input);
                    let is_forgotten = answer.as_ref().is_err_and(|refusal| forgot(now, latest, refusal));
                    let answer = answer.map_err(|refusal| found(&refusal));
                    if is_forgotten && answer != expected {
                        return Ok(());
                    }
                    prop_assert_eq!(answer, expected, "extending at {} under\n{}", now, text);
                }
                Step::Settle { .. } | Step::Extend { .. } => {}
            }
        }
        open.into_iter().for_each(|(reservation, held)| reservation.settle_at(usage(held.input, held.ask.output), Nanos(now), wall(now)));
    }
}
