//! What the pages say holds a guarantee is there: every test that they name, and every file that they link to.

use super::tree::{files_of_rust, root, text_of};
use std::fs;

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
/// But for these.
const NO_TESTS: [&str; 2] = ["compare_exchange_weak", "try_acquire_batch"];

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
            && !NO_TESTS.contains(&name.as_str())
            && (name.ends_with('*') || letters.split('_').count() >= WORDS)
    });
    names.collect()
}

/// The names of the functions that are tests, each on a line.
fn tests_in(sources: &str) -> String {
    let (mut tests, mut is_test) = (String::new(), false);
    for line in sources.lines().map(str::trim) {
        if line == "#[test]" || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if let Some((_, rest)) = line.split_once("fn ").filter(|_| is_test) {
            let name = rest.split(['(', '<']).next().unwrap_or_default();
            tests = tests + "\n" + name + "\n";
            is_test = false;
        } else if !line.starts_with(['#', '/']) {
            is_test = false;
        }
    }
    tests
}

/// Whether a test, or several where the name has a star, are called so.
fn is_there(name: &str, tests: &str, listed: &str) -> bool {
    let whole = name.trim_matches('*');
    let ends = |of: &str, is_open: bool| if is_open { "" } else { of }.to_owned();
    if whole.contains("::") {
        // By its module, as the list of models has it.
        return listed.contains(&format!("\"{whole}{}", ends("\"", name.contains('*'))));
    }
    let (before, after) = (
        ends("\n", name.starts_with('*')),
        ends("\n", name.ends_with('*')),
    );
    tests.contains(&format!("{before}{whole}{after}"))
}

#[test]
fn every_test_that_a_page_names_is_there() {
    let mut all = String::new();
    for folder in ["crates", "tests"] {
        for file in files_of_rust(&root().join(folder)) {
            all += &fs::read_to_string(file).unwrap_or_default();
        }
    }
    let tests = tests_in(&all);
    let listed = text_of("tests/models.toml");
    let (mut named, mut gone) = (0, Vec::new());
    for page in PAGES {
        let text = text_of(page);
        for name in tests_of(&text) {
            if !is_there(&name, &tests, &listed) {
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
        let text = text_of(page);
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
    let tests = tests_in(
        "#[test]\n#[ignore]\nfn a_test_of_three() {\n}\nfn no_test_of_three() {\n#[test]\nlet a = 1;\nfn nor_is_this_one() {",
    );
    let listed = "\"lease::one\",";
    assert_eq!(tests, "\na_test_of_three\n");
    assert!(names.iter().all(|name| is_there(name, &tests, listed)));
    let there = ["*_of_three", "a_test_*", "*test*"];
    assert!(there.into_iter().all(|name| is_there(name, &tests, listed)));
    let gone = ["a_test_of_thr", "test_of_three", "*_of_thr", "rate::*"];
    assert!(gone.into_iter().all(|name| !is_there(name, &tests, listed)));
}
