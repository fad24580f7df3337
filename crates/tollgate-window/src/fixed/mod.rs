//! Fixed periods: units used in the current one, which ends for all at once.
//!
//! # Protocol
//! One word of 128 bits holds everything:
//!
//! | Bits | Hold |
//! | --- | --- |
//! | 0-51 | units used in the stored period |
//! | 52-63 | how many times the counter was reset within it |
//! | 64-127 | number of the stored period |
//!
//! All ones is the mark of a closed counter; so no period has the number `u64::MAX`.
//!
//! A charge reads the word. If the caller's period is later than the stored one, the caller sees nothing used: the
//! rollover is part of the same exchange that takes its cost, and no event, timer or request is needed in between.
//! The stored number never steps back: a caller with an older number (a late thread, a clock that was set back) is
//! counted in the stored, later period. A denial is the read alone, and rolls nothing over.
//!
//! A receipt is the period and the number of resets in it. A refund whose receipt differs from the word in either
//! gives nothing back: it would touch units of another period, or units that were already forgotten.
//!
//! Two fields may reach their end. Units that do (by debt; no admission can) stay there until the period ends, since
//! the true sum may be more. After 4,095 resets within one period its receipts can no longer be told apart, and
//! refunds within it are forfeited. Both lean towards denying.
//!
//! # Synchronization
//! The word is the only atomic. Everybody reads it, every change is an exchange of exactly the word that the step was
//! computed from. Relaxed throughout: the word is the whole state and publishes no other memory, so its own
//! modification order is all that is relied on. Every loop is lock-free: an exchange fails only because another one
//! succeeded, and the retry computes its step anew from the word found then.

mod counter;
mod state;
mod window;

pub use counter::{PeriodCounter, PeriodReceipt, PeriodRefusal};
pub use window::FixedWindow;
