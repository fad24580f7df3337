//! Waiting in order: a place taken at once, and the instant at which it is due.

use crate::{
    CostExceedsCapacity, Nanos,
    limiter::cell::{Cell, Placed},
};
use std::time::Duration;
use tollgate_sync::Arc;

/// A place in the order of a limiter, with its units set aside; from [`Limiter::turn`](crate::Limiter::turn).
///
/// First come, first served: whoever asks later is admitted later, so no large cost is starved by small ones, and
/// nobody keeps a queue. Sleep until [`Self::ready_at`], then [`take`](Self::take) the turn. To the limit's laws
/// the units are admitted at that instant.
///
/// A turn that is dropped gives its units back, even one that was due at once, if nobody took a place or units
/// after it; else they are forfeited, for others were told their own instants by then. They are forfeited too if the
/// limit was changed or reset meanwhile. A turn taken before such a change keeps its instant, and counts for the
/// limit under which it was taken.
///
/// ```
/// use std::time::Duration;
/// use tollgate_core::{Cost, Limit, Limiter, Nanos};
///
/// let limiter = Limiter::new(Limit::per_second(10).with_capacity(1))?;
/// limiter.turn_at(Cost::ONE, Duration::ZERO, Nanos::ZERO)?.take();
/// let second = limiter.turn_at(Cost::ONE, Duration::from_secs(1), Nanos::ZERO)?;
/// assert_eq!(second.ready_at(), Nanos::new(100_000_000));
/// assert_eq!(second.wait(Nanos::new(60_000_000)), Duration::from_millis(40));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a turn that is dropped gives its place back"]
#[derive(Debug)]
pub struct Turn<'a> {
    /// None once taken, or if the turn was for nothing.
    held: Option<Held<'a>>,
    ready_at: Nanos,
}

#[derive(Debug)]
struct Held<'a> {
    cell: CellRef<'a>,
    placed: Placed,
}

/// Where the place was taken. A later cell is kept alive, so that no other can be mistaken for it.
#[derive(Debug)]
enum CellRef<'a> {
    First(&'a Cell),
    Later(Arc<Cell>),
}

impl<'a> Turn<'a> {
    /// A turn in the cell `later`, or in `first`.
    pub(crate) fn new(first: &'a Cell, later: Option<Arc<Cell>>, placed: Placed) -> Self {
        let cell = later.map_or(CellRef::First(first), CellRef::Later);
        Self {
            held: Some(Held { cell, placed }),
            ready_at: placed.ready_at,
        }
    }

    /// A turn for no units.
    pub(crate) const fn for_nothing(now: Nanos) -> Self {
        Self {
            held: None,
            ready_at: now,
        }
    }

    /// The instant at which the turn is due, by the limiter's clock: not before the `now` it was asked at, at most
    /// `max_wait` later.
    #[must_use]
    pub const fn ready_at(&self) -> Nanos {
        self.ready_at
    }

    /// How long after `now` the turn is due; zero if it is.
    #[must_use]
    pub const fn wait(&self, now: Nanos) -> Duration {
        self.ready_at.since(now)
    }

    /// Takes the turn: its units are used. To be called when it is due; an earlier call admits them too early.
    pub fn take(mut self) {
        self.held = None;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(Held { cell, placed }) = self.held.take() {
            match cell {
                CellRef::First(cell) => cell.give_back(placed),
                CellRef::Later(cell) => cell.give_back(placed),
            }
        }
    }
}

/// No turn was taken, and nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoTurn {
    /// The cost can never pass.
    #[error(transparent)]
    CostExceedsCapacity(#[from] CostExceedsCapacity),
    /// The turn would be due too late.
    #[error("the turn would be due in {wait:?}, later than the {max_wait:?} allowed")]
    WaitTooLong {
        /// How long it would take, were nobody else to come: the least `max_wait` that gets a turn.
        wait: Duration,
        /// The longest wait allowed.
        max_wait: Duration,
    },
}
