//! Waiting in async code, on tokio's timer.

use crate::{
    Clock, Cost, Gate, Limiter, NoTurn, Refusal, Request, Reservation, TokenBucket, Turn, Waiting,
};
use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// Waits in async code for units of a limiter, first come, first served. Dropping the future gives the place
/// back, if nobody came after it.
pub trait Acquire {
    /// Takes `units` when its turn is due, however long that takes.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use tollgate::{Acquire, Limit, Limiter};
    /// let limiter = Limiter::new(Limit::per_second(1_000).with_capacity(1))?;
    /// for _ in 0..3 {
    ///     limiter.acquire(1).await?; // a millisecond apart
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`NoTurn::CostExceedsCapacity`], at once: such a wait would never end.
    fn acquire(&self, units: u64) -> impl Future<Output = Result<(), NoTurn>> + Send;

    /// As [`acquire`](Self::acquire), if the turn is due within `max_wait`.
    ///
    /// # Errors
    /// [`NoTurn`], at once: nothing was waited for, and nothing taken.
    fn acquire_within(
        &self,
        units: u64,
        max_wait: Duration,
    ) -> impl Future<Output = Result<(), NoTurn>> + Send;
}

impl<C: Clock> Acquire for Limiter<C> {
    async fn acquire(&self, units: u64) -> Result<(), NoTurn> {
        self.acquire_within(units, Duration::MAX).await
    }

    async fn acquire_within(&self, units: u64, max_wait: Duration) -> Result<(), NoTurn> {
        let Some(cost) = Cost::new(units) else {
            return Ok(());
        };
        sleep_until_due(self.turn(cost, max_wait)?, self.clock()).await;
        Ok(())
    }
}

impl<C: Clock> Acquire for TokenBucket<C> {
    async fn acquire(&self, units: u64) -> Result<(), NoTurn> {
        self.acquire_within(units, Duration::MAX).await
    }

    async fn acquire_within(&self, units: u64, max_wait: Duration) -> Result<(), NoTurn> {
        sleep_until_due(self.turn(units, max_wait)?, self.clock()).await;
        Ok(())
    }
}

async fn sleep_until_due(turn: Turn<'_>, clock: &impl Clock) {
    loop {
        match turn.wait(clock.now()) {
            Duration::ZERO => return turn.take(),
            wait => sleep(wait).await,
        }
    }
}

/// Waits in async code for a gate to admit a request.
pub trait AdmitWithin {
    /// Admits `request`, waiting for at most `max_wait`: first come, first served among those who wait for one of its
    /// accounts. Dropping the future gives the place in line up; nothing was charged.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// use tollgate::{AdmitWithin, Gate, Request};
    /// let gate = Gate::from_toml(r#"
    ///     [[limit]]
    ///     name = "agent-rps"
    ///     by = ["agent"]
    ///     unit = "requests"
    ///     max = 1_000
    ///     per = "1s"
    ///     capacity = 1
    /// "#)?;
    /// let request = Request::new().with("agent", "a1");
    /// for _ in 0..3 {
    ///     let reservation = gate.admit_within(&request, Duration::from_secs(1)).await?;
    ///     reservation.settle(*request.estimate());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Gate::admit`]: as soon as it is known that `max_wait` does not suffice, were nobody else to come.
    fn admit_within(
        &self,
        request: &Request<'_>,
        max_wait: Duration,
    ) -> impl Future<Output = Result<Reservation, Refusal>> + Send;
}

impl AdmitWithin for Gate {
    async fn admit_within(
        &self,
        request: &Request<'_>,
        max_wait: Duration,
    ) -> Result<Reservation, Refusal> {
        let place = match self.admit(request) {
            Err(Refusal::Limited(_)) => self.stand_in_line(request, max_wait)?,
            answer => return answer,
        };
        let mut timer = pin!(sleep(Duration::ZERO));
        poll_fn(|context| {
            // Every wake asks again: the timer's, and that of whoever left the line or gave units back.
            loop {
                match place.poll(request, context.waker()) {
                    Err(refusal) => return Poll::Ready(Err(refusal)),
                    Ok(Waiting::Admitted(reservation)) => return Poll::Ready(Ok(reservation)),
                    Ok(Waiting::Until(instant)) => {
                        timer.as_mut().reset(Instant::now() + place.until(instant));
                        if timer.as_mut().poll(context).is_pending() {
                            return Poll::Pending;
                        }
                    }
                }
            }
        })
        .await
    }
}
