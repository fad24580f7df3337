//! Runs a model, and tells how many executions that took: in a line that `cargo xtask verify` reads.
//!
//! Only under `--cfg model_loom` or `--cfg model_shuttle`.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// Counts the executions of a model, and tells them when it is dropped: a model that must fail ends in a panic.
struct Explored {
    how: String,
    executions: Arc<AtomicU64>,
}

impl Drop for Explored {
    fn drop(&mut self) {
        // Relaxed: all threads of a model have ended.
        let executions = self.executions.load(Relaxed);
        println!("explored: {executions} executions, {}", self.how);
    }
}

/// Has `check` run `scenario`, counted.
fn counted<S: Fn() + Send + Sync + 'static>(
    how: String,
    scenario: S,
    check: impl FnOnce(Box<dyn Fn() + Send + Sync>),
) {
    let executions = Arc::new(AtomicU64::new(0));
    let _explored = Explored {
        how,
        executions: Arc::clone(&executions),
    };
    check(Box::new(move || {
        // Relaxed: a count. It is no part of the model.
        executions.fetch_add(1, Relaxed);
        scenario();
    }));
}

/// Runs `scenario` in every interleaving.
#[cfg(model_loom)]
pub fn exhaustive(scenario: impl Fn() + Send + Sync + 'static) {
    searched(None, scenario);
}

/// Runs `scenario` in every interleaving of at most `preemptions` preemptions.
#[cfg(model_loom)]
pub fn bounded(preemptions: usize, scenario: impl Fn() + Send + Sync + 'static) {
    searched(Some(preemptions), scenario);
}

/// Runs `scenario` in every interleaving of at most so many preemptions, or as `TOLLGATE_PREEMPTIONS` says, if those are less: most changes
/// of a protocol show with few, and a search for one that does is soon through.
#[cfg(model_loom)]
fn searched(preemptions: Option<usize>, scenario: impl Fn() + Send + Sync + 'static) {
    let asked = std::env::var("TOLLGATE_PREEMPTIONS").ok();
    let asked = asked.and_then(|text| text.parse().ok());
    let preemptions = preemptions.into_iter().chain(asked).min();
    let how = preemptions.map_or_else(
        || "every interleaving".to_owned(),
        |most| format!("every interleaving of at most {most} preemptions"),
    );
    counted(how, scenario, |scenario| {
        let mut builder = builder();
        builder.preemption_bound = preemptions;
        builder.check(scenario);
    });
}

/// A search that nothing cuts short: what the environment says of time or of executions would let a search that did not
/// end pass.
#[cfg(model_loom)]
fn builder() -> loom::model::Builder {
    let mut builder = loom::model::Builder::new();
    builder.max_duration = None;
    builder.max_permutations = None;
    builder.preemption_bound = None;
    // Steps of one execution. Who waits for another to move takes more than any bound; what is looked at after the race
    // takes more than loom's own of a thousand.
    builder.max_branches = 10_000;
    builder
}

/// Runs `scenario` in random interleavings, and in as many that PCT chooses, which finds whatever needs few preemptions
/// with a known probability: so many as `TOLLGATE_EXECUTIONS` says, else some hundreds. A failure prints the schedule, for
/// `shuttle::replay`.
#[cfg(all(model_shuttle, not(model_loom)))]
pub fn random(scenario: impl Fn() + Send + Sync + 'static) {
    /// The preemptions that PCT goes by, and one.
    const DEPTH: usize = 3;
    let executions = std::env::var("TOLLGATE_EXECUTIONS").ok();
    let executions = executions.and_then(|text| text.parse().ok()).unwrap_or(300);
    let scenario = Arc::new(scenario);
    let again = Arc::clone(&scenario);
    counted(
        "random".to_owned(),
        move || scenario(),
        |scenario| {
            shuttle::check_random(scenario, executions);
        },
    );
    counted(
        "PCT".to_owned(),
        move || again(),
        |scenario| {
            shuttle::check_pct(scenario, executions, DEPTH);
        },
    );
}
