//! The search for an order.

use super::{Around, Call, Spec};
use std::{collections::HashSet, fmt};

/// Most calls between two points at which none is under way.
const STRETCH_MAX: usize = 128;
/// Steps of the specification, after which a history is left undecided.
const STEPS_MAX: u64 = 2_000_000;

/// Why no order explains a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach<A, H> {
    /// The calls before which, in every order, all is explained.
    pub explained: Vec<Call<A, H>>,
    /// The calls of the next stretch that had begun when the first answer was there that nothing explains.
    pub stretch: Vec<Call<A, H>>,
    /// When that was. Calls that ended later may have happened or not.
    pub until: u64,
}

impl<A: fmt::Debug, H: fmt::Debug> fmt::Display for Breach<A, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.explained.first().or_else(|| self.stretch.first());
        let origin = first.map_or(0, |call| call.began);
        for call in self.explained.iter().chain(&self.stretch) {
            let (began, ended) = (call.began - origin, call.ended - origin);
            let Call {
                thread, ask, heard, ..
            } = call;
            write!(
                f,
                "  {began:>4} to {ended:>4}  thread {thread}: {ask:?} -> {heard:?}"
            )?;
            writeln!(
                f,
                "{}",
                if call.ended > self.until {
                    " (not ended)"
                } else {
                    ""
                }
            )?;
        }
        let last = self.stretch.len();
        write!(f, "no order of the last {last} gives these answers")
    }
}

/// Whether an order was found.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict<A, H> {
    /// There is one.
    Linearizable,
    /// There is none.
    Broken(Box<Breach<A, H>>),
    /// It would take too long to tell, and why.
    Undecided(String),
}

impl<A, H> Verdict<A, H> {
    /// Whether there is an order.
    #[must_use]
    pub fn held(&self) -> bool {
        matches!(self, Self::Linearizable)
    }
}

/// Looks for an order of `calls` that `spec`, the state before the first of them, explains.
///
/// ```
/// use tollgate_testkit::{RateLimit, linear::{Ask, Call, Heard, OneLimit, check}, model::Gcra, Answer};
///
/// let spec = OneLimit::new(Gcra::new(RateLimit::new(1, 10, 1)));
/// let call = |thread, began, ended, heard| Call {
///     thread, began, ended, ask: Ask::Acquire { id: began, at: 0, cost: 1 }, heard: Heard::Answer(heard),
/// };
/// // Of two at one time either may be first; the second is denied.
/// let race = [call(0, 0, 3, Answer::Wait(10)), call(1, 1, 2, Answer::Admit)];
/// assert!(check(&spec, &race).held());
/// // Nobody was there before the first.
/// let late = [call(0, 0, 1, Answer::Wait(10)), call(1, 2, 3, Answer::Admit)];
/// assert!(!check(&spec, &late).held());
/// ```
pub fn check<S: Spec>(spec: &S, calls: &[Call<S::Ask, S::Heard>]) -> Verdict<S::Ask, S::Heard>
where
    S::Ask: Clone,
    S::Heard: Clone,
{
    check_within(STEPS_MAX, spec, calls)
}

/// As [`check`], with `steps` steps of the specification at most.
pub fn check_within<S: Spec>(
    steps: u64,
    spec: &S,
    calls: &[Call<S::Ask, S::Heard>],
) -> Verdict<S::Ask, S::Heard>
where
    S::Ask: Clone,
    S::Heard: Clone,
{
    let mut calls = calls.to_vec();
    calls.sort_by_key(|call| call.began);
    let stretches = stretches(&calls);
    if let Some(stretch) = stretches.iter().find(|stretch| stretch.len() > STRETCH_MAX) {
        let calls = stretch.len();
        return Verdict::Undecided(format!("{calls} calls without a pause"));
    }
    let search = Search::new(&calls, stretches);
    match search.run(spec, steps, u64::MAX) {
        Found::Order => Verdict::Linearizable,
        Found::TooLong => Verdict::Undecided(format!("more than {steps} steps")),
        Found::None { stretch } => {
            let whole = search.stretches[stretch].clone();
            let mut ends: Vec<u64> = calls[whole.clone()].iter().map(|call| call.ended).collect();
            ends.sort_unstable();
            let fails = |end: &u64| matches!(search.run(spec, steps, *end), Found::None { .. });
            let end = ends.into_iter().find(fails).unwrap_or(u64::MAX);
            let begun = calls[whole.clone()].iter().filter(|call| call.began < end);
            Verdict::Broken(Box::new(Breach {
                explained: calls[..whole.start].to_vec(),
                stretch: begun.cloned().collect(),
                until: end,
            }))
        }
    }
}

/// Where no call is under way between one stretch and the next.
fn stretches<A, H>(calls: &[Call<A, H>]) -> Vec<std::ops::Range<usize>> {
    let (mut stretches, mut start, mut ended) = (Vec::new(), 0, 0);
    for (place, call) in calls.iter().enumerate() {
        if place > start && call.began > ended {
            stretches.push(start..place);
            start = place;
        }
        ended = ended.max(call.ended);
    }
    if start < calls.len() {
        stretches.push(start..calls.len());
    }
    stretches
}

enum Found {
    Order,
    /// No order reaches the end of this stretch.
    None {
        stretch: usize,
    },
    TooLong,
}

struct Search<'a, A, H> {
    calls: &'a [Call<A, H>],
    stretches: Vec<std::ops::Range<usize>>,
    overlapping: Vec<Vec<usize>>,
}

impl<'a, A, H> Search<'a, A, H> {
    fn new(calls: &'a [Call<A, H>], stretches: Vec<std::ops::Range<usize>>) -> Self {
        let mut overlapping = vec![Vec::new(); calls.len()];
        for stretch in &stretches {
            for one in stretch.clone() {
                let others = (one + 1..stretch.end)
                    .take_while(|other| calls[*other].began < calls[one].ended);
                for other in others {
                    overlapping[one].push(other);
                    overlapping[other].push(one);
                }
            }
        }
        Self {
            calls,
            stretches,
            overlapping,
        }
    }

    /// Looks for an order of all calls that ended by `until`, and of any that had begun before.
    fn run<S: Spec<Ask = A, Heard = H>>(&self, spec: &S, steps_max: u64, until: u64) -> Found {
        let (mut steps, mut furthest) = (0, 0);
        let mut seen: HashSet<(usize, u128, S)> = HashSet::new();
        // What is still to be tried: the stretch, its calls taken, the state then.
        let mut open = vec![(0_usize, 0_u128, spec.clone())];
        while let Some((stretch, taken, state)) = open.pop() {
            furthest = furthest.max(stretch);
            let Some(range) = self.stretches.get(stretch) else {
                return Found::Order;
            };
            let first = range.start;
            let left = || {
                let untaken = |place: &usize| taken >> (place - first) & 1 == 0;
                range
                    .clone()
                    .filter(untaken)
                    .map(|place| (place, &self.calls[place]))
            };
            // A call may come next if none that is left had ended before it began.
            let bound = left().map(|(_, call)| call.ended).min().unwrap_or(0);
            if bound > until {
                return Found::Order;
            }
            let next = left().filter(|(_, call)| call.began < bound.min(until));
            // The first to end is tried first.
            let mut next: Vec<usize> = next.map(|(place, _)| place).collect();
            next.sort_by_key(|place| std::cmp::Reverse(self.calls[*place].ended));
            for place in next {
                steps += 1;
                if steps > steps_max {
                    return Found::TooLong;
                }
                let mut state = state.clone();
                let around = Around {
                    calls: self.calls,
                    place,
                    first,
                    overlapping: &self.overlapping[place],
                    taken,
                };
                if !state.step(&around) {
                    continue;
                }
                let taken = taken | 1 << (place - first);
                let then = if taken.count_ones() as usize == range.len() {
                    (stretch + 1, 0, state)
                } else {
                    (stretch, taken, state)
                };
                if seen.insert(then.clone()) {
                    open.push(then);
                }
            }
        }
        Found::None { stretch: furthest }
    }
}
