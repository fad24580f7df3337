//! Reads `[[limit]]`.

use toml::de::DeTable;

use super::algorithm::{self, Kind};
use super::fit;
use super::item::Item;
use super::mistakes::{Mistakes, Read};
use super::pattern::Pattern;
use super::rule::{Algorithm, LimitRule, Mode, OnDrop, Refund, Unit};
use super::table::Fields;
use super::words::{amount_text, listed, names_of, quoted, share_text};
use tollgate_quota::threshold::{Share, Thresholds};

/// Most entries of `by` and `when`: each costs every request something.
const ENTRIES_MAX: usize = 32;

/// Thresholds of a limit that names none.
const WARN_AT_DEFAULT_PPM: [u32; 2] = [800_000, 950_000];

const KEYS: [&str; 19] = [
    "name",
    "by",
    "unit",
    "max",
    "per",
    "capacity",
    "algorithm",
    "when",
    "mode",
    "refund",
    "warn_at",
    "slots",
    "zone",
    "week_starts",
    "anchor_day",
    "initial",
    "on_drop",
    "persist",
    "lease",
];

/// The parts of a limit that what stands elsewhere is held against.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    /// Where the header stands.
    pub(super) at: usize,
    /// The name and where it stands.
    pub(super) name: Read<(&'a str, usize)>,
    pub(super) by: Read<Vec<String>>,
    pub(super) unit: Read<Unit>,
    pub(super) kind: Read<Kind>,
    pub(super) max: Read<Option<u64>>,
    pub(super) capacity: Read<Option<u64>>,
    pub(super) initial: Read<Option<u64>>,
    pub(super) algorithm: Read<Algorithm>,
    /// Whether some meter can hold the figures.
    pub(super) fits: Read<()>,
}

/// Reads all of a limit that is right, and tells all that is wrong with it.
pub(super) fn read<'a>(
    at: usize,
    table: &'a DeTable<'a>,
    mistakes: &mut Mistakes,
) -> (Draft<'a>, Read<LimitRule>) {
    let fields = &Fields::of("[[limit]]", at, table, &KEYS, mistakes);
    let name = fields.required(
        "name",
        "add a name that no other limit has",
        mistakes,
        |item, mistakes| {
            let name = item.non_empty("write a name that no other limit has", mistakes)?;
            Ok((name, item.at))
        },
    );
    let unit_remedy = format!(
        "add what is counted: unit = {}",
        listed(&names_of(&Unit::NAMES), "\"", "or")
    );
    let unit = fields.required("unit", &unit_remedy, mistakes, |item, mistakes| {
        item.choice(&Unit::NAMES, mistakes)
    });
    let kind = fields.optional("algorithm", mistakes, |item, mistakes| {
        item.choice(&Kind::NAMES, mistakes)
    });
    let initial = fields.optional("initial", mistakes, |item, mistakes| {
        item.amount(unit, mistakes)
    });
    let kind = kind.map(|kind| kind.unwrap_or(Kind::Gcra));
    let mut draft = Draft {
        at,
        name,
        by: fields
            .optional("by", mistakes, scopes)
            .map(Option::unwrap_or_default),
        unit,
        kind,
        max: fields.optional("max", mistakes, |item, mistakes| {
            item.amount(unit, mistakes)
        }),
        capacity: fields.optional("capacity", mistakes, |item, mistakes| {
            item.capacity(unit, mistakes)
        }),
        initial,
        algorithm: algorithm::read(kind, initial, fields, mistakes),
        fits: Ok(()),
    };
    draft.fits = fits(&draft, fields, mistakes);
    let rule = rule(&draft, fields, mistakes);
    (draft, rule)
}

/// The whole limit, if all of it is right.
fn rule(draft: &Draft<'_>, fields: &Fields<'_>, mistakes: &mut Mistakes) -> Read<LimitRule> {
    // Everything is read before the first mistake ends it, so that every mistake is told.
    let mode = fields.optional("mode", mistakes, |item, mistakes| {
        item.choice(&Mode::NAMES, mistakes)
    });
    let refund = fields.optional("refund", mistakes, |item, mistakes| {
        item.choice(&Refund::NAMES, mistakes)
    });
    let on_drop = fields.optional("on_drop", mistakes, |item, mistakes| {
        item.choice(&OnDrop::NAMES, mistakes)
    });
    let when = fields.optional("when", mistakes, when);
    let warn_at = fields.optional("warn_at", mistakes, warn_at);
    let persist = persist(draft, fields, mistakes);
    let coherent = coherent(draft, refund, fields, mistakes);

    coherent?;
    draft.fits?;
    let (persist, lease) = persist?;
    let keeps = if draft.kind? == Kind::Concurrency {
        OnDrop::Release
    } else {
        OnDrop::Keep
    };
    Ok(LimitRule {
        name: draft.name?.0.to_owned(),
        by: draft.by.clone()?,
        unit: draft.unit?,
        max: draft.max?,
        capacity: draft.capacity?,
        algorithm: draft.algorithm.clone()?,
        when: when?.unwrap_or_default(),
        mode: mode?.unwrap_or(Mode::Enforce),
        refund: refund?.unwrap_or(Refund::Exact),
        on_drop: on_drop?.unwrap_or(keeps),
        warn_at: warn_at?.unwrap_or_else(|| {
            WARN_AT_DEFAULT_PPM
                .into_iter()
                .flat_map(Share::ppm)
                .collect()
        }),
        persist,
        lease,
    })
}

/// Whether the limit is kept in a ledger, and how much of it is lent at once.
fn persist(
    draft: &Draft<'_>,
    fields: &Fields<'_>,
    mistakes: &mut Mistakes,
) -> Read<(bool, Option<u64>)> {
    let persist = fields.optional("persist", mistakes, Item::boolean);
    let lease = fields.optional("lease", mistakes, |item, mistakes| {
        match item.amount(draft.unit, mistakes)? {
            0 => Err(mistakes.tell(item.at, "`lease` is nothing", "write at least one unit")),
            lease => Ok(lease),
        }
    });
    let (persist, lease) = (persist?, lease?);
    let can = match draft.algorithm.as_ref().map_err(|reported| *reported)? {
        Algorithm::Calendar(_) | Algorithm::Lifetime => true,
        Algorithm::Gcra { per_ns, .. }
        | Algorithm::Fixed { per_ns }
        | Algorithm::Window { per_ns, .. }
        | Algorithm::Log { per_ns } => Algorithm::PERSIST_NS.contains(per_ns),
        Algorithm::Concurrency => false,
    };
    if let (Some(true), false, Some(item)) = (persist, can, fields.get("persist")) {
        let remedy = "remove it, or choose calendar, lifetime, or gcra, window, log or fixed with a `per` of at least \"1h\"";
        return Err(mistakes.tell(item.at, "this limit cannot be kept in a ledger", remedy));
    }
    let persist = persist.unwrap_or(can);
    if let (Some(_), false, Some(item)) = (lease, persist, fields.get("lease")) {
        let message = "`lease` is of no use to a limit that is not kept in a ledger";
        return Err(mistakes.tell(item.key_at, message, "remove it"));
    }
    Ok((persist, lease))
}

/// Tells figures that no meter can hold.
fn fits(draft: &Draft<'_>, fields: &Fields<'_>, mistakes: &mut Mistakes) -> Read<()> {
    let figures = fit::Figures {
        unit: draft.unit?,
        max: draft.max?,
        capacity: draft.capacity,
        max_item: fields.get("max"),
        capacity_item: fields.get("capacity"),
    };
    let algorithm = draft.algorithm.as_ref().map_err(|reported| *reported);
    fit::check(draft.kind?, algorithm, &figures, Ok(()), mistakes)
}

/// Tells keys that are right by themselves and wrong together.
fn coherent(
    draft: &Draft<'_>,
    refund: Read<Option<Refund>>,
    fields: &Fields<'_>,
    mistakes: &mut Mistakes,
) -> Read<()> {
    let kind = draft.kind?;
    let mut coherent = Ok(());
    for item in fields.items() {
        coherent = coherent.and(kind.check_use(*item, mistakes));
    }
    if let (Ok(Some(Refund::Eager)), Some(item)) = (refund, fields.get("refund"))
        && kind != Kind::Gcra
    {
        let remedy = "write refund = \"exact\", or choose algorithm = \"gcra\"";
        coherent = Err(mistakes.tell(
            item.at,
            format!("{} cannot refund eagerly", kind.name()),
            remedy,
        ));
    }
    let unit = draft.unit?;
    if let Some(item) = fields.get("unit")
        && kind == Kind::Concurrency
        && unit != Unit::Requests
    {
        let message = "concurrency counts open requests and nothing else";
        coherent = Err(mistakes.tell(
            item.at,
            message,
            "write unit = \"requests\", or choose another algorithm",
        ));
    }
    if let (Some(item), Kind::Gcra) = (fields.get("initial"), kind)
        && let (Some(initial), Some(capacity)) = (draft.initial?, draft.capacity?.or(draft.max?))
        && initial > capacity
    {
        let (initial, capacity) = (amount_text(unit, initial), amount_text(unit, capacity));
        let message = format!("`initial` is {initial}, above the capacity of {capacity}");
        coherent = Err(mistakes.tell(item.at, message, format!("write at most {capacity}")));
    }
    coherent
}

fn scopes(item: Item<'_>, mistakes: &mut Mistakes) -> Read<Vec<String>> {
    let mut scopes: Vec<String> = Vec::new();
    let mut whole = Ok(());
    for entry in item.elements(ENTRIES_MAX, "write by = [\"agent\"]", mistakes)? {
        match entry.non_empty("write the name of a scope, such as \"agent\"", mistakes) {
            Ok(scope) if scopes.iter().any(|other| other == scope) => {
                let message = format!("`by` names {} twice", quoted(scope, '"'));
                whole = Err(mistakes.tell(entry.at, message, "keep one of them"));
            }
            Ok(scope) => scopes.push(scope.to_owned()),
            Err(reported) => whole = Err(reported),
        }
    }
    whole.map(|()| scopes)
}

fn when(item: Item<'_>, mistakes: &mut Mistakes) -> Read<Vec<(String, Pattern)>> {
    let entries = item.entries(
        ENTRIES_MAX,
        "write when = { model = \"gpt-4o*\" }",
        mistakes,
    )?;
    let read = entries.into_iter().map(|entry| {
        let named = entry.check_scope(mistakes);
        let pattern = pattern(entry, mistakes);
        named?;
        Ok((entry.key.to_owned(), pattern?))
    });
    all(read)
}

fn pattern(item: Item<'_>, mistakes: &mut Mistakes) -> Read<Pattern> {
    let text = item.string("write one pattern, such as \"gpt-4o*\"", mistakes)?;
    text.parse().map_err(|_| {
        let message = format!("the pattern {} has a stray backslash", quoted(text, '"'));
        let remedy = r"in single quotes, write '\*' for a star and '\\' for a backslash";
        mistakes.tell(item.at, message, remedy)
    })
}

fn warn_at(item: Item<'_>, mistakes: &mut Mistakes) -> Read<Vec<Share>> {
    let mut shares: Vec<Share> = Vec::new();
    let mut whole = Ok(());
    for entry in item.elements(Thresholds::MOST, "write warn_at = [0.8, 0.95]", mistakes)? {
        match entry.share(mistakes) {
            Ok(share) if shares.contains(&share) => {
                whole = Err(mistakes.tell(
                    entry.at,
                    format!("`warn_at` has {} twice", share_text(share)),
                    "keep one of them",
                ));
            }
            Ok(share) => shares.push(share),
            Err(reported) => whole = Err(reported),
        }
    }
    shares.sort_unstable();
    whole.map(|()| shares)
}

/// All values, if all of them were read; the rest is read all the same, so that every mistake is told.
pub(super) fn all<T>(values: impl Iterator<Item = Read<T>>) -> Read<Vec<T>> {
    let values: Vec<_> = values.collect();
    values.into_iter().collect()
}
