//! Limits by key.

use super::{Group, Outcome, Row, Scale};
use crate::{
    Entry, Mode, Role, Sample, Shot, Subject, Terms,
    floors::Footprint,
    keys::{Key, Spread},
};
use std::{
    rc::Rc,
    time::{Duration, Instant},
};

/// The row with which everybody is compared.
pub(super) const AGAINST: &str = if cfg!(feature = "peers") {
    "governor_dashmap"
} else {
    "tollgate_table"
};
/// The most keys that are made beforehand to be asked for.
const MADE_MAX: usize = 4_000_000;

/// Everybody with keys of 64 bits.
pub(super) fn entries_u64() -> Vec<Entry<u64>> {
    let mut entries = vec![
        Entry::new("floor_exchange", Role::Floor, |terms| {
            // As many words as a table of two-word slots has at 60 % load, whose second word is in the same line.
            Ok(Box::new(Footprint::new(terms.keys * 16 * 10 / 6)))
        })
        .with_batches(),
    ];
    entries.extend(everybody());
    entries
}

/// Everybody with text for keys.
pub(super) fn entries_text() -> Vec<Entry<String>> {
    #[cfg_attr(not(feature = "peers"), expect(unused_mut, reason = "no peers to add"))]
    let mut entries = everybody();
    #[cfg(feature = "peers")]
    entries.extend(crate::peers::keyed_by_text());
    entries
}

fn everybody<K: Key>() -> Vec<Entry<K>> {
    #[cfg_attr(not(feature = "peers"), expect(unused_mut, reason = "no peers to add"))]
    let mut entries = crate::ours::keyed();
    #[cfg(feature = "peers")]
    entries.extend(crate::peers::keyed());
    entries
}

/// What the names of groups with so many keys begin with.
pub(super) fn prefix<K: Key>(keys: usize) -> String {
    let size = match keys {
        1_000_000.. => format!("{}m", keys / 1_000_000),
        1_000.. => format!("{}k", keys / 1_000),
        _ => keys.to_string(),
    };
    format!("keyed/{}_{size}", K::NAME)
}

/// One that was asked once for each key, so that each is there.
pub(super) struct Filled<K> {
    name: &'static str,
    role: Role,
    batches: bool,
    pub(super) subject: Box<dyn Subject<K>>,
    wrong: Option<String>,
}

/// A table of fixed memory may leave one key in so many without a slot, and says so; that is no wrong answer.
const KEYS_WITHOUT_SLOT: usize = 100_000;
/// How many keys are asked for between two looks at the clock.
const LOOK: usize = 1_000;

/// Builds it and asks once for each key.
///
/// # Errors
/// What the terms hold that it cannot represent, or that it took longer than `patience`.
pub(super) fn fill<K: Key>(
    entry: &Entry<K>,
    terms: &Terms,
    patience: Duration,
) -> Result<Filled<K>, String> {
    let subject = (entry.build)(terms)?;
    let (start, mut allowed) = (Instant::now(), 0);
    // Targets compare with this one: it gets the time it needs.
    let patience = if entry.name == AGAINST {
        Duration::MAX
    } else {
        patience
    };
    for first in (0..terms.keys).step_by(LOOK) {
        if start.elapsed() > patience {
            return Err(format!(
                "took {first} of {} keys in {patience:?}",
                terms.keys
            ));
        }
        let piece = first as u64..terms.keys.min(first + LOOK) as u64;
        allowed += piece
            .filter(|number| subject.ask_once(&K::numbered(*number)))
            .count();
    }
    let wrong = ((terms.keys - allowed) * KEYS_WITHOUT_SLOT > terms.keys)
        .then(|| format!("allowed the first unit of {allowed} of {} keys", terms.keys));
    Ok(Filled {
        name: entry.name,
        role: entry.role,
        batches: entry.batches,
        subject,
        wrong,
    })
}

/// One workload on what is filled.
#[derive(Clone, Copy)]
struct Ask {
    spread: Spread,
    mode: Mode,
    threads: usize,
    allowed: bool,
}

impl Ask {
    fn name(self, prefix: &str) -> String {
        let spread = self.spread.name();
        let answer = if self.allowed { "allowed" } else { "denied" };
        let mode = match self.mode {
            Mode::Single => "single".to_owned(),
            Mode::Batch(size) => format!("batch_{size}"),
            Mode::Prefetch(ahead) => format!("prefetch_{ahead}"),
        };
        format!("{prefix}/{spread}/{answer}/{mode}/threads_{}", self.threads)
    }
}

/// All that is asked where everything is allowed.
fn asks() -> Vec<Ask> {
    let ask = |spread, mode, threads| Ask {
        spread,
        mode,
        threads,
        allowed: true,
    };
    let mut asks = Vec::new();
    for threads in Scale::threads() {
        asks.push(ask(Spread::Uniform, Mode::Single, threads));
        asks.push(ask(Spread::Uniform, Mode::Batch(16), threads));
    }
    asks.push(ask(Spread::Uniform, Mode::Batch(64), 1));
    asks.push(ask(Spread::Uniform, Mode::Prefetch(16), 1));
    asks.push(ask(Spread::Zipf, Mode::Single, 1));
    asks.push(ask(Spread::Zipf, Mode::Batch(16), 1));
    asks
}

pub(super) fn groups<K: Key>(scale: &Scale, keys: usize, entries: &[Entry<K>]) -> Vec<Group> {
    let threads = Scale::threads().last().copied().unwrap_or(1);
    let mut groups = filled_groups(scale, entries, &Terms::live(keys, threads), &asks());
    if keys < scale.everybody_below.min(10_000_000) {
        let denied = |threads| Ask {
            spread: Spread::Uniform,
            mode: Mode::Single,
            threads,
            allowed: false,
        };
        let asks: Vec<Ask> = Scale::threads().into_iter().map(denied).collect();
        let limiters: Vec<Entry<K>> = entries
            .iter()
            .filter(|entry| entry.role != Role::Floor)
            .copied()
            .collect();
        groups.extend(filled_groups(
            scale,
            &limiters,
            &Terms::still(1, keys, threads),
            &asks,
        ));
    }
    groups
}

fn filled_groups<K: Key>(
    scale: &Scale,
    entries: &[Entry<K>],
    terms: &Terms,
    asks: &[Ask],
) -> Vec<Group> {
    let wanted = |entry: &&Entry<K>| {
        terms.keys < scale.everybody_below || entry.batches || entry.name == AGAINST
    };
    let (mut filled, mut absent) = (Vec::new(), Vec::new());
    for entry in entries.iter().filter(wanted) {
        match fill(entry, terms, scale.patience) {
            Ok(one) => filled.push(Rc::new(one)),
            Err(why) => absent.push((entry.name.to_owned(), why)),
        }
    }
    let prefix = prefix::<K>(terms.keys);
    let made = |spread: Spread| -> Rc<Vec<K>> {
        let count = (scale.keyed_asks * scale.keyed_rounds).min(MADE_MAX);
        Rc::new(
            spread
                .numbers(terms.keys, count, 7)
                .map(K::numbered)
                .collect(),
        )
    };
    let (uniform, zipf) = (made(Spread::Uniform), made(Spread::Zipf));
    asks.iter()
        .map(|ask| {
            let made = match ask.spread {
                Spread::Uniform => &uniform,
                Spread::Zipf => &zipf,
            };
            Group {
                name: ask.name(&prefix),
                against: AGAINST,
                rounds: scale.keyed_rounds,
                rows: filled
                    .iter()
                    .filter(|one| ask.mode == Mode::Single || one.batches || one.name == AGAINST)
                    .map(|one| row(one, made, *ask, scale.keyed_asks))
                    .collect(),
                absent: absent.clone(),
            }
        })
        .collect()
}

/// Every ask must have been allowed but for those of a key without a slot, which may come again and again.
fn most_allowed(sample: Sample) -> Outcome {
    let refused = sample.asked - sample.allowed;
    if refused * 1_000 < sample.asked {
        return Outcome {
            sample,
            wrong: None,
        };
    }
    Outcome::all_allowed(sample)
}

fn row<K: Key>(filled: &Rc<Filled<K>>, made: &Rc<Vec<K>>, ask: Ask, asks: usize) -> Row {
    let (name, role) = (filled.name, filled.role);
    let (filled, made) = (Rc::clone(filled), Rc::clone(made));
    let judge: fn(Sample) -> Outcome = if ask.allowed {
        most_allowed
    } else {
        Outcome::all_denied
    };
    // Each round goes on where the last one ended, so that no row finds its keys in a cache.
    Row::new(name, role, Some(asks as u64), move |asks, round| {
        let count = usize::try_from(asks).unwrap_or(usize::MAX);
        let shot = Shot {
            keys: &made,
            start: round.wrapping_mul(count) % made.len(),
            asks,
            threads: ask.threads,
            mode: ask.mode,
        };
        let mut outcome = judge(filled.subject.run(&shot));
        outcome.wrong = outcome.wrong.or_else(|| filled.wrong.clone());
        outcome
    })
}
