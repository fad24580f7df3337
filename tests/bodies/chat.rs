//! Bodies of requests: read within bounds or refused, and counted the same however often; texts as the vendor's own
//! tokenizer counts them; images by the size in their header.

use super::Source;
use tollgate_tokens::{
    Detail, Encoding, Estimator, ImageSize, Message, RequestBody,
    body::{Content, Part},
};

const MODELS: [&str; 8] = [
    "gpt-4o",
    "gpt-4o-mini",
    "gpt-4",
    "o3",
    "claude-3-opus-20240229",
    "gemini-1.5-pro",
    "text-embedding-3-small",
    "a-stranger",
];

/// No value of a body costs more than the dearest image, or is shorter than this many bytes.
const TOKENS_OF_A_VALUE_MAX: u64 = 100_000;

/// Any bytes as a body.
pub(super) fn chat_body(bytes: &[u8]) {
    let Ok(body) = RequestBody::from_json(bytes) else {
        return;
    };
    let spaced = [b" \n", bytes, b"\t "].concat();
    assert_eq!(
        RequestBody::from_json(&spaced).as_ref(),
        Ok(&body),
        "space around it means nothing"
    );
    let estimator = Estimator::new();
    for model in MODELS {
        let input = estimator.count_input(model, &body);
        assert_eq!(
            input,
            estimator.count_input(model, &body),
            "it counts the same twice"
        );
        assert!(input.guessed() <= input.tokens());
        let most = (bytes.len() as u64).saturating_mul(TOKENS_OF_A_VALUE_MAX);
        assert!(
            input.tokens() <= most || says_a_size(&body),
            "{input} of {} bytes",
            bytes.len()
        );
        let messages = estimator.count_messages(model, &body.messages);
        assert!(messages.tokens() <= input.tokens() || body.messages.is_empty());
    }
    let _ = body.output_bound();
}

/// Whether it has a picture, which may claim any size, or tokens of its own.
fn says_a_size(body: &RequestBody) -> bool {
    let pictured = |message: &Message| match &message.content {
        Content::Parts(parts) => parts
            .iter()
            .any(|part| matches!(part, Part::Image { size: Some(_), .. })),
        Content::Text(_) => false,
    };
    body.messages.iter().any(pictured)
}

/// Text against the reference; then many times the same text, which must not take long.
pub(super) fn text_count(bytes: &[u8]) {
    let text: String = String::from_utf8_lossy(bytes).chars().take(300).collect();
    let references = [
        (Encoding::O200kBase, tiktoken_rs::o200k_base_singleton()),
        (Encoding::Cl100kBase, tiktoken_rs::cl100k_base_singleton()),
    ];
    for (encoding, reference) in references {
        let count = encoding.count(&text);
        assert_eq!(
            count,
            reference.count_ordinary(&text) as u64,
            "{encoding}: {text:?}"
        );
        assert!(count <= text.len() as u64);
    }
    if text.is_empty() {
        return;
    }
    // What is not linear in its length does not end within the fuzzer's time for one input.
    let long = text.repeat((1_usize << 15).div_ceil(text.len()));
    for encoding in Encoding::ALL {
        let count = encoding.count(&long);
        assert!(0 < count && count <= long.len() as u64);
    }
}

/// Images of every format by their first bytes.
pub(super) fn image(bytes: &[u8]) {
    const HEADS: [&[u8]; 7] = [
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        b"\xff\xd8",
        b"\xff\xd8\xff\xe0\0\x10JFIF",
        b"GIF89a",
        b"RIFF\0\0\0\0WEBPVP8 ",
        b"RIFF\0\0\0\0WEBPVP8X",
        b"",
    ];
    let source = Source::new(bytes);
    let kind = source.index(HEADS.len());
    let rest = source.rest();
    let picture = [HEADS[kind], &rest].concat();
    let url = format!("data:image/any;base64,{}", base64(&picture));
    let Part::Image { size, .. } = Part::image(&url, Detail::High) else {
        panic!("an image is an image");
    };
    let sides = |width: &[u8], height: &[u8], read: fn(u32, &u8) -> u32| {
        let side = |bytes: &[u8]| bytes.iter().fold(0, read);
        ImageSize::new(side(width), side(height))
    };
    match kind {
        0 if rest.len() >= 8 => {
            let big = |sum: u32, byte: &u8| (sum << 8) | u32::from(*byte);
            assert_eq!(size, sides(&rest[..4], &rest[4..8], big));
        }
        // As far as the descriptor of the screen is whole.
        3 if rest.len() >= 7 => {
            let side = |low: u8, high: u8| u32::from(u16::from_le_bytes([low, high]));
            assert_eq!(
                size,
                ImageSize::new(side(rest[0], rest[1]), side(rest[2], rest[3]))
            );
        }
        _ => {}
    }
    for model in MODELS {
        for detail in [Detail::Auto, Detail::Low, Detail::High] {
            let estimate = Estimator::new().count_image(model, size, detail);
            assert!(estimate.guessed() <= estimate.tokens());
        }
    }
    let _ = Part::image(&String::from_utf8_lossy(&rest), Detail::Low);
}

/// Base64 by the bit.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = three
            .iter()
            .fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte))
            << (8 * (3 - three.len()));
        for place in 0..4 {
            let sextet = usize::try_from((bits >> (18 - 6 * place)) & 63).expect("six bits");
            text.push(if place <= three.len() {
                char::from(LETTERS[sextet])
            } else {
                '='
            });
        }
    }
    text
}
