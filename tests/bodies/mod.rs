//! Bodies shared by the property tests and the fuzz targets: each takes bytes, makes a limit and a history of them, and
//! fails where what it drives and an exact model part, or where a law is broken.

mod calendar;
mod chat;
mod gate;
mod histories;
mod keyed;
mod limiter;
mod metered;
mod policy_text;
mod rate;
mod sharded;
mod source;
mod trace;
mod windows;

use calendar::calendar;
use chat::{chat_body, image, text_count};
use gate::{gate_decisions, gate_reloads};
use keyed::{keyed, keyed_batches, keyed_pairs};
use limiter::{limiter, token_bucket};
use policy_text::{decimals, policy_figures, policy_text};
use rate::{rate_changes, rate_eager, rate_refunds};
use sharded::sharded_limiter;
use trace::{timestamp, trace};
use windows::{fixed, log, ring, sharded_ring, tallies};

pub use source::Source;

/// Runs the body of that name.
///
/// # Panics
/// If a law is broken, or there is no such body.
pub fn run(name: &str, bytes: &[u8]) {
    let body = ALL.iter().find(|body| body.name == name);
    (body.expect("a body of that name").run)(bytes);
}

/// A body, by the name of its fuzz target and of its corpus.
#[derive(Clone, Copy, Debug)]
pub struct Body {
    /// `fuzz/fuzz_targets/{name}.rs`, `fuzz/corpus/{name}/`.
    pub name: &'static str,
    /// Panics if a law is broken.
    pub run: fn(&[u8]),
}

macro_rules! bodies {
    ($($name:ident),+ $(,)?) => {
        /// All of them.
        pub const ALL: &[Body] = &[$(Body { name: stringify!($name), run: $name }),+];
    };
}

bodies! {
    limiter,
    token_bucket,
    sharded_limiter,
    ring,
    sharded_ring,
    log,
    fixed,
    tallies,
    rate_refunds,
    rate_changes,
    rate_eager,
    calendar,
    keyed,
    keyed_pairs,
    keyed_batches,
    gate_decisions,
    gate_reloads,
    policy_text,
    policy_figures,
    decimals,
    trace,
    timestamp,
    chat_body,
    text_count,
    image,
}
