//! Records as rows of the tables, each with a checksum.
//!
//! The database checks its pages when a file is opened to be written, and not when it is only read, beside the process that writes it.
//! A backup that is read so must not take over what a disk has altered: so each row says itself whether it is what was written.

use super::books::Record;
use crate::lease::Ahead;
use redb::StorageError;
use tollgate_core::{LeaseId, Standing, Wall};

/// Lease, stamp, committed, out, max, peak, refused, whether it has periods, checksum.
pub(super) type Row = (u64, i64, u64, u64, u64, u64, u64, bool, u32);

/// When it was found ended, committed, max, peak, refused, checksum.
pub(super) type PastRow = (i64, u64, u64, u64, u64, u32);

/// Stamp, units, checksum.
pub(super) type AheadRow = (i64, u64, u32);

/// A period that has ended, as its row has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Past {
    pub(super) standing: Standing,
    /// When it was found ended.
    pub(super) ended: Wall,
    pub(super) peak: u64,
    pub(super) refused: u64,
}

impl Record {
    /// The record of `account` that `row` has.
    ///
    /// # Errors
    /// The row is not what was written.
    pub(super) fn from_row(account: &[u8], row: Row) -> Result<Self, StorageError> {
        let (lease, stamp, committed, out, max, peak, refused, has_periods, _) = row;
        let record = Self {
            lease: (lease != 0).then_some(LeaseId(lease)),
            standing: Standing {
                stamp,
                committed,
                max,
            },
            out,
            peak,
            refused,
            has_periods,
        };
        if record.row(account) == row {
            Ok(record)
        } else {
            Err(altered("an account"))
        }
    }

    pub(super) fn row(&self, account: &[u8]) -> Row {
        let Standing {
            stamp,
            committed,
            max,
        } = self.standing;
        let lease = self.lease.map_or(0, |lease| lease.0);
        let Self {
            out,
            peak,
            refused,
            has_periods,
            ..
        } = *self;
        let stamp_bits = stamp.cast_unsigned();
        let numbers = [lease, stamp_bits, committed, out, max, peak, refused];
        let check = checksum(account, numbers.into_iter().chain([has_periods.into()]));
        (
            lease,
            stamp,
            committed,
            out,
            max,
            peak,
            refused,
            has_periods,
            check,
        )
    }
}

impl Past {
    /// The past period at `place`, which is its account and its stamp.
    ///
    /// # Errors
    /// As [`Record::from_row`].
    pub(super) fn from_row(place: (&[u8], i64), row: PastRow) -> Result<Self, StorageError> {
        let (ended, committed, max, peak, refused, _) = row;
        let past = Self {
            standing: Standing {
                stamp: place.1,
                committed,
                max,
            },
            ended: Wall(ended),
            peak,
            refused,
        };
        if past.row(place) == row {
            Ok(past)
        } else {
            Err(altered("a past period"))
        }
    }

    pub(super) fn row(&self, (account, stamp): (&[u8], i64)) -> PastRow {
        let Self {
            standing,
            ended: Wall(ended),
            peak,
            refused,
        } = *self;
        let Standing { committed, max, .. } = standing;
        let signed = [stamp, ended].map(i64::cast_unsigned);
        let numbers = signed.into_iter().chain([committed, max, peak, refused]);
        let check = checksum(account, numbers);
        (ended, committed, max, peak, refused, check)
    }

    /// This period and `other`, which is of the same stamp.
    pub(super) fn and(self, other: &Self) -> Self {
        let (standing, others) = (self.standing, other.standing);
        Self {
            standing: Standing {
                stamp: standing.stamp,
                committed: standing.committed.max(others.committed),
                max: standing.max.max(others.max),
            },
            ended: self.ended.max(other.ended),
            peak: self.peak.max(other.peak),
            refused: self.refused.saturating_add(other.refused),
        }
    }
}

impl Ahead {
    /// What was lent ahead to `account`.
    ///
    /// # Errors
    /// As [`Record::from_row`].
    pub(super) fn from_row(account: &[u8], row: AheadRow) -> Result<Self, StorageError> {
        let (stamp, units, _) = row;
        let ahead = Self { stamp, units };
        if ahead.row(account) == row {
            Ok(ahead)
        } else {
            Err(altered("what was lent ahead"))
        }
    }

    pub(super) fn row(&self, account: &[u8]) -> AheadRow {
        let Self { stamp, units } = *self;
        let numbers = [stamp.cast_unsigned(), units];
        (stamp, units, checksum(account, numbers.into_iter()))
    }
}

pub(super) fn checksum(account: &[u8], numbers: impl Iterator<Item = u64>) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(account);
    for number in numbers {
        hasher.update(&number.to_le_bytes());
    }
    hasher.finalize()
}

pub(super) fn altered(what: &str) -> StorageError {
    StorageError::Corrupted(format!("the row of {what} was altered"))
}

#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod tests {
    use super::*;

    const RECORD: Record = Record {
        lease: Some(LeaseId(3)),
        standing: Standing {
            stamp: -5,
            committed: 7,
            max: 9,
        },
        out: 1,
        peak: 8,
        refused: 4,
        has_periods: true,
    };

    #[test]
    fn row_of_another_account_or_of_other_figures_is_none() {
        let row = RECORD.row(b"a");
        assert_eq!(Record::from_row(b"a", row).unwrap(), RECORD);
        assert!(Record::from_row(b"b", row).is_err());
        let mut changed = [row; 9];
        changed[0].0 ^= 1;
        changed[1].1 ^= 1 << 40;
        changed[2].2 ^= 1 << 63;
        changed[3].3 ^= 2;
        changed[4].4 ^= 4;
        changed[5].5 ^= 8;
        changed[6].6 ^= 16;
        changed[7].7 ^= true;
        changed[8].8 ^= 1;
        for row in changed {
            assert!(Record::from_row(b"a", row).is_err(), "{row:?}");
        }
    }

    #[test]
    fn what_was_lent_ahead_to_another_or_was_altered_is_none() {
        let ahead = Ahead {
            stamp: -3,
            units: 5,
        };
        let row = ahead.row(b"a");
        assert_eq!(Ahead::from_row(b"a", row).unwrap(), ahead);
        assert!(Ahead::from_row(b"b", row).is_err());
        for row in [
            (row.0 ^ 1, row.1, row.2),
            (row.0, row.1 ^ 4, row.2),
            (row.0, row.1, row.2 ^ 1),
        ] {
            assert!(Ahead::from_row(b"a", row).is_err(), "{row:?}");
        }
    }

    #[test]
    fn past_period_that_was_moved_or_changed_is_none() {
        let past = Past {
            standing: RECORD.standing,
            ended: Wall(11),
            peak: 8,
            refused: 4,
        };
        let row = past.row((b"a", -5));
        assert_eq!(Past::from_row((b"a", -5), row).unwrap(), past);
        assert!(Past::from_row((b"a", -4), row).is_err());
        assert!(Past::from_row((b"b", -5), row).is_err());
        let mut changed = [row; 6];
        changed[0].0 ^= 1;
        changed[1].1 ^= 2;
        changed[2].2 ^= 4;
        changed[3].3 ^= 8;
        changed[4].4 ^= 1 << 63;
        changed[5].5 ^= 1;
        for row in changed {
            assert!(Past::from_row((b"a", -5), row).is_err(), "{row:?}");
        }
    }
}
