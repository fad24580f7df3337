//! Every decision of a subject against a model's.

use super::{
    ModelSubject, Subject,
    record::{Outcome, Record},
};
use crate::{answer::Answer, law::Event, model::Model, strategy::Op};
use std::fmt;

/// The first step at which a subject and its model part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// The place of the step in the history.
    pub step: usize,
    /// The step.
    pub op: Op,
    /// What the model answered, if the step asked for an answer.
    pub expected: Option<Answer>,
    /// What the subject answered. None if it cannot do such a step.
    pub found: Option<Answer>,
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step {} ({:?}): ", self.step, self.op)?;
        match (self.found, self.expected) {
            (Some(found), Some(expected)) => write!(f, "{found}, the model says {expected}"),
            _ => f.write_str("the subject cannot do this"),
        }
    }
}

impl std::error::Error for Disagreement {}

/// Runs a fresh `subject` and a fresh `model` through the same history. Every decision must be equal, and waits may
/// differ by up to `tolerance` nanoseconds.
///
/// Returns what was admitted and spent, in order, for [`Law::check`](crate::law::Law::check): of each admission the
/// units that the history did not refund.
///
/// # Errors
/// The first [`Disagreement`].
///
/// ```
/// use std::cell::Cell;
/// use tollgate_testkit::{Answer, RateLimit, model::Gcra, strategy::Op, subject::check_against};
///
/// // A limiter of one unit every 10 ns.
/// let next = Cell::new(0_u64);
/// let limiter = |_cost: u64, now: u64| {
///     if now < next.get() {
///         return Answer::Wait(u128::from(next.get() - now));
///     }
///     next.set(now + 10);
///     Answer::Admit
/// };
/// let history = [3, 5, 12, 13].map(|at| Op::Acquire { at, cost: 1 });
/// let events = check_against(&limiter, Gcra::new(RateLimit::new(1, 10, 1)), history, 0)?;
/// assert_eq!(events.len(), 2);
/// # Ok::<(), tollgate_testkit::subject::Disagreement>(())
/// ```
pub fn check_against(
    subject: &impl Subject,
    model: impl Model,
    history: impl IntoIterator<Item = Op>,
    tolerance: u128,
) -> Result<Vec<Event>, Disagreement> {
    let model = ModelSubject::new(model);
    let (mut of_model, mut of_subject) = (Record::default(), Record::default());
    for (step, op) in history.into_iter().enumerate() {
        let disagreement = |expected, found| Disagreement {
            step,
            op,
            expected,
            found,
        };
        match (of_model.apply(&model, op), of_subject.apply(subject, op)) {
            (Outcome::Answered(expected), Outcome::Answered(found))
                if !found.agrees(expected, tolerance) =>
            {
                return Err(disagreement(Some(expected), Some(found)));
            }
            (_, Outcome::Unsupported) => return Err(disagreement(None, None)),
            _ => {}
        }
    }
    Ok(of_subject.events)
}
