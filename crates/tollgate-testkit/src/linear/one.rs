//! The sequential specification of one limit, by an exact model.

use super::{Around, Spec};
use crate::{
    answer::Answer,
    model::{Model, Receipt},
};
use std::hash::{Hash, Hasher};

/// What a limit can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ask {
    /// To take `cost` at `at`; refunds know the admission by its `id`.
    Acquire {
        /// Of this admission alone.
        id: u64,
        /// The `now` to decide by.
        at: u64,
        /// Units.
        cost: u64,
    },
    /// To give back units of the admission `of`. Asked once of each.
    Refund {
        /// The admission.
        of: u64,
        /// The `now` to refund by.
        at: u64,
        /// Units, no more than it took.
        surplus: u64,
    },
    /// To take `extra`, whether it fits or not.
    Debt {
        /// The `now` to charge by.
        at: u64,
        /// Units.
        extra: u64,
    },
    /// How much is used.
    Used {
        /// As of when.
        at: u64,
    },
}

/// What was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Heard {
    /// The answer to [`Ask::Acquire`].
    Answer(Answer),
    /// A denial of [`Ask::Acquire`] that told no wait.
    Denied,
    /// Units that [`Ask::Refund`] gave back.
    Gave(u64),
    /// The answer to [`Ask::Debt`].
    Taken,
    /// The answer to [`Ask::Used`].
    Used(u64),
}

/// Units that an answer may be off by, given what was under way around it.
pub type Allowance = fn(&Around<'_, Ask, Heard>) -> u64;

/// One limit that answers as its model does.
///
/// By default every answer and every wait is the model's. Where a limiter documents that it may err in a race, its
/// allowances say by how much, in units; each is asked of what was under way, and should be nothing where nothing was.
#[derive(Clone, Debug)]
pub struct OneLimit<M> {
    model: M,
    receipts: Vec<(u64, Receipt)>,
    waits_alone: bool,
    fuller: Option<Allowance>,
    short: Option<Allowance>,
}

impl<M> OneLimit<M> {
    /// A limit that starts as `model` is.
    #[must_use]
    pub const fn new(model: M) -> Self {
        Self {
            model,
            receipts: Vec::new(),
            waits_alone: false,
            fuller: None,
            short: None,
        }
    }

    /// Of a denial that something overlaps, the wait is not looked at.
    #[must_use]
    pub const fn waits_when_alone(mut self) -> Self {
        self.waits_alone = true;
        self
    }

    /// To a caller who is denied, the limit may seem fuller by so much.
    #[must_use]
    pub const fn may_seem_fuller(mut self, by: Allowance) -> Self {
        self.fuller = Some(by);
        self
    }

    /// A refund may give back less by so much.
    #[must_use]
    pub const fn may_give_less(mut self, by: Allowance) -> Self {
        self.short = Some(by);
        self
    }
}

impl<M: Model + Clone + Eq + Hash> Spec for OneLimit<M> {
    type Ask = Ask;
    type Heard = Heard;

    fn step(&mut self, around: &Around<'_, Ask, Heard>) -> bool {
        let call = around.call();
        match (call.ask, call.heard) {
            (Ask::Acquire { id, at, cost }, Heard::Answer(Answer::Admit)) => {
                if !self.model.look(at, cost).admitted() {
                    return false;
                }
                let receipt = self.model.charge(at, cost);
                self.receipts.push((id, receipt));
                // The order of receipts tells states apart that are one.
                self.receipts.sort_by_key(|(id, _)| *id);
                true
            }
            (Ask::Acquire { at, cost, .. }, Heard::Answer(heard)) => {
                let answer = self.model.look(at, cost);
                if !answer.admitted() {
                    return answer == heard || self.waits_alone && !around.alone();
                }
                self.seems_full(around, at, cost)
            }
            (Ask::Acquire { at, cost, .. }, Heard::Denied) => {
                !self.model.look(at, cost).admitted() || self.seems_full(around, at, cost)
            }
            (Ask::Refund { of, at, surplus }, Heard::Gave(gave)) => {
                let Some(place) = self.receipts.iter().position(|(id, _)| *id == of) else {
                    return false;
                };
                let (_, mut receipt) = self.receipts.remove(place);
                let mut whole = (self.model.clone(), receipt.clone());
                whole.0.refund(at, &mut whole.1, surplus);
                let exact = self.model.used(at) - whole.0.used(at);
                let gave = u128::from(gave);
                if gave == exact {
                    self.model = whole.0;
                    return true;
                }
                let short = self.short.map_or(0, |short| short(around));
                if gave > exact || gave + u128::from(short) < exact {
                    return false;
                }
                let gave = u64::try_from(gave).unwrap_or(surplus);
                self.model.refund(at, &mut receipt, gave);
                true
            }
            (Ask::Debt { at, extra }, Heard::Taken) => {
                self.model.charge_anyway(at, extra);
                true
            }
            (Ask::Used { at }, Heard::Used(heard)) => {
                let (used, heard) = (self.model.used(at), u128::from(heard));
                let fuller = self.fuller.map_or(0, |fuller| fuller(around));
                used <= heard && heard <= used + u128::from(fuller)
            }
            _ => false,
        }
    }
}

impl<M: Model> OneLimit<M> {
    fn seems_full(&self, around: &Around<'_, Ask, Heard>, at: u64, cost: u64) -> bool {
        let fuller = self.fuller.map_or(0, |fuller| fuller(around));
        fuller > 0 && !self.model.look(at, cost.saturating_add(fuller)).admitted()
    }
}

impl<M: Eq> PartialEq for OneLimit<M> {
    fn eq(&self, other: &Self) -> bool {
        self.model == other.model && self.receipts == other.receipts
    }
}

impl<M: Eq> Eq for OneLimit<M> {}

impl<M: Hash> Hash for OneLimit<M> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.model.hash(state);
        self.receipts.hash(state);
    }
}
