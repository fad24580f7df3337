//! Policies as a file, as exact models and as laws.

use std::{cell::RefCell, fmt::Write};
use tollgate_core::{ManualClock, Nanos, Wall};
use tollgate_policy::{Gate, Request, Usage};
use tollgate_testkit::{
    Answer, Periods, RateLimit,
    law::Law,
    model::{
        Ask, Concurrency, Gcra, Lifetime, Model, PeriodBudget, Receipt, SlidingLog, SlottedRing,
    },
};

pub(crate) const MILLI: u64 = 1_000_000;
const HOUR: u64 = 3_600_000 * MILLI;
/// Wall time at the clock's epoch: in no period's beginning.
const WALL: u64 = 1_700_158_546_680_590_001;

pub(crate) const AGENTS: [&str; 2] = ["a", "b:"];
pub(crate) const MODELS: [&str; 2] = ["gpt-4o", "o3"];
/// Classes with their share of a capacity in percent.
pub(crate) const CLASSES: [(&str, u64); 2] = [("batch", 50), ("low", 7)];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Gcra { capacity: u64, initial: Option<u64> },
    Window { slots: u32 },
    Log,
    Fixed,
    Calendar,
    Lifetime,
    Concurrency,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Requests,
    Tokens,
    Input,
}

/// One limit of a policy.
#[derive(Clone, Debug)]
pub(crate) struct Limit {
    pub(crate) unit: Unit,
    pub(crate) max: u64,
    /// Nanoseconds.
    pub(crate) per: u64,
    pub(crate) algorithm: Algorithm,
    pub(crate) by_agent: bool,
    pub(crate) by_model: bool,
    /// Applies to the first model only.
    pub(crate) when: bool,
    pub(crate) shadow: bool,
    pub(crate) releases: bool,
    /// Another maximum for the first agent; with it comes the same capacity.
    pub(crate) overridden: Option<u64>,
}

/// Whose request it is, and what it asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) agent: usize,
    pub(crate) model: usize,
    pub(crate) class: Option<usize>,
    pub(crate) input: u64,
    pub(crate) output: u64,
}

impl Asked {
    pub(crate) fn request(&self) -> Request<'static> {
        let request = Request::new()
            .with("agent", AGENTS[self.agent])
            .with("model", MODELS[self.model])
            .usage(usage(self.input, self.output));
        match self.class {
            Some(class) => request.class(CLASSES[class].0),
            None => request,
        }
    }
}

pub(crate) const fn usage(input: u64, output: u64) -> Usage {
    Usage {
        input_tokens: input,
        output_tokens: output,
        micro_usd: 0,
    }
}

pub(crate) fn wall(now: u64) -> Wall {
    Wall(i64::try_from(WALL + now).expect("a time of our day"))
}

impl Limit {
    pub(crate) fn applies(&self, ask: &Asked) -> bool {
        !self.when || ask.model == 0
    }

    /// Which of its accounts a request is of, of four.
    pub(crate) fn account(&self, ask: &Asked) -> usize {
        usize::from(self.by_agent) * ask.agent * 2 + usize::from(self.by_model) * ask.model
    }

    pub(crate) const fn cost(&self, input: u64, output: u64) -> u64 {
        match self.unit {
            Unit::Requests => 1,
            Unit::Tokens => input + output,
            Unit::Input => input,
        }
    }

    /// The maximum, and capacity, that an account has of its own.
    fn own(&self, account: usize) -> Option<u64> {
        self.overridden.filter(|_| self.by_agent && account < 2)
    }

    fn max_of(&self, account: usize) -> u64 {
        self.own(account).unwrap_or(self.max)
    }

    pub(crate) fn ceiling(&self, account: usize) -> u64 {
        match (self.algorithm, self.own(account)) {
            _ if self.max_of(account) == 0 => 0,
            (Algorithm::Gcra { capacity, .. }, None) => capacity,
            _ => self.max_of(account),
        }
    }

    /// What a class may see committed: its share of the ceiling, rounded down, but at least one.
    pub(crate) fn share(&self, ask: &Asked) -> u64 {
        let ceiling = self.ceiling(self.account(ask));
        match ask.class {
            Some(class) if ceiling > 0 => (ceiling * CLASSES[class].1 / 100).max(1),
            _ => ceiling,
        }
    }

    pub(crate) fn ask(&self, ask: &Asked, cost: u64) -> Ask {
        Ask::new(cost).under(self.share(ask))
    }

    /// An exact model of one account.
    pub(crate) fn model(&self, account: usize) -> Box<dyn Model> {
        let max = self.max_of(account).max(1);
        let ceiling = self.ceiling(account).max(1);
        match self.algorithm {
            Algorithm::Gcra { initial, .. } => Box::new(Starting {
                used: RefCell::new(
                    initial
                        .map(|initial| self.ceiling(account).saturating_sub(initial))
                        .filter(|used| *used > 0),
                ),
                gcra: RefCell::new(Gcra::new(RateLimit::new(max, self.per, ceiling))),
            }),
            Algorithm::Window { slots } => {
                Box::new(SlottedRing::new(self.per, slots, WALL % self.per, max))
            }
            Algorithm::Log => Box::new(SlidingLog::new(self.per, max)),
            // A max of nothing pays nothing.
            Algorithm::Fixed => Box::new(PeriodBudget::new(self.periods(), self.max_of(account))),
            Algorithm::Calendar => Box::new(PeriodBudget::of_calendar(
                self.periods(),
                self.max_of(account),
            )),
            Algorithm::Lifetime => Box::new(Lifetime::new(max)),
            Algorithm::Concurrency => Box::new(Concurrency::new(max)),
        }
    }

    fn periods(&self) -> Periods {
        let period = if self.algorithm == Algorithm::Calendar {
            HOUR
        } else {
            self.per
        };
        Periods::every(period, WALL % period)
    }

    pub(crate) fn law(&self, account: usize) -> Law {
        let max = self.max_of(account);
        match self.algorithm {
            Algorithm::Gcra { .. } => {
                Law::Rate(RateLimit::new(max, self.per, self.ceiling(account)))
            }
            Algorithm::Window { .. } | Algorithm::Log => Law::Window {
                window: self.per,
                max,
            },
            Algorithm::Fixed | Algorithm::Calendar => Law::Periods {
                periods: self.periods(),
                max,
            },
            Algorithm::Lifetime => Law::Lifetime { max },
            Algorithm::Concurrency => Law::Concurrency { max },
        }
    }

    fn toml(&self, name: usize) -> String {
        let mut text = format!("[[limit]]\nname = \"{name}\"\nmax = {}\n", self.max);
        let mut line = |line: String| writeln!(text, "{line}").expect("a string takes all");
        line(format!(
            "unit = \"{}\"",
            match self.unit {
                Unit::Requests => "requests",
                Unit::Tokens => "tokens",
                Unit::Input => "input_tokens",
            }
        ));
        let scopes = [(self.by_agent, "\"agent\""), (self.by_model, "\"model\"")];
        let scopes: Vec<_> = scopes
            .iter()
            .filter(|(is, _)| *is)
            .map(|(_, name)| *name)
            .collect();
        line(format!("by = [{}]", scopes.join(", ")));
        let per = format!("per = \"{}ms\"", self.per / MILLI);
        match self.algorithm {
            Algorithm::Gcra { capacity, initial } => {
                line(format!(
                    "{per}\nalgorithm = \"gcra\"\ncapacity = {capacity}"
                ));
                initial
                    .into_iter()
                    .for_each(|initial| line(format!("initial = {initial}")));
            }
            Algorithm::Window { slots } => {
                line(format!("{per}\nalgorithm = \"window\"\nslots = {slots}"))
            }
            Algorithm::Log => line(format!("{per}\nalgorithm = \"log\"")),
            Algorithm::Fixed => line(format!("{per}\nalgorithm = \"fixed\"")),
            Algorithm::Calendar => line("per = \"hour\"\nalgorithm = \"calendar\"".to_owned()),
            Algorithm::Lifetime => line("algorithm = \"lifetime\"".to_owned()),
            Algorithm::Concurrency => line("algorithm = \"concurrency\"".to_owned()),
        }
        if self.algorithm != Algorithm::Concurrency {
            line(format!(
                "on_drop = \"{}\"",
                if self.releases { "release" } else { "keep" }
            ));
        }
        if self.when {
            line("when = { model = \"gpt-*\" }".to_owned());
        }
        if self.shadow {
            line("mode = \"shadow\"".to_owned());
        }
        if let (Some(max), true) = (self.overridden, self.by_agent) {
            line(format!(
                "\n[[override]]\nlimit = \"{name}\"\nwhere = {{ agent = \"{}\" }}\nmax = {max}",
                AGENTS[0]
            ));
            if matches!(self.algorithm, Algorithm::Gcra { .. }) && max > 0 {
                line(format!("capacity = {max}"));
            }
        }
        text + "\n"
    }
}

/// A policy file of `limits` and the classes.
pub(crate) fn policy(limits: &[Limit]) -> String {
    let limits: String = (0..)
        .zip(limits)
        .map(|(name, limit)| limit.toml(name))
        .collect();
    let classes = CLASSES.map(|(name, percent)| {
        format!("[[priority]]\nname = \"{name}\"\nshare = 0.{percent:02}\n")
    });
    limits + &classes.concat()
}

/// A gate for `policy`, and its clock.
pub(crate) fn gate(policy: &str) -> (Gate, ManualClock) {
    let clock = ManualClock::starting_at(Nanos::ZERO);
    clock.set_wall(wall(0));
    let gate = Gate::builder()
        .clock(clock.clone())
        .build(policy)
        .unwrap_or_else(|mistakes| panic!("{mistakes}\n{policy}"));
    (gate, clock)
}

/// A rate that starts with less than its capacity, from the first request on that it has a say in.
#[derive(Debug)]
struct Starting {
    used: RefCell<Option<u64>>,
    gcra: RefCell<Gcra>,
}

impl Starting {
    fn start(&self, now: u64) {
        if let Some(used) = self.used.take() {
            self.gcra.borrow_mut().charge_anyway(now, used);
        }
    }
}

impl Model for Starting {
    fn max(&self) -> u64 {
        self.gcra.borrow().max()
    }

    fn look_under(&self, now: u64, cost: u64, max: u64) -> Answer {
        self.start(now);
        self.gcra.borrow().look_under(now, cost, max)
    }

    fn charge(&mut self, now: u64, cost: u64) -> Receipt {
        self.start(now);
        self.gcra.borrow_mut().charge(now, cost)
    }

    fn refund(&mut self, now: u64, receipt: &mut Receipt, surplus: u64) {
        self.gcra.borrow_mut().refund(now, receipt, surplus);
    }

    fn used(&self, now: u64) -> u128 {
        self.start(now);
        self.gcra.borrow().used(now)
    }
}
