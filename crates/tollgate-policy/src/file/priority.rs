//! Reads `[[priority]]`.

use std::collections::HashSet;

use toml::de::DeTable;

use super::item::Item;
use super::mistakes::{Mistakes, Read};
use super::rule::PriorityRule;
use super::table::Fields;
use super::words::quoted;

const KEYS: [&str; 2] = ["name", "share"];

/// `names` are those of the classes before it.
pub(super) fn read<'a>(
    at: usize,
    table: &'a DeTable<'a>,
    names: &mut HashSet<&'a str>,
    mistakes: &mut Mistakes,
) -> Read<PriorityRule> {
    let fields = Fields::of("[[priority]]", at, table, &KEYS, mistakes);
    let remedy = "add the name of the class, such as name = \"batch\"";
    let name = fields.required("name", remedy, mistakes, |item, mistakes| {
        unused(item, names, mistakes)
    });
    let remedy = "add the part of every capacity that the class may use, such as share = 0.5";
    let share = fields.required("share", remedy, mistakes, Item::share);
    Ok(PriorityRule {
        name: name?.to_owned(),
        share: share?,
    })
}

fn unused<'a>(
    item: Item<'a>,
    names: &mut HashSet<&'a str>,
    mistakes: &mut Mistakes,
) -> Read<&'a str> {
    let name = item.non_empty("write the name of the class, such as \"batch\"", mistakes)?;
    if names.insert(name) {
        return Ok(name);
    }
    let message = format!("a second priority named {}", quoted(name, '"'));
    Err(mistakes.tell(item.at, message, "keep one of them"))
}
