//! One workload, and its rows.

use crate::{Role, Sample};
use std::{fmt, time::Duration};

/// A sample, and what was wrong with the answers.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was measured.
    pub sample: Sample,
    /// What the answers should have been and were, if they were not.
    pub wrong: Option<String>,
}

impl Outcome {
    /// Every ask must have been allowed.
    #[must_use]
    pub fn all_allowed(sample: Sample) -> Self {
        let wrong = (sample.allowed != sample.asked)
            .then(|| format!("allowed {} of {}, all fit", sample.allowed, sample.asked));
        Self { sample, wrong }
    }

    /// No ask may have been allowed.
    #[must_use]
    pub fn all_denied(sample: Sample) -> Self {
        let wrong = (sample.allowed != 0)
            .then(|| format!("allowed {} of {}, none fit", sample.allowed, sample.asked));
        Self { sample, wrong }
    }
}

/// One implementation in one workload.
pub struct Row {
    /// The implementation.
    pub name: String,
    /// Whose it is.
    pub role: Role,
    /// How many asks make a sample; `None`: as many as one likes.
    pub asks: Option<u64>,
    run: Box<dyn Fn(u64, usize) -> Outcome>,
}

impl Row {
    /// A row that `run` measures, being told how many asks to make and which round it is.
    pub fn new(
        name: impl Into<String>,
        role: Role,
        asks: Option<u64>,
        run: impl Fn(u64, usize) -> Outcome + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            role,
            asks,
            run: Box::new(run),
        }
    }

    /// Measures one sample.
    #[must_use]
    pub fn run(&self, asks: u64, round: usize) -> Outcome {
        (self.run)(asks, round)
    }

    /// How many asks take about `slice`.
    #[must_use]
    pub fn asks_in(&self, slice: Duration) -> u64 {
        if let Some(asks) = self.asks {
            return asks;
        }
        let mut asks = 1_000;
        loop {
            let took = self.run(asks, 0).sample.elapsed;
            if took * 4 >= slice {
                let share = slice.as_nanos() * u128::from(asks) / took.as_nanos().max(1);
                return u64::try_from(share).unwrap_or(asks).max(1_000);
            }
            asks *= 4;
        }
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Row")
            .field("name", &self.name)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

/// One workload.
#[derive(Debug)]
pub struct Group {
    /// Axis by axis.
    pub name: String,
    /// The row with which the others are compared.
    pub against: &'static str,
    /// How often each row is measured.
    pub rounds: usize,
    /// One for each implementation.
    pub rows: Vec<Row>,
    /// Who could not be built, and why.
    pub absent: Vec<(String, String)>,
}
