//! What the machine costs: nobody who does this much can be faster.

use crate::{Asks, Entry, Peer, Role::Floor, keys::mix};
use std::{hint::black_box, sync::Mutex, time::Instant};
use tollgate_core::{Clock, QuantaClock};
use tollgate_sync::atomic::{AtomicU64, AtomicU128, Ordering::Relaxed};

/// Words of 256 MiB, a power of two.
const DRAM_WORDS: usize = 1 << 25;
/// How many lines are fetched ahead.
const AHEAD: usize = 16;

/// Single operations.
#[must_use]
pub fn floors() -> Vec<Entry<()>> {
    vec![
        Entry::new("load", Floor, |_| {
            let word = AtomicU64::new(1);
            Ok(Box::new(Asks(move |(): &()| {
                black_box(&word).load(Relaxed) != 0
            })))
        }),
        Entry::new("fetch_add", Floor, |_| {
            let word = AtomicU64::new(1);
            Ok(Box::new(Asks(move |(): &()| {
                word.fetch_add(1, Relaxed) != 0
            })))
        }),
        Entry::new("exchange", Floor, |_| {
            let word = AtomicU64::new(0);
            Ok(Box::new(Asks(move |(): &()| exchange(&word))))
        }),
        Entry::new("exchange_u128", Floor, |_| {
            let word = AtomicU128::new(0);
            Ok(Box::new(Asks(move |(): &()| {
                let mut held = word.load(Relaxed);
                while let Err(moved) = word.compare_exchange_weak(held, held + 1, Relaxed, Relaxed)
                {
                    held = moved;
                }
                true
            })))
        }),
        Entry::new("mutex", Floor, |_| {
            let word = Mutex::new(0_u64);
            Ok(Box::new(Asks(move |(): &()| {
                word.lock().is_ok_and(|mut word| {
                    *word += 1;
                    true
                })
            })))
        }),
        Entry::new("clock_tollgate", Floor, |_| {
            let clock = QuantaClock::new();
            Ok(Box::new(Asks(move |(): &()| clock.now().0 != 0)))
        }),
        Entry::new("clock_quanta_raw", Floor, |_| {
            let clock = quanta::Clock::new();
            Ok(Box::new(Asks(move |(): &()| clock.raw() != 0)))
        }),
        Entry::new("clock_std", Floor, |_| {
            Ok(Box::new(Asks(|(): &()| {
                black_box(Instant::now());
                true
            })))
        }),
    ]
}

/// Random places in 256 MiB.
#[must_use]
pub fn dram() -> Vec<Entry<()>> {
    vec![
        Entry::new("dram_dependent", Floor, |_| {
            Ok(Box::new(Dram::new(|words, at| {
                let next = words[at % DRAM_WORDS].load(Relaxed);
                // Where to go next is known only when this has come.
                index(mix(next ^ at as u64))
            })))
        }),
        Entry::new("dram_independent", Floor, |_| {
            Ok(Box::new(Dram::new(|words, at| {
                let at = index(mix(at as u64));
                black_box(words[at % DRAM_WORDS].load(Relaxed));
                at
            })))
        }),
        Entry::new("dram_exchange", Floor, |_| {
            Ok(Box::new(Dram::new(|words, at| {
                let at = index(mix(at as u64));
                exchange(&words[at % DRAM_WORDS]);
                at
            })))
        }),
    ]
}

/// A row of words with one exchange at a place that the key tells: what no table of limits can be below.
#[derive(Debug)]
pub struct Footprint {
    words: Vec<AtomicU64>,
}

impl Footprint {
    /// Of this size.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self {
            words: filled(bytes / size_of::<AtomicU64>()),
        }
    }

    #[inline]
    fn word(&self, key: u64) -> &AtomicU64 {
        let place = (u128::from(key) * self.words.len() as u128) >> 64;
        &self.words[usize::try_from(place).unwrap_or(0)]
    }
}

impl Peer<u64> for Footprint {
    type Seat<'a> = ();

    fn seat(&self) {}

    #[inline]
    fn ask(&self, (): &mut (), key: &u64) -> bool {
        exchange(self.word(*key))
    }

    /// The lines are loaded before the first exchange, which would wait for them one by one.
    fn ask_batch(&self, (): &mut (), keys: &[u64]) -> u64 {
        let mut allowed = 0;
        for keys in keys.chunks(AHEAD) {
            let sum = keys.iter().fold(0, |sum: u64, key| {
                sum.wrapping_add(self.word(*key).load(Relaxed))
            });
            black_box(sum);
            allowed += keys
                .iter()
                .map(|key| u64::from(exchange(self.word(*key))))
                .sum::<u64>();
        }
        allowed
    }
}

struct Dram<F> {
    words: Vec<AtomicU64>,
    step: F,
}

impl<F: Fn(&[AtomicU64], usize) -> usize + Send + Sync> Dram<F> {
    fn new(step: F) -> Self {
        Self {
            words: filled(DRAM_WORDS),
            step,
        }
    }
}

impl<F: Fn(&[AtomicU64], usize) -> usize + Send + Sync> Peer<()> for Dram<F> {
    type Seat<'a>
        = usize
    where
        F: 'a;

    fn seat(&self) -> usize {
        // Each thread and each run goes its own way.
        index(mix(quanta::Clock::new().raw()))
    }

    #[inline]
    fn ask(&self, at: &mut usize, (): &()) -> bool {
        *at = (self.step)(&self.words, *at);
        true
    }
}

/// Words that are all there: pages are touched.
fn filled(words: usize) -> Vec<AtomicU64> {
    (1..=words as u64).map(AtomicU64::new).collect()
}

#[inline]
fn exchange(word: &AtomicU64) -> bool {
    let mut held = word.load(Relaxed);
    while let Err(moved) = word.compare_exchange_weak(held, held.wrapping_add(1), Relaxed, Relaxed)
    {
        held = moved;
    }
    true
}

fn index(random: u64) -> usize {
    usize::try_from(random >> 1).unwrap_or(0)
}
