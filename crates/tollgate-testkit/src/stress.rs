//! Real threads that race for units, and what they leave for the judge.
//!
//! No thread sleeps or reads a clock here: give the limiter a frozen `now`, and exactly its capacity must pass.

use crate::law::Event;
use std::{env, sync::Barrier, thread};

/// Who admitted how much in a race.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Race {
    /// Units admitted by each thread.
    pub per_thread: Vec<u128>,
    /// Units admitted in all.
    pub total: u128,
}

/// Lets `threads` threads start together and each make `attempts` attempts, as fast as it can.
/// `attempt(thread, number)` returns the units it was admitted, 0 for a denial.
///
/// # Panics
/// If an attempt panics.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
/// use tollgate_testkit::stress::race_for;
///
/// let left = AtomicU64::new(100);
/// let race = race_for(4, 50, |_thread, _number| {
///     let taken = left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1));
///     u64::from(taken.is_ok())
/// });
/// assert_eq!(race.total, 100);
/// ```
pub fn race_for(
    threads: usize,
    attempts: usize,
    attempt: impl Fn(usize, usize) -> u64 + Sync,
) -> Race {
    let per_thread = run(threads, |thread| {
        let units = (0..attempts).map(|number| u128::from(attempt(thread, number)));
        units.sum::<u128>()
    });
    Race {
        total: per_thread.iter().sum(),
        per_thread,
    }
}

/// Runs a race of threads again and again: so often as `TOLLGATE_EXECUTIONS` says, else 300 times. Tells how often, in a
/// line that `cargo xtask verify` reads.
pub fn repeat(race: impl Fn()) {
    let times = env::var("TOLLGATE_EXECUTIONS").ok();
    let times: u64 = times.and_then(|text| text.parse().ok()).unwrap_or(300);
    (0..times).for_each(|_| race());
    println!("explored: {times} executions, on threads");
}

/// What one thread admitted, stamped with the `now` of each decision.
#[derive(Debug, Default)]
pub struct Recorder(Vec<Event>);

impl Recorder {
    /// `units` admitted at `at`.
    pub fn admitted(&mut self, at: u64, units: u64) {
        self.0.push(Event::admitted(at, units));
    }

    /// `units` spent at `at` beyond an estimate.
    pub fn debt(&mut self, at: u64, units: u64) {
        self.0.push(Event::debt(at, units));
    }

    /// `units` closed at `at`.
    pub fn closed(&mut self, at: u64, units: u64) {
        self.0.push(Event::closed(at, units));
    }
}

/// The same race, in which each attempt writes into the record of its own thread. Returns all records merged in order
/// of their stamps, ready for [`Law::check`](crate::law::Law::check).
///
/// Which of two threads came first at one instant is not known. Of one instant, what was closed stands before what
/// was admitted, and debt after it: the order that accuses nobody wrongly.
///
/// # Panics
/// If an attempt panics.
///
/// ```
/// use tollgate_testkit::{law::Law, stress::race_recorded};
///
/// let events = race_recorded(2, 10, |thread, number, record| {
///     if number == 0 {
///         record.admitted(5, 1 + thread as u64);
///     }
/// });
/// assert!(Law::Lifetime { max: 3 }.check(events, 0).held());
/// ```
pub fn race_recorded(
    threads: usize,
    attempts: usize,
    attempt: impl Fn(usize, usize, &mut Recorder) + Sync,
) -> Vec<Event> {
    let records = run(threads, |thread| {
        let mut record = Recorder::default();
        (0..attempts).for_each(|number| attempt(thread, number, &mut record));
        record.0
    });
    let mut events = records.concat();
    events.sort_by_key(|event| (event.at, event.kind));
    events
}

/// Runs `work` on each of `threads` threads, none of which starts before all have.
fn run<T: Send>(threads: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let (barrier, work) = (&Barrier::new(threads), &work);
    thread::scope(|scope| {
        let start = |thread| {
            scope.spawn(move || {
                barrier.wait();
                work(thread)
            })
        };
        let started: Vec<_> = (0..threads).map(start).collect();
        let join = |thread: thread::ScopedJoinHandle<'_, T>| {
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        started.into_iter().map(join).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::law::{Kind, Law};
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    #[test]
    fn all_threads_race_and_their_units_add_up() {
        let race = race_for(3, 7, |thread, number| (thread * 10 + number) as u64);
        assert_eq!(race.per_thread, [21, 91, 161]);
        assert_eq!(race.total, 273);
        assert_eq!(race_for(0, 7, |_, _| 1).total, 0);
    }

    #[test]
    fn the_order_of_one_instant_accuses_nobody() {
        let events = race_recorded(3, 1, |thread, _, record| match thread {
            0 => record.debt(5, 1),
            1 => record.admitted(5, 1),
            _ => record.closed(5, 1),
        });
        let kinds: Vec<Kind> = events.iter().map(|event| event.kind).collect();
        assert_eq!(kinds, [Kind::Closed, Kind::Admitted, Kind::Debt]);
    }

    /// A counter that compares, then adds: some race of many must show it. The window between the two is held open,
    /// so that one race of two threads on any machine does.
    #[test]
    fn a_check_before_its_update_is_caught() {
        let (used, both_looked) = (AtomicU64::new(0), Barrier::new(2));
        let events = race_recorded(2, 1, |_, _, record| {
            let seen = used.load(Relaxed);
            both_looked.wait();
            if seen < 1 {
                used.store(seen + 1, Relaxed);
                record.admitted(0, 1);
            }
        });
        assert!(!Law::Lifetime { max: 1 }.check(events, 0).held());
    }
}
