//! Units filed under marks that only grow (instants, ticks), which leave from the front.

use super::Receipt;
use std::collections::VecDeque;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Entry {
    mark: u128,
    units: u128,
}

/// What was charged under each mark.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Trail {
    entries: VecDeque<Entry>,
    /// The sum of all entries.
    units: u128,
    /// What was gone as of the latest charge, and is not for an older `now`.
    gone: Vec<Entry>,
    charges: u64,
}

impl Trail {
    /// The latest mark charged under, which no later charge may step behind.
    pub(super) fn latest(&self) -> u128 {
        self.entries.back().map_or(0, |entry| entry.mark)
    }

    /// Files `cost` under `mark`, which is not before the latest. What `is_gone` by then counts for older `now`s only.
    pub(super) fn charge(
        &mut self,
        mark: u128,
        cost: u64,
        is_gone: impl Fn(u128) -> bool,
    ) -> Receipt {
        while let Some(entry) = self.entries.pop_front_if(|entry| is_gone(entry.mark)) {
            self.units -= entry.units;
            if entry.units > 0 {
                self.gone.push(entry);
            }
        }
        let units = u128::from(cost);
        self.units += units;
        match self.entries.back_mut() {
            Some(entry) if entry.mark == mark => entry.units += units,
            _ => self.entries.push_back(Entry { mark, units }),
        }
        self.charges += 1;
        Receipt {
            number: self.charges - 1,
            mark,
            kept: cost,
        }
    }

    /// Takes up to `surplus` units of a charge from under its mark, if that was there as of the latest charge.
    pub(super) fn refund(&mut self, receipt: &mut Receipt, surplus: u64) {
        let surplus = u128::from(receipt.lower(surplus));
        if let Ok(found) = self
            .entries
            .binary_search_by_key(&receipt.mark, |entry| entry.mark)
        {
            self.entries[found].units -= surplus;
            self.units -= surplus;
        }
    }

    /// Puts back `units` that a refund took of a charge, if its mark was there as of the latest charge.
    pub(super) fn restore(&mut self, receipt: &Receipt, units: u64) {
        if let Ok(found) = self
            .entries
            .binary_search_by_key(&receipt.mark, |entry| entry.mark)
        {
            self.entries[found].units += u128::from(units);
            self.units += u128::from(units);
        }
    }

    /// Units under the marks that are not gone.
    pub(super) fn units(&self, is_gone: impl Fn(u128) -> bool) -> u128 {
        let sum = |units: u128, entry: &Entry| units + entry.units;
        let gone = self.entries.iter().take_while(|entry| is_gone(entry.mark));
        self.units - gone.fold(0, sum) + self.back(is_gone).iter().fold(0, sum)
    }

    /// Of what was gone as of the latest charge, that which is not yet.
    fn back(&self, is_gone: impl Fn(u128) -> bool) -> &[Entry] {
        &self.gone[self.gone.partition_point(|entry| is_gone(entry.mark))..]
    }

    /// The first mark whose leaving brings the units still there down to `room`, of those that are not gone.
    /// None if they are few enough already.
    pub(super) fn leaves_for(&self, room: u128, is_gone: impl Fn(u128) -> bool) -> Option<u128> {
        let mut units = self.units(&is_gone);
        let mut last = None;
        let entries = self.back(&is_gone).iter().chain(&self.entries);
        for entry in entries.skip_while(|entry| is_gone(entry.mark)) {
            if units <= room {
                break;
            }
            units -= entry.units;
            last = Some(entry.mark);
        }
        last
    }
}
