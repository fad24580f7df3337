//! A recorded hour of real traffic to a language model, replayed through a Gate.
//!
//! Every decision is held to models that are written here from the definitions, slowly and in whole numbers, and
//! share no code with the crates; every record of what was admitted is held to the first law by the testkit. The
//! refunds of estimates that were too large are held to the shares of the demand that they must bring back.

mod debts;
mod decisions;
mod exact;
mod refunds;
mod replay;
mod rows;
