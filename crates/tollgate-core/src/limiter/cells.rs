//! The cell of a limiter, and the one that follows it when the limit changes.
//!
//! Protocol. The first cell lies in the limiter itself, so that a limiter that never changes pays nothing for
//! this. `later` is one immutable pair: the *current* cell (none: the first one) and, during a change, the *coming*
//! one. Whoever changes the limit
//! 1. waits for its turn among those who change it,
//! 2. publishes the pair (current, coming),
//! 3. closes the current cell; by the same exchange the coming one is open, and holds the units of the other,
//! 4. publishes the pair (coming, none).
//!
//! A caller tries the first cell, and if that is closed those of the pair, in order. It uses the coming cell only
//! after it found the current one closed, so two cells are never open at once. If it finds all of a pair closed, its
//! pair is outdated: since the closing exchange comes after step 2, a pair read again knows the successor. A caller
//! never waits for a change to end, and reads a pair again only if a whole change went by meanwhile.
//!
//! A replaced cell is freed once the last caller (or turn) that uses it lets go; no cell knows its successor, so
//! nothing grows with the number of changes.
//!
//! # Synchronization
//! - `later`: written under `changing`, read by callers who found the first cell closed. It is stored (step 2) before
//!   the closing exchange (Release) that the caller saw (Acquire fence), so a caller always finds an open cell or
//!   a newer pair. The pointer itself publishes the pair it points to.
//! - `changing`: held by those who change the limit, and by nobody else. No user code runs between steps 2 and 4, so
//!   a panic cannot leave a change half done.

use super::cell::{Cell, Keep};
use crate::{Limit, Nanos, gcra::Gcra};
use std::sync::PoisonError;
use tollgate_sync::{Arc, Mutex, SwapArc};

/// A cell that may be replaced.
#[derive(Debug)]
pub(crate) struct Cells {
    first: Cell,
    later: SwapArc<Later>,
    changing: Mutex<()>,
}

#[derive(Debug)]
struct Later {
    /// None: the first cell.
    current: Option<Arc<Cell>>,
    coming: Option<Arc<Cell>>,
    /// The limit of the current cell.
    limit: Limit,
}

impl Cells {
    pub(crate) fn new(limit: Limit, gcra: Gcra, tat: u64) -> Self {
        Self {
            first: Cell::first(gcra, tat),
            later: SwapArc::new(Arc::new(Later {
                current: None,
                coming: None,
                limit,
            })),
            changing: Mutex::new(()),
        }
    }

    /// The first cell, which lives as long as the limiter.
    pub(crate) fn first_cell(&self) -> &Cell {
        &self.first
    }

    /// Does `act` on the open cell. `act` answers `None` for a closed one; its other argument is the cell's own
    /// pointer, if it is not the first.
    #[inline]
    pub(crate) fn on_open<R>(
        &self,
        mut act: impl FnMut(&Cell, Option<&Arc<Cell>>) -> Option<R>,
    ) -> R {
        match act(&self.first, None) {
            Some(answer) => answer,
            None => self.on_later(act),
        }
    }

    #[cold]
    fn on_later<R>(&self, mut act: impl FnMut(&Cell, Option<&Arc<Cell>>) -> Option<R>) -> R {
        // Lock-free: a round without an answer means that a whole change went by.
        loop {
            let answer = self.later.with(|pair| {
                pair.current
                    .iter()
                    .chain(&pair.coming)
                    .find_map(|cell| act(cell, Some(cell)))
            });
            if let Some(answer) = answer {
                return answer;
            }
        }
    }

    /// The limit that callers meet, or met a moment ago while it is being changed.
    pub(crate) fn limit(&self) -> Limit {
        self.later.with(|pair| pair.limit)
    }

    /// Replaces the limit and keeps the units taken, as of `now`, which is asked once no other change is under way.
    pub(crate) fn set_limit(&self, limit: Limit, gcra: Gcra, now: impl FnOnce() -> Nanos) {
        self.replace(Keep::Units, |current, _| {
            (current.successor(gcra, now()), limit)
        });
    }

    /// Forgets the units taken.
    pub(crate) fn reset(&self) {
        self.replace(Keep::Nothing, |current, limit| (current.fresh(), limit));
    }

    fn replace(&self, keep: Keep, coming: impl FnOnce(&Cell, Limit) -> (Cell, Limit)) {
        // A change that panicked did so in `coming` (that is, in the clock), before it changed anything.
        let _alone = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let pair = self.later.load();
        let current = pair.current.as_deref().unwrap_or(&self.first);
        let (coming, limit) = coming(current, pair.limit);
        let coming = Arc::new(coming);
        self.later.store(Arc::new(Later {
            current: pair.current.clone(),
            coming: Some(Arc::clone(&coming)),
            limit: pair.limit,
        }));
        current.close_into(&coming, keep);
        self.later.store(Arc::new(Later {
            current: Some(coming),
            coming: None,
            limit,
        }));
    }
}
