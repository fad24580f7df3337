//! Units picked up from several words for one cost.

use super::stock::Stock;
use crossbeam_utils::CachePadded;
use std::mem::take;

/// The most words of stock that a limiter has.
pub(super) const WORDS_MAX: usize = 512;

/// The most units in one word: their number fits a byte.
pub(super) const STOCK_MAX: u64 = 64;

/// Units in hand. Each keeps its room in the word it came from, so they can always be put back there, which happens
/// when the hand is dropped.
#[derive(Debug)]
pub(super) struct Hand<'a> {
    words: &'a [CachePadded<Stock>],
    /// By word.
    picked: [u8; WORDS_MAX],
    units: u64,
}

impl<'a> Hand<'a> {
    /// Picks up `most` units, or as many as it meets on one round that starts with the word numbered `first`.
    pub(super) fn pick(words: &'a [CachePadded<Stock>], first: usize, most: u64) -> Self {
        let mut hand = Self {
            words,
            picked: [0; WORDS_MAX],
            units: 0,
        };
        for place in (first..words.len()).chain(0..first) {
            let wanted = most - hand.units;
            if wanted == 0 {
                break;
            }
            if let (Some(word), Some(picked)) = (words.get(place), hand.picked.get_mut(place)) {
                // Invariant: a word has no more than `STOCK_MAX`, and is visited once.
                *picked = word.pick(wanted.min(STOCK_MAX)).to_le_bytes()[0];
                hand.units += u64::from(*picked);
            }
        }
        hand
    }

    /// How many units are in hand.
    pub(super) const fn units(&self) -> u64 {
        self.units
    }

    /// Uses the units: their room is free from here on.
    pub(super) fn spend(mut self) {
        self.settle(|_| 0);
    }

    fn settle(&mut self, back: impl Fn(u64) -> u64) {
        for (word, picked) in self.words.iter().zip(&mut self.picked) {
            let room = u64::from(take(picked));
            if room > 0 {
                word.settle(room, back(room));
            }
        }
    }
}

impl Drop for Hand<'_> {
    fn drop(&mut self) {
        self.settle(|room| room);
    }
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;

    fn units(words: &[CachePadded<Stock>]) -> Vec<u64> {
        words.iter().map(|word| word.units()).collect()
    }

    #[test]
    fn a_dropped_hand_puts_everything_back_where_it_was() {
        let words: Vec<_> = [3, 0, 64, 5]
            .map(|held| CachePadded::new(Stock::new(held)))
            .into();
        let hand = Hand::pick(&words, 2, 70);
        assert_eq!((hand.units(), units(&words)), (70, vec![2, 0, 0, 0]));
        drop(hand);
        assert_eq!(units(&words), [3, 0, 64, 5]);
    }

    #[test]
    fn units_that_are_spent_leave_free_room() {
        let words: Vec<_> = [3, 2].map(|held| CachePadded::new(Stock::new(held))).into();
        let hand = Hand::pick(&words, 1, 9);
        assert_eq!(hand.units(), 5, "there are no more");
        assert_eq!(
            words[1].reserve(64, 64).units(),
            62,
            "room in hand is not free"
        );
        hand.spend();
        assert_eq!(units(&words), [0, 0]);
        assert_eq!(words[1].reserve(64, 64).units(), 64);
    }
}
