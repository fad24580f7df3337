//! The Gate: several limits, all or nothing, reserved and then settled.
//!
//! # The specification
//! One caller at a time, as exact models of the limits would have it, but for two things that a race may do.
//!
//! 1. **A refusal for what others are doing at that moment.** A request is charged to its limits one after another, and
//!    given back to them one after another. So a refusal is also right if some limit would have denied it, had it held, on
//!    top of what is committed, what the calls that overlap the refusal may hold of it just then:
//!    - a request or an extension that was refused itself: its cost, unless this is the last limit that it asks (who
//!      is charged there is admitted);
//!    - an admission, or a debt, that comes later in the order: its cost;
//!    - a settlement or a release that came earlier in the order: what it gives back.
//!
//!    Nothing else excuses a refusal. And what it tells is checked: the limit that it names holds, with some of the above, so
//!    much that its wait is the one that is told, to the nanosecond; and of the others that it asks none would bind it longer
//!    by what it holds for certain. Where nothing was under way there is one such refusal. A *log* to which units come back
//!    meanwhile may tell a longer wait, up to its window.
//! 2. **A refund of a `gcra` limit that falls short**, by the amounts of other refunds (or back-outs) that overlapped it,
//!    or a charge since its own. Such a limit may from then on hold so much more than its model, less what has drained since while
//!    the model was at rest. In a *window* of slots, units that come back to an earlier slot while a later one is opened may count
//!    until that one ends: a refusal by such a window in that slot may tell any wait up to the window and a slot.
//!
//! 3. **An admission between the limits of a settlement**, which goes through them one after another too. What it gives back
//!    under one limit may let a request in that comes to another limit before what the settlement owes there: then the
//!    debt comes after that charge, though the settlement comes before the request.
//!
//! But for that an admission is never excused: the models must have room for it, and each has room for it at the moment at which it
//! is charged there.

use crate::histories::{Chance, Instants, Rounds, SECOND, held};
use std::{
    collections::{BTreeMap, HashSet},
    hash::{Hash, Hasher},
    sync::{Arc, Mutex},
};
use tollgate_core::{ManualClock, Nanos, Wall};
use tollgate_policy::{Gate, Refusal, Request, Reservation, Usage};
use tollgate_testkit::{
    Answer, Periods, RateLimit,
    linear::{Around, Call, Spec, Verdict, check},
    model::{Concurrency, Gcra, Lifetime, Model, PeriodBudget, Receipt, SlidingLog, SlottedRing},
};

const MINUTE: u64 = 60 * SECOND;
const SLOTS: u32 = 6;

/// What callers of a gate ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Asked {
    Admit {
        id: u64,
        at: u64,
        input: u64,
        output: u64,
    },
    Extend {
        of: u64,
        at: u64,
        output: u64,
    },
    /// At what was used in all.
    Settle {
        of: u64,
        at: u64,
        input: u64,
        output: u64,
    },
    Release {
        of: u64,
        at: u64,
    },
    Used {
        at: u64,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Heard {
    Admitted,
    /// The place of the limit that binds, and the wait.
    Refused(usize, Option<u128>),
    Done,
    Used(Vec<u64>),
}

type History = [Call<Asked, Heard>];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Requests,
    Tokens,
    Input,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Gcra,
    Window,
    Log,
    Fixed,
    Lifetime,
    Concurrency,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) unit: Unit,
    pub(crate) algorithm: Algorithm,
    pub(crate) max: u64,
}

impl Limit {
    fn cost(&self, input: u64, output: u64) -> u64 {
        match self.unit {
            Unit::Requests => 1,
            Unit::Tokens => input + output,
            Unit::Input => input,
        }
    }

    fn toml(&self, place: usize) -> String {
        let unit = match self.unit {
            Unit::Requests => "requests",
            Unit::Tokens => "tokens",
            Unit::Input => "input_tokens",
        };
        let algorithm = match self.algorithm {
            // A unit a second, so that rounds move by whole units.
            Algorithm::Gcra => format!(
                "max = 60\ncapacity = {}\nper = \"1m\"\nalgorithm = \"gcra\"",
                self.max
            ),
            Algorithm::Window => format!(
                "max = {}\nper = \"1m\"\nalgorithm = \"window\"\nslots = {SLOTS}",
                self.max
            ),
            Algorithm::Log => format!("max = {}\nper = \"1m\"\nalgorithm = \"log\"", self.max),
            Algorithm::Fixed => format!("max = {}\nper = \"1m\"\nalgorithm = \"fixed\"", self.max),
            Algorithm::Lifetime => format!("max = {}\nalgorithm = \"lifetime\"", self.max),
            Algorithm::Concurrency => format!("max = {}\nalgorithm = \"concurrency\"", self.max),
        };
        format!("[[limit]]\nname = \"{place}\"\nunit = \"{unit}\"\n{algorithm}\n\n")
    }

    fn model(&self) -> AnyModel {
        match self.algorithm {
            Algorithm::Gcra => AnyModel::Gcra(Gcra::new(RateLimit::new(60, MINUTE, self.max))),
            Algorithm::Window => AnyModel::Window(SlottedRing::new(MINUTE, SLOTS, 0, self.max)),
            Algorithm::Log => AnyModel::Log(SlidingLog::new(MINUTE, self.max)),
            Algorithm::Fixed => {
                AnyModel::Fixed(PeriodBudget::new(Periods::every(MINUTE, 0), self.max))
            }
            Algorithm::Lifetime => AnyModel::Lifetime(Lifetime::new(self.max)),
            Algorithm::Concurrency => AnyModel::Concurrency(Concurrency::new(self.max)),
        }
    }
}

macro_rules! any_model {
    ($($name:ident($model:ty)),+) => {
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        enum AnyModel { $($name($model)),+ }

        impl Model for AnyModel {
            fn max(&self) -> u64 {
                match self { $(Self::$name(model) => model.max()),+ }
            }
            fn look_under(&self, now: u64, cost: u64, max: u64) -> Answer {
                match self { $(Self::$name(model) => model.look_under(now, cost, max)),+ }
            }
            fn charge(&mut self, now: u64, cost: u64) -> Receipt {
                match self { $(Self::$name(model) => model.charge(now, cost)),+ }
            }
            fn refund(&mut self, now: u64, receipt: &mut Receipt, surplus: u64) {
                match self { $(Self::$name(model) => model.refund(now, receipt, surplus)),+ }
            }
            fn used(&self, now: u64) -> u128 {
                match self { $(Self::$name(model) => model.used(now)),+ }
            }
        }
    };
}

any_model!(
    Gcra(Gcra),
    Window(SlottedRing),
    Log(SlidingLog),
    Fixed(PeriodBudget),
    Lifetime(Lifetime),
    Concurrency(Concurrency)
);

impl AnyModel {
    /// The state in which `units` that a refund took have not come back; how many are to be charged anew for that, as of now.
    fn restore(&mut self, receipt: &Receipt, units: u64) -> u64 {
        match self {
            Self::Window(model) => model.restore(receipt, units),
            Self::Log(model) => model.restore(receipt, units),
            _ => return units,
        }
        0
    }
}

/// What one limit holds for a reservation: a charge, and one of each extension.
type Holds = Vec<(Receipt, u64)>;

/// The gate, as one caller at a time would know it.
#[derive(Clone, Debug)]
pub(crate) struct Spec1 {
    limits: Arc<[Limit]>,
    models: Vec<AnyModel>,
    open: BTreeMap<u64, Vec<Holds>>,
    /// By how much each limit may hold more than its model, and until which slot.
    short: Vec<(u64, Option<u64>)>,
    /// As of when that was so.
    at: u64,
    /// What settlements and releases of this instant gave back under each limit, in order.
    given: BTreeMap<u64, Vec<Given>>,
}

/// Parts of what was given back under one limit, each of another charge.
type Given = Vec<(Receipt, u64)>;

impl Spec1 {
    pub(crate) fn new(limits: &[Limit]) -> Self {
        Self {
            limits: limits.into(),
            models: limits.iter().map(Limit::model).collect(),
            open: BTreeMap::new(),
            short: vec![(0, None); limits.len()],
            at: 0,
            given: BTreeMap::new(),
        }
    }

    /// What `ask` costs under each limit; none where it is not asked.
    fn costs(&self, ask: Asked) -> Vec<Option<u64>> {
        let costs = self.limits.iter().map(|limit| match ask {
            Asked::Admit { input, output, .. } => Some(limit.cost(input, output)),
            // A request is counted once.
            Asked::Extend { output, .. } if limit.unit != Unit::Requests => {
                Some(limit.cost(0, output))
            }
            _ => None,
        });
        costs.map(|cost| cost.filter(|cost| *cost > 0)).collect()
    }

    /// What a call that came back may have taken of `limit` and not have given back yet, or not given back yet of what it
    /// is to give back.
    fn held_by(
        &self,
        call: &Call<Asked, Heard>,
        before: bool,
        limit: usize,
        history: &History,
    ) -> u64 {
        match (&call.heard, call.ask) {
            (Heard::Refused(..), ask) => {
                let costs = self.costs(ask);
                let last = costs.iter().rposition(Option::is_some);
                costs[limit].filter(|_| last != Some(limit)).unwrap_or(0)
            }
            (Heard::Admitted, ask) if !before => self.costs(ask)[limit].unwrap_or(0),
            (Heard::Done, Asked::Settle { of, .. } | Asked::Release { of, .. }) => {
                let (charged, actual) = self.settled(of, call.ask, limit, history);
                if before {
                    charged.saturating_sub(actual)
                } else {
                    actual.saturating_sub(charged)
                }
            }
            _ => 0,
        }
    }

    /// What `limit` was charged for the reservation `of` in all, and what it is settled at.
    fn settled(&self, of: u64, ask: Asked, limit: usize, history: &History) -> (u64, u64) {
        let of_this = |call: &&Call<Asked, Heard>| match call.ask {
            Asked::Admit { id, .. } => id == of && call.heard == Heard::Admitted,
            Asked::Extend { of: extended, .. } => extended == of && call.heard == Heard::Admitted,
            _ => false,
        };
        let charged = history
            .iter()
            .filter(of_this)
            .filter_map(|call| self.costs(call.ask)[limit])
            .sum();
        let rule = &self.limits[limit];
        let actual = match ask {
            Asked::Settle { input, output, .. } if rule.algorithm != Algorithm::Concurrency => {
                rule.cost(input, output)
            }
            _ => 0,
        };
        (charged, actual)
    }

    /// Units that `call` gives back to `limit`, or may: a refused request gives back what it was charged.
    fn gives_back(&self, call: &Call<Asked, Heard>, limit: usize, history: &History) -> u64 {
        match call.heard {
            Heard::Refused(..) => self.held_by(call, false, limit, history),
            Heard::Done => self.held_by(call, true, limit, history),
            _ => 0,
        }
    }

    /// By how much what `call` gives back to `limit` may fall short, and until which slot.
    fn may_fall_short(
        &self,
        around: &Around<'_, Asked, Heard>,
        limit: usize,
        at: u64,
    ) -> (u64, Option<u64>) {
        let (call, history) = (around.call(), around.history());
        let given = self.gives_back(call, limit, history);
        if given == 0 || around.history().is_empty() {
            return (0, None);
        }
        match self.limits[limit].algorithm {
            Algorithm::Gcra => {
                let since = match call.ask {
                    Asked::Settle { of, .. } | Asked::Release { of, .. } => history
                        .iter()
                        .find(|own| matches!(own.ask, Asked::Admit { id, .. } if id == of))
                        .map_or(0, |own| own.began),
                    _ => call.began,
                };
                let record =
                    |other: &&Call<Asked, Heard>| other.ended > since && other.began < call.ended;
                let records: Vec<_> = history.iter().filter(record).collect();
                let races = |other: &&Call<Asked, Heard>| {
                    other.began != call.began
                        && (other.overlaps(call)
                            || records.iter().any(|record| record.overlaps(other)))
                };
                let others = history
                    .iter()
                    .filter(races)
                    .map(|other| self.gives_back(other, limit, history));
                (others.sum::<u64>().min(given), None)
            }
            Algorithm::Window if !around.alone() => (given, Some(slot(at))),
            _ => (0, None),
        }
    }

    fn fall_short(&mut self, around: &Around<'_, Asked, Heard>, at: u64) {
        for limit in 0..self.limits.len() {
            let (by, until) = self.may_fall_short(around, limit, at);
            let (short, ends) = &mut self.short[limit];
            if until.is_some() && *ends != until {
                *short = 0;
            }
            if by > 0 {
                (*short, *ends) = (*short + by, until);
            }
        }
    }

    fn shortfall(&self, limit: usize, at: u64) -> u64 {
        let (short, until) = self.short[limit];
        if until.is_none_or(|until| until == slot(at)) {
            short
        } else {
            0
        }
    }

    /// All that `limit` may hold in the eyes of a caller: each state of its model, and units charged just then on top.
    fn holdings(
        &self,
        around: &Around<'_, Asked, Heard>,
        limit: usize,
        at: u64,
    ) -> HashSet<(AnyModel, u64)> {
        let mut all = HashSet::from([(self.models[limit].clone(), 0)]);
        for (call, before) in around.overlapping() {
            let given = match call.ask {
                Asked::Settle { of, .. } | Asked::Release { of, .. } if before => {
                    self.given.get(&of)
                }
                _ => None,
            };
            let mut more = Vec::new();
            if let Some(given) = given {
                // Given back one after another: so much may not have come yet.
                let parts = &given[limit];
                for missing in (0..parts.len()).map(|first| &parts[first..]) {
                    for (model, fresh) in &all {
                        let (mut model, mut fresh) = (model.clone(), *fresh);
                        for (receipt, units) in missing {
                            fresh += model.restore(receipt, *units);
                        }
                        more.push((model, fresh));
                    }
                }
            } else {
                let held = self.held_by(call, before, limit, around.history());
                if held > 0 {
                    more.extend(
                        all.iter()
                            .map(|(model, fresh)| (model.clone(), fresh + held)),
                    );
                }
            }
            all.extend(more);
        }
        let short = self.shortfall(limit, at);
        let longer: Vec<_> = all
            .iter()
            .flat_map(|(model, fresh)| (1..=short).map(move |more| (model.clone(), fresh + more)))
            .collect();
        all.extend(longer);
        all
    }

    /// Units of `limit` that are in its model, and may be in the eyes of nobody yet, or no more: those of settlements that go through the
    /// limits while others look.
    fn unsure(&self, around: &Around<'_, Asked, Heard>, limit: usize) -> u64 {
        let settlements = around
            .overlapping()
            .filter(|(call, _)| call.heard == Heard::Done);
        let of = |(call, before): (&Call<Asked, Heard>, bool)| {
            self.held_by(call, !before, limit, around.history())
        };
        settlements.map(of).sum()
    }

    fn refused(
        &mut self,
        around: &Around<'_, Asked, Heard>,
        costs: &[Option<u64>],
        at: u64,
    ) -> bool {
        let Heard::Refused(named, wait) = around.call().heard else {
            return false;
        };
        self.fall_short(around, at);
        let Some(cost) = costs[named] else {
            return false;
        };
        let key = |wait: Option<u128>| wait.map_or(u128::MAX, |wait| wait);
        let binds_longer = |limit: usize, cost: u64| {
            let answer = self.models[limit].look(at, cost);
            let found = key(answer.retry_after());
            let longer = found > key(wait) || found == key(wait) && limit < named;
            !answer.admitted() && longer && self.unsure(around, limit) == 0
        };
        let mut others = costs.iter().enumerate();
        if others.any(|(limit, cost)| {
            limit != named && cost.is_some_and(|cost| binds_longer(limit, cost))
        }) {
            return false;
        }
        // Where no wait can be told from what is held, so much at most.
        let mut overlapping = around.overlapping();
        let most = match self.limits[named].algorithm {
            Algorithm::Window if self.shortfall(named, at) > 0 => {
                MINUTE + MINUTE / u64::from(SLOTS)
            }
            Algorithm::Log
                if overlapping
                    .any(|(call, _)| self.gives_back(call, named, around.history()) > 0) =>
            {
                MINUTE
            }
            _ => 0,
        };
        let within = wait.is_some_and(|wait| wait <= u128::from(most));
        self.holdings(around, named, at)
            .into_iter()
            .any(|(mut model, fresh)| {
                if fresh > 0 {
                    model.charge_anyway(at, fresh);
                }
                let answer = model.look(at, cost);
                !answer.admitted() && (within || answer.retry_after() == wait)
            })
    }

    /// Whether every limit has room, or would have it before what overlapping settlements owe that give back elsewhere.
    fn has_room(&self, around: &Around<'_, Asked, Heard>, costs: &[Option<u64>], at: u64) -> bool {
        let owes = |call: &Call<Asked, Heard>, limit| {
            let (charged, actual) = match call.ask {
                Asked::Settle { of, .. } => self.settled(of, call.ask, limit, around.history()),
                _ => (0, 0),
            };
            actual.saturating_sub(charged)
        };
        (0..self.limits.len()).all(|limit| {
            let Some(cost) = costs[limit] else {
                return true;
            };
            let earlier = around.overlapping().filter(|(_, before)| *before);
            let late: u64 = earlier
                .filter(|(call, _)| {
                    let mut others = (0..self.limits.len()).filter(|other| *other != limit);
                    others.any(|other| self.gives_back(call, other, around.history()) > 0)
                })
                .map(|(call, _)| owes(call, limit))
                .sum();
            let model = &self.models[limit];
            let most = u128::from(model.max() + late);
            model.look(at, cost).admitted() || late > 0 && model.used(at) + u128::from(cost) <= most
        })
    }

    fn charge(&mut self, id: u64, costs: &[Option<u64>], at: u64) {
        let holds = self
            .open
            .entry(id)
            .or_insert_with(|| vec![Vec::new(); costs.len()]);
        for ((model, cost), holds) in self.models.iter_mut().zip(costs).zip(holds) {
            holds.extend(cost.map(|cost| (model.charge(at, cost), cost)));
        }
    }

    /// From the last charge on, as far as it goes. What came back of each.
    fn give_back(&mut self, limit: usize, mut holds: Holds, mut surplus: u64, at: u64) -> Given {
        let mut given = Given::new();
        while let Some((mut receipt, units)) = holds.pop() {
            let part = surplus.min(units);
            let before = self.models[limit].used(at);
            self.models[limit].refund(at, &mut receipt, part);
            let back = before - self.models[limit].used(at);
            if back > 0 {
                given.push((receipt, u64::try_from(back).expect("few")));
            }
            surplus -= part;
        }
        given
    }

    /// Comes to the instant `at`: what refunds of a rate fell short by has drained as far as the model was at rest meanwhile.
    fn come_to(&mut self, at: u64) {
        if at == self.at {
            return;
        }
        let since = self.at;
        self.given.clear();
        for (limit, model) in self.models.iter().enumerate() {
            let (short, _) = &mut self.short[limit];
            if self.limits[limit].algorithm == Algorithm::Gcra {
                // A unit a second.
                let rested = |units: &u64| {
                    let then = at.saturating_sub(units * SECOND);
                    then >= since && model.used(then) == 0
                };
                let drained = (1..=*short).take_while(rested).last();
                *short -= drained.unwrap_or(0);
            }
        }
        self.at = at;
    }
}

fn slot(at: u64) -> u64 {
    at / (MINUTE / u64::from(SLOTS))
}

impl Spec for Spec1 {
    type Ask = Asked;
    type Heard = Heard;

    fn step(&mut self, around: &Around<'_, Asked, Heard>) -> bool {
        let call = around.call();
        self.come_to(match call.ask {
            Asked::Admit { at, .. }
            | Asked::Extend { at, .. }
            | Asked::Settle { at, .. }
            | Asked::Release { at, .. }
            | Asked::Used { at } => at,
        });
        match call.ask {
            Asked::Admit { id: of, at, .. } | Asked::Extend { of, at, .. } => {
                let costs = self.costs(call.ask);
                if call.heard != Heard::Admitted {
                    return self.refused(around, &costs, at);
                }
                let fits = self.has_room(around, &costs, at);
                self.charge(of, &costs, at);
                fits
            }
            Asked::Settle { of, at, .. } | Asked::Release { of, at } => {
                self.fall_short(around, at);
                let Some(holds) = self.open.remove(&of) else {
                    return false;
                };
                let mut given = Vec::new();
                for (limit, holds) in holds.into_iter().enumerate() {
                    let (charged, actual) = self.settled(of, call.ask, limit, around.history());
                    given.push(if actual > charged {
                        self.models[limit].charge_anyway(at, actual - charged);
                        Given::new()
                    } else {
                        self.give_back(limit, holds, charged - actual, at)
                    });
                }
                self.given.insert(of, given);
                call.heard == Heard::Done
            }
            Asked::Used { at } => {
                let Heard::Used(used) = &call.heard else {
                    return false;
                };
                // Limits are read one after another.
                !around.alone()
                    || (0..self.limits.len()).all(|limit| {
                        let model = u64::try_from(self.models[limit].used(at)).expect("few");
                        model <= used[limit] && used[limit] <= model + self.shortfall(limit, at)
                    })
            }
        }
    }
}

impl PartialEq for Spec1 {
    fn eq(&self, other: &Self) -> bool {
        self.models == other.models
            && self.open == other.open
            && self.short == other.short
            && self.at == other.at
            && self.given == other.given
    }
}

impl Eq for Spec1 {}

impl Hash for Spec1 {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.models.hash(state);
        self.open.hash(state);
        self.short.hash(state);
        self.at.hash(state);
        self.given.hash(state);
    }
}

/// A gate, ours or a broken copy of the idea.
pub(crate) trait Reserves: Sync {
    type Open: Send;

    fn admit(&self, input: u64, output: u64, at: u64) -> Result<Self::Open, (usize, Option<u128>)>;
    fn extend(
        &self,
        open: &mut Self::Open,
        output: u64,
        at: u64,
    ) -> Result<(), (usize, Option<u128>)>;
    fn settle(&self, open: Self::Open, input: u64, output: u64, at: u64);
    fn release(&self, open: Self::Open, at: u64);
    fn used(&self, at: u64) -> Vec<u64>;
}

pub(crate) struct Ours(Gate);

const fn usage(input_tokens: u64, output_tokens: u64) -> Usage {
    Usage {
        input_tokens,
        output_tokens,
        micro_usd: 0,
    }
}

fn wall(at: u64) -> Wall {
    Wall(i64::try_from(at).expect("a time of our day"))
}

fn limited(refusal: &Refusal) -> (usize, Option<u128>) {
    let limited = refusal.limited().expect("no other refusal is possible");
    let place = limited
        .limit
        .parse()
        .expect("limits are named by their places");
    (place, limited.retry_after.map(|wait| wait.as_nanos()))
}

impl Reserves for Ours {
    type Open = Reservation;

    fn admit(
        &self,
        input: u64,
        output: u64,
        at: u64,
    ) -> Result<Reservation, (usize, Option<u128>)> {
        let request = Request::new().usage(usage(input, output));
        self.0
            .admit_at(&request, Nanos(at), wall(at))
            .map_err(|refusal| limited(&refusal))
    }

    fn extend(
        &self,
        open: &mut Reservation,
        output: u64,
        at: u64,
    ) -> Result<(), (usize, Option<u128>)> {
        open.extend_at(usage(0, output), Nanos(at), wall(at))
            .map_err(|refusal| limited(&refusal))
    }

    fn settle(&self, open: Reservation, input: u64, output: u64, at: u64) {
        open.settle_at(usage(input, output), Nanos(at), wall(at));
    }

    fn release(&self, open: Reservation, at: u64) {
        open.release_at(Nanos(at), wall(at));
    }

    fn used(&self, at: u64) -> Vec<u64> {
        self.0
            .usage_at(&[], Nanos(at), wall(at))
            .iter()
            .map(|usage| usage.used)
            .collect()
    }
}

/// A history of `gate`: threads that ask, extend, settle above and below, and release; then what is used is read alone.
pub(crate) fn history<G: Reserves>(
    gate: &G,
    rounds: &Rounds,
    seed: u64,
) -> Vec<Call<Asked, Heard>> {
    struct Held<O> {
        open: O,
        id: u64,
        input: u64,
        output: u64,
    }
    let open: Mutex<Vec<Held<G::Open>>> = Mutex::default();
    let took = |kind: u64| {
        if kind < 5 {
            open.lock().expect("nobody panics").pop()
        } else {
            None
        }
    };
    let refused = |(limit, wait)| Heard::Refused(limit, wait);
    let each = Rounds {
        rounds: 1,
        ..*rounds
    };
    let mut calls: Vec<Call<Asked, Heard>> = Vec::new();
    let mut at = crate::histories::START;
    for round in 0..rounds.rounds {
        let mut chance = Chance::new(seed, 500 + round);
        at += chance.one_of(&[0, 1, 3, 10, 60]) * rounds.step;
        let (at, id_base) = (at, round * 4_096);
        let mut of_round = each.run(seed.wrapping_mul(64) + round, |scribe, chance, id, _| {
            let id = id_base + id;
            let kind = chance.below(12);
            match took(kind) {
                Some(mut held) if kind == 0 => {
                    let output = 1 + chance.below(3);
                    scribe.call(
                        Asked::Extend {
                            of: held.id,
                            at,
                            output,
                        },
                        |_| {
                            let extended = gate.extend(&mut held.open, output, at);
                            held.output += output * u64::from(extended.is_ok());
                            (extended.map_or_else(refused, |()| Heard::Admitted), ())
                        },
                    );
                    open.lock().expect("nobody panics").push(held);
                }
                Some(held) if kind == 1 => {
                    scribe.call(Asked::Release { of: held.id, at }, |_| {
                        (gate.release(held.open, at), ()).into_done()
                    });
                }
                Some(held) => {
                    // Below, at or a little above the estimate.
                    let (input, output) =
                        (chance.below(held.input + 2), chance.below(held.output + 2));
                    scribe.call(
                        Asked::Settle {
                            of: held.id,
                            at,
                            input,
                            output,
                        },
                        |_| (gate.settle(held.open, input, output, at), ()).into_done(),
                    );
                }
                None => {
                    let (input, output) = (1 + chance.below(4), chance.below(3));
                    let admitted = scribe.call(
                        Asked::Admit {
                            id,
                            at,
                            input,
                            output,
                        },
                        |_| match gate.admit(input, output, at) {
                            Ok(open) => (Heard::Admitted, Some(open)),
                            Err(refusal) => (refused(refusal), None),
                        },
                    );
                    if let Some(admitted) = admitted {
                        open.lock().expect("nobody panics").push(Held {
                            open: admitted,
                            id,
                            input,
                            output,
                        });
                    }
                }
            }
        });
        let end = calls
            .iter()
            .map(|call| call.ended)
            .max()
            .map_or(0, |ended| ended + 1);
        for call in &mut of_round {
            (call.began, call.ended) = (call.began + end, call.ended + end);
        }
        calls.append(&mut of_round);
        let end = calls.iter().map(|call| call.ended).max().unwrap_or(0);
        calls.push(Call {
            thread: 0,
            began: end + 1,
            ended: end + 2,
            ask: Asked::Used { at },
            heard: Heard::Used(gate.used(at)),
        });
    }
    // What is still open when the history ends is nobody's business.
    let left = open.into_inner().expect("nobody panics");
    left.into_iter()
        .for_each(|held| gate.release(held.open, at));
    calls
}

trait IntoDone {
    fn into_done(self) -> (Heard, ());
}

impl IntoDone for ((), ()) {
    fn into_done(self) -> (Heard, ()) {
        (Heard::Done, ())
    }
}

pub(crate) fn rounds() -> Rounds {
    Rounds {
        threads: 0,
        rounds: 3,
        calls: 8,
        step: SECOND,
        pause: 1,
        instants: Instants::Rounds,
    }
}

pub(crate) fn ours(limits: &[Limit]) -> Ours {
    let policy: String = limits
        .iter()
        .enumerate()
        .map(|(place, limit)| limit.toml(place))
        .collect();
    let gate = Gate::builder().clock(ManualClock::new()).build(&policy);
    Ours(gate.unwrap_or_else(|mistakes| panic!("{mistakes}\n{policy}")))
}

const UNITS: [Unit; 3] = [Unit::Requests, Unit::Tokens, Unit::Input];

fn drawn(chance: &mut Chance, algorithms: &[Algorithm]) -> Limit {
    let algorithm = chance.one_of(algorithms);
    let unit = if algorithm == Algorithm::Concurrency {
        Unit::Requests
    } else {
        chance.one_of(&UNITS)
    };
    let (fewest, more) = if unit == Unit::Requests {
        (2, 8)
    } else {
        (5, 20)
    };
    Limit {
        unit,
        algorithm,
        max: fewest + chance.below(more),
    }
}

fn holds(name: &str, algorithms: &[Algorithm]) {
    held(name, |seed| {
        let mut chance = Chance::new(seed, 3);
        let count = 1 + chance.below(3);
        let limits: Vec<Limit> = (0..count).map(|_| drawn(&mut chance, algorithms)).collect();
        let calls = history(&ours(&limits), &rounds(), seed);
        (Spec1::new(&limits), calls)
    });
}

/// A settlement gives a place back that a request takes, and owes a unit only after that request was charged for the last ones.
/// Had it not given back, nobody could have come in between.
#[test]
fn an_admission_may_come_between_the_limits_of_a_settlement() {
    let admit = |id, input| Asked::Admit {
        id,
        at: 0,
        input,
        output: 0,
    };
    let call = |thread, began, ended, ask, heard| Call {
        thread,
        began,
        ended,
        ask,
        heard,
    };
    let settle = Asked::Settle {
        of: 1,
        at: 0,
        input: 2,
        output: 0,
    };
    let history = [
        call(0, 0, 1, admit(1, 1), Heard::Admitted),
        call(0, 2, 3, admit(2, 4), Heard::Admitted),
        call(1, 4, 6, admit(3, 3), Heard::Admitted),
        call(0, 5, 7, settle, Heard::Done),
    ];
    let of = |unit, algorithm, max| Limit {
        unit,
        algorithm,
        max,
    };
    let places = |max| of(Unit::Requests, Algorithm::Concurrency, max);
    let tokens = |max| of(Unit::Input, Algorithm::Fixed, max);
    let held = |limits: &[Limit], history: &History| {
        matches!(check(&Spec1::new(limits), history), Verdict::Linearizable)
    };
    assert!(held(&[places(2), tokens(8)], &history));
    // With places for all it comes before the settlement; and never for a unit more.
    assert!(held(&[places(3), tokens(8)], &history));
    assert!(!held(&[places(2), tokens(7)], &history));
    // One after the other, nothing comes in between.
    let mut apart = history;
    (apart[3].began, apart[3].ended) = (4, 5);
    (apart[2].began, apart[2].ended) = (6, 7);
    assert!(!held(&[places(2), tokens(8)], &apart));
}

/// Limits whose refunds are whole: only what is under way excuses a refusal.
#[test]
fn a_gate_of_counting_limits_refuses_only_for_what_is_taken_or_under_way() {
    holds(
        "Gate, counting limits",
        &[
            Algorithm::Log,
            Algorithm::Fixed,
            Algorithm::Lifetime,
            Algorithm::Concurrency,
        ],
    );
}

#[test]
fn a_gate_of_all_algorithms_refuses_only_for_what_is_taken_or_under_way() {
    holds(
        "Gate, all algorithms",
        &[
            Algorithm::Gcra,
            Algorithm::Window,
            Algorithm::Log,
            Algorithm::Fixed,
            Algorithm::Lifetime,
            Algorithm::Concurrency,
        ],
    );
}

#[test]
fn a_gate_of_rates_refuses_only_for_what_is_taken_or_under_way() {
    holds("Gate, rates", &[Algorithm::Gcra]);
}
