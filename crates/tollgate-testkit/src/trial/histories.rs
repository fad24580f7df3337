//! The checks that one caller makes: the three laws over random histories.

use super::{Check, Claim, Finding, Plan, Shared, Trial};
use crate::{
    answer::Answer,
    law::{Event, Verdict},
    limit::RateLimit,
    model::{Gcra, Model},
    strategy::{self, Histories, Op},
    subject::{Misstep, Subject, denials_change_nothing, waits_are_least},
};
use proptest::{
    prelude::*,
    test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner},
};
use std::{cell::Cell, fmt::Write};

/// The latest beginning of a history, in nanoseconds: some days.
const BEGINS_MAX: u64 = 1_000_000_000_000_000;
/// Where histories end: 20 years.
const ENDS: u64 = 630_000_000_000_000_000;
/// Steps of a history that is lived again for each of its steps.
const STEPS_OF_LAWS: usize = 25;

impl Trial {
    pub(super) fn never_over(&self, check: Check, plan: &Plan) -> Finding {
        if let Some(why) = self.untimed(check) {
            return Finding::NotApplicable(why);
        }
        let cases = if check == Check::AnyFigures {
            strategy::rate_limits().boxed()
        } else {
            strategy::ordinary_rate_limits().boxed()
        };
        let back = check == Check::OldNow;
        self.search(plan, cases, 100, back, |limit, history| {
            let subject = self.fresh(limit)?;
            let mut events = Vec::new();
            for op in history {
                if let Op::Acquire { at, cost } = *op
                    && subject.try_acquire_at(cost, at).admitted()
                {
                    events.push(Event::admitted(at, cost));
                }
            }
            match self.claim.law(limit).check(events, (self.slack)(limit)) {
                Verdict::Broken(evidence) => Err(evidence.to_string()),
                Verdict::Held | Verdict::NotChecked(_) => Ok(()),
            }
        })
    }

    pub(super) fn least_wait(&self, plan: &Plan) -> Finding {
        if let Some(why) = &self.own_clock {
            return Finding::NotApplicable(why.clone());
        }
        if self.no_wait && self.claim != Claim::Rate {
            return Finding::NotApplicable(
                "it tells no wait, and a window may be kept in slots".to_owned(),
            );
        }
        let limits = strategy::ordinary_rate_limits().boxed();
        if self.no_wait {
            return self.search(plan, limits, 100, false, |limit, history| {
                self.needless_denial(limit, history)
            });
        }
        self.search(plan, limits, STEPS_OF_LAWS, false, |limit, history| {
            self.fresh(limit)?;
            let fresh = || {
                let subject = self.fresh(limit).unwrap_or_else(|why| panic!("{why}"));
                // No limiter's time goes on for ever.
                move |cost: u64, now: u64| match subject.try_acquire_at(cost, now) {
                    Answer::Wait(wait) if wait > u128::from(ENDS) => Answer::Never,
                    answer => answer,
                }
            };
            waits_are_least(fresh, history).map_err(|misstep| misstep.to_string())
        })
    }

    /// Whether a denial was needless: by an exact model, charged with the same admissions, a unit more would be lawful.
    fn needless_denial(&self, limit: RateLimit, history: &[Op]) -> Result<(), String> {
        let (subject, mut model) = (self.fresh(limit)?, Gcra::new(limit));
        for (step, op) in history.iter().enumerate() {
            let Op::Acquire { at, cost } = *op else {
                continue;
            };
            if subject.try_acquire_at(cost, at).admitted() {
                model.charge(at, cost);
            } else if model.look(at, cost.saturating_add(1)).admitted() {
                return Err(format!(
                    "step {step}: denied, though a unit more would be lawful"
                ));
            }
        }
        Ok(())
    }

    pub(super) fn no_mark(&self, plan: &Plan) -> Finding {
        let limits = match self.own_clock {
            None => strategy::ordinary_rate_limits().boxed(),
            Some(_) => (1_u64..30).prop_map(Self::still).boxed(),
        };
        // Waits of a clock that runs on differ from one life to the next.
        let told = self.own_clock.is_none() && !self.no_wait;
        self.search(plan, limits, STEPS_OF_LAWS, false, |limit, history| {
            self.fresh(limit)?;
            let fresh = || {
                let subject = self.fresh(limit).unwrap_or_else(|why| panic!("{why}"));
                move |cost: u64, now: u64| match subject.try_acquire_at(cost, now) {
                    Answer::Wait(_) | Answer::Never if !told => Answer::Never,
                    answer => answer,
                }
            };
            denials_change_nothing(fresh, history).map_err(|misstep: Misstep| misstep.to_string())
        })
    }

    fn untimed(&self, check: Check) -> Option<String> {
        match check {
            Check::OldNow => self.own_clock.clone().or_else(|| self.no_old_now.clone()),
            _ => self.own_clock.clone(),
        }
    }

    /// Looks for the shortest history of a limit that `judge` finds fault with. What cannot be built is passed over.
    fn search(
        &self,
        plan: &Plan,
        limits: BoxedStrategy<RateLimit>,
        steps_max: usize,
        steps_back: bool,
        judge: impl Fn(RateLimit, &[Op]) -> Result<(), String>,
    ) -> Finding {
        let config = Config {
            cases: plan.cases,
            max_shrink_iters: 1_000,
            failure_persistence: None,
            rng_seed: RngSeed::Fixed(plan.seed),
            ..Config::default()
        };
        let (claim, unit_costs) = (self.claim, self.unit_costs);
        let own_clock = self.own_clock.is_some();
        let cases = limits.prop_flat_map(move |limit| {
            let of_claim = match claim {
                Claim::Rate => Histories::of_rate(limit),
                Claim::Window | Claim::Periods => Histories::of_window(limit.period, limit.units),
            };
            let histories = Histories {
                steps_max,
                steps_back,
                refunds: false,
                debts: false,
                ..of_claim
            };
            let ops = histories.ops().prop_map(move |ops| {
                // Clocks of limiters mostly begin when they do.
                let begun = ops
                    .first()
                    .map_or(0, |op| op.at().saturating_sub(BEGINS_MAX));
                let op = |op: Op| match op {
                    Op::Acquire { at, cost } => Op::Acquire {
                        at: if own_clock {
                            0
                        } else {
                            at.saturating_sub(begun)
                        },
                        cost: if unit_costs { 1 } else { cost },
                    },
                    other => other,
                };
                let lived = ops.into_iter().map(op).take_while(|op| op.at() < ENDS);
                lived.collect::<Vec<_>>()
            });
            (Just(limit), ops)
        });
        let tried = Cell::new(0);
        let mut runner = TestRunner::new(config);
        let outcome = runner.run(&cases, |(limit, history)| {
            if self.fresh(limit).is_err() {
                return Ok(());
            }
            tried.set(tried.get() + 1);
            judge(limit, &history).map_err(TestCaseError::fail)
        });
        match outcome {
            Ok(()) if tried.get() == 0 => {
                Finding::NotApplicable("none of the limits that were tried can be built".to_owned())
            }
            Ok(()) => Finding::Held {
                tried: tried.get(),
                note: String::new(),
            },
            Err(TestError::Fail(reason, (limit, mut history))) => {
                let mut reason = reason.message().to_owned();
                shorten(&mut history, &mut reason, |history| judge(limit, history));
                Finding::Broken(self.told(limit, &history, &reason))
            }
            Err(TestError::Abort(reason)) => Finding::NotApplicable(reason.message().to_owned()),
        }
    }

    /// A history call by call, with what a fresh limiter answers.
    fn told(&self, limit: RateLimit, history: &[Op], reason: &str) -> String {
        let RateLimit {
            units,
            period,
            capacity,
        } = limit;
        let mut told = match self.claim {
            Claim::Rate => format!("  {units} units in {period} ns, capacity {capacity}\n"),
            Claim::Window | Claim::Periods => format!("  at most {units} units in {period} ns\n"),
        };
        let subject: Option<Shared> = self.fresh(limit).ok();
        for op in history {
            let Op::Acquire { at, cost } = *op else {
                continue;
            };
            // Who fails by a panic has no answer to show.
            let ask = || {
                subject
                    .as_ref()
                    .map(|subject| subject.try_acquire_at(cost, at))
            };
            let answer = std::panic::catch_unwind(std::panic::AssertUnwindSafe(ask));
            let answer = match answer {
                Ok(Some(Answer::Wait(_) | Answer::Never)) if self.no_wait => "denied".to_owned(),
                Ok(Some(answer)) => answer.to_string(),
                _ => "panics".to_owned(),
            };
            let _ = writeln!(told, "  at {at} ns, {cost} units: {answer}");
        }
        told + "  " + reason
    }
}

/// Leaves out what is not needed for `judge` to find fault: halves, then ever smaller parts, until no step can go.
fn shorten(
    history: &mut Vec<Op>,
    reason: &mut String,
    judge: impl Fn(&[Op]) -> Result<(), String>,
) {
    // A limiter may find fault with itself by a panic.
    let found = |history: &[Op]| {
        let judged = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| judge(history)));
        judged.unwrap_or_else(|_| Err("it panics".to_owned())).err()
    };
    let mut part = history.len().div_ceil(2);
    while part > 0 {
        let before = history.len();
        let mut from = 0;
        while from < history.len() {
            let mut shorter = history.clone();
            shorter.drain(from..(from + part).min(history.len()));
            match found(&shorter) {
                Some(why) => (*history, *reason) = (shorter, why),
                None => from += part,
            }
        }
        if part == 1 && history.len() == before {
            break;
        }
        part = if part == 1 { 1 } else { part / 2 };
    }
}
