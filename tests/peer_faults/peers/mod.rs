//! Small copies of the rules that have the faults, each of one peer and with nothing else of it.
//!
//! Those of governor 0.10, throttlecrab 0.4 and ratelimit 2.0 were held against the crates over random requests: every
//! decision and every wait was the same. The others follow their sources.
//!
//! They keep what makes the fault (the rounding, the width, the order of steps) and leave out the rest: keys, atomics,
//! clocks of their own. Each is asked by one caller at a time.

mod answers;
mod cancel;
mod interval;
mod lagging;
mod per_window;
mod polled;
mod racing;
mod waiting;
mod width;

pub(crate) use answers::LateFigures;
pub(crate) use cancel::{CancelsNothingOfThePast, CancelsTheWhole};
pub(crate) use interval::{Unlimited, WholeInterval};
pub(crate) use lagging::LaggingTat;
pub(crate) use per_window::CounterPerWindow;
pub(crate) use polled::LostFraction;
pub(crate) use racing::{CheckThenUpdate, SmallestRow, Stepwise};
pub(crate) use waiting::{Waiting, WaitsForMore};
pub(crate) use width::{NarrowPeriod, WholeSeconds};
