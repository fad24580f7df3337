//! Tables with their places.

use toml::de::DeTable;

use super::item::Item;
use super::mistakes::{Mistakes, Read};
use super::words::{did_you_mean, quoted};

/// A table whose keys are all known.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    /// What a message calls it.
    name: &'static str,
    /// Where its header stands.
    pub(super) at: usize,
    items: Vec<Item<'a>>,
}

impl<'a> Fields<'a> {
    /// Takes the keys of `table` that are among `known`, and tells the others.
    pub(super) fn of(
        name: &'static str,
        at: usize,
        table: &'a DeTable<'a>,
        known: &[&'static str],
        mistakes: &mut Mistakes,
    ) -> Self {
        let mut items = Item::all(table);
        items.retain(|item| {
            let is_known = known.contains(&item.key);
            if !is_known {
                let remedy = if item.key == super::MAX_ACCOUNTS {
                    "put it at the top of the file, above every table".into()
                } else {
                    did_you_mean(item.key, known, "`", "known keys are", mistakes)
                };
                mistakes.tell(
                    item.key_at,
                    format!("unknown key {} in {name}", quoted(item.key, '`')),
                    remedy,
                );
            }
            is_known
        });
        Self { name, at, items }
    }

    pub(super) fn items(&self) -> &[Item<'a>] {
        &self.items
    }

    pub(super) fn get(&self, key: &str) -> Option<Item<'a>> {
        self.items.iter().copied().find(|item| item.key == key)
    }

    /// The reading of the value of `key`, or the mistake that it is missing.
    pub(super) fn required<T>(
        &self,
        key: &str,
        remedy: &str,
        mistakes: &mut Mistakes,
        read: impl FnOnce(Item<'a>, &mut Mistakes) -> Read<T>,
    ) -> Read<T> {
        match self.optional(key, mistakes, read)? {
            Some(value) => Ok(value),
            None => Err(mistakes.tell(self.at, format!("{} has no `{key}`", self.name), remedy)),
        }
    }

    /// The reading of the value of `key`, if the table has one.
    pub(super) fn optional<T>(
        &self,
        key: &str,
        mistakes: &mut Mistakes,
        read: impl FnOnce(Item<'a>, &mut Mistakes) -> Read<T>,
    ) -> Read<Option<T>> {
        match self.get(key) {
            Some(item) => read(item, mistakes).map(Some),
            // The key may have stood in a line whose syntax is broken.
            None => mistakes.damaged(self.at).map(|()| None),
        }
    }
}
