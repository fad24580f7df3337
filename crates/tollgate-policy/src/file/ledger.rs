//! Reads `[ledger]`.

use super::item::Item;
use super::mistakes::{Mistakes, Read};
use super::period::{self, PER_DAYS_MAX, Per};
use super::rule::{Dry, Failing, LedgerRule};
use super::table::Fields;
use super::words::quoted;
use toml::de::DeValue;

const KEYS: [&str; 5] = ["path", "durability", "history", "dry", "failing"];
const WITHIN_DEFAULT_NS: u64 = 50_000_000;
const HISTORY_DEFAULT_NS: u64 = 400 * 86_400 * 1_000_000_000;
const WITHIN_MAX_NS: u64 = 60 * 1_000_000_000;

#[cfg(feature = "ledger")]
const _: () = assert!(
    WITHIN_MAX_NS as u128 == tollgate_quota::ledger::Durability::WITHIN_MAX.as_nanos(),
    "what the file allows the ledger refuses"
);

pub(super) fn read(item: Item<'_>, mistakes: &mut Mistakes) -> Read<LedgerRule> {
    let DeValue::Table(table) = item.value else {
        let remedy = "write the header [ledger] and its keys below it";
        return Err(item.wrong("a table", remedy, mistakes));
    };
    let fields = &Fields::of("[ledger]", item.at, table, &KEYS, mistakes);
    let remedy = "add where the file is, such as path = \"/var/lib/tollgate/ledger\"";
    let path = fields.required("path", remedy, mistakes, |item, mistakes| {
        item.non_empty("write where the file is", mistakes)
    });
    let within = fields.optional("durability", mistakes, durability);
    let history = fields.optional("history", mistakes, |item, mistakes| {
        let remedy = "write how long past periods are kept, such as \"400d\"";
        duration(
            item,
            item.string(remedy, mistakes)?,
            u64::MAX,
            remedy,
            mistakes,
        )
    });
    let dry = fields.optional("dry", mistakes, |item, mistakes| {
        item.choice(&Dry::NAMES, mistakes)
    });
    let failing = fields.optional("failing", mistakes, |item, mistakes| {
        item.choice(&Failing::NAMES, mistakes)
    });
    Ok(LedgerRule {
        path: path?.to_owned(),
        within_ns: within?.unwrap_or(Some(WITHIN_DEFAULT_NS)),
        history_ns: history?.unwrap_or(HISTORY_DEFAULT_NS),
        dry: dry?.unwrap_or_default(),
        failing: failing?.unwrap_or_default(),
    })
}

/// How long a change may wait; none: not at all.
fn durability(item: Item<'_>, mistakes: &mut Mistakes) -> Read<Option<u64>> {
    const REMEDY: &str =
        "write \"every commit\", or \"within 50ms\" or another time up to \"within 60s\"";
    let text = item.string(REMEDY, mistakes)?;
    if text == "every commit" {
        return Ok(None);
    }
    match text.strip_prefix("within ") {
        Some(time) => duration(item, time, WITHIN_MAX_NS, REMEDY, mistakes).map(Some),
        None => {
            let message = format!("unknown `durability` {}", quoted(text, '"'));
            Err(mistakes.tell(item.at, message, REMEDY))
        }
    }
}

fn duration(
    item: Item<'_>,
    text: &str,
    most_ns: u64,
    remedy: &str,
    mistakes: &mut Mistakes,
) -> Read<u64> {
    match period::parse(text) {
        Ok(Per::Duration(ns)) if ns <= most_ns => Ok(ns),
        Err(period::Fault::TooLong) if most_ns == u64::MAX => {
            let message = format!("`{}` is {}, which is too long", item.key, quoted(text, '"'));
            Err(mistakes.tell(
                item.at,
                message,
                format!("write at most \"{PER_DAYS_MAX}d\""),
            ))
        }
        _ => {
            let message = format!("`{}` has no such time: {}", item.key, quoted(text, '"'));
            Err(mistakes.tell(item.at, message, remedy))
        }
    }
}
