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
//! # Waste
//! After a kill, what counts as used and was not: at most the stock of each account, the n whose record was certain and which
//! was not yet added, and what was given back since the last report. The first two are together at most one lease: as many units
//! as its authority lends at most, or the largest cost that was asked, if that is larger.

mod holder;
mod lasting;
mod leased;

pub use holder::{Asked, Holder, NotTaken, Taken};
pub use lasting::Lasting;
#[cfg(all(feature = "ledger", not(any(model_loom, model_shuttle))))]
pub(crate) use lasting::spent;
pub use leased::{Desk, Leased, LeasedAccount};
