//! Reads the algorithm of a limit with its settings, and knows which keys each algorithm uses.

use super::calendar;
use super::item::Item;
use super::mistakes::{Mistakes, Read};
use super::period::{self, PER_DAYS_MAX, Per};
use super::rule::Algorithm;
use super::table::Fields;
use super::words::{listed, quoted};
use std::time::Duration;
use tollgate_window::{SlottedRing, WindowError};

const SLOTS_DEFAULT: u32 = 60;

/// An algorithm before its settings are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Gcra,
    Window,
    Log,
    Fixed,
    Calendar,
    Lifetime,
    Concurrency,
}

impl Kind {
    pub(super) const NAMES: [(&'static str, Self); 7] = [
        ("gcra", Self::Gcra),
        ("window", Self::Window),
        ("log", Self::Log),
        ("fixed", Self::Fixed),
        ("calendar", Self::Calendar),
        ("lifetime", Self::Lifetime),
        ("concurrency", Self::Concurrency),
    ];

    pub(super) fn name(self) -> &'static str {
        // The names stand in the order of the variants.
        Self::NAMES[self as usize].0
    }

    /// Whether limits of this algorithm have a use for `key`.
    fn uses(self, key: &str) -> bool {
        match key {
            "capacity" | "initial" => self == Self::Gcra,
            "slots" => self == Self::Window,
            "zone" | "week_starts" | "anchor_day" => self == Self::Calendar,
            "per" => !matches!(self, Self::Lifetime | Self::Concurrency),
            "on_drop" => self != Self::Concurrency,
            _ => true,
        }
    }

    /// Tells `item` if this algorithm does not use its key.
    pub(super) fn check_use(self, item: Item<'_>, mistakes: &mut Mistakes) -> Read<()> {
        if self.uses(item.key) {
            return Ok(());
        }
        let message = format!("{} does not use `{}`", self.name(), item.key);
        let remedy = if item.key == "on_drop" {
            "remove it: a dropped request is no longer open, so it is always released".to_owned()
        } else {
            let users = Self::NAMES.iter().filter(|(_, kind)| kind.uses(item.key));
            let users: Vec<_> = users.map(|(name, _)| *name).collect();
            format!(
                "remove it, or choose an algorithm that does: {}",
                listed(&users, "", "or")
            )
        };
        Err(mistakes.tell(item.key_at, message, remedy))
    }
}

/// The algorithm with its settings; those that it does not use are read as well, since each may be wrong in itself.
pub(super) fn read(
    kind: Read<Kind>,
    initial: Read<Option<u64>>,
    fields: &Fields<'_>,
    mistakes: &mut Mistakes,
) -> Read<Algorithm> {
    let per = fields.optional("per", mistakes, per);
    let slots = fields.optional("slots", mistakes, |item, mistakes| {
        item.whole(1..=SlottedRing::MAX_SLOTS, mistakes)
    });
    let calendar = calendar::Settings::read(fields, mistakes);
    match kind? {
        Kind::Gcra => Ok(Algorithm::Gcra {
            per_ns: duration(kind?, per, fields, mistakes)?,
            initial: initial?,
        }),
        Kind::Window => {
            let per_ns = duration(kind?, per, fields, mistakes)?;
            let slots = slots?.unwrap_or(SLOTS_DEFAULT);
            check_slots(per_ns, slots, fields, mistakes)?;
            Ok(Algorithm::Window { per_ns, slots })
        }
        Kind::Log => Ok(Algorithm::Log {
            per_ns: duration(kind?, per, fields, mistakes)?,
        }),
        Kind::Fixed => Ok(Algorithm::Fixed {
            per_ns: duration(kind?, per, fields, mistakes)?,
        }),
        Kind::Calendar => calendar
            .rule(per, fields, mistakes)
            .map(Algorithm::Calendar),
        Kind::Lifetime => Ok(Algorithm::Lifetime),
        Kind::Concurrency => Ok(Algorithm::Concurrency),
    }
}

fn per(item: Item<'_>, mistakes: &mut Mistakes) -> Read<(Per, usize)> {
    const REMEDY: &str = "write a whole number with ms, s, m, h or d, such as \"250ms\" or \"1h\", \
                          or for a calendar \"hour\", \"day\", \"week\", \"month\" or \"year\"";
    let text = item.string(REMEDY, mistakes)?;
    match period::parse(text) {
        Ok(per) => Ok((per, item.at)),
        Err(fault) => {
            let text = quoted(text, '"');
            let (message, remedy) = match fault {
                period::Fault::Zero => (
                    format!("`per` is {text}, which is no time"),
                    "write at least \"1ms\"".into(),
                ),
                period::Fault::TooLong => (
                    format!("`per` is {text}, which is too long"),
                    format!("write at most \"{PER_DAYS_MAX}d\""),
                ),
                period::Fault::NoPeriod => (format!("`per` is no period: {text}"), REMEDY.into()),
            };
            Err(mistakes.tell(item.at, message, remedy))
        }
    }
}

/// Tells slots that are too short to be numbered.
fn check_slots(per_ns: u64, slots: u32, fields: &Fields<'_>, mistakes: &mut Mistakes) -> Read<()> {
    let fits = |slots| SlottedRing::with_clock(1, Duration::from_nanos(per_ns), slots, ());
    let Err(misfit) = fits(slots) else {
        return Ok(());
    };
    let (mut most, mut too_many) = (0, slots);
    while too_many - most > 1 {
        let middle = most.midpoint(too_many);
        match fits(middle) {
            Ok(_) => most = middle,
            Err(_) => too_many = middle,
        }
    }
    let longer = match misfit {
        WindowError::SlotsTooShort { shortest, .. } => {
            format!(
                ", or write a `per` of at least \"{}ms\"",
                shortest.as_nanos().div_ceil(1_000_000)
            )
        }
        _ => String::new(),
    };
    Err(match (fields.get("slots"), fields.get("per")) {
        (Some(item), _) => mistakes.tell(
            item.at,
            format!("`slots` is {slots}, too many for this `per`: each would be too short to be numbered"),
            format!("write at most {most}{longer}"),
        ),
        (None, per) => mistakes.tell(
            per.map_or(fields.at, |item| item.at),
            format!("`per` is too short for {slots} slots, the default"),
            format!("add `slots` of at most {most}{longer}"),
        ),
    })
}

/// The duration that `per` must be for algorithms that know no calendar.
fn duration(
    kind: Kind,
    per: Read<Option<(Per, usize)>>,
    fields: &Fields<'_>,
    mistakes: &mut Mistakes,
) -> Read<u64> {
    let name = kind.name();
    match per? {
        Some((Per::Duration(ns), _)) => Ok(ns),
        Some((Per::Calendar(_), at)) => {
            let message = format!("`per` is a period of the calendar, but {name} needs a duration");
            let remedy =
                "write a duration such as \"1h\" or \"30d\", or choose algorithm = \"calendar\"";
            Err(mistakes.tell(at, message, remedy))
        }
        None => {
            let message = format!("[[limit]] has no `per`, which {name} needs");
            Err(mistakes.tell(
                fields.at,
                message,
                "add the duration in which `max` may pass, such as per = \"1m\"",
            ))
        }
    }
}
