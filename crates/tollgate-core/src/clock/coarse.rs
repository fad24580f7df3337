use super::{Clock, QuantaClock, WALL_AGE_MAX, quanta::read_wall_offset};
use crate::Nanos;
use std::{
    io,
    sync::mpsc::{self, RecvTimeoutError},
    thread::{self, JoinHandle},
    time::Duration,
};
use tollgate_sync::{
    Arc,
    atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
};

/// A clock that a thread of its own keeps, so that reading it costs one load.
///
/// `now` is up to the period old, and older when the thread is late. How late is measured, not assumed:
/// see [`Self::staleness`]. That, and the time a thread may be stopped between its reading and its exchange, is its
/// d: against true time a limit admits at most `rate × d` more. It never steps back. Dropping the clock
/// stops the thread and waits for that.
///
/// # Synchronization
/// `now` and `staleness_max` are written by the keeper alone, `wall_offset` too; all are read by anybody. Each is
/// the whole of what it says and publishes no other memory: Relaxed. The keeper is stopped by its channel.
///
/// ```
/// use std::time::Duration;
/// use tollgate_core::{Clock, CoarseClock, Limit, Limiter};
///
/// let limiter = Limiter::with_clock(Limit::per_second(10), CoarseClock::start(Duration::from_millis(1))?)?;
/// println!("decisions are at most {:?} old", limiter.clock().staleness());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct CoarseClock {
    words: Arc<Words>,
    period: Duration,
    /// Dropped to stop the keeper.
    stop: Option<mpsc::Sender<()>>,
    keeper: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Words {
    source: QuantaClock,
    /// Nanoseconds since the epoch of `source`.
    now: AtomicU64,
    wall_offset: AtomicI64,
    /// The largest step of `now` so far, in nanoseconds.
    staleness_max: AtomicU64,
}

impl CoarseClock {
    /// The shortest period: a thread sleeps no shorter.
    pub const PERIOD_MIN: Duration = Duration::from_micros(10);
    /// The longest period: the wall offset is as old as `now`.
    pub const PERIOD_MAX: Duration = WALL_AGE_MAX;

    /// Starts a thread that renews the time every `period`.
    ///
    /// # Errors
    /// [`CoarseClockError::Period`] if `period` is not between [`Self::PERIOD_MIN`] and [`Self::PERIOD_MAX`];
    /// [`CoarseClockError::Spawn`] if there is no thread to be had.
    pub fn start(period: Duration) -> Result<Self, CoarseClockError> {
        if !(Self::PERIOD_MIN..=Self::PERIOD_MAX).contains(&period) {
            return Err(CoarseClockError::Period {
                period,
                min: Self::PERIOD_MIN,
                max: Self::PERIOD_MAX,
            });
        }
        let source = QuantaClock::new();
        let words = Arc::new(Words {
            now: AtomicU64::new(source.now().0),
            wall_offset: AtomicI64::new(read_wall_offset(source.now())),
            staleness_max: AtomicU64::new(0),
            source,
        });
        let (stop, stopped) = mpsc::channel();
        let kept = Arc::clone(&words);
        let keeper = thread::Builder::new()
            .name("tollgate-clock".to_owned())
            .spawn(move || {
                // Ends when the sender is gone.
                while stopped.recv_timeout(period) == Err(RecvTimeoutError::Timeout) {
                    kept.renew();
                }
            })
            .map_err(CoarseClockError::Spawn)?;
        Ok(Self {
            words,
            period,
            stop: Some(stop),
            keeper: Some(keeper),
        })
    }

    /// The period asked for.
    #[must_use]
    pub const fn period(&self) -> Duration {
        self.period
    }

    /// The oldest that a `now` of this clock has ever been, as far as anybody could have read it: the longest
    /// time between two renewals, the one under way included. Reads the fast clock.
    #[must_use]
    pub fn staleness(&self) -> Duration {
        let under_way = self.words.source.now().since(self.now());
        under_way.max(Duration::from_nanos(self.words.staleness_max.load(Relaxed)))
    }
}

impl Words {
    /// Sets the words to what the source reads. For the keeper alone.
    fn renew(&self) {
        let before = self.now.load(Relaxed);
        // The source may step back between cores; this clock does not.
        let now = self.source.now().max(Nanos::new(before));
        self.staleness_max.store(
            self.staleness_max.load(Relaxed).max(now.0 - before),
            Relaxed,
        );
        self.wall_offset.store(read_wall_offset(now), Relaxed);
        self.now.store(now.0, Relaxed);
    }
}

impl Drop for CoarseClock {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(keeper) = self.keeper.take() {
            // The keeper has nothing to panic about; were it to, the clock would stand still, which only denies.
            let _ = keeper.join();
        }
    }
}

impl Clock for CoarseClock {
    #[inline]
    fn now(&self) -> Nanos {
        Nanos::new(self.words.now.load(Relaxed))
    }

    fn wall_offset(&self) -> i64 {
        self.words.wall_offset.load(Relaxed)
    }
}

/// A coarse clock that did not start, and why.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CoarseClockError {
    /// The period is out of range.
    #[error("a coarse clock needs a period from {min:?} to {max:?}, found {period:?}")]
    Period {
        /// The period asked for.
        period: Duration,
        /// The shortest.
        min: Duration,
        /// The longest.
        max: Duration,
    },
    /// The system gave no thread.
    #[error("no thread to keep a coarse clock")]
    Spawn(#[source] io::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_out_of_range_is_refused_by_name() {
        for period in [
            Duration::ZERO,
            Duration::from_micros(9),
            Duration::from_millis(101),
        ] {
            let refused = CoarseClock::start(period).map(drop).unwrap_err();
            assert!(
                matches!(refused, CoarseClockError::Period { period: found, .. } if found == period)
            );
        }
    }

    #[test]
    fn wall_time_is_the_one_of_the_finer_clock() {
        let clock = CoarseClock::start(Duration::from_millis(1)).expect("a period in range");
        let (coarse, fine) = (clock.moment().wall, QuantaClock::new().moment().wall);
        // Either may have been read before the system's was put right.
        assert!(fine.since(coarse).max(coarse.since(fine)) < Duration::from_secs(10));
        assert!(clock.staleness() < Duration::from_secs(60));
    }

    #[test]
    fn no_time_was_older_than_the_clock_itself() {
        let clock = CoarseClock::start(Duration::from_millis(1)).expect("a period in range");
        while clock.now() < Nanos::new(20_000_000) {
            thread::yield_now();
        }
        assert!(clock.staleness() <= clock.words.source.now().since(Nanos::ZERO));
    }

    #[test]
    fn the_keeper_moves_the_time_and_stops_with_the_clock() {
        let clock = CoarseClock::start(Duration::from_millis(1)).expect("a period in range");
        let words = Arc::downgrade(&clock.words);
        let start = clock.now();
        while clock.now() == start {
            thread::yield_now();
        }
        assert!(
            !clock.staleness().is_zero(),
            "a step was taken, and it had a length"
        );
        drop(clock);
        assert!(
            words.upgrade().is_none(),
            "the keeper let go of the words, so it ended"
        );
    }

    #[test]
    fn a_late_keeper_is_measured() {
        let words = Words {
            source: QuantaClock::new(),
            now: AtomicU64::new(0),
            wall_offset: AtomicI64::new(0),
            staleness_max: AtomicU64::new(0),
        };
        while words.source.now() < Nanos::new(1_000_000) {}
        words.renew();
        assert!(words.staleness_max.load(Relaxed) >= 1_000_000);
        assert_ne!(words.wall_offset.load(Relaxed), 0);
    }

    #[test]
    fn the_time_never_steps_back() {
        let ahead = Nanos::MAX;
        let words = Words {
            source: QuantaClock::new(),
            now: AtomicU64::new(ahead.0),
            wall_offset: AtomicI64::new(0),
            staleness_max: AtomicU64::new(0),
        };
        words.renew();
        assert_eq!(words.now.load(Relaxed), ahead.0);
    }
}
