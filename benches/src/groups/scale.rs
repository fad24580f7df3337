//! How much is measured.

use std::{thread, time::Duration};

/// How much is measured.
#[derive(Clone, Debug)]
pub struct Scale {
    /// About how long one sample of a row takes, where a row can be asked as often as one likes.
    pub slice: Duration,
    /// How often each row is measured.
    pub rounds: usize,
    /// The numbers of keys of keyed groups.
    pub sizes: Vec<usize>,
    /// From so many keys on, only those whom the targets name.
    pub everybody_below: usize,
    /// Who takes longer than this to take up the keys, or a flood of them, is not measured further.
    pub patience: Duration,
    /// Asks of one sample of a keyed row.
    pub keyed_asks: usize,
    /// How often each keyed row is measured.
    pub keyed_rounds: usize,
    /// Rows of a trace through the Gate.
    pub gate_rows: usize,
    /// How often each trace is run through the Gate.
    pub gate_rounds: usize,
    /// Timed single operations on the largest table.
    pub tail_asks: u64,
    /// Tables that are filled until new keys find no slot.
    pub load_tables: usize,
    /// Keys of a table that is flooded with ten times as many.
    pub flood_keys: usize,
}

impl Scale {
    /// Takes about three quarters of an hour on a slow machine of two cores.
    #[must_use]
    pub fn full() -> Self {
        Self {
            slice: Duration::from_millis(20),
            rounds: 31,
            sizes: vec![1_000, 1_000_000, 10_000_000],
            everybody_below: usize::MAX,
            patience: Duration::from_secs(60),
            keyed_asks: 500_000,
            keyed_rounds: 11,
            gate_rows: 10_000_000,
            gate_rounds: 5,
            tail_asks: 100_000_000,
            load_tables: 10,
            flood_keys: 1_000_000,
        }
    }

    /// Takes a few minutes.
    #[must_use]
    pub fn quick() -> Self {
        Self {
            slice: Duration::from_millis(5),
            rounds: 11,
            everybody_below: 10_000_000,
            patience: Duration::from_secs(4),
            keyed_asks: 200_000,
            keyed_rounds: 5,
            gate_rows: 1_000_000,
            gate_rounds: 3,
            tail_asks: 5_000_000,
            load_tables: 2,
            flood_keys: 100_000,
            ..Self::full()
        }
    }

    /// Takes seconds, and tells nothing but whether everything runs and answers right.
    #[must_use]
    pub fn smoke() -> Self {
        Self {
            slice: Duration::from_micros(200),
            rounds: 2,
            sizes: vec![1_000, 10_000],
            everybody_below: usize::MAX,
            patience: Duration::from_secs(30),
            keyed_asks: 2_000,
            keyed_rounds: 2,
            gate_rows: 10_000,
            gate_rounds: 1,
            tail_asks: 20_000,
            load_tables: 1,
            flood_keys: 2_000,
        }
    }

    /// One thread, two, and so on by doubling, up to the machine's.
    #[must_use]
    pub fn threads() -> Vec<usize> {
        let most = thread::available_parallelism()
            .map_or(2, usize::from)
            .max(2);
        std::iter::successors(Some(1), |threads| Some(threads * 2))
            .take_while(|threads| *threads <= most)
            .collect()
    }
}
