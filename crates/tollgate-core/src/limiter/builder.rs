use super::{Limiter, cells::Cells};
use crate::{
    Clock, Limit, LimitError, QuantaClock,
    gcra::{Gcra, quanta},
};

/// Builds a [`Limiter`].
///
/// ```
/// use tollgate_core::{Limit, Limiter, ManualClock};
///
/// let limiter =
///     Limiter::builder(Limit::per_second(10)).initial(3).build_with_clock(ManualClock::new())?;
/// assert_eq!(limiter.peek().remaining(), 3);
/// # Ok::<(), tollgate_core::LimitError>(())
/// ```
#[must_use]
#[derive(Clone, Copy, Debug)]
pub struct LimiterBuilder {
    limit: Limit,
    initial: Option<u64>,
}

impl LimiterBuilder {
    pub(crate) const fn new(limit: Limit) -> Self {
        Self {
            limit,
            initial: None,
        }
    }

    /// The units to start with, from none to the capacity; the whole capacity if this is not called.
    pub const fn initial(mut self, units: u64) -> Self {
        self.initial = Some(units);
        self
    }

    /// The limiter, on a clock of its own.
    ///
    /// # Errors
    /// As [`Limiter::new`], and [`LimitError::InitialAboveCapacity`].
    pub fn build(self) -> Result<Limiter, LimitError> {
        self.build_with_clock(QuantaClock::new())
    }

    /// The limiter, on this clock, which is read if the limiter starts with less than its capacity.
    ///
    /// # Errors
    /// As [`Self::build`].
    pub fn build_with_clock<C: Clock>(self, clock: C) -> Result<Limiter<C>, LimitError> {
        let gcra = Gcra::new(self.limit)?;
        let capacity = self.limit.capacity();
        let tat = match self.initial {
            Some(initial) if initial > capacity => {
                return Err(LimitError::InitialAboveCapacity { initial, capacity });
            }
            Some(initial) if initial < capacity => {
                gcra.tat_after(quanta(clock.now()), capacity - initial)
            }
            // Whole at every instant, the earliest included.
            _ => 0,
        };
        Ok(Limiter {
            cells: Cells::new(self.limit, gcra, tat),
            clock,
        })
    }
}
