//! The recorded trace, which is not part of the repository.

use crate::run::Steps;
use std::{env, path::Path};

/// Where the trace is looked for, from the root of the workspace.
const TRACE: &str = "../shared/data/azure-llm-2023-conv.csv";

/// Says plainly whether the tests on the recorded trace will run.
pub(crate) fn tell(steps: &mut Steps) {
    let path = env::var("TOLLGATE_TRACE").unwrap_or_else(|_| TRACE.to_owned());
    if Path::new(&path).is_file() {
        eprintln!("recorded trace: {path}");
    } else {
        steps.skipped(
            "tests on the trace",
            &format!("no file at {path}; set TOLLGATE_TRACE to one"),
        );
    }
}
