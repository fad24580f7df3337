use super::Durability;
use std::{path::PathBuf, time::Duration};

/// Why a ledger cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// Another process has it open.
    #[error("another process has the ledger {} open: one file serves one process", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// A newer version of this program has written it.
    #[error(
        "the ledger {} is of format {found}, and this program knows format {known}: use the program that wrote it, or a newer one",
        path.display()
    )]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// The format of the file.
        found: u64,
        /// The newest that this program reads.
        known: u64,
    },
    /// What is in it is not what a ledger has written.
    #[error(
        "the ledger {} is damaged ({why}): it was left as it is; restore a backup, or move it away to start from nothing",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        why: String,
    },
    /// A process that had it open was killed, and only who may write it can put it in order.
    #[error(
        "the ledger {} was not closed when it was last used: start its gate, or run `tollgate ledger verify`, and it is recovered",
        path.display()
    )]
    NotClosed {
        /// The file.
        path: PathBuf,
    },
    /// Somebody reads it, and what was asked cannot be done beside that.
    #[error("the ledger {} is being read: try again when nobody reads it", path.display())]
    BeingRead {
        /// The file.
        path: PathBuf,
    },
    /// It was deleted or moved away while its gate ran, or its disk is not mounted any more.
    #[error(
        "the ledger {} is gone: nothing is lent until it is back; put it back, or start its gate anew to begin with nothing on record",
        path.display()
    )]
    Gone {
        /// The file.
        path: PathBuf,
    },
    /// Another one lies where it was: in place of a disk that is not mounted any more, or a copy that was put back while its gate ran. Or it is
    /// the same one, and another process came to it by another name while its disk failed.
    #[error(
        "the ledger {} is not as this process left it: it is another one, or another process has used it, and nothing is written to it; put the one back that was open, or start its gate anew to go on from this one",
        path.display()
    )]
    Replaced {
        /// The file.
        path: PathBuf,
    },
    /// A durability that there is not: commits would follow each other without a rest, or hardly ever.
    #[error(
        "the ledger cannot be kept within {interval:?}: between {:?} and {:?} would be right",
        Durability::WITHIN_MIN,
        Durability::WITHIN_MAX
    )]
    Interval {
        /// What was asked for.
        interval: Duration,
    },
    /// The disk, the file system or a lack of rights.
    #[error("the ledger cannot be read or written: {0}")]
    Io(String),
}
