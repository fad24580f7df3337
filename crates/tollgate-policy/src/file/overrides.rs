//! Reads `[[override]]`, and holds it against the limit that it names.

use std::collections::HashMap;

use toml::de::DeTable;

use super::algorithm::Kind;
use super::fit;
use super::item::Item;
use super::limit::{Draft, all};
use super::mistakes::{Mistakes, Read};
use super::rule::{Mode, OverrideRule};
use super::table::Fields;
use super::words::{amount_text, listed, quoted};

const KEYS: [&str; 5] = ["limit", "where", "max", "capacity", "mode"];

/// Most entries of `where`.
const ENTRIES_MAX: usize = 32;

/// The limits of the file, and the first of each name.
pub(super) struct Limits<'d, 'a> {
    pub(super) drafts: &'d [Draft<'a>],
    pub(super) by_name: &'d HashMap<&'a str, usize>,
    /// For each limit, whether some override gives it a maximum.
    pub(super) given_max: Vec<bool>,
}

pub(super) fn read<'a>(
    at: usize,
    table: &'a DeTable<'a>,
    limits: &mut Limits<'_, 'a>,
    mistakes: &mut Mistakes,
) -> Read<OverrideRule> {
    let fields = &Fields::of("[[override]]", at, table, &KEYS, mistakes);
    let index = fields.required(
        "limit",
        "add the name of the limit to override",
        mistakes,
        |item, mistakes| find(item, limits, mistakes),
    );
    let draft = index.map(|index| &limits.drafts[index]);
    let unit = draft.and_then(|draft| draft.unit);
    let max = fields.optional("max", mistakes, |item, mistakes| {
        item.amount(unit, mistakes)
    });
    let capacity = fields.optional("capacity", mistakes, |item, mistakes| {
        item.capacity(unit, mistakes)
    });
    let mode = fields.optional("mode", mistakes, |item, mistakes| {
        item.choice(&Mode::NAMES, mistakes)
    });
    let remedy = "add the scopes it is for, such as where = { agent = \"a-1\" }";
    let where_ = fields.required("where", remedy, mistakes, |item, mistakes| {
        scopes(item, draft, mistakes)
    });
    if let (Ok(index), Some(_)) = (index, fields.get("max")) {
        limits.given_max[index] = true;
    }
    let coherent = coherent(draft, max, capacity, fields, mistakes);

    coherent?;
    let (max, capacity, mode) = (max?, capacity?, mode?);
    if (max, capacity, mode) == (None, None, None) {
        return Err(mistakes.tell(
            at,
            "[[override]] changes nothing",
            "add `max`, `capacity` or `mode`",
        ));
    }
    Ok(OverrideRule {
        limit: index?,
        where_: where_?,
        max,
        capacity,
        mode,
    })
}

fn find(item: Item<'_>, limits: &Limits<'_, '_>, mistakes: &mut Mistakes) -> Read<usize> {
    let name = item.string("write the name of the limit to override", mistakes)?;
    if let Some(index) = limits.by_name.get(name) {
        return Ok(*index);
    }
    // The limit may be one whose syntax is broken.
    mistakes.any_damaged()?;
    let names = limits
        .drafts
        .iter()
        .filter_map(|draft| draft.name.ok())
        .map(|(name, _)| name);
    let remedy = match mistakes.nearest(name, names) {
        Some(nearest) => format!("did you mean {}?", quoted(nearest, '"')),
        None => "write the name of a [[limit]] of this file".into(),
    };
    Err(mistakes.tell(
        item.at,
        format!("no limit is named {}", quoted(name, '"')),
        remedy,
    ))
}

fn scopes(
    item: Item<'_>,
    draft: Read<&Draft<'_>>,
    mistakes: &mut Mistakes,
) -> Read<Vec<(String, String)>> {
    let entries = item.entries(ENTRIES_MAX, "write where = { agent = \"a-1\" }", mistakes)?;
    if entries.is_empty() {
        let remedy = "name a scope and its value, such as where = { agent = \"a-1\" }";
        return Err(mistakes.tell(item.at, "`where` is empty", remedy));
    }
    let by = draft.and_then(|draft| draft.by.as_deref().map_err(|reported| *reported));
    all(entries.into_iter().map(|entry| {
        let named = entry.check_scope(mistakes);
        let value = entry.string("write the value of the scope in quotes", mistakes);
        named?;
        if let Ok(by) = by
            && !by.iter().any(|scope| scope == entry.key)
        {
            let remedy = match by {
                [] => {
                    "remove the override and change the limit itself, which has one account for all"
                        .into()
                }
                by => {
                    let by: Vec<_> = by.iter().map(|scope| quoted(scope, '`')).collect();
                    format!("its scopes are {}", listed(&by, "", "and"))
                }
            };
            let message = format!("the limit is not by {}", quoted(entry.key, '`'));
            return Err(mistakes.tell(entry.key_at, message, remedy));
        }
        Ok((entry.key.to_owned(), value?.to_owned()))
    }))
}

/// A figure of the override, or if it has none that of the limit.
fn own_or(own: Read<Option<u64>>, limits: Read<Option<u64>>) -> Read<Option<u64>> {
    match own? {
        Some(own) => Ok(Some(own)),
        None => limits,
    }
}

/// Tells figures that the limit cannot have.
fn coherent(
    draft: Read<&Draft<'_>>,
    max: Read<Option<u64>>,
    capacity: Read<Option<u64>>,
    fields: &Fields<'_>,
    mistakes: &mut Mistakes,
) -> Read<()> {
    let draft = draft?;
    let (kind, unit) = (draft.kind?, draft.unit?);
    let mut coherent = Ok(());
    if let Some(item) = fields.get("capacity") {
        coherent = coherent.and(kind.check_use(item, mistakes));
    }
    let figures = fit::Figures {
        unit,
        max: own_or(max, draft.max)?,
        capacity: own_or(capacity, draft.capacity),
        max_item: fields.get("max"),
        capacity_item: fields.get("capacity"),
    };
    let algorithm = draft.algorithm.as_ref().map_err(|reported| *reported);
    coherent = coherent.and(fit::check(kind, algorithm, &figures, draft.fits, mistakes));
    let in_force = figures.capacity?.or(figures.max);
    if let (Some(item), Kind::Gcra) = (fields.get("capacity").or(fields.get("max")), kind)
        && let (Some(initial), Some(capacity)) = (draft.initial?, in_force)
        && initial > capacity
    {
        let (initial, capacity) = (amount_text(unit, initial), amount_text(unit, capacity));
        let message =
            format!("a capacity of {capacity} is below `initial` of the limit, which is {initial}");
        coherent = Err(mistakes.tell(
            item.at,
            message,
            format!("write at least {initial}, or make `initial` smaller"),
        ));
    }
    coherent
}
