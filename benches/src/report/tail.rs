//! The worst single operations, beside those of an idle loop on the same core.
//!
//! After each piece of operations, as long an idle piece is timed, reading the clock and doing nothing. What the system
//! does to the core meets both alike. What it does to memory alone meets the floor too, a bare load and exchange on the
//! same footprint: what is beyond that is ours.

use super::figures::TailFigures;
use crate::{
    Role, groups,
    groups::Scale,
    keys::{Key, Spread},
    pin,
};
use quanta::Clock;

/// Operations of a piece.
const PIECE: usize = 10_000;
/// Above this many nanoseconds an operation is told by number only.
const LONG_NS: usize = 20_000;

/// Times single operations on the largest table of everybody whom the targets name.
#[must_use]
pub fn tails(scale: &Scale) -> Vec<TailFigures> {
    let keys = scale.sizes.last().copied().unwrap_or(1_000);
    let asks = usize::try_from(scale.tail_asks).unwrap_or(usize::MAX);
    let made: Vec<u64> = Spread::Uniform
        .numbers(keys, asks.min(4_000_000), 11)
        .map(u64::numbered)
        .collect();
    pin(0);
    let mut tails = Vec::new();
    for (name, role, subject) in groups::filled_for_tails(keys, scale.patience) {
        let clock = Clock::new();
        let (mut busy, mut idle) = (Times::new(), Times::new());
        // Peers are timed less often: they are slower.
        let pieces = asks / PIECE / if role == Role::Peer { 10 } else { 1 };
        for piece in 0..pieces.max(1) {
            let at = piece * PIECE % made.len();
            let piece = &made[at..made.len().min(at + PIECE)];
            let start = clock.raw();
            subject.each(piece, &clock, &mut |ticks| {
                busy.add(clock.delta_as_nanos(0, ticks))
            });
            let end = clock.raw();
            let until = end + end.wrapping_sub(start);
            loop {
                let before = clock.raw();
                let after = clock.raw();
                idle.add(clock.delta_as_nanos(0, after.wrapping_sub(before)));
                if after >= until {
                    break;
                }
            }
        }
        tails.push(busy.figures(name.to_owned(), role));
        tails.push(idle.figures(format!("idle loop beside {name}"), Role::Floor));
    }
    tails
}

/// How many operations took how many nanoseconds.
struct Times {
    counts: Vec<u64>,
    above: u64,
    worst: u64,
}

impl Times {
    fn new() -> Self {
        Self {
            counts: vec![0; LONG_NS + 1],
            above: 0,
            worst: 0,
        }
    }

    fn add(&mut self, ns: u64) {
        self.worst = self.worst.max(ns);
        match usize::try_from(ns)
            .ok()
            .and_then(|ns| self.counts.get_mut(ns))
        {
            Some(count) => *count += 1,
            None => self.above += 1,
        }
    }

    /// The time that all but one in `of` took at most.
    fn all_but_one_in(&self, of: u64) -> u64 {
        let asks = self.asks();
        let within = asks - asks / of;
        let mut seen = 0;
        let found = self.counts.iter().position(|count| {
            seen += count;
            seen >= within
        });
        found.map_or(self.worst, |ns| ns as u64)
    }

    fn asks(&self) -> u64 {
        self.counts.iter().sum::<u64>() + self.above
    }

    fn figures(&self, name: String, role: Role) -> TailFigures {
        TailFigures {
            name,
            role,
            asks: self.asks(),
            ns: [2, 100, 10_000, 1_000_000].map(|of| self.all_but_one_in(of)),
            worst_ns: self.worst,
            above_20us: self.above,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Times;

    #[test]
    fn shares_count_from_below() {
        let mut times = Times::new();
        (0..99).for_each(|_| times.add(10));
        times.add(30_000);
        let figures = times.figures("x".to_owned(), crate::Role::Ours);
        assert_eq!(
            (figures.asks, figures.above_20us, figures.worst_ns),
            (100, 1, 30_000)
        );
        assert_eq!(figures.ns, [10, 10, 30_000, 30_000]);
    }
}
