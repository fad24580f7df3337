//! Waiting in a thread.

use crate::{
    Clock, Cost, Gate, Limiter, NoTurn, Refusal, Request, Reservation, TokenBucket, Turn, Waiting,
};
use std::{
    sync::Arc,
    task::{Wake, Waker},
    thread::{self, Thread},
    time::Duration,
};

/// Waits in the calling thread for units of a limiter, first come, first served.
pub trait AcquireBlocking {
    /// Takes `units`, sleeping until its turn is due, however long that takes.
    ///
    /// ```
    /// use tollgate::{AcquireBlocking, Limit, Limiter};
    /// let limiter = Limiter::new(Limit::per_second(1_000).with_capacity(1))?;
    /// for _ in 0..3 {
    ///     limiter.acquire_blocking(1)?; // a millisecond apart
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`NoTurn::CostExceedsCapacity`], at once: such a wait would never end.
    fn acquire_blocking(&self, units: u64) -> Result<(), NoTurn>;

    /// As [`acquire_blocking`](Self::acquire_blocking), if the turn is due within `max_wait`.
    ///
    /// # Errors
    /// [`NoTurn`], at once: nothing was waited for, and nothing taken.
    fn acquire_blocking_within(&self, units: u64, max_wait: Duration) -> Result<(), NoTurn>;
}

impl<C: Clock> AcquireBlocking for Limiter<C> {
    fn acquire_blocking(&self, units: u64) -> Result<(), NoTurn> {
        self.acquire_blocking_within(units, Duration::MAX)
    }

    fn acquire_blocking_within(&self, units: u64, max_wait: Duration) -> Result<(), NoTurn> {
        let Some(cost) = Cost::new(units) else {
            return Ok(());
        };
        sleep_until_due(self.turn(cost, max_wait)?, self.clock());
        Ok(())
    }
}

impl<C: Clock> AcquireBlocking for TokenBucket<C> {
    fn acquire_blocking(&self, units: u64) -> Result<(), NoTurn> {
        self.acquire_blocking_within(units, Duration::MAX)
    }

    fn acquire_blocking_within(&self, units: u64, max_wait: Duration) -> Result<(), NoTurn> {
        sleep_until_due(self.turn(units, max_wait)?, self.clock());
        Ok(())
    }
}

fn sleep_until_due(turn: Turn<'_>, clock: &impl Clock) {
    loop {
        match turn.wait(clock.now()) {
            Duration::ZERO => return turn.take(),
            wait => thread::sleep(wait),
        }
    }
}

/// Waits in the calling thread for a gate to admit a request.
pub trait AdmitBlocking {
    /// Admits `request`, waiting for at most `max_wait`: first come, first served among those who wait for one of its
    /// accounts.
    ///
    /// # Errors
    /// As [`Gate::admit`]: as soon as it is known that `max_wait` does not suffice, were nobody else to come.
    fn admit_blocking(
        &self,
        request: &Request<'_>,
        max_wait: Duration,
    ) -> Result<Reservation, Refusal>;
}

impl AdmitBlocking for Gate {
    fn admit_blocking(
        &self,
        request: &Request<'_>,
        max_wait: Duration,
    ) -> Result<Reservation, Refusal> {
        let place = match self.admit(request) {
            Err(Refusal::Limited(_)) => self.stand_in_line(request, max_wait)?,
            answer => return answer,
        };
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        loop {
            match place.poll(request, &waker)? {
                Waiting::Admitted(reservation) => return Ok(reservation),
                Waiting::Until(instant) => thread::park_timeout(place.until(instant)),
            }
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
