//! An authority and two holders: messages are lost, repeated and delayed, holders crash, and clocks differ.
//!
//! A holder asks with a report that closes its lease; the answer lends another. It spends by its own clock, which differs from the
//! authority's by at most [`SKEW`], and so stops that much before the lease's period ends. One holder's clock is ahead
//! and the other's behind.

use super::{holds, is_over};
use stateright::{Model, Property};

const LIMIT: u8 = 2;
const SKEW: i8 = 1;
const PERIOD: i8 = 4;
const HORIZON: i8 = 6;
const ASKS: u8 = 2;
const IN_FLIGHT: usize = 2;
const CRASHES: u8 = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plan {
    Right,
    /// A report credits what it says is unspent, whatever lease it is about.
    CreditsAnyLease,
    /// A holder spends until its own clock says that the period ends.
    NoMargin,
    /// The authority takes a lost holder's lease back.
    TakesBack,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Message {
    /// From that holder: its lease of that number has so much unspent.
    Ask {
        holder: usize,
        ask: u8,
        lease: u8,
        unspent: u8,
    },
    /// To that holder, in answer to that ask.
    Lend {
        holder: usize,
        ask: u8,
        lease: u8,
        units: u8,
        period: i8,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
struct Holder {
    lease: u8,
    stock: u8,
    period: i8,
    /// The ask that is not answered yet.
    waits_for: u8,
    asks: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
struct Authority {
    period: i8,
    /// Lent and not reported as unspent.
    spent: u8,
    /// The open lease of each holder.
    leases: [u8; 2],
    last: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
struct State {
    now: i8,
    authority: Authority,
    holders: [Holder; 2],
    messages: Vec<Message>,
    /// Truly spent in each period, by the authority's clock.
    used: [u8; 2],
    crashes: u8,
    repeats: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Tick,
    Ask(usize),
    Spend(usize),
    Deliver(usize),
    Repeat(usize),
    Lose(usize),
    Crash(usize),
}

#[derive(Clone)]
struct Network(Plan);

impl Network {
    /// What the clock of a holder reads.
    fn reads(now: i8, holder: usize) -> i8 {
        now + if holder == 0 { SKEW } else { -SKEW }
    }

    fn may_spend(&self, state: &State, holder: usize) -> bool {
        let margin = if self.0 == Plan::NoMargin { 0 } else { SKEW };
        let Holder { stock, period, .. } = state.holders[holder];
        let reads = Self::reads(state.now, holder);
        // The period's start needs no margin: nothing is lent of one that has not begun.
        stock > 0 && reads + margin < (period + 1) * PERIOD
    }

    fn deliver(&self, state: &mut State, message: &Message) {
        match *message {
            Message::Ask {
                holder,
                ask,
                lease,
                unspent,
            } => {
                let authority = &mut state.authority;
                let period = state.now / PERIOD;
                if authority.period < period {
                    (authority.period, authority.spent) = (period, 0);
                    authority.leases = [0; 2];
                }
                let is_open = authority.leases[holder] == lease && lease != 0;
                if is_open || self.0 == Plan::CreditsAnyLease {
                    authority.spent = authority.spent.saturating_sub(unspent);
                } else if lease != 0 && authority.leases[holder] != 0 {
                    // Late, or delivered twice: this lease was closed before.
                    return;
                }
                let units = LIMIT - authority.spent.min(LIMIT);
                authority.last += 1;
                authority.spent += units;
                authority.leases[holder] = authority.last;
                let lend = Message::Lend {
                    holder,
                    ask,
                    lease: authority.last,
                    units,
                    period,
                };
                if state.messages.len() < IN_FLIGHT {
                    state.messages.push(lend);
                }
            }
            Message::Lend {
                holder,
                ask,
                lease,
                units,
                period,
            } => {
                let holder = &mut state.holders[holder];
                // Only the ask that it waits for: its stock was reported with that, and not spent since.
                if holder.waits_for == ask {
                    holder.waits_for = 0;
                    (holder.lease, holder.stock, holder.period) = (lease, units, period);
                }
            }
        }
        state.messages.sort();
    }
}

impl Model for Network {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::default()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.now < HORIZON {
            actions.push(Action::Tick);
        }
        for holder in 0..2 {
            let one = &state.holders[holder];
            if one.waits_for == 0 && one.asks < ASKS && state.messages.len() < IN_FLIGHT {
                actions.push(Action::Ask(holder));
            }
            if self.may_spend(state, holder) {
                actions.push(Action::Spend(holder));
            }
            if state.crashes < CRASHES {
                actions.push(Action::Crash(holder));
            }
        }
        for message in 0..state.messages.len() {
            actions.push(Action::Deliver(message));
            actions.push(Action::Lose(message));
            if state.repeats < 1 && state.messages.len() < IN_FLIGHT {
                actions.push(Action::Repeat(message));
            }
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Tick => state.now += 1,
            Action::Ask(number) => {
                let holder = &mut state.holders[number];
                holder.asks += 1;
                holder.waits_for = holder.asks;
                // What it reports as unspent it spends no more.
                let ask = Message::Ask {
                    holder: number,
                    ask: holder.asks,
                    lease: holder.lease,
                    unspent: holder.stock,
                };
                holder.stock = 0;
                state.messages.push(ask);
                state.messages.sort();
            }
            Action::Spend(number) => {
                state.holders[number].stock -= 1;
                let period = usize::try_from(state.now / PERIOD).unwrap();
                state.used[period] += 1;
            }
            Action::Deliver(place) => {
                let message = state.messages.remove(place);
                self.deliver(&mut state, &message);
            }
            Action::Repeat(place) => {
                state.repeats += 1;
                state.messages.push(state.messages[place].clone());
                state.messages.sort();
            }
            Action::Lose(place) => drop(state.messages.remove(place)),
            Action::Crash(number) => {
                state.crashes += 1;
                let holder = &mut state.holders[number];
                if self.0 == Plan::TakesBack {
                    state.authority.spent = state.authority.spent.saturating_sub(LIMIT);
                }
                // It forgets all but how often it asked, by which it tells its asks apart.
                *holder = Holder {
                    asks: holder.asks,
                    ..Holder::default()
                };
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("never over", |_, state: &State| {
                state.used.iter().all(|used| *used <= LIMIT)
            }),
            Property::sometimes("the whole limit can be used", |_, state: &State| {
                state.used[0] == LIMIT
            }),
            Property::sometimes("by both holders, in both periods", |_, state: &State| {
                state.used == [LIMIT; 2] && state.holders.iter().all(|holder| holder.asks > 0)
            }),
        ]
    }
}

#[test]
fn authority_is_never_over_whatever_the_network_does() {
    holds(Network(Plan::Right));
}

#[test]
fn planted_credit_for_any_lease_is_found() {
    is_over(Network(Plan::CreditsAnyLease));
}

#[test]
fn planted_clock_without_a_margin_is_found() {
    is_over(Network(Plan::NoMargin));
}

#[test]
fn planted_lease_taken_back_is_found() {
    is_over(Network(Plan::TakesBack));
}
