//! What the pages say holds a guarantee is there: every test that they name, and every file that they link to.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The pages that name tests.
const PAGES: [&str; 7] = [
    "tests/README.md",
    "crates/tollgate/docs/guide.md",
    "crates/tollgate-core/src/lib.rs",
    "crates/tollgate-window/src/lib.rs",
    "crates/tollgate-quota/src/lib.rs",
    "crates/tollgate-table/src/lib.rs",
    "crates/tollgate-policy/src/lib.rs",
];
/// Where our pages link to.
const HERE: &str = "https://github.com/tollgate-rs/tollgate/blob/main/";
/// A name of so many words is a test's.
const WORDS: usize = 3;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What stands between backticks, lines joined.
fn quoted(page: &str) -> Vec<String> {
    let parts = page.split('`').skip(1).step_by(2);
    parts.map(str::to_owned).collect()
}

/// The names of tests in what is quoted: words in lower case, perhaps below a module, perhaps with a star at an end.
fn tests_of(page: &str) -> Vec<String> {
    let names = quoted(page).into_iter().filter(|name| {
        let letters = name.trim_matches('*').replace("::", "_");
        let is_name = letters
            .chars()
            .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_');
        // `tollgate_quota::ledger` is a module.
        is_name
            && !name.starts_with("tollgate")
            && (name.ends_with('*') || letters.split('_').count() >= WORDS)
    });
    names.collect()
}

/// Everything of the sources below `folder`, in one text.
fn sources(folder: &Path, all: &mut String) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_built = path.file_name().is_some_and(|name| name == "target");
        if path.is_dir() && !is_built {
            sources(&path, all);
        } else if path.extension().is_some_and(|end| end == "rs") {
            *all += &fs::read_to_string(&path).unwrap_or_default();
        }
    }
}

/// Whether a test, or several where the name ends in a star, are called so.
fn is_there(name: &str, sources: &str, listed: &str) -> bool {
    let (whole, stars) = (name.trim_matches('*'), name.contains('*'));
    if whole.contains("::") {
        // By its module, as the list of models has it.
        return listed.contains(&format!("\"{whole}{}", if stars { "" } else { "\"" }));
    }
    if name.starts_with('*') {
        return sources.contains(whole);
    }
    let called = |end: &str| sources.contains(&format!("fn {whole}{end}"));
    (stars && called("")) || called("(") || called("<")
}

#[test]
fn every_test_that_a_page_names_is_there() {
    let mut all = String::new();
    for folder in ["crates", "tests"] {
        sources(&root().join(folder), &mut all);
    }
    let listed = fs::read_to_string(root().join("tests/models.toml")).expect("the list");
    let (mut named, mut gone) = (0, Vec::new());
    for page in PAGES {
        let text = fs::read_to_string(root().join(page)).expect(page);
        for name in tests_of(&text) {
            if !is_there(&name, &all, &listed) {
                gone.push(format!("{page} names {name}"));
            }
            named += 1;
        }
    }
    assert!(gone.is_empty(), "{gone:#?}");
    assert!(named > 40, "only {named} names were read");
}

#[test]
fn every_link_of_a_page_into_the_tree_leads_somewhere() {
    let mut links = 0;
    for page in PAGES {
        let text = fs::read_to_string(root().join(page)).expect(page);
        for rest in text.split(HERE).skip(1) {
            let end = rest.find(|letter: char| letter.is_whitespace() || ")#>".contains(letter));
            let path = &rest[..end.unwrap_or(rest.len())];
            assert!(root().join(path).exists(), "{page} links to {path}");
            links += 1;
        }
    }
    assert!(links > 10, "only {links} links were read");
}

#[test]
fn a_test_that_is_gone_is_missed() {
    let names =
        tests_of("held by `a_test_of_three` and `two_words`, models `lease::*`, `Type::new`");
    assert_eq!(names, ["a_test_of_three", "lease::*"]);
    let (sources, listed) = ("fn a_test_of_three() {", "\"lease::one\",");
    assert!(names.iter().all(|name| is_there(name, sources, listed)));
    assert!(!is_there("a_test_of_thr", sources, listed));
    assert!(!is_there("rate::*", sources, listed));
}
