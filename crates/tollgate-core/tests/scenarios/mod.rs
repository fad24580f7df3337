//! Races on one limiter, at one instant, each with what must hold whoever wins. One call is one race: a model checker
//! runs each under every interleaving, plain threads run them many times.

#[cfg(not(model_loom))]
pub(crate) mod mixes;
#[path = "../../../../tests/scenarios/parties.rs"]
mod parties;
#[cfg(model_loom)]
pub(crate) mod planted;
pub(crate) mod sharded;

use parties::{end, go};

use std::time::Duration;
use tollgate_core::{Clock, Cost, Limit, Limiter, ManualClock, Nanos};
use tollgate_sync::Arc;

/// A clock that stands still, and is no part of the race.
#[derive(Debug)]
pub(crate) struct Frozen;

const NOW: Nanos = Nanos::new(1_000);

impl Clock for Frozen {
    fn now(&self) -> Nanos {
        NOW
    }

    fn wall_offset(&self) -> i64 {
        0
    }
}

/// A limit whose unit takes `per_unit` nanoseconds.
fn limit(per_unit: u64, capacity: u64) -> Limit {
    Limit::new(1, Duration::from_nanos(per_unit))
        .expect("a limit")
        .with_capacity(capacity)
}

fn limiter(limit: Limit) -> Arc<Limiter<Frozen>> {
    Arc::new(Limiter::with_clock(limit, Frozen).expect("a limit"))
}

/// How many of `calls` requests for one unit pass.
fn admitted(limiter: &Limiter<Frozen>, calls: usize) -> u64 {
    (0..calls)
        .map(|_| {
            u64::from(
                limiter
                    .try_acquire(Cost::ONE)
                    .expect("it fits")
                    .is_allowed(),
            )
        })
        .sum()
}

fn remaining(limiter: &Limiter<Frozen>) -> u64 {
    limiter.peek().remaining()
}

/// Callers at one instant take the capacity, and not a unit more or less.
pub(crate) fn callers_take_exactly_the_capacity(callers: usize, calls: usize, capacity: u64) {
    let limiter = limiter(limit(10, capacity));
    let threads: Vec<_> = (0..callers)
        .map(|_| go(&limiter, move |limiter| admitted(limiter, calls)))
        .collect();
    let taken: u64 = threads.into_iter().map(end).sum();
    assert_eq!(
        taken,
        capacity.min(u64::try_from(callers * calls).expect("few"))
    );
    assert_eq!(remaining(&limiter), capacity - taken);
}

/// Callers of unequal costs never take more than the capacity, and what is left is what was not taken.
pub(crate) fn unequal_costs_fit_the_capacity() {
    let limiter = limiter(limit(10, 4));
    let take = |units: u64| {
        go(&limiter, move |limiter| {
            let cost = Cost::new(units).expect("a cost");
            if limiter.try_acquire(cost).expect("it fits").is_allowed() {
                units
            } else {
                0
            }
        })
    };
    let (three, two) = (take(3), take(2));
    let taken = end(three) + end(two);
    assert!(taken == 3 || taken == 2, "one of them passes");
    assert_eq!(remaining(&limiter), 4 - taken);
}

/// The limit changes while callers take: nobody waits, every unit taken under either limit counts under the new one,
/// and no more is taken than the larger capacity holds.
pub(crate) fn change_keeps_the_units(callers: usize, calls: usize, before: u64, after: u64) {
    let limiter = limiter(limit(30, before));
    let callers: Vec<_> = (0..callers)
        .map(|_| go(&limiter, move |limiter| admitted(limiter, calls)))
        .collect();
    limiter.set_limit(limit(70, after)).expect("a limit");
    let taken: u64 = callers.into_iter().map(end).sum();
    assert!(taken <= before.max(after), "{taken} units");
    assert_eq!(remaining(&limiter), after.saturating_sub(taken));
    // And no fewer, once the change is through.
    let more = admitted(&limiter, 8);
    assert_eq!(more, after.saturating_sub(taken));
}

/// Two changes, one after the other, beside a caller that may hold on to what it read before either.
pub(crate) fn changes_in_a_row_keep_the_units(calls: usize) {
    let limiter = limiter(limit(30, 1));
    let caller = go(&limiter, move |limiter| admitted(limiter, calls));
    limiter.set_limit(limit(70, 2)).expect("a limit");
    limiter.set_limit(limit(20, 3)).expect("a limit");
    let taken = end(caller);
    assert!((1..=3).contains(&taken), "{taken} units");
    assert_eq!(remaining(&limiter), 3 - taken);
}

/// Two who change the limit at once do so one after the other: no unit is lost between them.
pub(crate) fn changers_take_turns() {
    let limiter = limiter(limit(30, 2));
    assert_eq!(admitted(&limiter, 1), 1);
    let changers = [3, 5].map(|capacity| {
        go(&limiter, move |limiter| {
            limiter.set_limit(limit(70, capacity))
        })
    });
    let taken = 1 + admitted(&limiter, 1);
    for changer in changers {
        end(changer).expect("a limit");
    }
    let capacity = limiter.limit().capacity();
    assert_eq!(limiter.peek().capacity(), capacity);
    assert_eq!(remaining(&limiter), capacity - taken);
}

/// A reset beside a caller: the caller's unit counts, or it was forgotten with the rest.
pub(crate) fn reset_forgets_all_or_nothing() {
    let limiter = limiter(limit(30, 2));
    assert_eq!(admitted(&limiter, 1), 1);
    let caller = go(&limiter, |limiter| admitted(limiter, 2));
    limiter.reset();
    let taken = end(caller);
    assert!(taken >= 1, "one was left, or two after the reset");
    let counted = 2 - remaining(&limiter);
    assert!(counted <= taken, "{counted} of {taken} count");
}

/// A turn is dropped while a caller comes: given back before, it lets the caller in; else it stays, or is forfeited if
/// the caller came between.
pub(crate) fn dropped_turn_gives_back_or_forfeits(capacity: u64) {
    let limiter = limiter(limit(30, capacity));
    let turn_taken = go(&limiter, |limiter| {
        let turn = limiter.turn(Cost::ONE, Duration::ZERO);
        let had = turn.is_ok();
        drop(turn);
        had
    });
    let taken = admitted(&limiter, 1);
    let had = end(turn_taken);
    let counted = capacity - remaining(&limiter);
    assert!(
        had || taken == 1,
        "a turn is refused only if the caller took the last unit"
    );
    assert!(taken == 1 || capacity == 1, "there is room for both");
    assert!(counted >= taken, "the caller's unit is never given back");
    assert!(counted <= taken + 1, "nothing counts that was not taken");
    if taken == 0 {
        assert_eq!(counted, 0, "with nobody after it, a turn gives back");
    }
}

/// Two turns dropped at once: the later one gives back, the earlier one too if it is dropped after that.
pub(crate) fn dropped_turns_never_give_back_twice() {
    let limiter = limiter(limit(30, 3));
    let turns = [(); 2].map(|()| {
        go(&limiter, |limiter| {
            let turn = limiter
                .turn(Cost::ONE, Duration::ZERO)
                .expect("there is room");
            drop(turn);
        })
    });
    let taken = admitted(&limiter, 1);
    turns.into_iter().for_each(end);
    assert_eq!(taken, 1);
    let counted = 3 - remaining(&limiter);
    assert!((1..=3).contains(&counted), "{counted} units count");
}

/// Callers take a turn each: the instants at which those are due lie an interval apart, whoever came first.
pub(crate) fn turns_are_due_one_after_the_other(callers: u64, capacity: u64) {
    const PER_UNIT: u64 = 30;
    let limiter = limiter(limit(PER_UNIT, capacity));
    let turns: Vec<_> = (0..callers)
        .map(|_| {
            go(&limiter, |limiter| {
                let turn = limiter.turn(Cost::ONE, Duration::from_secs(1));
                let turn = turn.expect("it is soon enough");
                let ready_at = turn.ready_at();
                turn.take();
                ready_at.0
            })
        })
        .collect();
    let mut ready_at: Vec<u64> = turns.into_iter().map(end).collect();
    ready_at.sort_unstable();
    let due = |number: u64| NOW.0 + PER_UNIT * (number + 1).saturating_sub(capacity);
    assert!(
        ready_at.iter().copied().eq((0..callers).map(due)),
        "{ready_at:?}"
    );
}

/// A turn is dropped while the limit changes: it gives back before, or is forfeited after, and never touches the
/// units of the new limit.
pub(crate) fn turn_dropped_in_a_change_gives_back_once() {
    let limiter = limiter(limit(30, 2));
    let turn = go(&limiter, |limiter| {
        drop(limiter.turn(Cost::ONE, Duration::ZERO))
    });
    limiter.set_limit(limit(30, 4)).expect("a limit");
    let taken = admitted(&limiter, 1);
    end(turn);
    assert_eq!(taken, 1);
    let counted = 4 - remaining(&limiter);
    assert!(counted == 1 || counted == 2, "{counted} units count");
}

/// A peek shows a state that was there: what is left only falls, and belongs to the capacity shown beside it.
pub(crate) fn peeks_see_what_was_there(changing: bool) {
    let limiter = limiter(limit(30, 2));
    let caller = go(&limiter, |limiter| admitted(limiter, 2));
    let watcher = go(&limiter, |limiter| [(); 2].map(|()| limiter.peek()));
    if changing {
        limiter.set_limit(limit(70, 5)).expect("a limit");
    }
    assert_eq!(end(caller), 2);
    let mut used_before = 0;
    for seen in end(watcher) {
        assert!(seen.capacity() == 2 || (changing && seen.capacity() == 5));
        let used = seen.capacity() - seen.remaining();
        assert!(
            used_before <= used && used <= 2,
            "{used} used after {used_before}"
        );
        used_before = used;
    }
    let last = limiter.peek();
    assert_eq!(last.capacity() - last.remaining(), 2);
}

/// However many advance a clock at once, it ends where all of them together moved it.
pub(crate) fn advances_of_a_clock_add_up(callers: u64, advances: u64) {
    let clock = Arc::new(ManualClock::new());
    let begun = clock.now();
    let threads: Vec<_> = (1..=callers)
        .map(|by| {
            go(&clock, move |clock| {
                for _ in 0..advances {
                    clock.advance(Duration::from_nanos(by));
                }
            })
        })
        .collect();
    threads.into_iter().for_each(end);
    let all = advances * callers * (callers + 1) / 2;
    assert_eq!(clock.now().since(begun), Duration::from_nanos(all));
}
