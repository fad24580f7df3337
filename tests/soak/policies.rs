//! Random policies, as a file and as laws.

use jiff::{Timestamp, ToSpan, civil::Weekday, tz::TimeZone};
use std::fmt::Write;
use tollgate_testkit::Periods;
use tollgate_tests::chance::Chance;

pub(crate) const SECOND: u64 = 1_000_000_000;
pub(crate) const DAY: u64 = 86_400 * SECOND;
pub(crate) const AGENTS: usize = 7;
pub(crate) const MODELS: usize = 3;
/// Classes with their share in percent.
pub(crate) const CLASSES: [(&str, u64); 2] = [("batch", 60), ("low", 15)];
const ZONES: [&str; 6] = [
    "UTC",
    "America/New_York",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Pacific/Apia",
];
/// Some days before clocks change in most of these zones, in seconds of the wall clock.
const BEGINNINGS: [i64; 4] = [1_729_555_203, 1_741_000_007, 1_743_200_011, 1_709_100_000];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Gcra,
    Window {
        slots: u64,
    },
    Log,
    Fixed,
    Calendar {
        period: Calendar,
        zone: &'static str,
    },
    Lifetime,
    Concurrency,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Calendar {
    Day,
    Week,
    Month,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Requests,
    Tokens,
    Input,
}

/// Units, and for a rate how many at once. They change with a reload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) max: u64,
    pub(crate) capacity: u64,
    /// Of the first agent, under an override.
    pub(crate) of_first: Option<u64>,
}

/// One limit: what a reload leaves as it is.
#[derive(Clone, Debug)]
pub(crate) struct Limit {
    pub(crate) unit: Unit,
    pub(crate) algorithm: Algorithm,
    pub(crate) per_ms: u64,
    pub(crate) by_agent: bool,
    pub(crate) by_model: bool,
    pub(crate) first_model_only: bool,
    pub(crate) shadow: bool,
    pub(crate) releases: bool,
}

/// A policy and what it is changed to, one epoch after the other.
#[derive(Clone, Debug)]
pub(crate) struct Policies {
    pub(crate) limits: Vec<Limit>,
    pub(crate) max_accounts: u64,
    /// Wall time at the clock's epoch, in nanoseconds.
    pub(crate) wall: i64,
    /// Accounts that all requests together need.
    pub(crate) accounts: u64,
    /// Figures of each limit in each epoch.
    pub(crate) epochs: Vec<Vec<Figures>>,
}

impl Policies {
    pub(crate) fn drawn(seed: u64, epochs: usize) -> Self {
        let mut chance = Chance::new(seed, 1);
        let limits: Vec<Limit> = (0..1 + chance.below(5))
            .map(|_| Limit::drawn(&mut chance))
            .collect();
        let first: Vec<Figures> = limits
            .iter()
            .map(|limit| Figures::drawn(limit, &mut chance))
            .collect();
        let mut all = vec![first];
        while all.len() < epochs {
            let next =
                limits
                    .iter()
                    .zip(&all[all.len() - 1])
                    .map(|(limit, old)| match chance.below(3) {
                        0 => Figures::drawn(limit, &mut chance),
                        _ => *old,
                    });
            let next = next.collect();
            all.push(next);
        }
        let accounts: u64 = limits.iter().map(Limit::accounts_max).sum();
        Self {
            accounts,
            max_accounts: if chance.once_in(3) {
                accounts.div_ceil(2)
            } else {
                accounts
            },
            wall: chance.one_of(&BEGINNINGS) * 1_000_000_000
                + i64::try_from(chance.below(DAY)).unwrap_or(0),
            limits,
            epochs: all,
        }
    }

    /// The same with room for all accounts. Which one is evicted where there is less is the choice of a map whose order is
    /// another in each process, so that one caller would not hear the same again.
    pub(crate) fn roomy(&self) -> Self {
        Self {
            max_accounts: self.accounts,
            ..self.clone()
        }
    }

    pub(crate) fn toml(&self, epoch: usize) -> String {
        let mut text = format!("max_accounts = {}\n\n", self.max_accounts);
        for (place, (limit, figures)) in self.limits.iter().zip(&self.epochs[epoch]).enumerate() {
            limit.write(place, figures, &mut text);
        }
        for (name, percent) in CLASSES {
            let _ = write!(
                text,
                "[[priority]]\nname = \"{name}\"\nshare = 0.{percent:02}\n\n"
            );
        }
        text
    }

    /// The figures that the account of `agent` has under `limit`.
    pub(crate) fn figures(&self, epoch: usize, limit: usize, agent: usize) -> Figures {
        let figures = self.epochs[epoch][limit];
        match figures.of_first {
            Some(max) if self.limits[limit].by_agent && agent == 0 => Figures {
                max,
                capacity: max,
                ..figures
            },
            _ => figures,
        }
    }
}

impl Figures {
    fn drawn(limit: &Limit, chance: &mut Chance) -> Self {
        let scale = if limit.unit == Unit::Requests { 12 } else { 60 };
        let mut max = || match chance.below(6) {
            0 => 1 + chance.below(2),
            1 => 1 + chance.below(scale * 20),
            _ => 1 + chance.below(scale),
        };
        let (whole, capacity, of_first) = (max(), max(), max());
        Self {
            max: whole,
            capacity,
            of_first: chance.once_in(3).then_some(of_first),
        }
    }
}

impl Limit {
    fn drawn(chance: &mut Chance) -> Self {
        let period = chance.one_of(&[
            Calendar::Day,
            Calendar::Day,
            Calendar::Week,
            Calendar::Month,
        ]);
        let (slots, zone) = (1 + chance.below(12), chance.one_of(&ZONES));
        let algorithm = match chance.below(12) {
            0..4 => Algorithm::Gcra,
            4 | 5 => Algorithm::Window { slots },
            6 => Algorithm::Log,
            7 => Algorithm::Fixed,
            8 | 9 => Algorithm::Calendar { period, zone },
            10 => Algorithm::Lifetime,
            _ => Algorithm::Concurrency,
        };
        let unit = chance.one_of(&[Unit::Requests, Unit::Tokens, Unit::Input]);
        Self {
            unit: if algorithm == Algorithm::Concurrency {
                Unit::Requests
            } else {
                unit
            },
            algorithm,
            per_ms: match chance.below(3) {
                0 => chance.one_of(&[1_000, 60_000, 3_600_000]),
                _ => 500 + chance.below(90_000),
            },
            by_agent: chance.once_in(2),
            by_model: chance.once_in(3),
            first_model_only: chance.once_in(4),
            shadow: chance.once_in(9),
            releases: chance.once_in(2),
        }
    }

    pub(crate) fn per(&self) -> u64 {
        self.per_ms * 1_000_000
    }

    pub(crate) fn applies(&self, model: usize) -> bool {
        !self.first_model_only || model == 0
    }

    /// The account of a request, as a number.
    pub(crate) fn account(&self, agent: usize, model: usize) -> usize {
        let agent = if self.by_agent { agent } else { AGENTS };
        let model = if self.by_model { model } else { MODELS };
        agent * (MODELS + 1) + model
    }

    fn accounts_max(&self) -> u64 {
        let agents = if self.by_agent { AGENTS } else { 1 };
        let models = if self.by_model { MODELS } else { 1 };
        (agents * models) as u64
    }

    pub(crate) fn cost(&self, input: u64, output: u64) -> u64 {
        match self.unit {
            Unit::Requests => 1,
            Unit::Tokens => input + output,
            Unit::Input => input,
        }
    }

    fn write(&self, place: usize, figures: &Figures, text: &mut String) {
        let unit = match self.unit {
            Unit::Requests => "requests",
            Unit::Tokens => "tokens",
            Unit::Input => "input_tokens",
        };
        let scopes = [(self.by_agent, "\"agent\""), (self.by_model, "\"model\"")];
        let scopes: Vec<&str> = scopes
            .iter()
            .filter(|(is, _)| *is)
            .map(|(_, name)| *name)
            .collect();
        let (max, capacity, per) = (figures.max, figures.capacity, self.per_ms);
        let per = format!("per = \"{per}ms\"");
        let algorithm = match self.algorithm {
            Algorithm::Gcra => format!("{per}\nalgorithm = \"gcra\"\ncapacity = {capacity}"),
            Algorithm::Window { slots } => {
                format!("{per}\nalgorithm = \"window\"\nslots = {slots}")
            }
            Algorithm::Log => format!("{per}\nalgorithm = \"log\""),
            Algorithm::Fixed => format!("{per}\nalgorithm = \"fixed\""),
            Algorithm::Calendar { period, zone } => {
                let per = match period {
                    Calendar::Day => "day",
                    Calendar::Week => "week",
                    Calendar::Month => "month",
                };
                format!("per = \"{per}\"\nalgorithm = \"calendar\"\nzone = \"{zone}\"")
            }
            Algorithm::Lifetime => "algorithm = \"lifetime\"".to_owned(),
            Algorithm::Concurrency => "algorithm = \"concurrency\"".to_owned(),
        };
        let _ = write!(
            text,
            "[[limit]]\nname = \"{place}\"\nunit = \"{unit}\"\nmax = {max}\nby = [{}]\n{algorithm}\n",
            scopes.join(", ")
        );
        if self.algorithm != Algorithm::Concurrency {
            let _ = writeln!(
                text,
                "on_drop = \"{}\"",
                if self.releases { "release" } else { "keep" }
            );
        }
        if self.first_model_only {
            text.push_str("when = { model = \"m0\" }\n");
        }
        if self.shadow {
            text.push_str("mode = \"shadow\"\n");
        }
        if let (Some(max), true) = (figures.of_first, self.by_agent) {
            let _ = write!(
                text,
                "\n[[override]]\nlimit = \"{place}\"\nwhere = {{ agent = \"a0\" }}\nmax = {max}\n"
            );
            if self.algorithm == Algorithm::Gcra {
                let _ = writeln!(text, "capacity = {max}");
            }
        }
        text.push('\n');
    }

    /// The periods of a fixed window or a calendar, over the first `days` of the clock.
    pub(crate) fn periods(&self, wall: i64, days: u64) -> Periods {
        let Algorithm::Calendar { period, zone } = self.algorithm else {
            let phase = u64::try_from(wall).unwrap_or(0) % self.per();
            return Periods::every(self.per(), phase);
        };
        let zone = TimeZone::get(zone).expect("a zone of the list");
        let begin = Timestamp::from_nanosecond(wall.into()).expect("a time of our day");
        let mut date = begin.to_zoned(zone.clone()).date();
        let mut bounds = Vec::new();
        for _ in 0..days {
            date = date.saturating_add(1.day());
            let begins = match period {
                Calendar::Day => true,
                Calendar::Week => date.weekday() == Weekday::Monday,
                Calendar::Month => date.day() == 1,
            };
            if begins {
                // The first instant of the date; a date that a zone skips begins where the next one does.
                let midnight = zone.to_ambiguous_zoned(date.at(0, 0, 0, 0));
                let start = midnight
                    .compatible()
                    .and_then(|zoned| zoned.start_of_day())
                    .expect("a date of our day");
                let at = start.timestamp().as_nanosecond() - i128::from(wall);
                bounds.extend(u64::try_from(at));
            }
        }
        Periods::between(bounds)
    }
}
