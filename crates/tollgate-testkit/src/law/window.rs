//! The law of a sliding window, over the events of one window.

use super::{Event, Evidence, Kind};
use std::collections::VecDeque;

/// Units per instant over the last `window` nanoseconds: what lies in `(latest - window, latest]`.
#[derive(Debug)]
pub(super) struct Trailing {
    window: u64,
    instants: VecDeque<(u64, u128)>,
    units: u128,
}

impl Trailing {
    pub(super) fn new(window: u64) -> Self {
        Self {
            window,
            instants: VecDeque::new(),
            units: 0,
        }
    }

    /// Adds `units` at `at`, which is not before any earlier `at`, and returns the units in the window that ends
    /// with it.
    pub(super) fn add(&mut self, at: u64, units: u64) -> u128 {
        while let Some((oldest, gone)) = self.instants.front().copied()
            && at - oldest >= self.window
        {
            self.units -= gone;
            self.instants.pop_front();
        }
        self.units += u128::from(units);
        match self.instants.back_mut() {
            Some((newest, sum)) if *newest == at => *sum += u128::from(units),
            _ => self.instants.push_back((at, u128::from(units))),
        }
        self.units
    }

    /// The first instant that still counts.
    pub(super) fn first(&self) -> Option<u64> {
        self.instants.front().map(|(at, _)| *at)
    }
}

#[derive(Debug)]
pub(super) struct WindowRule {
    trailing: Trailing,
    allowed: u128,
}

impl WindowRule {
    pub(super) fn new(window: u64, max: u64, slack: u64) -> Self {
        Self {
            trailing: Trailing::new(window.max(1)),
            allowed: u128::from(max) + u128::from(slack),
        }
    }

    pub(super) fn record(&mut self, event: Event) -> Option<Evidence> {
        let units = self.trailing.add(event.at, event.units);
        (event.kind == Kind::Admitted && units > self.allowed).then_some(Evidence {
            first: self.trailing.first().unwrap_or(event.at),
            last: event.at,
            units,
            allowed: self.allowed,
        })
    }
}
