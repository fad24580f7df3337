//! The recorded trace, which is not part of the repository.

use crate::run::Steps;
use std::{env, path::Path};

/// Where the trace is looked for, from the root of the workspace.
const TRACE: &str = "../shared/data/azure-llm-2023-conv.csv";

/// Why the tests on the recorded trace will not run, if they will not.
pub(crate) fn missing() -> Option<String> {
    let path = path();
    let is_there = Path::new(&path).is_file();
    (!is_there).then(|| format!("no file at {path}; set TOLLGATE_TRACE to one"))
}

/// Says plainly whether the tests on the recorded trace will run.
pub(crate) fn tell(steps: &mut Steps) {
    match missing() {
        None => eprintln!("recorded trace: {}", path()),
        Some(why) => steps.skipped("tests on the trace", &why),
    }
}

fn path() -> String {
    env::var("TOLLGATE_TRACE").unwrap_or_else(|_| TRACE.to_owned())
}
