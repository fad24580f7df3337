//! Choices made by bytes: of a fuzzer, of a property test, of a file that was kept.

use arbitrary::Unstructured;
use std::{cell::RefCell, ops::RangeInclusive};

/// Bytes, spent choice by choice. When there are none left every choice is the first one, and [`Self::goes_on`] is
/// false, so that every body ends.
#[derive(Debug)]
pub struct Source<'a>(RefCell<Unstructured<'a>>);

impl<'a> Source<'a> {
    /// Choices by `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(RefCell::new(Unstructured::new(bytes)))
    }

    /// Whether there is anything left to choose by.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        !self.0.borrow().is_empty()
    }

    /// A number in `range`.
    #[must_use]
    pub fn number(&self, range: RangeInclusive<u64>) -> u64 {
        let first = *range.start();
        let drawn = self.0.borrow_mut().int_in_range(range);
        drawn.unwrap_or(first)
    }

    /// A number below `end`, as an index.
    #[must_use]
    pub fn index(&self, end: usize) -> usize {
        let last = (end as u64).saturating_sub(1);
        usize::try_from(self.number(0..=last)).unwrap_or(0)
    }

    /// One of `choices`, of which there must be one.
    #[must_use]
    pub fn pick<T: Copy>(&self, choices: &[T]) -> T {
        choices[self.index(choices.len())]
    }

    /// True once in `times`.
    #[must_use]
    pub fn one_in(&self, times: u64) -> bool {
        self.number(0..=times.saturating_sub(1)) == 1
    }

    /// All bytes that are left.
    #[must_use]
    pub fn rest(&self) -> Vec<u8> {
        let mut bytes = self.0.borrow_mut();
        let left = bytes.len();
        bytes.bytes(left).map(<[u8]>::to_vec).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_end_and_choices_do_not() {
        let source = Source::new(&[7, 8]);
        assert_eq!(source.number(0..=255), 7);
        assert!(source.goes_on());
        assert_eq!(source.rest(), [8]);
        assert!(!source.goes_on());
        assert_eq!((source.number(3..=9), source.pick(&["a", "b"])), (3, "a"));
        assert!(!source.one_in(2));
    }
}
