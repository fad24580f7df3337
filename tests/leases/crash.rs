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

/// The same over the end of a period, and what is lent of the next one before it.
mod rollover {
    use super::super::{holds, is_over};
    use stateright::{Model, Property};

    /// Units a period.
    const LIMIT: u8 = 3;
    const LEASE: u8 = 2;
    const CRASHES: u8 = 2;

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Plan {
        Right,
        /// What is lent ahead is spent before it is on record.
        LentEarly,
        /// After a crash, what was lent ahead is not spent, if its period is still to come.
        AheadForgotten,
        /// The record of the new period leaves out what was lent of it ahead.
        BegunForgotten,
        /// What another process had lent ahead is not charged when its period begins.
        CarriedForgotten,
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
    struct Record {
        /// In the new period?
        is_new: bool,
        committed: u8,
        out: u8,
        ahead: u8,
    }

    impl Record {
        /// What counts as spent of the old period and of the new one.
        fn spent(self) -> [u8; 2] {
            let spent = LIMIT.min(self.committed + self.out);
            if self.is_new {
                [0, spent]
            } else {
                [spent, LIMIT.min(self.ahead)]
            }
        }
    }

    /// What a report is about to put on record, and to lend after.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    struct Draft {
        record: Record,
        more: u8,
        ahead: u8,
        is_written: bool,
    }

    #[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
    struct State {
        /// Whether the clock shows the new period: it may be set back between two processes.
        is_late: bool,
        meter: (bool, u8),
        stock: (bool, u8),
        ahead: u8,
        /// What a process before had lent ahead.
        carried: u8,
        record: Record,
        draft: Option<Draft>,
        /// Admitted, by all processes.
        admitted: [u8; 2],
        crashes: u8,
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Action {
        Charge,
        Report,
        Midnight,
        /// The next process has the clock as it is, or set back.
        Crash(bool),
    }

    #[derive(Clone)]
    struct Days(Plan);

    impl Days {
        /// Meter and stock: other models have what lies between their steps.
        fn charge(state: &mut State) {
            let is_new = state.is_late || state.meter.0;
            if is_new && !state.meter.0 {
                state.meter = (true, 0);
            }
            if is_new && !state.stock.0 && state.ahead > 0 && state.meter.1 < LIMIT {
                state.stock = (true, state.ahead);
                state.ahead = 0;
            }
            if state.meter.1 < LIMIT && state.stock.0 == is_new && state.stock.1 > 0 {
                state.meter.1 += 1;
                state.stock.1 -= 1;
                state.admitted[usize::from(is_new)] += 1;
            }
        }

        fn report(&self, state: &mut State) {
            let Some(draft) = state.draft.take() else {
                state.draft = Some(self.draft(state));
                return;
            };
            let is_new = draft.record.is_new;
            if !draft.is_written {
                state.record = draft.record;
                let is_written = true;
                state.draft = Some(Draft {
                    is_written,
                    ..draft
                });
                return;
            }
            if !state.stock.0 && is_new {
                state.stock = (true, state.ahead);
                state.ahead = 0;
            }
            if state.stock.0 == is_new {
                state.stock.1 += draft.more;
                state.ahead += draft.ahead;
            }
        }

        fn draft(&self, state: &mut State) -> Draft {
            if state.is_late && !state.meter.0 {
                state.meter = (true, 0);
            }
            let is_new = state.meter.0;
            if is_new && self.0 != Plan::CarriedForgotten {
                let charged = (state.meter.1 + state.carried).min(LIMIT);
                state.meter.1 = charged.max(state.meter.1);
                state.carried = 0;
            }
            let kept = match state.stock {
                (period, stock) if period == is_new => stock,
                _ if is_new => state.ahead,
                _ => 0,
            };
            let begins = is_new && !state.stock.0;
            let ahead = if is_new || state.ahead > 0 {
                0
            } else {
                LEASE.min(LIMIT - LIMIT.min(state.carried))
            };
            let more = LEASE.saturating_sub(kept);
            let on_record = if begins && self.0 == Plan::BegunForgotten {
                0
            } else {
                kept
            };
            let still = if is_new { 0 } else { state.ahead };
            let mut draft = Draft {
                record: Record {
                    is_new,
                    committed: state.meter.1,
                    out: on_record + more,
                    ahead: state.carried + still + ahead,
                },
                more,
                ahead,
                is_written: false,
            };
            if self.0 == Plan::LentEarly {
                state.ahead += draft.ahead;
                draft.ahead = 0;
            }
            draft
        }

        fn crash(&self, state: &State, is_set_back: bool) -> State {
            let record = state.record;
            let is_late = state.is_late && !is_set_back;
            let [old, new] = record.spent();
            let is_new = record.is_new || is_late;
            let mut next = State {
                is_late,
                meter: (is_new, if is_new { new } else { old }),
                carried: if is_new { 0 } else { new },
                admitted: state.admitted,
                crashes: state.crashes + 1,
                ..State::default()
            };
            if self.0 == Plan::AheadForgotten && !record.is_new {
                next.carried = 0;
                next.meter.1 = if is_new { 0 } else { old };
            }
            next.record = Record {
                is_new,
                committed: next.meter.1,
                out: 0,
                ahead: next.carried,
            };
            next
        }
    }

    impl Model for Days {
        type State = State;
        type Action = Action;

        fn init_states(&self) -> Vec<State> {
            vec![State::default()]
        }

        fn actions(&self, state: &State, actions: &mut Vec<Action>) {
            actions.extend([Action::Charge, Action::Report]);
            if !state.is_late {
                actions.push(Action::Midnight);
            }
            if state.crashes < CRASHES {
                actions.extend([Action::Crash(false), Action::Crash(true)]);
            }
        }

        fn next_state(&self, last: &State, action: Action) -> Option<State> {
            let mut state = last.clone();
            match action {
                Action::Charge => Self::charge(&mut state),
                Action::Report => self.report(&mut state),
                Action::Midnight => state.is_late = true,
                Action::Crash(is_set_back) => state = self.crash(last, is_set_back),
            }
            Some(state)
        }

        fn properties(&self) -> Vec<Property<Self>> {
            vec![
                Property::always("never over", |_, state: &State| {
                    state.admitted.iter().all(|admitted| *admitted <= LIMIT)
                }),
                Property::sometimes("both periods can be used whole", |_, state: &State| {
                    state.admitted == [LIMIT; 2]
                }),
                Property::sometimes(
                    "the new period is used before a report has found it begun",
                    |_, state: &State| state.admitted[1] > 0 && !state.record.is_new,
                ),
                Property::sometimes(
                    "so it is after a crash in the old one",
                    |_, state: &State| {
                        state.admitted[1] > 0 && !state.record.is_new && state.carried > 0
                    },
                ),
            ]
        }
    }

    #[test]
    fn no_period_is_over_whenever_the_ledger_is_killed_and_its_clock_set_back() {
        holds(Days(Plan::Right));
    }

    #[test]
    fn planted_lending_ahead_before_the_record_is_found() {
        is_over(Days(Plan::LentEarly));
    }

    #[test]
    fn planted_forgotten_lease_of_the_next_period_is_found() {
        is_over(Days(Plan::AheadForgotten));
    }

    #[test]
    fn planted_record_without_what_was_lent_ahead_is_found() {
        is_over(Days(Plan::BegunForgotten));
    }

    #[test]
    fn planted_forgotten_lease_of_a_process_before_is_found() {
        is_over(Days(Plan::CarriedForgotten));
    }
}
