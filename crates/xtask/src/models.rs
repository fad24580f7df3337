//! The models of every interleaving, under loom.

use crate::run::{Failed, Steps};

/// Crates with models in `tests/loom`.
const CRATES: [&str; 4] = [
    "tollgate-core",
    "tollgate-window",
    "tollgate-quota",
    "tollgate-table",
];

/// Runs all of them. They are built apart from everything else, since every crate is built for the checker.
pub(crate) fn run(steps: &mut Steps) -> Result<(), Failed> {
    for name in CRATES {
        steps.run_with(
            &format!("models of {name}"),
            "cargo",
            ["test", "--release", "--package", name, "--test", "loom"],
            [
                ("RUSTFLAGS", "--cfg model_loom".as_ref()),
                ("CARGO_TARGET_DIR", "target/loom".as_ref()),
            ],
        )?;
    }
    Ok(())
}
