//! Drives a subject through a history, and keeps the record of it.

use super::Subject;
use crate::{
    answer::Answer,
    law::Event,
    model::{Model, Receipt},
    strategy::Op,
};
use std::cell::RefCell;

/// A model as a subject, to stand where a limiter does.
///
/// ```
/// use tollgate_testkit::{Answer, model::SlidingLog, subject::{ModelSubject, Subject}};
/// let log = ModelSubject::new(SlidingLog::new(100, 3));
/// assert_eq!(log.try_acquire_at(3, 0), Answer::Admit);
/// assert!(log.refund_at(0, 1, 50));
/// assert_eq!(log.try_acquire_at(1, 50), Answer::Admit);
/// ```
#[derive(Debug)]
pub struct ModelSubject<M>(RefCell<(M, Vec<Receipt>)>);

impl<M: Model> ModelSubject<M> {
    /// `model` as a subject.
    #[must_use]
    pub fn new(model: M) -> Self {
        Self(RefCell::new((model, Vec::new())))
    }

    /// What the model would answer. Changes nothing.
    pub(super) fn look(&self, now: u64, cost: u64) -> Answer {
        self.0.borrow().0.look(now, cost)
    }
}

impl<M: Model> Subject for ModelSubject<M> {
    fn try_acquire_at(&self, cost: u64, now: u64) -> Answer {
        let (model, receipts) = &mut *self.0.borrow_mut();
        let answer = model.look(now, cost);
        if answer.admitted() {
            receipts.push(model.charge(now, cost));
        }
        answer
    }

    fn refund_at(&self, admission: usize, surplus: u64, now: u64) -> bool {
        let (model, receipts) = &mut *self.0.borrow_mut();
        let Some(receipt) = receipts.get_mut(admission) else {
            return false;
        };
        model.refund(now, receipt, surplus);
        true
    }

    fn charge_anyway_at(&self, extra: u64, now: u64) -> bool {
        self.0.borrow_mut().0.charge_anyway(now, extra);
        true
    }
}

/// What a subject did with one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Answered(Answer),
    /// A refund or a debt was taken, or there was nothing to refund.
    Taken,
    /// The subject cannot do this.
    Unsupported,
}

/// The admissions of a subject so far, and what it keeps of each.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// Admissions and debts, in order.
    pub(super) events: Vec<Event>,
    /// Where in `events` each admission stands.
    admissions: Vec<usize>,
}

impl Record {
    pub(super) fn apply(&mut self, subject: &impl Subject, op: Op) -> Outcome {
        match op {
            Op::Acquire { at, cost } => {
                let answer = subject.try_acquire_at(cost, at);
                if answer.admitted() {
                    self.admissions.push(self.events.len());
                    self.events.push(Event::admitted(at, cost));
                }
                Outcome::Answered(answer)
            }
            Op::Refund { at, back, surplus } => {
                let Some(admission) = self.admissions.len().checked_sub(back.saturating_add(1))
                else {
                    return Outcome::Taken;
                };
                let event = &mut self.events[self.admissions[admission]];
                let surplus = surplus.min(event.units);
                event.units -= surplus;
                Outcome::taken(surplus == 0 || subject.refund_at(admission, surplus, at))
            }
            Op::Debt { at, extra } => {
                self.events.push(Event::debt(at, extra));
                Outcome::taken(subject.charge_anyway_at(extra, at))
            }
        }
    }
}

impl Outcome {
    fn taken(taken: bool) -> Self {
        if taken {
            Self::Taken
        } else {
            Self::Unsupported
        }
    }
}
