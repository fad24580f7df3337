//! Where a key may live: eight candidate lines, its home line first.
//!
//! The home is the hash scaled to the number of lines, so that any number of lines is as good as any other. The others
//! follow at equal steps, which are taken from the hash too and are short enough to stay, mostly, within the same
//! huge page. All eight differ.
//!
//! Why eight: with four, no way of choosing among them left fewer than 4 new keys in a thousand without a slot in a table that is
//! 80 % full, and those with few put four keys of ten away from home. With eight it is 5 in a hundred thousand, with nine of
//! ten at home while the table is 60 % full.

use crate::lines::{LINE_BYTES, Line, Slot, slots};

/// The most candidate lines of a key.
pub(crate) const WAYS: usize = 8;

/// The longest step, in lines: all of them together span less than a huge page of 2 MiB.
const STEP_MAX: usize = (2 << 20) / LINE_BYTES / WAYS;

/// The candidates of one key, in order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'t> {
    lines: &'t [Line],
    hash: u64,
    home: usize,
}

impl<'t> Place<'t> {
    /// The place of the key with this hash. There is at least one line.
    #[inline]
    pub(crate) fn new(lines: &'t [Line], hash: u64) -> Self {
        Self {
            lines,
            hash,
            home: scaled(hash, lines.len()),
        }
    }

    /// From one candidate line to the next.
    fn step(&self) -> usize {
        // All steps stay below once around, so no candidate comes twice.
        let steps = STEP_MAX.min((self.lines.len() - 1) / (WAYS - 1)).max(1);
        // The home follows the high bits of the hash; a product moves the low ones up.
        1 + scaled(self.hash.wrapping_mul(0x9E37_79B9_7F4A_7C15), steps)
    }

    /// The number of the home line, which is also that of the shared cell.
    #[inline]
    pub(crate) const fn home_number(&self) -> usize {
        self.home
    }

    #[inline]
    pub(crate) fn home(&self) -> &'t Line {
        &self.lines[self.home]
    }

    /// The candidate lines other than the home.
    pub(crate) fn others(&self) -> impl Iterator<Item = &'t Line> + use<'t> {
        let Self { lines, home, .. } = *self;
        let step = self.step();
        (1..WAYS.min(lines.len())).map(move |way| {
            // Invariant: all steps together are shorter than once around.
            let number = home + way * step;
            &lines[if number < lines.len() {
                number
            } else {
                number - lines.len()
            }]
        })
    }

    pub(crate) fn candidate_lines(&self) -> impl Iterator<Item = &'t Line> + use<'t> {
        std::iter::once(self.home()).chain(self.others())
    }

    /// All candidate slots. Where one stands in this order is its *position*.
    pub(crate) fn candidates(&self) -> impl Iterator<Item = Slot<'t>> + use<'t> {
        self.candidate_lines().flat_map(slots)
    }
}

/// Asks the processor for a line that is going to be used.
#[inline]
pub(crate) fn prefetch(line: &Line) {
    #[cfg(all(target_arch = "x86_64", not(any(model_loom, model_shuttle))))]
    safe_arch::prefetch_t0(line);
    // A load whose result nobody waits for does the same, but for the place it takes in the processor's queue.
    #[cfg(not(any(target_arch = "x86_64", model_loom, model_shuttle)))]
    std::hint::black_box(line[0].load(tollgate_sync::atomic::Ordering::Relaxed));
    #[cfg(any(model_loom, model_shuttle))]
    let _ = line;
}

/// The part of `count` that the hash is of all hashes.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the quotient is below count"
)]
#[inline]
pub(crate) const fn scaled(hash: u64, count: usize) -> usize {
    ((hash as u128 * count as u128) >> 64) as usize
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;
    use crate::lines::{Lines, SLOTS};
    use std::collections::HashSet;

    #[test]
    fn candidates_differ_and_are_always_the_same() {
        for count in [1, 2, 3, 4, 5, 7, 10, 64, 1_000] {
            let lines = Lines::new(count).expect("a little memory");
            for hash in (0..2_000_u64).map(|n| n.wrapping_mul(0xD6E8_FEB8_6659_FD93)) {
                let place = Place::new(lines.all(), hash);
                let found: Vec<_> = place.candidate_lines().map(std::ptr::from_ref).collect();
                assert_eq!(found.len(), WAYS.min(count));
                assert_eq!(found.iter().collect::<HashSet<_>>().len(), found.len());
                assert_eq!(found[0], std::ptr::from_ref(place.home()));
                assert_eq!(place.candidates().count(), found.len() * SLOTS);
            }
        }
    }

    #[test]
    fn steps_are_as_long_as_the_lines_allow() {
        for (count, longest) in [(8, 1), (14, 1), (15, 2), (1_000, 142), (100_000, STEP_MAX)] {
            let lines = Lines::new(count).expect("a little memory");
            let steps: HashSet<_> = (0..100_000_u64)
                .map(|n| Place::new(lines.all(), n.wrapping_mul(0xD6E8_FEB8_6659_FD93)).step())
                .collect();
            assert_eq!(steps.len(), longest, "each length comes about");
            assert_eq!(steps.into_iter().max(), Some(longest));
        }
    }

    #[test]
    fn other_lines_are_near_in_a_large_table() {
        const { assert!((WAYS - 1) * STEP_MAX * LINE_BYTES < 2 << 20) };
    }
}
