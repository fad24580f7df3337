//! Workloads, each with a row for every implementation that fits. Names read axis by axis.

mod floor;
mod gate;
mod keyed;
mod one_limit;
mod row;
mod scale;
mod window;

pub use row::{Group, Outcome, Row};
pub use scale::Scale;

use crate::{Entry, Role, Subject, Terms, keys::Key};
use std::{fmt, time::Duration};

/// Everybody with one limit.
#[must_use]
pub fn one_limit_entries() -> Vec<Entry<()>> {
    one_limit::entries()
}

/// Everybody with keys of 64 bits.
#[must_use]
pub fn u64_entries() -> Vec<Entry<u64>> {
    keyed::entries_u64()
}

/// Everybody with text for keys.
#[must_use]
pub fn text_entries() -> Vec<Entry<String>> {
    keyed::entries_text()
}

/// A limiter that was asked once for each of `keys` keys.
///
/// # Errors
/// What the limiter cannot represent, or that it took longer than `patience`.
pub fn filled<K: Key>(
    entry: &Entry<K>,
    keys: usize,
    patience: Duration,
) -> Result<Box<dyn Subject<K>>, String> {
    Ok(keyed::fill(entry, &Terms::live(keys, 1), patience)?.subject)
}

/// Our table and those with whom it is compared above all, each filled with `keys` keys when it is its turn.
pub fn filled_for_tails(
    keys: usize,
    patience: Duration,
) -> impl Iterator<Item = (&'static str, Role, Box<dyn Subject<u64>>)> {
    let wanted = |entry: &Entry<u64>| {
        entry.name == keyed::AGAINST
            || entry.role == Role::Floor
            || (entry.role == Role::Ours && entry.batches)
    };
    u64_entries()
        .into_iter()
        .filter(wanted)
        .filter_map(move |entry| {
            let subject = filled(&entry, keys, patience).ok()?;
            Some((entry.name, entry.role, subject))
        })
}

type Build = dyn FnOnce(&Scale) -> Vec<Group>;

/// Groups that share what is expensive to build: built together, measured, dropped.
pub struct Stage {
    /// What its groups' names begin with.
    pub name: String,
    build: Box<Build>,
}

impl Stage {
    fn new(name: impl Into<String>, build: impl FnOnce(&Scale) -> Vec<Group> + 'static) -> Self {
        Self {
            name: name.into(),
            build: Box::new(build),
        }
    }

    /// Builds everything that is measured.
    #[must_use]
    pub fn build(self, scale: &Scale) -> Vec<Group> {
        (self.build)(scale)
    }
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stage").field(&self.name).finish()
    }
}

/// All stages, in the order of the report.
#[must_use]
pub fn stages(scale: &Scale) -> Vec<Stage> {
    let mut stages = vec![
        Stage::new("floor", floor::groups),
        Stage::new("one_limit", one_limit::groups),
        Stage::new("window", window::groups),
        Stage::new("gate", gate::groups),
    ];
    for keys in scale.sizes.clone() {
        stages.push(keyed_stage::<u64>(keys, keyed::entries_u64));
        stages.push(keyed_stage::<String>(keys, keyed::entries_text));
    }
    stages
}

fn keyed_stage<K: Key>(keys: usize, entries: fn() -> Vec<Entry<K>>) -> Stage {
    Stage::new(keyed::prefix::<K>(keys), move |scale| {
        keyed::groups(scale, keys, &entries())
    })
}
