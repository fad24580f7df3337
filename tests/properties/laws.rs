//! The three laws under estimates that are settled later, in every way a reservation can end.

use crate::{
    policies::{AGENTS, Algorithm, Asked, Limit, MODELS, Unit, gate, policy, usage, wall},
    random::{asks, limits, moves},
};
use proptest::prelude::*;
use std::time::Duration;
use tollgate_core::{ManualClock, Nanos};
use tollgate_policy::{Gate, Refusal, Reservation};
use tollgate_testkit::law::{Event, Kind, raise_all, raise_debts};

#[derive(Clone, Debug)]
enum Step {
    Admit(Asked),
    /// Settles at so many tenths of the estimate.
    Settle {
        which: prop::sample::Index,
        tenths: u64,
    },
    Extend {
        which: prop::sample::Index,
        input: u64,
    },
    Release(prop::sample::Index),
    Drop(prop::sample::Index),
}

fn steps() -> impl Strategy<Value = Vec<(i64, Step)>> {
    let which = any::<prop::sample::Index>;
    let step = prop_oneof![
        6 => asks().prop_map(Step::Admit),
        3 => (which(), 0_u64..14).prop_map(|(which, tenths)| Step::Settle { which, tenths }),
        1 => (which(), 1_u64..8).prop_map(|(which, input)| Step::Extend { which, input }),
        1 => which().prop_map(Step::Release),
        1 => which().prop_map(Step::Drop),
    ];
    prop::collection::vec((moves(), step), 1..50)
}

/// What one limit was charged for a reservation: the places of the events, in order.
type Charged = Vec<usize>;

/// A reservation, and what the limits were charged for it.
struct Held {
    reservation: Reservation,
    ask: Asked,
    charged: Vec<Charged>,
}

/// A gate, and the record of what it admitted and kept, by limit and account.
struct Recorded<'a> {
    limits: &'a [Limit],
    gate: Gate,
    clock: ManualClock,
    open: Vec<Held>,
    events: Vec<Vec<Event>>,
}

const ACCOUNTS: usize = 4;

impl<'a> Recorded<'a> {
    fn new(limits: &'a [Limit]) -> Self {
        let (gate, clock) = gate(&policy(limits));
        Self {
            limits,
            gate,
            clock,
            open: Vec::new(),
            events: vec![Vec::new(); limits.len() * ACCOUNTS],
        }
    }

    fn events_of(&mut self, place: usize, ask: &Asked) -> &mut Vec<Event> {
        &mut self.events[place * ACCOUNTS + self.limits[place].account(ask)]
    }

    /// Records a charge of every limit that refuses.
    fn charge(
        &mut self,
        now: u64,
        ask: &Asked,
        charged: &mut [Charged],
        cost: impl Fn(&Limit) -> u64,
    ) {
        for (place, limit) in self.limits.iter().enumerate() {
            if limit.applies(ask) && !limit.shadow && cost(limit) > 0 {
                let events = self.events_of(place, ask);
                charged[place].push(events.len());
                events.push(Event::admitted(now, cost(limit)));
            }
        }
    }

    /// Of what `place` was charged, `kept` units were used: the rest is taken from the last charges, what is beyond
    /// is debt.
    fn keep(&mut self, now: u64, held: &Held, place: usize, kept: u64) {
        let events = self.events_of(place, &held.ask);
        let charged: u64 = held.charged[place]
            .iter()
            .map(|event| events[*event].units)
            .sum();
        let mut surplus = charged.saturating_sub(kept);
        for event in held.charged[place].iter().rev() {
            let part = surplus.min(events[*event].units);
            events[*event].units -= part;
            surplus -= part;
        }
        if kept > charged {
            events.push(Event::debt(now, kept - charged));
        }
    }

    /// Ends `held` for every limit that was charged: `kept` says of each what it keeps.
    fn end(&mut self, now: u64, held: &Held, kept: impl Fn(&Limit, u64) -> u64) {
        for (place, limit) in self.limits.iter().enumerate() {
            if held.charged[place].is_empty() {
                continue;
            }
            let events = self.events_of(place, &held.ask);
            let charged = held.charged[place]
                .iter()
                .map(|event| events[*event].units)
                .sum();
            if limit.algorithm == Algorithm::Concurrency {
                events.push(Event::closed(now, charged));
            } else {
                self.keep(now, held, place, kept(limit, charged));
            }
        }
    }

    /// Does one step, and says what a refused admission heard.
    fn step(&mut self, now: u64, step: &Step) -> Option<Refusal> {
        let at = (Nanos(now), wall(now));
        let open = self.open.len();
        match step {
            Step::Admit(ask) => match self.gate.admit_at(&ask.request(), at.0, at.1) {
                Err(refusal) => return Some(refusal),
                Ok(reservation) => {
                    let mut charged = vec![Charged::new(); self.limits.len()];
                    self.charge(now, ask, &mut charged, |limit| {
                        limit.cost(ask.input, ask.output)
                    });
                    self.open.push(Held {
                        reservation,
                        ask: *ask,
                        charged,
                    });
                }
            },
            _ if open == 0 => {}
            Step::Extend { which, input } => {
                let mut held = self.open.swap_remove(which.index(open));
                if held
                    .reservation
                    .extend_at(usage(*input, 0), at.0, at.1)
                    .is_ok()
                {
                    let more = |limit: &Limit| {
                        if limit.unit == Unit::Requests {
                            0
                        } else {
                            limit.cost(*input, 0)
                        }
                    };
                    self.charge(now, &held.ask.clone(), &mut held.charged, more);
                }
                self.open.push(held);
            }
            Step::Settle { which, tenths } => {
                let held = self.open.swap_remove(which.index(open));
                let estimate = *held.reservation.estimate();
                let (input, output) = (
                    estimate.input_tokens * tenths / 10,
                    estimate.output_tokens * tenths / 10,
                );
                self.end(now, &held, |limit, _| limit.cost(input, output));
                held.reservation.settle_at(usage(input, output), at.0, at.1);
            }
            Step::Release(which) => {
                let held = self.open.swap_remove(which.index(open));
                self.end(now, &held, |_, _| 0);
                held.reservation.release_at(at.0, at.1);
            }
            Step::Drop(which) => {
                let held = self.open.swap_remove(which.index(open));
                self.end(
                    now,
                    &held,
                    |limit, charged| if limit.releases { 0 } else { charged },
                );
                // A drop reads the gate's own clock.
                self.clock.set(Nanos(now));
                drop(held.reservation);
            }
        }
        None
    }

    /// What every account has used.
    fn used(&self, now: u64) -> Vec<u64> {
        let scopes = AGENTS.iter().flat_map(|agent| {
            MODELS
                .iter()
                .map(move |model| [("agent", *agent), ("model", *model)])
        });
        let usage = scopes.flat_map(|scope| self.gate.usage_at(&scope, Nanos(now), wall(now)));
        usage.map(|usage| usage.used).collect()
    }

    fn judge(&self) -> Result<(), TestCaseError> {
        for (index, events) in self.events.iter().enumerate() {
            let limit = &self.limits[index / ACCOUNTS];
            let mut events = events.clone();
            match limit.algorithm {
                // A wall clock that was set back is counted in the period that had begun, and these two know no time.
                Algorithm::Calendar | Algorithm::Lifetime | Algorithm::Concurrency => {
                    raise_all(&mut events);
                }
                _ => raise_debts(&mut events),
            }
            events.retain(|event| event.units > 0 || event.kind != Kind::Admitted);
            let verdict = limit.law(index % ACCOUNTS).check(events, 0);
            prop_assert!(verdict.held(), "{:?}: {}", limit, verdict);
        }
        Ok(())
    }
}

/// The steps, each at its `now`.
fn timed(steps: Vec<(i64, Step)>) -> Vec<(u64, Step)> {
    let mut now = 0_u64;
    let place = |(moved, step)| {
        now = now.saturating_add_signed(moved);
        (now, step)
    };
    steps.into_iter().map(place).collect()
}

/// Lives `steps` again in a fresh gate, then asks for the request of the last of them once more, `later`.
fn admitted_later(limits: &[Limit], steps: &[(u64, Step)], later: Duration) -> bool {
    let mut again = Recorded::new(limits);
    for (now, step) in steps {
        again.step(*now, step);
    }
    let later = u64::try_from(later.as_nanos()).expect("a wait of less than centuries");
    let (now, last) = steps.last().expect("at least the one that was refused");
    again.step(now + later, last).is_none()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// What is admitted and kept never exceeds a limit, and a refusal leaves all that is used as it was.
    #[test]
    fn nothing_is_ever_over_and_a_refusal_changes_nothing(limits in limits(), steps in steps()) {
        let mut recorded = Recorded::new(&limits);
        for (now, step) in timed(steps) {
            let before = recorded.used(now);
            if let Some(refusal) = recorded.step(now, &step) {
                prop_assert_eq!(before, recorded.used(now), "{} at {} under\n{}", refusal, now, policy(&limits));
            }
        }
        recorded.judge()?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    /// A nanosecond less than `retry_after` is refused, and `retry_after` is admitted, were nobody else to come.
    #[test]
    fn each_wait_is_the_least(limits in limits(), steps in steps()) {
        let steps = timed(steps);
        let mut recorded = Recorded::new(&limits);
        let mut tried = 0;
        for (number, (now, step)) in steps.iter().enumerate() {
            let Some(refusal) = recorded.step(*now, step) else { continue };
            let Some(wait) = refusal.retry_after() else { continue };
            tried += 1;
            if tried > 6 {
                break;
            }
            let lived = &steps[..=number];
            let nanosecond = Duration::from_nanos(1);
            prop_assert!(!admitted_later(&limits, lived, wait - nanosecond), "{} at {}: sooner under\n{}", refusal, now, policy(&limits));
            prop_assert!(admitted_later(&limits, lived, wait), "{} at {}: not then under\n{}", refusal, now, policy(&limits));
        }
    }
}
