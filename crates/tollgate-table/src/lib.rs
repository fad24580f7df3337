//! A limit for each of millions of keys: fixed memory, no locks, no sweeper.
//!
//! A [`KeyedLimiter`] is a table of small cells, one for each key in use: an address, a user, an API token. A decision
//! reads the clock, touches one cache line and makes one exchange. Nothing is allocated after the table was built,
//! nothing runs in the background, and nobody ever waits: for a lock, for a table that grows, for one that is swept.
//!
//! ```
//! use tollgate_core::{Cost, Limit};
//! use tollgate_table::{KeyedDecision, KeyedLimiter};
//!
//! // 100 a minute for each address, 20 of them at once; up to a million addresses in use.
//! let limit = Limit::per_minute(100).with_capacity(20);
//! let limiter = KeyedLimiter::<str>::builder(limit).max_keys(1_000_000).build()?;
//! match limiter.try_acquire("203.0.113.7", Cost::ONE)? {
//!     KeyedDecision::Allowed(allowed) => println!("welcome; {} more at once", allowed.remaining()),
//!     KeyedDecision::Denied(denied) => println!("try again in {:?}", denied.retry_after()),
//!     KeyedDecision::Full(full) => println!("too many addresses; try again in {:?}", full.retry_after()),
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How it works
//!
//! A line is 64 bytes: four slots, each a 64-bit hash and the TAT of that key (when its capacity is whole again). A cell
//! whose TAT has passed equals a fresh one, so *an expired slot is a free slot*: nothing has to be removed. A key lives in
//! one of eight lines, nine keys of ten in the first one, its home. The protocols are at the heads of the modules
//! `cell` (a hit) and `claim` (a new key), in the source.
//!
//! # When not to use it
//!
//! - One limit: `Limiter` of `tollgate-core`. A handful of known keys: an array of those.
//! - Where two keys of one hash must never share a limit. 64 bits of hash are taken for the key: among ten million
//!   keys the chance that any two share is 3 in a million. [`ExactKeyedLimiter`] stores the keys, in a map that grows up to
//!   a bound.
//! - Costs known only afterwards, quotas of days and months, policies in files: `tollgate-policy`.
//! - Trailing windows: `tollgate-window`. Cells here are GCRA only, which is what lets an expired slot be free.
//!
//! # Guarantees
//!
//! 1. **Never over.** Of each key that keeps to one class, over every half-open interval of length `w`, at most
//!    `capacity + rate × w` units are admitted, exactly, in the time of the `now` that each decision was given. A key never
//!    has two slots, and one in use, let alone in debt, never loses its slot, whatever flood of other keys comes.
//!    - A `now` older than the latest one by more than [`GRACE`] may, if the key's slot was taken over in between, add at
//!      most `rate × (its age − GRACE)`.
//!    - Under [`Overflow::Allow`] and [`Overflow::SharedCell`] keys without a slot are exempt, as said there.
//! 2. **Never needlessly under.** [`retry_after`](KeyedDecision::retry_after) is the least wait, in whole nanoseconds,
//!    after which the cost would pass were nobody else to come; also where it is a slot that is missing. Only a `now` older than
//!    [`GRACE`], or callers beyond all count who race for the same new key, may be denied what would have passed.
//! 3. **A denial changes nothing** and writes nothing, but for a back-out where a key under two limits lost a race. That
//!    gives back the whole charge if nobody charged the key in between, and else all but `rate × d`, d being the
//!    time since the charge: what may have been refilled meanwhile. A back-out that is late by a [reset](KeyedLimiter::reset) and a new
//!    owner of the slot is undone, as that says of resets.
//!
//! What holds them: `each_key_has_a_limiter_of_its_own`, `the_wait_for_a_slot_is_the_least`, `two_limits_agree` and
//! `a_now_older_than_the_grace_adds_at_most_what_is_declared` of [`properties.rs`],
//! `constant_eviction_keeps_every_keys_limit` of [`threads.rs`], and every model of [`loom.rs`]. [How to run them][tests].
//!
//! [`properties.rs`]: https://github.com/tollgate-rs/tollgate/blob/main/crates/tollgate-table/tests/properties.rs
//! [`threads.rs`]: https://github.com/tollgate-rs/tollgate/blob/main/crates/tollgate-table/tests/threads.rs
//! [`loom.rs`]: https://github.com/tollgate-rs/tollgate/blob/main/crates/tollgate-table/tests/loom.rs
//! [tests]: https://github.com/tollgate-rs/tollgate/blob/main/tests/README.md
//!
//! Against true time each decision may add `rate × d`, where d is how much later than its `now` it landed; each clock says
//! what its d is made of. The table's time ends a second before [`Nanos::MAX`](tollgate_core::Nanos::MAX).
//!
//! # Bounds
//!
//! - Memory: 16 bytes a slot, and nothing else for each key: 27 bytes a key at 60 % load, 18 at 90 %. It is one mapping,
//!   for which huge pages are asked where there are any, written once when the table is built.
//! - Lines that a call touches at most, and exchanges that it makes at most beside nobody; the crate's tests count both:
//!
//!   | | lines | exchanges |
//!   | --- | --- | --- |
//!   | a known key at home: allowed, denied | 1 | 1, 0 |
//!   | a known key away from home: allowed, denied | 8 | 1, 0 |
//!   | a new key | 8 | 2 |
//!   | a key without a slot; by [`Overflow::SharedCell`] | 8; 9 | 0; 1 |
//!   | a key under two limits | as under one, but for a shared cell of each | those of both, and 1 for a back-out |
//!   | peek | 8 | 0 |
//!   | reset | 8 | 1 for each limit |
//!   | a batch | those of its keys | those of its keys |
//!   | occupancy | 1,024 | 0 |
//!
//!   A key under two limits has both slots in its home line, while that has room. A new key also stores its hash and its
//!   claim, and fences.
//! - Beside others each exchange that fails is owed to one of another caller on the same slot that did not, and is tried
//!   again. A new key that others bring at the same time costs at most one exchange more for each claim of it, and at most
//!   32 rounds, after which it is answered as one that finds no slot.
//! - Of new keys that come when the table is 60 % full, none in a million finds no slot; at 70 %, 3 in a million; at 80 %, 5
//!   in a hundred thousand; at 90 %, 14 in a thousand. [`max_keys`](KeyedLimiterBuilder::max_keys) goes by 60 %.

#![forbid(unsafe_code)]

mod atomic;
mod batch;
#[cfg(all(test, not(any(model_loom, model_shuttle))))]
mod bounds;
mod builder;
mod cell;
mod choice;
mod claim;
mod class;
mod decision;
mod error;
#[cfg(not(model_shuttle))]
mod exact;
mod hash;
mod keyed;
mod lines;
mod occupancy;
mod overflow;
mod pair;
mod place;
mod planted;
#[cfg(model_loom)]
mod race;
mod table;
mod view;
mod word;

pub use builder::KeyedLimiterBuilder;
pub use class::Class;
pub use decision::{Full, KeyedDecision};
pub use error::{TableError, UnequalBatch};
#[cfg(not(any(model_loom, model_shuttle)))]
pub use exact::{ExactKeyedClass, ExactKeyedLimiter};
pub use hash::{FastHash, FastHasher};
pub use keyed::KeyedLimiter;
pub use occupancy::Occupancy;
pub use overflow::Overflow;
pub use view::KeyedClass;
pub use word::GRACE;
#[cfg(model_loom)]
#[doc(hidden)]
pub use {cell::models as back_outs, claim::models, exact::models as exact_models, planted::Flaw};
