use super::{SECOND, charge, end, go, moment, passed, race, units};
use std::time::Duration;
use tollgate_core::{Charged, Meter, Nanos, Refused, Wait};
use tollgate_sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};
use tollgate_window::{FixedWindow, PeriodCounter, PeriodReceipt, PeriodRefusal};

pub(crate) fn fresh() -> FixedWindow<()> {
    FixedWindow::with_clock(3, Duration::from_secs(1), ()).expect("in range")
}

/// Two callers cross into a period at once, one of them late with a charge for the period before: every period takes
/// its ceiling, and no unit is lost at the rollover.
pub(crate) fn rollover_loses_no_charge(ceiling: u64) {
    let counter = Arc::new(PeriodCounter::new(ceiling));
    counter
        .charge_in(1, units(ceiling), ceiling)
        .expect("it is fresh");
    let attempt = |periods: [u64; 2]| {
        go(&counter, move |counter| {
            periods.map(|period| {
                counter
                    .charge_in(period, units(1), ceiling)
                    .ok()
                    .map(|charged| charged.receipt.period())
            })
        })
    };
    let (late, early) = (attempt([1, 2]), attempt([2, 2]));
    let periods: Vec<u64> = [end(late), end(early)]
        .into_iter()
        .flatten()
        .flatten()
        .collect();
    assert!(
        periods.iter().all(|period| *period == 2),
        "the period before was full"
    );
    // The late caller's first charge either finds its period full, or is counted in the later one.
    let taken = periods.len() as u64;
    assert!(
        taken == ceiling.min(3) || taken == ceiling.min(4),
        "{taken} of {ceiling}"
    );
    assert_eq!(counter.used_in(2), taken);
}

/// A late caller and one who begins the next window: each is counted in its own or denied until the next begins, and a
/// denial leaves nothing.
pub(crate) fn late_caller_waits_for_the_window() {
    let window = Arc::new(fresh());
    charge(&*window, 1, 2, 3).expect("it is fresh");
    let (late, early) = race(
        &window,
        |window| window.charge(moment(SECOND - 7), units(1), 3),
        |window| [(); 2].map(|()| charge(window, SECOND, 1, 3)),
    );
    match late {
        Ok(charged) => assert_eq!((charged.receipt.period(), charged.after), (0, 3)),
        Err(Refused::Denied(denial)) => assert_eq!(denial.wait, Wait::nanos(7)),
        Err(Refused::Closed | Refused::Dry) => panic!("nobody closed it"),
    }
    assert_eq!(passed(&early), 2);
    assert_eq!(window.count_at(Nanos(SECOND)), 2);
}

/// A refund of the period before, while the next one begins: it never touches the next.
pub(crate) fn refund_touches_no_other_period() {
    let counter = Arc::new(PeriodCounter::new(2));
    let old = counter
        .charge_in(1, units(2), 2)
        .expect("it is fresh")
        .receipt;
    let (_, charged) = race(
        &counter,
        move |counter| counter.refund_in(&old, 1),
        |counter| counter.charge_in(2, units(2), 2).is_ok(),
    );
    assert!(charged);
    assert_eq!(counter.used_in(2), 2);
}

/// Who asks what a period had used when it ended, while it and the next one end, hears that or nothing; and hears it in the end.
pub(crate) fn what_ended_is_told_with_its_period() {
    let counter = Arc::new(PeriodCounter::new(3));
    counter.charge_in(1, units(1), 3).expect("it is fresh");
    let (_, told) = race(
        &counter,
        |counter| {
            for (period, cost) in [(2, 2), (3, 2), (3, 1)] {
                counter
                    .charge_in(period, units(cost), 3)
                    .expect("it is fresh");
            }
        },
        |counter| [2, 1].map(|period| counter.ended(period)),
    );
    assert!([None, Some(2)].contains(&told[0]), "{told:?}");
    assert!([None, Some(1)].contains(&told[1]), "{told:?}");
    assert_eq!(
        [1, 2, 3].map(|period| counter.ended(period)),
        [None, Some(2), None]
    );
}

/// A counter that takes over knows what had ended before, and what has ended since, however late another caller helps.
pub(crate) fn what_ended_is_handed_on_once() {
    let old = PeriodCounter::new(3);
    for (period, cost) in [(1, 1), (2, 2)] {
        old.charge_in(period, units(cost), 3).expect("it is fresh");
    }
    let counters = Arc::new((old, PeriodCounter::pending(4)));
    let (known, ()) = race(
        &counters,
        |counters| {
            let (old, new) = counters;
            new.take_over_in(old, 2);
            let known = new.ended(1);
            new.charge_in(3, units(3), 4).expect("nothing is owed");
            known
        },
        |counters| {
            let (old, new) = counters;
            new.take_over_in(old, 2);
        },
    );
    // Whoever finds it taken over by the other may not know yet.
    assert!([None, Some(1)].contains(&known), "{known:?}");
    let heir = PeriodCounter::pending(5);
    heir.take_over_in(&counters.1, 3);
    for counter in [&counters.1, &heir] {
        assert_eq!([1, 2].map(|period| counter.ended(period)), [None, Some(2)]);
    }
}

/// Charges and a refund in one window: the sum is right whoever comes first.
pub(crate) fn refunds_and_charges_add_up() {
    let window = Arc::new(fresh());
    let first = charge(&*window, 0, 2, 3).expect("it is fresh").receipt;
    let (refunded, taken) = race(
        &window,
        move |window| window.refund(moment(1), &first, 1),
        |window| passed(&[(); 2].map(|()| charge(window, 1, 1, 3))),
    );
    assert!(taken >= 1 && refunded == 1);
    assert_eq!(window.count_at(Nanos(2)), 2 - refunded + taken);
}

/// The period that some units were counted in, and how many.
type Counted = (u64, u64);

fn counted(charged: &Charged<PeriodReceipt>) -> Counted {
    let units = u64::try_from(charged.after - charged.before).expect("a few");
    (charged.receipt.period(), units)
}

/// What is used in `period`, word for word: each has what was counted in it, and what the one before has left beyond
/// its max.
fn used_in(period: u64, counted: &[Counted], max_in: impl Fn(u64) -> u64) -> u64 {
    (1..=period).fold(0, |before, period| {
        let left = before.saturating_sub(max_in(period - 1));
        let here = counted.iter().filter(|(at, _)| *at == period);
        left + here.map(|(_, units)| units).sum::<u64>()
    })
}

/// Callers cross into periods that have a debt to pay, some of them with more debt: each period pays its max once,
/// whoever rolls over, and nobody is admitted before it is paid.
pub(crate) fn rollover_carries_debt(debt: u64, debtor: &'static [u64], charger: &'static [u64]) {
    const MAX: u64 = 2;
    let counter = Arc::new(PeriodCounter::new(MAX));
    counter
        .charge_anyway_in(1, units(MAX + debt), MAX)
        .expect("it is fresh");
    let debtor = go(&counter, move |counter| {
        let anyway = |period: &u64| counter.charge_anyway_in(*period, units(1), MAX);
        debtor
            .iter()
            .map(|period| counted(&anyway(period).expect("nobody closes it")))
            .collect::<Vec<_>>()
    });
    let charger = go(&counter, move |counter| {
        let charge = |period: &u64| counter.charge_in(*period, units(1), MAX).ok();
        charger
            .iter()
            .filter_map(charge)
            .map(|charged| {
                assert!(charged.after <= u128::from(MAX), "never over");
                counted(&charged)
            })
            .collect::<Vec<_>>()
    });
    let all = [vec![(1, MAX + debt)], end(debtor), end(charger)].concat();
    let last = all.iter().map(|(period, _)| *period).max().expect("some");
    for period in last..last + 3 {
        assert_eq!(
            counter.used_in(period),
            used_in(period, &all, |_| MAX),
            "in {period} of {all:?}"
        );
    }
}

/// A counter and the one that takes over from it, as callers go through them: who finds the old one closed helps.
struct Change {
    old: PeriodCounter,
    new: PeriodCounter,
}

impl Change {
    fn new(old: u64, new: u64) -> Self {
        Self {
            old: PeriodCounter::new(old),
            new: PeriodCounter::pending(new),
        }
    }

    fn take_over(&self, period: u64) {
        self.new.take_over_in(&self.old, period);
    }

    fn charge(&self, period: u64, cost: u64) -> Option<Counted> {
        let charge = |counter: &PeriodCounter| {
            let ceiling = counter.max();
            counter.charge_in(period, units(cost), ceiling)
        };
        let charged = match charge(&self.old) {
            Err(PeriodRefusal::Closed) => {
                self.take_over(period);
                charge(&self.new)
            }
            answer => answer,
        };
        match charged {
            Ok(charged) => Some(counted(&charged)),
            Err(PeriodRefusal::Closed) => panic!("nobody closed it"),
            Err(_) => None,
        }
    }

    fn charge_anyway(&self, period: u64, extra: u64) -> Counted {
        let anyway = |counter: &PeriodCounter| counter.charge_anyway_in(period, units(extra), 1);
        let charged = anyway(&self.old).or_else(|_| {
            self.take_over(period);
            anyway(&self.new)
        });
        counted(&charged.expect("nobody closed it"))
    }

    fn refund(&self, receipt: &PeriodReceipt, surplus: u64) -> u64 {
        match self.old.refund_in(receipt, surplus) {
            0 => {
                self.take_over(receipt.period());
                self.new.refund_in(receipt, surplus)
            }
            refunded => refunded,
        }
    }
}

/// The max is lowered while one caller charges in the period of the change and another in the next: what was admitted
/// under the larger max is no debt, and nothing is lost.
pub(crate) fn lowered_max_makes_no_debt() {
    let change = Arc::new(Change::new(3, 1));
    change.charge(1, 2).expect("it is fresh");
    let (first, second) = race(
        &change,
        |change| change.charge(1, 1),
        |change| {
            change.take_over(1);
            change.charge(2, 1)
        },
    );
    let in_second = [first, second].into_iter().flatten();
    let in_second: Vec<_> = in_second.filter(|(period, _)| *period == 2).collect();
    assert_eq!(in_second, [(2, 1)], "the next period has its whole max");
    assert_eq!([2, 3].map(|period| change.new.used_in(period)), [1, 0]);
}

/// The max is lowered while somebody looks and charges who has not seen to it that the new counter takes over: as soon as
/// that counts, it knows what was lawful before.
pub(crate) fn new_counter_knows_the_old_max_from_the_start() {
    let change = Arc::new(Change::new(3, 1));
    change.charge(1, 3).expect("it is fresh");
    let ((), found) = race(
        &change,
        |change| change.take_over(1),
        |change| {
            let looked = change.new.look_in(2, units(1), 1);
            (looked, change.new.charge_in(2, units(1), 1).map(|_| ()))
        },
    );
    let right = |found| matches!(found, Ok(()) | Err(PeriodRefusal::Closed));
    assert!(right(found.0) && right(found.1), "a debt: {found:?}");
}

/// What another process had used under a larger max is charged while somebody looks and charges in the next period: as soon as that
/// counts, it is known to be lawful.
pub(crate) fn restored_counter_knows_the_old_max_from_the_start() {
    let counter = Arc::new(PeriodCounter::new(1));
    let (is_restored, found) = race(
        &counter,
        |counter| counter.restore_in(1, 3, 3),
        |counter| {
            let looked = counter.look_in(2, units(1), 1);
            (looked, counter.charge_in(2, units(1), 1).map(|_| ()))
        },
    );
    assert!(is_restored);
    assert_eq!(found, (Ok(()), Ok(())), "a debt");
}

/// A counter is frozen beside a look and a charge: whoever finds it closed sees what was written before, where its
/// successor is.
pub(crate) fn who_finds_a_counter_closed_finds_the_next() {
    let both = Arc::new((Change::new(2, 1), AtomicU64::new(0)));
    race(
        &both,
        |(change, next)| {
            // Relaxed, here and below: the counter's word is to order them.
            next.store(1, Relaxed);
            change.take_over(1);
        },
        |(change, next)| {
            let finds = |closed: bool| assert!(!closed || next.load(Relaxed) == 1, "no next");
            finds(change.old.look_in(1, units(1), 2).is_err());
            finds(change.old.charge_in(1, units(1), 2).is_err());
        },
    );
}

/// A refund, a debt and a change of the max at once: every unit is counted and given back once.
pub(crate) fn refund_meets_a_change_of_max(max: u64) {
    let change = Arc::new(Change::new(2, max));
    let first = change.old.charge_in(1, units(2), 2).expect("it is fresh");
    let refunder = go(&change, move |change| change.refund(&first.receipt, 1));
    let debtor = go(&change, |change| change.charge_anyway(1, 3));
    let changer = go(&change, |change| change.take_over(1));
    end(changer);
    assert_eq!((end(refunder), end(debtor)), (1, (1, 3)));
    let largest = max.max(2);
    let left = 4_u64.saturating_sub(largest);
    assert_eq!([1, 2].map(|period| change.new.used_in(period)), [4, left]);
    assert_eq!(change.new.used_in(3), left.saturating_sub(max));
}

/// Two callers in different periods both find that the max was changed: one of the two periods is that of the change,
/// and debt is paid as if it had been from the start.
pub(crate) fn change_of_max_has_one_period(max: u64) {
    const OLD: u64 = 2;
    let change = Arc::new(Change::new(OLD, max));
    let first = change.charge_anyway(1, 9);
    let caller = |period| {
        go(&change, move |change| {
            change.take_over(period);
            change.charge_anyway(period, 1)
        })
    };
    let (early, late) = (caller(2), caller(3));
    let all = [first, end(early), end(late)];
    let used = [3, 4, 5].map(|period| change.new.used_in(period));
    let changed_in = |changed: u64| {
        [3, 4, 5].map(|period| {
            used_in(period, &all, |at| match at.cmp(&changed) {
                std::cmp::Ordering::Less => OLD,
                std::cmp::Ordering::Equal => OLD.max(max),
                std::cmp::Ordering::Greater => max,
            })
        })
    };
    assert!(
        used == changed_in(2) || used == changed_in(3),
        "{used:?} of {all:?}"
    );
}
