//! A flood of new keys, ten times as many as the limiter was built for, and what those see who were there before.

use super::figures::FloodFigures;
use crate::{Entry, Subject, Terms, groups, keys::Key};
use std::{
    fs,
    time::{Duration, Instant},
};

const CAPACITY: u32 = 10;
const TAKEN: u32 = 4;
const VICTIMS: u64 = 100;
/// A victim asks once in so many keys of the flood.
const EVERY: u64 = 100;

/// Floods everybody with text for keys.
#[must_use]
pub fn floods(keys: usize, patience: Duration) -> Vec<FloodFigures> {
    groups::text_entries()
        .iter()
        .filter_map(|entry| flood(entry, keys as u64, patience))
        .collect()
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn flood(entry: &Entry<String>, keys: u64, patience: Duration) -> Option<FloodFigures> {
    let terms = Terms::still(CAPACITY, usize::try_from(keys).ok()?, 1);
    let before = resident_bytes();
    let subject = (entry.build)(&terms).ok()?;
    let victim = |number: u64| String::numbered(number % VICTIMS);
    // Half of what it was built for is in use before.
    let live: Vec<String> = (VICTIMS..keys / 2).map(String::numbered).collect();
    for number in 0..VICTIMS {
        allowed(&*subject, &victim(number), 2 * CAPACITY);
    }
    let had: Vec<u32> = live
        .iter()
        .map(|key| allowed(&*subject, key, TAKEN))
        .collect();

    let (mut victims_asked, mut victims_allowed, mut flood_allowed, mut came) = (0, 0, 0_u64, 0);
    let start = Instant::now();
    for number in 0..10 * keys {
        came += 1;
        flood_allowed += u64::from(subject.ask_once(&String::numbered(keys + number)));
        if number % EVERY == 0 {
            victims_asked += 1;
            victims_allowed += u64::from(subject.ask_once(&victim(number / EVERY)));
            if start.elapsed() > patience {
                break;
            }
        }
    }
    let ns = start.elapsed().as_nanos() as f64 / came as f64;
    let grown = resident_bytes().saturating_sub(before);
    let (mut forgotten, mut robbed) = (0, 0);
    for (key, had) in live.iter().zip(had) {
        let due = CAPACITY - had;
        let got = allowed(&*subject, key, CAPACITY);
        forgotten += u64::from(got > due);
        robbed += u64::from(got < due);
    }
    Some(FloodFigures {
        name: entry.name.to_owned(),
        role: entry.role,
        keys,
        victims_allowed,
        victims_asked,
        forgotten,
        robbed,
        live: live.len() as u64,
        came,
        flood_allowed: flood_allowed as f64 / came as f64,
        grown_per_key: grown as f64 / keys as f64,
        ns,
    })
}

fn allowed(subject: &dyn Subject<String>, key: &String, asks: u32) -> u32 {
    (0..asks).map(|_| u32::from(subject.ask_once(key))).sum()
}

/// Bytes of the process that are in memory, the second figure of `statm`, in pages.
fn resident_bytes() -> u64 {
    fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|told| told.split_whitespace().nth(1)?.parse::<u64>().ok())
        .map_or(0, |pages| pages * 4_096)
}
