//! A sliding window that is exact to the nanosecond.
//!
//! # Protocol
//! The *head* is one word of 128 bits: the total of all units ever taken (bits 64-127), the stamp of the latest
//! charge (0-62) and the mark of a closed log (63). A charge is one exchange of the head, to (total + cost, latest of
//! its own `now` and the stamp). So the head alone orders all charges, and an older `now` is taken for the stamp.
//!
//! What makes the window slide are *points* of the past: a point (total, stamp) says that all units up to that total
//! had been taken by that stamp. The units in the window are then the head's total less that of the newest point that
//! has left it. A ring of places holds the points, in order; a place is written only by exchange from its oldest
//! point, so a point never changes until it is overwritten a lap later. Before a charge with a later stamp exchanges
//! the head, it *records* the head in the place after the newest point, unless somebody else did. That may be done by
//! anybody who has seen that head, at any time, and it may even be left undone: with fewer points the units between two
//! of them leave together with the later one, so the log can only become stricter, never looser.
//!
//! The newest point that has left must stay, or nobody could tell what has left. So the oldest point may be
//! overwritten only if the one after it has left as well. (A late caller, for whom it has not, finds it gone, and then
//! counts all units down to the floor.) The ring has a place for each unit of the max and some more, so that this
//! fails only if the window has seen more than `max + room` charges, which takes refunds or debt. The next charge is
//! then *merged*: the units since the last point move on to its stamp. Nothing is ever refused for want of a place,
//! and the law stays exact; units that moved count longer than they must.
//!
//! **Refunds.** Between two points lies an *interval* of units; the last one ends with the head. Each place has a
//! second word for the interval that ends there: (total at its start, units refunded). The start tells the lap, so
//! intervals never mix. Units refunded are subtracted while their interval is in the window. The highest total that
//! was ever refunded is kept beside; while it is in the window whoever wants figures walks the live intervals, else
//! two searches do. An interval that was refunded whole is a hole, and the head may pass over it without recording it,
//! so charges that are given back one by one fill nothing.
//!
//! **Reset** raises the *floor*, the total up to which all is forgotten, and records the head, so that no interval
//! reaches across the floor. (Where a race leaves one that does, its refunds are ignored.)
//!
//! # Synchronization
//! - `head`: read by all, changed only by exchange: charges and closing. Release, and its loads Acquire: whoever sees a
//!   head sees every point that was recorded before it, so that a denial is right as of that head.
//! - `points`: written by exchange (record, Release), read by all (Acquire). Whoever reads a point sees those before
//!   it, so if any place changed during a search, the place after the newest point did, and looking there once more
//!   tells. No search of a charge is wasted by that: its exchange of the head would fail anyway, but for late records.
//! - `newest`: a hint where to look for the newest point. Store Release, load Acquire, so that the point it names is
//!   there; a stale one costs time only.
//! - `refunds`: written by exchange by refunds, read by those who walk. `refunded`: the highest refunded total,
//!   `fetch_max` after the refund's word. Relaxed, both: each word says itself what it belongs to. Whoever sees only one
//!   of the two counts the units as not yet given back; whoever comes after the refund has returned sees both.
//! - `floor`: only grows, `fetch_max` by resets: their linearization point. Relaxed: it publishes nothing else.
//!
//! Every loop is lock-free: it repeats only after an exchange of another caller succeeded.

mod cell;
mod trail;
mod window;
mod word;

pub use window::ExactLog;
pub use word::LogReceipt;
