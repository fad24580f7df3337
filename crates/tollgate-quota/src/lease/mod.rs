//! Leases: what a process may spend ahead of its authority, and what is certain after it was killed.
//!
//! A quota that forgets at a restart is none, and one that waits for a disk is no limiter. So an
//! [`Authority`](tollgate_core::Authority) lends each account some units ahead of need, and has that on record before
//! one of them is spent. A [`Leased`] meter charges its meter, which knows the exact limit, and then takes the same units
//! from its [`Holder`]'s stock: two exchanges, no lock, no disk. What the record says after a crash is the meter as it
//! last stood, *and all that was lent then*. So it is never less than what was admitted; and it is too much by at most
//! one lease, and what came back since.
//!
//! # Protocol
//! The record of an account holds M, what its meter had committed, and S, what may have been spent beyond that.
//!
//! - *Charge*: the meter takes the cost, then the stock does. Without stock the meter gives it back, and the answer is
//!   [`Refused::Dry`](tollgate_core::Refused::Dry).
//! - *Refund*: the stock gets the units back, then the meter does. The stock gets none while a report is made.
//! - *Debt*: the meter takes all of it; the stock pays what it can of the part that is within the limit. The rest is not
//!   on record until the next report.
//! - *Report*, by one caller at a time: mark the stock and read S₀ of it; read M₁ of the meter; take the mark off. Have
//!   (M₁, S₀ + n) put on record. When that is certain, add n to the stock.
//!
//! # Why it is right
//! Let the truth be what was admitted and not given back. A charge whose take came before S₀ was read is in M₁. All that
//! take after it have S₀ to share, until n is added; so the truth stays at most M₁ + S₀, and then M₁ + S₀ + n. A refund
//! puts r back in the stock. If that came before the mark, S₀ has r. If it came after the mark was taken off, then its
//! meter's part came after M₁ was read, and M₁ still has r. In between there is none. Stock and meter are two
//! words, and no order of reading them both would do without the mark: what moves from the meter to the stock
//! between the two readings would be in neither.
//!
//! If a report fails, n is not added, and the older record still covers the truth. Whoever wants less on loan just reports
//! with a smaller S₀: the mark and the trimming are one exchange.
//!
//! Stock carries its period. A charge that a meter has counted in another one finds no stock, so what is on record
//! has always the latest period in which something was admitted; a clock that is set back between two runs finds it there.
//!
//! # The next period
//! The first charge of a period shall find stock of it, so that is lent before it begins: a record may also hold A, what may have been spent
//! of the period after that of M. It is lent like n: once that record is certain, and once in a period.
//!
//! - *Rollover*: who comes first with a charge of the next period begins it, in the exchange that takes his units. What was left of the
//!   stock dies, and A is the stock. The meter rolls over by itself, in the charge before.
//! - *Report* after the meter has rolled over: S₀ is what is left of A, begun or not, and A is on record no more.
//! - *Return*: A is taken from the holder first; then a report is made without it.
//!
//! A take of the next period that came before S₀ was read is in M₁, as ever; for M₁ was read after it, in the period that it
//! had begun. All others have A to share. As long as the record is of the old period, it has A for those of the new. What the meter
//! has in neither is what processes before were lent and took with them when they were killed: it counts as spent in its
//! period, stays on record with A, and is charged to the meter by the first report in that period. Until then the two are together
//! at most what the period has room for, so nobody is admitted beyond it. Only three things can be too much for that room: a debt that is told,
//! and a max that is lowered, between the last report and the rollover; and what is admitted without a record. And only if the clock was set back
//! before the kill was seen, so that what was lost had really been spent.
//!
//! # Waste
//! After a kill, what counts as used and was not: at most the stock of each account and what was lent ahead, the n whose record was certain
//! and which was not yet added, and what was given back since the last report. All but the last are together at most one
//! lease: as many units as its authority lends at most, or the largest cost that was asked, if that is larger.

mod holder;
mod lasting;
mod leased;

pub use holder::{Asked, Begun, Holder, NotTaken, Taken};
#[cfg(all(feature = "ledger", not(any(model_loom, model_shuttle))))]
pub(crate) use lasting::spent;
pub use lasting::{Ahead, Lasting, NextPeriod, Placed};
pub use leased::{Desk, Leased, LeasedAccount};
