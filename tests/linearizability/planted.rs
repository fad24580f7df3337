//! Broken copies: each check finds the fault that it is there for.

use crate::{
    gate::{self, Algorithm, Limit, Ours, Reserves, Spec1, Unit},
    histories::{Chance, Instants, Manners, Rounds, SECOND, cost, found, of_meter},
};
use std::{
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    thread,
};
use tollgate_core::{
    Charged, Cost, Denial, Limit as Rate, Limiter, Meter, Moment, Nanos, Refused, Wait,
};
use tollgate_quota::Lifetime;
use tollgate_testkit::{
    Answer, RateLimit,
    linear::{Ask, Heard, OneLimit},
    model::{self, Gcra},
};

/// As many histories as any fault here may take to show.
const TRIES: u64 = 3_000;
const MAX: u64 = 14;

/// Lets others in between two steps, at times.
fn pause() {
    thread::yield_now();
}

/// Looks whether there is room, then takes it.
#[test]
fn a_counter_that_checks_before_it_acts_is_found() {
    let breach = found(TRIES, |seed| {
        let used = AtomicU64::new(0);
        let calls = Rounds::new(SECOND, Instants::Rounds).run(seed, |scribe, chance, id, at| {
            let cost = 1 + chance.below(3);
            scribe.call(Ask::Acquire { id, at, cost }, |_| {
                if used.load(SeqCst) + cost > MAX {
                    return (Heard::Answer(Answer::Never), ());
                }
                pause();
                used.fetch_add(cost, SeqCst);
                (Heard::Answer(Answer::Admit), ())
            });
        });
        (OneLimit::new(model::Lifetime::new(MAX)), calls)
    });
    assert!(breach.is_some());
}

/// A limiter that takes a nanosecond too much off each wait, and otherwise decides rightly.
#[test]
fn a_wait_that_is_off_by_a_nanosecond_is_found() {
    let breach = found(20, |seed| {
        let limiter = Limiter::new(Rate::per_second(4).with_capacity(6)).expect("a small limit");
        let calls =
            Rounds::new(SECOND / 40, Instants::Drawn).run(seed, |scribe, chance, id, at| {
                let units = 1 + chance.below(6);
                scribe.call(
                    Ask::Acquire {
                        id,
                        at,
                        cost: units,
                    },
                    |_| {
                        let snapshot = limiter.peek_at(Nanos(at));
                        let allowed = limiter
                            .try_acquire_at(cost(units), Nanos(at))
                            .is_ok_and(|answer| answer.is_allowed());
                        let wait = snapshot
                            .wait_time(cost(units))
                            .map_or(0, |wait| wait.as_nanos());
                        (
                            Heard::Answer(if allowed {
                                Answer::Admit
                            } else {
                                Answer::Wait(wait.saturating_sub(1))
                            }),
                            (),
                        )
                    },
                );
            });
        (
            OneLimit::new(Gcra::quantized(RateLimit::new(4, SECOND, 6), 16)),
            calls,
        )
    });
    assert!(breach.is_some());
}

/// A meter whose refunds give back a unit less, whether others are there or not.
#[derive(Debug)]
struct Stingy(Lifetime);

impl Meter for Stingy {
    type Receipt = <Lifetime as Meter>::Receipt;

    fn look(&self, at: Moment, cost: Cost, ceiling: u64) -> Result<(), Refused> {
        self.0.look(at, cost, ceiling)
    }
    fn charge(
        &self,
        at: Moment,
        cost: Cost,
        ceiling: u64,
    ) -> Result<Charged<Self::Receipt>, Refused> {
        self.0.charge(at, cost, ceiling)
    }
    fn charge_anyway(
        &self,
        at: Moment,
        extra: Cost,
        ceiling: u64,
    ) -> Result<Charged<Self::Receipt>, Refused> {
        self.0.charge_anyway(at, extra, ceiling)
    }
    fn refund(&self, at: Moment, receipt: &Self::Receipt, surplus: u64) -> u64 {
        self.0.refund(at, receipt, surplus - 1)
    }
    fn used(&self, at: Moment) -> u64 {
        self.0.used(at)
    }
    fn close_at_rest(&self, at: Moment) -> bool {
        self.0.close_at_rest(at)
    }
    fn reset(&self, at: Moment) {
        self.0.reset(at);
    }
}

/// A meter that denies while another caller is inside.
#[derive(Debug)]
struct Jumpy(Lifetime, Mutex<()>);

impl Meter for Jumpy {
    type Receipt = <Lifetime as Meter>::Receipt;

    fn look(&self, at: Moment, cost: Cost, ceiling: u64) -> Result<(), Refused> {
        self.0.look(at, cost, ceiling)
    }
    fn charge(
        &self,
        at: Moment,
        cost: Cost,
        ceiling: u64,
    ) -> Result<Charged<Self::Receipt>, Refused> {
        let Ok(_inside) = self.1.try_lock() else {
            return Err(Refused::Denied(Denial {
                wait: Wait::Never,
                committed: 0,
            }));
        };
        pause();
        self.0.charge(at, cost, ceiling)
    }
    fn charge_anyway(
        &self,
        at: Moment,
        extra: Cost,
        ceiling: u64,
    ) -> Result<Charged<Self::Receipt>, Refused> {
        self.0.charge_anyway(at, extra, ceiling)
    }
    fn refund(&self, at: Moment, receipt: &Self::Receipt, surplus: u64) -> u64 {
        self.0.refund(at, receipt, surplus)
    }
    fn used(&self, at: Moment) -> u64 {
        self.0.used(at)
    }
    fn close_at_rest(&self, at: Moment) -> bool {
        self.0.close_at_rest(at)
    }
    fn reset(&self, at: Moment) {
        self.0.reset(at);
    }
}

const ALL: Manners = Manners {
    cost_max: 4,
    refunds: true,
    debts: false,
    used: true,
};

#[test]
fn a_refund_that_gives_less_and_a_denial_for_nothing_are_found() {
    let rounds = || Rounds::new(SECOND, Instants::Rounds);
    let spec = || OneLimit::new(model::Lifetime::new(MAX));
    assert!(
        found(20, |seed| (
            spec(),
            of_meter(&Stingy(Lifetime::new()), MAX, &rounds(), ALL, seed)
        ))
        .is_some()
    );
    let jumpy = || Jumpy(Lifetime::new(), Mutex::default());
    assert!(
        found(TRIES, |seed| (
            spec(),
            of_meter(&jumpy(), MAX, &rounds(), ALL, seed)
        ))
        .is_some()
    );
}

/// What is wrong with a gate of two counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    /// Looks at both limits, then charges both.
    ChecksFirst,
    /// Backs out by storing what it found.
    StoresTheOld,
    /// Backs out all but a unit.
    KeepsAUnit,
    /// Refuses when somebody else is inside.
    RefusesCompany,
}

#[derive(Debug)]
struct Flawed {
    flaw: Flaw,
    used: [AtomicU64; 2],
    inside: Mutex<()>,
}

const LIMITS: [Limit; 2] = [
    Limit {
        unit: Unit::Tokens,
        algorithm: Algorithm::Lifetime,
        max: 30,
    },
    Limit {
        unit: Unit::Input,
        algorithm: Algorithm::Lifetime,
        max: 12,
    },
];

impl Flawed {
    fn new(flaw: Flaw) -> Self {
        Self {
            flaw,
            used: Default::default(),
            inside: Mutex::default(),
        }
    }

    fn take(&self, limit: usize, units: u64) -> Result<u64, (usize, Option<u128>)> {
        let room = |used: u64| (used + units <= LIMITS[limit].max).then_some(used + units);
        self.used[limit]
            .fetch_update(SeqCst, SeqCst, room)
            .map_err(|_| (limit, None))
    }

    fn take_both(&self, costs: [u64; 2]) -> Result<(), (usize, Option<u128>)> {
        let company = self.inside.try_lock();
        if self.flaw == Flaw::RefusesCompany && company.is_err() {
            return Err((0, None));
        }
        for limit in [0, 1] {
            if self.used[limit].load(SeqCst) + costs[limit] > LIMITS[limit].max {
                return Err((limit, None));
            }
        }
        pause();
        if self.flaw == Flaw::ChecksFirst {
            for limit in [0, 1] {
                self.used[limit].fetch_add(costs[limit], SeqCst);
            }
            return Ok(());
        }
        let old = self.take(0, costs[0])?;
        pause();
        let refused = match self.flaw {
            // A fault that one caller shows: the look above would hide it.
            Flaw::KeepsAUnit if costs[1] > 3 => Err((1, None)),
            _ => self.take(1, costs[1]),
        };
        let Err(refusal) = refused else { return Ok(()) };
        match self.flaw {
            Flaw::StoresTheOld => self.used[0].store(old, SeqCst),
            Flaw::KeepsAUnit => drop(self.used[0].fetch_sub(costs[0] - 1, SeqCst)),
            _ => drop(self.used[0].fetch_sub(costs[0], SeqCst)),
        }
        Err(refusal)
    }
}

impl Reserves for Flawed {
    type Open = [u64; 2];

    fn admit(&self, input: u64, output: u64, _at: u64) -> Result<[u64; 2], (usize, Option<u128>)> {
        let costs = [input + output, input];
        self.take_both(costs).map(|()| costs)
    }

    fn extend(
        &self,
        open: &mut [u64; 2],
        output: u64,
        _at: u64,
    ) -> Result<(), (usize, Option<u128>)> {
        self.take(0, output)?;
        open[0] += output;
        Ok(())
    }

    fn settle(&self, open: [u64; 2], input: u64, output: u64, _at: u64) {
        for (limit, actual) in [input + output, input].into_iter().enumerate() {
            if actual <= open[limit] {
                self.used[limit].fetch_sub(open[limit] - actual, SeqCst);
            } else {
                self.used[limit].fetch_add(actual - open[limit], SeqCst);
            }
        }
    }

    fn release(&self, open: [u64; 2], at: u64) {
        self.settle(open, 0, 0, at);
    }

    fn used(&self, _at: u64) -> Vec<u64> {
        self.used.iter().map(|used| used.load(SeqCst)).collect()
    }
}

fn gate_breach(flaw: Flaw, tries: u64) -> bool {
    found(tries, |seed| {
        let calls = gate::history(
            &Flawed::new(flaw),
            &gate::rounds(),
            Chance::new(seed, 1).below(u64::MAX >> 8),
        );
        (Spec1::new(&LIMITS), calls)
    })
    .is_some()
}

#[test]
fn a_gate_that_checks_first_or_backs_out_wrongly_is_found() {
    assert!(
        !gate_breach(Flaw::None, 300),
        "the idea without a flaw is right"
    );
    for flaw in [
        Flaw::ChecksFirst,
        Flaw::StoresTheOld,
        Flaw::KeepsAUnit,
        Flaw::RefusesCompany,
    ] {
        assert!(gate_breach(flaw, TRIES), "{flaw:?}");
    }
}

/// What a gate tells wrongly of a refusal.
#[derive(Clone, Copy, Debug)]
enum Lie {
    None,
    /// A nanosecond too much.
    Wait,
    /// Another limit.
    Limit,
}

/// Our gate, but for what it tells of a refusal while somebody else is inside.
struct Lying {
    gate: Ours,
    lie: Lie,
    inside: AtomicU64,
}

impl Lying {
    fn ask<T>(
        &self,
        ask: impl FnOnce() -> Result<T, (usize, Option<u128>)>,
    ) -> Result<T, (usize, Option<u128>)> {
        let others = self.inside.fetch_add(1, SeqCst);
        let answer = ask();
        let company = self.inside.fetch_sub(1, SeqCst) > 1 || others > 0;
        answer.map_err(|(limit, wait)| match self.lie {
            Lie::Wait if company => (limit, wait.map(|wait| wait + 1)),
            Lie::Limit if company => (1 - limit, wait),
            _ => (limit, wait),
        })
    }
}

impl Reserves for Lying {
    type Open = <Ours as Reserves>::Open;

    fn admit(&self, input: u64, output: u64, at: u64) -> Result<Self::Open, (usize, Option<u128>)> {
        self.ask(|| self.gate.admit(input, output, at))
    }

    fn extend(
        &self,
        open: &mut Self::Open,
        output: u64,
        at: u64,
    ) -> Result<(), (usize, Option<u128>)> {
        self.ask(|| self.gate.extend(open, output, at))
    }

    fn settle(&self, open: Self::Open, input: u64, output: u64, at: u64) {
        self.gate.settle(open, input, output, at);
    }

    fn release(&self, open: Self::Open, at: u64) {
        self.gate.release(open, at);
    }

    fn used(&self, at: u64) -> Vec<u64> {
        self.gate.used(at)
    }
}

#[test]
fn a_gate_that_tells_a_wrong_wait_or_limit_in_company_is_found() {
    let timed = [
        Limit {
            algorithm: Algorithm::Gcra,
            ..LIMITS[0]
        },
        Limit {
            algorithm: Algorithm::Log,
            ..LIMITS[1]
        },
    ];
    let breach = |lie, limits: &[Limit], tries| {
        found(tries, |seed| {
            let gate = Lying {
                gate: gate::ours(limits),
                lie,
                inside: AtomicU64::new(0),
            };
            (
                Spec1::new(limits),
                gate::history(&gate, &gate::rounds(), seed),
            )
        })
    };
    for limits in [&timed, &LIMITS] {
        let breach = breach(Lie::None, limits, 100);
        assert!(breach.is_none(), "{}", breach.expect("it is one"));
    }
    assert!(breach(Lie::Wait, &timed, TRIES).is_some());
    assert!(breach(Lie::Limit, &LIMITS, TRIES).is_some());
}
