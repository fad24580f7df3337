//! Every input that is kept in `fuzz/corpus`: a few for each body that together reach most of what fuzzing has reached.

use std::{fs, path::Path};
use tollgate_tests::bodies;

/// Runs what is kept for the body of that name, and returns how many inputs that was.
fn replay(body: &str) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(body);
    let inputs =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = inputs
        .map(|input| input.expect("a folder that can be read").path())
        .collect();
    paths.sort();
    for path in &paths {
        // Shown if the body fails.
        println!("{}", path.display());
        bodies::run(body, &fs::read(path).expect("a file that can be read"));
    }
    paths.len()
}

#[test]
fn every_input_passes() {
    let mut inputs = 0;
    for body in bodies::ALL {
        let kept = replay(body.name);
        assert!(kept > 0, "nothing is kept for {}", body.name);
        inputs += kept;
    }
    println!("explored: {inputs} executions");
}

/// Each body has its target, and each target a body.
#[test]
fn targets_are_the_bodies() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    let manifest =
        fs::read_to_string(fuzz.join("Cargo.toml")).expect("the manifest of the targets");
    let named: Vec<_> = manifest
        .lines()
        .filter_map(|line| line.strip_prefix("path = \"fuzz_targets/"))
        .collect();
    let bodies: Vec<_> = bodies::ALL
        .iter()
        .map(|body| format!("{}.rs\"", body.name))
        .collect();
    assert_eq!(named, bodies);
    for body in bodies::ALL {
        let target = fuzz.join("fuzz_targets").join(format!("{}.rs", body.name));
        let text = fs::read_to_string(target).expect("a target of that name");
        assert!(text.contains(&format!("run(\"{}\", bytes)", body.name)));
    }
}
