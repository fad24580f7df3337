//! Linearizability: whether what threads heard could have been heard by one caller at a time.
//!
//! [`record`] lets real threads call, and notes when each call began and ended. [`check`] then looks for an order of
//! the calls that keeps to those times (a call that ended before another began comes first) and in which every answer
//! is one that the *sequential specification* gives. If there is none, no explanation by single steps exists, and
//! some call was answered wrongly; see Herlihy and Wing, *Linearizability*, 1990.
//!
//! A specification is a [`Spec`]: a state, and what a call makes of it. It may allow several answers, and then says
//! which, by what else was under way ([`Around`]): an answer that a limiter may only give in a race is refused where
//! nobody raced. [`OneLimit`] is that of one limit, by an exact model.
//!
//! # The search
//! Depth first over orders, as Wing and Gong do, with each (calls taken, state) visited once, as Lowe does. Where no
//! call is under way all orders meet, so a history is searched from one such point to the next; between two of them
//! there may be up to 128 calls. It is exhaustive: [`Verdict::Broken`] is a proof. What takes more steps than a
//! bound is [`Verdict::Undecided`], never passed.

mod one;
mod record;
mod search;

#[cfg(test)]
mod tests;

pub use one::{Allowance, Ask, Heard, OneLimit};
pub use record::{Scribe, record};
pub use search::{Breach, Verdict, check, check_within};

use std::hash::Hash;

/// One call of a thread, and what it heard.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Call<A, H> {
    /// Who called.
    pub thread: usize,
    /// The point at which the call began, among those of all calls.
    pub began: u64,
    /// The point at which it ended.
    pub ended: u64,
    /// What was asked.
    pub ask: A,
    /// What was heard.
    pub heard: H,
}

impl<A, H> Call<A, H> {
    /// Whether the two were under way at one time.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.began < other.ended && other.began < self.ended
    }
}

/// A sequential specification: a state, and the answers that it allows.
pub trait Spec: Clone + Eq + Hash {
    /// What can be asked.
    type Ask;
    /// What can be heard.
    type Heard;

    /// Lets the call happen now. False if it cannot have been answered so in this state; what becomes of the state
    /// then does not matter.
    fn step(&mut self, around: &Around<'_, Self::Ask, Self::Heard>) -> bool;
}

/// A call at its place in an order, and what was under way around it.
#[derive(Debug)]
pub struct Around<'a, A, H> {
    calls: &'a [Call<A, H>],
    place: usize,
    /// Where the calls of this stretch begin, which `taken` numbers.
    first: usize,
    overlapping: &'a [usize],
    taken: u128,
}

impl<'a, A, H> Around<'a, A, H> {
    /// The call itself.
    #[must_use]
    pub fn call(&self) -> &'a Call<A, H> {
        &self.calls[self.place]
    }

    /// Its place in the history.
    #[must_use]
    pub fn place(&self) -> usize {
        self.place
    }

    /// All calls, in the order in which they began.
    #[must_use]
    pub fn history(&self) -> &'a [Call<A, H>] {
        self.calls
    }

    /// Every other call that was under way at some point of this one, and whether this order has it before.
    pub fn overlapping(&self) -> impl Iterator<Item = (&'a Call<A, H>, bool)> {
        let before = |place: usize| self.taken >> (place - self.first) & 1 == 1;
        self.overlapping
            .iter()
            .map(move |place| (&self.calls[*place], before(*place)))
    }

    /// Whether no other call was under way meanwhile.
    #[must_use]
    pub fn alone(&self) -> bool {
        self.overlapping.is_empty()
    }
}
