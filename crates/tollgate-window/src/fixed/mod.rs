//! Fixed periods: units used in the current one, which ends for all at once. Debt goes over to the next.
//!
//! # Protocol
//! One word of 128 bits holds everything that changes:
//!
//! | Bits | Hold |
//! | --- | --- |
//! | 0-51 | units used in the stored period |
//! | 52-62 | how many times the counter was reset within it |
//! | 63 | whether the counter is frozen: another one takes over |
//! | 64-127 | number of the stored period |
//!
//! No period has the number `u64::MAX`: all ones is the mark of a closed counter, and one less that of a counter which
//! is still to take over.
//!
//! A charge reads the word. If the caller's period is later than the stored one, the caller sees only that used which is
//! left of a debt: the rollover is part of the same exchange that takes its cost, and no event, timer or request is
//! needed in between. The stored number never steps back: a caller with an older number (a late thread, a clock that
//! was set back) is counted in the stored, later period, or, of a fixed window, denied until that begins: what the
//! older one had used is forgotten. A denial is the read alone, and rolls nothing over.
//!
//! Debt is what the stored period has used beyond its max, which only `charge_anyway` can bring about: no ceiling lifts
//! the max. So it needs no bits of its own. Each period between the stored one and the caller's has paid a max of it.
//! What is left is a function of the word, the max and the two numbers, so all who roll over at once agree. How many
//! periods lie in between is asked only where there is debt.
//!
//! A receipt is the period and the number of resets in it. A refund whose receipt differs from the word in either
//! gives nothing back: it would touch units of another period, or units that were already forgotten.
//!
//! Another max is another counter, since units that were admitted under a larger max are no debt under a smaller one.
//! The old counter is *frozen* by one exchange, which also rolls it over to the period of the change. Late callers meet
//! the mark and look the counter up again. The new one then starts from the frozen state, in another exchange, and with
//! the larger of the two maxes for that period: whoever comes to do this writes the same, so nobody waits for anybody.
//! The new counter honours receipts of the old one.
//!
//! What a period had used when it ended is told beside the word, by whoever ended it, after that: a figure for history.
//!
//! Two fields may reach their end. Units that do (by debt; no admission can) stay there until a reset, since the true
//! sum may be more. After 2,047 resets within one period its receipts can no longer be told apart, and refunds within
//! it are forfeited. Both lean towards denying.
//!
//! # Synchronization
//! - `word`: everybody reads it; every change is an exchange of exactly the word that the step was computed from.
//!   Relaxed, but for what follows: the word is the whole state, so its own modification order is all that is relied on.
//!   Every loop is lock-free: an exchange fails only because another one succeeded, and the retry computes its step
//!   anew from the word found then.
//! - `taken_over_in`, `max_before`: written before the exchange that ends the wait of a pending counter (Release), by
//!   all who attempt that exchange and always to the same values; read only after the word (Acquire). Every later word
//!   is made by an exchange, which carries that release on. Nothing stronger is needed: they never change again.
//! - `restored_in`, `max_restored`: the same of what another process had used, written once, before the exchange that takes it over, behind a
//!   Release fence.
//! - `ended`: the word that a period ended with. Relaxed: it says all in itself. Who takes over puts what had ended before there only if
//!   nothing has ended since.

mod counter;
mod number;
mod state;
mod window;

pub use counter::{PeriodCounter, PeriodReceipt, PeriodRefusal};
pub use number::PeriodNumber;
pub use window::FixedWindow;
