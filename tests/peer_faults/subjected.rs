//! What makes a subject of each kind of limiter.

use std::{cell::RefCell, time::Duration};
use tollgate_core::{
    Clock, Cost, CostExceedsCapacity, Decision, ManualClock, Meter, Moment, Nanos, NoTurn, Refused,
    Turn, Wall,
};
use tollgate_policy::{Gate, Request, Reservation, Usage};
use tollgate_testkit::{Answer, subject::Subject};

/// A tier under test. As a [`Subject`] both of its clocks read the same; [`Self::ask`] sets them apart.
pub(crate) struct Subjected(Box<dyn Asked>);

impl Subjected {
    /// Asks for one unit.
    pub(crate) fn ask(&self, at: Moment) -> Answer {
        self.0.take(Cost::ONE, at)
    }
}

impl Subject for Subjected {
    fn try_acquire_at(&self, cost: u64, now: u64) -> Answer {
        self.0.take(Cost::new(cost).expect("a cost"), moment(now))
    }

    fn refund_at(&self, admission: usize, surplus: u64, now: u64) -> bool {
        self.0.give_back(admission, surplus, moment(now))
    }

    fn charge_anyway_at(&self, extra: u64, now: u64) -> bool {
        self.0.spend(extra, moment(now))
    }
}

/// What the adapters below can do.
trait Asked {
    fn take(&self, cost: Cost, at: Moment) -> Answer;

    fn give_back(&self, admission: usize, surplus: u64, at: Moment) -> bool {
        let _ = (admission, surplus, at);
        false
    }

    fn spend(&self, extra: u64, at: Moment) -> bool {
        let _ = (extra, at);
        false
    }
}

fn subjected(asked: impl Asked + 'static) -> Subjected {
    Subjected(Box::new(asked))
}

/// The moment at which both clocks read `now`.
pub(crate) fn moment(now: u64) -> Moment {
    Moment::new(Nanos(now), Wall(i64::try_from(now).unwrap_or(i64::MAX)))
}

/// Sets both times of `clock`.
fn set(clock: &ManualClock, at: Moment) {
    clock.set(at.now);
    clock.set_wall(at.wall);
    debug_assert_eq!(clock.moment(), at);
}

/// What is taken by its own clock.
struct Cell<T> {
    clock: ManualClock,
    take: T,
}

pub(crate) fn of_cell(
    clock: ManualClock,
    take: impl Fn(Cost) -> Result<Decision, CostExceedsCapacity> + 'static,
) -> Subjected {
    subjected(Cell { clock, take })
}

impl<T: Fn(Cost) -> Result<Decision, CostExceedsCapacity>> Asked for Cell<T> {
    fn take(&self, cost: Cost, at: Moment) -> Answer {
        set(&self.clock, at);
        match (self.take)(cost) {
            Ok(Decision::Allowed(_)) => Answer::Admit,
            Ok(Decision::Denied(denied)) => Answer::Wait(denied.retry_after().as_nanos()),
            Err(CostExceedsCapacity { .. }) => Answer::Never,
        }
    }
}

/// Turns, all of them held until they are given back.
struct Turns<T> {
    take: T,
    held: RefCell<Vec<Option<Turn<'static>>>>,
}

pub(crate) fn turns(
    take: impl Fn(Cost, Nanos) -> Result<Turn<'static>, NoTurn> + 'static,
) -> Subjected {
    subjected(Turns {
        take,
        held: RefCell::default(),
    })
}

impl<T: Fn(Cost, Nanos) -> Result<Turn<'static>, NoTurn>> Asked for Turns<T> {
    fn take(&self, cost: Cost, at: Moment) -> Answer {
        match (self.take)(cost, at.now) {
            Ok(turn) => {
                self.held.borrow_mut().push(Some(turn));
                Answer::Admit
            }
            Err(NoTurn::WaitTooLong { wait, .. }) => Answer::Wait(wait.as_nanos()),
            Err(NoTurn::CostExceedsCapacity(_)) => Answer::Never,
        }
    }

    fn give_back(&self, admission: usize, _whole: u64, _at: Moment) -> bool {
        self.held.borrow_mut()[admission].take().is_some()
    }
}

/// A meter, with the receipts of all its charges.
struct OfMeter<M: Meter> {
    meter: M,
    ceiling: u64,
    receipts: RefCell<Vec<M::Receipt>>,
}

pub(crate) fn of_meter(meter: impl Meter + 'static, ceiling: u64) -> Subjected {
    subjected(OfMeter {
        meter,
        ceiling,
        receipts: RefCell::default(),
    })
}

impl<M: Meter> Asked for OfMeter<M> {
    fn take(&self, cost: Cost, at: Moment) -> Answer {
        match self.meter.charge(at, cost, self.ceiling) {
            Ok(charged) => {
                self.receipts.borrow_mut().push(charged.receipt);
                Answer::Admit
            }
            Err(Refused::Denied(denial)) => wait_of(denial.wait.duration()),
            Err(Refused::Closed | Refused::Dry) => panic!("nobody closed the meter"),
        }
    }

    fn give_back(&self, admission: usize, surplus: u64, at: Moment) -> bool {
        let receipt = self.receipts.borrow()[admission];
        self.meter.refund(at, &receipt, surplus);
        true
    }

    fn spend(&self, extra: u64, at: Moment) -> bool {
        let extra = Cost::new(extra).expect("a cost");
        self.meter.charge_anyway(at, extra, self.ceiling).is_ok()
    }
}

/// A gate of one limit, with all its reservations.
struct OfGate {
    gate: Gate,
    clock: ManualClock,
    held: RefCell<Vec<Option<Reservation>>>,
}

/// A gate whose one limit counts input tokens by `algorithm`, with `keys`.
pub(crate) fn of_gate(algorithm: &str, keys: &str) -> Result<Subjected, String> {
    let clock = ManualClock::new();
    let policy = format!(
        "[[limit]]\nname = \"tokens\"\nunit = \"input_tokens\"\nalgorithm = \"{algorithm}\"\n{keys}"
    );
    Ok(subjected(OfGate {
        gate: Gate::builder()
            .clock(clock.clone())
            .build(&policy)
            .map_err(|errors| errors.to_string())?,
        clock,
        held: RefCell::default(),
    }))
}

impl Asked for OfGate {
    fn take(&self, cost: Cost, at: Moment) -> Answer {
        set(&self.clock, at);
        match self.gate.admit(&Request::new().input_tokens(cost.get())) {
            Ok(reservation) => {
                self.held.borrow_mut().push(Some(reservation));
                Answer::Admit
            }
            Err(refusal) => {
                let limited = refusal.limited().expect("the limit refused");
                assert_eq!(limited.never_fits, cost.get() > limited.max);
                wait_of(limited.retry_after)
            }
        }
    }

    fn give_back(&self, admission: usize, surplus: u64, at: Moment) -> bool {
        set(&self.clock, at);
        let Some(reservation) = self.held.borrow_mut()[admission].take() else {
            return false;
        };
        let estimate = *reservation.estimate();
        if surplus == estimate.input_tokens {
            reservation.release();
        } else {
            reservation.settle(Usage {
                input_tokens: estimate.input_tokens - surplus,
                ..estimate
            });
        }
        true
    }

    /// Settles the latest reservation at so much more than it asked for.
    fn spend(&self, extra: u64, at: Moment) -> bool {
        set(&self.clock, at);
        let Some(reservation) = self.held.borrow_mut().last_mut().and_then(Option::take) else {
            return false;
        };
        let estimate = *reservation.estimate();
        reservation.settle(Usage {
            input_tokens: estimate.input_tokens + extra,
            ..estimate
        });
        true
    }
}

fn wait_of(wait: Option<Duration>) -> Answer {
    wait.map_or(Answer::Never, |wait| Answer::Wait(wait.as_nanos()))
}
