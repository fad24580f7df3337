//! Text meant to be costly: a megabyte of it is counted, and counted right.

use tiktoken_rs::CoreBPE;
use tollgate_tokens::{Encoding, Estimator, RequestBody};

const MIB: usize = 1 << 20;

/// Units whose count grows evenly with their number once a few are past.
const UNITS: [&str; 14] = [
    " ", "\n", "\t", " \t", "\r\n", "a", "Z", "aA", "0", "' ", "=", "中", "🚦", "\u{301}",
];

/// What `times` times `unit` must count: the reference at two sizes that it can bear, and on along the line.
fn expected(reference: &CoreBPE, unit: &str, times: usize) -> u64 {
    const STEP: usize = 1536;
    let count = |times| reference.count_ordinary(&unit.repeat(times)) as u64;
    // The remainder first, so that what is left is whole steps.
    let first = STEP + times % STEP;
    let (low, high) = (count(first), count(first + STEP));
    let steps = (times - first) / STEP;
    low + (high - low) * steps as u64
}

fn assert_counts(encoding: Encoding, reference: &CoreBPE) {
    for unit in UNITS {
        let times = MIB / unit.len();
        let text = unit.repeat(times);
        let expected = expected(reference, unit, times);
        assert_eq!(
            encoding.count(&text),
            expected,
            "{encoding}: {unit:?} x {times}"
        );
    }
}

#[test]
fn a_megabyte_of_one_thing_counts_right_in_o200k() {
    assert_counts(Encoding::O200kBase, tiktoken_rs::o200k_base_singleton());
}

#[test]
fn a_megabyte_of_one_thing_counts_right_in_cl100k() {
    assert_counts(Encoding::Cl100kBase, tiktoken_rs::cl100k_base_singleton());
}

#[test]
fn a_megabyte_of_one_thing_counts_right_in_p50k() {
    assert_counts(Encoding::P50kBase, tiktoken_rs::p50k_base_singleton());
}

#[test]
fn a_megabyte_of_one_thing_counts_right_in_r50k() {
    assert_counts(Encoding::R50kBase, tiktoken_rs::r50k_base_singleton());
}

#[test]
fn a_megabyte_in_a_request_counts_right_for_every_kind_of_model() {
    let spaces = " ".repeat(MIB);
    let body = format!(r#"{{"messages":[{{"role":"user","content":"{spaces}"}}]}}"#);
    let body = RequestBody::from_json(body.as_bytes()).unwrap();
    for (model, tokens) in [
        ("gpt-4o", 7 + 8192),
        (
            "claude-3-opus-20240229",
            6 + (8193_u64 * 1150).div_ceil(1000),
        ),
        ("a-stranger", 6 + (MIB as u64 + 4).div_ceil(3)),
    ] {
        let estimate = Estimator::new().count_input(model, &body);
        assert_eq!(estimate.tokens(), tokens, "{model}");
    }
}

#[test]
fn a_megabyte_of_nested_schemas_counts_right() {
    let nested = format!("{}{{}}{}", r#"{"items":"#.repeat(40), "}".repeat(40));
    let keys: Vec<String> = (0..MIB / nested.len())
        .map(|key| format!("p{key}"))
        .collect();
    let properties: Vec<String> = keys
        .iter()
        .map(|key| format!(r#""{key}":{nested}"#))
        .collect();
    let tools = format!(
        r#"{{"tools":[{{"type":"function","function":{{"name":"f","parameters":{{"properties":{{{}}}}}}}}}]}}"#,
        properties.join(",")
    );
    let body = RequestBody::from_json(tools.as_bytes()).unwrap();
    let reference = tiktoken_rs::o200k_base_singleton();
    let each = keys
        .iter()
        .map(|key| 3 + reference.count_ordinary(&format!("{key}:{nested}")) as u64);
    let name = reference.count_ordinary("f:") as u64;
    let tokens = Estimator::new().count_input("gpt-4o", &body).tokens();
    assert_eq!(tokens, 7 + name + 3 + each.sum::<u64>() + 12);
}
