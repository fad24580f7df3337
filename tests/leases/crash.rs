//! The crash protocol: what `tollgate_quota::lease` says of meter, level or stock, and record, step by step, with a kill between any two.

use super::{holds, is_over};
use stateright::{Model, Property};

const LIMIT: u8 = 4;
const LEASE: u8 = 2;
const CRASHES: u8 = 2;
const REFUNDS: u8 = 2;
/// Charges at a time.
const CALLERS: usize = 2;

/// How what is lent is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Level,
    Stock,
}

use Kind::{Level, Stock};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plan {
    Right,
    /// What is lent is spent before it is on record.
    LentEarly,
    /// The report reads the meter before it lowers the level, or trims the stock.
    MeterRead,
    /// A charge asks what is lent before it charges the meter.
    AskedFirst,
    /// The report does not put on record what is left of what was lent before.
    LeftForgotten,
    /// After a crash only what was committed counts.
    LentForgotten,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
enum Report {
    #[default]
    Idle,
    /// By the wrong plan the meter is read first.
    Early { meter: u8 },
    /// The level is lowered, or the stock trimmed to what this says.
    One { stock: u8, meter: u8 },
    /// The meter was read: that, and what is left to spend.
    Both { meter: u8, left: u8 },
    /// On record, and not yet lent: what was committed, what was left, and what is lent on top.
    Written { meter: u8, left: u8, more: u8 },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
struct State {
    meter: u8,
    /// The level, or the stock.
    lent: u8,
    record: (u8, u8),
    report: Report,
    /// Charges of which the first step is made, by what the meter had committed then, in order.
    charging: Vec<u8>,
    /// Admitted and kept, by all processes and by this one.
    kept: u8,
    own: u8,
    crashes: u8,
    refunds: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    ChargeFirst,
    /// Of the charge at that place.
    ChargeSecond(usize),
    Refund,
    Report,
    Crash,
}

#[derive(Clone)]
struct Crashes(Kind, Plan);

impl Crashes {
    /// Spends one unit, for whoever left the meter at `after`.
    fn spend(&self, state: &mut State, after: u8) -> bool {
        match self.0 {
            Level => after <= state.lent,
            Stock if state.lent > 0 => {
                state.lent -= 1;
                true
            }
            Stock => false,
        }
    }

    fn admit(state: &mut State) {
        state.kept += 1;
        state.own += 1;
    }

    fn charge_first(&self, state: &mut State) {
        let after = state.meter + 1;
        // Where it asks first, it charges the meter in the second step.
        if self.1 == Plan::AskedFirst {
            if !self.spend(state, after) {
                return;
            }
        } else {
            state.meter = after;
        }
        state.charging.push(after);
        state.charging.sort_unstable();
    }

    fn charge_second(&self, state: &mut State, place: usize) {
        let after = state.charging.remove(place);
        if self.1 == Plan::AskedFirst {
            if state.meter < LIMIT {
                state.meter += 1;
                Self::admit(state);
            }
        } else if self.spend(state, after) {
            Self::admit(state);
        } else {
            state.meter -= 1;
        }
    }

    fn lend(&self, state: &mut State, meter: u8, left: u8, more: u8) {
        match self.0 {
            // A record that has all spent stops at the limit.
            Level => state.lent = (meter + left + more).min(LIMIT.max(meter)),
            Stock => state.lent += more,
        }
    }

    fn trim(&self, state: &mut State, meter: u8) -> Report {
        let most = match self.0 {
            Level => meter + LEASE,
            Stock => LEASE,
        };
        state.lent = state.lent.min(most);
        let stock = state.lent;
        Report::One { stock, meter }
    }

    fn report(&self, state: &mut State) {
        state.report = match state.report {
            Report::Idle if self.1 == Plan::MeterRead => {
                let meter = state.meter;
                Report::Early { meter }
            }
            Report::Idle => self.trim(state, state.meter),
            Report::Early { meter } => self.trim(state, meter),
            Report::One { stock, meter } => {
                let meter = if self.1 == Plan::MeterRead {
                    meter
                } else {
                    state.meter
                };
                let left = match self.0 {
                    Level => state.lent.saturating_sub(meter),
                    Stock => stock,
                };
                if self.1 == Plan::LentEarly {
                    self.lend(state, meter, left, LEASE.saturating_sub(left));
                }
                Report::Both { meter, left }
            }
            Report::Both { meter, left } => {
                let more = LEASE.saturating_sub(left);
                let on_record = if self.1 == Plan::LeftForgotten {
                    0
                } else {
                    left
                };
                state.record = (meter, on_record + more);
                Report::Written { meter, left, more }
            }
            Report::Written { meter, left, more } => {
                if self.1 != Plan::LentEarly {
                    self.lend(state, meter, left, more);
                }
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
        if state.meter < LIMIT && state.charging.len() < CALLERS {
            actions.push(Action::ChargeFirst);
        }
        actions.extend((0..state.charging.len()).map(Action::ChargeSecond));
        if state.own > 0 && state.refunds < REFUNDS {
            actions.push(Action::Refund);
        }
        actions.push(Action::Report);
        if state.crashes < CRASHES {
            actions.push(Action::Crash);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::ChargeFirst => self.charge_first(&mut state),
            Action::ChargeSecond(place) => self.charge_second(&mut state, place),
            Action::Refund => {
                state.meter -= 1;
                state.kept -= 1;
                state.own -= 1;
                state.refunds += 1;
            }
            Action::Report => self.report(&mut state),
            Action::Crash => {
                let (committed, out) = state.record;
                let out = if self.1 == Plan::LentForgotten {
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
    holds(Crashes(Level, Plan::Right));
}

#[test]
fn ledger_is_never_over_where_units_drain() {
    holds(Crashes(Stock, Plan::Right));
}

#[test]
fn planted_lending_before_the_record_is_found() {
    is_over(Crashes(Level, Plan::LentEarly));
    is_over(Crashes(Stock, Plan::LentEarly));
}

#[test]
fn planted_meter_read_first_is_found() {
    is_over(Crashes(Level, Plan::MeterRead));
    is_over(Crashes(Stock, Plan::MeterRead));
}

#[test]
fn planted_asking_before_the_charge_is_found() {
    is_over(Crashes(Level, Plan::AskedFirst));
    is_over(Crashes(Stock, Plan::AskedFirst));
}

#[test]
fn planted_record_without_what_is_left_is_found() {
    is_over(Crashes(Level, Plan::LeftForgotten));
    is_over(Crashes(Stock, Plan::LeftForgotten));
}

#[test]
fn planted_forgotten_lease_is_found() {
    is_over(Crashes(Level, Plan::LentForgotten));
    is_over(Crashes(Stock, Plan::LentForgotten));
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
        level: u8,
        ahead: u8,
        is_written: bool,
    }

    #[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
    struct State {
        /// Whether the clock shows the new period: it may be set back between two processes.
        is_late: bool,
        meter: (bool, u8),
        /// Of the old period and of the new one.
        levels: [u8; 2],
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
        /// In one step: other models have what lies within it.
        fn charge(state: &mut State) {
            let is_new = state.is_late || state.meter.0;
            if is_new && !state.meter.0 {
                state.meter = (true, 0);
            }
            let level = state.levels[usize::from(is_new)];
            if state.meter.1 < LIMIT.min(level) {
                state.meter.1 += 1;
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
            state.levels[usize::from(is_new)] = draft.level;
            if draft.ahead > 0 {
                state.levels[1] = draft.ahead;
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
            let committed = state.meter.1;
            let left = state.levels[usize::from(is_new)].saturating_sub(committed);
            let is_lent_ahead = !is_new && state.levels[1] > 0;
            let ahead = if is_new || is_lent_ahead {
                0
            } else {
                LEASE.min(LIMIT - LIMIT.min(state.carried))
            };
            let more = LEASE.saturating_sub(left);
            let begins = is_new && !state.record.is_new;
            let on_record = if begins && self.0 == Plan::BegunForgotten {
                0
            } else {
                left
            };
            let still = if is_lent_ahead { state.levels[1] } else { 0 };
            let mut draft = Draft {
                record: Record {
                    is_new,
                    committed,
                    out: on_record + more,
                    ahead: state.carried + still + ahead,
                },
                level: LIMIT.min(committed + left + more),
                ahead,
                is_written: false,
            };
            if self.0 == Plan::LentEarly {
                state.levels[1] += draft.ahead;
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
