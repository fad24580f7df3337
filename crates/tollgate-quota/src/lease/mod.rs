//! Leases: what a process may spend ahead of its authority, and what is certain after it was killed.
//!
//! A quota that forgets at a restart is none, and one that waits for a disk is no limiter. So an
//! [`Authority`](tollgate_core::Authority) lends each account some units ahead of need, and has that on record before
//! one of them is spent. A [`Leased`] meter charges its meter, which knows the exact limit, and then asks its [`Holder`] whether that
//! was lent: no lock, no disk. What the record says after a crash is the meter as it last stood, *and all that was lent then*. So it is
//! never less than what was admitted; and it is too much by at most one lease, and what came back since.
//!
//! # Two kinds of units
//! Of calendars, fixed windows and lifetime budgets units *stay* until they are given back or their period ends. What is lent of them is
//! a *level*: a most that the meter may commit. Whoever charged looks whether the meter is still within it. So a charge is one exchange,
//! that of the meter, and a refund is no more than the meter's.
//!
//! Of rates and sliding windows units *drain*: what the meter has committed falls with time, and no level tells what was admitted. What is
//! lent of them is a *stock*, from which each charge takes its units in a second exchange. A refund gives it nothing back; that is lent again.
//!
//! # Protocol
//! The record of an account holds M, what its meter had committed, and S, what may have been spent beyond that.
//!
//! - *Charge*: the meter takes the cost. Then what the meter has committed by it is within the level, or the stock has the cost. Else the
//!   meter gives it back, and the answer is [`Refused::Dry`](tollgate_core::Refused::Dry).
//! - *Refund*: the meter gets the units back.
//! - *Debt*: the meter takes all of it; the stock pays what it can of the part that is within the limit. What is beyond the level, the
//!   stock or the limit is not on record until the next report.
//! - *Report*, by one caller at a time: lower the level, or trim the stock, if more is left than should be. Read M₁ of the meter. S₁ is
//!   what the level allows beyond M₁, or the stock as it was trimmed. Have (M₁, S₁ + n) put on record. When that is certain, raise the level
//!   to M₁ + S₁ + n, but not above the max that is on record; or add n to the stock.
//!
//! # Why it is right
//! Let the truth be what was admitted and not given back.
//!
//! *Levels.* The meter is read by an exchange, so each charge came before that or after it, in the one order of the meter's changes.
//! Those before are in M₁. Those after find the level as it was lowered, or raised since. If somebody was admitted after the reading,
//! the last one left the meter within the level, which is at most M₁ + S₁, and since then the truth has only fallen. Else the truth is at
//! most M₁. What a charge adds that is about to be given back only makes others turn back too.
//!
//! *Stock.* A charge whose take came before the stock was trimmed to S₁ is in M₁. All that take after it have S₁ to share, until n is added;
//! so the truth stays at most M₁ + S₁, and then M₁ + S₁ + n.
//!
//! If a report fails, nothing is raised or added, and the older record still covers the truth.
//!
//! A level is of a period. A charge that a meter has counted in another one finds nothing lent, so what is on record
//! has always the latest period in which something was admitted; a clock that is set back between two runs finds it there.
//!
//! A reload may put another meter in the place of one. It takes over what that had committed in exchanges that come after all of the old
//! meter's, so whoever charges it is ordered after a reading of the old one. Of a stock the order tells nothing: who finds a charge of the
//! new meter's in it must read that one, so each new meter is told of before it takes over.
//!
//! # The next period
//! The first charge of a period shall find something lent of it, so that is lent before it begins: a record may also hold A, what may have
//! been spent of the period after that of M. Once that record is certain there is a second level, of that period: of A units, and of the
//! debt that is on record with M, which the period begins with. A is lent once in a period.
//!
//! - *Rollover*: the meter rolls over by itself, in the first charge of the next period. Whoever charges it from then on goes by that
//!   period's level.
//! - *Report* after the meter has rolled over: S₁ is what is left of A, and A is on record no more.
//! - *Return*: the level of the next period is taken away first; then a report is made without A. A report with A first lowers that level to
//!   A, since the debt may have become less.
//!
//! A charge of the next period that came before M₁ was read is in M₁, as ever; for M₁ is of the period that it had begun. As
//! long as the record is of the old period, it has A for those of the new. What the meter
//! has in neither is what processes before were lent and took with them when they were killed: it counts as spent in its
//! period, stays on record with A, and is charged to the meter by the first report in that period. Until then the two are together
//! at most what the period has room for, so nobody is admitted beyond it. (Once it is charged, nothing may be left of A until that
//! report is on record.) Only three things can be too much for that room: a debt that is told,
//! and a max that is lowered, between the last report and the rollover; and what is admitted without a record. And only if the clock was set back
//! before the kill was seen, so that what was lost had really been spent.
//!
//! # Waste
//! After a kill, what counts as used and was not: at most what was left to spend of each account and what was lent ahead, the n whose record
//! was certain and which was not yet added, and what was given back since the last report. All but the last are together at most one
//! lease: as many units as its authority lends at most, or the largest cost that was asked, if that is larger.

mod holder;
mod lasting;
mod leased;
mod level;
mod stock;

pub use holder::{Asked, Begun, Holder, Lend, NotSpent, Spent, Units};
#[cfg(all(feature = "ledger", not(any(model_loom, model_shuttle))))]
pub(crate) use lasting::spent;
pub use lasting::{Ahead, Lasting, NextPeriod, Placed};
pub use leased::{Desk, Leased, LeasedAccount};
