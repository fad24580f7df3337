use super::{charge, end, go, moment, passed, units};
use std::time::Duration;
use tollgate_core::{Meter, Nanos};
use tollgate_sync::Arc;
use tollgate_window::{FixedWindow, PeriodCounter};

pub(crate) fn fresh() -> FixedWindow {
    FixedWindow::new(3, Duration::from_secs(1)).expect("in range")
}

/// Two callers cross into a period at once, one of them late with a charge for the period before: every period takes
/// its ceiling, and no unit is lost at the rollover.
pub(crate) fn rollover_loses_no_charge(ceiling: u64) {
    let counter = Arc::new(PeriodCounter::new());
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

/// A refund of the period before, while the next one begins: it never touches the next.
pub(crate) fn refund_touches_no_other_period() {
    let counter = Arc::new(PeriodCounter::new());
    let old = counter
        .charge_in(1, units(2), 2)
        .expect("it is fresh")
        .receipt;
    let refunder = go(&counter, move |counter| counter.refund_in(&old, 1));
    let charger = go(&counter, |counter| {
        counter.charge_in(2, units(2), 2).is_ok()
    });
    end(refunder);
    assert!(end(charger));
    assert_eq!(counter.used_in(2), 2);
}

/// Charges and a refund in one window: the sum is right whoever comes first.
pub(crate) fn refunds_and_charges_add_up() {
    let window = Arc::new(fresh());
    let first = charge(&*window, 0, 2, 3).expect("it is fresh").receipt;
    let refunder = go(&window, move |window| window.refund(moment(1), &first, 1));
    let charger = go(&window, |window| {
        passed(&[(); 2].map(|()| charge(window, 1, 1, 3)))
    });
    let (refunded, taken) = (end(refunder), end(charger));
    assert!(taken >= 1 && refunded == 1);
    assert_eq!(window.count(Nanos(2)), 2 - refunded + taken);
}
