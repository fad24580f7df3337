//! The loop that measures. There is no other.

use crate::Peer;
use std::{
    hint::black_box,
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

/// How keys are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One call a key.
    Single,
    /// One call for so many keys.
    Batch(usize),
    /// One call a key, which was prefetched so many keys before.
    Prefetch(usize),
}

/// So many asks, of keys in turn.
#[derive(Clone, Copy, Debug)]
pub struct Shot<'a, K> {
    /// The keys; asked from `start` on, and again from the first when there are no more.
    pub keys: &'a [K],
    /// The place of the first.
    pub start: usize,
    /// How many asks, of all threads together.
    pub asks: u64,
    /// How many threads.
    pub threads: usize,
    /// How keys are asked for.
    pub mode: Mode,
}

/// What a shot took, and what came of it.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// From the first thread's start to the last one's end.
    pub elapsed: Duration,
    /// How many asks were made.
    pub asked: u64,
    /// How many of them were allowed.
    pub allowed: u64,
}

impl Sample {
    /// Nanoseconds an ask.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    pub fn ns(&self) -> f64 {
        self.elapsed.as_nanos() as f64 / self.asked.max(1) as f64
    }
}

/// Something that can be measured.
pub trait Subject<K>: Send + Sync {
    /// Makes the asks. Threads are started and take their seats before the measured part.
    fn run(&self, shot: &Shot<'_, K>) -> Sample;

    /// Asks for one unit; for checks.
    fn ask_once(&self, key: &K) -> bool;

    /// Bytes that it asked the system for itself, past the allocator.
    fn mapped_bytes(&self) -> usize;

    /// Times each ask: its ticks on the fast clock are handed to `told`. One thread.
    fn each(&self, keys: &[K], clock: &quanta::Clock, told: &mut dyn FnMut(u64));
}

impl<K: Sync, P: Peer<K>> Subject<K> for P {
    fn run(&self, shot: &Shot<'_, K>) -> Sample {
        let share = shot.asks / shot.threads as u64;
        let asked = share * shot.threads as u64;
        let start_of = |thread: usize| shot.start + thread * shot.keys.len() / shot.threads;
        if shot.threads == 1 {
            let mut seat = self.seat();
            let start = Instant::now();
            let allowed = asks(self, &mut seat, shot, start_of(0), share);
            let elapsed = start.elapsed();
            return Sample {
                elapsed,
                asked,
                allowed,
            };
        }
        let barrier = &Barrier::new(shot.threads);
        let runs: Vec<(Instant, Instant, u64)> = thread::scope(|scope| {
            let threads: Vec<_> = (0..shot.threads)
                .map(|thread| {
                    let begin = start_of(thread);
                    scope.spawn(move || {
                        pin(thread);
                        let mut seat = self.seat();
                        barrier.wait();
                        let start = Instant::now();
                        let allowed = asks(self, &mut seat, shot, begin, share);
                        (start, Instant::now(), allowed)
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("asking does not panic"))
                .collect()
        });
        let start = runs.iter().map(|run| run.0).min();
        let end = runs.iter().map(|run| run.1).max();
        Sample {
            elapsed: end
                .zip(start)
                .map_or(Duration::ZERO, |(end, start)| end - start),
            asked,
            allowed: runs.iter().map(|run| run.2).sum(),
        }
    }

    fn ask_once(&self, key: &K) -> bool {
        self.ask(&mut self.seat(), key)
    }

    fn mapped_bytes(&self) -> usize {
        Peer::mapped_bytes(self)
    }

    fn each(&self, keys: &[K], clock: &quanta::Clock, told: &mut dyn FnMut(u64)) {
        let mut seat = self.seat();
        let mut before = clock.raw();
        for key in keys {
            black_box(self.ask(&mut seat, key));
            let after = clock.raw();
            told(after.wrapping_sub(before));
            // What was told is not in the next ask's time.
            before = clock.raw();
        }
    }
}

/// Keeps the calling thread on one core, if the system lets it.
pub fn pin(core: usize) {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    if !cores.is_empty() {
        core_affinity::set_for_current(cores[core % cores.len()]);
    }
}

/// Asks `count` times, and tells how many were allowed.
#[inline(never)]
fn asks<'a, K, P: Peer<K>>(
    peer: &'a P,
    seat: &mut P::Seat<'a>,
    shot: &Shot<'_, K>,
    start: usize,
    count: u64,
) -> u64 {
    let mut allowed = 0;
    let mut left = usize::try_from(count).unwrap_or(usize::MAX);
    let mut at = start % shot.keys.len().max(1);
    while left > 0 && !shot.keys.is_empty() {
        let run = &shot.keys[at..shot.keys.len().min(at + left)];
        // A single limit has one key, which is asked for again and again.
        if shot.keys.len() == 1 {
            let key = black_box(&run[0]);
            return (0..left).map(|_| u64::from(peer.ask(seat, key))).sum();
        }
        allowed += match shot.mode {
            Mode::Single => run.iter().map(|key| u64::from(peer.ask(seat, key))).sum(),
            Mode::Batch(size) => run
                .chunks(size)
                .map(|keys| peer.ask_batch(seat, keys))
                .sum::<u64>(),
            Mode::Prefetch(ahead) => prefetched(peer, seat, run, ahead),
        };
        left -= run.len();
        at = 0;
    }
    allowed
}

fn prefetched<'a, K, P: Peer<K>>(
    peer: &'a P,
    seat: &mut P::Seat<'a>,
    keys: &[K],
    ahead: usize,
) -> u64 {
    let later = keys
        .iter()
        .skip(ahead)
        .map(Some)
        .chain(std::iter::repeat(None));
    keys.iter().take(ahead).for_each(|key| peer.prefetch(key));
    let mut allowed = 0;
    for (key, later) in keys.iter().zip(later) {
        if let Some(later) = later {
            peer.prefetch(later);
        }
        allowed += u64::from(peer.ask(seat, key));
    }
    allowed
}
