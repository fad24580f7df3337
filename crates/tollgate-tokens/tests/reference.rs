//! Agreement with the vendor's own tokenizer, on text of every kind.

use proptest::prelude::*;
use tiktoken_rs::{ChatCompletionRequestMessage, CoreBPE, FunctionCall, num_tokens_from_messages};
use tollgate_tokens::body::Call;
use tollgate_tokens::{Encoding, Estimator, Message};

fn reference(encoding: Encoding) -> &'static CoreBPE {
    match encoding {
        Encoding::O200kHarmony => tiktoken_rs::o200k_harmony_singleton(),
        Encoding::Cl100kBase => tiktoken_rs::cl100k_base_singleton(),
        Encoding::P50kBase => tiktoken_rs::p50k_base_singleton(),
        Encoding::R50kBase => tiktoken_rs::r50k_base_singleton(),
        _ => tiktoken_rs::o200k_base_singleton(),
    }
}

fn assert_agrees(text: &str) {
    for encoding in Encoding::ALL {
        let expected = reference(encoding).count_ordinary(text) as u64;
        assert_eq!(encoding.count(text), expected, "{encoding}: {text:?}");
    }
}

/// Pieces at which the encodings split in their different ways: blanks of all kinds, contractions in odd cases (with a
/// letter that only folds to an s), digits, marks, scripts with and without case, and control tokens.
fn piece() -> impl Strategy<Value = String> {
    const PIECES: [&str; 48] = [
        " ",
        "  ",
        "\n",
        "\r\n",
        "\t",
        "\u{a0}",
        "\u{3000}",
        "\u{2028}",
        "'",
        "'s",
        "'S",
        "'\u{17f}",
        "'re",
        "'LL",
        "'Ve",
        "don't",
        "a",
        "A",
        "aB",
        "Ab",
        "HTTPServer",
        "the",
        " quick",
        "Token",
        "é",
        "e\u{301}",
        "\u{301}",
        "ǅ",
        "ʰ",
        "ß",
        "中",
        "東京",
        "です",
        "한국",
        "مرحبا",
        "नमस्ते",
        "0",
        "12345",
        "٣",
        "Ⅷ",
        "½",
        "🚦",
        "👩‍👩‍👧",
        "...",
        "//",
        "</",
        "_x",
        "<|endoftext|>",
    ];
    prop_oneof![
        4 => prop::sample::select(&PIECES[..]).prop_map(String::from),
        1 => (prop::sample::select(&PIECES[..]), 1..60_usize).prop_map(|(piece, times)| piece.repeat(times)),
        1 => any::<char>().prop_map(String::from),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(piece(), 0..40).prop_map(|pieces| pieces.concat())
}

/// Text without control tokens, which the reference recognises in messages and we do not.
fn ordinary() -> impl Strategy<Value = String> {
    text().prop_map(|text| text.replace('|', ""))
}

fn message() -> impl Strategy<Value = (Message, ChatCompletionRequestMessage)> {
    let call = || (ordinary(), ordinary());
    (
        prop::sample::select(&["system", "user", "assistant", "tool"][..]),
        ordinary(),
        prop::option::of(ordinary()),
        prop::option::of(ordinary()),
        prop::collection::vec(call(), 0..3),
        prop::option::of(call()),
    )
        .prop_map(|(role, content, name, refusal, calls, call)| {
            let ours = |(name, arguments): &(String, String)| Call {
                name: name.clone(),
                arguments: arguments.clone(),
            };
            let theirs = |(name, arguments): &(String, String)| FunctionCall {
                name: name.clone(),
                arguments: arguments.clone(),
            };
            (
                Message {
                    name: name.clone(),
                    refusal: refusal.clone(),
                    tool_calls: calls.iter().map(ours).collect(),
                    function_call: call.as_ref().map(ours),
                    ..Message::new(role, content.clone())
                },
                ChatCompletionRequestMessage {
                    role: role.into(),
                    content: Some(content),
                    name,
                    refusal,
                    tool_calls: calls.iter().map(theirs).collect(),
                    function_call: call.as_ref().map(theirs),
                },
            )
        })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn any_text_counts_like_the_reference(text in text()) {
        assert_agrees(&text);
    }

    #[test]
    fn any_characters_count_like_the_reference(text in "\\PC{0,80}") {
        assert_agrees(&text);
    }

    #[test]
    fn any_messages_count_like_the_reference(
        messages in prop::collection::vec(message(), 0..4),
        model in prop::sample::select(&["gpt-4o", "gpt-4", "o3-mini", "gpt-oss-120b", "gpt-3.5-turbo-0301", "ft:gpt-4o:a"][..]),
    ) {
        let (ours, theirs): (Vec<_>, Vec<_>) = messages.into_iter().unzip();
        let expected = num_tokens_from_messages(model, &theirs).unwrap() as u64;
        prop_assert_eq!(Estimator::new().count_messages(model, &ours).tokens(), expected);
    }
}

#[test]
fn runs_of_every_length_count_like_the_reference() {
    for run in [
        " ", "\n", "\t", " \n", "a", "aA", "0", "=", "'", "中", "🚦", "\u{301}",
    ] {
        for times in (0..130).chain([255, 256, 257, 1000, 1023]) {
            let text = run.repeat(times);
            assert_agrees(&text);
            assert_agrees(&format!("x{text}y"));
        }
    }
}
