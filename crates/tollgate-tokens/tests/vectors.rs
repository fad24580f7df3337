//! Published and computed examples, count by count.

use tollgate_tokens::{Detail, Encoding, Estimator, ImageSize, Message, RequestBody};

const CL100K: Encoding = Encoding::Cl100kBase;
const O200K: Encoding = Encoding::O200kBase;

fn input(model: &str, json: &str) -> u64 {
    let body = RequestBody::from_json(json.as_bytes()).unwrap();
    Estimator::new().count_input(model, &body).tokens()
}

#[test]
fn texts_count_as_the_vendor_counts_them() {
    for (text, bytes, cl100k, o200k) in [
        ("", 0, 0, 0),
        ("hello world", 11, 2, 2),
        ("Hello, Tollgate!", 16, 5, 5),
        ("The quick brown fox jumps over the lazy dog.", 44, 10, 10),
        ("1234567890", 10, 4, 4),
        ("    let x = foo(bar)?;\n", 23, 7, 7),
        ("naïve café — Ünïcödé", 28, 12, 9),
        ("東京は日本の首都です。", 33, 11, 8),
        ("مرحبا بالعالم", 25, 10, 4),
        ("🚦🚦🚦", 12, 9, 6),
        ("<|endoftext|>", 13, 7, 7),
        (&"a".repeat(40), 40, 5, 5),
        (
            r#"{"type":"object","properties":{"city":{"type":"string"}}}"#,
            57,
            14,
            14,
        ),
    ] {
        assert_eq!(text.len(), bytes, "{text}");
        assert_eq!(CL100K.count(text), cl100k, "{text}");
        assert_eq!(O200K.count(text), o200k, "{text}");
        assert_eq!(Encoding::O200kHarmony.count(text), o200k, "{text}");
    }
}

#[test]
fn a_long_text_counts_as_the_vendor_counts_it() {
    let text = "The quick brown fox jumps over the lazy dog. ".repeat(20_000);
    assert_eq!(text.len(), 900_000);
    assert_eq!(Estimator::new().count("gpt-4o", &text).tokens(), 200_001);
}

#[test]
fn messages_are_framed_as_the_vendor_frames_them() {
    let messages = [
        Message::new("system", "You answer in one short sentence."),
        Message {
            name: Some("agent_7".into()),
            ..Message::new("user", "How many requests per second may this agent send?")
        },
        Message::new("assistant", "Ten."),
        Message::new("user", "And tokens per minute?"),
    ];
    let count = |model| Estimator::new().count_messages(model, &messages).tokens();
    for model in ["gpt-4o", "gpt-4", "gpt-5", "o3", "gpt-oss-20b"] {
        assert_eq!(count(model), 47, "{model}");
    }
    assert_eq!(count("gpt-3.5-turbo-0301"), 49);
}

#[test]
fn tool_definitions_follow_the_published_heuristic() {
    let body = r#"{"tools":[{"type":"function","function":{
        "name":"lookup_limit","description":"Return one limit of an agent",
        "parameters":{"type":"object","properties":{
            "agent":{"type":"string","description":"Agent id"},
            "kind":{"type":"string","description":"Which limit","enum":["rpm","tpm","usd"]}}}}}]}"#;
    assert_eq!(input("gpt-4o", body), 57);
    assert_eq!(input("gpt-4", body), 61);
}

#[test]
fn the_vendors_weather_example_has_the_published_totals() {
    let body = r#"{
        "messages":[
            {"role":"system","content":"You are a helpful assistant that can answer to questions about the weather."},
            {"role":"user","content":"What's the weather like in San Francisco?"}],
        "tools":[{"type":"function","function":{
            "name":"get_current_weather","description":"Get the current weather in a given location",
            "parameters":{"type":"object","properties":{
                "location":{"type":"string","description":"The city and state, e.g. San Francisco, CA"},
                "unit":{"type":"string","description":"The unit of temperature to return","enum":["celsius","fahrenheit"]}},
                "required":["location"]}}}]}"#;
    assert_eq!(input("gpt-4o", body), 101);
    assert_eq!(input("gpt-4o-mini", body), 101);
    assert_eq!(input("gpt-4", body), 105);
    assert_eq!(input("gpt-3.5-turbo", body), 105);
}

#[test]
fn images_count_by_their_size() {
    let size = ImageSize::new;
    for (model, size, detail, tokens) in [
        ("gpt-4o", size(1024, 1024), Detail::High, 765),
        ("gpt-4o", size(2048, 4096), Detail::High, 1105),
        ("gpt-4o", size(9000, 7000), Detail::Low, 85),
        ("gpt-4o", size(1, 1), Detail::Low, 85),
        ("gpt-4o", None, Detail::Low, 85),
        ("gpt-4o", None, Detail::High, 1105),
        ("gpt-4.1", size(1024, 1024), Detail::Auto, 765),
        (
            "gpt-4o-mini",
            size(1024, 1024),
            Detail::High,
            2833 + 4 * 5667,
        ),
        ("o1", size(1024, 1024), Detail::High, 75 + 4 * 150),
        ("gpt-5", size(1024, 1024), Detail::High, 70 + 4 * 140),
        ("gpt-4.1-mini", size(1024, 1024), Detail::High, 1659),
        ("gpt-5-mini", size(1024, 1024), Detail::High, 1659),
        ("gpt-4.1-nano", size(1024, 1024), Detail::High, 2520),
        ("o4-mini", size(1024, 1024), Detail::High, 1762),
        ("claude-sonnet-4-5", size(1000, 750), Detail::Auto, 1000),
        ("claude-sonnet-4-5", None, Detail::Auto, 1600),
    ] {
        let estimate = Estimator::new().count_image(model, size, detail);
        assert_eq!(estimate.tokens(), tokens, "{model} {size:?}");
        let needed = size.is_none() && detail != Detail::Low;
        assert_eq!(estimate.guessed() > 0, needed, "{model} {size:?}");
    }
}
