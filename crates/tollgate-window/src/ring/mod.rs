//! A sliding window in slots, for costs of any size.
//!
//! # Protocol
//! The window is `S` slots of equal length; a *tick* is the number of a slot since the epoch, `⌊(now + phase) × S /
//! window⌋`. A slot counts until it has left the window entirely, so the open tick and the `S` before it are looked
//! at: every true window lies within those `S + 1`, which is why no window ever holds more than the ceiling.
//!
//! The *hot word* holds the open tick and all that an admission within it needs:
//!
//! | Bits | Hold |
//! | --- | --- |
//! | 0-41 | prior: units of the `S` ticks before, summed when this tick was opened |
//! | 42-83 | used: units of the open tick |
//! | 84-124 | the open tick |
//! | 125-126 | how many times the ring was reset within it |
//! | 127 | sealed: this tick's units are final, and a later tick is about to be opened |
//!
//! All ones is the mark of a closed ring. The *history* has `S + 1` places, the place of a tick being its remainder;
//! each holds the tick (with its resets) and the units it ended with.
//!
//! - **Admission within the open tick**: one exchange of the hot word, if `prior + used + cost` is within the ceiling.
//! - **Admission in a later tick** first sums the history as that tick will see it. If the cost does not fit, that is
//!   a denial and nothing is written. Else: *seal* the hot word by exchange, so that its units can no longer change;
//!   *record* them in the history, by exchange from an older tick (whoever comes second finds them there); *open* the
//!   new tick by exchanging the sealed word for (new tick, cost, sum). Anybody can take over after any of these steps,
//!   so a thread that stalls holds up nobody. Without the seal, a thread that stalled across a tick would spend a
//!   budget twice.
//! - **Refund**: within the open tick, from the hot word. In an earlier one that still counts, from its place in the
//!   history, and then from the prior, but only while the tick that was open before the history was touched still is:
//!   its prior was summed before, so it still has the units. A later tick sums for itself. (If it summed in between, it
//!   counts the refunded units until it ends: refunds err towards giving back less.) A sealed word is opened first.
//! - **Reset**: raises the *floor*, below which the history is forgotten, then exchanges the hot word for one without
//!   units. Within the same tick the number of resets grows, so that receipts of before are void.
//!
//! A caller whose tick is older than the open one is judged by its own: all that counts in that, the later ticks too, must
//! leave room for the cost, which is then counted in the open tick. That is law 1 by the times given: of the
//! charges within one window the last in order has a tick in it, and saw all before it, which are filed under their own
//! tick or a later one. The history has one place more than the open tick needs, so it can tell what the tick before
//! that needs: threads that race across an edge lose nothing. Older ones are denied until that tick by their own clock,
//! unless the ring is young. A late caller who finds a tick sealed opens the next one first.
//!
//! Two fields may reach their end: units
//! that do (by debt) stay there until their slot has left, and after three resets within one tick its receipts can no
//! longer be told apart, so refunds of that tick are forfeited. Both lean towards denying.
//!
//! # Synchronization
//! - `hot`: read by all, changed only by exchange, by any operation. Its exchanges are Release and its loads Acquire:
//!   whoever sees a tick open sees every record and the floor that its opener saw. (Exchanges within a tick would do
//!   with Relaxed, since they continue the release sequence of the opening; one ordering keeps one function.) Nothing
//!   stronger: no operation relies on the order of two different words but through this edge.
//! - `history.places`: written by exchange from an older tick (record) or within the same (refund); tick and resets in
//!   a place only grow. Records Release, loads Acquire: whoever reads a record of a tick also sees the seal that came
//!   before it, so a scan that met a place already overwritten finds the hot word changed when it looks again.
//! - `history.floor`: only grows; written by reset before its exchange of `hot`, read after a load of `hot`. Relaxed:
//!   the edge is that of `hot`. Who reads it early forgets early, within a reset that has begun.
//!
//! Every loop is lock-free: it repeats only after an exchange of another caller succeeded.

mod cell;
mod history;
mod sharded;
mod ticks;
mod window;
mod word;

pub use sharded::{ShardedRing, ShardedRingBuilder};
pub use window::SlottedRing;
pub use word::SlotReceipt;
