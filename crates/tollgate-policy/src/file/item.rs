//! Single values with their places, and the readings they can be given.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::mistakes::{Mistakes, Read, Reported};
use super::words::{clipped, did_you_mean, listed, names_of, quoted};

/// A value under the key it stands under.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item<'a> {
    pub(super) key: &'a str,
    /// Where the key stands.
    pub(super) key_at: usize,
    /// Where the value stands.
    pub(super) at: usize,
    /// Whether it is one of several under that key.
    element: bool,
    pub(super) value: &'a DeValue<'a>,
}

impl<'a> Item<'a> {
    /// The entries of a table by where they stand, whatever order the map keeps.
    pub(super) fn all(table: &'a DeTable<'a>) -> Vec<Self> {
        let mut items: Vec<_> = table
            .iter()
            .map(|(key, value)| Self {
                key: key.get_ref(),
                key_at: key.span().start,
                at: value.span().start,
                element: false,
                value: value.get_ref(),
            })
            .collect();
        items.sort_by_key(|item| item.key_at);
        items
    }

    pub(super) fn string(self, remedy: &str, mistakes: &mut Mistakes) -> Read<&'a str> {
        match self.value {
            DeValue::String(text) => Ok(text),
            _ => Err(self.wrong("text in quotes", remedy, mistakes)),
        }
    }

    pub(super) fn boolean(self, mistakes: &mut Mistakes) -> Read<bool> {
        match self.value {
            DeValue::Boolean(value) => Ok(*value),
            _ => Err(self.wrong("true or false", "write it without quotes", mistakes)),
        }
    }

    pub(super) fn non_empty(self, remedy: &str, mistakes: &mut Mistakes) -> Read<&'a str> {
        match self.string(remedy, mistakes)? {
            "" => Err(mistakes.tell(self.at, format!("{} is empty", self.label()), remedy)),
            text => Ok(text),
        }
    }

    /// Tells a key that is to name a scope and is empty.
    pub(super) fn check_scope(self, mistakes: &mut Mistakes) -> Read<()> {
        if self.key.is_empty() {
            let remedy = "write the name of a scope, such as agent";
            return Err(mistakes.tell(self.key_at, "the name of a scope is empty", remedy));
        }
        Ok(())
    }

    /// One of the words in `names`.
    pub(super) fn choice<T: Copy>(
        self,
        names: &[(&'static str, T)],
        mistakes: &mut Mistakes,
    ) -> Read<T> {
        let words = names_of(names);
        let DeValue::String(text) = self.value else {
            let remedy = format!("it is one of {}", listed(&words, "\"", "and"));
            return Err(self.wrong("text in quotes", &remedy, mistakes));
        };
        match names.iter().find(|(name, _)| name == text) {
            Some((_, value)) => Ok(*value),
            None => {
                let remedy = did_you_mean(text, &words, "\"", "it is one of", mistakes);
                Err(mistakes.tell(
                    self.at,
                    format!("unknown `{}` {}", self.key, quoted(text, '"')),
                    remedy,
                ))
            }
        }
    }

    /// The elements of an array, at most `max` of them.
    pub(super) fn elements(
        self,
        max: usize,
        remedy: &str,
        mistakes: &mut Mistakes,
    ) -> Read<Vec<Item<'a>>> {
        let DeValue::Array(array) = self.value else {
            return Err(self.wrong("an array", remedy, mistakes));
        };
        self.at_most(max, array.len(), mistakes)?;
        let elements = array.iter().map(|element| self.element(element));
        Ok(elements.collect())
    }

    fn element(self, element: &'a Spanned<DeValue<'a>>) -> Self {
        Self {
            at: element.span().start,
            element: true,
            value: element.get_ref(),
            ..self
        }
    }

    /// The entries of a table, at most `max` of them, in file order.
    pub(super) fn entries(
        self,
        max: usize,
        remedy: &str,
        mistakes: &mut Mistakes,
    ) -> Read<Vec<Item<'a>>> {
        let DeValue::Table(table) = self.value else {
            return Err(self.wrong("a table", remedy, mistakes));
        };
        self.at_most(max, table.len(), mistakes)?;
        Ok(Self::all(table))
    }

    fn at_most(self, max: usize, len: usize, mistakes: &mut Mistakes) -> Read<()> {
        if len <= max {
            return Ok(());
        }
        let message = format!("`{}` has {len} entries", self.key);
        Err(mistakes.tell(self.at, message, format!("write at most {max}")))
    }

    /// The tables of `[[key]]`, with where each begins; none after the first `max`.
    /// A single `[key]` is told and read as one of them.
    pub(super) fn tables(
        self,
        max: usize,
        mistakes: &mut Mistakes,
    ) -> Vec<(usize, &'a DeTable<'a>)> {
        let key = self.key;
        let remedy = format!("write the header [[{key}]] and its keys below it");
        let elements = match self.value {
            DeValue::Array(array) => array,
            DeValue::Table(table) => {
                let remedy = format!("write [[{key}]] in double brackets, as there may be several");
                mistakes.tell(self.at, format!("`{key}` is a single table"), remedy);
                return vec![(self.at, table)];
            }
            _ => {
                self.wrong("a list of tables", &remedy, mistakes);
                return Vec::new();
            }
        };
        let mut tables = Vec::with_capacity(elements.len().min(max));
        for (index, element) in elements.iter().enumerate() {
            let item = self.element(element);
            if index == max {
                mistakes.tell(
                    item.at,
                    format!("more than {max} [[{key}]] tables"),
                    "take some out",
                );
                break;
            }
            match element.get_ref() {
                DeValue::Table(table) => tables.push((item.at, table)),
                _ => {
                    item.wrong("a table", &remedy, mistakes);
                }
            }
        }
        tables
    }

    /// Tells that the value is of another kind than expected.
    pub(super) fn wrong(self, expected: &str, remedy: &str, mistakes: &mut Mistakes) -> Reported {
        mistakes.tell(
            self.at,
            format!(
                "{} must be {expected}, but is {}",
                self.label(),
                self.found()
            ),
            remedy,
        )
    }

    pub(super) fn out_of_range(self, remedy: &str, mistakes: &mut Mistakes) -> Reported {
        mistakes.tell(
            self.at,
            format!("{} is out of range: {}", self.label(), self.found()),
            remedy,
        )
    }

    /// What a message calls the place of the value.
    pub(super) fn label(self) -> String {
        let key = quoted(self.key, '`');
        if self.element {
            format!("an entry of {key}")
        } else {
            key
        }
    }

    /// What a message calls the value.
    pub(super) fn found(self) -> String {
        match self.value {
            DeValue::String(text) => format!("the text {}", quoted(text, '"')),
            DeValue::Integer(integer) => format!("the number {}", clipped(&integer.to_string())),
            DeValue::Float(float) => format!("the number {}", clipped(float.as_str())),
            DeValue::Boolean(value) => value.to_string(),
            DeValue::Datetime(_) => "a date or time".into(),
            DeValue::Array(_) => "an array".into(),
            DeValue::Table(_) => "a table".into(),
        }
    }
}
