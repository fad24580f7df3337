//! A meter of ours, as a subject of the testkit.

use std::cell::RefCell;
use tollgate_core::{Cost, Meter, Moment, Nanos, Refused, Wall};
use tollgate_testkit::{Answer, subject::Subject};

/// A meter under one ceiling, asked by one caller.
pub(crate) struct MeterSubject<M: Meter> {
    meter: M,
    ceiling: u64,
    /// Wall time at instant zero.
    wall: i64,
    receipts: RefCell<Vec<M::Receipt>>,
}

impl<M: Meter> MeterSubject<M> {
    pub(crate) fn new(meter: M, ceiling: u64, wall: i64) -> Self {
        Self {
            meter,
            ceiling,
            wall,
            receipts: RefCell::default(),
        }
    }

    fn moment(&self, now: u64) -> Moment {
        Moment::new(Nanos(now), Wall(self.wall.saturating_add_unsigned(now)))
    }
}

fn cost(units: u64) -> Cost {
    Cost::new(units).expect("histories hold no zero costs")
}

impl<M: Meter> Subject for MeterSubject<M> {
    /// Looks, charges, and holds the two to one answer.
    fn try_acquire_at(&self, units: u64, now: u64) -> Answer {
        let (at, used) = (self.moment(now), self.meter.used(self.moment(now)));
        let look = self.meter.look(at, cost(units), self.ceiling);
        match self.meter.charge(at, cost(units), self.ceiling) {
            Ok(charged) => {
                assert_eq!(look, Ok(()));
                let figures = (charged.before, charged.after, charged.full);
                let before = u128::from(used);
                assert_eq!(
                    figures,
                    (before, before + u128::from(units), u128::from(self.ceiling))
                );
                self.receipts.borrow_mut().push(charged.receipt);
                Answer::Admit
            }
            Err(refused) => {
                assert_eq!(look, Err(refused));
                let Refused::Denied(denial) = refused else {
                    panic!("nobody closed it")
                };
                assert_eq!(denial.committed, u128::from(used));
                denial
                    .wait
                    .duration()
                    .map_or(Answer::Never, |wait| Answer::Wait(wait.as_nanos()))
            }
        }
    }

    fn refund_at(&self, admission: usize, surplus: u64, now: u64) -> bool {
        let receipt = self.receipts.borrow()[admission];
        let before = self.meter.used(self.moment(now));
        let given = self.meter.refund(self.moment(now), &receipt, surplus);
        assert!(given <= surplus);
        assert_eq!(self.meter.used(self.moment(now)), before - given);
        true
    }

    fn charge_anyway_at(&self, extra: u64, now: u64) -> bool {
        let before = self.meter.used(self.moment(now));
        let charged = self
            .meter
            .charge_anyway(self.moment(now), cost(extra), self.ceiling);
        let charged = charged.expect("nobody closed it");
        let before = u128::from(before);
        assert_eq!(
            (charged.before, charged.after),
            (before, before + u128::from(extra))
        );
        true
    }
}
