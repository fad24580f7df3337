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
        let disagreement = disagreement(step, op);
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

/// As [`check_against`] with a tolerance of nothing, for a subject that forgets what only a clock that steps back could
/// ask for: a `now` older than the latest charge may be denied where the model admits, or told to wait longer.
///
/// # Errors
/// The first [`Disagreement`].
///
/// ```
/// use std::cell::Cell;
/// use tollgate_testkit::{Answer, model::SlidingLog, strategy::Op, subject::check_against_if_in_order};
///
/// // One unit every 10 ns, and nothing before the latest.
/// let latest = Cell::new(None::<u64>);
/// let limiter = |_cost: u64, now: u64| match latest.get().map(|latest| latest + 10) {
///     Some(free) if now < free => Answer::Wait(u128::from(free - now)),
///     _ => {
///         latest.set(Some(now));
///         Answer::Admit
///     }
/// };
/// let history = [30, 5, 40].map(|at| Op::Acquire { at, cost: 1 });
/// let events = check_against_if_in_order(&limiter, SlidingLog::new(10, 1), history)?;
/// assert_eq!(events.len(), 2);
/// # Ok::<(), tollgate_testkit::subject::Disagreement>(())
/// ```
pub fn check_against_if_in_order(
    subject: &impl Subject,
    model: impl Model,
    history: impl IntoIterator<Item = Op>,
) -> Result<Vec<Event>, Disagreement> {
    let model = ModelSubject::new(model);
    let (mut of_model, mut of_subject) = (Record::default(), Record::default());
    let mut latest = 0;
    for (step, op) in history.into_iter().enumerate() {
        let disagreement = disagreement(step, op);
        let found = of_subject.apply(subject, op);
        if let (Op::Acquire { at, cost }, Outcome::Answered(found)) = (op, found)
            && at < latest
            && !found.admitted()
        {
            let expected = model.look(at, cost);
            if !stricter(found, expected) {
                return Err(disagreement(Some(expected), Some(found)));
            }
            continue;
        }
        match (of_model.apply(&model, op), found) {
            (Outcome::Answered(expected), Outcome::Answered(found)) if found != expected => {
                return Err(disagreement(Some(expected), Some(found)));
            }
            (_, Outcome::Unsupported) => return Err(disagreement(None, None)),
            (Outcome::Answered(Answer::Admit), _) | (Outcome::Taken, _)
                if !matches!(op, Op::Refund { .. }) =>
            {
                latest = latest.max(op.at());
            }
            _ => {}
        }
    }
    Ok(of_subject.events)
}

/// True if `found` denies for as long as `expected`, or longer.
fn stricter(found: Answer, expected: Answer) -> bool {
    match (found, expected) {
        (_, Answer::Admit) => true,
        (Answer::Wait(found), Answer::Wait(expected)) => found >= expected,
        (found, Answer::Wait(_)) => found == Answer::Never,
        (found, Answer::Never) => found == Answer::Never,
    }
}

fn disagreement(step: usize, op: Op) -> impl Fn(Option<Answer>, Option<Answer>) -> Disagreement {
    move |expected, found| Disagreement {
        step,
        op,
        expected,
        found,
    }
}
