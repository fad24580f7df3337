//! The memory of a table: lines of slots, fixed when it is built.
//!
//! Outside models the lines are one anonymous mapping for which huge pages are asked, and every page is written once
//! when the table is built, so that no request ever waits for the system to find one. Where the system has no huge
//! pages, or will not give them, the table works all the same, slower by what the processor needs to find its pages.

use crate::atomic::AtomicU64;
use std::{fmt, hint::select_unpredictable, io};
use tollgate_sync::atomic::Ordering::Relaxed;

/// Slots in a line. A model checker has no time for full ones.
pub(crate) const SLOTS: usize = if cfg!(any(model_loom, model_shuttle)) {
    1
} else {
    4
};

/// Bytes of a line: a cache line, outside models.
pub(crate) const LINE_BYTES: usize = SLOTS * 16;

/// The hashes of a line's slots, then their words.
pub(crate) type Line = [AtomicU64; 2 * SLOTS];

/// One slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot<'t> {
    /// The hash of the owner, never 0; 0 in a slot that was never used.
    pub(crate) hash: &'t AtomicU64,
    /// See [`crate::word`].
    pub(crate) word: &'t AtomicU64,
}

/// The slots of a line, in order.
#[inline]
pub(crate) fn slots(line: &Line) -> impl Iterator<Item = Slot<'_>> {
    let (hashes, words) = line.split_at(SLOTS);
    hashes
        .iter()
        .zip(words)
        .map(|(hash, word)| Slot { hash, word })
}

/// The slot of `line` that holds `hash`, or did when it was looked at.
///
/// Without a branch for each slot: which one it is cannot be foretold, and a wrong guess would be noticed only when the line
/// has come from memory, with all that was begun after it.
#[inline]
pub(crate) fn find(line: &Line, hash: u64) -> Option<Slot<'_>> {
    let (hashes, words) = line.split_at(SLOTS);
    let mut number = 0;
    for (other, held) in hashes.iter().enumerate().skip(1) {
        // Relaxed: only a hint, verified by whoever follows it.
        number = select_unpredictable(held.load(Relaxed) == hash, other, number);
    }
    let slot = Slot {
        hash: &hashes[number],
        word: &words[number],
    };
    // Relaxed: as above.
    (slot.hash.load(Relaxed) == hash).then_some(slot)
}

/// All lines of a table.
pub(crate) struct Lines(memory::Memory);

impl Lines {
    /// So many empty lines.
    pub(crate) fn new(count: usize) -> io::Result<Self> {
        memory::Memory::of_lines(count).map(Self)
    }

    #[inline]
    pub(crate) fn all(&self) -> &[Line] {
        self.0.lines()
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines")
            .field("count", &self.all().len())
            .finish_non_exhaustive()
    }
}

#[cfg(not(any(model_loom, model_shuttle)))]
mod memory {
    use super::{LINE_BYTES, Line};
    use memmap2::MmapMut;
    use self_cell::{MutBorrow, self_cell};
    use std::io;
    use zerocopy::FromBytes;

    type View<'m> = &'m [Line];

    self_cell! {
        /// The mapping, and the same as lines. A mapping starts at a page, so each line starts at a cache line.
        pub(super) struct Memory {
            owner: MutBorrow<MmapMut>,
            #[covariant]
            dependent: View,
        }
    }

    impl Memory {
        pub(super) fn of_lines(count: usize) -> io::Result<Self> {
            let bytes = count
                .checked_mul(LINE_BYTES)
                .ok_or(io::ErrorKind::OutOfMemory)?;
            let mut map = MmapMut::map_anon(bytes)?;
            // Only asked for: a system without huge pages says no, and nothing else changes.
            #[cfg(target_os = "linux")]
            let _ = map.advise(memmap2::Advice::HugePage);
            map.fill(0);
            Self::try_new(MutBorrow::new(map), |map| {
                <[Line]>::mut_from_bytes(&mut map.borrow_mut()[..])
                    .map(|lines| &*lines)
                    .map_err(|_| io::ErrorKind::InvalidData.into())
            })
        }

        #[inline]
        pub(super) fn lines(&self) -> &[Line] {
            self.borrow_dependent()
        }
    }
}

#[cfg(any(model_loom, model_shuttle))]
mod memory {
    use super::Line;
    use crate::atomic::AtomicU64;
    use std::io;

    pub(super) struct Memory(Box<[Line]>);

    impl Memory {
        pub(super) fn of_lines(count: usize) -> io::Result<Self> {
            let line = || std::array::from_fn(|_| AtomicU64::new(0));
            Ok(Self((0..count).map(|_| line()).collect()))
        }

        pub(super) fn lines(&self) -> &[Line] {
            &self.0
        }
    }
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_cache_line_and_starts_at_one() {
        assert_eq!(LINE_BYTES, 64);
        assert_eq!(size_of::<Line>(), LINE_BYTES);
        for count in [1, 3, 1_000] {
            let lines = Lines::new(count).expect("a little memory");
            assert_eq!(lines.all().len(), count);
            for line in lines.all() {
                assert_eq!(std::ptr::from_ref(line).addr() % 64, 0);
                assert!(line.iter().all(|word| word.load(Relaxed) == 0));
            }
        }
    }

    #[test]
    fn too_much_memory_is_an_error_and_no_end() {
        assert!(Lines::new(usize::MAX / 2).is_err());
        assert!(Lines::new(1 << 52).is_err());
    }

    #[test]
    fn each_slot_has_its_own_words() {
        let lines = Lines::new(1).expect("a little memory");
        for (number, slot) in (1..).zip(slots(&lines.all()[0])) {
            slot.hash.store(number, Relaxed);
            slot.word.store(number + 10, Relaxed);
        }
        let words: Vec<u64> = lines.all()[0]
            .iter()
            .map(|word| word.load(Relaxed))
            .collect();
        assert_eq!(words, [1, 2, 3, 4, 11, 12, 13, 14]);
        for hash in 1..=4 {
            let slot = find(&lines.all()[0], hash).expect("stored above");
            assert_eq!(slot.word.load(Relaxed), hash + 10);
        }
        assert!(find(&lines.all()[0], 5).is_none());
    }
}
