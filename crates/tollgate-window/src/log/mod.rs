//! A sliding window that is exact to the nanosecond.
//!
//! # Protocol
//! The *head* is one word of 128 bits: the total of all units ever taken (bits 64-127), the stamp of the latest
//! charge (0-62) and the mark of a closed log (63). A charge is one exchange of the head, to (total + cost, latest of
//! its own `now` and the stamp). So the head alone orders all charges.
//!
//! What has left the window is judged by the caller's own `now`, which may be older than the stamp. That is law 1 by the
//! times given: of the charges in an interval of the window's length the last in order was let pass by a `now` in that
//! interval, and all before it have stamps not before their own `now`, so none of them had left.
//!
//! What makes the window slide are *points* of the past: a point (total, stamp) says that all units up to that total
//! had been taken by that stamp. The units in the window are then the head's total less that of the newest point that
//! has left it. A *level* is a ring of places that holds points, in order; a place is written only by exchange from its
//! oldest point, so a point never changes until it is overwritten a lap later. Before a charge with a later stamp
//! exchanges the head, it *records* the head in the place after the newest point, unless somebody else did. That may be
//! done by anybody who has seen that head, at any time, and it may even be left undone: with fewer points the units
//! between two of them leave together with the later one, so the log can only become stricter, never looser.
//!
//! The newest point that has left must stay, or nobody could tell what has left. So the oldest point may be
//! overwritten only if the one after it has left as well. (A late caller, for whom it has not, finds it gone, and then
//! counts all units down to the next older point, or to the floor, so that it is denied until the oldest point that is
//! left has left by its own `now`. Figures are then told as of the stamp.) If it has not left, the level is *full*: whoever
//! finds that marks the place as the last of this level, by exchange of the very word that anybody would exchange who
//! records there, and goes on to the next level, which is four times as large. So a level that is over never changes
//! again, and the points of all levels, one level after the other, are one row in order, in which one search finds
//! any. Once the next level laps too, all points below have left.
//!
//! Memory is made on first touch: a level, and in it chunks of places. A place without memory reads as one that nobody
//! wrote to, and that reads as the newest point of the level below: a point of no further units. So what a log takes
//! follows from the charges that its windows have held, not from its max, which may be raised at any time.
//!
//! Levels end where a window has seen more than `max + room` charges, which takes refunds or debt. The next charge is
//! then *merged*: the units since the last point move on to its stamp. Nothing is ever refused for want of a place,
//! and the law stays exact; units that moved count longer than they must.
//!
//! **Refunds.** Between two points lies an *interval* of units; the last one ends with the head. Each place has a
//! second word for the interval that ends there: (total at its start, units refunded). The start tells the lap, so
//! intervals never mix. (Units of the head's interval may be given back when a level is found full, so that its end is
//! recorded on the next: then the words of both places count.) Units refunded are subtracted while their interval is in the window. The highest total that
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
//! - `point` of each place: written by exchange (record, end of a level; Release), read by all (Acquire). Whoever reads a
//!   point sees those before it, so if any place changed during a search, the place after the newest point did, and
//!   looking there once more tells. No search of a charge is wasted by that: its exchange of the head would fail anyway,
//!   but for late records.
//! - `top` and each level's `newest`: hints where to look for the level that takes points, and for its newest. Written
//!   Release, loaded Acquire, so that what they name is there; a stale one costs time only.
//! - Levels and chunks: each put once, behind a `OnceLock`, which publishes it whole. They say nothing: whether a level is
//!   in use stands in the places of the one below. Who loses the race to make one drops theirs.
//! - `refunds`: written by exchange by refunds (Release), read by those who walk (Acquire): so whoever sees what is given
//!   back and looks again sees what came before it. `refunded`: the highest refunded total, `fetch_max` after the refund's
//!   word. Relaxed: whoever sees only one of the two counts the units as not yet given back; whoever comes after the refund
//!   has returned sees both.
//! - `floor`: only grows, `fetch_max` by resets: their linearization point. Relaxed: it publishes nothing else.
//!
//! Who tells how many units there are looks twice where any were given back, and at the head once more, so as to tell of one
//! state: a refund that is seen beside an older head, or without the refund before it, would make less than there ever was.
//!
//! Every loop is lock-free: it repeats only after an exchange of another caller succeeded.

mod cell;
mod level;
mod trail;
mod window;
mod word;

pub use window::ExactLog;
pub use word::LogReceipt;
