//! A meter of ours as a subject of the testkit.

use std::cell::RefCell;
use tollgate_core::{Cost, Meter, Moment, Nanos, Refused, Wall};
use tollgate_testkit::{Answer, subject::Subject};

/// A meter under one ceiling, asked by one caller, with the receipts of its admissions in order.
#[derive(Debug)]
pub(super) struct Metered<M: Meter> {
    pub(super) meter: M,
    ceiling: u64,
    /// Wall time at instant zero.
    wall: i64,
    /// Whether the meter's own scale is units.
    in_units: bool,
    receipts: RefCell<Vec<M::Receipt>>,
}

impl<M: Meter> Metered<M> {
    pub(super) fn new(meter: M, ceiling: u64) -> Self {
        Self {
            meter,
            ceiling,
            wall: 0,
            in_units: true,
            receipts: RefCell::default(),
        }
    }

    pub(super) fn moment(&self, now: u64) -> Moment {
        Moment::new(Nanos(now), Wall(self.wall.saturating_add_unsigned(now)))
    }
}

pub(super) fn units(units: u64) -> Cost {
    Cost::new(units).expect("no step asks for nothing")
}

impl<M: Meter> Subject for Metered<M> {
    /// Asks twice: what `look` says must be what `charge` then does, and both must agree with `used`.
    fn try_acquire_at(&self, cost: u64, now: u64) -> Answer {
        let (at, cost) = (self.moment(now), units(cost));
        let used = self.meter.used(at);
        let looked = self.meter.look(at, cost, self.ceiling);
        match self.meter.charge(at, cost, self.ceiling) {
            Ok(charged) => {
                assert_eq!(looked, Ok(()), "a charge that passes was promised");
                if self.in_units {
                    assert_eq!(charged.before, u128::from(used));
                    assert_eq!(charged.after, charged.before + u128::from(cost.get()));
                    assert_eq!(charged.full, u128::from(self.ceiling));
                    assert_eq!(u128::from(self.meter.used(at)), charged.after);
                }
                self.receipts.borrow_mut().push(charged.receipt);
                Answer::Admit
            }
            Err(refused) => {
                assert_eq!(
                    looked,
                    Err(refused),
                    "a denial was foretold to the nanosecond"
                );
                assert_eq!(self.meter.used(at), used, "a denial changes nothing");
                let Refused::Denied(denial) = refused else {
                    panic!("nobody closed the meter")
                };
                assert_eq!(
                    self.meter.units(denial.committed),
                    used,
                    "the figures of a denial agree"
                );
                let wait = denial.wait.duration();
                wait.map_or(Answer::Never, |wait| Answer::Wait(wait.as_nanos()))
            }
        }
    }

    fn refund_at(&self, admission: usize, surplus: u64, now: u64) -> bool {
        let (at, before) = (self.moment(now), self.meter.used(self.moment(now)));
        let receipt = self.receipts.borrow()[admission];
        let refunded = self.meter.refund(at, &receipt, surplus);
        assert!(refunded <= surplus);
        if self.in_units {
            assert_eq!(
                self.meter.used(at),
                before - refunded,
                "a refund lowers what is used by what it says"
            );
        }
        true
    }

    fn charge_anyway_at(&self, extra: u64, now: u64) -> bool {
        let (at, before) = (
            self.moment(now),
            u128::from(self.meter.used(self.moment(now))),
        );
        let charged = self.meter.charge_anyway(at, units(extra), self.ceiling);
        let charged = charged.expect("nobody closed the meter");
        if self.in_units {
            assert_eq!(
                (charged.before, charged.after),
                (before, before + u128::from(extra))
            );
        }
        true
    }
}
