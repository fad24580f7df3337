//! A meter under the oracle, at one ceiling.

use std::cell::RefCell;
use tollgate_core::{Cost, Meter, Moment, Nanos, Refused, Wait, Wall};
use tollgate_testkit::{Answer, strategy::Op, subject::Subject};

/// A meter and the receipts of its admissions, in order.
pub(crate) struct Under<M: Meter> {
    pub(crate) meter: M,
    ceiling: u64,
    receipts: RefCell<Vec<M::Receipt>>,
}

impl<M: Meter> Under<M> {
    pub(crate) fn new(meter: M, ceiling: u64) -> Self {
        Self {
            meter,
            ceiling,
            receipts: RefCell::default(),
        }
    }
}

impl<M: Meter> Subject for Under<M> {
    /// Asks twice: what `look` says must be what `charge` then does, and both must agree with `used`.
    fn try_acquire_at(&self, cost: u64, now: u64) -> Answer {
        let (at, cost) = (moment(now), cost_of(cost));
        let used = self.meter.used(at);
        let looked = self.meter.look(at, cost, self.ceiling);
        match self.meter.charge(at, cost, self.ceiling) {
            Ok(charged) => {
                assert_eq!(looked, Ok(()), "a charge that passes was promised");
                assert_eq!(charged.before, u128::from(used));
                assert_eq!(charged.after, charged.before + u128::from(cost.get()));
                assert_eq!(charged.full, u128::from(self.ceiling));
                assert_eq!(u128::from(self.meter.used(at)), charged.after);
                self.receipts.borrow_mut().push(charged.receipt);
                Answer::Admit
            }
            Err(refused) => {
                assert_eq!(
                    looked,
                    Err(refused),
                    "a denial was foretold to the nanosecond"
                );
                assert_eq!(self.meter.used(at), used);
                denied(refused, used)
            }
        }
    }

    fn refund_at(&self, admission: usize, surplus: u64, now: u64) -> bool {
        let (at, before) = (moment(now), self.meter.used(moment(now)));
        let receipt = self.receipts.borrow()[admission];
        let refunded = self.meter.refund(at, &receipt, surplus);
        assert_eq!(
            self.meter.used(at),
            before - refunded,
            "a refund lowers what is used by what it says"
        );
        true
    }

    fn charge_anyway_at(&self, extra: u64, now: u64) -> bool {
        let (at, before) = (moment(now), u128::from(self.meter.used(moment(now))));
        let charged = self
            .meter
            .charge_anyway(at, cost_of(extra), self.ceiling)
            .expect("never closed");
        assert_eq!(
            (charged.before, charged.after),
            (before, before + u128::from(extra))
        );
        true
    }
}

pub(crate) fn moment(now: u64) -> Moment {
    Moment::new(Nanos(now), Wall::default())
}

pub(crate) fn cost_of(units: u64) -> Cost {
    Cost::new(units).expect("costs are not zero")
}

fn denied(refused: Refused, used: u64) -> Answer {
    let Refused::Denied(denial) = refused else {
        panic!("nobody closed the meter")
    };
    assert_eq!(
        denial.committed,
        u128::from(used),
        "the figures of a denial agree"
    );
    match denial.wait {
        Wait::After(wait) => Answer::Wait(wait.as_nanos()),
        Wait::Never => Answer::Never,
    }
}

/// Histories start near zero or at the instant 1.7 × 10¹⁸ ns, which no clock of ours reaches in thirty years: those are
/// moved back by 10¹⁸.
pub(crate) fn in_our_time(mut history: Vec<Op>) -> Vec<Op> {
    const AGE: u64 = 1_000_000_000_000_000_000;
    if history.iter().any(|op| op.at() > Nanos::MAX.0) {
        for op in &mut history {
            let (Op::Acquire { at, .. } | Op::Refund { at, .. } | Op::Debt { at, .. }) = op;
            *at = at.saturating_sub(AGE);
        }
    }
    history
}
