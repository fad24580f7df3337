//! Estimating whole requests.

use std::num::NonZeroU32;

use crate::body::{Call, Content, Message, Part, RequestBody, Tool};
use crate::image::ImageCost;
use crate::model::{Fallback, Profile};
use crate::tally::Tally;
use crate::{Detail, Encoding, Estimate, ImageSize, tools};

/// Added once to a chat: the tokens that open the reply.
const REPLY_PRIMING: u64 = 3;
/// Added to each call of a tool.
const CALL: u64 = 1;

/// Counts and estimates model tokens by the model's name.
///
/// It holds the constants for what cannot be counted; the defaults serve most programs. Every method is linear in what
/// it is given, and panics on none of it.
///
/// ```
/// use tollgate_tokens::{Estimator, RequestBody};
///
/// let estimator = Estimator::new();
/// let hello = estimator.count("gpt-4o", "hello world");
/// assert_eq!(hello.to_string(), "2 tokens (o200k_base)");
///
/// let body = RequestBody::from_json(br#"{"messages":[{"role":"user","content":"hello world"}]}"#)?;
/// assert_eq!(estimator.count_input("gpt-4o", &body).tokens(), 3 + 3 + 1 + 2);
/// assert!(estimator.count_input("a-model-of-my-own", &body).is_assumed());
/// # Ok::<(), tollgate_tokens::RequestError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Estimator {
    fallback: Fallback,
    image_tokens_unknown: Option<u64>,
    audio_tokens_per_second: u64,
    file_tokens_per_kib: u64,
    file_tokens_min: u64,
}

impl Default for Estimator {
    fn default() -> Self {
        Self::new()
    }
}

impl Estimator {
    /// An estimator with the default constants: unknown models by bytes / 3; images of unknown size by their model's
    /// own constant (1105 tokens for gpt-4o, 1600 for Claude); sound 10 tokens a second; documents 50 tokens a KiB, and
    /// 1500 at least.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            fallback: Fallback::Bytes(NonZeroU32::new(3).expect("three is not zero")),
            image_tokens_unknown: None,
            audio_tokens_per_second: 10,
            file_tokens_per_kib: 50,
            file_tokens_min: 1500,
        }
    }

    /// Counts unknown models by their bytes: 3 bytes to a token are typical, 2 are safe for prose, and 1 is never too
    /// little. In place of [`Estimator::with_default_encoding`].
    #[must_use]
    pub const fn with_bytes_per_token(mut self, bytes: NonZeroU32) -> Self {
        self.fallback = Fallback::Bytes(bytes);
        self
    }

    /// Counts unknown models by an encoding. In place of [`Estimator::with_bytes_per_token`].
    #[must_use]
    pub const fn with_default_encoding(mut self, encoding: Encoding) -> Self {
        self.fallback = Fallback::Encoding(encoding);
        self
    }

    /// Sets the tokens of an image whose size is not known, whatever the model.
    #[must_use]
    pub const fn with_image_tokens_unknown(mut self, tokens: u64) -> Self {
        self.image_tokens_unknown = Some(tokens);
        self
    }

    /// Sets the tokens of a second of sound.
    #[must_use]
    pub const fn with_audio_tokens_per_second(mut self, tokens: u64) -> Self {
        self.audio_tokens_per_second = tokens;
        self
    }

    /// Sets the tokens of a KiB of a document.
    #[must_use]
    pub const fn with_file_tokens_per_kib(mut self, tokens: u64) -> Self {
        self.file_tokens_per_kib = tokens;
        self
    }

    /// Sets the tokens of a document at least, which is what one given by reference counts.
    #[must_use]
    pub const fn with_file_tokens_min(mut self, tokens: u64) -> Self {
        self.file_tokens_min = tokens;
        self
    }

    /// Counts plain text. Control tokens written in it are ordinary text.
    pub fn count(&self, model: &str, text: &str) -> Estimate {
        let mut tally = Tally::new(self.profile(model).basis);
        tally.text(text);
        tally.finish()
    }

    /// Counts the messages of a chat with their framing, as the vendor charges them: exact for text of models with a
    /// published encoding, but for calls of tools, which are framed by a heuristic.
    pub fn count_messages(&self, model: &str, messages: &[Message]) -> Estimate {
        let profile = self.profile(model);
        let mut tally = Tally::new(profile.basis);
        self.add_messages(&mut tally, &profile, messages);
        tally.finish()
    }

    /// Counts tool definitions by the vendor's published heuristic. Schemas that it does not cover count as compact
    /// JSON with sorted keys.
    pub fn count_tools(&self, model: &str, tools: &[Tool]) -> Estimate {
        let profile = self.profile(model);
        let mut tally = Tally::new(profile.basis);
        tools::add(&mut tally, profile.function_init, tools, &[]);
        tally.finish()
    }

    /// Counts one image. A size that is needed and not known, and a model with no published rule, make it a guess.
    pub fn count_image(&self, model: &str, size: Option<ImageSize>, detail: Detail) -> Estimate {
        let profile = self.profile(model);
        let mut tally = Tally::new(profile.basis);
        self.add_image(&mut tally, &profile, size, detail);
        tally.finish()
    }

    /// Counts all the input of a request: messages with their images and other parts, prompts, tools, and the schema
    /// of the answer. `model` is given apart because it may stand elsewhere than in the body.
    pub fn count_input(&self, model: &str, body: &RequestBody) -> Estimate {
        let profile = self.profile(model);
        let mut tally = Tally::new(profile.basis);
        if !body.messages.is_empty() {
            self.add_messages(&mut tally, &profile, &body.messages);
        }
        for prompt in [&body.prompt, &body.input] {
            prompt.texts.iter().for_each(|text| tally.text(text));
            tally.framing(prompt.tokens);
        }
        tools::add(
            &mut tally,
            profile.function_init,
            &body.tools,
            &body.functions,
        );
        let format = body.response_format.as_ref();
        if let Some(schema) = format.and_then(|format| format.value().get("json_schema")) {
            tally.text(&schema.to_string());
        }
        tally.finish()
    }

    fn profile(&self, model: &str) -> Profile {
        Profile::of(model, self.fallback)
    }

    fn add_messages(&self, tally: &mut Tally, profile: &Profile, messages: &[Message]) {
        tally.framing(REPLY_PRIMING);
        for message in messages {
            tally.framing(profile.framing.tokens(message.name.is_some()));
            tally.text(&message.role);
            let texts = [&message.name, &message.refusal];
            texts
                .into_iter()
                .flatten()
                .for_each(|text| tally.text(text));
            match &message.content {
                Content::Text(text) => tally.text(text),
                Content::Parts(parts) => {
                    for part in parts {
                        self.add_part(tally, profile, part);
                    }
                }
            }
            for Call { name, arguments } in message.tool_calls.iter().chain(&message.function_call)
            {
                tally.framing(CALL);
                tally.text(name);
                tally.text(arguments);
            }
        }
    }

    fn add_part(&self, tally: &mut Tally, profile: &Profile, part: &Part) {
        match part {
            Part::Text(text) => tally.text(text),
            Part::Image { size, detail } => self.add_image(tally, profile, *size, *detail),
            Part::Audio { bytes, format } => {
                let seconds = bytes.div_ceil(audio_bytes_per_second(format));
                tally.guess(seconds.saturating_mul(self.audio_tokens_per_second));
            }
            Part::File { bytes } => {
                tally.guess(
                    self.data_tokens(bytes.unwrap_or(0))
                        .max(self.file_tokens_min),
                );
            }
            Part::Other { text, bytes } => {
                tally.text(text);
                tally.guess(self.data_tokens(*bytes));
            }
        }
    }

    fn add_image(
        &self,
        tally: &mut Tally,
        profile: &Profile,
        size: Option<ImageSize>,
        detail: Detail,
    ) {
        let ImageCost { tokens, is_guess } =
            profile.images.cost(size, detail, self.image_tokens_unknown);
        if is_guess {
            tally.guess(tokens);
        } else {
            tally.framing(tokens);
        }
    }

    const fn data_tokens(&self, bytes: u64) -> u64 {
        bytes
            .div_ceil(1024)
            .saturating_mul(self.file_tokens_per_kib)
    }
}

/// Speech as it is usually recorded: 16 kHz of 16 bits uncompressed, 64 kbit/s compressed. Sound of a higher quality is
/// guessed too long.
fn audio_bytes_per_second(format: &str) -> u64 {
    match format {
        "wav" | "pcm16" => 32_000,
        _ => 8_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(json: &str) -> RequestBody {
        RequestBody::from_json(json.as_bytes()).unwrap()
    }

    fn input(model: &str, json: &str) -> Estimate {
        Estimator::new().count_input(model, &body(json))
    }

    #[test]
    fn prompts_have_no_framing() {
        assert_eq!(
            input("text-davinci-003", r#"{"prompt":"hello world"}"#).tokens(),
            2
        );
        let two = input(
            "text-embedding-3-small",
            r#"{"input":["hello world","hello"]}"#,
        );
        assert_eq!(two.tokens(), 3);
        assert_eq!(input("gpt-4o", r#"{"prompt":[[1,2],[3]]}"#).tokens(), 3);
        assert_eq!(input("gpt-4o", "{}").tokens(), 0);
    }

    #[test]
    fn every_kind_of_input_is_added() {
        let estimator = Estimator::new();
        let count = |text| Encoding::O200kBase.count(text);
        let whole = input(
            "gpt-4o",
            r#"{"messages":[{"role":"user","content":[{"type":"text","text":"Which limit?"},
                {"type":"image_url","image_url":{"url":"https://example.com/a.png"}},
                {"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}},
                {"type":"file","file":{"file_id":"f"}}]}],
              "tools":[{"type":"web_search"}],"functions":[{"name":"f"}],
              "response_format":{"type":"json_schema","json_schema":{"name":"answer"}}}"#,
        );
        let messages = 3 + 3 + count("user") + count("Which limit?");
        let tools = 7 + count(r#"{"type":"web_search"}"#) + 7 + count("f:") + 12;
        let guessed = 1105 + 10 + 1500;
        assert_eq!(whole.guessed(), guessed);
        assert_eq!(
            whole.tokens(),
            messages + tools + count(r#"{"name":"answer"}"#) + guessed
        );
        assert_eq!(estimator.count_messages("gpt-4o", &[]).tokens(), 3);
    }

    #[test]
    fn data_is_never_counted_as_text() {
        let data = "QUJD".repeat(50_000);
        for (part, most) in [
            (
                r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,DATA"}}"#,
                1105,
            ),
            (
                r#"{"type":"input_audio","input_audio":{"data":"DATA","format":"mp3"}}"#,
                190,
            ),
            (
                r#"{"type":"file","file":{"file_data":"data:application/pdf;base64,DATA"}}"#,
                7350,
            ),
            (r#"{"type":"video","video":{"data":"DATA"}}"#, 7370),
        ] {
            let json = format!(r#"{{"messages":[{{"role":"user","content":[{part}]}}]}}"#);
            let tokens = input("gpt-4o", &json.replace("DATA", &data)).tokens();
            assert!(tokens <= most + 7, "{part}: {tokens}");
        }
    }

    #[test]
    fn other_vendors_are_scaled_but_their_framing_is_not() {
        let text = "The quick brown fox jumps over the lazy dog.";
        let estimator = Estimator::new();
        for (model, tokens) in [
            ("gpt-4o", 10),
            ("claude-3-opus-20240229", 12),
            ("claude-opus-4-7", 15),
            ("gemini-2.5-pro", 10),
            ("llama-3.1-8b", 12),
            ("nova-pro", 15),
        ] {
            assert_eq!(estimator.count(model, text).tokens(), tokens, "{model}");
        }
        let messages = [Message::new("user", text)];
        let framed = estimator.count_messages("claude-opus-4-7", &messages);
        assert_eq!(framed.tokens(), 3 + 3 + (11_u64 * 1450).div_ceil(1000));
    }

    #[test]
    fn constants_can_be_set() {
        let estimator = Estimator::new()
            .with_image_tokens_unknown(11)
            .with_audio_tokens_per_second(100)
            .with_file_tokens_min(1000)
            .with_file_tokens_per_kib(10_000);
        let parts = r#"{"messages":[{"role":"user","content":[{"type":"image_url","image_url":"https://a"},
            {"type":"input_audio","input_audio":{"data":"AAAA","format":"mp3"}},
            {"type":"file","file":{"file_id":"f"}},
            {"type":"file","file":{"file_data":"AAAA"}}]}]}"#;
        let guessed = estimator.count_input("gpt-4o", &body(parts)).guessed();
        assert_eq!(guessed, 11 + 100 + 1000 + 10_000);
        let by_bytes = Estimator::new().with_bytes_per_token(NonZeroU32::MIN);
        assert_eq!(by_bytes.count("nova", "hello").tokens(), 5);
        let by_encoding = Estimator::new().with_default_encoding(Encoding::R50kBase);
        assert_eq!(
            by_encoding.count("nova", "hello").to_string(),
            "1 token (assumed r50k_base)"
        );
    }
}
