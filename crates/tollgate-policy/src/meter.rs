//! One meter of any algorithm.

use std::sync::Arc;
use tollgate_core::{Charged, Cost, Meter, Moment, Refused};
use tollgate_quota::{CalendarMeter, Carried, Concurrency, Lifetime, RateMeter, lease::Leased};
use tollgate_window::{ExactLog, FixedWindow, SlottedRing};

/// Defines the enum of meters, that of their receipts, and the calls that go through.
macro_rules! meters {
    ($($name:ident($meter:ty)),+ $(,)?) => {
        /// A meter of any algorithm, shared: where it lies an account finds at once.
        #[derive(Clone, Debug)]
        #[cfg_attr(
            not(feature = "ledger"),
            allow(dead_code, reason = "without a ledger nothing is leased")
        )]
        pub(crate) enum AnyMeter {
            $($name(Arc<$meter>)),+
        }

        $(impl From<$meter> for AnyMeter {
            fn from(meter: $meter) -> Self {
                Self::$name(Arc::new(meter))
            }
        })+

        impl AnyMeter {
            /// Whether both are the very same meter.
            pub(crate) fn is(&self, other: &Self) -> bool {
                match (self, other) {
                    $((Self::$name(one), Self::$name(other)) => Arc::ptr_eq(one, other),)+
                    _ => false,
                }
            }
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
    Window(SlottedRing<()>),
    Log(ExactLog<()>),
    Fixed(FixedWindow<()>),
    Calendar(CalendarMeter),
    Lifetime(Lifetime),
    Concurrency(Concurrency),
    LeasedRate(Leased<RateMeter>),
    LeasedFixed(Leased<FixedWindow<()>>),
    LeasedCalendar(Leased<CalendarMeter>),
    LeasedLifetime(Leased<Lifetime>),
    LeasedWindow(Leased<SlottedRing<()>>),
    LeasedLog(Leased<ExactLog<()>>),
}

/// Calls `$call` on the leased meter that `$meter` is, if it is one.
macro_rules! if_leased {
    ($meter:expr, $leased:ident => $call:expr, $or:expr) => {
        match $meter {
            AnyMeter::LeasedRate($leased) => $call,
            AnyMeter::LeasedFixed($leased) => $call,
            AnyMeter::LeasedCalendar($leased) => $call,
            AnyMeter::LeasedLifetime($leased) => $call,
            AnyMeter::LeasedWindow($leased) => $call,
            AnyMeter::LeasedLog($leased) => $call,
            _ => $or,
        }
    };
}

impl AnyMeter {
    /// True if it spends what a ledger has lent.
    pub(crate) fn is_leased(&self) -> bool {
        if_leased!(self, _leased => true, false)
    }

    /// Tells a leased meter the most that its limit admits from now on.
    pub(crate) fn set_max(&self, max: u64) {
        if_leased!(self, leased => leased.set_max(max), ());
    }

    /// Charges what is on record to a meter that is not leased; see [`Lasting`](tollgate_quota::lease::Lasting).
    #[cfg(feature = "ledger")]
    pub(crate) fn restore(
        &self,
        record: &tollgate_quota::ledger::AccountRecord,
        at: Moment,
        frame: i64,
    ) {
        use tollgate_quota::{lease::Lasting, ledger::AccountRecord};

        /// The meter is new and nobody else's: it is never closed.
        fn charge(meter: &impl Lasting, record: &AccountRecord, at: Moment, frame: i64) {
            let _ = meter.restore(&record.standing, record.out, at, frame);
            if let Some(ahead) = &record.ahead {
                let _ = meter.place_ahead(ahead, at, frame, record.standing.max);
            }
        }

        match self {
            Self::Rate(meter) => charge(&**meter, record, at, frame),
            Self::Window(meter) => charge(&**meter, record, at, frame),
            Self::Log(meter) => charge(&**meter, record, at, frame),
            Self::Fixed(meter) => charge(&**meter, record, at, frame),
            Self::Calendar(meter) => charge(&**meter, record, at, frame),
            Self::Lifetime(meter) => charge(&**meter, record, at, frame),
            _ => {}
        }
    }

    /// Counts a request that the limit of a leased meter refused.
    pub(crate) fn count_refused(&self) {
        if_leased!(self, leased => leased.count_refused(), ());
    }

    /// Asks for `cost` to be lent to a leased meter, if less is at hand.
    pub(crate) fn ask_for(&self, cost: Cost, at: Moment) {
        if_leased!(self, leased => leased.ask_for(cost, at), ());
    }

    /// Charges a leased meter although nothing is lent: see [`Leased::charge_unrecorded`].
    pub(crate) fn charge_unrecorded(
        &self,
        at: Moment,
        cost: Cost,
        ceiling: u64,
    ) -> Result<Charged<AnyReceipt>, Refused> {
        let charged = match self {
            Self::LeasedRate(meter) => any(
                meter.charge_unrecorded(at, cost, ceiling)?,
                AnyReceipt::LeasedRate,
            ),
            Self::LeasedFixed(meter) => any(
                meter.charge_unrecorded(at, cost, ceiling)?,
                AnyReceipt::LeasedFixed,
            ),
            Self::LeasedCalendar(meter) => {
                let charged = meter.charge_unrecorded(at, cost, ceiling)?;
                any(charged, AnyReceipt::LeasedCalendar)
            }
            Self::LeasedLifetime(meter) => {
                let charged = meter.charge_unrecorded(at, cost, ceiling)?;
                any(charged, AnyReceipt::LeasedLifetime)
            }
            Self::LeasedWindow(meter) => {
                let charged = meter.charge_unrecorded(at, cost, ceiling)?;
                any(charged, AnyReceipt::LeasedWindow)
            }
            Self::LeasedLog(meter) => {
                let charged = meter.charge_unrecorded(at, cost, ceiling)?;
                any(charged, AnyReceipt::LeasedLog)
            }
            _ => self.charge(at, cost, ceiling)?,
        };
        Ok(charged)
    }

    /// Takes over what `old` has committed as of `at`, if this meter was made to. Anyone may call it, more than once.
    pub(crate) fn take_over(&self, old: &Self, at: Moment) {
        match (self, old) {
            // An account may be replaced and its meter stay.
            _ if self.is(old) => {}
            (Self::Rate(new), Self::Rate(old)) => new.take_over(old, at),
            (Self::Fixed(new), Self::Fixed(old)) => new.take_over(old, at),
            (Self::Calendar(new), Self::Calendar(old)) => new.take_over(old, at),
            (Self::LeasedRate(new), Self::LeasedRate(old)) => new.take_over(old, at),
            (Self::LeasedFixed(new), Self::LeasedFixed(old)) => new.take_over(old, at),
            (Self::LeasedCalendar(new), Self::LeasedCalendar(old)) => new.take_over(old, at),
            _ => {}
        }
    }

    /// What a meter that took over from this one may give back of a charge; none if none can.
    pub(crate) fn hand_on(&self, receipt: &AnyReceipt, surplus: u64) -> Option<HandedOn> {
        match (self, receipt) {
            (Self::Rate(old), AnyReceipt::Rate(receipt)) => {
                Some(HandedOn::Carried(old.hand_on(receipt, surplus)))
            }
            (Self::LeasedRate(old), AnyReceipt::LeasedRate(receipt)) => {
                let carried = old.meter().hand_on(receipt, surplus);
                Some(HandedOn::Carried(carried))
            }
            // Periods are numbered alike in both.
            (
                Self::Fixed(_) | Self::Calendar(_) | Self::LeasedFixed(_) | Self::LeasedCalendar(_),
                _,
            ) => Some(HandedOn::Receipt(*receipt, surplus)),
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
            (Self::LeasedRate(new), HandedOn::Carried(carried)) => {
                let refunded = new.meter().refund_carried(at, carried);
                refunded.map_err(HandedOn::Carried)
            }
            (_, HandedOn::Receipt(receipt, surplus)) => {
                match self.refund_meter(at, &receipt, surplus) {
                    0 => Err(handed_on),
                    refunded => Ok(refunded),
                }
            }
            (_, HandedOn::Carried(_)) => Ok(0),
        }
    }
}

impl AnyMeter {
    /// Refunds the meter alone, and asks nobody to come by: the old meter was asked to do that.
    fn refund_meter(&self, at: Moment, receipt: &AnyReceipt, surplus: u64) -> u64 {
        match (self, receipt) {
            (Self::LeasedFixed(new), AnyReceipt::LeasedFixed(receipt)) => {
                new.meter().refund(at, receipt, surplus)
            }
            (Self::LeasedCalendar(new), AnyReceipt::LeasedCalendar(receipt)) => {
                new.meter().refund(at, receipt, surplus)
            }
            _ => self.refund(at, receipt, surplus),
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
