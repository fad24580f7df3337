//! One meter of any algorithm.

use tollgate_core::{Charged, Cost, Meter, Moment, Refused};
use tollgate_quota::{CalendarMeter, Carried, Concurrency, Lifetime, RateMeter};
use tollgate_window::{ExactLog, FixedWindow, SlottedRing};

/// Defines the enum of meters, that of their receipts, and the calls that go through.
macro_rules! meters {
    ($($name:ident($meter:ty)),+ $(,)?) => {
        /// A meter of any algorithm.
        #[derive(Debug)]
        pub(crate) enum AnyMeter {
            $($name($meter)),+
        }

        /// A receipt of any meter.
        #[derive(Clone, Copy, Debug)]
        pub(crate) enum AnyReceipt {
            $($name(<$meter as Meter>::Receipt)),+
        }

        impl Meter for AnyMeter {
            type Receipt = AnyReceipt;

            fn look(&self, at: Moment, cost: Cost, ceiling: u64) -> Result<(), Refused> {
                match self {
                    $(Self::$name(meter) => meter.look(at, cost, ceiling)),+
                }
            }

            fn charge(&self, at: Moment, cost: Cost, ceiling: u64) -> Result<Charged<AnyReceipt>, Refused> {
                match self {
                    $(Self::$name(meter) => meter.charge(at, cost, ceiling).map(|charged| any(charged, AnyReceipt::$name))),+
                }
            }

            fn charge_anyway(&self, at: Moment, extra: Cost, ceiling: u64) -> Result<Charged<AnyReceipt>, Refused> {
                match self {
                    $(Self::$name(meter) => meter.charge_anyway(at, extra, ceiling).map(|charged| any(charged, AnyReceipt::$name))),+
                }
            }

            fn refund(&self, at: Moment, receipt: &AnyReceipt, surplus: u64) -> u64 {
                match (self, receipt) {
                    $((Self::$name(meter), AnyReceipt::$name(receipt)) => meter.refund(at, receipt, surplus),)+
                    // A receipt of another meter: nothing was charged here.
                    _ => 0,
                }
            }

            fn units(&self, committed: u128) -> u64 {
                match self {
                    $(Self::$name(meter) => meter.units(committed)),+
                }
            }

            fn used(&self, at: Moment) -> u64 {
                match self {
                    $(Self::$name(meter) => meter.used(at)),+
                }
            }

            fn close_at_rest(&self, at: Moment) -> bool {
                match self {
                    $(Self::$name(meter) => meter.close_at_rest(at)),+
                }
            }

            fn reset(&self, at: Moment) {
                match self {
                    $(Self::$name(meter) => meter.reset(at)),+
                }
            }
        }
    };
}

meters! {
    Rate(RateMeter),
    Window(SlottedRing),
    Log(ExactLog),
    Fixed(FixedWindow),
    Calendar(CalendarMeter),
    Lifetime(Lifetime),
    Concurrency(Concurrency),
}

impl AnyMeter {
    /// Takes over what `old` has committed as of `at`, if this meter was made to. Anyone may call it, more than once.
    pub(crate) fn take_over(&self, old: &Self, at: Moment) {
        match (self, old) {
            // An account may be replaced and its meter stay.
            _ if std::ptr::eq(self, old) => {}
            (Self::Rate(new), Self::Rate(old)) => new.take_over(old, at),
            (Self::Fixed(new), Self::Fixed(old)) => new.take_over(old, at),
            (Self::Calendar(new), Self::Calendar(old)) => new.take_over(old, at),
            _ => {}
        }
    }

    /// What a meter that took over from this one may give back of a charge; none if none can.
    pub(crate) fn hand_on(&self, receipt: &AnyReceipt, surplus: u64) -> Option<HandedOn> {
        match (self, receipt) {
            (Self::Rate(old), AnyReceipt::Rate(receipt)) => {
                Some(HandedOn::Carried(old.hand_on(receipt, surplus)))
            }
            // Periods are numbered alike in both.
            (Self::Fixed(_) | Self::Calendar(_), _) => Some(HandedOn::Receipt(*receipt, surplus)),
            _ => None,
        }
    }

    /// Gives back what the meter before this one handed on, and returns how many units.
    ///
    /// # Errors
    /// What is handed on further, if another meter may have taken over from this one too.
    pub(crate) fn refund_handed_on(
        &self,
        at: Moment,
        handed_on: HandedOn,
    ) -> Result<u64, HandedOn> {
        match (self, handed_on) {
            (Self::Rate(new), HandedOn::Carried(carried)) => {
                new.refund_carried(at, carried).map_err(HandedOn::Carried)
            }
            (_, HandedOn::Receipt(receipt, surplus)) => match self.refund(at, &receipt, surplus) {
                0 => Err(handed_on),
                refunded => Ok(refunded),
            },
            (_, HandedOn::Carried(_)) => Ok(0),
        }
    }
}

/// What is left to refund where another meter took over.
#[derive(Clone, Copy, Debug)]
pub(crate) enum HandedOn {
    Carried(Carried),
    Receipt(AnyReceipt, u64),
}

fn any<R>(charged: Charged<R>, receipt: impl Fn(R) -> AnyReceipt) -> Charged<AnyReceipt> {
    Charged {
        receipt: receipt(charged.receipt),
        before: charged.before,
        after: charged.after,
        full: charged.full,
    }
}
