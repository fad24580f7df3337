//! The crash protocol: what `tollgate_quota::lease` says of meter, stock and record, step by step, with a kill between any two.

use super::{holds, is_over};
use stateright::{Model, Property};

const LIMIT: u8 = 4;
const LEASE: u8 = 2;
const CRASHES: u8 = 2;
const REFUNDS: u8 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plan {
    Right,
    /// What is lent is spent before it is on record.
    LentEarly,
    /// The report reads the meter before the stock.
    MeterRead,
    /// The meter is refunded before the stock.
    MeterRefunded,
    /// The stock gets units back while a report is made.
    Unmarked,
    /// After a crash only what was committed counts.
    LentForgotten,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
enum Report {
    #[default]
    Idle,
    /// The first of the two was read: the stock, or by the wrong plan the meter.
    One(u8),
    /// Both: meter and stock.
    Both(u8, u8),
    /// On record, and not yet lent.
    Written(u8),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
struct State {
    meter: u8,
    stock: u8,
    record: (u8, u8),
    report: Report,
    is_marked: bool,
    /// Units that the meter took and the stock did not yet; that the stock got back and the meter did not yet, or the other way.
    charging: u8,
    refunding: u8,
    /// Admitted and kept, by all processes and by this one.
    kept: u8,
    own: u8,
    crashes: u8,
    refunds: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    ChargeFirst,
    ChargeSecond,
    RefundFirst,
    RefundSecond,
    Report,
    Crash,
}

#[derive(Clone)]
struct Crashes(Plan);

impl Crashes {
    fn put(&self, state: &mut State) {
        if !state.is_marked || self.0 == Plan::Unmarked {
            state.stock += 1;
        }
    }

    fn report(&self, state: &mut State) {
        state.report = match state.report {
            Report::Idle if self.0 == Plan::MeterRead => Report::One(state.meter),
            Report::Idle => {
                state.is_marked = true;
                state.stock = state.stock.min(LEASE);
                Report::One(state.stock)
            }
            Report::One(first) => {
                let (meter, stock) = if self.0 == Plan::MeterRead {
                    (first, state.stock)
                } else {
                    (state.meter, first)
                };
                state.is_marked = false;
                if self.0 == Plan::LentEarly {
                    state.stock += LEASE.saturating_sub(stock);
                }
                Report::Both(meter, stock)
            }
            Report::Both(meter, stock) => {
                let more = LEASE.saturating_sub(stock);
                state.record = (meter, stock + more);
                Report::Written(if self.0 == Plan::LentEarly { 0 } else { more })
            }
            Report::Written(more) => {
                state.stock += more;
                Report::Idle
            }
        };
    }
}

impl Model for Crashes {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::default()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.meter < LIMIT {
            actions.push(Action::ChargeFirst);
        }
        if state.charging > 0 {
            actions.push(Action::ChargeSecond);
        }
        if state.own > 0 && state.refunds < REFUNDS && state.refunding == 0 {
            actions.push(Action::RefundFirst);
        }
        if state.refunding > 0 {
            actions.push(Action::RefundSecond);
        }
        actions.push(Action::Report);
        if state.crashes < CRASHES {
            actions.push(Action::Crash);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::ChargeFirst => {
                state.meter += 1;
                state.charging += 1;
            }
            Action::ChargeSecond => {
                state.charging -= 1;
                if state.stock > 0 {
                    state.stock -= 1;
                    state.kept += 1;
                    state.own += 1;
                } else {
                    state.meter -= 1;
                }
            }
            Action::RefundFirst => {
                state.kept -= 1;
                state.own -= 1;
                state.refunds += 1;
                state.refunding += 1;
                if self.0 == Plan::MeterRefunded {
                    state.meter -= 1;
                } else {
                    self.put(&mut state);
                }
            }
            Action::RefundSecond => {
                state.refunding -= 1;
                if self.0 == Plan::MeterRefunded {
                    self.put(&mut state);
                } else {
                    state.meter -= 1;
                }
            }
            Action::Report => self.report(&mut state),
            Action::Crash => {
                let (committed, out) = state.record;
                let out = if self.0 == Plan::LentForgotten {
                    0
                } else {
                    out
                };
                state = State {
                    meter: committed.max((committed + out).min(LIMIT)),
                    record: state.record,
                    // What the next process admits comes on top, and its refunds are of that.
                    kept: state.kept,
                    crashes: state.crashes + 1,
                    refunds: state.refunds,
                    ..State::default()
                };
                // The record of the new process: everything counts as committed.
                state.record = (state.meter, 0);
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("never over", |_, state: &State| state.kept <= LIMIT),
            Property::sometimes("the whole limit can be used", |_, state: &State| {
                state.kept == LIMIT
            }),
            Property::sometimes(
                "the whole limit can be used after a crash",
                |_, state: &State| state.kept == LIMIT && state.crashes > 0,
            ),
        ]
    }
}

#[test]
fn ledger_is_never_over_whenever_it_is_killed() {
    holds(Crashes(Plan::Right));
}

#[test]
fn planted_lending_before_the_record_is_found() {
    is_over(Crashes(Plan::LentEarly));
}

#[test]
fn planted_meter_read_first_is_found() {
    is_over(Crashes(Plan::MeterRead));
}

#[test]
fn planted_meter_refunded_first_is_found() {
    is_over(Crashes(Plan::MeterRefunded));
}

#[test]
fn planted_missing_mark_is_found() {
    is_over(Crashes(Plan::Unmarked));
}

#[test]
fn planted_forgotten_lease_is_found() {
    is_over(Crashes(Plan::LentForgotten));
}
