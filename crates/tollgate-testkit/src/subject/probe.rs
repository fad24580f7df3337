//! The second and the third law, asked of the subject itself.

use super::{
    Subject,
    record::{Outcome, Record},
};
use crate::{answer::Answer, strategy::Op};
use std::fmt;

/// How a subject broke the second or the third law, and at which step of the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misstep {
    /// Denied with a wait of nothing.
    WaitOfNothing {
        /// The place of the step.
        step: usize,
    },
    /// The same cost passes a nanosecond before the wait is over.
    WaitTooLong {
        /// The place of the step.
        step: usize,
        /// The wait it was told.
        wait: u128,
    },
    /// The same cost is still denied when the wait is over.
    WaitTooShort {
        /// The place of the step.
        step: usize,
        /// The wait it was told.
        wait: u128,
        /// What it heard then.
        then: Answer,
    },
    /// A step is answered otherwise where the denied requests are left out, or asked twice.
    DenialLeftAMark {
        /// The place of the step.
        step: usize,
        /// The answer in the history as it was.
        answer: Answer,
        /// The answer where there are fewer or more denials.
        otherwise: Answer,
    },
    /// The subject cannot do such a step.
    Unsupported {
        /// The place of the step.
        step: usize,
    },
}

impl fmt::Display for Misstep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WaitOfNothing { step } => write!(f, "step {step}: denied with a wait of 0 ns"),
            Self::WaitTooLong { step, wait } => {
                write!(
                    f,
                    "step {step}: told to wait {wait} ns, a nanosecond less is enough"
                )
            }
            Self::WaitTooShort { step, wait, then } => {
                write!(f, "step {step}: told to wait {wait} ns, and then {then}")
            }
            Self::DenialLeftAMark {
                step,
                answer,
                otherwise,
            } => write!(
                f,
                "step {step}: {answer}, and {otherwise} with other denials before it"
            ),
            Self::Unsupported { step } => write!(f, "step {step}: the subject cannot do this"),
        }
    }
}

impl std::error::Error for Misstep {}

/// Second law: each wait is the least. Whoever is told to wait is let through after it, alone, and not a nanosecond
/// sooner. `fresh` makes the subject anew; for each denial the history up to it is lived twice again: O(n²).
///
/// Waits beyond the end of the clock are not tried.
///
/// # Errors
/// The first [`Misstep`].
///
/// ```
/// use tollgate_testkit::model::SlottedRing;
/// use tollgate_testkit::{strategy::Op, subject::{ModelSubject, waits_are_least}};
/// let history = [0, 10, 99].map(|at| Op::Acquire { at, cost: 2 });
/// waits_are_least(|| ModelSubject::new(SlottedRing::new(100, 4, 0, 3)), &history)?;
/// # Ok::<(), tollgate_testkit::subject::Misstep>(())
/// ```
pub fn waits_are_least<S: Subject>(fresh: impl Fn() -> S, history: &[Op]) -> Result<(), Misstep> {
    for (step, answer) in live(&fresh(), history)?.into_iter().enumerate() {
        let (Some(Answer::Wait(wait)), Op::Acquire { at, cost }) = (answer, history[step]) else {
            continue;
        };
        if wait == 0 {
            return Err(Misstep::WaitOfNothing { step });
        }
        let Some(end) = u64::try_from(wait)
            .ok()
            .and_then(|wait| at.checked_add(wait))
        else {
            continue;
        };
        let ask = |now: u64| -> Result<Answer, Misstep> {
            let subject = fresh();
            live(&subject, &history[..=step])?;
            Ok(subject.try_acquire_at(cost, now))
        };
        if ask(end - 1)?.admitted() {
            return Err(Misstep::WaitTooLong { step, wait });
        }
        let then = ask(end)?;
        if !then.admitted() {
            return Err(Misstep::WaitTooShort { step, wait, then });
        }
    }
    Ok(())
}

/// Third law: a denial changes nothing. Lives the history again with each denied request asked twice, and, for each of
/// them, with all the others left out; every answer must stay the same. `fresh` makes the subject anew: O(n²).
///
/// # Errors
/// The first [`Misstep`].
///
/// ```
/// use std::cell::Cell;
/// use tollgate_testkit::{Answer, strategy::Op, subject::denials_change_nothing};
///
/// // Adds before it compares, and keeps what it denied.
/// let adds_first = || {
///     let used = Cell::new(0);
///     move |cost: u64, _now: u64| {
///         used.set(used.get() + cost);
///         if used.get() <= 3 { Answer::Admit } else { Answer::Never }
///     }
/// };
/// let history = [2, 2, 1].map(|cost| Op::Acquire { at: 0, cost });
/// let misstep = denials_change_nothing(adds_first, &history);
/// assert_eq!(misstep.unwrap_err().to_string(), "step 2: denied for ever, and admitted with other denials before it");
/// ```
pub fn denials_change_nothing<S: Subject>(
    fresh: impl Fn() -> S,
    history: &[Op],
) -> Result<(), Misstep> {
    let answers = live(&fresh(), history)?;
    let was_denied = |step: usize| answers[step].is_some_and(|answer| !answer.admitted());
    let denials = (0..history.len()).filter(|step| was_denied(*step));

    let twice = |step: usize| std::iter::repeat_n(step, 1 + usize::from(was_denied(step)));
    let mut variants: Vec<Vec<usize>> = vec![(0..history.len()).flat_map(twice).collect()];
    // Each denial must stand even where it is the only one.
    variants.extend(denials.map(|only| {
        let kept = (0..history.len()).filter(|step| *step == only || !was_denied(*step));
        kept.collect()
    }));
    for steps in variants {
        let again: Vec<Op> = steps.iter().map(|step| history[*step]).collect();
        for (step, otherwise) in steps.into_iter().zip(live(&fresh(), &again)?) {
            if let (Some(answer), Some(otherwise)) = (answers[step], otherwise)
                && answer != otherwise
            {
                return Err(Misstep::DenialLeftAMark {
                    step,
                    answer,
                    otherwise,
                });
            }
        }
    }
    Ok(())
}

/// The answers of `subject` to each step that asks.
fn live(subject: &impl Subject, history: &[Op]) -> Result<Vec<Option<Answer>>, Misstep> {
    let mut record = Record::default();
    let steps = history.iter().enumerate();
    let outcomes = steps.map(|(step, op)| match record.apply(subject, *op) {
        Outcome::Answered(answer) => Ok(Some(answer)),
        Outcome::Taken => Ok(None),
        Outcome::Unsupported => Err(Misstep::Unsupported { step }),
    });
    outcomes.collect()
}
